/*
 * verdict_json: a verdict in the record format (docs/http-api.md, "Records").
 */
#ifndef CLI_VERDICT_JSON_H
#define CLI_VERDICT_JSON_H

#include "analyzers/classify.h"
#include "server/base/json_out.h"

/* One object: {"id":…,"category":…, … }. Spans of the verdict still point into
 * ticket and dictionary. */
void verdict_put_json(struct json_out *json,
                      const struct dictionary *dictionary,
                      const struct ticket *ticket,
                      const struct verdict *verdict);

/* The same members without the braces, for an object that has more. */
void verdict_put_members(struct json_out *json,
                         const struct dictionary *dictionary,
                         const struct verdict *verdict);

#endif /* CLI_VERDICT_JSON_H */
