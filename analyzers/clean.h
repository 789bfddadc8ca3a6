/*
 * clean: the text as the rules read it, with the way back to the original.
 *
 * Flow      ticket text -> [clean] -> rules, model
 * Input     UTF-8; at most CLEAN_INPUT_BYTES_MAX of it is read
 * Output    one struct clean_text in the caller's memory
 * Effects   none: no allocation after cleaner_build
 *
 * What is done, in one pass over the code points:
 *   - full-width letters and digits become ASCII, ASCII becomes lower case
 *   - Traditional and variant characters become Simplified (t2s.csv)
 *   - zero-width and control characters and `_x000D_` go
 *   - , . ! ? ; : beside Chinese become their Chinese forms; 。！？；and the
 *     line end divide sentences; circled digits become digits
 *   - blanks go, except one between two ASCII words
 *   - pinyin in brackets after a character goes: 權(quán)利 -> 权利
 *   - the phrases of boilerplate.csv go
 *   - a text pasted twice or more, exactly, is read once
 */
#ifndef ANALYZERS_CLEAN_H
#define ANALYZERS_CLEAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzers/dictionary.h"

enum {
    CLEAN_INPUT_BYTES_MAX = 8192,
    CLEAN_CHARS_MAX = CLEAN_INPUT_BYTES_MAX,
    CLEAN_TEXT_BYTES_MAX = 3 * CLEAN_INPUT_BYTES_MAX, /* `,` becomes 3 bytes */
    CLEAN_PHRASE_CHARS_MAX = 32,
    CLEAN_PHRASES_MAX = 1000
};

struct cleaner;

/* About 110 KB: lives in a scratch, never on the stack. Character i of the
 * cleaned text: */
struct clean_text {
    size_t bytes;
    size_t char_count;
    size_t sentence_count;
    bool truncated; /* the input was longer than is read */
    uint16_t code_point[CLEAN_CHARS_MAX + 1];   /* 0xFFFD beyond the BMP */
    uint16_t at[CLEAN_CHARS_MAX + 1];           /* its byte in `text` */
    uint16_t from_byte[CLEAN_CHARS_MAX + 1];    /* its byte in the original */
    uint16_t from_char[CLEAN_CHARS_MAX + 1];    /* its character there */
    uint16_t sentence_end[CLEAN_CHARS_MAX + 1]; /* characters; the last one is
                                                   `char_count` */
    char text[CLEAN_TEXT_BYTES_MAX + 8];
};

/* Tables t2s.csv (traditional,simplified) and boilerplate.csv (phrase,note);
 * either may be absent. */
enum err_code cleaner_build(const struct dictionary_file *files,
                            size_t file_count,
                            struct cleaner **out,
                            struct err *err) MUST_CHECK;
void cleaner_free(struct cleaner **cleaner);

/* What the cleaned text has in the place of this character: the same character
 * for one that stays, 0 for one that never stands in a cleaned text. */
uint32_t cleaner_maps(const struct cleaner *cleaner, uint32_t code_point);

/*
 * Clean `text` into *out. Bytes that are not UTF-8 are dropped.
 * Cost    below 2 ns a byte of Chinese
 */
void clean_text(const struct cleaner *cleaner,
                struct span text,
                struct clean_text *out);

/* Where bytes [start, end) of the cleaned text stood in the original. */
struct clean_origin {
    uint32_t start_char;
    uint32_t end_char;
    uint32_t start_byte;
    uint32_t end_byte;
};
/* `original` is the text that was cleaned. Cost O(log n). */
struct clean_origin clean_origin(const struct clean_text *text,
                                 struct span original,
                                 size_t start,
                                 size_t end);

#endif /* ANALYZERS_CLEAN_H */
