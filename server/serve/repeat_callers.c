/* GET /v1/repeat-callers: who called again about the same matter. */
#include <stdlib.h>

#include "analyzers/repeat.h"
#include "server/serve/lists.h"
#include "server/serve/query.h"
#include "server/serve/u64_map.h"

enum {
    CALLERS_GROUPS_MAX = 100000,
    CALLERS_CHAIN_MAX = 1000, /* tickets of one chain */
    CALLERS_MEMBERS_MAX = 1000000
};

static const char *const caller_params[] = {"from",      "to",       "unit",
                                            "min_calls", "excluded", NULL};

static const struct list_column caller_columns[] = {
    {"key", "识别依据", LIST_TEXT},
    {"calls", "致电次数", LIST_INT},
    {"repeats", "计入重复", LIST_INT},
    {"matter", "诉求", LIST_TEXT},
    {"category", "投诉类别", LIST_TEXT},
    {"first_at", "首次致电", LIST_TIME},
    {"last_at", "末次致电", LIST_TIME},
    {"ids", "工单编号", LIST_WORDS},
    {"units", "供电单位", LIST_WORDS},
    {"state", "末次状态", LIST_TEXT},
    {"final_reply", "已最终答复", LIST_BOOL},
    {"third_call", "三次致电", LIST_BOOL},
    {"burst", "短时多次", LIST_BOOL},
    {"excluded", "不计原因", LIST_TEXT},
    {"caller", "来电号码", LIST_DIGITS},
    {"customer", "户号", LIST_DIGITS},
    {"name", "客户姓名", LIST_TEXT},
};

/* One chain: tickets of one customer about one matter. */
struct caller_group {
    uint64_t root;
    uint64_t last; /* newest ticket of the chain */
    int64_t last_at_us;
    int64_t first_at_us;
    uint32_t members; /* all tickets of the chain up to `last` */
    uint32_t first_member;
    uint32_t repeats; /* of the range, counted as repeats */
    enum repeat_key key;
    bool third_call;
    bool burst;
    bool settled;
    bool final_reply;
};

struct caller_member {
    uint64_t number;
    int64_t accepted_at_us;
    uint32_t group;
};

struct callers_list {
    int64_t from_us;
    int64_t to_us;
    uint32_t unit_id;
    bool nothing;
    uint64_t min_calls;
    bool excluded_given;
    bool excluded;
    bool truncated;
    uint64_t scanned;
    uint64_t repeat_tickets;
    struct caller_group *groups;
    size_t group_count;
    size_t group_room;
    struct caller_member *members; /* by group, then in the order of time */
    size_t member_count;
    size_t member_room;
    struct u64_map group_at; /* ticket -> position of its group + 1 */
    size_t at;

    /* while gathering */
    const struct reader *reader;
    struct query_unit_filter units;
    struct err *err;
};

static bool
make_room(void **array, size_t *room, size_t count, size_t bytes)
{
    size_t wanted = *room == 0 ? 256 : *room * 2;
    void *larger;

    if (count < *room) {
        return true;
    }
    larger = realloc(*array, wanted * bytes);
    if (larger == NULL) {
        return false;
    }
    *array = larger;
    *room = wanted;
    return true;
}

static struct caller_group *
group_new(struct callers_list *list)
{
    if (list->group_count == CALLERS_GROUPS_MAX ||
        !make_room((void **)&list->groups, &list->group_room, list->group_count,
                   sizeof(*list->groups))) {
        list->truncated = true;
        return NULL;
    }
    list->groups[list->group_count] = (struct caller_group){0};
    return &list->groups[list->group_count++];
}

/* Put a ticket into a group, once. */
static bool
add_member(struct callers_list *list,
           size_t group,
           const struct ticket_state *state)
{
    uint64_t *at = u64_map_at(&list->group_at, state->number);

    if (at == NULL || list->member_count == CALLERS_MEMBERS_MAX ||
        !make_room((void **)&list->members, &list->member_room,
                   list->member_count, sizeof(*list->members))) {
        list->truncated = true;
        return false;
    }
    *at = group + 1;
    list->members[list->member_count++] = (struct caller_member){
        state->number, state->accepted_at_us, (uint32_t)group};
    list->groups[group].members++;
    if (state->accepted_at_us >= list->groups[group].last_at_us) {
        list->groups[group].last_at_us = state->accepted_at_us;
        list->groups[group].last = state->number;
    }
    if (list->groups[group].first_at_us > state->accepted_at_us) {
        list->groups[group].first_at_us = state->accepted_at_us;
    }
    list->groups[group].final_reply =
        list->groups[group].final_reply ||
        state->event_at_us[EVENT_KIND_FINAL_REPLY] != STATE_NEVER;
    return true;
}

/* The chain of a repeat: back to a ticket already in a group, or to its first
 * one, which begins a new group. */
static bool
add_chain(struct callers_list *list, const struct ticket_state *repeat)
{
    uint64_t chain[CALLERS_CHAIN_MAX];
    size_t count = 0;
    uint64_t number = repeat->number;
    uint64_t group = 0;

    while (number != 0 && count < CALLERS_CHAIN_MAX && group == 0) {
        struct ticket_state state;

        group = u64_map_get(&list->group_at, number);
        if (group != 0) {
            break;
        }
        if (!reader_state(list->reader, number, &state, list->err)) {
            break;
        }
        chain[count++] = number;
        number = state.repeat_previous;
    }
    if (group == 0) {
        struct caller_group *made = group_new(list);

        if (made == NULL) {
            return false;
        }
        made->root = count > 0 ? chain[count - 1] : repeat->number;
        made->first_at_us = INT64_MAX;
        made->last_at_us = INT64_MIN;
        group = list->group_count;
    }
    while (count > 0) {
        struct ticket_state state;

        if (!reader_state(list->reader, chain[--count], &state, list->err) ||
            !add_member(list, (size_t)group - 1, &state)) {
            return false;
        }
    }
    return true;
}

static bool
visit_ticket(void *data, int64_t accepted_at_us, uint64_t number)
{
    struct callers_list *list = data;
    struct caller_group *group;
    struct ticket_state state;
    struct tally tally;
    uint64_t at;

    (void)accepted_at_us;
    if (list->scanned++ == LIST_TOTAL_SCAN_MAX) {
        list->truncated = true;
        return false;
    }
    if (!reader_state(list->reader, number, &state, list->err)) {
        (void)err_set(list->err, ERR_CORRUPT, "a ticket's state is missing");
        return false;
    }
    if (state.repeat_previous == 0 ||
        !query_unit_below(&list->units, state.unit_id)) {
        return true;
    }
    if (!add_chain(list, &state)) {
        return false;
    }
    at = u64_map_get(&list->group_at, number);
    if (at == 0) {
        return true;
    }
    group = &list->groups[at - 1];
    tally_state(&state, NULL, STATE_NEVER, &tally);
    group->repeats += (uint32_t)(tally.accepted_set >> COUNTER_repeats & 1);
    group->third_call = group->third_call ||
                        (tally.accepted_set >> COUNTER_third_calls & 1) != 0;
    group->burst =
        group->burst || (tally.accepted_set >> COUNTER_bursts & 1) != 0;
    group->settled = group->settled || state.repeat_settled;
    if (group->key == REPEAT_KEY_NONE) {
        group->key = state.repeat_key; /* of the newest: newest come first */
    }
    return true;
}

static int
most_calls_first(const void *a, const void *b)
{
    const struct caller_group *x = a;
    const struct caller_group *y = b;

    if (x->members != y->members) {
        return x->members > y->members ? -1 : 1;
    }
    if (x->last_at_us != y->last_at_us) {
        return x->last_at_us > y->last_at_us ? -1 : 1;
    }
    return x->root < y->root ? -1 : x->root > y->root;
}

static int
by_group_and_time(const void *a, const void *b)
{
    const struct caller_member *x = a;
    const struct caller_member *y = b;

    if (x->group != y->group) {
        return x->group < y->group ? -1 : 1;
    }
    if (x->accepted_at_us != y->accepted_at_us) {
        return x->accepted_at_us < y->accepted_at_us ? -1 : 1;
    }
    return x->number < y->number ? -1 : x->number > y->number;
}

/* Order members and groups, and leave out what was not asked for. */
static void
finish(struct callers_list *list)
{
    size_t kept = 0;

    if (list->member_count > 1) {
        qsort(list->members, list->member_count, sizeof(*list->members),
              by_group_and_time);
    }
    for (size_t i = list->member_count; i > 0; i--) {
        list->groups[list->members[i - 1].group].first_member =
            (uint32_t)(i - 1);
    }
    for (size_t i = 0; i < list->group_count; i++) {
        bool excluded = list->groups[i].repeats == 0;

        if (list->groups[i].members >= list->min_calls &&
            (!list->excluded_given || list->excluded == excluded)) {
            list->repeat_tickets += list->groups[i].repeats;
            list->groups[kept++] = list->groups[i];
        }
    }
    list->group_count = kept;
    if (kept > 1) {
        qsort(list->groups, kept, sizeof(*list->groups), most_calls_first);
    }
}

static enum err_code
callers_open(void *state,
             const struct list_request *request,
             const struct reader *reader,
             struct span cursor,
             struct err *err)
{
    struct callers_list *list = state;
    struct params from_cursor = {.items = {{SPAN_LITERAL("cursor"), cursor}},
                                 .count = 1};
    uint64_t at;
    bool known;

    list->reader = reader;
    list->err = err;
    if (params_range(request->params, &list->from_us, &list->to_us, err) !=
            ERR_OK ||
        params_uint(request->params, "min_calls", 2, 1000,
                    request->dictionary->repeat->repeat_min, &list->min_calls,
                    err) != ERR_OK ||
        params_switch(request->params, "excluded", &list->excluded_given,
                      &list->excluded, err) != ERR_OK ||
        params_uint(&from_cursor, "cursor", 1, CALLERS_GROUPS_MAX, 0, &at,
                    err) != ERR_OK) {
        return err->code;
    }
    query_unit(reader, request->dictionary, params_get(request->params, "unit"),
               &list->unit_id, &known);
    if (known) {
        query_unit_filter_init(&list->units, reader, list->unit_id);
        if (reader_tickets(reader, list->from_us, list->to_us, 0, 0, true,
                           visit_ticket, list, err) != ERR_OK) {
            return err->code;
        }
    }
    if (err->code == ERR_OK) {
        finish(list);
        list->at =
            (size_t)at < list->group_count ? (size_t)at : list->group_count;
    }
    return err->code;
}

static const struct list_column *
callers_columns(const void *state, size_t *count)
{
    (void)state;
    *count = sizeof(caller_columns) / sizeof(caller_columns[0]);
    return caller_columns;
}

/* ---- rows ---- */

static const char *
key_word(enum repeat_key key)
{
    switch (key) {
    case REPEAT_KEY_NONE:
        break;
    case REPEAT_KEY_CUSTOMER:
        return "customer";
    case REPEAT_KEY_CALLER:
        return "caller";
    case REPEAT_KEY_ADDRESS:
        return "address";
    case REPEAT_KEY_RELATED:
        return "related";
    }
    return "none";
}

/* What the rows of one group say in words. */
struct callers_words {
    struct span ids[LIST_WORDS_MAX];
    size_t id_count;
    struct span units[LIST_WORDS_MAX];
    uint32_t unit_ids[LIST_WORDS_MAX];
    size_t unit_count;
};

static enum err_code
gather_words(const struct callers_list *list,
             const struct caller_group *group,
             const struct reader *reader,
             struct callers_words *out,
             struct record *last,
             struct ticket_state *last_state,
             struct err *err)
{
    out->id_count = 0;
    out->unit_count = 0;
    for (uint32_t i = 0; i < group->members; i++) {
        uint64_t number = list->members[group->first_member + i].number;
        size_t seen = 0;

        if (!reader_state(reader, number, last_state, err) ||
            reader_record(reader, last_state->record_seq, last, err) !=
                ERR_OK) {
            return err_set(err, ERR_CORRUPT, "a ticket's state is missing");
        }
        if (out->id_count < LIST_WORDS_MAX) {
            out->ids[out->id_count++] = last->ticket.id;
        }
        while (seen < out->unit_count &&
               out->unit_ids[seen] != last_state->unit_id) {
            seen++;
        }
        if (seen == out->unit_count && seen < LIST_WORDS_MAX &&
            last_state->unit_id != 0) {
            out->unit_ids[seen] = last_state->unit_id;
            out->units[seen] = reader_name(reader, last_state->unit_id);
            out->unit_count++;
        }
    }
    return ERR_OK;
}

static void
put_row(const struct caller_group *group,
        const struct callers_words *words,
        const struct record *last,
        const struct ticket_state *state,
        const struct list_request *request,
        const struct reader *reader,
        struct buf *scratch,
        struct list_writer *w)
{
    const struct ticket *ticket = &last->ticket;
    enum mask_role role = request->role;

    list_text(w, span_of(key_word(group->key)));
    list_int(w, group->members);
    list_int(w, group->repeats);
    list_text(w, reader_name(reader, state->matter_id));
    list_text(w, span_of(ticket_category_wire(state->category)));
    list_time(w, group->first_at_us);
    list_time(w, group->last_at_us);
    list_words(w, words->ids, words->id_count);
    list_words(w, words->units, words->unit_count);
    list_text(w, span_of(query_life_wire(query_life_of(state, STATE_NEVER))));
    list_bool(w, group->final_reply);
    list_bool(w, group->third_call);
    list_bool(w, group->burst);
    if (group->repeats > 0) {
        list_none(w);
    } else {
        list_text(w, span_of(group->settled ? "final_reply" : "threshold"));
    }
    list_text(w, mask_field(role, MASK_PHONE, ticket->caller, scratch));
    list_text(w, mask_field(role, MASK_CUSTOMER, ticket->customer, scratch));
    list_text(w, mask_field(role, MASK_NAME, ticket->name, scratch));
}

static enum err_code
callers_fill(void *state,
             const struct list_request *request,
             const struct reader *reader,
             struct list_writer *writer,
             size_t rows_max,
             bool *more,
             struct err *err)
{
    struct callers_list *list = state;
    struct callers_words *words = malloc(sizeof(*words));
    struct buf scratch;

    if (words == NULL) {
        return err_set(err, ERR_NO_MEMORY, "list");
    }
    buf_init(&scratch, TICKET_TEXT_BYTES_MAX);
    for (size_t rows = 0; rows < rows_max && list->at < list->group_count;
         rows++) {
        const struct caller_group *group = &list->groups[list->at];
        struct ticket_state last_state;
        struct record last;

        if (gather_words(list, group, reader, words, &last, &last_state, err) !=
            ERR_OK) {
            break;
        }
        put_row(group, words, &last, &last_state, request, reader, &scratch,
                writer);
        list->at++;
    }
    buf_release(&scratch);
    free(words);
    *more = list->at < list->group_count;
    return err->code;
}

/* The position: groups are sorted by what changes seldom. */
static void
callers_put_cursor(const void *state, struct buf *out)
{
    const struct callers_list *list = state;

    buf_printf(out, "%zu", list->at);
}

static void
callers_put_totals(const void *state,
                   const struct reader *reader,
                   struct json_out *json)
{
    const struct callers_list *list = state;

    (void)reader;
    json_put_uint(json, list->truncated ? "total_at_least" : "total",
                  list->group_count);
    json_put_uint(json, "repeat_tickets", list->repeat_tickets);
}

static void
callers_close(void *state)
{
    struct callers_list *list = state;

    free(list->groups);
    free(list->members);
    u64_map_release(&list->group_at);
}

const struct list_source repeat_callers_source = {
    .name = "repeat-callers",
    .chinese = "重复致电",
    .params = caller_params,
    .state_bytes = sizeof(struct callers_list),
    .open = callers_open,
    .columns = callers_columns,
    .fill = callers_fill,
    .put_cursor = callers_put_cursor,
    .put_totals = callers_put_totals,
    .close = callers_close,
};
