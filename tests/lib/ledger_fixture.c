/* A ledger in a directory of its own, for tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/ledger_fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "analyzers/calendar.h"
#include "analyzers/deadline.h"
#include "analyzers/indicator.h"
#include "analyzers/repeat.h"
#include "analyzers/taxonomy.h"
#include "analyzers/units.h"
#include "server/base/dict_files.h"
#include "server/ledger/counters.h"

static void
must(enum err_code code, const struct err *err)
{
    if (code != ERR_OK) {
        fail_msg("%s: %s", err_code_name(code), err->detail);
    }
}

static void
dictionary_release(struct dictionary **dictionary)
{
    struct dictionary *d = *dictionary;

    if (d == NULL) {
        return;
    }
    taxonomy_free(&d->taxonomy);
    units_free(&d->units);
    calendar_free(&d->calendar);
    deadline_free(&d->deadlines);
    indicator_free(&d->indicators);
    repeat_settings_free(&d->repeat);
    free(d);
    *dictionary = NULL;
}

/* The tables the ledger needs; the version is a hash of the settings. */
static struct dictionary *
dictionary_load(const char *settings)
{
    struct dictionary *d = calloc(1, sizeof(*d));
    struct dict_files files;
    struct dictionary_file *list;
    struct err err = {0};

    assert_non_null(d);
    must(dict_files_load(SUQIU_SOURCE_DIR "/dict", &files, &err), &err);
    list = calloc(files.count, sizeof(*list));
    assert_non_null(list);
    memcpy(list, files.files, files.count * sizeof(*list));
    for (size_t i = 0; settings != NULL && i < files.count; i++) {
        if (strcmp(list[i].path, "settings.csv") == 0) {
            list[i].bytes = span_of(settings);
        }
    }
    must(taxonomy_build(list, files.count, &d->taxonomy, &err), &err);
    must(units_build(list, files.count, &d->units, &err), &err);
    must(calendar_build(list, files.count, &d->calendar, &err), &err);
    must(deadline_build(list, files.count, NULL, &d->deadlines, &err), &err);
    must(indicator_build(list, files.count, &d->indicators, &err), &err);
    must(repeat_settings_build(list, files.count, &d->repeat, &err), &err);
    (void)snprintf(d->version, sizeof(d->version), "%016zx",
                   settings != NULL ? strlen(settings) : 0);
    free(list);
    dict_files_release(&files);
    return d;
}

static void
open_ledger(struct ledger_fixture *fixture, uint64_t map_bytes)
{
    struct store_options options = {.map_bytes = map_bytes};
    struct err err = {0};

    fixture->map_bytes = map_bytes;
    must(store_open(fixture->dir, STORE_WRITE, &options, &fixture->store, &err),
         &err);
    must(ledger_open(fixture->store, fixture->dictionary, &fixture->ledger,
                     &err),
         &err);
}

void
fixture_open(struct ledger_fixture *fixture, uint64_t map_bytes)
{
    const char *tmp = getenv("TMPDIR");

    *fixture = (struct ledger_fixture){.dictionary = dictionary_load(NULL)};
    (void)snprintf(fixture->dir, sizeof(fixture->dir), "%.40s/suqiu.XXXXXX",
                   tmp != NULL && strlen(tmp) <= 40 ? tmp : "/tmp");
    assert_non_null(mkdtemp(fixture->dir));
    open_ledger(fixture, map_bytes);
}

void
fixture_reopen(struct ledger_fixture *fixture, uint64_t map_bytes)
{
    ledger_close(&fixture->ledger);
    store_close(&fixture->store);
    open_ledger(fixture, map_bytes);
}

void
fixture_close(struct ledger_fixture *fixture)
{
    DIR *dir;
    struct dirent *entry;

    ledger_close(&fixture->ledger);
    store_close(&fixture->store);
    dictionary_release(&fixture->dictionary);
    dir = opendir(fixture->dir);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        char path[512];

        (void)snprintf(path, sizeof(path), "%s/%s", fixture->dir,
                       entry->d_name);
        if (entry->d_name[0] != '.') {
            assert_int_equal(unlink(path), 0);
        }
    }
    (void)closedir(dir);
    assert_int_equal(rmdir(fixture->dir), 0);
}

void
fixture_set_settings(struct ledger_fixture *fixture, const char *settings)
{
    struct dictionary *next = dictionary_load(settings);

    ledger_set_dictionary(fixture->ledger, next);
    dictionary_release(&fixture->dictionary);
    fixture->dictionary = next;
}

int64_t
fixture_time(const char *text)
{
    struct err err = {0};
    int64_t us = 0;

    must(ticket_time_parse(span_of(text), &us, &err), &err);
    return us;
}

enum err_code
fixture_try_ticket(struct ledger_fixture *fixture,
                   const struct fixture_ticket *given,
                   enum ledger_outcome *outcome,
                   struct err *err)
{
    const struct taxonomy *taxonomy = fixture->dictionary->taxonomy;
    struct ticket ticket = {.id = span_of(given->id),
                            .caller = span_of(given->caller),
                            .customer = span_of(given->customer),
                            .address = span_of(given->address),
                            .unit = span_of(given->unit),
                            .text = span_of(given->text),
                            .related = span_of(given->related),
                            .accepted_at_us = given->at != NULL
                                                  ? fixture_time(given->at)
                                                  : given->at_us,
                            .type = given->type,
                            .channel = given->channel};
    struct verdict verdict = {
        .category = given->category,
        .subcategory = TAXONOMY_NONE,
        .topic = TAXONOMY_NONE,
        .matter = TAXONOMY_NONE,
        .confidence_permille = 900,
        .flags = given->flags,
        .region = given->region,
        .region_evidence = {.rule = SPAN_LITERAL("given")}};

    if (given->subcategory != NULL) {
        verdict.matter =
            taxonomy_subcategory(taxonomy, span_of(given->subcategory));
        assert_int_not_equal(verdict.matter, TAXONOMY_NONE);
        verdict.subcategory = given->category != TICKET_CATEGORY_NONE
                                  ? verdict.matter
                                  : TAXONOMY_NONE;
    }
    if (given->topic != NULL) {
        verdict.topic = taxonomy_topic(taxonomy, verdict.subcategory,
                                       span_of(given->topic));
        assert_int_not_equal(verdict.topic, TAXONOMY_NONE);
    }
    return ledger_put_ticket(fixture->ledger, &ticket, &verdict, outcome, err);
}

enum ledger_outcome
fixture_put_ticket(struct ledger_fixture *fixture,
                   const struct fixture_ticket *ticket)
{
    enum ledger_outcome outcome = LEDGER_ACCEPTED;
    struct err err = {0};

    must(fixture_try_ticket(fixture, ticket, &outcome, &err), &err);
    return outcome;
}

enum ledger_outcome
fixture_put_event(struct ledger_fixture *fixture,
                  const struct fixture_event *given)
{
    struct ticket_event event = {
        .id = span_of(given->id),
        .subcategory = span_of(given->subcategory),
        .reason = span_of(given->reason),
        .at_us = given->at != NULL ? fixture_time(given->at) : given->at_us,
        .kind = given->kind,
        .satisfaction = given->satisfaction,
        .substantiated = given->substantiated,
        .region = given->region,
        .category = given->category,
        .category_given = given->category != TICKET_CATEGORY_NONE};
    enum ledger_outcome outcome = LEDGER_ACCEPTED;
    struct err err = {0};

    must(ledger_put_event(fixture->ledger, &event, &outcome, &err), &err);
    return outcome;
}

void
fixture_begin(struct ledger_fixture *fixture, int64_t now_us)
{
    struct err err = {0};

    must(ledger_begin(fixture->ledger, now_us, &err), &err);
}

void
fixture_commit(struct ledger_fixture *fixture)
{
    struct err err = {0};

    must(ledger_commit(fixture->ledger, &err), &err);
}

enum ledger_outcome
fixture_ticket(struct ledger_fixture *fixture,
               int64_t now_us,
               const struct fixture_ticket *ticket)
{
    enum ledger_outcome outcome;

    fixture_begin(fixture, now_us);
    outcome = fixture_put_ticket(fixture, ticket);
    fixture_commit(fixture);
    return outcome;
}

enum ledger_outcome
fixture_event(struct ledger_fixture *fixture,
              int64_t now_us,
              const struct fixture_event *event)
{
    enum ledger_outcome outcome;

    fixture_begin(fixture, now_us);
    outcome = fixture_put_event(fixture, event);
    fixture_commit(fixture);
    return outcome;
}

struct ticket_state
fixture_state(const struct ledger_fixture *fixture, const char *id)
{
    struct ticket_state state = {0};
    struct reader reader;
    struct err err = {0};
    uint64_t number;

    must(reader_begin(fixture->store, &reader, &err), &err);
    number = reader_find_id(&reader, ledger_ids(fixture->ledger), span_of(id));
    if (number == 0 || !reader_state(&reader, number, &state, &err)) {
        fail_msg("no ticket %s: %s", id, err.detail);
    }
    reader_end(&reader);
    return state;
}

struct slot_sum {
    uint32_t slot;
    int64_t sum;
};

static bool
add_slot(void *data,
         const struct counter_cell *cell,
         const struct counter_slot *slots,
         size_t slot_count)
{
    struct slot_sum *sum = data;

    (void)cell;
    for (size_t i = 0; i < slot_count; i++) {
        if (slots[i].slot == sum->slot) {
            sum->sum += slots[i].count;
        }
    }
    return true;
}

int64_t
fixture_count(const struct ledger_fixture *fixture,
              const char *unit,
              enum tally_dimension dimension,
              uint32_t value,
              enum counter counter)
{
    struct slot_sum sum = {TALLY_SLOT(dimension, value, counter), 0};
    struct reader reader;
    struct err err = {0};
    uint32_t unit_id = 0;

    must(reader_begin(fixture->store, &reader, &err), &err);
    if (unit != NULL) {
        unit_id =
            names_find(fixture->store, reader.txn, NAME_UNIT, span_of(unit));
        assert_int_not_equal(unit_id, 0);
    }
    must(counters_visit(fixture->store, reader.txn, GRAIN_DAY, unit_id,
                        INT32_MIN / 2, INT32_MAX / 2, add_slot, &sum, &err),
         &err);
    reader_end(&reader);
    return sum.sum;
}

static void
print_line(void *data, const char *text)
{
    if (*(bool *)data) {
        print_error("fsck: %s\n", text);
    }
}

uint64_t
fixture_fsck(const struct ledger_fixture *fixture,
             bool print,
             struct fsck_result *out)
{
    struct fsck_options options = {
        .lines_max = 20, .line = print_line, .data = &print};
    struct fsck_result result;
    struct err err = {0};

    must(fsck_run(fixture->store, fixture->dictionary, &options, &result, &err),
         &err);
    if (out != NULL) {
        *out = result;
    }
    return result.differences;
}

void
fixture_assert_clean(const struct ledger_fixture *fixture)
{
    assert_int_equal(fixture_fsck(fixture, true, NULL), 0);
}
