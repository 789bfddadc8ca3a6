/* A hash table of ids and events, and six counts. */
#include "tests/crash/model.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { ROOM_FIRST = 1 << 16, ID_AT = 7, ID_BYTES = 16 };

struct span
model_line_id(struct span line)
{
    assert(line.bytes > ID_AT + ID_BYTES + 1);
    assert(memcmp(line.data, "{\"id\":\"", ID_AT) == 0);
    return (struct span){line.data + ID_AT, ID_BYTES};
}

bool
model_line_is_event(struct span line)
{
    static const char next[] = "\",\"event\":\"";
    size_t bytes = sizeof(next) - 1;

    return line.bytes > ID_AT + ID_BYTES + bytes &&
           memcmp(line.data + ID_AT + ID_BYTES, next, bytes) == 0;
}

static uint64_t
hash_of(struct span bytes)
{
    uint64_t hash = XXH3_64bits(bytes.data, bytes.bytes);

    return hash == 0 ? 1 : hash;
}

/* The entry of the key, or the free one where it belongs. */
static struct model_entry *
find(const struct model *model, uint64_t key)
{
    size_t at = key & (model->room - 1);

    while (model->entries[at].key != 0 && model->entries[at].key != key) {
        at = (at + 1) & (model->room - 1);
    }
    return &model->entries[at];
}

static bool
make_room(struct model *model)
{
    struct model larger = *model;

    if (2 * (model->count + 1) <= model->room) {
        return true;
    }
    larger.room = model->room == 0 ? ROOM_FIRST : 2 * model->room;
    larger.entries = calloc(larger.room, sizeof(*larger.entries));
    if (larger.entries == NULL) {
        return false;
    }
    for (size_t i = 0; i < model->room; i++) {
        if (model->entries[i].key != 0) {
            *find(&larger, model->entries[i].key) = model->entries[i];
        }
    }
    free(model->entries);
    *model = larger;
    return true;
}

/* NULL: no memory. */
static struct model_entry *
find_or_add(struct model *model, uint64_t key)
{
    struct model_entry *entry;

    if (!make_room(model)) {
        return NULL;
    }
    entry = find(model, key);
    if (entry->key == 0) {
        entry->key = key;
        model->count++;
    }
    return entry;
}

static bool
take_event(struct model *model,
           struct span line,
           uint64_t id,
           enum model_outcome *outcome)
{
    struct model_entry *event = find_or_add(model, hash_of(line));
    struct model_entry *ticket;

    if (event == NULL) {
        return false;
    }
    if (event->content != 0) {
        *outcome = MODEL_DUPLICATE;
        model->duplicates++;
        return true;
    }
    event->content = 1;
    ticket = find_or_add(model, id);
    if (ticket == NULL) {
        return false;
    }
    if (ticket->content == 0) {
        ticket->waiting++;
        model->waiting++;
    }
    *outcome = MODEL_EVENT;
    model->events++;
    return true;
}

static bool
take_ticket(struct model *model,
            struct span line,
            uint64_t id,
            enum model_outcome *outcome)
{
    struct model_entry *ticket = find_or_add(model, id);
    uint64_t content = hash_of(line);

    if (ticket == NULL) {
        return false;
    }
    if (ticket->content == content) {
        *outcome = MODEL_DUPLICATE;
        model->duplicates++;
        return true;
    }
    *outcome = MODEL_TICKET;
    if (ticket->content == 0) {
        model->tickets++;
        model->waiting -= ticket->waiting;
        ticket->waiting = 0;
    } else {
        model->versions++;
    }
    ticket->content = content;
    return true;
}

bool
model_take(struct model *model,
           struct span line,
           enum generated_kind kind,
           enum model_outcome *outcome)
{
    uint64_t id;

    if (kind == GENERATED_BAD) {
        *outcome = MODEL_REJECT;
        model->rejects++;
        return true;
    }
    id = hash_of(model_line_id(line));
    return model_line_is_event(line) ? take_event(model, line, id, outcome)
                                     : take_ticket(model, line, id, outcome);
}

uint64_t
model_lines(const struct model *model)
{
    return model->tickets + model->events + model->duplicates +
           model->versions + model->rejects;
}

void
model_release(struct model *model)
{
    free(model->entries);
    *model = (struct model){0};
}
