/* The guard of the HTTP server and the table of who may call what. */
#include "server/serve/access.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/base/clock.h"
#include "server/serve/mask.h"
#include "server/serve/problem.h"
#include "server/serve/sign_in.h"

enum { ACCESS_PATTERN_BYTES = 64 };

struct access {
    struct http_server *http;
    struct gate *gate;   /* NULL: no access control */
    struct audit *audit; /* may be NULL */
    struct sessions *sessions;
};

/* ---- the table ---- */

struct access_row {
    const char *pattern; /* of a list: its name */
    unsigned roles;
    enum http_method method;
    bool is_list;
    const char *action; /* of the audit list; NULL: not audited */
};

static const struct access_row access_rows[] = {
#define ACCESS_ROUTE(method_, pattern_, roles_)                                \
    {pattern_, roles_, HTTP_##method_, false, NULL},
#define ACCESS_AUDITED(method_, pattern_, roles_, action_)                     \
    {pattern_, roles_, HTTP_##method_, false, action_},
#define ACCESS_LIST(name_, roles_) {name_, roles_, HTTP_GET, true, "export"},
#include "server/serve/access_routes.def"
#undef ACCESS_ROUTE
#undef ACCESS_AUDITED
#undef ACCESS_LIST
};

static const char *const list_suffixes[] = {"", ".ndjson", ".csv", ".xlsx"};

enum {
    ACCESS_ROW_COUNT = sizeof(access_rows) / sizeof(access_rows[0]),
    LIST_SUFFIX_COUNT = sizeof(list_suffixes) / sizeof(list_suffixes[0])
};

bool
access_route_at(size_t index,
                enum http_method *method,
                char pattern[64],
                unsigned *roles)
{
    for (size_t i = 0; i < ACCESS_ROW_COUNT; i++) {
        const struct access_row *row = &access_rows[i];
        size_t count = row->is_list ? LIST_SUFFIX_COUNT : 1;

        if (index >= count) {
            index -= count;
            continue;
        }
        *method = row->method;
        *roles = row->roles;
        (void)snprintf(pattern, ACCESS_PATTERN_BYTES, "%s%s%s",
                       row->is_list ? "/v1/" : "", row->pattern,
                       row->is_list ? list_suffixes[index] : "");
        return true;
    }
    return false;
}

/* Is `pattern` "/v1/NAME" with one of the suffixes? */
static bool
is_form_of(const char *pattern, const char *name)
{
    const struct span prefix = SPAN_LITERAL("/v1/");
    struct span rest = span_of(pattern);

    if (!span_starts(rest, prefix)) {
        return false;
    }
    rest.data += prefix.bytes;
    rest.bytes -= prefix.bytes;
    if (!span_starts(rest, span_of(name))) {
        return false;
    }
    for (size_t i = 0; i < LIST_SUFFIX_COUNT; i++) {
        if (strcmp(rest.data + strlen(name), list_suffixes[i]) == 0) {
            return true;
        }
    }
    return false;
}

static const struct access_row *
find_row(enum http_method method, const char *pattern)
{
    for (size_t i = 0; i < ACCESS_ROW_COUNT; i++) {
        const struct access_row *row = &access_rows[i];

        if (row->method == method &&
            (row->is_list ? is_form_of(pattern, row->pattern)
                          : strcmp(row->pattern, pattern) == 0)) {
            return row;
        }
    }
    return NULL;
}

unsigned
access_route_roles(enum http_method method, const char *pattern)
{
    const struct access_row *row = find_row(method, pattern);

    return row != NULL ? row->roles : ACCESS_NONE;
}

static bool
is_in_table(enum http_method method, const char *pattern)
{
    return access_route_roles(method, pattern) != ACCESS_NONE;
}

/* ---- where a request comes from ---- */

struct span
access_session_text(const struct http_request *request)
{
    struct span rest = http_request_header(request, "cookie");

    while (rest.data != NULL) {
        struct span value = span_split(&rest, ';');
        struct span name = span_trim(span_split(&value, '='));

        if (span_is(name, ACCESS_COOKIE) && value.data != NULL) {
            return span_trim(value);
        }
    }
    return (struct span){NULL, 0};
}

static bool
same_letters(struct span a, struct span b)
{
    return a.bytes == b.bytes &&
           (a.bytes == 0 || strncasecmp(a.data, b.data, a.bytes) == 0);
}

bool
access_same_origin(const struct http_request *request, bool must_say)
{
    struct span origin = http_request_header(request, "origin");
    struct span site = http_request_header(request, "sec-fetch-site");
    struct span host = http_request_header(request, "host");
    const struct span schemes[] = {SPAN_LITERAL("https://"),
                                   SPAN_LITERAL("http://")};

    if (origin.data == NULL) {
        return site.data != NULL ? span_is(site, "same-origin") : !must_say;
    }
    /* A proxy in front may speak TLS for us, never the other way round. */
    for (size_t i = 0; i < (http_request_is_tls(request) ? 1u : 2u); i++) {
        if (span_starts(origin, schemes[i])) {
            origin.data += schemes[i].bytes;
            origin.bytes -= schemes[i].bytes;
            return same_letters(origin, host);
        }
    }
    return false; /* "null" and what we do not know */
}

/* Does Host name this machine? A page elsewhere whose name was pointed at
 * 127.0.0.1 does not know what to write there. */
static bool
host_is_local(const struct http_request *request)
{
    struct span host = http_request_header(request, "host");
    char name[64];
    char *end;
    struct in_addr v4;

    if (host.bytes >= sizeof(name)) {
        return false;
    }
    (void)snprintf(name, sizeof(name), "%.*s", SPAN_ARGS(host));
    if (name[0] == '[') {
        end = strchr(name, ']');
        return end != NULL && strncmp(name, "[::1]", 5) == 0 &&
               (end[1] == '\0' || end[1] == ':');
    }
    end = strchr(name, ':');
    if (end != NULL) {
        *end = '\0';
    }
    return strcasecmp(name, "localhost") == 0 ||
           (inet_pton(AF_INET, name, &v4) == 1 &&
            ntohl(v4.s_addr) >> 24 == 127);
}

/* ---- the guard ---- */

static const struct access_caller local_caller = {
    .role = ACCESS_ADMIN, .whole = true, .name = "local"};

enum found {
    FOUND_NOBODY,
    FOUND_TOKEN,
    FOUND_SESSION,
    FOUND_LOCAL,
    FOUND_WRONG,
    FOUND_WAIT
};

/* The token behind "Bearer"; {NULL, 0} for another scheme. */
static struct span
bearer_of(struct span header)
{
    struct span rest = header;
    struct span scheme = span_split(&rest, ' ');

    return same_letters(scheme, SPAN_LITERAL("bearer")) && rest.data != NULL
               ? span_trim(rest)
               : (struct span){NULL, 0};
}

static enum found
find_caller(struct access *access,
            struct http_request *request,
            unsigned *wait_s)
{
    struct access_caller *caller = http_request_caller(request);
    struct span header = http_request_header(request, "authorization");
    struct span cookie = access_session_text(request);
    const struct access_caller *signed_in;

    if (access->gate == NULL) {
        *caller = local_caller;
        return FOUND_LOCAL;
    }
    if (header.data != NULL) {
        switch (gate_ask(access->gate, http_request_peer(request),
                         bearer_of(header), clock_mono_us(), caller, wait_s)) {
        case GATE_OPEN:
            return FOUND_TOKEN;
        case GATE_WRONG:
            return FOUND_WRONG;
        case GATE_WAIT:
            return FOUND_WAIT;
        }
    }
    signed_in = sessions_find(access->sessions, cookie, clock_mono_us());
    if (signed_in != NULL) {
        *caller = *signed_in;
        return FOUND_SESSION;
    }
    return FOUND_NOBODY;
}

void
access_refuse_wait(struct http_request *request, unsigned wait_s)
{
    problem_reply_wait(request, wait_s, "too_many_failures",
                       "too many wrong tokens from this address: wait %u s and "
                       "try again",
                       wait_s);
}

static void
refuse_unknown(struct http_request *request, bool wrong)
{
    http_reply_header(request, "WWW-Authenticate", "Bearer realm=\"suqiu\"%s",
                      wrong ? ", error=\"invalid_token\"" : "");
    if (wrong) {
        problem_reply(request, 401, "wrong_token",
                      "there is no such token; `suqiu token list` lists those "
                      "there are, by name");
    } else {
        problem_reply(request, 401, "not_signed_in",
                      "sign in at /sign-in, or send Authorization: Bearer "
                      "TOKEN; `suqiu token add` makes one");
    }
}

static void
refuse_role(struct http_request *request, enum access_role role, unsigned roles)
{
    char names[ACCESS_ROLES_TEXT_BYTES];

    problem_reply(request, 403, "forbidden",
                  "the role %s may not call this; it takes one of: %s",
                  access_role_name(role), access_roles_text(roles, names));
}

/* A browser sends cookies also for pages of others; without access control it
 * needs not even those. */
static bool
check_origin(struct http_request *request, enum found found)
{
    bool by_cookie = found == FOUND_SESSION;

    if (http_request_method(request) == HTTP_GET || found == FOUND_TOKEN ||
        access_same_origin(request, by_cookie)) {
        return true;
    }
    problem_reply(request, 403, "other_origin",
                  "this request comes from a page of another site (Origin is "
                  "not this server); programs send a bearer token, no cookie");
    return false;
}

bool
access_enter(struct audit *audit,
             struct http_request *request,
             const struct access_caller *caller,
             const char *action,
             struct span object,
             struct span reason)
{
    const struct audit_entry entry = {.action = action,
                                      .ok = true,
                                      .caller = caller,
                                      .address = http_request_peer(request),
                                      .object = object,
                                      .reason = reason};
    struct err err = {0};

    if (audit == NULL ||
        audit_put(audit, &entry, clock_now_us(), &err) == ERR_OK) {
        return true;
    }
    problem_reply_err(request, &err);
    return false;
}

/* What the table wants entered, with the address as it was asked; phone numbers
 * in it are masked. */
static bool
enter_row(struct access *access,
          struct http_request *request,
          const struct access_row *row)
{
    struct buf scratch;
    bool entered;

    if (row->action == NULL || http_request_is_head(request) ||
        (row->is_list && strchr(http_request_pattern(request), '.') == NULL)) {
        return true;
    }
    buf_init(&scratch, AUDIT_LINE_BYTES_MAX * 8);
    entered = access_enter(access->audit, request, http_request_caller(request),
                           row->action,
                           mask_field(MASK_ROLE_VIEWER, MASK_TEXT,
                                      http_request_target(request), &scratch),
                           (struct span){NULL, 0});
    buf_release(&scratch);
    return entered;
}

static bool
guard(struct http_request *request, void *user)
{
    struct access *access = user;
    const struct access_row *row =
        find_row(http_request_method(request), http_request_pattern(request));
    unsigned roles = row->roles; /* http_route saw to it that there is one */
    struct access_caller *caller = http_request_caller(request);
    unsigned wait_s = 0;
    enum found found;

    if (access->gate == NULL && !host_is_local(request)) {
        problem_reply(request, 421, "wrong_host",
                      "without access control this server answers by the names "
                      "of its own machine only: 127.0.0.1, localhost, [::1]");
        return false;
    }
    if (access_may(ACCESS_NOBODY, roles) && access->gate != NULL) {
        return true;
    }
    found = find_caller(access, request, &wait_s);
    if (found == FOUND_WAIT) {
        access_refuse_wait(request, wait_s);
        return false;
    }
    if (found == FOUND_NOBODY || found == FOUND_WRONG) {
        refuse_unknown(request, found == FOUND_WRONG);
        return false;
    }
    if (!access_may(caller->role, roles)) {
        refuse_role(request, caller->role, roles);
        return false;
    }
    return check_origin(request, found) && enter_row(access, request, row);
}

/* ---- the module ---- */

enum err_code
access_new(struct http_server *http,
           struct gate *gate,
           const struct secret *secret,
           struct audit *audit,
           struct access **out,
           struct err *err)
{
    struct access *access = calloc(1, sizeof(*access));

    if (access != NULL) {
        access->sessions = sessions_new(secret);
    }
    if (access == NULL || access->sessions == NULL) {
        free(access);
        return err_set(err, ERR_NO_MEMORY, "access");
    }
    access->http = http;
    access->gate = gate;
    access->audit = audit;
    http_set_guard(http, guard, access);
    http_set_route_check(http, is_in_table);
    sign_in_routes(http, access);
    *out = access;
    return ERR_OK;
}

void
access_free(struct access **access)
{
    if (*access != NULL) {
        sessions_free(&(*access)->sessions);
    }
    free(*access);
    *access = NULL;
}

static bool
still_holds(void *data, const struct access_caller *caller)
{
    return caller->token_id[0] == '\0' || gate_holds(data, caller);
}

enum err_code
access_reload(struct access *access, struct err *err)
{
    if (access->gate == NULL) {
        return ERR_OK;
    }
    if (gate_reload(access->gate, err) != ERR_OK) {
        return err->code;
    }
    sessions_sift(access->sessions, still_holds, access->gate);
    http_server_sift_streams(access->http, still_holds, access->gate);
    return ERR_OK;
}

bool
access_link(struct access *access,
            const char *host,
            uint16_t port,
            char out[ACCESS_URL_BYTES])
{
    static const struct access_caller first = {.role = ACCESS_ADMIN,
                                               .name = "sign-in link"};
    char text[SESSION_TEXT_CHARS + 1];
    bool v6 = strchr(host, ':') != NULL;

    if (access->gate == NULL ||
        !sessions_add_link(access->sessions, &first, clock_mono_us(), text)) {
        return false;
    }
    (void)snprintf(out, ACCESS_URL_BYTES, "%s://%s%s%s:%u/sign-in?ticket=%s",
                   http_server_scheme(access->http), v6 ? "[" : "", host,
                   v6 ? "]" : "", (unsigned)port, text);
    secret_forget(text, sizeof(text));
    return true;
}

struct gate *
access_gate(struct access *access)
{
    return access->gate;
}

struct audit *
access_audit(struct access *access)
{
    return access->audit;
}

struct sessions *
access_sessions(struct access *access)
{
    return access->sessions;
}
