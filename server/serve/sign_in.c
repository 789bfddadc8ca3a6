/* Sessions for browsers: the link, the form, the way out. */
#include "server/serve/sign_in.h"

#include <stdio.h>
#include <string.h>

#include "server/access/tokens.h"
#include "server/base/clock.h"
#include "server/base/json_out.h"
#include "server/serve/access.h"
#include "server/serve/problem.h"

enum { SIGN_IN_PAGE_BYTES_MAX = 8192 };

static void
set_cookie(struct http_request *request, const char *value, int seconds)
{
    http_reply_header(request, "Set-Cookie",
                      ACCESS_COOKIE "=%s; Path=/; HttpOnly; SameSite=Strict; "
                                    "Max-Age=%d%s",
                      value, seconds,
                      http_request_is_tls(request) ? "; Secure" : "");
}

static void
go_to(struct http_request *request, const char *path)
{
    http_reply_header(request, "Location", "%s", path);
    http_reply(request, 303, NULL, (struct span){NULL, 0});
}

/* The form for the token; `wrong`: after one that was not valid. */
static void
reply_form(struct http_request *request, unsigned status, bool wrong)
{
    bool english =
        problem_wants_english(http_request_header(request, "accept-language"));
    struct buf page;

    buf_init(&page, SIGN_IN_PAGE_BYTES_MAX);
    buf_printf(&page,
               "<!doctype html>\n<html lang=\"%s\">\n<meta charset=\"utf-8\">\n"
               "<meta name=\"viewport\" content=\"width=device-width\">\n"
               "<title>%s</title>\n"
               "<link rel=\"icon\" href=\"/assets/favicon.svg\">\n"
               "<link rel=\"stylesheet\" href=\"/assets/style.css\">\n"
               "<main class=\"sign-in panel\">\n<h1><img "
               "src=\"/assets/favicon.svg\" alt=\"\" width=\"28\" "
               "height=\"28\">%s</h1>\n",
               english ? "en" : "zh-CN",
               english ? "Sign in to suqiu" : "登录诉求",
               english ? "Sign in to suqiu" : "登录诉求");
    if (wrong) {
        buf_printf(&page, "<p role=\"alert\" class=\"state failed\">%s</p>\n",
                   english ? "This link or token is not valid: a link works "
                             "once and for 30 minutes. Ask your administrator "
                             "for a token."
                           : "链接或令牌无效：登录链接只能使用一次，30 分钟内"
                             "有效。请向管理员索取令牌。");
    }
    buf_printf(&page,
               "<form method=\"post\" action=\"/sign-in\">\n"
               "<label for=\"token\">%s</label>\n"
               "<input id=\"token\" name=\"token\" type=\"password\" "
               "autocomplete=\"current-password\" required autofocus>\n"
               "<button class=\"main\">%s</button>\n</form>\n"
               "<p class=\"hint\">%s</p>\n</main>\n</html>\n",
               english ? "Token" : "令牌", english ? "Sign in" : "登录",
               english ? "Your administrator gives tokens; they begin with sq_."
                       : "令牌由管理员发放，以 sq_ 开头。");
    http_reply_header(request, "Vary", "Accept-Language");
    http_reply(request, status, "text/html; charset=utf-8", buf_view(&page));
    buf_release(&page);
}

/* Begin a session for `caller`; false: answered with an error. */
static bool
begin_session(struct access *access,
              struct http_request *request,
              const struct access_caller *caller)
{
    char text[SESSION_TEXT_CHARS + 1];
    struct err err = {0};

    if (!access_enter(access_audit(access), request, caller, "sign_in",
                      (struct span){NULL, 0}, (struct span){NULL, 0})) {
        return false;
    }
    if (!sessions_begin(access_sessions(access), caller, clock_mono_us(),
                        text)) {
        (void)err_set(&err, ERR_IO, "the system gives no random bytes");
        problem_reply_err(request, &err);
        return false;
    }
    set_cookie(request, text, SESSION_S);
    secret_forget(text, sizeof(text));
    return true;
}

/* ---- the link and the form ---- */

static void
link_handler(struct http_request *request, void *user)
{
    struct access *access = user;
    struct gate *gate = access_gate(access);
    struct span ticket = http_request_query(request, "ticket");
    struct access_caller caller;
    unsigned wait_s;

    if (gate == NULL) {
        go_to(request, "/");
        return;
    }
    if (ticket.data == NULL || http_request_is_head(request)) {
        reply_form(request, 200, false);
        return;
    }
    wait_s = gate_wait_s(gate, http_request_peer(request), clock_mono_us());
    if (wait_s > 0) {
        access_refuse_wait(request, wait_s);
    } else if (!sessions_take_link(access_sessions(access), ticket,
                                   clock_mono_us(), &caller)) {
        gate_failed(gate, http_request_peer(request), clock_mono_us());
        reply_form(request, 403, true);
    } else if (begin_session(access, request, &caller)) {
        go_to(request, "/");
    }
}

/* "token=..." of a form; {NULL, 0} when it is not there. A token has no
 * letters that a form would encode. */
static struct span
token_of_form(struct span body)
{
    while (body.data != NULL) {
        struct span value = span_split(&body, '&');
        struct span name = span_split(&value, '=');

        if (span_is(name, "token")) {
            return span_trim(value);
        }
    }
    return (struct span){NULL, 0};
}

static void
reply_me(struct http_request *request, const struct access_caller *caller)
{
    struct json_out json;
    struct buf body;

    buf_init(&body, 1024);
    json_init(&json, &body);
    json_open_object(&json);
    json_put_text(&json, "name", caller->name);
    json_put_text(&json, "role", access_role_name(caller->role));
    json_put_bool(&json, "auth", !caller->whole);
    json_put_bool(&json, "masked", !caller->whole);
    json_close_object(&json);
    buf_put_char(&body, '\n');
    http_reply(request, 200, "application/json", buf_view(&body));
    buf_release(&body);
}

static void
sign_in_handler(struct http_request *request, void *user)
{
    struct access *access = user;
    bool is_form =
        http_request_has_type(request, "application/x-www-form-urlencoded");
    struct access_caller caller;
    struct span token;
    unsigned wait_s;

    if (!access_same_origin(request, false)) {
        problem_reply(request, 403, "other_origin",
                      "sign in from a page of this server");
        return;
    }
    if (access_gate(access) == NULL) {
        reply_me(request, http_request_caller(request));
        return;
    }
    if (!is_form && !http_request_has_type(request, "application/json")) {
        problem_reply(request, 415, "unsupported_media_type",
                      "send the form, or {\"token\":\"…\"} as "
                      "application/json");
        return;
    }
    token = is_form ? token_of_form(http_request_body(request))
                    : token_of_json(http_request_body(request));
    switch (gate_ask(access_gate(access), http_request_peer(request), token,
                     clock_mono_us(), &caller, &wait_s)) {
    case GATE_WAIT:
        access_refuse_wait(request, wait_s);
        break;
    case GATE_WRONG:
        if (is_form) {
            reply_form(request, 403, true);
        } else {
            problem_reply(request, 403, "wrong_token",
                          "there is no such token; ask your administrator for "
                          "one");
        }
        break;
    case GATE_OPEN:
        if (!begin_session(access, request, &caller)) {
            break;
        }
        if (is_form) {
            go_to(request, "/");
        } else {
            reply_me(request, &caller);
        }
        break;
    }
}

static void
sign_out_handler(struct http_request *request, void *user)
{
    struct access *access = user;
    const struct access_caller *caller;

    if (!access_same_origin(request, true)) {
        problem_reply(request, 403, "other_origin",
                      "sign out from a page of this server");
        return;
    }
    caller = sessions_find(access_sessions(access),
                           access_session_text(request), clock_mono_us());
    if (caller != NULL &&
        !access_enter(access_audit(access), request, caller, "sign_out",
                      (struct span){NULL, 0}, (struct span){NULL, 0})) {
        return;
    }
    sessions_end(access_sessions(access), access_session_text(request),
                 clock_mono_us());
    set_cookie(request, "", 0);
    http_reply(request, 204, NULL, (struct span){NULL, 0});
}

static void
me_handler(struct http_request *request, void *user)
{
    (void)user;
    reply_me(request, http_request_caller(request));
}

void
sign_in_routes(struct http_server *http, struct access *access)
{
    http_route(http, HTTP_GET, "/sign-in", link_handler, access);
    http_route(http, HTTP_POST, "/sign-in", sign_in_handler, access);
    http_route(http, HTTP_POST, "/sign-out", sign_out_handler, access);
    http_route(http, HTTP_GET, "/v1/me", me_handler, access);
}
