/*
 * reader: what a snapshot of the store says. Never blocks the writer.
 *
 * A snapshot is short: a second or some thousand rows, then reader_renew; a
 * long one would make the file grow. Everything a snapshot returns is borrowed
 * until reader_end or reader_renew. One snapshot belongs to one thread.
 */
#ifndef SERVER_LEDGER_READER_H
#define SERVER_LEDGER_READER_H

#include "server/ledger/ledger.h"
#include "server/ledger/names.h"
#include "server/ledger/record.h"
#include "server/ledger/state.h"
#include "server/ledger/store.h"

struct reader {
    const struct store *store;
    MDB_txn *txn;
};

enum err_code reader_begin(const struct store *store,
                           struct reader *out,
                           struct err *err) MUST_CHECK;
void reader_end(struct reader *reader);
/* Look at the newest commit from here on. */
enum err_code reader_renew(struct reader *reader, struct err *err) MUST_CHECK;

/* Log sequence of the snapshot (ledger_next_seq at that commit). */
uint64_t reader_seq(const struct reader *reader);
/* The instant up to which clocks are judged; INT64_MIN before the first. */
int64_t reader_tick_us(const struct reader *reader);
struct ledger_totals reader_totals(const struct reader *reader);

/* The state of a ticket. False: there is none (or it is damaged: err). */
bool reader_state(const struct reader *reader,
                  uint64_t number,
                  struct ticket_state *out,
                  struct err *err);

/* The first ticket whose number is larger, 0 when there is none. */
uint64_t reader_next_ticket(const struct reader *reader,
                            uint64_t number,
                            struct err *err);

/*
 * Visit the states of the tickets from number `from` on, in the order of their
 * numbers, or the other way round from the newest down to `from`. `visit`
 * returns false to stop.
 * Errors  CORRUPT
 */
typedef bool reader_visit_state(void *data, const struct ticket_state *state);
enum err_code reader_states(const struct reader *reader,
                            uint64_t from,
                            bool newest_first,
                            reader_visit_state *visit,
                            void *data,
                            struct err *err) MUST_CHECK;

/* How far judging all tickets again has come; false: it was never asked for. */
bool reader_reclassify(const struct reader *reader,
                       struct ledger_reclassify *out,
                       struct err *err);

/* How far the present or last run of expiry has come; false: it was never asked
 * for, and *out is one that never took anything. */
bool reader_expire(const struct reader *reader,
                   struct ledger_expire *out,
                   struct err *err);

/* Every rule that spoke since the store was made, by id; not exact. */
typedef bool reader_visit_rule(void *data, const struct ledger_rule_hits *hits);
enum err_code reader_rule_hits(const struct reader *reader,
                               reader_visit_rule *visit,
                               void *data,
                               struct err *err) MUST_CHECK;

/* A record of the log: the version in force is state.record_seq; events are
 * chained from state.last_event_seq by record.previous. */
enum err_code reader_record(const struct reader *reader,
                            uint64_t seq,
                            struct record *out,
                            struct err *err) MUST_CHECK;

/*
 * The number of the ticket with this id, 0 when there is none. `ids` is
 * ledger_ids() of the running ledger, or NULL: then the index on disk is
 * searched (a command without a server; O(tickets)).
 */
uint64_t reader_find_id(const struct reader *reader,
                        const struct numbers *ids,
                        struct span id);

/* Newest ticket of a repeat key (follow state_find_link back), or 0; searches
 * the index on disk, O(tickets). */
uint64_t reader_find_key(const struct reader *reader, uint64_t key_hash);

/* Text of a name id; empty for 0. */
struct span reader_name(const struct reader *reader, uint32_t id);

/*
 * Visit tickets with from_us <= accepted_at_us < to_us, in the order of
 * (accepted_at_us, number); start behind (after_us, after_number) when
 * after_number > 0. `visit` returns false to stop.
 */
typedef bool
reader_visit_time(void *data, int64_t accepted_at_us, uint64_t number);
enum err_code reader_tickets(const struct reader *reader,
                             int64_t from_us,
                             int64_t to_us,
                             int64_t after_us,
                             uint64_t after_number,
                             bool newest_first,
                             reader_visit_time *visit,
                             void *data,
                             struct err *err) MUST_CHECK;

/* Clocks that run, in the order of their due time. */
typedef bool reader_visit_clock(void *data,
                                uint32_t kind_id,
                                int64_t due_us,
                                int64_t due_soon_us,
                                uint64_t number);
enum err_code reader_running_clocks(const struct reader *reader,
                                    reader_visit_clock *visit,
                                    void *data,
                                    struct err *err) MUST_CHECK;

/* Clocks of one kind that ran out (open, or finished late), in the order of
 * their due time; kind_id 0: all kinds, one after the other. due_soon_us is
 * STATE_NEVER here. */
enum err_code reader_overdue_clocks(const struct reader *reader,
                                    uint32_t kind_id,
                                    reader_visit_clock *visit,
                                    void *data,
                                    struct err *err) MUST_CHECK;

/* Refused lines, newest first, below `before` (0 = all). */
struct reader_reject {
    uint64_t number;
    int64_t at_us;
    uint64_t line;
    uint64_t line_bytes;
    struct span code;
    struct span source;
    struct span field;
    struct span detail;
    struct span bytes;
};
typedef bool reader_visit_reject(void *data,
                                 const struct reader_reject *reject);
enum err_code reader_rejects(const struct reader *reader,
                             uint64_t before,
                             reader_visit_reject *visit,
                             void *data,
                             struct err *err) MUST_CHECK;

/* A fed value. False when there is none. The period is matched as given;
 * ask again with an empty one for a value of any period. */
struct reader_fact {
    double numerator;
    double denominator;
    int64_t at_us;
    struct span by;
};
bool reader_fact(const struct reader *reader,
                 struct span name,
                 struct span unit,
                 struct span period,
                 struct reader_fact *out,
                 struct err *err);

#endif /* SERVER_LEDGER_READER_H */
