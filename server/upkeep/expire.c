/* Old tickets out of the store, some in each transaction of the writer. */
#define LOG_MODULE "expire"
#include "server/upkeep/expire.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "analyzers/repeat.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/ledger/bytes.h"
#include "server/ledger/reader.h"

enum {
    EXPIRE_RETRY_US = 1000000,                       /* no room: try again */
    EXPIRE_LOOK_MAX = 16 * EXPIRE_STEP_TICKETS,      /* in one snapshot */
    EXPIRE_KEY_BYTES = TICKET_ID_CHARS_MAX * 4 + 10, /* of `waiting` */
    EXPIRE_PERSON_BYTES = 17
};

/* In this order, then it ends. */
enum phase { TICKETS, EVENTS, REJECTS, PERSONS, END };

/* Where a run stands; beside the store, which knows what has gone. */
struct place {
    enum phase phase;
    int64_t at_us; /* of tickets */
    uint64_t number;
    uint8_t key[EXPIRE_KEY_BYTES]; /* of events and persons: behind this one */
    size_t key_bytes;
};

/* What one transaction takes out. */
struct step {
    uint64_t numbers[EXPIRE_STEP_TICKETS]; /* of tickets, of waiting events */
    uint8_t persons[EXPIRE_STEP_SMALL][EXPIRE_PERSON_BYTES];
    size_t count; /* of those, or of refused lines */
    size_t looked_at;
    struct place place;        /* behind it */
    struct ledger_expire mark; /* how it will stand behind it */
};

struct expire {
    const struct store *store;
    struct rulebook *rulebook;
    bool rest;

    struct long_run run;
    struct expire_progress progress; /* but state and err: the run's */
    uint64_t run_tickets_before;     /* for the rate */
    struct step step; /* the thread's, the writer's while it is written */
};

/* ---- the writer's part ---- */

static enum err_code
write_tickets(struct step *step, struct ledger *ledger, struct err *err)
{
    for (size_t i = 0; i < step->count; i++) {
        enum ledger_expired outcome;

        if (ledger_expire_ticket(ledger, step->numbers[i], &step->mark,
                                 &outcome, err) != ERR_OK) {
            return err->code;
        }
        step->mark.tickets += outcome == LEDGER_EXPIRED;
        step->mark.named += outcome == LEDGER_EXPIRED_NAMED;
    }
    return ERR_OK;
}

static enum err_code
write_events(struct step *step, struct ledger *ledger, struct err *err)
{
    for (size_t i = 0; i < step->count; i++) {
        bool gone;

        if (ledger_expire_event(ledger, step->numbers[i], &step->mark, &gone,
                                err) != ERR_OK) {
            return err->code;
        }
        step->mark.events += gone;
    }
    return ERR_OK;
}

static enum err_code
write_rejects(struct step *step, struct ledger *ledger, struct err *err)
{
    for (size_t i = 0; i < step->count; i++) {
        if (ledger_expire_reject(ledger, err) != ERR_OK) {
            return err->code;
        }
        step->mark.rejects++;
    }
    return ERR_OK;
}

static enum err_code
write_persons(struct step *step, struct ledger *ledger, struct err *err)
{
    for (size_t i = 0; i < step->count; i++) {
        struct span key = {(char *)step->persons[i], EXPIRE_PERSON_BYTES};

        if (ledger_expire_person(ledger, key, err) != ERR_OK) {
            return err->code;
        }
    }
    return ERR_OK;
}

/* Writer thread, inside a transaction. */
static enum err_code
write_step(void *data, struct ledger *ledger, struct err *err)
{
    static enum err_code (*const writes[])(struct step *, struct ledger *,
                                           struct err *) = {
        [TICKETS] = write_tickets,
        [EVENTS] = write_events,
        [REJECTS] = write_rejects,
        [PERSONS] = write_persons};
    struct step *step = data;

    if (step->place.phase != END &&
        writes[step->place.phase](step, ledger, err) != ERR_OK) {
        return err->code;
    }
    return ledger_put_expire(ledger, &step->mark, err);
}

/* ---- what is old enough: one snapshot a step ---- */

struct look {
    const struct reader *reader;
    struct step *step;
    struct err *err;
};

static bool
look_at_ticket(void *data, int64_t accepted_at_us, uint64_t number)
{
    struct look *look = data;
    struct step *step = look->step;
    struct ticket_state state;

    if (step->count == EXPIRE_STEP_TICKETS ||
        step->looked_at == EXPIRE_LOOK_MAX) {
        return false;
    }
    if (!reader_state(look->reader, number, &state, look->err)) {
        (void)err_set(look->err, ERR_CORRUPT, "a ticket's state is missing");
        return false;
    }
    step->looked_at++;
    step->place.at_us = accepted_at_us;
    step->place.number = number;
    if (ledger_may_expire(&state, step->mark.before_us, step->mark.open_too)) {
        step->numbers[step->count++] = number;
    } else {
        step->mark.open++;
    }
    return true;
}

static bool
look_at_event(struct look *look, struct span key, struct span value)
{
    struct step *step = look->step;
    size_t tail = sizeof(uint64_t) + 1; /* kind, number */
    struct byte_reader r =
        byte_reader_on(key.data + key.bytes - sizeof(uint64_t), 8);
    struct record record;
    uint64_t seq = get_be64(&r);

    (void)value;
    if (key.bytes <= tail || key.data[key.bytes - tail] != 'e') {
        return true; /* a ticket that waits for the one it names */
    }
    if (reader_record(look->reader, seq, &record, look->err) != ERR_OK) {
        return false;
    }
    if (record.event.at_us < step->mark.before_us) {
        step->numbers[step->count++] = seq;
    }
    return step->count < EXPIRE_STEP_TICKETS;
}

static bool
look_at_person(struct look *look, struct span key, struct span value)
{
    struct step *step = look->step;

    if (key.bytes == EXPIRE_PERSON_BYTES &&
        ledger_person_is_over(key, value, step->mark.horizon_us)) {
        memcpy(step->persons[step->count++], key.data, EXPIRE_PERSON_BYTES);
    }
    return step->count < EXPIRE_STEP_SMALL;
}

static bool
look_at_reject(struct look *look, struct span key, struct span value)
{
    struct step *step = look->step;
    struct byte_reader r = byte_reader_on(value.data, value.bytes);

    (void)key;
    (void)get_u8(&r); /* version */
    if (get_zigzag(&r) >= step->mark.before_us) {
        return false;
    }
    step->count++;
    return step->count < EXPIRE_STEP_SMALL;
}

/* Entries of a database from behind the place on; false: it was the last. */
static bool
look_through(struct look *look,
             enum store_db db,
             bool (*look_at)(struct look *, struct span, struct span))
{
    const struct reader *reader = look->reader;
    struct place *place = &look->step->place;
    MDB_val key = {place->key_bytes, place->key};
    MDB_val value;
    MDB_cursor *cursor;
    bool more = true;
    int rc = mdb_cursor_open(reader->txn, reader->store->db[db], &cursor);

    if (rc != 0) {
        (void)store_err(look->err, rc, "expire");
        return false;
    }
    rc = place->key_bytes > 0
             ? mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE)
             : mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    if (rc == 0 && key.mv_size == place->key_bytes &&
        memcmp(key.mv_data, place->key, key.mv_size) == 0) {
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    while (rc == 0 && more && key.mv_size <= sizeof(place->key)) {
        place->key_bytes = key.mv_size;
        memcpy(place->key, key.mv_data, key.mv_size);
        more = look_at(look, (struct span){key.mv_data, key.mv_size},
                       (struct span){value.mv_data, value.mv_size}) &&
               ++look->step->looked_at < EXPIRE_LOOK_MAX;
        rc = more ? mdb_cursor_get(cursor, &key, &value, MDB_NEXT) : 0;
    }
    if (rc != 0 && rc != MDB_NOTFOUND) {
        (void)store_err(look->err, rc, "expire");
    }
    mdb_cursor_close(cursor);
    return rc == 0;
}

static void
next_phase(struct step *step)
{
    step->place = (struct place){.phase = (enum phase)(step->place.phase + 1)};
}

/* Fill the step; nothing found: the next phase. */
static enum err_code
list_step(struct expire *expire, struct err *err)
{
    struct step *step = &expire->step;
    struct reader reader;
    struct look look = {&reader, step, err};
    bool more = true;

    step->count = 0;
    step->looked_at = 0;
    if (reader_begin(expire->store, &reader, err) != ERR_OK) {
        return err->code;
    }
    switch (step->place.phase) {
    case TICKETS:
        (void)!reader_tickets(&reader, INT64_MIN, step->mark.before_us,
                              step->place.at_us, step->place.number, true,
                              look_at_ticket, &look, err);
        more = step->looked_at > 0;
        break;
    case EVENTS:
        more = look_through(&look, STORE_WAITING, look_at_event);
        break;
    case REJECTS:
        (void)look_through(&look, STORE_REJECTS, look_at_reject);
        step->place.key_bytes = 0; /* what was listed goes: from the front */
        more = step->count > 0;
        break;
    case PERSONS:
        more = look_through(&look, STORE_CUSTOMERS, look_at_person);
        break;
    case END:
        break;
    }
    reader_end(&reader);
    if (!more && step->count == 0) {
        next_phase(step);
    }
    return err->code;
}

/* ---- the thread ---- */

/* Hand the step to the writer and wait for its commit; how long it took. */
static int64_t
commit_step(struct expire *expire, struct err *err)
{
    struct step *step = &expire->step;
    int64_t start_us = clock_mono_us();

    step->mark.ended_us = step->place.phase == END ? clock_now_us() : 0;
    (void)long_run_write(&expire->run, write_step, step, err);
    return clock_mono_us() - start_us;
}

static void
publish(struct expire *expire)
{
    const struct step *step = &expire->step;

    (void)pthread_mutex_lock(&expire->run.lock);
    expire->progress.mark = step->mark;
    if (step->place.phase == TICKETS && step->place.number != 0) {
        expire->progress.at_us = step->place.at_us;
    }
    (void)pthread_mutex_unlock(&expire->run.lock);
}

static void
end_run(struct expire *expire, enum long_run_state state, const struct err *err)
{
    const struct ledger_expire *mark = &expire->step.mark;

    if (state == LONG_RUN_FAILED) {
        log_error("stopped err=%s ctx=\"%s\"", err_code_name(err->code),
                  err->detail);
    } else {
        log_info(
            "%s tickets=%llu events=%llu rejects=%llu open=%llu "
            "named=%llu",
            long_run_state_name(state), (unsigned long long)mark->tickets,
            (unsigned long long)mark->events, (unsigned long long)mark->rejects,
            (unsigned long long)mark->open, (unsigned long long)mark->named);
    }
    long_run_end(&expire->run, state, err);
}

/* One step: list, write. False: it has ended, *state says how. */
static bool
run_step(struct expire *expire, enum long_run_state *state, struct err *err)
{
    struct step *step = &expire->step;
    struct ledger_expire mark = step->mark;
    struct place place = step->place;
    int64_t took_us;

    if (list_step(expire, err) != ERR_OK) {
        *state = LONG_RUN_FAILED;
        return false;
    }
    if (step->count == 0 && step->place.phase != END) {
        return true; /* look on */
    }
    took_us = commit_step(expire, err);
    if (err_code_kind(err->code) == ERR_KIND_NO_ROOM) {
        step->mark = mark;
        step->place = place;
        *err = (struct err){0};
        long_run_rest(&expire->run, EXPIRE_RETRY_US);
        return true;
    }
    if (err->code != ERR_OK) {
        step->mark = mark;
        *state = err->code == ERR_BUSY ? LONG_RUN_STOPPED : LONG_RUN_FAILED;
        return false;
    }
    /* What was listed in this transaction may have moved the horizon. */
    if (step->mark.tickets + step->mark.events > 0 &&
        step->mark.horizon_us < step->mark.before_us) {
        step->mark.horizon_us = step->mark.before_us;
    }
    publish(expire);
    if (step->place.phase == END) {
        *state = LONG_RUN_DONE;
        return false;
    }
    if (expire->rest) {
        long_run_rest(&expire->run, took_us);
    }
    return true;
}

static void *
expire_thread(void *data)
{
    struct expire *expire = data;
    enum long_run_state state = LONG_RUN_STOPPED;
    struct err err = {0};

    (void)prctl(PR_SET_NAME, "suqiu-expire");
    while (!long_run_stop_asked(&expire->run) &&
           run_step(expire, &state, &err)) {
    }
    end_run(expire, state, &err);
    return NULL;
}

/* ---- for the others ---- */

enum err_code
expire_new(const struct store *store,
           struct writer *writer,
           struct rulebook *rulebook,
           bool rest,
           struct expire **out,
           struct err *err)
{
    struct expire *expire = calloc(1, sizeof(*expire));

    if (expire == NULL) {
        return err_set(err, ERR_NO_MEMORY, "expire");
    }
    expire->store = store;
    expire->rulebook = rulebook;
    expire->rest = rest;
    long_run_init(&expire->run, writer);
    *out = expire;
    return ERR_OK;
}

void
expire_free(struct expire **expire)
{
    if (*expire == NULL) {
        return;
    }
    long_run_release(&(*expire)->run);
    free(*expire);
    *expire = NULL;
}

/* Not while one runs. */
static enum err_code
begin(struct expire *expire, const struct ledger_expire *mark, struct err *err)
{
    (void)pthread_mutex_lock(&expire->run.lock);
    expire->step.mark = *mark;
    expire->step.mark.open = 0; /* they are looked at again */
    expire->step.mark.named = 0;
    expire->step.place = (struct place){.phase = TICKETS};
    expire->progress = (struct expire_progress){.mark = expire->step.mark};
    expire->run_tickets_before = mark->tickets;
    (void)pthread_mutex_unlock(&expire->run.lock);
    log_info("tickets of before_us=%lld open_too=%d",
             (long long)mark->before_us, mark->open_too);
    return long_run_start(&expire->run, expire_thread, expire, err);
}

/* What the store says of the last run. */
static bool
read_mark(struct expire *expire, struct ledger_expire *out, struct err *err)
{
    struct reader reader;
    bool any = false;

    if (reader_begin(expire->store, &reader, err) == ERR_OK) {
        any = reader_expire(&reader, out, err);
        reader_end(&reader);
    }
    return any && err->code == ERR_OK;
}

/* A date so late that calls of now may repeat what would go. */
static enum err_code
check_date(struct expire *expire, int64_t before_us, struct err *err)
{
    struct edition *edition = rulebook_hold(expire->rulebook);
    int64_t window_us = edition->dictionary->repeat->window_us;

    edition_release(&edition);
    if (before_us > clock_now_us() - window_us) {
        return err_set_field(err, ERR_BAD_VALUE, "before",
                             "must lie at least repeat.window_days (%lld) "
                             "back: calls of today may repeat younger tickets",
                             (long long)(window_us / US_PER_DAY));
    }
    return ERR_OK;
}

enum err_code
expire_start(struct expire *expire,
             int64_t before_us,
             bool open_too,
             struct err *err)
{
    struct expire_progress now;
    struct ledger_expire mark = {.horizon_us = INT64_MIN};

    expire_progress(expire, &now);
    if (now.state == LONG_RUN_RUNNING) {
        return now.mark.before_us == before_us && now.mark.open_too == open_too
                   ? ERR_OK
                   : err_set(err, ERR_BUSY,
                             "a run with another date is under way; wait for "
                             "its end, or stop it");
    }
    if (check_date(expire, before_us, err) != ERR_OK) {
        return err->code;
    }
    (void)read_mark(expire, &mark, err);
    if (err->code != ERR_OK) {
        return err->code;
    }
    mark = (struct ledger_expire){.before_us = before_us,
                                  .horizon_us = mark.horizon_us,
                                  .started_us = clock_now_us(),
                                  .open_too = open_too};
    return begin(expire, &mark, err);
}

enum err_code
expire_resume(struct expire *expire, struct err *err)
{
    struct ledger_expire mark;

    if (!read_mark(expire, &mark, err)) {
        return err->code;
    }
    if (mark.ended_us == 0) {
        return begin(expire, &mark, err);
    }
    expire->progress.mark = mark;
    long_run_was_done(&expire->run);
    return ERR_OK;
}

void
expire_stop(struct expire *expire)
{
    long_run_stop(&expire->run);
}

void
expire_progress(struct expire *expire, struct expire_progress *out)
{
    uint64_t done;
    int64_t took_us;

    (void)pthread_mutex_lock(&expire->run.lock);
    *out = expire->progress;
    out->state = expire->run.state;
    out->err = expire->run.err;
    done = out->mark.tickets - expire->run_tickets_before;
    took_us = clock_mono_us() - expire->run.started_us;
    (void)pthread_mutex_unlock(&expire->run.lock);
    if (out->state == LONG_RUN_RUNNING && done > 0 && took_us > 0) {
        out->per_second = done * UINT64_C(1000000) / (uint64_t)took_us;
    }
}

bool
expire_wait(struct expire *expire, int64_t timeout_us)
{
    return long_run_wait(&expire->run, timeout_us);
}
