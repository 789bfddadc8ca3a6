/* One pass from the text as it came to the text as the rules read it. */
#include "analyzers/clean.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/dictionary_file.h"

enum {
    BMP_CODE_POINTS = 0x10000,
    PHRASE_BUCKETS = 1024,
    PINYIN_LETTERS_MAX = 7
};

/* Values of `map` that are no character but something to be done. They lie in
 * the private use area, whose own characters are dropped. */
enum special {
    SPECIAL_DROP = 0,
    SPECIAL_BLANK = 0xE000,
    SPECIAL_LINE_END,
    SPECIAL_BRACKET,    /* ( or （: perhaps pinyin */
    SPECIAL_COMMA,      /* , inside a number stays */
    SPECIAL_FULL_STOP,  /* . inside a number or an address stays */
    SPECIAL_COLON,      /* : inside a time stays */
    SPECIAL_UNDERSCORE, /* perhaps _x000D_ */
    SPECIAL_LAST
};

/* A boilerplate phrase, found from its last two characters backwards. */
struct phrase {
    uint16_t next; /* index + 1 of the next in the bucket, longer first */
    uint16_t count;
    uint16_t code_points[CLEAN_PHRASE_CHARS_MAX];
};

struct cleaner {
    uint16_t map[BMP_CODE_POINTS];
    uint8_t ends_phrase[BMP_CODE_POINTS / 8];
    uint8_t plain[BMP_CODE_POINTS / 8]; /* stays what it is, ends nothing */
    uint16_t buckets[PHRASE_BUCKETS];   /* index + 1 into phrases */
    struct phrase *phrases;
    size_t phrase_count;
};

/* ------------------------------------------------------------------ build */

static inline bool
ends_sentence(uint16_t c)
{
    return c == 0x3002 || c == 0xFF01 || c == 0xFF1F || c == 0xFF1B ||
           c == '\n';
}

static void
map_range(struct cleaner *cleaner,
          uint32_t first,
          uint32_t last,
          uint16_t value)
{
    for (uint32_t c = first; c <= last; c++) {
        cleaner->map[c] = value;
    }
}

static void
map_all(struct cleaner *cleaner, const char *from, uint16_t value)
{
    struct span rest = span_of(from);
    uint32_t c;
    size_t bytes;

    while ((bytes = utf8_next(rest, &c)) > 0) {
        cleaner->map[c] = value;
        rest.data += bytes;
        rest.bytes -= bytes;
    }
}

/* What is the same in every dictionary: the repertoire of Unicode. */
static void
map_defaults(struct cleaner *cleaner)
{
    for (uint32_t c = 0x20; c < BMP_CODE_POINTS; c++) {
        cleaner->map[c] = (uint16_t)c;
    }
    map_range(cleaner, 0x00, 0x1F, SPECIAL_DROP);
    map_range(cleaner, 0x7F, 0x9F, SPECIAL_DROP);
    map_range(cleaner, 0x200B, 0x200F, SPECIAL_DROP); /* zero width, marks */
    map_range(cleaner, 0x202A, 0x202E, SPECIAL_DROP); /* direction */
    map_range(cleaner, 0x2060, 0x206F, SPECIAL_DROP);
    map_range(cleaner, 0xFE00, 0xFE0F, SPECIAL_DROP); /* variation selectors */
    map_range(cleaner, 0xD800, 0xF8FF, SPECIAL_DROP); /* surrogates, private */
    map_range(cleaner, 0x0300, 0x036F, SPECIAL_DROP); /* combining */
    cleaner->map[0x00AD] = SPECIAL_DROP;
    cleaner->map[0xFEFF] = SPECIAL_DROP;
    cleaner->map[0xFFFD] = SPECIAL_DROP;
    for (uint16_t c = 'A'; c <= 'Z'; c++) {
        cleaner->map[c] = (uint16_t)(c - 'A' + 'a');
    }
    for (uint16_t c = 0xFF01; c <= 0xFF5E; c++) { /* full width */
        cleaner->map[c] = cleaner->map[c - 0xFF01 + 0x21];
    }
    for (uint16_t i = 0; i < 9; i++) { /* circled, bracketed, dotted digits */
        cleaner->map[0x2460 + i] = (uint16_t)('1' + i);
        cleaner->map[0x2474 + i] = (uint16_t)('1' + i);
        cleaner->map[0x2488 + i] = (uint16_t)('1' + i);
    }
    map_all(cleaner, " \t\xC2\xA0\xE3\x80\x80", SPECIAL_BLANK);
    map_range(cleaner, 0x2000, 0x200A, SPECIAL_BLANK);
    map_all(cleaner, "\n\r\v\f\xE2\x80\xA8\xE2\x80\xA9", SPECIAL_LINE_END);
    map_all(cleaner, "(（", SPECIAL_BRACKET);
    map_all(cleaner, ",", SPECIAL_COMMA);
    map_all(cleaner, ".．", SPECIAL_FULL_STOP);
    map_all(cleaner, ":：", SPECIAL_COLON);
    map_all(cleaner, "_＿", SPECIAL_UNDERSCORE);
    map_all(cleaner, "，﹐､", 0xFF0C); /* ， */
    map_all(cleaner, "。｡﹒", 0x3002); /* 。 */
    map_all(cleaner, "!！﹗", 0xFF01); /* ！ */
    map_all(cleaner, "?？﹖", 0xFF1F); /* ？ */
    map_all(cleaner, ";；﹔", 0xFF1B); /* ； */
    map_all(cleaner, ")）", ')');
    map_all(cleaner, "“”„‟\"＂「」『』﹁﹂﹃﹄", '"');
    map_all(cleaner, "‘’'＇`", '\'');
    map_all(cleaner, "～〜∼", '~');
    map_all(cleaner, "—–－‐‑―─", '-');
}

static enum err_code
one_code_point(const struct table *table,
               size_t row,
               size_t column,
               uint32_t *out,
               struct err *err)
{
    struct span cell = table_cell(table, row, column);

    if (cell.bytes == 0 || utf8_next(cell, out) != cell.bytes ||
        *out >= BMP_CODE_POINTS || *out < 0x80) {
        return table_error(table, row, column, ERR_BAD_TABLE, err,
                           "'%.*s' is not one Chinese character",
                           SPAN_ARGS(cell));
    }
    return ERR_OK;
}

static enum err_code
read_simplified(struct cleaner *cleaner,
                const struct dictionary_file *file,
                struct err *err)
{
    struct table *table = NULL;
    size_t from_column;
    size_t to_column;
    enum err_code code = dictionary_file_parse(file, &table, err);

    if (code != ERR_OK) {
        return code;
    }
    if ((code = table_need_column(table, "traditional", &from_column, err)) ||
        (code = table_need_column(table, "simplified", &to_column, err))) {
        goto out;
    }
    for (size_t row = 0; row < table_row_count(table); row++) {
        uint32_t from;
        uint32_t to;

        if (one_code_point(table, row, from_column, &from, err) == ERR_OK &&
            one_code_point(table, row, to_column, &to, err) == ERR_OK) {
            cleaner->map[from] = (uint16_t)to;
        } else if (!table_go_on(table, err)) {
            code = err->code;
            goto out;
        }
    }
    code = table_end(table, err);
out:
    table_free(&table);
    return code;
}

static size_t
phrase_bucket(uint16_t last_but_one, uint16_t last)
{
    return ((uint32_t)last_but_one * 31u + (uint32_t)last * 0x9E5u) %
           PHRASE_BUCKETS;
}

/* Into its bucket, longer phrases first. */
static void
link_phrase(struct cleaner *cleaner, size_t index)
{
    struct phrase *phrase = &cleaner->phrases[index];
    uint16_t last = phrase->code_points[phrase->count - 1];
    uint16_t *link = &cleaner->buckets[phrase_bucket(
        phrase->code_points[phrase->count - 2], last)];

    while (*link != 0 && cleaner->phrases[*link - 1].count > phrase->count) {
        link = &cleaner->phrases[*link - 1].next;
    }
    phrase->next = *link;
    *link = (uint16_t)(index + 1);
    cleaner->ends_phrase[last / 8] |= (uint8_t)(1u << (last % 8));
}

static enum err_code
add_phrase(struct cleaner *cleaner,
           const struct table *table,
           size_t row,
           size_t column,
           struct clean_text *work,
           struct err *err)
{
    struct phrase *phrase = &cleaner->phrases[cleaner->phrase_count];

    clean_text(cleaner, table_cell(table, row, column), work);
    if (work->char_count < 2 || work->char_count > CLEAN_PHRASE_CHARS_MAX) {
        return table_error(table, row, column, ERR_BAD_TABLE, err,
                           "a phrase has 2 to %d characters",
                           CLEAN_PHRASE_CHARS_MAX);
    }
    phrase->count = (uint16_t)work->char_count;
    memcpy(phrase->code_points, work->code_point,
           work->char_count * sizeof(uint16_t));
    cleaner->phrase_count++;
    return ERR_OK;
}

static enum err_code
read_phrases(struct cleaner *cleaner,
             const struct dictionary_file *file,
             struct err *err)
{
    struct table *table = NULL;
    struct clean_text *work = malloc(sizeof(*work));
    size_t column;
    enum err_code code = dictionary_file_parse(file, &table, err);

    if (work == NULL) {
        code = err_set(err, ERR_NO_MEMORY, "boilerplate.csv");
    }
    if (code != ERR_OK ||
        (code = table_need_column(table, "phrase", &column, err))) {
        goto out;
    }
    if (table_row_count(table) > CLEAN_PHRASES_MAX) {
        code = err_set(err, ERR_TOO_LONG,
                       "dict/boilerplate.csv: more than %d rows",
                       CLEAN_PHRASES_MAX);
        goto out;
    }
    cleaner->phrases =
        calloc(table_row_count(table) + 1, sizeof(*cleaner->phrases));
    if (cleaner->phrases == NULL) {
        code = err_set(err, ERR_NO_MEMORY, "boilerplate.csv");
        goto out;
    }
    for (size_t row = 0; row < table_row_count(table); row++) {
        (void)!add_phrase(cleaner, table, row, column, work, err);
        if (!table_go_on(table, err)) {
            code = err->code;
            goto out;
        }
    }
    code = table_end(table, err);
    /* Only now: a phrase must not be cleaned by the phrases before it. */
    for (size_t i = 0; i < cleaner->phrase_count; i++) {
        link_phrase(cleaner, i);
    }
out:
    free(work);
    table_free(&table);
    return code;
}

static void
find_plain(struct cleaner *cleaner)
{
    for (uint32_t c = 0x800; c < BMP_CODE_POINTS; c++) {
        if (cleaner->map[c] == c && !ends_sentence((uint16_t)c) &&
            (cleaner->ends_phrase[c / 8] >> (c % 8) & 1) == 0) {
            cleaner->plain[c / 8] |= (uint8_t)(1u << (c % 8));
        }
    }
}

enum err_code
cleaner_build(const struct dictionary_file *files,
              size_t file_count,
              struct cleaner **out,
              struct err *err)
{
    const struct dictionary_file *simplified =
        dictionary_find_file(files, file_count, "t2s.csv");
    const struct dictionary_file *phrases =
        dictionary_find_file(files, file_count, "boilerplate.csv");
    struct cleaner *cleaner = calloc(1, sizeof(*cleaner));
    struct err first = {0};
    struct err second = {0};
    bool go_on = true;

    if (cleaner == NULL) {
        return err_set(err, ERR_NO_MEMORY, "the text cleaner");
    }
    map_defaults(cleaner);
    if (simplified != NULL) {
        (void)!read_simplified(cleaner, simplified, &first);
        go_on = dictionary_file_next(simplified->faults, &first, err);
    }
    if (go_on && phrases != NULL) {
        (void)!read_phrases(cleaner, phrases, &second);
        (void)dictionary_file_next(phrases->faults, &second, err);
    }
    if (err->code != ERR_OK) {
        cleaner_free(&cleaner);
        return err->code;
    }
    find_plain(cleaner);
    *out = cleaner;
    return ERR_OK;
}

void
cleaner_free(struct cleaner **cleaner)
{
    if (*cleaner != NULL) {
        free((*cleaner)->phrases);
        free(*cleaner);
        *cleaner = NULL;
    }
}

uint32_t
cleaner_maps(const struct cleaner *cleaner, uint32_t code_point)
{
    uint16_t mapped;

    if (code_point >= BMP_CODE_POINTS) {
        return 0;
    }
    mapped = cleaner->map[code_point];
    switch (mapped) {
    case SPECIAL_BLANK:
        return ' ';
    case SPECIAL_LINE_END:
        return '\n';
    case SPECIAL_BRACKET:
        return '(';
    case SPECIAL_COMMA:
        return ',';
    case SPECIAL_FULL_STOP:
        return '.';
    case SPECIAL_COLON:
        return code_point < 0x80 ? ':' : 0xFF1A;
    case SPECIAL_UNDERSCORE:
        return '_';
    default:
        return mapped;
    }
}

/* ------------------------------------------------------------------ clean */

/* The pass: where it reads and what it knows of the character before. */
struct pass {
    const struct cleaner *cleaner;
    struct clean_text *out;
    const uint8_t *in;
    size_t bytes;
    size_t at;      /* byte of the character being looked at */
    size_t char_at; /* its number */
    bool blank;     /* blanks stood before it */
};

static bool
is_digit(uint32_t c)
{
    return c - '0' < 10;
}

static bool
is_word(uint32_t c)
{
    return c < 0x80 && (is_digit(c) || (c - 'a') < 26);
}

static inline size_t
put_utf8(uint16_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    out[0] = (char)(0xE0 | c >> 12);
    out[1] = (char)(0x80 | (c >> 6 & 0x3F));
    out[2] = (char)(0x80 | (c & 0x3F));
    return 3;
}

/* Does the phrase end with the last character written? */
static bool
phrase_stands(const struct phrase *phrase, const struct clean_text *out)
{
    size_t count = out->char_count;

    return phrase->count <= count &&
           memcmp(out->code_point + count - phrase->count, phrase->code_points,
                  phrase->count * sizeof(uint16_t)) == 0;
}

/* Take back the phrase that ends here, if one does. */
static void
take_back_phrase(const struct cleaner *cleaner, struct clean_text *out)
{
    size_t count = out->char_count;
    uint16_t link;

    if (count < 2) {
        return;
    }
    link = cleaner->buckets[phrase_bucket(out->code_point[count - 2],
                                          out->code_point[count - 1])];
    while (link != 0) {
        const struct phrase *phrase = &cleaner->phrases[link - 1];

        if (phrase_stands(phrase, out)) {
            out->char_count = count - phrase->count;
            out->bytes = out->at[out->char_count];
            while (out->sentence_count > 0 &&
                   out->sentence_end[out->sentence_count - 1] >
                       out->char_count) {
                out->sentence_count--;
            }
            return;
        }
        link = phrase->next;
    }
}

static inline void
put_char(struct pass *pass, uint16_t c)
{
    struct clean_text *out = pass->out;
    size_t i = out->char_count++;

    out->code_point[i] = c;
    out->at[i] = (uint16_t)out->bytes;
    out->from_byte[i] = (uint16_t)pass->at;
    out->from_char[i] = (uint16_t)pass->char_at;
    out->bytes += put_utf8(c, out->text + out->bytes);
    if (ends_sentence(c)) {
        out->sentence_end[out->sentence_count++] = (uint16_t)out->char_count;
    }
    if ((pass->cleaner->ends_phrase[c / 8] >> (c % 8) & 1) != 0) {
        take_back_phrase(pass->cleaner, out);
    }
}

static uint16_t
char_before(const struct clean_text *out)
{
    return out->char_count > 0 ? out->code_point[out->char_count - 1] : 0;
}

/* A character beyond the basic plane: kept as U+FFFD, which no rule names, so
 * that emoji and rare names divide words. */
static void
put_astral(struct pass *pass)
{
    pass->blank = false;
    put_char(pass, 0xFFFD);
}

static bool
next_is_digit(const struct pass *pass, size_t bytes)
{
    return pass->at + bytes < pass->bytes &&
           is_digit(pass->in[pass->at + bytes]);
}

/*
 * Pinyin in brackets: 1..7 letters of which one bears a tone mark (it lies
 * outside ASCII), or a syllable that has no tone. Returns the bytes and
 * characters after the opening bracket up to and with the closing one, or 0.
 */
static size_t
pinyin_bytes(const struct pass *pass, size_t open_bytes, size_t *chars)
{
    static const char *const toneless[] = {"de", "le", "zhe", "ma",  "ne",
                                           "ba", "me", "ge",  "men", "zi"};
    struct span rest = {(const char *)pass->in + pass->at + open_bytes,
                        pass->bytes - pass->at - open_bytes};
    struct span all = rest;
    size_t letters = 0;
    bool marked = false;

    for (;;) {
        uint32_t c;
        size_t bytes = utf8_next(rest, &c);

        if (bytes == 0 || letters > PINYIN_LETTERS_MAX) {
            return 0;
        }
        rest.data += bytes;
        rest.bytes -= bytes;
        if (c == ')' || c == 0xFF09) {
            *chars = letters + 1;
            all.bytes = (size_t)(rest.data - all.data) - bytes;
            break;
        }
        if ((c >= 0xC0 && c < 0x250) || (c >= 0x300 && c < 0x370)) {
            marked = true;
        } else if (c < 'a' || c > 'z') {
            return 0;
        }
        letters++;
    }
    for (size_t i = 0; !marked && i < sizeof(toneless) / sizeof(*toneless);
         i++) {
        marked = span_is(all, toneless[i]);
    }
    return marked && letters > 0 ? (size_t)(rest.data - all.data) : 0;
}

/* `_x000D_`, Excel's carriage return: its bytes, or 0. */
static size_t
excel_escape_bytes(const struct pass *pass)
{
    static const char escape[] = "_x000d_";
    size_t i = 0;

    while (i < 7 && pass->at + i < pass->bytes &&
           (pass->in[pass->at + i] | (i == 0 || i == 6 ? 0 : 0x20)) ==
               (uint8_t)escape[i]) {
        i++;
    }
    return i == 7 ? 7 : 0;
}

static void
put_line_end(struct pass *pass)
{
    uint16_t before = char_before(pass->out);

    if (before != 0 && !ends_sentence(before)) {
        put_char(pass, '\n');
    }
}

/*
 * A character that is more than its code. Returns the bytes read beyond it;
 * *chars gets their number of characters.
 */
static size_t
do_special(struct pass *pass, uint16_t special, size_t bytes, size_t *chars)
{
    uint16_t before = char_before(pass->out);
    bool in_number = is_digit(before) && next_is_digit(pass, bytes);
    size_t more = 0;

    *chars = 0;
    switch (special) {
    case SPECIAL_LINE_END:
        put_line_end(pass);
        return 0;
    case SPECIAL_BRACKET:
        if (before >= 0x3400) {
            more = pinyin_bytes(pass, bytes, chars);
        }
        if (more == 0) {
            put_char(pass, '(');
        }
        return more;
    case SPECIAL_COMMA:
        put_char(pass, in_number ? ',' : 0xFF0C);
        return 0;
    case SPECIAL_FULL_STOP:
        put_char(pass, is_word(before) ? '.' : 0x3002);
        return 0;
    case SPECIAL_COLON:
        put_char(pass, in_number ? ':' : 0xFF1A);
        return 0;
    default: /* SPECIAL_UNDERSCORE */
        more = bytes == 1 ? excel_escape_bytes(pass) : 0;
        if (more == 0) {
            put_char(pass, '_');
            return 0;
        }
        put_line_end(pass);
        *chars = more - 1;
        return more - 1;
    }
}

/* Decode the character at pass->at: its bytes, 0 for a bad byte. */
static inline size_t
decode(const struct pass *pass, uint32_t *c)
{
    const uint8_t *in = pass->in + pass->at;
    size_t left = pass->bytes - pass->at;

    if (in[0] < 0x80) {
        *c = in[0];
        return 1;
    }
    if ((in[0] & 0xF0) == 0xE0 && left >= 3 && (in[1] & 0xC0) == 0x80 &&
        (in[2] & 0xC0) == 0x80) {
        *c = (uint32_t)(in[0] & 0x0F) << 12 | (uint32_t)(in[1] & 0x3F) << 6 |
             (uint32_t)(in[2] & 0x3F);
        return *c >= 0x800 ? 3 : 0;
    }
    if ((in[0] & 0xE0) == 0xC0 && left >= 2 && (in[1] & 0xC0) == 0x80) {
        *c = (uint32_t)(in[0] & 0x1F) << 6 | (uint32_t)(in[1] & 0x3F);
        return *c >= 0x80 ? 2 : 0;
    }
    if ((in[0] & 0xF8) == 0xF0 && left >= 4 && (in[1] & 0xC0) == 0x80 &&
        (in[2] & 0xC0) == 0x80 && (in[3] & 0xC0) == 0x80) {
        *c = BMP_CODE_POINTS;
        return 4;
    }
    return 0;
}

/* Plain Chinese, most of every text, goes through here: characters of three
 * bytes that stay what they are. False: not such a character. */
static inline bool
take_plain(struct pass *pass)
{
    const struct cleaner *cleaner = pass->cleaner;
    const uint8_t *in = pass->in + pass->at;
    struct clean_text *out = pass->out;
    size_t i = out->char_count;
    uint32_t c;

    if (pass->bytes - pass->at < 3 || (in[0] & 0xF0) != 0xE0 ||
        (in[1] & 0xC0) != 0x80 || (in[2] & 0xC0) != 0x80) {
        return false;
    }
    c = (uint32_t)(in[0] & 0x0F) << 12 | (uint32_t)(in[1] & 0x3F) << 6 |
        (uint32_t)(in[2] & 0x3F);
    if (c < 0x800 || (cleaner->plain[c / 8] >> (c % 8) & 1) == 0) {
        return false;
    }
    out->code_point[i] = (uint16_t)c;
    out->at[i] = (uint16_t)out->bytes;
    out->from_byte[i] = (uint16_t)pass->at;
    out->from_char[i] = (uint16_t)pass->char_at;
    memcpy(out->text + out->bytes, in, 3);
    out->bytes += 3;
    out->char_count = i + 1;
    pass->blank = false;
    pass->at += 3;
    pass->char_at++;
    return true;
}

static void
run_pass(struct pass *pass)
{
    const uint16_t *map = pass->cleaner->map;

    while (pass->at < pass->bytes) {
        uint32_t c;
        size_t bytes;
        size_t more = 0;
        size_t more_chars = 0;
        uint16_t mapped;

        if (take_plain(pass)) {
            continue;
        }
        bytes = decode(pass, &c);
        if (bytes == 0) {
            bytes = 1;
        } else if (c >= BMP_CODE_POINTS) {
            put_astral(pass);
        } else if ((mapped = map[c]) == SPECIAL_BLANK) {
            pass->blank = true;
        } else if (mapped != SPECIAL_DROP) {
            if (pass->blank && is_word(mapped) &&
                is_word(char_before(pass->out))) {
                put_char(pass, ' ');
            }
            pass->blank = false;
            if (mapped >= SPECIAL_BLANK && mapped < SPECIAL_LAST) {
                more = do_special(pass, mapped, bytes, &more_chars);
            } else {
                put_char(pass, mapped);
            }
        }
        pass->at += bytes + more;
        pass->char_at += 1 + more_chars;
    }
}

/* The same text pasted 2..4 times: keep the first. */
static void
undo_pasting(struct clean_text *out)
{
    for (size_t copies = 4; copies >= 2; copies--) {
        size_t part = out->bytes / copies;
        size_t chars = out->char_count / copies;

        if (part < 24 || out->bytes % copies != 0 ||
            memcmp(out->text, out->text + part, out->bytes - part) != 0) {
            continue;
        }
        out->bytes = part;
        out->char_count = chars;
        while (out->sentence_count > 0 &&
               out->sentence_end[out->sentence_count - 1] > chars) {
            out->sentence_count--;
        }
        return;
    }
}

void
clean_text(const struct cleaner *cleaner,
           struct span text,
           struct clean_text *out)
{
    struct pass pass = {.cleaner = cleaner,
                        .out = out,
                        .in = (const uint8_t *)text.data,
                        .bytes = text.bytes};

    out->bytes = 0;
    out->char_count = 0;
    out->sentence_count = 0;
    out->truncated = text.bytes > CLEAN_INPUT_BYTES_MAX;
    if (out->truncated) {
        pass.bytes = utf8_cut(text.data, CLEAN_INPUT_BYTES_MAX);
    }
    run_pass(&pass);
    undo_pasting(out);
    assert(out->char_count <= CLEAN_CHARS_MAX);
    assert(out->bytes <= CLEAN_TEXT_BYTES_MAX);
    out->at[out->char_count] = (uint16_t)out->bytes;
    if (out->sentence_count == 0 ||
        out->sentence_end[out->sentence_count - 1] != out->char_count) {
        out->sentence_end[out->sentence_count++] = (uint16_t)out->char_count;
    }
    memset(out->text + out->bytes, 0, 8);
}

/* Number of the character that holds byte `at` of the cleaned text. */
static size_t
char_of_byte(const struct clean_text *text, size_t at)
{
    size_t low = 0;
    size_t high = text->char_count; /* text->at[high] == text->bytes */

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (text->at[middle] <= at) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

struct clean_origin
clean_origin(const struct clean_text *text,
             struct span original,
             size_t start,
             size_t end)
{
    struct clean_origin origin = {0, 0, 0, 0};
    size_t first;
    size_t last;
    struct span rest;

    if (text->char_count == 0 || start >= text->bytes) {
        return origin;
    }
    first = char_of_byte(text, start);
    last = end > start ? char_of_byte(text, end - 1) : first;
    origin.start_byte = text->from_byte[first];
    origin.start_char = text->from_char[first];
    origin.end_byte = text->from_byte[last];
    origin.end_char = text->from_char[last];
    if (end > start) {
        rest = (struct span){original.data + origin.end_byte,
                             original.bytes - origin.end_byte};
        origin.end_byte += (uint32_t)utf8_next(rest, NULL);
        origin.end_char++;
    }
    return origin;
}
