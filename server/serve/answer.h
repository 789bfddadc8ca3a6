/*
 * answer: what every handler of the reading side does before and after.
 *
 * Effects   answers the request
 */
#ifndef SERVE_ANSWER_H
#define SERVE_ANSWER_H

#include "server/serve/list_source.h"

struct http_request; /* server/serve/http.h */

/* The request as the lists see it; borrows `http` and `params`. */
void answer_request(const struct serve_context *context,
                    struct http_request *http,
                    struct params *params,
                    struct list_request *out);

/*
 * Answer with a body. A 200 carries an ETag of its bytes and becomes 304 when
 * the client has them already (If-None-Match); a body of GZIP_BYTES_MIN or more
 * is compressed when the client takes it. Never kept by caches: the bodies hold
 * personal data.
 */
void answer_buf(struct http_request *http,
                unsigned status,
                const char *content_type,
                const struct buf *body);

/* Does this client take gzip? */
bool answer_gzip(const struct http_request *http);

#endif /* SERVE_ANSWER_H */
