/* An evhttp that does nothing, in a child process. */
#include "bench/empty_server.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void
answer_cb(struct evhttp_request *request, void *data)
{
    struct evbuffer *body = evbuffer_new();

    (void)data;
    if (body != NULL) {
        (void)evbuffer_add(body, "{\"received\":1}\n", 15);
        evhttp_send_reply(request, 200, "OK", body);
        evbuffer_free(body);
    }
}

static uint16_t
port_of(int fd)
{
    struct sockaddr_in address;
    socklen_t bytes = sizeof(address);

    return getsockname(fd, (struct sockaddr *)&address, &bytes) == 0
               ? ntohs(address.sin_port)
               : 0;
}

/* In the child; never returns. */
static void
serve(int tell_fd)
{
    struct event_base *base = event_base_new();
    struct evhttp *http = base != NULL ? evhttp_new(base) : NULL;
    struct evhttp_bound_socket *bound =
        http != NULL ? evhttp_bind_socket_with_handle(http, "127.0.0.1", 0)
                     : NULL;
    uint16_t port;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (bound == NULL) {
        _exit(3);
    }
    evhttp_set_gencb(http, answer_cb, NULL);
    port = port_of(evhttp_bound_socket_get_fd(bound));
    if (write(tell_fd, &port, sizeof(port)) != (ssize_t)sizeof(port)) {
        _exit(3);
    }
    (void)event_base_dispatch(base);
    _exit(0);
}

enum err_code
empty_server_start(pid_t *pid, uint16_t *port, struct err *err)
{
    int ends[2];
    ssize_t got;

    if (pipe(ends) != 0) {
        return err_set(err, ERR_IO, "pipe: %s", strerror(errno));
    }
    *pid = fork();
    if (*pid == 0) {
        (void)close(ends[0]);
        serve(ends[1]);
    }
    (void)close(ends[1]);
    got = *pid > 0 ? read(ends[0], port, sizeof(*port)) : -1;
    (void)close(ends[0]);
    if (got != (ssize_t)sizeof(*port)) {
        empty_server_end(*pid);
        return err_set(err, ERR_IO, "the empty server did not start");
    }
    return ERR_OK;
}

void
empty_server_end(pid_t pid)
{
    if (pid > 0) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
    }
}
