/* Walks through a pattern and writes down one of its texts. */
#include "bench/pattern_text.h"

#include <stdbool.h>

enum {
    ENDLESS = -1,
    ENDLESS_TIMES = 20, /* how often `*` and `+` repeat at most */
    USUAL_TIMES = 8,    /* above its lower bound */
    MEMBERS_MAX = 64
};

struct walk {
    struct span in;
    size_t at;
    struct span strangers;
    struct random *random;
    char *out;
    size_t used;
    size_t room;
};

static void walk_alternatives(struct walk *w);

struct span
pattern_text_stranger(struct span strangers, struct random *random)
{
    size_t at = random_below(random, (uint32_t)strangers.bytes);

    while (at > 0 && ((unsigned char)strangers.data[at] & 0xC0) == 0x80) {
        at--;
    }
    return (struct span){
        strangers.data + at,
        utf8_next((struct span){strangers.data + at, strangers.bytes - at},
                  NULL)};
}

/* --------------------------------------------------------------- characters */

static void
put(struct walk *w, struct span c)
{
    if (c.bytes > w->room - w->used) {
        w->room = w->used; /* nothing more, so that no character is cut */
        return;
    }
    memcpy(w->out + w->used, c.data, c.bytes);
    w->used += c.bytes;
}

static void
put_code_point(struct walk *w, uint32_t c)
{
    char bytes[4];

    put(w, (struct span){bytes, utf8_put(c, bytes)});
}

static void
put_stranger(struct walk *w)
{
    put(w, pattern_text_stranger(w->strangers, w->random));
}

static bool
take(struct walk *w, const char *text)
{
    struct span rest = {w->in.data + w->at, w->in.bytes - w->at};

    if (!span_starts(rest, span_of(text))) {
        return false;
    }
    w->at += strlen(text);
    return true;
}

static bool
peek(const struct walk *w, char c)
{
    return w->at < w->in.bytes && w->in.data[w->at] == c;
}

static uint32_t
next_char(struct walk *w)
{
    uint32_t c = 0;

    w->at +=
        utf8_next((struct span){w->in.data + w->at, w->in.bytes - w->at}, &c);
    return c;
}

/* ---------------------------------------------------------- classes, escapes
 */

/* \x41 and \x{4e00}. */
static uint32_t
hexadecimal(struct walk *w)
{
    bool braces = take(w, "{");
    uint32_t code = 0;

    for (int digits = 0; (braces || digits < 2) && w->at < w->in.bytes;
         digits++) {
        char c = w->in.data[w->at];
        uint32_t low = (uint32_t)(c | 0x20);

        if (c >= '0' && c <= '9') {
            code = code * 16 + (uint32_t)(c - '0');
        } else if (low >= 'a' && low <= 'f') {
            code = code * 16 + (low - 'a' + 10);
        } else {
            break;
        }
        w->at++;
    }
    if (braces) {
        (void)take(w, "}");
    }
    return code;
}

/* After a backslash: one character of what it stands for; 0: none. */
static uint32_t
escaped(struct walk *w)
{
    uint32_t c = next_char(w);

    switch (c) {
    case 'b':
    case 'B':
        return 0;
    case 'd':
        return '0' + random_below(w->random, 10);
    case 'w':
        return 'a' + random_below(w->random, 26);
    case 's':
        return ' ';
    case 'D':
    case 'W':
    case 'S':
        return 0x7684; /* 的 */
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case 'x':
        return hexadecimal(w);
    default:
        return c;
    }
}

/* The members of a class, as far as there is room. */
struct members {
    uint32_t from[MEMBERS_MAX];
    uint32_t to[MEMBERS_MAX];
    size_t count;
};

/* After `[`, up to behind `]`. */
static void
read_members(struct walk *w, struct members *out)
{
    bool first = true;

    out->count = 0;
    while (w->at < w->in.bytes && (first || !peek(w, ']'))) {
        uint32_t from = next_char(w);
        uint32_t to;

        first = false;
        from = from == '\\' ? escaped(w) : from;
        to = from;
        if (peek(w, '-') && w->at + 1 < w->in.bytes &&
            w->in.data[w->at + 1] != ']') {
            w->at++;
            to = next_char(w);
            to = to == '\\' ? escaped(w) : to;
        }
        if (from > 0 && out->count < MEMBERS_MAX) {
            out->from[out->count] = from;
            out->to[out->count++] = to < from ? from : to;
        }
    }
    (void)take(w, "]");
}

static bool
is_member(const struct members *members, struct span c)
{
    uint32_t code = 0;

    (void)utf8_next(c, &code);
    for (size_t i = 0; i < members->count; i++) {
        if (code >= members->from[i] && code <= members->to[i]) {
            return true;
        }
    }
    return false;
}

/* One of its members, or a stranger for [^…]; now and then the other way. */
static void
walk_class(struct walk *w)
{
    bool negated = take(w, "^");
    struct members members;

    read_members(w, &members);
    if (negated && random_below(w->random, 32) > 0) {
        struct span c = pattern_text_stranger(w->strangers, w->random);

        for (int tries = 0; tries < 8 && is_member(&members, c); tries++) {
            c = pattern_text_stranger(w->strangers, w->random);
        }
        put(w, c);
    } else if (members.count > 0) {
        uint32_t i = random_below(w->random, (uint32_t)members.count);
        uint32_t some = members.to[i] - members.from[i] + 1;

        put_code_point(w, members.from[i] + random_below(w->random, some));
    }
}

/* -------------------------------------------------------------------- groups
 */

/* After `(`. What a look-around asks for is written half of the time, what it
 * forbids rarely. */
static void
walk_group(struct walk *w)
{
    size_t before = w->used;
    bool kept = true;

    if (take(w, "?=") || take(w, "?<=")) {
        kept = random_below(w->random, 2) == 0;
    } else if (take(w, "?!") || take(w, "?<!")) {
        kept = random_below(w->random, 16) == 0;
    } else if (!take(w, "?:")) {
        (void)take(w, "?>");
    }
    walk_alternatives(w);
    (void)take(w, ")");
    if (!kept) {
        w->used = before;
    }
}

static void
walk_atom(struct walk *w)
{
    uint32_t c = next_char(w);

    switch (c) {
    case '.':
        put_stranger(w);
        break;
    case '[':
        walk_class(w);
        break;
    case '(':
        walk_group(w);
        break;
    case '^':
    case '$':
        break;
    case '\\':
        c = escaped(w);
        if (c > 0) {
            put_code_point(w, c);
        }
        break;
    default:
        put_code_point(w, c);
        break;
    }
}

/* --------------------------------------------------------------- repetitions
 */

static bool
read_number(struct walk *w, int *out)
{
    size_t start = w->at;

    *out = 0;
    while (w->at < w->in.bytes && w->in.data[w->at] >= '0' &&
           w->in.data[w->at] <= '9' && *out < 100000) {
        *out = *out * 10 + (w->in.data[w->at] - '0');
        w->at++;
    }
    return w->at > start;
}

static void
read_bounds(struct walk *w, int *min, int *max)
{
    size_t start = w->at;

    *min = 1;
    *max = 1;
    if (take(w, "?")) {
        *min = 0;
    } else if (take(w, "*")) {
        *min = 0;
        *max = ENDLESS;
    } else if (take(w, "+")) {
        *max = ENDLESS;
    } else if (take(w, "{") && read_number(w, min)) {
        *max = *min;
        if (take(w, ",") && !read_number(w, max)) {
            *max = ENDLESS;
        }
        (void)take(w, "}");
    } else {
        w->at = start;
        return;
    }
    if (!take(w, "?")) {
        (void)take(w, "+");
    }
}

/* How often this time: mostly few, the bounds often, beyond them rarely. */
static int
times(struct walk *w, int min, int max)
{
    uint32_t how = random_below(w->random, 32);

    if (min == 1 && max == 1) {
        return 1;
    }
    if (max == ENDLESS) {
        return min + (int)random_below(w->random, ENDLESS_TIMES);
    }
    switch (how) {
    case 0:
        return max + 1;
    case 1:
        return min > 0 ? min - 1 : min;
    case 2:
    case 3:
    case 4:
        return max;
    case 5:
    case 6:
        return min;
    default:
        max = max > min + USUAL_TIMES ? min + USUAL_TIMES : max;
        return min + (int)random_below(w->random, (uint32_t)(max - min + 1));
    }
}

static void
walk_repeated(struct walk *w)
{
    size_t start = w->at;
    size_t before = w->used;
    size_t end;
    int min;
    int max;
    int left;

    walk_atom(w);
    read_bounds(w, &min, &max);
    end = w->at;
    left = times(w, min, max);
    if (left == 0) {
        w->used = before;
    }
    while (--left > 0 && w->used < w->room) {
        w->at = start;
        walk_atom(w);
    }
    w->at = end;
}

/* Each is walked through; one of them stays. */
static void
walk_alternatives(struct walk *w)
{
    size_t start = w->used;
    uint32_t count = 0;

    do {
        size_t from = w->used;

        while (w->at < w->in.bytes && !peek(w, '|') && !peek(w, ')')) {
            walk_repeated(w);
        }
        if (random_below(w->random, ++count) == 0) {
            memmove(w->out + start, w->out + from, w->used - from);
            w->used = start + (w->used - from);
        } else {
            w->used = from;
        }
    } while (take(w, "|"));
}

size_t
pattern_text_write(struct span pattern,
                   struct span strangers,
                   struct random *random,
                   char *out,
                   size_t room)
{
    struct walk walk = {.in = pattern,
                        .strangers = strangers,
                        .random = random,
                        .out = out,
                        .room = room};

    walk_alternatives(&walk);
    return walk.used;
}
