/*
 * explain_one: POST /v1/explain, one text judged and nothing stored.
 *
 * Input     {"text":…} and, when given, address, unit, type, region: members of
 *           a ticket, with the same words
 * Output    the verdict in the record format, without an id
 */
#ifndef SERVE_EXPLAIN_ONE_H
#define SERVE_EXPLAIN_ONE_H

#include "analyzers/dictionary.h"
#include "server/base/buf.h"

enum {
    EXPLAIN_TEXT_BYTES_MAX = 8192, /* what a ticket's judgement reads */
    EXPLAIN_JSON_BYTES_MAX = 256 * 1024
};

/*
 * Judge the body's text.
 * Errors  BAD_JSON, BAD_UTF8, … of the body; BAD_VALUE, MISSING_FIELD, TOO_LONG
 *         with the field; NO_MEMORY
 * Cost    some microseconds, and one classify_scratch
 */
enum err_code explain_put_json(struct span body,
                               const struct dictionary *dictionary,
                               struct buf *out,
                               struct err *err) MUST_CHECK;

#endif /* SERVE_EXPLAIN_ONE_H */
