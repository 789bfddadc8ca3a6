/*
 * admin: what changes how the server judges and what it keeps: reload,
 * reclassify, replay, expire.
 *
 * Effects   starts work aside; answers when it has ended
 */
#ifndef SERVE_ADMIN_H
#define SERVE_ADMIN_H

struct http_request; /* server/serve/http.h */

enum { ADMIN_ANSWER_BYTES_MAX = 256 * 1024 };

/* `user` is the struct serve_context. */
void admin_reload_handler(struct http_request *http, void *user);
void admin_reclassify_start_handler(struct http_request *http, void *user);
void admin_reclassify_stop_handler(struct http_request *http, void *user);
void admin_reclassify_handler(struct http_request *http, void *user);
void admin_expire_start_handler(struct http_request *http, void *user);
void admin_expire_stop_handler(struct http_request *http, void *user);
void admin_expire_handler(struct http_request *http, void *user);
void admin_replay_start_handler(struct http_request *http, void *user);
void admin_replay_stop_handler(struct http_request *http, void *user);
void admin_replay_handler(struct http_request *http, void *user);

#endif /* SERVE_ADMIN_H */
