/* Everything about one ticket: fields, verdict, timeline, clocks, repeats. */
#include "server/serve/ticket_one.h"

#include <stdlib.h>
#include <string.h>

#include "analyzers/calendar.h"
#include "analyzers/deadline.h"
#include "analyzers/indicator.h"
#include "server/serve/query.h"
#include "server/serve/verdict_json.h"

struct one {
    const struct list_request *request;
    struct reader reader;
    struct ticket_state state;
    struct record record;        /* the version in force */
    struct ticket_event *events; /* in the order of time */
    uint64_t *event_seqs;
    int64_t *received_us;
    size_t event_count;
    struct json_out json;
    struct buf scratch;
    struct err *err;
};

/* ---- small pieces ---- */

static void
put_given(struct json_out *json, const char *key, struct span text)
{
    json_key(json, key);
    json_string(json, text); /* null when not given */
}

static void
put_masked(struct one *one,
           const char *key,
           enum mask_field field,
           struct span value)
{
    put_given(&one->json, key,
              mask_field(one->request->role, field, value, &one->scratch));
}

static void
put_time(struct json_out *json, const char *key, int64_t at_us)
{
    char text[TICKET_TIME_BYTES];

    json_key(json, key);
    if (at_us == STATE_NEVER) {
        json_null(json);
    } else {
        json_text(json, ticket_time_format(at_us, text));
    }
}

static void
put_name(struct one *one, const char *key, uint32_t name_id)
{
    put_given(&one->json, key, reader_name(&one->reader, name_id));
}

/* The characters start..end of a text; empty when it is shorter. */
static struct span
cut_chars(struct span text, uint32_t start, uint32_t end)
{
    struct span cut = {NULL, 0};
    uint32_t at = 0;
    size_t bytes = 0;
    size_t from = 0;

    while (at < end && bytes < text.bytes) {
        if (at == start) {
            from = bytes;
        }
        bytes += utf8_next((struct span){text.data + bytes, text.bytes - bytes},
                           NULL);
        at++;
    }
    if (at == end && end > start) {
        cut = (struct span){text.data + from, bytes - from};
    }
    return cut;
}

static struct span
evidence_source(const struct ticket *ticket, enum evidence_field field)
{
    switch (field) {
    case EVIDENCE_TEXT:
        return ticket->text;
    case EVIDENCE_ADDRESS:
        return ticket->address;
    case EVIDENCE_UNIT:
        return ticket->unit;
    case EVIDENCE_CUSTOMER:
        return ticket->customer;
    case EVIDENCE_REGION:
    case EVIDENCE_TYPE:
        break;
    }
    return (struct span){NULL, 0};
}

static enum mask_field
evidence_mask(enum evidence_field field)
{
    return field == EVIDENCE_ADDRESS    ? MASK_ADDRESS
           : field == EVIDENCE_CUSTOMER ? MASK_CUSTOMER
                                        : MASK_PIECE;
}

static void
put_evidence(struct one *one, const struct evidence *evidence)
{
    struct json_out *json = &one->json;
    struct span text =
        cut_chars(evidence_source(&one->record.ticket, evidence->field),
                  evidence->start, evidence->end);

    if (text.data != NULL) {
        text = mask_field(one->request->role, evidence_mask(evidence->field),
                          text, &one->scratch);
    }
    verdict_put_evidence(json, evidence, text);
}

/* ---- parts ---- */

static void
put_fields(struct one *one)
{
    struct json_out *json = &one->json;
    const struct ticket *ticket = &one->record.ticket;
    const struct ticket_state *state = &one->state;

    json_put_string(json, "id", ticket->id);
    json_key(json, "type");
    json_text(json, state->type == TICKET_TYPE_UNKNOWN
                        ? NULL
                        : ticket_type_wire(state->type));
    json_put_text(json, "channel", ticket_channel_wire(state->channel));
    put_time(json, "accepted_at", state->accepted_at_us);
    put_time(json, "received_at", one->record.received_at_us);
    put_masked(one, "caller", MASK_PHONE, ticket->caller);
    put_masked(one, "customer", MASK_CUSTOMER, ticket->customer);
    put_masked(one, "name", MASK_NAME, ticket->name);
    put_masked(one, "address", MASK_ADDRESS, ticket->address);
    put_name(one, "unit", state->unit_id);
    json_key(json, "region_given");
    json_text(json, ticket->region == TICKET_REGION_UNKNOWN
                        ? NULL
                        : ticket_region_wire(ticket->region));
    json_key(json, "text");
    json_string(json, ticket->text.data == NULL
                          ? SPAN_LITERAL("")
                          : mask_field(one->request->role, MASK_TEXT,
                                       ticket->text, &one->scratch));
    put_given(json, "related", ticket->related);
    json_put_text(json, "state",
                  query_life_wire(query_life_of(state, STATE_NEVER)));
}

/* Unknown members as they came, for those who may see everything. */
static void
put_extra(struct one *one, struct span extra)
{
    json_key(&one->json, "extra");
    json_open_object(&one->json);
    if (one->request->role == MASK_ROLE_SUPERVISOR) {
        buf_put_span(one->json.buf, extra);
    }
    json_close_object(&one->json);
}

static void
put_verdict(struct one *one)
{
    struct json_out *json = &one->json;
    const struct record_verdict *verdict = &one->record.verdict;
    const struct ticket_state *state = &one->state;

    json_put_text(json, "category", ticket_category_wire(state->category));
    put_name(one, "subcategory", state->subcategory_id);
    put_name(one, "topic", state->topic_id);
    json_put_double(json, "confidence", verdict->confidence_permille / 1000.0);
    verdict_put_runner_up(json, verdict->runner_up);
    verdict_put_secondary(json, verdict->secondary);
    json_put_text(json, "region", ticket_region_wire(state->region));
    json_key(json, "evidence");
    json_open_array(json);
    for (uint32_t i = 0; i < verdict->evidence_count; i++) {
        put_evidence(one, &verdict->evidence[i]);
    }
    json_close_array(json);
    json_key(json, "region_evidence");
    put_evidence(one, &verdict->region_evidence);
    verdict_put_flags(json, verdict->flags);
    put_name(one, "matter", state->matter_id);
    put_name(one, "dictionary", verdict->dictionary_id);
}

static void
put_judged(struct one *one)
{
    struct json_out *json = &one->json;
    const struct ticket_state *state = &one->state;

    json_key(json, "judged");
    json_open_object(json);
    json_put_text(json, "category",
                  ticket_category_wire(state->judged_category));
    put_name(one, "subcategory", state->judged_subcategory_id);
    json_put_text(json, "region", ticket_region_wire(state->judged_region));
    json_close_object(json);
    json_put_bool(json, "reviewed", state->reviewed);
    json_put_bool(json, "complaint", tally_is_complaint(state));
}

static void
put_event(struct one *one, size_t i)
{
    struct json_out *json = &one->json;
    const struct ticket_event *event = &one->events[i];

    json_open_object(json);
    json_put_text(json, "event", event_kind_wire(event->kind));
    put_time(json, "at", event->at_us);
    put_time(json, "received_at", one->received_us[i]);
    if (event->satisfaction != EVENT_SATISFACTION_UNKNOWN) {
        json_put_text(json, "satisfaction",
                      event_satisfaction_wire(event->satisfaction));
    }
    if (event->substantiated != EVENT_SUBSTANTIATED_UNKNOWN) {
        json_put_text(json, "substantiated",
                      event_substantiated_wire(event->substantiated));
    }
    if (event->category_given) {
        json_put_text(json, "category", ticket_category_wire(event->category));
    }
    if (event->subcategory.bytes > 0) {
        json_put_string(json, "subcategory", event->subcategory);
    }
    if (event->region != TICKET_REGION_UNKNOWN) {
        json_put_text(json, "region", ticket_region_wire(event->region));
    }
    if (event->reason.bytes > 0) {
        put_masked(one, "reason", MASK_TEXT, event->reason);
    }
    if (event->by.bytes > 0) {
        json_put_string(json, "by", event->by);
    }
    if (event->extra.bytes > 0) {
        put_extra(one, event->extra);
    }
    json_close_object(json);
}

static void
put_timeline(struct one *one)
{
    json_key(&one->json, "timeline");
    json_open_array(&one->json);
    for (size_t i = 0; i < one->event_count; i++) {
        put_event(one, i);
    }
    json_close_array(&one->json);
    json_put_bool(&one->json, "timeline_truncated",
                  one->event_count < one->state.event_count);
}

/* ---- clocks ---- */

/* The clocks computed again, for what the state does not keep: where each
 * started and which row of the table set its limit. */
static size_t
judge_again(const struct one *one, struct deadline_clock *clocks)
{
    const struct ticket_state *state = &one->state;
    int64_t pauses_us[2 * LEDGER_PAUSES_MAX];
    struct deadline_input input = {.type = state->type,
                                   .channel = state->channel,
                                   .category = state->category,
                                   .region = state->region,
                                   .accepted_at_us = state->accepted_at_us,
                                   .pauses_us = pauses_us};

    memcpy(input.event_at_us, state->event_at_us, sizeof(input.event_at_us));
    input.pause_count = ledger_pauses(one->events, one->event_count, pauses_us);
    return deadline_clocks(one->request->dictionary->deadlines,
                           one->request->dictionary->calendar, &input, clocks);
}

static const struct deadline_clock *
find_again(const struct one *one,
           const struct deadline_clock *clocks,
           size_t count,
           const struct state_clock *stored,
           struct span code)
{
    for (size_t i = 0; i < count; i++) {
        if (span_equal(deadline_kind_code(one->request->dictionary->deadlines,
                                          clocks[i].kind),
                       code)) {
            /* Other tables than those that judged it explain nothing. */
            return clocks[i].due_us == stored->due_us ? &clocks[i] : NULL;
        }
    }
    return NULL;
}

/* The days inside a limit of working days that did not count, and why. */
static void
put_days_off(struct one *one, const struct deadline_clock *again)
{
    const struct calendar *calendar = one->request->dictionary->calendar;
    const struct deadline_rule *rule =
        deadline_rule(one->request->dictionary->deadlines, again->rule);
    struct json_out *json = &one->json;
    int32_t last = again->due_us == DEADLINE_NEVER
                       ? INT32_MIN
                       : shanghai_day(again->due_us);
    size_t listed = 0;

    if (!span_is(rule->unit, "workdays")) {
        return;
    }
    json_key(json, "days_off");
    json_open_array(json);
    for (int32_t day = shanghai_day(again->from_us) + 1;
         day <= last && listed < TICKET_DAYS_OFF_MAX; day++) {
        char date[PERIOD_NAME_BYTES];

        if (calendar_is_working_day(calendar, day)) {
            continue;
        }
        json_open_object(json);
        json_put_text(json, "date", period_name(PERIOD_DAY, day, date));
        put_given(json, "name", calendar_day_name(calendar, day));
        json_close_object(json);
        listed++;
    }
    json_close_array(json);
}

static void
put_clock_rule(struct one *one, const struct deadline_clock *again)
{
    struct json_out *json = &one->json;
    const struct deadline_rule *rule =
        deadline_rule(one->request->dictionary->deadlines, again->rule);

    put_time(json, "from", again->from_us);
    json_put_string(json, "limit", rule->limit);
    json_put_string(json, "limit_unit", rule->unit);
    put_given(json, "source", rule->source);
    json_put_uint(json, "rule_line", rule->line);
    json_put_bool(json, "averaged", rule->averaged);
    put_days_off(one, again);
}

static void
put_clocks(struct one *one)
{
    struct json_out *json = &one->json;
    const struct deadline_table *table = one->request->dictionary->deadlines;
    struct deadline_clock again[DEADLINE_KINDS_MAX];
    size_t again_count = judge_again(one, again);

    json_key(json, "clocks");
    json_open_array(json);
    for (uint32_t i = 0; i < one->state.clock_count; i++) {
        const struct state_clock *clock = &one->state.clocks[i];
        struct span code = reader_name(&one->reader, clock->kind_id);
        const struct deadline_clock *found =
            find_again(one, again, again_count, clock, code);
        size_t kind = deadline_kind_find(table, code);

        json_open_object(json);
        json_put_string(json, "kind", code);
        put_given(json, "name",
                  kind == SIZE_MAX
                      ? code
                      : deadline_kind_chinese(table, (uint32_t)kind));
        if (found != NULL) {
            put_clock_rule(one, found);
        }
        put_time(json, "due", clock->due_us);
        put_time(json, "due_soon", clock->due_soon_us);
        put_time(json, "stopped", clock->stopped_us);
        json_put_bool(json, "overdue", clock->overdue);
        json_put_bool(json, "paused", clock->due_us == STATE_NEVER);
        json_put_bool(json, "provisional", clock->provisional);
        json_close_object(json);
    }
    json_close_array(json);
}

/* ---- repeats and versions ---- */

static const char *
key_word(enum repeat_key key)
{
    switch (key) {
    case REPEAT_KEY_CUSTOMER:
        return "customer";
    case REPEAT_KEY_CALLER:
        return "caller";
    case REPEAT_KEY_ADDRESS:
        return "address";
    case REPEAT_KEY_RELATED:
        return "related";
    case REPEAT_KEY_NONE:
        break;
    }
    return NULL;
}

static void
put_repeat(struct one *one)
{
    struct json_out *json = &one->json;
    const struct ticket_state *state = &one->state;
    struct tally tally;
    uint64_t number = state->repeat_previous;

    tally_state(state, NULL, STATE_NEVER, &tally);
    json_key(json, "repeat");
    json_open_object(json);
    json_put_uint(json, "calls", state->calls);
    json_put_uint(json, "burst_calls", state->burst_calls);
    json_put_text(json, "key", key_word(state->repeat_key));
    json_put_bool(json, "counted",
                  (tally.accepted_set >> COUNTER_repeats & 1) != 0);
    json_put_bool(json, "settled", state->repeat_settled);
    json_key(json, "previous");
    json_open_array(json);
    for (int i = 0; i < TICKET_CHAIN_MAX && number != 0; i++) {
        struct ticket_state earlier;
        struct record record;

        if (!reader_state(&one->reader, number, &earlier, one->err) ||
            reader_record(&one->reader, number, &record, one->err) != ERR_OK) {
            break;
        }
        json_open_object(json);
        json_put_string(json, "id", record.ticket.id);
        put_time(json, "accepted_at", earlier.accepted_at_us);
        json_close_object(json);
        number = earlier.repeat_previous;
    }
    json_close_array(json);
    json_close_object(json);
}

static void
put_versions(struct one *one)
{
    struct json_out *json = &one->json;
    uint64_t seq = one->state.record_seq;

    json_put_uint(json, "version_count", one->state.version_count);
    json_key(json, "versions");
    json_open_array(json);
    for (int i = 0; i < TICKET_VERSIONS_MAX && seq != 0; i++) {
        struct record version;

        if (reader_record(&one->reader, seq, &version, one->err) != ERR_OK) {
            break;
        }
        json_open_object(json);
        put_time(json, "received_at", version.received_at_us);
        put_time(json, "accepted_at", version.ticket.accepted_at_us);
        json_put_text(json, "category",
                      ticket_category_wire(version.verdict.category));
        json_key(json, "text");
        json_string(json, version.ticket.text.data == NULL
                              ? SPAN_LITERAL("")
                              : mask_field(one->request->role, MASK_TEXT,
                                           version.ticket.text, &one->scratch));
        json_close_object(json);
        seq = version.previous;
    }
    json_close_array(json);
}

/* ---- events ---- */

static bool
before(const struct one *one, size_t a, size_t b)
{
    if (one->events[a].at_us != one->events[b].at_us) {
        return one->events[a].at_us < one->events[b].at_us;
    }
    return one->event_seqs[a] < one->event_seqs[b];
}

static void
swap_events(struct one *one, size_t a, size_t b)
{
    struct ticket_event event = one->events[a];
    uint64_t seq = one->event_seqs[a];
    int64_t received_us = one->received_us[a];

    one->events[a] = one->events[b];
    one->event_seqs[a] = one->event_seqs[b];
    one->received_us[a] = one->received_us[b];
    one->events[b] = event;
    one->event_seqs[b] = seq;
    one->received_us[b] = received_us;
}

/* The newest TICKET_EVENTS_MAX of the chain, in the order of time. They come
 * nearly sorted, newest first. */
static enum err_code
load_events(struct one *one)
{
    uint64_t seq = one->state.last_event_seq;
    struct record record;

    one->events = malloc(TICKET_EVENTS_MAX * sizeof(*one->events));
    one->event_seqs = malloc(TICKET_EVENTS_MAX * sizeof(*one->event_seqs));
    one->received_us = malloc(TICKET_EVENTS_MAX * sizeof(*one->received_us));
    if (one->events == NULL || one->event_seqs == NULL ||
        one->received_us == NULL) {
        return err_set(one->err, ERR_NO_MEMORY, "timeline");
    }
    while (seq != 0 && one->event_count < TICKET_EVENTS_MAX) {
        if (reader_record(&one->reader, seq, &record, one->err) != ERR_OK) {
            return one->err->code;
        }
        one->events[one->event_count] = record.event;
        one->event_seqs[one->event_count] = seq;
        one->received_us[one->event_count++] = record.received_at_us;
        seq = record.previous;
    }
    for (size_t i = 0; i < one->event_count / 2; i++) {
        swap_events(one, i, one->event_count - 1 - i);
    }
    for (size_t i = 1; i < one->event_count; i++) {
        for (size_t at = i; at > 0 && before(one, at, at - 1); at--) {
            swap_events(one, at, at - 1);
        }
    }
    return ERR_OK;
}

/* ---- the whole ---- */

static enum err_code
put_all(struct one *one, struct span id)
{
    struct json_out *json = &one->json;
    uint64_t number =
        reader_find_id(&one->reader, one->request->context->ids, id);

    if (number == 0 ||
        !reader_state(&one->reader, number, &one->state, one->err)) {
        return err_set_field(one->err, ERR_NOT_FOUND, "id",
                             "no ticket has this number");
    }
    if (reader_record(&one->reader, one->state.record_seq, &one->record,
                      one->err) != ERR_OK ||
        load_events(one) != ERR_OK) {
        return one->err->code;
    }
    json_open_object(json);
    put_fields(one);
    put_verdict(one);
    put_judged(one);
    put_timeline(one);
    put_clocks(one);
    put_repeat(one);
    put_versions(one);
    put_extra(one, one->record.ticket.extra);
    json_put_uint(json, "snapshot", reader_seq(&one->reader));
    json_close_object(json);
    buf_put_char(json->buf, '\n');
    return one->err->code == ERR_OK ? buf_check(json->buf, one->err)
                                    : one->err->code;
}

enum err_code
ticket_one_put_json(const struct list_request *request,
                    struct span id,
                    struct buf *out,
                    struct err *err)
{
    static const char *const no_params[] = {NULL};
    struct one *one;

    if (params_check(request->params, no_params, NULL, err) != ERR_OK) {
        return err->code;
    }
    one = calloc(1, sizeof(*one));
    if (one == NULL) {
        return err_set(err, ERR_NO_MEMORY, "ticket");
    }
    one->request = request;
    one->err = err;
    json_init(&one->json, out);
    buf_init(&one->scratch, TICKET_TEXT_BYTES_MAX * 2);
    if (reader_begin(request->context->store, &one->reader, err) == ERR_OK) {
        (void)put_all(one, id);
        reader_end(&one->reader);
    }
    buf_release(&one->scratch);
    free(one->events);
    free(one->event_seqs);
    free(one->received_us);
    free(one);
    return err->code;
}
