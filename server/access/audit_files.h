/*
 * audit_files: the files of the audit list and the links of its chain; shared
 * by audit.c (writing) and audit_check.c (reading).
 */
#ifndef ACCESS_AUDIT_FILES_H
#define ACCESS_AUDIT_FILES_H

#include "server/access/audit.h"

enum {
    AUDIT_PATH_BYTES = SECRET_PATH_BYTES + 64,
    AUDIT_NAMES_MAX = AUDIT_FILES_MAX + 8,
    AUDIT_HEAD_BYTES_MAX = 256
};

/* Numbers of the first entries of the files, ascending. */
struct audit_names {
    uint64_t first[AUDIT_NAMES_MAX];
    size_t count;
};

/* One entry's place in the chain. */
struct audit_link {
    uint64_t seq;
    uint8_t hash[SECRET_HASH_BYTES];
};

void audit_path(const char *dir, uint64_t first, char out[AUDIT_PATH_BYTES]);

/* Errors  NOT_FOUND (no directory), IO, TOO_LONG */
enum err_code audit_list_files(const char *dir,
                               struct audit_names *out,
                               struct err *err) MUST_CHECK;

/* A whole file; given: free(). Errors  as secret_read_file */
enum err_code audit_read_file(const char *dir,
                              uint64_t first,
                              char **data,
                              size_t *bytes,
                              struct err *err) MUST_CHECK;

/* The hash behind `before` of a line up to ,"hash": */
void audit_hash(const struct secret *secret,
                const uint8_t before[SECRET_HASH_BYTES],
                struct span text,
                uint8_t out[SECRET_HASH_BYTES]);

/* Take a line apart; false: it is not an entry's. */
bool audit_parse(struct span line, struct span *text, struct audit_link *out);

/* The head file. False: there is none, or it is none. */
bool audit_read_head(const char *dir, struct audit_link *out);

#endif /* ACCESS_AUDIT_FILES_H */
