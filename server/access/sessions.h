/*
 * sessions: signed-in browsers and one-time sign-in links, in memory only.
 *
 * A session ends when it rests for SESSION_IDLE_S, after SESSION_S, at
 * sign-out, when its token is revoked, and with the server. Full, the table
 * drops the one that rested longest. Of a cookie or link only the keyed hash is
 * kept. Belongs to one thread. No clock: the caller says what time it is.
 */
#ifndef ACCESS_SESSIONS_H
#define ACCESS_SESSIONS_H

#include "server/access/roles.h"
#include "server/access/secret.h"

enum {
    SESSIONS_MAX = 512,
    SESSION_IDLE_S = 2 * 3600,
    SESSION_S = 12 * 3600,
    SESSION_LINKS_MAX = 4,
    SESSION_LINK_S = 30 * 60,
    SESSION_TEXT_CHARS = ACCESS_TOKEN_ID_CHARS + SECRET_RANDOM_CHARS
};

struct sessions;

/* `secret` is copied. NULL: no memory. */
struct sessions *sessions_new(const struct secret *secret);
void sessions_free(struct sessions **sessions);

/*
 * Begin a session.
 *   text   what the cookie holds
 * False: the system gives no random bytes.
 */
bool sessions_begin(struct sessions *sessions,
                    const struct access_caller *caller,
                    int64_t mono_us,
                    char text[SESSION_TEXT_CHARS + 1]) MUST_CHECK;

/* Whose it is; NULL: no such session, or it has ended. Borrowed until the next
 * call. */
const struct access_caller *
sessions_find(struct sessions *sessions, struct span text, int64_t mono_us);
void sessions_end(struct sessions *sessions, struct span text, int64_t mono_us);

/* End those for whom `holds` says no. */
void sessions_sift(struct sessions *sessions,
                   bool (*holds)(void *data,
                                 const struct access_caller *caller),
                   void *data);

size_t sessions_count(const struct sessions *sessions, int64_t mono_us);

/* A one-time link; false: no random bytes. The oldest is dropped for it. */
bool sessions_add_link(struct sessions *sessions,
                       const struct access_caller *caller,
                       int64_t mono_us,
                       char text[SESSION_TEXT_CHARS + 1]) MUST_CHECK;

/* Use up a link; false: no such link, used already, or too old. */
bool sessions_take_link(struct sessions *sessions,
                        struct span text,
                        int64_t mono_us,
                        struct access_caller *out);

#endif /* ACCESS_SESSIONS_H */
