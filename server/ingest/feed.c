/* The TCP intake: reads lines in place, judges them, acknowledges commits. */
#define LOG_MODULE "feed"
#include "server/ingest/feed.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/access/gate.h"
#include "server/access/tls.h"
#include "server/access/tokens.h"
#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/base/json_out.h"
#include "server/base/listener.h"
#include "server/base/log.h"
#include "server/base/wake.h"

enum {
    FEED_WORKER_BATCHES = 12,     /* in hand at the same time, a worker */
    FEED_READ_BYTES = 256 * 1024, /* room for reading beside one whole line */
    FEED_OUT_BYTES_MAX = 1 << 20, /* answers not taken: no more is read */
    FEED_OUT_BYTES_KEPT = 64 * 1024,
    FEED_REFUSAL_BYTES_MAX = 1024, /* one line of an answer */
    FEED_NEW_CONNECTIONS_MAX = 1024,
    FEED_REFUSED_HEAD_BYTES = LEDGER_REJECT_BYTES_MAX,
    FEED_TOKEN_LINE_BYTES_MAX = 1024,
    FEED_SIGN_IN_S = 10, /* until the token has come */
    FEED_LINGER_S = 2,   /* reading away after a refusal, so that it arrives */
    FEED_PEER_BYTES = 64
};

/* Who may send on a connection. */
enum feed_access {
    FEED_WAITS_FOR_TOKEN,
    FEED_SIGNED_IN,
    FEED_SHUT /* refused; what still comes is read away */
};

struct feed_worker;

struct feed_connection {
    struct feed_worker *worker;
    struct feed_connection *next;
    struct feed_connection *previous;
    struct event *ev_read;
    struct event *ev_write;
    struct event *ev_deadline; /* for the token; NULL without a gate */
    int fd;
    struct tls_stream *tls; /* NULL: plain */
    enum feed_access access;
    struct access_caller caller;
    uint64_t gate_generation; /* when it was let in */
    char peer[FEED_PEER_BYTES];
    uint64_t line_count; /* lines seen, whole ones */
    unsigned in_flight;  /* batches at the writer */
    bool reading;        /* ev_read is armed */
    bool ended;          /* no more bytes will come */
    bool broken;         /* nothing can be written any more */
    uint64_t turn;       /* > 0: waits for a free batch, the lowest first */
    struct buf out;
    size_t out_sent;
    char *partial; /* the beginning of a line */
    size_t partial_bytes;
    size_t partial_room;
    uint64_t skipped_bytes; /* > 0: inside a line over the limit, whose
                               beginning is in `partial` */
};

struct feed_worker {
    struct feed *feed;
    pthread_t thread;
    bool started;
    struct event_base *base;
    struct ring *incoming; /* descriptors + 1 */
    struct wake incoming_wake;
    struct ring *done; /* batches back from the writer */
    struct wake done_wake;
    struct event *ev_incoming;
    struct event *ev_done;
    struct judge judge;
    struct batch *free_batches;
    size_t free_count;
    uint64_t last_turn;
    struct feed_connection *connections;
    bool stopping;
};

struct feed {
    struct writer *writer;
    struct feed_options options;
    struct listener *listener;
    struct feed_worker *workers;
    unsigned next_worker;
    _Atomic bool stop;
    _Atomic uint64_t connections_open;
    _Atomic uint64_t connections_total;
    _Atomic uint64_t connections_refused;
    _Atomic uint64_t tokens_refused;
    _Atomic uint64_t lines;
    _Atomic uint64_t bytes;
};

/* --- connections -------------------------------------------------------- */

static void
connection_free(struct feed_connection *connection)
{
    struct feed_worker *worker = connection->worker;

    if (connection->ev_read != NULL) {
        event_free(connection->ev_read);
    }
    if (connection->ev_write != NULL) {
        event_free(connection->ev_write);
    }
    if (connection->ev_deadline != NULL) {
        event_free(connection->ev_deadline);
    }
    tls_stream_free(&connection->tls);
    if (connection->fd >= 0) {
        (void)close(connection->fd);
        atomic_fetch_sub(&worker->feed->connections_open, 1);
    }
    if (connection->previous != NULL) {
        connection->previous->next = connection->next;
    } else if (worker->connections == connection) {
        worker->connections = connection->next;
    }
    if (connection->next != NULL) {
        connection->next->previous = connection->previous;
    }
    buf_release(&connection->out);
    free(connection->partial);
    free(connection);
}

static size_t
out_pending(const struct feed_connection *connection)
{
    return connection->out.bytes - connection->out_sent;
}

/* Nothing more can happen on it. */
static bool
connection_finished(const struct feed_connection *connection)
{
    return connection->in_flight == 0 &&
           (connection->broken || (connection->ended && connection->turn == 0 &&
                                   out_pending(connection) == 0));
}

static void
set_reading(struct feed_connection *connection, bool reading)
{
    if (connection->reading == reading) {
        return;
    }
    connection->reading = reading;
    if (reading) {
        (void)event_add(connection->ev_read, NULL);
    } else {
        (void)event_del(connection->ev_read);
    }
}

/* Reading makes sense now? */
static void
update_reading(struct feed_connection *connection)
{
    set_reading(connection, !connection->ended && !connection->broken &&
                                connection->turn == 0 &&
                                out_pending(connection) < FEED_OUT_BYTES_MAX);
    /* What is decrypted already does not make the socket readable. */
    if (connection->reading && tls_pending(connection->tls) > 0) {
        event_active(connection->ev_read, EV_READ, 0);
    }
}

static void
break_connection(struct feed_connection *connection)
{
    connection->broken = true;
    connection->ended = true;
    connection->turn = 0;
    buf_reset(&connection->out);
    connection->out_sent = 0;
    (void)event_del(connection->ev_write);
    set_reading(connection, false);
}

/* Send what is there; arm the write event for the rest. */
static void
flush_out(struct feed_connection *connection)
{
    while (!connection->broken && out_pending(connection) > 0) {
        ssize_t sent = tls_write(connection->tls, connection->fd,
                                 connection->out.data + connection->out_sent,
                                 out_pending(connection));

        if (sent > 0) {
            connection->out_sent += (size_t)sent;
        } else if (sent < 0 && errno == EINTR) {
            continue;
        } else if (sent < 0 && errno == EAGAIN) {
            (void)event_add(connection->ev_write, NULL);
            return;
        } else {
            break_connection(connection);
        }
    }
    if (out_pending(connection) == 0) {
        buf_reset(&connection->out);
        connection->out_sent = 0;
        if (connection->out.room_bytes > FEED_OUT_BYTES_KEPT) {
            buf_release(&connection->out);
        }
    }
}

/* --- batches ------------------------------------------------------------ */

static struct batch *
take_batch(struct feed_worker *worker)
{
    struct batch *batch = worker->free_batches;

    if (batch != NULL) {
        worker->free_batches = batch->next;
        worker->free_count--;
    }
    return batch;
}

/* What it held is let go here, not when it is needed again. */
static void
give_batch(struct feed_worker *worker, struct batch *batch)
{
    batch_reset(batch);
    batch->next = worker->free_batches;
    worker->free_batches = batch;
    worker->free_count++;
}

/* To the writer; waits there while the queue is full, which is what stops the
 * reading of this worker. */
static void
submit(struct feed_connection *connection, struct batch *batch)
{
    struct feed_worker *worker = connection->worker;

    judge_end(&worker->judge);
    batch->last_line = connection->line_count;
    batch->owner = connection;
    batch->done = worker->done;
    batch->source = "feed";
    batch->wait_for_room = true;
    connection->in_flight++;
    if (!ring_push(writer_queue(worker->feed->writer), batch)) {
        connection->in_flight--;
        give_batch(worker, batch);
        break_connection(connection); /* the writer is gone: no answer */
    }
}

static bool
keep_partial(struct feed_connection *connection, const char *data, size_t bytes)
{
    if (bytes > connection->partial_room) {
        char *larger = realloc(connection->partial, bytes);

        if (larger == NULL) {
            return false;
        }
        connection->partial = larger;
        connection->partial_room = bytes;
    }
    if (bytes > 0) {
        memmove(connection->partial, data, bytes);
    }
    connection->partial_bytes = bytes;
    return true;
}

static bool
refuse_long_line(struct feed_connection *connection,
                 struct batch *batch,
                 struct span head,
                 uint64_t line_bytes)
{
    struct err err = {0};

    if (head.bytes > FEED_REFUSED_HEAD_BYTES) {
        head.bytes = FEED_REFUSED_HEAD_BYTES;
    }
    (void)err_set(&err, ERR_TOO_LONG,
                  "the line has %llu bytes, %zu are allowed; shorten it or "
                  "raise feed_line_bytes_max",
                  (unsigned long long)line_bytes,
                  connection->worker->feed->options.line_bytes_max);
    head = arena_copy(&batch->arena, head);
    return judge_refuse(batch, connection->line_count, &err, head, line_bytes);
}

/* The rest of a line over the limit: returns the bytes used up. */
static size_t
skip_line(struct feed_connection *connection,
          struct batch *batch,
          const char *data,
          size_t bytes,
          bool *fine)
{
    const char *end = memchr(data, '\n', bytes);
    size_t used = end != NULL ? (size_t)(end - data) : bytes;

    connection->skipped_bytes += used;
    if (end == NULL) {
        return bytes;
    }
    connection->line_count++;
    *fine = refuse_long_line(
        connection, batch,
        (struct span){connection->partial, connection->partial_bytes},
        connection->skipped_bytes);
    connection->skipped_bytes = 0;
    connection->partial_bytes = 0;
    return used + 1;
}

static bool
take_line(struct feed_connection *connection,
          struct batch *batch,
          struct span line)
{
    struct feed_worker *worker = connection->worker;

    connection->line_count++;
    atomic_fetch_add_explicit(&worker->feed->lines, 1, memory_order_relaxed);
    if (line.bytes > worker->feed->options.line_bytes_max) {
        return refuse_long_line(connection, batch, line, line.bytes);
    }
    return judge_line(&worker->judge, batch, line, connection->line_count);
}

/*
 * Judge the whole lines in room[0..bytes); what follows the last one stays with
 * the connection. Stops when the batch is full: *rest says where.
 */
static bool
take_lines(struct feed_connection *connection,
           struct batch *batch,
           size_t bytes,
           size_t *rest)
{
    size_t at = 0;
    bool fine = true;

    if (connection->skipped_bytes > 0) {
        at = skip_line(connection, batch, batch->room, bytes, &fine);
    }
    while (fine && at < bytes && batch->item_count < batch->items_max) {
        const char *end = memchr(batch->room + at, '\n', bytes - at);
        struct span line = {batch->room + at, 0};

        if (end == NULL) {
            break;
        }
        line.bytes = (size_t)(end - line.data);
        fine = take_line(connection, batch, line);
        at += line.bytes + 1;
    }
    *rest = at;
    return fine;
}

/* At the end of the connection a last line needs no line end: if it was cut
 * off it is not a whole object and goes to the reject list. */
static bool
take_last_line(struct feed_connection *connection, struct batch *batch)
{
    struct span line = {connection->partial, connection->partial_bytes};
    bool fine = true;

    if (connection->skipped_bytes > 0) {
        connection->line_count++;
        fine = refuse_long_line(connection, batch, line,
                                connection->skipped_bytes);
    } else if (line.bytes > 0) {
        line = arena_copy(&batch->arena, line);
        fine = line.data != NULL && take_line(connection, batch, line);
    }
    connection->skipped_bytes = 0;
    connection->partial_bytes = 0;
    return fine;
}

/* Read until nothing is left or the room is full. Returns bytes in the room;
 * *ended when the client has finished. */
static size_t
fill_room(struct feed_connection *connection, struct batch *batch)
{
    size_t used = 0;

    if (connection->skipped_bytes == 0 && connection->partial_bytes > 0) {
        memcpy(batch->room, connection->partial, connection->partial_bytes);
        used = connection->partial_bytes;
        connection->partial_bytes = 0;
    }
    while (used < batch->room_bytes) {
        ssize_t got = tls_read(connection->tls, connection->fd,
                               batch->room + used, batch->room_bytes - used);

        if (got > 0) {
            used += (size_t)got;
            atomic_fetch_add_explicit(&connection->worker->feed->bytes,
                                      (uint64_t)got, memory_order_relaxed);
        } else if (got < 0 && errno == EINTR) {
            continue;
        } else if (got < 0 && errno == EAGAIN) {
            if (tls_wants_write(connection->tls)) {
                (void)event_add(connection->ev_write, NULL);
            }
            break;
        } else {
            if (got < 0) {
                break_connection(connection);
            }
            connection->ended = true;
            break;
        }
    }
    return used;
}

/* Everything that one filled room holds goes to the writer. */
static void
take_room(struct feed_connection *connection, struct batch *batch, size_t used)
{
    uint64_t lines_before = connection->line_count;
    size_t rest = 0;
    bool fine = take_lines(connection, batch, used, &rest);

    if (fine && rest == 0 && used == batch->room_bytes) {
        /* A whole room without a line end: skip to the next line. */
        fine = keep_partial(connection, batch->room, FEED_REFUSED_HEAD_BYTES);
        connection->skipped_bytes = used;
    } else if (fine && connection->skipped_bytes == 0) {
        fine = keep_partial(connection, batch->room + rest, used - rest);
    }
    if (fine && connection->ended && batch->item_count < batch->items_max &&
        memchr(connection->partial != NULL ? connection->partial : "", '\n',
               connection->partial_bytes) == NULL) {
        fine = take_last_line(connection, batch);
    }
    if (!fine) {
        log_error("no memory for a batch, a feed is closed");
        give_batch(connection->worker, batch);
        break_connection(connection);
    } else if (connection->line_count > lines_before) {
        submit(connection, batch);
    } else {
        give_batch(connection->worker, batch);
    }
}

/* Lines that did not fit into the batch before: true while there are some. */
static bool
has_whole_lines(const struct feed_connection *connection)
{
    return connection->skipped_bytes == 0 && connection->partial_bytes > 0 &&
           (connection->ended || memchr(connection->partial, '\n',
                                        connection->partial_bytes) != NULL);
}

/* --- who may send ------------------------------------------------------- */

static void
set_deadline(struct feed_connection *connection, time_t seconds)
{
    struct timeval after = {seconds, 0};

    (void)event_add(connection->ev_deadline, &after);
}

/* One clear line, then the end: our side is shut and what the client still
 * sends is read away for a while, or the answer would be lost with it. */
static void
shut_out(struct feed_connection *connection,
         const char *code,
         const char *detail)
{
    struct json_out json;

    connection->access = FEED_SHUT;
    connection->partial_bytes = 0;
    connection->skipped_bytes = 0;
    connection->turn = 0;
    atomic_fetch_add(&connection->worker->feed->tokens_refused, 1);
    json_init(&json, &connection->out);
    json_open_object(&json);
    json_put_text(&json, "code", code);
    json_put_text(&json, "detail", detail);
    json_close_object(&json);
    buf_put_char(&connection->out, '\n');
    flush_out(connection);
    if (out_pending(connection) == 0) {
        (void)tls_shut(connection->tls, connection->fd);
    }
    set_deadline(connection, FEED_LINGER_S);
}

static void
let_in(struct feed_connection *connection, uint64_t generation)
{
    connection->access = FEED_SIGNED_IN;
    connection->gate_generation = generation;
    (void)event_del(connection->ev_deadline);
}

static void
check_token(struct feed_connection *connection, struct span line)
{
    struct gate *gate = connection->worker->feed->options.gate;
    uint64_t generation = gate_generation(gate);
    struct span token = token_of_json(line);
    char detail[160];
    unsigned wait_s = 0;

    if (token.data == NULL) {
        shut_out(connection, "not_signed_in",
                 "send {\"token\":\"...\"} as the first line; `suqiu token "
                 "add --role feed` makes one");
        return;
    }
    switch (gate_ask(gate, connection->peer, token, clock_mono_us(),
                     &connection->caller, &wait_s)) {
    case GATE_OPEN:
        if (access_may(connection->caller.role, ACCESS_FEEDS)) {
            let_in(connection, generation);
        } else {
            shut_out(connection, "forbidden",
                     "this token may not feed: its role must be feed or admin");
        }
        break;
    case GATE_WRONG:
        shut_out(connection, "wrong_token", "there is no such token");
        break;
    case GATE_WAIT:
        (void)snprintf(detail, sizeof(detail),
                       "too many wrong tokens from this address: wait %u s and "
                       "try again",
                       wait_s);
        shut_out(connection, "too_many_failures", detail);
        break;
    }
}

/* Take the token's line from the front of the room; returns the bytes that
 * stay. */
static size_t
take_token(struct feed_connection *connection, char *room, size_t bytes)
{
    const char *end = memchr(room, '\n', bytes);
    size_t line_bytes = end != NULL ? (size_t)(end - room) : bytes;

    if (end == NULL && !connection->ended &&
        bytes <= FEED_TOKEN_LINE_BYTES_MAX) {
        if (!keep_partial(connection, room, bytes)) {
            break_connection(connection);
        }
        return 0;
    }
    if (end == NULL && bytes == 0) {
        return 0; /* came and went */
    }
    check_token(connection, (struct span){room, line_bytes});
    if (connection->access != FEED_SIGNED_IN || end == NULL) {
        return 0;
    }
    memmove(room, end + 1, bytes - line_bytes - 1);
    return bytes - line_bytes - 1;
}

/* Bytes of the room that are records of one who may send them. */
static size_t
check_access(struct feed_connection *connection, char *room, size_t bytes)
{
    struct gate *gate = connection->worker->feed->options.gate;
    uint64_t generation;

    if (gate == NULL) {
        return bytes;
    }
    generation = gate_generation(gate);
    if (connection->access == FEED_SIGNED_IN &&
        connection->gate_generation != generation) {
        connection->gate_generation = generation;
        if (!gate_holds(gate, &connection->caller)) {
            shut_out(connection, "wrong_token", "this token was revoked");
        }
    }
    if (connection->access == FEED_WAITS_FOR_TOKEN) {
        bytes = take_token(connection, room, bytes);
    }
    return connection->access == FEED_SIGNED_IN ? bytes : 0;
}

static void
deadline_cb(evutil_socket_t fd, short what, void *data)
{
    struct feed_connection *connection = data;

    (void)fd;
    (void)what;
    if (connection->access == FEED_WAITS_FOR_TOKEN) {
        shut_out(connection, "not_signed_in", "no token came in time");
    } else {
        break_connection(connection);
    }
    if (connection_finished(connection)) {
        connection_free(connection);
    }
}

/* One batch. Where there is none, or lines are left over, the connection waits
 * for its turn. */
static void
read_connection(struct feed_connection *connection)
{
    struct feed_worker *worker = connection->worker;
    struct batch *batch = take_batch(worker);

    connection->turn = 0;
    if (batch != NULL) {
        size_t used = fill_room(connection, batch);

        judge_begin(&worker->judge, batch);
        if (!connection->broken) {
            used = check_access(connection, batch->room, used);
        }
        if (connection->broken || connection->access != FEED_SIGNED_IN) {
            give_batch(worker, batch);
        } else {
            take_room(connection, batch, used);
        }
    }
    if (!connection->broken &&
        (batch == NULL || (connection->access == FEED_SIGNED_IN &&
                           has_whole_lines(connection)))) {
        connection->turn = ++worker->last_turn;
    }
    update_reading(connection);
    if (connection_finished(connection)) {
        connection_free(connection);
    }
}

/* The connection that has waited longest for a batch, or NULL. */
static struct feed_connection *
next_turn(const struct feed_worker *worker)
{
    struct feed_connection *first = NULL;

    for (struct feed_connection *c = worker->connections; c != NULL;
         c = c->next) {
        if (c->turn > 0 && (first == NULL || c->turn < first->turn)) {
            first = c;
        }
    }
    return first;
}

/* Afterwards no batch is free or nobody waits for one. */
static void
take_turns(struct feed_worker *worker)
{
    struct feed_connection *next;

    while (worker->free_batches != NULL && (next = next_turn(worker)) != NULL) {
        read_connection(next);
    }
}

static void
read_cb(evutil_socket_t fd, short what, void *data)
{
    struct feed_connection *connection = data;
    struct feed_worker *worker = connection->worker;

    (void)fd;
    (void)what;
    read_connection(connection);
    take_turns(worker);
}

static void
write_cb(evutil_socket_t fd, short what, void *data)
{
    struct feed_connection *connection = data;

    (void)fd;
    (void)what;
    flush_out(connection);
    if (tls_wants_write(connection->tls) && connection->reading) {
        event_active(connection->ev_read, EV_READ, 0);
    }
    update_reading(connection);
    if (connection_finished(connection)) {
        connection_free(connection);
    }
}

/* --- answers ------------------------------------------------------------ */

static void
put_refusal(struct buf *out, const struct batch_item *item)
{
    struct json_out json;

    json_init(&json, out);
    json_open_object(&json);
    json_key(&json, "line");
    json_uint(&json, item->line);
    json_key(&json, "code");
    json_string(&json, span_of(err_code_name(item->reject->code)));
    json_key(&json, "field");
    json_string(&json, item->reject->field);
    json_key(&json, "detail");
    json_string(&json, item->reject->detail);
    json_close_object(&json);
    buf_put_text(out, "\n");
}

static void
answer(struct feed_connection *connection, const struct batch *batch)
{
    buf_drop_front(&connection->out, connection->out_sent);
    connection->out_sent = 0;
    for (size_t i = 0; i < batch->item_count; i++) {
        if (batch->items[i].kind == BATCH_REJECT) {
            put_refusal(&connection->out, &batch->items[i]);
        }
    }
    buf_printf(&connection->out, "{\"ack\":%llu}\n",
               (unsigned long long)batch->last_line);
    if (connection->out.failed) {
        break_connection(connection);
    }
}

static void
done_cb(evutil_socket_t fd, short what, void *data)
{
    struct feed_worker *worker = data;
    void *items[FEED_WORKER_BATCHES];
    size_t count;

    (void)fd;
    (void)what;
    wake_clear(&worker->done_wake);
    while ((count = ring_try_pop(worker->done, items, FEED_WORKER_BATCHES)) >
           0) {
        for (size_t i = 0; i < count; i++) {
            struct batch *batch = items[i];
            struct feed_connection *connection = batch->owner;

            connection->in_flight--;
            if (batch->err.code != ERR_OK) {
                break_connection(connection); /* not on disk: no answer */
            } else if (!connection->broken) {
                answer(connection, batch);
                flush_out(connection);
            }
            give_batch(worker, batch);
            if (connection_finished(connection)) {
                connection_free(connection);
            } else {
                update_reading(connection);
            }
        }
    }
    take_turns(worker);
}

/* --- workers ------------------------------------------------------------ */

static void
peer_text(int fd, char out[FEED_PEER_BYTES])
{
    struct sockaddr_storage peer = {0};
    socklen_t bytes = sizeof(peer);

    out[0] = '\0';
    if (getpeername(fd, (struct sockaddr *)&peer, &bytes) == 0) {
        listener_peer_text((const struct sockaddr *)&peer, out,
                           FEED_PEER_BYTES);
    }
}

static void
add_connection(struct feed_worker *worker, int fd)
{
    struct feed_connection *connection = calloc(1, sizeof(*connection));
    bool guarded = worker->feed->options.gate != NULL;

    if (connection == NULL) {
        (void)close(fd);
        atomic_fetch_sub(&worker->feed->connections_open, 1);
        return;
    }
    connection->worker = worker;
    connection->fd = fd;
    /* Reading stops at FEED_OUT_BYTES_MAX; what is at the writer by then may
     * all be refused. */
    buf_init(&connection->out,
             FEED_OUT_BYTES_MAX + FEED_WORKER_BATCHES *
                                      worker->feed->options.batch_records_max *
                                      FEED_REFUSAL_BYTES_MAX);
    connection->next = worker->connections;
    if (connection->next != NULL) {
        connection->next->previous = connection;
    }
    worker->connections = connection;
    connection->ev_read =
        event_new(worker->base, fd, EV_READ | EV_PERSIST, read_cb, connection);
    connection->ev_write =
        event_new(worker->base, fd, EV_WRITE, write_cb, connection);
    connection->access = guarded ? FEED_WAITS_FOR_TOKEN : FEED_SIGNED_IN;
    if (guarded) {
        peer_text(fd, connection->peer);
        connection->ev_deadline =
            evtimer_new(worker->base, deadline_cb, connection);
    }
    if (worker->feed->options.tls != NULL) {
        connection->tls = tls_accept(worker->feed->options.tls, fd);
    }
    if (connection->ev_read == NULL || connection->ev_write == NULL ||
        (worker->feed->options.tls != NULL && connection->tls == NULL) ||
        (guarded && connection->ev_deadline == NULL)) {
        connection_free(connection);
        return;
    }
    if (guarded) {
        set_deadline(connection, FEED_SIGN_IN_S);
    }
    update_reading(connection);
}

/* Reading ends; a connection goes when its last batch is back. What is not
 * with the writer yet is left unanswered: a line that is cut off here is not
 * the client's last one. */
static void
stop_worker(struct feed_worker *worker)
{
    struct feed_connection *next;

    worker->stopping = true;
    for (struct feed_connection *c = worker->connections; c != NULL; c = next) {
        next = c->next;
        c->ended = true;
        c->turn = 0;
        set_reading(c, false);
        if (connection_finished(c)) {
            connection_free(c);
        }
    }
}

static void
incoming_cb(evutil_socket_t fd, short what, void *data)
{
    struct feed_worker *worker = data;
    void *items[16];
    size_t count;

    (void)fd;
    (void)what;
    wake_clear(&worker->incoming_wake);
    while ((count = ring_try_pop(worker->incoming, items, 16)) > 0) {
        for (size_t i = 0; i < count; i++) {
            add_connection(worker, (int)((intptr_t)items[i] - 1));
        }
    }
    judge_follow(&worker->judge); /* a swap wakes those without work, too */
    if (atomic_load(&worker->feed->stop) && !worker->stopping) {
        stop_worker(worker);
    }
}

static bool
batches_at_home(const struct feed_worker *worker)
{
    return worker->free_count == FEED_WORKER_BATCHES;
}

static void *
worker_thread(void *data)
{
    struct feed_worker *worker = data;

    (void)prctl(PR_SET_NAME, "suqiu-feed");
    while (!(worker->stopping && batches_at_home(worker))) {
        if (event_base_loop(worker->base, EVLOOP_ONCE) != 0) {
            break;
        }
    }
    while (worker->connections != NULL) {
        connection_free(worker->connections);
    }
    return NULL;
}

static void
worker_release(struct feed_worker *worker)
{
    struct batch *batch;

    if (worker->started) {
        wake_signal(&worker->incoming_wake);
        (void)pthread_join(worker->thread, NULL);
    }
    while ((batch = take_batch(worker)) != NULL) {
        batch_free(&batch);
    }
    if (worker->judge.rulebook != NULL) {
        rulebook_remove_wake(worker->judge.rulebook, &worker->incoming_wake);
    }
    judge_release(&worker->judge);
    if (worker->ev_incoming != NULL) {
        event_free(worker->ev_incoming);
    }
    if (worker->ev_done != NULL) {
        event_free(worker->ev_done);
    }
    if (worker->base != NULL) {
        event_base_free(worker->base);
    }
    ring_free(&worker->incoming);
    ring_free(&worker->done);
    wake_close(&worker->incoming_wake);
    wake_close(&worker->done_wake);
}

static struct event_base *
new_base(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;

    if (config != NULL) {
        (void)event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
        base = event_base_new_with_config(config);
        event_config_free(config);
    }
    return base;
}

static enum err_code
worker_init(struct feed_worker *worker,
            struct feed *feed,
            struct rulebook *rulebook,
            struct err *err)
{
    size_t room = feed->options.line_bytes_max + FEED_READ_BYTES;

    worker->feed = feed;
    worker->incoming_wake.fd = -1;
    worker->done_wake.fd = -1;
    worker->base = new_base();
    worker->incoming = ring_new(FEED_NEW_CONNECTIONS_MAX);
    worker->done = ring_new(FEED_WORKER_BATCHES);
    if (worker->base == NULL || worker->incoming == NULL ||
        worker->done == NULL) {
        return err_set(err, ERR_NO_MEMORY, "feed");
    }
    if (wake_open(&worker->incoming_wake, err) != ERR_OK ||
        wake_open(&worker->done_wake, err) != ERR_OK ||
        judge_init(&worker->judge, rulebook, err) != ERR_OK) {
        return err->code;
    }
    rulebook_add_wake(rulebook, &worker->incoming_wake);
    ring_add_item_wake(worker->incoming, &worker->incoming_wake);
    ring_add_item_wake(worker->done, &worker->done_wake);
    worker->ev_incoming =
        event_new(worker->base, wake_fd(&worker->incoming_wake),
                  EV_READ | EV_PERSIST, incoming_cb, worker);
    worker->ev_done = event_new(worker->base, wake_fd(&worker->done_wake),
                                EV_READ | EV_PERSIST, done_cb, worker);
    if (worker->ev_incoming == NULL || worker->ev_done == NULL ||
        event_add(worker->ev_incoming, NULL) != 0 ||
        event_add(worker->ev_done, NULL) != 0) {
        return err_set(err, ERR_NO_MEMORY, "feed");
    }
    for (size_t i = 0; i < FEED_WORKER_BATCHES; i++) {
        struct batch *batch = batch_new(feed->options.batch_records_max, room);

        if (batch == NULL) {
            return err_set(err, ERR_NO_MEMORY, "feed");
        }
        give_batch(worker, batch);
    }
    if (pthread_create(&worker->thread, NULL, worker_thread, worker) != 0) {
        return err_set(err, ERR_NO_MEMORY, "cannot start a feed worker");
    }
    worker->started = true;
    return ERR_OK;
}

static void
accept_cb(int fd, const struct sockaddr *peer, socklen_t peer_bytes, void *user)
{
    struct feed *feed = user;
    struct feed_worker *worker =
        &feed->workers[feed->next_worker++ % feed->options.workers];

    (void)peer;
    (void)peer_bytes;
    if (atomic_load(&feed->connections_open) >= feed->options.connections_max) {
        static struct log_limit limit = LOG_LIMIT(1000000);

        atomic_fetch_add(&feed->connections_refused, 1);
        log_warn_limited(&limit, "connection refused, too many open max=%u",
                         feed->options.connections_max);
        (void)close(fd);
        return;
    }
    atomic_fetch_add(&feed->connections_open, 1);
    atomic_fetch_add(&feed->connections_total, 1);
    if (!ring_try_push(worker->incoming, (void *)((intptr_t)fd + 1))) {
        atomic_fetch_sub(&feed->connections_open, 1);
        (void)close(fd);
    }
}

enum err_code
feed_new(struct event_base *base,
         struct writer *writer,
         struct rulebook *rulebook,
         const struct feed_options *options,
         struct feed **out,
         struct err *err)
{
    struct feed *feed = calloc(1, sizeof(*feed));

    if (feed == NULL) {
        return err_set(err, ERR_NO_MEMORY, "feed");
    }
    feed->writer = writer;
    feed->options = *options;
    feed->workers = calloc(options->workers, sizeof(*feed->workers));
    if (feed->workers == NULL) {
        (void)err_set(err, ERR_NO_MEMORY, "feed");
    }
    for (unsigned i = 0; err->code == ERR_OK && i < options->workers; i++) {
        (void)!worker_init(&feed->workers[i], feed, rulebook, err);
    }
    if (err->code != ERR_OK ||
        listener_new(base, options->bind, options->port, accept_cb, feed,
                     &feed->listener, err) != ERR_OK) {
        feed_free(&feed);
        return err->code;
    }
    *out = feed;
    return ERR_OK;
}

uint16_t
feed_port(const struct feed *feed)
{
    return listener_port(feed->listener);
}

void
feed_counts(const struct feed *feed, struct feed_counts *out)
{
    struct feed *f = (struct feed *)(uintptr_t)feed;

    out->connections_open = atomic_load(&f->connections_open);
    out->connections_total = atomic_load(&f->connections_total);
    out->connections_refused = atomic_load(&f->connections_refused);
    out->tokens_refused = atomic_load(&f->tokens_refused);
    out->lines = atomic_load(&f->lines);
    out->bytes = atomic_load(&f->bytes);
}

void
feed_free(struct feed **feed)
{
    struct feed *f = *feed;

    if (f == NULL) {
        return;
    }
    listener_free(&f->listener);
    atomic_store(&f->stop, true);
    for (unsigned i = 0; f->workers != NULL && i < f->options.workers; i++) {
        if (f->workers[i].feed != NULL) {
            worker_release(&f->workers[i]);
        }
    }
    free(f->workers);
    free(f);
    *feed = NULL;
}
