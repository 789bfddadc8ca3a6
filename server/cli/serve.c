/* suqiu serve: the server: wiring, signals, the order of starting and ending.
 */
#define LOG_MODULE "serve"
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/access/gate.h"
#include "server/access/tls.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/notify.h"
#include "server/base/wake.h"
#include "server/cli/cli.h"
#include "server/imports/imports_http.h"
#include "server/ingest/facts_intake.h"
#include "server/ingest/feed.h"
#include "server/ingest/http_intake.h"
#include "server/rulebook/hits_saver.h"
#include "server/rulebook/reclassify.h"
#include "server/rulebook/reload.h"
#include "server/rulebook/replay_job.h"
#include "server/serve/access.h"
#include "server/serve/routes.h"
#include "server/upkeep/expire.h"
#include "server/writer.h"

enum { SERVE_DRAIN_TICK_US = 20000, SERVE_KEEP_LOOK_S = 600 };

const struct cli_help cmd_serve_help = {
    .usage = "suqiu serve --data DIR [FLAGS]",
    .text =
        "Takes in records over the feed (TCP) and over HTTP, stores them in "
        "DIR and\nanswers questions over HTTP. Ctrl-C or SIGTERM ends it: "
        "what was received is\nstored and acknowledged first. The ports in "
        "use are printed and written to\nDIR/ports.\n",
    .groups = CONFIG_DICT | CONFIG_STORE | CONFIG_SERVE,
};

/* Everything the server owns, in the order of starting. */
struct server {
    struct config config;
    struct rulebook *rulebook;
    struct edition *edition; /* what the HTTP thread reads by; held */
    struct store *store;
    struct ledger *ledger;
    struct changes *changes; /* from the ledger to the lists */
    struct writer *writer;
    struct event_base *base;
    struct secret secret;
    struct tls *tls; /* NULL: plain */
    struct audit *audit;
    struct gate *gate; /* NULL: --auth off */
    struct http_server *http;
    struct access *access;
    struct http_intake *intake;
    struct facts_intake *facts;
    struct serve_routes *routes;
    struct imports *imports;
    struct imports_http *imports_http;
    struct feed *feed;
    char spool_dir[CONFIG_TEXT_BYTES + 32];
    struct reload *reload;
    struct reclassify *reclassify;
    struct expire *expire;
    struct replay_job *replay;
    int64_t started_us;
    int64_t kept_us; /* keep_days was looked at for this date */
    struct event *ev_term;
    struct event *ev_int;
    struct event *ev_hangup;
    struct event *ev_fatal;
    struct event *ev_drain;
    struct event *ev_watchdog; /* NULL: nobody waits for it */
    struct event *ev_hits;
    struct event *ev_keep; /* NULL: everything is kept */
    struct wake fatal_wake;
    bool failed;
    bool draining;
};

/* --- ending ------------------------------------------------------------- */

/* Wait until every answer is out, then leave the loop. */
static void
drain_cb(evutil_socket_t fd, short what, void *data)
{
    struct server *server = data;
    const struct timeval soon = {0, SERVE_DRAIN_TICK_US};

    (void)fd;
    (void)what;
    if (server->failed || (http_intake_jobs(server->intake) == 0 &&
                           http_server_idle(server->http))) {
        (void)event_base_loopbreak(server->base);
        return;
    }
    (void)event_add(server->ev_drain, &soon);
}

static void
begin_drain(struct server *server)
{
    if (server->draining) {
        (void)event_base_loopbreak(server->base); /* asked twice: at once */
        return;
    }
    server->draining = true;
    log_info("stopping");
    (void)notify_send("STOPPING=1");
    http_server_drain(server->http);
    serve_routes_drain(server->routes);
    reclassify_stop(server->reclassify);
    expire_stop(server->expire);
    replay_job_stop(server->replay);
    writer_stop_waiting(server->writer);
    feed_free(&server->feed);
    drain_cb(-1, 0, server);
}

static void
signal_cb(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    begin_drain(data);
}

static void
fatal_cb(evutil_socket_t fd, short what, void *data)
{
    struct server *server = data;

    (void)fd;
    (void)what;
    server->failed = true;
    begin_drain(server);
}

/* Writer thread. */
static void
on_fatal(void *data, const struct err *err)
{
    struct server *server = data;

    (void)err;
    wake_signal(&server->fatal_wake);
}

static void
reload_certificate(struct server *server)
{
    struct err err = {0};

    if (tls_reload(server->tls, &err) != ERR_OK) {
        log_error("certificate not read again, the old one holds err=%s "
                  "ctx=\"%s\"",
                  err_code_name(err.code), err.detail);
    } else {
        log_info("certificate read again");
    }
}

/* Read the tokens, the certificate and the tables again. */
static void
hangup_cb(evutil_socket_t fd, short what, void *data)
{
    struct server *server = data;
    struct err err = {0};

    (void)fd;
    (void)what;
    if (server->draining) {
        return;
    }
    if (access_reload(server->access, &err) != ERR_OK) {
        log_error("tokens not read again, the old ones hold err=%s ctx=\"%s\"",
                  err_code_name(err.code), err.detail);
    } else if (server->gate != NULL) {
        log_info("tokens read again");
    }
    if (server->tls != NULL) {
        reload_certificate(server);
    }
    reload_ask(server->reload);
}

static void
hits_cb(evutil_socket_t fd, short what, void *data)
{
    struct server *server = data;

    (void)fd;
    (void)what;
    if (!server->draining) {
        hits_save(server->writer, server->rulebook);
    }
}

/* --- old tickets -------------------------------------------------------- */

/* Nobody is there to be asked who: the setting is. */
static bool
enter_keeping(struct server *server, struct err *err)
{
    char object[64];
    struct audit_entry entry = {.action = "expire", .ok = true};

    (void)snprintf(object, sizeof(object), "keep_days=%llu keep_open=%s",
                   (unsigned long long)server->config.keep_days,
                   server->config.keep_open ? "on" : "off");
    entry.object = span_of(object);
    return audit_put(server->audit, &entry, clock_now_us(), err) == ERR_OK;
}

/* When another day has passed, let go what is older than keep_days; tried once
 * a day. */
static void
keep_cb(evutil_socket_t fd, short what, void *data)
{
    struct server *server = data;
    struct expire_progress progress;
    struct err err = {0};
    int64_t before_us = shanghai_day_start_us(
        shanghai_day(clock_now_us()) - (int32_t)server->config.keep_days);

    (void)fd;
    (void)what;
    expire_progress(server->expire, &progress);
    if (server->draining || progress.state == LONG_RUN_RUNNING ||
        server->kept_us == before_us ||
        (progress.state == LONG_RUN_DONE &&
         progress.mark.before_us >= before_us)) {
        return;
    }
    server->kept_us = before_us;
    if (!enter_keeping(server, &err) ||
        expire_start(server->expire, before_us, !server->config.keep_open,
                     &err) != ERR_OK) {
        log_error("keep_days=%llu: nothing expires err=%s ctx=\"%s\"",
                  (unsigned long long)server->config.keep_days,
                  err_code_name(err.code), err.detail);
    }
}

/* --- new tables --------------------------------------------------------- */

/* Nothing to write: the transaction alone makes the writer move on. */
static enum err_code
write_nothing(void *data, struct ledger *ledger, struct err *err)
{
    (void)data;
    (void)ledger;
    (void)err;
    return ERR_OK;
}

static void
nothing_written(void *data, const struct err *err)
{
    (void)data;
    (void)err;
}

/* A reload ended: let the HTTP thread and the writer move on, too. */
static void
reload_ended(void *data, const struct reload_result *result)
{
    struct server *server = data;

    if (result->fine && result->changed) {
        edition_release(&server->edition);
        server->edition = rulebook_hold(server->rulebook);
        if (!writer_run(server->writer, write_nothing, nothing_written, NULL)) {
            log_debug("the writer has ended");
        }
    }
}

/* --- starting ----------------------------------------------------------- */

static bool
is_loopback(const char *address)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (inet_pton(AF_INET, address, &v4) == 1) {
        return ntohl(v4.s_addr) >> 24 == 127;
    }
    return inet_pton(AF_INET6, address, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* Others may connect when they must show who they are and nobody can listen. */
static enum err_code
check_access(const struct config *config, struct err *err)
{
    const char *const binds[] = {config->http_bind, config->feed_bind};
    bool tls = config->tls_cert[0] != '\0';

    if (tls != (config->tls_key[0] != '\0')) {
        return err_set(err, ERR_USAGE,
                       "give --tls-cert and --tls-key together");
    }
    for (size_t i = 0; i < sizeof(binds) / sizeof(binds[0]); i++) {
        if (is_loopback(binds[i])) {
            continue;
        }
        if (!config->auth) {
            return err_set(err, ERR_USAGE,
                           "\"%s\" can be reached from outside and with --auth "
                           "off nothing asks who comes in: take --auth on, or "
                           "bind to 127.0.0.1 or ::1",
                           binds[i]);
        }
        if (!tls && !config->insecure) {
            return err_set(
                err, ERR_USAGE,
                "\"%s\" can be reached from outside, and without TLS "
                "tokens and tickets can be read on the way: give "
                "--tls-cert and --tls-key, or bind to 127.0.0.1 or "
                "::1; --insecure on takes the risk",
                binds[i]);
        }
    }
    return ERR_OK;
}

static enum err_code
open_tls(struct server *server, struct err *err)
{
    const struct config *config = &server->config;

    return config->tls_cert[0] != '\0'
               ? tls_new(config->tls_cert, config->tls_key, &server->tls, err)
               : ERR_OK;
}

/* Only with the lock of the directory: they may be another server's. */
static void
remove_ports(const struct server *server)
{
    char path[CONFIG_TEXT_BYTES + 32];

    (void)snprintf(path, sizeof(path), "%s/ports", server->config.data);
    (void)unlink(path);
}

static enum err_code
open_ledger(struct server *server, struct err *err)
{
    struct store_options options = {server->config.map_size_gib << 30};
    struct writer_options writer_options = {
        .rulebook = server->rulebook,
        .queue_batches_max = server->config.queue_batches_max,
        .group_records_max = server->config.batch_records_max * 16,
        .on_fatal = on_fatal,
        .fatal_data = server};

    if (server->config.data[0] == '\0') {
        return err_set(err, ERR_USAGE,
                       "say where the data is to live: suqiu serve --data DIR");
    }
    if (store_open(server->config.data, STORE_WRITE, &options, &server->store,
                   err) != ERR_OK) {
        return err->code;
    }
    remove_ports(server); /* of one that was killed */
    if (secret_open(server->config.data, true, &server->secret, err) !=
            ERR_OK ||
        audit_open(server->config.data, &server->secret, &server->audit, err) !=
            ERR_OK ||
        (server->config.auth &&
         gate_new(server->config.data, &server->secret, server->audit,
                  &server->gate, err) != ERR_OK)) {
        return err->code;
    }
    if (hits_load(server->store, server->rulebook, err) != ERR_OK ||
        ledger_open(server->store, server->edition->dictionary, &server->ledger,
                    err) != ERR_OK) {
        return err->code;
    }
    server->changes = changes_new();
    if (server->changes == NULL) {
        return err_set(err, ERR_NO_MEMORY, "lists");
    }
    ledger_watch(server->ledger, server->changes);
    if (writer_new(server->ledger, &writer_options, &server->writer, err) !=
        ERR_OK) {
        return err->code;
    }
    return ERR_OK;
}

static unsigned
worker_count(const struct config *config)
{
    long processors;

    if (config->workers > 0) {
        return (unsigned)config->workers;
    }
    processors = sysconf(_SC_NPROCESSORS_ONLN);
    return processors > 1 ? (unsigned)processors : 1;
}

/* --- what the handlers may ask ------------------------------------------ */

static const struct dictionary *
tell_dictionary(void *data)
{
    return ((struct server *)data)->edition->dictionary;
}

static const double *
tell_rule_us(void *data)
{
    return atomic_load(&((struct server *)data)->edition->rule_us);
}

static struct edition *
keep_edition(void *data)
{
    return edition_hold(((struct server *)data)->edition);
}

static void
drop_edition(void *data, struct edition **edition)
{
    (void)data;
    edition_release(edition);
}

static struct ledger_totals
tell_totals(void *data)
{
    return ledger_totals(((struct server *)data)->ledger);
}

static void
tell_pipeline(void *data, struct serve_pipeline *out)
{
    struct server *server = data;
    struct writer_counts writer;
    struct feed_counts feed = {0};

    writer_counts(server->writer, &writer);
    if (server->feed != NULL) {
        feed_counts(server->feed, &feed);
    }
    *out = (struct serve_pipeline){
        .records_total = writer.records,
        .batches_total = writer.batches,
        .commits_total = writer.commits,
        .commit_us_total = writer.commit_us_sum,
        .batches_waiting = ring_count(writer_queue(server->writer)),
        .batches_waiting_max = server->config.queue_batches_max,
        .feed_connections = feed.connections_open,
        .last_commit_us = writer.last_commit_us,
        .started_us = server->started_us,
        .writer_stopped = server->failed,
        .store_full = writer.no_room};
}

static enum err_code
take_facts(void *data,
           const struct ledger_fact *facts,
           size_t fact_count,
           serve_facts_done *done,
           void *done_data,
           struct err *err)
{
    return facts_intake_put(((struct server *)data)->facts, facts, fact_count,
                            done, done_data, err);
}

static enum err_code
open_routes(struct server *server, struct err *err)
{
    (void)snprintf(server->spool_dir, sizeof(server->spool_dir), "%s/spool",
                   server->config.data);
    struct serve_context context = {.store = server->store,
                                    .events = server->base,
                                    .ids = ledger_ids(server->ledger),
                                    .changes = server->changes,
                                    .audit = server->audit,
                                    .data_dir = server->config.data,
                                    .base = server->base,
                                    .spool_dir = server->spool_dir,
                                    .dictionary = tell_dictionary,
                                    .keep_edition = keep_edition,
                                    .drop_edition = drop_edition,
                                    .totals = tell_totals,
                                    .pipeline = tell_pipeline,
                                    .put_facts = take_facts,
                                    .data = server};

    struct edition_options tables = edition_options_from(&server->config);

    if (reload_new(server->base, server->rulebook, &tables, reload_ended,
                   server, &server->reload, err) != ERR_OK) {
        return err->code;
    }
    if (reclassify_new(server->store, server->writer, server->rulebook, true,
                       &server->reclassify, err) != ERR_OK) {
        return err->code;
    }
    if (expire_new(server->store, server->writer, server->rulebook, true,
                   &server->expire, err) != ERR_OK) {
        return err->code;
    }
    if (replay_job_new(server->store, &tables, &server->replay, err) !=
        ERR_OK) {
        return err->code;
    }
    context.replay = server->replay;
    context.reload = server->reload;
    context.rule_hits = rulebook_hits(server->rulebook);
    context.rule_us = tell_rule_us;
    context.reclassify = server->reclassify;
    context.expire = server->expire;
    if (facts_intake_new(server->base, server->writer, &server->facts, err) !=
        ERR_OK) {
        return err->code;
    }
    return serve_routes_new(server->http, &context, &server->routes, err);
}

static enum err_code
open_imports(struct server *server, struct err *err)
{
    const struct config *config = &server->config;
    char directory[CONFIG_TEXT_BYTES + 32];
    const struct imports_options options = {
        .directory = directory,
        .writer = server->writer,
        .rulebook = server->rulebook,
        .batch_records_max = config->batch_records_max,
        .batch_bytes_max = config->batch_bytes_max,
        .line_bytes_max = config->feed_line_bytes_max};

    (void)snprintf(directory, sizeof(directory), "%s/imports", config->data);
    if (imports_new(server->base, &options, &server->imports, err) != ERR_OK) {
        return err->code;
    }
    return imports_http_new(server->http, server->imports, server->rulebook,
                            &server->imports_http, err);
}

static enum err_code
open_intakes(struct server *server, struct err *err)
{
    const struct config *config = &server->config;
    struct http_options http_options = http_options_from(config);
    struct http_intake_options intake_options = {config->feed_line_bytes_max,
                                                 config->batch_records_max};
    struct feed_options feed_options = {
        .bind = config->feed_bind,
        .port = (uint16_t)config->feed_port,
        .workers = worker_count(config),
        .connections_max = (unsigned)config->feed_connections_max,
        .gate = server->gate,
        .tls = server->tls,
        .line_bytes_max = config->feed_line_bytes_max,
        .batch_records_max = config->batch_records_max};

    http_options.tls = server->tls;
    if (http_server_new(server->base, &http_options, &server->http, err) !=
            ERR_OK ||
        access_new(server->http, server->gate, &server->secret, server->audit,
                   &server->access, err) != ERR_OK ||
        http_intake_new(server->base, server->http, server->writer,
                        server->rulebook, &intake_options, &server->intake,
                        err) != ERR_OK ||
        open_routes(server, err) != ERR_OK ||
        open_imports(server, err) != ERR_OK ||
        feed_new(server->base, server->writer, server->rulebook, &feed_options,
                 &server->feed, err) != ERR_OK) {
        return err->code;
    }
    return ERR_OK;
}

static enum err_code
open_loop(struct server *server, struct err *err)
{
    const struct timeval hits_period = {RULE_HITS_SAVE_S, 0};

    server->base = event_base_new();
    if (server->base == NULL) {
        return err_set(err, ERR_NO_MEMORY, "event loop");
    }
    if (wake_open(&server->fatal_wake, err) != ERR_OK) {
        return err->code;
    }
    server->ev_term = evsignal_new(server->base, SIGTERM, signal_cb, server);
    server->ev_int = evsignal_new(server->base, SIGINT, signal_cb, server);
    server->ev_hangup = evsignal_new(server->base, SIGHUP, hangup_cb, server);
    server->ev_fatal = event_new(server->base, wake_fd(&server->fatal_wake),
                                 EV_READ, fatal_cb, server);
    server->ev_drain = event_new(server->base, -1, 0, drain_cb, server);
    server->ev_hits = event_new(server->base, -1, EV_PERSIST, hits_cb, server);
    if (server->ev_term == NULL || server->ev_int == NULL ||
        server->ev_hangup == NULL || server->ev_fatal == NULL ||
        server->ev_drain == NULL || server->ev_hits == NULL ||
        event_add(server->ev_hits, &hits_period) != 0 ||
        event_add(server->ev_term, NULL) != 0 ||
        event_add(server->ev_int, NULL) != 0 ||
        event_add(server->ev_hangup, NULL) != 0 ||
        event_add(server->ev_fatal, NULL) != 0) {
        return err_set(err, ERR_NO_MEMORY, "event loop");
    }
    return ERR_OK;
}

/* Go on with what a run left, and look at keep_days from now on. */
static enum err_code
open_keeping(struct server *server, struct err *err)
{
    const struct timeval every = {SERVE_KEEP_LOOK_S, 0};

    if (expire_resume(server->expire, err) != ERR_OK ||
        server->config.keep_days == 0) {
        return err->code;
    }
    server->ev_keep = event_new(server->base, -1, EV_PERSIST, keep_cb, server);
    if (server->ev_keep == NULL || event_add(server->ev_keep, &every) != 0) {
        return err_set(err, ERR_NO_MEMORY, "event loop");
    }
    event_active(server->ev_keep, EV_TIMEOUT, 1);
    return ERR_OK;
}

/* The ports in use, for whoever started us with port 0. Written aside and
 * renamed, so a reader sees all of it or nothing. */
static enum err_code
write_ports(const struct server *server, struct err *err)
{
    char path[CONFIG_TEXT_BYTES + 32];
    char aside[CONFIG_TEXT_BYTES + 32];
    FILE *file;
    bool fine;

    (void)snprintf(path, sizeof(path), "%s/ports", server->config.data);
    (void)snprintf(aside, sizeof(aside), "%s/ports.new", server->config.data);
    file = fopen(aside, "w");
    if (file == NULL) {
        return err_set(err, err_from_errno(errno), "cannot write '%s': %s",
                       aside, strerror(errno));
    }
    fine = fprintf(file, "http=%u\nfeed=%u\npid=%ld\n",
                   (unsigned)http_server_port(server->http),
                   (unsigned)feed_port(server->feed), (long)getpid()) > 0;
    fine = fclose(file) == 0 && fine;
    if (!fine || rename(aside, path) != 0) {
        return err_set(err, ERR_IO, "cannot write '%s'", path);
    }
    return ERR_OK;
}

/* As long as nobody has an administrator's token there is one way in. */
static void
say_link(const struct server *server)
{
    char link[ACCESS_URL_BYTES];

    if (server->gate != NULL && !gate_has_admin(server->gate) &&
        access_link(server->access, server->config.http_bind,
                    http_server_port(server->http), link)) {
        printf("sign in once, within %d minutes: %s\n", SESSION_LINK_S / 60,
               link);
        secret_forget(link, sizeof(link));
    }
}

/* The loop turns: that is what the manager wants to know. */
static void
watchdog_cb(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    (void)data;
    (void)notify_send("WATCHDOG=1");
}

/* Tell the service manager, if one started us. */
static void
notify_ready(struct server *server)
{
    int64_t every_us = notify_watchdog_us() / 2;
    const struct timeval every = {(time_t)(every_us / 1000000),
                                  (suseconds_t)(every_us % 1000000)};
    char lines[128];

    (void)snprintf(lines, sizeof(lines),
                   "READY=1\nSTATUS=HTTP port %u, feed port %u",
                   (unsigned)http_server_port(server->http),
                   (unsigned)feed_port(server->feed));
    if (!notify_send(lines) || every_us == 0) {
        return;
    }
    server->ev_watchdog =
        event_new(server->base, -1, EV_PERSIST, watchdog_cb, server);
    if (server->ev_watchdog == NULL ||
        event_add(server->ev_watchdog, &every) != 0) {
        log_warn("no memory for the watchdog, the manager will end us");
    }
}

static void
say_ready(const struct server *server)
{
    struct ledger_totals totals = ledger_totals(server->ledger);

    printf("suqiu %s is ready: %s://%s:%u  feed %s:%u  data %s  tickets "
           "%llu\n",
           SUQIU_VERSION, http_server_scheme(server->http),
           server->config.http_bind, (unsigned)http_server_port(server->http),
           server->config.feed_bind, (unsigned)feed_port(server->feed),
           server->config.data,
           (unsigned long long)ledger_tickets_there(&totals));
    say_link(server);
    (void)fflush(stdout);
}

static void
close_server(struct server *server)
{
    reload_free(&server->reload);
    reclassify_free(&server->reclassify);
    expire_free(&server->expire);
    replay_job_free(&server->replay);
    feed_free(&server->feed);
    imports_free(&server->imports);
    if (server->writer != NULL) {
        hits_save(server->writer, server->rulebook);
    }
    writer_free(&server->writer);
    http_server_free(&server->http);
    imports_http_free(&server->imports_http);
    access_free(&server->access);
    serve_routes_free(&server->routes);
    http_intake_free(&server->intake);
    facts_intake_free(&server->facts);
    struct event *events[] = {server->ev_term,   server->ev_int,
                              server->ev_hangup, server->ev_fatal,
                              server->ev_drain,  server->ev_hits,
                              server->ev_keep,   server->ev_watchdog};

    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        if (events[i] != NULL) {
            event_free(events[i]);
        }
    }
    if (server->base != NULL) {
        event_base_free(server->base);
    }
    wake_close(&server->fatal_wake);
    tls_free(&server->tls);
    gate_free(&server->gate);
    audit_close(&server->audit);
    ledger_close(&server->ledger);
    changes_free(&server->changes);
    if (server->store != NULL) {
        remove_ports(server);
    }
    store_close(&server->store);
    edition_release(&server->edition);
    rulebook_free(&server->rulebook);
}

static enum err_code
open_tables(struct server *server, struct err *err)
{
    struct edition_options options = edition_options_from(&server->config);
    struct edition *first = NULL;

    if (edition_build(&options, NULL, &first, err) != ERR_OK) {
        return err->code;
    }
    if (rulebook_new(first, &server->rulebook, err) != ERR_OK) {
        edition_release(&first);
        return err->code;
    }
    server->edition = rulebook_hold(server->rulebook);
    return ERR_OK;
}

int
cmd_serve(int argc, char **argv)
{
    struct server server = {.fatal_wake = {-1}};
    struct err err = {0};
    int exit_code = CLI_FINE;

    if (!cli_begin(&cmd_serve_help, &argc, argv, &server.config, &exit_code)) {
        return exit_code;
    }
    if (argc > 0) {
        (void)err_set(&err, ERR_USAGE,
                      "serve takes no arguments besides its flags");
        return cli_fail(&err);
    }
    server.started_us = clock_now_us();
    if (check_access(&server.config, &err) != ERR_OK ||
        open_tls(&server, &err) != ERR_OK ||
        open_tables(&server, &err) != ERR_OK ||
        open_ledger(&server, &err) != ERR_OK ||
        open_loop(&server, &err) != ERR_OK ||
        open_intakes(&server, &err) != ERR_OK ||
        reclassify_resume(server.reclassify, &err) != ERR_OK ||
        open_keeping(&server, &err) != ERR_OK ||
        write_ports(&server, &err) != ERR_OK) {
        exit_code = cli_fail(&err);
    } else {
        say_ready(&server);
        notify_ready(&server);
        (void)event_base_dispatch(server.base);
        exit_code = server.failed ? CLI_FAILED : CLI_FINE;
    }
    close_server(&server);
    return exit_code;
}
