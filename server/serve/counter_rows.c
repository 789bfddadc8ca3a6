/* Sums of counters by period and properties, from cells or from states. */
#include "server/serve/counter_rows.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

static const char *const by_words[COUNTER_BY_COUNT] = {
    [COUNTER_BY_CATEGORY] = "category",
    [COUNTER_BY_REGION] = "region",
    [COUNTER_BY_SUBCATEGORY] = "subcategory",
    [COUNTER_BY_CHANNEL] = "channel",
    [COUNTER_BY_TYPE] = "type",
    [COUNTER_BY_UNIT] = "unit",
    [COUNTER_BY_CLOCK] = "clock",
};

const char *
counter_by_wire(enum counter_by by)
{
    return by_words[by];
}

bool
counter_by_from(struct span word, enum counter_by *out)
{
    for (unsigned i = 0; i < COUNTER_BY_COUNT; i++) {
        if (span_is(word, by_words[i])) {
            *out = (enum counter_by)i;
            return true;
        }
    }
    return false;
}

/* ---- the table of rows ---- */

/* The row of that period and those values; NULL and err: too many. */
static struct counter_row *
find_row(struct counter_rows *rows,
         const struct counter_row *wanted,
         struct err *err)
{
    uint64_t hash = XXH3_64bits(wanted, offsetof(struct counter_row, distinct));
    uint64_t *at = u64_map_at(&rows->index, hash | 1);

    if (at == NULL) {
        (void)err_set(err, ERR_NO_MEMORY, "counters");
        return NULL;
    }
    if (*at != 0) {
        return &rows->rows[*at - 1];
    }
    if (rows->count == COUNTER_ROWS_MAX) {
        (void)err_set_field(err, ERR_BAD_VALUE, "from",
                            "more than %d rows: take a shorter range, a longer "
                            "period or fewer properties",
                            COUNTER_ROWS_MAX);
        return NULL;
    }
    if (rows->count == rows->room) {
        size_t room = rows->room == 0 ? 64 : rows->room * 2;
        struct counter_row *larger =
            realloc(rows->rows, room * sizeof(*larger));

        if (larger == NULL) {
            (void)err_set(err, ERR_NO_MEMORY, "counters");
            return NULL;
        }
        rows->rows = larger;
        rows->room = room;
    }
    rows->rows[rows->count] = *wanted;
    *at = ++rows->count;
    return &rows->rows[rows->count - 1];
}

void
counter_rows_release(struct counter_rows *rows)
{
    free(rows->rows);
    u64_map_release(&rows->index);
    memset(rows, 0, sizeof(*rows));
}

bool
counter_rows_has(const struct counter_rows_query *query,
                 const struct counter_row *row,
                 enum counter counter)
{
    uint32_t clocks = 1u << COUNTER_BY_UNIT | 1u << COUNTER_BY_CLOCK;

    if (counter_anchor(counter) == COUNTER_DISTINCT) {
        return row->distinct;
    }
    return counter != COUNTER_overdue_clocks || (query->by & ~clocks) == 0;
}

static int
by_time_and_values(const void *a, const void *b)
{
    const struct counter_row *x = a;
    const struct counter_row *y = b;

    if (x->day != y->day) {
        return x->day < y->day ? -1 : 1;
    }
    if (x->hour != y->hour) {
        return x->hour < y->hour ? -1 : 1;
    }
    for (int i = 0; i < COUNTER_BY_COUNT; i++) {
        if (x->value[i] != y->value[i]) {
            return x->value[i] < y->value[i] ? -1 : 1;
        }
    }
    return 0;
}

static bool
row_is_empty(const struct counter_row *row)
{
    for (unsigned c = 0; c < COUNTER_COUNT; c++) {
        if (row->counts[c] != 0) {
            return false;
        }
    }
    return true;
}

static void
finish(struct counter_rows *rows)
{
    size_t kept = 0;

    for (size_t i = 0; i < rows->count; i++) {
        if (!row_is_empty(&rows->rows[i])) {
            rows->rows[kept++] = rows->rows[i];
        }
    }
    rows->count = kept;
    if (kept > 1) {
        qsort(rows->rows, kept, sizeof(*rows->rows), by_time_and_values);
    }
    u64_map_release(&rows->index);
}

/* ---- common ---- */

struct gather {
    const struct reader *reader;
    const struct counter_rows_query *query;
    struct counter_rows *rows;
    struct err *err;

    /* cells */
    enum tally_dimension dimension;
    uint32_t unit_value; /* of by=unit: whose cells are visited */
    uint32_t rest_value; /* and from whose row they are taken away */
    bool subtract;

    /* states */
    struct query_unit_filter units;
    uint64_t scanned;
};

static bool
wants(const struct counter_rows_query *query, enum counter_by by)
{
    return (query->by >> by & 1) != 0;
}

static int32_t
row_day(const struct counter_rows_query *query, int32_t day)
{
    if (query->period == COUNTER_PERIOD_ALL) {
        return shanghai_day(query->from_us);
    }
    return query->period == PERIOD_HOUR
               ? day
               : period_first_day((enum period_kind)query->period, day);
}

/* ---- from the cells ---- */

static bool
is_multiple(int64_t at_us, int64_t unit_us)
{
    return (at_us - shanghai_day_start_us(shanghai_day(at_us))) % unit_us == 0;
}

/* The one dimension that holds the combination; false when none does. */
static bool
cells_can_tell(const struct counter_rows_query *query,
               enum tally_dimension *dimension)
{
    uint32_t area = 1u << COUNTER_BY_CATEGORY | 1u << COUNTER_BY_REGION;
    uint32_t by = query->by & ~(1u << COUNTER_BY_UNIT);
    int64_t step_us = query->period == PERIOD_HOUR ? US_PER_HOUR : US_PER_DAY;

    if (!is_multiple(query->from_us, step_us) ||
        !is_multiple(query->to_us, step_us) ||
        (query->period == PERIOD_HOUR &&
         (query->unit_id != 0 || wants(query, COUNTER_BY_UNIT)))) {
        return false;
    }
    if (by == 0) {
        *dimension = TALLY_ALL;
    } else if ((by & ~area) == 0) {
        *dimension = TALLY_CATEGORY_REGION;
    } else if (by == 1u << COUNTER_BY_SUBCATEGORY) {
        *dimension = TALLY_SUBCATEGORY;
    } else if (by == 1u << COUNTER_BY_CHANNEL) {
        *dimension = TALLY_CHANNEL;
    } else if (by == 1u << COUNTER_BY_TYPE) {
        *dimension = TALLY_TYPE;
    } else if (by == 1u << COUNTER_BY_CLOCK) {
        *dimension = TALLY_CLOCK;
    } else {
        return false;
    }
    return true;
}

static void
set_values(const struct gather *gather,
           uint32_t slot_value,
           struct counter_row *row)
{
    const struct counter_rows_query *query = gather->query;

    switch (gather->dimension) {
    case TALLY_CATEGORY_REGION:
        if (wants(query, COUNTER_BY_CATEGORY)) {
            row->value[COUNTER_BY_CATEGORY] = slot_value / TICKET_REGION_COUNT;
        }
        if (wants(query, COUNTER_BY_REGION)) {
            row->value[COUNTER_BY_REGION] = slot_value % TICKET_REGION_COUNT;
        }
        break;
    case TALLY_SUBCATEGORY:
        row->value[COUNTER_BY_SUBCATEGORY] = slot_value;
        break;
    case TALLY_CHANNEL:
        row->value[COUNTER_BY_CHANNEL] = slot_value;
        break;
    case TALLY_TYPE:
        row->value[COUNTER_BY_TYPE] = slot_value;
        break;
    case TALLY_CLOCK:
        row->value[COUNTER_BY_CLOCK] = slot_value;
        break;
    case TALLY_ALL:
    case TALLY_DIMENSION_COUNT:
        break;
    }
}

static bool
add_slots(void *data,
          const struct counter_cell *cell,
          const struct counter_slot *slots,
          size_t slot_count)
{
    struct gather *gather = data;
    const struct counter_rows_query *query = gather->query;
    struct counter_row wanted;
    int64_t cell_us =
        shanghai_day_start_us(cell->day) + cell->hour * US_PER_HOUR;

    if (cell->grain == GRAIN_HOUR &&
        (cell_us < query->from_us || cell_us >= query->to_us)) {
        return true;
    }
    memset(&wanted, 0, sizeof(wanted));
    wanted.day = row_day(query, cell->day);
    wanted.hour = query->period == PERIOD_HOUR ? cell->hour : 0;
    for (size_t i = 0; i < slot_count; i++) {
        enum counter counter = TALLY_SLOT_COUNTER(slots[i].slot);
        struct counter_row *row;

        if (TALLY_SLOT_DIMENSION(slots[i].slot) != gather->dimension ||
            counter >= COUNTER_COUNT ||
            counter_anchor(counter) == COUNTER_DISTINCT) {
            continue;
        }
        set_values(gather, TALLY_SLOT_VALUE(slots[i].slot), &wanted);
        wanted.value[COUNTER_BY_UNIT] = gather->unit_value;
        row = find_row(gather->rows, &wanted, gather->err);
        if (row == NULL) {
            return false;
        }
        row->counts[counter] += slots[i].count;
        if (gather->subtract) {
            wanted.value[COUNTER_BY_UNIT] = gather->rest_value;
            row = find_row(gather->rows, &wanted, gather->err);
            if (row == NULL) {
                return false;
            }
            row->counts[counter] -= slots[i].count;
        }
    }
    return true;
}

static enum err_code
visit_cells(struct gather *gather, uint32_t unit_id)
{
    const struct counter_rows_query *query = gather->query;
    int32_t first = shanghai_day(query->from_us);
    int32_t last = shanghai_day(query->to_us - 1);

    if (query->period == PERIOD_HOUR) {
        return counters_visit(gather->reader->store, gather->reader->txn,
                              GRAIN_HOUR, unit_id, first, last, add_slots,
                              gather, gather->err);
    }
    return query_cells(gather->reader, unit_id, first, last,
                       query->period >= PERIOD_MONTH, add_slots, gather,
                       gather->err);
}

/* ---- distinct counters: whole months, quarters and years only ---- */

static bool
add_distinct(void *data,
             const struct counter_cell *cell,
             const struct counter_slot *slots,
             size_t slot_count)
{
    struct gather *gather = data;
    struct counter_row wanted;
    struct counter_row *row;

    memset(&wanted, 0, sizeof(wanted));
    wanted.day = row_day(gather->query, cell->day);
    wanted.value[COUNTER_BY_UNIT] = gather->unit_value;
    row = find_row(gather->rows, &wanted, gather->err);
    if (row == NULL) {
        return false;
    }
    for (size_t i = 0; i < slot_count; i++) {
        enum counter counter = TALLY_SLOT_COUNTER(slots[i].slot);

        if (TALLY_SLOT_DIMENSION(slots[i].slot) == TALLY_ALL &&
            counter < COUNTER_COUNT &&
            counter_anchor(counter) == COUNTER_DISTINCT) {
            row->counts[counter] = slots[i].count;
        }
    }
    return true;
}

/* The grain whose cells are the periods of the query; false when there is
 * none or the range cuts a period. */
static bool
distinct_grain(const struct counter_rows_query *query, enum counter_grain *out)
{
    static const struct {
        enum period_kind kind;
        enum counter_grain grain;
    } kinds[] = {{PERIOD_MONTH, GRAIN_MONTH},
                 {PERIOD_QUARTER, GRAIN_QUARTER},
                 {PERIOD_YEAR, GRAIN_YEAR}};
    int32_t first = shanghai_day(query->from_us);
    int32_t end = shanghai_day(query->to_us - 1) + 1;

    if ((query->by & ~(1u << COUNTER_BY_UNIT)) != 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        bool aligned = period_first_day(kinds[i].kind, first) == first &&
                       period_first_day(kinds[i].kind, end) == end;

        if (query->period == kinds[i].kind) {
            *out = kinds[i].grain;
            return aligned;
        }
        if (query->period == COUNTER_PERIOD_ALL && aligned &&
            period_next_day(kinds[i].kind, first) == end) {
            *out = kinds[i].grain;
            return true;
        }
    }
    return false;
}

static enum err_code
read_distinct(struct gather *gather, uint32_t unit_id)
{
    const struct counter_rows_query *query = gather->query;
    enum counter_grain grain;

    if (!distinct_grain(query, &grain)) {
        return ERR_OK;
    }
    return counters_visit(gather->reader->store, gather->reader->txn, grain,
                          unit_id, shanghai_day(query->from_us),
                          shanghai_day(query->to_us - 1), add_distinct, gather,
                          gather->err);
}

static void
mark_distinct(struct counter_rows *rows,
              const struct counter_rows_query *query,
              uint32_t rest_value)
{
    enum counter_grain grain;

    if (!distinct_grain(query, &grain)) {
        return;
    }
    for (size_t i = 0; i < rows->count; i++) {
        rows->rows[i].distinct =
            !wants(query, COUNTER_BY_UNIT) ||
            rows->rows[i].value[COUNTER_BY_UNIT] != rest_value;
    }
}

static enum err_code
read_cells(struct gather *gather)
{
    const struct counter_rows_query *query = gather->query;
    uint32_t *children;
    size_t count;

    if (!wants(query, COUNTER_BY_UNIT)) {
        if (visit_cells(gather, query->unit_id) == ERR_OK &&
            read_distinct(gather, query->unit_id) == ERR_OK) {
            mark_distinct(gather->rows, query, 0);
        }
        return gather->err->code;
    }
    /* What is left when the units below are taken away belongs to the unit
     * itself. */
    gather->unit_value = query->unit_id;
    gather->rest_value = query->unit_id;
    children = malloc(QUERY_UNITS_MAX * sizeof(*children));
    if (children == NULL) {
        return err_set(gather->err, ERR_NO_MEMORY, "counters");
    }
    if (visit_cells(gather, query->unit_id) == ERR_OK &&
        query_unit_children(gather->reader, query->unit_id, children,
                            QUERY_UNITS_MAX, &count, gather->err) == ERR_OK) {
        gather->subtract = true;
        for (size_t i = 0; i < count; i++) {
            gather->unit_value = children[i];
            if (visit_cells(gather, children[i]) != ERR_OK ||
                read_distinct(gather, children[i]) != ERR_OK) {
                break;
            }
        }
        mark_distinct(gather->rows, query, query->unit_id);
    }
    free(children);
    return gather->err->code;
}

/* ---- from the states ---- */

static bool
add_state_row(struct gather *gather,
              const struct ticket_state *state,
              int64_t at_us,
              uint64_t set,
              const struct tally *tally)
{
    const struct counter_rows_query *query = gather->query;
    int32_t day = shanghai_day(at_us);
    uint32_t kinds = wants(query, COUNTER_BY_CLOCK) ? tally->overdue_count : 1;
    uint32_t values[COUNTER_BY_COUNT] = {
        [COUNTER_BY_CATEGORY] = state->category,
        [COUNTER_BY_REGION] = state->region,
        [COUNTER_BY_SUBCATEGORY] = state->subcategory_id,
        [COUNTER_BY_CHANNEL] = state->channel,
        [COUNTER_BY_TYPE] = state->type,
        [COUNTER_BY_UNIT] = query_unit_child(&gather->units, state->unit_id)};

    for (uint32_t k = 0; k < kinds; k++) {
        struct counter_row wanted;
        struct counter_row *row;

        memset(&wanted, 0, sizeof(wanted));
        wanted.day = row_day(query, day);
        if (query->period == PERIOD_HOUR) {
            wanted.hour =
                (uint8_t)((at_us - shanghai_day_start_us(day)) / US_PER_HOUR);
        }
        values[COUNTER_BY_CLOCK] = tally->overdue_kind_id[k];
        for (unsigned b = 0; b < COUNTER_BY_COUNT; b++) {
            wanted.value[b] = wants(query, (enum counter_by)b) ? values[b] : 0;
        }
        row = find_row(gather->rows, &wanted, gather->err);
        if (row == NULL) {
            return false;
        }
        if (wants(query, COUNTER_BY_CLOCK)) {
            row->counts[COUNTER_overdue_clocks]++;
            continue;
        }
        for (unsigned c = 0; c < COUNTER_COUNT; c++) {
            row->counts[c] += (int64_t)(set >> c & 1);
        }
        if ((set >> COUNTER_received & 1) != 0) {
            row->counts[COUNTER_overdue_clocks] += tally->overdue_count;
        }
    }
    return true;
}

static bool
in_range(const struct counter_rows_query *query, int64_t at_us)
{
    return at_us >= query->from_us && at_us < query->to_us;
}

static bool
add_state(void *data, int64_t accepted_at_us, uint64_t number)
{
    struct gather *gather = data;
    struct ticket_state state;
    struct tally tally;

    if (gather->scanned++ == COUNTER_SCAN_TICKETS_MAX) {
        (void)err_set_field(gather->err, ERR_BAD_VALUE, "by",
                            "this combination is counted from the tickets and "
                            "the range holds more than %d: take a shorter one, "
                            "or whole days and one of category with region, "
                            "subcategory, channel, type or clock",
                            COUNTER_SCAN_TICKETS_MAX);
        return false;
    }
    if (!reader_state(gather->reader, number, &state, gather->err)) {
        (void)err_set(gather->err, ERR_CORRUPT, "a ticket's state is missing");
        return false;
    }
    if (!query_unit_below(&gather->units, state.unit_id)) {
        return true;
    }
    tally_state(&state, NULL, STATE_NEVER, &tally);
    if (in_range(gather->query, accepted_at_us) &&
        !add_state_row(gather, &state, accepted_at_us, tally.accepted_set,
                       &tally)) {
        return false;
    }
    return tally.due_set == 0 || wants(gather->query, COUNTER_BY_CLOCK) ||
           !in_range(gather->query, tally.reply_due_us) ||
           add_state_row(gather, &state, tally.reply_due_us, tally.due_set,
                         &tally);
}

/* Of tickets that have expired only the cells are left. */
static enum err_code
check_horizon(const struct reader *reader,
              const struct counter_rows_query *query,
              struct err *err)
{
    char text[TICKET_TIME_BYTES];
    struct ledger_expire expire;

    (void)reader_expire(reader, &expire, err);
    if (query->from_us < expire.horizon_us) {
        return err_set_field(
            err, ERR_EXPIRED, "by",
            "this combination is counted from the tickets, and those accepted "
            "before %s have expired: take whole days and one of category with "
            "region, subcategory, channel, type or clock",
            ticket_time_format(expire.horizon_us, text));
    }
    return err->code;
}

enum err_code
counter_rows_read(const struct reader *reader,
                  const struct counter_rows_query *query,
                  struct counter_rows *out,
                  struct err *err)
{
    struct gather gather = {
        .reader = reader, .query = query, .rows = out, .err = err};

    enum err_code code;

    memset(out, 0, sizeof(*out));
    if (cells_can_tell(query, &gather.dimension)) {
        code = read_cells(&gather);
    } else {
        if (check_horizon(reader, query, err) != ERR_OK) {
            return err->code;
        }
        out->scanned = true;
        query_unit_filter_init(&gather.units, reader, query->unit_id);
        code =
            reader_tickets(reader, query->from_us - QUERY_REPLY_REACH_US,
                           query->to_us, 0, 0, false, add_state, &gather, err);
    }
    /* What a visitor stopped at stands in err. */
    if (code == ERR_OK && err->code == ERR_OK) {
        finish(out);
    }
    return err->code;
}
