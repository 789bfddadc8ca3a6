/* The numbers of an import, and its refused records in words. */
#include "server/ingest/import_report.h"

void
import_report_init(struct import_report *report, uint64_t errors_max)
{
    *report = (struct import_report){.errors_max = errors_max};
    buf_init(&report->errors, IMPORT_ERROR_TEXT_BYTES_MAX);
}

void
import_report_release(struct import_report *report)
{
    buf_release(&report->errors);
}

static void
count_reason(struct import_report *report, struct span code)
{
    for (int i = 1; i < ERR_CODE_COUNT; i++) {
        if (span_is(code, err_code_name((enum err_code)i))) {
            report->reasons[i]++;
            return;
        }
    }
    report->other_reasons++;
}

/* A file may hold any bytes: control characters do not reach the terminal. */
static void
put_clean(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        unsigned char c = (unsigned char)text.data[i];

        buf_put_char(out, c < ' ' || c == 0x7F ? ' ' : (char)c);
    }
}

void
import_report_refuse(struct import_report *report,
                     const struct import_refusal *refusal)
{
    struct buf *out = &report->errors;

    report->received++;
    report->rejected++;
    count_reason(report, refusal->code);
    if (report->errors_listed == report->errors_max) {
        return;
    }
    report->errors_listed++;
    buf_printf(out, "%s: %s %llu: ", refusal->file, refusal->place,
               (unsigned long long)refusal->line);
    if (refusal->field.bytes > 0) {
        put_clean(out, refusal->field);
        buf_put_text(out, ": ");
    }
    put_clean(out, refusal->code);
    buf_put_text(out, ": ");
    put_clean(out, refusal->detail);
    if (refusal->value.bytes > 0 &&
        span_find(refusal->detail, refusal->value, 0) == SIZE_MAX) {
        buf_put_text(out, " (it says: ");
        put_clean(out, refusal->value);
        buf_put_char(out, ')');
    }
    buf_put_char(out, '\n');
}

static void
put_count(struct buf *out, const char *name, uint64_t count, const char *text)
{
    buf_printf(out, "%-18s %12llu%s%s\n", name, (unsigned long long)count,
               text[0] != '\0' ? "  " : "", text);
}

static void
put_reasons(const struct import_report *report, struct buf *out)
{
    for (int i = 1; i < ERR_CODE_COUNT; i++) {
        if (report->reasons[i] > 0) {
            char name[64] = "  ";

            (void)strncat(name, err_code_name((enum err_code)i),
                          sizeof(name) - 3);
            put_count(out, name, report->reasons[i],
                      err_code_text((enum err_code)i));
        }
    }
    if (report->other_reasons > 0) {
        put_count(out, "  (other)", report->other_reasons,
                  "see the reject list");
    }
}

void
import_report_put(const struct import_report *report, struct buf *out)
{
    put_count(out, "received", report->received, "");
    put_count(out, "accepted", report->accepted, "");
    if (report->waiting > 0) {
        put_count(out, "  waiting", report->waiting,
                  "events whose ticket has not come yet");
    }
    put_count(out, "duplicate", report->duplicate,
              report->duplicate > 0 ? "there already, word for word" : "");
    put_count(out, "updated", report->updated,
              report->updated > 0 ? "new versions of tickets there already"
                                  : "");
    put_count(out, "rejected", report->rejected,
              report->rejected > report->unsent ? "kept on the reject list"
                                                : "");
    if (report->unsent > 0) {
        put_count(out, "  not sent", report->unsent,
                  "too long for a request; not on the reject list");
    }
    put_reasons(report, out);
    if (report->errors_listed > 0) {
        buf_put_char(out, '\n');
        buf_put_span(out, buf_view(&report->errors));
    }
    if (report->errors_listed < report->rejected) {
        buf_printf(
            out, "%llu more were refused; --errors N lists more of them\n",
            (unsigned long long)(report->rejected - report->errors_listed));
    }
}
