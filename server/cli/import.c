/* suqiu import: files into a store, or to a running server. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/progress.h"
#include "server/cli/cli.h"
#include "server/cli/import_feed.h"
#include "server/ingest/file_intake.h"
#include "server/ingest/reject_file.h"
#include "server/ingest/upload.h"
#include "server/rulebook/hits_saver.h"
#include "server/serve/problem.h"

enum { IMPORT_ERRORS_MAX = 100000, IMPORT_SUMMARY_BYTES_MAX = 32 << 20 };

static const char *flag_to;
static const char *flag_errors;
static const char *flag_sheet;
static const char *flag_rejects;

static const struct config_flag import_flags[] = {
    {.name = "to",
     .value_name = "URL",
     .value = &flag_to,
     .sentence = "send the records to a running server: "
                 "http://127.0.0.1:9559 (https:// over TLS), or "
                 "tcp://127.0.0.1:9560 (tls://), its feed (JSON lines only)"},
    {.name = "errors",
     .value_name = "N",
     .value = &flag_errors,
     .sentence = "list the first N refused records (default 20)"},
    {.name = "sheet",
     .value_name = "NAME",
     .value = &flag_sheet,
     .sentence = "the sheet of a workbook (default: the first)"},
    {.name = "rejects",
     .value_name = "FILE",
     .value = &flag_rejects,
     .sentence =
         "write refused rows to FILE (.csv or .xlsx) with a column "
         "错误原因, to be mended and imported again; with --data and one "
         "file"},
};

const struct cli_help cmd_import_help = {
    .usage = "suqiu import (--data DIR | --to URL) FILE...",
    .text =
        "Takes tickets and events, mixed, from files; - is standard input. "
        "What a file is\nshows in its first bytes: JSON lines, a JSON array, "
        "CSV with commas, semicolons or\ntabs, or an Excel workbook (.xlsx); "
        "text in UTF-8, UTF-16 or GB18030. Columns are\nknown by columns.csv "
        "of the tables; in a sheet, lines above its header are "
        "passed\nover.\n\n"
        "All files are looked at first: when one cannot be read or lacks a "
        "column nothing\nis stored. (Standard input beside other files is "
        "looked at when its turn comes.)\nA record that is refused goes to the "
        "reject list and does not stop the others.\nThe same file again is "
        "safe: what is there counts as a duplicate.\n\n"
        "--data writes the store itself, so no server may be using it; --to "
        "sends to one.\n\nExit codes: 0 all records were taken, 1 some were "
        "refused, 2 wrong usage, 3 the\nwork failed.\n",
    .flags = import_flags,
    .flag_count = sizeof(import_flags) / sizeof(import_flags[0]),
    .groups = CONFIG_DICT | CONFIG_STORE | CONFIG_CLIENT,
};

/* One run. */
struct run {
    struct config config;
    char **paths;
    int path_count;
    uint64_t errors_max;
    struct import_report report;
    struct record_file *file;
    struct progress progress;
    uint64_t bytes_total; /* of the files; 0 when one is not known */
    uint64_t bytes_before;

    struct edition *edition; /* --data */
    struct rulebook *rulebook;
    struct store *store;
    struct ledger *ledger;
    struct writer *writer;
    struct file_intake *intake;
    struct reject_file *rejects;

    struct http_client *client; /* --to */
    struct upload *upload;
};

static enum err_code
read_flags(struct run *run, struct err *err)
{
    char *end = NULL;
    unsigned readings_of_stdin = 0;

    run->errors_max = IMPORT_ERRORS_DEFAULT;
    if (flag_errors != NULL) {
        unsigned long errors = strtoul(flag_errors, &end, 10);

        if (flag_errors[0] < '0' || flag_errors[0] > '9' || *end != '\0' ||
            errors > IMPORT_ERRORS_MAX) {
            return err_set(err, ERR_USAGE,
                           "--errors \"%.40s\": give a number from 0 to %d",
                           flag_errors, IMPORT_ERRORS_MAX);
        }
        run->errors_max = errors;
    }
    for (int i = 0; i < run->path_count; i++) {
        readings_of_stdin += strcmp(run->paths[i], "-") == 0;
    }
    if (run->path_count == 0 || readings_of_stdin > 1) {
        return err_set(err, ERR_USAGE,
                       run->path_count == 0
                           ? "say what to import: suqiu import --data DIR "
                             "FILE...; - is standard input"
                           : "standard input (-) can be read only once");
    }
    if (flag_to != NULL &&
        run->config.sources[CONFIG_OPTION_data] == CONFIG_FROM_FLAG) {
        return err_set(err, ERR_USAGE,
                       "--data and --to are two ways; give one of them");
    }
    if (flag_rejects != NULL && (flag_to != NULL || run->path_count > 1)) {
        return err_set(err, ERR_USAGE,
                       "--rejects goes with --data and one file; a server "
                       "gives refused rows back at /v1/imports");
    }
    if (flag_to == NULL && run->config.data[0] == '\0') {
        return err_set(err, ERR_USAGE,
                       "say where to: --data DIR for a store that no server "
                       "uses, --to URL for a running server");
    }
    return ERR_OK;
}

/* --- files -------------------------------------------------------------- */

static enum err_code
open_tables(struct run *run, struct err *err)
{
    const struct edition_options options = edition_options_from(&run->config);
    struct edition *first = NULL;

    if (edition_build(&options, NULL, &first, err) != ERR_OK) {
        return err->code;
    }
    if (rulebook_new(first, &run->rulebook, err) != ERR_OK) {
        edition_release(&first);
        return err->code;
    }
    run->edition = rulebook_hold(run->rulebook);
    return ERR_OK;
}

/* Has this row the columns of records? Only sheets ask; a file that is sent on
 * needs the tables for nothing else. */
static bool
is_header(void *data, const struct csv_row *row)
{
    struct run *run = data;
    struct column_map *map = NULL;
    struct err err = {0};
    bool yes = (run->edition != NULL || open_tables(run, &err) == ERR_OK) &&
               columns_map(run->edition->columns, row, &map, &err) == ERR_OK;

    columns_map_free(&map);
    return yes;
}

/* Open it, and see that it would be taken. */
static enum err_code
open_file(struct run *run, const char *path, struct err *err)
{
    const struct record_file_options options = {
        .line_bytes_max = run->config.feed_line_bytes_max,
        .sheet = flag_sheet,
        .is_header = is_header,
        .data = run};

    if (record_file_open_with(path, &options, &run->file, err) != ERR_OK) {
        return err->code;
    }
    return flag_to == NULL
               ? file_intake_check(run->edition->columns, run->file, err)
               : ERR_OK;
}

/* Every file, before anything is stored. */
static enum err_code
look_at_files(struct run *run, struct err *err)
{
    bool all_known = true;

    for (int i = 0; i < run->path_count; i++) {
        /* What is read from a pipe is gone: its turn comes later. */
        if (run->path_count > 1 && strcmp(run->paths[i], "-") == 0) {
            all_known = false;
            continue;
        }
        record_file_close(&run->file);
        if (open_file(run, run->paths[i], err) != ERR_OK) {
            return err->code;
        }
        run->bytes_total += record_file_bytes(run->file);
        all_known = all_known && record_file_bytes(run->file) > 0;
    }
    if (!all_known) {
        run->bytes_total = 0;
    }
    if (run->path_count > 1) {
        record_file_close(&run->file); /* the last one is not the first */
    }
    return ERR_OK;
}

/* The number of records is guessed from their size so far. */
static void
show_progress(void *data, const struct record_file *file, uint64_t records)
{
    struct run *run = data;
    uint64_t bytes = run->bytes_before + record_file_bytes_done(file);

    if (run->bytes_total > 0 && bytes > 0) {
        run->progress.total =
            (uint64_t)((double)records *
                       ((double)run->bytes_total / (double)bytes));
    }
    progress_update(&run->progress, records);
}

static enum err_code
import_files(struct run *run, struct err *err)
{
    progress_start(&run->progress, "import", 0);
    for (int i = 0; i < run->path_count && err->code == ERR_OK; i++) {
        if (run->file == NULL && open_file(run, run->paths[i], err) != ERR_OK) {
            break;
        }
        if (run->upload != NULL) {
            (void)!upload_run(run->upload, run->file, show_progress, run, err);
        } else {
            (void)!file_intake_run(run->intake, run->file, show_progress, run,
                                   err);
        }
        run->bytes_before += record_file_bytes(run->file);
        record_file_close(&run->file);
    }
    progress_stop(&run->progress);
    return err->code;
}

/* --- refused records ---------------------------------------------------- */

static void
put_refused(void *data,
            const struct record_file *file,
            const struct file_record *record,
            const struct batch_reject *reject)
{
    struct run *run = data;
    char reason[ERR_DETAIL_BYTES + 128];

    (void)snprintf(reason, sizeof(reason), "%s：%.*s",
                   problem_title(reject->code, false),
                   SPAN_ARGS(reject->detail));
    reject_file_put(run->rejects, file, record, span_of(reason));
}

/* --- where to ----------------------------------------------------------- */

/* The batches come back with the error; there is nobody else to tell. */
static void
on_fatal(void *data, const struct err *err)
{
    (void)data;
    (void)err;
}

static enum err_code
open_intake(struct run *run, struct err *err)
{
    const struct config *config = &run->config;
    const struct store_options store_options = {config->map_size_gib << 30};
    const struct writer_options writer_options = {
        .rulebook = run->rulebook,
        .queue_batches_max = config->queue_batches_max,
        .group_records_max = config->batch_records_max * 4,
        .on_fatal = on_fatal};
    const struct file_intake_options options = {
        .batch_records_max = config->batch_records_max,
        .batch_bytes_max = config->batch_bytes_max,
        .refused = run->rejects != NULL ? put_refused : NULL,
        .refused_data = run};

    if (store_open(config->data, STORE_WRITE, &store_options, &run->store,
                   err) != ERR_OK ||
        hits_load(run->store, run->rulebook, err) != ERR_OK ||
        ledger_open(run->store, run->edition->dictionary, &run->ledger, err) !=
            ERR_OK ||
        writer_new(run->ledger, &writer_options, &run->writer, err) != ERR_OK ||
        file_intake_new(run->writer, run->rulebook, &options, &run->report,
                        &run->intake, err) != ERR_OK) {
        return err->code;
    }
    return ERR_OK;
}

static enum err_code
run_import(struct run *run, struct err *err)
{
    if (flag_to != NULL) {
        if (cli_client(&run->config, flag_to, HTTP_CLIENT_WAIT_S_DEFAULT,
                       &run->client, err) != ERR_OK ||
            look_at_files(run, err) != ERR_OK ||
            upload_new(run->client, run->config.feed_line_bytes_max,
                       &run->report, &run->upload, err) != ERR_OK) {
            return err->code;
        }
    } else if (open_tables(run, err) != ERR_OK ||
               look_at_files(run, err) != ERR_OK ||
               (flag_rejects != NULL &&
                reject_file_new(flag_rejects, &run->rejects, err) != ERR_OK) ||
               open_intake(run, err) != ERR_OK) {
        return err->code;
    }
    (void)!import_files(run, err);
    (void)!reject_file_close(&run->rejects, err);
    return err->code;
}

static int
put_summary(const struct run *run)
{
    struct buf out;
    int exit_code;

    buf_init(&out, IMPORT_SUMMARY_BYTES_MAX);
    import_report_put(&run->report, &out);
    exit_code = cli_put_out(&out);
    buf_release(&out);
    return exit_code;
}

static void
close_run(struct run *run)
{
    struct err ignored = {0};

    record_file_close(&run->file);
    (void)!reject_file_close(&run->rejects, &ignored);
    upload_free(&run->upload);
    http_client_free(&run->client);
    if (run->writer != NULL) {
        hits_save(run->writer, run->rulebook);
    }
    writer_free(&run->writer);
    file_intake_free(&run->intake);
    ledger_close(&run->ledger);
    store_close(&run->store);
    edition_release(&run->edition);
    rulebook_free(&run->rulebook);
    import_report_release(&run->report);
}

int
cmd_import(int argc, char **argv)
{
    struct run run = {.paths = argv};
    struct err err = {0};
    int exit_code = CLI_FINE;

    if (!cli_begin(&cmd_import_help, &argc, argv, &run.config, &exit_code)) {
        return exit_code;
    }
    run.path_count = argc;
    if (read_flags(&run, &err) != ERR_OK) {
        return cli_fail(&err);
    }
    if (flag_to != NULL && import_feed_url(flag_to)) {
        char token[CLI_TOKEN_BYTES];
        uint64_t refused = 0;

        if (cli_token(&run.config, token, &err) != ERR_OK ||
            import_feed_run(flag_to, token[0] != '\0' ? token : NULL,
                            run.config.ca, run.paths, run.path_count,
                            run.errors_max, &refused, &err) != ERR_OK) {
            return cli_fail(&err);
        }
        return refused > 0 ? CLI_NO : CLI_FINE;
    }
    import_report_init(&run.report, run.errors_max);
    (void)!run_import(&run, &err);
    if (run.intake != NULL || run.upload != NULL) {
        exit_code = put_summary(&run);
    }
    if (err.code != ERR_OK) {
        exit_code = cli_fail(&err);
        if (run.report.received > 0) {
            (void)fprintf(stderr,
                          "suqiu: what is counted above is stored; import the "
                          "same files again when this is mended, what is "
                          "there counts as a duplicate\n");
        }
    } else if (exit_code == CLI_FINE && run.report.rejected > 0) {
        exit_code = CLI_NO;
    }
    close_run(&run);
    return exit_code;
}
