/*
 * rules_pattern: one pattern for PCRE2; its machine code is made when it is
 * first asked.
 *
 * To make the machine code of all patterns is half of the work of reading the
 * tables, and a program that judges one text asks a few of them. Who wants the
 * first question to be as quick as the others calls rules_prepare before.
 */
#ifndef ANALYZERS_RULES_PATTERN_H
#define ANALYZERS_RULES_PATTERN_H

#include <pcre2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "analyzers/span.h"

struct rules_pattern {
    _Atomic bool ready; /* the rest does not change any more */
    bool machine;       /* code has machine code; else PCRE2 interprets it */
    pcre2_code *code;   /* NULL before it is ready, or when memory ran out */
    char *text;         /* owned; what the code is made of */
    size_t bytes;
    uint32_t flags;
};

/*
 * Check and compile at once, machine code later.
 *
 *   flags   PCRE2_ANCHORED or 0
 *   number  PCRE2's number of what is wrong with the pattern, and
 *   offset  its byte; 0 when NULL is returned because memory ran out
 */
struct rules_pattern *rules_pattern_new(struct span text,
                                        uint32_t flags,
                                        int *number,
                                        size_t *offset);

/* The same without any check: compiled when it is first asked. For a pattern
 * that rules_pattern_new has taken with other flags. NULL: no memory. */
struct rules_pattern *rules_pattern_later(struct span text, uint32_t flags);

void rules_pattern_free(struct rules_pattern **pattern);

/* Make what is not there yet; any thread. Cost: about half a millisecond. */
void rules_pattern_make(struct rules_pattern *pattern, pthread_mutex_t *lock);

/* Ready to be asked? Made if it is not. */
static inline void
rules_pattern_need(struct rules_pattern *pattern, pthread_mutex_t *lock)
{
    if (!atomic_load_explicit(&pattern->ready, memory_order_acquire)) {
        rules_pattern_make(pattern, lock);
    }
}

#endif /* ANALYZERS_RULES_PATTERN_H */
