/* One error value for the whole program: the table and the sticky setters. */
#include "analyzers/err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "analyzers/span.h"

static const struct err_row {
    const char *name;
    const char *text;
    enum err_kind kind;
    bool retry;
} err_rows[ERR_CODE_COUNT] = {
    [ERR_OK] = {"OK", "fine", ERR_KIND_NONE, false},
#define ERR_ROW(name, kind, retry, text)                                       \
    [ERR_##name] = {#name, text, ERR_KIND_##kind, retry},
#include "analyzers/err.def"
#undef ERR_ROW
};

/* vsnprintf, cut at a character boundary. */
static void
err_format(char *out, size_t out_bytes, const char *fmt, va_list args)
{
    int wanted = vsnprintf(out, out_bytes, fmt, args);

    if (wanted < 0) {
        out[0] = '\0';
    } else if ((size_t)wanted >= out_bytes) {
        out[utf8_cut(out, strlen(out))] = '\0';
    }
}

enum err_code
err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
    va_list args;

    assert(code != ERR_OK);
    if (err == NULL) {
        return code;
    }
    if (err->code != ERR_OK) {
        return err->code;
    }
    err->code = code;
    err->field[0] = '\0';
    va_start(args, fmt);
    err_format(err->detail, sizeof(err->detail), fmt, args);
    va_end(args);
    return code;
}

enum err_code
err_set_field(struct err *err,
              enum err_code code,
              const char *field,
              const char *fmt,
              ...)
{
    va_list args;

    assert(code != ERR_OK);
    if (err == NULL) {
        return code;
    }
    if (err->code != ERR_OK) {
        return err->code;
    }
    err->code = code;
    (void)snprintf(err->field, sizeof(err->field), "%s", field);
    va_start(args, fmt);
    err_format(err->detail, sizeof(err->detail), fmt, args);
    va_end(args);
    return code;
}

enum err_code
err_prefix(struct err *err, const char *fmt, ...)
{
    char joined[ERR_DETAIL_BYTES * 2];
    size_t used;
    va_list args;

    assert(err->code != ERR_OK);
    va_start(args, fmt);
    err_format(joined, ERR_DETAIL_BYTES, fmt, args);
    va_end(args);
    used = strlen(joined);
    (void)snprintf(joined + used, sizeof(joined) - used, ": %s", err->detail);
    used = strlen(joined);
    if (used >= sizeof(err->detail)) {
        used = utf8_cut(joined, sizeof(err->detail) - 1);
    }
    memcpy(err->detail, joined, used);
    err->detail[used] = '\0';
    return err->code;
}

const char *
err_code_name(enum err_code code)
{
    static char lower[ERR_CODE_COUNT][ERR_FIELD_BYTES];
    static bool ready;

    /* Filled on the first call, which main() makes before any thread. */
    if (!ready) {
        for (int i = 0; i < ERR_CODE_COUNT; i++) {
            for (size_t k = 0; err_rows[i].name[k] != '\0'; k++) {
                char c = err_rows[i].name[k];

                lower[i][k] =
                    (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
            }
        }
        ready = true;
    }
    return lower[code];
}

const char *
err_code_text(enum err_code code)
{
    return err_rows[code].text;
}

enum err_kind
err_code_kind(enum err_code code)
{
    return err_rows[code].kind;
}

bool
err_code_retry(enum err_code code)
{
    return err_rows[code].retry;
}

enum err_code
err_from_errno(int errno_value)
{
    switch (errno_value) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ERR_DISK_FULL;
    case ENOMEM:
        return ERR_NO_MEMORY;
    case ENOENT:
    case ENOTDIR:
        return ERR_NOT_FOUND;
    case EAGAIN:
    case EBUSY:
        return ERR_BUSY;
    default:
        return ERR_IO;
    }
}
