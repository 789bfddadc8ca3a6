/*
 * buf: a growing run of bytes with a limit; write much, check once.
 *
 * A failed write sets a sticky mark and later writes do nothing, so a caller
 * writes a whole answer and asks buf_check() at the end. Not shared between
 * threads.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzers/err.h"
#include "analyzers/span.h"

struct buf {
    char *data; /* owned; NULL until the first byte */
    size_t bytes;
    size_t room_bytes;
    size_t bytes_max;
    enum err_code failed; /* ERR_OK, ERR_TOO_LONG or ERR_NO_MEMORY */
};

/* Allocates nothing yet; bytes_max > 0 is the most it will ever hold. */
void buf_init(struct buf *buf, size_t bytes_max);

/* Free the bytes; the buf is as after buf_init. Accepts a zeroed buf. */
void buf_release(struct buf *buf);

/* Empty it and clear the mark; the memory stays for the next use. */
void buf_reset(struct buf *buf);

/* Append. Cost: amortised O(bytes). */
void buf_put(struct buf *buf, const void *data, size_t bytes);
void buf_put_span(struct buf *buf, struct span span);
void buf_put_text(struct buf *buf, const char *text);
void buf_put_char(struct buf *buf, char c);
void buf_put_uint(struct buf *buf, uint64_t value); /* decimal */
void buf_printf(struct buf *buf, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *buf, const char *fmt, va_list args);

/*
 * Room for `bytes` more at the end, to be filled by the caller, who then calls
 * buf_grow() with what was used. NULL when the limit or memory is reached (the
 * mark is set). The pointer is good until the next write.
 */
char *buf_reserve(struct buf *buf, size_t bytes);
void buf_grow(struct buf *buf, size_t bytes);

/* Drop the first `bytes` (<= buf->bytes); what stays moves to the front. */
void buf_drop_front(struct buf *buf, size_t bytes);

/* What is in it; borrowed until the next write. */
struct span buf_view(const struct buf *buf);

/* ERR_OK, or the first failure with the limit named in the detail. */
enum err_code buf_check(const struct buf *buf, struct err *err) MUST_CHECK;

#endif /* BASE_BUF_H */
