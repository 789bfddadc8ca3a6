/* One reload: a thread builds and checks, the loop hears how it went. */
#define LOG_MODULE "reload"
#include "server/rulebook/reload.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "analyzers/rules.h"
#include "analyzers/table.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/rulebook/rule_check.h"

struct reload {
    struct rulebook *rulebook;
    struct edition_options options;
    reload_done *ended;
    void *ended_data;
    struct wake wake;
    struct event *ev_ended;

    bool running;   /* loop's thread only */
    bool measuring; /* the thread measures only */
    bool again;     /* asked for while one runs */
    bool any;       /* `result` is of a reload */
    pthread_t thread;
    reload_done *done;
    void *done_data;
    reload_done *waiting; /* for the end of measuring */
    void *waiting_data;
    struct reload_result result; /* the thread's while it runs */
    struct reload_result last;
    struct reload_counts counts;
};

/* ---- results ---- */

static void
result_release(struct reload_result *result)
{
    for (size_t i = 0; i < result->change_count; i++) {
        free(result->changes[i].table);
    }
    free(result->changes);
    free(result->errors);
    *result = (struct reload_result){0};
}

/* Keep one error; all are counted. */
static bool
note_error(void *data, const struct err *err)
{
    struct reload_result *result = data;

    if (result->errors == NULL) {
        result->errors = calloc(RELOAD_ERRORS_MAX, sizeof(*result->errors));
    }
    result->error_total++;
    if (result->errors != NULL && result->error_count < RELOAD_ERRORS_MAX) {
        result->errors[result->error_count++] = *err;
    }
    return true;
}

static void
note_finding(void *data, struct span text)
{
    struct err err = {0};

    (void)err_set(&err, ERR_BAD_TABLE, "%.*s", SPAN_ARGS(text));
    (void)note_error(data, &err);
}

static enum reload_effect
effect_of(const char *path)
{
    static const char *const at_once[] = {"indicators.csv", "columns.csv",
                                          "column_values.csv"};

    for (size_t i = 0; i < sizeof(at_once) / sizeof(at_once[0]); i++) {
        if (strcmp(path, at_once[i]) == 0) {
            return RELOAD_AT_ONCE;
        }
    }
    return RELOAD_NEW_RECORDS;
}

static bool
add_change(struct reload_result *result, const char *path, const char *change)
{
    struct reload_change *one = &result->changes[result->change_count];
    size_t bytes = strlen(path) + sizeof("dict/");

    one->table = malloc(bytes);
    if (one->table == NULL) {
        return false;
    }
    (void)snprintf(one->table, bytes, "dict/%s", path);
    one->change = change;
    one->effect = effect_of(path);
    result->reclassify =
        result->reclassify || one->effect == RELOAD_NEW_RECORDS;
    result->change_count++;
    return true;
}

/* Which tables differ; both lists are sorted by path. Without memory the list
 * is shorter, the reload goes on. */
static void
compare(struct reload_result *result,
        const struct edition *was,
        const struct edition *is)
{
    size_t a = 0;
    size_t b = 0;
    bool fine = true;

    result->changes = calloc(was->table_count + is->table_count + 1,
                             sizeof(*result->changes));
    if (result->changes == NULL) {
        return;
    }
    while (fine && (a < was->table_count || b < is->table_count)) {
        int order = a == was->table_count ? 1
                    : b == is->table_count
                        ? -1
                        : strcmp(was->tables[a].path, is->tables[b].path);

        if (order < 0) {
            fine = add_change(result, was->tables[a++].path, "removed");
        } else if (order > 0) {
            fine = add_change(result, is->tables[b++].path, "added");
        } else {
            if (was->tables[a].hash != is->tables[b].hash) {
                fine = add_change(result, is->tables[b].path, "changed");
            }
            a++;
            b++;
        }
    }
}

/* ---- the thread ---- */

static enum err_code
check_rules(struct reload_result *result,
            struct edition *edition,
            struct err *err)
{
    const struct dictionary *dictionary = edition->dictionary;
    double *rule_us =
        calloc(rules_count(dictionary->rules) + 1, sizeof(*rule_us));
    struct rule_check check = {.finding = note_finding,
                               .data = result,
                               .rule_us = rule_us,
                               .rule_us_max = RELOAD_RULE_US_MAX};

    if (rule_check_sentences(dictionary, &check, err) != ERR_OK ||
        rule_check_cost(dictionary, &check, err) != ERR_OK) {
        (void)note_error(result, err);
        free(rule_us);
        return err->code;
    }
    atomic_store(&edition->rule_us, rule_us);
    return check.findings == 0 ? ERR_OK
                               : err_set(err, ERR_BAD_TABLE,
                                         "rules contradict their sentences");
}

/* Put it in force unless it is what is in force. */
static void
take(struct reload *reload, struct edition *next)
{
    struct reload_result *result = &reload->result;
    struct edition *was = rulebook_hold(reload->rulebook);

    result->fine = true;
    result->rules = rules_count(next->dictionary->rules);
    (void)snprintf(result->previous, sizeof(result->previous), "%s",
                   was->dictionary->version);
    (void)snprintf(result->version, sizeof(result->version), "%s",
                   next->dictionary->version);
    result->changed = strcmp(result->version, result->previous) != 0;
    compare(result, was, next);
    if (result->changed) {
        rulebook_swap(reload->rulebook, next);
    } else {
        edition_release(&next);
    }
    edition_release(&was);
}

/* No reload: look how long the rules in force take. */
static void *
measure_thread(void *data)
{
    struct reload *reload = data;
    struct edition *edition = rulebook_hold(reload->rulebook);

    (void)prctl(PR_SET_NAME, "suqiu-measure");
    edition_measure(edition);
    edition_release(&edition);
    wake_signal(&reload->wake);
    return NULL;
}

static void *
reload_thread(void *data)
{
    struct reload *reload = data;
    struct reload_result *result = &reload->result;
    struct table_faults faults = {.report = note_error, .data = result};
    struct edition *next = NULL;
    struct err err = {0};

    (void)prctl(PR_SET_NAME, "suqiu-reload");
    if (edition_build(&reload->options, &faults, &next, &err) == ERR_OK &&
        check_rules(result, next, &err) == ERR_OK) {
        take(reload, next);
    } else {
        struct edition *was = rulebook_hold(reload->rulebook);

        edition_release(&next);
        if (result->error_total == 0) {
            (void)note_error(result, &err);
        }
        (void)snprintf(result->version, sizeof(result->version), "%s",
                       was->dictionary->version);
        edition_release(&was);
    }
    wake_signal(&reload->wake);
    return NULL;
}

/* ---- the loop ---- */

static enum err_code
start(struct reload *reload,
      reload_done *done,
      void *done_data,
      struct err *err)
{
    const char *directory = reload->options.directory;

    result_release(&reload->result);
    reload->result.at_us = clock_now_us();
    reload->result.took_us = clock_mono_us();
    reload->result.embedded = directory == NULL || directory[0] == '\0';
    if (pthread_create(&reload->thread, NULL, reload_thread, reload) != 0) {
        return err_set(err, ERR_NO_MEMORY, "cannot start a thread to reload");
    }
    reload->running = true;
    reload->done = done;
    reload->done_data = done_data;
    return ERR_OK;
}

static void
log_result(const struct reload_result *result)
{
    if (!result->fine) {
        log_error("tables refused, %s stay in force errors=%zu",
                  result->version, result->error_total);
        for (size_t i = 0; i < result->error_count; i++) {
            log_error("ctx=\"%s\"", result->errors[i].detail);
        }
    } else if (result->changed) {
        log_info("tables %s in force tables_changed=%zu rules=%zu",
                 result->version, result->change_count, result->rules);
    } else {
        log_info("tables %s are in force already", result->version);
    }
}

/* What was asked for meanwhile. */
static void
go_on(struct reload *reload)
{
    struct err err = {0};

    if (reload->waiting != NULL) {
        reload_done *done = reload->waiting;

        reload->waiting = NULL;
        if (start(reload, done, reload->waiting_data, &err) != ERR_OK) {
            (void)note_error(&reload->last, &err);
            done(reload->waiting_data, &reload->last);
        }
    } else if (reload->again) {
        reload->again = false;
        reload_ask(reload);
    }
}

static void
ended_cb(evutil_socket_t fd, short what, void *data)
{
    struct reload *reload = data;

    (void)fd;
    (void)what;
    wake_clear(&reload->wake);
    if (!reload->running) {
        return;
    }
    (void)pthread_join(reload->thread, NULL);
    reload->running = false;
    if (reload->measuring) {
        reload->measuring = false;
        go_on(reload);
        return;
    }
    reload->result.took_us = clock_mono_us() - reload->result.took_us;
    result_release(&reload->last);
    reload->last = reload->result;
    reload->result = (struct reload_result){0};
    reload->any = true;
    if (reload->last.fine) {
        reload->counts.fine++;
    } else {
        reload->counts.failed++;
    }
    log_result(&reload->last);
    reload->ended(reload->ended_data, &reload->last);
    if (reload->done != NULL) {
        reload->done(reload->done_data, &reload->last);
    }
    go_on(reload);
}

enum err_code
reload_new(struct event_base *base,
           struct rulebook *rulebook,
           const struct edition_options *options,
           reload_done *ended,
           void *ended_data,
           struct reload **out,
           struct err *err)
{
    struct reload *reload = calloc(1, sizeof(*reload));

    if (reload == NULL) {
        return err_set(err, ERR_NO_MEMORY, "reload");
    }
    reload->rulebook = rulebook;
    reload->options = *options;
    reload->ended = ended;
    reload->ended_data = ended_data;
    reload->wake.fd = -1;
    if (wake_open(&reload->wake, err) == ERR_OK) {
        reload->ev_ended = event_new(base, wake_fd(&reload->wake),
                                     EV_READ | EV_PERSIST, ended_cb, reload);
        if (reload->ev_ended == NULL ||
            event_add(reload->ev_ended, NULL) != 0) {
            (void)err_set(err, ERR_NO_MEMORY, "reload");
        }
    }
    if (err->code != ERR_OK) {
        reload_free(&reload);
        return err->code;
    }
    *out = reload;
    return ERR_OK;
}

void
reload_free(struct reload **reload)
{
    struct reload *old = *reload;

    if (old == NULL) {
        return;
    }
    if (old->running) {
        (void)pthread_join(old->thread, NULL);
    }
    if (old->ev_ended != NULL) {
        event_free(old->ev_ended);
    }
    wake_close(&old->wake);
    result_release(&old->result);
    result_release(&old->last);
    free(old);
    *reload = NULL;
}

enum err_code
reload_start(struct reload *reload,
             reload_done *done,
             void *done_data,
             struct err *err)
{
    if (reload->measuring && reload->waiting == NULL) {
        reload->waiting = done;
        reload->waiting_data = done_data;
        return ERR_OK;
    }
    if (reload->running) {
        return err_set(err, ERR_BUSY,
                       "a reload is under way; ask again when it has ended");
    }
    return start(reload, done, done_data, err);
}

void
reload_ask(struct reload *reload)
{
    struct err err = {0};

    if (reload->running) {
        reload->again = true;
    } else if (start(reload, NULL, NULL, &err) != ERR_OK) {
        log_error("err=%s ctx=\"%s\"", err_code_name(err.code), err.detail);
    }
}

void
reload_measure(struct reload *reload)
{
    if (!reload->running &&
        pthread_create(&reload->thread, NULL, measure_thread, reload) == 0) {
        reload->running = true;
        reload->measuring = true;
    }
}

const struct reload_result *
reload_last(const struct reload *reload)
{
    return reload->any ? &reload->last : NULL;
}

struct reload_counts
reload_counts(const struct reload *reload)
{
    return reload->counts;
}

/* ---- where an error is ---- */

/* Cut `text` behind the first `mark`; false: it is not there. */
static bool
cut_before(struct span *text, const char *mark, struct span *head)
{
    size_t bytes = strlen(mark);

    for (size_t i = 0; i + bytes <= text->bytes; i++) {
        if (memcmp(text->data + i, mark, bytes) == 0) {
            *head = (struct span){text->data, i};
            *text =
                (struct span){text->data + i + bytes, text->bytes - i - bytes};
            return true;
        }
    }
    return false;
}

void
reload_place_of(const struct err *err, struct reload_place *out)
{
    struct span rest = span_of(err->detail);
    struct span place;

    *out = (struct reload_place){.message = rest};
    if (!cut_before(&rest, ": ", &out->table)) {
        return;
    }
    out->message = rest;
    if (span_starts(rest, SPAN_LITERAL("line ")) &&
        cut_before(&rest, ": ", &place)) {
        out->message = rest;
        for (size_t i = 5;
             i < place.bytes && place.data[i] >= '0' && place.data[i] <= '9';
             i++) {
            out->line = out->line * 10 + (uint64_t)(place.data[i] - '0');
        }
        if (cut_before(&place, "column '", &rest) && place.bytes > 0) {
            out->column = (struct span){place.data, place.bytes - 1};
        }
    }
    rest = out->message;
    if (cut_before(&rest, "\n", &place)) {
        out->excerpt = rest;
        out->message = place;
    }
    rest = out->message;
    if (span_starts(rest, SPAN_LITERAL("'"))) {
        rest = (struct span){rest.data + 1, rest.bytes - 1};
        (void)cut_before(&rest, "'", &out->value);
    }
}
