/*
 * import_report: what became of the records of an import.
 *
 * Effects   allocates the texts of the first refused records
 */
#ifndef INGEST_IMPORT_REPORT_H
#define INGEST_IMPORT_REPORT_H

#include <stdint.h>

#include "analyzers/err.h"
#include "analyzers/span.h"
#include "server/base/buf.h"

enum { IMPORT_ERRORS_DEFAULT = 20, IMPORT_ERROR_TEXT_BYTES_MAX = 16 << 20 };

struct import_report {
    uint64_t received;
    uint64_t accepted;
    uint64_t duplicate;
    uint64_t updated;
    uint64_t waiting; /* of the accepted: events ahead of their ticket */
    uint64_t rejected;
    uint64_t unsent; /* of the rejected: too long for any request */
    uint64_t reasons[ERR_CODE_COUNT]; /* of the rejected, by code */
    uint64_t other_reasons;           /* no code of this version, or not told */
    struct buf errors;                /* a line each */
    uint64_t errors_listed;
    uint64_t errors_max;
};

/* A refused record. Spans are borrowed for the call. */
struct import_refusal {
    const char *file;
    const char *place; /* "line", "record" (of an array) */
    uint64_t line;
    struct span code; /* "bad_time" */
    struct span field;
    struct span detail;
    struct span value;
};

void import_report_init(struct import_report *report, uint64_t errors_max);
void import_report_release(struct import_report *report);

/* Count it, list it when it is among the first errors_max. */
void import_report_refuse(struct import_report *report,
                          const struct import_refusal *refusal);

/* The summary for a person: numbers, reasons, the first refused records. */
void import_report_put(const struct import_report *report, struct buf *out);

#endif /* INGEST_IMPORT_REPORT_H */
