/*
 * stub_server: an HTTP server of one thread that says what a test told it to.
 *
 * Answers the n-th request with the n-th script line, whatever it is, and keeps
 * the requests. Include after cmocka.h. Link Threads.
 */
#ifndef TESTS_LIB_STUB_SERVER_H
#define TESTS_LIB_STUB_SERVER_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "analyzers/span.h"

enum { STUB_ANSWERS_MAX = 32, STUB_REQUEST_BYTES_MAX = 8 * 1024 * 1024 };

/* An answer as it goes over the wire; "" is none at all: hang up. A '!' in
 * front: hang up after it. */
struct stub_server {
    const char *answers[STUB_ANSWERS_MAX];
    size_t answer_count;
    struct span requests[STUB_ANSWERS_MAX]; /* whole: head and body */
    size_t request_count;
    int listen_fd;
    unsigned port;
    char url[64];
    pthread_t thread;
};

static inline size_t
stub_body_bytes(const char *head)
{
    const char *length = strstr(head, "Content-Length: ");

    return length != NULL ? (size_t)strtoul(length + 16, NULL, 10) : 0;
}

/* One whole request; false when the client has hung up. */
static inline bool
stub_read_request(int fd, struct span *out)
{
    char *data = malloc(STUB_REQUEST_BYTES_MAX + 1);
    size_t used = 0;

    if (data == NULL) {
        return false;
    }
    for (;;) {
        const char *end;
        ssize_t got = recv(fd, data + used, STUB_REQUEST_BYTES_MAX - used, 0);

        if (got <= 0) {
            free(data);
            return false;
        }
        used += (size_t)got;
        data[used] = '\0';
        end = strstr(data, "\r\n\r\n");
        if (end != NULL &&
            used >= (size_t)(end - data) + 4 + stub_body_bytes(data)) {
            *out = (struct span){data, used};
            return true;
        }
    }
}

static inline void *
stub_server_thread(void *data)
{
    struct stub_server *stub = data;

    while (stub->request_count < stub->answer_count) {
        int fd = accept(stub->listen_fd, NULL, NULL);

        while (fd >= 0 && stub->request_count < stub->answer_count &&
               stub_read_request(fd, &stub->requests[stub->request_count])) {
            const char *answer = stub->answers[stub->request_count++];
            bool last = answer[0] == '\0' || answer[0] == '!';

            answer += answer[0] == '!';
            (void)!send(fd, answer, strlen(answer), MSG_NOSIGNAL);
            if (last) {
                break;
            }
        }
        if (fd >= 0) {
            (void)close(fd);
        }
    }
    return NULL;
}

/* Listen on a port of the system's choice and answer as `answers` (up to NULL)
 * say. */
static inline struct stub_server *
stub_server_start(const char *const *answers)
{
    struct stub_server *stub = calloc(1, sizeof(*stub));
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(address);

    assert_non_null(stub);
    for (; answers[stub->answer_count] != NULL; stub->answer_count++) {
        assert_true(stub->answer_count < STUB_ANSWERS_MAX);
        stub->answers[stub->answer_count] = answers[stub->answer_count];
    }
    stub->listen_fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(stub->listen_fd >= 0);
    assert_int_equal(
        bind(stub->listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(stub->listen_fd, 8), 0);
    assert_int_equal(
        getsockname(stub->listen_fd, (struct sockaddr *)&address, &bytes), 0);
    stub->port = ntohs(address.sin_port);
    (void)snprintf(stub->url, sizeof(stub->url), "http://127.0.0.1:%u",
                   stub->port);
    assert_int_equal(
        pthread_create(&stub->thread, NULL, stub_server_thread, stub), 0);
    return stub;
}

/* Every answer must have been asked for. */
static inline void
stub_server_stop(struct stub_server *stub)
{
    assert_int_equal(pthread_join(stub->thread, NULL), 0);
    assert_int_equal(stub->request_count, stub->answer_count);
    for (size_t i = 0; i < stub->request_count; i++) {
        free((char *)(uintptr_t)stub->requests[i].data);
    }
    (void)close(stub->listen_fd);
    free(stub);
}

#endif /* TESTS_LIB_STUB_SERVER_H */
