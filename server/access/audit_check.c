/* Reading the audit list: newest first, and the whole chain again. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/access/audit.h"
#include "server/access/audit_files.h"

/* ---- newest first ---- */

/* The lines of one file from its end; false: the visitor has enough. */
static bool
visit_file(struct span data, uint64_t before, audit_visit *visit, void *user)
{
    while (data.bytes > 0) {
        size_t end = data.bytes;
        struct span line;
        struct span text;
        struct audit_link link;

        if (data.data[end - 1] == '\n') {
            end--;
        }
        line.data = data.data + end;
        while (line.data > data.data && line.data[-1] != '\n') {
            line.data--;
        }
        line.bytes = (size_t)(data.data + end - line.data);
        data.bytes = (size_t)(line.data - data.data);
        if (audit_parse(line, &text, &link) && link.seq < before &&
            !visit(user, link.seq, line)) {
            return false;
        }
    }
    return true;
}

enum err_code
audit_read(const char *dir,
           uint64_t before,
           audit_visit *visit,
           void *data,
           struct err *err)
{
    struct audit_names names;
    bool more = true;

    if (before == 0) {
        before = UINT64_MAX;
    }
    if (audit_list_files(dir, &names, err) != ERR_OK) {
        return err->code;
    }
    for (size_t i = names.count; more && i-- > 0;) {
        struct span file;
        char *bytes;

        if (names.first[i] >= before) {
            continue;
        }
        if (audit_read_file(dir, names.first[i], &bytes, &file.bytes, err) !=
            ERR_OK) {
            return err->code;
        }
        file.data = bytes;
        more = visit_file(file, before, visit, data);
        free(bytes);
    }
    return ERR_OK;
}

/* ---- the chain ---- */

struct check {
    const struct secret *secret;
    struct audit_report *report;
    struct audit_link last;    /* seq 0: none yet */
    struct audit_link head;    /* seq 0: no head */
    bool head_seen;            /* the entry that the head names is there */
    struct audit_link removed; /* the last one that an entry calls removed */
    struct audit_link first;
    char *first_text; /* when the ones before it were removed; owned */
    size_t first_bytes;
};

static void
problem(struct check *check, uint64_t seq, const char *what)
{
    if (check->report->problem[0] == '\0') {
        (void)snprintf(check->report->problem, sizeof(check->report->problem),
                       "entry %" PRIu64 ": %s", seq, what);
    }
}

/* "object":"1-4711 <hash>" of an entry that says what was removed. */
static void
note_removed(struct check *check, struct span text)
{
    const struct span mark = SPAN_LITERAL("\"object\":\"");
    size_t at =
        span_find(text, SPAN_LITERAL("\"action\":\"audit_removed\""), 0);
    struct audit_link link = {0};
    struct span object;
    struct span numbers;

    at = at != SIZE_MAX ? span_find(text, mark, at) : SIZE_MAX;
    if (at == SIZE_MAX) {
        return;
    }
    at += mark.bytes;
    object = (struct span){text.data + at, text.bytes - at};
    object = span_split(&object, '"');
    numbers = span_split(&object, ' ');
    (void)span_split(&numbers, '-');
    for (size_t i = 0; i < numbers.bytes; i++) {
        link.seq = link.seq * 10 + (uint64_t)(numbers.data[i] - '0');
    }
    if (secret_from_hex(object, link.hash) && link.seq > check->removed.seq) {
        check->removed = link;
    }
}

/* The first line: tied to nothing, or to what an entry further on names. */
static void
check_first(struct check *check,
            struct span text,
            const struct audit_link *link)
{
    check->report->first = link->seq;
    check->first = *link;
    if (link->seq == 1) {
        return;
    }
    check->first_text = malloc(text.bytes);
    if (check->first_text != NULL) {
        memcpy(check->first_text, text.data, text.bytes);
        check->first_bytes = text.bytes;
    }
}

static void
check_line(struct check *check, struct span line)
{
    struct audit_link link;
    struct span text;
    uint8_t hash[SECRET_HASH_BYTES];
    uint64_t expected = check->last.seq + 1;

    if (!audit_parse(line, &text, &link)) {
        problem(check, expected, "not an entry's line");
        return;
    }
    if (check->report->entries == 0) {
        check_first(check, text, &link);
    } else if (link.seq != expected) {
        problem(check, expected, "is missing, or not in its place");
    }
    if (check->report->entries > 0 || link.seq == 1) {
        audit_hash(check->secret, check->last.hash, text, hash);
        if (!secret_same(hash, link.hash)) {
            problem(check, link.seq, "was changed, or one before it");
        }
    }
    if (check->head.seq == link.seq) {
        check->head_seen = true;
        if (!secret_same(check->head.hash, link.hash)) {
            problem(check, link.seq, "is not the one that the head names");
        }
    }
    note_removed(check, text);
    check->last = link;
    check->report->entries++;
}

static enum err_code
check_file(struct check *check,
           const char *dir,
           uint64_t first,
           struct err *err)
{
    struct span rest;
    char *data;

    if (audit_read_file(dir, first, &data, &rest.bytes, err) != ERR_OK) {
        return err->code;
    }
    rest.data = data;
    while (rest.bytes > 0 && memchr(rest.data, '\n', rest.bytes) != NULL) {
        struct span line = span_split(&rest, '\n');

        check_line(check, line);
    }
    /* What has no line end is being written, or was when the server died. */
    free(data);
    return ERR_OK;
}

static void
check_removed(struct check *check)
{
    uint8_t hash[SECRET_HASH_BYTES];

    if (check->removed.seq + 1 != check->first.seq) {
        problem(check, check->first.seq,
                "is the first one there is, and no entry says that the ones "
                "before it were removed");
        return;
    }
    audit_hash(check->secret, check->removed.hash,
               (struct span){check->first_text, check->first_bytes}, hash);
    if (!secret_same(hash, check->first.hash)) {
        problem(check, check->first.seq, "was changed");
    }
}

static void
check_ends(struct check *check)
{
    char what[128];

    if (check->head.seq == 0 && check->report->entries > 0) {
        problem(check, check->last.seq, "the file 'head' is missing");
    } else if (check->head.seq > check->last.seq) {
        (void)snprintf(what, sizeof(what),
                       "is the last one, the head names %" PRIu64
                       ": the end was cut off",
                       check->head.seq);
        problem(check, check->last.seq, what);
    } else if (check->head.seq > 0 && !check->head_seen) {
        problem(check, check->head.seq, "the head names it and it is missing");
    }
    if (check->report->entries > 0 && check->first.seq > 1) {
        check_removed(check);
    }
}

enum err_code
audit_verify(const char *dir,
             const struct secret *secret,
             struct audit_report *report,
             struct err *err)
{
    struct check check = {.secret = secret, .report = report};
    struct audit_names names;

    *report = (struct audit_report){0};
    if (audit_list_files(dir, &names, err) != ERR_OK) {
        return err->code;
    }
    /* The head first: what is appended meanwhile is behind it. */
    (void)audit_read_head(dir, &check.head);
    for (size_t i = 0; i < names.count && err->code == ERR_OK; i++) {
        (void)!check_file(&check, dir, names.first[i], err);
    }
    if (err->code == ERR_OK) {
        check_ends(&check);
    }
    free(check.first_text);
    if (err->code != ERR_OK) {
        return err->code;
    }
    report->newest = check.last.seq;
    secret_to_hex(check.last.hash, report->newest_hash);
    return ERR_OK;
}
