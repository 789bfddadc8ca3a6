/* One verdict from rules, boundaries and model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/lib/judge_fixture.h"

#define RULES                                                                                   \
    RULE_HEADER                                                                                 \
    "q.often,quality,供电可靠性,频繁停电,天天停电,,,text,4,,a,b\n"                 \
    "q.volt,quality,电压质量,,电压低,,,text,3,,a,b\n"                                    \
    "s.rude,service,服务行为,营业厅人员服务态度,\"营业员.{0,6}骂\",,,text,4,," \
    "a,"                                                                                        \
    "b\n"                                                                                       \
    "s.rude2,service,服务行为,,骂人,,,text,2,,a,b\n"                                      \
    "o.crew,outage,抢修服务,,\"抢修.{0,6}骂\",,,text,3,,a,b\n"                           \
    "o.any,outage,,,停电,,,text,0.9,,a,b\n"                                                   \
    "n.ask,none,,,请问,,,text,4,,a,b\n"                                                       \
    "n.half,none,,,好像,,,text,2,,a,b\n"                                                      \
    "f.test,test_ticket,,,测试工单,,,text,5,,a,b\n"                                         \
    "f.other,not_utility,,,物业停,,,text,6,,a,b\n"                                           \
    "f.claim,false_claim,,,不是投诉,,,text,3,,a,b\n"
#define SCORING                                                                \
    "name,value,note\nfurther_share,0.5,\nnone_start,1.5,\n"                   \
    "complaint_none,4,\npoint_logit,1,\nmodel_share,1,\n"                      \
    "boundary_spoke,1,\nsecondary,2,\nflag,2,\nrunner_up_permille,2,\n"
#define BOUNDARIES                                                             \
    "id,when,and,unless,target,points,note\n"                                  \
    "crew,outage.repair,service.conduct,,service.conduct,-100%,\n"

static struct judge judge;

static int
load(void **state)
{
    (void)state;
    judge_init(&judge);
    judge_add(&judge, "rules/test.csv", RULES);
    judge_add(&judge, "words.csv", "name,words,note\n");
    judge_add(&judge, "scoring.csv", SCORING);
    judge_add(&judge, "boundaries.csv", BOUNDARIES);
    judge_build(&judge);
    return 0;
}

static int
unload(void **state)
{
    (void)state;
    judge_release(&judge);
    return 0;
}

static struct verdict
of_type(const char *text, enum ticket_type type)
{
    struct verdict verdict;

    judge_text(&judge, text, type, &verdict);
    return verdict;
}

static struct verdict
unknown(const char *text)
{
    return of_type(text, TICKET_TYPE_UNKNOWN);
}

/* The evidence of that rule, or NULL. */
static const struct evidence *
evidence_of(const struct verdict *verdict, const char *rule)
{
    for (size_t i = 0; i < verdict->evidence_count; i++) {
        if (span_is(verdict->evidence[i].rule, rule)) {
            return &verdict->evidence[i];
        }
    }
    return NULL;
}

static void
the_strongest_points_win_with_all_three_names(void **state)
{
    struct verdict verdict = unknown("家里天天停电");

    (void)state;
    assert_int_equal(verdict.category, TICKET_CATEGORY_QUALITY);
    assert_true(span_is(judge_name(&judge, verdict.subcategory), "供电可靠性"));
    assert_true(span_is(judge_name(&judge, verdict.topic), "频繁停电"));
    assert_int_equal(verdict.matter, verdict.subcategory);
    assert_int_equal(verdict.runner_up, TICKET_CATEGORY_OUTAGE);
    assert_in_range(verdict.confidence_permille, 500, 1000);
}

static void
what_stays_below_the_start_of_none_is_no_complaint(void **state)
{
    struct verdict verdict = unknown("昨晚停电");

    (void)state;
    assert_int_equal(verdict.category, TICKET_CATEGORY_NONE);
    assert_int_equal(verdict.subcategory, TAXONOMY_NONE);
    /* What it would be about is known all the same: for repeat calls. */
    assert_true(verdict.matter != TAXONOMY_NONE);
}

static void
a_ticket_filed_as_complaint_is_one_of_the_five(void **state)
{
    (void)state;
    assert_int_equal(of_type("昨晚停电", TICKET_TYPE_COMPLAINT).category,
                     TICKET_CATEGORY_OUTAGE);
    /* Weak words against it do not do, strong ones do. */
    assert_int_equal(of_type("昨晚好像停电", TICKET_TYPE_COMPLAINT).category,
                     TICKET_CATEGORY_OUTAGE);
    assert_int_equal(of_type("请问昨晚停电", TICKET_TYPE_COMPLAINT).category,
                     TICKET_CATEGORY_NONE);
}

static void
a_text_of_which_nothing_is_known_is_none(void **state)
{
    struct verdict verdict = unknown("你好");

    (void)state;
    assert_int_equal(verdict.category, TICKET_CATEGORY_NONE);
    assert_int_equal(verdict.matter, TAXONOMY_NONE);
    assert_int_equal(verdict.evidence_count, 0);
    assert_int_equal(unknown("").category, TICKET_CATEGORY_NONE);
}

static void
a_second_rule_for_the_same_class_counts_half(void **state)
{
    (void)state;
    /* none: 4 + 1.5; service: 4 + 2 / 2 */
    assert_int_equal(unknown("请问营业员骂人").category, TICKET_CATEGORY_NONE);
    assert_int_equal(unknown("营业员骂人").category, TICKET_CATEGORY_SERVICE);
}

static void
who_misbehaved_decides(void **state)
{
    struct verdict verdict = unknown("抢修的师傅骂人");

    (void)state;
    assert_int_equal(verdict.category, TICKET_CATEGORY_OUTAGE);
    assert_non_null(evidence_of(&verdict, "boundary:crew"));
    assert_int_equal(evidence_of(&verdict, "boundary:crew")->weight, -200);
    assert_int_equal(unknown("营业员骂人").category, TICKET_CATEGORY_SERVICE);
}

static void
another_category_with_points_of_its_own_is_secondary(void **state)
{
    struct verdict verdict = unknown("天天停电，营业员还骂人");

    (void)state;
    assert_int_equal(verdict.secondary & ~(1u << verdict.category),
                     verdict.secondary);
    assert_true(
        (verdict.secondary | 1u << verdict.category) ==
        (1u << TICKET_CATEGORY_SERVICE | 1u << TICKET_CATEGORY_QUALITY));
    assert_true((verdict.flags & VERDICT_MULTI_TOPIC) != 0);
    assert_int_equal(unknown("天天停电").secondary, 0);
}

static void
flags_are_set_by_their_rules(void **state)
{
    (void)state;
    assert_true((unknown("测试工单，天天停电").flags & VERDICT_TEST_TICKET) !=
                0);
    assert_int_equal(unknown("测试工单，天天停电").category,
                     TICKET_CATEGORY_NONE);
    assert_true((unknown("物业停电").flags & VERDICT_NOT_UTILITY) != 0);
    assert_true((unknown("这不是投诉").flags & VERDICT_FALSE_CLAIM) != 0);
    assert_int_equal(unknown("天天停电").flags, 0);
}

static void
evidence_names_the_words_of_the_original(void **state)
{
    struct verdict verdict = unknown("ＡＢ天天\xE2\x80\x8B停 电？没人");
    const struct evidence *one = evidence_of(&verdict, "q.often");

    (void)state;
    assert_non_null(one);
    assert_true(span_is(one->text, "天天\xE2\x80\x8B停 电"));
    assert_int_equal(one->start, 2);
    assert_int_equal(one->end, 8);
    assert_int_equal(one->weight, 400);
    assert_int_equal(one->category, TICKET_CATEGORY_QUALITY);
    for (size_t i = 1; i < verdict.evidence_count; i++) {
        assert_true(verdict.evidence[i - 1].weight >=
                    verdict.evidence[i].weight);
    }
}

static void
a_longer_text_than_is_read_says_so(void **state)
{
    static char text[CLASSIFY_TEXT_BYTES_MAX + 100];

    (void)state;
    for (size_t i = 0; i + 3 < sizeof(text); i += 3) {
        memcpy(text + i, i % 2 == 0 ? "天" : "停", 3);
    }
    assert_true((unknown(text).flags & VERDICT_TRUNCATED_SCAN) != 0);
}

static void
the_same_ticket_gives_the_same_verdict_after_any_other(void **state)
{
    struct verdict first = unknown("天天停电，电压低");
    struct verdict again;

    (void)state;
    (void)unknown("营业员骂人，抢修骂人，请问，测试工单，物业停电");
    again = unknown("天天停电，电压低");
    assert_int_equal(first.category, again.category);
    assert_int_equal(first.confidence_permille, again.confidence_permille);
    assert_int_equal(first.evidence_count, again.evidence_count);
    assert_int_equal(first.secondary, again.secondary);
}

/* -------------------------------------------------------------- with model */

#define MODEL_HEADER                                                           \
    "ngram\tservice.conduct\tservice.channel\tbusiness.connection\t"           \
    "business.change\tbusiness.reading\tbusiness.tariff\t"                     \
    "business.metering\tbusiness.fee\toutage.switching\toutage.repair\t"       \
    "quality.voltage\tquality.frequency\tquality.reliability\t"                \
    "grid.facility\tgrid.works\tnone\n"
#define MODEL_HEADER_ALSO                                                      \
    "ngram\tservice.conduct\tservice.channel\tbusiness.connection\t"           \
    "business.change\tbusiness.reading\tbusiness.tariff\t"                     \
    "business.metering\tbusiness.fee\toutage.switching\toutage.repair\t"       \
    "quality.voltage\tquality.frequency\tquality.reliability\t"                \
    "grid.facility\tgrid.works\tnone\talso.service\talso.business\t"           \
    "also.outage\talso.quality\talso.grid\n"

static void
the_model_speaks_where_rules_are_silent(void **state)
{
    struct judge other;
    struct verdict verdict;

    (void)state;
    judge_init(&other);
    judge_add(&other, "rules/test.csv", RULES);
    judge_add(&other, "words.csv", "name,words,note\n");
    judge_add(&other, "scoring.csv", SCORING);
    judge_add(&other, "model.tsv",
              MODEL_HEADER
              "(bias)\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\n"
              "杆子\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t6.00\t0\t-1.00\n");
    judge_build(&other);
    judge_text(&other, "杆子歪", TICKET_TYPE_UNKNOWN, &verdict);
    assert_int_equal(verdict.category, TICKET_CATEGORY_GRID);
    assert_true(span_is(judge_name(&other, verdict.subcategory), "供电设施"));
    assert_non_null(evidence_of(&verdict, "ngram:杆子"));
    assert_true(span_is(evidence_of(&verdict, "ngram:杆子")->text, "杆子"));
    judge_release(&other);
}

/* Points of rules and the model's own word add up; alone, each is too little.
 */
static void
the_model_says_what_else_is_complained_of(void **state)
{
    struct judge other;
    struct verdict verdict;

    (void)state;
    judge_init(&other);
    judge_add(&other, "rules/test.csv", RULES);
    judge_add(&other, "words.csv", "name,words,note\n");
    judge_add(&other, "scoring.csv", SCORING);
    judge_add(&other, "model.tsv",
              MODEL_HEADER_ALSO
              "(bias)\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0"
              "\t-2.00\t-9.00\t-9.00\t-9.00\t-9.00\n"
              "还\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0"
              "\t1.00\t0\t0\t0\t0\n");
    judge_build(&other);
    judge_text(&other, "天天停电，骂人", TICKET_TYPE_COMPLAINT, &verdict);
    assert_int_equal(verdict.category, TICKET_CATEGORY_QUALITY);
    assert_int_equal(verdict.secondary, 0); /* -2 + 2 * 0.7 */
    judge_text(&other, "天天停电，还骂人", TICKET_TYPE_COMPLAINT, &verdict);
    assert_int_equal(verdict.secondary, 1u << TICKET_CATEGORY_SERVICE);
    assert_true((verdict.flags & VERDICT_MULTI_TOPIC) != 0);
    judge_text(&other, "天天停电，还好", TICKET_TYPE_COMPLAINT, &verdict);
    assert_int_equal(verdict.secondary, 0); /* -2 + 1 */
    judge_release(&other);
}

#define MODEL_HEADER_TOPICS                                                    \
    "ngram\tservice.conduct\tservice.channel\tbusiness.connection\t"           \
    "business.change\tbusiness.reading\tbusiness.tariff\t"                     \
    "business.metering\tbusiness.fee\toutage.switching\toutage.repair\t"       \
    "quality.voltage\tquality.frequency\tquality.reliability\t"                \
    "grid.facility\tgrid.works\tnone\ttopics\n"

/* Four points of a rule for the first name weigh two logits here. */
static void
rules_and_the_model_name_the_third_level_together(void **state)
{
    struct judge other;
    struct verdict verdict;

    (void)state;
    judge_init(&other);
    judge_add(&other, "rules/test.csv",
              RULE_HEADER
              "o.late,outage,抢修服务,抢修超时限,没人来,,,text,4,,a,b\n"
              "o.crew,outage,抢修服务,,抢修,,,text,4,,a,b\n");
    judge_add(&other, "words.csv", "name,words,note\n");
    judge_add(&other, "scoring.csv", SCORING "topic_point,0.5,\n");
    judge_add(&other, "model.tsv",
              MODEL_HEADER_TOPICS
              "(bias)\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t"
              "outage.repair overtime=0 quality=0.20 attitude=0 standard=0\n"
              "骂\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t"
              "outage.repair 0 0 1.00 0\n"
              "吼\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t"
              "outage.repair 0 0 0 0.50\n");
    judge_build(&other);
    /* No rule names a third level: the model alone does. */
    judge_text(&other, "抢修", TICKET_TYPE_COMPLAINT, &verdict);
    assert_true(span_is(judge_name(&other, verdict.topic), "抢修质量"));
    judge_text(&other, "抢修的骂", TICKET_TYPE_COMPLAINT, &verdict);
    assert_true(span_is(judge_name(&other, verdict.topic), "抢修人员服务态度"));
    /* 8 times 0.5 over the root of 8 is less than the rule's 2, 1 is more. */
    judge_text(&other, "吼，抢修没人来", TICKET_TYPE_COMPLAINT, &verdict);
    assert_true(span_is(judge_name(&other, verdict.topic), "抢修超时限"));
    judge_text(&other, "骂，抢修没人来", TICKET_TYPE_COMPLAINT, &verdict);
    assert_true(span_is(judge_name(&other, verdict.topic), "抢修人员服务态度"));
    judge_release(&other);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_strongest_points_win_with_all_three_names),
        cmocka_unit_test(what_stays_below_the_start_of_none_is_no_complaint),
        cmocka_unit_test(a_ticket_filed_as_complaint_is_one_of_the_five),
        cmocka_unit_test(a_text_of_which_nothing_is_known_is_none),
        cmocka_unit_test(a_second_rule_for_the_same_class_counts_half),
        cmocka_unit_test(who_misbehaved_decides),
        cmocka_unit_test(another_category_with_points_of_its_own_is_secondary),
        cmocka_unit_test(flags_are_set_by_their_rules),
        cmocka_unit_test(evidence_names_the_words_of_the_original),
        cmocka_unit_test(a_longer_text_than_is_read_says_so),
        cmocka_unit_test(
            the_same_ticket_gives_the_same_verdict_after_any_other),
        cmocka_unit_test(the_model_speaks_where_rules_are_silent),
        cmocka_unit_test(the_model_says_what_else_is_complained_of),
        cmocka_unit_test(rules_and_the_model_name_the_third_level_together),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
