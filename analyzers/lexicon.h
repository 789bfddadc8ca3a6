/*
 * lexicon: which of many words stand in a text, and where?
 *
 * A trie over the characters of the words; the words that begin at one place
 * are found by walking on from it. Made for Chinese: words of two to four
 * characters, a text of a few hundred, a hit at every third character. A
 * general matcher such as Hyperscan wins by skipping text without a hit, of
 * which there is none here.
 *
 * Effects   allocates when built; a look-up allocates nothing and changes
 *           nothing, so threads share one lexicon
 */
#ifndef ANALYZERS_LEXICON_H
#define ANALYZERS_LEXICON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lexicon;

enum { LEXICON_NODES_MAX = 1 << 24, LEXICON_CHARACTERS_MAX = 12 };
#define LEXICON_NONE UINT32_MAX

/* NULL: no memory. */
struct lexicon *lexicon_new(void);
void lexicon_free(struct lexicon **lexicon);

/* Add a word of 1 to LEXICON_CHARACTERS_MAX characters (UTF-16 units) under a
 * number below LEXICON_NONE; a word added twice keeps the later number. False:
 * no memory, or LEXICON_NODES_MAX are in use. */
bool lexicon_add(struct lexicon *lexicon,
                 const uint16_t *characters,
                 size_t character_count,
                 uint32_t number);

struct lexicon_word {
    uint16_t start; /* its first character */
    uint16_t end;   /* the character behind it */
    uint32_t number;
};

/*
 * The words of a text of at most UINT16_MAX characters, by their beginning, the
 * shorter first. False: there can be more than word_max, of which room for
 * LEXICON_CHARACTERS_MAX is kept free; those before stand in words.
 * Cost    a filter for each character, a look-up for each that belongs to a
 *         word
 */
bool lexicon_find(const struct lexicon *lexicon,
                  const uint16_t *text,
                  size_t char_count,
                  struct lexicon_word *words,
                  size_t word_max,
                  size_t *word_count);

#endif /* ANALYZERS_LEXICON_H */
