/*
 * params: the query of a request as named values; unknown ones are refused.
 *
 * An empty value counts as not given: a form sends those.
 */
#ifndef SERVE_PARAMS_H
#define SERVE_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzers/err.h"
#include "analyzers/span.h"

struct http_request; /* server/serve/http.h */

enum { PARAMS_MAX = 64, PARAMS_KNOWN_MAX = 48 };

struct param {
    struct span name;
    struct span value;
};

struct params {
    struct param items[PARAMS_MAX]; /* borrowed */
    size_t count;
};

/* The request's query; borrowed from it. */
void params_from_request(const struct http_request *request,
                         struct params *out);

/* The same parameters with bytes of their own, behind the request: free the
 * result when they are not needed any more. NULL: no memory. */
char *params_copy(const struct params *from, struct params *out);

/* "a=1&b=2", values as they stand; for tests and defaults. */
void params_from_text(const char *text, struct params *out);

/*
 * Are all names among the known ones, each once?
 *   known, more   arrays of names, each ended by NULL; `more` may be NULL
 * Errors  BAD_VALUE, naming the nearest known name
 */
enum err_code params_check(const struct params *params,
                           const char *const *known,
                           const char *const *more,
                           struct err *err) MUST_CHECK;

/* The value, or the empty span. */
struct span params_get(const struct params *params, const char *name);

/* A whole number, or `otherwise` when not given.
 * Errors  BAD_VALUE with the range */
enum err_code params_uint(const struct params *params,
                          const char *name,
                          uint64_t min,
                          uint64_t max,
                          uint64_t otherwise,
                          uint64_t *out,
                          struct err *err) MUST_CHECK;

/* 1|yes|true|on or 0|no|false|off. *given says whether it stands there.
 * Errors  BAD_VALUE */
enum err_code params_switch(const struct params *params,
                            const char *name,
                            bool *given,
                            bool *out,
                            struct err *err) MUST_CHECK;

/* from and to as an exclusive range; either may be missing (query.h, its least
 * and greatest instant).
 * Errors  BAD_TIME; BAD_VALUE when from is not before to */
enum err_code params_range(const struct params *params,
                           int64_t *from_us,
                           int64_t *to_us,
                           struct err *err) MUST_CHECK;

/*
 * A comma list of words as a bit set; 0 when not given.
 *   from   writes the value of one word, false for an unknown one
 *   words  what to offer in the message: "urban, rural, …"
 * Errors  `code`
 */
typedef bool params_word(struct span word, unsigned *out);
enum err_code params_set(const struct params *params,
                         const char *name,
                         params_word *from,
                         enum err_code code,
                         const char *words,
                         uint32_t *out,
                         struct err *err) MUST_CHECK;

#endif /* SERVE_PARAMS_H */
