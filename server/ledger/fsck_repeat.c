/* Ids, keys, related orders and repeat calls, across all tickets at once. */
#include "server/ledger/fsck_internal.h"

#include <inttypes.h>
#include <stdlib.h>

static int
link_compare(const void *a, const void *b)
{
    const struct fsck_link *x = a;
    const struct fsck_link *y = b;

    if (x->hash != y->hash) {
        return x->hash < y->hash ? -1 : 1;
    }
    return x->number < y->number ? -1 : x->number > y->number;
}

/* By hash, then by position (in `previous`). */
static int
position_compare(const void *a, const void *b)
{
    const struct fsck_link *x = a;
    const struct fsck_link *y = b;

    if (x->hash != y->hash) {
        return x->hash < y->hash ? -1 : 1;
    }
    return x->previous < y->previous ? -1 : x->previous > y->previous;
}

void
fsck_sort_links(struct fsck_array *links)
{
    if (links->count > 1) {
        qsort(links->items, links->count, sizeof(struct fsck_link),
              link_compare);
    }
}

size_t
fsck_find_hash(const struct fsck_array *links, uint64_t hash)
{
    const struct fsck_link *items = links->items;
    size_t from = 0;
    size_t to = links->count;

    while (from < to) {
        size_t middle = from + (to - from) / 2;

        if (items[middle].hash < hash) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from < links->count && items[from].hash == hash ? from
                                                           : links->count;
}

/* --- ids and keys ------------------------------------------------------- */

/* One value of `ids` or `keys`: pairs, in the order they were made. */
static bool
add_pairs(struct fsck *fsck, struct span key, struct span value, void *data)
{
    struct fsck_array *pairs = data;

    if (key.bytes != 8 || value.bytes % 16 != 0) {
        fsck_say(fsck, "ids, keys: expected pairs, found %zu bytes",
                 value.bytes);
    }
    for (size_t i = 0; i + 16 <= value.bytes; i += 16) {
        struct fsck_link *link = fsck_array_add(fsck, pairs);

        if (link == NULL) {
            return false;
        }
        link->hash = load_le64((const uint8_t *)value.data + i);
        link->number = load_le64((const uint8_t *)value.data + i + 8);
        link->previous = pairs->count; /* the position */
    }
    return true;
}

static void
compare_links(struct fsck *fsck,
              const char *name,
              const struct fsck_array *expected,
              const struct fsck_array *found)
{
    const struct fsck_link *e = expected->items;
    const struct fsck_link *f = found->items;
    size_t i = 0;
    size_t k = 0;

    while (i < expected->count || k < found->count) {
        int order = i == expected->count ? 1
                    : k == found->count  ? -1
                                         : link_compare(&e[i], &f[k]);

        if (order < 0) {
            fsck_say(fsck,
                     "%s: ticket %" PRIu64 ": expected a pair, found none",
                     name, e[i++].number);
        } else if (order > 0) {
            fsck_say(fsck,
                     "%s: ticket %" PRIu64 ": expected no pair, found one",
                     name, f[k++].number);
        } else {
            if (e[i].previous != f[k].previous) {
                fsck_say(fsck,
                         "%s: ticket %" PRIu64
                         ": ticket of the key before: expected %" PRIu64
                         ", found %" PRIu64,
                         name, e[i].number, f[k].previous, e[i].previous);
            }
            i++;
            k++;
        }
    }
}

/* Instead of its position every pair gets the ticket before it. */
static void
chain_pairs(struct fsck_array *pairs)
{
    struct fsck_link *items = pairs->items;
    uint64_t hash = 0;
    uint64_t number = 0;

    if (pairs->count > 1) {
        qsort(items, pairs->count, sizeof(*items), position_compare);
    }
    for (size_t i = 0; i < pairs->count; i++) {
        items[i].previous = items[i].hash == hash ? number : 0;
        hash = items[i].hash;
        number = items[i].number;
    }
}

static void
check_pairs_of(struct fsck *fsck,
               enum store_db db,
               const char *name,
               struct fsck_array *expected)
{
    struct fsck_array found = {.item_bytes = sizeof(struct fsck_link)};
    struct fsck_link *items;

    fsck_each(fsck, db, add_pairs, &found);
    items = found.items;
    if (db == STORE_KEYS) {
        chain_pairs(&found);
    }
    for (size_t i = 0; db == STORE_IDS && i < found.count; i++) {
        items[i].previous = 0;
    }
    fsck_sort_links(&found);
    fsck_sort_links(expected);
    if (!fsck_failed(fsck)) {
        compare_links(fsck, name, expected, &found);
    }
    free(found.items);
}

/* --- ids in words ------------------------------------------------------- */

static bool
read_record(struct fsck *fsck, uint64_t seq, struct record *out)
{
    struct err ignored = {0};

    return reader_record(&fsck->reader, seq, out, &ignored) == ERR_OK;
}

static bool
has_id(struct fsck *fsck, uint64_t number, struct span id)
{
    struct record record;

    return read_record(fsck, number, &record) && record.kind == RECORD_TICKET &&
           span_equal(record.ticket.id, id);
}

/* The number of a ticket with this id, or 0. */
static uint64_t
find_id(struct fsck *fsck, struct span id)
{
    const struct fsck_link *ids = fsck->ids.items;
    uint64_t hash = store_hash(fsck->store, id);

    for (size_t i = fsck_find_hash(&fsck->ids, hash);
         i < fsck->ids.count && ids[i].hash == hash; i++) {
        if (has_id(fsck, ids[i].number, id)) {
            return ids[i].number;
        }
    }
    return 0;
}

static void
check_ids_differ(struct fsck *fsck)
{
    const struct fsck_link *ids = fsck->ids.items;

    for (size_t i = 1; i < fsck->ids.count; i++) {
        struct record record;

        if (ids[i].hash == ids[i - 1].hash &&
            read_record(fsck, ids[i].number, &record) &&
            has_id(fsck, ids[i - 1].number, record.ticket.id)) {
            fsck_say(fsck,
                     "ids: tickets %" PRIu64 " and %" PRIu64
                     ": expected two ids, found one",
                     ids[i - 1].number, ids[i].number);
        }
    }
}

/* --- what waits, related orders ----------------------------------------- */

enum { WAITING_TAIL_BYTES = 10 };

struct waiting_count {
    uint64_t events;
    uint64_t related;
};

static void
check_waiting_event(struct fsck *fsck, struct span id, uint64_t seq)
{
    struct record record;

    if (!read_record(fsck, seq, &record) || record.kind != RECORD_EVENT ||
        record.number != 0 || !span_equal(record.event.id, id)) {
        fsck_say(fsck,
                 "waiting: log record %" PRIu64
                 ": expected an event that waits for this ticket, found none",
                 seq);
    }
    if (find_id(fsck, id) != 0) {
        fsck_say(fsck,
                 "waiting: log record %" PRIu64
                 ": expected to wait for no ticket that is here, found ticket "
                 "%" PRIu64,
                 seq, find_id(fsck, id));
    }
}

static void
check_waiting_related(struct fsck *fsck, struct span id, uint64_t number)
{
    const struct fsck_wait *waits = fsck->waits.items;
    struct record record;

    for (size_t from = 0, to = fsck->waits.count; from < to;) {
        size_t middle = from + (to - from) / 2;

        if (waits[middle].number == number) {
            if (read_record(fsck, waits[middle].record_seq, &record) &&
                record.kind == RECORD_TICKET &&
                span_equal(record.ticket.related, id) &&
                waits[middle].related_number == 0) {
                return;
            }
            break;
        }
        if (waits[middle].number < number) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    fsck_say(fsck,
             "waiting: ticket %" PRIu64
             ": expected one that names this order, found none",
             number);
}

static bool
check_waiting(struct fsck *fsck, struct span key, struct span value, void *data)
{
    struct waiting_count *count = data;
    struct byte_reader r;
    struct span id;
    char kind;

    if (key.bytes <= WAITING_TAIL_BYTES || value.bytes != 0) {
        fsck_say(fsck, "waiting: expected id, kind and number, found %zu bytes",
                 key.bytes);
        return true;
    }
    id = (struct span){key.data, key.bytes - WAITING_TAIL_BYTES};
    kind = key.data[id.bytes + 1];
    r = byte_reader_on(key.data + id.bytes + 2, 8);
    if (kind == 'e') {
        count->events++;
        check_waiting_event(fsck, id, get_be64(&r));
    } else if (kind == 'r') {
        count->related++;
        check_waiting_related(fsck, id, get_be64(&r));
    } else {
        fsck_say(fsck, "waiting: expected kind e or r, found %d", kind);
    }
    return true;
}

/* Every ticket's related order, looked up anew. Returns how many wait. */
static uint64_t
check_related(struct fsck *fsck)
{
    const struct fsck_wait *waits = fsck->waits.items;
    uint64_t waiting = 0;

    for (size_t i = 0; i < fsck->waits.count && !fsck_failed(fsck); i++) {
        struct record record;
        uint64_t number;

        if (!read_record(fsck, waits[i].record_seq, &record)) {
            continue; /* told before */
        }
        number = find_id(fsck, record.ticket.related);
        waiting += number == 0;
        if (number == waits[i].number) {
            number = 0; /* itself */
        }
        if (number != waits[i].related_number) {
            fsck_say(fsck,
                     "state of ticket %" PRIu64 ": related: expected %" PRIu64
                     ", found %" PRIu64,
                     waits[i].number, number, waits[i].related_number);
        }
    }
    return waiting;
}

void
fsck_check_pairs(struct fsck *fsck)
{
    struct waiting_count count = {0, 0};
    uint64_t related;

    check_pairs_of(fsck, STORE_IDS, "ids", &fsck->ids);
    check_pairs_of(fsck, STORE_KEYS, "keys", &fsck->links);
    if (fsck_failed(fsck)) {
        return;
    }
    check_ids_differ(fsck);
    related = check_related(fsck);
    fsck_each(fsck, STORE_WAITING, check_waiting, &count);
    if (count.events != fsck->untied_events || count.related != related) {
        fsck_say(fsck,
                 "waiting: expected %" PRIu64 " events and %" PRIu64
                 " tickets, found %" PRIu64 " and %" PRIu64,
                 fsck->untied_events, related, count.events, count.related);
    }
}

/* --- findings ----------------------------------------------------------- */

/* Tickets that have a key in common with one ticket. */
struct gathered {
    struct repeat_ticket *items;
    size_t count;
    size_t room;
    bool crowded; /* a key has more tickets than are compared */
};

static void
gather_one(struct gathered *out, const struct fsck_ticket *ticket)
{
    for (size_t i = 0; i < out->count; i++) {
        if (out->items[i].number == ticket->input.number) {
            return;
        }
    }
    if (out->count < out->room) {
        out->items[out->count++] = ticket->input;
    }
}

/* Does the ticket have this key now, not only in an earlier version? */
static bool
has_key(const struct fsck_ticket *ticket, uint64_t hash)
{
    return ticket->input.customer_hash == hash ||
           ticket->input.caller_hash == hash ||
           ticket->input.address_hash == hash;
}

static void
gather(struct fsck *fsck, const struct fsck_ticket *self, struct gathered *out)
{
    const struct fsck_ticket *tickets = fsck->tickets.items;
    const struct fsck_link *links = fsck->links.items;
    const uint64_t hashes[STATE_KEYS] = {self->input.customer_hash,
                                         self->input.caller_hash,
                                         self->input.address_hash};
    size_t max = fsck->dictionary->repeat->candidates_max;
    size_t related;

    out->count = 0;
    out->crowded = false;
    for (int i = 0; i < STATE_KEYS; i++) {
        size_t from = hashes[i] != 0 ? fsck_find_hash(&fsck->links, hashes[i])
                                     : fsck->links.count;

        for (size_t k = from;
             k < fsck->links.count && links[k].hash == hashes[i]; k++) {
            /* `previous` holds the position of the ticket by now. */
            const struct fsck_ticket *other = &tickets[links[k].previous];

            if (k - from > max) {
                out->crowded = true;
                return;
            }
            if (other != self && has_key(other, hashes[i])) {
                gather_one(out, other);
            }
        }
    }
    related = self->input.related != 0
                  ? fsck_find_ticket(fsck, self->input.related)
                  : SIZE_MAX;
    if (related != SIZE_MAX) {
        gather_one(out, &tickets[related]);
    }
}

static void
say_finding(struct fsck *fsck,
            const struct fsck_ticket *ticket,
            const char *what,
            uint64_t expected,
            uint64_t found)
{
    if (expected != found) {
        fsck_say(fsck,
                 "state of ticket %" PRIu64 ": %s: expected %" PRIu64
                 ", found %" PRIu64,
                 ticket->input.number, what, expected, found);
    }
}

static void
compare_finding(struct fsck *fsck,
                const struct fsck_ticket *ticket,
                const struct gathered *others)
{
    const struct repeat_settings *settings = fsck->dictionary->repeat;
    struct repeat_finding finding;

    repeat_find(settings, &ticket->input, others->items, others->count,
                &finding);
    say_finding(fsck, ticket, "repeats ticket", finding.previous,
                ticket->repeat_previous);
    say_finding(fsck, ticket, "key of the repeat", finding.key,
                ticket->repeat_key);
    say_finding(fsck, ticket, "calls", finding.calls, ticket->calls);
    say_finding(fsck, ticket, "calls of the burst", finding.burst_calls,
                ticket->burst_calls);
    say_finding(fsck, ticket, "mark of a repeat call",
                finding.calls >= settings->repeat_min, ticket->repeat_call);
    say_finding(fsck, ticket, "mark of a third call",
                finding.calls >= settings->third_call_min, ticket->third_call);
    say_finding(fsck, ticket, "mark of a burst",
                finding.burst_calls >= settings->burst_min, ticket->burst);
}

/* When the ticket before it has expired the matter stands as it was. */
static void
compare_settled(struct fsck *fsck, const struct fsck_ticket *ticket)
{
    const struct fsck_ticket *tickets = fsck->tickets.items;
    size_t previous = ticket->repeat_previous != 0
                          ? fsck_find_ticket(fsck, ticket->repeat_previous)
                          : SIZE_MAX;
    bool settled = ticket->final_reply ||
                   (previous != SIZE_MAX && tickets[previous].settled);

    if (ticket->repeat_previous != 0 && previous == SIZE_MAX && !settled &&
        fsck->horizon_us != INT64_MIN) {
        return;
    }
    say_finding(fsck, ticket, "settled", settled, ticket->settled);
}

/* Links of tickets that could be read, each with the position of its ticket. */
static void
settle_links(struct fsck *fsck)
{
    struct fsck_link *links = fsck->links.items;
    size_t count = 0;

    for (size_t i = 0; i < fsck->links.count; i++) {
        size_t at = fsck_find_ticket(fsck, links[i].number);

        if (at != SIZE_MAX) {
            links[count] = links[i];
            links[count++].previous = at;
        }
    }
    fsck->links.count = count;
}

void
fsck_check_repeats(struct fsck *fsck)
{
    const struct fsck_ticket *tickets = fsck->tickets.items;
    struct gathered others = {
        .room = (size_t)fsck->dictionary->repeat->candidates_max * STATE_KEYS +
                STATE_KEYS + 1};

    others.items = malloc(others.room * sizeof(*others.items));
    if (others.items == NULL) {
        (void)err_set(fsck->err, ERR_NO_MEMORY, "repeat");
        return;
    }
    settle_links(fsck);
    for (size_t i = 0; i < fsck->tickets.count; i++) {
        gather(fsck, &tickets[i], &others);
        if (others.crowded || tickets[i].crowded) {
            fsck->result->repeats_unchecked++;
            continue;
        }
        if (ledger_finding_stands(fsck->dictionary->repeat, fsck->horizon_us,
                                  tickets[i].input.accepted_at_us)) {
            fsck->result->repeats_standing++;
        } else if (tickets[i].checked) {
            compare_finding(fsck, &tickets[i], &others);
        }
        compare_settled(fsck, &tickets[i]);
    }
    free(others.items);
}
