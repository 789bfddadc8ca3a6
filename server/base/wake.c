/* Poke an event loop from another thread through an eventfd. */
#include "server/base/wake.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum err_code
wake_open(struct wake *wake, struct err *err)
{
    wake->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (wake->fd < 0) {
        return err_set(err, err_from_errno(errno),
                       "eventfd failed: %s; is the limit of open files low?",
                       strerror(errno));
    }
    return ERR_OK;
}

void
wake_close(struct wake *wake)
{
    if (wake->fd >= 0) {
        (void)close(wake->fd);
        wake->fd = -1;
    }
}

int
wake_fd(const struct wake *wake)
{
    return wake->fd;
}

void
wake_signal(const struct wake *wake)
{
    uint64_t one = 1;
    ssize_t written;

    do {
        written = write(wake->fd, &one, sizeof(one));
    } while (written < 0 && errno == EINTR);
    /* EAGAIN: the counter is full, so the loop is awake anyway. */
}

void
wake_clear(const struct wake *wake)
{
    uint64_t count;
    ssize_t got;

    do {
        got = read(wake->fd, &count, sizeof(count));
    } while (got < 0 && errno == EINTR);
}
