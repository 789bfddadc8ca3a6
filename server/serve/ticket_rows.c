/* Rows found by the number of their ticket. */
#include "server/serve/ticket_rows.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_ROOM_MIN = 64 };

void
ticket_rows_init(struct ticket_rows *rows, size_t row_bytes, size_t rows_max)
{
    assert(rows_max < UINT32_MAX);
    *rows = (struct ticket_rows){.row_bytes = row_bytes, .rows_max = rows_max};
}

void
ticket_rows_release(struct ticket_rows *rows)
{
    free(rows->slots);
    free(rows->index);
}

void
ticket_rows_clear(struct ticket_rows *rows)
{
    ticket_rows_release(rows);
    ticket_rows_init(rows, rows->row_bytes, rows->rows_max);
}

/* ---- the index: open addressing, linear probing ---- */

static size_t
home_of(const struct ticket_rows *rows, uint64_t number)
{
    return (size_t)((number * UINT64_C(0x9E3779B97F4A7C15)) >> 20) &
           (rows->index_room - 1);
}

/* Where the ticket stands in the index, or the free place for it. */
static size_t
place_of(const struct ticket_rows *rows, uint64_t number)
{
    size_t at = home_of(rows, number);

    while (rows->index[at] != 0 &&
           ticket_rows_at(rows, rows->index[at] - 1)->number != number) {
        at = (at + 1) & (rows->index_room - 1);
    }
    return at;
}

static bool
grow_index(struct ticket_rows *rows)
{
    struct ticket_rows larger = *rows;

    larger.index_room =
        rows->index_room == 0 ? ROWS_ROOM_MIN : rows->index_room * 2;
    larger.index = calloc(larger.index_room, sizeof(*larger.index));
    if (larger.index == NULL) {
        return false;
    }
    for (size_t i = 0; i < rows->index_room; i++) {
        if (rows->index[i] != 0) {
            uint64_t number = ticket_rows_at(rows, rows->index[i] - 1)->number;

            larger.index[place_of(&larger, number)] = rows->index[i];
        }
    }
    free(rows->index);
    *rows = larger;
    return true;
}

/* Free a place; what stands behind it moves up, so that no search stops short.
 */
static void
free_place(struct ticket_rows *rows, size_t hole)
{
    size_t mask = rows->index_room - 1;

    for (size_t at = (hole + 1) & mask; rows->index[at] != 0;
         at = (at + 1) & mask) {
        uint64_t number = ticket_rows_at(rows, rows->index[at] - 1)->number;

        /* May it stand in the hole? Not when its home lies behind that. */
        if (((at - home_of(rows, number)) & mask) >= ((at - hole) & mask)) {
            rows->index[hole] = rows->index[at];
            hole = at;
        }
    }
    rows->index[hole] = 0;
    rows->index_used--;
}

/* ---- rows ---- */

/* A slot for one more row; rows_max when there is none. */
static size_t
take_slot(struct ticket_rows *rows)
{
    size_t slot = rows->free_slot;

    if (slot != 0) {
        rows->free_slot = ticket_rows_at(rows, slot - 1)->next;
        return slot - 1;
    }
    if (rows->slot_count == rows->rows_max) {
        return rows->rows_max;
    }
    if (rows->slot_count == rows->slot_room) {
        size_t room = rows->slot_room == 0
                          ? ROWS_ROOM_MIN
                          : rows->slot_room + rows->slot_room / 2;
        char *larger;

        room = room < rows->rows_max ? room : rows->rows_max;
        larger = realloc(rows->slots, room * rows->row_bytes);
        if (larger == NULL) {
            return rows->rows_max;
        }
        rows->slots = larger;
        rows->slot_room = room;
    }
    return rows->slot_count++;
}

struct ticket_row *
ticket_rows_find(const struct ticket_rows *rows, uint64_t number)
{
    uint32_t first;

    if (rows->index_room == 0) {
        return NULL;
    }
    first = rows->index[place_of(rows, number)];
    return first == 0 ? NULL : ticket_rows_at(rows, first - 1);
}

bool
ticket_rows_add(struct ticket_rows *rows, const struct ticket_row *row)
{
    size_t slot;
    size_t place;
    struct ticket_row *added;

    assert(row->number != 0);
    if ((rows->index_used + 1) * 2 > rows->index_room && !grow_index(rows)) {
        return false;
    }
    slot = take_slot(rows);
    if (slot == rows->rows_max) {
        return false;
    }
    place = place_of(rows, row->number);
    rows->index_used += rows->index[place] == 0;
    added = ticket_rows_at(rows, slot);
    memcpy(added, row, rows->row_bytes);
    added->next = rows->index[place];
    rows->index[place] = (uint32_t)slot + 1;
    rows->row_count++;
    return true;
}

void
ticket_rows_remove(struct ticket_rows *rows, uint64_t number)
{
    size_t place;
    uint32_t next;

    if (rows->index_room == 0) {
        return;
    }
    place = place_of(rows, number);
    next = rows->index[place];
    if (next == 0) {
        return;
    }
    free_place(rows, place);
    while (next != 0) {
        struct ticket_row *row = ticket_rows_at(rows, next - 1);
        uint32_t slot = next;

        next = row->next;
        row->number = 0;
        row->next = rows->free_slot;
        rows->free_slot = slot;
        rows->row_count--;
    }
}
