/*
 * phrases: the sentences of bench/phrases.def, cut into pieces at the slots, so
 * that composing a text is copying bytes.
 */
#ifndef BENCH_PHRASES_H
#define BENCH_PHRASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzers/ticket.h"
#include "bench/random.h"

enum phrase_slot {
    SLOT_NONE,
    /* filled from a list */
    SLOT_TIME,     /* t: 昨晚八点左右 */
    SLOT_DATE,     /* d: 上个月初 */
    SLOT_NUMBER,   /* n: 3 */
    SLOT_MONEY,    /* m: 260 */
    SLOT_PERSON,   /* s: 王女士 */
    SLOT_DURATION, /* w: 三天 */
    SLOT_OBJECT,   /* o: 冰箱 */
    SLOT_TRADE,    /* e: 养鸡场 */
    SLOT_BUSINESS, /* b: 过户 */
    /* filled from the caller's place */
    SLOT_HALL,    /* h */
    SLOT_STATION, /* u */
    SLOT_VILLAGE, /* v */
    SLOT_COUNT
};

struct phrase_piece {
    const char *data; /* literal; NULL for a slot */
    uint16_t bytes;
    uint8_t slot;
};

struct phrase {
    uint32_t first_piece;
    uint32_t piece_count;
};

struct phrase_list {
    uint32_t first_phrase;
    uint32_t phrase_count;
};

enum matter {
#define MATTER(name, type, category, normal, storm, month_end, tags, cores,    \
               details)                                                        \
    MATTER_##name,
#include "bench/phrases.def"
#undef MATTER
    MATTER_COUNT
};

enum shared_phrases {
#define SHARED_PHRASES(name, text) SHARED_##name,
#include "bench/phrases.def"
#undef SHARED_PHRASES
    SHARED_COUNT
};

enum { PHRASE_SCENARIOS = 3 };

struct matter_phrases {
    enum ticket_type type;
    uint32_t weights[PHRASE_SCENARIOS];
    struct phrase_list tags;
    struct phrase_list cores;
    struct phrase_list details;
};

struct phrases {
    struct matter_phrases matters[MATTER_COUNT];
    struct phrase_list shared[SHARED_COUNT];
    struct phrase_list slots[SLOT_COUNT]; /* values, each of one piece */
    struct phrase *phrases;
    struct phrase_piece *pieces;
    size_t phrase_count;
    size_t piece_count;
};

/* What the place slots say; views. */
struct phrase_place {
    const char *data[SLOT_COUNT];
    uint16_t bytes[SLOT_COUNT];
};

/* Cut all sentences. False: no memory. Free with phrases_release. */
bool phrases_init(struct phrases *phrases);
void phrases_release(struct phrases *phrases);

/* Write sentence number `index` (modulo their count) of the list at `at`;
 * returns the end. At most PHRASE_BYTES_MAX bytes. */
enum { PHRASE_BYTES_MAX = 512 };
char *phrases_put(const struct phrases *phrases,
                  struct phrase_list list,
                  uint32_t index,
                  const struct phrase_place *place,
                  struct random *random,
                  char *at);

#endif /* BENCH_PHRASES_H */
