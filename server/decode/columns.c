/* Headings to fields, codes to words, a row of cells to a record. */
#include "server/decode/columns.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/dictionary_file.h"
#include "analyzers/table.h"
#include "server/base/cell_guard.h"

struct heading {
    struct span normal;   /* as it is compared */
    struct span original; /* as it stands in the table */
    enum decode_field field;
};

struct value {
    struct span normal;
    struct span means; /* a wire word */
    struct value *next;
};

struct columns {
    struct arena arena; /* all bytes below */
    struct heading *headings;
    size_t heading_count;
    struct value *values[DECODE_FIELD_COUNT]; /* lists */
};

struct column_map {
    const struct columns *columns;
    struct arena arena;
    bool has_tickets;
    bool has_events;
    size_t column_count;
    enum decode_field fields[CSV_COLUMNS_MAX];
    struct span headings[CSV_COLUMNS_MAX];
    struct span keys[CSV_COLUMNS_MAX]; /* `"heading":`, for extra */
    bool passed_over[CSV_COLUMNS_MAX];
};

/* --- comparing words --- */

static bool
is_passed_over(uint32_t c)
{
    return c <= 0x20 || c == '_' || c == '-' || c == '*' || c == ':' ||
           c == 0xA0 || c == 0x3000 || c == 0xFEFF || c == 0x2060 ||
           (c >= 0x200B && c <= 0x200F);
}

static int
bracket_step(uint32_t c)
{
    switch (c) {
    case '(':
    case '[':
    case 0x3010: /* 【 */
    case 0x3014: /* 〔 */
        return 1;
    case ')':
    case ']':
    case 0x3011:
    case 0x3015:
        return -1;
    default:
        return 0;
    }
}

/* Write the comparable form; with `bare`, without what stands in brackets. */
static size_t
normal_form(struct span text, bool bare, char out[COLUMNS_HEADING_BYTES_MAX])
{
    struct span rest = text;
    size_t used = 0;
    int depth = 0;

    while (rest.bytes > 0 && used + 4 <= COLUMNS_HEADING_BYTES_MAX) {
        uint32_t c;
        size_t bytes = utf8_next(rest, &c);
        int step;

        rest.data += bytes;
        rest.bytes -= bytes;
        if (c >= 0xFF01 && c <= 0xFF5E) {
            c -= 0xFF01 - 0x21;
        }
        step = bracket_step(c);
        if (step != 0) {
            depth = depth + step > 0 ? depth + step : 0;
            continue;
        }
        if (is_passed_over(c) || (bare && depth > 0)) {
            continue;
        }
        if (c >= 'A' && c <= 'Z') {
            c += 'a' - 'A';
        }
        used += utf8_put(c, out + used);
    }
    return used;
}

/* "受理时间 （年月日）" and "【受理时间】" are both 受理时间. */
static struct span
normal(struct span text, char out[COLUMNS_HEADING_BYTES_MAX])
{
    size_t bytes = normal_form(text, true, out);

    if (bytes == 0) {
        bytes = normal_form(text, false, out);
    }
    return (struct span){out, bytes};
}

/* --- building --- */

static enum err_code
add_heading(struct columns *columns,
            const struct table *table,
            size_t row,
            const size_t cells[2],
            struct err *err)
{
    struct span original = table_cell(table, row, cells[0]);
    struct span word = table_cell(table, row, cells[1]);
    enum decode_field field = decode_field_from(word);
    struct heading *heading = &columns->headings[columns->heading_count];
    char form[COLUMNS_HEADING_BYTES_MAX];
    struct span key = normal(original, form);

    if (key.bytes == 0) {
        return table_error(table, row, cells[0], ERR_BAD_TABLE, err,
                           "a heading is required");
    }
    if (field == DECODE_FIELD_NONE) {
        return table_error(table, row, cells[1], ERR_BAD_TABLE, err,
                           "'%.*s' is not a field of a ticket or an event",
                           SPAN_ARGS(word));
    }
    for (size_t i = 0; i < columns->heading_count; i++) {
        if (span_equal(columns->headings[i].normal, key)) {
            return table_error(table, row, cells[0], ERR_BAD_TABLE, err,
                               "this heading is the same as '%.*s' above",
                               SPAN_ARGS(columns->headings[i].original));
        }
    }
    heading->normal = arena_copy(&columns->arena, key);
    heading->original = arena_copy(&columns->arena, original);
    heading->field = field;
    if (heading->normal.data == NULL || heading->original.data == NULL) {
        return err_set(err, ERR_NO_MEMORY, "%s", table_name(table));
    }
    columns->heading_count++;
    return ERR_OK;
}

/* Is `word` one that ticket_decode takes in this field? */
static bool
is_word_of(enum decode_field field, struct span word)
{
    enum ticket_type type;
    enum ticket_channel channel;
    enum ticket_region region;
    enum ticket_category category;
    enum event_kind kind;
    enum event_satisfaction satisfaction;
    enum event_substantiated substantiated;

    switch (field) {
    case DECODE_FIELD_TYPE:
        return ticket_type_from(word, &type);
    case DECODE_FIELD_CHANNEL:
        return ticket_channel_from(word, &channel);
    case DECODE_FIELD_REGION:
        return ticket_region_from(word, &region);
    case DECODE_FIELD_CATEGORY:
        return ticket_category_from(word, &category);
    case DECODE_FIELD_EVENT:
        return event_kind_from(word, &kind);
    case DECODE_FIELD_SATISFACTION:
        return event_satisfaction_from(word, &satisfaction);
    case DECODE_FIELD_SUBSTANTIATED:
        return event_substantiated_from(word, &substantiated);
    default:
        return false;
    }
}

static const struct value *
find_value(const struct columns *columns,
           enum decode_field field,
           struct span word)
{
    char form[COLUMNS_HEADING_BYTES_MAX];
    struct span key = {form, normal_form(word, false, form)};
    const struct value *value = columns->values[field];

    while (value != NULL && !span_equal(value->normal, key)) {
        value = value->next;
    }
    return value;
}

static enum err_code
add_value(struct columns *columns,
          const struct table *table,
          size_t row,
          const size_t cells[3],
          struct err *err)
{
    struct span field_word = table_cell(table, row, cells[0]);
    struct span word = table_cell(table, row, cells[1]);
    struct span means = table_cell(table, row, cells[2]);
    enum decode_field field = decode_field_from(field_word);
    char form[COLUMNS_HEADING_BYTES_MAX];
    struct value *value;

    if (field == DECODE_FIELD_NONE) {
        return table_error(table, row, cells[0], ERR_BAD_TABLE, err,
                           "'%.*s' is not a field of a ticket or an event",
                           SPAN_ARGS(field_word));
    }
    if (!is_word_of(field, means)) {
        return table_error(table, row, cells[2], ERR_BAD_TABLE, err,
                           "'%.*s' is not a word of the field '%.*s'",
                           SPAN_ARGS(means), SPAN_ARGS(field_word));
    }
    if (word.bytes == 0 || find_value(columns, field, word) != NULL) {
        return table_error(table, row, cells[1], ERR_BAD_TABLE, err,
                           word.bytes == 0 ? "a value is required"
                                           : "this value has a row above");
    }
    value = arena_alloc(&columns->arena, sizeof(*value));
    if (value == NULL) {
        return err_set(err, ERR_NO_MEMORY, "%s", table_name(table));
    }
    value->normal = arena_copy(
        &columns->arena, (struct span){form, normal_form(word, false, form)});
    value->means = arena_copy(&columns->arena, means);
    value->next = columns->values[field];
    columns->values[field] = value;
    return value->normal.data != NULL && value->means.data != NULL
               ? ERR_OK
               : err_set(err, ERR_NO_MEMORY, "%s", table_name(table));
}

static enum err_code
load_headings(struct columns *columns,
              const struct dictionary_file *files,
              size_t file_count,
              struct err *err)
{
    static const char *const names[2] = {"heading", "field"};
    struct table *table = NULL;
    size_t cells[2];
    enum err_code code =
        dictionary_file_table(files, file_count, "columns.csv", &table, err);

    if (code == ERR_OK) {
        code = dictionary_file_columns(table, names, 2, cells, err);
    }
    if (code == ERR_OK) {
        columns->headings =
            arena_alloc(&columns->arena, (table_row_count(table) + 1) *
                                             sizeof(*columns->headings));
        if (columns->headings == NULL) {
            code = err_set(err, ERR_NO_MEMORY, "%s", table_name(table));
        }
    }
    for (size_t row = 0; code == ERR_OK && row < table_row_count(table);
         row++) {
        (void)!add_heading(columns, table, row, cells, err);
        code = table_go_on(table, err) ? ERR_OK : err->code;
    }
    if (code == ERR_OK) {
        code = table_end(table, err);
    }
    table_free(&table);
    return code;
}

static enum err_code
load_values(struct columns *columns,
            const struct dictionary_file *files,
            size_t file_count,
            struct err *err)
{
    static const char *const names[3] = {"field", "value", "means"};
    struct table *table = NULL;
    size_t cells[3];
    enum err_code code = dictionary_file_table(
        files, file_count, "column_values.csv", &table, err);

    if (code == ERR_OK) {
        code = dictionary_file_columns(table, names, 3, cells, err);
    }
    for (size_t row = 0; code == ERR_OK && row < table_row_count(table);
         row++) {
        (void)!add_value(columns, table, row, cells, err);
        code = table_go_on(table, err) ? ERR_OK : err->code;
    }
    if (code == ERR_OK) {
        code = table_end(table, err);
    }
    table_free(&table);
    return code;
}

enum err_code
columns_build(const struct dictionary_file *files,
              size_t file_count,
              struct columns **out,
              struct err *err)
{
    struct columns *columns = calloc(1, sizeof(*columns));
    struct table_faults *faults = file_count > 0 ? files[0].faults : NULL;
    struct err first = {0};
    struct err second = {0};

    if (columns == NULL) {
        return err_set(err, ERR_NO_MEMORY, "dict/columns.csv");
    }
    arena_init(&columns->arena, 16 * 1024);
    (void)!load_headings(columns, files, file_count, &first);
    if (dictionary_file_next(faults, &first, err)) {
        (void)!load_values(columns, files, file_count, &second);
        (void)dictionary_file_next(faults, &second, err);
    }
    if (err->code != ERR_OK) {
        columns_free(&columns);
        return err->code;
    }
    *out = columns;
    return ERR_OK;
}

void
columns_free(struct columns **columns)
{
    if (*columns == NULL) {
        return;
    }
    arena_release(&(*columns)->arena);
    free(*columns);
    *columns = NULL;
}

/* --- JSON text --- */

/* `text` as a JSON string; `out` has room for text.bytes * 6 + 2. */
static size_t
put_json_string(struct span text, char *out)
{
    static const char hex[] = "0123456789abcdef";
    size_t used = 0;

    out[used++] = '"';
    for (size_t i = 0; i < text.bytes; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c == '"' || c == '\\') {
            out[used++] = '\\';
            out[used++] = (char)c;
        } else if (c == '\n') {
            out[used++] = '\\';
            out[used++] = 'n';
        } else if (c < 0x20) {
            memcpy(out + used, "\\u00", 4);
            out[used + 4] = hex[c >> 4];
            out[used + 5] = hex[c & 15];
            used += 6;
        } else {
            out[used++] = (char)c;
        }
    }
    out[used++] = '"';
    return used;
}

/* --- mapping a header --- */

static size_t
find_heading(const struct columns *columns, struct span text)
{
    char form[COLUMNS_HEADING_BYTES_MAX];
    struct span key = normal(text, form);

    for (size_t i = 0; i < columns->heading_count; i++) {
        if (span_equal(columns->headings[i].normal, key)) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* Give each field the column whose heading stands highest in the table. */
static void
choose_columns(const struct columns *columns,
               const struct span *headings,
               size_t column_count,
               enum decode_field *fields)
{
    size_t best_rank[DECODE_FIELD_COUNT];
    size_t best_column[DECODE_FIELD_COUNT];

    memset(best_rank, 0xFF, sizeof(best_rank));
    for (size_t i = 0; i < column_count; i++) {
        size_t rank = find_heading(columns, headings[i]);
        enum decode_field field;

        fields[i] = DECODE_FIELD_NONE;
        if (rank == SIZE_MAX) {
            continue;
        }
        field = columns->headings[rank].field;
        if (rank >= best_rank[field]) {
            continue;
        }
        if (best_rank[field] != SIZE_MAX) {
            fields[best_column[field]] = DECODE_FIELD_NONE;
        }
        best_rank[field] = rank;
        best_column[field] = i;
        fields[i] = field;
    }
}

/* Is `name` a field's own name, or is its JSON text `key` another column's? */
static bool
key_is_taken(const struct column_map *map,
             size_t column,
             const char *name,
             struct span key)
{
    if (map->fields[column] == DECODE_FIELD_NONE &&
        decode_field_from(span_of(name)) != DECODE_FIELD_NONE) {
        return true;
    }
    for (size_t i = 0; i < column; i++) {
        if (span_equal(map->keys[i], key)) {
            return true;
        }
    }
    return false;
}

/* The member name under which a column's cells are kept: its heading, or with
 * _2, _3, … when that is taken. */
static bool
name_key(struct column_map *map, size_t column)
{
    struct span heading = map->headings[column];
    char plain[COLUMNS_HEADING_BYTES_MAX + 32];
    char name[COLUMNS_HEADING_BYTES_MAX + 64];
    char json[sizeof(name) * 6 + 3];
    struct span key = {json, 0};

    if (heading.bytes == 0) {
        (void)snprintf(plain, sizeof(plain), "column_%zu", column + 1);
    } else {
        (void)snprintf(plain, sizeof(plain), "%.*s", SPAN_ARGS(heading));
    }
    (void)snprintf(name, sizeof(name), "%s", plain);
    for (size_t copy = 2;; copy++) {
        key.bytes = put_json_string(span_of(name), json);
        json[key.bytes++] = ':';
        if (!key_is_taken(map, column, name, key)) {
            break;
        }
        (void)snprintf(name, sizeof(name), "%s_%zu", plain, copy);
    }
    map->keys[column] = arena_copy(&map->arena, key);
    return map->keys[column].data != NULL;
}

static bool
has_field(const struct column_map *map, enum decode_field field)
{
    for (size_t i = 0; i < map->column_count; i++) {
        if (map->fields[i] == field) {
            return true;
        }
    }
    return false;
}

/* Put `text` behind what is there, as much as has room. */
static void
append(char *out, size_t out_bytes, struct span text)
{
    size_t used = strlen(out);
    size_t room = out_bytes - used - 1;
    size_t bytes = text.bytes <= room ? text.bytes : utf8_cut(text.data, room);

    if (bytes > 0) {
        memcpy(out + used, text.data, bytes);
    }
    out[used + bytes] = '\0';
}

static enum err_code
refuse_header(const struct column_map *map,
              const enum decode_field needed[3],
              struct err *err)
{
    char missing[160] = "";
    char present[ERR_DETAIL_BYTES - 240] = "";
    const char *first = NULL;

    for (size_t i = 0; i < 3; i++) {
        const struct heading *heading = map->columns->headings;
        const struct heading *end = heading + map->columns->heading_count;

        if (has_field(map, needed[i])) {
            continue;
        }
        append(missing, sizeof(missing), span_of(first != NULL ? ", " : ""));
        append(missing, sizeof(missing), span_of(decode_field_name(needed[i])));
        while (heading < end && heading->field != needed[i]) {
            heading++;
        }
        if (heading < end) {
            append(missing, sizeof(missing), SPAN_LITERAL(" ("));
            append(missing, sizeof(missing), heading->original);
            append(missing, sizeof(missing), SPAN_LITERAL(")"));
        }
        first = first != NULL ? first : decode_field_name(needed[i]);
    }
    for (size_t i = 0; i < map->column_count; i++) {
        append(present, sizeof(present), span_of(i > 0 ? ", " : ""));
        append(present, sizeof(present), map->headings[i]);
    }
    assert(first != NULL);
    return err_set_field(err, ERR_NO_COLUMN, first,
                         "no column for %s; the file has: %s; rename the "
                         "column or add its heading to dict/columns.csv",
                         missing, present);
}

static enum err_code
check_needed(struct column_map *map, struct err *err)
{
    static const enum decode_field of_ticket[3] = {
        DECODE_FIELD_ID, DECODE_FIELD_ACCEPTED_AT, DECODE_FIELD_TEXT};
    static const enum decode_field of_event[3] = {
        DECODE_FIELD_ID, DECODE_FIELD_EVENT, DECODE_FIELD_AT};

    map->has_tickets = true;
    map->has_events = true;
    for (size_t i = 0; i < 3; i++) {
        map->has_tickets = map->has_tickets && has_field(map, of_ticket[i]);
        map->has_events = map->has_events && has_field(map, of_event[i]);
    }
    if (map->has_tickets || map->has_events) {
        return ERR_OK;
    }
    return refuse_header(
        map, has_field(map, DECODE_FIELD_EVENT) ? of_event : of_ticket, err);
}

static struct span
clean_heading(struct span cell)
{
    struct span heading = span_trim(cell);

    if (heading.bytes >= COLUMNS_HEADING_BYTES_MAX) {
        heading.bytes = utf8_cut(heading.data, COLUMNS_HEADING_BYTES_MAX - 1);
    }
    return heading;
}

void
columns_guess(const struct columns *columns,
              const struct csv_row *header,
              enum decode_field *fields)
{
    struct span headings[CSV_COLUMNS_MAX];

    assert(header->cell_count <= CSV_COLUMNS_MAX);
    for (size_t i = 0; i < header->cell_count; i++) {
        headings[i] = clean_heading(header->cells[i]);
    }
    choose_columns(columns, headings, header->cell_count, fields);
}

static const enum decode_field needed_by_ticket[3] = {
    DECODE_FIELD_ID, DECODE_FIELD_ACCEPTED_AT, DECODE_FIELD_TEXT};
static const enum decode_field needed_by_event[3] = {
    DECODE_FIELD_ID, DECODE_FIELD_EVENT, DECODE_FIELD_AT};

static bool
is_among(const enum decode_field *fields,
         size_t field_count,
         enum decode_field field)
{
    for (size_t i = 0; i < field_count; i++) {
        if (fields[i] == field) {
            return true;
        }
    }
    return false;
}

size_t
columns_missing(const enum decode_field *fields,
                size_t field_count,
                enum decode_field missing[3])
{
    const enum decode_field *const kinds[] = {needed_by_ticket,
                                              needed_by_event};
    size_t counts[2] = {0, 0};
    size_t chosen;
    size_t count = 0;

    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < 3; i++) {
            counts[k] += !is_among(fields, field_count, kinds[k][i]);
        }
    }
    chosen = counts[0] > 0 && (counts[1] == 0 || is_among(fields, field_count,
                                                          DECODE_FIELD_EVENT));
    for (size_t i = 0; i < 3; i++) {
        if (!is_among(fields, field_count, kinds[chosen][i])) {
            missing[count++] = kinds[chosen][i];
        }
    }
    return count;
}

struct span
columns_heading(const struct columns *columns, enum decode_field field)
{
    for (size_t i = 0; i < columns->heading_count; i++) {
        if (columns->headings[i].field == field) {
            return columns->headings[i].original;
        }
    }
    return (struct span){"", 0};
}

static enum err_code
take_fields(struct column_map *map,
            const enum decode_field *fields,
            struct err *err)
{
    for (size_t i = 0; i < map->column_count; i++) {
        if (fields[i] != DECODE_FIELD_NONE && is_among(fields, i, fields[i])) {
            return err_set_field(err, ERR_DUPLICATE_FIELD,
                                 decode_field_name(fields[i]),
                                 "two columns are said to be %s; one is enough",
                                 decode_field_name(fields[i]));
        }
        map->fields[i] = fields[i];
    }
    return ERR_OK;
}

enum err_code
columns_map(const struct columns *columns,
            const struct csv_row *header,
            struct column_map **out,
            struct err *err)
{
    return columns_map_as(columns, header, NULL, out, err);
}

enum err_code
columns_map_as(const struct columns *columns,
               const struct csv_row *header,
               const enum decode_field *fields,
               struct column_map **out,
               struct err *err)
{
    struct column_map *map = calloc(1, sizeof(*map));
    enum err_code code = ERR_OK;

    assert(header->cell_count <= CSV_COLUMNS_MAX);
    if (map == NULL) {
        return err_set(err, ERR_NO_MEMORY, "mapping the columns");
    }
    arena_init(&map->arena, 8 * 1024);
    map->columns = columns;
    map->column_count = header->cell_count;
    for (size_t i = 0; i < map->column_count; i++) {
        struct span heading = clean_heading(header->cells[i]);

        map->headings[i] = arena_copy(&map->arena, heading);
        if (heading.bytes > 0 && map->headings[i].data == NULL) {
            code = err_set(err, ERR_NO_MEMORY, "mapping the columns");
        }
    }
    if (fields != NULL && code == ERR_OK) {
        code = take_fields(map, fields, err);
    } else {
        choose_columns(columns, map->headings, map->column_count, map->fields);
    }
    for (size_t i = 0; code == ERR_OK && i < map->column_count; i++) {
        map->passed_over[i] = map->fields[i] == DECODE_FIELD_NONE &&
                              span_is(map->headings[i], COLUMNS_REASON_HEADING);
        if (!name_key(map, i)) {
            code = err_set(err, ERR_NO_MEMORY, "mapping the columns");
        }
    }
    if (code == ERR_OK) {
        code = check_needed(map, err);
    }
    if (code != ERR_OK) {
        columns_map_free(&map);
        return code;
    }
    *out = map;
    return ERR_OK;
}

void
columns_map_free(struct column_map **map)
{
    if (*map == NULL) {
        return;
    }
    arena_release(&(*map)->arena);
    free(*map);
    *map = NULL;
}

enum decode_field
columns_map_field(const struct column_map *map, size_t column)
{
    assert(column < map->column_count);
    return map->fields[column];
}

/* --- a row --- */

static bool
is_digits(struct span text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
    }
    return text.bytes > 0;
}

/* "2.01801E+15": what Excel writes for a long number. */
static bool
is_damaged_number(struct span text)
{
    struct span rest = text;
    struct span mantissa;
    struct span whole;

    for (size_t i = 0; i < text.bytes; i++) {
        if (text.data[i] == 'e' || text.data[i] == 'E') {
            mantissa = (struct span){text.data, i};
            rest = (struct span){text.data + i + 1, text.bytes - i - 1};
            if (rest.bytes == 0 || rest.data[0] != '+') {
                return false;
            }
            rest.data++;
            rest.bytes--;
            whole = span_split(&mantissa, '.');
            return is_digits(rest) && is_digits(whole) &&
                   (mantissa.data == NULL || is_digits(mantissa));
        }
    }
    return false;
}

/* Digits that some programs keep as a floating-point number: "4201.0". */
static struct span
without_fraction(struct span text)
{
    /* 2^53, behind which such a number has lost digits */
    static const char exact_max[] = "9007199254740992";
    struct span digits = {text.data, text.bytes > 2 ? text.bytes - 2 : 0};

    if (!is_digits(digits) || text.data[text.bytes - 2] != '.' ||
        text.data[text.bytes - 1] != '0' ||
        digits.bytes > sizeof(exact_max) - 1 ||
        (digits.bytes == sizeof(exact_max) - 1 &&
         memcmp(digits.data, exact_max, digits.bytes) > 0)) {
        return text;
    }
    return digits;
}

static bool
is_number_field(enum decode_field field)
{
    return field == DECODE_FIELD_ID || field == DECODE_FIELD_CALLER ||
           field == DECODE_FIELD_CUSTOMER || field == DECODE_FIELD_RELATED ||
           field == DECODE_FIELD_UNIT;
}

/* ="123" and '123 are ways to keep Excel from counting with 123. */
static struct span
unwrap(struct span cell)
{
    struct span text = span_trim(cell);

    if (text.bytes >= 3 && text.data[0] == '=' && text.data[1] == '"' &&
        text.data[text.bytes - 1] == '"') {
        return span_trim((struct span){text.data + 2, text.bytes - 3});
    }
    if (text.bytes > 1 && text.data[0] == '\'') {
        return (struct span){text.data + 1, text.bytes - 1};
    }
    return text;
}

/* Without what cell_guard.h puts in front of a formula. */
static struct span
unguard(struct span cell)
{
    struct span rest = {cell.data + 1, cell.bytes - 1};

    return cell.bytes > 1 && cell.data[0] == CELL_GUARD && cell_is_formula(rest)
               ? rest
               : cell;
}

static bool
is_null_word(struct span cell)
{
    struct span text = span_trim(cell);

    return span_is(text, "\\N") || span_is(text, "NULL") ||
           span_is(text, "null");
}

/* One cell as the value of its field. */
static struct span
cell_value(const struct column_map *map,
           enum decode_field field,
           struct span cell)
{
    const struct value *value;

    if (is_null_word(cell)) {
        return (struct span){"", 0};
    }
    if (field == DECODE_FIELD_TEXT) {
        return cell.data != NULL ? cell : (struct span){"", 0};
    }
    if (is_number_field(field)) {
        return without_fraction(unwrap(cell));
    }
    if (map->columns->values[field] == NULL || cell.bytes == 0 ||
        is_word_of(field, span_trim(cell))) {
        return cell;
    }
    value = find_value(map->columns, field, cell);
    return value != NULL ? value->means : cell;
}

static bool
is_extra(const struct column_map *map,
         size_t column,
         enum decoded_kind kind,
         struct span cell)
{
    enum decode_field field = map->fields[column];
    bool used = kind == DECODED_EVENT ? decode_field_on_event(field)
                                      : decode_field_on_ticket(field);

    return !used && cell.bytes > 0 && !map->passed_over[column];
}

static enum err_code
collect_extra(const struct column_map *map,
              const struct csv_row *row,
              enum decoded_kind kind,
              struct arena *arena,
              struct span *out,
              struct err *err)
{
    size_t room = 0;
    size_t used = 0;
    char *text;

    for (size_t i = 0; i < row->cell_count; i++) {
        if (is_extra(map, i, kind, row->cells[i])) {
            room += map->keys[i].bytes + row->cells[i].bytes * 6 + 3;
        }
    }
    if (room == 0) {
        return ERR_OK;
    }
    text = arena_alloc(arena, room);
    if (text == NULL) {
        return err_set(err, ERR_NO_MEMORY, "reading a row");
    }
    for (size_t i = 0; i < row->cell_count; i++) {
        if (!is_extra(map, i, kind, row->cells[i])) {
            continue;
        }
        if (used > 0) {
            text[used++] = ',';
        }
        memcpy(text + used, map->keys[i].data, map->keys[i].bytes);
        used += map->keys[i].bytes;
        used += put_json_string(unguard(row->cells[i]), text + used);
    }
    if (used > TICKET_EXTRA_BYTES_MAX) {
        return err_set(err, ERR_TOO_LONG,
                       "the columns without a field have %zu bytes in this "
                       "row, %d are allowed",
                       used, TICKET_EXTRA_BYTES_MAX);
    }
    *out = (struct span){text, used};
    return ERR_OK;
}

/* The column of the field that an error names stands in front of it. */
static enum err_code
name_column(const struct column_map *map, struct err *err)
{
    enum decode_field field = decode_field_from(span_of(err->field));

    for (size_t i = 0; i < map->column_count && field != DECODE_FIELD_NONE;
         i++) {
        if (map->fields[i] == field) {
            return err_prefix(err, "column '%.*s'",
                              SPAN_ARGS(map->headings[i]));
        }
    }
    return err->code;
}

static enum decoded_kind
kind_of_row(const struct column_map *map, const struct csv_row *row)
{
    if (!map->has_tickets || !map->has_events) {
        return map->has_events ? DECODED_EVENT : DECODED_TICKET;
    }
    for (size_t i = 0; i < row->cell_count; i++) {
        if (map->fields[i] == DECODE_FIELD_EVENT) {
            return span_trim(row->cells[i]).bytes > 0 ? DECODED_EVENT
                                                      : DECODED_TICKET;
        }
    }
    return DECODED_TICKET;
}

enum err_code
columns_decode(const struct column_map *map,
               struct decoder *decoder,
               const struct csv_row *row,
               struct arena *arena,
               struct decoded *out,
               struct err *err)
{
    struct decode_values values = {0};
    enum decoded_kind kind = kind_of_row(map, row);
    enum err_code code;

    assert(row->cell_count == map->column_count);
    for (size_t i = 0; i < row->cell_count; i++) {
        if (map->fields[i] != DECODE_FIELD_NONE) {
            values.value[map->fields[i]] =
                cell_value(map, map->fields[i], unguard(row->cells[i]));
        }
    }
    decode_begin(decoder, span_trim(values.value[DECODE_FIELD_ID]));
    for (size_t i = 0; i < row->cell_count; i++) {
        enum decode_field field = map->fields[i];

        if (is_number_field(field) && is_damaged_number(values.value[field])) {
            (void)decode_refuse(
                decoder, field, values.value[field],
                field == DECODE_FIELD_ID ? ERR_BAD_ID : ERR_BAD_VALUE, err,
                "Excel has rounded this long number and its digits are lost; "
                "export again with the column formatted as text");
            return name_column(map, err);
        }
    }
    code = collect_extra(map, row, kind, arena, &values.extra, err);
    if (code == ERR_OK) {
        code = decode_row(decoder, &values, kind, out, err);
    }
    return code == ERR_OK ? ERR_OK : name_column(map, err);
}
