/* The lists of the API over the sample quarter: numbers and their lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "analyzers/hot_spot.h"
#include "analyzers/taxonomy.h"
#include "server/base/dict_files.h"
#include "server/serve/lists.h"
#include "server/serve/query.h"
#include "server/serve/status.h"
#include "server/serve/ticket_one.h"
#include "tests/lib/ledger_fixture.h"
#include "tests/lib/sample.h"

enum { ANSWER_BYTES_MAX = 64 * 1024 * 1024 };

struct served {
    struct ledger_fixture ledger;
    struct serve_context context;
    struct buf out;
    enum mask_role role;
};

static const struct dictionary *
dictionary_of(void *data)
{
    return ((struct served *)data)->ledger.dictionary;
}

/* NUL-ended copy of a span; a few at a time live. */
static const char *
text_of(struct span span, char *room, size_t bytes)
{
    if (span.data == NULL) {
        return NULL;
    }
    (void)snprintf(room, bytes, "%.*s", SPAN_ARGS(span));
    return room;
}

static void
put_sample_ticket(struct served *served,
                  const struct sample_ticket *from,
                  struct span line)
{
    static char room[8][16384];
    struct fixture_ticket ticket = {
        .id = text_of(from->id, room[0], sizeof(room[0])),
        .at_us = from->accepted_at_us,
        .caller = text_of(from->caller, room[1], sizeof(room[1])),
        .customer = text_of(from->customer, room[2], sizeof(room[2])),
        .address = text_of(from->address, room[3], sizeof(room[3])),
        .unit = text_of(sample_field(line, "unit"), room[4], sizeof(room[4])),
        .text = text_of(from->text, room[5], sizeof(room[5])),
        .related = text_of(from->related, room[6], sizeof(room[6])),
        .type = from->type,
        .category = from->category,
        .region = from->region};

    if (!span_is(from->subcategory, "-")) {
        ticket.subcategory =
            text_of(from->subcategory, room[7], sizeof(room[7]));
    }
    assert_true(
        ticket_channel_from(sample_field(line, "channel"), &ticket.channel));
    assert_int_equal(fixture_put_ticket(&served->ledger, &ticket),
                     LEDGER_ACCEPTED);
}

/* The quarter with the verdicts of its truth, and its events. */
static int
set_up(void **state)
{
    struct served *served = calloc(1, sizeof(*served));
    struct sample *sample = sample_load();
    struct dict_files files;
    struct err err = {0};
    struct span rest = sample->quarter;

    assert_non_null(served);
    fixture_open(&served->ledger, FIXTURE_MAP_BYTES);
    fixture_begin(&served->ledger, fixture_time("2018-01-01 00:00:00"));
    for (size_t i = 0; i < sample->count; i++) {
        struct span line = span_split(&rest, '\n');

        put_sample_ticket(served, &sample->tickets[i], line);
    }
    fixture_commit(&served->ledger);
    fixture_begin(&served->ledger, fixture_time("2018-04-01 00:00:00"));
    for (size_t i = 0; i < sample->count; i++) {
        for (unsigned k = 0; k < EVENT_KIND_COUNT; k++) {
            char id[80];
            struct fixture_event event = {
                .id = text_of(sample->tickets[i].id, id, sizeof(id)),
                .kind = (enum event_kind)k,
                .at_us = sample->tickets[i].event_at_us[k]};

            if (event.at_us != DEADLINE_NEVER) {
                (void)fixture_put_event(&served->ledger, &event);
            }
        }
    }
    fixture_commit(&served->ledger);
    assert_int_equal(dict_files_load(SUQIU_SOURCE_DIR "/dict", &files, &err),
                     ERR_OK);
    assert_int_equal(
        hot_spot_settings_build(files.files, files.count,
                                &served->ledger.dictionary->hot_spot, &err),
        ERR_OK);
    dict_files_release(&files);
    served->context =
        (struct serve_context){.store = served->ledger.store,
                               .ids = ledger_ids(served->ledger.ledger),
                               .dictionary = dictionary_of,
                               .data = served};
    served->role = MASK_ROLE_SUPERVISOR;
    buf_init(&served->out, ANSWER_BYTES_MAX);
    sample_free(sample);
    *state = served;
    return 0;
}

static int
tear_down(void **state)
{
    struct served *served = *state;

    hot_spot_settings_free(&served->ledger.dictionary->hot_spot);
    buf_release(&served->out);
    fixture_close(&served->ledger);
    free(served);
    return 0;
}

/* ---- asking ---- */

static struct list_request
request_of(struct served *served, struct params *params)
{
    return (struct list_request){.context = &served->context,
                                 .dictionary = served->ledger.dictionary,
                                 .params = params,
                                 .role = served->role,
                                 .now_us = fixture_time("2018-04-01 00:00:00")};
}

static enum err_code
try_page(struct served *served,
         const struct list_source *source,
         const char *query,
         struct err *err)
{
    struct params params;
    struct list_request request;

    params_from_text(query, &params);
    request = request_of(served, &params);
    buf_reset(&served->out);
    return list_page(source, &request, &served->out, err);
}

/* The answer, ended by NUL; borrowed until the next one. */
static const char *
page(struct served *served, const struct list_source *source, const char *query)
{
    struct err err = {0};

    if (try_page(served, source, query, &err) != ERR_OK) {
        fail_msg("%s?%s: %s", source->name, query, err.detail);
    }
    buf_put_char(&served->out, '\0');
    return served->out.data;
}

static const char *
export_all(struct served *served,
           const struct list_source *source,
           const struct list_form *form,
           const char *query)
{
    struct params params;
    struct list_request request;
    struct list_export *list;
    struct buf piece;
    struct err err = {0};
    bool more = true;

    params_from_text(query, &params);
    request = request_of(served, &params);
    buf_reset(&served->out);
    buf_init(&piece, ANSWER_BYTES_MAX);
    if (list_export_open(source, form, &request, NULL, &list, &err) != ERR_OK) {
        fail_msg("%s", err.detail);
    }
    while (more) {
        if (list_export_next(list, served->ledger.dictionary, &piece, &more,
                             &err) != ERR_OK) {
            fail_msg("%s", err.detail);
        }
        buf_put_span(&served->out, buf_view(&piece));
    }
    list_export_close(&list);
    buf_release(&piece);
    buf_put_char(&served->out, '\0');
    return served->out.data;
}

/* The number behind the last "key": of the answer; -1 for null or none. */
static long long
number(const char *answer, const char *key)
{
    char wanted[64];
    const char *at = NULL;

    (void)snprintf(wanted, sizeof(wanted), "\"%s\":", key);
    for (const char *next = strstr(answer, wanted); next != NULL;
         next = strstr(next + 1, wanted)) {
        at = next;
    }
    return at == NULL || strncmp(at + strlen(wanted), "null", 4) == 0
               ? -1
               : strtoll(at + strlen(wanted), NULL, 10);
}

static size_t
occurrences(const char *text, const char *word)
{
    size_t count = 0;

    for (const char *at = strstr(text, word); at != NULL;
         at = strstr(at + 1, word)) {
        count++;
    }
    return count;
}

/* The sum of "key" over all items. */
static long long
sum_of(const char *answer, const char *key)
{
    char wanted[64];
    long long sum = 0;

    (void)snprintf(wanted, sizeof(wanted), "\"%s\":", key);
    for (const char *at = strstr(answer, wanted); at != NULL;
         at = strstr(at + 1, wanted)) {
        sum += strtoll(at + strlen(wanted), NULL, 10);
    }
    return sum;
}

/* ---- the report's numbers ---- */

static void
report_of_the_quarter_has_the_margins_of_the_sample(void **state)
{
    struct served *served = *state;
    struct report_query query = {fixture_time("2018-01-01 00:00:00"),
                                 fixture_time("2018-04-01 00:00:00"),
                                 fixture_time("2018-04-01 00:00:00"), 0};
    struct report_numbers numbers;
    struct reader reader;
    struct err err = {0};

    assert_int_equal(reader_begin(served->ledger.store, &reader, &err), ERR_OK);
    assert_int_equal(query_report(&reader, served->ledger.dictionary, &query,
                                  &numbers, &err),
                     ERR_OK);
    assert_int_equal(numbers.counts[COUNTER_received], 500);
    assert_int_equal(report_category(&numbers, TICKET_CATEGORY_COUNT), 378);
    assert_int_equal(report_category(&numbers, TICKET_CATEGORY_SERVICE), 131);
    assert_int_equal(report_category(&numbers, TICKET_CATEGORY_BUSINESS), 118);
    assert_int_equal(
        report_complaints(&numbers, TICKET_CATEGORY_COUNT, TICKET_REGION_URBAN),
        152);
    assert_int_equal(
        report_complaints(&numbers, TICKET_CATEGORY_COUNT, TICKET_REGION_RURAL),
        226);
    assert_int_equal(report_complaints(&numbers, TICKET_CATEGORY_SERVICE,
                                       TICKET_REGION_RURAL),
                     86);
    assert_int_equal(numbers.complaints_closed + numbers.complaints_replied +
                         numbers.complaints_open,
                     378);
    assert_int_equal(numbers.complaints_open + numbers.complaints_replied, 15);
    assert_int_equal(numbers.complaints_open, 13);
    assert_int_equal(numbers.unit_count, 1); /* one level down */
    assert_int_equal(numbers.units[0].complaints, 378);
    assert_int_equal(
        numbers.quality_customers,
        number(page(served, &counters_source, "from=2018-01-01&to=2018-03-31"),
               "quality_customers"));
    report_numbers_release(&numbers);
    reader_end(&reader);
}

static void
report_as_of_the_tick_equals_the_cells(void **state)
{
    struct served *served = *state;
    struct report_query query = {fixture_time("2018-01-01 00:00:00"),
                                 fixture_time("2018-04-01 00:00:00"),
                                 STATE_NEVER, 0};
    struct report_numbers numbers;
    struct reader reader;
    struct err err = {0};
    int64_t cells;

    assert_int_equal(reader_begin(served->ledger.store, &reader, &err), ERR_OK);
    assert_int_equal(query_report(&reader, served->ledger.dictionary, &query,
                                  &numbers, &err),
                     ERR_OK);
    for (unsigned c = 0; c < COUNTER_COUNT; c++) {
        if (counter_anchor((enum counter)c) == COUNTER_DISTINCT) {
            continue;
        }
        assert_int_equal(query_count(&reader, 0, shanghai_day(query.from_us),
                                     shanghai_day(query.to_us) - 1,
                                     (enum counter)c, &cells, &err),
                         ERR_OK);
        if ((int64_t)numbers.counts[c] != cells) {
            fail_msg("%s: report %llu, cells %lld",
                     counter_name((enum counter)c),
                     (unsigned long long)numbers.counts[c], (long long)cells);
        }
    }
    report_numbers_release(&numbers);
    reader_end(&reader);
}

static void
report_as_of_an_earlier_instant_does_not_know_what_came_later(void **state)
{
    struct served *served = *state;
    struct report_query query = {fixture_time("2018-01-01 00:00:00"),
                                 fixture_time("2018-02-01 00:00:00"),
                                 fixture_time("2018-01-01 00:00:00"), 0};
    struct report_numbers numbers;
    struct reader reader;
    struct err err = {0};

    assert_int_equal(reader_begin(served->ledger.store, &reader, &err), ERR_OK);
    assert_int_equal(query_report(&reader, served->ledger.dictionary, &query,
                                  &numbers, &err),
                     ERR_OK);
    assert_true(numbers.counts[COUNTER_complaints] > 0);
    assert_int_equal(numbers.complaints_closed, 0);
    assert_int_equal(numbers.complaints_replied, 0);
    assert_int_equal(numbers.counts[COUNTER_closed], 0);
    assert_int_equal(numbers.counts[COUNTER_overdue], 0);
    report_numbers_release(&numbers);
    reader_end(&reader);
}

/* ---- every number opens its list ---- */

static void
every_counter_opens_a_list_of_its_length(void **state)
{
    struct served *served = *state;

    for (unsigned c = 0; c < COUNTER_COUNT; c++) {
        enum counter counter = (enum counter)c;
        char query[160];
        long long cells;
        long long listed = 0;

        if (counter_anchor(counter) == COUNTER_DISTINCT ||
            counter == COUNTER_overdue_clocks) {
            continue;
        }
        cells = sum_of(page(served, &counters_source,
                            "from=2018-02-01&to=2018-02-28&period=month"),
                       counter_name(counter));
        (void)snprintf(query, sizeof(query),
                       "from=2018-02-01&to=2018-02-28&counter=%s&limit=1000",
                       counter_name(counter));
        listed = (long long)occurrences(page(served, &tickets_source, query),
                                        "\"accepted_at\":");
        if (cells != listed || number(served->out.data, "total") != listed) {
            fail_msg("%s: counted %lld, listed %lld, total %lld",
                     counter_name(counter), cells, listed,
                     number(served->out.data, "total"));
        }
    }
}

static void
every_category_and_region_opens_a_list_of_its_length(void **state)
{
    static const char *const regions[] = {"urban", "rural", "remote"};
    struct served *served = *state;
    long long sum = 0;

    for (unsigned c = 1; c < TICKET_CATEGORY_COUNT; c++) {
        for (size_t r = 0; r < 3; r++) {
            char query[160];
            long long total;

            (void)snprintf(query, sizeof(query),
                           "category=%s&region=%s&complaint=1&limit=1000",
                           ticket_category_wire((enum ticket_category)c),
                           regions[r]);
            total = number(page(served, &tickets_source, query), "total");
            assert_int_equal(occurrences(served->out.data, "\"accepted_at\":"),
                             total);
            sum += r < 2 ? total : 0; /* rural holds remote */
        }
    }
    assert_int_equal(sum, 378);
    assert_int_equal(
        number(page(served, &tickets_source, "region=remote&complaint=1"),
               "total"),
        3);
}

static void
total_by_looking_equals_total_from_the_cells(void **state)
{
    static const char *const queries[] = {
        "",
        "type=fault",
        "category=outage",
        "channel=12345",
        "repeat=1",
        "overdue=1",
        "overdue=reply",
        "unit=宁夏电力/吴忠供电公司",
        "unit=90102",
        "subcategory=服务行为",
        "unit=90102&category=service,grid&region=rural&complaint=1",
    };
    struct served *served = *state;

    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        char query[256];
        long long cells;

        (void)snprintf(query, sizeof(query), "from=2018-01-10&%s", queries[i]);
        cells = number(page(served, &tickets_source, query), "total");
        /* an instant inside a quiet night: the cells can't tell */
        (void)snprintf(query, sizeof(query),
                       "from=2018-01-09T23:59:59.999+08:00&%s", queries[i]);
        assert_int_equal(number(page(served, &tickets_source, query), "total"),
                         cells);
        assert_true(cells > 0);
    }
}

static void
pages_by_cursor_hold_every_ticket_once(void **state)
{
    struct served *served = *state;
    char cursor[256] = "";
    char last[80] = "9999";
    size_t seen = 0;

    for (int pages = 0; pages < 100; pages++) {
        char query[512];
        const char *answer;
        const char *next;

        (void)snprintf(query, sizeof(query), "type=complaint&limit=37%s%s",
                       cursor[0] != '\0' ? "&cursor=" : "", cursor);
        answer = page(served, &tickets_source, query);
        assert_int_equal(number(answer, "total"), 378);
        for (const char *at = strstr(answer, "{\"id\":\""); at != NULL;
             at = strstr(at + 1, "{\"id\":\"")) {
            char id[80];

            (void)snprintf(id, sizeof(id), "%.8s", at + 7);
            assert_true(strcmp(id, last) <= 0); /* by day, newest first */
            (void)snprintf(last, sizeof(last), "%s", id);
            seen++;
        }
        next = strstr(answer, "\"next\":\"");
        if (next == NULL) {
            break;
        }
        (void)snprintf(cursor, sizeof(cursor), "%.*s",
                       (int)strcspn(next + 8, "\""), next + 8);
    }
    assert_int_equal(seen, 378);
}

static void
a_search_finds_words_and_numbers(void **state)
{
    struct served *served = *state;

    assert_int_equal(
        number(page(served, &tickets_source, "q=2018010184235843"), "total"),
        1);
    assert_true(number(page(served, &tickets_source, "q=频繁停电"), "total") >
                0);
    assert_int_equal(
        number(page(served, &tickets_source, "q=没有这样的话"), "total"), 0);
}

static void
states_of_life_part_all_tickets(void **state)
{
    struct served *served = *state;
    long long sum = 0;

    sum += number(page(served, &tickets_source, "state=open"), "total");
    sum += number(page(served, &tickets_source, "state=replied"), "total");
    sum += number(page(served, &tickets_source, "state=closed"), "total");
    assert_int_equal(sum, 500);
    assert_int_equal(number(page(served, &tickets_source,
                                 "state=open,replied&type=complaint"),
                            "total"),
                     15);
}

static void
all_time_is_whole_days_so_that_the_cells_answer(void **state)
{
    (void)state;
    assert_true(shanghai_day_start_us(shanghai_day(QUERY_FROM_MIN_US)) ==
                QUERY_FROM_MIN_US);
    assert_true(shanghai_day_start_us(shanghai_day(QUERY_TO_MAX_US)) ==
                QUERY_TO_MAX_US);
}

/* ---- refusals ---- */

static void
an_unknown_parameter_is_refused_with_the_nearest_one(void **state)
{
    struct served *served = *state;
    struct err err = {0};

    assert_int_equal(try_page(served, &tickets_source, "categroy=outage", &err),
                     ERR_BAD_VALUE);
    assert_non_null(strstr(err.detail, "\"category\""));
    assert_string_equal(err.field, "categroy");
}

static void
bad_values_are_refused_with_their_field(void **state)
{
    static const struct {
        const char *query;
        enum err_code code;
        const char *field;
    } cases[] = {
        {"from=2018-13-01", ERR_BAD_TIME, "from"},
        {"from=2018-02-01&to=2018-01-01", ERR_BAD_VALUE, "to"},
        {"type=phone", ERR_BAD_TYPE, "type"},
        {"category=water", ERR_BAD_CATEGORY, "category"},
        {"region=moon", ERR_BAD_REGION, "region"},
        {"limit=0", ERR_BAD_VALUE, "limit"},
        {"limit=1001", ERR_BAD_VALUE, "limit"},
        {"limit=-1", ERR_BAD_VALUE, "limit"},
        {"cursor=zzz", ERR_BAD_VALUE, "cursor"},
        {"counter=nothing", ERR_BAD_VALUE, "counter"},
        {"overdue=nothing", ERR_BAD_VALUE, "overdue"},
        {"from=2018-01-01&from=2018-01-02", ERR_BAD_VALUE, "from"},
        {"state=gone", ERR_BAD_VALUE, "state"},
        {"flag=red", ERR_BAD_VALUE, "flag"},
        {"repeat=maybe", ERR_BAD_VALUE, "repeat"},
    };
    struct served *served = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = {0};

        if (try_page(served, &tickets_source, cases[i].query, &err) !=
                cases[i].code ||
            strcmp(err.field, cases[i].field) != 0) {
            fail_msg("%s: %s, field %s", cases[i].query,
                     err_code_name(err.code), err.field);
        }
    }
}

static void
a_unit_or_subcategory_without_tickets_gives_an_empty_list(void **state)
{
    struct served *served = *state;

    assert_int_equal(
        number(page(served, &tickets_source, "unit=别处"), "total"), 0);
    assert_int_equal(
        number(page(served, &tickets_source, "subcategory=没有的"), "total"),
        0);
    assert_int_equal(occurrences(served->out.data, "\"accepted_at\":"), 0);
    assert_non_null(strstr(served->out.data, "\"next\":null"));
}

/* ---- counters ---- */

static void
counters_from_cells_and_from_tickets_agree(void **state)
{
    struct served *served = *state;
    long long cells = sum_of(page(served, &counters_source,
                                  "from=2018-01-01&to=2018-03-31&by=category"),
                             "complaints");

    assert_int_equal(cells, 378);
    assert_int_equal(sum_of(page(served, &counters_source,
                                 "from=2018-01-01&to=2018-03-31&by=category,"
                                 "type,channel"),
                            "complaints"),
                     378);
    assert_int_equal(sum_of(page(served, &counters_source,
                                 "from=2018-01-01&to=2018-03-31&period=hour"),
                            "received"),
                     500);
    assert_int_equal(sum_of(page(served, &counters_source,
                                 "from=2018-01-01&to=2018-03-31&period=week"),
                            "received"),
                     500);
    assert_int_equal(sum_of(page(served, &counters_source,
                                 "from=2018-01-02&to=2018-03-30&period=month"),
                            "repeats"),
                     sum_of(page(served, &counters_source,
                                 "from=2018-01-02&to=2018-03-30&period=day"),
                            "repeats"));
}

static void
counters_by_unit_sum_up_to_the_unit(void **state)
{
    struct served *served = *state;
    static const char *const names[] = {"received", "overdue_clocks",
                                        "reply_judged", "repeats"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        long long all =
            sum_of(page(served, &counters_source, "unit=90102"), names[i]);

        assert_true(all > 0);
        assert_int_equal(
            sum_of(page(served, &counters_source, "unit=90102&by=unit"),
                   names[i]),
            all);
        if (strcmp(names[i], "overdue_clocks") == 0) {
            continue; /* by unit and clock only */
        }
        assert_int_equal(sum_of(page(served, &counters_source,
                                     "unit=90102&by=unit,category,region"),
                                names[i]),
                         all);
        /* the same counted from the tickets */
        assert_int_equal(sum_of(page(served, &counters_source,
                                     "unit=90102&by=unit,category,type"),
                                names[i]),
                         all);
    }
    assert_int_equal(
        number(page(served, &counters_source, "unit=90102&by=unit"), "total"),
        3);
}

static void
distinct_customers_are_given_for_whole_periods_only(void **state)
{
    struct served *served = *state;
    long long quarter =
        number(page(served, &counters_source,
                    "from=2018-01-01&to=2018-03-31&period=quarter"),
               "quality_customers");

    assert_true(quarter > 0 && quarter <= 47);
    assert_int_equal(
        number(page(served, &counters_source, "from=2018-01-01&to=2018-03-31"),
               "quality_customers"),
        quarter);
    assert_int_equal(
        number(page(served, &counters_source, "from=2018-01-02&to=2018-03-31"),
               "quality_customers"),
        -1);
    assert_int_equal(number(page(served, &counters_source,
                                 "from=2018-01-01&to=2018-03-31&period=day"),
                            "quality_customers"),
                     -1);
}

static void
overdue_clocks_by_kind_open_their_lists(void **state)
{
    struct served *served = *state;
    long long reply = 0;
    const char *answer = page(served, &counters_source, "by=clock");
    const char *row = strstr(answer, "\"clock\":\"reply\"");

    assert_non_null(row);
    reply = strtoll(strstr(row, "\"overdue_clocks\":") + 17, NULL, 10);
    assert_true(reply > 0);
    assert_int_equal(
        number(page(served, &tickets_source, "overdue=reply"), "total"), reply);
    assert_int_equal(
        number(page(served, &overdue_source, "kind=reply"), "total"), reply);
    assert_int_equal(
        number(page(served, &overdue_source, "kind=答复"), "total"), reply);
}

/* ---- repeats, hot spots, overdue ---- */

static void
repeat_callers_add_up_to_the_counter(void **state)
{
    struct served *served = *state;
    long long repeats =
        sum_of(page(served, &counters_source, "period=all"), "repeats");
    const char *answer = page(served, &repeat_callers_source, "limit=1000");

    assert_true(repeats > 0);
    assert_int_equal(sum_of(answer, "repeats"), repeats);
    assert_int_equal(number(answer, "repeat_tickets"), repeats);
    assert_int_equal(number(answer, "total"), occurrences(answer, "\"key\":"));
    /* most calls first: the chain of five */
    assert_non_null(strstr(answer, "{\"items\":[{\"key\":\""));
    assert_int_equal(strtoll(strstr(answer, "\"calls\":") + 8, NULL, 10), 5);
    assert_true(number(page(served, &repeat_callers_source, "min_calls=4"),
                       "total") >= 4);
    assert_non_null(strstr(served->out.data, "\"burst\":true"));
}

static void
report_counts_the_chains_that_repeat_callers_lists(void **state)
{
    struct served *served = *state;
    struct report_query query = {QUERY_FROM_MIN_US, QUERY_TO_MAX_US,
                                 STATE_NEVER, 0};
    struct report_numbers numbers;
    struct reader reader;
    struct err err = {0};

    assert_int_equal(reader_begin(served->ledger.store, &reader, &err), ERR_OK);
    assert_int_equal(query_report(&reader, served->ledger.dictionary, &query,
                                  &numbers, &err),
                     ERR_OK);
    reader_end(&reader);
    assert_int_equal(
        number(page(served, &repeat_callers_source, "excluded=0"), "total"),
        numbers.repeat_callers);
    report_numbers_release(&numbers);
}

static void
neighbours_of_one_village_are_a_hot_spot(void **state)
{
    struct served *served = *state;
    const char *answer =
        page(served, &hot_spots_source, "min_callers=2&limit=1000");

    assert_true(number(answer, "total") > 0);
    assert_int_equal(number(answer, "total"),
                     occurrences(answer, "\"place\":"));
}

static void
overdue_pages_hold_every_clock_once(void **state)
{
    struct served *served = *state;
    char cursor[256] = "";
    long long total = 0;
    size_t seen = 0;

    for (int pages = 0; pages < 100; pages++) {
        char query[512];
        const char *answer;
        const char *next;

        (void)snprintf(query, sizeof(query), "limit=7%s%s",
                       cursor[0] != '\0' ? "&cursor=" : "", cursor);
        answer = page(served, &overdue_source, query);
        total = number(answer, "total");
        seen += occurrences(answer, "\"due_at\":");
        next = strstr(answer, "\"next\":\"");
        if (next == NULL) {
            break;
        }
        (void)snprintf(cursor, sizeof(cursor), "%.*s",
                       (int)strcspn(next + 8, "\""), next + 8);
    }
    assert_true(total > 7);
    assert_int_equal(seen, total);
    assert_int_equal(
        sum_of(page(served, &counters_source, "period=all"), "overdue_clocks"),
        total);
}

static void
due_soon_lists_running_clocks_by_their_due_time(void **state)
{
    struct served *served = *state;
    long long all = number(page(served, &overdue_source, "state=all"), "total");
    long long late = number(page(served, &overdue_source, ""), "total");
    long long by = number(
        page(served, &overdue_source, "by=2100-01-01&limit=1000"), "total");

    assert_true(by > 0);
    assert_int_equal(occurrences(served->out.data, "\"open\":true"), by);
    assert_int_equal(all, late + by);
    assert_true(
        number(page(served, &overdue_source, "state=due_soon"), "total") <= by);
}

/* ---- one ticket ---- */

static const char *
one_ticket(struct served *served, const char *id, enum err_code *code)
{
    struct params params = {.count = 0};
    struct list_request request = request_of(served, &params);
    struct err err = {0};

    buf_reset(&served->out);
    *code = ticket_one_put_json(&request, span_of(id), &served->out, &err);
    buf_put_char(&served->out, '\0');
    return served->out.data;
}

static void
one_ticket_shows_its_life_and_clocks(void **state)
{
    struct served *served = *state;
    enum err_code code;
    const char *answer = one_ticket(served, "2018010136238109", &code);

    assert_int_equal(code, ERR_OK);
    assert_non_null(strstr(answer, "\"category\":\"business\""));
    assert_non_null(strstr(answer, "\"timeline\":[{\"event\":\"dispatched\""));
    assert_non_null(strstr(answer, "\"kind\":\"reply\""));
    assert_non_null(strstr(answer, "\"limit\":\"5\""));
    assert_non_null(strstr(answer, "\"limit_unit\":\"workdays\""));
    assert_non_null(strstr(answer, "\"version_count\":1"));
    assert_non_null(strstr(answer, "\"extra\":{}"));
    (void)one_ticket(served, "2018010100000000", &code);
    assert_int_equal(code, ERR_NOT_FOUND);
}

static void
a_viewer_sees_no_phone_and_no_address(void **state)
{
    struct served *served = *state;
    enum err_code code;
    const char *answer;

    answer = one_ticket(served, "2018010189332976", &code);
    assert_non_null(strstr(answer, "19900076078"));
    served->role = MASK_ROLE_VIEWER;
    answer = one_ticket(served, "2018010189332976", &code);
    assert_non_null(strstr(answer, "199****6078"));
    assert_null(strstr(answer, "19900076078"));
    assert_null(strstr(answer, "11号楼"));
    answer = export_all(served, &tickets_source, &list_form_ndjson, "");
    assert_null(strstr(answer, "\"199000"));
    answer = export_all(served, &repeat_callers_source, &list_form_csv, "");
    assert_null(strstr(answer, ",199000"));
    served->role = MASK_ROLE_SUPERVISOR;
}

/* ---- forms ---- */

static void
exports_hold_every_row(void **state)
{
    struct served *served = *state;

    assert_int_equal(
        occurrences(export_all(served, &tickets_source, &list_form_ndjson, ""),
                    "\n"),
        500);
    assert_int_equal(
        occurrences(export_all(served, &tickets_source, &list_form_csv,
                               "type=complaint&excel=1"),
                    "\r\n"),
        379);
    assert_memory_equal(served->out.data, "\xEF\xBB\xBF工单编号,", 16);
    assert_int_equal(occurrences(export_all(served, &tickets_source,
                                            &list_form_csv, "limit=3"),
                                 "\r\n"),
                     4);
    assert_memory_equal(served->out.data, "\xEF\xBB\xBFid,type,", 11);
}

/* ---- indicators ---- */

static void
indicators_say_what_is_missing(void **state)
{
    struct served *served = *state;
    struct ledger_fact fact = {.name = SPAN_LITERAL("customers"),
                               .numerator = 100000.0,
                               .denominator = 1.0,
                               .at_us = 1};
    struct err err = {0};
    const char *answer = page(served, &indicators_source, "period=2018-Q1");
    const char *row = strstr(answer, "\"code\":\"complaints_per_million\"");

    assert_int_equal(occurrences(answer, "\"code\":"), 23);
    assert_non_null(strstr(row, "\"value\":null"));
    assert_non_null(strstr(row, "\"missing_reason\":\"no_fact\""));
    row = strstr(answer, "\"code\":\"complaint_on_time\"");
    assert_memory_not_equal(strstr(row, "\"value\":"), "\"value\":null", 12);
    assert_int_equal(ledger_begin(served->ledger.ledger,
                                  fixture_time("2018-04-01 00:00:00"), &err),
                     ERR_OK);
    assert_int_equal(ledger_put_fact(served->ledger.ledger, &fact, &err),
                     ERR_OK);
    fixture_commit(&served->ledger);
    answer = page(served, &indicators_source, "period=2018-Q1");
    row = strstr(answer, "\"code\":\"complaints_per_million\"");
    assert_non_null(strstr(row, "\"value\":3780,"));
    assert_non_null(strstr(answer, "\"previous_period\":\"2017-Q4\""));
    assert_non_null(strstr(answer, "\"last_year_period\":\"2017-Q1\""));
}

static void
metrics_and_readiness_tell_the_numbers(void **state)
{
    struct served *served = *state;
    struct params params = {.count = 0};
    struct list_request request = request_of(served, &params);
    struct err err = {0};
    bool ready = false;

    buf_reset(&served->out);
    assert_int_equal(status_put_metrics(&request, NULL, &served->out, &err),
                     ERR_OK);
    buf_put_char(&served->out, '\0');
    assert_non_null(strstr(served->out.data, "\nsuqiu_tickets_total 500\n"));
    assert_non_null(
        strstr(served->out.data, "suqiu_clocks_overdue{kind=\"reply\"} "));
    assert_non_null(strstr(
        served->out.data,
        "\nsuqiu_today_complaints{category=\"grid\",region=\"rural\"} 0\n"));
    assert_null(strstr(served->out.data, "199000"));
    buf_reset(&served->out);
    status_put_ready(&request, &served->out, &ready);
    buf_put_char(&served->out, '\0');
    assert_true(ready);
    assert_non_null(strstr(served->out.data, "\"name\":\"calendar\""));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(report_of_the_quarter_has_the_margins_of_the_sample),
        cmocka_unit_test(report_as_of_the_tick_equals_the_cells),
        cmocka_unit_test(
            report_as_of_an_earlier_instant_does_not_know_what_came_later),
        cmocka_unit_test(every_counter_opens_a_list_of_its_length),
        cmocka_unit_test(every_category_and_region_opens_a_list_of_its_length),
        cmocka_unit_test(total_by_looking_equals_total_from_the_cells),
        cmocka_unit_test(pages_by_cursor_hold_every_ticket_once),
        cmocka_unit_test(a_search_finds_words_and_numbers),
        cmocka_unit_test(states_of_life_part_all_tickets),
        cmocka_unit_test(all_time_is_whole_days_so_that_the_cells_answer),
        cmocka_unit_test(an_unknown_parameter_is_refused_with_the_nearest_one),
        cmocka_unit_test(bad_values_are_refused_with_their_field),
        cmocka_unit_test(
            a_unit_or_subcategory_without_tickets_gives_an_empty_list),
        cmocka_unit_test(counters_from_cells_and_from_tickets_agree),
        cmocka_unit_test(counters_by_unit_sum_up_to_the_unit),
        cmocka_unit_test(distinct_customers_are_given_for_whole_periods_only),
        cmocka_unit_test(overdue_clocks_by_kind_open_their_lists),
        cmocka_unit_test(repeat_callers_add_up_to_the_counter),
        cmocka_unit_test(report_counts_the_chains_that_repeat_callers_lists),
        cmocka_unit_test(neighbours_of_one_village_are_a_hot_spot),
        cmocka_unit_test(overdue_pages_hold_every_clock_once),
        cmocka_unit_test(due_soon_lists_running_clocks_by_their_due_time),
        cmocka_unit_test(one_ticket_shows_its_life_and_clocks),
        cmocka_unit_test(a_viewer_sees_no_phone_and_no_address),
        cmocka_unit_test(exports_hold_every_row),
        cmocka_unit_test(indicators_say_what_is_missing),
        cmocka_unit_test(metrics_and_readiness_tell_the_numbers),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
