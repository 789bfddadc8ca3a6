/* Writes the rules for other engines and says what they must find. */
#include "bench/portable.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/dictionary.h"
#include "analyzers/macros.h"
#include "analyzers/rules.h"
#include "analyzers/taxonomy.h"
#include "server/base/dict_files.h"

struct portable_matcher {
    const struct portable *portable;
    pcre2_code *codes[PORTABLE_ROWS_MAX];
    pcre2_match_data *match;
    pcre2_match_context *context;
};

/* --- one pattern -------------------------------------------------------- */

/* Where the class or escape that begins at `at` ends. */
static size_t
atom_end(struct span pattern, size_t at)
{
    if (pattern.data[at] == '\\') {
        return at + 2 < pattern.bytes ? at + 2 : pattern.bytes;
    }
    at++;
    while (at < pattern.bytes && pattern.data[at] != ']') {
        at += pattern.data[at] == '\\' ? 2 : 1;
    }
    return at < pattern.bytes ? at + 1 : pattern.bytes;
}

static size_t
group_end(struct span pattern, size_t at)
{
    size_t depth = 0;

    while (at < pattern.bytes) {
        char c = pattern.data[at];

        if (c == '\\' || c == '[') {
            at = atom_end(pattern, at);
            continue;
        }
        at++;
        depth += c == '(';
        depth -= c == ')';
        if (depth == 0) {
            break;
        }
    }
    return at;
}

static int
is_look_around(struct span pattern, size_t at)
{
    static const char *const heads[] = {"(?=", "(?!", "(?<=", "(?<!"};

    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        size_t bytes = strlen(heads[i]);

        if (pattern.bytes - at >= bytes &&
            memcmp(pattern.data + at, heads[i], bytes) == 0) {
            return 1;
        }
    }
    return 0;
}

size_t
portable_pattern(struct span pattern, char *out)
{
    size_t used = 0;
    size_t at = 0;

    while (at < pattern.bytes) {
        char c = pattern.data[at];

        if (c == '\\' || c == '[') {
            size_t end = atom_end(pattern, at);

            memcpy(out + used, pattern.data + at, end - at);
            used += end - at;
            at = end;
        } else if (is_look_around(pattern, at)) {
            at = group_end(pattern, at);
        } else {
            out[used++] = c;
            at++;
            if (c == '(' && (at == pattern.bytes || pattern.data[at] != '?')) {
                out[used++] = '?';
                out[used++] = ':';
            }
        }
    }
    out[used] = '\0';
    return used;
}

/* --- the rows ----------------------------------------------------------- */

static char *
copy_of(const char *data, size_t bytes)
{
    char *copy = malloc(bytes + 1);

    if (copy != NULL) {
        memcpy(copy, data, bytes);
        copy[bytes] = '\0';
    }
    return copy;
}

static enum err_code
add_row(struct portable *portable,
        const struct taxonomy *taxonomy,
        unsigned class_index,
        const char *pattern,
        size_t bytes,
        struct err *err)
{
    const struct taxonomy_row *name = taxonomy_row(
        taxonomy, taxonomy_class_row(taxonomy, (size_t)class_index));
    struct portable_row *row = &portable->rows[portable->count];

    if (bytes == 0) {
        return ERR_OK;
    }
    if (portable->count == PORTABLE_ROWS_MAX) {
        return err_set(err, ERR_TOO_LONG, "more than %d alternations",
                       PORTABLE_ROWS_MAX);
    }
    row->class_index = class_index;
    row->code = copy_of(name->code.data, name->code.bytes);
    row->pattern = copy_of(pattern, bytes);
    portable->count++;
    return row->code != NULL && row->pattern != NULL
               ? ERR_OK
               : err_set(err, ERR_NO_MEMORY, "rules");
}

static int
is_exported(const struct rule *rule, unsigned class_index)
{
    return rule->kind == RULE_SUBCATEGORY && rule->weight > 0 &&
           rule->scope != RULE_SCOPE_BRACKET &&
           rule->class_index == (int32_t)class_index;
}

/* All rules of one second-level name. */
static enum err_code
export_class(const struct dictionary *dictionary,
             const struct macros *macros,
             unsigned class_index,
             size_t pattern_bytes,
             struct portable *portable,
             struct err *err)
{
    struct expansion *expansion = malloc(sizeof(*expansion));
    char *joined = malloc(PORTABLE_BYTES_MAX);
    size_t used = 0;

    if (expansion == NULL || joined == NULL) {
        (void)err_set(err, ERR_NO_MEMORY, "rules");
    }
    for (size_t i = 0;
         err->code == ERR_OK && i < rules_count(dictionary->rules); i++) {
        const struct rule *rule = rules_get(dictionary->rules, i);
        struct pattern_fault fault;

        if (!is_exported(rule, class_index)) {
            continue;
        }
        if (!macros_expand(macros, rule->pattern, expansion, &fault) ||
            used + 3 * expansion->bytes + 2 > PORTABLE_BYTES_MAX) {
            (void)err_set(err, ERR_TOO_LONG, "the rules of one name");
            break;
        }
        if (used > 0) {
            joined[used++] = '|';
        }
        used += portable_pattern(
            (struct span){expansion->text, expansion->bytes}, joined + used);
        portable->rule_count++;
        if (used >= pattern_bytes) {
            (void)add_row(portable, dictionary->taxonomy, class_index, joined,
                          used, err);
            used = 0;
        }
    }
    if (err->code == ERR_OK) {
        (void)add_row(portable, dictionary->taxonomy, class_index, joined, used,
                      err);
    }
    free(joined);
    free(expansion);
    return err->code;
}

static enum err_code
export_all(const struct dict_files *files,
           size_t pattern_bytes,
           struct portable *portable,
           struct err *err)
{
    struct dictionary_options options = {.model_off = true};
    struct dictionary *dictionary = NULL;
    struct macros *macros = NULL;

    if (dictionary_build(files->files, files->count, &options, &dictionary,
                         err) == ERR_OK &&
        macros_build(files->files, files->count, &macros, err) == ERR_OK) {
        size_t classes = taxonomy_class_count(dictionary->taxonomy);

        for (unsigned i = 0; i < classes && err->code == ERR_OK; i++) {
            (void)export_class(dictionary, macros, i, pattern_bytes, portable,
                               err);
        }
    }
    macros_free(&macros);
    dictionary_free(&dictionary);
    return err->code;
}

enum err_code
portable_export(size_t pattern_bytes, struct portable **out, struct err *err)
{
    struct portable *portable = calloc(1, sizeof(*portable));
    struct dict_files files;

    if (portable == NULL) {
        return err_set(err, ERR_NO_MEMORY, "rules");
    }
    if (dict_files_load(NULL, &files, err) == ERR_OK) {
        (void)export_all(&files, pattern_bytes, portable, err);
        dict_files_release(&files);
    }
    if (err->code != ERR_OK) {
        portable_free(&portable);
        return err->code;
    }
    *out = portable;
    return ERR_OK;
}

void
portable_free(struct portable **portable)
{
    if (*portable == NULL) {
        return;
    }
    for (size_t i = 0; i < (*portable)->count; i++) {
        free((*portable)->rows[i].code);
        free((*portable)->rows[i].pattern);
    }
    free(*portable);
    *portable = NULL;
}

/* --- what they say ------------------------------------------------------ */

static enum err_code
compile_row(struct portable_matcher *matcher,
            size_t index,
            int jit,
            struct err *err)
{
    const struct portable_row *row = &matcher->portable->rows[index];
    int number = 0;
    PCRE2_SIZE offset = 0;
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)row->pattern, strlen(row->pattern),
                      PCRE2_UTF | PCRE2_DOTALL, &number, &offset, NULL);

    if (code == NULL) {
        return err_set(err, ERR_BAD_PATTERN, "%s: PCRE2 says %d at byte %zu",
                       row->code, number, (size_t)offset);
    }
    matcher->codes[index] = code;
    if (jit && pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) != 0) {
        return err_set(err, ERR_BAD_PATTERN, "%s: no JIT", row->code);
    }
    return ERR_OK;
}

enum err_code
portable_matcher_new(const struct portable *portable,
                     int jit,
                     struct portable_matcher **out,
                     struct err *err)
{
    struct portable_matcher *matcher = calloc(1, sizeof(*matcher));

    if (matcher == NULL) {
        return err_set(err, ERR_NO_MEMORY, "rules");
    }
    matcher->portable = portable;
    matcher->match = pcre2_match_data_create(1, NULL);
    matcher->context = pcre2_match_context_create(NULL);
    if (matcher->match == NULL || matcher->context == NULL) {
        (void)err_set(err, ERR_NO_MEMORY, "rules");
    }
    for (size_t i = 0; i < portable->count && err->code == ERR_OK; i++) {
        (void)compile_row(matcher, i, jit, err);
    }
    if (err->code != ERR_OK) {
        portable_matcher_free(&matcher);
        return err->code;
    }
    *out = matcher;
    return ERR_OK;
}

void
portable_matcher_free(struct portable_matcher **matcher)
{
    if (*matcher == NULL) {
        return;
    }
    for (size_t i = 0; i < (*matcher)->portable->count; i++) {
        pcre2_code_free((*matcher)->codes[i]);
    }
    pcre2_match_data_free((*matcher)->match);
    pcre2_match_context_free((*matcher)->context);
    free(*matcher);
    *matcher = NULL;
}

enum err_code
portable_match(const struct portable_matcher *matcher,
               struct span text,
               uint64_t *mask,
               struct err *err)
{
    const struct portable *portable = matcher->portable;

    *mask = 0;
    for (size_t i = 0; i < portable->count; i++) {
        uint64_t bit = UINT64_C(1) << portable->rows[i].class_index;
        int found;

        if ((*mask & bit) != 0) {
            continue;
        }
        found =
            pcre2_match(matcher->codes[i], (PCRE2_SPTR)text.data, text.bytes, 0,
                        PCRE2_NO_UTF_CHECK, matcher->match, matcher->context);
        if (found >= 0) {
            *mask |= bit;
        } else if (found != PCRE2_ERROR_NOMATCH) {
            return err_set(err, ERR_IO, "%s: PCRE2 gave up with %d",
                           portable->rows[i].code, found);
        }
    }
    return ERR_OK;
}
