/*
 * audit: who signed in, unmasked, exported and changed what; a chain of hashes.
 *
 * DIR/audit/<number of its first entry>.ndjson, mode 0600, one entry a line:
 *
 *   {"seq":7,"at":"…","action":"unmask","ok":true,"who":"王工",
 *    "role":"supervisor","from":"10.1.2.3","object":"2018…","reason":"…",
 *    "hash":"<64 hex digits>"}
 *
 * `hash` is HMAC-SHA-256, under the key of the data directory, of the hash
 * before it and of the line in front of ,"hash": so an entry that was changed,
 * taken out, put in or moved breaks the chain. DIR/audit/head keeps the newest
 * number and hash: a list that was cut at its end does not reach it.
 *
 * An entry is on disk when audit_put returns: what it lets out must wait for
 * it. A file is closed at AUDIT_FILE_BYTES; the oldest go when there are more
 * than AUDIT_FILES_MAX, but never before AUDIT_KEEP_DAYS, and that is an entry
 * ("audit_removed") itself. Full of younger ones it refuses entries.
 *
 * Source    Cybersecurity Law art. 23 (logs kept for six months); GB/T 22239
 *           (安全审计)
 * Threads   audit_put may be called from every thread; it holds one lock while
 *           it writes and syncs
 */
#ifndef ACCESS_AUDIT_H
#define ACCESS_AUDIT_H

#include "server/access/roles.h"
#include "server/access/secret.h"

enum {
    AUDIT_FILE_BYTES = 4 * 1024 * 1024,
    AUDIT_FILES_MAX = 256,
    AUDIT_KEEP_DAYS = 183,
    AUDIT_TEXT_BYTES_MAX = 1024, /* of object and reason each; longer is cut */
    AUDIT_LINE_BYTES_MAX = 16 * 1024
};

struct audit;

struct audit_entry {
    const char *action; /* "sign_in"; a word of ours */
    bool ok;
    const struct access_caller *caller; /* NULL: unknown */
    const char *address;                /* numeric; may be NULL */
    struct span object; /* what it was done to; no personal data */
    struct span reason; /* in the person's own words; may be empty */
};

/*
 * Open DIR/audit, make it when there is none; half an entry at its end (of a
 * server that was killed) goes, it was never acknowledged.
 *   secret  copied
 *   out     free with audit_close
 * Errors  IO, DISK_FULL, NO_MEMORY, BAD_VALUE (others may read a file)
 */
enum err_code audit_open(const char *dir,
                         const struct secret *secret,
                         struct audit **out,
                         struct err *err) MUST_CHECK;
/* Accepts NULL. */
void audit_close(struct audit **audit);

/*
 * Append one entry; on disk when it returns ERR_OK.
 * Errors  DISK_FULL, IO; STORE_FULL when the list is full of entries younger
 *         than AUDIT_KEEP_DAYS. Nothing was written then.
 * Cost    one fdatasync
 */
enum err_code audit_put(struct audit *audit,
                        const struct audit_entry *entry,
                        int64_t now_us,
                        struct err *err) MUST_CHECK;

/* Number of the newest entry; 0: none. */
uint64_t audit_newest(struct audit *audit);

/* ---- reading, also beside a running server ---- */

/* One line without its end; false: enough. */
typedef bool audit_visit(void *data, uint64_t seq, struct span line);

/*
 * Entries with seq < before, newest first; before 0 is all.
 * Errors  IO, NO_MEMORY
 */
enum err_code audit_read(const char *dir,
                         uint64_t before,
                         audit_visit *visit,
                         void *data,
                         struct err *err) MUST_CHECK;

struct audit_report {
    uint64_t first; /* number of the oldest entry there is */
    uint64_t entries;
    uint64_t newest;
    char newest_hash[SECRET_HEX_BYTES];
    char problem[256]; /* "" when the chain is whole */
};

/*
 * Compute the whole chain again. A broken chain is no error: see
 * report->problem.
 * Errors  NOT_FOUND (no list), IO, NO_MEMORY
 */
enum err_code audit_verify(const char *dir,
                           const struct secret *secret,
                           struct audit_report *report,
                           struct err *err) MUST_CHECK;

#endif /* ACCESS_AUDIT_H */
