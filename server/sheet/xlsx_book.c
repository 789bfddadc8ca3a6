/* The parts of a workbook around its rows. */
#include "server/sheet/xlsx_book.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BOOK_RELATIONS_MAX = 1024,
    BOOK_CUSTOM_FORMATS_MAX = 4096,
    BOOK_STRING_BLOCK_BYTES = 1024 * 1024
};

/* ---- relations: which part is what ---- */

struct relation {
    char *id;
    char *type; /* its last word: "officeDocument" */
    char *part;
};

struct relations {
    struct relation items[BOOK_RELATIONS_MAX];
    size_t count;
    const char *folder; /* of the part they belong to: "xl/" */
    bool no_memory;
};

/* "../media/x" is not ours to follow; "/xl/x" and "x" are. */
static char *
part_name(const char *folder, const char *target)
{
    char name[ZIP_NAME_BYTES_MAX];

    if (target[0] == '/') {
        (void)snprintf(name, sizeof(name), "%s", target + 1);
    } else {
        (void)snprintf(name, sizeof(name), "%s%s", folder, target);
    }
    return strdup(name);
}

static void
relation_start(void *data, const char *name, const char **attributes)
{
    struct relations *relations = data;
    const char *type = xml_attribute(attributes, "Type");
    const char *slash = strrchr(type, '/');
    struct relation *item = &relations->items[relations->count];

    if (strcmp(name, "Relationship") != 0 ||
        relations->count == BOOK_RELATIONS_MAX) {
        return;
    }
    item->id = strdup(xml_attribute(attributes, "Id"));
    item->type = strdup(slash != NULL ? slash + 1 : type);
    item->part =
        part_name(relations->folder, xml_attribute(attributes, "Target"));
    relations->no_memory = relations->no_memory || item->id == NULL ||
                           item->type == NULL || item->part == NULL;
    relations->count++;
}

static void
no_end(void *data, const char *name)
{
    (void)data;
    (void)name;
}

static void
relations_release(struct relations *relations)
{
    for (size_t i = 0; i < relations->count; i++) {
        free(relations->items[i].id);
        free(relations->items[i].type);
        free(relations->items[i].part);
    }
    relations->count = 0;
}

static enum err_code
relations_read(struct zip_file *zip,
               const char *part,
               const char *folder,
               struct relations *out,
               struct err *err)
{
    static const struct xml_handlers handlers = {relation_start, no_end, NULL};

    out->folder = folder;
    if (xml_part_read(zip, part, &handlers, out, err) == ERR_OK &&
        out->no_memory) {
        (void)err_set(err, ERR_NO_MEMORY, "workbook");
    }
    return err->code;
}

static const char *
part_of_type(const struct relations *relations, const char *type)
{
    for (size_t i = 0; i < relations->count; i++) {
        if (strcmp(relations->items[i].type, type) == 0) {
            return relations->items[i].part;
        }
    }
    return NULL;
}

/* ---- the workbook: sheets, date system ---- */

struct workbook_reading {
    struct xlsx_book *book;
    const struct relations *relations;
    bool no_memory;
};

static bool
is_true(const char *value)
{
    return strcmp(value, "1") == 0 || strcmp(value, "true") == 0 ||
           strcmp(value, "on") == 0;
}

static void
workbook_start(void *data, const char *name, const char **attributes)
{
    struct workbook_reading *reading = data;
    struct xlsx_book *book = reading->book;
    const char *id = xml_attribute(attributes, "id");

    if (strcmp(name, "workbookPr") == 0) {
        book->of_1904 = is_true(xml_attribute(attributes, "date1904"));
    }
    if (strcmp(name, "sheet") != 0 ||
        book->sheet_count == XLSX_READ_SHEETS_MAX) {
        return;
    }
    for (size_t i = 0; i < reading->relations->count; i++) {
        const struct relation *relation = &reading->relations->items[i];
        struct xlsx_sheet_part *sheet = &book->sheets[book->sheet_count];

        if (strcmp(relation->id, id) == 0 &&
            strcmp(relation->type, "worksheet") == 0) {
            sheet->name = strdup(xml_attribute(attributes, "name"));
            sheet->part = strdup(relation->part);
            reading->no_memory = reading->no_memory || sheet->name == NULL ||
                                 sheet->part == NULL;
            book->sheet_count++;
            return;
        }
    }
}

/* ---- styles: which cells are dates ---- */

struct style_reading {
    struct xlsx_book *book;
    struct {
        unsigned long id;
        bool is_date;
    } custom[BOOK_CUSTOM_FORMATS_MAX];
    size_t custom_count;
    bool in_cell_formats;
    bool no_memory;
};

/* Letters of dates outside quotes, brackets and escapes. */
bool
xlsx_format_is_date(const char *code)
{
    bool quoted = false;
    bool bracket = false;

    for (const char *c = code; *c != '\0'; c++) {
        if (*c == '\\' || *c == '_' || *c == '*') {
            if (c[1] == '\0') {
                break;
            }
            c++;
        } else if (*c == '"') {
            quoted = !quoted;
        } else if (!quoted && *c == '[') {
            bracket = true;
            /* [h], [mm]: time that has passed */
            if (strchr("hHmMsS", c[1]) != NULL && c[1] != '\0' &&
                (c[2] == ']' || (c[2] == c[1] && c[3] == ']'))) {
                return true;
            }
        } else if (!quoted && *c == ']') {
            bracket = false;
        } else if (!quoted && !bracket && strchr("ymdhsYMDHS", *c) != NULL) {
            return true;
        } else if (!quoted && !bracket && *c == ';') {
            break; /* the form for negative numbers */
        }
    }
    return false;
}

/* The formats that every Excel knows without a definition. */
static bool
is_builtin_date(unsigned long id)
{
    return (id >= 14 && id <= 22) || (id >= 27 && id <= 36) ||
           (id >= 45 && id <= 47) || (id >= 50 && id <= 58);
}

static bool
is_date_format(const struct style_reading *reading, unsigned long id)
{
    for (size_t i = 0; i < reading->custom_count; i++) {
        if (reading->custom[i].id == id) {
            return reading->custom[i].is_date;
        }
    }
    return is_builtin_date(id);
}

static void
add_style(struct style_reading *reading, unsigned long format)
{
    struct xlsx_book *book = reading->book;
    bool *larger;

    if (book->style_count == XLSX_FORMATS_MAX) {
        return;
    }
    if ((book->style_count & (book->style_count - 1)) == 0) {
        larger = realloc(book->is_date, (book->style_count * 2 + 1));
        if (larger == NULL) {
            reading->no_memory = true;
            return;
        }
        book->is_date = larger;
    }
    book->is_date[book->style_count++] = is_date_format(reading, format);
}

static void
style_start(void *data, const char *name, const char **attributes)
{
    struct style_reading *reading = data;
    unsigned long id = strtoul(xml_attribute(attributes, "numFmtId"), NULL, 10);

    if (strcmp(name, "numFmt") == 0 &&
        reading->custom_count < BOOK_CUSTOM_FORMATS_MAX) {
        reading->custom[reading->custom_count].id = id;
        reading->custom[reading->custom_count++].is_date =
            xlsx_format_is_date(xml_attribute(attributes, "formatCode"));
    } else if (strcmp(name, "cellXfs") == 0) {
        reading->in_cell_formats = true;
    } else if (reading->in_cell_formats && strcmp(name, "xf") == 0) {
        add_style(reading, id);
    }
}

static void
style_end(void *data, const char *name)
{
    struct style_reading *reading = data;

    if (strcmp(name, "cellXfs") == 0) {
        reading->in_cell_formats = false;
    }
}

/* ---- shared strings ---- */

struct string_reading {
    struct xlsx_book *book;
    struct xml_part *part;
    struct buf text;
    size_t bytes; /* of all strings */
    bool in_text;
    unsigned in_phonetic;
    struct err err;
};

static void
string_start(void *data, const char *name, const char **attributes)
{
    struct string_reading *reading = data;

    (void)attributes;
    if (strcmp(name, "si") == 0) {
        buf_reset(&reading->text);
    } else if (strcmp(name, "rPh") == 0) {
        reading->in_phonetic++;
    } else if (strcmp(name, "t") == 0) {
        reading->in_text = reading->in_phonetic == 0;
    }
}

static void
add_string(struct string_reading *reading)
{
    struct xlsx_book *book = reading->book;
    struct span text = buf_view(&reading->text);

    if (reading->text.failed != ERR_OK) {
        (void)err_set(&reading->err, ERR_TOO_LONG,
                      "a text of the workbook has more than %d bytes",
                      XLSX_READ_CELL_BYTES_MAX);
        xml_part_stop(reading->part);
        return;
    }
    text.bytes = xlsx_unescape(reading->text.data, text.bytes);
    reading->bytes += text.bytes;
    if (reading->bytes > XLSX_STRINGS_BYTES_MAX ||
        book->string_count == XLSX_STRINGS_MAX) {
        (void)err_set(&reading->err, ERR_TOO_LONG,
                      "the texts of the workbook have more than %d MiB; split "
                      "it or save the sheet as CSV",
                      XLSX_STRINGS_BYTES_MAX >> 20);
        xml_part_stop(reading->part);
        return;
    }
    if (book->string_count == book->string_room) {
        size_t room = book->string_room == 0 ? 4096 : 2 * book->string_room;
        struct span *larger =
            realloc(book->strings, room * sizeof(*book->strings));

        if (larger == NULL) {
            (void)err_set(&reading->err, ERR_NO_MEMORY, "workbook");
            xml_part_stop(reading->part);
            return;
        }
        book->strings = larger;
        book->string_room = room;
    }
    book->strings[book->string_count] =
        text.bytes > 0 ? arena_copy(&book->string_arena, text)
                       : (struct span){"", 0};
    if (book->strings[book->string_count++].data == NULL) {
        (void)err_set(&reading->err, ERR_NO_MEMORY, "workbook");
        xml_part_stop(reading->part);
    }
}

static void
string_end(void *data, const char *name)
{
    struct string_reading *reading = data;

    if (strcmp(name, "si") == 0) {
        add_string(reading);
    } else if (strcmp(name, "rPh") == 0) {
        reading->in_phonetic--;
    } else if (strcmp(name, "t") == 0) {
        reading->in_text = false;
    }
}

static void
string_text(void *data, const char *text, int bytes)
{
    struct string_reading *reading = data;

    if (reading->in_text) {
        buf_put(&reading->text, text, (size_t)bytes);
    }
}

static enum err_code
read_strings(struct zip_file *zip,
             const char *part,
             struct xlsx_book *book,
             struct err *err)
{
    static const struct xml_handlers handlers = {string_start, string_end,
                                                 string_text};
    struct string_reading reading = {.book = book};
    bool more = true;

    buf_init(&reading.text, XLSX_READ_CELL_BYTES_MAX);
    if (xml_part_open(zip, part, &handlers, &reading, &reading.part, err) ==
        ERR_OK) {
        while (more && xml_part_step(reading.part, &more, err) == ERR_OK) {
        }
        xml_part_close(&reading.part);
    }
    buf_release(&reading.text);
    if (err->code == ERR_OK && reading.err.code != ERR_OK) {
        *err = reading.err;
    }
    return err->code;
}

/* ---- */

static int
hex_value(const char *text)
{
    int value = 0;

    for (int i = 0; i < 4; i++) {
        const char *digit =
            text[i] != '\0' ? strchr("0123456789abcdef", text[i] | 0x20) : NULL;

        if (digit == NULL || (text[i] | 0x20) == 0x20) {
            return -1;
        }
        value = value * 16 + (int)(digit - "0123456789abcdef");
    }
    return value;
}

size_t
xlsx_unescape(char *text, size_t bytes)
{
    size_t to = 0;

    if (bytes < 7 || memchr(text, '_', bytes) == NULL) {
        return bytes;
    }
    for (size_t from = 0; from < bytes;) {
        int value = -1;

        if (bytes - from >= 7 && text[from] == '_' && text[from + 1] == 'x' &&
            text[from + 6] == '_') {
            value = hex_value(text + from + 2);
        }
        if (value > 0 && (value < 0xD800 || value > 0xDFFF)) {
            to += utf8_put((uint32_t)value, text + to);
            from += 7;
        } else {
            text[to++] = text[from++];
        }
    }
    return to;
}

static enum err_code
read_workbook(struct zip_file *zip,
              const char *part,
              const struct relations *relations,
              struct xlsx_book *book,
              struct err *err)
{
    static const struct xml_handlers handlers = {workbook_start, no_end, NULL};
    struct workbook_reading reading = {book, relations, false};

    if (xml_part_read(zip, part, &handlers, &reading, err) != ERR_OK) {
        return err->code;
    }
    if (reading.no_memory) {
        return err_set(err, ERR_NO_MEMORY, "workbook");
    }
    if (book->sheet_count == 0) {
        return err_set(err, ERR_BAD_ENCODING,
                       "the workbook has no sheet with rows");
    }
    return ERR_OK;
}

static enum err_code
read_styles(struct zip_file *zip,
            const char *part,
            struct xlsx_book *book,
            struct err *err)
{
    static const struct xml_handlers handlers = {style_start, style_end, NULL};
    struct style_reading *reading = calloc(1, sizeof(*reading));

    if (reading == NULL) {
        return err_set(err, ERR_NO_MEMORY, "workbook");
    }
    reading->book = book;
    if (xml_part_read(zip, part, &handlers, reading, err) == ERR_OK &&
        reading->no_memory) {
        (void)err_set(err, ERR_NO_MEMORY, "workbook");
    }
    free(reading);
    return err->code;
}

/* "xl/" and "xl/_rels/workbook.xml.rels" of "xl/workbook.xml". */
static void
split_part(const char *part, char *folder, char *relations)
{
    const char *slash = strrchr(part, '/');
    int bytes = slash != NULL ? (int)(slash - part + 1) : 0;

    (void)snprintf(folder, ZIP_NAME_BYTES_MAX, "%.*s", bytes, part);
    (void)snprintf(relations, ZIP_NAME_BYTES_MAX + 16, "%.*s_rels/%s.rels",
                   bytes, part, part + bytes);
}

static enum err_code
read_parts(struct zip_file *zip,
           const char *part,
           struct relations *relations,
           struct xlsx_book *book,
           struct err *err)
{
    char folder[ZIP_NAME_BYTES_MAX];
    char relations_part[ZIP_NAME_BYTES_MAX + 16];
    const char *strings;
    const char *styles;

    split_part(part, folder, relations_part);
    if (relations_read(zip, relations_part, folder, relations, err) != ERR_OK ||
        read_workbook(zip, part, relations, book, err) != ERR_OK) {
        return err->code;
    }
    strings = part_of_type(relations, "sharedStrings");
    styles = part_of_type(relations, "styles");
    if (styles != NULL && zip_file_has(zip, styles) &&
        read_styles(zip, styles, book, err) != ERR_OK) {
        return err->code;
    }
    if (strings != NULL && zip_file_has(zip, strings)) {
        (void)!read_strings(zip, strings, book, err);
    }
    return err->code;
}

enum err_code
xlsx_book_read(struct zip_file *zip, struct xlsx_book *book, struct err *err)
{
    struct relations *roots = calloc(1, sizeof(*roots));
    struct relations *relations = calloc(1, sizeof(*relations));
    const char *part;

    *book = (struct xlsx_book){0};
    arena_init(&book->string_arena, BOOK_STRING_BLOCK_BYTES);
    if (roots == NULL || relations == NULL) {
        (void)err_set(err, ERR_NO_MEMORY, "workbook");
    } else if (!zip_file_has(zip, "_rels/.rels")) {
        (void)err_set(err, ERR_BAD_ENCODING,
                      "a zip file, but no Excel workbook (.xlsx); unpack it, "
                      "or save the table as .xlsx");
    } else if (relations_read(zip, "_rels/.rels", "", roots, err) == ERR_OK) {
        part = part_of_type(roots, "officeDocument");
        if (part == NULL || strstr(part, "workbook") == NULL) {
            (void)err_set(err, ERR_BAD_ENCODING,
                          "an Office document, but no Excel workbook (.xlsx); "
                          "save the table as .xlsx");
        } else if (strstr(part, ".bin") != NULL) {
            (void)err_set(err, ERR_BAD_ENCODING,
                          "a binary workbook (.xlsb); save it as .xlsx");
        } else {
            (void)!read_parts(zip, part, relations, book, err);
        }
    }
    if (roots != NULL) {
        relations_release(roots);
    }
    if (relations != NULL) {
        relations_release(relations);
    }
    free(roots);
    free(relations);
    return err->code;
}

void
xlsx_book_release(struct xlsx_book *book)
{
    for (size_t i = 0; i < book->sheet_count; i++) {
        free(book->sheets[i].name);
        free(book->sheets[i].part);
    }
    arena_release(&book->string_arena);
    free(book->strings);
    free(book->is_date);
    *book = (struct xlsx_book){0};
}
