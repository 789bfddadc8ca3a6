/* A binary heap of lines that wait. */
#include "bench/held.h"

#include <stdlib.h>
#include <string.h>

static bool
make_room(struct held *held)
{
    size_t room = held->room == 0 ? 256 : 2 * held->room;
    struct held_line *lines;

    if (held->count < held->room) {
        return true;
    }
    if (held->count == HELD_MAX) {
        return false;
    }
    lines = realloc(held->lines, room * sizeof(*lines));
    if (lines == NULL) {
        return false;
    }
    held->lines = lines;
    held->room = room;
    return true;
}

static void
swap(struct held_line *a, struct held_line *b)
{
    struct held_line both = *a;

    *a = *b;
    *b = both;
}

bool
held_add(struct held *held,
         uint64_t release_line,
         const char *data,
         size_t bytes,
         uint8_t kind)
{
    char *copy = make_room(held) ? malloc(bytes) : NULL;
    size_t at = held->count;

    if (copy == NULL) {
        return false;
    }
    memcpy(copy, data, bytes);
    held->lines[at] =
        (struct held_line){release_line, copy, (uint32_t)bytes, kind};
    held->count++;
    while (at > 0 && held->lines[at].release_line <
                         held->lines[(at - 1) / 2].release_line) {
        swap(&held->lines[at], &held->lines[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    return true;
}

static void
sink_first(struct held *held)
{
    size_t at = 0;

    for (;;) {
        size_t least = at;

        for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++) {
            if (child < held->count && held->lines[child].release_line <
                                           held->lines[least].release_line) {
                least = child;
            }
        }
        if (least == at) {
            return;
        }
        swap(&held->lines[at], &held->lines[least]);
        at = least;
    }
}

size_t
held_take(struct held *held, uint64_t line, char *out, uint8_t *kind)
{
    struct held_line first;

    if (held->count == 0 || held->lines[0].release_line > line) {
        return 0;
    }
    first = held->lines[0];
    held->lines[0] = held->lines[--held->count];
    sink_first(held);
    memcpy(out, first.data, first.bytes);
    *kind = first.kind;
    free(first.data);
    return first.bytes;
}

void
held_release(struct held *held)
{
    for (size_t i = 0; i < held->count; i++) {
        free(held->lines[i].data);
    }
    free(held->lines);
    *held = (struct held){0};
}
