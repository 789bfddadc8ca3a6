/* GET /v1/stream: topics, their clients and the timer that looks. */
#define LOG_MODULE "stream"
#include "server/serve/stream.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/serve/http.h"
#include "server/serve/params.h"
#include "server/serve/problem.h"
#include "server/serve/stream_topic.h"

struct stream_client {
    TAILQ_ENTRY(stream_client) link;
    struct stream_hub *hub;
    struct channel *channel;
    struct http_request *http;
    uint64_t sent; /* number of the last event it got */
};

/* A topic and those who listen to it. */
struct channel {
    TAILQ_ENTRY(channel) link;
    TAILQ_HEAD(, stream_client) clients;
    struct stream_topic *topic;
    int64_t left_mono_us; /* the last client went; meaningless with clients */
    int64_t said_mono_us; /* the last event or heartbeat */
};

struct stream_hub {
    const struct serve_context *context;
    struct event *ev_tick;
    TAILQ_HEAD(, channel) channels;
    unsigned channel_count;
    unsigned client_count;
    uint64_t next_epoch;
    size_t txn_id; /* of the last look; another one: something was committed */
    bool draining;
};

/* ---- clients ---- */

static void
client_free(struct stream_client *client, bool whole)
{
    struct channel *channel = client->channel;
    struct http_request *http = client->http;

    TAILQ_REMOVE(&channel->clients, client, link);
    channel->left_mono_us = clock_mono_us();
    client->hub->client_count--;
    free(client);
    http_stream_end(http, whole);
}

static void
client_gone(struct http_request *http, void *user)
{
    (void)http;
    client_free(user, false);
}

/* Cut who does not keep up; false when it is gone. */
static bool
client_put(struct stream_client *client, struct span bytes)
{
    if (http_stream_pending_bytes(client->http) > STREAM_PENDING_BYTES_MAX) {
        log_info("a page that does not read is cut");
        client_free(client, false);
        return false;
    }
    (void)http_stream_put(client->http, bytes);
    return true;
}

/* Everything the topic has written since. */
static void
client_catch_up(struct stream_client *client)
{
    struct stream_topic *topic = client->channel->topic;

    while (client->sent < topic->last) {
        struct span event = stream_topic_event(topic, client->sent + 1);

        if (event.data == NULL) { /* too old: from the beginning */
            event = stream_topic_snapshot(topic);
            client->sent = topic->last - 1;
        }
        client->sent++;
        if (!client_put(client, event)) {
            return;
        }
    }
}

/* ---- channels ---- */

static void
channel_free(struct stream_hub *hub, struct channel *channel)
{
    TAILQ_REMOVE(&hub->channels, channel, link);
    hub->channel_count--;
    stream_topic_free(&channel->topic);
    free(channel);
}

static void
channel_heartbeat(struct channel *channel, int64_t now_mono_us)
{
    struct stream_client *client = TAILQ_FIRST(&channel->clients);

    if (now_mono_us - channel->said_mono_us < STREAM_HEARTBEAT_US) {
        return;
    }
    channel->said_mono_us = now_mono_us;
    while (client != NULL) {
        struct stream_client *next = TAILQ_NEXT(client, link);

        (void)client_put(client, SPAN_LITERAL(": here\n\n"));
        client = next;
    }
}

/* Look at the numbers and tell everybody. */
static void
channel_look(struct stream_hub *hub,
             struct channel *channel,
             const struct reader *reader)
{
    struct stream_client *client = TAILQ_FIRST(&channel->clients);
    uint64_t before = channel->topic->last;
    struct err err = {0};

    if (stream_topic_look(channel->topic, hub->context, reader, clock_now_us(),
                          &err) != ERR_OK) {
        log_warn("cannot read the counters: %s", err.detail);
        return;
    }
    if (channel->topic->last == before) {
        return;
    }
    channel->said_mono_us = clock_mono_us();
    while (client != NULL) {
        struct stream_client *next = TAILQ_NEXT(client, link);

        client_catch_up(client);
        client = next;
    }
}

/* Put back those nobody has asked for in a while. */
static void
drop_old_channels(struct stream_hub *hub, int64_t now_mono_us)
{
    struct channel *channel = TAILQ_FIRST(&hub->channels);

    while (channel != NULL) {
        struct channel *next = TAILQ_NEXT(channel, link);

        if (TAILQ_EMPTY(&channel->clients) &&
            now_mono_us - channel->left_mono_us > STREAM_TOPIC_LINGER_US) {
            channel_free(hub, channel);
        }
        channel = next;
    }
}

static void
start_tick(struct stream_hub *hub)
{
    const struct timeval after = {0, STREAM_TICK_US};

    if (!evtimer_pending(hub->ev_tick, NULL)) {
        (void)event_add(hub->ev_tick, &after);
    }
}

static void
tick_cb(evutil_socket_t fd, short what, void *user)
{
    struct stream_hub *hub = user;
    int64_t now_mono_us = clock_mono_us();
    struct channel *channel;
    struct reader reader;
    struct err err = {0};

    (void)fd;
    (void)what;
    if (reader_begin(hub->context->store, &reader, &err) == ERR_OK) {
        size_t txn_id = mdb_txn_id(reader.txn);
        bool committed = txn_id != hub->txn_id;

        hub->txn_id = txn_id;
        TAILQ_FOREACH(channel, &hub->channels, link)
        {
            bool today = channel->topic->key.is_today;

            if (!TAILQ_EMPTY(&channel->clients) && (committed || today)) {
                channel_look(hub, channel, &reader);
            }
        }
        reader_end(&reader);
    }
    TAILQ_FOREACH(channel, &hub->channels, link)
    {
        channel_heartbeat(channel, now_mono_us);
    }
    drop_old_channels(hub, now_mono_us);
    if (hub->channel_count > 0) {
        start_tick(hub);
    }
}

/* The oldest without clients makes room. */
static bool
make_room(struct stream_hub *hub)
{
    struct channel *channel;

    if (hub->channel_count < STREAM_TOPICS_MAX) {
        return true;
    }
    TAILQ_FOREACH(channel, &hub->channels, link)
    {
        if (TAILQ_EMPTY(&channel->clients)) {
            channel_free(hub, channel);
            return true;
        }
    }
    return false;
}

static struct channel *
find_channel(struct stream_hub *hub, const struct stream_key *key)
{
    struct channel *channel;

    TAILQ_FOREACH(channel, &hub->channels, link)
    {
        if (stream_key_equal(&channel->topic->key, key)) {
            return channel;
        }
    }
    return NULL;
}

/* The channel of the key with numbers of now; NULL and err. */
static struct channel *
open_channel(struct stream_hub *hub,
             const struct stream_key *key,
             struct err *err)
{
    struct channel *channel = find_channel(hub, key);
    struct reader reader;

    if (channel != NULL) {
        return channel;
    }
    if (!make_room(hub)) {
        (void)err_set(err, ERR_BUSY,
                      "%d different stretches are watched already; take one "
                      "that others watch, or try again later",
                      STREAM_TOPICS_MAX);
        return NULL;
    }
    channel = calloc(1, sizeof(*channel));
    if (channel == NULL) {
        (void)err_set(err, ERR_NO_MEMORY, "stream");
        return NULL;
    }
    TAILQ_INIT(&channel->clients);
    channel->left_mono_us = clock_mono_us();
    channel->said_mono_us = channel->left_mono_us;
    if (stream_topic_new(key, hub->next_epoch++, &channel->topic, err) !=
        ERR_OK) {
        free(channel);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&hub->channels, channel, link);
    hub->channel_count++;
    if (reader_begin(hub->context->store, &reader, err) == ERR_OK) {
        if (stream_topic_look(channel->topic, hub->context, &reader,
                              clock_now_us(), err) == ERR_OK) {
            reader_end(&reader);
            return channel;
        }
        reader_end(&reader);
    }
    channel_free(hub, channel);
    return NULL;
}

/* ---- requests ---- */

static enum err_code
read_key(const struct http_request *http,
         struct stream_key *key,
         struct err *err)
{
    static const char *const known[] = {"from", "to", "unit", NULL};
    struct params params;
    struct span unit;

    params_from_request(http, &params);
    if (params_check(&params, known, NULL, err) != ERR_OK ||
        params_range(&params, &key->from_us, &key->to_us, err) != ERR_OK) {
        return err->code;
    }
    key->is_today = params_get(&params, "from").bytes == 0 &&
                    params_get(&params, "to").bytes == 0;
    if (key->is_today) {
        key->from_us = shanghai_day_start_us(shanghai_day(clock_now_us()));
        key->to_us = key->from_us + US_PER_DAY;
    }
    if (shanghai_day_start_us(shanghai_day(key->from_us)) != key->from_us ||
        shanghai_day_start_us(shanghai_day(key->to_us)) != key->to_us) {
        return err_set_field(err, ERR_BAD_TIME, "from",
                             "a stream is about whole days: from=2018-01-01 "
                             "and to=2018-03-31");
    }
    unit = params_get(&params, "unit");
    if (unit.bytes >= sizeof(key->unit)) {
        return err_set_field(err, ERR_TOO_LONG, "unit",
                             "a unit has at most %d bytes",
                             STREAM_UNIT_BYTES_MAX - 1);
    }
    (void)snprintf(key->unit, sizeof(key->unit), "%.*s", SPAN_ARGS(unit));
    return ERR_OK;
}

static void
begin(struct stream_hub *hub,
      struct channel *channel,
      struct http_request *http)
{
    struct stream_client *client = calloc(1, sizeof(*client));
    struct stream_topic *topic = channel->topic;
    uint64_t number;
    struct buf head;
    struct err err = {0};

    if (client == NULL) {
        (void)err_set(&err, ERR_NO_MEMORY, "stream");
        problem_reply_err(http, &err);
        return;
    }
    *client = (struct stream_client){
        .hub = hub, .channel = channel, .http = http, .sent = topic->last};
    TAILQ_INSERT_TAIL(&channel->clients, client, link);
    hub->client_count++;
    start_tick(hub);
    http_reply_header(http, "Cache-Control", "no-store");
    http_reply_header(http, "X-Accel-Buffering", "no");
    http_stream_start(http, 200, "text/event-stream");
    http_request_on_gone(http, client_gone, client);
    buf_init(&head, 64);
    buf_printf(&head, "retry: %d\n\n", STREAM_RETRY_MS);
    (void)http_stream_put(http, buf_view(&head));
    buf_release(&head);
    if (stream_topic_resume(topic, http_request_header(http, "last-event-id"),
                            &number)) {
        client->sent = number;
        client_catch_up(client);
    } else {
        (void)client_put(client, stream_topic_snapshot(topic));
    }
}

void
stream_open(struct stream_hub *hub, struct http_request *http)
{
    struct stream_key key = {0};
    struct channel *channel;
    struct err err = {0};

    if (read_key(http, &key, &err) != ERR_OK) {
        problem_reply_err(http, &err);
        return;
    }
    if (http_request_is_head(http)) {
        http_reply(http, 200, "text/event-stream", SPAN_LITERAL(""));
        return;
    }
    if (hub->draining || hub->client_count >= STREAM_CLIENTS_MAX) {
        problem_reply(http, 503, "busy",
                      "%d pages listen already; the page goes on without "
                      "live numbers, try again later",
                      STREAM_CLIENTS_MAX);
        return;
    }
    channel = open_channel(hub, &key, &err);
    if (channel == NULL) {
        problem_reply_err(http, &err);
        return;
    }
    begin(hub, channel, http);
}

/* ---- the hub ---- */

enum err_code
stream_hub_new(const struct serve_context *context,
               struct stream_hub **out,
               struct err *err)
{
    struct stream_hub *hub = calloc(1, sizeof(*hub));

    if (hub == NULL) {
        return err_set(err, ERR_NO_MEMORY, "stream");
    }
    TAILQ_INIT(&hub->channels);
    hub->context = context;
    /* Starts where no earlier process can have been. */
    hub->next_epoch = (uint64_t)clock_now_us();
    hub->ev_tick = evtimer_new(context->events, tick_cb, hub);
    if (hub->ev_tick == NULL) {
        free(hub);
        return err_set(err, ERR_NO_MEMORY, "stream");
    }
    *out = hub;
    return ERR_OK;
}

void
stream_end_all(struct stream_hub *hub)
{
    struct channel *channel;

    hub->draining = true;
    TAILQ_FOREACH(channel, &hub->channels, link)
    {
        struct stream_client *client;

        while ((client = TAILQ_FIRST(&channel->clients)) != NULL) {
            client_free(client, true);
        }
    }
}

unsigned
stream_client_count(const struct stream_hub *hub)
{
    return hub->client_count;
}

void
stream_hub_free(struct stream_hub **hub)
{
    struct channel *channel;

    if (*hub == NULL) {
        return;
    }
    stream_end_all(*hub);
    while ((channel = TAILQ_FIRST(&(*hub)->channels)) != NULL) {
        channel_free(*hub, channel);
    }
    event_free((*hub)->ev_tick);
    free(*hub);
    *hub = NULL;
}
