/* The way of a record: decode, clean, classify, and into the batch. */
#include "server/pipeline.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#include "analyzers/taxonomy.h"
#include "server/base/clock.h"

enum { BATCH_ARENA_BYTES = 256 * 1024 };

struct batch *
batch_new(size_t items_max, size_t room_bytes)
{
    struct batch *batch = calloc(1, sizeof(*batch));

    if (batch == NULL) {
        return NULL;
    }
    arena_init(&batch->arena, BATCH_ARENA_BYTES);
    batch->items_max = items_max;
    batch->items = malloc(items_max * sizeof(*batch->items));
    batch->room_bytes = room_bytes;
    batch->room = room_bytes > 0 ? malloc(room_bytes) : NULL;
    if (batch->items == NULL || (room_bytes > 0 && batch->room == NULL)) {
        batch_free(&batch);
    }
    return batch;
}

void
batch_free(struct batch **batch)
{
    if (*batch == NULL) {
        return;
    }
    edition_release(&(*batch)->edition);
    arena_release(&(*batch)->arena);
    free((*batch)->items);
    free((*batch)->room);
    free(*batch);
    *batch = NULL;
}

void
batch_reset(struct batch *batch)
{
    edition_release(&batch->edition);
    arena_reset(&batch->arena);
    batch->item_count = 0;
    batch->err = (struct err){0};
}

enum err_code
judge_init(struct judge *judge, struct rulebook *rulebook, struct err *err)
{
    *judge = (struct judge){.rulebook = rulebook,
                            .edition = rulebook_hold(rulebook)};
    if (decode_new(&judge->decoder, err) != ERR_OK ||
        classify_scratch_new(judge->edition->dictionary, &judge->scratch,
                             err) != ERR_OK) {
        judge_release(judge);
        return err->code;
    }
    return ERR_OK;
}

void
judge_end(struct judge *judge)
{
    struct classify_tally tally = classify_tally(judge->scratch);

    if (tally.count > 0) {
        rule_hits_add(rulebook_hits(judge->rulebook),
                      judge->edition->dictionary->rules, &tally,
                      clock_now_us());
        classify_tally_reset(judge->scratch);
    }
}

void
judge_release(struct judge *judge)
{
    decode_free(&judge->decoder);
    classify_scratch_free(&judge->scratch);
    edition_release(&judge->edition);
}

void
judge_follow(struct judge *judge)
{
    struct classify_scratch *scratch = NULL;
    struct edition *edition;
    struct err err = {0};

    if (rulebook_is_current(judge->rulebook, judge->edition)) {
        return;
    }
    edition = rulebook_hold(judge->rulebook);
    if (classify_scratch_new(edition->dictionary, &scratch, &err) != ERR_OK) {
        edition_release(&edition);
        return;
    }
    judge_end(judge);
    classify_scratch_free(&judge->scratch);
    edition_release(&judge->edition);
    judge->scratch = scratch;
    judge->edition = edition;
}

void
judge_begin(struct judge *judge, struct batch *batch)
{
    assert(batch->item_count == 0 && batch->edition == NULL);
    judge_follow(judge);
    batch->edition = edition_hold(judge->edition);
}

/* The next free item; the caller sees to it that there is one. */
static struct batch_item *
next_item(struct batch *batch, uint64_t line_number)
{
    struct batch_item *item = &batch->items[batch->item_count];

    assert(batch->item_count < batch->items_max);
    item->line = line_number;
    item->outcome = LEDGER_ACCEPTED;
    item->verdict = NULL;
    return item;
}

static bool
add_reject(struct batch *batch,
           uint64_t line_number,
           const struct err *err,
           struct span id,
           struct span value,
           struct span bytes,
           uint64_t line_bytes)
{
    struct batch_item *item = next_item(batch, line_number);
    struct batch_reject *reject = arena_alloc(&batch->arena, sizeof(*reject));

    if (reject == NULL) {
        return false;
    }
    *reject = (struct batch_reject){
        .code = err->code,
        .field = arena_copy(&batch->arena, span_of(err->field)),
        .detail = arena_copy(&batch->arena, span_of(err->detail)),
        .value = arena_copy(&batch->arena, value),
        .id = arena_copy(&batch->arena, id),
        .bytes = bytes,
        .line_bytes = line_bytes};
    item->kind = BATCH_REJECT;
    item->reject = reject;
    batch->item_count++;
    return true;
}

bool
judge_refuse(struct batch *batch,
             uint64_t line_number,
             const struct err *err,
             struct span bytes,
             uint64_t line_bytes)
{
    struct span none = {NULL, 0};

    return add_reject(batch, line_number, err, none, none, bytes, line_bytes);
}

/* A correction must name a second level of the table, and of its category. */
static enum err_code
check_correction(const struct taxonomy *taxonomy,
                 const struct ticket_event *event,
                 struct err *err)
{
    int32_t row;

    if (event->kind != EVENT_KIND_CORRECTED || event->subcategory.bytes == 0) {
        return ERR_OK;
    }
    row = taxonomy_subcategory(taxonomy, event->subcategory);
    if (row == TAXONOMY_NONE) {
        return err_set_field(err, ERR_BAD_VALUE, "subcategory",
                             "not a second-level name of categories.csv; "
                             "write it as there, such as 服务行为");
    }
    if (event->category_given &&
        taxonomy_row(taxonomy, row)->category != event->category) {
        return err_set_field(
            err, ERR_BAD_VALUE, "subcategory", "belongs to %s, not to %s",
            ticket_category_wire(taxonomy_row(taxonomy, row)->category),
            ticket_category_wire(event->category));
    }
    return ERR_OK;
}

/* Stage 4 and the item; `decoded` lives in the batch's arena. */
static bool
add_record(struct judge *judge,
           struct batch *batch,
           const struct decoded *decoded,
           struct span line,
           uint64_t line_number)
{
    struct batch_item *item = next_item(batch, line_number);
    struct verdict verdict;
    struct verdict *kept;
    size_t bytes;

    if (decoded->kind == DECODED_EVENT) {
        struct err err = {0};

        if (check_correction(judge->edition->dictionary->taxonomy,
                             &decoded->event, &err) != ERR_OK) {
            return add_reject(batch, line_number, &err, decoded->event.id,
                              decoded->event.subcategory, line, line.bytes);
        }
        item->kind = BATCH_EVENT;
        item->event = &decoded->event;
        batch->item_count++;
        return true;
    }
    classify_ticket(judge->edition->dictionary, judge->scratch,
                    &decoded->ticket, &verdict);
    bytes = offsetof(struct verdict, evidence) +
            verdict.evidence_count * sizeof(verdict.evidence[0]);
    kept = arena_alloc(&batch->arena, bytes);
    if (kept == NULL) {
        return false;
    }
    memcpy(kept, &verdict, bytes);
    item->kind = BATCH_TICKET;
    item->ticket = &decoded->ticket;
    item->verdict = kept;
    batch->item_count++;
    return true;
}

bool
judge_line(struct judge *judge,
           struct batch *batch,
           struct span line,
           uint64_t line_number)
{
    struct decoded *decoded;
    struct err err = {0};

    if (span_trim(line).bytes == 0) {
        return true;
    }
    decoded = arena_alloc(&batch->arena, sizeof(*decoded));
    if (decoded == NULL) {
        return false;
    }
    if (decode_json(judge->decoder, line, &batch->arena, decoded, &err) !=
        ERR_OK) {
        return err.code != ERR_NO_MEMORY &&
               add_reject(batch, line_number, &err,
                          decode_error_id(judge->decoder),
                          decode_error_value(judge->decoder), line, line.bytes);
    }
    return add_record(judge, batch, decoded, line, line_number);
}

bool
judge_row(struct judge *judge,
          struct batch *batch,
          const struct column_map *map,
          const struct csv_row *row)
{
    struct decoded *decoded = arena_alloc(&batch->arena, sizeof(*decoded));
    struct err err = {0};

    if (decoded == NULL) {
        return false;
    }
    if (columns_decode(map, judge->decoder, row, &batch->arena, decoded,
                       &err) != ERR_OK) {
        return err.code != ERR_NO_MEMORY &&
               add_reject(batch, row->line, &err,
                          decode_error_id(judge->decoder),
                          decode_error_value(judge->decoder), row->text,
                          row->text.bytes);
    }
    return add_record(judge, batch, decoded, row->text, row->line);
}
