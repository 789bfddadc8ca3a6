/* The gazetteer: names of places, found at the head of an address. */
#include "analyzers/places.h"

#include <stdlib.h>
#include <string.h>

#include "analyzers/dictionary_file.h"

#define HASH_BASE UINT64_C(0x9E3779B97F4A7C15)

enum {
    LEVEL_COUNT = 4,
    ENTRIES_MAX = 1000000,
    CODE_DIGITS = 9,
    FOLD_CHARS = 65536,
    SIEVE_BITS_LOG2 = 20,
    HEAD_NAMES_MAX = 8, /* names at the head of one address */
    SUFFIX_REACH_CHARS = 10
};

static const uint32_t level_unit[LEVEL_COUNT] = {10000000, 100000, 1000, 1};

static const char *const kind_names[PLACE_KIND_COUNT] = {
    "none",     "province", "prefecture", "district", "city",
    "county",   "banner",   "street",     "seat",     "town",
    "township", "sumu",     "farm",       "zone",     "other",
};

/* One spelling of one place. */
struct place_entry {
    uint64_t hash;
    uint32_t code;
    uint32_t name_at; /* into pool */
    uint8_t name_chars;
    uint8_t level;
    uint8_t kind;
    uint8_t urban_percent;
    bool is_short;
};

struct county {
    uint32_t code;
    enum place_kind kind;
};

struct places {
    struct county *counties; /* by code */
    size_t county_count;
    size_t county_room;
    struct place_entry *entries; /* by hash, then level, then code */
    size_t entry_count;
    size_t entry_room;
    uint16_t *pool;
    size_t pool_chars;
    size_t pool_room;
    uint32_t *slots; /* 1 + first entry of a hash, 0 = free */
    size_t slot_mask;
    uint64_t
        sieve[(1u << SIEVE_BITS_LOG2) / 64]; /* a clear bit: no such hash */
    uint64_t powers[PLACES_NAME_CHARS_MAX + 1];
    uint16_t fold[FOLD_CHARS];
    uint8_t longest[FOLD_CHARS]; /* characters of the longest name that begins
                                    with this one */
};

enum place_kind
place_kind_from(struct span word)
{
    for (int i = 1; i < PLACE_KIND_COUNT; i++) {
        if (span_is(word, kind_names[i])) {
            return (enum place_kind)i;
        }
    }
    return PLACE_NONE;
}

uint32_t
place_code_at(uint32_t code, uint32_t level)
{
    return code - code % level_unit[level];
}

/* --- lines --- */

static uint64_t
hash_finish(uint64_t hash)
{
    hash ^= hash >> 29;
    hash *= UINT64_C(0xBF58476D1CE4E5B9);
    return hash ^ hash >> 32;
}

void
places_line(const struct places *places,
            struct span text,
            size_t chars_max,
            struct place_line *out)
{
    const char *start = text.data;
    uint64_t hash = 0;

    if (chars_max > PLACES_LINE_CHARS_MAX) {
        chars_max = PLACES_LINE_CHARS_MAX;
    }
    out->count = 0;
    out->hashes[0] = 0;
    while (text.bytes > 0 && out->count < chars_max) {
        uint32_t c;
        size_t bytes = utf8_next(text, &c);

        out->bytes[out->count] = (uint16_t)(text.data - start);
        out->chars[out->count] =
            c < FOLD_CHARS ? places->fold[c] : (uint16_t)0xFFFD;
        hash = hash * HASH_BASE + out->chars[out->count];
        out->count++;
        out->hashes[out->count] = hash;
        text.data += bytes;
        text.bytes -= bytes;
    }
    out->bytes[out->count] = start != NULL ? (uint16_t)(text.data - start) : 0;
}

/* --- look-up --- */

/* First spelling equal to characters at..at+chars of the line, or NULL; those
 * that follow with the same hash are the other places of the name. */
static const struct place_entry *
find_name(const struct places *places,
          const struct place_line *line,
          size_t at,
          size_t chars)
{
    uint64_t hash = hash_finish(line->hashes[at + chars] -
                                line->hashes[at] * places->powers[chars]);
    size_t bit = hash >> (64 - SIEVE_BITS_LOG2);
    size_t slot = hash & places->slot_mask;

    if ((places->sieve[bit / 64] >> (bit % 64) & 1) == 0) {
        return NULL;
    }
    while (places->slots[slot] != 0) {
        const struct place_entry *entry =
            &places->entries[places->slots[slot] - 1];

        if (entry->hash == hash) {
            return entry->name_chars == chars &&
                           memcmp(&places->pool[entry->name_at],
                                  &line->chars[at],
                                  chars * sizeof(uint16_t)) == 0
                       ? entry
                       : NULL;
        }
        slot = (slot + 1) & places->slot_mask;
    }
    return NULL;
}

static bool
is_one_of(uint16_t c, const uint16_t *set, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (set[i] == c) {
            return true;
        }
    }
    return false;
}

#define IS_ONE_OF(c, set) is_one_of((c), (set), sizeof(set) / sizeof((set)[0]))

/* Does a road, a village, an estate or another kind of town follow? Then 北京
 * of 北京路, 新华 of 新华小区 and 丁旗 (a 街道) of 丁旗镇 is not the place. */
static bool
is_longer_word(const struct place_line *line, size_t at, bool town)
{
    static const uint16_t middle[] = {u'东', u'南', u'西', u'北', u'中', u'大'};
    static const uint16_t road[] = {u'路', u'街', u'巷', u'道', u'弄'};
    static const uint16_t other[] = {u'村', u'庄', u'屯', u'小', u'花',
                                     u'苑', u'家', u'新', u'公', u'厦',
                                     u'楼', u'镇', u'乡', u'场'};
    size_t next = at;

    if (next < line->count && IS_ONE_OF(line->chars[next], middle)) {
        next++;
    }
    if (next < line->count && IS_ONE_OF(line->chars[next], road)) {
        return true;
    }
    return town && at < line->count && IS_ONE_OF(line->chars[at], other);
}

/* What the places of one name come to, given what was read before. */
struct choice {
    uint32_t level;
    uint32_t code;
    enum place_kind kind;
    uint32_t urban_percent;
    bool ambiguous;
};

static bool
choose(const struct places *places,
       const struct place_entry *entry,
       const struct place_path *path,
       bool is_known,
       struct choice *out)
{
    const struct place_entry *end = places->entries + places->entry_count;
    uint64_t hash = entry->hash;
    size_t fits = 0;

    for (; entry < end && entry->hash == hash; entry++) {
        if (is_known &&
            (entry->level <= path->level ||
             place_code_at(entry->code, path->level) != path->code)) {
            continue;
        }
        if (fits > 0 && entry->level > out->level) {
            break;
        }
        if (entry->is_short && entry->level == PLACE_LEVEL_TOWN &&
            (!is_known || path->level == PLACE_LEVEL_PROVINCE)) {
            continue;
        }
        if (fits == 0) {
            *out = (struct choice){entry->level, entry->code,
                                   (enum place_kind)entry->kind,
                                   entry->urban_percent, false};
        } else if (entry->code != out->code) {
            out->ambiguous = true;
            if (out->kind != (enum place_kind)entry->kind) {
                out->kind = out->kind == PLACE_SEAT || entry->kind == PLACE_SEAT
                                ? PLACE_TOWN
                                : PLACE_OTHER;
            }
            out->urban_percent = PLACES_PERCENT_UNKNOWN;
        }
        fits++;
    }
    return fits > 0;
}

static void
take(struct place_path *path,
     const struct choice *choice,
     size_t start,
     size_t end)
{
    if (!choice->ambiguous) {
        path->code = choice->code;
        path->level = choice->level;
    }
    if (choice->level == PLACE_LEVEL_TOWN) {
        path->town = choice->kind;
        path->urban_percent = choice->urban_percent;
        path->town_start = start;
        path->town_end = end;
    } else if (choice->level == PLACE_LEVEL_COUNTY ||
               choice->kind == PLACE_DISTRICT) {
        path->county = choice->kind;
        path->county_start = start;
        path->county_end = end;
    }
    path->end = end;
}

/* The longest name that begins at `at` and fits; returns its end or 0. */
static size_t
read_name(const struct places *places,
          const struct place_line *line,
          size_t at,
          struct place_path *path)
{
    size_t longest = line->count - at;

    if (longest > places->longest[line->chars[at]]) {
        longest = places->longest[line->chars[at]];
    }
    for (size_t chars = longest; chars >= 2; chars--) {
        const struct place_entry *entry = find_name(places, line, at, chars);
        struct choice choice = {0};

        if (entry == NULL ||
            !choose(places, entry, path, path->code != 0, &choice)) {
            continue;
        }
        if (entry->is_short) {
            if ((choice.ambiguous && path->code == 0) ||
                is_longer_word(line, at + chars,
                               choice.level == PLACE_LEVEL_TOWN)) {
                continue;
            }
        }
        take(path, &choice, at, at + chars);
        return at + chars;
    }
    return 0;
}

/* Kind of the town whose name ends with character `at`; NONE if none does. */
static enum place_kind
suffix_kind(const struct place_line *line, size_t at)
{
    static const uint16_t no_town_before[] = {u'小', u'古', u'家', u'城',
                                              u'水'};
    uint16_t before = line->chars[at - 1];

    switch (line->chars[at]) {
    case u'道':
        return before == u'街' ? PLACE_STREET : PLACE_NONE;
    case u'木':
        return before == u'苏' ? PLACE_SUMU : PLACE_NONE;
    case u'镇':
        return IS_ONE_OF(before, no_town_before) ? PLACE_NONE : PLACE_TOWN;
    case u'乡':
        return IS_ONE_OF(before, no_town_before) ? PLACE_NONE : PLACE_TOWNSHIP;
    default:
        return PLACE_NONE;
    }
}

/* No name begins at `at`, yet …镇, …乡, …街道 is a town all the same. */
static bool
read_suffix(const struct places *places,
            const struct place_line *line,
            size_t at,
            struct place_path *path)
{
    size_t last = at + SUFFIX_REACH_CHARS;

    for (size_t i = at + 1; i < line->count && i < last; i++) {
        enum place_kind kind = suffix_kind(line, i);

        if (kind == PLACE_NONE || (kind == PLACE_STREET && i < at + 2)) {
            continue;
        }
        for (size_t start = at + 1; start + 1 < i; start++) {
            const struct place_entry *entry =
                find_name(places, line, start, i + 1 - start);
            struct choice choice = {0};

            if (entry != NULL && entry->level == PLACE_LEVEL_TOWN &&
                choose(places, entry, path, path->code != 0, &choice)) {
                take(path, &choice, start, i + 1);
                return true;
            }
        }
        path->town = kind;
        path->urban_percent = PLACES_PERCENT_UNKNOWN;
        path->town_start = at;
        path->town_end = i + 1;
        path->end = i + 1;
        return true;
    }
    return false;
}

static int
compare_counties(const void *a, const void *b)
{
    uint32_t x = ((const struct county *)a)->code;
    uint32_t y = ((const struct county *)b)->code;

    return x < y ? -1 : x > y;
}

/* Kind of the county that holds `code`; a prefecture without counties is as a
 * district. */
static enum place_kind
county_kind(const struct places *places, uint32_t code)
{
    struct county wanted = {place_code_at(code, PLACE_LEVEL_COUNTY),
                            PLACE_NONE};
    const struct county *found =
        places->county_count == 0
            ? NULL
            : bsearch(&wanted, places->counties, places->county_count,
                      sizeof(wanted), compare_counties);

    return found != NULL ? found->kind : PLACE_DISTRICT;
}

void
places_read(const struct places *places,
            const struct place_line *line,
            struct place_path *out)
{
    size_t at = 0;

    *out = (struct place_path){.urban_percent = PLACES_PERCENT_UNKNOWN};
    for (int names = 0; names < HEAD_NAMES_MAX && at < line->count; names++) {
        size_t end = read_name(places, line, at, out);

        if (end == 0) {
            (void)read_suffix(places, line, at, out);
            break;
        }
        at = end;
        if (out->town != PLACE_NONE) {
            break;
        }
    }
    if (out->county == PLACE_NONE && out->level >= PLACE_LEVEL_COUNTY) {
        out->county = county_kind(places, out->code);
    }
}

bool
places_find_area(const struct places *places,
                 struct span name,
                 uint32_t *code,
                 uint32_t *level)
{
    struct place_line line;
    const struct place_entry *entry;
    const struct place_entry *end = places->entries + places->entry_count;

    places_line(places, name, PLACES_NAME_CHARS_MAX, &line);
    if (line.count < 2 || line.bytes[line.count] != name.bytes) {
        return false;
    }
    entry = find_name(places, &line, 0, line.count);
    if (entry == NULL || entry->level == PLACE_LEVEL_TOWN ||
        (entry + 1 < end && entry[1].hash == entry->hash &&
         entry[1].level == entry->level && entry[1].code != entry->code)) {
        return false;
    }
    *code = entry->code;
    *level = entry->level;
    return true;
}

/* --- building --- */

/* Make room for `wanted` elements; doubles. */
static bool
grow(void **array, size_t *room, size_t wanted, size_t bytes)
{
    size_t larger = *room < 1024 ? 1024 : *room;
    void *moved;

    if (wanted <= *room) {
        return true;
    }
    while (larger < wanted) {
        larger *= 2;
    }
    moved = realloc(*array, larger * bytes);
    if (moved == NULL) {
        return false;
    }
    *array = moved;
    *room = larger;
    return true;
}

static enum err_code
build_fold(struct places *places,
           const struct dictionary_file *simplify,
           struct err *err)
{
    struct table *table = NULL;
    struct err bad = {0};

    for (uint32_t c = 0; c < FOLD_CHARS; c++) {
        places->fold[c] = (uint16_t)c;
    }
    for (uint32_t c = 0xFF01; c <= 0xFF5E; c++) {
        places->fold[c] = (uint16_t)(c - 0xFEE0);
    }
    places->fold[0x3000] = ' ';
    if (simplify == NULL) {
        return ERR_OK;
    }
    if (dictionary_file_parse(simplify, &table, &bad) != ERR_OK) {
        return err_code_kind(bad.code) == ERR_KIND_BAD_INPUT
                   ? ERR_OK
                   : err_set(err, bad.code, "%s", bad.detail);
    }
    for (size_t row = 0; row < table_row_count(table); row++) {
        uint32_t from = 0;
        uint32_t to = 0;

        if (utf8_next(table_cell(table, row, 0), &from) > 0 &&
            utf8_next(table_cell(table, row, 1), &to) > 0 &&
            from < FOLD_CHARS && to < FOLD_CHARS) {
            places->fold[from] = (uint16_t)to;
        }
    }
    table_free(&table);
    return ERR_OK;
}

/* One more spelling; names of one character are left out. */
static bool
add_spelling(struct places *places,
             const struct place_entry *like,
             struct span name,
             bool is_short)
{
    struct place_line line;
    struct place_entry *entry;

    places_line(places, name, PLACES_NAME_CHARS_MAX + 1, &line);
    if (line.count < 2 || line.count > PLACES_NAME_CHARS_MAX) {
        return true;
    }
    if (!grow((void **)&places->entries, &places->entry_room,
              places->entry_count + 1, sizeof(*places->entries)) ||
        !grow((void **)&places->pool, &places->pool_room,
              places->pool_chars + line.count, sizeof(*places->pool))) {
        return false;
    }
    entry = &places->entries[places->entry_count++];
    *entry = *like;
    entry->is_short = is_short;
    entry->hash = hash_finish(line.hashes[line.count]);
    entry->name_at = (uint32_t)places->pool_chars;
    entry->name_chars = (uint8_t)line.count;
    memcpy(places->pool + places->pool_chars, line.chars,
           line.count * sizeof(uint16_t));
    places->pool_chars += line.count;
    if (places->longest[line.chars[0]] < line.count) {
        places->longest[line.chars[0]] = (uint8_t)line.count;
    }
    return true;
}

/* The name of a town without the word for what it is. */
static struct span
town_stem(struct span name)
{
    static const char *const tails[] = {"街道", "苏木", "镇", "乡"};

    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        size_t bytes = strlen(tails[i]);

        if (name.bytes > bytes &&
            memcmp(name.data + name.bytes - bytes, tails[i], bytes) == 0) {
            return (struct span){name.data, name.bytes - bytes};
        }
    }
    return (struct span){NULL, 0};
}

static bool
read_number(struct span cell, uint32_t *out)
{
    uint32_t value = 0;

    if (cell.bytes == 0 || cell.bytes > CODE_DIGITS) {
        return false;
    }
    for (size_t i = 0; i < cell.bytes; i++) {
        if (cell.data[i] < '0' || cell.data[i] > '9') {
            return false;
        }
        value = value * 10 + (uint32_t)(cell.data[i] - '0');
    }
    *out = value;
    return true;
}

static bool
read_code(struct span cell, struct place_entry *out)
{
    static const uint8_t digits[LEVEL_COUNT] = {2, 4, 6, 9};
    uint32_t value;

    if (!read_number(cell, &value)) {
        return false;
    }
    for (uint8_t level = 0; level < LEVEL_COUNT; level++) {
        if (cell.bytes == digits[level]) {
            out->code = value * level_unit[level];
            out->level = level;
            return true;
        }
    }
    return false;
}

struct columns {
    size_t code;
    size_t name;
    size_t shorter;
    size_t kind;
    size_t urban;
};

static enum err_code
find_columns(const struct table *table, struct columns *out, struct err *err)
{
    enum err_code code;

    if ((code = table_need_column(table, "code", &out->code, err)) ||
        (code = table_need_column(table, "name", &out->name, err)) ||
        (code = table_need_column(table, "short", &out->shorter, err)) ||
        (code = table_need_column(table, "kind", &out->kind, err)) ||
        (code = table_need_column(table, "urban", &out->urban, err))) {
        return code;
    }
    return ERR_OK;
}

static enum err_code
check_row(const struct table *table,
          size_t row,
          const struct columns *columns,
          struct place_entry *out,
          struct err *err)
{
    struct span percent = table_cell(table, row, columns->urban);
    struct span kind = table_cell(table, row, columns->kind);
    uint32_t value;

    *out = (struct place_entry){.urban_percent = PLACES_PERCENT_UNKNOWN};
    if (!read_code(table_cell(table, row, columns->code), out)) {
        return table_error(table, row, columns->code, ERR_BAD_VALUE, err,
                           "'%.*s' is not 2, 4, 6 or 9 digits: province, "
                           "city, county, town",
                           SPAN_ARGS(table_cell(table, row, columns->code)));
    }
    out->kind = (uint8_t)place_kind_from(kind);
    if (out->kind == PLACE_NONE) {
        return table_error(table, row, columns->kind, ERR_BAD_VALUE, err,
                           "'%.*s' is no kind of place", SPAN_ARGS(kind));
    }
    if (table_cell(table, row, columns->name).bytes == 0) {
        return table_error(table, row, columns->name, ERR_BAD_VALUE, err,
                           "a place needs a name");
    }
    if (percent.bytes > 0) {
        if (!read_number(percent, &value) || value > 100) {
            return table_error(table, row, columns->urban, ERR_BAD_VALUE, err,
                               "'%.*s' is no percentage; 0 to 100, or empty",
                               SPAN_ARGS(percent));
        }
        out->urban_percent = (uint8_t)value;
    }
    return ERR_OK;
}

static enum err_code
add_row(struct places *places,
        const struct table *table,
        size_t row,
        const struct columns *columns,
        struct err *err)
{
    struct span name = table_cell(table, row, columns->name);
    struct span shorts = table_cell(table, row, columns->shorter);
    struct place_entry entry;
    enum err_code code = check_row(table, row, columns, &entry, err);
    bool ok;

    if (code != ERR_OK) {
        return code;
    }
    ok = add_spelling(places, &entry, name, false);
    while (ok && shorts.bytes > 0) {
        ok = add_spelling(places, &entry, span_split(&shorts, '|'), true);
    }
    if (ok && entry.level == PLACE_LEVEL_TOWN) {
        ok = add_spelling(places, &entry, town_stem(name), true);
    }
    if (ok && entry.level == PLACE_LEVEL_COUNTY) {
        ok = grow((void **)&places->counties, &places->county_room,
                  places->county_count + 1, sizeof(*places->counties));
        if (ok) {
            places->counties[places->county_count++] =
                (struct county){entry.code, (enum place_kind)entry.kind};
        }
    }
    if (!ok) {
        return err_set(err, ERR_NO_MEMORY, "%s", table_name(table));
    }
    if (places->entry_count > ENTRIES_MAX) {
        return table_error(table, row, columns->name, ERR_TOO_LONG, err,
                           "more than %d spellings", (int)ENTRIES_MAX);
    }
    return ERR_OK;
}

static int
compare_entries(const void *a, const void *b)
{
    const struct place_entry *x = a;
    const struct place_entry *y = b;

    if (x->hash != y->hash) {
        return x->hash < y->hash ? -1 : 1;
    }
    if (x->level != y->level) {
        return x->level < y->level ? -1 : 1;
    }
    return x->code < y->code ? -1 : x->code > y->code;
}

static enum err_code
build_slots(struct places *places, struct err *err)
{
    size_t slots = 1024;

    while (slots < places->entry_count * 2) {
        slots *= 2;
    }
    places->slots = calloc(slots, sizeof(*places->slots));
    if (places->slots == NULL) {
        return err_set(err, ERR_NO_MEMORY, "dict/towns.csv");
    }
    places->slot_mask = slots - 1;
    for (size_t i = 0; i < places->entry_count; i++) {
        uint64_t hash = places->entries[i].hash;
        size_t bit = hash >> (64 - SIEVE_BITS_LOG2);
        size_t slot = hash & places->slot_mask;

        if (i > 0 && places->entries[i - 1].hash == hash) {
            continue;
        }
        while (places->slots[slot] != 0) {
            slot = (slot + 1) & places->slot_mask;
        }
        places->slots[slot] = (uint32_t)i + 1;
        places->sieve[bit / 64] |= UINT64_C(1) << (bit % 64);
    }
    return ERR_OK;
}

static enum err_code
build_entries(struct places *places,
              const struct dictionary_file *towns,
              struct err *err)
{
    struct table *table = NULL;
    struct columns columns;
    enum err_code code = dictionary_file_parse(towns, &table, err);

    if (code == ERR_OK) {
        code = find_columns(table, &columns, err);
    }
    for (size_t row = 0; code == ERR_OK && row < table_row_count(table);
         row++) {
        (void)!add_row(places, table, row, &columns, err);
        code = table_go_on(table, err) ? ERR_OK : err->code;
    }
    if (code == ERR_OK) {
        code = table_end(table, err);
    }
    table_free(&table);
    if (code != ERR_OK) {
        return code;
    }
    if (places->entry_count > 0) {
        qsort(places->entries, places->entry_count, sizeof(*places->entries),
              compare_entries);
    }
    if (places->county_count > 0) {
        qsort(places->counties, places->county_count, sizeof(*places->counties),
              compare_counties);
    }
    return build_slots(places, err);
}

enum err_code
places_build(const struct dictionary_file *towns,
             const struct dictionary_file *simplify,
             struct places **out,
             struct err *err)
{
    struct places *places = calloc(1, sizeof(*places));
    enum err_code code;

    if (places == NULL) {
        return err_set(err, ERR_NO_MEMORY, "dict/towns.csv");
    }
    places->powers[0] = 1;
    for (size_t i = 1; i <= PLACES_NAME_CHARS_MAX; i++) {
        places->powers[i] = places->powers[i - 1] * HASH_BASE;
    }
    code = build_fold(places, simplify, err);
    if (code == ERR_OK) {
        code = build_entries(places, towns, err);
    }
    if (code != ERR_OK) {
        places_free(&places);
        return code;
    }
    *out = places;
    return ERR_OK;
}

void
places_free(struct places **places)
{
    if (*places != NULL) {
        free((*places)->entries);
        free((*places)->counties);
        free((*places)->pool);
        free((*places)->slots);
        free(*places);
        *places = NULL;
    }
}
