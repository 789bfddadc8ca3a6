/* What an operator's tools read: /metrics and /readyz. */
#include "server/serve/status.h"

#include <stdarg.h>
#include <sys/statvfs.h>

#include "analyzers/calendar.h"
#include "analyzers/indicator.h"
#include "server/rulebook/reload.h"
#include "server/serve/http.h"
#include "server/serve/query.h"

/* ---- metrics ---- */

static void
put_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP suqiu_%s %s.\n# TYPE suqiu_%s %s\n", name, help,
               name, type);
}

static void
put_metric(struct buf *out,
           const char *name,
           const char *type,
           const char *help,
           uint64_t value)
{
    put_head(out, name, type, help);
    buf_printf(out, "suqiu_%s %llu\n", name, (unsigned long long)value);
}

/* Every total only grows, but for the events that wait: their tickets come. */
static void
put_totals(struct buf *out, const struct ledger_totals *totals)
{
    put_metric(out, "events_waiting", "gauge",
               "events that wait for their ticket", totals->waiting);
#define TOTAL_ROW(name, text)                                                  \
    if (offsetof(struct ledger_totals, name) !=                                \
        offsetof(struct ledger_totals, waiting)) {                             \
        put_metric(out, #name "_total", "counter", text, totals->name);        \
    }
#include "server/ledger/totals.def"
#undef TOTAL_ROW
}

static void
put_store(struct buf *out, const struct store *store)
{
    uint64_t used;
    uint64_t map;
    struct statvfs disk;

    store_usage(store, &used, &map);
    put_metric(out, "store_used_bytes", "gauge", "bytes of the store in use",
               used);
    put_metric(out, "store_map_bytes", "gauge",
               "how large the store may become", map);
    if (statvfs(store->dir, &disk) == 0) {
        put_metric(out, "disk_free_bytes", "gauge",
                   "bytes free where the store is",
                   (uint64_t)disk.f_bavail * disk.f_frsize);
    }
}

/* Counts of clocks by kind. */
struct kind_counts {
    uint32_t kind_ids[DEADLINE_KINDS_MAX];
    uint64_t counts[DEADLINE_KINDS_MAX];
    uint64_t due_soon[DEADLINE_KINDS_MAX];
    size_t count;
    int64_t now_us;
};

/* Where this kind is counted; DEADLINE_KINDS_MAX when there is no room. */
static size_t
kind_place(struct kind_counts *kinds, uint32_t kind_id)
{
    size_t k = 0;

    while (k < kinds->count && kinds->kind_ids[k] != kind_id) {
        k++;
    }
    if (k == kinds->count && k < DEADLINE_KINDS_MAX) {
        kinds->kind_ids[kinds->count++] = kind_id;
    }
    return k;
}

static bool
count_clock(void *data,
            uint32_t kind_id,
            int64_t due_us,
            int64_t due_soon_us,
            uint64_t number)
{
    struct kind_counts *kinds = data;
    size_t k;

    (void)due_us;
    (void)number;
    k = kind_place(kinds, kind_id);
    if (k < DEADLINE_KINDS_MAX) {
        kinds->counts[k]++;
        kinds->due_soon[k] += due_soon_us <= kinds->now_us;
    }
    return true;
}

/* The counters of one day, and its complaints by category and region. */
struct day_counts {
    int64_t counts[COUNTER_COUNT];
    int64_t complaints[TICKET_CATEGORY_COUNT][TICKET_REGION_COUNT];
};

static bool
add_day(void *data,
        const struct counter_cell *cell,
        const struct counter_slot *slots,
        size_t slot_count)
{
    struct day_counts *day = data;

    (void)cell;
    for (size_t i = 0; i < slot_count; i++) {
        enum counter counter = TALLY_SLOT_COUNTER(slots[i].slot);
        uint32_t value = TALLY_SLOT_VALUE(slots[i].slot);

        if (TALLY_SLOT_DIMENSION(slots[i].slot) == TALLY_ALL &&
            counter < COUNTER_COUNT) {
            day->counts[counter] += slots[i].count;
        } else if (TALLY_SLOT_DIMENSION(slots[i].slot) ==
                       TALLY_CATEGORY_REGION &&
                   counter == COUNTER_complaints &&
                   value < TICKET_CATEGORY_COUNT * TICKET_REGION_COUNT) {
            day->complaints[value / TICKET_REGION_COUNT]
                           [value % TICKET_REGION_COUNT] += slots[i].count;
        }
    }
    return true;
}

static void
put_day(struct buf *out, const struct day_counts *day)
{
    put_head(out, "today", "gauge", "counters of the day, Asia/Shanghai");
    for (unsigned c = 0; c < COUNTER_COUNT; c++) {
        if (counter_anchor((enum counter)c) != COUNTER_DISTINCT) {
            buf_printf(out, "suqiu_today{counter=\"%s\"} %lld\n",
                       counter_name((enum counter)c),
                       (long long)day->counts[c]);
        }
    }
    put_head(out, "today_complaints", "gauge",
             "complaints of the day by category and region");
    for (unsigned c = 0; c < TICKET_CATEGORY_COUNT; c++) {
        for (unsigned r = 0; r < TICKET_REGION_COUNT; r++) {
            buf_printf(out,
                       "suqiu_today_complaints{category=\"%s\",region=\"%s\"} "
                       "%lld\n",
                       ticket_category_wire((enum ticket_category)c),
                       ticket_region_wire((enum ticket_region)r),
                       (long long)day->complaints[c][r]);
        }
    }
}

static bool
add_overdue(void *data,
            const struct counter_cell *cell,
            const struct counter_slot *slots,
            size_t slot_count)
{
    struct kind_counts *kinds = data;

    (void)cell;
    for (size_t i = 0; i < slot_count; i++) {
        size_t k;

        if (TALLY_SLOT_DIMENSION(slots[i].slot) != TALLY_CLOCK) {
            continue;
        }
        k = kind_place(kinds, TALLY_SLOT_VALUE(slots[i].slot));
        if (k < DEADLINE_KINDS_MAX) {
            kinds->counts[k] += (uint64_t)slots[i].count;
        }
    }
    return true;
}

static void
put_kinds(struct buf *out,
          const char *name,
          const char *help,
          const struct kind_counts *kinds,
          const uint64_t *counts,
          const struct reader *reader)
{
    put_head(out, name, "gauge", help);
    for (size_t i = 0; i < kinds->count; i++) {
        buf_printf(out, "suqiu_%s{kind=\"%.*s\"} %llu\n", name,
                   SPAN_ARGS(reader_name(reader, kinds->kind_ids[i])),
                   (unsigned long long)counts[i]);
    }
}

static enum err_code
put_work(struct buf *out,
         const struct list_request *request,
         const struct reader *reader,
         struct err *err)
{
    struct kind_counts running = {.now_us = request->now_us};
    struct kind_counts overdue = {.count = 0};
    struct day_counts today = {.counts = {0}};
    int32_t day = shanghai_day(request->now_us);
    int64_t tick_us = reader_tick_us(reader);

    if (reader_running_clocks(reader, count_clock, &running, err) != ERR_OK ||
        query_cells(reader, 0, shanghai_day(QUERY_FROM_MIN_US),
                    shanghai_day(QUERY_TO_MAX_US) - 1, true, add_overdue,
                    &overdue, err) != ERR_OK ||
        query_cells(reader, 0, day, day, false, add_day, &today, err) !=
            ERR_OK) {
        return err->code;
    }
    put_kinds(out, "clocks_running", "clocks that run, by kind", &running,
              running.counts, reader);
    put_kinds(out, "clocks_due_soon",
              "running clocks that have used three quarters of their limit, by "
              "kind",
              &running, running.due_soon, reader);
    put_kinds(out, "clocks_overdue",
              "clocks that ran out, open or finished late, by kind", &overdue,
              overdue.counts, reader);
    put_day(out, &today);
    if (tick_us != INT64_MIN) {
        put_head(out, "tick_seconds", "gauge",
                 "instant up to which clocks are judged");
        buf_printf(out, "suqiu_tick_seconds %.3f\n", (double)tick_us / 1e6);
    }
    return ERR_OK;
}

static void
put_pipeline(struct buf *out, const struct serve_pipeline *pipeline)
{
    put_metric(out, "records_total", "counter", "records taken in",
               pipeline->records_total);
    put_metric(out, "batches_total", "counter", "batches taken in",
               pipeline->batches_total);
    put_metric(out, "commits_total", "counter", "transactions committed",
               pipeline->commits_total);
    put_head(out, "commit_seconds_total", "counter",
             "time spent in committing");
    buf_printf(out, "suqiu_commit_seconds_total %.6f\n",
               (double)pipeline->commit_us_total / 1e6);
    put_metric(out, "batches_waiting", "gauge", "batches before the writer",
               pipeline->batches_waiting);
    put_metric(out, "batches_waiting_max", "gauge", "limit of batches_waiting",
               pipeline->batches_waiting_max);
    put_metric(out, "feed_connections", "gauge", "feeds connected",
               pipeline->feed_connections);
    put_metric(out, "writer_stopped", "gauge",
               "1 when the writer failed and nothing is taken in",
               pipeline->writer_stopped);
    put_metric(out, "store_full", "gauge", "1 when writes are refused",
               pipeline->store_full);
    if (pipeline->started_us != 0) {
        put_head(out, "start_time_seconds", "gauge", "start of the server");
        buf_printf(out, "suqiu_start_time_seconds %.3f\n",
                   (double)pipeline->started_us / 1e6);
    }
}

static void
put_tables(struct buf *out,
           const struct dictionary *dictionary,
           const struct reload *reload)
{
    put_head(out, "dictionary_info", "gauge", "1 for the tables in force");
    buf_printf(out, "suqiu_dictionary_info{version=\"%s\"} 1\n",
               dictionary->version);
    if (reload != NULL) {
        struct reload_counts counts = reload_counts(reload);

        put_head(out, "reloads_total", "counter",
                 "reloads of the tables, by how they ended");
        buf_printf(out,
                   "suqiu_reloads_total{result=\"fine\"} %llu\n"
                   "suqiu_reloads_total{result=\"refused\"} %llu\n",
                   (unsigned long long)counts.fine,
                   (unsigned long long)counts.failed);
    }
}

static void
put_http(struct buf *out, const struct http_counts *http)
{
    put_metric(out, "http_connections_open", "gauge", "HTTP connections",
               http->connections_open);
    put_metric(out, "http_connections_total", "counter",
               "HTTP connections accepted", http->connections_total);
    put_metric(out, "http_connections_refused_total", "counter",
               "HTTP connections refused", http->connections_refused);
    put_metric(out, "http_requests_total", "counter", "requests",
               http->requests_total);
    put_metric(out, "http_malformed_total", "counter",
               "requests refused before any handler", http->malformed_total);
    put_metric(out, "http_timeouts_total", "counter",
               "connections closed for being slow", http->timeouts_total);
    put_head(out, "http_replies_total", "counter",
             "answers by the first digit of the status");
    for (unsigned i = 1; i < 6; i++) {
        buf_printf(out, "suqiu_http_replies_total{class=\"%uxx\"} %llu\n", i,
                   (unsigned long long)http->replies_total[i]);
    }
    put_metric(out, "http_body_held_bytes", "gauge",
               "bytes of request bodies in hand", http->body_bytes_held);
}

enum err_code
status_put_metrics(const struct list_request *request,
                   const struct http_counts *http,
                   struct buf *out,
                   struct err *err)
{
    const struct serve_context *context = request->context;
    struct ledger_totals totals;
    struct serve_pipeline pipeline = {0};
    struct reader reader;

    if (reader_begin(context->store, &reader, err) != ERR_OK) {
        return err->code;
    }
    totals = context->totals != NULL ? context->totals(context->data)
                                     : reader_totals(&reader);
    put_totals(out, &totals);
    put_store(out, context->store);
    if (request->dictionary != NULL) {
        put_tables(out, request->dictionary, context->reload);
    }
    (void)put_work(out, request, &reader, err);
    reader_end(&reader);
    if (context->pipeline != NULL) {
        context->pipeline(context->data, &pipeline);
        put_pipeline(out, &pipeline);
    }
    if (http != NULL) {
        put_http(out, http);
    }
    return err->code == ERR_OK ? buf_check(out, err) : err->code;
}

/* ---- readiness ---- */

enum check_state { CHECK_OK, CHECK_WARNING, CHECK_FAILED };

struct checks {
    struct json_out json;
    bool ready;
};

static void PRINTF_LIKE(4, 5) put_check(struct checks *checks,
                                        const char *name,
                                        enum check_state state,
                                        const char *fmt,
                                        ...)
{
    static const char *const words[] = {"ok", "warning", "failed"};
    struct buf detail;
    va_list args;

    buf_init(&detail, 1024);
    va_start(args, fmt);
    buf_vprintf(&detail, fmt, args);
    va_end(args);
    json_open_object(&checks->json);
    json_put_text(&checks->json, "name", name);
    json_put_text(&checks->json, "state", words[state]);
    json_put_string(&checks->json, "detail", buf_view(&detail));
    json_close_object(&checks->json);
    buf_release(&detail);
    checks->ready = checks->ready && state != CHECK_FAILED;
}

static void
check_store(struct checks *checks, const struct serve_context *context)
{
    struct reader reader;
    struct err err = {0};

    if (reader_begin(context->store, &reader, &err) != ERR_OK) {
        put_check(checks, "store", CHECK_FAILED, "%s", err.detail);
        return;
    }
    put_check(checks, "store", CHECK_OK, "open at sequence %llu",
              (unsigned long long)reader_seq(&reader));
    reader_end(&reader);
}

static void
check_rules(struct checks *checks,
            const struct dictionary *dictionary,
            const struct reload *reload)
{
    const struct reload_result *last =
        reload != NULL ? reload_last(reload) : NULL;

    if (dictionary == NULL) {
        put_check(checks, "rules", CHECK_FAILED, "no tables are loaded");
    } else if (last != NULL && !last->fine) {
        put_check(checks, "rules", CHECK_WARNING,
                  "tables %s; newer ones were refused: %zu errors, the first: "
                  "%s",
                  dictionary->version, last->error_total,
                  last->error_count > 0 ? last->errors[0].detail : "no memory");
    } else {
        put_check(checks, "rules", CHECK_OK, "tables %s", dictionary->version);
    }
}

static void
check_calendar(struct checks *checks,
               const struct dictionary *dictionary,
               int64_t now_us)
{
    int32_t last = calendar_last_day(dictionary->calendar);
    int32_t left = last - shanghai_day(now_us);
    char day[PERIOD_NAME_BYTES];

    (void)period_name(PERIOD_DAY, last, day);
    if (left < 0) {
        put_check(checks, "calendar", CHECK_WARNING,
                  "dict/calendar.csv ended on %s: later limits in working days "
                  "are provisional; add the new year",
                  day);
    } else if (left < STATUS_CALENDAR_WARN_DAYS) {
        put_check(checks, "calendar", CHECK_WARNING,
                  "dict/calendar.csv ends on %s, in %d days: add the new year",
                  day, (int)left);
    } else {
        put_check(checks, "calendar", CHECK_OK, "covers until %s", day);
    }
}

static void
check_room(struct checks *checks, const struct store *store)
{
    uint64_t used;
    uint64_t map;
    struct statvfs disk;

    store_usage(store, &used, &map);
    put_check(checks, "map",
              map - used < map / 100 * STATUS_ROOM_PERCENT_MIN ? CHECK_WARNING
                                                               : CHECK_OK,
              "%llu of %llu bytes used; --map-size-gib sets the limit",
              (unsigned long long)used, (unsigned long long)map);
    if (statvfs(store->dir, &disk) == 0) {
        put_check(checks, "disk",
                  disk.f_bavail < disk.f_blocks / 100 * STATUS_ROOM_PERCENT_MIN
                      ? CHECK_WARNING
                      : CHECK_OK,
                  "%llu bytes free",
                  (unsigned long long)disk.f_bavail * disk.f_frsize);
    }
}

static void
check_writer(struct checks *checks, const struct serve_context *context)
{
    struct serve_pipeline pipeline = {0};

    if (context->pipeline == NULL) {
        return;
    }
    context->pipeline(context->data, &pipeline);
    if (pipeline.writer_stopped) {
        put_check(checks, "writer", CHECK_FAILED,
                  "the writer has stopped: see the log, then start again");
    } else if (pipeline.store_full) {
        put_check(checks, "writer", CHECK_WARNING,
                  "the store or the disk is full: reads go on, writes are "
                  "refused");
    } else {
        put_check(checks, "writer", CHECK_OK, "%llu batches waiting",
                  (unsigned long long)pipeline.batches_waiting);
    }
}

void
status_put_ready(const struct list_request *request,
                 struct buf *out,
                 bool *ready)
{
    struct checks checks = {.ready = true};

    json_init(&checks.json, out);
    json_open_object(&checks.json);
    json_key(&checks.json, "checks");
    json_open_array(&checks.json);
    check_store(&checks, request->context);
    check_rules(&checks, request->dictionary, request->context->reload);
    if (request->dictionary != NULL) {
        check_calendar(&checks, request->dictionary, request->now_us);
    }
    check_room(&checks, request->context->store);
    check_writer(&checks, request->context);
    json_close_array(&checks.json);
    json_put_bool(&checks.json, "ready", checks.ready);
    json_close_object(&checks.json);
    buf_put_char(out, '\n');
    *ready = checks.ready;
}
