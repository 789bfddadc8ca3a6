/*
 * err: one error value for the whole program.
 *
 * A function that can fail returns enum err_code and fills a struct err that
 * its caller owns. The table of errors is err.def; the wire code of an error is
 * its name in lower case.
 */
#ifndef ANALYZERS_ERR_H
#define ANALYZERS_ERR_H

#include <stdbool.h>
#include <stddef.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

enum { ERR_DETAIL_BYTES = 480, ERR_FIELD_BYTES = 40 };

enum err_code {
    ERR_OK = 0,
#define ERR_ROW(name, kind, retry, text) ERR_##name,
#include "analyzers/err.def"
#undef ERR_ROW
    ERR_CODE_COUNT
};

/* What a caller can do about it; serve/ maps kinds to HTTP statuses. */
enum err_kind {
    ERR_KIND_NONE,
    ERR_KIND_BAD_INPUT, /* the input must change */
    ERR_KIND_NOT_FOUND,
    ERR_KIND_BUSY,    /* try again later */
    ERR_KIND_NO_ROOM, /* disk or map full; reads go on */
    ERR_KIND_FAILED   /* somebody must act */
};

struct err {
    enum err_code code;
    char field[ERR_FIELD_BYTES];   /* wire name of the field, or "" */
    char detail[ERR_DETAIL_BYTES]; /* where, what, how to mend; no personal
                                      data; always UTF-8 */
};

/*
 * Record an error and return its code. Sticky: when `err` already holds an
 * error the first one stays and its code is returned. A detail that does not
 * fit is cut at a character boundary.
 */
enum err_code err_set(struct err *err, enum err_code code, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* The same, naming the field that is wrong. */
enum err_code err_set_field(struct err *err,
                            enum err_code code,
                            const char *field,
                            const char *fmt,
                            ...) PRINTF_LIKE(4, 5);

/* Put "prefix: " in front of the detail ("dict/x.csv: row 12: ..."). */
enum err_code err_prefix(struct err *err, const char *fmt, ...)
    PRINTF_LIKE(2, 3);

/* "bad_time"; static storage. */
const char *err_code_name(enum err_code code);

/* The sentence of err.def; static storage. */
const char *err_code_text(enum err_code code);

enum err_kind err_code_kind(enum err_code code);
bool err_code_retry(enum err_code code);

/* From errno; DISK_FULL for ENOSPC/EDQUOT, NO_MEMORY, NOT_FOUND, else IO. */
enum err_code err_from_errno(int errno_value);

#endif /* ANALYZERS_ERR_H */
