/* Repeat calls: keys, window, phones that are no person, households. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analyzers/repeat.h"
#include "tests/lib/sample.h"

#define DAY US_PER_DAY
#define T0 (INT64_C(1520000000) * US_PER_SECOND)

static struct repeat_settings *settings;

static int
load(void **state)
{
    struct err err = {0};
    struct dictionary_file file = {.path = "settings.csv"};

    (void)state;
    file.bytes = read_source_file("dict/settings.csv");
    if (repeat_settings_build(&file, 1, &settings, &err) != ERR_OK) {
        fail_msg("%s", err.detail);
    }
    free((char *)(uintptr_t)file.bytes.data);
    return 0;
}

static int
unload(void **state)
{
    (void)state;
    repeat_settings_free(&settings);
    return 0;
}

/* number, instant, customer, caller, address, matter */
static struct repeat_ticket
call(uint64_t number,
     int64_t at_us,
     uint64_t customer,
     uint64_t caller,
     uint64_t address,
     uint32_t matter)
{
    struct repeat_ticket ticket = {0};

    ticket.number = number;
    ticket.accepted_at_us = at_us;
    ticket.customer_hash = customer;
    ticket.caller_hash = caller;
    ticket.address_hash = address;
    ticket.matter = matter;
    return ticket;
}

static void
finds(const struct repeat_ticket *ticket,
      const struct repeat_ticket *others,
      size_t other_count,
      uint64_t previous,
      enum repeat_key key,
      uint32_t calls)
{
    struct repeat_finding out = {77, REPEAT_KEY_NONE, 77, 77};

    repeat_find(settings, ticket, others, other_count, &out);
    assert_int_equal(out.previous, previous);
    assert_int_equal(out.key, key);
    assert_int_equal(out.calls, calls);
}

static void
the_shipped_settings_are_those_documented(void **state)
{
    (void)state;
    assert_true(settings->window_us == 30 * DAY);
    assert_int_equal(settings->repeat_min, 2);
    assert_int_equal(settings->third_call_min, 3);
    assert_int_equal(settings->burst_min, 4);
    assert_true(settings->burst_window_us == 2 * US_PER_HOUR);
    assert_int_equal(settings->phone_customers_max, 3);
    assert_int_equal(settings->candidates_max, 64);
}

static void
a_first_call_repeats_nothing(void **state)
{
    struct repeat_ticket ticket = call(2, T0, 10, 20, 30, 5);

    (void)state;
    finds(&ticket, NULL, 0, 0, REPEAT_KEY_NONE, 1);
    finds(&ticket, &ticket, 1, 0, REPEAT_KEY_NONE, 1);
}

static void
customer_then_phone_then_address_link(void **state)
{
    struct repeat_ticket ticket = call(9, T0, 10, 20, 30, 5);
    struct repeat_ticket other = call(1, T0 - DAY, 10, 20, 30, 5);

    (void)state;
    finds(&ticket, &other, 1, 1, REPEAT_KEY_CUSTOMER, 2);
    other.caller_hash = 21;
    finds(&ticket, &other, 1, 1, REPEAT_KEY_CUSTOMER, 2);
    other = call(1, T0 - DAY, 0, 20, 30, 5);
    finds(&ticket, &other, 1, 1, REPEAT_KEY_CALLER, 2);
    other.caller_hash = 21;
    finds(&ticket, &other, 1, 1, REPEAT_KEY_ADDRESS, 2);
    other.address_hash = 31;
    finds(&ticket, &other, 1, 0, REPEAT_KEY_NONE, 1);
}

static void
a_field_that_is_not_given_links_nothing(void **state)
{
    struct repeat_ticket ticket = call(9, T0, 0, 0, 0, 5);
    struct repeat_ticket other = call(1, T0 - DAY, 0, 0, 0, 5);

    (void)state;
    finds(&ticket, &other, 1, 0, REPEAT_KEY_NONE, 1);
}

static void
two_different_customer_numbers_are_two_customers(void **state)
{
    struct repeat_ticket ticket = call(9, T0, 10, 20, 30, 5);
    struct repeat_ticket other = call(1, T0 - DAY, 11, 20, 30, 5);

    (void)state;
    finds(&ticket, &other, 1, 0, REPEAT_KEY_NONE, 1);
    ticket.customer_hash = 0;
    finds(&ticket, &other, 1, 1, REPEAT_KEY_CALLER, 2);
}

static void
another_matter_or_an_unknown_one_is_no_repeat(void **state)
{
    struct repeat_ticket ticket = call(9, T0, 10, 20, 30, 5);
    struct repeat_ticket other = call(1, T0 - DAY, 10, 20, 30, 6);

    (void)state;
    finds(&ticket, &other, 1, 0, REPEAT_KEY_NONE, 1);
    ticket.matter = 0;
    other.matter = 0;
    finds(&ticket, &other, 1, 0, REPEAT_KEY_NONE, 1);
}

static void
the_window_ends_after_thirty_days(void **state)
{
    struct repeat_ticket ticket = call(9, T0, 10, 20, 30, 5);
    struct repeat_ticket other = call(1, T0 - 30 * DAY, 10, 20, 30, 5);

    (void)state;
    finds(&ticket, &other, 1, 1, REPEAT_KEY_CUSTOMER, 2);
    other.accepted_at_us -= 1;
    finds(&ticket, &other, 1, 0, REPEAT_KEY_NONE, 1);
}

static void
later_tickets_are_ignored_and_ties_go_by_number(void **state)
{
    struct repeat_ticket ticket = call(5, T0, 10, 20, 30, 5);
    struct repeat_ticket others[] = {call(4, T0, 10, 20, 30, 5),
                                     call(6, T0, 10, 20, 30, 5),
                                     call(1, T0 + 1, 10, 20, 30, 5)};

    (void)state;
    finds(&ticket, others, 3, 4, REPEAT_KEY_CUSTOMER, 2);
    others[0].related = 0;
    ticket.related = 6; /* later: no earlier work order */
    finds(&ticket, others, 3, 4, REPEAT_KEY_CUSTOMER, 2);
}

static void
the_latest_earlier_call_is_the_previous_one(void **state)
{
    struct repeat_ticket ticket = call(9, T0, 10, 20, 30, 5);
    struct repeat_ticket others[] = {call(2, T0 - 2 * DAY, 10, 21, 0, 5),
                                     call(3, T0 - 1 * DAY, 0, 20, 0, 5),
                                     call(1, T0 - 3 * DAY, 10, 20, 0, 5),
                                     call(3, T0 - 1 * DAY, 0, 20, 0, 5)};

    (void)state;
    /* number 3 was handed twice and counts once */
    finds(&ticket, others, 4, 3, REPEAT_KEY_CALLER, 4);
}

static void
a_related_number_links_whatever_matter_window_and_keys_are(void **state)
{
    struct repeat_ticket ticket = call(9, T0, 10, 20, 30, 5);
    struct repeat_ticket other = call(1, T0 - 300 * DAY, 11, 21, 31, 0);

    (void)state;
    ticket.related = 1;
    finds(&ticket, &other, 1, 1, REPEAT_KEY_RELATED, 2);
    other = call(1, T0 - DAY, 10, 20, 30, 5);
    finds(&ticket, &other, 1, 1, REPEAT_KEY_CUSTOMER, 2);
    ticket.related = 8; /* not among the others */
    other.matter = 6;
    finds(&ticket, &other, 1, 0, REPEAT_KEY_NONE, 1);
}

static void
a_chain_of_related_tickets_is_counted_through(void **state)
{
    /* a fault, a complaint that names it, a second complaint */
    struct repeat_ticket ticket = call(9, T0, 10, 20, 30, 5);
    struct repeat_ticket others[] = {call(1, T0 - 3 * DAY, 10, 20, 30, 0),
                                     call(2, T0 - 2 * DAY, 10, 20, 30, 5)};

    (void)state;
    finds(&ticket, others, 2, 2, REPEAT_KEY_CUSTOMER, 2);
    others[1].related = 1;
    finds(&ticket, others, 2, 2, REPEAT_KEY_CUSTOMER, 3);
    others[1].excluded = true;
    finds(&ticket, others, 2, 0, REPEAT_KEY_NONE, 1);
    /* both name the same earlier order */
    others[1].excluded = false;
    others[1].matter = 6;
    ticket.related = 1;
    finds(&ticket, others, 2, 2, REPEAT_KEY_RELATED, 3);
}

static void
a_phone_of_many_customers_is_not_a_person(void **state)
{
    struct repeat_ticket ticket = call(9, T0, 0, 20, 0, 5);
    struct repeat_ticket others[] = {call(1, T0 - 1 * DAY, 0, 20, 0, 5),
                                     call(2, T0 - 2 * DAY, 11, 20, 0, 6),
                                     call(3, T0 - 3 * DAY, 12, 20, 0, 7),
                                     call(4, T0 - 4 * DAY, 13, 20, 0, 8),
                                     call(5, T0 - 5 * DAY, 13, 20, 0, 9),
                                     call(6, T0 - 6 * DAY, 14, 20, 0, 9)};

    (void)state;
    finds(&ticket, others, 5, 1, REPEAT_KEY_CALLER, 2); /* three customers */
    finds(&ticket, others, 6, 0, REPEAT_KEY_NONE, 1);   /* four */
    /* outside the window, or on another phone, the fourth does not count */
    others[5].accepted_at_us = T0 - 31 * DAY;
    finds(&ticket, others, 6, 1, REPEAT_KEY_CALLER, 2);
    others[5].accepted_at_us = T0 - DAY;
    others[5].caller_hash = 21;
    finds(&ticket, others, 6, 1, REPEAT_KEY_CALLER, 2);
    /* the ticket's own customer number is the fourth */
    ticket.customer_hash = 15;
    finds(&ticket, others, 5, 0, REPEAT_KEY_NONE, 1);
    /* the same customer number still links */
    others[0].customer_hash = 15;
    finds(&ticket, others, 5, 1, REPEAT_KEY_CUSTOMER, 2);
}

static void
test_tickets_and_praise_are_never_linked(void **state)
{
    struct repeat_ticket ticket = call(9, T0, 10, 20, 30, 5);
    struct repeat_ticket other = call(1, T0 - DAY, 10, 20, 30, 5);

    (void)state;
    ticket.related = 1;
    other.excluded = true;
    finds(&ticket, &other, 1, 0, REPEAT_KEY_NONE, 1);
    other.excluded = false;
    ticket.excluded = true;
    finds(&ticket, &other, 1, 0, REPEAT_KEY_NONE, 1);
}

static void
calls_inside_two_hours_are_a_burst(void **state)
{
    struct repeat_ticket ticket = call(9, T0, 10, 20, 30, 5);
    struct repeat_ticket others[] = {
        call(1, T0 - 2 * US_PER_HOUR, 10, 20, 0, 5),
        call(2, T0 - 2 * US_PER_HOUR - 1, 10, 20, 0, 5),
        call(3, T0 - US_PER_MINUTE, 10, 20, 0, 5)};
    struct repeat_finding out;

    (void)state;
    repeat_find(settings, &ticket, others, 3, &out);
    assert_int_equal(out.calls, 4);
    assert_int_equal(out.burst_calls, 3);
}

static void
household_is(const char *address, const char *want)
{
    char out[512];
    size_t bytes = repeat_normalise_address(span_of(address), out);

    assert_true(bytes <= strlen(address));
    if (!span_is((struct span){out, bytes}, want)) {
        fail_msg("'%s' is '%.*s', not '%s'", address, (int)bytes, out, want);
    }
}

static void
one_household_has_one_spelling(void **state)
{
    (void)state;
    household_is("吴忠市利通区友谊西路祥和家苑3号楼2单元501室",
                 "友谊西路祥和家苑3-2-501");
    household_is("友谊西路祥和家苑3号楼2单元501室", "友谊西路祥和家苑3-2-501");
    household_is("友谊西路祥和家苑３栋２单元５０１", "友谊西路祥和家苑3-2-501");
    household_is("友谊西路 祥和家苑3#2-501（复式）", "友谊西路祥和家苑3-2-501");
    household_is("宁夏回族自治区银川市兴庆区湖滨西街唐槐园12号楼1单元1001室",
                 "湖滨西街唐槐园12-1-1001");
    household_is("小坝利民路河滨名苑11号楼502室", "小坝利民路河滨名苑11-502");
    household_is("银川市兴庆区新华西街湖滨公寓1-2104",
                 "新华西街湖滨公寓1-2104");
    household_is("银川市兴庆区新华东街锦府公寓B座1109",
                 "新华东街锦府公寓b-1109");
    household_is("固原市原州区文化西路九龙小区12号楼6楼东户",
                 "文化西路九龙小区12-6-东户");
    household_is("银川市金凤区上海西路金悦里商铺2-117",
                 "上海西路金悦里商铺2-117");
    household_is("原州区南关街道长城社区供销巷9号",
                 "南关街道长城社区供销巷9号");
    household_is("同心县预旺镇土峰村4组25号", "预旺镇土峰村4组25号");
    household_is("枫林湾小区5号楼201室", "枫林湾小区5-201");
    household_is("枫林湾小区5号楼2室", "枫林湾小区5-2");
    household_is("枫林湾小区3-2-5", "枫林湾小区3-2-5");
    household_is("【城区】枫林湾小区(南门)5号楼201室", "枫林湾小区5-201");
}

static void
villages_buildings_and_compounds_are_many_households(void **state)
{
    static const char *const addresses[] = {
        "",
        "测试地址",
        "吴忠市青铜峡市峡口镇沙坝湾村3队",
        "吴忠市利通区扁担沟镇同利新村4组",
        "银川市兴庆区丽景街枫林湾小区3号楼",
        "利通街春晖园8号楼2单元",
        "吴忠市利通区利通街民生花园7号楼1层",
        "银川市兴庆区玉皇阁北街宏图巷27号院",
        "兴庆区鼓楼南街18号院",
        "兴庆区鼓楼南街18号",
        "银川市兴庆区北京东路汇丰广场4号门",
        "吴忠市同心县预旺镇南山沟脑村（沟里只有9户）",
        "固原市西吉县吉强镇永清路西吉一中教师公寓",
        "银川市兴庆区解放西街羊肉街口老味道餐厅",
        "吴忠市利通区裕民街吴忠商城A区30号",
        "5号楼1703室",
        "银川市兴庆区5号楼1703室",
        "兴庆区民生巷9号",
        "3-2-501",
        "枫林湾小区3号楼12",
        "秀水园5号楼1单元703室",
        "幸福小巷9号",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        household_is(addresses[i], "");
    }
}

static void
area_words_inside_other_words_stay(void **state)
{
    (void)state;
    household_is("枫林湾小区物业楼3号楼2单元501室", "枫林湾小区物业楼3-2-501");
    household_is("红星菜市场家属院3号楼501室", "红星菜市场家属院3-501");
    household_is("新华超市后面平房巷12号", "新华超市后面平房巷12号");
    household_is("海宝东区嘉园33号楼1201室", "海宝东区嘉园33-1201");
}

static void
bytes_that_are_not_utf8_do_no_harm(void **state)
{
    char out[64];
    const char *bad = "\xFF\xFE\x80祥和家苑里3-2-501\xE5";
    size_t bytes = repeat_normalise_address(span_of(bad), out);

    (void)state;
    assert_true(bytes <= strlen(bad));
}

static void
refuse(const char *row, const char *without, const char *part)
{
    struct span shipped = read_source_file("dict/settings.csv");
    struct span rest = shipped;
    char text[4096];
    size_t used = 0;
    struct err err = {0};
    struct dictionary_file file = {.path = "settings.csv"};
    struct repeat_settings *built = NULL;

    while (rest.bytes > 0) {
        struct span line = span_split(&rest, '\n');

        if (without == NULL || !span_starts(line, span_of(without))) {
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%.*s\n",
                                     SPAN_ARGS(line));
        }
    }
    used += (size_t)snprintf(text + used, sizeof(text) - used, "%s", row);
    file.bytes = (struct span){text, used};
    assert_int_equal(repeat_settings_build(&file, 1, &built, &err),
                     ERR_BAD_TABLE);
    assert_null(built);
    if (strstr(err.detail, part) == NULL) {
        fail_msg("'%s' does not say '%s'", err.detail, part);
    }
    free((char *)(uintptr_t)shipped.data);
}

static void
a_setting_that_is_wrong_or_missing_is_refused(void **state)
{
    (void)state;
    refuse("", "repeat.burst_minutes", "repeat.burst_minutes is missing");
    refuse("repeat.window,30,days,\n", NULL, "no setting 'repeat.window'");
    refuse("repeat.window_days,30,days,\n", NULL, "twice");
    refuse("repeat.window_days,0,days,\n", "repeat.window_days", "from 1");
    refuse("repeat.window_days,30,hours,\n", "repeat.window_days", "in days");
    refuse("repeat.calls_min,1,calls,\n", "repeat.calls_min", "from 2");
}

/* --- the sample quarter --- */

static uint64_t
hash(struct span bytes)
{
    uint64_t value = UINT64_C(1469598103934665603);

    for (size_t i = 0; i < bytes.bytes; i++) {
        value =
            (value ^ (unsigned char)bytes.data[i]) * UINT64_C(1099511628211);
    }
    return bytes.bytes == 0 ? 0 : value | 1;
}

/* Matter by the second level's name; faults are a matter of their own. */
static uint32_t
matter_of(const struct sample_ticket *ticket)
{
    if (ticket->type == TICKET_TYPE_FAULT) {
        return 1;
    }
    return span_is(ticket->subcategory, "-")
               ? 0
               : (uint32_t)hash(ticket->subcategory);
}

static void
the_repeats_of_the_sample_are_found_and_no_others(void **state)
{
    struct sample *sample = sample_load();
    struct repeat_ticket *all = calloc(sample->count, sizeof(*all));
    char address[512];
    size_t repeats = 0;
    size_t bursts = 0;

    (void)state;
    assert_non_null(all);
    for (size_t i = 0; i < sample->count; i++) {
        const struct sample_ticket *ticket = &sample->tickets[i];
        struct span spelling = {address, 0};
        size_t related = sample_find(sample, ticket->related);

        spelling.bytes = repeat_normalise_address(ticket->address, address);
        all[i] = call(i + 1, ticket->accepted_at_us, hash(ticket->customer),
                      hash(ticket->caller), hash(spelling), matter_of(ticket));
        all[i].related = related == SIZE_MAX ? 0 : related + 1;
        all[i].excluded =
            ticket->type == TICKET_TYPE_PRAISE ||
            span_find(ticket->text, SPAN_LITERAL("测试"), 0) != SIZE_MAX;
    }
    for (size_t i = 0; i < sample->count; i++) {
        struct repeat_finding found;
        size_t want = sample_find(sample, sample->tickets[i].repeat_of);

        repeat_find(settings, &all[i], all, sample->count, &found);
        if (found.previous != (want == SIZE_MAX ? 0 : want + 1)) {
            fail_msg("ticket %.*s repeats %d, not %d",
                     SPAN_ARGS(sample->tickets[i].id), (int)found.previous,
                     want == SIZE_MAX ? 0 : (int)want + 1);
        }
        repeats += found.previous != 0 ? 1 : 0;
        bursts += found.burst_calls >= settings->burst_min ? 1 : 0;
    }
    assert_int_equal(repeats, 43);
    assert_int_equal(bursts, 1);
    free(all);
    sample_free(sample);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shipped_settings_are_those_documented),
        cmocka_unit_test(a_first_call_repeats_nothing),
        cmocka_unit_test(customer_then_phone_then_address_link),
        cmocka_unit_test(a_field_that_is_not_given_links_nothing),
        cmocka_unit_test(two_different_customer_numbers_are_two_customers),
        cmocka_unit_test(another_matter_or_an_unknown_one_is_no_repeat),
        cmocka_unit_test(the_window_ends_after_thirty_days),
        cmocka_unit_test(later_tickets_are_ignored_and_ties_go_by_number),
        cmocka_unit_test(the_latest_earlier_call_is_the_previous_one),
        cmocka_unit_test(
            a_related_number_links_whatever_matter_window_and_keys_are),
        cmocka_unit_test(a_chain_of_related_tickets_is_counted_through),
        cmocka_unit_test(a_phone_of_many_customers_is_not_a_person),
        cmocka_unit_test(test_tickets_and_praise_are_never_linked),
        cmocka_unit_test(calls_inside_two_hours_are_a_burst),
        cmocka_unit_test(one_household_has_one_spelling),
        cmocka_unit_test(villages_buildings_and_compounds_are_many_households),
        cmocka_unit_test(area_words_inside_other_words_stay),
        cmocka_unit_test(bytes_that_are_not_utf8_do_no_harm),
        cmocka_unit_test(a_setting_that_is_wrong_or_missing_is_refused),
        cmocka_unit_test(the_repeats_of_the_sample_are_found_and_no_others),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
