/* Fills memory with records: generated, or read from a file. */
#include "bench/lines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_FIRST = 4096, BYTES_FIRST = 4 * 1024 * 1024 };

static bool
grow(void **data, size_t items, size_t item_bytes)
{
    void *grown = realloc(*data, items * item_bytes);

    if (grown == NULL) {
        return false;
    }
    *data = grown;
    return true;
}

static bool
room_for_line(struct lines *lines, bool kinds)
{
    size_t room = lines->count_room == 0 ? LINES_FIRST : 2 * lines->count_room;
    void *ends = lines->ends;
    void *kind_bytes = lines->kinds;
    bool grown;

    if (lines->count < lines->count_room) {
        return true;
    }
    grown = grow(&ends, room, sizeof(*lines->ends)) &&
            (!kinds || grow(&kind_bytes, room, 1));
    lines->ends = ends;
    lines->kinds = kind_bytes;
    if (grown) {
        lines->count_room = room;
    }
    return grown;
}

static bool
room_for_bytes(struct lines *lines, size_t bytes)
{
    size_t room = lines->bytes_room == 0
                      ? BYTES_FIRST
                      : lines->bytes_room + lines->bytes_room / 2;
    void *data = lines->data;

    if (lines->bytes_room - lines->bytes >= bytes) {
        return true;
    }
    if (room < lines->bytes + bytes) {
        room = lines->bytes + bytes;
    }
    if (!grow(&data, room, 1)) {
        return false;
    }
    lines->data = data;
    lines->bytes_room = room;
    return true;
}

static void
add_truth(struct generate_truth *sum, const struct generate_truth *truth)
{
    sum->lines += truth->lines;
    sum->bytes += truth->bytes;
    sum->tickets += truth->tickets;
    sum->events += truth->events;
    sum->duplicates += truth->duplicates;
    sum->versions += truth->versions;
    sum->bad += truth->bad;
    sum->late += truth->late;
    sum->repeats += truth->repeats;
    for (size_t i = 0; i < TICKET_TYPE_COUNT; i++) {
        sum->types[i] += truth->types[i];
    }
    for (size_t i = 0; i < EVENT_KIND_COUNT; i++) {
        sum->event_kinds[i] += truth->event_kinds[i];
    }
}

/* Append up to `count` lines. */
static bool
fill(struct lines *lines, struct generator *generator, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        enum generated_kind kind;
        size_t bytes;

        if (!room_for_line(lines, true) ||
            !room_for_bytes(lines, GENERATE_LINE_BYTES_MAX)) {
            return false;
        }
        bytes = generator_line(generator, lines->data + lines->bytes, &kind);
        if (bytes == 0) {
            break;
        }
        lines->bytes += bytes;
        lines->kinds[lines->count] = (uint8_t)kind;
        lines->ends[lines->count++] = lines->bytes;
    }
    return generator_ok(generator);
}

enum err_code
lines_generate(struct lines *lines,
               const struct generate_options *options,
               struct err *err)
{
    struct generator *generator = NULL;
    bool ok;

    if (generator_new(options, &generator, err) != ERR_OK) {
        return err->code;
    }
    ok = fill(lines, generator, SIZE_MAX);
    add_truth(&lines->truth, generator_truth(generator));
    generator_free(&generator);
    return ok ? ERR_OK : err_set(err, ERR_NO_MEMORY, "the stream");
}

enum err_code
lines_more(struct lines *lines,
           struct generator *generator,
           size_t count,
           struct err *err)
{
    return fill(lines, generator, count)
               ? ERR_OK
               : err_set(err, ERR_NO_MEMORY, "the stream");
}

static enum err_code
read_all(struct lines *lines, FILE *file, const char *path, struct err *err)
{
    size_t got;

    do {
        if (!room_for_bytes(lines, BYTES_FIRST)) {
            return err_set(err, ERR_NO_MEMORY, "%s", path);
        }
        /* One byte stays free for a missing last line feed. */
        got = fread(lines->data + lines->bytes, 1,
                    lines->bytes_room - lines->bytes - 1, file);
        lines->bytes += got;
    } while (got > 0);
    if (ferror(file)) {
        return err_set(err, ERR_IO, "read %s: %s", path, strerror(errno));
    }
    if (lines->bytes > 0 && lines->data[lines->bytes - 1] != '\n') {
        lines->data[lines->bytes++] = '\n';
    }
    return ERR_OK;
}

enum err_code
lines_read(struct lines *lines, const char *path, struct err *err)
{
    FILE *file = fopen(path, "rb");
    size_t at = 0;
    enum err_code code;

    if (file == NULL) {
        return err_set(err, ERR_IO, "open %s: %s", path, strerror(errno));
    }
    code = read_all(lines, file, path, err);
    (void)fclose(file);
    if (code != ERR_OK) {
        return code;
    }
    while (at < lines->bytes) {
        const char *end = memchr(lines->data + at, '\n', lines->bytes - at);

        if (!room_for_line(lines, false)) {
            return err_set(err, ERR_NO_MEMORY, "%s", path);
        }
        at = (size_t)(end - lines->data) + 1;
        lines->ends[lines->count++] = at;
    }
    lines->truth.lines = lines->count;
    lines->truth.bytes = lines->bytes;
    return ERR_OK;
}

void
lines_release(struct lines *lines)
{
    free(lines->data);
    free(lines->ends);
    free(lines->kinds);
    *lines = (struct lines){0};
}
