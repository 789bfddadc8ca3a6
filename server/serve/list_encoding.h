/*
 * list_encoding: CSV in the encodings that people's programs open.
 *
 * UTF-8 with a byte-order mark is what Excel recognises by itself; GB18030
 * holds every character of Unicode and is what old programs in China expect;
 * UTF-16LE with tabs is what Excel calls "Unicode text".
 */
#ifndef SERVE_LIST_ENCODING_H
#define SERVE_LIST_ENCODING_H

#include "analyzers/err.h"
#include "server/base/buf.h"

enum list_encoding { LIST_UTF8_MARK, LIST_UTF8, LIST_GB18030, LIST_UTF16LE };

/* "utf-8-bom", "utf-8", "gb18030", "utf-16le"; case does not matter. */
bool list_encoding_from(struct span word, enum list_encoding *out);

/* Of a CSV answer. */
const char *list_encoding_content_type(enum list_encoding encoding);

/* From UTF-8 to another encoding; zeroed: none is needed. */
struct list_encoder {
    void *iconv; /* iconv_t */
    bool open;
};

/* Opens nothing for the two kinds of UTF-8. Errors  INTERNAL */
enum err_code list_encoder_open(struct list_encoder *encoder,
                                enum list_encoding encoding,
                                struct err *err) MUST_CHECK;
void list_encoder_close(struct list_encoder *encoder);
bool list_encoder_needed(const struct list_encoder *encoder);

/* Convert whole characters and append them; what cannot be converted (bytes
 * that are no UTF-8) becomes '?'. The caller asks buf_check(out). */
void list_encoder_put(struct list_encoder *encoder,
                      struct span text,
                      struct buf *out);

#endif /* SERVE_LIST_ENCODING_H */
