/*
 * verdict_json: a verdict in the record format (docs/http-api.md, "Records").
 */
#ifndef SERVE_VERDICT_JSON_H
#define SERVE_VERDICT_JSON_H

#include "analyzers/classify.h"
#include "server/base/json_out.h"

/* One object: {"id":…,"category":…, … }. Spans of the verdict still point into
 * ticket and dictionary. */
void verdict_put_json(struct json_out *json,
                      const struct dictionary *dictionary,
                      const struct ticket *ticket,
                      const struct verdict *verdict);

/* The pieces, which a stored ticket has too. */

/* `text` is what the evidence points at, masked for who reads it. */
void verdict_put_evidence(struct json_out *json,
                          const struct evidence *one,
                          struct span text);

/* "secondary":[…] of a set of categories, one bit each. */
void verdict_put_secondary(struct json_out *json, unsigned secondary);

/* "flags":[…] of a set of verdict_flag. */
void verdict_put_flags(struct json_out *json, unsigned flags);

/* "runner_up": a category or null. */
void verdict_put_runner_up(struct json_out *json,
                           enum ticket_category runner_up);

#endif /* SERVE_VERDICT_JSON_H */
