/* POST /v1/records: bodies to batches in steps, one answer after the commit. */
#define LOG_MODULE "http"
#include "server/ingest/http_intake.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/buf.h"
#include "server/base/json_out.h"
#include "server/base/wake.h"
#include "server/decode/charset.h"
#include "server/decode/csv_rows.h"
#include "server/decode/json_row.h"
#include "server/serve/problem.h"

enum {
    HTTP_INTAKE_BATCHES = 64,       /* in hand at the same time */
    HTTP_INTAKE_STEP_RECORDS = 512, /* judged in one turn of the loop */
    HTTP_INTAKE_SHARES_MAX = 16,    /* requests in one batch */
    HTTP_INTAKE_JOBS_KEPT = 64,     /* freed ones, to be used again */
    HTTP_INTAKE_ANSWER_BYTES_MAX = 4 << 20
};

enum job_format { JOB_NDJSON, JOB_JSON, JOB_CSV };

/* One request. */
struct http_job {
    struct http_intake *intake;
    struct http_request *request;
    struct http_job *next; /* waits for a free batch */
    struct event *ev_step;
    enum job_format format;

    struct span body;
    struct charset_text text; /* CSV in UTF-8 */
    size_t at;                /* NDJSON */
    struct json_array array;  /* JSON */
    struct csv_rows rows;     /* CSV */
    struct column_map *map;
    struct edition *edition; /* whose columns the map is of; held */
    uint64_t line;
    bool ended;   /* the body is judged */
    bool waiting; /* stands in the list of those who wait for a batch */

    unsigned in_flight;
    struct err err; /* of a batch: nothing after it was tried */
    uint64_t received;
    uint64_t accepted;
    uint64_t duplicate;
    uint64_t updated;
    uint64_t rejected;
    uint64_t listed;
    struct buf errors;
    struct json_out errors_json;
};

/*
 * Whose records a batch holds. Short requests share one: it goes to the writer
 * when it is full, or when the loop has nothing else to do in this turn.
 */
struct parcel {
    struct batch *batch; /* owned; its `owner` is this */
    struct parcel *next; /* free */
    struct {
        struct http_job *job;
        size_t end; /* behind its last item */
    } shares[HTTP_INTAKE_SHARES_MAX];
    size_t share_count;
};

struct http_intake {
    struct event_base *base;
    struct writer *writer;
    struct http_intake_options options;
    struct judge judge;
    struct ring *done;
    struct wake done_wake;
    struct event *ev_done;
    struct event *ev_turn; /* the end of the loop's turn */
    struct parcel parcels[HTTP_INTAKE_BATCHES];
    struct parcel *free_parcels;
    struct parcel *open;      /* takes more requests; NULL: none */
    struct http_job *waiting; /* for a free batch */
    struct http_job **waiting_tail;
    size_t jobs;
    struct http_job *kept; /* freed ones */
    size_t kept_count;
};

/* --- answers ------------------------------------------------------------ */

/* Zeroed. NULL: no memory. */
static struct http_job *
job_new(struct http_intake *intake)
{
    struct http_job *job = intake->kept;

    if (job != NULL) {
        intake->kept = job->next;
        intake->kept_count--;
        memset(job, 0, sizeof(*job));
    } else if ((job = calloc(1, sizeof(*job))) == NULL) {
        return NULL;
    }
    job->intake = intake;
    intake->jobs++;
    return job;
}

static void
job_free(struct http_job *job)
{
    struct http_intake *intake = job->intake;

    intake->jobs--;
    if (job->ev_step != NULL) {
        event_free(job->ev_step);
    }
    columns_map_free(&job->map);
    edition_release(&job->edition);
    charset_text_free(&job->text);
    buf_release(&job->errors);
    if (intake->kept_count == HTTP_INTAKE_JOBS_KEPT) {
        free(job);
        return;
    }
    job->next = intake->kept;
    intake->kept = job;
    intake->kept_count++;
}

static unsigned
job_status(const struct http_job *job)
{
    if (job->rejected == 0) {
        return 200;
    }
    return job->rejected < job->received ? 207 : 400;
}

static void
job_answer(struct http_job *job)
{
    struct buf body;
    struct json_out json;

    if (job->err.code != ERR_OK) {
        /* Parts of a long body may be on disk: sending all of it again is
         * safe, what is there counts as a duplicate. */
        problem_reply_err(job->request, &job->err);
        job_free(job);
        return;
    }
    buf_init(&body, HTTP_INTAKE_ANSWER_BYTES_MAX);
    json_init(&json, &body);
    json_open_object(&json);
    json_put_uint(&json, "received", job->received);
    json_put_uint(&json, "accepted", job->accepted);
    json_put_uint(&json, "duplicate", job->duplicate);
    json_put_uint(&json, "updated", job->updated);
    json_put_uint(&json, "rejected", job->rejected);
    json_key(&json, "errors");
    json_open_array(&json);
    json_raw(&json, buf_view(&job->errors));
    json_close_array(&json);
    json_put_bool(&json, "errors_truncated", job->listed < job->rejected);
    json_close_object(&json);
    buf_put_char(&body, '\n');
    http_reply(job->request, job_status(job), "application/json",
               buf_view(&body));
    buf_release(&body);
    job_free(job);
}

static void
list_error(struct http_job *job, const struct batch_item *item)
{
    struct json_out *json = &job->errors_json;

    if (job->listed == HTTP_INTAKE_ERRORS_MAX) {
        return;
    }
    if (job->listed > 0) {
        buf_put_char(&job->errors, ',');
    }
    job->listed++;
    json_init(json, &job->errors);
    json_open_object(json);
    json_put_uint(json, "line", item->line);
    json_put_string(json, "id", item->reject->id);
    json_put_text(json, "code", err_code_name(item->reject->code));
    json_put_string(json, "field", item->reject->field);
    json_put_string(json, "detail", item->reject->detail);
    json_put_string(json, "value", item->reject->value);
    json_close_object(json);
}

static void
count_item(struct http_job *job, const struct batch_item *item)
{
    job->received++;
    if (item->kind == BATCH_REJECT) {
        job->rejected++;
        list_error(job, item);
        return;
    }
    switch (item->outcome) {
    case LEDGER_ACCEPTED:
    case LEDGER_WAITING:
        job->accepted++;
        break;
    case LEDGER_DUPLICATE:
        job->duplicate++;
        break;
    case LEDGER_UPDATED:
        job->updated++;
        break;
    }
}

static void
finish_if_done(struct http_job *job)
{
    if (job->ended && job->in_flight == 0 && !job->waiting) {
        job_answer(job);
    }
}

/* --- steps -------------------------------------------------------------- */

/* The next record of the body into the batch. False at the end. */
static bool
take_record(struct http_job *job, struct batch *batch, struct err *err)
{
    struct judge *judge = &job->intake->judge;
    bool fine = true;

    if (job->format == JOB_CSV) {
        struct csv_row row;
        struct err row_err = {0};

        switch (csv_rows_next(&job->rows, &batch->arena, &row, &row_err)) {
        case CSV_ROW:
            fine = judge_row(judge, batch, job->map, &row);
            break;
        case CSV_BAD_ROW:
            fine = judge_refuse(batch, row.line, &row_err, row.text,
                                row.text.bytes);
            break;
        case CSV_END:
            return false;
        }
    } else if (job->format == JOB_JSON) {
        struct span element = {NULL, 0};

        if (!json_array_next(&job->array, &element)) {
            if (json_array_error(&job->array, err) != ERR_OK) {
                (void)judge_refuse(batch, ++job->line, err, element, 0);
                *err = (struct err){0};
            }
            return false;
        }
        fine = judge_line(judge, batch, element, ++job->line);
    } else {
        struct span line = {job->body.data + job->at, 0};
        const char *end;

        if (job->at >= job->body.bytes) {
            return false;
        }
        end = memchr(line.data, '\n', job->body.bytes - job->at);
        line.bytes =
            end != NULL ? (size_t)(end - line.data) : job->body.bytes - job->at;
        job->at += line.bytes + 1;
        job->line++;
        if (line.bytes > job->intake->options.line_bytes_max) {
            (void)err_set(err, ERR_TOO_LONG,
                          "the line has %zu bytes, %zu are allowed", line.bytes,
                          job->intake->options.line_bytes_max);
            fine = judge_refuse(batch, job->line, err, line, line.bytes);
            *err = (struct err){0};
        } else {
            fine = judge_line(judge, batch, line, job->line);
        }
    }
    if (!fine) {
        (void)err_set(err, ERR_NO_MEMORY, "no memory for the request");
    }
    return fine;
}

static struct parcel *
take_parcel(struct http_intake *intake)
{
    struct parcel *parcel = intake->free_parcels;

    if (parcel != NULL) {
        intake->free_parcels = parcel->next;
        parcel->share_count = 0;
    }
    return parcel;
}

static void
give_parcel(struct http_intake *intake, struct parcel *parcel)
{
    batch_reset(parcel->batch);
    parcel->next = intake->free_parcels;
    intake->free_parcels = parcel;
}

/* What the batch was for cannot be done. */
static void
fail_shares(const struct parcel *parcel, const struct err *err)
{
    for (size_t i = 0; i < parcel->share_count; i++) {
        struct http_job *job = parcel->shares[i].job;

        job->in_flight--;
        if (job->err.code == ERR_OK) {
            job->err = *err;
        }
        if (!job->ended) {
            job->ended = true;
            (void)event_del(job->ev_step);
        }
        finish_if_done(job);
    }
}

/* The open batch, if there is one, to the writer. */
static void
hand_over(struct http_intake *intake)
{
    struct parcel *parcel = intake->open;
    struct err err = {0};

    if (parcel == NULL) {
        return;
    }
    intake->open = NULL;
    judge_end(&intake->judge);
    if (!ring_push(writer_queue(intake->writer), parcel->batch)) {
        (void)err_set(&err, ERR_BUSY, "the server is stopping");
        fail_shares(parcel, &err);
        give_parcel(intake, parcel);
    }
}

static void
turn_cb(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    hand_over(data);
}

/* Go over to the tables in force; what was judged by others goes first. */
static void
follow(struct http_intake *intake)
{
    hand_over(intake);
    judge_follow(&intake->judge);
}

static void
wait_for_batch(struct http_job *job)
{
    job->next = NULL;
    job->waiting = true;
    *job->intake->waiting_tail = job;
    job->intake->waiting_tail = &job->next;
}

/* In the next turn of the loop: an event made active at once would run before
 * the loop looks at its sockets again. */
static void
step_later(struct http_job *job)
{
    static const struct timeval now = {0, 0};

    if (event_add(job->ev_step, &now) != 0) {
        event_active(job->ev_step, EV_TIMEOUT, 1); /* no memory for a timer */
    }
}

/* The batch that takes the next records; NULL: none is free. */
static struct parcel *
open_parcel(struct http_intake *intake)
{
    if (intake->open == NULL) {
        intake->open = take_parcel(intake);
        if (intake->open != NULL) {
            judge_begin(&intake->judge, intake->open->batch);
        }
    }
    return intake->open;
}

/* The records of `job` that were put into the open batch are its share. */
static void
add_share(struct http_job *job, struct parcel *parcel)
{
    struct batch *batch = parcel->batch;

    parcel->shares[parcel->share_count].job = job;
    parcel->shares[parcel->share_count++].end = batch->item_count;
    job->in_flight++;
    if (!job->ended || batch->item_count == batch->items_max ||
        parcel->share_count == HTTP_INTAKE_SHARES_MAX) {
        hand_over(job->intake);
    } else {
        event_active(job->intake->ev_turn, EV_TIMEOUT, 1);
    }
}

/* Judge some records, hand them over, and come back in the next turn. */
static void
step(struct http_job *job)
{
    struct parcel *parcel = open_parcel(job->intake);
    struct batch *batch;
    size_t before;

    if (parcel == NULL) {
        wait_for_batch(job);
        return;
    }
    batch = parcel->batch;
    before = batch->item_count;
    while (batch->item_count < batch->items_max) {
        if (!take_record(job, batch, &job->err)) {
            job->ended = true;
            break;
        }
    }
    if (job->err.code != ERR_OK) {
        job->ended = true;
        batch->item_count = before;
    }
    if (batch->item_count == before) {
        if (before == 0) {
            job->intake->open = NULL;
            give_parcel(job->intake, parcel);
        }
        finish_if_done(job);
        return;
    }
    if (!job->ended) {
        step_later(job);
    }
    add_share(job, parcel);
}

static void
step_cb(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    step(data);
}

/* A batch came back from the writer. */
static void
settle(struct http_intake *intake, struct parcel *parcel)
{
    const struct batch *batch = parcel->batch;
    size_t item = 0;

    if (batch->err.code != ERR_OK) {
        fail_shares(parcel, &batch->err);
    } else {
        for (size_t i = 0; i < parcel->share_count; i++) {
            struct http_job *job = parcel->shares[i].job;

            job->in_flight--;
            for (; item < parcel->shares[i].end; item++) {
                count_item(job, &batch->items[item]);
            }
            finish_if_done(job);
        }
    }
    give_parcel(intake, parcel);
}

static void
done_cb(evutil_socket_t fd, short what, void *data)
{
    struct http_intake *intake = data;
    void *items[HTTP_INTAKE_BATCHES];
    size_t count;

    (void)fd;
    (void)what;
    wake_clear(&intake->done_wake);
    follow(intake); /* a swap wakes those without work, too */
    while ((count = ring_try_pop(intake->done, items, HTTP_INTAKE_BATCHES)) >
           0) {
        for (size_t i = 0; i < count; i++) {
            settle(intake, ((struct batch *)items[i])->owner);
        }
    }
    while (intake->waiting != NULL && intake->free_parcels != NULL) {
        struct http_job *job = intake->waiting;

        intake->waiting = job->next;
        if (intake->waiting == NULL) {
            intake->waiting_tail = &intake->waiting;
        }
        job->waiting = false;
        if (job->ended) {
            finish_if_done(job);
        } else {
            step(job);
        }
    }
}

/* --- requests ----------------------------------------------------------- */

/* What the body is; false when the answer was 415. */
static bool
job_format_of(struct http_request *request, enum job_format *out)
{
    if (http_request_has_type(request, "application/x-ndjson")) {
        *out = JOB_NDJSON;
    } else if (http_request_has_type(request, "application/json")) {
        *out = JOB_JSON;
    } else if (http_request_has_type(request, "text/csv")) {
        *out = JOB_CSV;
    } else {
        problem_reply(request, 415, "bad_media_type",
                      "Content-Type must be application/x-ndjson, "
                      "application/json or text/csv");
        return false;
    }
    return true;
}

static enum err_code
open_csv(struct http_job *job, struct err *err)
{
    struct arena arena;
    struct csv_row header;

    if (charset_to_utf8(job->body, &job->text, err) != ERR_OK) {
        return err->code;
    }
    arena_init(&arena, 4096);
    if (csv_rows_open(&job->rows, job->text.text, CSV_QUOTES_AUTO, &arena,
                      &header, err) == ERR_OK) {
        follow(job->intake);
        job->edition = edition_hold(job->intake->judge.edition);
        (void)!columns_map(job->edition->columns, &header, &job->map, err);
    }
    arena_release(&arena);
    return err->code;
}

static void
records_handler(struct http_request *request, void *user)
{
    struct http_intake *intake = user;
    struct writer_counts counts;
    struct err err = {0};
    struct http_job *job;
    enum job_format format;

    if (!job_format_of(request, &format)) {
        return;
    }
    if (http_request_header(request, "content-encoding").bytes > 0) {
        problem_reply(request, 415, "bad_content_encoding",
                      "send the body as it is, without Content-Encoding");
        return;
    }
    writer_counts(intake->writer, &counts);
    if (counts.no_room) {
        (void)err_set(&err, ERR_DISK_FULL,
                      "there is no room to store records; make room on the "
                      "disk or raise map_size_gib, then send them again");
    } else if (intake->jobs >= HTTP_INTAKE_JOBS_MAX) {
        (void)err_set(&err, ERR_BUSY, "%d requests are being stored",
                      HTTP_INTAKE_JOBS_MAX);
    }
    job = err.code == ERR_OK ? job_new(intake) : NULL;
    if (job == NULL) {
        (void)err_set(&err, ERR_NO_MEMORY, "request");
        problem_reply_err(request, &err);
        return;
    }
    job->request = request;
    job->format = format;
    job->body = http_request_body(request);
    buf_init(&job->errors, HTTP_INTAKE_ANSWER_BYTES_MAX);
    job->ev_step = event_new(intake->base, -1, 0, step_cb, job);
    if (job->ev_step == NULL) {
        (void)err_set(&err, ERR_NO_MEMORY, "request");
    } else if (format == JOB_CSV) {
        (void)!open_csv(job, &err);
    } else if (format == JOB_JSON) {
        json_array_open(&job->array, job->body);
    }
    if (err.code != ERR_OK) {
        problem_reply_err(request, &err);
        job_free(job);
        return;
    }
    step(job);
}

enum err_code
http_intake_new(struct event_base *base,
                struct http_server *http,
                struct writer *writer,
                struct rulebook *rulebook,
                const struct http_intake_options *options,
                struct http_intake **out,
                struct err *err)
{
    struct http_intake *intake = calloc(1, sizeof(*intake));
    size_t records = options->batch_records_max < HTTP_INTAKE_STEP_RECORDS
                         ? options->batch_records_max
                         : HTTP_INTAKE_STEP_RECORDS;

    if (intake == NULL) {
        return err_set(err, ERR_NO_MEMORY, "http intake");
    }
    intake->base = base;
    intake->writer = writer;
    intake->options = *options;
    intake->waiting_tail = &intake->waiting;
    intake->done_wake.fd = -1;
    intake->done = ring_new(HTTP_INTAKE_BATCHES);
    if (intake->done == NULL) {
        (void)err_set(err, ERR_NO_MEMORY, "http intake");
    }
    for (size_t i = 0; err->code == ERR_OK && i < HTTP_INTAKE_BATCHES; i++) {
        struct parcel *parcel = &intake->parcels[i];

        parcel->batch = batch_new(records, 0);
        if (parcel->batch == NULL) {
            (void)err_set(err, ERR_NO_MEMORY, "http intake");
        } else {
            parcel->batch->source = "http";
            parcel->batch->owner = parcel;
            parcel->batch->done = intake->done;
            parcel->batch->wait_for_room = false;
            give_parcel(intake, parcel);
        }
    }
    if (err->code != ERR_OK || wake_open(&intake->done_wake, err) != ERR_OK ||
        judge_init(&intake->judge, rulebook, err) != ERR_OK) {
        http_intake_free(&intake);
        return err->code;
    }
    rulebook_add_wake(rulebook, &intake->done_wake);
    ring_add_item_wake(intake->done, &intake->done_wake);
    intake->ev_done = event_new(base, wake_fd(&intake->done_wake),
                                EV_READ | EV_PERSIST, done_cb, intake);
    intake->ev_turn = event_new(base, -1, 0, turn_cb, intake);
    if (intake->ev_turn == NULL || intake->ev_done == NULL ||
        event_add(intake->ev_done, NULL) != 0) {
        http_intake_free(&intake);
        return err_set(err, ERR_NO_MEMORY, "http intake");
    }
    http_route(http, HTTP_POST, "/v1/records", records_handler, intake);
    *out = intake;
    return ERR_OK;
}

size_t
http_intake_jobs(const struct http_intake *intake)
{
    return intake->jobs;
}

void
http_intake_free(struct http_intake **intake)
{
    struct http_job *job;

    if (*intake == NULL) {
        return;
    }
    for (size_t i = 0; i < HTTP_INTAKE_BATCHES; i++) {
        batch_free(&(*intake)->parcels[i].batch);
    }
    while ((job = (*intake)->kept) != NULL) {
        (*intake)->kept = job->next;
        free(job);
    }
    if ((*intake)->ev_turn != NULL) {
        event_free((*intake)->ev_turn);
    }
    if ((*intake)->ev_done != NULL) {
        event_free((*intake)->ev_done);
    }
    if ((*intake)->judge.rulebook != NULL) {
        rulebook_remove_wake((*intake)->judge.rulebook, &(*intake)->done_wake);
    }
    judge_release(&(*intake)->judge);
    wake_close(&(*intake)->done_wake);
    ring_free(&(*intake)->done);
    free(*intake);
    *intake = NULL;
}
