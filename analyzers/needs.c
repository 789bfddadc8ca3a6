/* From a pattern to the literals that a match cannot do without. */
#include "analyzers/needs.h"

#include <stdlib.h>
#include <string.h>

enum {
    PRODUCT_MAX = 512, /* literals of a part before it is cut off */
    POWER_MAX = 4,     /* {n,m} written out up to m */
    WAYS_MAX = 64,     /* of a part before they are joined to one */
    CLASS_MAX = 64,
    ENDLESS = -1
};

/* What is known of a part of the pattern: all that it can match, or the ways
 * in which it can. No way at all: nothing is known. */
struct part {
    bool exact;
    struct needs_segment set; /* "" too */
    struct needs_way *ways;
    size_t way_count;
    struct needs_gap gap; /* of what is no way: its length, what it is not */
    bool unsure;          /* the set, or the gap, says too much */
};

struct reader {
    struct span in;
    size_t at;
    bool failed; /* no memory */
};

static struct part read_alternatives(struct reader *r);

/* -------------------------------------------------------------------- sets */

static int
compare_literals(const void *left, const void *right)
{
    const struct needs_literal *a = left;
    const struct needs_literal *b = right;

    if (a->count != b->count) {
        return a->count < b->count ? -1 : 1;
    }
    return memcmp(a->c, b->c, a->count * sizeof(*a->c));
}

static struct needs_segment
set_new(struct reader *r, size_t room)
{
    struct needs_segment set = {calloc(room + 1, sizeof(struct needs_literal)),
                                0};

    r->failed = r->failed || set.literals == NULL;
    return set;
}

static void
set_free(struct needs_segment *set)
{
    free(set->literals);
    *set = (struct needs_segment){NULL, 0};
}

static void
set_sort(struct needs_segment *set)
{
    size_t kept = 0;

    if (set->literals == NULL) {
        return;
    }
    qsort(set->literals, set->count, sizeof(*set->literals), compare_literals);
    for (size_t i = 0; i < set->count; i++) {
        if (kept == 0 || compare_literals(&set->literals[kept - 1],
                                          &set->literals[i]) != 0) {
            set->literals[kept++] = set->literals[i];
        }
    }
    set->count = kept;
}

static uint16_t
set_longest(const struct needs_segment *set)
{
    return set->count > 0 ? set->literals[set->count - 1].count : 0;
}

/* The set of the empty literal alone. */
static struct needs_segment
set_nothing(struct reader *r)
{
    struct needs_segment set = set_new(r, 1);

    set.count = set.literals != NULL;
    return set;
}

/* Sorted sets have the shortest literal first. */
static size_t
set_shortest(const struct needs_segment *set)
{
    return set->count > 0 ? set->literals[0].count : 0;
}

/* Every literal of a followed by every one of b; false when that is too much.
 */
static bool
set_multiply(struct reader *r,
             const struct needs_segment *a,
             const struct needs_segment *b,
             struct needs_segment *out)
{
    if (a->count * b->count > PRODUCT_MAX ||
        set_longest(a) + set_longest(b) > NEEDS_CHARS_MAX) {
        return false;
    }
    *out = set_new(r, a->count * b->count);
    for (size_t i = 0; out->literals != NULL && i < a->count; i++) {
        for (size_t k = 0; k < b->count; k++) {
            struct needs_literal *one = &out->literals[out->count++];

            *one = a->literals[i];
            memcpy(one->c + one->count, b->literals[k].c,
                   b->literals[k].count * sizeof(*one->c));
            one->count = (uint16_t)(one->count + b->literals[k].count);
        }
    }
    if (a->count > 1 && b->count > 1) { /* else it is sorted */
        set_sort(out);
    }
    return true;
}

/* Take the literals of `from` into `to`; false when there are too many. Both
 * are sorted, so they are merged, from their ends on. */
static bool
set_join(struct reader *r,
         struct needs_segment *to,
         const struct needs_segment *from)
{
    size_t room = to->count + from->count;
    size_t mine = to->count;
    size_t theirs = from->count;
    size_t at = room;
    struct needs_literal *all;

    if (room > NEEDS_LITERALS_MAX) {
        return false;
    }
    all = realloc(to->literals, (room + 1) * sizeof(*all));
    if (all == NULL) {
        r->failed = true;
        return false;
    }
    to->literals = all;
    while (theirs > 0) {
        int order = mine > 0 ? compare_literals(&all[mine - 1],
                                                &from->literals[theirs - 1])
                             : -1;

        if (order > 0) {
            all[--at] = all[--mine];
        } else {
            all[--at] = from->literals[--theirs];
            mine -= mine > 0 && order == 0;
        }
    }
    /* What is left of `to` stands in its place; doubles left a hole. */
    memmove(all + mine, all + at, (room - at) * sizeof(*all));
    to->count = mine + room - at;
    return true;
}

/* -------------------------------------------------------------------- ways */

/* Lengths add up to NEEDS_FAR at most. */
static uint16_t
far_add(size_t a, size_t b)
{
    return a + b < NEEDS_FAR ? (uint16_t)(a + b) : (uint16_t)NEEDS_FAR;
}

static uint16_t
far_times(size_t length, int times)
{
    if (length == 0 || times == 0) {
        return 0;
    }
    return times == ENDLESS ? (uint16_t)NEEDS_FAR
                            : far_add(length * (size_t)times, 0);
}

/* The gap goes on; two that forbid different characters are not sure. */
static void
gap_extend(struct needs_gap *gap, const struct needs_gap *more, bool *unsure)
{
    if (more->max == 0) {
        return;
    }
    if (gap->max == 0) {
        *gap = *more;
        return;
    }
    if (gap->forbid_count != more->forbid_count ||
        memcmp(gap->forbid, more->forbid,
               gap->forbid_count * sizeof(*gap->forbid)) != 0) {
        *unsure = true;
    }
    gap->min = far_add(gap->min, more->min);
    gap->max = far_add(gap->max, more->max);
}

static void
way_free(struct needs_way *way)
{
    for (size_t i = 0; i < way->segment_count; i++) {
        set_free(&way->segments[i]);
    }
    *way = (struct needs_way){.segment_count = 0};
}

/* The set becomes a segment behind the gap; one that may be empty or finds no
 * room becomes part of the gap. */
static void
way_take(struct needs_way *way,
         const struct needs_gap *gap,
         struct needs_segment *set)
{
    gap_extend(&way->tail, gap, &way->unsure);
    if (set->count == 0 || set_shortest(set) == 0 ||
        way->segment_count == NEEDS_SEGMENTS_MAX) {
        struct needs_gap more = {.max = set_longest(set)};

        way->unsure = way->unsure || more.max > 0;
        gap_extend(&way->tail, &more, &way->unsure);
        set_free(set);
        return;
    }
    way->gaps[way->segment_count] = way->tail;
    way->segments[way->segment_count++] = *set;
    way->tail = (struct needs_gap){0};
    *set = (struct needs_segment){NULL, 0};
}

static const struct needs_gap no_gap;

static struct needs_segment
set_copy(struct reader *r, const struct needs_segment *from)
{
    struct needs_segment set = set_new(r, from->count);

    if (set.literals != NULL && from->count > 0) {
        memcpy(set.literals, from->literals,
               from->count * sizeof(*set.literals));
        set.count = from->count;
    }
    return set;
}

static void
part_free(struct part *part)
{
    set_free(&part->set);
    for (size_t i = 0; i < part->way_count; i++) {
        way_free(&part->ways[i]);
    }
    free(part->ways);
    *part = (struct part){.exact = false};
}

/* Nothing is known of what it matches but how long it is. */
static struct part
part_any(uint16_t longest)
{
    return (struct part){.gap = {.max = longest}, .unsure = true};
}

/* One character of any kind. */
static struct part
part_one(void)
{
    return (struct part){.gap = {.min = 1, .max = 1}};
}

static struct part
part_exact(struct needs_segment set)
{
    return (struct part){
        .exact = true, .set = set, .gap = {.max = set_longest(&set)}};
}

/* A look-around, an edge: no character, but not always. */
static struct part
part_edge(struct reader *r)
{
    struct part part = part_exact(set_nothing(r));

    part.unsure = true;
    return part;
}

/* The way becomes one of the part's; it goes when memory ran out. */
static void
part_add_way(struct reader *r, struct part *part, struct needs_way *way)
{
    struct needs_way *ways =
        realloc(part->ways, (part->way_count + 1) * sizeof(*ways));

    if (ways == NULL) {
        r->failed = true;
        way_free(way);
        return;
    }
    part->ways = ways;
    ways[part->way_count++] = *way;
    *way = (struct needs_way){.segment_count = 0};
}

/* Once in every match, at its beginning, but no longer exact. */
static void
part_loosen(struct reader *r, struct part *part)
{
    struct needs_way way = {.segment_count = 0};

    if (!part->exact) {
        return;
    }
    part->exact = false;
    way.unsure = part->unsure;
    way_take(&way, &no_gap, &part->set);
    if (way.segment_count > 0) {
        part_add_way(r, part, &way);
    }
}

/* The segment that says most; SIZE_MAX when there is none. */
static size_t
best_segment(const struct needs_way *way)
{
    size_t best = SIZE_MAX;

    for (size_t i = 0; i < way->segment_count; i++) {
        if (best == SIZE_MAX || set_shortest(&way->segments[i]) >
                                    set_shortest(&way->segments[best])) {
            best = i;
        }
    }
    return best;
}

/* Too many ways: one is left, with the best segment of each. */
static void
part_join_ways(struct reader *r, struct part *part)
{
    struct needs_segment all = set_new(r, 0);
    struct needs_way one = {.segment_count = 0};
    uint16_t longest = part->gap.max;
    struct needs_gap gap = {0};
    bool fits = true;

    for (size_t i = 0; i < part->way_count; i++) {
        struct needs_way *way = &part->ways[i];
        size_t best = best_segment(way);
        uint16_t before = best == 0 ? way->gaps[0].max : longest;

        gap.max = before > gap.max ? before : gap.max;
        fits =
            fits && best != SIZE_MAX && set_join(r, &all, &way->segments[best]);
    }
    part_free(part);
    part->gap.max = longest;
    part->unsure = true;
    if (fits) {
        way_take(&one, &gap, &all);
        one.unsure = true;
        one.tail.max = longest;
        part_add_way(r, part, &one);
    }
    set_free(&all);
}

/* ------------------------------------------------------------------- atoms */

static bool
peek(const struct reader *r, const char *text)
{
    return span_starts((struct span){r->in.data + r->at, r->in.bytes - r->at},
                       span_of(text));
}

static bool
take(struct reader *r, const char *text)
{
    if (!peek(r, text)) {
        return false;
    }
    r->at += strlen(text);
    return true;
}

static uint32_t
next_char(struct reader *r)
{
    uint32_t c = 0;

    r->at +=
        utf8_next((struct span){r->in.data + r->at, r->in.bytes - r->at}, &c);
    return c;
}

static struct part
part_char(struct reader *r, uint32_t c)
{
    struct needs_segment set;

    if (c > 0xFFFF) {
        return part_any(1);
    }
    set = set_nothing(r);
    if (set.literals != NULL) {
        set.literals[0].count = 1;
        set.literals[0].c[0] = (uint16_t)c;
    }
    return part_exact(set);
}

/* After a backslash: a character, or 0 for a set, *nothing for \b. */
static uint32_t
read_escape(struct reader *r, bool *nothing)
{
    uint32_t c = next_char(r);
    uint32_t code = 0;
    bool braces;

    *nothing = c == 'b' || c == 'B';
    switch (c) {
    case 'b':
    case 'B':
    case 'd':
    case 'w':
    case 's':
    case 'D':
    case 'W':
    case 'S':
        return 0;
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case 'x':
        braces = take(r, "{");
        for (int digits = 0; (braces || digits < 2) && r->at < r->in.bytes;
             digits++) {
            char h = r->in.data[r->at];
            uint32_t low = (uint32_t)(h | 0x20);

            if (h >= '0' && h <= '9') {
                code = code * 16 + (uint32_t)(h - '0');
            } else if (low >= 'a' && low <= 'f') {
                code = code * 16 + (low - 'a' + 10);
            } else {
                break;
            }
            r->at++;
        }
        if (braces) {
            (void)take(r, "}");
        }
        return code;
    default:
        return c;
    }
}

/* [^…] with few members is a gap that forbids them. */
static struct part
part_negated(const struct needs_segment *set, bool any)
{
    struct part part = part_one();

    if (any || set->count > NEEDS_FORBID_MAX) {
        part.unsure = true;
        return part;
    }
    for (size_t i = 0; i < set->count; i++) {
        part.gap.forbid[part.gap.forbid_count++] = set->literals[i].c[0];
    }
    return part;
}

/* After `[`. */
static struct part
read_class(struct reader *r)
{
    struct needs_segment set = set_new(r, CLASS_MAX);
    bool negated = take(r, "^");
    bool any = false;
    bool first = true;

    while (r->at < r->in.bytes && (first || !peek(r, "]"))) {
        bool nothing = false;
        uint32_t from = next_char(r);
        uint32_t to;

        first = false;
        from = from == '\\' ? read_escape(r, &nothing) : from;
        to = from;
        if (from == 0) {
            any = true;
            continue;
        }
        if (peek(r, "-") && !peek(r, "-]")) {
            r->at++;
            to = next_char(r);
            to = to == '\\' ? read_escape(r, &nothing) : to;
        }
        for (uint32_t c = from; c <= to && !any; c++) {
            if (c > 0xFFFF || set.count == CLASS_MAX || set.literals == NULL) {
                any = true;
                break;
            }
            set.literals[set.count++] =
                (struct needs_literal){1, {(uint16_t)c}};
        }
    }
    (void)take(r, "]");
    set_sort(&set);
    if (any || negated) {
        struct part part = negated ? part_negated(&set, any) : part_one();

        part.unsure = part.unsure || any;
        set_free(&set);
        return part;
    }
    return part_exact(set);
}

/* What it says is not sure. */
static void
part_doubt(struct part *part)
{
    part->unsure = true;
    for (size_t i = 0; i < part->way_count; i++) {
        part->ways[i].unsure = true;
    }
}

/* After `(`. */
static struct part
read_group(struct reader *r)
{
    bool look = false;
    bool atomic = false;
    struct part part;

    if (take(r, "?")) {
        look = take(r, "=") || take(r, "!") || take(r, "<=") || take(r, "<!");
        atomic = !look && !take(r, ":") && take(r, ">");
    }
    part = read_alternatives(r);
    (void)take(r, ")");
    if (look) {
        part_free(&part);
        return part_edge(r);
    }
    if (atomic) {
        part_doubt(&part);
    }
    return part;
}

static struct part
read_atom(struct reader *r)
{
    bool nothing = false;
    uint32_t c = next_char(r);

    switch (c) {
    case '.':
        return part_one();
    case '[':
        return read_class(r);
    case '(':
        return read_group(r);
    case '^':
    case '$':
        return part_edge(r);
    case '\\':
        c = read_escape(r, &nothing);
        if (nothing) {
            return part_edge(r);
        }
        return c == 0 ? part_any(1) : part_char(r, c);
    default:
        return part_char(r, c);
    }
}

/* ------------------------------------------------------------- repetitions */

static bool
read_number(struct reader *r, int *out)
{
    size_t start = r->at;

    *out = 0;
    while (r->at < r->in.bytes && r->in.data[r->at] >= '0' &&
           r->in.data[r->at] <= '9' && *out < 100000) {
        *out = *out * 10 + (r->in.data[r->at++] - '0');
    }
    return r->at > start;
}

static void
read_bounds(struct reader *r, int *min, int *max, bool *possessive)
{
    size_t start = r->at;

    *min = 1;
    *max = 1;
    if (take(r, "?")) {
        *min = 0;
    } else if (take(r, "*")) {
        *min = 0;
        *max = ENDLESS;
    } else if (take(r, "+")) {
        *max = ENDLESS;
    } else if (take(r, "{")) {
        if (!read_number(r, min)) {
            *min = 1;
            r->at = start; /* a brace that stands for itself */
            return;
        }
        *max = *min;
        if (take(r, ",") && !read_number(r, max)) {
            *max = ENDLESS;
        }
        (void)take(r, "}");
    } else {
        return;
    }
    *possessive = !take(r, "?") && take(r, "+");
}

/* The set to the powers min..max; false when that is too much. */
static bool
set_power(struct reader *r,
          const struct needs_segment *set,
          int min,
          int max,
          struct needs_segment *out)
{
    struct needs_segment power = set_nothing(r);

    *out = set_new(r, 0);
    for (int n = 0; n <= max; n++) {
        struct needs_segment next;

        if (n >= min && (out->count + power.count > PRODUCT_MAX ||
                         !set_join(r, out, &power))) {
            break;
        }
        if (n == max) {
            set_free(&power);
            return true;
        }
        if (!set_multiply(r, &power, set, &next)) {
            break;
        }
        set_free(&power);
        power = next;
    }
    set_free(&power);
    set_free(out);
    return false;
}

static struct part
read_repeated(struct reader *r)
{
    struct part part = read_atom(r);
    struct needs_gap gap = part.gap;
    struct needs_segment power;
    bool possessive = false;
    bool unsure;
    int min;
    int max;

    read_bounds(r, &min, &max, &possessive);
    if (possessive) {
        part_doubt(&part);
    }
    if (min == 1 && max == 1) {
        return part;
    }
    unsure = part.unsure;
    if (part.exact && max != ENDLESS && max <= POWER_MAX &&
        set_power(r, &part.set, min, max, &power)) {
        part_free(&part);
        part = part_exact(power);
        part.unsure = unsure;
        return part;
    }
    gap.max = far_times(gap.max, max);
    gap.min = far_times(gap.min, min);
    if (part.exact || part.way_count > 0) {
        unsure = true;
        gap.min = 0;
    }
    if (min == 0 || (!part.exact && part.way_count == 0)) {
        part_free(&part);
        part.gap = gap;
        part.unsure = unsure;
        return part;
    }
    part_loosen(r, &part);
    part_doubt(&part);
    for (size_t i = 0; i < part.way_count; i++) {
        gap_extend(&part.ways[i].tail, &gap, &unsure);
    }
    part.gap = gap;
    return part;
}

/* --------------------------------------------------- sequences, alternatives
 */

/* A sequence while it is read: `set` is its exact end, `ways` what stood
 * before it, one empty way at first. */
struct sequence {
    struct part part;
    bool loose; /* something before the end is not exact */
};

/* The exact end becomes a segment of every way. */
static void
cut_off(struct reader *r, struct sequence *seq)
{
    struct part *part = &seq->part;

    for (size_t i = 0; i < part->way_count; i++) {
        struct needs_segment copy = set_copy(r, &part->set);

        part->ways[i].unsure = part->ways[i].unsure || part->unsure;
        way_take(&part->ways[i], &no_gap, &copy);
    }
    part->unsure = false;
    set_free(&part->set);
    part->set = set_nothing(r);
}

/* `before` and then `after`. */
static struct needs_way
way_join(struct reader *r,
         const struct needs_way *before,
         const struct needs_way *after)
{
    struct needs_way way = {.unsure = before->unsure || after->unsure};

    for (size_t n = 0; n < before->segment_count; n++) {
        struct needs_segment copy = set_copy(r, &before->segments[n]);

        way_take(&way, &before->gaps[n], &copy);
    }
    gap_extend(&way.tail, &before->tail, &way.unsure);
    for (size_t n = 0; n < after->segment_count; n++) {
        struct needs_segment copy = set_copy(r, &after->segments[n]);

        way_take(&way, &after->gaps[n], &copy);
    }
    gap_extend(&way.tail, &after->tail, &way.unsure);
    return way;
}

/* Every way so far goes on in every way of `one`. */
static void
multiply_ways(struct reader *r, struct sequence *seq, struct part *one)
{
    struct part *part = &seq->part;
    struct part product = {.exact = false};

    if (one->way_count * part->way_count > WAYS_MAX) {
        part_join_ways(r, one);
    }
    if (one->way_count == 0) {
        for (size_t i = 0; i < part->way_count; i++) {
            part->ways[i].unsure = part->ways[i].unsure || one->unsure;
            gap_extend(&part->ways[i].tail, &one->gap, &part->ways[i].unsure);
        }
        return;
    }
    for (size_t i = 0; i < part->way_count; i++) {
        for (size_t k = 0; k < one->way_count; k++) {
            struct needs_way way = way_join(r, &part->ways[i], &one->ways[k]);

            part_add_way(r, &product, &way);
        }
    }
    product.set = part->set;
    product.gap = part->gap;
    product.unsure = part->unsure;
    part->set = (struct needs_segment){NULL, 0};
    part_free(part);
    *part = product;
}

static void
append(struct reader *r, struct sequence *seq, struct part *one)
{
    struct needs_segment product;

    seq->part.gap.max = far_add(seq->part.gap.max, one->gap.max);
    if (!one->exact) {
        cut_off(r, seq);
        multiply_ways(r, seq, one);
        seq->loose = true;
    } else if (set_multiply(r, &seq->part.set, &one->set, &product)) {
        set_free(&seq->part.set);
        seq->part.set = product;
        seq->part.unsure = seq->part.unsure || one->unsure;
    } else {
        cut_off(r, seq);
        seq->loose = true;
        set_free(&seq->part.set);
        seq->part.set = one->set;
        seq->part.unsure = one->unsure;
        one->set = (struct needs_segment){NULL, 0};
    }
    part_free(one);
}

static struct part
read_sequence(struct reader *r)
{
    struct sequence seq = {.part = part_exact(set_nothing(r))};
    struct needs_way empty = {.segment_count = 0};
    uint16_t longest;
    bool known = true;

    part_add_way(r, &seq.part, &empty);
    while (r->at < r->in.bytes && !peek(r, "|") && !peek(r, ")")) {
        struct part one = read_repeated(r);

        append(r, &seq, &one);
    }
    longest = seq.part.gap.max;
    if (!seq.loose) {
        struct needs_segment set = seq.part.set;
        bool unsure = seq.part.unsure;
        struct part exact;

        seq.part.set = (struct needs_segment){NULL, 0};
        part_free(&seq.part);
        exact = part_exact(set);
        exact.unsure = unsure;
        return exact;
    }
    cut_off(r, &seq);
    set_free(&seq.part.set);
    seq.part.exact = false;
    for (size_t i = 0; i < seq.part.way_count; i++) {
        known = known && seq.part.ways[i].segment_count > 0;
    }
    if (!known) { /* it may match anywhere */
        part_free(&seq.part);
        seq.part = part_any(longest);
    }
    return seq.part;
}

/* The alternatives of a group while they are read. */
struct alternatives {
    struct part sure;   /* those that can be written out, */
    struct part unsure; /* and those of them that are not sure */
    struct part loose;  /* the ways of the others */
    bool unknown;       /* one of them may match anywhere */
    uint16_t longest;
};

static void
add_loose(struct reader *r, struct alternatives *all, struct part *one)
{
    part_loosen(r, one);
    all->unknown = all->unknown || one->way_count == 0;
    for (size_t i = 0; i < one->way_count; i++) {
        part_add_way(r, &all->loose, &one->ways[i]);
    }
    one->way_count = 0;
    part_free(one);
}

static void
add_alternative(struct reader *r, struct alternatives *all, struct part *one)
{
    struct part *like = one->unsure ? &all->unsure : &all->sure;

    all->longest = one->gap.max > all->longest ? one->gap.max : all->longest;
    if (!one->exact) {
        add_loose(r, all, one);
    } else if (!like->exact) {
        *like = *one;
    } else if (set_join(r, &like->set, &one->set)) {
        part_free(one);
    } else {
        add_loose(r, all, one);
    }
}

static struct part
read_alternatives(struct reader *r)
{
    struct alternatives all = {.unknown = false};

    do {
        struct part one = read_sequence(r);

        add_alternative(r, &all, &one);
    } while (take(r, "|"));
    /* One that may be empty is no way: what is not sure takes it in. */
    if (all.unsure.exact && all.sure.exact && !all.unknown &&
        all.loose.way_count == 0 &&
        (set_shortest(&all.sure.set) == 0 ||
         set_shortest(&all.unsure.set) == 0) &&
        set_join(r, &all.unsure.set, &all.sure.set)) {
        part_free(&all.sure);
    }
    if (all.loose.way_count == 0 && !all.unknown &&
        all.sure.exact != all.unsure.exact) {
        struct part *only = all.sure.exact ? &all.sure : &all.unsure;

        only->gap.max = all.longest;
        return *only;
    }
    if (all.sure.exact) {
        add_loose(r, &all, &all.sure);
    }
    if (all.unsure.exact) {
        add_loose(r, &all, &all.unsure);
    }
    if (all.unknown) {
        part_free(&all.loose);
        all.loose.unsure = true;
    }
    all.loose.gap = (struct needs_gap){.max = all.longest};
    return all.loose;
}

/* ------------------------------------------------------------------- whole */

bool
needs_find(struct span pattern, struct needs *out)
{
    struct reader reader = {.in = pattern};
    struct part all = read_alternatives(&reader);

    part_loosen(&reader, &all);
    *out = (struct needs){.ways = all.ways,
                          .way_count = all.way_count,
                          .unknown = all.way_count == 0};
    set_free(&all.set);
    for (size_t i = 0; i < out->way_count; i++) {
        struct needs_way *way = &out->ways[i];

        way->unsure = way->unsure || way->gaps[0].min > 0 || way->tail.min > 0;
    }
    return !reader.failed;
}

void
needs_release(struct needs *needs)
{
    for (size_t i = 0; i < needs->way_count; i++) {
        way_free(&needs->ways[i]);
    }
    free(needs->ways);
    *needs = (struct needs){.ways = NULL};
}
