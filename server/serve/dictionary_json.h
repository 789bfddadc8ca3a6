/*
 * dictionary_json: GET /v1/dictionary, the names a page lets people choose
 * from: categories with their second and third level, clocks, the version.
 */
#ifndef SERVE_DICTIONARY_JSON_H
#define SERVE_DICTIONARY_JSON_H

#include "analyzers/dictionary.h"
#include "server/base/buf.h"

enum { DICTIONARY_JSON_BYTES_MAX = 1024 * 1024 };

/* Errors  TOO_LONG, NO_MEMORY */
enum err_code dictionary_put_json(const struct dictionary *dictionary,
                                  struct buf *out,
                                  struct err *err) MUST_CHECK;

#endif /* SERVE_DICTIONARY_JSON_H */
