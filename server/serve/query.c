/* Ranges, units and cells: what every list and number asks the store. */
#include "server/serve/query.h"

#include <string.h>

#include "analyzers/indicator.h"
#include "analyzers/units.h"

/* ---- ranges ---- */

enum { DATE_BYTES = 10, QUERY_CHAIN_MAX = 1000 };

enum err_code
query_time_parse(struct span word,
                 bool end,
                 const char *field,
                 int64_t *out_us,
                 struct err *err)
{
    enum period_kind kind;
    int32_t first_day;
    int32_t last_day;
    struct err own = {0};

    if (word.bytes == DATE_BYTES &&
        period_parse(word, &kind, &first_day, &last_day, &own) == ERR_OK &&
        kind == PERIOD_DAY) {
        *out_us = shanghai_day_start_us(end ? last_day + 1 : first_day);
        return ERR_OK;
    }
    own = (struct err){0};
    if (ticket_time_parse(word, out_us, &own) == ERR_OK) {
        return ERR_OK;
    }
    return err_set_field(err, ERR_BAD_TIME, field,
                         "%s: give a date as 2018-03-31 or a time as "
                         "2018-03-31T08:00:00+08:00 (%s)",
                         field, own.detail);
}

/* ---- units ---- */

void
query_unit(const struct reader *reader,
           const struct dictionary *dictionary,
           struct span unit,
           uint32_t *out,
           bool *known)
{
    *out = 0;
    *known = true;
    if (unit.bytes == 0) {
        return;
    }
    *out = names_find(reader->store, reader->txn, NAME_UNIT,
                      units_path(dictionary->units, unit));
    *known = *out != 0;
}

void
query_unit_filter_init(struct query_unit_filter *filter,
                       const struct reader *reader,
                       uint32_t unit_id)
{
    memset(filter, 0, sizeof(*filter));
    filter->reader = reader;
    filter->unit_id = unit_id;
    filter->path = reader_name(reader, unit_id);
}

/* The id of the unit one level below the filter's that holds `path`. */
static uint32_t
find_child(const struct query_unit_filter *filter,
           uint32_t unit_id,
           struct span path)
{
    struct span rest = path;
    struct span level;

    if (unit_id == filter->unit_id) {
        return unit_id;
    }
    if (filter->unit_id != 0) {
        if (!span_starts(path, filter->path) ||
            path.bytes <= filter->path.bytes ||
            path.data[filter->path.bytes] != '/') {
            return 0;
        }
        rest.data += filter->path.bytes + 1;
        rest.bytes -= filter->path.bytes + 1;
    }
    level = span_split(&rest, '/');
    return names_find(
        filter->reader->store, filter->reader->txn, NAME_UNIT,
        (struct span){path.data,
                      (size_t)(level.data - path.data) + level.bytes});
}

uint32_t
query_unit_child(struct query_unit_filter *filter, uint32_t unit_id)
{
    size_t at = unit_id % QUERY_UNIT_CACHE;

    if (unit_id == 0) {
        return 0;
    }
    if (filter->seen_id[at] != unit_id) {
        filter->seen_id[at] = unit_id;
        filter->child_id[at] =
            find_child(filter, unit_id, reader_name(filter->reader, unit_id));
    }
    return filter->child_id[at];
}

bool
query_unit_below(struct query_unit_filter *filter, uint32_t unit_id)
{
    return filter->unit_id == 0 || query_unit_child(filter, unit_id) != 0;
}

enum err_code
query_unit_children(const struct reader *reader,
                    uint32_t unit_id,
                    uint32_t *children,
                    size_t max,
                    size_t *count,
                    struct err *err)
{
    /* docs/storage-format.md, "names": n, kind, text */
    char prefix[NAME_BYTES_MAX + 3] = {'n', NAME_UNIT};
    struct span path = reader_name(reader, unit_id);
    size_t prefix_bytes = 2;
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int rc;

    *count = 0;
    if (path.bytes > 0) {
        memcpy(prefix + 2, path.data, path.bytes);
        prefix[2 + path.bytes] = '/';
        prefix_bytes = 3 + path.bytes;
    }
    rc = mdb_cursor_open(reader->txn, reader->store->db[STORE_NAMES], &cursor);
    if (rc != 0) {
        return store_err(err, rc, "units");
    }
    key = (MDB_val){prefix_bytes, prefix};
    rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (rc == 0 && *count < max && key.mv_size > prefix_bytes &&
           memcmp(key.mv_data, prefix, prefix_bytes) == 0) {
        struct byte_reader r = byte_reader_on(value.mv_data, value.mv_size);

        if (memchr((const char *)key.mv_data + prefix_bytes, '/',
                   key.mv_size - prefix_bytes) == NULL) {
            children[(*count)++] = get_be32(&r);
        }
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return rc == 0 || rc == MDB_NOTFOUND ? ERR_OK : store_err(err, rc, "units");
}

/* ---- cells ---- */

enum err_code
query_cells(const struct reader *reader,
            uint32_t unit_id,
            int32_t first_day,
            int32_t last_day,
            bool months,
            counter_visit *visit,
            void *data,
            struct err *err)
{
    int32_t month_first = period_first_day(PERIOD_MONTH, first_day);
    int32_t month_end;

    if (first_day > last_day) {
        return ERR_OK;
    }
    if (!months) {
        return counters_visit(reader->store, reader->txn, GRAIN_DAY, unit_id,
                              first_day, last_day, visit, data, err);
    }
    if (month_first < first_day) {
        month_first = period_next_day(PERIOD_MONTH, first_day);
    }
    month_end = period_first_day(PERIOD_MONTH, last_day + 1);
    if (month_first >= month_end) { /* no whole month inside */
        return counters_visit(reader->store, reader->txn, GRAIN_DAY, unit_id,
                              first_day, last_day, visit, data, err);
    }
    if ((first_day < month_first &&
         counters_visit(reader->store, reader->txn, GRAIN_DAY, unit_id,
                        first_day, month_first - 1, visit, data,
                        err) != ERR_OK) ||
        counters_visit(reader->store, reader->txn, GRAIN_MONTH, unit_id,
                       month_first, month_end - 1, visit, data,
                       err) != ERR_OK) {
        return err->code;
    }
    return month_end > last_day
               ? ERR_OK
               : counters_visit(reader->store, reader->txn, GRAIN_DAY, unit_id,
                                month_end, last_day, visit, data, err);
}

struct one_counter {
    uint32_t slot;
    int64_t sum;
};

static bool
add_one_counter(void *data,
                const struct counter_cell *cell,
                const struct counter_slot *slots,
                size_t slot_count)
{
    struct one_counter *one = data;

    (void)cell;
    for (size_t i = 0; i < slot_count; i++) {
        if (slots[i].slot == one->slot) {
            one->sum += slots[i].count;
        }
    }
    return true;
}

enum err_code
query_count(const struct reader *reader,
            uint32_t unit_id,
            int32_t first_day,
            int32_t last_day,
            enum counter counter,
            int64_t *out,
            struct err *err)
{
    struct one_counter one = {TALLY_SLOT(TALLY_ALL, 0, counter), 0};

    *out = 0;
    if (query_cells(reader, unit_id, first_day, last_day, true, add_one_counter,
                    &one, err) != ERR_OK) {
        return err->code;
    }
    *out = one.sum;
    return ERR_OK;
}

/* ---- life ---- */

static const struct {
    const char *wire;
    const char *chinese;
} life_words[] = {
    [QUERY_LIFE_OPEN] = {"open", "处理中"},
    [QUERY_LIFE_REPLIED] = {"replied", "已回单"},
    [QUERY_LIFE_CLOSED] = {"closed", "已办结"},
};

const char *
query_life_wire(enum query_life life)
{
    return life_words[life].wire;
}

const char *
query_life_chinese(enum query_life life)
{
    return life_words[life].chinese;
}

bool
query_life_from(struct span word, enum query_life *out)
{
    for (int i = 0; i <= QUERY_LIFE_CLOSED; i++) {
        if (span_is(word, life_words[i].wire) ||
            span_is(word, life_words[i].chinese)) {
            *out = (enum query_life)i;
            return true;
        }
    }
    return false;
}

static bool
came(const struct ticket_state *state, enum event_kind kind, int64_t as_of_us)
{
    return state->event_at_us[kind] != STATE_NEVER &&
           state->event_at_us[kind] <= as_of_us;
}

enum query_life
query_life_of(const struct ticket_state *state, int64_t as_of_us)
{
    if (came(state, EVENT_KIND_CLOSED, as_of_us)) {
        return QUERY_LIFE_CLOSED;
    }
    return came(state, EVENT_KIND_REPLIED, as_of_us) ||
                   came(state, EVENT_KIND_FINAL_REPLY, as_of_us)
               ? QUERY_LIFE_REPLIED
               : QUERY_LIFE_OPEN;
}

uint64_t
query_chain_root(const struct reader *reader, const struct ticket_state *state)
{
    struct ticket_state at = *state;

    for (int i = 0; i < QUERY_CHAIN_MAX && at.repeat_previous != 0; i++) {
        struct ticket_state previous;
        struct err err = {0};

        if (!reader_state(reader, at.repeat_previous, &previous, &err)) {
            break;
        }
        at = previous;
    }
    return at.number;
}
