/*
 * gate: asks for the token; the one place where HTTP and feed let somebody in.
 *
 * Holds the tokens of a data directory and the back-off table. Every function
 * may be called from every thread; each takes one short lock (some
 * microseconds: a hash, no disk), gate_reload reads the file before it.
 */
#ifndef ACCESS_GATE_H
#define ACCESS_GATE_H

#include "server/access/roles.h"
#include "server/access/secret.h"

struct gate;
struct audit; /* server/access/audit.h */

enum gate_answer {
    GATE_OPEN,
    GATE_WRONG, /* no such token */
    GATE_WAIT   /* too many failures: not looked at */
};

/*
 * Read DIR/tokens; an empty file is made when there is none.
 *   audit  failed sign-ins are entered there; borrowed; may be NULL
 *   out   free with gate_free
 * Errors  of secret_open and tokens_read
 */
enum err_code gate_new(const char *dir,
                       const struct secret *secret,
                       struct audit *audit,
                       struct gate **out,
                       struct err *err) MUST_CHECK;
/* Accepts NULL. */
void gate_free(struct gate **gate);

/* Read the file again. On an error what held goes on holding. */
enum err_code gate_reload(struct gate *gate, struct err *err) MUST_CHECK;

/* Changes with every gate_reload: what was let in before is to be asked about
 * again (gate_holds). */
uint64_t gate_generation(const struct gate *gate);

/*
 * Is this a token?
 *   address  numeric, of the one who shows it
 *   out      written on GATE_OPEN
 *   wait_s   seconds to wait, on GATE_WAIT
 */
enum gate_answer gate_ask(struct gate *gate,
                          const char *address,
                          struct span text,
                          int64_t mono_us,
                          struct access_caller *out,
                          unsigned *wait_s);

/* The same back-off for other ways of signing in (a link). */
unsigned gate_wait_s(struct gate *gate, const char *address, int64_t mono_us);
void gate_failed(struct gate *gate, const char *address, int64_t mono_us);

/* Is the token still there, with the same role? */
bool gate_holds(struct gate *gate, const struct access_caller *caller);

/* Is there a token of an administrator? */
bool gate_has_admin(struct gate *gate);

#endif /* ACCESS_GATE_H */
