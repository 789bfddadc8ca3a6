/* Which of many words stand in a text: a trie of reversed words. */
#include "analyzers/lexicon.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROOT_ROOM = 1 << 16, /* by character */
    PAIR_BITS = 1 << 18, /* of the filter of last two characters */
    EDGES_MIN = 1 << 12
};

/* node << 16 | character -> child; key_plus_1 0 = free. */
struct edge {
    uint64_t key_plus_1;
    uint32_t child;
};

struct lexicon {
    uint32_t root[ROOT_ROOM]; /* node of each last character, 0 = none */
    uint64_t pairs[PAIR_BITS / 64];
    struct edge *edges;
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
pair_bit(uint16_t last, uint16_t before)
{
    uint32_t mixed = ((uint32_t)last << 16 | before) * UINT32_C(0x9E3779B1);

    return mixed >> 14; /* 18 bits */
}

static bool
pair_known(const struct lexicon *lexicon, uint16_t last, uint16_t before)
{
    size_t bit = pair_bit(last, before);

    return (lexicon->pairs[bit / 64] >> bit % 64 & 1) != 0;
}

static struct edge *
edge_place(struct edge *edges, size_t room, uint64_t key)
{
    uint64_t mixed = key * UINT64_C(0x9E3779B97F4A7C15);

    for (size_t at = (size_t)(mixed >> 32);; at++) {
        struct edge *edge = &edges[at & (room - 1)];

        if (edge->key_plus_1 == 0 || edge->key_plus_1 == key + 1) {
            return edge;
        }
    }
}

static bool
edges_grow(struct lexicon *lexicon)
{
    size_t room = lexicon->edge_room * 2;
    struct edge *larger = calloc(room, sizeof(*larger));

    if (larger == NULL) {
        return false;
    }
    for (size_t i = 0; i < lexicon->edge_room; i++) {
        if (lexicon->edges[i].key_plus_1 != 0) {
            *edge_place(larger, room, lexicon->edges[i].key_plus_1 - 1) =
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
    uint64_t key = (uint64_t)node << 16 | character;
    struct edge *edge;

    if ((lexicon->edge_count + 1) * 2 > lexicon->edge_room &&
        !edges_grow(lexicon)) {
        return 0;
    }
    edge = edge_place(lexicon->edges, lexicon->edge_room, key);
    if (edge->key_plus_1 == 0) {
        uint32_t child = add_node(lexicon);

        if (child == 0) {
            return 0;
        }
        *edge = (struct edge){key + 1, child};
        lexicon->edge_count++;
    }
    return edge->child;
}

bool
lexicon_add(struct lexicon *lexicon,
            const uint16_t *characters,
            size_t character_count,
            uint32_t number)
{
    uint16_t last = characters[character_count - 1];
    uint32_t node = lexicon->root[last];

    assert(character_count > 0 && character_count <= LEXICON_CHARACTERS_MAX);
    if (node == 0) {
        node = add_node(lexicon);
        lexicon->root[last] = node;
    }
    if (character_count > 1) {
        size_t bit = pair_bit(last, characters[character_count - 2]);

        lexicon->pairs[bit / 64] |= UINT64_C(1) << bit % 64;
    }
    for (size_t i = character_count - 1; i-- > 0 && node != 0;) {
        node = child_of(lexicon, node, characters[i]);
    }
    if (node == 0) {
        return false;
    }
    lexicon->numbers[node] = number;
    return true;
}

void
lexicon_words_ending(const struct lexicon *lexicon,
                     const uint16_t *text,
                     size_t end,
                     lexicon_found *found,
                     void *data)
{
    struct {
        uint32_t number;
        size_t start;
    } words[LEXICON_CHARACTERS_MAX];
    size_t count = 0;
    uint32_t node = lexicon->root[text[end]];
    size_t start = end;

    while (node != 0) {
        const struct edge *edge;

        if (lexicon->numbers[node] != LEXICON_NONE) {
            words[count].number = lexicon->numbers[node];
            words[count++].start = start;
        }
        if (start == 0 ||
            (start == end && !pair_known(lexicon, text[end], text[end - 1]))) {
            break;
        }
        start--;
        edge = edge_place(lexicon->edges, lexicon->edge_room,
                          (uint64_t)node << 16 | text[start]);
        node = edge->key_plus_1 != 0 ? edge->child : 0;
    }
    while (count > 0) {
        count--;
        found(data, words[count].number, words[count].start, end);
    }
}
