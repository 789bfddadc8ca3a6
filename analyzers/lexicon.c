/* Which of many words stand in a text: a trie of their characters. */
#include "analyzers/lexicon.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROOT_ROOM = 1 << 16, /* by character */
    PAIR_BITS = 1 << 18, /* of the filter of first two characters */
    EDGES_MIN = 1 << 12,
    CHILD_BITS = 24 /* LEXICON_NODES_MAX */
};

/* node << 40 | character << 24 | child; 0 = free: node 0 is not used. */
typedef uint64_t edge;

struct lexicon {
    uint32_t root[ROOT_ROOM]; /* node of each first character, 0 = none */
    uint64_t pairs[PAIR_BITS / 64];
    edge *edges;
    size_t edge_room; /* a power of two */
    size_t edge_count;
    uint32_t *numbers; /* [node]: of the word that ends here, or NONE */
    size_t node_room;
    uint32_t node_count; /* node 0 is not used */
};

struct lexicon *
lexicon_new(void)
{
    struct lexicon *lexicon = calloc(1, sizeof(*lexicon));

    if (lexicon == NULL) {
        return NULL;
    }
    lexicon->edge_room = EDGES_MIN;
    lexicon->edges = calloc(EDGES_MIN, sizeof(*lexicon->edges));
    lexicon->node_count = 1;
    if (lexicon->edges == NULL) {
        lexicon_free(&lexicon);
    }
    return lexicon;
}

void
lexicon_free(struct lexicon **lexicon)
{
    if (*lexicon != NULL) {
        free((*lexicon)->edges);
        free((*lexicon)->numbers);
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

static bool
pair_known(const struct lexicon *lexicon, uint16_t first, uint16_t second)
{
    size_t bit = pair_bit(first, second);

    return (lexicon->pairs[bit / 64] >> bit % 64 & 1) != 0;
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
    if (lexicon->node_count == LEXICON_NODES_MAX) {
        return 0;
    }
    if (lexicon->node_count >= lexicon->node_room) {
        size_t room = lexicon->node_room == 0 ? 4096 : lexicon->node_room * 2;
        uint32_t *numbers = realloc(lexicon->numbers, room * sizeof(*numbers));

        if (numbers == NULL) {
            return 0;
        }
        memset(numbers + lexicon->node_room, 0xFF,
               (room - lexicon->node_room) * sizeof(*numbers));
        lexicon->numbers = numbers;
        lexicon->node_room = room;
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
    uint32_t node = lexicon->root[characters[0]];

    assert(character_count > 0 && character_count <= LEXICON_CHARACTERS_MAX);
    if (node == 0) {
        node = add_node(lexicon);
        lexicon->root[characters[0]] = node;
    }
    if (character_count > 1) {
        size_t bit = pair_bit(characters[0], characters[1]);

        lexicon->pairs[bit / 64] |= UINT64_C(1) << bit % 64;
    }
    for (size_t i = 1; i < character_count && node != 0; i++) {
        node = child_of(lexicon, node, characters[i]);
    }
    if (node == 0) {
        return false;
    }
    lexicon->numbers[node] = number;
    return true;
}

size_t
lexicon_words_at(const struct lexicon *lexicon,
                 const uint16_t *text,
                 size_t char_count,
                 size_t start,
                 struct lexicon_word words[LEXICON_CHARACTERS_MAX])
{
    uint32_t node = lexicon->root[text[start]];
    size_t at = start;
    size_t count = 0;

    while (node != 0) {
        at++;
        if (lexicon->numbers[node] != LEXICON_NONE) {
            words[count++] =
                (struct lexicon_word){lexicon->numbers[node], (uint32_t)at};
        }
        if (at == char_count ||
            (at == start + 1 && !pair_known(lexicon, text[start], text[at]))) {
            break;
        }
        node = edge_child(*edge_place(lexicon->edges, lexicon->edge_room,
                                      edge_key(node, text[at])));
    }
    return count;
}
