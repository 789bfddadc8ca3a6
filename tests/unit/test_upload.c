/* upload: chunks, line numbers, a busy server, a server that says no. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "server/base/log.h"
#include "server/ingest/upload.h"
#include "tests/lib/stub_server.h"
#include "tests/lib/temp_dir.h"

/* An answer's head; the body is the rest of the connection's turn. */
#define ANSWER(status, type, length)                                           \
    "HTTP/1.1 " status "\r\nContent-Type: " type "\r\nContent-Length: " length \
    "\r\n\r\n"

static struct temp_dir dir;
static struct import_report report;

static int
set_up(void **state)
{
    (void)state;
    log_set_level(LOG_ERROR);
    temp_dir_make(&dir);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    temp_dir_remove(&dir);
    return 0;
}

static void
no_progress(void *data, const struct record_file *file, uint64_t records)
{
    (void)data;
    (void)file;
    (void)records;
}

/* Upload `bytes` to the stub; the report is good until the next call. */
static enum err_code
upload(struct stub_server *stub, struct span bytes, struct err *err)
{
    const char *path = temp_dir_write(&dir, "records", bytes);
    struct http_client *client = NULL;
    struct record_file *file = NULL;
    struct upload *sender = NULL;
    enum err_code code;

    import_report_release(&report);
    import_report_init(&report, 10);
    assert_int_equal(http_client_new(stub->url, 20, &client, err), ERR_OK);
    assert_int_equal(record_file_open(path, 1 << 20, &file, err), ERR_OK);
    assert_int_equal(upload_new(client, 1 << 20, &report, &sender, err),
                     ERR_OK);
    code = upload_run(sender, file, no_progress, NULL, err);
    upload_free(&sender);
    record_file_close(&file);
    http_client_free(&client);
    return code;
}

static const char *
body_of(struct span request)
{
    return strstr(request.data, "\r\n\r\n") + 4;
}

/* An answer with these numbers; `errors` is a list of objects. */
static const char *
counts(char out[1024],
       const char *status,
       int received,
       int rejected,
       const char *errors)
{
    char body[512];
    int bytes = snprintf(body, sizeof(body),
                         "{\"received\":%d,\"accepted\":%d,\"duplicate\":0,"
                         "\"updated\":0,\"rejected\":%d,\"errors\":[%s],"
                         "\"errors_truncated\":false}\n",
                         received, received - rejected, rejected, errors);

    (void)snprintf(out, 1024,
                   "HTTP/1.1 %s\r\nContent-Type: application/json\r\n"
                   "Content-Length: %d\r\n\r\n%s",
                   status, bytes, body);
    return out;
}

static const char *
errors_text(void)
{
    buf_put_char(&report.errors, '\0');
    return report.errors.data;
}

static void
errors_carry_the_lines_of_the_file_in_every_chunk(void **state)
{
    char first[1024];
    char second[1024];
    const char *const answers[] = {
        counts(first, "207 Multi-Status", UPLOAD_CHUNK_RECORDS_MAX, 1,
               "{\"line\":2,\"id\":null,\"code\":\"bad_json\",\"field\":null,"
               "\"detail\":\"broken\",\"value\":null}"),
        counts(second, "207 Multi-Status", 10, 2,
               "{\"line\":1,\"code\":\"bad_time\",\"field\":\"at\",\"detail\":"
               "\"d\",\"value\":\"v\"},{\"line\":10,\"code\":\"of_later\","
               "\"field\":\"\",\"detail\":\"d\",\"value\":\"\"}"),
        NULL};
    struct stub_server *stub = stub_server_start(answers);
    char *text = malloc(UPLOAD_CHUNK_RECORDS_MAX * 8);
    struct err err = {0};
    size_t used = 0;

    (void)state;
    assert_non_null(text);
    for (int i = 0; i < UPLOAD_CHUNK_RECORDS_MAX + 10; i++) {
        used += (size_t)sprintf(text + used, i == 0 ? "{1}\n\n" : "{1}\n");
    }
    assert_int_equal(upload(stub, (struct span){text, used}, &err), ERR_OK);
    assert_int_equal(report.received, UPLOAD_CHUNK_RECORDS_MAX + 10);
    assert_int_equal(report.accepted, UPLOAD_CHUNK_RECORDS_MAX + 7);
    assert_int_equal(report.rejected, 3);
    assert_int_equal(report.reasons[ERR_BAD_JSON], 1);
    assert_int_equal(report.reasons[ERR_BAD_TIME], 1);
    assert_int_equal(report.other_reasons, 1);
    /* The blank second line of the file is not sent but counts. */
    assert_non_null(strstr(errors_text(), "line 3: bad_json: broken\n"));
    assert_non_null(strstr(errors_text(), "line 4002: at: bad_time: d"));
    assert_non_null(strstr(errors_text(), "line 4011: of_later"));
    free(text);
    stub_server_stop(stub);
}

static void
rows_go_with_their_header_and_come_back_with_their_lines(void **state)
{
    char first[1024];
    const char *const answers[] = {
        counts(first, "207 Multi-Status", 3, 1,
               "{\"line\":5,\"code\":\"bad_row\",\"field\":\"\","
               "\"detail\":\"d\",\"value\":\"\"}"),
        NULL};
    struct stub_server *stub = stub_server_start(answers);
    struct err err = {0};

    (void)state;
    assert_int_equal(upload(stub,
                            SPAN_LITERAL("id;text\r\n\r\n1;\"a\r\nb\"\r\n\r\n"
                                         "2;c;d\r\n3;e"),
                            &err),
                     ERR_OK);
    assert_string_equal(body_of(stub->requests[0]),
                        "sep=;\nid;text\n1;\"a\r\nb\"\n2;c;d\n3;e\n");
    assert_non_null(strstr(stub->requests[0].data, "Type: text/csv\r\n"));
    /* Line 5 of the body is "2;c;d", line 6 of the file. */
    assert_non_null(strstr(errors_text(), "line 6: bad_row"));
    stub_server_stop(stub);
}

static void
records_of_an_array_go_as_lines(void **state)
{
    char first[1024];
    const char *const answers[] = {counts(first, "200 OK", 2, 0, ""), NULL};
    struct stub_server *stub = stub_server_start(answers);
    struct err err = {0};

    (void)state;
    assert_int_equal(
        upload(stub, SPAN_LITERAL("[{\"id\":\n1},\r\n{\"id\":2}]"), &err),
        ERR_OK);
    assert_string_equal(body_of(stub->requests[0]),
                        "{\"id\": 1}\n{\"id\":2}\n");
    assert_int_equal(report.accepted, 2);
    stub_server_stop(stub);
}

static void
a_busy_server_is_asked_again_with_the_same_chunk(void **state)
{
    char last[1024];
    const char *const answers[] = {
        "HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n",
        "!HTTP/1.1 429 Slow\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n",
        counts(last, "200 OK", 1, 0, ""), NULL};
    struct stub_server *stub = stub_server_start(answers);
    struct err err = {0};

    (void)state;
    assert_int_equal(upload(stub, SPAN_LITERAL("{\"id\":1}\n"), &err), ERR_OK);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(body_of(stub->requests[i]), "{\"id\":1}\n");
    }
    assert_int_equal(report.received, 1);
    stub_server_stop(stub);
}

static void
a_server_that_stays_busy_is_given_up(void **state)
{
    const char *answers[UPLOAD_TRIES_MAX + 1] = {NULL};
    struct stub_server *stub;
    struct err err = {0};

    (void)state;
    for (int i = 0; i < UPLOAD_TRIES_MAX; i++) {
        answers[i] =
            "HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n";
    }
    stub = stub_server_start(answers);
    assert_int_equal(upload(stub, SPAN_LITERAL("{\"id\":1}\n"), &err),
                     ERR_BUSY);
    assert_int_equal(report.received, 0);
    stub_server_stop(stub);
}

static void
a_refused_request_is_an_error_in_the_servers_words(void **state)
{
    const char *const answers[] = {
        ANSWER("507 Full", "application/problem+json",
               "36") "{\"status\":507,\"detail\":\"no room now\"}",
        NULL};
    const char *const others[] = {ANSWER("200 OK", "text/html", "6") "<html>",
                                  NULL};
    struct stub_server *stub = stub_server_start(answers);
    struct err err = {0};

    (void)state;
    assert_int_equal(upload(stub, SPAN_LITERAL("{\"id\":1}\n"), &err),
                     ERR_DISK_FULL);
    assert_non_null(strstr(err.detail, "507: no room now"));
    stub_server_stop(stub);
    stub = stub_server_start(others);
    err = (struct err){0};
    assert_int_equal(upload(stub, SPAN_LITERAL("{\"id\":1}\n"), &err),
                     ERR_BAD_VALUE);
    assert_non_null(strstr(err.detail, "is this the HTTP address"));
    stub_server_stop(stub);
    import_report_release(&report);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_carry_the_lines_of_the_file_in_every_chunk),
        cmocka_unit_test(
            rows_go_with_their_header_and_come_back_with_their_lines),
        cmocka_unit_test(records_of_an_array_go_as_lines),
        cmocka_unit_test(a_busy_server_is_asked_again_with_the_same_chunk),
        cmocka_unit_test(a_server_that_stays_busy_is_given_up),
        cmocka_unit_test(a_refused_request_is_an_error_in_the_servers_words),
    };

    return cmocka_run_group_tests_name("upload", tests, set_up, tear_down);
}
