/*
 * json_scan: the one door to simdjson, a C++ library.
 *
 * Only its first stage is used: it validates the UTF-8, finds where strings
 * begin and end and lists the position of every structural character and of
 * the first byte of every value. json_row walks that list in C: the grammar,
 * the digits of long numbers and the messages stay ours.
 *
 * Input     any bytes; none are read behind the given ones, so no padding is
 *           needed (simdjson copies the last block; a test with a guard page
 *           holds it to that)
 * Effects   allocates in json_scan_new and when a longer input than ever
 *           before comes; no exception leaves
 */
#ifndef SERVER_DECODE_JSON_SCAN_H
#define SERVER_DECODE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { JSON_SCAN_BYTES_MAX = 2 * 1024 * 1024 };

enum json_scan_result {
    JSON_SCAN_OK,
    JSON_SCAN_EMPTY, /* nothing but blanks */
    JSON_SCAN_BAD_UTF8,
    JSON_SCAN_UNCLOSED_STRING,
    JSON_SCAN_CONTROL_CHARACTER, /* below U+0020 inside a string */
    JSON_SCAN_TOO_LONG,          /* more than JSON_SCAN_BYTES_MAX */
    JSON_SCAN_NO_MEMORY
};

/* One thread's working memory. */
struct json_scan;

/* NULL when there is no memory. */
struct json_scan *json_scan_new(void);
void json_scan_free(struct json_scan *scan);

/*
 * List the positions in `data` at which `{ } [ ] : ,` stand outside strings
 * and at which strings (their opening quote), numbers and words begin.
 *
 *   positions   set on JSON_SCAN_OK: position_count ascending positions and
 *               behind them one more, `bytes`; borrowed until the next call
 *
 * Two values side by side ("a"x, 1"a") are not told from the values of a
 * right text: the caller checks every byte between two positions.
 * Cost    about 0.3 ns a byte
 */
enum json_scan_result json_scan_run(struct json_scan *scan,
                                    const char *data,
                                    size_t bytes,
                                    const uint32_t **positions,
                                    size_t *position_count);

/* utf8_valid of analyzers/span.h, ten times as fast on long inputs. */
bool json_scan_utf8_valid(const char *data, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif /* SERVER_DECODE_JSON_SCAN_H */
