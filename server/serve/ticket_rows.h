/*
 * ticket_rows: rows of one size, some for each of many tickets, found by the
 * ticket's number.
 *
 * Rows lie in slots of one array and are visited in its order; an index of 4
 * bytes a slot leads from a number to its rows. A row begins with a struct
 * ticket_row. Numbers are our own: nobody can choose colliding ones.
 */
#ifndef SERVE_TICKET_ROWS_H
#define SERVE_TICKET_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ticket_row {
    uint64_t number; /* 0: a free slot */
    int64_t at_us;
    uint32_t unit_id;
    uint32_t next; /* of the table: slot + 1 of another row of the ticket */
};

struct ticket_rows {
    size_t row_bytes;
    size_t rows_max;
    char *slots;       /* owned; slot_count of them have been used */
    size_t slot_count; /* free ones included */
    size_t slot_room;
    size_t row_count;
    uint32_t free_slot; /* slot + 1 of the first free one */
    uint32_t *index;    /* owned; slot + 1 of a ticket's first row, 0: free */
    size_t index_room;  /* a power of two */
    size_t index_used;
};

/* At most rows_max (below 2^32) rows of row_bytes. */
void
ticket_rows_init(struct ticket_rows *rows, size_t row_bytes, size_t rows_max);
void ticket_rows_release(struct ticket_rows *rows);
/* Forget all rows and give their memory back. */
void ticket_rows_clear(struct ticket_rows *rows);

/* The row of a slot, 0 to slot_count - 1; its number is 0 when it is free. */
static inline struct ticket_row *
ticket_rows_at(const struct ticket_rows *rows, size_t slot)
{
    return (struct ticket_row *)(void *)(rows->slots + slot * rows->row_bytes);
}

static inline size_t
ticket_rows_slot(const struct ticket_rows *rows, const struct ticket_row *row)
{
    return (size_t)((const char *)row - rows->slots) / rows->row_bytes;
}

/* A row of the ticket, NULL when there is none; good until the next change. */
struct ticket_row *ticket_rows_find(const struct ticket_rows *rows,
                                    uint64_t number);

/* Copy a row in. False: rows_max are there, or no memory. */
bool ticket_rows_add(struct ticket_rows *rows, const struct ticket_row *row);

/* Take out all rows of the ticket. */
void ticket_rows_remove(struct ticket_rows *rows, uint64_t number);

#endif /* SERVE_TICKET_ROWS_H */
