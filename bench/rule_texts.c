/* Puts texts together out of patterns, sentences and labelled texts. */
#include "bench/rule_texts.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/macros.h"
#include "analyzers/rules.h"
#include "analyzers/table.h"
#include "bench/pattern_text.h"

enum {
    FILE_BYTES_MAX = 64 * 1024 * 1024,
    SENTENCES_MAX = 5, /* of rules in one text */
    ALTERATIONS_MAX = 5,
    PIECE_CHARS_MAX = 8,
    FILLER_CHARS_MAX = 15
};

/* The three cells of a rule, word groups written out. */
enum rule_cell { CELL_PATTERN, CELL_ALSO, CELL_UNLESS, CELL_COUNT };

struct rule_source {
    struct span cells[CELL_COUNT]; /* owned */
    const struct rule *rule;
};

struct rule_texts {
    struct rule_source *rules;
    size_t rule_count;
    struct span *labelled; /* of `tables` */
    size_t labelled_count;
    struct table **tables;
    size_t table_count;
    struct span strangers; /* owned: all labelled texts, one after the other */
};

/* A text while it is put together. */
struct draft {
    const struct rule_texts *texts;
    struct random *random;
    char *out;
    size_t used;
};

/* ------------------------------------------------------------------ sources */

static enum err_code
expand_rules(struct rule_texts *texts,
             const struct rules *rules,
             const struct macros *macros,
             struct err *err)
{
    struct expansion *expansion = malloc(sizeof(*expansion));

    texts->rule_count = rules_count(rules);
    texts->rules = calloc(texts->rule_count + 1, sizeof(*texts->rules));
    if (expansion == NULL || texts->rules == NULL) {
        (void)err_set(err, ERR_NO_MEMORY, "texts of rules");
    }
    for (size_t i = 0; err->code == ERR_OK && i < texts->rule_count; i++) {
        struct rule_source *source = &texts->rules[i];
        const struct rule *rule = rules_get(rules, i);
        const struct span cells[CELL_COUNT] = {rule->pattern, rule->also,
                                               rule->unless};

        source->rule = rule;
        for (size_t c = 0; c < CELL_COUNT; c++) {
            struct pattern_fault fault;
            bool fine = macros_expand(macros, cells[c], expansion, &fault);
            char *copy = malloc(expansion->bytes + 1);

            assert(fine); /* the dictionary was built of the same files */
            if (copy == NULL) {
                (void)err_set(err, ERR_NO_MEMORY, "texts of rules");
                break;
            }
            memcpy(copy, expansion->text, expansion->bytes);
            source->cells[c] = (struct span){copy, expansion->bytes};
        }
    }
    free(expansion);
    return err->code;
}

static enum err_code
read_file(const char *path, struct span *out, struct err *err)
{
    FILE *file = fopen(path, "rb");
    char *data = NULL;
    long bytes;

    if (file == NULL || fseek(file, 0, SEEK_END) != 0 ||
        (bytes = ftell(file)) < 0 || fseek(file, 0, SEEK_SET) != 0) {
        (void)err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    } else if (bytes > FILE_BYTES_MAX) {
        (void)err_set(err, ERR_TOO_LONG, "%s: more than %d MiB", path,
                      FILE_BYTES_MAX >> 20);
    } else if ((data = malloc((size_t)bytes + 1)) == NULL) {
        (void)err_set(err, ERR_NO_MEMORY, "%s", path);
    } else if (fread(data, 1, (size_t)bytes, file) != (size_t)bytes) {
        (void)err_set(err, ERR_IO, "%s: cannot be read", path);
    } else {
        *out = (struct span){data, (size_t)bytes};
        data = NULL;
    }
    free(data);
    if (file != NULL) {
        (void)fclose(file);
    }
    return err->code;
}

static enum err_code
add_labelled(struct rule_texts *texts, const char *path, struct err *err)
{
    struct table *table = NULL;
    struct span bytes = {NULL, 0};
    struct span *more;
    size_t column;
    size_t rows;

    if (read_file(path, &bytes, err) != ERR_OK ||
        table_parse(path, bytes, &table, err) != ERR_OK) {
        goto out;
    }
    texts->tables[texts->table_count++] = table;
    rows = table_row_count(table);
    if (table_need_column(table, "text", &column, err) != ERR_OK) {
        goto out;
    }
    more = realloc(texts->labelled,
                   (texts->labelled_count + rows + 1) * sizeof(*more));
    if (more == NULL) {
        (void)err_set(err, ERR_NO_MEMORY, "%s", path);
        goto out;
    }
    texts->labelled = more;
    for (size_t row = 0; row < rows; row++) {
        more[texts->labelled_count] = table_cell(table, row, column);
        texts->labelled_count += more[texts->labelled_count].bytes > 0;
    }
out:
    free((char *)(uintptr_t)bytes.data);
    return err->code;
}

static enum err_code
join_labelled(struct rule_texts *texts, struct err *err)
{
    size_t bytes = 0;
    char *all;

    for (size_t i = 0; i < texts->labelled_count; i++) {
        bytes += texts->labelled[i].bytes;
    }
    all = malloc(bytes + 1);
    if (all == NULL) {
        return err_set(err, ERR_NO_MEMORY, "labelled texts");
    }
    texts->strangers = (struct span){all, bytes};
    for (size_t i = 0; i < texts->labelled_count; i++) {
        memcpy(all, texts->labelled[i].data, texts->labelled[i].bytes);
        all += texts->labelled[i].bytes;
    }
    return bytes > 0 ? ERR_OK
                     : err_set(err, ERR_BAD_TABLE, "there is no text in them");
}

enum err_code
rule_texts_new(const struct dictionary_file *files,
               size_t file_count,
               const struct dictionary *dictionary,
               char **paths,
               size_t path_count,
               struct rule_texts **out,
               struct err *err)
{
    struct rule_texts *texts = calloc(1, sizeof(*texts));
    struct macros *macros = NULL;

    if (texts == NULL ||
        (texts->tables = calloc(path_count + 1, sizeof(*texts->tables))) ==
            NULL) {
        rule_texts_free(&texts);
        return err_set(err, ERR_NO_MEMORY, "texts of rules");
    }
    if (macros_build(files, file_count, &macros, err) == ERR_OK) {
        (void)expand_rules(texts, dictionary->rules, macros, err);
    }
    macros_free(&macros);
    for (size_t i = 0; err->code == ERR_OK && i < path_count; i++) {
        (void)add_labelled(texts, paths[i], err);
    }
    if (err->code != ERR_OK || join_labelled(texts, err) != ERR_OK) {
        rule_texts_free(&texts);
        return err->code;
    }
    *out = texts;
    return ERR_OK;
}

void
rule_texts_free(struct rule_texts **texts)
{
    struct rule_texts *old = *texts;

    if (old == NULL) {
        return;
    }
    for (size_t i = 0; old->rules != NULL && i < old->rule_count; i++) {
        for (size_t c = 0; c < CELL_COUNT; c++) {
            free((char *)(uintptr_t)old->rules[i].cells[c].data);
        }
    }
    for (size_t i = 0; i < old->table_count; i++) {
        table_free(&old->tables[i]);
    }
    free((char *)(uintptr_t)old->strangers.data);
    free(old->rules);
    free(old->labelled);
    free(old->tables);
    free(old);
    *texts = NULL;
}

/* -------------------------------------------------------------- alterations */

/* The byte where the character at or before `at` begins. */
static size_t
char_start(const struct draft *draft, size_t at)
{
    while (at > 0 && at < draft->used &&
           ((unsigned char)draft->out[at] & 0xC0) == 0x80) {
        at--;
    }
    return at;
}

static size_t
some_place(const struct draft *draft)
{
    return char_start(draft,
                      random_below(draft->random, (uint32_t)draft->used + 1));
}

/* Up to PIECE_CHARS_MAX characters from there. */
static size_t
some_piece(const struct draft *draft, size_t from)
{
    size_t left = 1 + random_below(draft->random, PIECE_CHARS_MAX);
    size_t at = from;

    while (left-- > 0) {
        at += utf8_next((struct span){draft->out + at, draft->used - at}, NULL);
    }
    return at - from;
}

/* Put `with` in the place of bytes [at, at + gone); nothing when it is too
 * long. `with` is no part of the draft. */
static void
exchange(struct draft *draft, size_t at, size_t gone, struct span with)
{
    if (draft->used - gone + with.bytes > RULE_TEXT_BYTES_MAX) {
        return;
    }
    memmove(draft->out + at + with.bytes, draft->out + at + gone,
            draft->used - at - gone);
    if (with.bytes > 0) {
        memcpy(draft->out + at, with.data, with.bytes);
    }
    draft->used = draft->used - gone + with.bytes;
}

static void
append(struct draft *draft, struct span more)
{
    exchange(draft, draft->used, 0, more);
}

/* Some characters that stand beside each other in a labelled text. */
static struct span
some_filler(const struct draft *draft)
{
    struct span strangers = draft->texts->strangers;
    struct span first = pattern_text_stranger(strangers, draft->random);
    size_t left = random_below(draft->random, FILLER_CHARS_MAX);
    struct span rest = {
        first.data, (size_t)(strangers.data + strangers.bytes - first.data)};
    size_t bytes = first.bytes;

    while (left-- > 0) {
        bytes += utf8_next((struct span){rest.data + bytes, rest.bytes - bytes},
                           NULL);
    }
    return (struct span){first.data, bytes};
}

static struct span
some_mark(const struct draft *draft)
{
    static const char *const marks[] = {"，", "。", "！", "？", "；", "、",
                                        "\n", " ",  "",   "",   "",   ""};

    return span_of(
        marks[random_below(draft->random, sizeof(marks) / sizeof(*marks))]);
}

/* One change at one place. */
static void
alter(struct draft *draft)
{
    size_t at = some_place(draft);
    size_t one =
        utf8_next((struct span){draft->out + at, draft->used - at}, NULL);
    size_t bytes = some_piece(draft, at);
    char piece[4 * PIECE_CHARS_MAX];

    memcpy(piece, draft->out + at, bytes);
    switch (random_below(draft->random, 8)) {
    case 0: /* a character goes */
        exchange(draft, at, one, (struct span){NULL, 0});
        break;
    case 1: /* becomes another */
        exchange(draft, at, one,
                 pattern_text_stranger(draft->texts->strangers, draft->random));
        break;
    case 2:
        exchange(draft, at, 0,
                 pattern_text_stranger(draft->texts->strangers, draft->random));
        break;
    case 3:
        exchange(draft, at, 0, some_filler(draft));
        break;
    case 4:
        exchange(draft, at, 0, some_mark(draft));
        break;
    case 5: /* a piece stands twice */
        exchange(draft, at, 0, (struct span){piece, bytes});
        break;
    case 6: /* a piece moves */
        exchange(draft, at, bytes, (struct span){NULL, 0});
        exchange(draft, some_place(draft), 0, (struct span){piece, bytes});
        break;
    default: /* a piece goes */
        exchange(draft, at, bytes, (struct span){NULL, 0});
        break;
    }
}

/* --------------------------------------------------------------- whole texts
 */

static const struct rule_source *
some_rule(const struct draft *draft)
{
    return &draft->texts->rules[random_below(
        draft->random, (uint32_t)draft->texts->rule_count)];
}

static void
append_pattern(struct draft *draft, struct span pattern)
{
    if (pattern.bytes > 0) {
        draft->used += pattern_text_write(
            pattern, draft->texts->strangers, draft->random,
            draft->out + draft->used, RULE_TEXT_BYTES_MAX - draft->used);
    }
}

/* What a rule's three cells match: `also` nearly always, `unless` now and
 * then, in any order. */
static void
append_rule(struct draft *draft)
{
    const struct rule_source *source = some_rule(draft);
    bool bracket = source->rule->scope == RULE_SCOPE_BRACKET &&
                   random_below(draft->random, 8) > 0;
    enum rule_cell first =
        random_below(draft->random, 2) == 0 ? CELL_PATTERN : CELL_ALSO;

    append(draft, bracket ? span_of("【") : some_mark(draft));
    for (int turn = 0; turn < 2; turn++) {
        enum rule_cell cell = turn == 0               ? first
                              : first == CELL_PATTERN ? CELL_ALSO
                                                      : CELL_PATTERN;

        if (cell == CELL_ALSO && random_below(draft->random, 8) == 0) {
            continue;
        }
        append_pattern(draft, source->cells[cell]);
        if (random_below(draft->random, 2) == 0) {
            append(draft, some_filler(draft));
        }
    }
    if (random_below(draft->random, 6) == 0) {
        append_pattern(draft, source->cells[CELL_UNLESS]);
    }
    append(draft, bracket ? span_of("】") : some_mark(draft));
}

static void
append_sentence(struct draft *draft)
{
    const struct rule *rule = some_rule(draft)->rule;
    struct span cell = random_below(draft->random, 4) == 0
                           ? rule->must_not_match
                           : rule->must_match;
    struct span chosen = {NULL, 0};
    uint32_t count = 0;

    while (cell.bytes > 0) {
        struct span sentence = span_trim(span_split(&cell, '|'));

        if (random_below(draft->random, ++count) == 0) {
            chosen = sentence;
        }
    }
    append(draft, chosen);
    append(draft, some_mark(draft));
}

/* A labelled text, whole or from some character on. */
static void
append_labelled(struct draft *draft, bool whole)
{
    struct span text = draft->texts->labelled[random_below(
        draft->random, (uint32_t)draft->texts->labelled_count)];
    size_t from =
        whole ? 0
              : utf8_cut(text.data,
                         random_below(draft->random, (uint32_t)text.bytes));

    append(draft, (struct span){text.data + from, text.bytes - from});
}

size_t
rule_texts_write(const struct rule_texts *texts,
                 struct random *random,
                 char *out)
{
    struct draft draft = {.texts = texts, .random = random, .out = out};
    uint32_t kind = random_below(random, 3);
    uint32_t parts = 1 + random_below(random, SENTENCES_MAX);
    uint32_t changes = random_below(random, ALTERATIONS_MAX + 1);

    if (kind == 2) {
        append_labelled(&draft, true);
        if (parts > 1) {
            draft.used = some_place(&draft);
            append_labelled(&draft, false);
        }
    } else {
        for (uint32_t i = 0; i < parts && texts->rule_count > 0; i++) {
            if (kind == 0) {
                append_rule(&draft);
            } else {
                append_sentence(&draft);
            }
        }
    }
    while (changes-- > 0) {
        alter(&draft);
    }
    return draft.used;
}
