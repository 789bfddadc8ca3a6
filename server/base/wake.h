/*
 * wake: poke an event loop from another thread (an eventfd).
 *
 * The loop's thread watches wake_fd() for reading and calls wake_clear() when
 * it fires; any thread calls wake_signal(). Signals add up to one firing.
 */
#ifndef BASE_WAKE_H
#define BASE_WAKE_H

#include "analyzers/err.h"

struct wake {
    int fd;
};

enum err_code wake_open(struct wake *wake, struct err *err) MUST_CHECK;
void wake_close(struct wake *wake);
int wake_fd(const struct wake *wake);
void wake_signal(const struct wake *wake);
void wake_clear(const struct wake *wake);

#endif /* BASE_WAKE_H */
