/* suqiu dict: the tables as a workbook, and back. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyzers/table.h"
#include "server/base/dict_files.h"
#include "server/cli/cli.h"
#include "server/decode/columns.h"
#include "server/dict_book/dict_book.h"

enum { DICT_PATH_BYTES = 2048, DICT_OUT_BYTES_MAX = 1 << 20 };

const struct cli_help cmd_dict_help = {
    .usage = "suqiu dict export [--dict DIR] OUT.xlsx\n"
             "       suqiu dict import IN.xlsx --dict DIR",
    .text =
        "export  writes every table to a workbook, a sheet a table, all cells "
        "text\nimport  checks the tables of such a workbook and writes those "
        "that changed to DIR,\n        all of them or none; a table that the "
        "workbook lacks stays as it is\n\n"
        "When a row is wrong nothing is written to DIR: IN.errors.xlsx is the "
        "workbook with\na column 错误 beside the rows; mend them there and "
        "import that file. A server that\nruns takes new tables on SIGHUP or "
        "POST /v1/admin/reload.\n\n"
        "Exit codes: 0 done, 1 the tables have errors, 2 wrong usage, 3 the "
        "work failed.\n",
    .groups = CONFIG_DICT,
};

/* One import. */
struct import_run {
    const struct config *config;
    struct dict_book book;
    struct dict_files old;          /* count 0: DIR has no tables yet */
    struct dictionary_file *merged; /* the book's, and what it lacks */
    size_t merged_count;
    struct dict_book_error *errors; /* [error_count], texts owned */
    size_t error_count;
};

/* ---- export ---- */

static enum err_code
export_tables(const struct config *config, const char *path, struct err *err)
{
    struct dict_files files;

    if (dict_files_load(config->dict, &files, err) != ERR_OK) {
        return err->code;
    }
    if (dict_book_write(files.files, files.count, NULL, 0, path, err) ==
        ERR_OK) {
        (void)printf("%zu tables written to %s\n", files.count, path);
    }
    dict_files_release(&files);
    return err->code;
}

/* ---- import: what is wrong ---- */

/* "dict/rules/quality.csv: line 12: …" */
static bool
note_error(void *data, const struct err *err)
{
    struct import_run *run = data;
    struct dict_book_error *error = &run->errors[run->error_count];
    unsigned long line = 0;
    const char *at;

    if (run->error_count == DICT_BOOK_ERRORS_MAX) {
        return false;
    }
    if (sscanf(err->detail, "dict/%127[^:]", error->path) != 1) {
        error->path[0] = '\0';
    }
    at = strstr(err->detail, ": line ");
    if (at != NULL) {
        line = strtoul(at + 7, NULL, 10);
    }
    error->line = (size_t)line;
    error->text = strdup(err->detail);
    run->error_count += error->text != NULL;
    return error->text != NULL;
}

static enum err_code
check_tables(struct import_run *run, struct err *err)
{
    struct table_faults faults = {.report = note_error, .data = run};
    const struct dictionary_options options = {
        .deadline_profile = run->config->deadline_profile,
        .model_off = !run->config->model,
        .faults = &faults};
    struct dictionary *dictionary = NULL;
    struct columns *columns = NULL;
    struct err bad = {0};

    if (dictionary_build(run->merged, run->merged_count, &options, &dictionary,
                         &bad) != ERR_OK &&
        (run->error_count == 0 || bad.code == ERR_NO_MEMORY)) {
        (void)note_error(run, &bad);
    }
    dictionary_free(&dictionary);
    bad = (struct err){0};
    for (size_t i = 0; i < run->merged_count; i++) {
        run->merged[i].faults = &faults;
    }
    if (columns_build(run->merged, run->merged_count, &columns, &bad) !=
            ERR_OK &&
        run->error_count == 0) {
        (void)note_error(run, &bad);
    }
    columns_free(&columns);
    return run->error_count > 0
               ? err_set(err, ERR_BAD_TABLE, "the tables have %zu errors",
                         run->error_count)
               : ERR_OK;
}

/* IN.xlsx -> IN.errors.xlsx, with the errors beside the rows. */
static void
write_errors(const struct import_run *run, const char *book_path)
{
    char path[DICT_PATH_BYTES];
    size_t bytes = strlen(book_path);
    struct err err = {0};

    if (bytes > 5 && strcmp(book_path + bytes - 5, ".xlsx") == 0) {
        bytes -= 5;
    }
    (void)snprintf(path, sizeof(path), "%.*s.errors.xlsx", (int)bytes,
                   book_path);
    for (size_t i = 0; i < run->error_count; i++) {
        (void)fprintf(stderr, "%s\n", run->errors[i].text);
    }
    if (dict_book_write(run->book.files, run->book.file_count, run->errors,
                        run->error_count, path, &err) == ERR_OK) {
        (void)fprintf(stderr,
                      "suqiu: nothing was written to %s; %s shows the errors "
                      "beside their rows\n",
                      run->config->dict, path);
    } else {
        (void)cli_fail(&err);
    }
}

/* ---- import: writing ---- */

static const struct dictionary_file *
old_file(const struct import_run *run, const char *path)
{
    return run->old.count > 0
               ? dictionary_find_file(run->old.files, run->old.count, path)
               : NULL;
}

static bool
has_changed(const struct import_run *run, const struct dictionary_file *file)
{
    const struct dictionary_file *old = old_file(run, file->path);

    return old == NULL || !span_equal(old->bytes, file->bytes);
}

/* The folders above DIR/rules/quality.csv. */
static enum err_code
make_folders(char *path, struct err *err)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST) {
            (void)err_set(err, err_from_errno(errno), "cannot make '%s': %s",
                          path, strerror(errno));
        }
        *slash = '/';
        if (err->code != ERR_OK) {
            return err->code;
        }
    }
    return ERR_OK;
}

static enum err_code
write_file(const char *path, struct span bytes, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    size_t done = 0;
    bool fine = fd >= 0;

    while (fine && done < bytes.bytes) {
        ssize_t wrote = write(fd, bytes.data + done, bytes.bytes - done);

        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        fine = wrote > 0;
        done += fine ? (size_t)wrote : 0;
    }
    fine = fine && fsync(fd) == 0;
    if (!fine) {
        (void)err_set(err, err_from_errno(errno), "cannot write '%s': %s", path,
                      strerror(errno));
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return err->code;
}

/* "DIR/rules/.quality.csv.new": a name that no loader reads. */
static void
aside_path(const struct import_run *run,
           const struct dictionary_file *file,
           char *out)
{
    const char *slash = strrchr(file->path, '/');
    int folder = slash != NULL ? (int)(slash - file->path + 1) : 0;

    (void)snprintf(out, DICT_PATH_BYTES, "%s/%.*s.%s.new", run->config->dict,
                   folder, file->path, file->path + folder);
}

/* Everything aside first, so that a full disk changes nothing. */
static enum err_code
write_aside(const struct import_run *run, size_t *changed, struct err *err)
{
    char path[DICT_PATH_BYTES];

    *changed = 0;
    for (size_t i = 0; i < run->book.file_count && err->code == ERR_OK; i++) {
        const struct dictionary_file *file = &run->book.files[i];

        if (has_changed(run, file)) {
            aside_path(run, file, path);
            if (make_folders(path, err) == ERR_OK) {
                (void)!write_file(path, file->bytes, err);
            }
            (*changed)++;
        }
    }
    return err->code;
}

static void
put_in_place(const struct import_run *run, bool take, struct err *err)
{
    char path[DICT_PATH_BYTES];
    char aside[DICT_PATH_BYTES];

    for (size_t i = 0; i < run->book.file_count; i++) {
        const struct dictionary_file *file = &run->book.files[i];

        if (!has_changed(run, file)) {
            continue;
        }
        aside_path(run, file, aside);
        (void)snprintf(path, sizeof(path), "%s/%s", run->config->dict,
                       file->path);
        if (!take || err->code != ERR_OK) {
            (void)unlink(aside);
        } else if (rename(aside, path) != 0) {
            (void)err_set(err, err_from_errno(errno), "cannot replace '%s': %s",
                          path, strerror(errno));
        } else {
            (void)printf("  %s\n", file->path);
        }
    }
}

static enum err_code
write_tables(const struct import_run *run, struct err *err)
{
    size_t changed;
    bool fine = write_aside(run, &changed, err) == ERR_OK;

    if (fine) {
        (void)printf("%zu tables, %zu changed\n", run->book.file_count,
                     changed);
    }
    put_in_place(run, fine, err);
    return err->code;
}

/* ---- import ---- */

/* The tables as they would be: the book's, and those of DIR it lacks. */
static enum err_code
merge_tables(struct import_run *run, struct err *err)
{
    run->merged =
        calloc(run->book.file_count + run->old.count + 1, sizeof(*run->merged));
    run->errors = calloc(DICT_BOOK_ERRORS_MAX + 1, sizeof(*run->errors));
    if (run->merged == NULL || run->errors == NULL) {
        return err_set(err, ERR_NO_MEMORY, "tables");
    }
    for (size_t i = 0; i < run->book.file_count; i++) {
        run->merged[run->merged_count++] = run->book.files[i];
    }
    for (size_t i = 0; i < run->old.count; i++) {
        if (dictionary_find_file(run->book.files, run->book.file_count,
                                 run->old.files[i].path) == NULL) {
            run->merged[run->merged_count++] = run->old.files[i];
        }
    }
    return ERR_OK;
}

static int
by_path(const void *a, const void *b)
{
    return strcmp(((const struct dictionary_file *)a)->path,
                  ((const struct dictionary_file *)b)->path);
}

static enum err_code
import_tables(struct import_run *run, const char *path, struct err *err)
{
    struct err missing = {0};

    if (dict_book_read(path, &run->book, err) != ERR_OK) {
        return err->code;
    }
    if (dict_files_load(run->config->dict, &run->old, &missing) != ERR_OK) {
        run->old = (struct dict_files){0};
        if (missing.code != ERR_NOT_FOUND) {
            *err = missing;
            return err->code;
        }
    }
    if (merge_tables(run, err) != ERR_OK) {
        return err->code;
    }
    qsort(run->merged, run->merged_count, sizeof(*run->merged), by_path);
    if (check_tables(run, err) != ERR_OK) {
        write_errors(run, path);
        return err->code;
    }
    return write_tables(run, err);
}

static void
import_release(struct import_run *run)
{
    for (size_t i = 0; i < run->error_count; i++) {
        free(run->errors[i].text);
    }
    free(run->errors);
    free(run->merged);
    if (run->old.count > 0) {
        dict_files_release(&run->old);
    }
    dict_book_release(&run->book);
}

int
cmd_dict(int argc, char **argv)
{
    struct config config;
    struct err err = {0};
    int exit_code = CLI_FINE;

    if (!cli_begin(&cmd_dict_help, &argc, argv, &config, &exit_code)) {
        return exit_code;
    }
    if (argc == 2 && strcmp(argv[0], "export") == 0) {
        (void)!export_tables(&config, argv[1], &err);
    } else if (argc == 2 && strcmp(argv[0], "import") == 0 &&
               config.dict[0] != '\0') {
        struct import_run run = {.config = &config};

        (void)!import_tables(&run, argv[1], &err);
        exit_code = run.error_count > 0 ? CLI_NO : CLI_FINE;
        import_release(&run);
    } else {
        (void)err_set(&err, ERR_USAGE,
                      "suqiu dict export [--dict DIR] OUT.xlsx, or suqiu dict "
                      "import IN.xlsx --dict DIR");
    }
    if (err.code != ERR_OK && exit_code == CLI_FINE) {
        return cli_fail(&err);
    }
    return exit_code;
}
