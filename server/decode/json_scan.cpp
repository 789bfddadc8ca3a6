/* simdjson's first stage behind C functions; the project's one C++ file. */
#include "server/decode/json_scan.h"

#include <memory>
#include <new>

#include <simdjson.h>

struct json_scan {
    std::unique_ptr<simdjson::internal::dom_parser_implementation> parser;
};

static const size_t scan_bytes_first = 64 * 1024;
static const size_t scan_depth = 1; /* of the second stage, which is not used */

struct json_scan *
json_scan_new(void)
{
    struct json_scan *scan = new (std::nothrow) json_scan;

    if (scan == nullptr) {
        return nullptr;
    }
    if (simdjson::get_active_implementation()->create_dom_parser_implementation(
            scan_bytes_first, scan_depth, scan->parser) != simdjson::SUCCESS) {
        delete scan;
        return nullptr;
    }
    return scan;
}

void
json_scan_free(struct json_scan *scan)
{
    delete scan;
}

enum json_scan_result
json_scan_run(struct json_scan *scan,
              const char *data,
              size_t bytes,
              const uint32_t **positions,
              size_t *position_count)
{
    simdjson::internal::dom_parser_implementation *parser = scan->parser.get();

    if (bytes == 0) {
        return JSON_SCAN_EMPTY;
    }
    if (bytes > JSON_SCAN_BYTES_MAX) {
        return JSON_SCAN_TOO_LONG;
    }
    if (bytes > parser->capacity() &&
        parser->allocate(JSON_SCAN_BYTES_MAX, scan_depth) !=
            simdjson::SUCCESS) {
        return JSON_SCAN_NO_MEMORY;
    }
    switch (parser->stage1(reinterpret_cast<const uint8_t *>(data), bytes,
                           simdjson::stage1_mode::regular)) {
    case simdjson::SUCCESS:
        break;
    case simdjson::UTF8_ERROR:
        return JSON_SCAN_BAD_UTF8;
    case simdjson::UNCLOSED_STRING:
        return JSON_SCAN_UNCLOSED_STRING;
    case simdjson::UNESCAPED_CHARS:
        return JSON_SCAN_CONTROL_CHARACTER;
    case simdjson::EMPTY:
        return JSON_SCAN_EMPTY;
    default:
        return JSON_SCAN_NO_MEMORY;
    }
    *positions = parser->structural_indexes.get();
    *position_count = parser->n_structural_indexes;
    return JSON_SCAN_OK;
}

bool
json_scan_utf8_valid(const char *data, size_t bytes)
{
    return bytes == 0 || simdjson::validate_utf8(data, bytes);
}
