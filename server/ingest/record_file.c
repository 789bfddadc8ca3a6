/* Files to records: what is it, where does the next record begin? */
#include "server/ingest/record_file_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- reading ------------------------------------------------------------ */

/* One read behind `to`; at least one byte of room must be there. */
enum err_code
record_file_read_some(struct record_file *file,
                      size_t bytes_max,
                      struct err *err)
{
    size_t room = file->window_room - file->to;
    ssize_t got;

    assert(room > 0);
    do {
        got = read(file->fd, file->window + file->to,
                   room < bytes_max ? room : bytes_max);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return err_set(err, err_from_errno(errno), "%s: reading failed: %s",
                       file->name, strerror(errno));
    }
    file->at_end = got == 0;
    file->to += (size_t)got;
    file->read_bytes += (uint64_t)got;
    return ERR_OK;
}

static enum err_code
grow_window(struct record_file *file, size_t room, struct err *err)
{
    char *larger = realloc(file->window, room);

    if (larger == NULL) {
        return err_set(err, ERR_NO_MEMORY, "%s: no memory for %zu bytes",
                       file->name, room);
    }
    file->window = larger;
    file->window_room = room;
    return ERR_OK;
}

/* Enough to decide by. Of a pipe no more than the first line is waited for. */
static enum err_code
read_probe(struct record_file *file, struct err *err)
{
    size_t seen = 0;
    bool line_end = false;

    while (!file->at_end && file->to < RECORD_FILE_PROBE_BYTES && !line_end) {
        if (record_file_read_some(file, RECORD_FILE_PROBE_BYTES - file->to,
                                  err) != ERR_OK) {
            return err->code;
        }
        line_end = memchr(file->window + seen, '\n', file->to - seen) != NULL;
        seen = file->to;
    }
    return ERR_OK;
}

/* All of the rest into the window. */
static enum err_code
read_rest(struct record_file *file, struct err *err)
{
    while (!file->at_end) {
        size_t wanted = file->file_bytes + 1;

        if (file->to > CHARSET_BYTES_MAX) {
            return err_set(err, ERR_TOO_LONG,
                           "%s: longer than %d bytes; split it", file->name,
                           CHARSET_BYTES_MAX);
        }
        if (file->to == file->window_room &&
            grow_window(file,
                        wanted > file->to && wanted <= CHARSET_BYTES_MAX
                            ? wanted
                            : 2 * file->window_room,
                        err) != ERR_OK) {
            return err->code;
        }
        if (record_file_read_some(file, SIZE_MAX, err) != ERR_OK) {
            return err->code;
        }
    }
    return ERR_OK;
}

/* --- what is it? -------------------------------------------------------- */

/* The beginning of the file without a character that the probe cuts. */
static struct span
probe_view(const struct record_file *file)
{
    struct span probe = {file->window, file->to};
    size_t lead = probe.bytes;

    if (file->at_end || probe.bytes == 0) {
        return probe;
    }
    if (memchr(probe.data, '\0', probe.bytes) != NULL) {
        probe.bytes -= probe.bytes % 4; /* UTF-16 */
        return probe;
    }
    for (unsigned i = 0; i < 3 && lead > 0; i++) {
        lead--;
        if ((unsigned char)probe.data[lead] >= 0xC0) {
            struct span tail = {probe.data + lead, probe.bytes - lead};

            if (utf8_next(tail, NULL) == 1) {
                probe.bytes = lead;
            }
            break;
        }
    }
    return probe;
}

/* The first character that is no blank, 0 when there is none. */
static char
first_character(struct span text, enum charset charset)
{
    size_t step =
        charset == CHARSET_UTF16LE || charset == CHARSET_UTF16BE ? 2 : 1;
    size_t low = charset == CHARSET_UTF16BE ? 1 : 0;

    for (size_t at = 0; at + step <= text.bytes; at += step) {
        char c = text.data[at + low];

        if (step == 2 && text.data[at + 1 - low] != '\0') {
            return '?'; /* beyond ASCII */
        }
        if (memchr(" \t\r\n", c, 4) == NULL) {
            return c;
        }
    }
    return '\0';
}

/* Is there a line that is not all ASCII and yet valid UTF-8? Lines in GB18030
 * hold too many characters to be that by chance. */
static bool
has_utf8_line(struct span text)
{
    while (text.bytes > 0) {
        struct span line = span_split(&text, '\n');

        for (size_t i = 0; i < line.bytes; i++) {
            if ((unsigned char)line.data[i] >= 0x80) {
                if (utf8_valid(line)) {
                    return true;
                }
                break;
            }
        }
    }
    return false;
}

/* Sets the format and whether the file must be read whole. */
static enum err_code
decide(struct record_file *file, struct err *err)
{
    struct span probe = probe_view(file);
    struct span text;
    enum charset charset = CHARSET_UTF8;
    size_t mark_bytes = 0;
    char first;

    if (charset_detect(probe, &charset, &mark_bytes, err) != ERR_OK) {
        return err_prefix(err, "%s", file->name);
    }
    file->charset = charset;
    text = (struct span){probe.data + mark_bytes, probe.bytes - mark_bytes};
    first = first_character(text, charset);
    if (first != '{' && first != '[' && first != '\0') {
        file->format = RECORD_CSV;
        file->whole = true;
        return ERR_OK;
    }
    file->format = first == '[' ? RECORD_ARRAY : RECORD_LINES;
    file->whole = file->format == RECORD_ARRAY ||
                  (charset != CHARSET_UTF8 &&
                   (charset != CHARSET_GB18030 || !has_utf8_line(text)));
    if (!file->whole) {
        file->from = mark_bytes;
    }
    return ERR_OK;
}

/* The whole file in UTF-8 as the window or as text. */
static enum err_code
take_whole(struct record_file *file, struct err *err)
{
    if (read_rest(file, err) != ERR_OK) {
        return err->code;
    }
    if (charset_to_utf8((struct span){file->window, file->to}, &file->text,
                        err) != ERR_OK) {
        return err_prefix(err, "%s", file->name);
    }
    file->charset = file->text.charset;
    if (file->text.owned != NULL) {
        free(file->window);
        file->window = NULL;
    }
    if (file->format == RECORD_ARRAY) {
        json_array_open(&file->array, file->text.text);
    } else if (file->format == RECORD_CSV) {
        /* Tabs in UTF-16 are Excel's "Unicode text", which has quotes. */
        bool of_excel = file->charset == CHARSET_UTF16LE ||
                        file->charset == CHARSET_UTF16BE;

        if (csv_rows_open(&file->rows, file->text.text,
                          of_excel ? CSV_QUOTES_ON : CSV_QUOTES_AUTO,
                          &file->header_arena, &file->header, err) != ERR_OK) {
            return err_prefix(err, "%s", file->name);
        }
        memcpy(file->header_cells, file->header.cells,
               file->header.cell_count * sizeof(file->header_cells[0]));
        file->header.cells = file->header_cells; /* the rows use theirs */
    } else if (file->text.owned != NULL) {
        file->window = file->text.owned;
        file->from = (size_t)(file->text.text.data - file->text.owned);
        file->to = file->from + file->text.text.bytes;
        file->window_room = file->to;
        file->text = (struct charset_text){0};
    }
    return ERR_OK;
}

static enum err_code
open_path(struct record_file *file, const char *path, struct err *err)
{
    struct stat about;

    if (strcmp(path, "-") == 0) {
        file->name = "standard input";
        file->fd = STDIN_FILENO;
    } else {
        file->name = file->options.name != NULL ? file->options.name : path;
        file->fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (file->fd < 0 || fstat(file->fd, &about) != 0) {
        return err_set(err, err_from_errno(errno), "%s: %s", file->name,
                       strerror(errno));
    }
    if (S_ISDIR(about.st_mode)) {
        return err_set(err, ERR_IO, "%s: is a directory; name the files in it",
                       file->name);
    }
    if (S_ISREG(about.st_mode)) {
        file->file_bytes = (uint64_t)about.st_size;
    }
    return ERR_OK;
}

enum err_code
record_file_open(const char *path,
                 size_t line_bytes_max,
                 struct record_file **out,
                 struct err *err)
{
    return record_file_open_with(
        path, &(struct record_file_options){.line_bytes_max = line_bytes_max},
        out, err);
}

/* --- opening and closing ------------------------------------------------ */

enum err_code
record_file_open_with(const char *path,
                      const struct record_file_options *options,
                      struct record_file **out,
                      struct err *err)
{
    size_t line_bytes_max = options->line_bytes_max;
    struct record_file *file = calloc(1, sizeof(*file));

    if (file == NULL) {
        return err_set(err, ERR_NO_MEMORY, "%s: no memory", path);
    }
    file->fd = -1;
    file->line_bytes_max = line_bytes_max;
    file->options = *options;
    arena_init(&file->header_arena, 4096);
    if (open_path(file, path, err) != ERR_OK ||
        grow_window(file,
                    line_bytes_max + RECORD_FILE_BLOCK_BYTES +
                        RECORD_FILE_HEAD_BYTES,
                    err) != ERR_OK ||
        read_probe(file, err) != ERR_OK) {
        record_file_close(&file);
        return err->code;
    }
    if (charset_file((struct span){file->window, file->to}) ==
        CHARSET_FILE_XLSX) {
        (void)!record_sheet_open(file, err);
    } else if (decide(file, err) == ERR_OK && file->whole) {
        (void)!take_whole(file, err);
    }
    if (err->code != ERR_OK) {
        record_file_close(&file);
        return err->code;
    }
    *out = file;
    return ERR_OK;
}

void
record_file_close(struct record_file **file)
{
    if (*file == NULL) {
        return;
    }
    if ((*file)->fd > STDIN_FILENO) {
        (void)close((*file)->fd);
    }
    xlsx_reader_close(&(*file)->workbook);
    if ((*file)->copy != NULL) {
        (void)fclose((*file)->copy);
    }
    charset_text_free(&(*file)->text);
    arena_release(&(*file)->header_arena);
    free((*file)->window);
    free(*file);
    *file = NULL;
}

/* --- lines -------------------------------------------------------------- */

/* More bytes behind `to`, the rest moved to the front when room is short. */
static enum err_code
refill(struct record_file *file, struct err *err)
{
    if (file->window_room - file->to < RECORD_FILE_BLOCK_BYTES) {
        memmove(file->window, file->window + file->from, file->to - file->from);
        file->to -= file->from;
        file->from = 0;
    }
    return record_file_read_some(file, RECORD_FILE_BLOCK_BYTES, err);
}

static enum record_next
refuse_long_line(const struct record_file *file,
                 struct span head,
                 uint64_t line_bytes,
                 struct file_record *out,
                 struct err *err)
{
    *out = (struct file_record){
        .line = file->line, .text = head, .text_bytes = line_bytes};
    (void)err_set(err, ERR_TOO_LONG,
                  "the line has %llu bytes, %zu are allowed; shorten it or "
                  "raise --feed-line-bytes-max",
                  (unsigned long long)line_bytes, file->line_bytes_max);
    return RECORD_BAD;
}

/* A line over the limit: keep its head at the front, pass over the rest. */
static enum record_next
skip_long_line(struct record_file *file,
               struct file_record *out,
               struct err *err)
{
    size_t head_bytes = file->to - file->from < RECORD_FILE_HEAD_BYTES
                            ? file->to - file->from
                            : RECORD_FILE_HEAD_BYTES;
    uint64_t line_bytes = file->to - file->from;

    memmove(file->window, file->window + file->from, head_bytes);
    for (;;) {
        const char *end;

        file->from = head_bytes;
        file->to = head_bytes;
        if (record_file_read_some(file, RECORD_FILE_BLOCK_BYTES, err) !=
            ERR_OK) {
            return RECORD_FAILED;
        }
        end = memchr(file->window + file->from, '\n', file->to - file->from);
        if (end != NULL) {
            line_bytes += (uint64_t)(end - file->window) - file->from;
            file->from = (size_t)(end - file->window) + 1;
            break;
        }
        line_bytes += file->to - file->from;
        if (file->at_end) {
            file->from = file->to;
            break;
        }
    }
    return refuse_long_line(file, (struct span){file->window, head_bytes},
                            line_bytes, out, err);
}

/* The next line that is not blank. */
static enum record_next
next_line(struct record_file *file, struct file_record *out, struct err *err)
{
    size_t scanned = 0; /* behind from: no line end in there */

    for (;;) {
        size_t have = file->to - file->from;
        const char *begin = file->window + file->from;
        const char *end = have > scanned
                              ? memchr(begin + scanned, '\n', have - scanned)
                              : NULL;
        struct span line = {begin, have};

        if (end == NULL && !file->at_end) {
            if (have > file->line_bytes_max) {
                file->line++;
                return skip_long_line(file, out, err);
            }
            scanned = have;
            if (refill(file, err) != ERR_OK) {
                return RECORD_FAILED;
            }
            continue;
        }
        if (end == NULL && have == 0) {
            return RECORD_END;
        }
        file->line++;
        scanned = 0;
        if (end != NULL) {
            line.bytes = (size_t)(end - begin);
        }
        file->from += line.bytes + (end != NULL);
        if (line.bytes > file->line_bytes_max) {
            struct span head = line;

            if (head.bytes > RECORD_FILE_HEAD_BYTES) {
                head.bytes = RECORD_FILE_HEAD_BYTES;
            }
            return refuse_long_line(file, head, line.bytes, out, err);
        }
        if (span_trim(line).bytes > 0) {
            *out = (struct file_record){
                .line = file->line, .text = line, .text_bytes = line.bytes};
            return RECORD_JSON;
        }
    }
}

/* --- elements and rows -------------------------------------------------- */

static enum record_next
next_element(struct record_file *file, struct file_record *out, struct err *err)
{
    struct span element = {NULL, 0};

    if (json_array_next(&file->array, &element)) {
        *out = (struct file_record){.line = ++file->elements,
                                    .text = span_trim(element),
                                    .text_bytes = element.bytes};
        return RECORD_JSON;
    }
    if (json_array_error(&file->array, err) != ERR_OK) {
        file->array.problem = NULL; /* told once */
        *out = (struct file_record){.line = ++file->elements};
        return RECORD_BAD;
    }
    return RECORD_END;
}

static enum record_next
next_row(struct record_file *file,
         struct arena *arena,
         struct file_record *out,
         struct err *err)
{
    struct csv_row row;
    enum csv_next next = csv_rows_next(&file->rows, arena, &row, err);

    if (next == CSV_END) {
        return RECORD_END;
    }
    if (next == CSV_BAD_ROW && err->code == ERR_NO_MEMORY) {
        return RECORD_FAILED;
    }
    *out = (struct file_record){.line = row.line,
                                .text = row.text,
                                .text_bytes = row.text.bytes,
                                .row = row};
    return next == CSV_ROW ? RECORD_ROW : RECORD_BAD;
}

enum record_next
record_file_next(struct record_file *file,
                 struct arena *arena,
                 struct file_record *out,
                 struct err *err)
{
    switch (file->format) {
    case RECORD_LINES:
        return next_line(file, out, err);
    case RECORD_ARRAY:
        return next_element(file, out, err);
    case RECORD_CSV:
        break;
    }
    return file->workbook != NULL ? record_sheet_next(file, arena, out, err)
                                  : next_row(file, arena, out, err);
}

/* --- about it ----------------------------------------------------------- */

enum record_format
record_file_format(const struct record_file *file)
{
    return file->format;
}

const char *
record_file_name(const struct record_file *file)
{
    return file->name;
}

const struct csv_row *
record_file_header(const struct record_file *file)
{
    assert(file->format == RECORD_CSV);
    return &file->header;
}

const struct csv_rows *
record_file_rows(const struct record_file *file)
{
    assert(file->format == RECORD_CSV);
    return &file->rows;
}

const char *
record_file_encoding(const struct record_file *file)
{
    return file->workbook != NULL ? "" : charset_name(file->charset);
}

uint64_t
record_file_bytes(const struct record_file *file)
{
    return file->file_bytes;
}

uint64_t
record_file_bytes_done(const struct record_file *file)
{
    size_t at = file->from;
    size_t all = file->to;

    if (file->workbook != NULL) {
        return (uint64_t)((double)file->file_bytes *
                          xlsx_progress(file->workbook));
    }
    if (!file->whole) {
        return file->read_bytes - (file->to - file->from);
    }
    if (file->format != RECORD_LINES) {
        at = file->format == RECORD_CSV ? file->rows.at : file->array.at;
        all = file->text.text.bytes;
    }
    return all == 0 ? file->read_bytes
                    : (uint64_t)((double)file->read_bytes *
                                 ((double)at / (double)all));
}
