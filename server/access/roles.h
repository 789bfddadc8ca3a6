/*
 * roles: who may do what; the one enum behind tokens, routes and masking.
 *
 *   feed        writes records and fed values, reads nothing
 *   viewer      reads everything masked
 *   supervisor  reads masked, unmasks one record with a reason, writes records
 *   admin       all of it, and the server itself
 */
#ifndef ACCESS_ROLES_H
#define ACCESS_ROLES_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzers/span.h"

enum access_role {
    ACCESS_NOBODY, /* not signed in */
    ACCESS_FEED,
    ACCESS_VIEWER,
    ACCESS_SUPERVISOR,
    ACCESS_ADMIN,
    ACCESS_ROLE_COUNT
};

/* Sets of roles, for the table of routes. */
enum access_roles {
    ACCESS_NONE = 0,
    ACCESS_ADMINS = 1u << ACCESS_ADMIN,
    ACCESS_SUPERVISORS = ACCESS_ADMINS | 1u << ACCESS_SUPERVISOR,
    ACCESS_READERS = ACCESS_SUPERVISORS | 1u << ACCESS_VIEWER,
    ACCESS_FEEDS = ACCESS_ADMINS | 1u << ACCESS_FEED,
    ACCESS_WRITERS = ACCESS_SUPERVISORS | 1u << ACCESS_FEED,
    ACCESS_SIGNED_IN = ACCESS_READERS | 1u << ACCESS_FEED,
    ACCESS_ANYONE = ACCESS_SIGNED_IN | 1u << ACCESS_NOBODY
};

enum {
    ACCESS_NAME_BYTES_MAX = 64,
    ACCESS_TOKEN_ID_CHARS = 8,
    ACCESS_ROLES_TEXT_BYTES = 64
};

/* Who is asking; a plain value. Zero is nobody. */
struct access_caller {
    enum access_role role;
    bool whole; /* personal fields unmasked: only without access control */
    char name[ACCESS_NAME_BYTES_MAX + 1]; /* for the audit list */
    char token_id[ACCESS_TOKEN_ID_CHARS + 1];
};

static inline bool
access_may(enum access_role role, unsigned roles)
{
    return (roles >> role & 1u) != 0;
}

/* "supervisor"; "nobody" for ACCESS_NOBODY. */
const char *access_role_name(enum access_role role);

/* ACCESS_NOBODY when there is no such role that a token can have. */
enum access_role access_role_from_name(struct span name);

/* "supervisor, admin" into out; returns out. */
char *access_roles_text(unsigned roles, char out[ACCESS_ROLES_TEXT_BYTES]);

#endif /* ACCESS_ROLES_H */
