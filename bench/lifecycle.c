/* Plans of steps and the wheel that says when each one is due. */
#include "bench/lifecycle.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { NONE = UINT32_MAX, STEPS_MAX = 12, ENTRIES_MAX = INT32_MAX };

struct step {
    enum event_kind kind;
    uint32_t min_s; /* after the step before; at least a minute */
    uint32_t max_s;
    uint32_t permille;      /* of the tickets that get this far */
    uint32_t late_permille; /* of these: late_s later at most */
    uint32_t late_s;
};

enum { MINUTE = 60, HOUR = 3600, DAY = 86400 };

static const struct step fault_steps[STEPS_MAX] = {
    {EVENT_KIND_DISPATCHED, MINUTE, 5 * MINUTE, 1000, 10, HOUR},
    {EVENT_KIND_RECEIVED, MINUTE, 4 * MINUTE, 400, 0, 0},
    {EVENT_KIND_CONTACTED, 2 * MINUTE, 10 * MINUTE, 900, 10, HOUR},
    {EVENT_KIND_ARRIVED, 10 * MINUTE, 40 * MINUTE, 970, 60, 4 * HOUR},
    {EVENT_KIND_RESTORED, 15 * MINUTE, 150 * MINUTE, 980, 50, 8 * HOUR},
    {EVENT_KIND_CLOSED, 5 * MINUTE, HOUR, 990, 0, 0},
    {EVENT_KIND_REVISITED, HOUR, DAY, 300, 0, 0},
};

static const struct step complaint_steps[STEPS_MAX] = {
    {EVENT_KIND_DISPATCHED, 2 * MINUTE, 90 * MINUTE, 1000, 30, 20 * HOUR},
    {EVENT_KIND_RECEIVED, 5 * MINUTE, HOUR, 500, 0, 0},
    {EVENT_KIND_CONTACTED, 30 * MINUTE, 16 * HOUR, 970, 70, 2 * DAY},
    {EVENT_KIND_URGED, HOUR, DAY, 80, 0, 0},
    {EVENT_KIND_SUSPENDED, HOUR, DAY, 20, 0, 0},
    {EVENT_KIND_RESUMED, HOUR, 2 * DAY, 1000, 0, 0},
    {EVENT_KIND_VERIFIED, 2 * HOUR, 2 * DAY, 850, 0, 0},
    {EVENT_KIND_REPLIED, 4 * HOUR, 3 * DAY, 970, 90, 5 * DAY},
    {EVENT_KIND_CLOSED, HOUR, DAY, 985, 0, 0},
    {EVENT_KIND_REVISITED, HOUR, 2 * DAY, 700, 0, 0},
    {EVENT_KIND_FINAL_REPLY, HOUR, DAY, 15, 0, 0},
    {EVENT_KIND_CORRECTED, HOUR, DAY, 10, 0, 0},
};

static const struct step order_steps[STEPS_MAX] = {
    {EVENT_KIND_DISPATCHED, 2 * MINUTE, 2 * HOUR, 1000, 20, DAY},
    {EVENT_KIND_CONTACTED, HOUR, DAY, 700, 40, 2 * DAY},
    {EVENT_KIND_REPLIED, 2 * HOUR, 3 * DAY, 960, 80, 6 * DAY},
    {EVENT_KIND_CLOSED, HOUR, DAY, 980, 0, 0},
    {EVENT_KIND_REVISITED, HOUR, DAY, 300, 0, 0},
};

static const struct step inquiry_steps[STEPS_MAX] = {
    {EVENT_KIND_DISPATCHED, 2 * MINUTE, HOUR, 200, 0, 0},
    {EVENT_KIND_REPLIED, 2 * HOUR, DAY, 200, 50, 4 * DAY},
    {EVENT_KIND_CLOSED, MINUTE, 10 * MINUTE, 1000, 0, 0},
};

static const struct step short_steps[STEPS_MAX] = {
    {EVENT_KIND_DISPATCHED, 2 * MINUTE, HOUR, 600, 0, 0},
    {EVENT_KIND_CLOSED, HOUR, DAY, 990, 30, 3 * DAY},
};

static const struct step *const plans[TICKET_TYPE_COUNT] = {
    [TICKET_TYPE_UNKNOWN] = order_steps,
    [TICKET_TYPE_COMPLAINT] = complaint_steps,
    [TICKET_TYPE_REPORT] = order_steps,
    [TICKET_TYPE_OPINION] = order_steps,
    [TICKET_TYPE_SUGGESTION] = order_steps,
    [TICKET_TYPE_PRAISE] = short_steps,
    [TICKET_TYPE_FAULT] = fault_steps,
    [TICKET_TYPE_INQUIRY] = inquiry_steps,
    [TICKET_TYPE_SERVICE] = order_steps,
    [TICKET_TYPE_REMINDER] = short_steps,
};

struct lifecycle_entry {
    struct ticket_key key;
    int64_t at_s; /* of the step */
    uint32_t next;
    uint8_t type;
    uint8_t step;
};

bool
lifecycle_init(struct lifecycle *lifecycle, int64_t start_s, uint32_t minutes)
{
    *lifecycle = (struct lifecycle){.free_list = NONE, .start_s = start_s};
    lifecycle->slot_count = minutes;
    lifecycle->slots = malloc(minutes * sizeof(uint32_t));
    if (lifecycle->slots == NULL) {
        return false;
    }
    memset(lifecycle->slots, 0xff, minutes * sizeof(uint32_t));
    return true;
}

void
lifecycle_release(struct lifecycle *lifecycle)
{
    free(lifecycle->entries);
    free(lifecycle->slots);
    lifecycle->entries = NULL;
    lifecycle->slots = NULL;
}

/*
 * Move the entry on to the first step, from its present one, that happens at
 * all, and set the time. False when the life ends or outlives the stream.
 */
static bool
plan_step(const struct lifecycle *lifecycle,
          struct lifecycle_entry *entry,
          struct random *random)
{
    const struct step *steps = plans[entry->type];

    for (; entry->step < STEPS_MAX; entry->step++) {
        const struct step *step = &steps[entry->step];
        uint32_t roll;
        uint64_t wait_s;

        if (step->permille == 0) {
            return false;
        }
        if (!random_permille(random, step->permille)) {
            if (step->kind == EVENT_KIND_SUSPENDED) {
                entry->step++; /* nobody resumes what was not suspended */
            }
            continue;
        }
        roll = random_below(random, 1024); /* short waits are more frequent */
        wait_s = step->min_s +
                 (uint64_t)(step->max_s - step->min_s) * roll * roll / 1048576;
        if (random_permille(random, step->late_permille)) {
            wait_s += random_below(random, step->late_s);
        }
        entry->at_s += (int64_t)wait_s;
        return (entry->at_s - lifecycle->start_s) / MINUTE <
               (int64_t)lifecycle->slot_count;
    }
    return false;
}

static void
put_in_slot(struct lifecycle *lifecycle, uint32_t index)
{
    struct lifecycle_entry *entry = &lifecycle->entries[index];
    uint32_t slot = (uint32_t)((entry->at_s - lifecycle->start_s) / MINUTE);

    assert(slot < lifecycle->slot_count);
    if (slot < lifecycle->slot) {
        slot = lifecycle->slot; /* of a ticket taken out of order */
    }
    entry->next = lifecycle->slots[slot];
    lifecycle->slots[slot] = index;
}

static uint32_t
new_entry(struct lifecycle *lifecycle)
{
    uint32_t index = lifecycle->free_list;

    if (index != NONE) {
        lifecycle->free_list = lifecycle->entries[index].next;
        return index;
    }
    if (lifecycle->entry_count == lifecycle->entry_room) {
        size_t room =
            lifecycle->entry_room == 0 ? 4096 : 2 * lifecycle->entry_room;
        struct lifecycle_entry *entries =
            room > ENTRIES_MAX
                ? NULL
                : realloc(lifecycle->entries, room * sizeof(*entries));

        if (entries == NULL) {
            return NONE;
        }
        lifecycle->entries = entries;
        lifecycle->entry_room = room;
    }
    return (uint32_t)lifecycle->entry_count++;
}

static void
free_entry(struct lifecycle *lifecycle, uint32_t index)
{
    lifecycle->entries[index].next = lifecycle->free_list;
    lifecycle->free_list = index;
}

bool
lifecycle_add(struct lifecycle *lifecycle,
              struct ticket_key key,
              enum ticket_type type,
              int64_t at_s,
              struct random *random)
{
    uint32_t index = new_entry(lifecycle);
    struct lifecycle_entry *entry;

    if (index == NONE) {
        return false;
    }
    entry = &lifecycle->entries[index];
    *entry = (struct lifecycle_entry){
        .key = key, .at_s = at_s, .type = (uint8_t)type};
    if (plan_step(lifecycle, entry, random)) {
        put_in_slot(lifecycle, index);
    } else {
        free_entry(lifecycle, index);
    }
    return true;
}

bool
lifecycle_take(struct lifecycle *lifecycle,
               int64_t now_s,
               struct random *random,
               struct lifecycle_event *out)
{
    int64_t over = (now_s - lifecycle->start_s) / MINUTE;
    struct lifecycle_entry *entry;
    uint32_t index;

    while (lifecycle->slot < lifecycle->slot_count &&
           (int64_t)lifecycle->slot < over &&
           lifecycle->slots[lifecycle->slot] == NONE) {
        lifecycle->slot++;
    }
    if (lifecycle->slot >= lifecycle->slot_count ||
        (int64_t)lifecycle->slot >= over) {
        return false;
    }
    index = lifecycle->slots[lifecycle->slot];
    entry = &lifecycle->entries[index];
    lifecycle->slots[lifecycle->slot] = entry->next;
    *out = (struct lifecycle_event){entry->key, entry->at_s,
                                    plans[entry->type][entry->step].kind};
    entry->step++;
    if (plan_step(lifecycle, entry, random)) {
        put_in_slot(lifecycle, index);
    } else {
        free_entry(lifecycle, index);
    }
    return true;
}
