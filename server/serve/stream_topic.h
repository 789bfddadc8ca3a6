/*
 * stream_topic: the numbers of one stretch of time and unit, as events.
 *
 * A topic reads the counters, writes down what differs from the last time and
 * keeps the last events. It knows no clients: those are stream.c's.
 */
#ifndef SERVE_STREAM_TOPIC_H
#define SERVE_STREAM_TOPIC_H

#include "server/base/buf.h"
#include "server/serve/query.h"
#include "server/serve/stream.h"

enum { STREAM_UNIT_BYTES_MAX = 512 };

/* What a topic is about. */
struct stream_key {
    bool is_today; /* follows the day; from_us, to_us are the present one */
    int64_t from_us;
    int64_t to_us;                    /* exclusive; both days of Shanghai */
    char unit[STREAM_UNIT_BYTES_MAX]; /* path or code; empty is all */
};

struct stream_numbers {
    int64_t counts[TICKET_CATEGORY_COUNT][TICKET_REGION_COUNT][COUNTER_COUNT];
    int64_t overdue; /* of all time, for alerts */
    int64_t bursts;
    struct ledger_totals totals;
    struct serve_pipeline pipeline;
    int64_t as_of_us;
    uint64_t seq;
};

struct stream_topic {
    struct stream_key key;
    uint64_t epoch; /* no other topic has had it: part of the event ids */
    uint64_t last;  /* number of the newest event; 0 before the first */
    struct buf ring[STREAM_RING_EVENTS]; /* event n at n % STREAM_RING_EVENTS */
    struct stream_numbers numbers;
    bool numbers_known;
    struct buf snapshot; /* as of event `snapshot_at`; written when asked for */
    uint64_t snapshot_at;
};

/* Errors  NO_MEMORY */
enum err_code stream_topic_new(const struct stream_key *key,
                               uint64_t epoch,
                               struct stream_topic **out,
                               struct err *err) MUST_CHECK;
void stream_topic_free(struct stream_topic **topic);

/* The same stretch and unit? */
bool stream_key_equal(const struct stream_key *a, const struct stream_key *b);

/*
 * Read the numbers and append the events that follow from what changed: none,
 * a delta and perhaps alerts, or a snapshot when the day has turned.
 *
 * Cost    the cells of the stretch; nothing is written when nothing changed
 * Errors  the store's; then the topic is as before
 */
enum err_code stream_topic_look(struct stream_topic *topic,
                                const struct serve_context *context,
                                const struct reader *reader,
                                int64_t now_us,
                                struct err *err) MUST_CHECK;

/* Event number `number`, or the empty span when it is no longer kept. */
struct span stream_topic_event(const struct stream_topic *topic,
                               uint64_t number);

/* All numbers as one event; valid until the next look. */
struct span stream_topic_snapshot(struct stream_topic *topic);

/* The number of the event named by Last-Event-ID, when this topic wrote it and
 * all later ones are kept; false: send a snapshot. */
bool stream_topic_resume(const struct stream_topic *topic,
                         struct span last_event_id,
                         uint64_t *number);

#endif /* SERVE_STREAM_TOPIC_H */
