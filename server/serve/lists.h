/*
 * lists: every list of the API, by the name of its route.
 */
#ifndef SERVE_LISTS_H
#define SERVE_LISTS_H

#include "server/serve/list_source.h"

extern const struct list_source tickets_source;        /* tickets.c */
extern const struct list_source repeat_callers_source; /* repeat_callers.c */
extern const struct list_source hot_spots_source;      /* hot_spots.c */
extern const struct list_source overdue_source;        /* overdue.c */
extern const struct list_source counters_source;       /* counters_list.c */
extern const struct list_source indicators_source;     /* indicators_list.c */
extern const struct list_source rejects_source;        /* rejects.c */
extern const struct list_source audit_source;          /* audit_list.c */
extern const struct list_source rules_source;          /* rules_list.c */

#endif /* SERVE_LISTS_H */
