/* Labelled tickets from files. */
#include "server/cli/labelled.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/dictionary_file.h"
#include "analyzers/table.h"
#include "server/decode/ticket_decode.h"

enum { ARENA_BLOCK_BYTES = 64 * 1024 };

enum label_column {
    COLUMN_ID,
    COLUMN_CATEGORY,
    COLUMN_SUBCATEGORY,
    COLUMN_SECONDARY,
    COLUMN_REGION,
    LABEL_COLUMNS, /* a truth has these, a corpus the next ones too */
    COLUMN_TYPE = LABEL_COLUMNS,
    COLUMN_TOPIC,
    COLUMN_ADDRESS,
    COLUMN_TEXT,
    COLUMN_COUNT
};

static const char *const column_names[COLUMN_COUNT] = {
    "id",   "category", "subcategory", "secondary", "region",
    "type", "topic",    "address",     "text"};

static enum err_code
read_file(const char *path, struct span *out, struct err *err)
{
    FILE *file = fopen(path, "rb");
    char *data = NULL;
    size_t room = 1 << 16;
    size_t bytes = 0;
    enum err_code code = ERR_OK;

    if (file == NULL) {
        return err_set(err, err_from_errno(errno), "%s: %s", path,
                       strerror(errno));
    }
    for (;;) {
        char *more = realloc(data, room);

        if (more == NULL) {
            code = err_set(err, ERR_NO_MEMORY, "%s", path);
            break;
        }
        data = more;
        bytes += fread(data + bytes, 1, room - bytes, file);
        if (bytes < room) {
            break;
        }
        if (room >= LABELLED_BYTES_MAX) {
            code = err_set(err, ERR_TOO_LONG, "%s is larger than %d bytes",
                           path, LABELLED_BYTES_MAX);
            break;
        }
        room *= 2;
    }
    if (code == ERR_OK && ferror(file)) {
        code = err_set(err, ERR_IO, "%s: reading failed", path);
    }
    (void)fclose(file);
    if (code != ERR_OK) {
        free(data);
        return code;
    }
    *out = (struct span){data, bytes};
    return ERR_OK;
}

static void
free_file(struct span *file)
{
    free((char *)(uintptr_t)file->data);
    *file = (struct span){NULL, 0};
}

static uint32_t
read_secondary(struct span rest)
{
    uint32_t bits = 0;

    while (rest.bytes > 0) {
        enum ticket_category category;

        if (ticket_category_from(span_trim(span_split(&rest, ',')),
                                 &category)) {
            bits |= 1u << category;
        }
    }
    return bits & ~(1u << TICKET_CATEGORY_NONE);
}

/* The labels of a row of either kind of table. */
static enum err_code
read_labels(const struct table *table,
            size_t row,
            const size_t columns[LABEL_COLUMNS],
            const struct taxonomy *taxonomy,
            struct labelled *out,
            struct err *err)
{
    struct span category = table_cell(table, row, columns[COLUMN_CATEGORY]);
    struct span subcategory =
        table_cell(table, row, columns[COLUMN_SUBCATEGORY]);

    *out = (struct labelled){.region = TICKET_REGION_UNKNOWN,
                             .topic = TAXONOMY_NONE};
    if (span_is(category, "-")) {
        out->category = TICKET_CATEGORY_NONE;
    } else if (!ticket_category_from(category, &out->category)) {
        return table_error(table, row, columns[COLUMN_CATEGORY], ERR_BAD_TABLE,
                           err, "no category");
    }
    (void)ticket_region_from(table_cell(table, row, columns[COLUMN_REGION]),
                             &out->region);
    out->subcategory = taxonomy_subcategory(taxonomy, subcategory);
    out->secondary =
        read_secondary(table_cell(table, row, columns[COLUMN_SECONDARY]));
    if (out->subcategory == TAXONOMY_NONE && !span_is(subcategory, "-")) {
        return table_error(table, row, columns[COLUMN_SUBCATEGORY],
                           ERR_BAD_TABLE, err, "no second-level name");
    }
    return ERR_OK;
}

enum err_code
labelled_open(const char *path, struct table **out, struct err *err)
{
    struct span file = {NULL, 0};
    enum err_code code = read_file(path, &file, err);

    *out = NULL;
    if (code == ERR_OK) {
        code = table_parse(path, file, out, err);
    }
    free_file(&file);
    return code;
}

enum err_code
labelled_each(const struct table *table,
              const struct taxonomy *taxonomy,
              labelled_fn *each,
              void *context,
              struct err *err)
{
    size_t columns[COLUMN_COUNT];
    enum err_code code = dictionary_file_columns(table, column_names,
                                                 COLUMN_COUNT, columns, err);

    for (size_t row = 0; code == ERR_OK && row < table_row_count(table);
         row++) {
        struct labelled one;

        code = read_labels(table, row, columns, taxonomy, &one, err);
        if (code != ERR_OK) {
            break;
        }
        one.ticket.id = table_cell(table, row, columns[COLUMN_ID]);
        one.ticket.text = table_cell(table, row, columns[COLUMN_TEXT]);
        one.ticket.address = table_cell(table, row, columns[COLUMN_ADDRESS]);
        /* Other words of the type column (test, other) are types the feed does
         * not know; a topic that categories.csv does not have counts as not
         * labelled. */
        (void)ticket_type_from(table_cell(table, row, columns[COLUMN_TYPE]),
                               &one.ticket.type);
        one.topic =
            taxonomy_topic(taxonomy, one.subcategory,
                           table_cell(table, row, columns[COLUMN_TOPIC]));
        code = each(context, &one, err);
    }
    return code;
}

enum err_code
labelled_read(const char *path,
              const struct taxonomy *taxonomy,
              labelled_fn *each,
              void *context,
              struct err *err)
{
    struct table *table = NULL;
    enum err_code code = labelled_open(path, &table, err);

    if (code == ERR_OK) {
        code = labelled_each(table, taxonomy, each, context, err);
    }
    table_free(&table);
    return code;
}

/* ------------------------------------------------------------------ NDJSON */

/* One reading of tickets with their truth. */
struct pairing {
    const char *path;
    const struct taxonomy *taxonomy;
    struct table *truth;
    size_t columns[COLUMN_COUNT];
    size_t next; /* row of the truth expected next */
    struct decoder *decoder;
    struct arena arena;
};

/* The truth's row of an id; the two files are mostly in one order. */
static size_t
find_truth(struct pairing *pairing, struct span id)
{
    size_t count = table_row_count(pairing->truth);

    for (size_t i = 0; i < count; i++) {
        size_t row = (pairing->next + i) % count;

        if (span_equal(
                table_cell(pairing->truth, row, pairing->columns[COLUMN_ID]),
                id)) {
            pairing->next = row + 1;
            return row;
        }
    }
    return SIZE_MAX;
}

static enum err_code
read_pair(struct pairing *pairing,
          struct span line,
          size_t number,
          struct labelled *out,
          struct err *err)
{
    struct decoded decoded;
    enum err_code code;
    size_t row;

    arena_reset(&pairing->arena);
    code = decode_json(pairing->decoder, line, &pairing->arena, &decoded, err);
    if (code != ERR_OK) {
        return err_prefix(err, "%s: line %zu: ", pairing->path, number);
    }
    if (decoded.kind != DECODED_TICKET) {
        return err_set(err, ERR_BAD_VALUE, "%s: line %zu: an event, no ticket",
                       pairing->path, number);
    }
    row = find_truth(pairing, decoded.ticket.id);
    if (row == SIZE_MAX) {
        return err_set(err, ERR_NOT_FOUND,
                       "%s: line %zu: the truth does not name this ticket",
                       pairing->path, number);
    }
    code = read_labels(pairing->truth, row, pairing->columns, pairing->taxonomy,
                       out, err);
    out->ticket = decoded.ticket;
    return code;
}

enum err_code
labelled_read_ndjson(const char *path,
                     const char *truth_path,
                     const struct taxonomy *taxonomy,
                     labelled_fn *each,
                     void *context,
                     struct err *err)
{
    struct pairing pairing = {.path = path, .taxonomy = taxonomy};
    struct span file = {NULL, 0};
    struct span rest;
    size_t number = 0;
    enum err_code code;

    arena_init(&pairing.arena, ARENA_BLOCK_BYTES);
    if ((code = labelled_open(truth_path, &pairing.truth, err)) ||
        (code = dictionary_file_columns(pairing.truth, column_names,
                                        LABEL_COLUMNS, pairing.columns, err)) ||
        (code = decode_new(&pairing.decoder, err)) ||
        (code = read_file(path, &file, err))) {
        goto out;
    }
    rest = file;
    while (code == ERR_OK && rest.bytes > 0) {
        struct span line = span_trim(span_split(&rest, '\n'));
        struct labelled one;

        number++;
        if (line.bytes == 0) {
            continue;
        }
        code = read_pair(&pairing, line, number, &one, err);
        if (code == ERR_OK) {
            code = each(context, &one, err);
        }
    }
out:
    free_file(&file);
    decode_free(&pairing.decoder);
    arena_release(&pairing.arena);
    table_free(&pairing.truth);
    return code;
}
