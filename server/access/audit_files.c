/* The files of the audit list and the links of its chain. */
#include "server/access/audit_files.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char hash_mark[] = ",\"hash\":\"";

void
audit_path(const char *dir, uint64_t first, char out[AUDIT_PATH_BYTES])
{
    (void)snprintf(out, AUDIT_PATH_BYTES, "%s/audit/%020" PRIu64 ".ndjson", dir,
                   first);
}

static int
by_number(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;

    return *x < *y ? -1 : *x > *y;
}

static void
take_name(const char *name, struct audit_names *out, struct err *err)
{
    char *end;
    uint64_t first = strtoull(name, &end, 10);

    if (end != name + 20 || strcmp(end, ".ndjson") != 0 || first == 0) {
        return; /* the head, or not ours */
    }
    if (out->count == AUDIT_NAMES_MAX) {
        (void)err_set(err, ERR_TOO_LONG, "audit: too many files");
        return;
    }
    out->first[out->count++] = first;
}

enum err_code
audit_list_files(const char *dir, struct audit_names *out, struct err *err)
{
    char path[AUDIT_PATH_BYTES];
    const struct dirent *entry;
    DIR *handle;

    out->count = 0;
    (void)snprintf(path, sizeof(path), "%s/audit", dir);
    handle = opendir(path);
    if (handle == NULL) {
        return err_set(err, err_from_errno(errno), "%s: %s", path,
                       strerror(errno));
    }
    while ((entry = readdir(handle)) != NULL) {
        take_name(entry->d_name, out, err);
    }
    (void)closedir(handle);
    qsort(out->first, out->count, sizeof(out->first[0]), by_number);
    return err->code;
}

enum err_code
audit_read_file(const char *dir,
                uint64_t first,
                char **data,
                size_t *bytes,
                struct err *err)
{
    const size_t room = AUDIT_FILE_BYTES + AUDIT_LINE_BYTES_MAX + 1;
    char path[AUDIT_PATH_BYTES];

    *data = malloc(room);
    if (*data == NULL) {
        return err_set(err, ERR_NO_MEMORY, "audit");
    }
    audit_path(dir, first, path);
    if (secret_read_file(path, *data, room, bytes, err) != ERR_OK) {
        free(*data);
        *data = NULL;
    }
    return err->code;
}

void
audit_hash(const struct secret *secret,
           const uint8_t before[SECRET_HASH_BYTES],
           struct span text,
           uint8_t out[SECRET_HASH_BYTES])
{
    const struct span parts[] = {{(const char *)before, SECRET_HASH_BYTES},
                                 text};

    secret_hash(secret, "suqiu audit", parts, 2, out);
}

bool
audit_parse(struct span line, struct span *text, struct audit_link *out)
{
    const size_t mark_bytes = sizeof(hash_mark) - 1;
    const size_t tail_bytes = mark_bytes + SECRET_HEX_BYTES - 1 + 2;
    const struct span seq_mark = SPAN_LITERAL("{\"seq\":");
    struct span hex;

    if (line.bytes < tail_bytes + seq_mark.bytes ||
        !span_starts(line, seq_mark)) {
        return false;
    }
    *text = (struct span){line.data, line.bytes - tail_bytes};
    hex = (struct span){line.data + text->bytes + mark_bytes,
                        SECRET_HEX_BYTES - 1};
    out->seq = 0;
    for (size_t i = seq_mark.bytes;
         i < text->bytes && line.data[i] >= '0' && line.data[i] <= '9'; i++) {
        out->seq = out->seq * 10 + (uint64_t)(line.data[i] - '0');
    }
    return memcmp(line.data + text->bytes, hash_mark, mark_bytes) == 0 &&
           memcmp(line.data + line.bytes - 2, "\"}", 2) == 0 && out->seq > 0 &&
           secret_from_hex(hex, out->hash);
}

bool
audit_read_head(const char *dir, struct audit_link *out)
{
    char path[AUDIT_PATH_BYTES];
    char text[AUDIT_HEAD_BYTES_MAX];
    struct span rest = {text, 0};
    struct span seq;
    struct err err = {0};

    (void)snprintf(path, sizeof(path), "%s/audit/head", dir);
    if (secret_read_file(path, text, sizeof(text), &rest.bytes, &err) !=
        ERR_OK) {
        return false;
    }
    seq = span_split(&rest, ' ');
    out->seq = 0;
    for (size_t i = 0; i < seq.bytes; i++) {
        if (seq.data[i] < '0' || seq.data[i] > '9') {
            return false;
        }
        out->seq = out->seq * 10 + (uint64_t)(seq.data[i] - '0');
    }
    return seq.bytes > 0 && secret_from_hex(span_trim(rest), out->hash);
}
