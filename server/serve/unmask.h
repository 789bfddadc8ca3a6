/*
 * unmask: POST /v1/tickets/{id}/unmask, one ticket with all its fields.
 *
 *   {"reason":"..."}   why; 2 to UNMASK_REASON_CHARS_MAX characters
 *
 * The answer is that of GET /v1/tickets/{id} without masks. The audit list has
 * who, which ticket and why on disk before it leaves.
 */
#ifndef SERVE_UNMASK_H
#define SERVE_UNMASK_H

#include "server/serve/http.h"

enum { UNMASK_REASON_CHARS_MIN = 2, UNMASK_REASON_CHARS_MAX = 200 };

/* user: const struct serve_context * */
http_handler unmask_handler;

#endif /* SERVE_UNMASK_H */
