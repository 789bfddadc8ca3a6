/* The query of a request as named values; unknown ones are refused. */
#include "server/serve/params.h"

#include <stdlib.h>
#include <string.h>

#include "server/base/nearest.h"
#include "server/serve/http.h"
#include "server/serve/query.h"

enum { PARAM_NAME_BYTES = 32 };

void
params_from_request(const struct http_request *request, struct params *out)
{
    size_t count = http_request_query_count(request);

    out->count = count < PARAMS_MAX ? count : PARAMS_MAX;
    for (size_t i = 0; i < out->count; i++) {
        http_request_query_at(request, i, &out->items[i].name,
                              &out->items[i].value);
    }
}

static struct span
copy_span(struct span from, char **to)
{
    struct span copy = {*to, from.bytes};

    if (from.bytes > 0) {
        memcpy(*to, from.data, from.bytes);
        *to += from.bytes;
    }
    return copy;
}

char *
params_copy(const struct params *from, struct params *out)
{
    size_t bytes = 1;
    char *room;
    char *at;

    for (size_t i = 0; i < from->count; i++) {
        bytes += from->items[i].name.bytes + from->items[i].value.bytes;
    }
    room = malloc(bytes);
    if (room == NULL) {
        return NULL;
    }
    at = room;
    out->count = from->count;
    for (size_t i = 0; i < from->count; i++) {
        out->items[i].name = copy_span(from->items[i].name, &at);
        out->items[i].value = copy_span(from->items[i].value, &at);
    }
    return room;
}

void
params_from_text(const char *text, struct params *out)
{
    struct span rest = span_of(text);

    out->count = 0;
    while (rest.bytes > 0 && out->count < PARAMS_MAX) {
        struct span value = span_split(&rest, '&');
        struct span name = span_split(&value, '=');

        out->items[out->count++] = (struct param){name, value};
    }
}

/* The name for a message: client text is shown only when it looks like one. */
static void
printable_name(struct span name, char out[PARAM_NAME_BYTES])
{
    size_t n = 0;

    for (; n < name.bytes && n < PARAM_NAME_BYTES - 1; n++) {
        char c = name.data[n];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
              c == '-')) {
            break;
        }
        out[n] = c;
    }
    out[n] = '\0';
}

static bool
is_known(struct span name, const char *const *known)
{
    for (size_t i = 0; known != NULL && known[i] != NULL; i++) {
        if (span_is(name, known[i])) {
            return true;
        }
    }
    return false;
}

static enum err_code
refuse(struct span name,
       const char *const *known,
       const char *const *more,
       struct err *err)
{
    const char *names[PARAMS_KNOWN_MAX];
    char typed[PARAM_NAME_BYTES];
    const char *nearest;
    size_t count = 0;

    for (size_t i = 0; known[i] != NULL && count < PARAMS_KNOWN_MAX; i++) {
        names[count++] = known[i];
    }
    for (size_t i = 0;
         more != NULL && more[i] != NULL && count < PARAMS_KNOWN_MAX; i++) {
        names[count++] = more[i];
    }
    printable_name(name, typed);
    nearest = nearest_name(typed, names, count);
    if (nearest != NULL) {
        return err_set_field(err, ERR_BAD_VALUE, typed,
                             "no query parameter is called \"%s\"; did you "
                             "mean \"%s\"?",
                             typed, nearest);
    }
    if (count == 0) {
        return err_set_field(err, ERR_BAD_VALUE, typed,
                             "this address takes no query parameters");
    }
    return err_set_field(
        err, ERR_BAD_VALUE, typed,
        "no query parameter is called \"%s\"; the first known one is \"%s\"",
        typed, names[0]);
}

enum err_code
params_check(const struct params *params,
             const char *const *known,
             const char *const *more,
             struct err *err)
{
    for (size_t i = 0; i < params->count; i++) {
        struct span name = params->items[i].name;

        if (!is_known(name, known) && !is_known(name, more)) {
            return refuse(name, known, more, err);
        }
        for (size_t j = 0; j < i; j++) {
            if (span_equal(params->items[j].name, name)) {
                char typed[PARAM_NAME_BYTES];

                printable_name(name, typed);
                return err_set_field(err, ERR_BAD_VALUE, typed,
                                     "the query parameter %s stands twice",
                                     typed);
            }
        }
    }
    return ERR_OK;
}

struct span
params_get(const struct params *params, const char *name)
{
    for (size_t i = 0; i < params->count; i++) {
        if (span_is(params->items[i].name, name) &&
            params->items[i].value.bytes > 0) {
            return params->items[i].value;
        }
    }
    return (struct span){NULL, 0};
}

enum err_code
params_uint(const struct params *params,
            const char *name,
            uint64_t min,
            uint64_t max,
            uint64_t otherwise,
            uint64_t *out,
            struct err *err)
{
    struct span text = params_get(params, name);
    uint64_t value = 0;
    bool bad = text.bytes > 18;

    if (text.bytes == 0) {
        *out = otherwise;
        return ERR_OK;
    }
    for (size_t i = 0; i < text.bytes && !bad; i++) {
        bad = text.data[i] < '0' || text.data[i] > '9';
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    if (bad || value < min || value > max) {
        return err_set_field(err, ERR_BAD_VALUE, name,
                             "%s is a whole number from %llu to %llu", name,
                             (unsigned long long)min, (unsigned long long)max);
    }
    *out = value;
    return ERR_OK;
}

enum err_code
params_switch(const struct params *params,
              const char *name,
              bool *given,
              bool *out,
              struct err *err)
{
    static const char *const words[] = {"0",     "1",    "no",  "yes",
                                        "false", "true", "off", "on"};
    struct span text = params_get(params, name);

    *given = text.bytes > 0;
    *out = false;
    if (!*given) {
        return ERR_OK;
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (span_is(text, words[i])) {
            *out = i % 2 == 1;
            return ERR_OK;
        }
    }
    return err_set_field(err, ERR_BAD_VALUE, name, "%s is 1 or 0", name);
}

enum err_code
params_range(const struct params *params,
             int64_t *from_us,
             int64_t *to_us,
             struct err *err)
{
    struct span from = params_get(params, "from");
    struct span to = params_get(params, "to");

    *from_us = QUERY_FROM_MIN_US;
    *to_us = QUERY_TO_MAX_US;
    if ((from.bytes > 0 &&
         query_time_parse(from, false, "from", from_us, err) != ERR_OK) ||
        (to.bytes > 0 &&
         query_time_parse(to, true, "to", to_us, err) != ERR_OK)) {
        return err->code;
    }
    if (*from_us >= *to_us) {
        return err_set_field(err, ERR_BAD_VALUE, "to",
                             "the range is empty: from must lie before to");
    }
    return ERR_OK;
}

enum err_code
params_set(const struct params *params,
           const char *name,
           params_word *from,
           enum err_code code,
           const char *words,
           uint32_t *out,
           struct err *err)
{
    struct span rest = params_get(params, name);

    *out = 0;
    while (rest.bytes > 0) {
        struct span word = span_trim(span_split(&rest, ','));
        unsigned value;

        if (!from(word, &value)) {
            return err_set_field(err, code, name, "%s is one of %s", name,
                                 words);
        }
        *out |= 1u << value;
    }
    return ERR_OK;
}
