/* Which of many words stand in a text: a trie of their characters. */
#include "analyzers/lexicon.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRSTS = 1 << 16,    /* first characters; their nodes have their numbers */
    PAIR_BITS = 1 << 18, /* of the filter of first two characters */
    PLACES_MIN = 1 << 12,
    CHILD_BITS = 24, /* LEXICON_NODES_MAX */
    BLOCK = 64       /* characters looked at together: a bit each */
};

/* An edge of the trie and the node it leads to, found together. */
struct place {
    uint64_t edge;   /* node << 40 | character << 24 | child; 0: free, no child
                        has number 0 */
    uint32_t number; /* of the word that ends in the child, or LEXICON_NONE */
    uint32_t nexts;  /* filter of the characters that go on: next_bit */
};

struct lexicon {
    uint64_t singles[FIRSTS / 64]; /* characters that are words */
    uint32_t single_numbers[FIRSTS];
    uint64_t pairs[PAIR_BITS / 64];
    struct place *places;
    size_t place_room; /* a power of two */
    size_t place_count;
    uint32_t node_count;
};

struct lexicon *
lexicon_new(void)
{
    struct lexicon *lexicon = calloc(1, sizeof(*lexicon));

    if (lexicon == NULL) {
        return NULL;
    }
    lexicon->place_room = PLACES_MIN;
    lexicon->places = calloc(PLACES_MIN, sizeof(*lexicon->places));
    lexicon->node_count = FIRSTS;
    if (lexicon->places == NULL) {
        lexicon_free(&lexicon);
    }
    return lexicon;
}

void
lexicon_free(struct lexicon **lexicon)
{
    if (*lexicon != NULL) {
        free((*lexicon)->places);
        free(*lexicon);
        *lexicon = NULL;
    }
}

static size_t
pair_bit(uint16_t first, uint16_t second)
{
    uint32_t mixed = ((uint32_t)first << 16 | second) * UINT32_C(0x9E3779B1);

    return mixed >> 14; /* 18 bits */
}

static uint32_t
next_bit(uint16_t character)
{
    return UINT32_C(1) << (character * UINT32_C(0x9E3779B1) >> 27);
}

static uint64_t
edge_key(uint32_t node, uint16_t character)
{
    return (uint64_t)node << 16 | character;
}

static uint32_t
child_number(const struct place *place)
{
    return (uint32_t)(place->edge & (LEXICON_NODES_MAX - 1));
}

/* The place of the edge with this key, or the free one for it. */
static struct place *
find_place(struct place *places, size_t room, uint64_t key)
{
    uint64_t mixed = key * UINT64_C(0x9E3779B97F4A7C15);

    for (size_t at = (size_t)(mixed >> 32);; at++) {
        struct place *place = &places[at & (room - 1)];

        if (place->edge == 0 || place->edge >> CHILD_BITS == key) {
            return place;
        }
    }
}

static bool
grow(struct lexicon *lexicon)
{
    size_t room = lexicon->place_room * 2;
    struct place *larger = calloc(room, sizeof(*larger));

    if (larger == NULL) {
        return false;
    }
    for (size_t i = 0; i < lexicon->place_room; i++) {
        const struct place *place = &lexicon->places[i];

        if (place->edge != 0) {
            *find_place(larger, room, place->edge >> CHILD_BITS) = *place;
        }
    }
    free(lexicon->places);
    lexicon->places = larger;
    lexicon->place_room = room;
    return true;
}

/* The place of the child of a node, made when new; NULL: no memory. */
static struct place *
child_of(struct lexicon *lexicon, uint32_t node, uint16_t character)
{
    uint64_t key = edge_key(node, character);
    struct place *place;

    if ((lexicon->place_count + 1) * 2 > lexicon->place_room &&
        !grow(lexicon)) {
        return NULL;
    }
    place = find_place(lexicon->places, lexicon->place_room, key);
    if (place->edge == 0) {
        if (lexicon->node_count == LEXICON_NODES_MAX) {
            return NULL;
        }
        *place = (struct place){key << CHILD_BITS | lexicon->node_count++,
                                LEXICON_NONE, 0};
        lexicon->place_count++;
    }
    return place;
}

bool
lexicon_add(struct lexicon *lexicon,
            const uint16_t *characters,
            size_t character_count,
            uint32_t number)
{
    uint16_t first = characters[0];
    uint32_t node = first;
    size_t pair;

    assert(character_count > 0 && character_count <= LEXICON_CHARACTERS_MAX);
    if (character_count == 1) {
        lexicon->singles[first / 64] |= UINT64_C(1) << first % 64;
        lexicon->single_numbers[first] = number;
        return true;
    }
    for (size_t i = 1; i < character_count; i++) {
        struct place *place = child_of(lexicon, node, characters[i]);

        if (place == NULL) {
            return false;
        }
        node = child_number(place);
        if (i + 1 < character_count) {
            place->nexts |= next_bit(characters[i + 1]);
        } else {
            place->number = number;
        }
    }
    pair = pair_bit(first, characters[1]);
    lexicon->pairs[pair / 64] |= UINT64_C(1) << pair % 64;
    return true;
}

/* Which of the characters from `from` on, at most BLOCK, are words, and which
 * begin longer ones, perhaps? */
static void
look_ahead(const struct lexicon *lexicon,
           const uint16_t *text,
           size_t char_count,
           size_t from,
           uint64_t *singles,
           uint64_t *longer)
{
    size_t count = char_count - from < BLOCK ? char_count - from : BLOCK;

    *singles = 0;
    *longer = 0;
    for (size_t i = 0; i < count; i++) {
        uint16_t first = text[from + i];
        uint16_t second = from + i + 1 < char_count ? text[from + i + 1] : 0;
        size_t pair = pair_bit(first, second);

        *singles |= (lexicon->singles[first / 64] >> first % 64 & 1) << i;
        *longer |= (lexicon->pairs[pair / 64] >> pair % 64 & 1) << i;
    }
    if (from + count == char_count) {
        *longer &= ~(UINT64_C(1) << (count - 1));
    }
}

/* The words of two characters and more that begin with text[start], which is
 * not the last one, shortest first; how many. */
static size_t
longer_words(const struct lexicon *lexicon,
             const uint16_t *text,
             size_t char_count,
             size_t start,
             struct lexicon_word words[LEXICON_CHARACTERS_MAX])
{
    uint32_t node = text[start];
    const struct place *place;
    size_t at = start + 1;
    size_t count = 0;

    do {
        place = find_place(lexicon->places, lexicon->place_room,
                           edge_key(node, text[at]));
        if (place->edge == 0) {
            break;
        }
        at++;
        if (place->number != LEXICON_NONE) {
            words[count++] = (struct lexicon_word){(uint16_t)start,
                                                   (uint16_t)at, place->number};
        }
        node = child_number(place);
    } while (at < char_count && (place->nexts & next_bit(text[at])) != 0);
    return count;
}

bool
lexicon_find(const struct lexicon *lexicon,
             const uint16_t *text,
             size_t char_count,
             struct lexicon_word *words,
             size_t word_max,
             size_t *word_count)
{
    size_t count = 0;

    assert(char_count <= UINT16_MAX);
    for (size_t from = 0; from < char_count; from += BLOCK) {
        uint64_t singles;
        uint64_t longer;

        look_ahead(lexicon, text, char_count, from, &singles, &longer);
        for (uint64_t starts = singles | longer; starts != 0;
             starts &= starts - 1) {
            uint64_t bit = starts & -starts;
            size_t start = from + (size_t)__builtin_ctzll(starts);

            if (count + LEXICON_CHARACTERS_MAX > word_max) {
                *word_count = count;
                return false;
            }
            if ((singles & bit) != 0) {
                words[count++] = (struct lexicon_word){
                    (uint16_t)start, (uint16_t)(start + 1),
                    lexicon->single_numbers[text[start]]};
            }
            if ((longer & bit) != 0) {
                count += longer_words(lexicon, text, char_count, start,
                                      words + count);
            }
        }
    }
    *word_count = count;
    return true;
}
