/*
 * scanner: one pass over a text tells which rules can match, and
 * where.
 *
 * Flow      cleaned text -> [scanner] -> candidates -> PCRE2 decides
 * Input     patterns, by the literals they need (needs.h)
 * Output    candidates; for each pattern the stretches where it can match and
 *           the places where a match can begin
 * Effects   none after scanner_compile; scanning needs one scratch a thread
 *
 * A mark is a segment of needs.h: it stands where one of its literals stands.
 * A way is possible when its marks can follow each other, by rough places.
 */
#ifndef ANALYZERS_SCANNER_H
#define ANALYZERS_SCANNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzers/clean.h"
#include "analyzers/err.h"
#include "analyzers/needs.h"
#include "analyzers/span.h"

struct scanner;
struct scanner_scratch;

enum { SCANNER_LITERALS_MAX = 1000000, SCANNER_NO_RULE = UINT32_MAX };

/* The ways of one pattern inside the scanner. */
struct probe {
    uint32_t first_way;
    uint32_t way_count;
    bool unknown; /* may match anywhere */
    bool of_rule; /* its ways make a candidate */
    bool leads;   /* a match begins at a place of a way's first mark */
};

enum err_code scanner_new(struct scanner **out, struct err *err) MUST_CHECK;
void scanner_free(struct scanner **scanner);

/* One pattern, macros written out. With a rule its ways make that rule a
 * candidate; with SCANNER_NO_RULE it is only asked afterwards. Rules come in
 * ascending order. */
enum err_code scanner_add(struct scanner *scanner,
                          struct span pattern,
                          uint32_t rule,
                          struct probe *out,
                          struct err *err) MUST_CHECK;

/* Texts like those to come, as they are before cleaning: they tell which mark
 * of a way is the rarest, the one to wait for. */
struct scanner_samples {
    const struct cleaner *cleaner;
    const struct span *texts;
    size_t count;
};

/* After the last pattern.  Errors  NO_MEMORY */
enum err_code scanner_compile(struct scanner *scanner,
                              const struct scanner_samples *samples,
                              struct err *err) MUST_CHECK;

enum err_code scanner_scratch_new(const struct scanner *scanner,
                                  struct scanner_scratch **out,
                                  struct err *err) MUST_CHECK;
void scanner_scratch_free(struct scanner_scratch **scratch);

/*
 * Scan a text, borrowed until the next scan. *candidates: its rules, ascending,
 * borrowed as long.
 * Cost    look-ups for each character, and what the words found set off
 */
size_t scanner_scan(const struct scanner *scanner,
                    struct scanner_scratch *scratch,
                    const struct clean_text *text,
                    const uint32_t **candidates);

/* Roughly where in the text scanned last the pattern can begin to match, and
 * whether that is inside characters [start, end): a quick no. */
uint64_t scanner_buckets(const struct scanner *scanner,
                         const struct scanner_scratch *scratch,
                         const struct probe *probe);
bool scanner_may_begin(const struct scanner_scratch *scratch,
                       uint64_t buckets,
                       size_t start,
                       size_t end);

/* Can the pattern match inside characters [start, end) of the text scanned
 * last? */
enum scanner_answer {
    SCANNER_NO,
    SCANNER_PERHAPS, /* ask PCRE2 */
    SCANNER_YES      /* found: characters [*from, *to) */
};
enum scanner_answer scanner_ask(const struct scanner *scanner,
                                struct scanner_scratch *scratch,
                                const struct probe *probe,
                                size_t start,
                                size_t end,
                                size_t *from,
                                size_t *to);

/*
 * After SCANNER_PERHAPS: the characters in [start, end) where a match of a
 * probe that leads can begin, way after way, ascending in each. Begin with
 * *cursor zeroed; false at the end. *everywhere is set when there are too many
 * to list: search from *place, the start.
 */
struct scanner_cursor {
    uint32_t way;   /* of the probe */
    uint32_t find;  /* the last one given */
    uint32_t given; /* how many */
};
bool scanner_next_place(const struct scanner *scanner,
                        struct scanner_scratch *scratch,
                        const struct probe *probe,
                        size_t start,
                        size_t end,
                        struct scanner_cursor *cursor,
                        size_t *place,
                        bool *everywhere);

#endif /* ANALYZERS_SCANNER_H */
