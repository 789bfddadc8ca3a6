/*
 * problem: RFC 9457 problem documents, the one way to say no over HTTP.
 *
 *   {"type":"urn:suqiu:problem:bad_time","title":"不是日期和时间",
 *    "status":400,"code":"bad_time","field":"from","detail":"...",
 *    "instance":"/v1/tickets?from=x","request_id":17}
 *
 * The title is Chinese or English by Accept-Language (Chinese when both or none
 * are asked for); the detail is the error's own text.
 */
#ifndef SERVE_PROBLEM_H
#define SERVE_PROBLEM_H

#include "analyzers/err.h"
#include "analyzers/span.h"
#include "server/base/json_out.h"

struct http_request; /* server/serve/http.h */

enum { PROBLEM_BYTES_MAX = 16384, PROBLEM_RETRY_AFTER_S = 1 };

/* The HTTP status of an error: its kind, except that TOO_LONG is 413 where the
 * body is meant (body_meant). */
unsigned problem_status(enum err_code code, bool body_meant);

/* Answer with the error. Gives the request back. 503 has Retry-After. */
void problem_reply_err(struct http_request *request, const struct err *err);

/*
 * Answer with a status that no error code stands for (404 no route, 405, 415,
 * 429 ...). `code` is the wire code ("no_route"), titles by status.
 */
void problem_reply(struct http_request *request,
                   unsigned status,
                   const char *code,
                   const char *fmt,
                   ...) PRINTF_LIKE(4, 5);

/* 429 with Retry-After: wait_s. */
void problem_reply_wait(struct http_request *request,
                        unsigned wait_s,
                        const char *code,
                        const char *fmt,
                        ...) PRINTF_LIKE(4, 5);

/* Does this Accept-Language want English rather than Chinese? */
bool problem_wants_english(struct span accept_language);

/* The title of an error code; Chinese or English; never NULL. */
const char *problem_title(enum err_code code, bool english);

/* The object of an error: shared by all of the above. */
void problem_put_json(struct json_out *json,
                      unsigned status,
                      const char *code,
                      const char *title,
                      const char *field,
                      const char *detail,
                      struct span instance,
                      uint64_t request_number);

#endif /* SERVE_PROBLEM_H */
