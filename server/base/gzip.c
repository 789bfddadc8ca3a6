/* Compress what goes out. */
#include "server/base/gzip.h"

#include <stdlib.h>
#include <strings.h>
#define ZLIB_CONST
#include <zlib.h>

enum {
    GZIP_LEVEL = 1, /* lists shrink tenfold already; time is dearer */
    GZIP_WINDOW_BITS = 15 + 16, /* the wrapper of gzip */
    GZIP_MEMORY_LEVEL = 8,
    GZIP_STEP_BYTES = 64 * 1024
};

struct gzip_stream {
    z_stream z;
};

static bool
is_zero_weight(struct span parameter)
{
    struct span value = span_trim(parameter);

    if (value.bytes < 3 || (value.data[0] != 'q' && value.data[0] != 'Q') ||
        value.data[1] != '=') {
        return false;
    }
    for (size_t i = 2; i < value.bytes; i++) {
        if (value.data[i] != '0' && value.data[i] != '.') {
            return false;
        }
    }
    return true;
}

bool
gzip_accepted(struct span accept_encoding)
{
    struct span rest = accept_encoding;

    while (rest.bytes > 0) {
        struct span item = span_split(&rest, ',');
        struct span name = span_trim(span_split(&item, ';'));

        if (name.bytes == 4 && strncasecmp(name.data, "gzip", 4) == 0) {
            return !is_zero_weight(item);
        }
    }
    return false;
}

struct gzip_stream *
gzip_new(void)
{
    struct gzip_stream *stream = calloc(1, sizeof(*stream));

    if (stream != NULL &&
        deflateInit2(&stream->z, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW_BITS,
                     GZIP_MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(stream);
        return NULL;
    }
    return stream;
}

void
gzip_free(struct gzip_stream **stream)
{
    if (*stream != NULL) {
        (void)deflateEnd(&(*stream)->z);
        free(*stream);
        *stream = NULL;
    }
}

void
gzip_put(struct gzip_stream *stream, struct span in, bool last, struct buf *out)
{
    z_stream *z = &stream->z;

    z->next_in = (const Bytef *)in.data;
    z->avail_in = (uInt)in.bytes;
    do {
        char *room = buf_reserve(out, GZIP_STEP_BYTES);

        if (room == NULL) {
            return;
        }
        z->next_out = (Bytef *)room;
        z->avail_out = GZIP_STEP_BYTES;
        (void)deflate(z, last ? Z_FINISH : Z_NO_FLUSH);
        buf_grow(out, GZIP_STEP_BYTES - z->avail_out);
    } while (z->avail_out == 0);
}
