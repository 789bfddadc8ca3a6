/*
 * tokens: the tokens file of a data directory.
 *
 * A token is "sq_", an id of 8 letters, "_" and 43 random characters. The file
 * DIR/tokens (mode 0600) keeps id, role, time, keyed hash and name of each, one
 * a line; the token itself is shown once and kept nowhere.
 *
 *   # comment
 *   k3v5w2ad supervisor 2026-11-22T08:30:00+08:00 <64 hex digits> 王工
 */
#ifndef ACCESS_TOKENS_H
#define ACCESS_TOKENS_H

#include "server/access/roles.h"
#include "server/access/secret.h"

enum {
    TOKENS_MAX = 1000,
    TOKEN_CHARS = 3 + ACCESS_TOKEN_ID_CHARS + 1 + SECRET_RANDOM_CHARS,
    TOKENS_FILE_BYTES_MAX = 512 * 1024
};

struct token {
    char id[ACCESS_TOKEN_ID_CHARS + 1];
    char name[ACCESS_NAME_BYTES_MAX + 1]; /* unique */
    enum access_role role;
    int64_t created_us;
    uint8_t hash[SECRET_HASH_BYTES];
};

struct tokens {
    struct token *items; /* owned; item_count of TOKENS_MAX */
    size_t count;
};

/*
 * Read DIR/tokens. `out` must be released, also after an error.
 * Errors  NOT_FOUND; BAD_VALUE naming the line, or that others may read the
 *         file; IO, NO_MEMORY
 */
enum err_code
tokens_read(const char *dir, struct tokens *out, struct err *err) MUST_CHECK;
enum err_code tokens_write(const char *dir,
                           const struct tokens *tokens,
                           struct err *err) MUST_CHECK;
/* Accepts a zeroed one. */
void tokens_release(struct tokens *tokens);

/*
 * Make a token and put it into the list (not yet on disk).
 *   name   1 to ACCESS_NAME_BYTES_MAX bytes of printable UTF-8, used by no
 *          other token
 *   text   the token itself: show it, then secret_forget it
 * Errors  BAD_VALUE (name), TOO_LONG (TOKENS_MAX), IO (no random bytes),
 *         NO_MEMORY
 */
enum err_code tokens_add(struct tokens *tokens,
                         const struct secret *secret,
                         struct span name,
                         enum access_role role,
                         int64_t now_us,
                         char text[TOKEN_CHARS + 1],
                         struct err *err) MUST_CHECK;

/* Take out the one of that name or id; false when there is none. */
bool tokens_remove(struct tokens *tokens, struct span name_or_id);

/* By id; NULL when there is none. */
const struct token *tokens_find(const struct tokens *tokens, struct span id);

/* The id part of what looks like a token; {NULL, 0} for all else. */
struct span token_id_of(struct span text);

/* The token of {"token":"..."}, the first line of a feed; {NULL, 0} when `line`
 * is anything else. */
struct span token_of_json(struct span line);

/* Is `text` the token whose hash `token` keeps? In constant time. */
bool token_fits(const struct token *token,
                const struct secret *secret,
                struct span text);

/*
 * The token in a client's own file (blanks around it are dropped).
 * Errors  of secret_read_file; BAD_VALUE when it holds no token
 */
enum err_code token_file_read(const char *path,
                              char out[TOKEN_CHARS + 1],
                              struct err *err) MUST_CHECK;

/*
 * Keep others from changing the file meanwhile (a lock on DIR/secret).
 * Returns a descriptor to close(), or -1 with err set.
 */
int tokens_lock(const char *dir, struct err *err);

#endif /* ACCESS_TOKENS_H */
