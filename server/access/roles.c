/* The names of the roles. */
#include "server/access/roles.h"

#include <stddef.h>
#include <stdio.h>

static const char *const role_names[ACCESS_ROLE_COUNT] = {
    "nobody", "feed", "viewer", "supervisor", "admin"};

const char *
access_role_name(enum access_role role)
{
    return (size_t)role < ACCESS_ROLE_COUNT ? role_names[role] : "nobody";
}

enum access_role
access_role_from_name(struct span name)
{
    for (int i = ACCESS_FEED; i < ACCESS_ROLE_COUNT; i++) {
        if (span_is(name, role_names[i])) {
            return (enum access_role)i;
        }
    }
    return ACCESS_NOBODY;
}

char *
access_roles_text(unsigned roles, char out[ACCESS_ROLES_TEXT_BYTES])
{
    size_t used = 0;

    out[0] = '\0';
    for (int i = ACCESS_FEED; i < ACCESS_ROLE_COUNT; i++) {
        if (access_may((enum access_role)i, roles)) {
            used +=
                (size_t)snprintf(out + used, ACCESS_ROLES_TEXT_BYTES - used,
                                 "%s%s", used > 0 ? ", " : "", role_names[i]);
        }
    }
    return out;
}
