/* Which tickets a list shows. */
#include "server/serve/ticket_filter.h"

#include "analyzers/repeat.h"
#include "analyzers/taxonomy.h"

const char *const ticket_filter_params[] = {
    "from",        "to",      "type",  "channel",     "category", "region",
    "subcategory", "unit",    "state", "overdue",     "repeat",   "complaint",
    "flag",        "counter", "q",     "same_caller", NULL};

/* ---- reading ---- */

static bool
type_word(struct span word, unsigned *out)
{
    enum ticket_type value;

    if (!ticket_type_from(word, &value)) {
        return false;
    }
    *out = value;
    return true;
}

static bool
channel_word(struct span word, unsigned *out)
{
    enum ticket_channel value;

    if (!ticket_channel_from(word, &value)) {
        return false;
    }
    *out = value;
    return true;
}

static bool
category_word(struct span word, unsigned *out)
{
    enum ticket_category value;

    if (!ticket_category_from(word, &value)) {
        return false;
    }
    *out = value;
    return true;
}

static bool
region_word(struct span word, unsigned *out)
{
    enum ticket_region value;

    if (!ticket_region_from(word, &value)) {
        return false;
    }
    *out = value;
    return true;
}

static bool
life_word(struct span word, unsigned *out)
{
    enum query_life value;

    if (!query_life_from(word, &value)) {
        return false;
    }
    *out = value;
    return true;
}

static bool
flag_word(struct span word, unsigned *out)
{
    for (unsigned i = 0; i < VERDICT_FLAG_COUNT; i++) {
        if (span_is(word, verdict_flag_name((enum verdict_flag)(1u << i)))) {
            *out = i;
            return true;
        }
    }
    return false;
}

static void
read_words(struct ticket_filter *filter,
           const struct params *params,
           struct err *err)
{
    if (params_set(params, "type", type_word, ERR_BAD_TYPE,
                   "complaint, report, opinion, suggestion, praise, fault, "
                   "inquiry, service, reminder, unknown",
                   &filter->types, err) != ERR_OK ||
        params_set(params, "channel", channel_word, ERR_BAD_CHANNEL,
                   "95598, 12345, 12398, app, hall, wechat, manager, "
                   "supervisor",
                   &filter->channels, err) != ERR_OK ||
        params_set(params, "category", category_word, ERR_BAD_CATEGORY,
                   "service, business, outage, quality, grid, none",
                   &filter->categories, err) != ERR_OK ||
        params_set(params, "region", region_word, ERR_BAD_REGION,
                   "urban, rural (with remote), remote, unknown",
                   &filter->regions, err) != ERR_OK ||
        params_set(params, "state", life_word, ERR_BAD_VALUE,
                   "open, replied, closed", &filter->lives, err) != ERR_OK ||
        params_set(params, "flag", flag_word, ERR_BAD_VALUE,
                   "test_ticket, not_utility, multi_topic, truncated_scan, "
                   "incomplete, false_claim",
                   &filter->flags, err) != ERR_OK) {
        return;
    }
    if ((filter->regions >> TICKET_REGION_RURAL & 1) != 0) {
        filter->regions |= 1u << TICKET_REGION_REMOTE;
    }
}

static void
read_counter_switch(struct ticket_filter *filter,
                    const struct params *params,
                    const char *name,
                    enum counter counter,
                    struct err *err)
{
    bool given;
    bool on;

    if (params_switch(params, name, &given, &on, err) != ERR_OK || !given) {
        return;
    }
    *(on ? &filter->counters_set : &filter->counters_unset) |= UINT64_C(1)
                                                               << counter;
}

static void
read_counter(struct ticket_filter *filter,
             const struct params *params,
             struct err *err)
{
    struct span name = params_get(params, "counter");
    enum counter counter;

    if (name.bytes == 0) {
        return;
    }
    if (!counter_from(name, &counter)) {
        (void)err_set_field(err, ERR_BAD_VALUE, "counter",
                            "no counter has this name; GET /v1/counters shows "
                            "them all");
        return;
    }
    filter->by_due = counter_anchor(counter) == COUNTER_DUE;
    if (counter == COUNTER_overdue_clocks) {
        counter = COUNTER_overdue; /* counted once a clock: same tickets */
    }
    filter->counters_set |= UINT64_C(1) << counter;
}

/* A kind of clock by its code or Chinese name, or 1 for any. */
static void
read_overdue(struct ticket_filter *filter,
             const struct list_request *request,
             const struct reader *reader,
             struct err *err)
{
    struct span word = params_get(request->params, "overdue");
    const struct deadline_table *table = request->dictionary->deadlines;
    struct err own = {0};
    bool given;
    bool on;

    if (word.bytes == 0) {
        return;
    }
    if (params_switch(request->params, "overdue", &given, &on, &own) ==
        ERR_OK) {
        read_counter_switch(filter, request->params, "overdue", COUNTER_overdue,
                            err);
        return;
    }
    for (uint32_t i = 0; i < deadline_kind_count(table); i++) {
        if (span_equal(word, deadline_kind_chinese(table, i))) {
            word = deadline_kind_code(table, i);
            break;
        }
    }
    filter->overdue_kind_id =
        names_find(reader->store, reader->txn, NAME_CLOCK, word);
    if (filter->overdue_kind_id == 0) {
        if (deadline_kind_find(table, word) == SIZE_MAX) {
            (void)err_set_field(err, ERR_BAD_VALUE, "overdue",
                                "overdue is 1, 0 or the code of a clock of "
                                "dict/deadlines.csv, such as \"reply\"");
        }
        filter->nothing = true;
    }
}

static void
read_subcategory(struct ticket_filter *filter,
                 const struct list_request *request,
                 const struct reader *reader)
{
    struct span word = params_get(request->params, "subcategory");
    int32_t row;

    if (word.bytes == 0) {
        return;
    }
    row = taxonomy_subcategory(request->dictionary->taxonomy, word);
    if (row != TAXONOMY_NONE) {
        word = taxonomy_row(request->dictionary->taxonomy, row)->chinese;
    }
    filter->subcategory_id =
        names_find(reader->store, reader->txn, NAME_SUBCATEGORY, word);
    filter->nothing = filter->nothing || filter->subcategory_id == 0;
}

/* Who called with the ticket named: by customer number and by phone, so that
 * neither stands in an address. */
static void
read_same_caller(struct ticket_filter *filter,
                 const struct list_request *request,
                 const struct reader *reader,
                 struct err *err)
{
    struct span id = params_get(request->params, "same_caller");
    struct ticket_state state;
    uint64_t number;

    if (id.bytes == 0 || err->code != ERR_OK) {
        return;
    }
    number = reader_find_id(reader, request->context->ids, id);
    if (number == 0 || !reader_state(reader, number, &state, err)) {
        (void)err_set_field(err, ERR_NOT_FOUND, "same_caller",
                            "no ticket has this number");
        return;
    }
    filter->caller_asked = true;
    filter->caller_number = number;
    filter->caller_keys[0] = state.key_hash[REPEAT_KEY_CUSTOMER - 1];
    filter->caller_keys[1] = state.key_hash[REPEAT_KEY_CALLER - 1];
}

enum err_code
ticket_filter_read(struct ticket_filter *filter,
                   const struct list_request *request,
                   const struct reader *reader,
                   struct err *err)
{
    const struct params *params = request->params;
    bool known;

    *filter = (struct ticket_filter){0};
    if (params_range(params, &filter->from_us, &filter->to_us, err) != ERR_OK) {
        return err->code;
    }
    read_words(filter, params, err);
    if (err->code != ERR_OK) {
        return err->code;
    }
    read_counter(filter, params, err);
    read_counter_switch(filter, params, "repeat", COUNTER_repeats, err);
    read_counter_switch(filter, params, "complaint", COUNTER_complaints, err);
    read_overdue(filter, request, reader, err);
    read_subcategory(filter, request, reader);
    query_unit(reader, request->dictionary, params_get(params, "unit"),
               &filter->unit_id, &known);
    filter->nothing = filter->nothing || !known;
    filter->q = params_get(params, "q");
    filter->role = request->role;
    read_same_caller(filter, request, reader, err);
    return err->code;
}

/* ---- matching ---- */

int64_t
ticket_filter_scan_from_us(const struct ticket_filter *filter)
{
    return filter->by_due ? filter->from_us - QUERY_REPLY_REACH_US
                          : filter->from_us;
}

static bool
has_bit(uint32_t set, unsigned bit)
{
    return set == 0 || (set >> bit & 1) != 0;
}

static bool
passes_counters(const struct ticket_filter *filter,
                const struct ticket_state *state)
{
    struct tally tally;
    uint64_t set;
    bool overdue = filter->overdue_kind_id == 0;

    if (filter->counters_set == 0 && filter->counters_unset == 0 && overdue) {
        return true;
    }
    tally_state(state, NULL, STATE_NEVER, &tally);
    set = tally.accepted_set;
    if (tally.person != 0) {
        set |= UINT64_C(1) << COUNTER_quality_customers;
    }
    if (filter->by_due) {
        if (tally.reply_due_us < filter->from_us ||
            tally.reply_due_us >= filter->to_us) {
            return false;
        }
        set |= tally.due_set;
    }
    for (uint32_t i = 0; i < tally.overdue_count; i++) {
        overdue =
            overdue || tally.overdue_kind_id[i] == filter->overdue_kind_id;
    }
    return overdue && (set & filter->counters_set) == filter->counters_set &&
           (set & filter->counters_unset) == 0;
}

static bool
is_same_caller(const struct ticket_filter *filter,
               const struct ticket_state *state)
{
    uint64_t customer = state->key_hash[REPEAT_KEY_CUSTOMER - 1];
    uint64_t caller = state->key_hash[REPEAT_KEY_CALLER - 1];

    if (!filter->caller_asked || state->number == filter->caller_number) {
        return true;
    }
    if (filter->caller_keys[0] != 0 && customer != 0) {
        return customer == filter->caller_keys[0];
    }
    /* A phone alone: one of the two gave no customer number. */
    return caller != 0 && caller == filter->caller_keys[1];
}

bool
ticket_filter_state(const struct ticket_filter *filter,
                    struct query_unit_filter *units,
                    const struct ticket_state *state)
{
    return !filter->nothing && has_bit(filter->types, state->type) &&
           has_bit(filter->channels, state->channel) &&
           has_bit(filter->categories, state->category) &&
           has_bit(filter->regions, state->region) &&
           (filter->subcategory_id == 0 ||
            filter->subcategory_id == state->subcategory_id) &&
           (state->verdict_flags & filter->flags) == filter->flags &&
           (filter->lives == 0 ||
            has_bit(filter->lives, query_life_of(state, STATE_NEVER))) &&
           query_unit_below(units, state->unit_id) &&
           is_same_caller(filter, state) && passes_counters(filter, state);
}

/* Is q still there when the text is masked? */
static bool
is_in_masked(const struct ticket_filter *filter, struct span text)
{
    struct buf scratch;
    bool found;

    if (filter->role == MASK_ROLE_SUPERVISOR) {
        return true;
    }
    buf_init(&scratch, text.bytes * 2 + 64);
    found = span_find(mask_field(filter->role, MASK_TEXT, text, &scratch),
                      filter->q, 0) != SIZE_MAX;
    buf_release(&scratch);
    return found;
}

bool
ticket_filter_text(const struct ticket_filter *filter,
                   const struct record *record)
{
    return filter->q.bytes == 0 ||
           (span_find(record->ticket.text, filter->q, 0) != SIZE_MAX &&
            is_in_masked(filter, record->ticket.text)) ||
           span_find(record->ticket.id, filter->q, 0) != SIZE_MAX;
}

/* ---- counting ---- */

static bool
is_day_start(int64_t at_us)
{
    return shanghai_day_start_us(shanghai_day(at_us)) == at_us;
}

/* Which dimension of the cells holds the answer; false when none does. */
static bool
cells_can_tell(const struct ticket_filter *filter,
               enum tally_dimension *dimension,
               enum counter *counter)
{
    int dimensions = 0;

    *dimension = TALLY_ALL;
    *counter = COUNTER_received;
    if (!is_day_start(filter->from_us) || !is_day_start(filter->to_us) ||
        filter->lives != 0 || filter->flags != 0 || filter->q.bytes > 0 ||
        filter->caller_asked || filter->counters_unset != 0 ||
        (filter->counters_set & (filter->counters_set - 1)) != 0) {
        return false;
    }
    if (filter->counters_set != 0) {
        *counter = (enum counter)__builtin_ctzll(filter->counters_set);
        if (counter_anchor(*counter) == COUNTER_DISTINCT) {
            return false;
        }
    }
    if (filter->categories != 0 || filter->regions != 0) {
        *dimension = TALLY_CATEGORY_REGION;
        dimensions++;
    }
    if (filter->subcategory_id != 0) {
        *dimension = TALLY_SUBCATEGORY;
        dimensions++;
    }
    if (filter->channels != 0) {
        *dimension = TALLY_CHANNEL;
        dimensions++;
    }
    if (filter->types != 0) {
        *dimension = TALLY_TYPE;
        dimensions++;
    }
    if (filter->overdue_kind_id != 0) {
        *dimension = TALLY_CLOCK;
        dimensions += filter->counters_set != 0 ? 2 : 1;
        *counter = COUNTER_overdue_clocks;
    }
    return dimensions <= 1;
}

static bool
slot_matches(const struct ticket_filter *filter,
             enum tally_dimension dimension,
             uint32_t value)
{
    switch (dimension) {
    case TALLY_ALL:
        return true;
    case TALLY_CATEGORY_REGION:
        return has_bit(filter->categories, value / TICKET_REGION_COUNT) &&
               has_bit(filter->regions, value % TICKET_REGION_COUNT);
    case TALLY_SUBCATEGORY:
        return value == filter->subcategory_id;
    case TALLY_CHANNEL:
        return has_bit(filter->channels, value);
    case TALLY_TYPE:
        return has_bit(filter->types, value);
    case TALLY_CLOCK:
        return value == filter->overdue_kind_id;
    case TALLY_DIMENSION_COUNT:
        break;
    }
    return false;
}

struct cell_total {
    const struct ticket_filter *filter;
    enum tally_dimension dimension;
    enum counter counter;
    int64_t total;
};

static bool
add_cell(void *data,
         const struct counter_cell *cell,
         const struct counter_slot *slots,
         size_t slot_count)
{
    struct cell_total *sum = data;

    (void)cell;
    for (size_t i = 0; i < slot_count; i++) {
        uint32_t slot = slots[i].slot;

        if (TALLY_SLOT_DIMENSION(slot) == sum->dimension &&
            TALLY_SLOT_COUNTER(slot) == sum->counter &&
            slot_matches(sum->filter, sum->dimension, TALLY_SLOT_VALUE(slot))) {
            sum->total += slots[i].count;
        }
    }
    return true;
}

struct scan_total {
    const struct ticket_filter *filter;
    const struct reader *reader;
    struct query_unit_filter units;
    struct record record;
    uint64_t scanned;
    uint64_t total;
    struct err *err;
};

static bool
add_ticket(void *data, int64_t accepted_at_us, uint64_t number)
{
    struct scan_total *scan = data;
    struct ticket_state state;

    (void)accepted_at_us;
    if (scan->scanned == LIST_TOTAL_SCAN_MAX) {
        scan->scanned++;
        return false;
    }
    scan->scanned++;
    if (!reader_state(scan->reader, number, &state, scan->err)) {
        (void)err_set(scan->err, ERR_CORRUPT, "a ticket's state is missing");
        return false;
    }
    if (!ticket_filter_state(scan->filter, &scan->units, &state)) {
        return true;
    }
    if (scan->filter->q.bytes > 0) {
        if (reader_record(scan->reader, state.record_seq, &scan->record,
                          scan->err) != ERR_OK) {
            return false;
        }
        scan->total += ticket_filter_text(scan->filter, &scan->record);
    } else {
        scan->total++;
    }
    return true;
}

enum err_code
ticket_filter_total(const struct ticket_filter *filter,
                    const struct reader *reader,
                    uint64_t *out,
                    bool *at_least,
                    struct err *err)
{
    struct cell_total sum = {.filter = filter};
    struct scan_total scan = {.filter = filter, .reader = reader, .err = err};

    *out = 0;
    *at_least = false;
    if (filter->nothing) {
        return ERR_OK;
    }
    if (cells_can_tell(filter, &sum.dimension, &sum.counter)) {
        if (query_cells(reader, filter->unit_id, shanghai_day(filter->from_us),
                        shanghai_day(filter->to_us) - 1, true, add_cell, &sum,
                        err) == ERR_OK) {
            *out = (uint64_t)sum.total;
        }
        return err->code;
    }
    query_unit_filter_init(&scan.units, reader, filter->unit_id);
    if (reader_tickets(reader, ticket_filter_scan_from_us(filter),
                       filter->to_us, 0, 0, true, add_ticket, &scan,
                       err) == ERR_OK) {
        *out = scan.total;
        *at_least = scan.scanned > LIST_TOTAL_SCAN_MAX;
    }
    return err->code;
}
