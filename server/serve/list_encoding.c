/* CSV in the encodings that people's programs open. */
#include "server/serve/list_encoding.h"

#include <assert.h>
#include <errno.h>
#include <iconv.h>
#include <strings.h>

enum { ENCODING_STEP_BYTES = 64 * 1024 };

static const struct {
    const char *word;
    const char *content_type;
    const char *iconv_name; /* NULL: as it is */
} encodings[] = {
    [LIST_UTF8_MARK] = {"utf-8-bom", "text/csv; charset=utf-8; header=present",
                        NULL},
    [LIST_UTF8] = {"utf-8", "text/csv; charset=utf-8; header=present", NULL},
    [LIST_GB18030] = {"gb18030", "text/csv; charset=gb18030; header=present",
                      "GB18030"},
    [LIST_UTF16LE] = {"utf-16le", "text/tab-separated-values; charset=utf-16le",
                      "UTF-16LE"},
};

bool
list_encoding_from(struct span word, enum list_encoding *out)
{
    for (unsigned i = 0; i < sizeof(encodings) / sizeof(encodings[0]); i++) {
        if (word.bytes == strlen(encodings[i].word) &&
            strncasecmp(word.data, encodings[i].word, word.bytes) == 0) {
            *out = (enum list_encoding)i;
            return true;
        }
    }
    return false;
}

const char *
list_encoding_content_type(enum list_encoding encoding)
{
    return encodings[encoding].content_type;
}

enum err_code
list_encoder_open(struct list_encoder *encoder,
                  enum list_encoding encoding,
                  struct err *err)
{
    const char *name = encodings[encoding].iconv_name;

    *encoder = (struct list_encoder){0};
    if (name == NULL) {
        return ERR_OK;
    }
    encoder->iconv = iconv_open(name, "UTF-8");
    if (encoder->iconv == (iconv_t)-1) {
        return err_set(err, ERR_INTERNAL,
                       "this system cannot write %s; ask for utf-8-bom", name);
    }
    encoder->open = true;
    return ERR_OK;
}

void
list_encoder_close(struct list_encoder *encoder)
{
    if (encoder->open) {
        (void)iconv_close(encoder->iconv);
        encoder->open = false;
    }
}

bool
list_encoder_needed(const struct list_encoder *encoder)
{
    return encoder->open;
}

static void
convert(struct list_encoder *encoder,
        char **from,
        size_t *from_bytes,
        struct buf *out)
{
    size_t rc;

    do {
        char *room = buf_reserve(out, ENCODING_STEP_BYTES);
        char *to = room;
        size_t room_bytes = ENCODING_STEP_BYTES;

        if (room == NULL) {
            *from_bytes = 0;
            return;
        }
        rc = iconv(encoder->iconv, from, from_bytes, &to, &room_bytes);
        buf_grow(out, (size_t)(to - room));
    } while (rc == (size_t)-1 && errno == E2BIG);
}

void
list_encoder_put(struct list_encoder *encoder,
                 struct span text,
                 struct buf *out)
{
    /* iconv reads through a pointer that is not const. */
    char *from = (char *)(uintptr_t)text.data;
    size_t from_bytes = text.bytes;

    assert(encoder->open);
    while (from_bytes > 0) {
        convert(encoder, &from, &from_bytes, out);
        if (from_bytes > 0) { /* stands at bytes it cannot convert */
            char mark[] = "?";
            char *mark_from = mark;
            size_t mark_bytes = 1;
            size_t skip = utf8_next((struct span){from, from_bytes}, NULL);

            convert(encoder, &mark_from, &mark_bytes, out);
            from += skip;
            from_bytes -= skip;
        }
    }
}
