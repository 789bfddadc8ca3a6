/* POST /v1/explain: one text judged and nothing stored. */
#include "server/serve/explain_one.h"

#include <stdlib.h>

#include "analyzers/classify.h"
#include "analyzers/units.h"
#include "server/decode/json_row.h"
#include "server/serve/verdict_json.h"

enum { EXPLAIN_ARENA_BYTES = 16 * 1024 };

static enum err_code
read_word(const struct json_member *member,
          struct ticket *ticket,
          struct err *err)
{
    struct span word = member->value;

    if (span_is(member->key, "type")) {
        return ticket_type_from(word, &ticket->type)
                   ? ERR_OK
                   : err_set_field(err, ERR_BAD_TYPE, "type",
                                   "no ticket type has this name");
    }
    return ticket_region_from(word, &ticket->region)
               ? ERR_OK
               : err_set_field(err, ERR_BAD_REGION, "region",
                               "write urban, rural, remote or unknown");
}

static enum err_code
read_member(const struct json_member *member,
            const struct dictionary *dictionary,
            struct ticket *ticket,
            struct err *err)
{
    struct span *text = span_is(member->key, "text")      ? &ticket->text
                        : span_is(member->key, "address") ? &ticket->address
                        : span_is(member->key, "unit")    ? &ticket->unit
                                                          : NULL;

    if (member->kind == JSON_NULL) {
        return ERR_OK;
    }
    if (text == NULL && !span_is(member->key, "type") &&
        !span_is(member->key, "region")) {
        return err_set_field(err, ERR_BAD_VALUE, "",
                             "give text and, if you like, address, unit, type "
                             "and region; nothing else");
    }
    if (member->kind != JSON_STRING ||
        member->value.bytes > EXPLAIN_TEXT_BYTES_MAX) {
        return err_set_field(err, ERR_BAD_VALUE, "",
                             "%.*s is a string of at most %d bytes",
                             SPAN_ARGS(member->key), EXPLAIN_TEXT_BYTES_MAX);
    }
    if (text == NULL) {
        return member->value.bytes == 0 ? ERR_OK
                                        : read_word(member, ticket, err);
    }
    *text = text == &ticket->unit ? units_path(dictionary->units, member->value)
                                  : member->value;
    return ERR_OK;
}

static enum err_code
read_body(struct span body,
          const struct dictionary *dictionary,
          struct json_reader *reader,
          struct arena *arena,
          struct ticket *ticket,
          struct err *err)
{
    struct json_row row;

    if (json_reader_read(reader, body, arena, &row, err) != ERR_OK) {
        return err->code;
    }
    for (size_t i = 0; i < row.member_count; i++) {
        if (read_member(&row.members[i], dictionary, ticket, err) != ERR_OK) {
            return err->code;
        }
    }
    if (ticket->text.bytes == 0) {
        return err_set_field(err, ERR_MISSING_FIELD, "text",
                             "give the text to judge: {\"text\":\"…\"}");
    }
    return ERR_OK;
}

enum err_code
explain_put_json(struct span body,
                 const struct dictionary *dictionary,
                 struct buf *out,
                 struct err *err)
{
    struct ticket ticket = {.channel = TICKET_CHANNEL_95598};
    struct json_reader *reader = NULL;
    struct classify_scratch *scratch = NULL;
    struct verdict *verdict = calloc(1, sizeof(*verdict));
    struct arena arena;
    struct json_out json;

    arena_init(&arena, EXPLAIN_ARENA_BYTES);
    if (verdict == NULL) {
        (void)err_set(err, ERR_NO_MEMORY, "verdict");
    } else if (json_reader_new(&reader, err) == ERR_OK &&
               read_body(body, dictionary, reader, &arena, &ticket, err) ==
                   ERR_OK &&
               classify_scratch_new(dictionary, &scratch, err) == ERR_OK) {
        classify_ticket(dictionary, scratch, &ticket, verdict);
        json_init(&json, out);
        verdict_put_json(&json, dictionary, &ticket, verdict);
        buf_put_char(out, '\n');
        if (buf_check(out, err) != ERR_OK) {
            buf_reset(out);
        }
    }
    classify_scratch_free(&scratch);
    json_reader_free(&reader);
    arena_release(&arena);
    free(verdict);
    return err->code;
}
