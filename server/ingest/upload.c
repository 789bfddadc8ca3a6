/* Files to a running server, a chunk a request. */
#define LOG_MODULE "import"
#include "server/ingest/upload.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "server/base/log.h"
#include "server/decode/json_row.h"

struct upload {
    struct http_client *client;
    struct import_report *report;
    size_t record_bytes_max;
    struct json_reader *reader;
    struct arena row_arena;    /* one row's cells */
    struct arena answer_arena; /* one answer's strings */
    bool connected;            /* something was answered already */

    /* the file in hand, and its chunk */
    struct record_file *file;
    struct buf chunk;
    size_t chunk_head_bytes; /* separator and header of CSV */
    uint64_t chunk_head_lines;
    uint64_t chunk_line; /* on which the next record of it begins */
    size_t record_count;
    uint64_t chunk_lines[UPLOAD_CHUNK_RECORDS_MAX]; /* lines in the chunk … */
    uint64_t file_lines[UPLOAD_CHUNK_RECORDS_MAX];  /* … and in the file */
    uint64_t taken;
};

/* --- answers ------------------------------------------------------------ */

/* A member's value, {NULL, 0} when it is not there or null. */
static struct span
member(const struct json_row *row, const char *key)
{
    for (size_t i = 0; i < row->member_count; i++) {
        if (span_is(row->members[i].key, key) &&
            row->members[i].kind != JSON_NULL) {
            return row->members[i].value;
        }
    }
    return (struct span){NULL, 0};
}

static uint64_t
number_member(const struct json_row *row, const char *key)
{
    struct span value = member(row, key);
    uint64_t number = 0;

    for (size_t i = 0; i < value.bytes && i < 19; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            return 0;
        }
        number = number * 10 + (uint64_t)(value.data[i] - '0');
    }
    return number;
}

/* The line of the file for a line of the chunk. */
static uint64_t
file_line(const struct upload *upload, uint64_t chunk_line)
{
    size_t low = 0;
    size_t high = upload->record_count;

    while (low + 1 < high) {
        size_t middle = low + (high - low) / 2;

        if (upload->chunk_lines[middle] <= chunk_line) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return upload->file_lines[low];
}

static const char *
place(const struct upload *upload)
{
    return record_file_format(upload->file) == RECORD_ARRAY ? "record" : "line";
}

/* One object of "errors". */
static bool
take_error(struct upload *upload, struct span element)
{
    struct import_refusal refusal = {.file = record_file_name(upload->file),
                                     .place = place(upload)};
    struct json_row row;
    struct err err = {0};

    if (json_reader_read(upload->reader, element, &upload->answer_arena, &row,
                         &err) != ERR_OK) {
        return false;
    }
    refusal.line = file_line(upload, number_member(&row, "line"));
    refusal.code = member(&row, "code");
    refusal.field = member(&row, "field");
    refusal.detail = member(&row, "detail");
    refusal.value = member(&row, "value");
    import_report_refuse(upload->report, &refusal);
    return true;
}

/* The body of 200, 207 and 400. False: it is something else. */
static bool
take_counts(struct upload *upload, struct span body)
{
    struct import_report *report = upload->report;
    struct json_row row;
    struct json_array errors;
    struct span element;
    struct span errors_text;
    struct err err = {0};
    uint64_t received;
    uint64_t rejected;
    uint64_t listed = 0;

    arena_reset(&upload->answer_arena);
    if (json_reader_read(upload->reader, body, &upload->answer_arena, &row,
                         &err) != ERR_OK ||
        member(&row, "received").data == NULL) {
        return false;
    }
    received = number_member(&row, "received");
    rejected = number_member(&row, "rejected");
    errors_text = member(&row, "errors");
    report->accepted += number_member(&row, "accepted");
    report->duplicate += number_member(&row, "duplicate");
    report->updated += number_member(&row, "updated");
    report->received += received - rejected;
    json_array_open(&errors, errors_text);
    while (errors_text.bytes > 0 && json_array_next(&errors, &element)) {
        listed += take_error(upload, element);
    }
    if (listed < rejected) {
        report->received += rejected - listed;
        report->rejected += rejected - listed;
        report->other_reasons += rejected - listed;
    }
    return true;
}

/* A problem document, or whatever else came. */
static enum err_code
refused_whole(struct upload *upload,
              const struct http_client_answer *answer,
              struct err *err)
{
    struct json_row row = {NULL, 0};
    struct err broken = {0};
    struct span detail;
    enum err_code code = answer->status == 507   ? ERR_DISK_FULL
                         : answer->status == 503 ? ERR_BUSY
                         : answer->status == 429 ? ERR_BUSY
                         : answer->status >= 500 ? ERR_IO
                                                 : ERR_BAD_VALUE;

    arena_reset(&upload->answer_arena);
    (void)!json_reader_read(upload->reader, answer->body, &upload->answer_arena,
                            &row, &broken);
    detail = member(&row, "detail");
    if (detail.bytes == 0) {
        detail = span_of("it does not say why; is this the HTTP address of a "
                         "suqiu server?");
    }
    return err_set(err, code, "%s: the server answered %u: %.*s",
                   record_file_name(upload->file), answer->status,
                   SPAN_ARGS(detail));
}

/* --- chunks ------------------------------------------------------------- */

static void
wait_s(unsigned seconds)
{
    struct timespec left = {.tv_sec = (time_t)seconds};

    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

/* Is it worth another try, and after how long? */
static bool
try_again(const struct upload *upload,
          const struct http_client_answer *answer,
          const struct err *err,
          unsigned *seconds)
{
    *seconds = 1;
    if (err->code != ERR_OK) {
        return upload->connected &&
               (err->code == ERR_IO || err->code == ERR_BUSY);
    }
    if (answer->status == 503 || answer->status == 429) {
        *seconds = answer->retry_after_s < UPLOAD_WAIT_S_MAX
                       ? answer->retry_after_s
                       : UPLOAD_WAIT_S_MAX;
        return true;
    }
    return false;
}

static void
begin_chunk(struct upload *upload)
{
    upload->record_count = 0;
    upload->chunk.bytes = upload->chunk_head_bytes;
    upload->chunk_line = upload->chunk_head_lines + 1;
}

/* Send the chunk, again while the server is busy. */
static enum err_code
send_chunk(struct upload *upload, struct err *err)
{
    const struct http_client_request request = {
        .method = "POST",
        .path = "/v1/records",
        .type = record_file_format(upload->file) == RECORD_CSV
                    ? "text/csv"
                    : "application/x-ndjson",
        .body = buf_view(&upload->chunk)};
    struct http_client_answer answer = {0};

    if (upload->record_count == 0) {
        return ERR_OK;
    }
    if (buf_check(&upload->chunk, err) != ERR_OK) {
        return err->code;
    }
    for (unsigned tries = 1;; tries++) {
        unsigned seconds;

        *err = (struct err){0};
        (void)!http_client_send(upload->client, &request, &answer, err);
        if (tries == UPLOAD_TRIES_MAX ||
            !try_again(upload, &answer, err, &seconds)) {
            break;
        }
        log_info("the server does not take records now, trying again "
                 "status=%u wait_s=%u",
                 err->code == ERR_OK ? answer.status : 0, seconds);
        wait_s(seconds);
    }
    if (err->code != ERR_OK) {
        return err->code;
    }
    upload->connected = true;
    if ((answer.status != 200 && answer.status != 207 &&
         answer.status != 400) ||
        !take_counts(upload, answer.body)) {
        return refused_whole(upload, &answer, err);
    }
    begin_chunk(upload);
    return ERR_OK;
}

/* --- records ------------------------------------------------------------ */

static uint64_t
count_line_ends(struct span text, char line_end)
{
    uint64_t count = 0;

    for (size_t i = 0; i < text.bytes; i++) {
        count += text.data[i] == line_end;
    }
    return count;
}

/* A record that is not worth sending: too long for any request. */
static void
refuse_here(struct upload *upload,
            const struct file_record *record,
            const struct err *bad)
{
    const struct import_refusal refusal = {
        .file = record_file_name(upload->file),
        .place = place(upload),
        .line = record->line,
        .code = span_of(err_code_name(bad->code)),
        .field = span_of(bad->field),
        .detail = span_of(bad->detail)};

    import_report_refuse(upload->report, &refusal);
    upload->report->unsent++;
}

/* Put one record into the chunk; send the chunk before when it is full. */
static enum err_code
add_record(struct upload *upload,
           const struct file_record *record,
           struct err *err)
{
    bool csv = record_file_format(upload->file) == RECORD_CSV;
    char line_end = csv ? record_file_rows(upload->file)->line_end : '\n';
    char *begin;

    if ((upload->record_count == UPLOAD_CHUNK_RECORDS_MAX ||
         upload->chunk.bytes + record->text.bytes + 1 >
             UPLOAD_CHUNK_BYTES_MAX) &&
        send_chunk(upload, err) != ERR_OK) {
        return err->code;
    }
    upload->chunk_lines[upload->record_count] = upload->chunk_line;
    upload->file_lines[upload->record_count] = record->line;
    upload->record_count++;
    upload->chunk_line += 1;
    buf_put_span(&upload->chunk, record->text);
    buf_put_char(&upload->chunk, line_end);
    if (buf_check(&upload->chunk, err) != ERR_OK) {
        return err->code;
    }
    if (csv) {
        upload->chunk_line += count_line_ends(record->text, line_end);
    } else if (record_file_format(upload->file) == RECORD_ARRAY) {
        /* One line: a line end inside JSON is a blank or an error. */
        begin =
            upload->chunk.data + upload->chunk.bytes - 1 - record->text.bytes;
        for (size_t i = 0; i < record->text.bytes; i++) {
            if (begin[i] == '\n' || begin[i] == '\r') {
                begin[i] = ' ';
            }
        }
    }
    return ERR_OK;
}

/* In front of every chunk of rows: the separator, so that nothing has to be
 * guessed again, and the header as the file has it. */
static void
begin_file(struct upload *upload, struct record_file *file)
{
    upload->file = file;
    upload->chunk_head_lines = 0;
    buf_reset(&upload->chunk);
    if (record_file_format(file) == RECORD_CSV) {
        struct span header = record_file_header(file)->text;
        const struct csv_rows *rows = record_file_rows(file);

        buf_printf(&upload->chunk, "sep=%c%c", rows->separator, rows->line_end);
        buf_put_span(&upload->chunk, header);
        buf_put_char(&upload->chunk, rows->line_end);
        upload->chunk_head_lines = 2 + count_line_ends(header, rows->line_end);
    }
    upload->chunk_head_bytes = upload->chunk.bytes;
    begin_chunk(upload);
}

/* The limit of one record on its way, by what the server takes. */
static size_t
record_bytes_max(const struct upload *upload)
{
    return record_file_format(upload->file) == RECORD_CSV
               ? (size_t)CSV_ROW_BYTES_MAX
               : upload->record_bytes_max;
}

static enum err_code
take_record(struct upload *upload, bool *more, struct err *err)
{
    struct file_record record = {0};
    struct err bad = {0};

    arena_reset(&upload->row_arena);
    switch (record_file_next(upload->file, &upload->row_arena, &record, &bad)) {
    case RECORD_END:
        *more = false;
        return ERR_OK;
    case RECORD_FAILED:
        *err = bad;
        return err->code;
    case RECORD_BAD:
        if (bad.code != ERR_BAD_ROW) {
            refuse_here(upload, &record, &bad);
            return ERR_OK;
        }
        break; /* the server refuses it, too, and keeps it */
    case RECORD_JSON:
    case RECORD_ROW:
        break;
    }
    if (record.text.bytes > record_bytes_max(upload)) {
        (void)err_set(&bad, ERR_TOO_LONG,
                      "the record has %zu bytes, %zu are allowed",
                      record.text.bytes, record_bytes_max(upload));
        refuse_here(upload, &record, &bad);
        return ERR_OK;
    }
    upload->taken++;
    return add_record(upload, &record, err);
}

enum err_code
upload_run(struct upload *upload,
           struct record_file *file,
           upload_progress *progress,
           void *progress_data,
           struct err *err)
{
    bool more = true;

    assert(err->code == ERR_OK);
    begin_file(upload, file);
    while (more && take_record(upload, &more, err) == ERR_OK) {
        if (upload->record_count <= 1) { /* a chunk has gone */
            progress(progress_data, file, upload->taken);
        }
    }
    return err->code != ERR_OK ? err->code : send_chunk(upload, err);
}

enum err_code
upload_new(struct http_client *client,
           size_t record_bytes_max,
           struct import_report *report,
           struct upload **out,
           struct err *err)
{
    struct upload *upload = calloc(1, sizeof(*upload));

    if (upload == NULL) {
        return err_set(err, ERR_NO_MEMORY, "upload");
    }
    upload->client = client;
    upload->report = report;
    upload->record_bytes_max = record_bytes_max;
    arena_init(&upload->row_arena, 64 * 1024);
    arena_init(&upload->answer_arena, 64 * 1024);
    buf_init(&upload->chunk,
             UPLOAD_CHUNK_BYTES_MAX + CSV_ROW_BYTES_MAX + record_bytes_max);
    if (json_reader_new(&upload->reader, err) != ERR_OK) {
        upload_free(&upload);
        return err->code;
    }
    *out = upload;
    return ERR_OK;
}

void
upload_free(struct upload **upload)
{
    if (*upload == NULL) {
        return;
    }
    json_reader_free(&(*upload)->reader);
    arena_release(&(*upload)->row_arena);
    arena_release(&(*upload)->answer_arena);
    buf_release(&(*upload)->chunk);
    free(*upload);
    *upload = NULL;
}
