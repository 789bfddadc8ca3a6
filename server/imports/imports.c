/* Uploaded files on their way into the store. */
#include "server/imports/imports.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/base/background.h"
#include "server/base/clock.h"
#include "server/ingest/file_intake.h"
#include "server/ingest/reject_file.h"
#include "server/serve/problem.h"

enum { IMPORTS_SWEEP_S = 60, IMPORT_LOOKS_MAX = 4 };

struct import_slot {
    struct import_item item; /* first: an item is its slot */
    bool used;
    struct imports *imports;
    char path[IMPORT_PATH_BYTES];
    char rejects[2][IMPORT_PATH_BYTES]; /* .csv, .xlsx */

    /* a helper thread's while the item is busy */
    char *body;
    size_t body_bytes;
    bool is_new;
    struct import_choice next_choice;
    struct import_look next_look;
    struct err err;
    imports_looked *done;
    void *done_data;
    struct reject_file *reject_files[2];
    const struct csv_row *header; /* of the file that runs */
    struct json_out errors_json;
    uint64_t errors_listed;
};

struct imports {
    struct imports_options options;
    char *directory;
    struct background *looker;
    struct background *runner;
    struct event *ev_sweep;
    atomic_bool stopping;
    struct import_slot slots[IMPORTS_MAX];
};

const char *
import_state_name(enum import_state state)
{
    static const char *const names[] = {"preview", "running", "done", "failed"};

    return names[state];
}

static struct import_slot *
slot_of(struct import_item *item)
{
    return (struct import_slot *)item;
}

/* ---- slots ---- */

static void
slot_clear(struct import_slot *slot)
{
    (void)unlink(slot->path);
    (void)unlink(slot->rejects[0]);
    (void)unlink(slot->rejects[1]);
    import_look_release(&slot->item.look);
    import_look_release(&slot->next_look);
    import_report_release(&slot->item.report);
    buf_release(&slot->item.errors);
    free(slot->body);
    memset(slot, 0, sizeof(*slot));
}

static struct import_slot *
free_slot(struct imports *imports)
{
    for (size_t i = 0; i < IMPORTS_MAX; i++) {
        if (!imports->slots[i].used) {
            return &imports->slots[i];
        }
    }
    return NULL;
}

static void
sweep(struct imports *imports)
{
    int64_t oldest_us = clock_now_us() - IMPORT_KEEP_S * US_PER_SECOND;

    for (size_t i = 0; i < IMPORTS_MAX; i++) {
        struct import_slot *slot = &imports->slots[i];

        if (slot->used && !slot->item.busy &&
            slot->item.touched_us < oldest_us) {
            slot_clear(slot);
        }
    }
}

static void
sweep_cb(evutil_socket_t fd, short what, void *data)
{
    (void)fd;
    (void)what;
    sweep(data);
}

static bool
slot_name(struct import_slot *slot, const char *directory)
{
    unsigned char random[(IMPORT_ID_BYTES - 1) / 2];
    char id[IMPORT_ID_BYTES];

    if (getrandom(random, sizeof(random), 0) != sizeof(random)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(random); i++) {
        (void)snprintf(id + 2 * i, 3, "%02x", random[i]);
    }
    memcpy(slot->item.id, id, sizeof(id));
    (void)snprintf(slot->path, sizeof(slot->path), "%s/%s.upload", directory,
                   id);
    (void)snprintf(slot->rejects[0], sizeof(slot->rejects[0]),
                   "%s/%s.rejects.csv", directory, id);
    (void)snprintf(slot->rejects[1], sizeof(slot->rejects[1]),
                   "%s/%s.rejects.xlsx", directory, id);
    return true;
}

static void
copy_text(char *out, size_t room, struct span text)
{
    size_t bytes =
        text.bytes < room ? text.bytes : utf8_cut(text.data, room - 1);

    if (bytes > 0) {
        memcpy(out, text.data, bytes);
    }
    out[bytes] = '\0';
}

/* ---- looking ---- */

static void
write_body(struct import_slot *slot)
{
    int fd = open(slot->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    size_t done = 0;

    while (fd >= 0 && done < slot->body_bytes) {
        ssize_t wrote = write(fd, slot->body + done, slot->body_bytes - done);

        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote <= 0) {
            break;
        }
        done += (size_t)wrote;
    }
    if (fd < 0 || done < slot->body_bytes) {
        (void)err_set(&slot->err, err_from_errno(errno),
                      "the upload cannot be kept: %s", strerror(errno));
    }
    if (fd >= 0 && close(fd) != 0) {
        (void)err_set(&slot->err, err_from_errno(errno),
                      "the upload cannot be kept: %s", strerror(errno));
    }
    free(slot->body);
    slot->body = NULL;
}

/* Helper thread. */
static void
look_work(void *data)
{
    struct import_slot *slot = data;
    const struct import_choice *choice = &slot->next_choice;
    const struct import_look_options options = {
        .path = slot->path,
        .name = slot->item.name,
        .sheet = choice->sheet[0] != '\0' ? choice->sheet : NULL,
        .fields = choice->fields_given ? choice->fields : NULL,
        .field_count = choice->field_count,
        .line_bytes_max = slot->imports->options.line_bytes_max,
        .rulebook = slot->imports->options.rulebook};

    if (slot->body != NULL) {
        write_body(slot);
    }
    if (slot->err.code == ERR_OK) {
        (void)!import_look_run(&options, &slot->next_look, &slot->err);
    }
}

static void
look_done(void *data)
{
    struct import_slot *slot = data;
    imports_looked *done = slot->done;
    void *done_data = slot->done_data;
    struct err err = slot->err;

    slot->item.busy = false;
    slot->item.touched_us = clock_now_us();
    if (err.code == ERR_OK) {
        import_look_release(&slot->item.look);
        slot->item.look = slot->next_look;
        slot->next_look = (struct import_look){0};
        slot->item.choice = slot->next_choice;
        done(done_data, &slot->item, &err);
        return;
    }
    import_look_release(&slot->next_look); /* the last one still holds */
    if (slot->is_new) {
        slot_clear(slot);
    }
    done(done_data, NULL, &err);
}

static enum err_code
begin_look(struct import_slot *slot,
           imports_looked *done,
           void *done_data,
           struct err *err)
{
    slot->err = (struct err){0};
    slot->done = done;
    slot->done_data = done_data;
    slot->item.busy = true;
    if (!background_try(slot->imports->looker, look_work, look_done, slot)) {
        slot->item.busy = false;
        return err_set(err, ERR_BUSY,
                       "too many files are being looked at; try again");
    }
    return ERR_OK;
}

enum err_code
imports_add(struct imports *imports,
            struct span name,
            struct span sheet,
            char *body,
            size_t body_bytes,
            imports_looked *done,
            void *done_data,
            struct err *err)
{
    struct import_slot *slot;

    sweep(imports);
    slot = free_slot(imports);
    if (slot == NULL || !slot_name(slot, imports->directory)) {
        free(body);
        return err_set(err, ERR_BUSY,
                       "%d files wait here already; delete one (DELETE "
                       "/v1/imports/{id}) or try again later",
                       IMPORTS_MAX);
    }
    slot->used = true;
    slot->is_new = true;
    slot->imports = imports;
    slot->body = body;
    slot->body_bytes = body_bytes;
    slot->item.bytes = body_bytes;
    slot->item.created_us = clock_now_us();
    slot->item.touched_us = slot->item.created_us;
    copy_text(slot->item.name, sizeof(slot->item.name),
              name.bytes > 0 ? name : SPAN_LITERAL("upload"));
    copy_text(slot->next_choice.sheet, sizeof(slot->next_choice.sheet), sheet);
    buf_init(&slot->item.errors, IMPORT_JSON_BYTES_MAX);
    if (begin_look(slot, done, done_data, err) != ERR_OK) {
        slot_clear(slot);
    }
    return err->code;
}

static enum err_code
check_preview(const struct import_item *item, struct err *err)
{
    if (item->busy || item->state == IMPORT_RUNNING) {
        return err_set(err, ERR_BUSY, "the file is being worked on");
    }
    if (item->state != IMPORT_PREVIEW) {
        return err_set(err, ERR_BAD_VALUE,
                       "this import is %s; upload the file again",
                       import_state_name(item->state));
    }
    return ERR_OK;
}

enum err_code
imports_look_again(struct imports *imports,
                   struct import_item *item,
                   const struct import_choice *choice,
                   imports_looked *done,
                   void *done_data,
                   struct err *err)
{
    struct import_slot *slot = slot_of(item);

    assert(slot->imports == imports);
    if (check_preview(item, err) != ERR_OK) {
        return err->code;
    }
    slot->is_new = false;
    slot->next_choice = *choice;
    return begin_look(slot, done, done_data, err);
}

/* ---- running ---- */

/* Helper thread. */
static void
on_progress(void *data, const struct record_file *file, uint64_t records)
{
    struct import_slot *slot = data;
    uint64_t bytes = record_file_bytes(file);

    atomic_store(&slot->item.received, records);
    if (bytes > 0) {
        atomic_store(&slot->item.permille,
                     (unsigned)((double)record_file_bytes_done(file) * 1000 /
                                (double)bytes));
    }
}

/* Helper thread. */
static void
on_refused(void *data,
           const struct record_file *file,
           const struct file_record *record,
           const struct batch_reject *reject)
{
    struct import_slot *slot = data;
    char reason[ERR_DETAIL_BYTES + 128];

    (void)snprintf(reason, sizeof(reason), "%s：%.*s",
                   problem_title(reject->code, false),
                   SPAN_ARGS(reject->detail));
    for (size_t i = 0; i < 2; i++) {
        reject_file_put(slot->reject_files[i], file, record, span_of(reason));
    }
    atomic_fetch_add(&slot->item.rejected_so_far, 1);
    if (slot->errors_listed++ < IMPORT_ERRORS_MAX) {
        json_open_object(&slot->errors_json);
        import_put_error(&slot->errors_json, record->line, reject->code,
                         reject->field, reject->detail, slot->header,
                         slot->item.look.fields);
        json_close_object(&slot->errors_json);
    }
}

static enum err_code
run_file(struct import_slot *slot, struct record_file *file, struct err *err)
{
    const struct imports_options *options = &slot->imports->options;
    const struct file_intake_options intake_options = {
        .batch_records_max = options->batch_records_max,
        .batch_bytes_max = options->batch_bytes_max,
        .fields = slot->item.look.has_columns ? slot->item.look.fields : NULL,
        .refused = on_refused,
        .refused_data = slot,
        .stop = &slot->imports->stopping};
    struct file_intake *intake = NULL;

    if (reject_file_new(slot->rejects[0], &slot->reject_files[0], err) ==
            ERR_OK &&
        reject_file_new(slot->rejects[1], &slot->reject_files[1], err) ==
            ERR_OK &&
        file_intake_new(options->writer, options->rulebook, &intake_options,
                        &slot->item.report, &intake, err) == ERR_OK) {
        (void)!file_intake_run(intake, file, on_progress, slot, err);
    }
    file_intake_free(&intake);
    for (size_t i = 0; i < 2; i++) {
        (void)!reject_file_close(&slot->reject_files[i], err);
    }
    return err->code;
}

/* Helper thread. */
static void
run_work(void *data)
{
    struct import_slot *slot = data;
    struct edition *edition = rulebook_hold(slot->imports->options.rulebook);
    const char *sheet = slot->item.choice.sheet;
    const struct record_file_options options = {
        .line_bytes_max = slot->imports->options.line_bytes_max,
        .name = slot->item.name,
        .sheet = sheet[0] != '\0' ? sheet : NULL,
        .is_header = import_is_header,
        .data = edition->columns};
    struct record_file *file = NULL;

    json_init(&slot->errors_json, &slot->item.errors);
    json_open_array(&slot->errors_json);
    if (record_file_open_with(slot->path, &options, &file, &slot->err) ==
        ERR_OK) {
        bool rows = record_file_format(file) == RECORD_CSV;

        slot->header = rows ? record_file_header(file) : NULL;
        if (rows && slot->header->cell_count != slot->item.look.field_count) {
            (void)err_set(&slot->err, ERR_BUSY,
                          "the tables changed and another row is the header "
                          "now; upload the file again");
        } else {
            (void)!run_file(slot, file, &slot->err);
        }
    }
    json_close_array(&slot->errors_json);
    record_file_close(&file);
    edition_release(&edition);
}

static void
run_done(void *data)
{
    struct import_slot *slot = data;

    slot->item.busy = false;
    slot->item.touched_us = clock_now_us();
    slot->item.state = slot->err.code == ERR_OK ? IMPORT_DONE : IMPORT_FAILED;
    slot->item.problem = slot->err;
    (void)unlink(slot->path);
}

/* The chosen fields, or those of the look. */
static enum err_code
take_choice(struct import_item *item,
            const struct import_choice *choice,
            struct err *err)
{
    struct import_look *look = &item->look;
    enum decode_field missing[3];
    size_t count;

    if (strcmp(choice->sheet, item->choice.sheet) != 0) {
        return err_set_field(err, ERR_BAD_VALUE, "sheet",
                             "look at this sheet first (POST preview): its "
                             "columns are others");
    }
    if (!look->has_columns) {
        return ERR_OK;
    }
    assert(!choice->fields_given || choice->field_count == look->field_count);
    count =
        columns_missing(choice->fields_given ? choice->fields : look->fields,
                        look->field_count, missing);
    if (count > 0) {
        return err_set_field(err, ERR_NO_COLUMN, decode_field_name(missing[0]),
                             "no column is %s; say which one it is",
                             decode_field_name(missing[0]));
    }
    if (choice->fields_given) {
        memcpy(look->fields, choice->fields, sizeof(look->fields));
    }
    return ERR_OK;
}

enum err_code
imports_run(struct imports *imports,
            struct import_item *item,
            const struct import_choice *choice,
            struct err *err)
{
    struct import_slot *slot = slot_of(item);

    assert(slot->imports == imports);
    if (check_preview(item, err) != ERR_OK ||
        take_choice(item, choice, err) != ERR_OK) {
        return err->code;
    }
    slot->err = (struct err){0};
    import_report_init(&item->report, 0);
    item->busy = true;
    if (!background_try(imports->runner, run_work, run_done, slot)) {
        item->busy = false;
        return err_set(err, ERR_BUSY, "too many files are being read");
    }
    item->state = IMPORT_RUNNING;
    return ERR_OK;
}

/* ---- */

struct import_item *
imports_find(struct imports *imports, struct span id)
{
    for (size_t i = 0; i < IMPORTS_MAX; i++) {
        struct import_slot *slot = &imports->slots[i];

        if (slot->used && span_is(id, slot->item.id)) {
            slot->item.touched_us = clock_now_us();
            return &slot->item;
        }
    }
    return NULL;
}

struct import_item *
imports_at(struct imports *imports, size_t wanted)
{
    for (size_t i = 0; i < IMPORTS_MAX; i++) {
        struct import_slot *slot = &imports->slots[i];
        size_t newer = 0;

        for (size_t k = 0; k < IMPORTS_MAX; k++) {
            const struct import_slot *other = &imports->slots[k];

            newer +=
                other->used &&
                (other->item.created_us > slot->item.created_us ||
                 (other->item.created_us == slot->item.created_us && k > i));
        }
        if (slot->used && newer == wanted) {
            return &slot->item;
        }
    }
    return NULL;
}

bool
imports_remove(struct imports *imports, struct import_item *item)
{
    (void)imports;
    if (item->busy) {
        return false;
    }
    slot_clear(slot_of(item));
    return true;
}

int
imports_open_rejects(struct imports *imports,
                     const struct import_item *item,
                     bool workbook,
                     struct err *err)
{
    char path[IMPORT_PATH_BYTES];
    int fd;

    if (item->busy || item->state == IMPORT_PREVIEW) {
        (void)err_set(err, ERR_BUSY,
                      "the file is not read to its end yet; ask again when "
                      "its state is done");
        return -1;
    }
    (void)snprintf(path, sizeof(path), "%s/%s.rejects.%s", imports->directory,
                   item->id, workbook ? "xlsx" : "csv");
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        (void)err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
                      errno == ENOENT ? "no row was refused"
                                      : "the refused rows cannot be read");
    }
    return fd;
}

/* ---- beginning and ending ---- */

/* What another run of the server left. */
static void
empty_directory(const char *directory)
{
    DIR *dir = opendir(directory);
    char path[IMPORT_PATH_BYTES];

    if (dir == NULL) {
        return;
    }
    for (struct dirent *entry = readdir(dir); entry != NULL;
         entry = readdir(dir)) {
        if (strstr(entry->d_name, ".upload") != NULL ||
            strstr(entry->d_name, ".rejects.") != NULL) {
            (void)snprintf(path, sizeof(path), "%s/%s", directory,
                           entry->d_name);
            (void)unlink(path);
        }
    }
    (void)closedir(dir);
}

enum err_code
imports_new(struct event_base *base,
            const struct imports_options *options,
            struct imports **out,
            struct err *err)
{
    const struct timeval every = {IMPORTS_SWEEP_S, 0};
    struct imports *imports = calloc(1, sizeof(*imports));

    if (imports == NULL) {
        return err_set(err, ERR_NO_MEMORY, "imports");
    }
    imports->options = *options;
    imports->directory = strdup(options->directory);
    if (imports->directory == NULL) {
        (void)err_set(err, ERR_NO_MEMORY, "imports");
    } else if (mkdir(imports->directory, 0700) != 0 && errno != EEXIST) {
        (void)err_set(err, err_from_errno(errno), "cannot make '%s': %s",
                      imports->directory, strerror(errno));
    } else {
        empty_directory(imports->directory);
        imports->ev_sweep = event_new(base, -1, EV_PERSIST, sweep_cb, imports);
        if (imports->ev_sweep == NULL ||
            event_add(imports->ev_sweep, &every) != 0) {
            (void)err_set(err, ERR_NO_MEMORY, "imports");
        }
    }
    if (err->code != ERR_OK ||
        background_new(base, IMPORT_LOOKS_MAX, &imports->looker, err) !=
            ERR_OK ||
        background_new(base, IMPORTS_MAX, &imports->runner, err) != ERR_OK) {
        imports_free(&imports);
        return err->code;
    }
    *out = imports;
    return ERR_OK;
}

void
imports_free(struct imports **out)
{
    struct imports *imports = *out;

    if (imports == NULL) {
        return;
    }
    atomic_store(&imports->stopping, true);
    background_free(&imports->looker);
    background_free(&imports->runner);
    if (imports->ev_sweep != NULL) {
        event_free(imports->ev_sweep);
    }
    for (size_t i = 0; i < IMPORTS_MAX; i++) {
        if (imports->slots[i].used) {
            slot_clear(&imports->slots[i]);
        }
    }
    free(imports->directory);
    free(imports);
    *out = NULL;
}
