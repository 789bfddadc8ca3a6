/* One encoding for one file: recognise it, bring it to UTF-8. */
#include "server/decode/charset.h"

#include <assert.h>
#include <errno.h>
#include <iconv.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/decode/json_scan.h"

enum {
    CHARSET_PROBE_BYTES = 64 * 1024, /* looked at for zero bytes */
    CHARSET_WIDE_ENOUGH = 16
};

const char *
charset_name(enum charset charset)
{
    static const char *const names[] = {
        [CHARSET_UTF8] = "UTF-8",
        [CHARSET_UTF16LE] = "UTF-16LE",
        [CHARSET_UTF16BE] = "UTF-16BE",
        [CHARSET_GB18030] = "GB18030",
    };

    assert((size_t)charset < sizeof(names) / sizeof(names[0]));
    return names[charset];
}

static bool
starts_without_case(struct span bytes, const char *word)
{
    size_t length = strlen(word);

    return bytes.bytes >= length && strncasecmp(bytes.data, word, length) == 0;
}

enum charset_file
charset_file(struct span bytes)
{
    struct span head = bytes;

    if (span_starts(bytes, SPAN_LITERAL("PK\x03\x04")) ||
        span_starts(bytes, SPAN_LITERAL("PK\x05\x06"))) {
        return CHARSET_FILE_XLSX;
    }
    if (span_starts(bytes, SPAN_LITERAL("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"))) {
        return CHARSET_FILE_XLS;
    }
    if (span_starts(bytes, SPAN_LITERAL("\x1F\x8B"))) {
        return CHARSET_FILE_GZIP;
    }
    if (span_starts(bytes, SPAN_LITERAL("%PDF-"))) {
        return CHARSET_FILE_PDF;
    }
    if (span_starts(head, SPAN_LITERAL("\xEF\xBB\xBF"))) {
        head.data += 3;
        head.bytes -= 3;
    }
    head = span_trim(
        (struct span){head.data, head.bytes < 256 ? head.bytes : 256});
    if (starts_without_case(head, "<!doctype html") ||
        starts_without_case(head, "<html") ||
        starts_without_case(head, "<table") ||
        starts_without_case(head, "<meta") ||
        starts_without_case(head, "<head")) {
        return CHARSET_FILE_HTML;
    }
    if (starts_without_case(head, "<?xml")) {
        return CHARSET_FILE_XML;
    }
    return CHARSET_FILE_TEXT;
}

static enum err_code
refuse_file(enum charset_file file, struct err *err)
{
    static const char *const what[] = {
        [CHARSET_FILE_XLSX] = "an Excel workbook (.xlsx) or another zip file; "
                              "save it as \"CSV UTF-8\"",
        [CHARSET_FILE_XLS] = "an old Excel workbook (.xls) or one protected by "
                             "a password; save it as .xlsx without a password",
        [CHARSET_FILE_HTML] = "a web page, whatever its name says; open it in "
                              "Excel and save it as .xlsx",
        [CHARSET_FILE_XML] = "XML, whatever its name says; open it in Excel "
                             "and save it as .xlsx",
        [CHARSET_FILE_GZIP] = "compressed with gzip; unpack it first",
        [CHARSET_FILE_PDF] = "a PDF; export the list as CSV instead",
    };

    return err_set(err, ERR_BAD_ENCODING, "the file is %s", what[file]);
}

/*
 * UTF-16 without a mark: line ends, digits and separators have a zero byte on
 * one side, and Chinese has next to none on either.
 */
static bool
looks_like_utf16(struct span bytes, enum charset *out)
{
    size_t probe =
        bytes.bytes < CHARSET_PROBE_BYTES ? bytes.bytes : CHARSET_PROBE_BYTES;
    size_t even_zeros = 0;
    size_t odd_zeros = 0;

    if (bytes.bytes % 2 != 0) {
        return false;
    }
    for (size_t i = 0; i + 1 < probe; i += 2) {
        even_zeros += bytes.data[i] == '\0';
        odd_zeros += bytes.data[i + 1] == '\0';
    }
    if (odd_zeros > 4 * even_zeros) {
        *out = CHARSET_UTF16LE;
        return true;
    }
    if (even_zeros > 4 * odd_zeros) {
        *out = CHARSET_UTF16BE;
        return true;
    }
    return false;
}

/* First byte that begins no valid character; *wide_count is the number of
 * characters of three or four bytes before it. */
static size_t
first_bad_utf8(struct span bytes, size_t *wide_count)
{
    struct span rest = bytes;

    *wide_count = 0;
    while (rest.bytes > 0) {
        size_t taken = utf8_next(rest, NULL);

        if (taken == 1 && (unsigned char)rest.data[0] >= 0x80) {
            break;
        }
        *wide_count += taken >= 3;
        rest.data += taken;
        rest.bytes -= taken;
    }
    return bytes.bytes - rest.bytes;
}

/* UTF-8, also when a byte of it is damaged: a file in GB18030 does not begin
 * with this many characters of three bytes by chance. */
static bool
is_meant_as_utf8(struct span bytes)
{
    size_t wide_count;

    if (json_scan_utf8_valid(bytes.data, bytes.bytes)) {
        return true;
    }
    (void)first_bad_utf8(bytes, &wide_count);
    return wide_count >= CHARSET_WIDE_ENOUGH;
}

enum err_code
charset_detect(struct span bytes,
               enum charset *out,
               size_t *mark_bytes,
               struct err *err)
{
    enum charset_file file = charset_file(bytes);

    if (file != CHARSET_FILE_TEXT) {
        return refuse_file(file, err);
    }
    if (bytes.bytes > CHARSET_BYTES_MAX) {
        return err_set(err, ERR_TOO_LONG,
                       "the file has %zu bytes, %d are allowed; split it",
                       bytes.bytes, CHARSET_BYTES_MAX);
    }
    *mark_bytes = 0;
    if (span_starts(bytes, SPAN_LITERAL("\xEF\xBB\xBF"))) {
        *mark_bytes = 3;
        *out = CHARSET_UTF8;
    } else if (span_starts(bytes, SPAN_LITERAL("\xFF\xFE"))) {
        *mark_bytes = 2;
        *out = CHARSET_UTF16LE;
    } else if (span_starts(bytes, SPAN_LITERAL("\xFE\xFF"))) {
        *mark_bytes = 2;
        *out = CHARSET_UTF16BE;
    } else if (span_starts(bytes, SPAN_LITERAL("\x84\x31\x95\x33"))) {
        *mark_bytes = 4;
        *out = CHARSET_GB18030;
    } else if (bytes.bytes > 0 &&
               memchr(bytes.data, '\0', bytes.bytes) != NULL) {
        if (!looks_like_utf16(bytes, out)) {
            return err_set(err, ERR_BAD_ENCODING,
                           "the file holds zero bytes: it is no text; export "
                           "it as CSV or NDJSON in UTF-8");
        }
    } else {
        *out = is_meant_as_utf8(bytes) ? CHARSET_UTF8 : CHARSET_GB18030;
    }
    return ERR_OK;
}

/* --- conversion --- */

static const char *
iconv_name(enum charset charset)
{
    return charset == CHARSET_GB18030 ? "GB18030" : charset_name(charset);
}

/* Name the line and the byte at which the bytes cannot be read. */
static enum err_code
refuse_byte(struct span bytes,
            size_t at,
            size_t line,
            enum charset charset,
            struct err *err)
{
    if (at >= bytes.bytes) {
        return err_set(err, ERR_BAD_ENCODING,
                       "line %zu: the file ends inside a character of %s; is "
                       "it complete?",
                       line, charset_name(charset));
    }
    return err_set(err, ERR_BAD_ENCODING,
                   "line %zu, byte %zu of the file: 0x%02X is no character "
                   "of %s%s; save the file as UTF-8",
                   line, at + 1, (unsigned)(unsigned char)bytes.data[at],
                   charset_name(charset),
                   charset == CHARSET_GB18030 ? " and not UTF-8 either" : "");
}

static size_t
count_lines(const char *data, size_t bytes)
{
    const char *end = data + bytes;
    size_t lines = 1;

    while (bytes > 0) {
        const char *found = memchr(data, '\n', (size_t)(end - data));

        if (found == NULL) {
            break;
        }
        lines++;
        data = found + 1;
    }
    return lines;
}

/* Text so far, with room that doubles. */
struct text_out {
    char *data;
    size_t used;
    size_t room;
};

static bool
text_grow(struct text_out *text)
{
    size_t room = text->room + text->room / 2;
    char *moved = realloc(text->data, room);

    if (moved == NULL) {
        return false;
    }
    text->data = moved;
    text->room = room;
    return true;
}

static enum err_code
convert(struct span bytes,
        size_t from,
        enum charset charset,
        struct text_out *text,
        struct err *err)
{
    iconv_t handle = iconv_open("UTF-8", iconv_name(charset));
    char *in = (char *)(uintptr_t)(bytes.data + from); /* iconv reads only */
    size_t in_left = bytes.bytes - from;
    enum err_code code = ERR_OK;

    if (handle == (iconv_t)-1) {
        return err_set(err, ERR_BAD_ENCODING,
                       "this system cannot convert %s (is libc-bin's gconv "
                       "installed?); save the file as UTF-8",
                       charset_name(charset));
    }
    while (in_left > 0) {
        char *out = text->data + text->used;
        size_t out_left = text->room - text->used;
        size_t rc = iconv(handle, &in, &in_left, &out, &out_left);

        text->used = text->room - out_left;
        if (rc != (size_t)-1) {
            break;
        }
        if (errno == E2BIG) {
            if (!text_grow(text)) {
                code = err_set(err, ERR_NO_MEMORY, "converting the file");
                break;
            }
        } else { /* EILSEQ, or EINVAL at the end of the file */
            code = refuse_byte(
                bytes, errno == EINVAL ? bytes.bytes : bytes.bytes - in_left,
                count_lines(text->data, text->used), charset, err);
            break;
        }
    }
    (void)iconv_close(handle);
    return code;
}

enum err_code
charset_to_utf8(struct span bytes, struct charset_text *out, struct err *err)
{
    struct text_out text = {NULL, 0, 0};
    enum charset charset = CHARSET_UTF8;
    size_t mark_bytes;
    enum err_code code = charset_detect(bytes, &charset, &mark_bytes, err);

    if (code != ERR_OK) {
        return code;
    }
    if (charset == CHARSET_UTF8) {
        struct span rest = {bytes.data + mark_bytes, bytes.bytes - mark_bytes};

        if (!json_scan_utf8_valid(rest.data, rest.bytes)) {
            size_t wide_count;
            size_t at = first_bad_utf8(bytes, &wide_count);

            return refuse_byte(bytes, at, count_lines(bytes.data, at), charset,
                               err);
        }
        *out = (struct charset_text){rest, NULL, charset};
        return ERR_OK;
    }
    text.room = bytes.bytes + bytes.bytes / 2 + 16;
    text.data = malloc(text.room);
    if (text.data == NULL) {
        return err_set(err, ERR_NO_MEMORY, "converting the file");
    }
    code = convert(bytes, mark_bytes, charset, &text, err);
    if (code != ERR_OK) {
        free(text.data);
        return code;
    }
    *out = (struct charset_text){{text.data, text.used}, text.data, charset};
    return ERR_OK;
}

void
charset_text_free(struct charset_text *text)
{
    free(text->owned);
    *text = (struct charset_text){{NULL, 0}, NULL, CHARSET_UTF8};
}
