/*
 * facts_intake: fed values (PUT /v1/facts) to the writer and the answer back.
 *
 * Threads   called and answered on one event loop; written on the writer's
 */
#ifndef INGEST_FACTS_INTAKE_H
#define INGEST_FACTS_INTAKE_H

#include "server/writer.h"

struct event_base;
struct facts_intake;

enum { FACTS_INTAKE_JOBS_MAX = 64 };

/* Both arguments are borrowed until facts_intake_free. */
enum err_code facts_intake_new(struct event_base *base,
                               struct writer *writer,
                               struct facts_intake **out,
                               struct err *err) MUST_CHECK;

/* Told on the loop when the facts are on disk or refused. */
typedef void facts_intake_done(void *data, const struct err *err);

/*
 * Write facts in one transaction; they are copied. `done` comes later, once,
 * unless an error is returned.
 * Errors  BUSY (FACTS_INTAKE_JOBS_MAX are waiting, or the server stops),
 *         NO_MEMORY
 */
enum err_code facts_intake_put(struct facts_intake *intake,
                               const struct ledger_fact *facts,
                               size_t fact_count,
                               facts_intake_done *done,
                               void *done_data,
                               struct err *err) MUST_CHECK;

/* The writer must have stopped. Accepts NULL. */
void facts_intake_free(struct facts_intake **intake);

#endif /* INGEST_FACTS_INTAKE_H */
