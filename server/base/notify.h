/*
 * notify: tell the service manager how we are (the protocol of sd_notify).
 *
 * Source    sd_notify(3): one datagram to the socket that NOTIFY_SOCKET names
 */
#ifndef BASE_NOTIFY_H
#define BASE_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Send lines such as "READY=1\nSTATUS=…". Never waits.
 * Returns false when nobody asked for them or they could not be sent: there is
 * nothing to be done about it.
 */
bool notify_send(const char *lines);

/* How often the manager wants "WATCHDOG=1" at the latest, in microseconds; 0:
 * it does not, or it means another process. */
int64_t notify_watchdog_us(void);

#endif /* BASE_NOTIFY_H */
