/* Sessions and one-time links: two small tables found by a public id. */
#include "server/access/sessions.h"

#include <stdio.h>
#include <stdlib.h>

static const int64_t us_per_s = 1000000;
static const char session_label[] = "suqiu session";
static const char link_label[] = "suqiu link";

struct pass {
    char id[ACCESS_TOKEN_ID_CHARS + 1]; /* "" = free */
    uint8_t hash[SECRET_HASH_BYTES];
    struct access_caller caller;
    int64_t begun_mono_us;
    int64_t seen_mono_us;
};

struct sessions {
    struct secret secret;
    struct pass passes[SESSIONS_MAX];
    struct pass links[SESSION_LINKS_MAX];
};

struct sessions *
sessions_new(const struct secret *secret)
{
    struct sessions *sessions = calloc(1, sizeof(*sessions));

    if (sessions != NULL) {
        sessions->secret = *secret;
    }
    return sessions;
}

void
sessions_free(struct sessions **sessions)
{
    if (*sessions != NULL) {
        secret_forget(*sessions, sizeof(**sessions));
    }
    free(*sessions);
    *sessions = NULL;
}

static void
hash_text(const struct sessions *sessions,
          const char *label,
          struct span text,
          uint8_t out[SECRET_HASH_BYTES])
{
    secret_hash(&sessions->secret, label, &text, 1, out);
}

/* A free row, else the one that rested longest. */
static struct pass *
row_for_new(struct pass *rows, size_t count)
{
    struct pass *best = &rows[0];

    for (size_t i = 0; i < count && best->id[0] != '\0'; i++) {
        if (rows[i].id[0] == '\0' ||
            rows[i].seen_mono_us < best->seen_mono_us) {
            best = &rows[i];
        }
    }
    return best;
}

static bool
add(const struct sessions *sessions,
    struct pass *row,
    const char *label,
    const struct access_caller *caller,
    int64_t mono_us,
    char text[SESSION_TEXT_CHARS + 1])
{
    char id[ACCESS_TOKEN_ID_CHARS + 1];
    char random[SECRET_RANDOM_CHARS + 1];

    if (!secret_random_id(id, ACCESS_TOKEN_ID_CHARS) ||
        !secret_random_text(random)) {
        return false;
    }
    *row = (struct pass){
        .caller = *caller, .begun_mono_us = mono_us, .seen_mono_us = mono_us};
    (void)snprintf(row->id, sizeof(row->id), "%s", id);
    (void)snprintf(text, SESSION_TEXT_CHARS + 1, "%s%s", id, random);
    secret_forget(random, sizeof(random));
    hash_text(sessions, label, span_of(text), row->hash);
    return true;
}

static struct pass *
find(const struct sessions *sessions,
     const char *label,
     struct pass *rows,
     size_t count,
     struct span text)
{
    struct span id = {text.data, ACCESS_TOKEN_ID_CHARS};
    uint8_t hash[SECRET_HASH_BYTES];

    if (text.bytes != SESSION_TEXT_CHARS) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (span_is(id, rows[i].id)) {
            hash_text(sessions, label, text, hash);
            return secret_same(hash, rows[i].hash) ? &rows[i] : NULL;
        }
    }
    return NULL;
}

/* ---- sessions ---- */

static bool
has_ended(const struct pass *pass, int64_t mono_us)
{
    return mono_us - pass->seen_mono_us > SESSION_IDLE_S * us_per_s ||
           mono_us - pass->begun_mono_us > SESSION_S * us_per_s;
}

bool
sessions_begin(struct sessions *sessions,
               const struct access_caller *caller,
               int64_t mono_us,
               char text[SESSION_TEXT_CHARS + 1])
{
    return add(sessions, row_for_new(sessions->passes, SESSIONS_MAX),
               session_label, caller, mono_us, text);
}

static struct pass *
find_session(struct sessions *sessions, struct span text, int64_t mono_us)
{
    struct pass *pass =
        find(sessions, session_label, sessions->passes, SESSIONS_MAX, text);

    if (pass != NULL && has_ended(pass, mono_us)) {
        *pass = (struct pass){0};
        pass = NULL;
    }
    return pass;
}

const struct access_caller *
sessions_find(struct sessions *sessions, struct span text, int64_t mono_us)
{
    struct pass *pass = find_session(sessions, text, mono_us);

    if (pass == NULL) {
        return NULL;
    }
    pass->seen_mono_us = mono_us;
    return &pass->caller;
}

void
sessions_end(struct sessions *sessions, struct span text, int64_t mono_us)
{
    struct pass *pass = find_session(sessions, text, mono_us);

    if (pass != NULL) {
        *pass = (struct pass){0};
    }
}

void
sessions_sift(struct sessions *sessions,
              bool (*holds)(void *data, const struct access_caller *caller),
              void *data)
{
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        struct pass *pass = &sessions->passes[i];

        if (pass->id[0] != '\0' && !holds(data, &pass->caller)) {
            *pass = (struct pass){0};
        }
    }
}

size_t
sessions_count(const struct sessions *sessions, int64_t mono_us)
{
    size_t count = 0;

    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        count += sessions->passes[i].id[0] != '\0' &&
                 !has_ended(&sessions->passes[i], mono_us);
    }
    return count;
}

/* ---- one-time links ---- */

bool
sessions_add_link(struct sessions *sessions,
                  const struct access_caller *caller,
                  int64_t mono_us,
                  char text[SESSION_TEXT_CHARS + 1])
{
    return add(sessions, row_for_new(sessions->links, SESSION_LINKS_MAX),
               link_label, caller, mono_us, text);
}

bool
sessions_take_link(struct sessions *sessions,
                   struct span text,
                   int64_t mono_us,
                   struct access_caller *out)
{
    struct pass *link =
        find(sessions, link_label, sessions->links, SESSION_LINKS_MAX, text);
    bool fresh = link != NULL &&
                 mono_us - link->begun_mono_us <= SESSION_LINK_S * us_per_s;

    if (fresh) {
        *out = link->caller;
    }
    if (link != NULL) {
        *link = (struct pass){0};
    }
    return fresh;
}
