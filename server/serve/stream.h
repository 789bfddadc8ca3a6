/*
 * stream: GET /v1/stream, Server-Sent Events: the counters of a stretch of time
 * and what changes in them.
 *
 *   event: snapshot   all counters of the stretch by category and region
 *   event: delta      what was added or taken away since the last event
 *   event: alert      more tickets are overdue, more bursts of calls
 *
 * Flow      commits -> [stream] looks, at most four times a second -> clients
 * Effects   a timer of the loop, running only while somebody listens; short
 *           snapshots of the store. The writer knows nothing of it.
 *
 * Clients with the same from, to and unit share a topic: its numbers are read
 * and written down once and the same bytes go to all of them. A client that
 * does not keep up is cut and comes back with Last-Event-ID; the topic keeps
 * the last STREAM_RING_EVENTS events, and one that is further behind gets a
 * snapshot. No personal data goes through here.
 *
 * Thread    that of the HTTP server
 */
#ifndef SERVE_STREAM_H
#define SERVE_STREAM_H

#include "server/serve/context.h"

enum {
    STREAM_CLIENTS_MAX = 400, /* further ones get 503 */
    STREAM_TOPICS_MAX = 64,   /* different stretches at one time */
    STREAM_RING_EVENTS = 256, /* kept a topic, for Last-Event-ID */
    STREAM_EVENT_BYTES_MAX = 128 * 1024,
    STREAM_PENDING_BYTES_MAX = 256 * 1024, /* not taken by a client: cut */
    STREAM_TICK_US = 250000,               /* between two looks */
    STREAM_HEARTBEAT_US = 15000000,        /* of silence */
    STREAM_TOPIC_LINGER_US = 60000000,     /* kept without clients */
    STREAM_RETRY_MS = 3000                 /* what browsers are told */
};

struct stream_hub;

/* `context` is borrowed; context->events is the loop of the timer. */
enum err_code stream_hub_new(const struct serve_context *context,
                             struct stream_hub **out,
                             struct err *err) MUST_CHECK;

/* Answer a request: parameters from, to (dates, both inclusive; without them
 * the present day) and unit. Gives the handle back in the end. */
void stream_open(struct stream_hub *hub, struct http_request *http);

/* End every stream, so that the server can stop. */
void stream_end_all(struct stream_hub *hub);

/* How many listen now. */
unsigned stream_client_count(const struct stream_hub *hub);

/* Also NULL. After the HTTP server. */
void stream_hub_free(struct stream_hub **hub);

#endif /* SERVE_STREAM_H */
