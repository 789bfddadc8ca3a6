/*
 * admin: what changes how the server judges: POST /v1/admin/reload.
 *
 * Effects   starts work aside; answers when it has ended
 */
#ifndef SERVE_ADMIN_H
#define SERVE_ADMIN_H

struct http_request; /* server/serve/http.h */

enum { ADMIN_ANSWER_BYTES_MAX = 256 * 1024 };

/* `user` is the struct serve_context. */
void admin_reload_handler(struct http_request *http, void *user);

#endif /* SERVE_ADMIN_H */
