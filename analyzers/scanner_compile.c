/* Literals, marks and ways to what a scan looks up. */
#include "analyzers/scanner_building.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum {
    SAMPLE_WORDS_MAX = 1 << 14 /* of one sample; further ones are left out */
};

/* Which marks does each literal belong to? */
static bool
link_literals(struct scanner *scanner)
{
    struct scanner_building *building = scanner->building;
    const struct numbers *list = &building->mark_literals;
    uint32_t *starts = calloc(building->literal_count + 2, sizeof(*starts));

    building->literal_mark_starts = starts;
    building->literal_marks = calloc(list->count + 1, sizeof(uint32_t));
    if (starts == NULL || building->literal_marks == NULL) {
        return false;
    }
    for (size_t i = 0; i < list->count; i++) {
        starts[list->at[i] + 2]++;
    }
    for (size_t i = 2; i <= building->literal_count; i++) {
        starts[i] += starts[i - 1];
    }
    for (size_t mark = 0; mark < scanner->mark_count; mark++) {
        size_t end = mark + 1 < scanner->mark_count
                         ? building->mark_starts.at[mark + 1]
                         : list->count;

        for (size_t i = building->mark_starts.at[mark]; i < end; i++) {
            building->literal_marks[starts[list->at[i] + 1]++] = (uint32_t)mark;
        }
    }
    return true;
}

/* Literals with the same list of marks are one kind. */
static bool
find_kinds(struct scanner *scanner)
{
    struct scanner_building *building = scanner->building;

    building->literal_kinds =
        calloc(building->literal_count + 1, sizeof(uint32_t));
    if (building->literal_kinds == NULL) {
        return false;
    }
    for (size_t i = 0; i < building->literal_count; i++) {
        uint32_t first = building->literal_mark_starts[i];
        uint32_t count = building->literal_mark_starts[i + 1] - first;
        uint64_t hash = XXH3_64bits(building->literal_marks + first,
                                    count * sizeof(uint32_t));
        struct index_slot *slot =
            scanner_index_find(&building->kind_index, hash);

        if (slot == NULL) {
            return false;
        }
        if (slot->number_plus_1 == 0) {
            scanner_index_enter(&building->kind_index, slot, hash,
                                scanner->kind_count++);
            if (!scanner_numbers_add(&building->kind_firsts, (uint32_t)i)) {
                return false;
            }
        }
        building->literal_kinds[i] = slot->number_plus_1 - 1;
    }
    return true;
}

/* The marks of a kind. */
static const uint32_t *
kind_marks(const struct scanner *scanner, size_t kind, size_t *count)
{
    const struct scanner_building *building = scanner->building;
    uint32_t literal = building->kind_firsts.at[kind];
    uint32_t first = building->literal_mark_starts[literal];

    *count = building->literal_mark_starts[literal + 1] - first;
    return building->literal_marks + first;
}

/*
 * How often a mark stands, guessed: every character more makes a word a
 * fifteenth as frequent.
 */
static double
mark_frequency(const struct scanner *scanner, size_t mark)
{
    const struct scanner_building *building = scanner->building;
    size_t end = mark + 1 < scanner->mark_count
                     ? building->mark_starts.at[mark + 1]
                     : building->mark_literals.count;
    double sum = 0;

    for (size_t i = building->mark_starts.at[mark]; i < end; i++) {
        double one = 1;

        for (size_t c = building->literals[building->mark_literals.at[i]].count;
             c > 1; c--) {
            one /= 15;
        }
        sum += one;
    }
    return sum;
}

/* Adds in how many of the samples each mark stands, and how often each kind. */
static bool
count_samples(const struct scanner *scanner,
              const struct scanner_samples *samples,
              double *mark_frequencies,
              double *kind_frequencies)
{
    struct clean_text *text = malloc(sizeof(*text));
    uint32_t *last_sample = calloc(scanner->mark_count + 1, sizeof(uint32_t));
    struct lexicon_word *words = calloc(SAMPLE_WORDS_MAX, sizeof(*words));
    bool fine = text != NULL && last_sample != NULL && words != NULL;

    for (uint32_t s = 0; fine && s < samples->count; s++) {
        size_t word_count;

        clean_text(samples->cleaner, samples->texts[s], text);
        (void)lexicon_find(scanner->lexicon, text->code_point, text->char_count,
                           words, SAMPLE_WORDS_MAX, &word_count);
        for (size_t w = 0; w < word_count; w++) {
            size_t count;
            const uint32_t *marks =
                kind_marks(scanner, words[w].number, &count);

            kind_frequencies[words[w].number]++;
            for (size_t i = 0; i < count; i++) {
                mark_frequencies[marks[i]] += last_sample[marks[i]] != s + 1;
                last_sample[marks[i]] = s + 1;
            }
        }
    }
    free(words);
    free(text);
    free(last_sample);
    return fine;
}

struct ranked {
    double frequency;
    uint32_t number;
};

static int
compare_ranked(const void *a, const void *b)
{
    const struct ranked *left = a;
    const struct ranked *right = b;

    if (left->frequency > right->frequency) {
        return -1;
    }
    if (left->frequency < right->frequency) {
        return 1;
    }
    return left->number < right->number ? -1 : 1;
}

/* (*ranks)[i]: number i counted from the most frequent; frequencies are put
 * into that order. */
static bool
rank(double *frequencies, size_t count, uint32_t **ranks)
{
    struct ranked *list = calloc(count + 1, sizeof(*list));

    *ranks = calloc(count + 1, sizeof(**ranks));
    if (list == NULL || *ranks == NULL) {
        free(list);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        list[i] = (struct ranked){frequencies[i], (uint32_t)i};
    }
    qsort(list, count, sizeof(*list), compare_ranked);
    for (size_t i = 0; i < count; i++) {
        (*ranks)[list[i].number] = (uint32_t)i;
        frequencies[i] = list[i].frequency;
    }
    free(list);
    return true;
}

static void
renumber_marks(struct scanner *scanner, const uint32_t *ranks)
{
    struct scanner_building *building = scanner->building;

    for (size_t i = 0; i < building->mark_literals.count; i++) {
        building->literal_marks[i] = ranks[building->literal_marks[i]];
    }
    for (size_t w = 0; w < scanner->way_count; w++) {
        struct way *way = &scanner->ways[w];

        for (uint32_t i = 0; i < NEEDS_SEGMENTS_MAX; i++) {
            way->marks[i] =
                (uint16_t)(i < way->mark_count ? ranks[way->marks[i]]
                                               : scanner->mark_count);
        }
    }
}

static bool
renumber_kinds(struct scanner *scanner, const uint32_t *ranks)
{
    struct scanner_building *building = scanner->building;
    uint32_t *firsts = calloc(scanner->kind_count + 1, sizeof(*firsts));

    if (firsts == NULL) {
        return false;
    }
    for (size_t kind = 0; kind < scanner->kind_count; kind++) {
        firsts[ranks[kind]] = building->kind_firsts.at[kind];
    }
    free(building->kind_firsts.at);
    building->kind_firsts.at = firsts;
    for (size_t i = 0; i < building->literal_count; i++) {
        building->literal_kinds[i] = ranks[building->literal_kinds[i]];
    }
    return true;
}

/* Marks and kinds by their frequency, so that the frequent ones lie together:
 * a scan touches little memory. */
static bool
renumber(struct scanner *scanner, const struct scanner_samples *samples)
{
    struct scanner_building *building = scanner->building;
    double *kind_frequencies = calloc(scanner->kind_count + 1, sizeof(double));
    uint32_t *mark_ranks = NULL;
    uint32_t *kind_ranks = NULL;
    bool fine;

    building->mark_frequencies =
        calloc(scanner->mark_count + 1, sizeof(double));
    fine = kind_frequencies != NULL && building->mark_frequencies != NULL;
    for (size_t m = 0; fine && m < scanner->mark_count; m++) {
        building->mark_frequencies[m] = mark_frequency(scanner, m);
    }
    fine = fine &&
           (scanner->lexicon == NULL ||
            count_samples(scanner, samples, building->mark_frequencies,
                          kind_frequencies)) &&
           rank(building->mark_frequencies, scanner->mark_count, &mark_ranks) &&
           rank(kind_frequencies, scanner->kind_count, &kind_ranks) &&
           renumber_kinds(scanner, kind_ranks);
    if (fine) {
        renumber_marks(scanner, mark_ranks);
    }
    free(kind_frequencies);
    free(mark_ranks);
    free(kind_ranks);
    return fine;
}

static int
compare_marks(const void *a, const void *b)
{
    uint16_t left = *(const uint16_t *)a;
    uint16_t right = *(const uint16_t *)b;

    return left < right ? -1 : left > right;
}

static size_t
padded(size_t mark_count)
{
    return (mark_count + SCANNER_MARKS_STEP - 1) / SCANNER_MARKS_STEP *
           SCANNER_MARKS_STEP;
}

static bool
link_kinds(struct scanner *scanner)
{
    size_t all = 0;

    for (size_t kind = 0; kind < scanner->kind_count; kind++) {
        size_t count;

        (void)kind_marks(scanner, kind, &count);
        all += padded(count);
    }
    scanner->kinds = calloc(scanner->kind_count + 1, sizeof(*scanner->kinds));
    scanner->kind_marks = calloc(all + 1, sizeof(*scanner->kind_marks));
    if (scanner->kinds == NULL || scanner->kind_marks == NULL) {
        return false;
    }
    all = 0;
    for (size_t kind = 0; kind < scanner->kind_count; kind++) {
        size_t count;
        const uint32_t *marks = kind_marks(scanner, kind, &count);

        for (size_t i = 0; i < padded(count); i++) {
            uint32_t mark =
                i < count ? marks[i] : (uint32_t)scanner->mark_count;

            scanner->kinds[kind].signature |=
                i < count ? UINT64_C(1) << mark % 64 : 0;
            scanner->kind_marks[all + i] = (uint16_t)mark;
        }
        qsort(scanner->kind_marks + all, count, sizeof(*scanner->kind_marks),
              compare_marks);
        all += padded(count);
        scanner->kinds[kind + 1].first_mark = (uint32_t)all;
    }
    return true;
}

/* The way in the list of its rarest mark: a text that lacks it costs the way
 * nothing, and most others lack one of the two next. */
static struct keyed_way
key_of(const struct scanner *scanner, size_t number, uint16_t *key)
{
    const double *frequencies = scanner->building->mark_frequencies;
    const struct way *way = &scanner->ways[number];
    uint16_t marks[NEEDS_SEGMENTS_MAX]; /* the rarest first */
    uint16_t none = (uint16_t)scanner->mark_count;

    for (size_t i = 0; i < way->mark_count; i++) {
        size_t k = i;

        while (k > 0 &&
               frequencies[marks[k - 1]] > frequencies[way->marks[i]]) {
            marks[k] = marks[k - 1];
            k--;
        }
        marks[k] = way->marks[i];
    }
    *key = marks[0];
    return (struct keyed_way){(uint32_t)number,
                              {way->mark_count > 1 ? marks[1] : none,
                               way->mark_count > 2 ? marks[2] : none}};
}

/* The key mark of each way, and the ways of rules by the kinds of theirs. */
static bool
link_ways(struct scanner *scanner)
{
    struct numbers *by_mark = calloc(scanner->mark_count + 1, sizeof(*by_mark));
    size_t all = 0;
    bool fine;

    scanner->way_keys =
        calloc(scanner->way_count + 1, sizeof(*scanner->way_keys));
    fine = by_mark != NULL && scanner->way_keys != NULL;
    for (size_t w = 0; fine && w < scanner->way_count; w++) {
        (void)key_of(scanner, w, &scanner->way_keys[w]);
        fine = scanner->ways[w].rule == SCANNER_NO_RULE ||
               scanner_numbers_add(&by_mark[scanner->way_keys[w]], (uint32_t)w);
    }
    for (size_t i = 0;
         fine && i < scanner->kinds[scanner->kind_count].first_mark; i++) {
        all += by_mark[scanner->kind_marks[i]].count;
    }
    scanner->keyed_ways = calloc(all + 1, sizeof(*scanner->keyed_ways));
    fine = fine && scanner->keyed_ways != NULL;
    all = 0;
    for (size_t kind = 0; fine && kind < scanner->kind_count; kind++) {
        for (uint32_t i = scanner->kinds[kind].first_mark;
             i < scanner->kinds[kind + 1].first_mark; i++) {
            const struct numbers *ways = &by_mark[scanner->kind_marks[i]];

            for (size_t w = 0; w < ways->count; w++) {
                uint16_t key;

                scanner->keyed_ways[all++] = key_of(scanner, ways->at[w], &key);
            }
        }
        scanner->kinds[kind + 1].first_way = (uint32_t)all;
    }
    for (size_t m = 0; by_mark != NULL && m < scanner->mark_count; m++) {
        free(by_mark[m].at);
    }
    free(by_mark);
    return fine;
}

/* The number of a word is the kind of its literal. */
static bool
fill_lexicon(struct scanner *scanner)
{
    const struct scanner_building *building = scanner->building;

    if (building->literal_count == 0) {
        return true;
    }
    if (scanner->lexicon == NULL) {
        scanner->lexicon = lexicon_new();
    }
    for (size_t i = 0; scanner->lexicon != NULL && i < building->literal_count;
         i++) {
        if (!lexicon_add(scanner->lexicon, building->literals[i].c,
                         building->literals[i].count,
                         building->literal_kinds[i])) {
            return false;
        }
    }
    return scanner->lexicon != NULL;
}

enum err_code
scanner_compile(struct scanner *scanner,
                const struct scanner_samples *samples,
                struct err *err)
{
    if (!link_literals(scanner) || !find_kinds(scanner) ||
        !fill_lexicon(scanner) || !renumber(scanner, samples) ||
        !link_kinds(scanner) || !link_ways(scanner) || !fill_lexicon(scanner)) {
        return err_set(err, ERR_NO_MEMORY, "the scanner");
    }
    scanner_building_free(&scanner->building);
    return ERR_OK;
}
