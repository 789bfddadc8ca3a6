/* A rule's pattern: refuse what is dangerous. */
#include "analyzers/pattern.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { REPEAT_ENDLESS = -1, CLASS_MEMBERS_MAX = 64 };

struct parser {
    struct span in;
    size_t at;
    const struct cleaner *cleaner;
    unsigned depth;
    struct pattern_fault *fault;
};

/* What is known of a part that was read. */
struct part {
    size_t endless_at; /* offset of an unbounded repetition inside */
    bool endless;
    bool solid;   /* cannot match without a character that is named */
    bool nothing; /* zero width: anchors and look-around */
};

struct char_class {
    uint8_t ascii[16];
    uint32_t wide[CLASS_MEMBERS_MAX];
    size_t wide_count;
    bool any; /* too many members to list, or negated */
};

static bool parse_alternatives(struct parser *p, struct part *part);

static bool
refuse(struct parser *p, size_t offset, const char *problem, const char *remedy)
{
    *p->fault = (struct pattern_fault){offset, problem, remedy};
    return false;
}

static bool
peek(const struct parser *p, const char *text)
{
    return span_starts((struct span){p->in.data + p->at, p->in.bytes - p->at},
                       span_of(text));
}

static bool
take(struct parser *p, const char *text)
{
    if (!peek(p, text)) {
        return false;
    }
    p->at += strlen(text);
    return true;
}

/* A character that the cleaned text can hold. */
static bool
check_literal(struct parser *p, size_t offset, uint32_t c)
{
    uint32_t mapped;

    if (p->cleaner == NULL || c == '\n') {
        return true;
    }
    mapped = cleaner_maps(p->cleaner, c);
    if (mapped == c || c < 0x80) {
        if (c >= 'A' && c <= 'Z') {
            return refuse(p, offset, "the text is read in lower case",
                          "write the letter small");
        }
        return true;
    }
    return refuse(p, offset, "the cleaned text never holds this character",
                  mapped == 0
                      ? "leave it out"
                      : "write it as the cleaner does: half-width, Simplified, "
                        "plain quotes");
}

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* After `\x`: two digits or {digits}. */
static bool
parse_hex(struct parser *p, size_t offset, uint32_t *out)
{
    bool braces = take(p, "{");
    size_t digits = 0;

    *out = 0;
    while (p->at < p->in.bytes && hex_value(p->in.data[p->at]) >= 0 &&
           digits < (braces ? 6u : 2u)) {
        *out = *out * 16 + (uint32_t)hex_value(p->in.data[p->at]);
        p->at++;
        digits++;
    }
    if (digits == 0 || (braces && !take(p, "}")) || *out > 0x10FFFF) {
        return refuse(p, offset, "not a character number",
                      "write the character itself or \\x{4E00}");
    }
    return true;
}

enum escape_kind { ESCAPE_CHAR, ESCAPE_SET, ESCAPE_ANY, ESCAPE_NOTHING };

/* After the backslash. For ESCAPE_SET *c is the letter d, w or s. */
static bool
parse_escape(struct parser *p, enum escape_kind *kind, uint32_t *c)
{
    size_t offset = p->at - 1;
    size_t bytes =
        utf8_next((struct span){p->in.data + p->at, p->in.bytes - p->at}, c);

    if (bytes == 0) {
        return refuse(p, offset, "a backslash at the end",
                      "write \\\\ for the character itself");
    }
    p->at += bytes;
    *kind = ESCAPE_CHAR;
    switch (*c) {
    case 'd':
    case 'w':
    case 's':
        *kind = ESCAPE_SET;
        return true;
    case 'D':
    case 'W':
    case 'S':
        *kind = ESCAPE_ANY;
        return true;
    case 'b':
    case 'B':
        *kind = ESCAPE_NOTHING;
        return true;
    case 'n':
        *c = '\n';
        return true;
    case 't':
        *c = '\t';
        return true;
    case 'x':
        return parse_hex(p, offset, c);
    default:
        break;
    }
    if ((*c >= '0' && *c <= '9') || *c == 'g' || *c == 'k') {
        return refuse(p, offset, "back-references are not allowed",
                      "write the words out");
    }
    if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z')) {
        return refuse(p, offset, "this escape is not allowed in rules",
                      "allowed: \\d \\w \\s \\D \\W \\S \\b \\n \\x{…} and "
                      "punctuation");
    }
    return true;
}

/* ---------------------------------------------------------------- classes */

static void
class_add_range(struct char_class *set, uint32_t first, uint32_t last)
{
    for (uint32_t c = first; c <= last; c++) {
        if (c < 0x80) {
            set->ascii[c / 8] |= (uint8_t)(1u << (c % 8));
        } else if (set->wide_count < CLASS_MEMBERS_MAX) {
            set->wide[set->wide_count++] = c;
        } else {
            set->any = true;
            return;
        }
    }
}

static void
class_add_set(struct char_class *set, uint32_t letter)
{
    if (letter == 's') {
        class_add_range(set, '\t', '\r');
        class_add_range(set, ' ', ' ');
        return;
    }
    class_add_range(set, '0', '9');
    if (letter == 'w') {
        class_add_range(set, 'a', 'z');
        class_add_range(set, 'A', 'Z');
        class_add_range(set, '_', '_');
    }
}

/* One member: a character or an escape. */
static bool
parse_member(struct parser *p,
             struct char_class *set,
             uint32_t *c,
             bool *is_char)
{
    size_t offset = p->at;
    enum escape_kind kind = ESCAPE_CHAR;

    if (take(p, "\\")) {
        if (!parse_escape(p, &kind, c)) {
            return false;
        }
    } else {
        p->at += utf8_next(
            (struct span){p->in.data + p->at, p->in.bytes - p->at}, c);
    }
    *is_char = kind == ESCAPE_CHAR;
    if (kind == ESCAPE_SET) {
        class_add_set(set, *c);
    } else if (kind == ESCAPE_ANY) {
        set->any = true;
    } else if (kind == ESCAPE_NOTHING) {
        return refuse(p, offset, "\\b inside [ ] means nothing here",
                      "leave it out");
    } else {
        return check_literal(p, offset, *c);
    }
    return true;
}

static bool
parse_class(struct parser *p, struct char_class *set)
{
    size_t offset = p->at - 1;
    bool negated = take(p, "^");
    bool first = true;

    while (first || !peek(p, "]")) {
        uint32_t from;
        uint32_t to;
        bool is_char;

        first = false;
        if (p->at >= p->in.bytes) {
            return refuse(p, offset, "[ is not closed", "write ]");
        }
        if (peek(p, "[:")) {
            return refuse(p, p->at, "[:names:] are not allowed",
                          "write \\d, \\w or the characters");
        }
        if (!parse_member(p, set, &from, &is_char)) {
            return false;
        }
        to = from;
        if (is_char && peek(p, "-") && !peek(p, "-]")) {
            p->at++;
            if (!parse_member(p, set, &to, &is_char)) {
                return false;
            }
            if (!is_char || to < from) {
                return refuse(p, offset, "this range runs backwards",
                              "write the lower character first");
            }
        }
        if (is_char) {
            class_add_range(set, from, to);
        }
    }
    p->at++;
    set->any = set->any || negated;
    return true;
}

/* ------------------------------------------------------------------ atoms */

/* After `(?`: what kind of group; the cursor goes behind the mark. */
static bool
parse_group_kind(struct parser *p, size_t offset, bool *look)
{
    *look = false;
    if (take(p, ":") || take(p, ">")) {
        return true;
    }
    if (take(p, "=") || take(p, "!") || take(p, "<=") || take(p, "<!")) {
        *look = true;
        return true;
    }
    if (peek(p, "R") || peek(p, "&") || peek(p, "0") || peek(p, "+") ||
        peek(p, "1") || peek(p, "P>")) {
        return refuse(p, offset, "recursion is not allowed",
                      "write the part out");
    }
    if (peek(p, "C")) {
        return refuse(p, offset, "callouts are not allowed", "remove it");
    }
    return refuse(p, offset, "this kind of group is not allowed",
                  "allowed: ( ) (?: ) (?> ) (?= ) (?! ) (?<= ) (?<! )");
}

static bool
parse_group(struct parser *p, struct part *part)
{
    size_t offset = p->at - 1;
    bool look = false;

    if (peek(p, "*")) {
        return refuse(p, offset, "(*VERBS) are not allowed", "remove it");
    }
    if (take(p, "?") && !parse_group_kind(p, offset, &look)) {
        return false;
    }
    if (++p->depth > PATTERN_DEPTH_MAX) {
        return refuse(p, offset, "brackets are nested too deep",
                      "simplify the pattern");
    }
    if (!parse_alternatives(p, part)) {
        return false;
    }
    p->depth--;
    if (!take(p, ")")) {
        return refuse(p, offset, "( is not closed", "write )");
    }
    if (look) {
        if (part->endless) {
            return refuse(p, part->endless_at,
                          "unbounded repetition inside a look-around",
                          "give it a bound, such as {0,30}");
        }
        part->nothing = true;
        part->solid = false;
    }
    return true;
}

static bool
parse_class_atom(struct parser *p, struct part *part)
{
    struct char_class set = {.any = false};

    if (!parse_class(p, &set)) {
        return false;
    }
    part->solid = !set.any;
    return true;
}

static bool
parse_escape_atom(struct parser *p, struct part *part)
{
    size_t offset = p->at - 1;
    enum escape_kind kind;
    uint32_t c;

    if (!parse_escape(p, &kind, &c)) {
        return false;
    }
    switch (kind) {
    case ESCAPE_NOTHING:
        part->nothing = true;
        return true;
    case ESCAPE_ANY:
        return true;
    case ESCAPE_SET:
        part->solid = true;
        return true;
    default:
        part->solid = true;
        return check_literal(p, offset, c);
    }
}

static bool
parse_atom(struct parser *p, struct part *part)
{
    size_t offset = p->at;
    uint32_t c;

    *part = (struct part){.solid = false};
    p->at +=
        utf8_next((struct span){p->in.data + p->at, p->in.bytes - p->at}, &c);
    switch (c) {
    case '.':
        return true;
    case '[':
        return parse_class_atom(p, part);
    case '(':
        return parse_group(p, part);
    case '\\':
        return parse_escape_atom(p, part);
    case '^':
    case '$':
        part->nothing = true;
        return true;
    case '?':
    case '*':
    case '+':
        return refuse(p, offset, "nothing stands before this repetition",
                      "write \\ before it for the character itself");
    default:
        part->solid = true;
        return check_literal(p, offset, c);
    }
}

/* ------------------------------------------------------------ repetitions */

static bool
parse_number(struct parser *p, int *out)
{
    size_t start = p->at;

    *out = 0;
    while (p->at < p->in.bytes && p->in.data[p->at] >= '0' &&
           p->in.data[p->at] <= '9' && *out < 100000) {
        *out = *out * 10 + (p->in.data[p->at] - '0');
        p->at++;
    }
    return p->at > start;
}

/* {n}, {n,}, {n,m}; false when the brace is something else. */
static bool
parse_braces(struct parser *p, int *min, int *max)
{
    size_t start = p->at;

    if (take(p, "{") && parse_number(p, min)) {
        *max = *min;
        if (take(p, ",") && !parse_number(p, max)) {
            *max = REPEAT_ENDLESS;
        }
        if (take(p, "}")) {
            return true;
        }
    }
    p->at = start;
    return false;
}

static bool
parse_repetition(struct parser *p, int *min, int *max)
{
    *min = 1;
    *max = 1;
    if (take(p, "?")) {
        *min = 0;
    } else if (take(p, "*")) {
        *min = 0;
        *max = REPEAT_ENDLESS;
    } else if (take(p, "+")) {
        *max = REPEAT_ENDLESS;
    } else if (!parse_braces(p, min, max)) {
        return false;
    }
    if (!take(p, "?")) {
        (void)take(p, "+");
    }
    return true;
}

static bool
parse_repeated(struct parser *p, struct part *part)
{
    size_t offset = p->at;
    int min;
    int max;

    if (!parse_repetition(p, &min, &max)) {
        return true;
    }
    if (part->nothing) {
        return refuse(p, offset, "a repetition of nothing",
                      "repeat a character or a group");
    }
    if (max != REPEAT_ENDLESS && max < min) {
        return refuse(p, offset, "the upper bound is below the lower one",
                      "exchange them");
    }
    if (part->endless && max != 1 && max != 0) {
        return refuse(p, part->endless_at,
                      "unbounded repetition inside a repeated group",
                      "give it a bound, such as {0,12}");
    }
    if (max == REPEAT_ENDLESS) {
        part->endless = true;
        part->endless_at = offset;
    }
    part->solid = part->solid && min > 0;
    return true;
}

static bool
parse_sequence(struct parser *p, struct part *part)
{
    while (p->at < p->in.bytes && !peek(p, "|") && !peek(p, ")")) {
        struct part one;

        if (!parse_atom(p, &one) || !parse_repeated(p, &one)) {
            return false;
        }
        part->solid = part->solid || one.solid;
        if (one.endless && !part->endless) {
            part->endless = true;
            part->endless_at = one.endless_at;
        }
    }
    return true;
}

static bool
parse_alternatives(struct parser *p, struct part *part)
{
    bool all_solid = true;

    do {
        part->solid = false;
        if (!parse_sequence(p, part)) {
            return false;
        }
        all_solid = all_solid && part->solid;
    } while (take(p, "|"));
    part->solid = all_solid;
    return true;
}

static bool
parse_all(struct parser *p, struct part *part)
{
    if (p->in.bytes == 0) {
        return refuse(p, 0, "the pattern is empty", "write the words");
    }
    if (!parse_alternatives(p, part)) {
        return false;
    }
    if (p->at < p->in.bytes) {
        return refuse(p, p->at, ") without (", "write \\) for the bracket");
    }
    return true;
}

bool
pattern_check(struct span pattern,
              const struct cleaner *cleaner,
              bool solid,
              struct pattern_fault *fault)
{
    struct parser p = {.in = pattern, .cleaner = cleaner, .fault = fault};
    struct part part = {.solid = false};

    if (!parse_all(&p, &part)) {
        return false;
    }
    if (solid && !part.solid) {
        return refuse(&p, 0, "the pattern matches without any word",
                      "every alternative needs at least one character that "
                      "must stand");
    }
    return true;
}
