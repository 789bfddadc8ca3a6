/* Stored tickets judged by other tables, and what would move. */
#include "server/rulebook/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/taxonomy.h"
#include "server/ledger/reader.h"

enum { REPLAY_ARENA_BYTES = 64 * 1024 };

/* Moves in the order of time, at most `max`. */
struct moves {
    struct replay_move *items;
    size_t count;
    size_t max;
};

struct run {
    const struct dictionary *dictionary;
    struct replay_result *out;
    struct classify_scratch *scratch;
    struct reader reader;
    struct moves other_class; /* category or subcategory */
    struct moves other_rest;  /* topic or region alone */
    int64_t at_us;            /* the last one looked at */
    uint64_t number;
    size_t piece;
    struct err *err;
};

/* ---- one side ---- */

/* Characters [start, end) of a text, at most REPLAY_WORDS_CHARS_MAX. */
static struct span
cut_words(struct span text, uint32_t start, uint32_t end)
{
    size_t bytes = 0;
    size_t from = 0;

    if (end > start + REPLAY_WORDS_CHARS_MAX) {
        end = start + REPLAY_WORDS_CHARS_MAX;
    }
    for (uint32_t at = 0; at < end && bytes < text.bytes; at++) {
        if (at == start) {
            from = bytes;
        }
        bytes += utf8_next((struct span){text.data + bytes, text.bytes - bytes},
                           NULL);
    }
    return (struct span){text.data + from, bytes - from};
}

static void
keep_evidence(struct run *run,
              const struct ticket *ticket,
              const struct evidence *evidence,
              size_t count,
              struct replay_side *side)
{
    side->evidence_count =
        count < REPLAY_EVIDENCE_MAX ? count : REPLAY_EVIDENCE_MAX;
    for (size_t i = 0; i < side->evidence_count; i++) {
        const struct evidence *one = &evidence[i];
        struct replay_evidence *kept = &side->evidence[i];

        *kept = (struct replay_evidence){
            .rule = arena_copy(&run->out->arena, one->rule),
            .weight = one->weight,
            .category = one->category};
        if (one->field == EVIDENCE_TEXT && one->end > one->start) {
            kept->words =
                arena_copy(&run->out->arena,
                           cut_words(ticket->text, one->start, one->end));
        }
    }
}

static struct span
row_name(const struct run *run, int32_t row)
{
    const struct taxonomy_row *found =
        taxonomy_row(run->dictionary->taxonomy, row);

    return found != NULL ? found->chinese : (struct span){NULL, 0};
}

/* What the store says; names borrow from the snapshot. */
static struct replay_side
side_was(const struct run *run, const struct record_verdict *verdict)
{
    return (struct replay_side){
        .category = verdict->category,
        .subcategory = reader_name(&run->reader, verdict->subcategory_id),
        .topic = reader_name(&run->reader, verdict->topic_id),
        .region = verdict->region,
        .confidence_permille = verdict->confidence_permille,
        .dictionary = reader_name(&run->reader, verdict->dictionary_id)};
}

static struct replay_side
side_is(const struct run *run, const struct verdict *verdict)
{
    return (struct replay_side){
        .category = verdict->category,
        .subcategory = row_name(run, verdict->subcategory),
        .topic = row_name(run, verdict->topic),
        .region = verdict->region,
        .confidence_permille = verdict->confidence_permille,
        .dictionary = span_of(run->dictionary->version)};
}

static void
keep_side(struct run *run, struct replay_side *side)
{
    side->subcategory = arena_copy(&run->out->arena, side->subcategory);
    side->topic = arena_copy(&run->out->arena, side->topic);
    side->dictionary = arena_copy(&run->out->arena, side->dictionary);
}

/* ---- one ticket ---- */

static void
keep_move(struct run *run,
          struct moves *moves,
          const struct record *record,
          const struct verdict *verdict,
          struct replay_move *move)
{
    const struct ticket *ticket = &record->ticket;

    if (moves->count == moves->max) {
        return;
    }
    move->id = arena_copy(&run->out->arena, ticket->id);
    keep_side(run, &move->was);
    keep_side(run, &move->is);
    keep_evidence(run, ticket, record->verdict.evidence,
                  record->verdict.evidence_count, &move->was);
    keep_evidence(run, ticket, verdict->evidence, verdict->evidence_count,
                  &move->is);
    if (move->id.data == NULL) {
        (void)err_set(run->err, ERR_NO_MEMORY, "replay");
        return;
    }
    moves->items[moves->count++] = *move;
}

static void
compare(struct run *run,
        const struct ticket_state *state,
        const struct record *record,
        const struct verdict *verdict)
{
    struct replay_result *out = run->out;
    struct replay_move move = {.accepted_at_us = state->accepted_at_us,
                               .reviewed = state->reviewed,
                               .was = side_was(run, &record->verdict),
                               .is = side_is(run, verdict)};
    bool category = move.was.category != move.is.category;
    bool subcategory = !span_equal(move.was.subcategory, move.is.subcategory);
    bool topic = !span_equal(move.was.topic, move.is.topic);
    bool region = move.was.region != move.is.region;

    out->tickets++;
    out->matrix[move.was.category][move.is.category]++;
    out->moved_category += category;
    out->moved_subcategory += subcategory;
    out->moved_topic += topic;
    out->moved_region += region;
    if (category || subcategory || topic || region) {
        out->moved++;
        out->moved_reviewed += state->reviewed;
        keep_move(
            run, category || subcategory ? &run->other_class : &run->other_rest,
            record, verdict, &move);
    }
}

static bool
judge_ticket(void *data, int64_t accepted_at_us, uint64_t number)
{
    struct run *run = data;
    struct ticket_state state;
    struct record record;
    struct verdict verdict;

    run->at_us = accepted_at_us;
    run->number = number;
    if (!reader_state(&run->reader, number, &state, run->err) ||
        reader_record(&run->reader, state.record_seq, &record, run->err) !=
            ERR_OK) {
        (void)err_set(run->err, ERR_CORRUPT, "ticket %llu has no state",
                      (unsigned long long)number);
        return false;
    }
    classify_ticket(run->dictionary, run->scratch, &record.ticket, &verdict);
    compare(run, &state, &record, &verdict);
    return run->err->code == ERR_OK && ++run->piece < REPLAY_PIECE_TICKETS;
}

/* ---- all of them ---- */

static enum err_code
judge_all(struct run *run, const struct replay_options *options)
{
    do {
        run->piece = 0;
        if (reader_tickets(&run->reader, options->from_us, options->to_us,
                           run->at_us, run->number, false, judge_ticket, run,
                           run->err) != ERR_OK) {
            break;
        }
        if (options->go_on != NULL &&
            !options->go_on(options->data, run->out->tickets)) {
            return err_set(run->err, ERR_BUSY, "stopped");
        }
    } while (run->piece == REPLAY_PIECE_TICKETS &&
             reader_renew(&run->reader, run->err) == ERR_OK);
    return run->err->code;
}

static bool
moves_open(struct moves *moves, size_t max)
{
    moves->max = max;
    moves->items = malloc((max + 1) * sizeof(*moves->items));
    return moves->items != NULL;
}

/* The two lists, one behind the other, at most list_max. */
static void
join_moves(struct run *run, size_t list_max)
{
    struct replay_result *out = run->out;
    size_t room = list_max - run->other_class.count;

    if (room > run->other_rest.count) {
        room = run->other_rest.count;
    }
    out->moves = run->other_class.items;
    out->move_count = run->other_class.count;
    memcpy(out->moves + out->move_count, run->other_rest.items,
           room * sizeof(*out->moves));
    out->move_count += room;
    run->other_class.items = NULL;
}

enum err_code
replay_run(const struct store *store,
           const struct dictionary *dictionary,
           const struct replay_options *options,
           struct replay_result *out,
           struct err *err)
{
    size_t list_max = options->list_max < REPLAY_LIST_MAX ? options->list_max
                                                          : REPLAY_LIST_MAX;
    struct run run = {.dictionary = dictionary, .out = out, .err = err};

    *out = (struct replay_result){.from_us = options->from_us,
                                  .to_us = options->to_us};
    (void)snprintf(out->dictionary, sizeof(out->dictionary), "%s",
                   dictionary->version);
    arena_init(&out->arena, REPLAY_ARENA_BYTES);
    if (!moves_open(&run.other_class, list_max) ||
        !moves_open(&run.other_rest, list_max)) {
        (void)err_set(err, ERR_NO_MEMORY, "replay");
    } else if (classify_scratch_new(dictionary, &run.scratch, err) == ERR_OK &&
               reader_begin(store, &run.reader, err) == ERR_OK) {
        if (judge_all(&run, options) == ERR_OK) {
            join_moves(&run, list_max);
        }
        reader_end(&run.reader);
    }
    classify_scratch_free(&run.scratch);
    free(run.other_class.items);
    free(run.other_rest.items);
    return err->code;
}

void
replay_release(struct replay_result *result)
{
    free(result->moves);
    arena_release(&result->arena);
    *result = (struct replay_result){.tickets = 0};
}

static bool
count_one(void *data, int64_t accepted_at_us, uint64_t number)
{
    (void)accepted_at_us;
    (void)number;
    ++*(uint64_t *)data;
    return true;
}

enum err_code
replay_count(const struct store *store,
             int64_t from_us,
             int64_t to_us,
             uint64_t *out,
             struct err *err)
{
    struct reader reader;

    *out = 0;
    if (reader_begin(store, &reader, err) != ERR_OK) {
        return err->code;
    }
    (void)!reader_tickets(&reader, from_us, to_us, 0, 0, false, count_one, out,
                          err);
    reader_end(&reader);
    return err->code;
}

/* ---- as JSON ---- */

struct show {
    struct span (*call)(void *data, struct span words);
    void *data;
};

static void
put_name(struct json_out *json, const char *key, struct span name)
{
    json_put_string(json, key, name.bytes > 0 ? name : (struct span){NULL, 0});
}

static void
put_evidence(struct json_out *json,
             const struct replay_evidence *one,
             const struct show *show)
{
    struct span words = one->words;

    json_open_object(json);
    json_put_string(json, "rule", one->rule);
    json_put_double(json, "weight", one->weight / 100.0);
    json_put_text(json, "category",
                  one->category == TICKET_CATEGORY_NONE
                      ? NULL
                      : ticket_category_wire(one->category));
    if (words.bytes > 0 && show->call != NULL) {
        words = show->call(show->data, words);
    }
    put_name(json, "text", words);
    json_close_object(json);
}

static void
put_side(struct json_out *json,
         const char *key,
         const struct replay_side *side,
         const struct show *show)
{
    json_key(json, key);
    json_open_object(json);
    json_put_text(json, "category", ticket_category_wire(side->category));
    put_name(json, "subcategory", side->subcategory);
    put_name(json, "topic", side->topic);
    json_put_text(json, "region", ticket_region_wire(side->region));
    json_put_double(json, "confidence", side->confidence_permille / 1000.0);
    put_name(json, "dictionary", side->dictionary);
    json_key(json, "evidence");
    json_open_array(json);
    for (size_t i = 0; i < side->evidence_count; i++) {
        put_evidence(json, &side->evidence[i], show);
    }
    json_close_array(json);
    json_close_object(json);
}

static void
put_matrix(struct json_out *json, const struct replay_result *result)
{
    json_key(json, "matrix");
    json_open_object(json);
    for (int was = 0; was < TICKET_CATEGORY_COUNT; was++) {
        json_key(json, ticket_category_wire((enum ticket_category)was));
        json_open_object(json);
        for (int is = 0; is < TICKET_CATEGORY_COUNT; is++) {
            json_put_uint(json, ticket_category_wire((enum ticket_category)is),
                          result->matrix[was][is]);
        }
        json_close_object(json);
    }
    json_close_object(json);
}

void
replay_put_json(const struct replay_result *result,
                struct span (*show_call)(void *data, struct span words),
                void *data,
                struct json_out *json)
{
    struct show show = {show_call, data};
    char time[TICKET_TIME_BYTES];

    json_put_text(json, "dictionary", result->dictionary);
    json_put_uint(json, "tickets", result->tickets);
    json_put_uint(json, "moved", result->moved);
    json_put_uint(json, "moved_category", result->moved_category);
    json_put_uint(json, "moved_subcategory", result->moved_subcategory);
    json_put_uint(json, "moved_topic", result->moved_topic);
    json_put_uint(json, "moved_region", result->moved_region);
    json_put_uint(json, "moved_reviewed", result->moved_reviewed);
    put_matrix(json, result);
    json_key(json, "moves");
    json_open_array(json);
    for (size_t i = 0; i < result->move_count; i++) {
        const struct replay_move *move = &result->moves[i];

        json_open_object(json);
        json_put_string(json, "id", move->id);
        json_put_text(json, "accepted_at",
                      ticket_time_format(move->accepted_at_us, time));
        json_put_bool(json, "reviewed", move->reviewed);
        put_side(json, "was", &move->was, &show);
        put_side(json, "is", &move->is, &show);
        json_close_object(json);
    }
    json_close_array(json);
    json_put_bool(json, "moves_truncated", result->move_count < result->moved);
}
