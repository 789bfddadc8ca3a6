/* The numbers of one stretch of time and unit, as events. */
#include "server/serve/stream_topic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/json_out.h"
#include "server/serve/counter_rows.h"

enum { STREAM_ID_BYTES = 48 };

enum err_code
stream_topic_new(const struct stream_key *key,
                 uint64_t epoch,
                 struct stream_topic **out,
                 struct err *err)
{
    struct stream_topic *topic = calloc(1, sizeof(*topic));

    if (topic == NULL) {
        return err_set(err, ERR_NO_MEMORY, "stream");
    }
    topic->key = *key;
    topic->epoch = epoch;
    for (size_t i = 0; i < STREAM_RING_EVENTS; i++) {
        buf_init(&topic->ring[i], STREAM_EVENT_BYTES_MAX);
    }
    buf_init(&topic->snapshot, STREAM_EVENT_BYTES_MAX);
    *out = topic;
    return ERR_OK;
}

void
stream_topic_free(struct stream_topic **topic)
{
    if (*topic == NULL) {
        return;
    }
    for (size_t i = 0; i < STREAM_RING_EVENTS; i++) {
        buf_release(&(*topic)->ring[i]);
    }
    buf_release(&(*topic)->snapshot);
    free(*topic);
    *topic = NULL;
}

bool
stream_key_equal(const struct stream_key *a, const struct stream_key *b)
{
    return a->is_today == b->is_today &&
           (a->is_today ||
            (a->from_us == b->from_us && a->to_us == b->to_us)) &&
           strcmp(a->unit, b->unit) == 0;
}

/* ---- reading ---- */

static enum err_code
read_counts(const struct stream_topic *topic,
            const struct reader *reader,
            uint32_t unit_id,
            struct stream_numbers *out,
            struct err *err)
{
    struct counter_rows_query query = {.from_us = topic->key.from_us,
                                       .to_us = topic->key.to_us,
                                       .period = COUNTER_PERIOD_ALL,
                                       .by = 1u << COUNTER_BY_CATEGORY |
                                             1u << COUNTER_BY_REGION,
                                       .unit_id = unit_id};
    struct counter_rows rows = {0};

    if (counter_rows_read(reader, &query, &rows, err) == ERR_OK) {
        for (size_t i = 0; i < rows.count; i++) {
            const struct counter_row *row = &rows.rows[i];

            memcpy(out->counts[row->value[COUNTER_BY_CATEGORY]]
                              [row->value[COUNTER_BY_REGION]],
                   row->counts, sizeof(row->counts));
        }
    }
    counter_rows_release(&rows);
    return err->code;
}

static enum err_code
read_all_time(const struct reader *reader,
              uint32_t unit_id,
              struct stream_numbers *out,
              struct err *err)
{
    int32_t first = shanghai_day(QUERY_FROM_MIN_US);
    int32_t last = shanghai_day(QUERY_TO_MAX_US) - 1;

    if (query_count(reader, unit_id, first, last, COUNTER_overdue,
                    &out->overdue, err) != ERR_OK ||
        query_count(reader, unit_id, first, last, COUNTER_bursts, &out->bursts,
                    err) != ERR_OK) {
        return err->code;
    }
    return ERR_OK;
}

static enum err_code
read_numbers(const struct stream_topic *topic,
             const struct serve_context *context,
             const struct reader *reader,
             struct stream_numbers *out,
             struct err *err)
{
    uint32_t unit_id;
    bool known;

    query_unit(reader, context->dictionary(context->data),
               span_of(topic->key.unit), &unit_id, &known);
    if (known && (read_counts(topic, reader, unit_id, out, err) != ERR_OK ||
                  read_all_time(reader, unit_id, out, err) != ERR_OK)) {
        return err->code;
    }
    out->totals = reader_totals(reader);
    if (context->pipeline != NULL) {
        context->pipeline(context->data, &out->pipeline);
    }
    out->as_of_us = reader_tick_us(reader);
    out->seq = reader_seq(reader);
    return ERR_OK;
}

/* ---- writing ---- */

static void
put_time(struct json_out *json, const char *key, int64_t at_us)
{
    char text[TICKET_TIME_BYTES];

    json_key(json, key);
    json_text(json, at_us <= 0 ? NULL : ticket_time_format(at_us, text));
}

static void
put_day(struct json_out *json, const char *key, int64_t at_us)
{
    char day[PERIOD_NAME_BYTES];

    json_put_text(json, key, period_name(PERIOD_DAY, shanghai_day(at_us), day));
}

static void
put_feed(struct json_out *json, const struct stream_numbers *numbers)
{
    const struct serve_pipeline *pipeline = &numbers->pipeline;

    json_key(json, "totals");
    json_open_object(json);
#define TOTAL_ROW(name, text) json_put_uint(json, #name, numbers->totals.name);
#include "server/ledger/totals.def"
#undef TOTAL_ROW
    json_close_object(json);
    json_key(json, "feed");
    json_open_object(json);
    json_put_uint(json, "connections", pipeline->feed_connections);
    json_put_uint(json, "waiting", pipeline->batches_waiting);
    put_time(json, "last_at", pipeline->last_commit_us);
    json_put_bool(json, "stopped", pipeline->writer_stopped);
    json_put_bool(json, "full", pipeline->store_full);
    json_close_object(json);
}

/* One row: the counters that differ from `before` (NULL: from 0). Nothing when
 * none does. */
static void
put_row(struct json_out *json,
        unsigned category,
        unsigned region,
        const int64_t *now,
        const int64_t *before)
{
    bool open = false;

    for (unsigned c = 0; c < COUNTER_COUNT; c++) {
        int64_t value = now[c] - (before != NULL ? before[c] : 0);

        if (value == 0) {
            continue;
        }
        if (!open) {
            json_open_object(json);
            json_put_text(json, "category",
                          ticket_category_wire((enum ticket_category)category));
            json_put_text(json, "region",
                          ticket_region_wire((enum ticket_region)region));
            json_key(json, "counts");
            json_open_object(json);
            open = true;
        }
        json_put_int(json, counter_name((enum counter)c), value);
    }
    if (open) {
        json_close_object(json);
        json_close_object(json);
    }
}

static void
put_numbers(struct json_out *json,
            const struct stream_topic *topic,
            const struct stream_numbers *now,
            const struct stream_numbers *before)
{
    json_open_object(json);
    json_put_uint(json, "seq", now->seq);
    put_time(json, "as_of", now->as_of_us);
    put_day(json, "from", topic->key.from_us);
    put_day(json, "to", topic->key.to_us - 1);
    json_key(json, "counters");
    json_open_array(json);
    for (unsigned c = 0; c < TICKET_CATEGORY_COUNT; c++) {
        for (unsigned r = 0; r < TICKET_REGION_COUNT; r++) {
            put_row(json, c, r, now->counts[c][r],
                    before != NULL ? before->counts[c][r] : NULL);
        }
    }
    json_close_array(json);
    put_feed(json, now);
    json_close_object(json);
}

static void
put_head(struct buf *out,
         const struct stream_topic *topic,
         uint64_t number,
         const char *event)
{
    buf_printf(out, "id: %llx.%llu\nevent: %s\ndata: ",
               (unsigned long long)topic->epoch, (unsigned long long)number,
               event);
}

/* The place of the next event, emptied, its head written. */
static struct buf *
next_event(struct stream_topic *topic, const char *event)
{
    struct buf *out = &topic->ring[++topic->last % STREAM_RING_EVENTS];

    buf_reset(out);
    put_head(out, topic, topic->last, event);
    return out;
}

static void
add_change(struct stream_topic *topic,
           const struct stream_numbers *now,
           const struct stream_numbers *before)
{
    struct buf *out = next_event(topic, before != NULL ? "delta" : "snapshot");
    struct json_out json;

    json_init(&json, out);
    put_numbers(&json, topic, now, before);
    buf_put_text(out, "\n\n");
}

static void
add_alert(struct stream_topic *topic,
          const char *kind,
          int64_t now,
          int64_t before)
{
    struct buf *out;
    struct json_out json;

    if (now <= before) {
        return;
    }
    out = next_event(topic, "alert");
    json_init(&json, out);
    json_open_object(&json);
    json_put_text(&json, "kind", kind);
    json_put_int(&json, "count", now - before);
    json_put_int(&json, "total", now);
    json_close_object(&json);
    buf_put_text(out, "\n\n");
}

/* ---- the topic ---- */

/* A new day begins: the numbers start over. */
static bool
turn_day(struct stream_topic *topic, int64_t now_us)
{
    int64_t from_us = shanghai_day_start_us(shanghai_day(now_us));

    if (!topic->key.is_today || topic->key.from_us == from_us) {
        return false;
    }
    topic->key.from_us = from_us;
    topic->key.to_us = from_us + US_PER_DAY;
    return true;
}

static bool
differs(const struct stream_numbers *a, const struct stream_numbers *b)
{
    return a->seq != b->seq ||
           memcmp(a->counts, b->counts, sizeof(a->counts)) != 0 ||
           a->totals.rejects != b->totals.rejects ||
           a->totals.duplicates != b->totals.duplicates ||
           a->totals.waiting != b->totals.waiting ||
           a->pipeline.feed_connections != b->pipeline.feed_connections ||
           a->pipeline.writer_stopped != b->pipeline.writer_stopped ||
           a->pipeline.store_full != b->pipeline.store_full;
}

enum err_code
stream_topic_look(struct stream_topic *topic,
                  const struct serve_context *context,
                  const struct reader *reader,
                  int64_t now_us,
                  struct err *err)
{
    struct stream_numbers *now = calloc(1, sizeof(*now));
    bool turned = turn_day(topic, now_us);

    if (now == NULL) {
        return err_set(err, ERR_NO_MEMORY, "stream");
    }
    if (read_numbers(topic, context, reader, now, err) == ERR_OK) {
        if (turned && topic->numbers_known) {
            add_change(topic, now, NULL);
        } else if (topic->numbers_known && differs(now, &topic->numbers)) {
            add_change(topic, now, &topic->numbers);
        }
        if (topic->numbers_known) {
            add_alert(topic, "overdue", now->overdue, topic->numbers.overdue);
            add_alert(topic, "burst", now->bursts, topic->numbers.bursts);
        }
        topic->numbers = *now;
        topic->numbers_known = true;
    }
    free(now);
    return err->code;
}

struct span
stream_topic_event(const struct stream_topic *topic, uint64_t number)
{
    const struct buf *event;

    if (number == 0 || number > topic->last ||
        topic->last - number >= STREAM_RING_EVENTS) {
        return (struct span){NULL, 0};
    }
    event = &topic->ring[number % STREAM_RING_EVENTS];
    return event->failed == ERR_OK ? buf_view(event) : (struct span){NULL, 0};
}

struct span
stream_topic_snapshot(struct stream_topic *topic)
{
    struct json_out json;

    if (topic->snapshot.bytes == 0 || topic->snapshot_at != topic->last) {
        buf_reset(&topic->snapshot);
        put_head(&topic->snapshot, topic, topic->last, "snapshot");
        json_init(&json, &topic->snapshot);
        put_numbers(&json, topic, &topic->numbers, NULL);
        buf_put_text(&topic->snapshot, "\n\n");
        topic->snapshot_at = topic->last;
    }
    return topic->snapshot.failed == ERR_OK ? buf_view(&topic->snapshot)
                                            : (struct span){NULL, 0};
}

bool
stream_topic_resume(const struct stream_topic *topic,
                    struct span last_event_id,
                    uint64_t *number)
{
    char text[STREAM_ID_BYTES];
    unsigned long long epoch;
    unsigned long long given;
    int end = 0;

    if (last_event_id.bytes == 0 || last_event_id.bytes >= sizeof(text)) {
        return false;
    }
    (void)snprintf(text, sizeof(text), "%.*s", SPAN_ARGS(last_event_id));
    if (sscanf(text, "%16llx.%19llu%n", &epoch, &given, &end) != 2 ||
        (size_t)end != last_event_id.bytes || epoch != topic->epoch ||
        given > topic->last || topic->last - given >= STREAM_RING_EVENTS) {
        return false;
    }
    *number = given;
    return true;
}
