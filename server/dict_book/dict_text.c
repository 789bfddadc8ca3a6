/* A table of dict/ as its lines stand. */
#include "server/dict_book/dict_text.h"

static const struct span mark = {"\xEF\xBB\xBF", 3};

/* Bytes up to the line end, quotes looked through for a row of commas. */
static size_t
record_bytes(struct span text, bool quoted_cells)
{
    bool quoted = false;

    for (size_t i = 0; i < text.bytes; i++) {
        if (quoted_cells && text.data[i] == '"') {
            quoted = !quoted;
        } else if (!quoted && text.data[i] == '\n') {
            return i + 1;
        }
    }
    return text.bytes;
}

static bool
take_record(struct dict_text *text, struct dict_record *out)
{
    bool comment = text->rest.bytes > 0 && text->rest.data[0] == '#';
    size_t bytes;

    if (text->rest.bytes == 0) {
        return false;
    }
    bytes = record_bytes(text->rest, !comment && text->separator == ',');
    out->raw = (struct span){text->rest.data, bytes};
    out->line = text->line;
    for (size_t i = 0; i < bytes; i++) {
        text->line += text->rest.data[i] == '\n';
    }
    out->line_end = text->line > out->line ? text->line : out->line + 1;
    if (out->raw.bytes > 0 && out->raw.data[out->raw.bytes - 1] == '\n') {
        out->raw.bytes--;
        if (text->crlf && out->raw.bytes > 0 &&
            out->raw.data[out->raw.bytes - 1] == '\r') {
            out->raw.bytes--;
        }
    }
    out->kind = comment               ? DICT_COMMENT
                : out->raw.bytes == 0 ? DICT_BLANK
                                      : DICT_ROW;
    text->rest.data += bytes;
    text->rest.bytes -= bytes;
    return true;
}

/* Either all line ends outside quotes are CR LF or none is. */
static enum err_code
check_line_ends(const struct dict_text *opened, struct err *err)
{
    struct dict_text text = *opened;
    struct dict_record record;

    while (text.rest.bytes > 0) {
        const char *begin = text.rest.data;
        size_t bytes;

        (void)take_record(&text, &record);
        bytes = (size_t)(text.rest.data - begin);
        if (bytes > 0 && begin[bytes - 1] == '\n' &&
            (bytes > 1 && begin[bytes - 2] == '\r') != text.crlf) {
            return err_set(err, ERR_BAD_TABLE,
                           "line %zu ends differently from the first one (CR "
                           "LF and LF are mixed); save the file again",
                           record.line);
        }
    }
    return ERR_OK;
}

enum err_code
dict_text_open(struct dict_text *text, struct span bytes, struct err *err)
{
    struct span cells[DICT_CELLS_MAX];
    struct dict_record record;
    struct dict_text ahead;
    struct arena arena;
    const char *end;

    *text = (struct dict_text){.rest = bytes, .line = 1, .separator = '\t'};
    text->mark = span_starts(bytes, mark);
    if (text->mark) {
        text->rest.data += mark.bytes;
        text->rest.bytes -= mark.bytes;
    }
    end = text->rest.bytes > 0 ? memchr(text->rest.data, '\n', text->rest.bytes)
                               : NULL;
    text->crlf = end != NULL && end > text->rest.data && end[-1] == '\r';
    text->last_line_end =
        bytes.bytes > 0 && bytes.data[bytes.bytes - 1] == '\n';
    ahead = *text;
    do {
        if (!take_record(&ahead, &record)) {
            return err_set(err, ERR_BAD_TABLE, "it has no row");
        }
    } while (record.kind != DICT_ROW);
    text->separator =
        memchr(record.raw.data, '\t', record.raw.bytes) != NULL &&
                memchr(record.raw.data, ',', record.raw.bytes) == NULL
            ? '\t'
            : ',';
    arena_init(&arena, 4096);
    text->column_count =
        dict_row_split(record.raw, text->separator, &arena, cells);
    arena_release(&arena);
    if (text->column_count == DICT_CELLS_MAX) {
        return err_set(err, ERR_BAD_TABLE, "it has more than %d columns",
                       DICT_CELLS_MAX - 1);
    }
    return check_line_ends(text, err);
}

bool
dict_text_next(struct dict_text *text, struct dict_record *out)
{
    return take_record(text, out);
}

/* The cell at *at, which moves behind its separator. */
static struct span
take_cell(struct span raw, size_t *at, char separator, struct arena *arena)
{
    size_t from = *at;
    char *text;
    size_t used = 0;

    if (separator == '\t' || from >= raw.bytes || raw.data[from] != '"') {
        while (*at < raw.bytes && raw.data[*at] != separator) {
            (*at)++;
        }
        return (struct span){raw.data + from, *at - from};
    }
    text = arena_alloc(arena, raw.bytes - from);
    for ((*at)++; *at < raw.bytes && text != NULL; (*at)++) {
        if (raw.data[*at] == '"') {
            if (*at + 1 >= raw.bytes || raw.data[*at + 1] != '"') {
                (*at)++;
                break;
            }
            (*at)++;
        }
        text[used++] = raw.data[*at];
    }
    while (*at < raw.bytes && raw.data[*at] != separator) {
        (*at)++; /* what no writer of CSV leaves there */
    }
    return (struct span){text, used};
}

size_t
dict_row_split(struct span raw,
               char separator,
               struct arena *arena,
               struct span cells[DICT_CELLS_MAX])
{
    size_t count = 0;
    size_t at = 0;

    while (count < DICT_CELLS_MAX) {
        cells[count++] = take_cell(raw, &at, separator, arena);
        if (at >= raw.bytes) {
            break;
        }
        at++; /* the separator */
    }
    return count;
}

static bool
needs_quotes(struct span cell, char separator, bool first)
{
    for (size_t i = 0; i < cell.bytes; i++) {
        if (cell.data[i] == separator || cell.data[i] == '"' ||
            cell.data[i] == '\n' || cell.data[i] == '\r') {
            return true;
        }
    }
    return first && cell.bytes > 0 && cell.data[0] == '#';
}

void
dict_row_join(const struct span *cells,
              size_t cell_count,
              char separator,
              struct buf *out)
{
    for (size_t i = 0; i < cell_count; i++) {
        bool quotes =
            separator == ',' && needs_quotes(cells[i], separator, i == 0);

        if (i > 0) {
            buf_put_char(out, separator);
        }
        if (!quotes) {
            buf_put_span(out, cells[i]);
            continue;
        }
        buf_put_char(out, '"');
        for (size_t k = 0; k < cells[i].bytes; k++) {
            if (cells[i].data[k] == '"') {
                buf_put_char(out, '"');
            }
            buf_put_char(out, cells[i].data[k]);
        }
        buf_put_char(out, '"');
    }
}
