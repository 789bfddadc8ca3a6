/* Hash to ticket number, in memory: one writer, lock-free readers. */
#include "server/ledger/numbers.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

struct number_entry {
    _Atomic uint64_t hash; /* 0 = free */
    _Atomic uint64_t number;
};

struct number_table {
    struct number_table *older; /* readers may still be in it */
    size_t room;                /* a power of two */
    struct number_entry entries[];
};

struct numbers {
    _Atomic(struct number_table *) table;
    _Atomic size_t count;
    _Atomic uint64_t moves; /* odd while entries move */
};

static struct number_table *
table_new(size_t room)
{
    struct number_table *table =
        calloc(1, sizeof(*table) + room * sizeof(struct number_entry));

    if (table != NULL) {
        table->room = room;
    }
    return table;
}

struct numbers *
numbers_new(size_t expected_count)
{
    struct numbers *numbers = calloc(1, sizeof(*numbers));
    size_t room = 1024;

    while (room < expected_count + expected_count / 2) {
        room *= 2;
    }
    if (numbers == NULL) {
        return NULL;
    }
    atomic_init(&numbers->table, table_new(room));
    if (atomic_load(&numbers->table) == NULL) {
        free(numbers);
        return NULL;
    }
    return numbers;
}

void
numbers_free(struct numbers **numbers)
{
    struct number_table *table;

    if (*numbers == NULL) {
        return;
    }
    table = atomic_load(&(*numbers)->table);
    while (table != NULL) {
        struct number_table *older = table->older;

        free(table);
        table = older;
    }
    free(*numbers);
    *numbers = NULL;
}

size_t
numbers_count(const struct numbers *numbers)
{
    return atomic_load_explicit(&((struct numbers *)(uintptr_t)numbers)->count,
                                memory_order_relaxed);
}

static struct number_table *
current(const struct numbers *numbers)
{
    return atomic_load_explicit(&((struct numbers *)(uintptr_t)numbers)->table,
                                memory_order_acquire);
}

size_t
numbers_bytes(const struct numbers *numbers)
{
    size_t bytes = 0;

    for (const struct number_table *t = current(numbers); t != NULL;
         t = t->older) {
        bytes += t->room * sizeof(struct number_entry);
    }
    return bytes;
}

uint64_t
numbers_next(const struct numbers *numbers, uint64_t hash, size_t *cursor)
{
    struct number_table *table = current(numbers);
    size_t mask = table->room - 1;

    assert(hash != 0);
    for (; *cursor < table->room; (*cursor)++) {
        struct number_entry *entry =
            &table->entries[((size_t)hash + *cursor) & mask];
        uint64_t held =
            atomic_load_explicit(&entry->hash, memory_order_acquire);

        if (held == 0) {
            return 0;
        }
        if (held == hash) {
            (*cursor)++;
            return atomic_load_explicit(&entry->number, memory_order_acquire);
        }
    }
    return 0;
}

uint64_t
numbers_get(const struct numbers *numbers, uint64_t hash)
{
    size_t cursor = 0;

    return numbers_next(numbers, hash, &cursor);
}

void
numbers_prefetch(const struct numbers *numbers, uint64_t hash)
{
    struct number_table *table = current(numbers);

    __builtin_prefetch(&table->entries[(size_t)hash & (table->room - 1)]);
}

static void
table_add(struct number_table *table, uint64_t hash, uint64_t number)
{
    size_t mask = table->room - 1;

    for (size_t at = (size_t)hash;; at++) {
        struct number_entry *entry = &table->entries[at & mask];

        if (atomic_load_explicit(&entry->hash, memory_order_relaxed) == 0) {
            /* The number first: a reader that sees the hash sees it, too. */
            atomic_store_explicit(&entry->number, number, memory_order_relaxed);
            atomic_store_explicit(&entry->hash, hash, memory_order_release);
            return;
        }
    }
}

static bool
make_room(struct numbers *numbers)
{
    struct number_table *table = current(numbers);
    struct number_table *larger;

    if ((numbers_count(numbers) + 1) * 3 <= table->room * 2) {
        return true;
    }
    larger = table_new(table->room * 2);
    if (larger == NULL) {
        return false;
    }
    for (size_t i = 0; i < table->room; i++) {
        uint64_t hash =
            atomic_load_explicit(&table->entries[i].hash, memory_order_relaxed);

        if (hash != 0) {
            table_add(larger, hash,
                      atomic_load_explicit(&table->entries[i].number,
                                           memory_order_relaxed));
        }
    }
    larger->older = table;
    atomic_store_explicit(&numbers->table, larger, memory_order_release);
    return true;
}

bool
numbers_add(struct numbers *numbers, uint64_t hash, uint64_t number)
{
    assert(hash != 0 && number != 0);
    if (!make_room(numbers)) {
        return false;
    }
    table_add(current(numbers), hash, number);
    atomic_fetch_add_explicit(&numbers->count, 1, memory_order_relaxed);
    return true;
}

/* The newest entry of the hash, or NULL. */
static struct number_entry *
find_entry(struct numbers *numbers, uint64_t hash, uint64_t number)
{
    struct number_table *table = current(numbers);
    size_t mask = table->room - 1;
    struct number_entry *found = NULL;

    for (size_t at = (size_t)hash;; at++) {
        struct number_entry *entry = &table->entries[at & mask];
        uint64_t held =
            atomic_load_explicit(&entry->hash, memory_order_relaxed);

        if (held == 0) {
            return found;
        }
        if (held == hash &&
            (number == 0 ||
             number ==
                 atomic_load_explicit(&entry->number, memory_order_relaxed))) {
            found = entry;
        }
    }
}

bool
numbers_set(struct numbers *numbers,
            uint64_t hash,
            uint64_t number,
            uint64_t *old)
{
    struct number_entry *entry = find_entry(numbers, hash, 0);

    if (entry == NULL) {
        *old = 0;
        return numbers_add(numbers, hash, number);
    }
    *old = atomic_load_explicit(&entry->number, memory_order_relaxed);
    atomic_store_explicit(&entry->number, number, memory_order_release);
    return true;
}

uint64_t
numbers_moves(const struct numbers *numbers)
{
    /* Everything a reader saw of the table comes before the second look. */
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&((struct numbers *)(uintptr_t)numbers)->moves,
                                memory_order_acquire);
}

void
numbers_remove(struct numbers *numbers, uint64_t hash, uint64_t number)
{
    struct number_entry *entry = find_entry(numbers, hash, number);

    assert(entry != NULL);
    /* Close the gap by moving the rest of the run, or probes would end here. */
    struct number_table *table = current(numbers);
    size_t mask = table->room - 1;
    size_t gap = (size_t)(entry - table->entries);

    atomic_fetch_add_explicit(&numbers->moves, 1, memory_order_acq_rel);
    for (size_t at = (gap + 1) & mask;; at = (at + 1) & mask) {
        struct number_entry *next = &table->entries[at];
        uint64_t held = atomic_load_explicit(&next->hash, memory_order_relaxed);
        size_t home = (size_t)held & mask;

        if (held == 0) {
            break;
        }
        /* May it move to the gap, that is, does its home not lie behind it? */
        if (((at - home) & mask) >= ((at - gap) & mask)) {
            atomic_store_explicit(
                &table->entries[gap].number,
                atomic_load_explicit(&next->number, memory_order_relaxed),
                memory_order_release);
            atomic_store_explicit(&table->entries[gap].hash, held,
                                  memory_order_release);
            gap = at;
        }
    }
    atomic_store_explicit(&table->entries[gap].hash, 0, memory_order_release);
    atomic_fetch_add_explicit(&numbers->moves, 1, memory_order_release);
    atomic_fetch_sub_explicit(&numbers->count, 1, memory_order_relaxed);
}
