/* Any bytes as a CSV file: encoding, rows, columns, records. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "server/decode/charset.h"
#include "server/decode/columns.h"
#include "server/decode/csv_rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const char headings[] = "heading,field\n工单编号,id\nid,id\n"
                               "at,at\nevent,event\naccepted_at,accepted_at\n"
                               "text,text\n户号,customer\ntype,type\n";
static const char values[] = "field,value,means\ntype,1,inquiry\n";

static struct decoder *decoder;
static struct columns *columns;
static struct csv_rows rows;
static struct arena arena;

static void
prepare(void)
{
    const struct dictionary_file files[2] = {
        {.path = "columns.csv", .bytes = SPAN_LITERAL(headings)},
        {.path = "column_values.csv", .bytes = SPAN_LITERAL(values)},
    };
    struct err err = {0};

    arena_init(&arena, 64 * 1024);
    if (decode_new(&decoder, &err) != ERR_OK ||
        columns_build(files, 2, &columns, &err) != ERR_OK) {
        abort();
    }
}

static void
read_rows(const struct column_map *map)
{
    struct csv_row row;
    struct err err = {0};
    enum csv_next next;
    size_t line = 0;

    while ((next = csv_rows_next(&rows, &arena, &row, &err)) != CSV_END) {
        struct decoded out;

        assert(row.line > line);
        line = row.line;
        if (next == CSV_ROW && map != NULL &&
            columns_decode(map, decoder, &row, &arena, &out, &err) == ERR_OK) {
            assert(out.kind == DECODED_EVENT || out.ticket.text.data != NULL);
        } else if (next == CSV_BAD_ROW) {
            assert(err.detail[0] != '\0');
        }
        err = (struct err){0};
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct charset_text text;
    struct csv_row header;
    struct err err = {0};

    if (columns == NULL) {
        prepare();
    }
    if (charset_to_utf8((struct span){(const char *)data, bytes}, &text,
                        &err) != ERR_OK) {
        assert(err.detail[0] != '\0');
        return 0;
    }
    assert(utf8_valid(text.text));
    arena_reset(&arena);
    if (csv_rows_open(&rows, text.text, CSV_QUOTES_AUTO, &arena, &header,
                      &err) == ERR_OK) {
        struct column_map *map = NULL;

        if (columns_map(columns, &header, &map, &err) != ERR_OK) {
            assert(err.code == ERR_NO_COLUMN);
            assert(utf8_valid(span_of(err.detail)));
        }
        read_rows(map);
        columns_map_free(&map);
    }
    charset_text_free(&text);
    return 0;
}
