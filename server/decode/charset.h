/*
 * charset: which encoding is this file in? And the same file in UTF-8.
 *
 * The decision is made once for the whole file, never for a cell: one in six
 * one-character cells of GB18030 is valid UTF-8 by chance. In this order: a
 * byte-order mark; UTF-16 by its zero bytes; UTF-8 when all of the file is
 * valid, or begins like it and is damaged later; else GB18030, which holds GBK
 * and GB2312.
 *
 * Effects   allocates the converted text; no I/O
 */
#ifndef SERVER_DECODE_CHARSET_H
#define SERVER_DECODE_CHARSET_H

#include <stddef.h>

#include "analyzers/err.h"
#include "analyzers/span.h"

enum {
    /* Of the file; it is converted in memory, which takes up to 1.5 times
     * that again. UTF-8 is not converted. */
    CHARSET_BYTES_MAX = 1024 * 1024 * 1024
};

enum charset {
    CHARSET_UTF8,
    CHARSET_UTF16LE,
    CHARSET_UTF16BE,
    CHARSET_GB18030
};

/* "UTF-8", … */
const char *charset_name(enum charset charset);

/* What the first bytes say; never the file's name. */
enum charset_file {
    CHARSET_FILE_TEXT,
    CHARSET_FILE_XLSX, /* or any other zip */
    CHARSET_FILE_XLS,
    CHARSET_FILE_HTML, /* also when it is called .xls */
    CHARSET_FILE_XML,  /* the same */
    CHARSET_FILE_GZIP,
    CHARSET_FILE_PDF
};
enum charset_file charset_file(struct span bytes);

/*
 * The encoding of `bytes` and the length of its byte-order mark.
 *
 * Errors  BAD_ENCODING  not text: the detail says what it is and what to do
 *         TOO_LONG
 * UTF-8 is answered for a damaged file too: NDJSON is then refused line by
 * line, charset_to_utf8 refuses it whole.
 * Cost    one pass at about 0.1 ns a byte
 */
enum err_code charset_detect(struct span bytes,
                             enum charset *out,
                             size_t *mark_bytes,
                             struct err *err) MUST_CHECK;

/* A text in UTF-8 without byte-order mark; `owned` is NULL when the text
 * borrows from the bytes of the file. */
struct charset_text {
    struct span text;
    char *owned;
    enum charset charset;
};

/*
 * The whole file in UTF-8; free with charset_text_free.
 *
 * Errors  those of charset_detect; BAD_ENCODING naming the line and the byte
 *         that cannot be read; NO_MEMORY; *out is untouched
 */
enum err_code charset_to_utf8(struct span bytes,
                              struct charset_text *out,
                              struct err *err) MUST_CHECK;

void charset_text_free(struct charset_text *text);

#endif /* SERVER_DECODE_CHARSET_H */
