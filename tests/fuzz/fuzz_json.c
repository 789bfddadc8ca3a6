/* Any bytes as a line of the feed and as a body of records. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/decode/json_row.h"
#include "server/decode/ticket_decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void
check_decoded(const struct decoded *out)
{
    struct err err = {0};
    struct span id =
        out->kind == DECODED_EVENT ? out->event.id : out->ticket.id;
    struct span extra =
        out->kind == DECODED_EVENT ? out->event.extra : out->ticket.extra;

    assert(ticket_id_check(id, &err) == ERR_OK);
    assert(utf8_valid(extra) && extra.bytes <= TICKET_EXTRA_BYTES_MAX);
    if (out->kind == DECODED_TICKET) {
        assert(utf8_valid(out->ticket.text) && out->ticket.text.data != NULL);
        assert(out->ticket.text.bytes <= TICKET_TEXT_BYTES_MAX);
    }
}

/* What is kept as unknown members must be an object again. */
static void
check_extra(struct json_reader *reader, struct arena *arena, struct span extra)
{
    struct json_row row;
    struct err err = {0};
    char *line = malloc(extra.bytes + 2);

    assert(line != NULL);
    line[0] = '{';
    if (extra.bytes > 0) {
        memcpy(line + 1, extra.data, extra.bytes);
    }
    line[extra.bytes + 1] = '}';
    assert(json_reader_read(reader, (struct span){line, extra.bytes + 2}, arena,
                            &row, &err) == ERR_OK);
    free(line);
}

static void
decode_one(struct span line)
{
    static struct decoder *decoder;
    static struct json_reader *reader;
    static struct arena arena;
    struct decoded out;
    struct err err = {0};

    if (decoder == NULL) {
        arena_init(&arena, 64 * 1024);
        if (decode_new(&decoder, &err) != ERR_OK ||
            json_reader_new(&reader, &err) != ERR_OK) {
            abort();
        }
    }
    arena_reset(&arena);
    if (decode_json(decoder, line, &arena, &out, &err) == ERR_OK) {
        check_decoded(&out);
        check_extra(reader, &arena,
                    out.kind == DECODED_EVENT ? out.event.extra
                                              : out.ticket.extra);
    } else {
        assert(err.detail[0] != '\0' && utf8_valid(span_of(err.detail)));
        assert(utf8_valid(decode_error_value(decoder)));
        assert(utf8_valid(decode_error_id(decoder)));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct span body = {(const char *)data, bytes};
    struct json_array array;
    struct span element;
    struct err err = {0};

    decode_one(body);
    json_array_open(&array, body);
    while (json_array_next(&array, &element)) {
        assert(element.data >= body.data &&
               element.data + element.bytes <= body.data + body.bytes);
        decode_one(element);
    }
    if (json_array_error(&array, &err) != ERR_OK) {
        assert(err.detail[0] != '\0');
    }
    return 0;
}
