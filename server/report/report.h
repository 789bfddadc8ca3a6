/*
 * report: the numbers of a period on paper: text, CSV, JSON, HTML, workbook.
 *
 * Flow      a snapshot -> query_report, counters, indicators -> [report] -> buf
 * Effects   reads the store; the workbook passes through a temporary file
 */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include "server/base/buf.h"
#include "server/serve/query.h"

enum { REPORT_BYTES_MAX = 64 * 1024 * 1024 };

struct report; /* what was gathered */

/* One way of writing. */
struct report_form {
    const char *name;         /* "xlsx" */
    const char *content_type; /* with its charset */
    bool is_binary;           /* not for a terminal */
    enum err_code (*put)(struct buf *buf,
                         const struct report *report,
                         struct err *err);
};

/* NULL: there is none of this name. */
const struct report_form *report_form_find(struct span name);
#define REPORT_FORM_NAMES "text, csv, json, html or xlsx"

/*
 * The range and the instant of a report as people write them. An as_of that is
 * not given is the end of the period, or now when that is earlier.
 *
 *   prefix  in front of the names in messages: "--" or ""
 *
 * Errors  BAD_TIME, BAD_VALUE (no period, no whole days, to before from)
 */
enum err_code report_range(struct span from,
                           struct span to,
                           struct span as_of,
                           const char *prefix,
                           int64_t now_us,
                           struct report_query *out,
                           struct err *err) MUST_CHECK;

/*
 * Gather from one snapshot and write.
 *
 *   unit   a path or code; empty is all
 *   query  as report_range left it; unit_id is found here
 *
 * Errors  NOT_FOUND (no ticket of that unit), those of the store and of buf
 * Cost    about a microsecond a ticket of the period: on a server work for a
 *         helper thread
 */
enum err_code report_write(const struct report_form *form,
                           const struct store *store,
                           const struct dictionary *dictionary,
                           struct span unit,
                           struct report_query *query,
                           struct buf *out,
                           struct err *err) MUST_CHECK;

#endif /* REPORT_REPORT_H */
