/* GET /v1/hot-spots: many callers, one place, one matter. */
#include <stdlib.h>
#include <string.h>

#include "analyzers/hot_spot.h"
#include "server/serve/lists.h"
#include "server/serve/query.h"
#include "server/serve/u64_map.h"

enum {
    SPOTS_TICKETS_MAX = 200000,
    SPOTS_PLACE_BYTES_MAX = TICKET_FIELD_BYTES_MAX
};

static const char *const spot_params[] = {"from", "to", "unit", "min_callers",
                                          NULL};

static const struct list_column spot_columns[] = {
    {"place", "地点", LIST_TEXT},       {"unit", "供电单位", LIST_TEXT},
    {"matter", "诉求", LIST_TEXT},      {"callers", "来电客户", LIST_INT},
    {"calls", "来电次数", LIST_INT},    {"first_at", "首次致电", LIST_TIME},
    {"last_at", "末次致电", LIST_TIME}, {"open", "未办结", LIST_INT},
    {"ids", "工单编号", LIST_WORDS},
};

/* One ticket that names a place. */
struct spot_ticket {
    uint64_t place_hash; /* of unit, place and matter */
    int64_t accepted_at_us;
    uint64_t number;
    uint64_t person;
};

/* A run of tickets[first..first + calls). */
struct spot {
    size_t first;
    uint32_t calls;
    uint32_t callers;
    int64_t last_at_us;
};

struct spots_list {
    int64_t from_us;
    int64_t to_us;
    uint32_t unit_id;
    uint64_t callers_min;
    int64_t window_us;
    bool truncated;
    uint64_t scanned;
    struct spot_ticket *tickets;
    size_t ticket_count;
    size_t ticket_room;
    struct spot *spots;
    size_t spot_count;
    size_t at;

    /* while gathering */
    const struct reader *reader;
    struct query_unit_filter units;
    struct record record;
    char place[SPOTS_PLACE_BYTES_MAX + 2 * sizeof(uint32_t)];
    struct err *err;
};

/* Who called: the customer, else the phone, else the ticket alone. */
static uint64_t
person_of(const struct ticket_state *state)
{
    for (int i = 0; i < REPEAT_KEY_ADDRESS; i++) {
        if (state->key_hash[i] != 0) {
            return state->key_hash[i];
        }
    }
    return state->number;
}

static bool
add_ticket(struct spots_list *list, const struct spot_ticket *ticket)
{
    if (list->ticket_count == list->ticket_room) {
        size_t room = list->ticket_room == 0 ? 1024 : list->ticket_room * 2;
        struct spot_ticket *larger =
            realloc(list->tickets, room * sizeof(*larger));

        if (larger == NULL) {
            (void)err_set(list->err, ERR_NO_MEMORY, "hot spots");
            return false;
        }
        list->tickets = larger;
        list->ticket_room = room;
    }
    list->tickets[list->ticket_count++] = *ticket;
    return true;
}

static bool
visit_ticket(void *data, int64_t accepted_at_us, uint64_t number)
{
    struct spots_list *list = data;
    struct ticket_state state;
    struct spot_ticket ticket = {.accepted_at_us = accepted_at_us,
                                 .number = number};
    size_t bytes;

    if (list->scanned++ == SPOTS_TICKETS_MAX) {
        list->truncated = true;
        return false;
    }
    if (!reader_state(list->reader, number, &state, list->err)) {
        (void)err_set(list->err, ERR_CORRUPT, "a ticket's state is missing");
        return false;
    }
    if (state.matter_id == 0 || state_repeat_excluded(&state) ||
        !query_unit_below(&list->units, state.unit_id)) {
        return true;
    }
    if (reader_record(list->reader, state.record_seq, &list->record,
                      list->err) != ERR_OK) {
        return false;
    }
    if (list->record.ticket.address.bytes > SPOTS_PLACE_BYTES_MAX) {
        return true;
    }
    bytes = hot_spot_place(list->record.ticket.address, list->place);
    if (bytes == 0) {
        return true;
    }
    memcpy(list->place + bytes, &state.unit_id, sizeof(state.unit_id));
    memcpy(list->place + bytes + sizeof(state.unit_id), &state.matter_id,
           sizeof(state.matter_id));
    ticket.place_hash =
        store_hash(list->reader->store,
                   (struct span){list->place, bytes + 2 * sizeof(uint32_t)});
    ticket.person = person_of(&state);
    return add_ticket(list, &ticket);
}

static int
by_place_and_time(const void *a, const void *b)
{
    const struct spot_ticket *x = a;
    const struct spot_ticket *y = b;

    if (x->place_hash != y->place_hash) {
        return x->place_hash < y->place_hash ? -1 : 1;
    }
    if (x->accepted_at_us != y->accepted_at_us) {
        return x->accepted_at_us < y->accepted_at_us ? -1 : 1;
    }
    return x->number < y->number ? -1 : x->number > y->number;
}

static int
most_callers_first(const void *a, const void *b)
{
    const struct spot *x = a;
    const struct spot *y = b;

    if (x->callers != y->callers) {
        return x->callers > y->callers ? -1 : 1;
    }
    if (x->last_at_us != y->last_at_us) {
        return x->last_at_us > y->last_at_us ? -1 : 1;
    }
    return x->first < y->first ? -1 : x->first > y->first;
}

/* Different persons among tickets[first..end). */
static bool
count_callers(struct spots_list *list, size_t first, size_t end, uint32_t *out)
{
    struct u64_map persons;
    bool enough = true;
    bool added;

    *out = 0;
    u64_map_init(&persons);
    for (size_t i = first; i < end && enough; i++) {
        added = false;
        enough = u64_map_add(&persons, list->tickets[i].person, &added);
        *out += added;
    }
    u64_map_release(&persons);
    return enough;
}

/* Cut the sorted tickets into runs of one place inside one window. */
static void
find_spots(struct spots_list *list)
{
    size_t count = list->ticket_count;

    list->spots = calloc(count + 1, sizeof(*list->spots));
    if (list->spots == NULL) {
        (void)err_set(list->err, ERR_NO_MEMORY, "hot spots");
        return;
    }
    if (count > 1) {
        qsort(list->tickets, count, sizeof(*list->tickets), by_place_and_time);
    }
    for (size_t first = 0, end; first < count; first = end) {
        const struct spot_ticket *start = &list->tickets[first];
        uint32_t callers;

        for (end = first + 1;
             end < count &&
             list->tickets[end].place_hash == start->place_hash &&
             list->tickets[end].accepted_at_us - start->accepted_at_us <=
                 list->window_us;
             end++) {
        }
        if (end - first < list->callers_min) {
            end = first + 1; /* a later start may hold more */
            continue;
        }
        if (!count_callers(list, first, end, &callers)) {
            (void)err_set(list->err, ERR_NO_MEMORY, "hot spots");
            return;
        }
        if (callers < list->callers_min) {
            end = first + 1;
            continue;
        }
        list->spots[list->spot_count++] =
            (struct spot){first, (uint32_t)(end - first), callers,
                          list->tickets[end - 1].accepted_at_us};
    }
    if (list->spot_count > 1) {
        qsort(list->spots, list->spot_count, sizeof(*list->spots),
              most_callers_first);
    }
}

static enum err_code
spots_open(void *state,
           const struct list_request *request,
           const struct reader *reader,
           struct span cursor,
           struct err *err)
{
    struct spots_list *list = state;
    struct params from_cursor = {.items = {{SPAN_LITERAL("cursor"), cursor}},
                                 .count = 1};
    uint64_t at;
    bool known;

    list->reader = reader;
    list->err = err;
    list->window_us = request->dictionary->hot_spot->window_us;
    if (params_range(request->params, &list->from_us, &list->to_us, err) !=
            ERR_OK ||
        params_uint(request->params, "min_callers", 2, 1000,
                    request->dictionary->hot_spot->callers_min,
                    &list->callers_min, err) != ERR_OK ||
        params_uint(&from_cursor, "cursor", 1, SPOTS_TICKETS_MAX, 0, &at,
                    err) != ERR_OK) {
        return err->code;
    }
    query_unit(reader, request->dictionary, params_get(request->params, "unit"),
               &list->unit_id, &known);
    if (known) {
        query_unit_filter_init(&list->units, reader, list->unit_id);
        if (reader_tickets(reader, list->from_us, list->to_us, 0, 0, true,
                           visit_ticket, list, err) == ERR_OK) {
            find_spots(list);
        }
    }
    list->at = (size_t)at < list->spot_count ? (size_t)at : list->spot_count;
    return err->code;
}

static const struct list_column *
spots_columns(const void *state, size_t *count)
{
    (void)state;
    *count = sizeof(spot_columns) / sizeof(spot_columns[0]);
    return spot_columns;
}

static enum err_code
put_row(struct spots_list *list,
        const struct spot *spot,
        const struct reader *reader,
        struct span *ids,
        struct list_writer *w,
        struct err *err)
{
    struct ticket_state state;
    size_t id_count = 0;
    int64_t open = 0;

    for (uint32_t i = 0; i < spot->calls; i++) {
        uint64_t number = list->tickets[spot->first + i].number;

        if (!reader_state(reader, number, &state, err) ||
            reader_record(reader, state.record_seq, &list->record, err) !=
                ERR_OK) {
            return err_set(err, ERR_CORRUPT, "a ticket's state is missing");
        }
        open += query_life_of(&state, STATE_NEVER) != QUERY_LIFE_CLOSED;
        if (id_count < LIST_WORDS_MAX) {
            ids[id_count++] = list->record.ticket.id;
        }
    }
    /* A village or compound is no personal datum: not masked. */
    list_text(w, (struct span){
                     list->place,
                     hot_spot_place(list->record.ticket.address, list->place)});
    list_text(w, reader_name(reader, state.unit_id));
    list_text(w, reader_name(reader, state.matter_id));
    list_int(w, spot->callers);
    list_int(w, spot->calls);
    list_time(w, list->tickets[spot->first].accepted_at_us);
    list_time(w, spot->last_at_us);
    list_int(w, open);
    list_words(w, ids, id_count);
    return ERR_OK;
}

static enum err_code
spots_fill(void *state,
           const struct list_request *request,
           const struct reader *reader,
           struct list_writer *writer,
           size_t rows_max,
           bool *more,
           struct err *err)
{
    struct spots_list *list = state;
    struct span *ids = malloc(LIST_WORDS_MAX * sizeof(*ids));

    (void)request;
    if (ids == NULL) {
        return err_set(err, ERR_NO_MEMORY, "hot spots");
    }
    for (size_t rows = 0; rows < rows_max && list->at < list->spot_count;
         rows++) {
        if (put_row(list, &list->spots[list->at], reader, ids, writer, err) !=
            ERR_OK) {
            break;
        }
        list->at++;
    }
    free(ids);
    *more = list->at < list->spot_count;
    return err->code;
}

static void
spots_put_cursor(const void *state, struct buf *out)
{
    const struct spots_list *list = state;

    buf_printf(out, "%zu", list->at);
}

static void
spots_put_totals(const void *state,
                 const struct reader *reader,
                 struct json_out *json)
{
    const struct spots_list *list = state;

    (void)reader;
    json_put_uint(json, list->truncated ? "total_at_least" : "total",
                  list->spot_count);
}

static void
spots_close(void *state)
{
    struct spots_list *list = state;

    free(list->tickets);
    free(list->spots);
}

const struct list_source hot_spots_source = {
    .name = "hot-spots",
    .chinese = "热点",
    .params = spot_params,
    .state_bytes = sizeof(struct spots_list),
    .open = spots_open,
    .columns = spots_columns,
    .fill = spots_fill,
    .put_cursor = spots_put_cursor,
    .put_totals = spots_put_totals,
    .close = spots_close,
};
