/*
 * ticket_filter: which tickets a list shows.
 *
 * The words of GET /v1/tickets. Every counter of the ledger opens its list:
 * counter=NAME selects exactly the tickets counted there, with the same range,
 * unit and dimension.
 *
 * region=rural means rural and remote, as in the reports of two classes;
 * region=remote only remote.
 */
#ifndef SERVE_TICKET_FILTER_H
#define SERVE_TICKET_FILTER_H

#include "server/serve/list_source.h"
#include "server/serve/query.h"

struct ticket_filter {
    int64_t from_us; /* of accepted_at, exclusive end */
    int64_t to_us;
    bool nothing; /* asks for a name no ticket has */

    /* bit sets by enum; 0 = any */
    uint32_t types;
    uint32_t channels;
    uint32_t categories;
    uint32_t regions;
    uint32_t lives; /* enum query_life */
    uint32_t flags; /* verdict flags, all of them */

    uint32_t subcategory_id;
    uint32_t overdue_kind_id;
    uint32_t unit_id;
    uint64_t counters_set;   /* counted in all of these */
    uint64_t counters_unset; /* and in none of these */
    /* of counters anchored to the due instant: from_us, to_us mean that one */
    bool by_due;
    struct span q; /* borrowed from the query */
    enum mask_role role;

    bool caller_asked; /* of the caller of one ticket */
    uint64_t caller_number;
    uint64_t caller_keys[2]; /* customer, phone; 0 = that ticket has none */
};

/* Query parameters it reads, ended by NULL. */
extern const char *const ticket_filter_params[];

/* Errors  BAD_… with the field */
enum err_code ticket_filter_read(struct ticket_filter *filter,
                                 const struct list_request *request,
                                 const struct reader *reader,
                                 struct err *err) MUST_CHECK;

/* The range of accepted_at that has to be looked at. */
int64_t ticket_filter_scan_from_us(const struct ticket_filter *filter);

/* Does the state pass? Words are looked for in what the caller may see, or a
 * number could be guessed digit by digit. `record` is read only when the text
 * is asked for. */
bool ticket_filter_state(const struct ticket_filter *filter,
                         struct query_unit_filter *units,
                         const struct ticket_state *state);
bool ticket_filter_text(const struct ticket_filter *filter,
                        const struct record *record);

/*
 * How many tickets pass: from the cells when they can tell, else by looking at
 * up to LIST_TOTAL_SCAN_MAX tickets; *at_least when there may be more.
 */
enum err_code ticket_filter_total(const struct ticket_filter *filter,
                                  const struct reader *reader,
                                  uint64_t *out,
                                  bool *at_least,
                                  struct err *err) MUST_CHECK;

#endif /* SERVE_TICKET_FILTER_H */
