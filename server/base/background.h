/*
 * background: work that would hold up an event loop, done by a helper thread.
 *
 * One thread takes the jobs one after another; each comes back to the loop. At
 * most jobs_max wait or run; a further one is refused.
 *
 * Effects   one thread, one eventfd
 */
#ifndef BASE_BACKGROUND_H
#define BASE_BACKGROUND_H

#include <stdbool.h>
#include <stddef.h>

#include "analyzers/err.h"

struct event_base; /* libevent */
struct background;

typedef void background_call(void *data);

/* base: borrowed until background_free. */
enum err_code background_new(struct event_base *base,
                             size_t jobs_max,
                             struct background **out,
                             struct err *err) MUST_CHECK;

/* Wait for the jobs under way; their `done` is called here. Accepts NULL. */
void background_free(struct background **background);

/* `work` on the helper thread, then `done` on the loop, both with `data`.
 * False: jobs_max are under way. */
bool background_try(struct background *background,
                    background_call *work,
                    background_call *done,
                    void *data) MUST_CHECK;

size_t background_jobs(const struct background *background);

#endif /* BASE_BACKGROUND_H */
