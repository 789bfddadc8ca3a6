/*
 * ticket_one: everything about one ticket, as GET /v1/tickets/{id} gives it.
 */
#ifndef SERVE_TICKET_ONE_H
#define SERVE_TICKET_ONE_H

#include "server/serve/list_source.h"

enum {
    TICKET_EVENTS_MAX = 2000,  /* shown; more are counted */
    TICKET_VERSIONS_MAX = 100, /* shown */
    TICKET_CHAIN_MAX = 100,    /* earlier calls shown */
    TICKET_DAYS_OFF_MAX = 100, /* inside one limit, shown */
    TICKET_JSON_BYTES_MAX = 16 * 1024 * 1024
};

/*
 * Write the object.
 * Errors  NOT_FOUND, field "id"; the store's
 */
enum err_code ticket_one_put_json(const struct list_request *request,
                                  struct span id,
                                  struct buf *out,
                                  struct err *err) MUST_CHECK;

#endif /* SERVE_TICKET_ONE_H */
