/* Which of many words stand in a text: a trie of their characters. */
#include "analyzers/lexicon.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRSTS = 1 << 16,    /* first characters; their nodes have their numbers */
    PAIR_BITS = 1 << 18, /* of the filter of first two characters */
    EDGES_MIN = 1 << 12,
    CHILD_BITS = 24, /* LEXICON_NODES_MAX */
    BLOCK = 64       /* places looked at together: a bit each */
};

/* node << 40 | character << 24 | child; 0 = free: no child has number 0. */
typedef uint64_t edge;

struct node {
    uint32_t number; /* of the word that ends here, or LEXICON_NONE */
    uint32_t nexts;  /* filter of the characters that go on: next_bit */
};

struct lexicon {
    uint64_t singles[FIRSTS / 64]; /* characters that are words */
    uint64_t pairs[PAIR_BITS / 64];
    edge *edges;
    size_t edge_room; /* a power of two */
    size_t edge_count;
    struct node *nodes;
    size_t node_room;
    uint32_t node_count;
};

static bool
nodes_grow(struct lexicon *lexicon, size_t room)
{
    struct node *nodes = realloc(lexicon->nodes, room * sizeof(*nodes));

    if (nodes == NULL) {
        return false;
    }
    for (size_t i = lexicon->node_room; i < room; i++) {
        nodes[i] = (struct node){LEXICON_NONE, 0};
    }
    lexicon->nodes = nodes;
    lexicon->node_room = room;
    return true;
}

struct lexicon *
lexicon_new(void)
{
    struct lexicon *lexicon = calloc(1, sizeof(*lexicon));

    if (lexicon == NULL) {
        return NULL;
    }
    lexicon->edge_room = EDGES_MIN;
    lexicon->edges = calloc(EDGES_MIN, sizeof(*lexicon->edges));
    lexicon->node_count = FIRSTS;
    if (lexicon->edges == NULL || !nodes_grow(lexicon, 2 * FIRSTS)) {
        lexicon_free(&lexicon);
    }
    return lexicon;
}

void
lexicon_free(struct lexicon **lexicon)
{
    if (*lexicon != NULL) {
        free((*lexicon)->edges);
        free((*lexicon)->nodes);
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
edge_child(edge one)
{
    return (uint32_t)(one & (LEXICON_NODES_MAX - 1));
}

/* The edge with this key, or the free place for it. */
static edge *
edge_place(edge *edges, size_t room, uint64_t key)
{
    uint64_t mixed = key * UINT64_C(0x9E3779B97F4A7C15);

    for (size_t at = (size_t)(mixed >> 32);; at++) {
        edge *place = &edges[at & (room - 1)];

        if (*place == 0 || *place >> CHILD_BITS == key) {
            return place;
        }
    }
}

static bool
edges_grow(struct lexicon *lexicon)
{
    size_t room = lexicon->edge_room * 2;
    edge *larger = calloc(room, sizeof(*larger));

    if (larger == NULL) {
        return false;
    }
    for (size_t i = 0; i < lexicon->edge_room; i++) {
        if (lexicon->edges[i] != 0) {
            *edge_place(larger, room, lexicon->edges[i] >> CHILD_BITS) =
                lexicon->edges[i];
        }
    }
    free(lexicon->edges);
    lexicon->edges = larger;
    lexicon->edge_room = room;
    return true;
}

/* A new node, or 0. */
static uint32_t
add_node(struct lexicon *lexicon)
{
    if (lexicon->node_count == LEXICON_NODES_MAX ||
        (lexicon->node_count == lexicon->node_room &&
         !nodes_grow(lexicon, 2 * lexicon->node_room))) {
        return 0;
    }
    return lexicon->node_count++;
}

/* The child of a node, made when new; 0: no memory. */
static uint32_t
child_of(struct lexicon *lexicon, uint32_t node, uint16_t character)
{
    uint64_t key = edge_key(node, character);
    edge *place;

    if ((lexicon->edge_count + 1) * 2 > lexicon->edge_room &&
        !edges_grow(lexicon)) {
        return 0;
    }
    place = edge_place(lexicon->edges, lexicon->edge_room, key);
    if (*place == 0) {
        uint32_t child = add_node(lexicon);

        if (child == 0) {
            return 0;
        }
        *place = key << CHILD_BITS | child;
        lexicon->nodes[node].nexts |= next_bit(character);
        lexicon->edge_count++;
    }
    return edge_child(*place);
}

bool
lexicon_add(struct lexicon *lexicon,
            const uint16_t *characters,
            size_t character_count,
            uint32_t number)
{
    uint16_t first = characters[0];
    uint32_t node = first;

    assert(character_count > 0 && character_count <= LEXICON_CHARACTERS_MAX);
    if (character_count == 1) {
        lexicon->singles[first / 64] |= UINT64_C(1) << first % 64;
        lexicon->nodes[first].number = number;
        return true;
    }
    for (size_t i = 1; i < character_count; i++) {
        node = child_of(lexicon, node, characters[i]);
        if (node == 0) {
            return false;
        }
    }
    lexicon->pairs[pair_bit(first, characters[1]) / 64] |=
        UINT64_C(1) << pair_bit(first, characters[1]) % 64;
    lexicon->nodes[node].number = number;
    return true;
}

/* At which of the places from `from` on, at most BLOCK, can a word begin? */
static uint64_t
word_starts(const struct lexicon *lexicon,
            const uint16_t *text,
            size_t char_count,
            size_t from)
{
    size_t count = char_count - from < BLOCK ? char_count - from : BLOCK;
    uint64_t starts = 0;

    for (size_t i = 0; i < count; i++) {
        uint16_t first = text[from + i];
        uint16_t second = from + i + 1 < char_count ? text[from + i + 1] : 0;
        size_t pair = pair_bit(first, second);
        uint64_t stands = lexicon->singles[first / 64] >> first % 64 |
                          lexicon->pairs[pair / 64] >> pair % 64;

        starts |= (stands & 1) << i;
    }
    return starts;
}

/* The words that begin with text[start], shortest first; how many. */
static size_t
words_at(const struct lexicon *lexicon,
         const uint16_t *text,
         size_t char_count,
         size_t start,
         struct lexicon_word words[LEXICON_CHARACTERS_MAX])
{
    uint32_t number = text[start];
    size_t at = start;
    size_t count = 0;

    do {
        const struct node *node = &lexicon->nodes[number];

        at++;
        if (node->number != LEXICON_NONE) {
            words[count++] = (struct lexicon_word){(uint16_t)start,
                                                   (uint16_t)at, node->number};
        }
        if (at == char_count || (node->nexts & next_bit(text[at])) == 0) {
            break;
        }
        number = edge_child(*edge_place(lexicon->edges, lexicon->edge_room,
                                        edge_key(number, text[at])));
    } while (number != 0);
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
        uint64_t starts = word_starts(lexicon, text, char_count, from);

        for (; starts != 0; starts &= starts - 1) {
            size_t start = from + (size_t)__builtin_ctzll(starts);

            if (count + LEXICON_CHARACTERS_MAX > word_max) {
                *word_count = count;
                return false;
            }
            count += words_at(lexicon, text, char_count, start, words + count);
        }
    }
    *word_count = count;
    return true;
}
