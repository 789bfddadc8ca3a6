/* Puts the stream together: which line comes next, and what stands in it. */
#include "bench/generate.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "bench/arrivals.h"
#include "bench/held.h"
#include "bench/lifecycle.h"
#include "bench/phrases.h"
#include "bench/places.h"
#include "bench/random.h"

enum {
    MATTER_TABLE = 1024,
    RECENT_MAX = 1 << 18, /* every second ticket: about three days */
    HOLD_LINES_MAX = 20000,
    CALLERS_MIN = 20000,
    CALLERS_MAX = 10000000,
    BAD_PERMILLE_MAX = 500,
    SHARE_PERMILLE_MAX = 300,
    HOT_STATION_PERMILLE = 700 /* of a storm's tickets */
};

static const struct {
    const char *name;
    uint32_t tickets_a_day;
    int32_t start_year;
    uint32_t start_month;
    uint32_t start_day;
} scenarios[SCENARIO_COUNT] = {
    [SCENARIO_NORMAL] = {"normal", 150000, 2025, 3, 3},
    [SCENARIO_STORM] = {"storm", 600000, 2025, 7, 21},
    [SCENARIO_MONTH_END] = {"month-end", 250000, 2025, 3, 28},
};

static const struct {
    enum ticket_channel channel;
    uint32_t permille;
} channels[] = {
    {TICKET_CHANNEL_95598, 820}, {TICKET_CHANNEL_APP, 60},
    {TICKET_CHANNEL_12345, 50},  {TICKET_CHANNEL_WECHAT, 30},
    {TICKET_CHANNEL_HALL, 20},   {TICKET_CHANNEL_12398, 10},
    {TICKET_CHANNEL_MANAGER, 5}, {TICKET_CHANNEL_SUPERVISOR, 5},
};

struct recent {
    struct ticket_key key;
    uint32_t household;
    uint32_t matter;
};

struct generator {
    struct generate_options options;
    struct generate_truth truth;
    struct random random;
    struct phrases phrases;
    struct places places;
    struct arrivals arrivals;
    struct lifecycle lifecycle;
    struct held held;
    struct recent *recent; /* ring */
    size_t recent_count;
    uint32_t caller_count;
    uint32_t hold_lines_max;
    uint16_t matters[MATTER_TABLE]; /* by weight */
    bool no_memory;

    bool has_ticket; /* ticket_at_s is the next ticket's time */
    int64_t ticket_at_s;

    int64_t key_day; /* of key_date and key_sequence */
    uint32_t key_date;
    uint32_t key_sequence;
    int64_t time_day; /* of time_text */
    char time_text[10];
};

/* What a ticket is about, before it is written. */
struct subject {
    struct ticket_key key;
    struct household household;
    uint32_t matter;
    int64_t accepted_s;
    bool has_related;
    struct ticket_key related;
};

/* --- options ------------------------------------------------------------ */

struct generate_options
generate_defaults(enum generate_scenario scenario)
{
    return (struct generate_options){
        .seed = 1,
        .scenario = scenario,
        .events = true,
        .bad_permille = 10,
        .duplicate_permille = 5,
        .version_permille = 3,
        .late_permille = 3,
        .repeat_permille = scenario == SCENARIO_STORM ? 120 : 60,
        .stations = 300,
        .start_day = day_from_date(scenarios[scenario].start_year,
                                   scenarios[scenario].start_month,
                                   scenarios[scenario].start_day)};
}

bool
generate_scenario_from(const char *word, enum generate_scenario *out)
{
    for (int i = 0; i < SCENARIO_COUNT; i++) {
        if (strcmp(word, scenarios[i].name) == 0) {
            *out = (enum generate_scenario)i;
            return true;
        }
    }
    return false;
}

const char *
generate_scenario_name(enum generate_scenario scenario)
{
    return scenarios[scenario].name;
}

static enum err_code
check_range(const char *name,
            uint32_t value,
            uint32_t min,
            uint32_t max,
            struct err *err)
{
    if (value < min || value > max) {
        return err_set_field(err, ERR_BAD_VALUE, name, "%u is not in %u to %u",
                             value, min, max);
    }
    return ERR_OK;
}

static enum err_code
settle_options(struct generate_options *options, struct err *err)
{
    uint32_t usual = scenarios[options->scenario].tickets_a_day;

    if (options->days == 0) {
        options->days = (options->count + usual - 1) / usual;
    }
    if (check_range("count", options->count, 1, GENERATE_COUNT_MAX, err) !=
            ERR_OK ||
        check_range("days", options->days, 1, GENERATE_DAYS_MAX, err) !=
            ERR_OK ||
        check_range("stations", options->stations, STATIONS_MIN, STATIONS_MAX,
                    err) != ERR_OK ||
        check_range("bad", options->bad_permille, 0, BAD_PERMILLE_MAX, err) !=
            ERR_OK ||
        check_range("duplicates", options->duplicate_permille, 0,
                    SHARE_PERMILLE_MAX, err) != ERR_OK ||
        check_range("versions", options->version_permille, 0,
                    SHARE_PERMILLE_MAX, err) != ERR_OK ||
        check_range("late", options->late_permille, 0, SHARE_PERMILLE_MAX,
                    err) != ERR_OK ||
        check_range("repeats", options->repeat_permille, 0, SHARE_PERMILLE_MAX,
                    err) != ERR_OK) {
        return err->code;
    }
    return ERR_OK;
}

static void
fill_matter_table(struct generator *generator)
{
    uint32_t scenario = (uint32_t)generator->options.scenario;
    uint32_t total = 0;
    uint32_t sum = 0;
    uint32_t at = 0;

    for (uint32_t i = 0; i < MATTER_COUNT; i++) {
        total += generator->phrases.matters[i].weights[scenario];
    }
    for (uint32_t i = 0; i < MATTER_COUNT; i++) {
        sum += generator->phrases.matters[i].weights[scenario];
        while (at < sum * MATTER_TABLE / total) {
            generator->matters[at++] = (uint16_t)i;
        }
    }
    assert(at == MATTER_TABLE);
}

static uint32_t
clamp(uint64_t value, uint32_t min, uint32_t max)
{
    return value < min ? min : value > max ? max : (uint32_t)value;
}

enum err_code
generator_new(const struct generate_options *options,
              struct generator **out,
              struct err *err)
{
    struct generator *generator = calloc(1, sizeof(*generator));
    const struct generate_options *own;

    if (generator == NULL) {
        return err_set(err, ERR_NO_MEMORY, "generator");
    }
    generator->options = *options;
    if (settle_options(&generator->options, err) != ERR_OK) {
        free(generator);
        return err->code;
    }
    own = &generator->options;
    generator->random = random_from(own->seed);
    generator->caller_count =
        clamp(10 * (uint64_t)own->count, CALLERS_MIN, CALLERS_MAX);
    generator->hold_lines_max = clamp(own->count / 20, 10, HOLD_LINES_MAX);
    generator->key_day = INT64_MIN;
    generator->time_day = INT64_MIN;
    generator->recent = calloc(RECENT_MAX, sizeof(*generator->recent));
    if (generator->recent == NULL || !phrases_init(&generator->phrases) ||
        !places_init(&generator->places, own->stations) ||
        !arrivals_init(&generator->arrivals, own->scenario, own->start_day,
                       own->days, own->count) ||
        !lifecycle_init(&generator->lifecycle, generator->arrivals.start_s,
                        own->days * 1440)) {
        generator_free(&generator);
        return err_set(err, ERR_NO_MEMORY, "generator");
    }
    fill_matter_table(generator);
    generator->has_ticket = arrivals_next(
        &generator->arrivals, &generator->random, &generator->ticket_at_s);
    *out = generator;
    return ERR_OK;
}

void
generator_free(struct generator **generator)
{
    if (*generator == NULL) {
        return;
    }
    phrases_release(&(*generator)->phrases);
    places_release(&(*generator)->places);
    arrivals_release(&(*generator)->arrivals);
    lifecycle_release(&(*generator)->lifecycle);
    held_release(&(*generator)->held);
    free((*generator)->recent);
    free(*generator);
    *generator = NULL;
}

/* --- bytes -------------------------------------------------------------- */

#define PUT_LITERAL(at, literal)                                               \
    (memcpy((at), (literal), sizeof(literal) - 1), (at) + sizeof(literal) - 1)

static char *
put_word(char *at, const char *word)
{
    size_t bytes = strlen(word);

    memcpy(at, word, bytes);
    return at + bytes;
}

static char *
put_bytes(char *at, const char *data, size_t bytes)
{
    memcpy(at, data, bytes);
    return at + bytes;
}

static int64_t
day_of(int64_t at_s)
{
    return (at_s + SHANGHAI_OFFSET_SECONDS) / 86400;
}

static uint32_t
date_of(int64_t day)
{
    int32_t year;
    uint32_t month;
    uint32_t month_day;

    date_from_day((int32_t)day, &year, &month, &month_day);
    return (uint32_t)year * 10000 + month * 100 + month_day;
}

/* 2025-03-03T09:04:22+08:00, or with a blank and no zone. */
static char *
put_time(struct generator *generator, int64_t at_s, bool plain, char *at)
{
    int64_t day = day_of(at_s);
    uint32_t second = (uint32_t)(at_s + SHANGHAI_OFFSET_SECONDS - day * 86400);

    if (day != generator->time_day) {
        uint32_t date = date_of(day);
        char *text = put_digits(generator->time_text, date / 10000, 4);

        *text++ = '-';
        text = put_digits(text, date / 100 % 100, 2);
        *text++ = '-';
        (void)put_digits(text, date % 100, 2);
        generator->time_day = day;
    }
    at = put_bytes(at, generator->time_text, sizeof(generator->time_text));
    *at++ = plain ? ' ' : 'T';
    at = put_digits(at, second / 3600, 2);
    *at++ = ':';
    at = put_digits(at, second / 60 % 60, 2);
    *at++ = ':';
    at = put_digits(at, second % 60, 2);
    return plain ? at : PUT_LITERAL(at, "+08:00");
}

static char *
put_key(struct ticket_key key, char *at)
{
    at = put_digits(at, key.date, 8);
    return put_digits(at, key.sequence, 8);
}

/* --- a ticket ----------------------------------------------------------- */

static struct ticket_key
next_key(struct generator *generator, int64_t at_s)
{
    int64_t day = day_of(at_s);

    if (day != generator->key_day) {
        generator->key_day = day;
        generator->key_date = date_of(day);
        generator->key_sequence = 0;
    }
    return (struct ticket_key){generator->key_date, ++generator->key_sequence};
}

/* Few callers call often: the density falls with the root of the rank. */
static uint32_t
pick_caller(struct generator *generator)
{
    double unit = random_unit(&generator->random);
    uint32_t number = (uint32_t)(unit * unit * (double)generator->caller_count);
    uint32_t stations = generator->options.stations;

    if (generator->options.scenario == SCENARIO_STORM &&
        random_permille(&generator->random, HOT_STATION_PERMILLE)) {
        uint32_t hot_count = stations / 20 + 1;
        uint32_t hot = random_below(&generator->random, hot_count) * 17;

        number = number - number % stations + hot % stations;
    }
    return number;
}

static const struct recent *
pick_recent(struct generator *generator)
{
    size_t count = generator->recent_count < RECENT_MAX
                       ? generator->recent_count
                       : RECENT_MAX;

    return count == 0 ? NULL
                      : &generator->recent[random_below(&generator->random,
                                                        (uint32_t)count)];
}

static void
remember_recent(struct generator *generator, const struct subject *subject)
{
    if (subject->key.sequence % 2 == 0) {
        generator->recent[generator->recent_count++ % RECENT_MAX] =
            (struct recent){subject->key, subject->household.number,
                            subject->matter};
    }
}

static void
choose_subject(struct generator *generator,
               int64_t at_s,
               struct subject *subject)
{
    struct random *random = &generator->random;
    const struct recent *before = NULL;
    uint32_t household;

    subject->matter = generator->matters[random_below(random, MATTER_TABLE)];
    subject->key = next_key(generator, at_s);
    subject->accepted_s =
        at_s - random_below(random, random_permille(random, 900) ? 20 : 120);
    subject->has_related = false;
    if (random_permille(random, generator->options.repeat_permille)) {
        before = pick_recent(generator);
        if (before != NULL) {
            subject->matter = before->matter;
            generator->truth.repeats++;
        }
    } else if (subject->matter == MATTER_REMIND_TEXT) {
        before = pick_recent(generator);
    }
    household = before != NULL ? before->household : pick_caller(generator);
    if (before != NULL && random_permille(random, 350)) {
        subject->has_related = true;
        subject->related = before->key;
    }
    subject->household = places_household(&generator->places, household);
    remember_recent(generator, subject);
}

/* Sentences from a random one on, so that none comes twice. */
static char *
put_sentences(struct generator *generator,
              struct phrase_list list,
              uint32_t count,
              const struct phrase_place *place,
              char *at)
{
    uint32_t first = random_below(&generator->random, list.phrase_count);

    for (uint32_t i = 0; i < count; i++) {
        at = phrases_put(&generator->phrases, list, first + i, place,
                         &generator->random, at);
        at = PUT_LITERAL(at, "。");
    }
    return at;
}

static char *
put_one(struct generator *generator,
        struct phrase_list list,
        const struct phrase_place *place,
        char *at)
{
    return phrases_put(&generator->phrases, list,
                       random_below(&generator->random, list.phrase_count),
                       place, &generator->random, at);
}

/* Complaints are told at length, inquiries in a sentence or two. */
static uint32_t
pick_shared_details(struct generator *generator, enum ticket_type type)
{
    switch (type) {
    case TICKET_TYPE_COMPLAINT:
        return 1 + random_below(&generator->random, 8);
    case TICKET_TYPE_OPINION:
    case TICKET_TYPE_REPORT:
    case TICKET_TYPE_REMINDER:
    case TICKET_TYPE_SUGGESTION:
        return 1 + random_below(&generator->random, 6);
    default:
        return random_below(&generator->random, 7);
    }
}

static char *
put_text(struct generator *generator, const struct subject *subject, char *at)
{
    const struct matter_phrases *matter =
        &generator->phrases.matters[subject->matter];
    const struct phrase_list *shared = generator->phrases.shared;
    struct random *random = &generator->random;
    struct phrase_place place;
    uint32_t detail_count = random_below(random, 3);

    household_fill_place(&subject->household, &place);
    if (random_permille(random, 600)) {
        at = PUT_LITERAL(at, "【");
        at = put_one(generator, matter->tags, &place, at);
        at = PUT_LITERAL(at, "】");
    }
    at = put_one(generator, shared[SHARED_OPENINGS], &place, at);
    at = put_one(generator, matter->cores, &place, at);
    at = PUT_LITERAL(at, "。");
    at = put_sentences(generator, matter->details, detail_count, &place, at);
    at =
        put_sentences(generator, shared[SHARED_DETAILS],
                      pick_shared_details(generator, matter->type), &place, at);
    if (subject->has_related && random_permille(random, 600)) {
        at = PUT_LITERAL(at, "前期工单：");
        at = put_key(subject->related, at);
        at = PUT_LITERAL(at, "。");
    }
    if (random_permille(random, 850)) {
        at = put_sentences(generator, shared[SHARED_DEMANDS], 1, &place, at);
    }
    if (random_permille(random, 700)) {
        at = put_one(generator, shared[SHARED_CLOSINGS], &place, at);
    }
    return at;
}

static char *
put_type(struct generator *generator, enum ticket_type type, char *at)
{
    uint32_t roll = random_below(&generator->random, 1000);

    if (roll < 3) {
        generator->truth.types[TICKET_TYPE_UNKNOWN]++;
        return at; /* a feed that does not say */
    }
    generator->truth.types[type]++;
    at = PUT_LITERAL(at, ",\"type\":\"");
    at = put_word(at, roll < 23 ? ticket_type_chinese(type)
                                : ticket_type_wire(type));
    *at++ = '"';
    return at;
}

static char *
put_channel(struct generator *generator, char *at)
{
    uint32_t roll = random_below(&generator->random, 1000);
    size_t row = 0;

    while (roll >= channels[row].permille) {
        roll -= channels[row].permille;
        row++;
    }
    at = PUT_LITERAL(at, ",\"channel\":\"");
    at = put_word(at, ticket_channel_wire(channels[row].channel));
    *at++ = '"';
    return at;
}

/* Telephone, customer number, name: not everybody gives all of them. */
static char *
put_person(struct generator *generator, const struct subject *subject, char *at)
{
    struct random *random = &generator->random;
    uint32_t number = subject->household.number;
    uint32_t roll = random_below(random, 1000);

    if (roll < 950) {
        /* One in ten of these calls from somebody else's telephone. */
        at = PUT_LITERAL(at, ",\"caller\":\"");
        at = household_put_phone(roll < 95 ? pick_caller(generator) : number,
                                 at);
        *at++ = '"';
    }
    if (random_permille(random, 800)) {
        at = PUT_LITERAL(at, ",\"customer\":\"");
        at = household_put_customer(number, at);
        *at++ = '"';
    }
    if (random_permille(random, 600)) {
        struct phrase_list persons = generator->phrases.slots[SLOT_PERSON];

        at = PUT_LITERAL(at, ",\"name\":\"");
        at = phrases_put(&generator->phrases, persons,
                         (uint32_t)(subject->household.bits >> 50), NULL,
                         random, at);
        *at++ = '"';
    }
    return at;
}

static char *
put_place(struct generator *generator, const struct subject *subject, char *at)
{
    struct random *random = &generator->random;
    const struct station *station = subject->household.station;

    at = PUT_LITERAL(at, ",\"address\":\"");
    at = household_put_address(&subject->household,
                               random_below(random, UINT32_MAX), at);
    at = PUT_LITERAL(at, "\",\"unit\":\"");
    at = put_bytes(at, station->unit.data, station->unit.bytes);
    *at++ = '"';
    if (random_permille(random, 250)) {
        at = PUT_LITERAL(at, ",\"region\":\"");
        at = put_word(at, station->region);
        *at++ = '"';
    }
    return at;
}

/* `text` stands last: a new version is the line with more text. */
static size_t
write_ticket(struct generator *generator,
             const struct subject *subject,
             char *out)
{
    struct random *random = &generator->random;
    enum ticket_type type = generator->phrases.matters[subject->matter].type;
    char *at = PUT_LITERAL(out, "{\"id\":\"");

    at = put_key(subject->key, at);
    *at++ = '"';
    at = put_type(generator, type, at);
    at = put_channel(generator, at);
    at = PUT_LITERAL(at, ",\"accepted_at\":\"");
    at = put_time(generator, subject->accepted_s, random_permille(random, 30),
                  at);
    *at++ = '"';
    at = put_person(generator, subject, at);
    at = put_place(generator, subject, at);
    if (subject->has_related) {
        at = PUT_LITERAL(at, ",\"related\":\"");
        at = put_key(subject->related, at);
        *at++ = '"';
    }
    if (random_permille(random, 200)) {
        at = PUT_LITERAL(at, ",\"agent\":\"A");
        at = put_digits(at, random_below(random, 2000), 4);
        *at++ = '"';
    }
    at = PUT_LITERAL(at, ",\"text\":\"");
    at = put_text(generator, subject, at);
    at = PUT_LITERAL(at, "\"}\n");
    assert(at - out < GENERATE_LINE_BYTES_MAX);
    return (size_t)(at - out);
}

/* --- lines that come again or later ------------------------------------- */

static void
hold(struct generator *generator,
     const char *line,
     size_t bytes,
     enum generated_kind kind)
{
    uint64_t distance =
        1 + random_below(&generator->random, generator->hold_lines_max);

    if (!held_add(&generator->held, generator->truth.lines + distance, line,
                  bytes, (uint8_t)kind)) {
        generator->no_memory = true;
    }
}

/* The same ticket, the customer called and said more. `line` has room. */
static void
hold_version(struct generator *generator, char *line, size_t bytes)
{
    static const char tail[] = "\"}\n";
    size_t kept = bytes - (sizeof(tail) - 1);
    char *at = PUT_LITERAL(line + kept, "补充：客户再次来电说明，");

    at =
        put_one(generator, generator->phrases.shared[SHARED_DEMANDS], NULL, at);
    at = PUT_LITERAL(at, "。\"}\n");
    hold(generator, line, (size_t)(at - line), GENERATED_VERSION);
    memcpy(line + kept, tail, sizeof(tail) - 1);
}

/*
 * Some lines come twice, in another version or late. Returns false when the
 * line is not to come now.
 */
static bool
spread(struct generator *generator,
       char *line,
       size_t bytes,
       enum generated_kind kind)
{
    const struct generate_options *options = &generator->options;
    uint32_t roll = random_below(&generator->random, 1000);

    if (generator->held.count >= HELD_MAX / 2) {
        return true;
    }
    if (roll < options->duplicate_permille) {
        hold(generator, line, bytes, GENERATED_DUPLICATE);
        return true;
    }
    roll -= options->duplicate_permille;
    if (roll < options->late_permille) {
        hold(generator, line, bytes, kind);
        generator->truth.late++;
        return false;
    }
    roll -= options->late_permille;
    if (kind == GENERATED_TICKET && roll < options->version_permille) {
        hold_version(generator, line, bytes);
    }
    return true;
}

/* --- events and bad lines ----------------------------------------------- */

static char *
put_event_details(struct generator *generator, enum event_kind kind, char *at)
{
    static const char *const satisfactions[8] = {
        "satisfied", "satisfied", "satisfied",    "satisfied",
        "basically", "neutral",   "dissatisfied", "none"};
    static const char *const verified[4] = {"yes", "yes", "partly", "no"};
    static const char *const corrections[4] = {
        "\"category\":\"quality\",\"subcategory\":\"供电可靠性\"",
        "\"category\":\"outage\",\"subcategory\":\"停送电管理\"",
        "\"category\":\"business\",\"subcategory\":\"电价电费\"",
        "\"category\":\"service\",\"subcategory\":\"服务行为\""};
    struct random *random = &generator->random;

    switch (kind) {
    case EVENT_KIND_REVISITED:
        at = PUT_LITERAL(at, ",\"satisfaction\":\"");
        at = put_word(at, satisfactions[random_below(random, 8)]);
        *at++ = '"';
        return at;
    case EVENT_KIND_VERIFIED:
        at = PUT_LITERAL(at, ",\"substantiated\":\"");
        at = put_word(at, verified[random_below(random, 4)]);
        *at++ = '"';
        return at;
    case EVENT_KIND_CORRECTED:
        *at++ = ',';
        at = put_word(at, corrections[random_below(random, 4)]);
        return PUT_LITERAL(at, ",\"by\":\"质检一组\",\"reason\":\"复核改判\"");
    case EVENT_KIND_SUSPENDED:
        return PUT_LITERAL(at, ",\"reason\":\"等待客户提供材料\"");
    default:
        return at;
    }
}

static size_t
write_event(struct generator *generator,
            const struct lifecycle_event *event,
            char *out)
{
    char *at = PUT_LITERAL(out, "{\"id\":\"");

    generator->truth.event_kinds[event->kind]++;
    at = put_key(event->key, at);
    at = PUT_LITERAL(at, "\",\"event\":\"");
    at = put_word(at, event_kind_wire(event->kind));
    at = PUT_LITERAL(at, "\",\"at\":\"");
    at = put_time(generator, event->at_s, false, at);
    *at++ = '"';
    at = put_event_details(generator, event->kind, at);
    at = PUT_LITERAL(at, "}\n");
    return (size_t)(at - out);
}

/* What feeds get wrong; every one must be refused. @ is a number. */
static const char *const bad_lines[] = {
    "{\"id\":\"B@\",\"type\":\"complaint\",\"accepted_at\":\"2025-03-01 "
    "10:00:00\",\"text\":\"客户反映",
    "{\"type\":\"complaint\",\"accepted_at\":\"2025-03-01 "
    "10:00:00\",\"text\":\"第@号没有编号\"}",
    "{\"id\":\"B@\",\"type\":\"complaint\",\"text\":\"没有受理时间\"}",
    "{\"id\":\"B@\",\"type\":\"complaint\",\"accepted_at\":\"2025-02-30 "
    "10:00:00\",\"text\":\"没有这一天\"}",
    "{\"id\":\"B@\",\"accepted_at\":\"2025-03-01 "
    "10:00:00\",\"text\":\"坏的编码\xff\xfe\"}",
    "{\"id\":\"B@\",\"type\":\"grumble\",\"accepted_at\":\"2025-03-01 "
    "10:00:00\",\"text\":\"没有这种类型\"}",
    "B@,complaint,95598,2025-03-01 10:00:00,一行逗号分隔的记录",
    "{\"id\":\"B@-"
    "0123456789012345678901234567890123456789012345678901234567890123\","
    "\"accepted_at\":\"2025-03-01 10:00:00\",\"text\":\"编号太长\"}",
    "{\"id\":\"B@\",\"event\":\"vanished\",\"at\":\"2025-03-01T10:00:00+08:"
    "00\"}",
    "{\"id\":\"B@\",\"event\":\"closed\"}",
    "{\"id\":\"B@\",\"id\":\"C@\",\"accepted_at\":\"2025-03-01 "
    "10:00:00\",\"text\":\"两个编号\"}",
    "{\"id\":\"B@\",\"accepted_at\":\"2025-03-01 "
    "10:00:00\",\"text\":[\"一个列表\"]}",
    "{\"id\":\"B@\",\"channel\":\"fax\",\"accepted_at\":\"2025-03-01 "
    "10:00:00\",\"text\":\"没有这种渠道\"}",
    "{\"id\":\"B@\",\"accepted_at\":\"2025-03-01 10:00:00\"}",
    "[\"B@\",\"complaint\"]",
};

static size_t
write_bad(struct generator *generator, char *out)
{
    uint32_t row = random_below(&generator->random,
                                sizeof(bad_lines) / sizeof(bad_lines[0]));
    char *at = out;

    for (const char *from = bad_lines[row]; *from != '\0'; from++) {
        if (*from == '@') {
            at = put_digits(at, generator->truth.bad, 8);
        } else {
            *at++ = *from;
        }
    }
    *at++ = '\n';
    return (size_t)(at - out);
}

/* --- the stream --------------------------------------------------------- */

static size_t
next_ticket(struct generator *generator, char *out)
{
    struct subject subject;
    size_t bytes;

    choose_subject(generator, generator->ticket_at_s, &subject);
    bytes = write_ticket(generator, &subject, out);
    if (generator->options.events &&
        !lifecycle_add(&generator->lifecycle, subject.key,
                       generator->phrases.matters[subject.matter].type,
                       subject.accepted_s, &generator->random)) {
        generator->no_memory = true;
    }
    generator->has_ticket = arrivals_next(
        &generator->arrivals, &generator->random, &generator->ticket_at_s);
    return bytes;
}

/* The next ticket or event by time; 0 when there is none any more. */
static size_t
next_in_time(struct generator *generator, char *out, enum generated_kind *kind)
{
    struct lifecycle_event event;
    int64_t now_s = generator->has_ticket
                        ? generator->ticket_at_s
                        : generator->arrivals.start_s +
                              (int64_t)generator->arrivals.hour_count * 3600;

    if (generator->options.events &&
        lifecycle_take(&generator->lifecycle, now_s, &generator->random,
                       &event)) {
        *kind = GENERATED_EVENT;
        return write_event(generator, &event, out);
    }
    *kind = GENERATED_TICKET;
    return generator->has_ticket ? next_ticket(generator, out) : 0;
}

static void
count_line(struct generate_truth *truth, enum generated_kind kind, size_t bytes)
{
    truth->lines++;
    truth->bytes += bytes;
    switch (kind) {
    case GENERATED_TICKET:
        truth->tickets++;
        break;
    case GENERATED_EVENT:
        truth->events++;
        break;
    case GENERATED_DUPLICATE:
        truth->duplicates++;
        break;
    case GENERATED_VERSION:
        truth->versions++;
        break;
    case GENERATED_BAD:
        truth->bad++;
        break;
    }
}

size_t
generator_line(struct generator *generator,
               char *out,
               enum generated_kind *kind)
{
    size_t bytes;
    uint8_t held_kind;

    *kind = GENERATED_BAD;
    if (random_permille(&generator->random, generator->options.bad_permille)) {
        bytes = write_bad(generator, out);
        count_line(&generator->truth, *kind, bytes);
        return bytes;
    }
    bytes =
        held_take(&generator->held, generator->truth.lines, out, &held_kind);
    if (bytes == 0) {
        do {
            bytes = next_in_time(generator, out, kind);
        } while (bytes > 0 && !spread(generator, out, bytes, *kind));
        if (bytes > 0) {
            count_line(&generator->truth, *kind, bytes);
            return bytes;
        }
        bytes = held_take(&generator->held, UINT64_MAX, out, &held_kind);
        if (bytes == 0) {
            return 0;
        }
    }
    *kind = (enum generated_kind)held_kind;
    count_line(&generator->truth, *kind, bytes);
    return bytes;
}

const struct generate_truth *
generator_truth(const struct generator *generator)
{
    return &generator->truth;
}

bool
generator_ok(const struct generator *generator)
{
    return !generator->no_memory;
}

/* --- the truth as JSON -------------------------------------------------- */

static void
print_count(FILE *out, const char *name, uint64_t count)
{
    (void)fprintf(out, ",\"%s\":%llu", name, (unsigned long long)count);
}

void
generate_truth_print(const struct generate_truth *truth,
                     const struct generate_options *options,
                     FILE *out)
{
    (void)fprintf(out, "{\"scenario\":\"%s\"",
                  generate_scenario_name(options->scenario));
    print_count(out, "seed", options->seed);
    print_count(out, "lines", truth->lines);
    print_count(out, "bytes", truth->bytes);
    print_count(out, "tickets", truth->tickets);
    print_count(out, "events", truth->events);
    print_count(out, "duplicates", truth->duplicates);
    print_count(out, "versions", truth->versions);
    print_count(out, "bad", truth->bad);
    print_count(out, "late", truth->late);
    print_count(out, "repeats", truth->repeats);
    (void)fprintf(out, ",\"types\":{\"unknown\":%llu",
                  (unsigned long long)truth->types[TICKET_TYPE_UNKNOWN]);
    for (int i = 1; i < TICKET_TYPE_COUNT; i++) {
        print_count(out, ticket_type_wire((enum ticket_type)i),
                    truth->types[i]);
    }
    (void)fprintf(out, "},\"event_kinds\":{\"%s\":%llu",
                  event_kind_wire((enum event_kind)0),
                  (unsigned long long)truth->event_kinds[0]);
    for (int i = 1; i < EVENT_KIND_COUNT; i++) {
        print_count(out, event_kind_wire((enum event_kind)i),
                    truth->event_kinds[i]);
    }
    (void)fprintf(out, "}}\n");
}
