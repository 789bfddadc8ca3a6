/* GET /v1/repeat-callers: who called again about the same matter. */
#include <stdlib.h>

#include "analyzers/repeat.h"
#include "server/serve/first_of.h"
#include "server/serve/gathered.h"
#include "server/serve/lists.h"
#include "server/serve/query.h"

enum { CALLERS_GROUPS_MAX = GATHERED_CALLERS_MAX };

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

/* One chain: tickets of one customer about one matter, up to the last one in
 * the range. */
struct caller_group {
    uint64_t root;
    int64_t last_at_us;
    uint32_t members;
    uint32_t repeats;      /* of the range, counted as repeats */
    uint32_t number;       /* of the group; from 0 */
    uint32_t first_member; /* of the page */
};

/* A ticket of a group that is shown. */
struct caller_member {
    uint64_t number;
    int64_t accepted_at_us;
    uint32_t group; /* its place on the page */
    bool asked;     /* in the range, of the unit, a repeat */
    uint8_t bits;
    uint8_t key;
};

struct callers_list {
    int64_t from_us;
    int64_t to_us;
    uint32_t unit_id;
    uint64_t min_calls;
    bool excluded_given;
    bool excluded;
    bool truncated;
    uint64_t total;
    uint64_t repeat_tickets;
    struct first_of page;          /* struct caller_group */
    struct caller_member *members; /* of the page, by group and time */
    size_t member_count;
    size_t before; /* groups on earlier pages */
    size_t at;     /* of the page */
};

/* While gathering: every ticket leads to its group. */
struct callers_scan {
    struct callers_list *list;
    const struct ticket_rows *rows;
    struct query_unit_filter units;
    uint32_t *group_of; /* [slot of the row] number of the group + 1 */
    struct caller_group *groups;
    size_t group_count;
    size_t group_room;
};

static const struct gathered_caller *
caller_at(const struct callers_scan *scan, size_t slot)
{
    return (const struct gathered_caller *)ticket_rows_at(scan->rows, slot);
}

/* A repeat of the range and unit. */
static bool
is_asked(struct callers_scan *scan, const struct gathered_caller *caller)
{
    return caller->row.number != 0 && caller->previous != 0 &&
           caller->row.at_us >= scan->list->from_us &&
           caller->row.at_us < scan->list->to_us &&
           query_unit_below(&scan->units, caller->row.unit_id);
}

/* A new group; 0: no memory. */
static uint32_t
group_new(struct callers_scan *scan, uint64_t root)
{
    if (scan->group_count == scan->group_room) {
        size_t room = scan->group_room == 0 ? 1024 : scan->group_room * 2;
        struct caller_group *larger =
            realloc(scan->groups, room * sizeof(*larger));

        if (larger == NULL) {
            return 0;
        }
        scan->groups = larger;
        scan->group_room = room;
    }
    scan->groups[scan->group_count] =
        (struct caller_group){.root = root,
                              .last_at_us = INT64_MIN,
                              .number = (uint32_t)scan->group_count};
    return (uint32_t)++scan->group_count;
}

/* The group of the repeat in `slot`: back to a ticket that has one already, or
 * to the first of the chain, which begins a new one. What lies between joins
 * it. */
static struct caller_group *
join(struct callers_scan *scan, size_t slot)
{
    struct caller_group *group;
    size_t at = slot;
    size_t back;
    uint32_t number;

    while (scan->group_of[at] == 0 &&
           (back = gathered_repeated(scan->rows, caller_at(scan, at))) !=
               GATHERED_CALLERS_MAX) {
        at = back;
    }
    number = scan->group_of[at];
    if (number == 0) {
        number = group_new(scan, caller_at(scan, at)->row.number);
        if (number == 0) {
            return NULL;
        }
    }
    group = &scan->groups[number - 1];
    for (at = slot; at != GATHERED_CALLERS_MAX && scan->group_of[at] == 0;
         at = gathered_repeated(scan->rows, caller_at(scan, at))) {
        const struct ticket_row *row = &caller_at(scan, at)->row;

        scan->group_of[at] = number;
        group->members++;
        if (row->at_us > group->last_at_us) {
            group->last_at_us = row->at_us;
        }
    }
    return group;
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

/* Count the groups that were asked for, and keep those of the page. */
static bool
choose_groups(struct callers_scan *scan)
{
    struct callers_list *list = scan->list;
    bool fine = true;

    for (size_t i = 0; fine && i < scan->group_count; i++) {
        const struct caller_group *group = &scan->groups[i];
        bool excluded = group->repeats == 0;

        if (group->members >= list->min_calls &&
            (!list->excluded_given || list->excluded == excluded)) {
            list->total++;
            list->repeat_tickets += group->repeats;
            fine = first_of_add(&list->page, group);
        }
    }
    first_of_sort(&list->page);
    return fine;
}

/* The tickets of the groups on the page. */
static bool
gather_members(struct callers_scan *scan)
{
    struct callers_list *list = scan->list;
    struct caller_group *page = (struct caller_group *)(void *)list->page.items;
    uint32_t *place = calloc(scan->group_count + 1, sizeof(*place));
    size_t room = 0;

    for (size_t i = list->before; i < list->page.count; i++) {
        page[i].first_member = (uint32_t)room;
        room += page[i].members;
        if (place != NULL) {
            place[page[i].number + 1] = (uint32_t)i + 1;
        }
    }
    list->members = calloc(room + 1, sizeof(*list->members));
    if (place == NULL || list->members == NULL) {
        free(place);
        return false;
    }
    for (size_t i = 0; i < scan->rows->slot_count; i++) {
        const struct gathered_caller *caller = caller_at(scan, i);
        uint32_t on_page = place[scan->group_of[i]];

        if (on_page != 0) {
            list->members[list->member_count++] =
                (struct caller_member){.number = caller->row.number,
                                       .accepted_at_us = caller->row.at_us,
                                       .group = on_page - 1,
                                       .asked = is_asked(scan, caller),
                                       .bits = caller->bits,
                                       .key = caller->key};
        }
    }
    free(place);
    if (list->member_count > 1) {
        qsort(list->members, list->member_count, sizeof(*list->members),
              by_group_and_time);
    }
    return true;
}

static bool
gather(struct callers_scan *scan)
{
    scan->group_of =
        calloc(scan->rows->slot_count + 1, sizeof(*scan->group_of));
    if (scan->group_of == NULL) {
        return false;
    }
    for (size_t i = 0; i < scan->rows->slot_count; i++) {
        const struct gathered_caller *caller = caller_at(scan, i);
        struct caller_group *group;

        if (!is_asked(scan, caller)) {
            continue;
        }
        group = join(scan, i);
        if (group == NULL) {
            return false;
        }
        group->repeats += (caller->bits & GATHERED_COUNTED) != 0;
    }
    return choose_groups(scan) && gather_members(scan);
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
    struct callers_scan scan = {.list = list};
    struct gathered *own = NULL;
    const struct gathered *gathered;
    uint64_t before;
    bool known;

    if (params_range(request->params, &list->from_us, &list->to_us, err) !=
            ERR_OK ||
        params_uint(request->params, "min_calls", 2, 1000,
                    request->dictionary->repeat->repeat_min, &list->min_calls,
                    err) != ERR_OK ||
        params_switch(request->params, "excluded", &list->excluded_given,
                      &list->excluded, err) != ERR_OK ||
        params_uint(&from_cursor, "cursor", 1, CALLERS_GROUPS_MAX, 0, &before,
                    err) != ERR_OK) {
        return err->code;
    }
    list->before = (size_t)before;
    first_of_init(&list->page, sizeof(struct caller_group),
                  list_rows_to(request, list->before), most_calls_first);
    query_unit(reader, request->dictionary, params_get(request->params, "unit"),
               &list->unit_id, &known);
    gathered = known ? list_gathered(request, reader, &own, err) : NULL;
    if (gathered != NULL) {
        scan.rows = &gathered->callers;
        list->truncated = gathered->callers_cut;
        query_unit_filter_init(&scan.units, reader, list->unit_id);
        if (!gather(&scan)) {
            (void)err_set(err, ERR_NO_MEMORY, "repeat callers");
        }
    }
    if (list->before > list->page.count) {
        list->before = list->page.count;
    }
    list->at = list->before;
    free(scan.group_of);
    free(scan.groups);
    gathered_free(&own);
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
key_word(unsigned key)
{
    switch ((enum repeat_key)key) {
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
    int64_t first_at_us;
    uint8_t bits; /* of the tickets that were asked for, all together */
    uint8_t key;  /* of the newest of those */
    bool final_reply;
};

static enum err_code
gather_words(const struct caller_group *group,
             const struct caller_member *members,
             const struct reader *reader,
             struct callers_words *out,
             struct record *last,
             struct ticket_state *last_state,
             struct err *err)
{
    *out = (struct callers_words){.first_at_us = members[0].accepted_at_us};
    for (uint32_t i = 0; i < group->members; i++) {
        struct ticket_state one;
        size_t seen = 0;

        if (!reader_state(reader, members[i].number, &one, err)) {
            if (err->code != ERR_OK) {
                return err->code;
            }
            continue; /* it expired since the list was gathered */
        }
        *last_state = one;
        if (reader_record(reader, one.record_seq, last, err) != ERR_OK) {
            return err->code;
        }
        if (members[i].asked) {
            out->bits |= members[i].bits;
            out->key = members[i].key;
        }
        out->final_reply =
            out->final_reply ||
            last_state->event_at_us[EVENT_KIND_FINAL_REPLY] != STATE_NEVER;
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

    list_text(w, span_of(key_word(words->key)));
    list_int(w, group->members);
    list_int(w, group->repeats);
    list_text(w, reader_name(reader, state->matter_id));
    list_text(w, span_of(ticket_category_wire(state->category)));
    list_time(w, words->first_at_us);
    list_time(w, group->last_at_us);
    list_words(w, words->ids, words->id_count);
    list_words(w, words->units, words->unit_count);
    list_text(w, span_of(query_life_wire(query_life_of(state, STATE_NEVER))));
    list_bool(w, words->final_reply);
    list_bool(w, (words->bits & GATHERED_THIRD_CALL) != 0);
    list_bool(w, (words->bits & GATHERED_BURST) != 0);
    if (group->repeats > 0) {
        list_none(w);
    } else {
        list_text(w,
                  span_of((words->bits & GATHERED_SETTLED) != 0 ? "final_reply"
                                                                : "threshold"));
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
    for (size_t rows = 0; rows < rows_max && list->at < list->page.count;
         rows++) {
        const struct caller_group *group =
            (const struct caller_group *)(void *)list->page.items + list->at;
        struct ticket_state last_state;
        struct record last;

        if (gather_words(group, list->members + group->first_member, reader,
                         words, &last, &last_state, err) != ERR_OK) {
            break;
        }
        if (words->id_count > 0) {
            put_row(group, words, &last, &last_state, request, reader, &scratch,
                    writer);
        }
        list->at++;
    }
    buf_release(&scratch);
    free(words);
    *more = list->at < list->total;
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
                  list->total);
    json_put_uint(json, "repeat_tickets", list->repeat_tickets);
}

static void
callers_close(void *state)
{
    struct callers_list *list = state;

    first_of_release(&list->page);
    free(list->members);
}

const struct list_source repeat_callers_source = {
    .name = "repeat-callers",
    .chinese = "重复致电",
    .params = caller_params,
    .thread = LIST_ON_GATHERER,
    .state_bytes = sizeof(struct callers_list),
    .open = callers_open,
    .columns = callers_columns,
    .fill = callers_fill,
    .put_cursor = callers_put_cursor,
    .put_totals = callers_put_totals,
    .close = callers_close,
};
