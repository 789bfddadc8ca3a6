/* One datagram to the service manager. */
#include "server/base/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

bool
notify_send(const char *lines)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t bytes = path != NULL ? strlen(path) : 0;
    socklen_t address_bytes;
    bool sent;
    int fd;

    if (bytes < 2 || bytes >= sizeof(address.sun_path) ||
        (path[0] != '/' && path[0] != '@')) {
        return false;
    }
    memcpy(address.sun_path, path, bytes);
    if (path[0] == '@') {
        address.sun_path[0] = '\0'; /* not in the file system */
    }
    address_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    sent = sendto(fd, lines, strlen(lines), MSG_NOSIGNAL | MSG_DONTWAIT,
                  (const struct sockaddr *)&address, address_bytes) >= 0;
    (void)close(fd);
    return sent;
}

int64_t
notify_watchdog_us(void)
{
    const char *every = getenv("WATCHDOG_USEC");
    const char *whom = getenv("WATCHDOG_PID");
    long long microseconds;

    if (every == NULL ||
        (whom != NULL && strtol(whom, NULL, 10) != (long)getpid())) {
        return 0;
    }
    microseconds = strtoll(every, NULL, 10);
    return microseconds > 0 ? (int64_t)microseconds : 0;
}
