/* A pattern's code, and its machine code when it is first asked. */
#include "analyzers/rules_pattern.h"

#include <stdlib.h>
#include <string.h>

static pcre2_code *
compile(const struct rules_pattern *pattern, int *number, size_t *offset)
{
    return pcre2_compile((PCRE2_SPTR)pattern->text, pattern->bytes,
                         PCRE2_UTF | PCRE2_DOTALL | PCRE2_NO_AUTO_CAPTURE |
                             PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C |
                             pattern->flags,
                         number, offset, NULL);
}

struct rules_pattern *
rules_pattern_later(struct span text, uint32_t flags)
{
    struct rules_pattern *pattern = calloc(1, sizeof(*pattern));

    if (pattern == NULL || (pattern->text = malloc(text.bytes + 1)) == NULL) {
        free(pattern);
        return NULL;
    }
    memcpy(pattern->text, text.data, text.bytes);
    pattern->bytes = text.bytes;
    pattern->flags = flags;
    atomic_init(&pattern->ready, false);
    return pattern;
}

struct rules_pattern *
rules_pattern_new(struct span text, uint32_t flags, int *number, size_t *offset)
{
    struct rules_pattern *pattern = rules_pattern_later(text, flags);

    *number = 0;
    *offset = 0;
    if (pattern == NULL) {
        return NULL;
    }
    pattern->code = compile(pattern, number, offset);
    if (pattern->code == NULL) {
        rules_pattern_free(&pattern);
        return NULL;
    }
    free(pattern->text);
    pattern->text = NULL;
    return pattern;
}

void
rules_pattern_free(struct rules_pattern **pattern)
{
    if (*pattern != NULL) {
        pcre2_code_free((*pattern)->code);
        free((*pattern)->text);
        free(*pattern);
        *pattern = NULL;
    }
}

void
rules_pattern_make(struct rules_pattern *pattern, pthread_mutex_t *lock)
{
    size_t jit_bytes = 0;
    size_t offset;
    int number;

    (void)pthread_mutex_lock(lock);
    if (!atomic_load_explicit(&pattern->ready, memory_order_relaxed)) {
        if (pattern->code == NULL) {
            pattern->code = compile(pattern, &number, &offset);
        }
        pattern->machine =
            pattern->code != NULL &&
            pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE) == 0 &&
            pcre2_pattern_info(pattern->code, PCRE2_INFO_JITSIZE, &jit_bytes) ==
                0 &&
            jit_bytes > 0;
        free(pattern->text);
        pattern->text = NULL;
        atomic_store_explicit(&pattern->ready, true, memory_order_release);
    }
    (void)pthread_mutex_unlock(lock);
}
