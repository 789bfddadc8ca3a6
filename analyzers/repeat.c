/* Repeat calls: which earlier ticket is the same matter of the same person. */
#include "analyzers/repeat.h"

#include <assert.h>
#include <stdlib.h>

#include "analyzers/settings.h"

/* --- settings --- */

enum {
    SETTING_WINDOW,
    SETTING_REPEAT,
    SETTING_THIRD,
    SETTING_BURST,
    SETTING_BURST_MINUTES,
    SETTING_PHONE_CUSTOMERS,
    SETTING_CANDIDATES,
    SETTING_COUNT
};

static const struct setting settings_known[SETTING_COUNT] = {
    [SETTING_WINDOW] = {"repeat.window_days", "days", 1, 366},
    [SETTING_REPEAT] = {"repeat.calls_min", "calls", 2, 1000},
    [SETTING_THIRD] = {"repeat.third_call_min", "calls", 2, 1000},
    [SETTING_BURST] = {"repeat.burst_calls_min", "calls", 2, 1000},
    [SETTING_BURST_MINUTES] = {"repeat.burst_minutes", "minutes", 1, 44640},
    [SETTING_PHONE_CUSTOMERS] = {"repeat.phone_customers_max", "customers", 1,
                                 1000},
    [SETTING_CANDIDATES] = {"repeat.candidates_max", "tickets", 1, 1024},
};

enum err_code
repeat_settings_build(const struct dictionary_file *files,
                      size_t file_count,
                      struct repeat_settings **out,
                      struct err *err)
{
    uint64_t values[SETTING_COUNT];
    struct repeat_settings *settings;
    enum err_code code =
        settings_read(files, file_count, "repeat.", settings_known,
                      SETTING_COUNT, values, err);

    if (code != ERR_OK) {
        return code;
    }
    settings = calloc(1, sizeof(*settings));
    if (settings == NULL) {
        return err_set(err, ERR_NO_MEMORY, "dict/settings.csv");
    }
    settings->window_us = (int64_t)values[SETTING_WINDOW] * US_PER_DAY;
    settings->repeat_min = (uint32_t)values[SETTING_REPEAT];
    settings->third_call_min = (uint32_t)values[SETTING_THIRD];
    settings->burst_min = (uint32_t)values[SETTING_BURST];
    settings->burst_window_us =
        (int64_t)values[SETTING_BURST_MINUTES] * US_PER_MINUTE;
    settings->phone_customers_max = (uint32_t)values[SETTING_PHONE_CUSTOMERS];
    settings->candidates_max = (uint32_t)values[SETTING_CANDIDATES];
    *out = settings;
    return ERR_OK;
}

void
repeat_settings_free(struct repeat_settings **settings)
{
    free(*settings);
    *settings = NULL;
}

/* --- finding --- */

/* What all comparisons of one ticket share. */
struct search {
    const struct repeat_settings *settings;
    const struct repeat_ticket *ticket;
    const struct repeat_ticket *others;
    size_t other_count;
    bool phone_is_person;
};

static bool
is_earlier(const struct repeat_ticket *a, const struct repeat_ticket *b)
{
    return a->accepted_at_us < b->accepted_at_us ||
           (a->accepted_at_us == b->accepted_at_us && a->number < b->number);
}

static bool
in_window(const struct search *search, const struct repeat_ticket *other)
{
    return is_earlier(other, search->ticket) &&
           search->ticket->accepted_at_us - other->accepted_at_us <=
               search->settings->window_us;
}

static bool
same_hash(uint64_t a, uint64_t b)
{
    return a != 0 && a == b;
}

/* Was this customer number of the same phone seen among the first `count`? */
static bool
customer_seen(const struct search *search, uint64_t customer, size_t count)
{
    if (search->ticket->customer_hash == customer) {
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        const struct repeat_ticket *other = &search->others[i];

        if (other->customer_hash == customer &&
            same_hash(other->caller_hash, search->ticket->caller_hash) &&
            in_window(search, other)) {
            return true;
        }
    }
    return false;
}

/*
 * Has the ticket's phone given few enough customer numbers? Stops at the first
 * too many, so that a phone with thousands of tickets costs no more.
 */
static bool
phone_is_person(const struct search *search)
{
    uint32_t customers = search->ticket->customer_hash != 0 ? 1 : 0;

    for (size_t i = 0; i < search->other_count; i++) {
        const struct repeat_ticket *other = &search->others[i];

        if (other->customer_hash == 0 ||
            !same_hash(other->caller_hash, search->ticket->caller_hash) ||
            !in_window(search, other) ||
            customer_seen(search, other->customer_hash, i)) {
            continue;
        }
        if (++customers > search->settings->phone_customers_max) {
            return false;
        }
    }
    return true;
}

/* The key that links an earlier ticket by itself. */
static enum repeat_key
own_key(const struct search *search, const struct repeat_ticket *other)
{
    const struct repeat_ticket *ticket = search->ticket;

    if (ticket->matter != 0 && ticket->matter == other->matter &&
        in_window(search, other)) {
        if (same_hash(ticket->customer_hash, other->customer_hash)) {
            return REPEAT_KEY_CUSTOMER;
        }
        if (ticket->customer_hash == 0 || other->customer_hash == 0) {
            if (search->phone_is_person &&
                same_hash(ticket->caller_hash, other->caller_hash)) {
                return REPEAT_KEY_CALLER;
            }
            if (same_hash(ticket->address_hash, other->address_hash)) {
                return REPEAT_KEY_ADDRESS;
            }
        }
    }
    if (ticket->related != 0 && (ticket->related == other->number ||
                                 ticket->related == other->related)) {
        return REPEAT_KEY_RELATED;
    }
    return REPEAT_KEY_NONE;
}

static bool
may_link(const struct search *search, const struct repeat_ticket *other)
{
    return other->number != search->ticket->number && !other->excluded &&
           is_earlier(other, search->ticket);
}

/* Is a ticket that is linked by itself related to this one? */
static bool
linked_by_another(const struct search *search,
                  const struct repeat_ticket *other)
{
    for (size_t i = 0; i < search->other_count; i++) {
        const struct repeat_ticket *middle = &search->others[i];

        if (middle->related == other->number && may_link(search, middle) &&
            own_key(search, middle) != REPEAT_KEY_NONE) {
            return true;
        }
    }
    return false;
}

/* A caller that gathers by several keys may hand one ticket twice. */
static bool
seen_before(const struct search *search, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (search->others[i].number == search->others[index].number) {
            return true;
        }
    }
    return false;
}

static void
count_call(const struct search *search,
           const struct repeat_ticket *other,
           struct repeat_finding *out)
{
    out->calls++;
    if (search->ticket->accepted_at_us - other->accepted_at_us <=
        search->settings->burst_window_us) {
        out->burst_calls++;
    }
}

void
repeat_find(const struct repeat_settings *settings,
            const struct repeat_ticket *ticket,
            const struct repeat_ticket *others,
            size_t other_count,
            struct repeat_finding *out)
{
    struct search search = {settings, ticket, others, other_count, false};
    const struct repeat_ticket *previous = NULL;
    bool any_related = false;

    assert(ticket->number > 0);
    *out = (struct repeat_finding){0, REPEAT_KEY_NONE, 1, 1};
    if (ticket->excluded) {
        return;
    }
    search.phone_is_person =
        ticket->caller_hash != 0 && phone_is_person(&search);
    for (size_t i = 0; i < other_count; i++) {
        any_related = any_related || others[i].related != 0;
    }
    for (size_t i = 0; i < other_count; i++) {
        const struct repeat_ticket *other = &others[i];
        enum repeat_key key;

        if (!may_link(&search, other)) {
            continue;
        }
        key = own_key(&search, other);
        if (key == REPEAT_KEY_NONE && any_related &&
            linked_by_another(&search, other)) {
            key = REPEAT_KEY_RELATED;
        }
        if (key == REPEAT_KEY_NONE || seen_before(&search, i)) {
            continue;
        }
        count_call(&search, other, out);
        if (previous == NULL || is_earlier(previous, other)) {
            previous = other;
            out->previous = other->number;
            out->key = key;
        }
    }
}

/* --- addresses --- */

enum { ADDRESS_CHARS_MIN = 8, ADDRESS_NAME_CHARS_MIN = 4 };

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z');
}

/* Does the list "一;二;…" hold this word? Empty words are not held. */
static bool
one_of(struct span word, const char *list)
{
    struct span rest = span_of(list);

    while (word.bytes > 0 && rest.bytes > 0) {
        if (span_equal(span_split(&rest, ';'), word)) {
            return true;
        }
    }
    return false;
}

/* The character that ends just before `at`, or the empty span. */
static struct span
char_before(struct span text, size_t at)
{
    size_t from = at;

    while (from > 0) {
        from--;
        if (((unsigned char)text.data[from] & 0xC0) != 0x80) {
            break;
        }
    }
    return (struct span){text.data + from, at - from};
}

static struct span
char_at(struct span text, size_t at)
{
    struct span rest = {text.data + at, text.bytes - at};

    rest.bytes = utf8_next(rest, NULL);
    return rest;
}

/* One character to its folded form: 0 drops it, '(' and ')' are any bracket. */
static uint32_t
fold_char(uint32_t c)
{
    if (c >= 0xFF01 && c <= 0xFF5E) {
        c -= 0xFEE0;
    }
    if (c >= 'A' && c <= 'Z') {
        return c + ('a' - 'A');
    }
    if (c < 0x80) {
        if (c == '(' || c == '[' || c == '{') {
            return '(';
        }
        if (c == ')' || c == ']' || c == '}') {
            return ')';
        }
        return is_alnum((char)c) || c == '-' || c == '#' ? c : 0;
    }
    if ((c >= 0x2010 && c <= 0x2015) || c == 0x2212) {
        return '-';
    }
    if (c == 0x3007) { /* 〇 */
        return '0';
    }
    if (c == 0x3010 || c == 0x3014) {
        return '(';
    }
    if (c == 0x3011 || c == 0x3015) {
        return ')';
    }
    if (c == 0xB7 || c == 0xA0 || c == 0xFEFF || (c >= 0x2000 && c <= 0x206F) ||
        (c >= 0x3000 && c <= 0x303F)) {
        return 0;
    }
    return c;
}

static bool
is_ideograph(uint32_t c)
{
    return c >= 0x4E00 && c <= 0x9FFF;
}

/* Full-width, case, blanks, punctuation, brackets; `#` and dashes after a
 * number become `-`. Never longer than the input. */
static size_t
fold_address(struct span address, char *out)
{
    size_t used = 0;
    size_t depth = 0;

    while (address.bytes > 0) {
        uint32_t given = 0;
        size_t bytes = utf8_next(address, &given);
        uint32_t c = is_ideograph(given) ? given : fold_char(given);

        if (c == '(') {
            depth++;
        } else if (c == ')') {
            depth -= depth > 0 ? 1 : 0;
        } else if (c == 0 || depth > 0) {
            /* dropped */
        } else if (c == '-' || c == '#') {
            if (used > 0 && is_alnum(out[used - 1])) {
                out[used++] = '-';
            }
        } else if (c == given) {
            memcpy(out + used, address.data, bytes);
            used += bytes;
        } else {
            out[used++] = (char)c; /* what is folded becomes ASCII */
        }
        address.data += bytes;
        address.bytes -= bytes;
    }
    return used;
}

/*
 * Bytes of a leading part of min..max characters and `suffix`; 0 when there is
 * none. `not_before` and `not_after` are characters that make the suffix a
 * part of another word (小区, 超市, 市场).
 */
static size_t
leading_part(struct span text,
             const char *suffix,
             size_t min,
             size_t max,
             const char *not_before,
             const char *not_after)
{
    struct span tail = span_of(suffix);
    size_t at = 0;

    for (size_t chars = 0; chars <= max && at < text.bytes; chars++) {
        struct span rest = {text.data + at, text.bytes - at};

        if (is_digit(text.data[at])) {
            return 0;
        }
        /* the third byte of a Chinese character tells most of them apart */
        if (chars >= min && rest.bytes >= tail.bytes &&
            rest.data[2] == suffix[2] && span_starts(rest, tail) &&
            !one_of(char_before(text, at), not_before) &&
            !one_of(char_at(text, at + tail.bytes), not_after)) {
            return at + tail.bytes;
        }
        at += utf8_next(rest, NULL);
    }
    return 0;
}

/* Without province, city and county, which agents leave out at times. */
static struct span
strip_area(struct span text)
{
    static const struct {
        const char *suffix;
        size_t min;
        size_t max;
        const char *not_before;
        const char *not_after;
    } steps[] = {
        {"自治区", 2, 5, "", ""},
        {"省", 2, 3, "", ""},
        {"市", 2, 4, "超;菜;城;夜;门;都", "场;民;政;府;区;委;直"},
        {"市", 2, 4, "超;菜;城;夜;门;都", "场;民;政;府;区;委;直"},
        {"县", 1, 4, "", "城;府;委;医;政;一;二"},
        {"区", 2, 3,
         "小;社;园;新;校;厂;矿;院;发;住;景;库;民;林;牧;东;西;南;北;中;商", ""},
    };

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        size_t bytes =
            leading_part(text, steps[i].suffix, steps[i].min, steps[i].max,
                         steps[i].not_before, steps[i].not_after);

        text.data += bytes;
        text.bytes -= bytes;
    }
    return text;
}

/* What the numbers of an address say while it is rewritten. */
struct household {
    size_t dashes;
    bool typed_dash; /* the last one stood in the address */
    bool room;
};

/* Bytes of the building, unit or floor word at the front, 0 for none. */
static size_t
container_bytes(struct span rest)
{
    static const char *const words[] = {"号楼", "单元", "栋", "幢",
                                        "座",   "层",   "楼"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        struct span word = span_of(words[i]);

        if (span_starts(rest, word)) {
            return word.bytes;
        }
    }
    return 0;
}

/* Bytes of a room word at the front, 0 for none. */
static size_t
room_bytes(struct span rest)
{
    static const char *const words[] = {"号室", "号房", "室", "房"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        struct span word = span_of(words[i]);

        if (span_starts(rest, word)) {
            return word.bytes;
        }
    }
    return 0;
}

/*
 * Rewrite in place behind numbers: containers to `-`, room words away. Returns
 * the bytes left, never more than there were.
 */
static size_t
rewrite(char *out, size_t out_bytes, struct household *household)
{
    struct span text = {out, out_bytes};
    size_t at = 0;
    size_t used;

    while (at < text.bytes && !is_alnum(text.data[at])) {
        at++;
    }
    used = at;
    while (at < text.bytes) {
        struct span rest = {text.data + at, text.bytes - at};
        bool behind =
            used > 0 && is_alnum(out[used - 1]) && !is_alnum(text.data[at]);
        size_t container = behind ? container_bytes(rest) : 0;
        size_t room = behind && is_digit(out[used - 1]) ? room_bytes(rest) : 0;

        if (text.data[at] == '-' || container > 0) {
            at += container > 0 ? container : 1;
            if (used > 0 && out[used - 1] != '-') {
                out[used++] = '-';
                household->dashes++;
                household->typed_dash = container == 0;
            }
        } else if (room > 0) {
            at += room;
            household->room = true;
        } else {
            size_t bytes = utf8_next(rest, NULL);

            memmove(out + used, text.data + at, bytes);
            used += bytes;
            at += bytes;
        }
    }
    return used;
}

/* Is the number at the end, or the house number, that of one household? */
static bool
ends_in_household(struct span text, const struct household *household)
{
    static const char house[] = "号";
    struct span last = char_before(text, text.bytes);
    size_t end = text.bytes;
    size_t from;

    if (span_is(last, "户")) {
        struct span side = char_before(text, text.bytes - last.bytes);

        return household->dashes > 0 && one_of(side, "东;西;南;北;中;左;右;间");
    }
    if (span_is(last, house)) {
        end -= last.bytes;
    }
    from = end;
    while (from > 0 && is_digit(text.data[from - 1])) {
        from--;
    }
    if (from == end || from == 0) {
        return false;
    }
    if (end < text.bytes) {
        return one_of(char_before(text, from), "组;队;村;屯;社;庄;巷;同;铺;摊");
    }
    if (text.data[from - 1] != '-') {
        return false;
    }
    return household->dashes >= 2 ||
           end - from >= (household->typed_dash ? 2 : 3);
}

size_t
repeat_normalise_address(struct span address, char *out)
{
    struct household household = {0, false, false};
    struct span text = {out, fold_address(address, out)};
    size_t name_chars = 0;
    size_t at = 0;

    text.bytes = rewrite(out, text.bytes, &household);
    if (!household.room && !ends_in_household(text, &household)) {
        return 0;
    }
    text = strip_area(text);
    while (at < text.bytes && !is_digit(text.data[at])) {
        at += char_at(text, at).bytes;
        name_chars++;
    }
    if (at == text.bytes || name_chars < ADDRESS_NAME_CHARS_MIN ||
        utf8_count(text) < ADDRESS_CHARS_MIN) {
        return 0;
    }
    memmove(out, text.data, text.bytes);
    return text.bytes;
}
