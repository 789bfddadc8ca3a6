/* Stored tickets judged again: exactly, and whatever kills the server. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "analyzers/taxonomy.h"
#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/ledger/reader.h"
#include "server/rulebook/rulebook.h"
#include "tests/lib/dict_dir.h"
#include "tests/lib/server_process.h"
#include "tests/lib/temp_dir.h"

enum { MANY = 9000, KILLS = 4, POSTED = 40 };

static const char *const texts[] = {
    "这个月停了七回电，打电话没人管",
    "抄表员态度恶劣还骂人",
    "电费多收了两百块，营业厅不给退",
    "电压低得空调带不动，说了半年",
    "想问一下怎么办过户",
    "电线杆子歪了三年没人来扶",
};

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

/* Other tables: a good part of the tickets moves. */
static void
change_tables(void)
{
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/rules/quality.csv", dict.path);
    assert_int_equal(unlink(path), 0);
    dict_dir_replace(&dict, "settings.csv", "repeat.window_days,30",
                     "repeat.window_days,60");
    dict_dir_append(&dict, "rules/none.csv",
                    "try.meter,none,,,抄表员,,,text,9,,抄表员来了,电工\n");
}

static char *
run(const char *const *args, int wanted)
{
    char *out;
    int code = run_suqiu(args, (struct span){NULL, 0}, &out);

    if (code != wanted) {
        fail_msg("%s: %d: %s", args[0], code, out);
    }
    return out;
}

static void
import(const char *path, const char *with_dict)
{
    const char *const args[] = {"import",  "--data", data, "--dict",
                                with_dict, path,     NULL};

    free(run(args, 0));
}

static void
import_sample(const char *with_dict)
{
    import(SUQIU_SOURCE_DIR "/tests/data/sample/quarter.ndjson", with_dict);
    import(SUQIU_SOURCE_DIR "/tests/data/sample/events.ndjson", with_dict);
    import(SUQIU_SOURCE_DIR "/tests/data/sample/review.ndjson", with_dict);
}

static void
reclassify(const char *with_dict)
{
    const char *const args[] = {"reclassify", "--data",  data,
                                "--dict",     with_dict, NULL};

    free(run(args, 0));
}

/* Clean; `by_others` of the tickets were judged by other tables. */
static void
expect_clean(const char *with_dict, bool by_others)
{
    const char *const args[] = {"fsck",   "--data",  data,
                                "--dict", with_dict, NULL};
    char *out = run(args, 0);

    if (!by_others && strstr(out, "judged by other") != NULL) {
        fail_msg("not all were judged again: %s", out);
    }
    free(out);
}

static char *
report(const char *with_dict)
{
    const char *const args[] = {
        "report",     "--data", data,         "--dict",   with_dict, "--from",
        "2018-01-01", "--to",   "2018-03-31", "--format", "json",    NULL};

    return run(args, 0);
}

/* ---- every verdict is what these tables say ---- */

struct comparison {
    const struct reader *reader;
    struct edition *edition;
    struct classify_scratch *scratch;
    uint64_t tickets;
    uint64_t reviewed;
};

static struct span
row_name(const struct comparison *c, int32_t row)
{
    const struct taxonomy_row *found =
        taxonomy_row(c->edition->dictionary->taxonomy, row);

    return found != NULL ? found->chinese : SPAN_LITERAL("");
}

static bool
compare_ticket(void *user, int64_t accepted_at_us, uint64_t number)
{
    struct comparison *c = user;
    struct ticket_state state;
    struct record record;
    struct verdict verdict;
    struct err err = {0};

    (void)accepted_at_us;
    assert_true(reader_state(c->reader, number, &state, &err));
    assert_int_equal(reader_record(c->reader, state.record_seq, &record, &err),
                     ERR_OK);
    classify_ticket(c->edition->dictionary, c->scratch, &record.ticket,
                    &verdict);
    assert_int_equal(record.verdict.category, verdict.category);
    assert_int_equal(record.verdict.region, verdict.region);
    assert_int_equal(record.verdict.confidence_permille,
                     verdict.confidence_permille);
    assert_int_equal(record.verdict.evidence_count, verdict.evidence_count);
    assert_true(
        span_equal(reader_name(c->reader, record.verdict.subcategory_id),
                   row_name(c, verdict.subcategory)));
    assert_true(span_equal(reader_name(c->reader, record.verdict.topic_id),
                           row_name(c, verdict.topic)));
    assert_true(span_equal(reader_name(c->reader, record.verdict.dictionary_id),
                           span_of(c->edition->dictionary->version)));
    assert_int_equal(state.judged_category, verdict.category);
    assert_int_equal(state.judged_by, record.verdict.dictionary_id);
    c->tickets++;
    c->reviewed += state.reviewed;
    return true;
}

static void
compare_all(const char *with_dict, struct comparison *c)
{
    const struct edition_options options = {.directory = with_dict,
                                            .deadline_profile = "csg"};
    const struct store_options store_options = {0};
    struct store *store;
    struct reader reader;
    struct err err = {0};

    assert_int_equal(edition_build(&options, NULL, &c->edition, &err), ERR_OK);
    assert_int_equal(
        classify_scratch_new(c->edition->dictionary, &c->scratch, &err),
        ERR_OK);
    assert_int_equal(store_open(data, STORE_READ, &store_options, &store, &err),
                     ERR_OK);
    assert_int_equal(reader_begin(store, &reader, &err), ERR_OK);
    c->reader = &reader;
    assert_int_equal(reader_tickets(&reader, INT64_MIN, INT64_MAX, 0, 0, false,
                                    compare_ticket, c, &err),
                     ERR_OK);
    reader_end(&reader);
    store_close(&store);
    classify_scratch_free(&c->scratch);
    edition_release(&c->edition);
}

static void
there_and_back_again_gives_the_same_numbers(void **state)
{
    static const char original[] = SUQIU_SOURCE_DIR "/dict";
    struct comparison there = {.tickets = 0};
    struct comparison back = {.tickets = 0};
    char *before;
    char *between;
    char *after;

    (void)state;
    change_tables();
    import_sample(original);
    before = report(original);
    reclassify(dict.path);
    expect_clean(dict.path, false);
    compare_all(dict.path, &there);
    assert_int_equal(there.tickets, 500);
    assert_true(there.reviewed > 300);
    between = report(dict.path);
    assert_string_not_equal(before, between);
    reclassify(original);
    expect_clean(original, false);
    compare_all(original, &back);
    after = report(original);
    assert_string_equal(before, after);
    /* Once more: nothing to do. */
    reclassify(original);
    expect_clean(original, false);
    free(before);
    free(between);
    free(after);
}

static void
corrections_win_over_the_second_judgement(void **state)
{
    static const char original[] = SUQIU_SOURCE_DIR "/dict";
    char *before;
    char *after;

    (void)state;
    /* All tickets are reviewed: categories and regions may not move. */
    change_tables();
    import_sample(original);
    before = report(original);
    reclassify(dict.path);
    after = report(dict.path);
    {
        const char *a = strstr(before, "\"by_category_region\"");
        const char *b = strstr(after, "\"by_category_region\"");

        assert_non_null(a);
        assert_non_null(b);
        assert_memory_equal(a, b, 120);
    }
    free(before);
    free(after);
}

/* ---- what-if ---- */

static char *
replay(const char *with_dict, const char *format)
{
    const char *const args[] = {
        "replay",     "--data", data,         "--dict",   with_dict, "--from",
        "2018-01-01", "--to",   "2018-12-31", "--format", format,    NULL};

    return run(args, 0);
}

static size_t
count_lines(const char *text)
{
    size_t lines = 0;

    for (; *text != '\0'; text++) {
        lines += *text == '\n';
    }
    return lines;
}

static void
replay_says_what_reclassify_then_does(void **state)
{
    static const char original[] = SUQIU_SOURCE_DIR "/dict";
    const char *const args[] = {"reclassify", "--data",  data,
                                "--dict",     dict.path, NULL};
    char wanted[128];
    char *before;
    char *after;
    char *list;
    char *out;
    uint64_t moved;

    (void)state;
    change_tables();
    import_sample(original);
    out = replay(original, "json");
    assert_int_equal(json_number(span_of(out), "tickets"), 500);
    assert_int_equal(json_number(span_of(out), "moved"), 0);
    free(out);
    before = report(original);
    out = replay(dict.path, "json");
    moved = json_number(span_of(out), "moved");
    assert_true(moved > 5);
    assert_true(strstr(out, "\"reviewed\":true") != NULL);
    free(out);
    list = replay(dict.path, "csv");
    assert_int_equal(count_lines(list), (moved < 100 ? moved : 100) + 1);
    free(list);
    list = replay(dict.path, "text");
    assert_non_null(strstr(list, "什么都没有改变"));
    free(list);
    /* Nothing has changed. */
    after = report(original);
    assert_string_equal(before, after);
    expect_clean(original, false);
    out = run(args, 0);
    (void)snprintf(wanted, sizeof(wanted), "%llu judged otherwise",
                   (unsigned long long)moved);
    if (strstr(out, wanted) == NULL) {
        fail_msg("no '%s' in: %s", wanted, out);
    }
    free(out);
    out = replay(dict.path, "json");
    assert_int_equal(json_number(span_of(out), "moved"), 0);
    free(out);
    free(before);
    free(after);
}

/* ---- what supervisors decided ---- */

static char *
corrections(const char *part)
{
    const char *const all[] = {"corrections", "--data", data, "--changed",
                               NULL};
    const char *const some[] = {"corrections", "--data", data, "--changed",
                                "--part",      part,     NULL};

    return run(part == NULL ? all : some, 0);
}

static void
corrections_are_rows_that_check_and_train_read(void **state)
{
    static const char original[] = SUQIU_SOURCE_DIR "/dict";
    const char *path = temp_dir_path(&dir, "rows.tsv");
    const char *const check[] = {"check", "--corpus", path, NULL};
    char *all;
    char *read;
    char *held;
    char *out;

    (void)state;
    import_sample(original);
    all = corrections(NULL);
    read = corrections("read");
    held = corrections("held");
    assert_memory_equal(all, "id\ttype\tcategory\tsubcategory\ttopic\t", 35);
    assert_true(count_lines(all) > 10);
    assert_true(count_lines(held) > 1);
    assert_int_equal(count_lines(read) + count_lines(held) - 1,
                     count_lines(all));
    (void)temp_dir_write(&dir, "rows.tsv", span_of(all));
    out = run(check, 0);
    assert_non_null(strstr(out, "macro-F1"));
    free(out);
    free(all);
    free(read);
    free(held);
}

/* ---- while the server runs ---- */

static void
write_many(const char *path)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    for (int i = 0; i < MANY; i++) {
        (void)fprintf(file,
                      "{\"id\":\"M%07d\",\"accepted_at\":\"2018-%02d-%02d "
                      "%02d:00:00\",\"caller\":\"199%08d\",\"text\":\"%s，"
                      "第%d次\"}\n",
                      i, 1 + i / 3000, 1 + i / 120 % 28, i % 24, i % 3001,
                      texts[i % (int)(sizeof(texts) / sizeof(texts[0]))], i);
    }
    assert_int_equal(fclose(file), 0);
}

static unsigned
ask(const char *method, const char *path, struct http_client_answer *answer)
{
    const struct http_client_request request = {
        method, path, strcmp(method, "POST") == 0 ? "application/json" : NULL,
        strcmp(method, "POST") == 0 ? SPAN_LITERAL("{}")
                                    : (struct span){NULL, 0}};

    return server_process_request(&server, &request, answer);
}

static void
start(void)
{
    const char *const flags[] = {"--dict", dict.path, NULL};
    const struct server_start how = {.flags = flags};

    server_process_start(&server, data, &how);
}

/* Wait until so many are done, or it has ended; true: it has ended. */
static bool
wait_done(uint64_t wanted, uint64_t *done)
{
    int64_t until_us = clock_mono_us() + PROCESS_PATIENCE_MS * INT64_C(1000);
    struct http_client_answer answer;

    do {
        assert_int_equal(ask("GET", "/v1/admin/reclassify", &answer), 200);
        *done = json_number(answer.body, "done");
        if (span_holds(answer.body, "\"state\":\"done\"")) {
            return true;
        }
        assert_true(span_holds(answer.body, "\"state\":\"running\""));
    } while (*done < wanted && clock_mono_us() < until_us);
    if (*done < wanted) {
        fail_msg("%.*s", SPAN_ARGS(answer.body));
    }
    return false;
}

/* New versions, corrections and events of tickets before and behind where it
 * stands. */
static void
post_changes(int round)
{
    struct http_client_answer answer;
    struct buf lines;

    buf_init(&lines, 1 << 20);
    for (int i = 0; i < POSTED; i++) {
        int ticket = (round * 997 + i * 293) % MANY;

        buf_printf(&lines,
                   "{\"id\":\"M%07d\",\"accepted_at\":\"2018-02-01 08:00:00\","
                   "\"caller\":\"199%08d\",\"text\":\"%s，改%d\"}\n"
                   "{\"id\":\"M%07d\",\"event\":\"corrected\",\"at\":"
                   "\"2018-05-%02d 10:00:00\",\"category\":\"grid\","
                   "\"by\":\"测试\"}\n"
                   "{\"id\":\"M%07d\",\"event\":\"final_reply\",\"at\":"
                   "\"2018-06-%02d 10:00:00\"}\n",
                   ticket, ticket % 3001, texts[(i + round) % 6], round,
                   (ticket + 1) % MANY, 1 + round, (ticket + 2) % MANY,
                   1 + round);
    }
    assert_int_equal(server_process_post(&server, "application/x-ndjson",
                                         buf_view(&lines), &answer),
                     200);
    buf_release(&lines);
}

static void
killed_again_and_again_it_goes_on_and_every_counter_is_right(void **state)
{
    struct http_client_answer answer;
    struct comparison c = {.tickets = 0};
    const char *many = temp_dir_path(&dir, "many.ndjson");
    uint64_t done = 0;
    uint64_t before = 0;
    bool ended = false;

    (void)state;
    write_many(many);
    import(many, SUQIU_SOURCE_DIR "/dict");
    change_tables();
    start();
    assert_int_equal(ask("GET", "/v1/admin/reclassify", &answer), 200);
    assert_true(span_holds(answer.body, "\"state\":\"idle\""));
    assert_int_equal(ask("POST", "/v1/admin/reclassify", &answer), 202);
    for (int round = 0; round < KILLS && !ended; round++) {
        ended = wait_done(before + MANY / (2 * KILLS), &done);
        post_changes(round);
        server_process_kill(&server);
        expect_clean(dict.path, true);
        start(); /* it goes on by itself, from where it stood */
        (void)wait_done(0, &before);
        assert_true(before > 0);
    }
    while (!wait_done(MANY, &done)) {
    }
    expect_clean(dict.path, false);
    assert_int_equal(server_process_stop(&server), 0);
    expect_clean(dict.path, false);
    compare_all(dict.path, &c);
    assert_int_equal(c.tickets, MANY);
    assert_true(c.reviewed > 0);
}

static void
it_can_be_stopped_and_starts_over_when_tables_change(void **state)
{
    struct http_client_answer answer;
    struct comparison c = {.tickets = 0};
    const char *many = temp_dir_path(&dir, "many.ndjson");
    uint64_t done = 0;

    (void)state;
    write_many(many);
    import(many, SUQIU_SOURCE_DIR "/dict");
    change_tables();
    start();
    assert_int_equal(ask("POST", "/v1/admin/reclassify", &answer), 202);
    (void)wait_done(1, &done);
    assert_int_equal(ask("DELETE", "/v1/admin/reclassify", &answer), 202);
    do {
        assert_int_equal(ask("GET", "/v1/admin/reclassify", &answer), 200);
    } while (span_holds(answer.body, "\"state\":\"running\""));
    assert_true(span_holds(answer.body, "\"state\":\"stopped\""));
    assert_true(json_number(answer.body, "done") < MANY);
    expect_clean(dict.path, true);
    assert_int_equal(ask("POST", "/v1/admin/reclassify", &answer), 202);
    (void)wait_done(1, &done);
    dict_dir_restore(&dict, "rules/none.csv");
    assert_int_equal(ask("POST", "/v1/admin/reload", &answer), 200);
    /* Where it had ended before the tables came, it begins again. */
    assert_int_equal(ask("POST", "/v1/admin/reclassify", &answer), 202);
    while (!wait_done(MANY, &done)) {
    }
    expect_clean(dict.path, false);
    assert_int_equal(server_process_stop(&server), 0);
    compare_all(dict.path, &c);
    assert_int_equal(c.tickets, MANY);
}

/* Wait for the end of a replay; the answer is the last one. */
static void
wait_replay(const char *state, struct http_client_answer *answer)
{
    int64_t until_us = clock_mono_us() + PROCESS_PATIENCE_MS * INT64_C(1000);

    do {
        assert_int_equal(ask("GET", "/v1/admin/replay", answer), 200);
    } while (span_holds(answer->body, "\"state\":\"running\"") &&
             clock_mono_us() < until_us);
    if (!span_holds(answer->body, state)) {
        fail_msg("no %s in: %.*s", state, SPAN_ARGS(answer->body));
    }
}

static void
the_server_replays_tables_before_they_are_loaded(void **state)
{
    static const char original[] = SUQIU_SOURCE_DIR "/dict";
    struct http_client_answer answer;
    uint64_t moved;
    char *out;

    (void)state;
    import_sample(original);
    start();
    change_tables(); /* on the disk; the server has the old ones */
    out = replay(dict.path, "json");
    moved = json_number(span_of(out), "moved");
    free(out);
    assert_int_equal(
        ask("POST", "/v1/admin/replay?from=2018-01-01&to=2018-12-31&limit=5",
            &answer),
        202);
    wait_replay("\"state\":\"done\"", &answer);
    assert_int_equal(json_number(answer.body, "moved"), moved);
    assert_true(span_holds(answer.body, "\"moves_truncated\":true"));
    assert_int_equal(ask("POST", "/v1/admin/replay?tables=../x", &answer), 400);
    assert_true(span_holds(answer.body, "DIR/tables"));
    assert_int_equal(ask("POST", "/v1/admin/replay?tables=none", &answer), 202);
    wait_replay("\"state\":\"failed\"", &answer);
    assert_true(span_holds(answer.body, "tables/none"));
    assert_int_equal(server_process_stop(&server), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(there_and_back_again_gives_the_same_numbers),
        TEST(corrections_win_over_the_second_judgement),
        TEST(replay_says_what_reclassify_then_does),
        TEST(corrections_are_rows_that_check_and_train_read),
        TEST(the_server_replays_tables_before_they_are_loaded),
        TEST(killed_again_and_again_it_goes_on_and_every_counter_is_right),
        TEST(it_can_be_stopped_and_starts_over_when_tables_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
