/*
 * status: what an operator's tools read: /metrics, /readyz.
 *
 * No personal data, no client's text. Prometheus text format 0.0.4.
 */
#ifndef SERVE_STATUS_H
#define SERVE_STATUS_H

#include "server/serve/list_source.h"

struct http_counts; /* server/serve/http.h */

enum {
    STATUS_BYTES_MAX = 1024 * 1024,
    STATUS_CALENDAR_WARN_DAYS = 60, /* before its end */
    STATUS_ROOM_PERCENT_MIN = 5     /* of the map and of the disk */
};

/* `http` may be NULL. Errors  the store's */
enum err_code status_put_metrics(const struct list_request *request,
                                 const struct http_counts *http,
                                 struct buf *out,
                                 struct err *err) MUST_CHECK;

/*
 * {"ready":true,"checks":[{"name":…,"state":"ok|warning|failed",…}]}
 * *ready is false when a check failed: the server should get no work.
 */
void status_put_ready(const struct list_request *request,
                      struct buf *out,
                      bool *ready);

#endif /* SERVE_STATUS_H */
