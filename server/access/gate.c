/* Tokens and back-off under one lock. */
#include "server/access/gate.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/access/audit.h"
#include "server/access/backoff.h"
#include "server/access/tokens.h"
#include "server/base/clock.h"

struct gate {
    char dir[SECRET_PATH_BYTES];
    struct secret secret;
    struct audit *audit;  /* may be NULL */
    pthread_mutex_t lock; /* tokens, backoff */
    struct tokens tokens;
    struct backoff backoff;
    _Atomic uint64_t generation;
};

static void
lock(struct gate *gate)
{
    int rc = pthread_mutex_lock(&gate->lock);

    assert(rc == 0);
    (void)rc;
}

static void
unlock(struct gate *gate)
{
    int rc = pthread_mutex_unlock(&gate->lock);

    assert(rc == 0);
    (void)rc;
}

enum err_code
gate_new(const char *dir,
         const struct secret *secret,
         struct audit *audit,
         struct gate **out,
         struct err *err)
{
    struct gate *gate = calloc(1, sizeof(*gate));
    struct err read_err = {0};

    if (gate == NULL || pthread_mutex_init(&gate->lock, NULL) != 0) {
        free(gate);
        return err_set(err, ERR_NO_MEMORY, "access");
    }
    (void)snprintf(gate->dir, sizeof(gate->dir), "%s", dir);
    gate->secret = *secret;
    gate->audit = audit;
    if (tokens_read(dir, &gate->tokens, &read_err) == ERR_NOT_FOUND) {
        (void)!tokens_write(dir, &gate->tokens, err);
    } else if (read_err.code != ERR_OK) {
        (void)err_set(err, read_err.code, "%s", read_err.detail);
    }
    if (err->code != ERR_OK) {
        gate_free(&gate);
        return err->code;
    }
    *out = gate;
    return ERR_OK;
}

void
gate_free(struct gate **gate)
{
    if (*gate == NULL) {
        return;
    }
    tokens_release(&(*gate)->tokens);
    (void)pthread_mutex_destroy(&(*gate)->lock);
    secret_forget(*gate, sizeof(**gate));
    free(*gate);
    *gate = NULL;
}

enum err_code
gate_reload(struct gate *gate, struct err *err)
{
    struct tokens fresh;
    struct tokens old;

    if (tokens_read(gate->dir, &fresh, err) != ERR_OK) {
        tokens_release(&fresh);
        return err->code;
    }
    lock(gate);
    old = gate->tokens;
    gate->tokens = fresh;
    unlock(gate);
    tokens_release(&old);
    atomic_fetch_add(&gate->generation, 1);
    return ERR_OK;
}

uint64_t
gate_generation(const struct gate *gate)
{
    return atomic_load_explicit(&((struct gate *)(uintptr_t)gate)->generation,
                                memory_order_acquire);
}

/* Nobody waits for it: who failed is told so with or without an entry. */
static void
enter_failure(struct gate *gate,
              const char *address,
              const struct access_caller *whose)
{
    const struct audit_entry entry = {
        .action = "sign_in", .ok = false, .caller = whose, .address = address};
    struct err err = {0};

    if (gate->audit != NULL) {
        (void)!audit_put(gate->audit, &entry, clock_now_us(), &err);
    }
}

static void
let_in(const struct token *token, struct access_caller *out)
{
    *out = (struct access_caller){.role = token->role};
    (void)snprintf(out->name, sizeof(out->name), "%s", token->name);
    (void)snprintf(out->token_id, sizeof(out->token_id), "%s", token->id);
}

enum gate_answer
gate_ask(struct gate *gate,
         const char *address,
         struct span text,
         int64_t mono_us,
         struct access_caller *out,
         unsigned *wait_s)
{
    enum gate_answer answer = GATE_WAIT;
    struct access_caller whose = {.role = ACCESS_NOBODY};
    char key[BACKOFF_KEY_BYTES];
    const struct token *token;

    lock(gate);
    token = tokens_find(&gate->tokens, token_id_of(text));
    /* Who guesses at one token, or at none, does not lock out the others of
     * the same address. */
    backoff_key(address, span_of(token != NULL ? token->id : NULL), key);
    *wait_s = backoff_wait_s(&gate->backoff, key, mono_us);
    if (*wait_s == 0 && token != NULL &&
        token_fits(token, &gate->secret, text)) {
        backoff_forget(&gate->backoff, key);
        let_in(token, out);
        answer = GATE_OPEN;
    } else if (*wait_s == 0) {
        (void)backoff_failed(&gate->backoff, key, mono_us);
        answer = GATE_WRONG;
        if (token != NULL) {
            let_in(token, &whose); /* whose token was guessed at */
            whose.role = ACCESS_NOBODY;
        }
    }
    unlock(gate);
    if (answer == GATE_WRONG) {
        enter_failure(gate, address, &whose);
    }
    return answer;
}

unsigned
gate_wait_s(struct gate *gate, const char *address, int64_t mono_us)
{
    char key[BACKOFF_KEY_BYTES];
    unsigned wait_s;

    backoff_key(address, (struct span){NULL, 0}, key);
    lock(gate);
    wait_s = backoff_wait_s(&gate->backoff, key, mono_us);
    unlock(gate);
    return wait_s;
}

void
gate_failed(struct gate *gate, const char *address, int64_t mono_us)
{
    char key[BACKOFF_KEY_BYTES];

    backoff_key(address, (struct span){NULL, 0}, key);
    lock(gate);
    (void)backoff_failed(&gate->backoff, key, mono_us);
    unlock(gate);
    enter_failure(gate, address, NULL);
}

bool
gate_holds(struct gate *gate, const struct access_caller *caller)
{
    const struct token *token;
    bool holds;

    lock(gate);
    token = tokens_find(&gate->tokens, span_of(caller->token_id));
    holds = token != NULL && token->role == caller->role;
    unlock(gate);
    return holds;
}

bool
gate_has_admin(struct gate *gate)
{
    bool found = false;

    lock(gate);
    for (size_t i = 0; i < gate->tokens.count; i++) {
        found |= gate->tokens.items[i].role == ACCESS_ADMIN;
    }
    unlock(gate);
    return found;
}
