/* The routes of /v1/imports. */
#include "server/imports/imports_http.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/decode/json_row.h"
#include "server/serve/answer.h"
#include "server/serve/http.h"
#include "server/serve/list.h"
#include "server/serve/problem.h"
#include "server/serve/send_file.h"

enum { IMPORT_ANSWER_BYTES_MAX = 64 * 1024 * 1024 };

struct imports_http {
    struct imports *imports;
    struct rulebook *rulebook;
    struct json_reader *reader;
    struct arena arena;
};

/* A request that waits for a look. */
struct look_wait {
    struct http_request *http; /* NULL: the client has gone */
    struct imports_http *routes;
    unsigned status;
};

/* ---- the import as JSON ---- */

static void
put_raw(struct json_out *json, const char *name, const struct buf *value)
{
    json_key(json, name);
    if (value->bytes > 0) {
        json_raw(json, buf_view(value));
    } else {
        json_null(json);
    }
}

/* What a column may be. */
static void
put_fields(struct imports_http *routes, struct json_out *json)
{
    struct edition *edition = rulebook_hold(routes->rulebook);

    json_key(json, "fields");
    json_open_array(json);
    for (unsigned i = 0; i < DECODE_FIELD_COUNT; i++) {
        enum decode_field field = (enum decode_field)i;

        json_open_object(json);
        json_put_text(json, "field", decode_field_name(field));
        json_put_string(json, "name", columns_heading(edition->columns, field));
        json_put_bool(json, "needed",
                      field == DECODE_FIELD_ID ||
                          field == DECODE_FIELD_ACCEPTED_AT ||
                          field == DECODE_FIELD_TEXT);
        json_close_object(json);
    }
    json_close_array(json);
    edition_release(&edition);
}

static void
put_time(struct json_out *json, const char *name, int64_t at_us)
{
    char time[TICKET_TIME_BYTES];

    json_put_text(json, name, ticket_time_format(at_us, time));
}

static void
put_look(struct imports_http *routes,
         const struct import_item *item,
         struct json_out *json)
{
    const struct import_look *look = &item->look;

    json_put_text(json, "format", look->format);
    json_put_text(json, "encoding",
                  look->encoding != NULL && look->encoding[0] != '\0'
                      ? look->encoding
                      : NULL);
    put_raw(json, "sheets", &look->sheet_names);
    put_raw(json, "sheet", &look->sheet_name);
    json_put_uint(json, "header_line", look->header_line);
    put_raw(json, "columns", &look->columns);
    put_fields(routes, json);
    put_raw(json, "missing", &look->missing);
    put_raw(json, "preview", &look->preview);
    json_put_uint(json, "looked_at", look->rows);
    json_put_bool(json, "looked_at_all", look->whole);
}

static void
put_numbers(const struct import_item *item, struct json_out *json)
{
    const struct import_report *report = &item->report;
    bool ended = item->state == IMPORT_DONE || item->state == IMPORT_FAILED;

    if (ended) {
        json_put_uint(json, "received", report->received);
        json_put_uint(json, "accepted", report->accepted);
        json_put_uint(json, "duplicate", report->duplicate);
        json_put_uint(json, "updated", report->updated);
        json_put_uint(json, "rejected", report->rejected);
    } else {
        json_put_uint(json, "received", atomic_load(&item->received));
        json_put_text(json, "accepted", NULL);
        json_put_text(json, "duplicate", NULL);
        json_put_text(json, "updated", NULL);
        json_put_uint(json, "rejected",
                      item->state == IMPORT_PREVIEW
                          ? item->look.error_count
                          : atomic_load(&item->rejected_so_far));
    }
    json_put_double(json, "percent",
                    item->state == IMPORT_DONE
                        ? 100.0
                        : atomic_load(&item->permille) / 10.0);
}

static void
put_errors(const struct import_item *item, struct json_out *json)
{
    bool ended = item->state == IMPORT_DONE || item->state == IMPORT_FAILED;
    const struct buf *errors = ended ? &item->errors : &item->look.errors;

    json_key(json, "errors");
    if (errors->bytes > 0) {
        json_raw(json, buf_view(errors));
    } else {
        json_open_array(json);
        json_close_array(json);
    }
    json_key(json, "problem");
    if (item->problem.code == ERR_OK) {
        json_null(json);
        return;
    }
    json_open_object(json);
    json_put_text(json, "code", err_code_name(item->problem.code));
    json_put_text(json, "title", problem_title(item->problem.code, false));
    json_put_text(json, "detail", item->problem.detail);
    json_close_object(json);
}

static void
put_item(struct imports_http *routes,
         const struct import_item *item,
         bool whole,
         struct json_out *json)
{
    bool looking = item->busy && item->state == IMPORT_PREVIEW;

    json_open_object(json);
    json_put_text(json, "id", item->id);
    json_put_text(json, "name", item->name);
    json_put_text(json, "state",
                  looking ? "looking" : import_state_name(item->state));
    json_put_uint(json, "bytes", item->bytes);
    put_time(json, "created_at", item->created_us);
    put_time(json, "expires_at",
             item->touched_us + IMPORT_KEEP_S * US_PER_SECOND);
    if (!looking) { /* else a helper thread is writing it */
        put_numbers(item, json);
        if (whole) {
            put_look(routes, item, json);
            put_errors(item, json);
        }
    }
    json_close_object(json);
}

static void
reply_item(struct imports_http *routes,
           struct http_request *http,
           unsigned status,
           const struct import_item *item)
{
    struct json_out json;
    struct buf body;

    buf_init(&body, IMPORT_ANSWER_BYTES_MAX);
    json_init(&json, &body);
    put_item(routes, item, true, &json);
    buf_put_char(&body, '\n');
    if (status == 201) {
        http_reply_header(http, "Location", "/v1/imports/%s", item->id);
    }
    answer_buf(http, status, "application/json", &body);
    buf_release(&body);
}

/* ---- waiting for a look ---- */

static void
wait_gone(struct http_request *http, void *user)
{
    struct look_wait *wait = user;

    wait->http = NULL;
    http_reply(http, 503, NULL, (struct span){NULL, 0}); /* to nobody */
}

static void
looked(void *data, struct import_item *item, const struct err *err)
{
    struct look_wait *wait = data;

    if (wait->http == NULL) {
        free(wait);
        return;
    }
    if (item != NULL) {
        reply_item(wait->routes, wait->http, wait->status, item);
    } else {
        problem_reply_err(wait->http, err);
    }
    free(wait);
}

static struct look_wait *
wait_new(struct imports_http *routes,
         struct http_request *http,
         unsigned status)
{
    struct look_wait *wait = calloc(1, sizeof(*wait));
    struct err err = {0};

    if (wait == NULL) {
        (void)err_set(&err, ERR_NO_MEMORY, "imports");
        problem_reply_err(http, &err);
        return NULL;
    }
    *wait = (struct look_wait){http, routes, status};
    return wait;
}

/* ---- what a person chose ---- */

static enum err_code
take_column(struct import_choice *choice,
            bool *chosen,
            const struct json_member *member,
            struct err *err)
{
    enum decode_field field = DECODE_FIELD_NONE;
    size_t index = 0;

    for (size_t i = 0; i < member->key.bytes; i++) {
        char c = member->key.data[i];

        index = c >= '0' && c <= '9' && index < CSV_COLUMNS_MAX
                    ? index * 10 + (size_t)(c - '0')
                    : CSV_COLUMNS_MAX * 10;
    }
    if (member->key.bytes == 0 || index >= choice->field_count) {
        return err_set_field(err, ERR_BAD_VALUE, "columns",
                             "there is no column \"%.*s\"; columns count from "
                             "0 to %zu",
                             SPAN_ARGS(member->key), choice->field_count - 1);
    }
    if (member->kind == JSON_STRING) {
        field = decode_field_from(member->value);
    }
    if (member->kind != JSON_NULL &&
        (member->kind != JSON_STRING || field == DECODE_FIELD_NONE)) {
        return err_set_field(err, ERR_BAD_VALUE, "columns",
                             "column %zu: name a field, such as \"id\", or "
                             "null for none",
                             index);
    }
    /* What a person says takes the field from the column that was guessed. */
    for (size_t i = 0; i < choice->field_count; i++) {
        if (field == DECODE_FIELD_NONE || choice->fields[i] != field) {
            continue;
        }
        if (chosen[i]) {
            return err_set_field(err, ERR_DUPLICATE_FIELD,
                                 decode_field_name(field),
                                 "columns %zu and %zu are both said to be %s",
                                 i, index, decode_field_name(field));
        }
        choice->fields[i] = DECODE_FIELD_NONE;
    }
    choice->fields[index] = field;
    chosen[index] = true;
    return ERR_OK;
}

static enum err_code
read_columns(struct imports_http *routes,
             const struct import_item *item,
             struct span object,
             struct import_choice *choice,
             struct err *err)
{
    bool chosen[CSV_COLUMNS_MAX] = {false};
    struct json_row row;

    if (!item->look.has_columns) {
        return err_set_field(err, ERR_BAD_VALUE, "columns",
                             "this file has no columns");
    }
    if (json_reader_read(routes->reader, object, &routes->arena, &row, err) !=
        ERR_OK) {
        return err->code;
    }
    choice->fields_given = true;
    choice->field_count = item->look.field_count;
    memcpy(choice->fields, item->look.fields, sizeof(choice->fields));
    for (size_t i = 0; i < row.member_count; i++) {
        if (take_column(choice, chosen, &row.members[i], err) != ERR_OK) {
            return err->code;
        }
    }
    return ERR_OK;
}

/* {"columns":{…},"sheet":"…"}; an empty body is {}. */
static enum err_code
read_choice(struct imports_http *routes,
            const struct import_item *item,
            struct span body,
            struct import_choice *choice,
            struct err *err)
{
    struct span columns = {NULL, 0};
    struct json_row row = {NULL, 0};

    *choice = (struct import_choice){0};
    (void)snprintf(choice->sheet, sizeof(choice->sheet), "%s",
                   item->choice.sheet);
    arena_reset(&routes->arena);
    if (span_trim(body).bytes > 0 &&
        json_reader_read(routes->reader, body, &routes->arena, &row, err) !=
            ERR_OK) {
        return err->code;
    }
    for (size_t i = 0; i < row.member_count; i++) {
        const struct json_member *member = &row.members[i];

        if (span_is(member->key, "columns") && member->kind == JSON_OBJECT) {
            columns = member->raw_value;
        } else if (span_is(member->key, "sheet") &&
                   member->kind == JSON_STRING &&
                   member->value.bytes < sizeof(choice->sheet)) {
            (void)snprintf(choice->sheet, sizeof(choice->sheet), "%.*s",
                           SPAN_ARGS(member->value));
        } else {
            return err_set_field(err, ERR_BAD_VALUE, "body",
                                 "only \"columns\" (an object) and \"sheet\" "
                                 "(a name) may be chosen");
        }
    }
    if (columns.data == NULL ||
        strcmp(choice->sheet, item->choice.sheet) != 0) {
        return ERR_OK; /* another sheet has other columns */
    }
    return read_columns(routes, item, columns, choice, err);
}

/* ---- routes ---- */

static struct import_item *
find_item(struct imports_http *routes, struct http_request *http)
{
    struct import_item *item =
        imports_find(routes->imports, http_request_path(http, "id"));
    struct err err = {0};

    if (item == NULL) {
        (void)err_set(&err, ERR_NOT_FOUND,
                      "there is no such import; an upload is kept for %d "
                      "minutes after it was last asked for",
                      IMPORT_KEEP_S / 60);
        problem_reply_err(http, &err);
    }
    return item;
}

static void
add_handler(struct http_request *http, void *user)
{
    static const char *const known[] = {"name", "sheet", NULL};
    struct imports_http *routes = user;
    struct params params;
    struct look_wait *wait;
    struct err err = {0};
    size_t bytes = 0;
    char *body;

    params_from_request(http, &params);
    if (params_check(&params, known, NULL, &err) != ERR_OK) {
        problem_reply_err(http, &err);
        return;
    }
    body = http_request_take_body(http, &bytes);
    if (body == NULL || bytes == 0) {
        free(body);
        problem_reply(http, 400, "bad_value",
                      "the body is empty: send the file itself");
        return;
    }
    wait = wait_new(routes, http, 201);
    if (wait == NULL) {
        free(body);
        return;
    }
    if (imports_add(routes->imports, params_get(&params, "name"),
                    params_get(&params, "sheet"), body, bytes, looked, wait,
                    &err) != ERR_OK) {
        free(wait);
        problem_reply_err(http, &err);
        return;
    }
    http_request_on_gone(http, wait_gone, wait);
}

static void
preview_handler(struct http_request *http, void *user)
{
    struct imports_http *routes = user;
    struct import_item *item = find_item(routes, http);
    struct import_choice choice;
    struct look_wait *wait;
    struct err err = {0};

    if (item == NULL) {
        return;
    }
    wait = wait_new(routes, http, 200);
    if (wait == NULL) {
        return;
    }
    if (item->busy) {
        (void)err_set(&err, ERR_BUSY, "the file is being worked on");
    }
    if (err.code != ERR_OK ||
        read_choice(routes, item, http_request_body(http), &choice, &err) !=
            ERR_OK ||
        imports_look_again(routes->imports, item, &choice, looked, wait,
                           &err) != ERR_OK) {
        free(wait);
        problem_reply_err(http, &err);
        return;
    }
    http_request_on_gone(http, wait_gone, wait);
}

static void
confirm_handler(struct http_request *http, void *user)
{
    struct imports_http *routes = user;
    struct import_item *item = find_item(routes, http);
    struct import_choice choice;
    struct err err = {0};

    if (item == NULL) {
        return;
    }
    if (item->busy) {
        (void)err_set(&err, ERR_BUSY, "the file is being worked on");
    }
    if (err.code != ERR_OK ||
        read_choice(routes, item, http_request_body(http), &choice, &err) !=
            ERR_OK ||
        imports_run(routes->imports, item, &choice, &err) != ERR_OK) {
        problem_reply_err(http, &err);
        return;
    }
    reply_item(routes, http, 202, item);
}

static void
item_handler(struct http_request *http, void *user)
{
    struct imports_http *routes = user;
    struct import_item *item = find_item(routes, http);

    if (item != NULL) {
        reply_item(routes, http, 200, item);
    }
}

static void
all_handler(struct http_request *http, void *user)
{
    struct imports_http *routes = user;
    const struct import_item *item;
    struct json_out json;
    struct buf body;

    buf_init(&body, IMPORT_ANSWER_BYTES_MAX);
    json_init(&json, &body);
    json_open_object(&json);
    json_key(&json, "items");
    json_open_array(&json);
    for (size_t i = 0; (item = imports_at(routes->imports, i)) != NULL; i++) {
        put_item(routes, item, false, &json);
    }
    json_close_array(&json);
    json_close_object(&json);
    buf_put_char(&body, '\n');
    answer_buf(http, 200, "application/json", &body);
    buf_release(&body);
}

static void
remove_handler(struct http_request *http, void *user)
{
    struct imports_http *routes = user;
    struct import_item *item = find_item(routes, http);
    struct err err = {0};

    if (item == NULL) {
        return;
    }
    if (!imports_remove(routes->imports, item)) {
        (void)err_set(&err, ERR_BUSY,
                      "it is being worked on; delete it when that has ended");
        problem_reply_err(http, &err);
        return;
    }
    http_reply(http, 204, NULL, (struct span){NULL, 0});
}

static void
send_rejects(struct imports_http *routes,
             struct http_request *http,
             bool workbook)
{
    const struct import_item *item = find_item(routes, http);
    struct err err = {0};
    int fd;

    if (item == NULL) {
        return;
    }
    fd = imports_open_rejects(routes->imports, item, workbook, &err);
    if (fd < 0) {
        problem_reply_err(http, &err);
        return;
    }
    send_file(http, fd,
              workbook ? list_form_xlsx.content_type
                       : list_form_csv.content_type,
              workbook ? "rejects.xlsx" : "rejects.csv");
}

static void
rejects_csv_handler(struct http_request *http, void *user)
{
    send_rejects(user, http, false);
}

static void
rejects_xlsx_handler(struct http_request *http, void *user)
{
    send_rejects(user, http, true);
}

enum err_code
imports_http_new(struct http_server *http,
                 struct imports *imports,
                 struct rulebook *rulebook,
                 struct imports_http **out,
                 struct err *err)
{
    struct imports_http *routes = calloc(1, sizeof(*routes));

    if (routes == NULL) {
        return err_set(err, ERR_NO_MEMORY, "imports");
    }
    routes->imports = imports;
    routes->rulebook = rulebook;
    arena_init(&routes->arena, 16 * 1024);
    if (json_reader_new(&routes->reader, err) != ERR_OK) {
        imports_http_free(&routes);
        return err->code;
    }
    http_route(http, HTTP_POST, "/v1/imports", add_handler, routes);
    http_route(http, HTTP_GET, "/v1/imports", all_handler, routes);
    http_route(http, HTTP_GET, "/v1/imports/{id}", item_handler, routes);
    http_route(http, HTTP_DELETE, "/v1/imports/{id}", remove_handler, routes);
    http_route(http, HTTP_POST, "/v1/imports/{id}/preview", preview_handler,
               routes);
    http_route(http, HTTP_POST, "/v1/imports/{id}/confirm", confirm_handler,
               routes);
    http_route(http, HTTP_GET, "/v1/imports/{id}/rejects.csv",
               rejects_csv_handler, routes);
    http_route(http, HTTP_GET, "/v1/imports/{id}/rejects.xlsx",
               rejects_xlsx_handler, routes);
    *out = routes;
    return ERR_OK;
}

void
imports_http_free(struct imports_http **routes)
{
    if (*routes == NULL) {
        return;
    }
    json_reader_free(&(*routes)->reader);
    arena_release(&(*routes)->arena);
    free(*routes);
    *routes = NULL;
}
