/* Editions of the tables: who holds one keeps it; errors have their place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "server/rulebook/reload.h"

enum { THREADS = 4, SWAPS = 2000 };

/* An edition without tables; marked, so that a freed one is seen. */
static struct edition *
empty_edition(int64_t mark)
{
    struct edition *edition = calloc(1, sizeof(*edition));

    assert_non_null(edition);
    edition->loaded_at_us = mark;
    atomic_store(&edition->uses, 1);
    return edition;
}

static struct rulebook *
rulebook_of(struct edition *first)
{
    struct rulebook *rulebook = NULL;
    struct err err = {0};

    assert_int_equal(rulebook_new(first, &rulebook, &err), ERR_OK);
    return rulebook;
}

static void
an_old_edition_lives_until_the_last_holder_lets_go(void **state)
{
    struct rulebook *rulebook = rulebook_of(empty_edition(1));
    struct edition *old = rulebook_hold(rulebook);
    struct edition *again = edition_hold(old);
    struct edition *now;

    (void)state;
    assert_true(rulebook_is_current(rulebook, old));
    rulebook_swap(rulebook, empty_edition(2));
    assert_false(rulebook_is_current(rulebook, old));
    assert_int_equal(old->loaded_at_us, 1);
    edition_release(&old);
    assert_null(old);
    assert_int_equal(again->loaded_at_us, 1);
    edition_release(&again);
    now = rulebook_hold(rulebook);
    assert_int_equal(now->loaded_at_us, 2);
    rulebook_free(&rulebook);
    assert_int_equal(now->loaded_at_us, 2); /* held beyond the rulebook */
    edition_release(&now);
}

struct follower {
    struct rulebook *rulebook;
    _Atomic bool stop;
    _Atomic uint64_t backwards;
};

/* As a worker does: look, go over, use. */
static void *
follow(void *user)
{
    struct follower *follower = user;
    struct edition *edition = rulebook_hold(follower->rulebook);
    int64_t last = edition->loaded_at_us;

    while (!atomic_load(&follower->stop)) {
        if (!rulebook_is_current(follower->rulebook, edition)) {
            struct edition *next = rulebook_hold(follower->rulebook);

            edition_release(&edition);
            edition = next;
        }
        if (edition->loaded_at_us < last) {
            atomic_fetch_add(&follower->backwards, 1);
        }
        last = edition->loaded_at_us;
    }
    edition_release(&edition);
    return NULL;
}

static void
many_threads_follow_many_swaps(void **state)
{
    struct follower follower = {.rulebook = rulebook_of(empty_edition(0))};
    pthread_t threads[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, follow, &follower),
                         0);
    }
    for (int i = 1; i <= SWAPS; i++) {
        rulebook_swap(follower.rulebook, empty_edition(i));
    }
    atomic_store(&follower.stop, true);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&follower.backwards), 0);
    rulebook_free(&follower.rulebook);
}

static struct reload_place
place_of(const char *detail)
{
    static struct err err;
    struct reload_place place;

    err = (struct err){0};
    (void)err_set(&err, ERR_BAD_TABLE, "%s", detail);
    reload_place_of(&err, &place);
    return place;
}

#define EXPECT_SPAN(is, wanted)                                                \
    do {                                                                       \
        struct span is_ = (is);                                                \
                                                                               \
        assert_int_equal(is_.bytes, strlen(wanted));                           \
        assert_memory_equal(is_.data, wanted, strlen(wanted));                 \
    } while (false)

static void
the_place_of_an_error_is_taken_apart(void **state)
{
    struct reload_place place =
        place_of("dict/rules/quality.csv: line 53, column 'category': 'qualty' "
                 "is none of service");

    (void)state;
    EXPECT_SPAN(place.table, "dict/rules/quality.csv");
    assert_int_equal(place.line, 53);
    EXPECT_SPAN(place.column, "category");
    EXPECT_SPAN(place.value, "qualty");
    EXPECT_SPAN(place.message, "'qualty' is none of service");
    assert_int_equal(place.excerpt.bytes, 0);
    place = place_of("dict/x.csv: line 2, column 'pattern': rule 'a', pattern: "
                     "bad; mend it\n    ab(c\n      ^");
    EXPECT_SPAN(place.message, "rule 'a', pattern: bad; mend it");
    EXPECT_SPAN(place.excerpt, "    ab(c\n      ^");
    assert_int_equal(place.value.bytes, 0);
    place = place_of("dict/words.csv: the file is missing; put it back");
    EXPECT_SPAN(place.table, "dict/words.csv");
    assert_int_equal(place.line, 0);
    EXPECT_SPAN(place.message, "the file is missing; put it back");
    place = place_of("out of memory");
    assert_int_equal(place.table.bytes, 0);
    EXPECT_SPAN(place.message, "out of memory");
}

static void
hits_are_kept_by_id_and_written_once(void **state)
{
    struct rule_hits *hits = rule_hits_new();
    struct ledger_rule_hits stored = {.rule = "a.rule", .ever = 7, .day = 3};
    struct ledger_rule_hits *rows;
    struct ledger_rule_hits out;
    size_t count;

    (void)state;
    assert_non_null(hits);
    assert_false(rule_hits_get(hits, SPAN_LITERAL("a.rule"), 0, &out));
    rule_hits_load(hits, &stored);
    assert_true(rule_hits_get(hits, SPAN_LITERAL("a.rule"), 0, &out));
    assert_int_equal(out.ever, 7);
    assert_int_equal(out.today, 0);
    assert_false(rule_hits_take(hits, &rows, &count)); /* stored already */
    rule_hits_unsaved(hits, &stored, 1);
    assert_true(rule_hits_take(hits, &rows, &count));
    assert_int_equal(count, 1);
    assert_string_equal(rows[0].rule, "a.rule");
    free(rows);
    assert_false(rule_hits_take(hits, &rows, &count));
    for (int i = 0; i < 5000; i++) { /* it grows */
        (void)snprintf(stored.rule, sizeof(stored.rule), "rule.%d", i);
        stored.ever = (uint64_t)i + 1;
        rule_hits_load(hits, &stored);
    }
    assert_true(rule_hits_get(hits, SPAN_LITERAL("rule.4321"), 0, &out));
    assert_int_equal(out.ever, 4322);
    rule_hits_free(&hits);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_old_edition_lives_until_the_last_holder_lets_go),
        cmocka_unit_test(many_threads_follow_many_swaps),
        cmocka_unit_test(the_place_of_an_error_is_taken_apart),
        cmocka_unit_test(hits_are_kept_by_id_and_written_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
