/*
 * feed_client: one connection to the feed, seen line by line by a test.
 *
 * Every wait has a limit; when it passes the test fails.
 */
#ifndef TESTS_LIB_FEED_CLIENT_H
#define TESTS_LIB_FEED_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzers/span.h"
#include "server/base/buf.h"

enum { FEED_REFUSALS_MAX = 64 };

struct feed_refusal {
    uint64_t line;
    char code[32];
    char field[32];
    char detail[512];
};

struct feed_client {
    int fd;
    struct buf in;
    uint64_t acknowledged;
    struct feed_refusal refusals[FEED_REFUSALS_MAX]; /* the first ones */
    size_t refusal_count;
    uint64_t refusal_count_all;
    bool closed; /* by the server */
};

void feed_client_open(struct feed_client *client, unsigned port);
void feed_client_close(struct feed_client *client);

/* Send all of it, reading answers meanwhile. Returns the bytes sent: fewer when
 * the server closed, or when it took nothing for patience_ms. */
size_t feed_client_send_within(struct feed_client *client,
                               struct span bytes,
                               int patience_ms);

/* The same, and all of it must go out. */
void feed_client_send(struct feed_client *client, struct span bytes);

/* Nothing more will be sent. */
void feed_client_end(struct feed_client *client);

/* Read until this many lines are acknowledged. */
void feed_client_wait(struct feed_client *client, uint64_t lines);

/* Read until nothing has come for so long, or the server closes. */
void feed_client_wait_quiet(struct feed_client *client, int quiet_ms);

/* Read until the server closes. */
void feed_client_wait_closed(struct feed_client *client);

#endif /* TESTS_LIB_FEED_CLIENT_H */
