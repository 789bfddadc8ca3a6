/*
 * Sums of a batch in memory, and their way up the units and the calendar.
 *
 * What is added lies in small tables, one a cell. Rolled up, a cell is a sorted
 * list: a unit's day is what was added there and the days of the units below
 * it; its month is its days. So what stands in a station's day is added to the
 * county's once, and not to every cell above it, and no cell is sorted alone:
 * the slots of the batch are, and sums are added up by their rank.
 */
#include <assert.h>
#include <stdlib.h>

#include "analyzers/arena.h"
#include "analyzers/indicator.h"
#include "analyzers/ticket.h"
#include "server/ledger/counters.h"

struct sum_slot {
    uint32_t slot; /* SLOT_FREE = free; its rank in the lists of parts */
    int32_t count;
};

/* Sorted sums that go into a cell. Cells share them. */
struct sum_part {
    struct sum_part *next;
    const struct sum_slot *slots;
    size_t count;
};

struct sum_cell {
    uint64_t high; /* grain, day, hour: see pack_cell; 0 = free */
    uint32_t unit_id;
    uint32_t slot_used;
    uint32_t slot_room;     /* a power of two */
    struct sum_slot *slots; /* what was added: open addressing */
    struct sum_part *parts; /* what came from other cells; then all of it */
};

/* Every slot of the batch and its place in their order. */
struct slot_ranks {
    struct sum_slot *table; /* open addressing; .count is the rank */
    size_t room;            /* a power of two */
    uint32_t *slots;        /* [rank] */
    size_t count;
    int32_t *sums;     /* [rank], zero between two cells */
    uint64_t *touched; /* a bit a rank, zero between two cells */
};

struct counter_sums {
    struct arena arena; /* of what the cells hold, until the next reset */
    struct sum_cell *cells;
    size_t room; /* a power of two */
    size_t used;
    struct sum_cell **sorted;
    size_t sorted_room;
};

enum { SUM_CELLS_MIN = 256, SUM_SLOTS_MIN = 32, SUM_ARENA_BYTES = 256 * 1024 };
enum { RANKS_MIN = 1024 };
#define SLOT_FREE UINT32_MAX

/* --- adding ------------------------------------------------------------- */

/* Packed so that the order of (high, unit) is the order of the keys. */
static uint64_t
pack_cell(const struct counter_cell *cell)
{
    return UINT64_C(1) << 63 | (uint64_t)cell->grain << 40 |
           (uint64_t)((uint32_t)cell->day ^ UINT32_C(0x80000000)) << 8 |
           cell->hour;
}

static struct counter_cell
unpack_cell(const struct sum_cell *cell)
{
    return (struct counter_cell){
        .grain = (enum counter_grain)(cell->high >> 40 & 0xFF),
        .day = (int32_t)((uint32_t)(cell->high >> 8) ^ UINT32_C(0x80000000)),
        .hour = (uint8_t)cell->high,
        .unit_id = cell->unit_id};
}

static struct sum_cell *
cell_place(struct sum_cell *cells, size_t room, uint64_t high, uint32_t unit_id)
{
    uint64_t mixed = (high ^ (uint64_t)unit_id << 32 ^ unit_id) *
                     UINT64_C(0x9E3779B97F4A7C15);

    for (size_t at = (size_t)(mixed >> 32);; at++) {
        struct sum_cell *cell = &cells[at & (room - 1)];

        if (cell->high == 0 ||
            (cell->high == high && cell->unit_id == unit_id)) {
            return cell;
        }
    }
}

static bool
cells_grow(struct counter_sums *sums)
{
    size_t room = sums->room == 0 ? SUM_CELLS_MIN : sums->room * 2;
    struct sum_cell *larger = calloc(room, sizeof(*larger));

    if (larger == NULL) {
        return false;
    }
    for (size_t i = 0; i < sums->room; i++) {
        if (sums->cells[i].high != 0) {
            *cell_place(larger, room, sums->cells[i].high,
                        sums->cells[i].unit_id) = sums->cells[i];
        }
    }
    free(sums->cells);
    sums->cells = larger;
    sums->room = room;
    return true;
}

/* The cell, made when new. NULL: no memory. Good until the next call. */
static struct sum_cell *
cell_of(struct counter_sums *sums, const struct counter_cell *wanted)
{
    uint64_t high = pack_cell(wanted);
    struct sum_cell *cell;

    if ((sums->used + 1) * 2 > sums->room && !cells_grow(sums)) {
        return NULL;
    }
    cell = cell_place(sums->cells, sums->room, high, wanted->unit_id);
    if (cell->high == 0) {
        *cell = (struct sum_cell){.high = high, .unit_id = wanted->unit_id};
        sums->used++;
    }
    return cell;
}

static inline struct sum_slot *
slot_place(struct sum_slot *slots, size_t room, uint32_t slot)
{
    for (size_t at = slot * UINT32_C(0x9E3779B1) >> 7;; at++) {
        struct sum_slot *place = &slots[at & (room - 1)];

        if (place->slot == slot || place->slot == SLOT_FREE) {
            return place;
        }
    }
}

static bool
slots_grow(struct arena *arena, struct sum_cell *cell)
{
    uint32_t room = cell->slot_room == 0 ? SUM_SLOTS_MIN : cell->slot_room * 2;
    struct sum_slot *larger = arena_alloc(arena, room * sizeof(*larger));

    if (larger == NULL) {
        return false;
    }
    memset(larger, 0xFF, room * sizeof(*larger));
    for (uint32_t i = 0; i < cell->slot_room; i++) {
        if (cell->slots[i].slot != SLOT_FREE) {
            *slot_place(larger, room, cell->slots[i].slot) = cell->slots[i];
        }
    }
    cell->slots = larger;
    cell->slot_room = room;
    return true;
}

static inline bool
cell_add(struct counter_sums *sums,
         struct sum_cell *cell,
         uint32_t slot,
         int32_t count)
{
    struct sum_slot *place;

    if ((cell->slot_used + 1) * 2 > cell->slot_room &&
        !slots_grow(&sums->arena, cell)) {
        return false;
    }
    place = slot_place(cell->slots, cell->slot_room, slot);
    if (place->slot == SLOT_FREE) {
        *place = (struct sum_slot){slot, 0};
        cell->slot_used++;
    }
    place->count += count;
    return true;
}

struct counter_sums *
counter_sums_new(void)
{
    struct counter_sums *sums = calloc(1, sizeof(*sums));

    if (sums != NULL) {
        arena_init(&sums->arena, SUM_ARENA_BYTES);
    }
    return sums;
}

void
counter_sums_free(struct counter_sums **sums)
{
    if (*sums == NULL) {
        return;
    }
    arena_release(&(*sums)->arena);
    free((*sums)->cells);
    free((*sums)->sorted);
    free(*sums);
    *sums = NULL;
}

void
counter_sums_reset(struct counter_sums *sums)
{
    if (sums->used > 0) {
        memset(sums->cells, 0, sums->room * sizeof(*sums->cells));
        sums->used = 0;
    }
    arena_reset(&sums->arena);
}

/* The bits of `set`, in every dimension, into one cell. */
static bool
add_set_to_cell(struct counter_sums *sums,
                const struct counter_cell *where,
                const struct tally *tally,
                uint64_t set,
                int32_t sign)
{
    struct sum_cell *cell = cell_of(sums, where);

    if (cell == NULL) {
        return false;
    }
    while (set != 0) {
        unsigned counter = (unsigned)__builtin_ctzll(set);

        set &= set - 1;
        for (unsigned d = 0; d < TALLY_CLOCK; d++) {
            if (!cell_add(sums, cell,
                          TALLY_SLOT(d, tally->dimension_value[d], counter),
                          sign)) {
                return false;
            }
        }
    }
    return true;
}

/* The day of the unit itself, and the hour of all units. */
static void
cells_of(const struct tally *tally,
         int64_t at_us,
         struct counter_cell *leaf,
         struct counter_cell *hour)
{
    int32_t day = shanghai_day(at_us);

    *leaf = (struct counter_cell){GRAIN_DAY, day, 0, tally->unit_id};
    *hour = (struct counter_cell){
        GRAIN_HOUR, day,
        (uint8_t)((at_us - shanghai_day_start_us(day)) / US_PER_HOUR), 0};
}

static bool
add_set(struct counter_sums *sums,
        const struct tally *tally,
        uint64_t set,
        int64_t at_us,
        int32_t sign)
{
    struct counter_cell leaf;
    struct counter_cell hour;

    if (set == 0) {
        return true;
    }
    cells_of(tally, at_us, &leaf, &hour);
    return add_set_to_cell(sums, &leaf, tally, set, sign) &&
           add_set_to_cell(sums, &hour, tally, set, sign);
}

static bool
add_overdue_to_cell(struct counter_sums *sums,
                    const struct counter_cell *where,
                    const struct tally *tally,
                    int32_t sign)
{
    struct sum_cell *cell = cell_of(sums, where);

    for (uint32_t i = 0; cell != NULL && i < tally->overdue_count; i++) {
        if (!cell_add(sums, cell,
                      TALLY_SLOT(TALLY_CLOCK, tally->overdue_kind_id[i],
                                 COUNTER_overdue_clocks),
                      sign) ||
            !cell_add(sums, cell,
                      TALLY_SLOT(TALLY_ALL, 0, COUNTER_overdue_clocks), sign)) {
            return false;
        }
    }
    return cell != NULL;
}

static bool
add_overdue(struct counter_sums *sums, const struct tally *tally, int32_t sign)
{
    struct counter_cell leaf;
    struct counter_cell hour;

    if (tally->overdue_count == 0) {
        return true;
    }
    cells_of(tally, tally->accepted_at_us, &leaf, &hour);
    return add_overdue_to_cell(sums, &leaf, tally, sign) &&
           add_overdue_to_cell(sums, &hour, tally, sign);
}

bool
counter_sums_add(struct counter_sums *sums,
                 const struct tally *tally,
                 int64_t sign)
{
    return add_set(sums, tally, tally->accepted_set, tally->accepted_at_us,
                   (int32_t)sign) &&
           add_set(sums, tally, tally->due_set, tally->reply_due_us,
                   (int32_t)sign) &&
           add_overdue(sums, tally, (int32_t)sign);
}

bool
counter_sums_add_slot(struct counter_sums *sums,
                      const struct tally *tally,
                      uint32_t slot,
                      int64_t count)
{
    struct counter_cell leaf;
    struct counter_cell hour;
    struct sum_cell *cell;

    cells_of(tally, tally->accepted_at_us, &leaf, &hour);
    cell = cell_of(sums, &leaf);
    return cell != NULL && cell_add(sums, cell, slot, (int32_t)count);
}

bool
counter_sums_add_cell(struct counter_sums *sums,
                      const struct counter_cell *where,
                      uint32_t slot,
                      int64_t count)
{
    struct sum_cell *cell = cell_of(sums, where);

    return cell != NULL && cell_add(sums, cell, slot, (int32_t)count);
}

/* --- rolling up --------------------------------------------------------- */

static void
ranks_release(struct slot_ranks *ranks)
{
    free(ranks->table);
    free(ranks->slots);
    free(ranks->sums);
    free(ranks->touched);
}

static bool
ranks_grow(struct slot_ranks *ranks)
{
    size_t room = ranks->room == 0 ? RANKS_MIN : ranks->room * 2;
    struct sum_slot *larger = malloc(room * sizeof(*larger));

    if (larger == NULL) {
        return false;
    }
    memset(larger, 0xFF, room * sizeof(*larger));
    for (size_t i = 0; i < ranks->room; i++) {
        if (ranks->table[i].slot != SLOT_FREE) {
            *slot_place(larger, room, ranks->table[i].slot) = ranks->table[i];
        }
    }
    free(ranks->table);
    ranks->table = larger;
    ranks->room = room;
    return true;
}

static bool
ranks_add(struct slot_ranks *ranks, const struct sum_cell *cell)
{
    for (uint32_t i = 0; i < cell->slot_room; i++) {
        struct sum_slot *place;

        if (cell->slots[i].slot == SLOT_FREE) {
            continue;
        }
        if ((ranks->count + 1) * 2 > ranks->room && !ranks_grow(ranks)) {
            return false;
        }
        place = slot_place(ranks->table, ranks->room, cell->slots[i].slot);
        if (place->slot == SLOT_FREE) {
            place->slot = cell->slots[i].slot;
            ranks->count++;
        }
    }
    return true;
}

static int
slot_compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

/* Sort the slots that were added. */
static bool
ranks_settle(struct slot_ranks *ranks)
{
    size_t count = 0;

    ranks->slots = malloc((ranks->count + 1) * sizeof(*ranks->slots));
    ranks->sums = calloc(ranks->count + 1, sizeof(*ranks->sums));
    ranks->touched = calloc(ranks->count / 64 + 1, sizeof(*ranks->touched));
    if (ranks->slots == NULL || ranks->sums == NULL || ranks->touched == NULL) {
        return false;
    }
    for (size_t i = 0; i < ranks->room; i++) {
        if (ranks->table[i].slot != SLOT_FREE) {
            ranks->slots[count++] = ranks->table[i].slot;
        }
    }
    if (count > 1) {
        qsort(ranks->slots, count, sizeof(*ranks->slots), slot_compare);
    }
    for (size_t i = 0; i < count; i++) {
        slot_place(ranks->table, ranks->room, ranks->slots[i])->count =
            (int32_t)i;
    }
    return true;
}

static inline void
ranks_sum(struct slot_ranks *ranks, uint32_t rank, int32_t count)
{
    ranks->sums[rank] += count;
    ranks->touched[rank / 64] |= UINT64_C(1) << rank % 64;
}

/* What was summed up, in order and without zeros, as one part. NULL: no
 * memory. */
static struct sum_part *
ranks_take(struct slot_ranks *ranks, struct arena *arena)
{
    struct sum_part *part = arena_alloc(arena, sizeof(*part));
    struct sum_slot *slots;
    size_t most = 0;

    for (size_t i = 0; i <= ranks->count / 64; i++) {
        most += (size_t)__builtin_popcountll(ranks->touched[i]);
    }
    slots = arena_alloc(arena, (most + 1) * sizeof(*slots));
    if (part == NULL || slots == NULL) {
        return NULL;
    }
    *part = (struct sum_part){NULL, slots, 0};
    for (size_t i = 0; i <= ranks->count / 64; i++) {
        for (; ranks->touched[i] != 0;
             ranks->touched[i] &= ranks->touched[i] - 1) {
            uint32_t rank = (uint32_t)(i * 64) +
                            (uint32_t)__builtin_ctzll(ranks->touched[i]);

            if (ranks->sums[rank] != 0) {
                slots[part->count++] =
                    (struct sum_slot){rank, ranks->sums[rank]};
                ranks->sums[rank] = 0;
            }
        }
    }
    return part;
}

/* All of the cell as one part. */
static bool
seal_cell(struct counter_sums *sums,
          struct slot_ranks *ranks,
          struct sum_cell *cell)
{
    if (cell->slot_used == 0 && cell->parts != NULL &&
        cell->parts->next == NULL) {
        return true;
    }
    for (uint32_t i = 0; i < cell->slot_room; i++) {
        const struct sum_slot *added = &cell->slots[i];

        if (added->slot != SLOT_FREE && added->count != 0) {
            ranks_sum(
                ranks,
                (uint32_t)slot_place(ranks->table, ranks->room, added->slot)
                    ->count,
                added->count);
        }
    }
    for (const struct sum_part *part = cell->parts; part != NULL;
         part = part->next) {
        for (size_t i = 0; i < part->count; i++) {
            ranks_sum(ranks, part->slots[i].slot, part->slots[i].count);
        }
    }
    cell->parts = ranks_take(ranks, &sums->arena);
    return cell->parts != NULL;
}

/* A sealed cell's sums into another cell, which is there. */
static bool
hand_on(struct counter_sums *sums,
        const struct sum_cell *from,
        const struct counter_cell *to)
{
    struct sum_cell *cell =
        cell_place(sums->cells, sums->room, pack_cell(to), to->unit_id);
    struct sum_part *part = arena_alloc(&sums->arena, sizeof(*part));

    if (part == NULL) {
        return false;
    }
    *part =
        (struct sum_part){cell->parts, from->parts->slots, from->parts->count};
    cell->parts = part;
    return true;
}

static struct counter_cell
month_of(const struct counter_cell *day)
{
    return (struct counter_cell){
        GRAIN_MONTH, period_first_day(PERIOD_MONTH, day->day), 0, day->unit_id};
}

/* The cells that a unit's day goes into: the days of the units above, and the
 * months of all. */
static bool
make_cells_above(struct counter_sums *sums,
                 const struct names *names,
                 struct counter_cell day)
{
    for (;;) {
        struct counter_cell month = month_of(&day);
        size_t before;

        if (cell_of(sums, &month) == NULL) {
            return false;
        }
        if (day.unit_id == 0) {
            return true;
        }
        day.unit_id = names_unit_parent(names, day.unit_id);
        before = sums->used;
        if (cell_of(sums, &day) == NULL) {
            return false;
        }
        if (sums->used == before) {
            return true; /* its own way up is made, or will be */
        }
    }
}

static int
cell_compare(const void *a, const void *b)
{
    const struct sum_cell *x = *(struct sum_cell *const *)a;
    const struct sum_cell *y = *(struct sum_cell *const *)b;

    if (x->high != y->high) {
        return x->high < y->high ? -1 : 1;
    }
    return x->unit_id < y->unit_id ? -1 : x->unit_id > y->unit_id;
}

static size_t
list_cells(struct counter_sums *sums)
{
    size_t count = 0;

    for (size_t i = 0; i < sums->room; i++) {
        if (sums->cells[i].high != 0) {
            sums->sorted[count++] = &sums->cells[i];
        }
    }
    return count;
}

/* All cells in the order of their keys, in sums->sorted. */
static bool
sort_cells(struct counter_sums *sums)
{
    if (sums->sorted_room < sums->used) {
        struct sum_cell **sorted =
            realloc(sums->sorted, sums->room * sizeof(*sorted));

        if (sorted == NULL) {
            return false;
        }
        sums->sorted = sorted;
        sums->sorted_room = sums->room;
    }
    if (list_cells(sums) > 1) {
        qsort(sums->sorted, sums->used, sizeof(*sums->sorted), cell_compare);
    }
    return true;
}

/* Make every cell that something goes into. */
static bool
make_cells(struct counter_sums *sums, const struct names *names)
{
    struct counter_cell *days =
        arena_alloc(&sums->arena, (sums->used + 1) * sizeof(*days));
    size_t count = 0;

    if (days == NULL) {
        return false;
    }
    for (size_t i = 0; i < sums->room; i++) {
        if (sums->cells[i].high != 0) {
            days[count] = unpack_cell(&sums->cells[i]);
            count += days[count].grain == GRAIN_DAY;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (!make_cells_above(sums, names, days[i])) {
            return false;
        }
    }
    return true;
}

/* A unit's number is larger than that of the unit above it (names.h), so from
 * the last day cell to the first each is whole when its turn comes. */
static bool
roll_up_days(struct counter_sums *sums,
             struct slot_ranks *ranks,
             const struct names *names)
{
    for (size_t i = sums->used; i-- > 0;) {
        struct counter_cell cell = unpack_cell(sums->sorted[i]);
        struct counter_cell above = cell;
        struct counter_cell month = month_of(&cell);

        if (cell.grain != GRAIN_DAY) {
            continue;
        }
        above.unit_id = names_unit_parent(names, cell.unit_id);
        if (!seal_cell(sums, ranks, sums->sorted[i]) ||
            !hand_on(sums, sums->sorted[i], &month) ||
            (cell.unit_id != 0 && !hand_on(sums, sums->sorted[i], &above))) {
            return false;
        }
    }
    return true;
}

static bool
roll_up(struct counter_sums *sums,
        struct slot_ranks *ranks,
        const struct names *names)
{
    if (!make_cells(sums, names) || !sort_cells(sums)) {
        return false;
    }
    for (size_t i = 0; i < sums->used; i++) {
        if (!ranks_add(ranks, sums->sorted[i])) {
            return false;
        }
    }
    if (!ranks_settle(ranks) || !roll_up_days(sums, ranks, names)) {
        return false;
    }
    for (size_t i = 0; i < sums->used; i++) {
        if (unpack_cell(sums->sorted[i]).grain != GRAIN_DAY &&
            !seal_cell(sums, ranks, sums->sorted[i])) {
            return false;
        }
    }
    return true;
}

bool
counter_sums_visit(struct counter_sums *sums,
                   const struct names *names,
                   counter_visit *visit,
                   void *data)
{
    struct slot_ranks ranks = {NULL, 0, NULL, 0, NULL, NULL};
    struct counter_slot *slots = NULL;
    bool fine = roll_up(sums, &ranks, names);

    if (fine) {
        slots = malloc((ranks.count + 1) * sizeof(*slots));
        fine = slots != NULL;
    }
    for (size_t i = 0; fine && i < sums->used; i++) {
        struct counter_cell cell = unpack_cell(sums->sorted[i]);
        const struct sum_part *part = sums->sorted[i]->parts;

        for (size_t k = 0; k < part->count; k++) {
            slots[k] = (struct counter_slot){ranks.slots[part->slots[k].slot],
                                             part->slots[k].count};
        }
        fine = part->count == 0 || visit(data, &cell, slots, part->count);
    }
    free(slots);
    ranks_release(&ranks);
    counter_sums_reset(sums);
    return fine;
}
