/*
 * secret: the key of a data directory, and what is made with it.
 *
 * DIR/secret holds 32 random bytes as hex, mode 0600, made once. Tokens,
 * sessions and the audit chain are HMAC-SHA-256 under it, each with a label of
 * its own, so that a value of one can't stand in for another.
 *
 * Source    FIPS 198-1 by OpenSSL; RFC 4648 section 5 for the token's letters
 */
#ifndef ACCESS_SECRET_H
#define ACCESS_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzers/err.h"
#include "analyzers/span.h"

enum {
    SECRET_BYTES = 32,
    SECRET_HASH_BYTES = 32,
    SECRET_HEX_BYTES = SECRET_HASH_BYTES * 2 + 1,
    SECRET_RANDOM_CHARS = 43, /* 32 random bytes, six bits a letter */
    SECRET_PATH_BYTES = 1200
};

struct secret {
    uint8_t key[SECRET_BYTES];
};

/*
 * Read DIR/secret; made when it does not exist and `make` is true.
 * Errors  NOT_FOUND (no file, make false), BAD_VALUE (not such a file, or
 *         others than its owner may read it), IO, DISK_FULL
 */
enum err_code secret_open(const char *dir,
                          bool make,
                          struct secret *out,
                          struct err *err) MUST_CHECK;

/* HMAC-SHA-256 of `label`, a NUL and the parts in order. */
void secret_hash(const struct secret *secret,
                 const char *label,
                 const struct span *parts,
                 size_t part_count,
                 uint8_t out[SECRET_HASH_BYTES]);

/* The same bytes? Takes the same time whatever they are. */
bool secret_same(const uint8_t a[SECRET_HASH_BYTES],
                 const uint8_t b[SECRET_HASH_BYTES]);

/* SECRET_RANDOM_CHARS letters, digits, '-' and '_', and a NUL. False: the
 * system gives no random bytes. */
bool secret_random_text(char out[SECRET_RANDOM_CHARS + 1]) MUST_CHECK;
/* `count` random letters a-z and 2-7, and a NUL. */
bool secret_random_id(char *out, size_t count) MUST_CHECK;

/* Overwrite, not to be optimised away. */
void secret_forget(void *bytes, size_t count);

void secret_to_hex(const uint8_t hash[SECRET_HASH_BYTES],
                   char out[SECRET_HEX_BYTES]);
bool secret_from_hex(struct span hex, uint8_t out[SECRET_HASH_BYTES]);

/* ---- files that only the owner reads ---- */

/*
 * Read a whole small file, at most `room` bytes.
 * Errors  NOT_FOUND; BAD_VALUE when group or others have any right on it;
 *         TOO_LONG; IO
 */
enum err_code secret_read_file(const char *path,
                               char *out,
                               size_t room,
                               size_t *bytes,
                               struct err *err) MUST_CHECK;

/*
 * Put a file in place, all of it or nothing, on disk when it returns: mode
 * 0600, and the owner of `dir` when root writes it.
 */
enum err_code secret_write_file(const char *dir,
                                const char *name,
                                struct span bytes,
                                struct err *err) MUST_CHECK;

#endif /* ACCESS_SECRET_H */
