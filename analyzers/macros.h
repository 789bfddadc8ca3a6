/*
 * macros: word groups 词组 that patterns name in braces, from words.csv.
 *
 * `{抢修人员}` in a pattern stands for `(?:抢修人员|抢修师傅|…)`. A group may
 * name other groups. `{0,12}` begins with a digit and is a repetition.
 *
 * Columns   name,words,note
 * Effects   none after macros_build
 */
#ifndef ANALYZERS_MACROS_H
#define ANALYZERS_MACROS_H

#include "analyzers/dictionary.h"
#include "analyzers/pattern.h"

enum {
    MACRO_DEPTH_MAX = 8,
    MACRO_EXPANSION_BYTES_MAX = 32 * 1024,
    MACROS_MAX = 2000
};

struct macros;

enum err_code macros_build(const struct dictionary_file *files,
                           size_t file_count,
                           struct macros **out,
                           struct err *err) MUST_CHECK;
void macros_free(struct macros **macros);

/* A pattern written out; for byte i, from[i] is its byte in the source. */
struct expansion {
    size_t bytes;
    uint16_t from[MACRO_EXPANSION_BYTES_MAX + 1];
    char text[MACRO_EXPANSION_BYTES_MAX + 1];
};

/* False with *fault (offset in the source) for an unknown name, a circle, a
 * brace that is not closed or a pattern that grows too long. */
bool macros_expand(const struct macros *macros,
                   struct span pattern,
                   struct expansion *out,
                   struct pattern_fault *fault);

#endif /* ANALYZERS_MACROS_H */
