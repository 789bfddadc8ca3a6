/*
 * facts: the body of PUT /v1/facts as facts for the ledger.
 *
 *   {"name":"customers","unit":"…","period":"2018-Q1","value":120000,"by":"…"}
 *   {"name":"reliability","period":"2018-03","numerator":…,"denominator":…}
 *
 * One object or an array. The name is an indicator's code, or a fact that an
 * indicator names (fact:customers). unit is a path or code, none is all units;
 * period is one of 2018, 2018-Q1, 2018-03, 2018-W05, 2018-03-31, none is any.
 */
#ifndef SERVE_FACTS_H
#define SERVE_FACTS_H

#include "analyzers/arena.h"
#include "analyzers/dictionary.h"
#include "server/ledger/ledger.h"

enum { FACTS_MAX = 10000 };

/*
 * Read them all or none.
 *   facts   facts[FACTS_MAX]; spans borrow from body, arena and dictionary
 * Errors  BAD_JSON, MISSING_FIELD, BAD_VALUE, DUPLICATE_FIELD, TOO_LONG: the
 *         detail says which one
 */
enum err_code facts_read(struct span body,
                         const struct dictionary *dictionary,
                         int64_t now_us,
                         struct arena *arena,
                         struct ledger_fact *facts,
                         size_t *fact_count,
                         struct err *err) MUST_CHECK;

#endif /* SERVE_FACTS_H */
