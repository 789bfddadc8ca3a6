/*
 * site: the routes on a loopback port over a ledger of some tickets, the loop
 * in a thread of its own. Include after cmocka.h.
 */
#ifndef TESTS_LIB_SITE_H
#define TESTS_LIB_SITE_H

#include "server/base/buf.h"
#include "server/base/http_client.h"
#include "tests/lib/ledger_fixture.h"

enum { SITE_TICKETS = 20, SITE_WAIT_S = 20 };

struct site;

/* For cmocka_run_group_tests: *state is the struct site. Its tickets were
 * accepted on 2018-01-02, one a minute: complaints about outages, urban, unit
 * 甲/乙, ids 2018010200000000 and following. */
int site_set_up(void **state);
int site_tear_down(void **state);

unsigned site_port(const struct site *site);
struct ledger_fixture *site_ledger(struct site *site);

/* One request; the answer is good until the next one. */
struct http_client_answer site_ask(struct site *site,
                                   const char *method,
                                   const char *path,
                                   const char *body);

/* Send bytes as they stand and read until the server closes. Release
 * `answer`. */
void site_raw(struct site *site, const char *request, struct buf *answer);

/* What comes after the head of a raw answer. */
struct span site_body(const struct buf *answer);

/* A connection that stays open: send, then read until `words` have come. */
int site_connect(struct site *site, const char *request);
void site_read_until(int fd, struct buf *in, const char *words);

#endif /* TESTS_LIB_SITE_H */
