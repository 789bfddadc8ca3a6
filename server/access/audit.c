/* Appending to the audit list. */
#include "server/access/audit.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyzers/ticket.h"
#include "server/access/audit_files.h"
#include "server/base/buf.h"
#include "server/base/json_out.h"

#define LOG_MODULE "audit"
#include "server/base/log.h"

struct audit {
    char dir[SECRET_PATH_BYTES];
    struct secret secret;
    pthread_mutex_t lock; /* all below */
    struct audit_names names;
    struct audit_link newest;
    int fd;      /* of the newest file; -1: none yet */
    int head_fd; /* DIR/audit/head */
    off_t bytes; /* of the newest file */
};

/* ---- opening ---- */

static enum err_code
io_error(struct err *err, const char *path)
{
    return err_set(err, err_from_errno(errno), "%s: %s", path, strerror(errno));
}

/* The whole entries of the newest file; what stands behind them is cut off. */
static enum err_code
find_end(struct audit *audit, const char *path, struct err *err)
{
    uint64_t first = audit->names.first[audit->names.count - 1];
    struct span rest = {NULL, 0};
    struct span text;
    char *data;

    if (audit_read_file(audit->dir, first, &data, &rest.bytes, err) != ERR_OK) {
        return err->code;
    }
    rest.data = data;
    audit->bytes = 0;
    while (rest.bytes > 0) {
        const char *end = memchr(rest.data, '\n', rest.bytes);
        struct span line = {rest.data,
                            end != NULL ? (size_t)(end - rest.data) : 0};

        if (end == NULL) {
            log_warn("half an entry at the end is dropped bytes=%zu",
                     rest.bytes);
            break;
        }
        if (!audit_parse(line, &text, &audit->newest)) {
            log_error("the list is damaged, suqiu audit says where");
        }
        rest.data = end + 1;
        rest.bytes -= line.bytes + 1;
        audit->bytes += (off_t)line.bytes + 1;
    }
    free(data);
    return truncate(path, audit->bytes) == 0 ? ERR_OK : io_error(err, path);
}

static enum err_code
open_newest(struct audit *audit, struct err *err)
{
    char path[AUDIT_PATH_BYTES];
    struct audit_link head;

    /* Before the first entry, or when nothing of it was kept: go on behind the
     * head, so that a list that was taken away shows. */
    if (audit_read_head(audit->dir, &head)) {
        audit->newest = head;
    }
    if (audit->names.count == 0) {
        return ERR_OK;
    }
    audit_path(audit->dir, audit->names.first[audit->names.count - 1], path);
    if (find_end(audit, path, err) != ERR_OK) {
        return err->code;
    }
    audit->fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    return audit->fd >= 0 ? ERR_OK : io_error(err, path);
}

static enum err_code
open_head(struct audit *audit, struct err *err)
{
    char path[AUDIT_PATH_BYTES];

    (void)snprintf(path, sizeof(path), "%s/audit/head", audit->dir);
    audit->head_fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return audit->head_fd >= 0 ? ERR_OK : io_error(err, path);
}

enum err_code
audit_open(const char *dir,
           const struct secret *secret,
           struct audit **out,
           struct err *err)
{
    struct audit *audit = calloc(1, sizeof(*audit));
    char path[AUDIT_PATH_BYTES];

    if (audit == NULL || pthread_mutex_init(&audit->lock, NULL) != 0) {
        free(audit);
        return err_set(err, ERR_NO_MEMORY, "audit");
    }
    (void)snprintf(audit->dir, sizeof(audit->dir), "%s", dir);
    audit->secret = *secret;
    audit->fd = -1;
    audit->head_fd = -1;
    (void)snprintf(path, sizeof(path), "%s/audit", dir);
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        (void)io_error(err, path);
    }
    if (err->code != ERR_OK ||
        audit_list_files(dir, &audit->names, err) != ERR_OK ||
        open_newest(audit, err) != ERR_OK || open_head(audit, err) != ERR_OK) {
        audit_close(&audit);
        return err->code;
    }
    *out = audit;
    return ERR_OK;
}

void
audit_close(struct audit **audit)
{
    struct audit *a = *audit;

    if (a == NULL) {
        return;
    }
    if (a->fd >= 0) {
        (void)close(a->fd);
    }
    if (a->head_fd >= 0) {
        (void)close(a->head_fd);
    }
    (void)pthread_mutex_destroy(&a->lock);
    secret_forget(a, sizeof(*a));
    free(a);
    *audit = NULL;
}

/* ---- one line ---- */

static void
put_text(struct json_out *json, const char *key, struct span text)
{
    if (text.bytes > AUDIT_TEXT_BYTES_MAX) {
        text.bytes = utf8_cut(text.data, AUDIT_TEXT_BYTES_MAX);
    }
    if (text.bytes > 0) {
        json_put_string(json, key, text);
    }
}

/* The line of `seq` with its hash and line end; *hash is the new link. */
static void
put_line(const struct audit *audit,
         const struct audit_entry *entry,
         uint64_t seq,
         int64_t now_us,
         struct buf *out,
         uint8_t hash[SECRET_HASH_BYTES])
{
    static const struct access_caller nobody = {.role = ACCESS_NOBODY};
    const struct access_caller *caller =
        entry->caller != NULL ? entry->caller : &nobody;
    char time[TICKET_TIME_BYTES];
    char hex[SECRET_HEX_BYTES];
    struct json_out json;

    json_init(&json, out);
    json_open_object(&json);
    json_put_uint(&json, "seq", seq);
    json_put_text(&json, "at", ticket_time_format(now_us, time));
    json_put_text(&json, "action", entry->action);
    json_put_bool(&json, "ok", entry->ok);
    put_text(&json, "who", span_of(caller->name));
    json_put_text(&json, "role", access_role_name(caller->role));
    put_text(&json, "from", span_of(entry->address));
    put_text(&json, "object", entry->object);
    put_text(&json, "reason", entry->reason);
    audit_hash(&audit->secret, audit->newest.hash, buf_view(out), hash);
    secret_to_hex(hash, hex);
    json_put_text(&json, "hash", hex);
    json_close_object(&json);
    buf_put_char(out, '\n');
}

/* ---- writing ---- */

static enum err_code
begin_file(struct audit *audit, uint64_t first, struct err *err)
{
    char path[AUDIT_PATH_BYTES];
    char dir[AUDIT_PATH_BYTES];
    int fd;
    int dir_fd;

    audit_path(audit->dir, first, path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) {
        return io_error(err, path);
    }
    (void)snprintf(dir, sizeof(dir), "%s/audit", audit->dir);
    dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0 || fsync(dir_fd) != 0) {
        (void)io_error(err, dir);
        (void)unlink(path);
        (void)close(fd);
        fd = -1;
    }
    if (dir_fd >= 0) {
        (void)close(dir_fd);
    }
    if (fd < 0) {
        return err->code;
    }
    if (audit->fd >= 0) {
        (void)close(audit->fd);
    }
    audit->fd = fd;
    audit->bytes = 0;
    audit->names.first[audit->names.count++] = first;
    return ERR_OK;
}

/* All of it on disk, or nothing of it in the file. */
static enum err_code
write_line(struct audit *audit, struct span line, struct err *err)
{
    size_t done = 0;

    while (done < line.bytes) {
        ssize_t put = write(audit->fd, line.data + done, line.bytes - done);

        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            break;
        }
        done += (size_t)put;
    }
    if (done < line.bytes || fdatasync(audit->fd) != 0) {
        (void)err_set(err, err_from_errno(errno), "the audit list: %s",
                      strerror(errno));
        if (ftruncate(audit->fd, audit->bytes) != 0) {
            log_error("half an entry stays until the next start");
        }
        return err->code;
    }
    audit->bytes += (off_t)line.bytes;
    return ERR_OK;
}

/* Behind the list after a power loss it proves less, never something wrong: no
 * need to wait for the disk. */
static void
write_head(const struct audit *audit)
{
    char hex[SECRET_HEX_BYTES];
    char text[AUDIT_HEAD_BYTES_MAX];
    int bytes;

    secret_to_hex(audit->newest.hash, hex);
    bytes = snprintf(text, sizeof(text), "%020" PRIu64 " %s\n",
                     audit->newest.seq, hex);
    if (pwrite(audit->head_fd, text, (size_t)bytes, 0) != bytes) {
        log_warn("the head of the list cannot be written");
    }
}

static enum err_code
append(struct audit *audit,
       const struct audit_entry *entry,
       int64_t now_us,
       struct err *err)
{
    uint64_t seq = audit->newest.seq + 1;
    uint8_t hash[SECRET_HASH_BYTES];
    struct buf line;

    buf_init(&line, AUDIT_LINE_BYTES_MAX);
    put_line(audit, entry, seq, now_us, &line, hash);
    if (buf_check(&line, err) == ERR_OK &&
        write_line(audit, buf_view(&line), err) == ERR_OK) {
        audit->newest.seq = seq;
        memcpy(audit->newest.hash, hash, sizeof(hash));
        write_head(audit);
    }
    buf_release(&line);
    return err->code;
}

/* May the oldest file go? Its last change is that of its newest entry. */
static bool
is_old(const struct audit *audit, const char *path, int64_t now_us)
{
    const int64_t keep_us = AUDIT_KEEP_DAYS * INT64_C(86400) * 1000000;
    struct stat about;

    (void)audit;
    return stat(path, &about) == 0 &&
           now_us - (int64_t)about.st_mtime * 1000000 > keep_us;
}

/* The link of the newest entry in the oldest file. */
static enum err_code
last_of_oldest(const struct audit *audit,
               struct audit_link *out,
               struct err *err)
{
    struct span rest;
    char *data;

    if (audit_read_file(audit->dir, audit->names.first[0], &data, &rest.bytes,
                        err) != ERR_OK) {
        return err->code;
    }
    rest.data = data;
    while (rest.bytes > 0) {
        struct span line = span_split(&rest, '\n');
        struct span text;

        (void)audit_parse(line, &text, out);
    }
    free(data);
    return ERR_OK;
}

/* Room for one file more: the oldest goes, and an entry says so first. */
static enum err_code
make_room(struct audit *audit, int64_t now_us, struct err *err)
{
    char path[AUDIT_PATH_BYTES];
    char object[128];
    char hex[SECRET_HEX_BYTES];
    struct audit_link last = {0};
    struct audit_entry entry = {.action = "audit_removed", .ok = true};

    if (audit->names.count < AUDIT_FILES_MAX) {
        return ERR_OK;
    }
    audit_path(audit->dir, audit->names.first[0], path);
    if (!is_old(audit, path, now_us)) {
        return err_set(err, ERR_STORE_FULL,
                       "the audit list is full of entries younger than %d "
                       "days; move the oldest files of '%s/audit' elsewhere",
                       AUDIT_KEEP_DAYS, audit->dir);
    }
    if (last_of_oldest(audit, &last, err) != ERR_OK) {
        return err->code;
    }
    secret_to_hex(last.hash, hex); /* what the first one left is tied to */
    (void)snprintf(object, sizeof(object), "%" PRIu64 "-%" PRIu64 " %s",
                   audit->names.first[0], last.seq, hex);
    entry.object = span_of(object);
    if (append(audit, &entry, now_us, err) != ERR_OK) {
        return err->code;
    }
    (void)unlink(path);
    audit->names.count--;
    memmove(&audit->names.first[0], &audit->names.first[1],
            audit->names.count * sizeof(audit->names.first[0]));
    return ERR_OK;
}

static enum err_code
put_locked(struct audit *audit,
           const struct audit_entry *entry,
           int64_t now_us,
           struct err *err)
{
    if (audit->fd < 0 || audit->bytes >= AUDIT_FILE_BYTES) {
        if (make_room(audit, now_us, err) != ERR_OK ||
            begin_file(audit, audit->newest.seq + 1, err) != ERR_OK) {
            return err->code;
        }
    }
    return append(audit, entry, now_us, err);
}

enum err_code
audit_put(struct audit *audit,
          const struct audit_entry *entry,
          int64_t now_us,
          struct err *err)
{
    enum err_code code;

    (void)pthread_mutex_lock(&audit->lock);
    code = put_locked(audit, entry, now_us, err);
    (void)pthread_mutex_unlock(&audit->lock);
    if (code != ERR_OK) {
        static struct log_limit limit = LOG_LIMIT(1000000);

        log_error_limited(&limit,
                          "no entry written action=%s err=%s ctx=\"%s\"",
                          entry->action, err_code_name(code), err->detail);
    }
    return code;
}

uint64_t
audit_newest(struct audit *audit)
{
    uint64_t seq;

    (void)pthread_mutex_lock(&audit->lock);
    seq = audit->newest.seq;
    (void)pthread_mutex_unlock(&audit->lock);
    return seq;
}
