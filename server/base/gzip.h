/*
 * gzip: compress what goes out, whole or in parts.
 *
 * Effects   allocates about 256 KiB a stream (zlib)
 */
#ifndef BASE_GZIP_H
#define BASE_GZIP_H

#include <stdbool.h>

#include "analyzers/err.h"
#include "server/base/buf.h"

enum { GZIP_BYTES_MIN = 1024 /* less is not worth it */ };

struct gzip_stream;

/* Does this Accept-Encoding header take gzip? Not given: no. */
bool gzip_accepted(struct span accept_encoding);

/* NULL: out of memory. */
struct gzip_stream *gzip_new(void);
/* Accepts NULL. */
void gzip_free(struct gzip_stream **stream);

/* Compress `in` and append what is ready to `out`; `last` ends the stream. The
 * caller asks buf_check(out). */
void gzip_put(struct gzip_stream *stream,
              struct span in,
              bool last,
              struct buf *out);

#endif /* BASE_GZIP_H */
