/* GET /v1/hot-spots: many callers, one place, one matter. */
#include <stdlib.h>
#include <string.h>

#include "analyzers/hot_spot.h"
#include "server/serve/first_of.h"
#include "server/serve/gathered.h"
#include "server/serve/lists.h"
#include "server/serve/query.h"
#include "server/serve/u64_map.h"

enum {
    SPOTS_MAX = GATHERED_PLACES_MAX,
    SPOTS_BUCKET_TICKETS = 16, /* about so many share a bucket */
    SPOTS_FEW = 16 /* compared with each other rather than through a table */
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
    uint64_t first_number;
    uint32_t calls;
    uint32_t callers;
    int64_t last_at_us;
};

struct spots_list {
    int64_t from_us;
    int64_t to_us;
    uint64_t callers_min;
    int64_t window_us;
    bool truncated;
    uint64_t total;
    struct spot_ticket *tickets; /* by place, then in the order of time */
    size_t ticket_count;
    struct first_of page; /* struct spot */
    size_t at;

    struct record record; /* of the row in hand */
    char place[TICKET_FIELD_BYTES_MAX];
};

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

/* Few of them: quicker than qsort. */
static void
sort_bucket(struct spot_ticket *tickets, size_t count)
{
    if (count > 4 * (size_t)SPOTS_BUCKET_TICKETS) {
        qsort(tickets, count, sizeof(*tickets), by_place_and_time);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        struct spot_ticket moved = tickets[i];
        size_t to = i;

        for (; to > 0 && by_place_and_time(&moved, &tickets[to - 1]) < 0;
             to--) {
            tickets[to] = tickets[to - 1];
        }
        tickets[to] = moved;
    }
}

/* The tickets by place and time: dealt out by the first bits of the place's
 * hash, then each bucket by itself. */
static bool
sort_tickets(struct spots_list *list, const struct spot_ticket *tickets)
{
    size_t count = list->ticket_count;
    unsigned shift = 63;
    size_t *ends;
    size_t sum = 0;

    while (shift > 32 && count >> (64 - shift) > SPOTS_BUCKET_TICKETS) {
        shift--;
    }
    ends = calloc(((size_t)1 << (64 - shift)) + 1, sizeof(*ends));
    list->tickets = malloc((count + 1) * sizeof(*list->tickets));
    if (ends == NULL || list->tickets == NULL) {
        free(ends);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        ends[tickets[i].place_hash >> shift]++;
    }
    for (size_t i = 0; i >> (64 - shift) == 0; i++) {
        size_t of_this = ends[i];

        ends[i] = sum;
        sum += of_this;
    }
    for (size_t i = 0; i < count; i++) {
        list->tickets[ends[tickets[i].place_hash >> shift]++] = tickets[i];
    }
    for (size_t i = 0, begin = 0; i >> (64 - shift) == 0; begin = ends[i++]) {
        sort_bucket(list->tickets + begin, ends[i] - begin);
    }
    free(ends);
    return true;
}

/* Those of the range and unit, out of all. */
static bool
choose_tickets(struct spots_list *list,
               const struct ticket_rows *places,
               struct query_unit_filter *units)
{
    struct spot_ticket *tickets =
        malloc((places->row_count + 1) * sizeof(*tickets));
    bool fine;

    if (tickets == NULL) {
        return false;
    }
    for (size_t i = 0; i < places->slot_count; i++) {
        const struct gathered_place *place =
            (const struct gathered_place *)ticket_rows_at(places, i);

        if (place->row.number != 0 && place->row.at_us >= list->from_us &&
            place->row.at_us < list->to_us &&
            query_unit_below(units, place->row.unit_id)) {
            tickets[list->ticket_count++] =
                (struct spot_ticket){place->place_hash, place->row.at_us,
                                     place->row.number, place->person};
        }
    }
    fine = sort_tickets(list, tickets);
    free(tickets);
    return fine;
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
    return x->first_number < y->first_number
               ? -1
               : x->first_number > y->first_number;
}

/* Different persons among a run of tickets. */
static bool
count_callers(const struct spot_ticket *run, size_t count, uint32_t *out)
{
    struct u64_map persons;
    bool enough = true;

    *out = 0;
    if (count <= SPOTS_FEW) {
        for (size_t i = 0; i < count; i++) {
            size_t before = 0;

            while (before < i && run[before].person != run[i].person) {
                before++;
            }
            *out += before == i;
        }
        return true;
    }
    u64_map_init(&persons);
    for (size_t i = 0; i < count && enough; i++) {
        bool added = false;

        enough = u64_map_add(&persons, run[i].person, &added);
        *out += added;
    }
    u64_map_release(&persons);
    return enough;
}

/* Cut the sorted tickets into runs of one place inside one window. */
static bool
find_spots(struct spots_list *list)
{
    size_t count = list->ticket_count;

    for (size_t first = 0, end; first < count; first = end) {
        const struct spot_ticket *start = &list->tickets[first];
        struct spot spot = {.first = first, .first_number = start->number};

        for (end = first + 1;
             end < count &&
             list->tickets[end].place_hash == start->place_hash &&
             list->tickets[end].accepted_at_us - start->accepted_at_us <=
                 list->window_us;
             end++) {
        }
        if (end - first >= list->callers_min &&
            !count_callers(start, end - first, &spot.callers)) {
            return false;
        }
        if (spot.callers < list->callers_min) {
            end = first + 1; /* a later start may hold more */
            continue;
        }
        spot.calls = (uint32_t)(end - first);
        spot.last_at_us = list->tickets[end - 1].accepted_at_us;
        list->total++;
        if (!first_of_add(&list->page, &spot)) {
            return false;
        }
    }
    first_of_sort(&list->page);
    return true;
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
    struct query_unit_filter units;
    struct gathered *own = NULL;
    const struct gathered *gathered;
    uint32_t unit_id;
    uint64_t at;
    bool known;

    list->window_us = request->dictionary->hot_spot->window_us;
    if (params_range(request->params, &list->from_us, &list->to_us, err) !=
            ERR_OK ||
        params_uint(request->params, "min_callers", 2, 1000,
                    request->dictionary->hot_spot->callers_min,
                    &list->callers_min, err) != ERR_OK ||
        params_uint(&from_cursor, "cursor", 1, SPOTS_MAX, 0, &at, err) !=
            ERR_OK) {
        return err->code;
    }
    first_of_init(&list->page, sizeof(struct spot),
                  list_rows_to(request, (size_t)at), most_callers_first);
    query_unit(reader, request->dictionary, params_get(request->params, "unit"),
               &unit_id, &known);
    gathered = known ? list_gathered(request, reader, &own, err) : NULL;
    if (gathered != NULL) {
        list->truncated = list->from_us <= gathered->places_cut_us;
        query_unit_filter_init(&units, reader, unit_id);
        if (!choose_tickets(list, &gathered->places, &units) ||
            !find_spots(list)) {
            (void)err_set(err, ERR_NO_MEMORY, "hot spots");
        }
    }
    gathered_free(&own);
    list->at = (size_t)at < list->page.count ? (size_t)at : list->page.count;
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
    struct ticket_state one;
    size_t id_count = 0;
    int64_t open = 0;

    for (uint32_t i = 0; i < spot->calls; i++) {
        uint64_t number = list->tickets[spot->first + i].number;

        if (!reader_state(reader, number, &one, err)) {
            if (err->code != ERR_OK) {
                return err->code;
            }
            continue; /* it expired since the list was gathered */
        }
        state = one;
        if (reader_record(reader, state.record_seq, &list->record, err) !=
            ERR_OK) {
            return err->code;
        }
        open += query_life_of(&state, STATE_NEVER) != QUERY_LIFE_CLOSED;
        if (id_count < LIST_WORDS_MAX) {
            ids[id_count++] = list->record.ticket.id;
        }
    }
    if (id_count == 0) {
        return ERR_OK;
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
    for (size_t rows = 0; rows < rows_max && list->at < list->page.count;
         rows++) {
        const struct spot *spot =
            (const struct spot *)(void *)list->page.items + list->at;

        if (put_row(list, spot, reader, ids, writer, err) != ERR_OK) {
            break;
        }
        list->at++;
    }
    free(ids);
    *more = list->at < list->total;
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
                  list->total);
}

static void
spots_close(void *state)
{
    struct spots_list *list = state;

    free(list->tickets);
    first_of_release(&list->page);
}

const struct list_source hot_spots_source = {
    .name = "hot-spots",
    .chinese = "热点",
    .params = spot_params,
    .thread = LIST_ON_GATHERER,
    .state_bytes = sizeof(struct spots_list),
    .open = spots_open,
    .columns = spots_columns,
    .fill = spots_fill,
    .put_cursor = spots_put_cursor,
    .put_totals = spots_put_totals,
    .close = spots_close,
};
