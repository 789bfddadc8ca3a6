/* New tables while the server works: at once, or not at all. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/ledger/reader.h"
#include "tests/lib/dict_dir.h"
#include "tests/lib/feed_client.h"
#include "tests/lib/server_process.h"
#include "tests/lib/temp_dir.h"

enum { RELOADS = 20, LINES_A_TURN = 10 };

static const char quality[] = "rules/quality.csv";

static struct temp_dir dir;
static struct dict_dir dict;
static struct server_process server;
static char data[128];

static int
set_up(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    (void)snprintf(data, sizeof(data), "%s/data", dir.path);
    dict_dir_make(&dict, temp_dir_path(&dir, "dict"));
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    if (server.pid > 0) {
        server_process_kill(&server);
    }
    temp_dir_remove(&dir);
    return 0;
}

static void
start(void)
{
    const char *const flags[] = {"--dict", dict.path, "--workers", "2", NULL};
    const struct server_start how = {.flags = flags};

    server_process_start(&server, data, &how);
}

static unsigned
post(const char *path, struct http_client_answer *answer)
{
    const struct http_client_request request = {
        "POST", path, "application/json", SPAN_LITERAL("{}")};

    return server_process_request(&server, &request, answer);
}

static unsigned
get(const char *path, struct http_client_answer *answer)
{
    const struct http_client_request request = {"GET", path, NULL, {NULL, 0}};

    return server_process_request(&server, &request, answer);
}

/* "name":"…" of a flat object. */
static void
text_member(struct span object, const char *name, char *out, size_t out_bytes)
{
    char key[64];
    const char *at;
    size_t bytes = 0;

    (void)snprintf(key, sizeof(key), "\"%s\":\"", name);
    at = strstr(object.data, key);
    if (at == NULL) {
        fail_msg("no %s in %.*s", name, SPAN_ARGS(object));
        return;
    }
    at += strlen(key);
    while (at[bytes] != '"' && bytes + 1 < out_bytes) {
        out[bytes] = at[bytes];
        bytes++;
    }
    out[bytes] = '\0';
}

/* The tables must be taken; returns their version. */
static void
reload(char version[20])
{
    struct http_client_answer answer;
    unsigned status = post("/v1/admin/reload", &answer);

    if (status != 200) {
        fail_msg("%u: %.*s", status, SPAN_ARGS(answer.body));
    }
    text_member(answer.body, "dictionary", version, 20);
}

/* The tables must be refused with these words, and the old ones stay. */
static void
expect_refusal(const char *const *words)
{
    struct http_client_answer answer;
    unsigned status = post("/v1/admin/reload", &answer);

    if (status != 422) {
        fail_msg("%s: %u: %.*s", words[0], status, SPAN_ARGS(answer.body));
    }
    for (size_t i = 0; words[i] != NULL; i++) {
        if (!span_holds(answer.body, words[i])) {
            fail_msg("no '%s' in: %.*s", words[i], SPAN_ARGS(answer.body));
        }
    }
}

/* --- under load --------------------------------------------------------- */

struct stream {
    unsigned port;
    _Atomic bool stop;
    uint64_t lines;
};

/* Ten tickets, their answer, the next ten. */
static void *
stream_thread(void *user)
{
    struct stream *stream = user;
    struct feed_client client;
    struct buf lines;

    feed_client_open(&client, stream->port);
    buf_init(&lines, 1 << 20);
    while (!atomic_load(&stream->stop)) {
        buf_reset(&lines);
        for (int i = 0; i < LINES_A_TURN; i++) {
            buf_printf(&lines,
                       "{\"id\":\"L%08llu\",\"accepted_at\":\"2018-03-04 "
                       "10:00:00\",\"caller\":\"199%08llu\",\"text\":"
                       "\"这个月停了七回电，打电话没人管\"}\n",
                       (unsigned long long)stream->lines,
                       (unsigned long long)stream->lines % 997);
            stream->lines++;
        }
        feed_client_send(&client, buf_view(&lines));
        feed_client_wait(&client, stream->lines);
    }
    buf_release(&lines);
    feed_client_close(&client);
    return NULL;
}

struct versions {
    const struct reader *reader;
    const char *known[2];
    uint64_t counts[2];
    uint64_t others;
};

static bool
count_version(void *user, int64_t accepted_at_us, uint64_t number)
{
    struct versions *versions = user;
    struct ticket_state state;
    struct record record;
    struct err err = {0};
    struct span name;

    (void)accepted_at_us;
    assert_true(reader_state(versions->reader, number, &state, &err));
    assert_int_equal(
        reader_record(versions->reader, state.record_seq, &record, &err),
        ERR_OK);
    name = reader_name(versions->reader, record.verdict.dictionary_id);
    if (span_equal(name, span_of(versions->known[0]))) {
        versions->counts[0]++;
    } else if (span_equal(name, span_of(versions->known[1]))) {
        versions->counts[1]++;
    } else {
        versions->others++;
    }
    return true;
}

static void
count_versions(struct versions *versions)
{
    const struct store_options options = {0};
    struct store *store;
    struct reader reader;
    struct err err = {0};

    assert_int_equal(store_open(data, STORE_READ, &options, &store, &err),
                     ERR_OK);
    assert_int_equal(reader_begin(store, &reader, &err), ERR_OK);
    versions->reader = &reader;
    assert_int_equal(reader_tickets(&reader, INT64_MIN, INT64_MAX, 0, 0, false,
                                    count_version, versions, &err),
                     ERR_OK);
    reader_end(&reader);
    store_close(&store);
}

static void
expect_clean(void)
{
    const char *const fsck[] = {"fsck",   "--data",  data,
                                "--dict", dict.path, NULL};
    char *out;
    int code = run_suqiu(fsck, (struct span){NULL, 0}, &out);

    if (code != 0) {
        fail_msg("fsck: %d: %s", code, out);
    }
    free(out);
}

/* A reload is then mostly the swap. */
static void
use_few_rules(void)
{
    static const char *const tables[] = {"business", "service", "outage",
                                         "grid"};
    char path[512];

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/rules/%s.csv", dict.path,
                       tables[i]);
        assert_int_equal(unlink(path), 0);
    }
}

static void
twenty_reloads_under_load_lose_nothing(void **state)
{
    static char first[20];
    static char second[20];
    char version[20];
    struct versions versions = {.known = {first, second}};
    struct stream stream = {.port = 0};
    pthread_t thread;

    (void)state;
    use_few_rules();
    start();
    reload(first);
    stream.port = server.feed_port;
    assert_int_equal(pthread_create(&thread, NULL, stream_thread, &stream), 0);
    for (int i = 0; i < RELOADS; i++) {
        if (i % 2 == 0) {
            dict_dir_replace(&dict, quality, ",4.5,", ",4.4,");
        } else {
            dict_dir_restore(&dict, quality);
        }
        reload(i == 0 ? second : version);
        if (i > 0) {
            assert_string_equal(version, i % 2 == 0 ? second : first);
        }
    }
    atomic_store(&stream.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(store_totals(data).tickets, stream.lines);
    assert_int_equal(store_totals(data).rejects, 0);
    count_versions(&versions);
    assert_int_equal(versions.others, 0);
    assert_int_equal(versions.counts[0] + versions.counts[1], stream.lines);
    assert_true(versions.counts[0] > 0);
    assert_true(versions.counts[1] > 0);
    expect_clean();
    assert_int_equal(server_process_stop(&server), 0);
    expect_clean();
}

/* --- what a new table does ---------------------------------------------- */

static void
put_ticket(const char *id)
{
    struct http_client_answer answer;
    struct buf line;

    buf_init(&line, 1024);
    buf_printf(&line,
               "{\"id\":\"%s\",\"accepted_at\":\"2018-03-04 10:00:00\","
               "\"text\":\"请问嘀嘀咕咕试新词\"}",
               id);
    assert_int_equal(server_process_post(&server, "application/x-ndjson",
                                         buf_view(&line), &answer),
                     200);
    buf_release(&line);
}

static void
a_new_rule_judges_what_comes_after_it(void **state)
{
    struct http_client_answer answer;
    char version[20];

    (void)state;
    start();
    put_ticket("BEFORE");
    dict_dir_append(&dict, quality,
                    "try.new,quality,供电可靠性,频繁停电,嘀嘀咕咕试新词,,,text,"
                    "9,,嘀嘀咕咕试新词,别的\n");
    assert_int_equal(post("/v1/admin/reload", &answer), 200);
    assert_true(span_holds(answer.body, "\"changed\":true"));
    assert_true(span_holds(
        answer.body,
        "{\"table\":\"dict/rules/quality.csv\",\"change\":\"changed\","
        "\"applies\":\"new_records\"}"));
    assert_true(span_holds(answer.body, "\"reclassify\":true"));
    text_member(answer.body, "dictionary", version, sizeof(version));
    put_ticket("AFTER");
    assert_int_equal(get("/v1/tickets/BEFORE", &answer), 200);
    assert_true(span_holds(answer.body, "\"category\":\"none\""));
    assert_false(span_holds(answer.body, version));
    assert_int_equal(get("/v1/tickets/AFTER", &answer), 200);
    assert_true(span_holds(answer.body, "\"category\":\"quality\""));
    assert_true(span_holds(answer.body, version));
    assert_int_equal(get("/readyz", &answer), 200);
    assert_true(span_holds(answer.body, version));
    assert_int_equal(get("/metrics", &answer), 200);
    assert_true(span_holds(answer.body, version));
    assert_int_equal(post("/v1/admin/reload", &answer), 200);
    assert_true(span_holds(answer.body, "\"changed\":false"));
    expect_clean();
    assert_int_equal(server_process_stop(&server), 0);
}

/* Ask until /readyz says so. */
static void
wait_ready_holds(const char *words)
{
    int64_t until_us = clock_mono_us() + PROCESS_PATIENCE_MS * INT64_C(1000);
    struct http_client_answer answer;

    do {
        assert_int_equal(get("/readyz", &answer), 200);
        if (span_holds(answer.body, words)) {
            return;
        }
    } while (clock_mono_us() < until_us);
    fail_msg("no '%s' in: %.*s", words, SPAN_ARGS(answer.body));
}

static void
a_hangup_reloads_too_and_ready_says_when_it_was_refused(void **state)
{
    (void)state;
    start();
    dict_dir_replace(&dict, quality, "must_not_match", "must_not");
    assert_int_equal(kill(server.pid, SIGHUP), 0);
    wait_ready_holds("no column 'must_not_match'");
    dict_dir_restore(&dict, quality);
    assert_int_equal(kill(server.pid, SIGHUP), 0);
    wait_ready_holds("\"rules\",\"state\":\"ok\"");
    assert_int_equal(server_process_stop(&server), 0);
}

/* --- bad tables --------------------------------------------------------- */

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void
every_bad_row_is_named_at_once(void **state)
{
    (void)state;
    start();
    dict_dir_append(&dict, quality,
                    "bad.category,qualty,,,停电,,,text,1,,停电,来电\n"
                    "bad.weight,quality,,,停电,,,text,much,,停电,来电\n"
                    "bad.pattern,quality,,,停(电,,,text,1,,停电,来电\n");
    dict_dir_replace(&dict, "settings.csv", "repeat.window_days,30",
                     "repeat.window_days,many");
    expect_refusal(
        WORDS("\"table\":\"dict/rules/quality.csv\",\"line\":",
              "\"column\":\"category\",\"value\":\"qualty\"",
              "\"column\":\"weight\",\"value\":\"much\"", "write 3, 1.5 or -2",
              "\"column\":\"pattern\"", "bad.pattern", "^\"",
              "\"table\":\"dict/settings.csv\"", "\"value\":\"many\"",
              "\"excerpt\":\"    repeat.window_days,many,days,",
              "\"error_count\":4"));
    dict_dir_append(&dict, "units.csv", ",甲//乙,urban,\n,甲/丙,town,\n");
    dict_dir_append(&dict, "calendar.csv", "2018-13-01,off,\n2100-01-01,\n");
    expect_refusal(WORDS("\"error_count\":8", "\"value\":\"甲//乙\"",
                         "\"value\":\"town\"", "\"value\":\"2018-13-01\"",
                         "2 cells, the header has 3"));
    put_ticket("STILL");
    dict_dir_restore(&dict, quality);
    dict_dir_restore(&dict, "settings.csv");
    assert_int_equal(server_process_stop(&server), 0);
}

static void
an_example_against_its_rule_is_refused(void **state)
{
    (void)state;
    start();
    dict_dir_append(&dict, quality,
                    "bad.example,quality,,,嘀嘀咕咕,,,text,1,,别的,"
                    "又在嘀嘀咕咕\n");
    expect_refusal(WORDS("bad.example", "\"column\":\"must_match\"", "“别的”",
                         "\"column\":\"must_not_match\"", "“又在嘀嘀咕咕”",
                         "\"error_count\":2"));
    assert_int_equal(server_process_stop(&server), 0);
}

static void
a_pattern_that_explodes_is_refused(void **state)
{
    (void)state;
    start();
    dict_dir_append(&dict, quality,
                    "bad.slow,quality,,,(停+电?)+修,,,text,1,,停电停电修,来\n");
    expect_refusal(WORDS("dict/rules/quality.csv", "bad.slow", "repe"));
    dict_dir_append(&dict, quality,
                    "bad.back,quality,,,(停)\\1,,,text,1,,停停,来\n");
    expect_refusal(WORDS("dict/rules/quality.csv", "bad.back"));
    /* Nothing is wrong with its form; it is given up in the middle. */
    dict_dir_restore(&dict, quality);
    dict_dir_append(&dict, quality,
                    "bad.gaps,quality,,,\"(停.{0,60}){8}维修队\",,,text,1,,"
                    "停1停2停3停4停5停6停7停8维修队,来\n");
    expect_refusal(
        WORDS("bad.gaps", "given up on a hostile text", "\"error_count\":1"));
    put_ticket("STILL");
    assert_int_equal(server_process_stop(&server), 0);
}

static void
other_encodings_and_missing_files_are_refused(void **state)
{
    char path[512];

    (void)state;
    start();
    dict_dir_write(&dict, "words.csv",
                   SPAN_LITERAL("name,words,note\n\xcd\xa3\xb5\xe7,\xcd,\n"));
    expect_refusal(WORDS("dict/words.csv", "UTF-8"));
    (void)snprintf(path, sizeof(path), "%s/words.csv", dict.path);
    assert_int_equal(unlink(path), 0);
    expect_refusal(WORDS("no row of words.csv has this name"));
    dict_dir_restore(&dict, "words.csv");
    (void)snprintf(path, sizeof(path), "%s/columns.csv", dict.path);
    assert_int_equal(unlink(path), 0);
    expect_refusal(WORDS("dict/columns.csv", "missing"));
    put_ticket("STILL");
    assert_int_equal(server_process_stop(&server), 0);
}

static void
a_hundred_thousand_rules_are_refused(void **state)
{
    struct buf table;

    (void)state;
    start();
    buf_init(&table, 64 << 20);
    buf_put_text(&table,
                 "id,category,subcategory,topic,pattern,also,unless,scope,"
                 "weight,note,must_match,must_not_match\n");
    for (int i = 0; i < 100000; i++) {
        buf_printf(&table,
                   "many.%d,quality,,,停电%d次,,,text,1,,停电%d次,来电\n", i, i,
                   i);
    }
    dict_dir_write(&dict, "rules/many.csv", buf_view(&table));
    buf_release(&table);
    expect_refusal(WORDS("dict/rules/many.csv", "more than 20000 rules"));
    put_ticket("STILL");
    assert_int_equal(server_process_stop(&server), 0);
}

/* A file cut off anywhere: it is whole again by chance, or it is refused with
 * its name; never is it taken halfway through a row. */
static void
a_file_cut_off_is_refused_or_reads_as_whole_rows(void **state)
{
    struct span whole = read_source_file("dict/rules/none.csv");
    struct http_client_answer answer;

    (void)state;
    start();
    for (size_t i = 1; i < 8; i++) {
        size_t bytes = whole.bytes * i / 8;
        bool at_line_end = whole.data[bytes - 1] == '\n';
        unsigned status;

        dict_dir_write(&dict, "rules/none.csv",
                       (struct span){whole.data, bytes});
        status = post("/v1/admin/reload", &answer);
        if (!at_line_end && status != 422) {
            fail_msg("cut at %zu: %u: %.*s", bytes, status,
                     SPAN_ARGS(answer.body));
        }
        if (status == 422) {
            assert_true(span_holds(answer.body, "dict/rules/none.csv"));
        }
    }
    put_ticket("STILL");
    assert_int_equal(server_process_stop(&server), 0);
    free((char *)(uintptr_t)whole.data);
}

/* Another year's list of towns: other columns, or places that our rules name
 * are gone. */
static void
a_gazetteer_of_another_edition_is_refused(void **state)
{
    (void)state;
    start();
    dict_dir_write(&dict, "towns.csv",
                   SPAN_LITERAL("code,name,provinceCode\n11,北京市,11\n"));
    expect_refusal(WORDS("\"table\":\"dict/towns.csv\"",
                         "there is no column 'short'", "\"error_count\":1"));
    dict_dir_write(&dict, "towns.csv",
                   SPAN_LITERAL("code,name,short,kind,urban\n"
                                "11,北京市,,province,\n"));
    expect_refusal(
        WORDS("\"table\":\"dict/regions.csv\"", "give the code of towns.csv"));
    put_ticket("STILL");
    assert_int_equal(server_process_stop(&server), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(twenty_reloads_under_load_lose_nothing),
        TEST(a_new_rule_judges_what_comes_after_it),
        TEST(a_hangup_reloads_too_and_ready_says_when_it_was_refused),
        TEST(every_bad_row_is_named_at_once),
        TEST(an_example_against_its_rule_is_refused),
        TEST(a_pattern_that_explodes_is_refused),
        TEST(other_encodings_and_missing_files_are_refused),
        TEST(a_hundred_thousand_rules_are_refused),
        TEST(a_file_cut_off_is_refused_or_reads_as_whole_rows),
        TEST(a_gazetteer_of_another_edition_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
