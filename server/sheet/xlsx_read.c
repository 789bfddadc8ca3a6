/* The rows of one sheet, block by block. */
#include "server/sheet/xlsx_read.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/ticket.h"
#include "server/sheet/xlsx_book.h"

enum {
    ROWS_TEXT_BYTES_MAX = 256 * 1024 * 1024, /* of one block's rows */
    NUMBER_TEXT_BYTES = 64
};

enum cell_type {
    CELL_NUMBER,
    CELL_SHARED,
    CELL_TEXT, /* inline, or a formula's */
    CELL_BOOL,
    CELL_ERROR
};

/* A cell of a row that waits: text of the reader, or at an offset. */
struct waiting_cell {
    const char *fixed; /* NULL: at `offset` of the text */
    size_t offset;
    size_t bytes;
};

struct waiting_row {
    size_t first_cell;
    size_t cell_count;
    uint64_t line;
    struct err bad; /* code OK: fine */
};

struct xlsx_reader {
    struct zip_file *zip;
    struct xlsx_book book;
    struct xml_part *part; /* of the open sheet */
    bool more;             /* the part has further blocks */

    /* rows of the block in hand */
    struct buf text;
    struct waiting_cell *cells;
    size_t cell_count;
    size_t cell_room;
    struct waiting_row *rows;
    size_t row_count;
    size_t row_room;
    size_t row_at;
    struct span out[XLSX_READ_COLUMNS_MAX];

    /* while parsing */
    struct waiting_row row;
    bool in_row;
    size_t column; /* of the cell in hand */
    size_t next_column;
    uint64_t line;
    enum cell_type type;
    bool is_date;
    bool in_value;
    unsigned in_phonetic;
    size_t value_from; /* where the cell's text begins in `text` */
    struct err err;    /* no memory, too long */
};

/* ---- numbers ---- */

static void
set_bad(struct xlsx_reader *reader, enum err_code code, const char *why)
{
    char letters[4] = "";
    size_t column = reader->column;

    if (reader->row.bad.code != ERR_OK) {
        return;
    }
    if (column < 26) {
        letters[0] = (char)('A' + column);
    } else {
        letters[0] = (char)('A' + column / 26 - 1);
        letters[1] = (char)('A' + column % 26);
    }
    (void)err_set(&reader->row.bad, code, "cell %s%llu: %s", letters,
                  (unsigned long long)reader->row.line, why);
}

/* Days since 1899-12-30 or 1904-01-01 to "2018-01-31 09:05:00". */
static int
date_text(const struct xlsx_reader *reader,
          double value,
          char out[NUMBER_TEXT_BYTES])
{
    static const double day_of_1970 = 25569;
    static const double days_1904 = 1462;
    static const double day_max = 2958466; /* the year 10000 */
    double days = value + (reader->book.of_1904 ? days_1904 : 0);
    int64_t in_day_ms;
    int64_t day;
    int32_t year;
    uint32_t month;
    uint32_t month_day;
    int used;

    if (!(days >= 0) || days >= day_max) {
        return snprintf(out, NUMBER_TEXT_BYTES, "%.15g", value);
    }
    if (days < 61) {
        days += 1; /* Excel believes in 1900-02-29 */
    }
    day = (int64_t)floor(days);
    in_day_ms = llround((days - floor(days)) * 86400e3);
    if (in_day_ms == 86400000) {
        day++;
        in_day_ms = 0;
    }
    if (value < 1) { /* a time of day alone */
        return snprintf(out, NUMBER_TEXT_BYTES, "%02u:%02u:%02u",
                        (unsigned)(in_day_ms / 3600000),
                        (unsigned)(in_day_ms / 60000 % 60),
                        (unsigned)(in_day_ms / 1000 % 60));
    }
    date_from_day((int32_t)(day - (int64_t)day_of_1970), &year, &month,
                  &month_day);
    used = snprintf(
        out, NUMBER_TEXT_BYTES, "%04d-%02u-%02u %02u:%02u:%02u", (int)year,
        (unsigned)month, (unsigned)month_day, (unsigned)(in_day_ms / 3600000),
        (unsigned)(in_day_ms / 60000 % 60), (unsigned)(in_day_ms / 1000 % 60));
    if (in_day_ms % 1000 != 0) {
        used += snprintf(out + used, NUMBER_TEXT_BYTES - (size_t)used, ".%03u",
                         (unsigned)(in_day_ms % 1000));
    }
    return used;
}

/* What Excel keeps of a number, as it would have been typed. */
static int
number_text(double value, char out[NUMBER_TEXT_BYTES])
{
    static const double digits_kept = 1e15;

    if (value == floor(value) && fabs(value) < digits_kept) {
        return snprintf(out, NUMBER_TEXT_BYTES, "%.0f", value);
    }
    if (fabs(value) >= digits_kept) {
        return snprintf(out, NUMBER_TEXT_BYTES, "%.14E", value);
    }
    return snprintf(out, NUMBER_TEXT_BYTES, "%.15g", value);
}

/* ---- cells ---- */

static void
take_cell(struct xlsx_reader *reader, const char *fixed, size_t bytes)
{
    size_t index = reader->row.first_cell + reader->column;

    if (bytes == 0) {
        return;
    }
    if (reader->column >= XLSX_READ_COLUMNS_MAX) {
        reader->column = XLSX_READ_COLUMNS_MAX;
        set_bad(reader, ERR_BAD_ROW,
                "beyond the last column that is read; delete what stands to "
                "the right of the table");
        return;
    }
    if (index >= reader->cell_room) {
        size_t room = 2 * reader->cell_room + XLSX_READ_COLUMNS_MAX + 1024;
        struct waiting_cell *larger =
            realloc(reader->cells, room * sizeof(*larger));

        if (larger == NULL) {
            (void)err_set(&reader->err, ERR_NO_MEMORY, "workbook");
            return;
        }
        reader->cells = larger;
        reader->cell_room = room;
    }
    while (reader->cell_count < index) {
        reader->cells[reader->cell_count++] = (struct waiting_cell){"", 0, 0};
    }
    reader->cells[index] =
        (struct waiting_cell){fixed, reader->value_from, bytes};
    if (reader->cell_count == index) {
        reader->cell_count++;
    }
    reader->row.cell_count = reader->cell_count - reader->row.first_cell;
}

/* The text that was made for this cell instead of the one in the file. */
static void
replace_value(struct xlsx_reader *reader, const char *text, size_t bytes)
{
    reader->text.bytes = reader->value_from;
    buf_put(&reader->text, text, bytes);
    take_cell(reader, NULL, bytes);
}

static void
take_number(struct xlsx_reader *reader, struct span value)
{
    char text[NUMBER_TEXT_BYTES];
    char *end;
    double number;

    buf_put_char(&reader->text, '\0');
    if (reader->text.failed != ERR_OK) {
        return;
    }
    number = strtod(reader->text.data + reader->value_from, &end);
    if (*end != '\0' || !isfinite(number)) {
        reader->text.bytes = reader->value_from + value.bytes;
        take_cell(reader, NULL, value.bytes);
        return;
    }
    replace_value(reader, text,
                  (size_t)(reader->is_date ? date_text(reader, number, text)
                                           : number_text(number, text)));
}

static void
take_shared(struct xlsx_reader *reader, struct span value)
{
    size_t index = 0;

    for (size_t i = 0; i < value.bytes; i++) {
        if (value.data[i] < '0' || value.data[i] > '9' || i > 9) {
            index = SIZE_MAX;
            break;
        }
        index = index * 10 + (size_t)(value.data[i] - '0');
    }
    reader->text.bytes = reader->value_from;
    if (value.bytes == 0) {
        return;
    }
    if (index >= reader->book.string_count) {
        set_bad(reader, ERR_BAD_ROW,
                "its text is missing in the workbook; save the file again in "
                "Excel");
        return;
    }
    take_cell(reader, reader->book.strings[index].data,
              reader->book.strings[index].bytes);
}

static void
end_cell(struct xlsx_reader *reader)
{
    struct span value = {reader->text.data + reader->value_from,
                         reader->text.bytes - reader->value_from};

    if (reader->text.failed != ERR_OK || value.bytes == 0) {
        return;
    }
    if (value.bytes > XLSX_READ_CELL_BYTES_MAX) {
        set_bad(reader, ERR_TOO_LONG, "the text is too long");
        reader->text.bytes = reader->value_from;
        return;
    }
    switch (reader->type) {
    case CELL_NUMBER:
        take_number(reader, span_trim(value));
        break;
    case CELL_SHARED:
        take_shared(reader, span_trim(value));
        break;
    case CELL_TEXT:
        value.bytes =
            xlsx_unescape(reader->text.data + reader->value_from, value.bytes);
        reader->text.bytes = reader->value_from + value.bytes;
        take_cell(reader, NULL, value.bytes);
        break;
    case CELL_BOOL:
        replace_value(reader, value.data[0] == '1' ? "TRUE" : "FALSE",
                      value.data[0] == '1' ? 4 : 5);
        break;
    case CELL_ERROR:
        set_bad(reader, ERR_BAD_ROW,
                "holds an error of Excel (such as #N/A); mend the formula or "
                "type the value");
        take_cell(reader, NULL, value.bytes);
        break;
    }
}

/* ---- XML ---- */

/* "AB12" is column 27; SIZE_MAX when there is no letter. */
static size_t
column_of(const char *reference)
{
    size_t column = 0;

    if (reference[0] < 'A' || reference[0] > 'Z') {
        return SIZE_MAX;
    }
    for (size_t i = 0; reference[i] >= 'A' && reference[i] <= 'Z' && i < 4;
         i++) {
        column = column * 26 + (size_t)(reference[i] - 'A') + 1;
    }
    return column - 1;
}

static enum cell_type
type_of(const char *word)
{
    return strcmp(word, "s") == 0           ? CELL_SHARED
           : strcmp(word, "inlineStr") == 0 ? CELL_TEXT
           : strcmp(word, "str") == 0       ? CELL_TEXT
           : strcmp(word, "d") == 0         ? CELL_TEXT
           : strcmp(word, "b") == 0         ? CELL_BOOL
           : strcmp(word, "e") == 0         ? CELL_ERROR
                                            : CELL_NUMBER;
}

static void
start_cell(struct xlsx_reader *reader, const char **attributes)
{
    size_t column = column_of(xml_attribute(attributes, "r"));
    unsigned long style = strtoul(xml_attribute(attributes, "s"), NULL, 10);

    reader->column = column != SIZE_MAX ? column : reader->next_column;
    reader->next_column = reader->column + 1;
    reader->type = type_of(xml_attribute(attributes, "t"));
    reader->is_date =
        style < reader->book.style_count && reader->book.is_date[style];
    reader->value_from = reader->text.bytes;
}

static void
start_row(struct xlsx_reader *reader, const char **attributes)
{
    const char *number = xml_attribute(attributes, "r");

    reader->line =
        number[0] != '\0' ? strtoull(number, NULL, 10) : reader->line + 1;
    reader->row = (struct waiting_row){.first_cell = reader->cell_count,
                                       .line = reader->line};
    reader->next_column = 0;
    reader->in_row = true;
}

static void
end_row(struct xlsx_reader *reader)
{
    reader->in_row = false;
    if (reader->row.cell_count == 0 && reader->row.bad.code == ERR_OK) {
        return;
    }
    if (reader->row_count == reader->row_room) {
        size_t room = 2 * reader->row_room + 256;
        struct waiting_row *larger =
            realloc(reader->rows, room * sizeof(*larger));

        if (larger == NULL) {
            (void)err_set(&reader->err, ERR_NO_MEMORY, "workbook");
            return;
        }
        reader->rows = larger;
        reader->row_room = room;
    }
    reader->rows[reader->row_count++] = reader->row;
}

static void
on_start(void *data, const char *name, const char **attributes)
{
    struct xlsx_reader *reader = data;

    if (strcmp(name, "c") == 0 && reader->in_row) {
        start_cell(reader, attributes);
    } else if (strcmp(name, "row") == 0) {
        start_row(reader, attributes);
    } else if (strcmp(name, "rPh") == 0) {
        reader->in_phonetic++;
    } else if (strcmp(name, "v") == 0 || strcmp(name, "t") == 0) {
        reader->in_value = reader->in_row && reader->in_phonetic == 0;
    }
}

static void
on_end(void *data, const char *name)
{
    struct xlsx_reader *reader = data;

    if (strcmp(name, "c") == 0 && reader->in_row) {
        end_cell(reader);
    } else if (strcmp(name, "row") == 0) {
        end_row(reader);
    } else if (strcmp(name, "rPh") == 0) {
        reader->in_phonetic--;
    } else if (strcmp(name, "v") == 0 || strcmp(name, "t") == 0) {
        reader->in_value = false;
    } else if (strcmp(name, "sheetData") == 0) {
        xml_part_stop(reader->part);
    }
}

static void
on_text(void *data, const char *text, int bytes)
{
    struct xlsx_reader *reader = data;

    if (reader->in_value) {
        buf_put(&reader->text, text, (size_t)bytes);
    }
}

/* ---- */

enum err_code
xlsx_reader_open(int fd, struct xlsx_reader **out, struct err *err)
{
    struct xlsx_reader *reader = calloc(1, sizeof(*reader));

    if (reader == NULL) {
        return err_set(err, ERR_NO_MEMORY, "workbook");
    }
    buf_init(&reader->text, ROWS_TEXT_BYTES_MAX);
    if (zip_file_open(fd, &reader->zip, err) != ERR_OK ||
        xlsx_book_read(reader->zip, &reader->book, err) != ERR_OK) {
        xlsx_reader_close(&reader);
        return err->code;
    }
    *out = reader;
    return ERR_OK;
}

void
xlsx_reader_close(struct xlsx_reader **out)
{
    struct xlsx_reader *reader = *out;

    if (reader == NULL) {
        return;
    }
    xml_part_close(&reader->part);
    xlsx_book_release(&reader->book);
    zip_file_close(&reader->zip);
    buf_release(&reader->text);
    free(reader->cells);
    free(reader->rows);
    free(reader);
    *out = NULL;
}

size_t
xlsx_sheet_count(const struct xlsx_reader *reader)
{
    return reader->book.sheet_count;
}

const char *
xlsx_sheet_name(const struct xlsx_reader *reader, size_t sheet)
{
    assert(sheet < reader->book.sheet_count);
    return reader->book.sheets[sheet].name;
}

size_t
xlsx_sheet_find(const struct xlsx_reader *reader, struct span name)
{
    for (size_t i = 0; i < reader->book.sheet_count; i++) {
        if (span_is(name, reader->book.sheets[i].name)) {
            return i;
        }
    }
    return SIZE_MAX;
}

static void
empty_block(struct xlsx_reader *reader)
{
    buf_reset(&reader->text);
    reader->cell_count = 0;
    reader->row_count = 0;
    reader->row_at = 0;
}

enum err_code
xlsx_sheet_open(struct xlsx_reader *reader, size_t sheet, struct err *err)
{
    static const struct xml_handlers handlers = {on_start, on_end, on_text};

    assert(sheet < reader->book.sheet_count);
    xml_part_close(&reader->part);
    empty_block(reader);
    reader->line = 0;
    reader->in_row = false;
    reader->in_value = false;
    reader->in_phonetic = 0;
    reader->err = (struct err){0};
    reader->more =
        xml_part_open(reader->zip, reader->book.sheets[sheet].part, &handlers,
                      reader, &reader->part, err) == ERR_OK;
    return err->code;
}

/* Parse one block. A row that it cuts goes on in the next one: what is there of
 * it moves to the front. */
static enum err_code
next_block(struct xlsx_reader *reader, struct err *err)
{
    if (reader->in_row) {
        size_t first = reader->row.first_cell;
        size_t base = reader->value_from;
        size_t count = reader->cell_count - first;

        for (size_t i = first; i < reader->cell_count; i++) {
            if (reader->cells[i].fixed == NULL &&
                reader->cells[i].offset < base) {
                base = reader->cells[i].offset;
            }
        }
        if (base > reader->text.bytes) {
            base = reader->text.bytes;
        }
        for (size_t i = 0; i < count; i++) {
            reader->cells[i] = reader->cells[first + i];
            reader->cells[i].offset -=
                reader->cells[i].fixed == NULL ? base : 0;
        }
        buf_drop_front(&reader->text, base);
        reader->value_from -=
            reader->value_from > base ? base : reader->value_from;
        reader->row.first_cell = 0;
        reader->cell_count = count;
        reader->row_count = 0;
        reader->row_at = 0;
    } else {
        empty_block(reader);
    }
    if (xml_part_step(reader->part, &reader->more, err) != ERR_OK) {
        return err->code;
    }
    if (reader->text.failed != ERR_OK) {
        (void)err_set(&reader->err, ERR_TOO_LONG,
                      "the cells of a few rows have more than %d MiB",
                      ROWS_TEXT_BYTES_MAX >> 20);
    }
    if (reader->err.code != ERR_OK) {
        *err = reader->err;
    }
    return err->code;
}

enum xlsx_next
xlsx_next(struct xlsx_reader *reader,
          struct arena *arena,
          struct xlsx_row *out,
          struct err *err)
{
    const struct waiting_row *row;

    while (reader->row_at == reader->row_count) {
        if (!reader->more) {
            return XLSX_END;
        }
        if (next_block(reader, err) != ERR_OK) {
            return XLSX_FAILED;
        }
    }
    row = &reader->rows[reader->row_at++];
    for (size_t i = 0; i < row->cell_count; i++) {
        const struct waiting_cell *cell = &reader->cells[row->first_cell + i];

        reader->out[i] = (struct span){cell->fixed, cell->bytes};
        if (cell->fixed == NULL) {
            reader->out[i] = arena_copy(
                arena,
                (struct span){reader->text.data + cell->offset, cell->bytes});
            if (reader->out[i].data == NULL) {
                (void)err_set(err, ERR_NO_MEMORY, "workbook");
                return XLSX_FAILED;
            }
        }
    }
    *out = (struct xlsx_row){reader->out, row->cell_count, row->line};
    if (row->bad.code != ERR_OK) {
        *err = row->bad;
        return XLSX_BAD_ROW;
    }
    return XLSX_ROW;
}

double
xlsx_progress(const struct xlsx_reader *reader)
{
    uint64_t whole = reader->part != NULL ? xml_part_bytes(reader->part) : 0;
    double done;

    if (whole == 0) {
        return 0;
    }
    done = (double)xml_part_done(reader->part) / (double)whole;
    return done < 1 ? done : 1;
}
