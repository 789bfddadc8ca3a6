/*
 * ledger_fixture: a ledger in a directory of its own, for tests.
 *
 * The tables are those of dict/ (without the rules: verdicts are given, not
 * judged). Every call fails the running test when it can't do its work. Include
 * after cmocka.h.
 */
#ifndef TESTS_LIB_LEDGER_FIXTURE_H
#define TESTS_LIB_LEDGER_FIXTURE_H

#include "server/ledger/fsck.h"
#include "server/ledger/ledger.h"
#include "server/ledger/reader.h"

struct ledger_fixture {
    char dir[64]; /* below the directory for temporary files */
    uint64_t map_bytes;
    struct dictionary *dictionary;
    struct store *store;
    struct ledger *ledger;
};

enum { FIXTURE_MAP_BYTES = 256 * 1024 * 1024 };

/* A new, empty directory with an open ledger. */
void fixture_open(struct ledger_fixture *fixture, uint64_t map_bytes);
/* Close the ledger and open it again over the same data. */
void fixture_reopen(struct ledger_fixture *fixture, uint64_t map_bytes);
/* Close and remove everything. */
void fixture_close(struct ledger_fixture *fixture);

/* Other tables from here on: `settings` replaces dict/settings.csv (NULL: as
 * there). The ledger goes on with them. */
void fixture_set_settings(struct ledger_fixture *fixture, const char *settings);

/* "2018-01-02 09:00:00" (Shanghai). */
int64_t fixture_time(const char *text);

/* A judged ticket; what is not given is empty. */
struct fixture_ticket {
    const char *id;
    const char *at;
    int64_t at_us; /* when `at` is NULL */
    const char *caller;
    const char *customer;
    const char *address;
    const char *unit;
    const char *text;
    const char *related;
    enum ticket_type type;
    enum ticket_channel channel;
    enum ticket_category category;
    const char *subcategory; /* Chinese name or code */
    const char *topic;       /* below the subcategory */
    enum ticket_region region;
    uint32_t flags;
};

struct fixture_event {
    const char *id;
    enum event_kind kind;
    const char *at;
    int64_t at_us; /* when `at` is NULL */
    enum event_satisfaction satisfaction;
    enum event_substantiated substantiated;
    enum ticket_region region;
    enum ticket_category category; /* NONE: not given */
    const char *subcategory;
    const char *reason;
};

/* Inside a batch. */
enum ledger_outcome fixture_put_ticket(struct ledger_fixture *fixture,
                                       const struct fixture_ticket *ticket);
enum ledger_outcome fixture_put_event(struct ledger_fixture *fixture,
                                      const struct fixture_event *event);

/* Without the check that it succeeds. */
enum err_code fixture_try_ticket(struct ledger_fixture *fixture,
                                 const struct fixture_ticket *ticket,
                                 enum ledger_outcome *outcome,
                                 struct err *err);

void fixture_begin(struct ledger_fixture *fixture, int64_t now_us);
void fixture_commit(struct ledger_fixture *fixture);

/* A batch of one. */
enum ledger_outcome fixture_ticket(struct ledger_fixture *fixture,
                                   int64_t now_us,
                                   const struct fixture_ticket *ticket);
enum ledger_outcome fixture_event(struct ledger_fixture *fixture,
                                  int64_t now_us,
                                  const struct fixture_event *event);

/* The state of a ticket after the last commit. */
struct ticket_state fixture_state(const struct ledger_fixture *fixture,
                                  const char *id);

/* The sum of a counter over all days, in a dimension's value; unit NULL = all.
 */
int64_t fixture_count(const struct ledger_fixture *fixture,
                      const char *unit,
                      enum tally_dimension dimension,
                      uint32_t value,
                      enum counter counter);

/* Differences that fsck finds; they are printed when there should be none. */
uint64_t fixture_fsck(const struct ledger_fixture *fixture,
                      bool print,
                      struct fsck_result *out);
/* Fails unless fsck finds nothing. */
void fixture_assert_clean(const struct ledger_fixture *fixture);

#endif /* TESTS_LIB_LEDGER_FIXTURE_H */
