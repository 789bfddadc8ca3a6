/*
 * The lists that gather against plain recomputation: random tickets, versions,
 * corrections, final replies and running clocks, in batches some of which fail.
 * Rows that only caught up must say what all states say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/hot_spot.h"
#include "analyzers/taxonomy.h"
#include "server/base/dict_files.h"
#include "server/serve/first_of.h"
#include "server/serve/lists.h"
#include "server/serve/query.h"
#include "tests/lib/ledger_fixture.h"

enum {
    ROUNDS = 300,
    BATCH_MAX = 30,
    IDS = 500,
    ANSWER_BYTES_MAX = 8 * 1024 * 1024,
    ADDRESS_BYTES = 64,
    PLACE_KEY_BYTES = 128,
    QUERY_BYTES = 160,
    SMALL_PAGE = 7,
    PLACES_FEW = 90
};

static const char *const units[] = {"", "甲", "甲/乙", "甲/丙", "丁"};
static const struct {
    enum ticket_category category;
    const char *subcategory;
} matters[] = {{TICKET_CATEGORY_NONE, NULL},
               {TICKET_CATEGORY_SERVICE, "服务行为"},
               {TICKET_CATEGORY_QUALITY, "供电可靠性"}};

static struct ledger_fixture ledger;
static struct changes *changes;
static struct serve_context context;
static struct buf answer;
static uint64_t seed = 95598;

static uint32_t
pick(uint32_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((seed >> 33) % below);
}

/* ---- the feed ---- */

static int64_t now_us;

/* What a ticket says, in numbers: a version changes one of them. */
enum said {
    SAID_MINUTES, /* before `now`, when it came first */
    SAID_CALLER,
    SAID_CUSTOMER,
    SAID_VILLAGE,
    SAID_HOUSE,
    SAID_UNIT,
    SAID_RELATED,
    SAID_TYPE,
    SAID_MATTER,
    SAID_TEST,
    SAID_COUNT
};
static const uint32_t said_below[SAID_COUNT] = {5 * 24 * 60, 60, 60, 3, 40, 5,
                                                12 * IDS,    4,  3,  20};
static struct {
    bool here;
    int64_t at_us;
    uint32_t said[SAID_COUNT];
} tales[IDS];

static void
tell(uint32_t tale, struct fixture_ticket *ticket)
{
    static const char *const villages[] = {"永安", "立岗", ""};
    static char id[16];
    static char caller[16];
    static char customer[16];
    static char related[16];
    static char address[ADDRESS_BYTES];
    const uint32_t *said = tales[tale].said;

    (void)snprintf(id, sizeof(id), "t%u", (unsigned)tale);
    (void)snprintf(related, sizeof(related), "t%u",
                   (unsigned)said[SAID_RELATED]);
    (void)snprintf(caller, sizeof(caller), "1990000%04u",
                   (unsigned)said[SAID_CALLER]);
    (void)snprintf(customer, sizeof(customer), "99000%05u",
                   (unsigned)said[SAID_CUSTOMER]);
    (void)snprintf(address, sizeof(address), "同心县豫海镇%s村2组%u号",
                   villages[said[SAID_VILLAGE]], (unsigned)said[SAID_HOUSE]);
    *ticket = (struct fixture_ticket){
        .id = id,
        .at_us = tales[tale].at_us,
        .caller = said[SAID_CALLER] < 20 ? caller : "",
        .customer = said[SAID_CUSTOMER] < 30 ? customer : "",
        .address = said[SAID_VILLAGE] == 2 ? "" : address,
        .unit = units[said[SAID_UNIT]],
        .text = "停电",
        .related = said[SAID_RELATED] < IDS ? related : "",
        .type =
            said[SAID_TYPE] == 0 ? TICKET_TYPE_UNKNOWN : TICKET_TYPE_COMPLAINT,
        .category = matters[said[SAID_MATTER]].category,
        .subcategory = matters[said[SAID_MATTER]].subcategory,
        .region = TICKET_REGION_RURAL,
        .flags = said[SAID_TEST] == 0 ? VERDICT_TEST_TICKET : 0};
}

static void
put_some_ticket(void)
{
    uint32_t tale = pick(IDS);
    enum said changed = (enum said)pick(SAID_COUNT);
    struct fixture_ticket ticket;

    for (int i = 0; i < SAID_COUNT; i++) {
        if (!tales[tale].here || i == (int)changed) {
            tales[tale].said[i] = pick(said_below[i]);
        }
    }
    if (!tales[tale].here || changed == SAID_MINUTES) {
        uint32_t minutes = tales[tale].said[SAID_MINUTES];

        /* Half of them lately: calls in a burst. */
        tales[tale].at_us =
            now_us -
            (int64_t)(pick(2) == 0 ? minutes : minutes % 90) * US_PER_MINUTE;
    }
    tales[tale].here = true;
    tell(tale, &ticket);
    (void)fixture_put_ticket(&ledger, &ticket);
}

/* Other tables judge it: is it a test, what is it about? */
static void
judge_again(void)
{
    const struct taxonomy *taxonomy = ledger.dictionary->taxonomy;
    struct verdict verdict = {.category = TICKET_CATEGORY_SERVICE,
                              .region = TICKET_REGION_RURAL,
                              .flags = pick(2) == 0 ? VERDICT_TEST_TICKET : 0};
    enum ledger_rejudged outcome;
    struct ticket_state state;
    struct reader reader;
    struct err err = {0};

    assert_int_equal(reader_begin(ledger.store, &reader, &err), ERR_OK);
    if (reader_state(&reader, 1 + pick(2 * IDS), &state, &err)) {
        verdict.matter =
            taxonomy_subcategory(taxonomy, span_of(matters[1].subcategory));
        verdict.subcategory = verdict.matter;
        verdict.topic = TAXONOMY_NONE;
        assert_int_equal(ledger_put_verdict(ledger.ledger, state.number,
                                            state.record_seq, &verdict,
                                            &outcome, &err),
                         ERR_OK);
    }
    reader_end(&reader);
}

static void
put_some_event(void)
{
    static const enum event_kind kinds[] = {
        EVENT_KIND_CONTACTED,   EVENT_KIND_REPLIED,   EVENT_KIND_CLOSED,
        EVENT_KIND_FINAL_REPLY, EVENT_KIND_SUSPENDED, EVENT_KIND_CORRECTED,
        EVENT_KIND_RESUMED};
    char id[16];
    uint32_t matter = 1 + pick(2);
    struct fixture_event event = {.id = id,
                                  .kind = kinds[pick(7)],
                                  .at_us = now_us - (int64_t)pick(3 * 24 * 60) *
                                                        US_PER_MINUTE};

    if (event.kind == EVENT_KIND_CORRECTED) {
        event.category = matters[matter].category;
        event.subcategory = matters[matter].subcategory;
    }
    (void)snprintf(id, sizeof(id), "t%u", (unsigned)pick(IDS));
    (void)fixture_put_event(&ledger, &event);
}

static void
put_batch(void)
{
    now_us += (int64_t)pick(10 * 60) * US_PER_MINUTE;
    fixture_begin(&ledger, now_us);
    for (uint32_t i = 0; i < 1 + pick(BATCH_MAX); i++) {
        if (pick(2) == 0) {
            put_some_ticket();
        } else if (pick(8) == 0) {
            judge_again();
        } else {
            put_some_event();
        }
    }
    if (pick(8) == 0) {
        ledger_abort(ledger.ledger);
    } else {
        fixture_commit(&ledger);
    }
}

/* ---- plain recomputation ---- */

struct plain {
    struct ticket_state state;
    char unit[32];
    char place[PLACE_KEY_BYTES]; /* place, unit and matter; empty: none */
    size_t root;                 /* while counting; SIZE_MAX: not in a group */
};

static struct plain tickets[IDS];
static size_t ticket_count;

static bool
note_ticket(void *data, const struct ticket_state *state)
{
    const struct reader *reader = data;
    struct plain *plain = &tickets[ticket_count++];
    struct record record;
    struct err err = {0};
    char place[TICKET_FIELD_BYTES_MAX];
    size_t bytes;

    plain->state = *state;
    (void)snprintf(plain->unit, sizeof(plain->unit), "%.*s",
                   SPAN_ARGS(reader_name(reader, state->unit_id)));
    assert_int_equal(reader_record(reader, state->record_seq, &record, &err),
                     ERR_OK);
    bytes = hot_spot_place(record.ticket.address, place);
    plain->place[0] = '\0';
    if (bytes > 0 && state->matter_id != 0 && !state_repeat_excluded(state)) {
        (void)snprintf(plain->place, sizeof(plain->place), "%.*s|%u|%u",
                       (int)bytes, place, (unsigned)state->unit_id,
                       (unsigned)state->matter_id);
    }
    return true;
}

static void
read_plainly(const struct reader *reader)
{
    struct err err = {0};

    ticket_count = 0;
    assert_int_equal(reader_states(reader, 0, false, note_ticket,
                                   (void *)(uintptr_t)reader, &err),
                     ERR_OK);
}

static struct plain *
plain_of(uint64_t number)
{
    for (size_t i = 0; i < ticket_count; i++) {
        if (tickets[i].state.number == number) {
            return &tickets[i];
        }
    }
    fail_msg("ticket %llu is not there", (unsigned long long)number);
    return NULL;
}

struct filter {
    char from[TICKET_TIME_BYTES];
    char to[TICKET_TIME_BYTES];
    const char *unit;
    int64_t from_us;
    int64_t to_us;
};

static bool
is_below(const struct plain *plain, const char *unit)
{
    size_t bytes = strlen(unit);

    return bytes == 0 ||
           (strncmp(plain->unit, unit, bytes) == 0 &&
            (plain->unit[bytes] == '\0' || plain->unit[bytes] == '/'));
}

static bool
in_range(const struct plain *plain, const struct filter *filter)
{
    return plain->state.accepted_at_us >= filter->from_us &&
           plain->state.accepted_at_us < filter->to_us &&
           is_below(plain, filter->unit);
}

/* A row as the lists have it: two numbers that can be read from the answer,
 * and what orders it. */
struct row {
    uint64_t first;
    uint64_t second;
    int64_t at_us;
    uint64_t tie;
};

static struct row rows[IDS * 4];
static size_t row_count;

static int
by_row(const void *a, const void *b)
{
    const struct row *x = a;
    const struct row *y = b;

    if (x->first != y->first) {
        return x->first > y->first ? -1 : 1;
    }
    if (x->at_us != y->at_us) {
        return x->at_us > y->at_us ? -1 : 1;
    }
    return x->tie < y->tie ? -1 : x->tie > y->tie;
}

static uint64_t
plain_callers(const struct filter *filter, uint64_t min_calls)
{
    uint64_t repeats = 0;
    size_t kept = 0;

    memset(rows, 0, sizeof(rows));
    for (size_t i = 0; i < ticket_count; i++) {
        tickets[i].root = SIZE_MAX;
    }
    for (size_t i = 0; i < ticket_count; i++) {
        struct plain *at = &tickets[i];
        struct row *row;
        struct tally tally;
        size_t root;

        if (at->state.repeat_previous == 0 || !in_range(at, filter)) {
            continue;
        }
        while (at->state.repeat_previous != 0) {
            at = plain_of(at->state.repeat_previous);
        }
        root = (size_t)(at - tickets);
        row = &rows[root];
        row->tie = at->state.number;
        for (at = &tickets[i];; at = plain_of(at->state.repeat_previous)) {
            if (at->root == SIZE_MAX) {
                at->root = root;
                row->first++;
                if (row->at_us < at->state.accepted_at_us) {
                    row->at_us = at->state.accepted_at_us;
                }
            }
            if (at->state.repeat_previous == 0) {
                break;
            }
        }
        tally_state(&tickets[i].state, NULL, STATE_NEVER, &tally);
        row->second += tally.accepted_set >> COUNTER_repeats & 1;
    }
    for (size_t i = 0; i < ticket_count; i++) {
        if (rows[i].first >= min_calls) {
            repeats += rows[i].second;
            rows[kept++] = rows[i];
        }
    }
    row_count = kept;
    qsort(rows, row_count, sizeof(rows[0]), by_row);
    return repeats;
}

static int
by_place(const void *a, const void *b)
{
    const struct plain *x = *(struct plain *const *)a;
    const struct plain *y = *(struct plain *const *)b;
    int order = strcmp(x->place, y->place);

    if (order != 0) {
        return order;
    }
    if (x->state.accepted_at_us != y->state.accepted_at_us) {
        return x->state.accepted_at_us < y->state.accepted_at_us ? -1 : 1;
    }
    return x->state.number < y->state.number ? -1 : 1;
}

/* The customer, else the phone, else the household, else nobody else. */
static uint64_t
person_of(const struct plain *plain)
{
    const uint64_t *keys = plain->state.key_hash;

    return keys[0] != 0   ? keys[0]
           : keys[1] != 0 ? keys[1]
           : keys[2] != 0 ? keys[2]
                          : plain->state.number;
}

static void
plain_spots(const struct filter *filter, uint64_t callers_min)
{
    struct plain *there[IDS];
    size_t count = 0;
    int64_t window_us = ledger.dictionary->hot_spot->window_us;

    for (size_t i = 0; i < ticket_count; i++) {
        if (tickets[i].place[0] != '\0' && in_range(&tickets[i], filter)) {
            there[count++] = &tickets[i];
        }
    }
    qsort(there, count, sizeof(there[0]), by_place);
    row_count = 0;
    for (size_t i = 0, end; i < count; i = end) {
        uint64_t callers = 0;

        for (end = i;
             end < count && strcmp(there[end]->place, there[i]->place) == 0 &&
             there[end]->state.accepted_at_us -
                     there[i]->state.accepted_at_us <=
                 window_us;
             end++) {
            size_t k = i;

            while (k < end && person_of(there[k]) != person_of(there[end])) {
                k++;
            }
            callers += k == end;
        }
        if (callers < callers_min) {
            end = i + 1;
            continue;
        }
        rows[row_count++] =
            (struct row){callers, end - i, there[end - 1]->state.accepted_at_us,
                         there[i]->state.number};
    }
    qsort(rows, row_count, sizeof(rows[0]), by_row);
}

static int
by_due(const void *a, const void *b)
{
    const struct row *x = a;
    const struct row *y = b;

    if (x->at_us != y->at_us) {
        return x->at_us < y->at_us ? -1 : 1;
    }
    if (x->tie != y->tie) {
        return x->tie < y->tie ? -1 : 1;
    }
    return x->second < y->second ? -1 : x->second > y->second;
}

/* Clocks that ran out; `first` is the number of the ticket's id. */
static void
plain_clocks(const struct filter *filter, bool open_only)
{
    struct reader reader;
    struct err err = {0};

    assert_int_equal(reader_begin(ledger.store, &reader, &err), ERR_OK);
    row_count = 0;
    for (size_t i = 0; i < ticket_count; i++) {
        const struct ticket_state *state = &tickets[i].state;
        struct record record;

        assert_int_equal(reader_record(&reader, state->number, &record, &err),
                         ERR_OK);
        for (uint32_t k = 0; k < state->clock_count; k++) {
            if (state->clocks[k].overdue &&
                is_below(&tickets[i], filter->unit) &&
                (!open_only || state->clocks[k].stopped_us == STATE_NEVER)) {
                rows[row_count++] =
                    (struct row){strtoull(record.ticket.id.data + 1, NULL, 10),
                                 state->clocks[k].kind_id,
                                 state->clocks[k].due_us, state->number};
            }
        }
    }
    reader_end(&reader);
    qsort(rows, row_count, sizeof(rows[0]), by_due);
}

/* ---- asking ---- */

static const struct dictionary *
dictionary_of(void *data)
{
    (void)data;
    return ledger.dictionary;
}

static const char *
page(struct gathered *gathered,
     const struct list_source *source,
     const char *query)
{
    struct params params;
    struct list_request request = {.context = &context,
                                   .dictionary = ledger.dictionary,
                                   .params = &params,
                                   .role = MASK_ROLE_SUPERVISOR,
                                   .now_us = now_us,
                                   .gathered = gathered};
    struct err err = {0};

    params_from_text(query, &params);
    buf_reset(&answer);
    if (list_page(source, &request, &answer, &err) != ERR_OK) {
        fail_msg("%s?%s: %s", source->name, query, err.detail);
    }
    buf_put_char(&answer, '\0');
    return answer.data;
}

/* The number behind the next "key": from `at` on; NULL: there is none. */
static const char *
next_number(const char *at, const char *key, uint64_t *out)
{
    at = at == NULL ? NULL : strstr(at, key);
    if (at != NULL) {
        *out = strtoull(at + strlen(key), NULL, 10);
        at++;
    }
    return at;
}

/* The rows of the whole list must be `rows`, read page by page. */
static void
assert_rows(struct gathered *gathered,
            const struct list_source *source,
            const char *query,
            const char *first_key,
            const char *second_key)
{
    char paged[2 * QUERY_BYTES];
    char cursor[QUERY_BYTES] = "";
    size_t seen = 0;

    do {
        uint64_t first = 0;
        uint64_t second = 0;
        uint64_t total = UINT64_MAX;
        const char *text;
        const char *at;
        const char *next;

        (void)snprintf(paged, sizeof(paged), "%s&limit=%d&cursor=%s", query,
                       row_count > 60 ? 1000 : SMALL_PAGE, cursor);
        text = page(gathered, source, paged);
        (void)next_number(text, "\"total\":", &total);
        assert_int_equal(total, row_count);
        for (at = next_number(text, first_key, &first); at != NULL;
             at = next_number(at, first_key, &first)) {
            assert_true(seen < row_count);
            assert_int_equal(first, rows[seen].first);
            if (second_key != NULL) {
                (void)next_number(at, second_key, &second);
                assert_int_equal(second, rows[seen].second);
            }
            seen++;
        }
        next = strstr(text, "\"next\":\"");
        cursor[0] = '\0';
        if (next != NULL) {
            (void)snprintf(cursor, sizeof(cursor), "%.*s",
                           (int)strcspn(next + 8, "\""), next + 8);
        }
    } while (cursor[0] != '\0');
    assert_int_equal(seen, row_count);
}

/* Every word of the answer must be that of rows read for this request alone. */
static void
assert_same_answer(struct gathered *gathered,
                   const struct list_source *source,
                   const char *query)
{
    char *kept = strdup(page(gathered, source, query));

    assert_non_null(kept);
    assert_string_equal(kept, page(NULL, source, query));
    free(kept);
}

static void
some_filter(struct filter *filter)
{
    int64_t from_us = now_us - (int64_t)pick(40) * US_PER_DAY;

    filter->from_us = shanghai_day_start_us(shanghai_day(from_us));
    filter->to_us = filter->from_us + (int64_t)(1 + pick(40)) * US_PER_DAY;
    (void)ticket_time_format(filter->from_us, filter->from);
    (void)ticket_time_format(filter->to_us, filter->to);
    filter->unit = units[pick(5)];
}

static void
compare_lists(struct gathered *gathered)
{
    struct reader reader;
    struct filter filter;
    char query[QUERY_BYTES];
    uint64_t least = 2 + pick(2);
    uint64_t repeats;
    uint64_t said = 0;
    struct err err = {0};

    some_filter(&filter);
    assert_int_equal(reader_begin(ledger.store, &reader, &err), ERR_OK);
    read_plainly(&reader);
    reader_end(&reader);

    (void)snprintf(query, sizeof(query), "from=%s&to=%s&unit=%s&min_calls=%u",
                   filter.from, filter.to, filter.unit, (unsigned)least);
    repeats = plain_callers(&filter, least);
    assert_rows(gathered, &repeat_callers_source, query,
                "\"calls\":", "\"repeats\":");
    assert_same_answer(gathered, &repeat_callers_source, query);
    (void)next_number(answer.data, "\"repeat_tickets\":", &said);
    assert_int_equal(said, repeats);

    (void)snprintf(query, sizeof(query), "from=%s&to=%s&unit=%s&min_callers=%u",
                   filter.from, filter.to, filter.unit, (unsigned)least);
    plain_spots(&filter, least);
    assert_rows(gathered, &hot_spots_source, query,
                "\"callers\":", "\"calls\":");

    (void)snprintf(query, sizeof(query), "order=oldest&unit=%s%s", filter.unit,
                   least == 2 ? "&open=1" : "");
    plain_clocks(&filter, least == 2);
    assert_rows(gathered, &overdue_source, query, "\"id\":\"t", NULL);
    assert_same_answer(gathered, &overdue_source, "state=all");
}

/* The lists' numbers and the counters are of one snapshot. */
static void
compare_counters(struct gathered *gathered)
{
    uint64_t said = UINT64_MAX;

    (void)next_number(page(gathered, &repeat_callers_source, "min_calls=2"),
                      "\"repeat_tickets\":", &said);
    assert_int_equal(
        said, fixture_count(&ledger, NULL, TALLY_ALL, 0, COUNTER_repeats));
}

static void
rows_that_catch_up_say_what_all_states_say(void **state)
{
    struct gathered *gathered = gathered_new(changes, GATHERED_PLACES_MAX);

    (void)state;
    assert_non_null(gathered);
    for (int round = 0; round < ROUNDS; round++) {
        put_batch();
        if (pick(3) == 0) {
            put_batch(); /* several commits between two looks */
        }
        if (round % 20 == 10) { /* more than can be noted: all is forgotten */
            for (uint64_t i = 0; i <= CHANGES_MAX; i++) {
                changes_note(changes, 1, 1);
            }
        }
        compare_lists(gathered);
        compare_counters(gathered);
    }
    assert_true(gathered->callers.row_count > 100);
    assert_true(gathered->clocks.row_count > 100);
    gathered_free(&gathered);
    fixture_assert_clean(&ledger);
}

static void
rows_read_for_one_request_say_the_same(void **state)
{
    (void)state;
    compare_lists(NULL);
    compare_counters(NULL);
}

/* What falls out of the limit makes a list say "at least", never a wrong
 * total. */
static void
old_places_make_room_and_are_not_passed_over(void **state)
{
    struct gathered *few;
    struct reader reader;
    struct filter filter = {.unit = ""};
    struct err err = {0};
    char query[QUERY_BYTES];
    char after[TICKET_TIME_BYTES];

    (void)state;
    few = gathered_new(changes, PLACES_FEW);
    for (int i = 0; i < 20; i++) {
        put_batch();
        assert_int_equal(reader_begin(ledger.store, &reader, &err), ERR_OK);
        assert_int_equal(gathered_catch_up(few, &reader, &err), ERR_OK);
        read_plainly(&reader);
        reader_end(&reader);
        assert_true(few->places.row_count <= PLACES_FEW);
        assert_true(few->places_cut_us > INT64_MIN);
        filter.from_us = few->places_cut_us + 1000000;
        filter.to_us = QUERY_TO_MAX_US;
        plain_spots(&filter, 2);
        (void)snprintf(query, sizeof(query), "min_callers=2&from=%s",
                       ticket_time_format(filter.from_us, after));
        assert_rows(few, &hot_spots_source, query,
                    "\"callers\":", "\"calls\":");
        assert_non_null(strstr(page(few, &hot_spots_source, "min_callers=2"),
                               "\"total_at_least\":"));
    }
    gathered_free(&few);
}

/* ---- parts ---- */

static void
changes_wait_for_their_snapshot(void **state)
{
    struct changes *own = changes_new();
    uint64_t *numbers = malloc(CHANGES_MAX * sizeof(*numbers));
    bool lost;

    (void)state;
    assert_non_null(own);
    assert_non_null(numbers);
    changes_note(own, 7, 1);
    changes_note(own, 8, 2);
    assert_int_equal(changes_take(own, 1, numbers, &lost), 1);
    assert_int_equal(numbers[0], 7);
    assert_false(lost);
    assert_int_equal(changes_take(own, 2, numbers, &lost), 1);
    assert_int_equal(numbers[0], 8);
    for (uint64_t i = 0; i <= CHANGES_MAX; i++) {
        changes_note(own, i + 1, 3);
    }
    (void)changes_take(own, 2, numbers, &lost); /* they are of 3 */
    assert_true(lost);
    (void)changes_take(own, 3, numbers, &lost);
    assert_true(lost);
    (void)changes_take(own, 3, numbers, &lost);
    assert_false(lost);
    free(numbers);
    changes_free(&own);
}

static void
rows_are_found_after_any_removals(void **state)
{
    enum { NUMBERS = 300, STEPS = 20000 };
    struct ticket_rows table;
    uint32_t there[NUMBERS + 1] = {0};

    (void)state;
    ticket_rows_init(&table, sizeof(struct ticket_row), 600);
    for (int step = 0; step < STEPS; step++) {
        struct ticket_row row = {.number = 1 + pick(NUMBERS)};
        uint32_t found = 0;

        if (pick(5) < 3) {
            bool room = table.row_count < 600;

            assert_int_equal(ticket_rows_add(&table, &row), room);
            there[row.number] += room;
        } else {
            ticket_rows_remove(&table, row.number);
            there[row.number] = 0;
        }
        row.number = 1 + pick(NUMBERS);
        for (struct ticket_row *at = ticket_rows_find(&table, row.number);
             at != NULL;
             at = at->next == 0 ? NULL : ticket_rows_at(&table, at->next - 1)) {
            assert_int_equal(at->number, row.number);
            found++;
        }
        assert_int_equal(found, there[row.number]);
    }
    ticket_rows_release(&table);
}

static int
by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static void
the_first_of_many_are_those_of_the_sorted(void **state)
{
    enum { MANY = 1000 };
    static const size_t sizes[] = {0, 1, 2, 10, 999, 1000, 1001, SIZE_MAX};
    uint32_t values[MANY];

    (void)state;
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        struct first_of first;

        first_of_init(&first, sizeof(values[0]), sizes[s], by_value);
        for (size_t i = 0; i < MANY; i++) {
            values[i] = pick(5000);
            assert_true(first_of_add(&first, &values[i]));
        }
        first_of_sort(&first);
        qsort(values, MANY, sizeof(values[0]), by_value);
        assert_int_equal(first.count, sizes[s] < MANY ? sizes[s] : MANY);
        for (size_t i = 0; i < first.count; i++) {
            assert_int_equal(((uint32_t *)(void *)first.items)[i], values[i]);
        }
        first_of_release(&first);
    }
}

static int
set_up(void **state)
{
    struct dict_files files;
    struct err err = {0};

    (void)state;
    fixture_open(&ledger, FIXTURE_MAP_BYTES);
    assert_int_equal(dict_files_load(SUQIU_SOURCE_DIR "/dict", &files, &err),
                     ERR_OK);
    assert_int_equal(hot_spot_settings_build(files.files, files.count,
                                             &ledger.dictionary->hot_spot,
                                             &err),
                     ERR_OK);
    dict_files_release(&files);
    changes = changes_new();
    assert_non_null(changes);
    ledger_watch(ledger.ledger, changes);
    context = (struct serve_context){.store = ledger.store,
                                     .dictionary = dictionary_of};
    buf_init(&answer, ANSWER_BYTES_MAX);
    now_us = fixture_time("2018-01-02 09:00:00");
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    hot_spot_settings_free(&ledger.dictionary->hot_spot);
    buf_release(&answer);
    fixture_close(&ledger);
    changes_free(&changes);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_wait_for_their_snapshot),
        cmocka_unit_test(rows_are_found_after_any_removals),
        cmocka_unit_test(the_first_of_many_are_those_of_the_sorted),
        cmocka_unit_test(rows_that_catch_up_say_what_all_states_say),
        cmocka_unit_test(rows_read_for_one_request_say_the_same),
        cmocka_unit_test(old_places_make_room_and_are_not_passed_over),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
