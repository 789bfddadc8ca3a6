/* Whole lists as answers. */
#include "server/serve/export.h"

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/base/background.h"
#include "server/base/gzip.h"
#include "server/serve/answer.h"
#include "server/serve/http.h"
#include "server/serve/list_worker.h"
#include "server/serve/mask.h"
#include "server/serve/problem.h"
#include "server/serve/send_file.h"
#include "server/sheet/xlsx_write.h"

enum { EXPORT_PATH_BYTES = 1200, EXPORT_REST_S = 10 };

static const char workbook_prefix[] = "export-";

struct exports {
    const struct serve_context *context;
    struct list_worker *worker;    /* NULL: none */
    struct background *background; /* packs workbooks; NULL: none */
    size_t workbooks;
    size_t job_count;
    struct export_job *jobs; /* all under way */
    struct event *ev_rest;   /* looks for old snapshots; NULL: none */
};

/* An export under way: lives from the handler to the end of its answer. */
struct export_job {
    struct exports *exports;
    struct export_job *next;
    struct export_job **link;  /* what points to it */
    struct http_request *http; /* NULL: the client has gone */
    const struct list_source *source;
    const struct list_form *form;
    struct params params; /* the list keeps a pointer */
    char *params_bytes;
    struct list_request request; /* its dictionary to the end: */
    struct edition *edition;     /* held; NULL: it never changes */
    struct list_export *list;
    struct buf piece;

    struct gzip_stream *gzip; /* NULL: as it is */
    struct buf packed;

    bool is_workbook;
    struct xlsx_writer *workbook;
    char path[EXPORT_PATH_BYTES];
    struct event *ev_turn;
    bool opening; /* the list worker has it */
    bool packing; /* the helper thread has it */
    struct err err;
};

static void
job_free(struct export_job *job)
{
    const struct serve_context *context = job->exports->context;

    list_export_close(&job->list);
    if (job->edition != NULL) {
        context->drop_edition(context->data, &job->edition);
    }
    xlsx_writer_abandon(&job->workbook);
    if (job->ev_turn != NULL) {
        event_free(job->ev_turn);
    }
    if (job->is_workbook) {
        job->exports->workbooks--;
    }
    job->exports->job_count--;
    *job->link = job->next;
    if (job->next != NULL) {
        job->next->link = job->link;
    }
    gzip_free(&job->gzip);
    buf_release(&job->piece);
    buf_release(&job->packed);
    free(job->params_bytes);
    free(job);
}

static void
put_file_name(const struct export_job *job)
{
    http_reply_header(job->http, "Content-Disposition",
                      "attachment; filename=\"%s%s\"", job->source->name,
                      job->form->suffix);
    http_reply_header(job->http, "Cache-Control", "no-store");
}

/* ---- text forms ---- */

static void
stream_gone(struct http_request *http, void *user)
{
    job_free(user);
    http_stream_end(http, false);
}

static void
stream_step(struct http_request *http, void *user)
{
    struct export_job *job = user;
    struct buf *out = &job->piece;
    struct err err = {0};
    bool more = false;

    (void)!list_export_next(job->list, job->request.dictionary, &job->piece,
                            &more, &err);
    if (err.code == ERR_OK && job->gzip != NULL) {
        buf_reset(&job->packed);
        gzip_put(job->gzip, buf_view(&job->piece), !more, &job->packed);
        out = &job->packed;
        (void)!buf_check(out, &err);
    }
    if (err.code != ERR_OK) {
        job_free(job);
        http_stream_end(http, false); /* cut: the client sees it */
        return;
    }
    (void)http_stream_put(http, buf_view(out));
    if (more) {
        http_stream_on_room(http, EXPORT_LOW_BYTES, stream_step, job);
        return;
    }
    job_free(job);
    http_stream_end(http, true);
}

static void
stream_begin(struct export_job *job)
{
    struct http_request *http = job->http;

    put_file_name(job);
    http_reply_header(http, "Vary", "Accept-Encoding");
    if (answer_gzip(http)) {
        job->gzip = gzip_new();
    }
    if (job->gzip != NULL) {
        http_reply_header(http, "Content-Encoding", "gzip");
    }
    http_stream_start(http, 200, list_export_content_type(job->list));
    http_request_on_gone(http, stream_gone, job);
    http_stream_on_room(http, EXPORT_LOW_BYTES, stream_step, job);
}

/* ---- workbooks ---- */

static void
job_fail(struct export_job *job)
{
    struct http_request *http = job->http;
    struct err err = job->err;

    job_free(job);
    if (http != NULL) {
        problem_reply_err(http, &err);
    }
}

static void
workbook_gone(struct http_request *http, void *user)
{
    struct export_job *job = user;

    job->http = NULL;
    if (!job->packing) {
        job_free(job);
    }
    http_reply(http, 503, NULL, (struct span){NULL, 0}); /* to nobody */
}

static void
pack_work(void *data)
{
    struct export_job *job = data;

    (void)!xlsx_writer_close(&job->workbook, &job->err);
}

static void
pack_done(void *data)
{
    struct export_job *job = data;
    struct http_request *http;
    char name[64];
    int fd;

    job->packing = false;
    if (job->http == NULL || job->err.code != ERR_OK) {
        (void)unlink(job->path);
        job_fail(job);
        return;
    }
    fd = open(job->path, O_RDONLY | O_CLOEXEC);
    (void)unlink(job->path);
    if (fd < 0) {
        (void)err_set(&job->err, ERR_IO, "the workbook cannot be read again");
        job_fail(job);
        return;
    }
    (void)snprintf(name, sizeof(name), "%s.xlsx", job->source->name);
    http = job->http;
    job_free(job);
    send_file(http, fd, list_form_xlsx.content_type, name);
}

/* A number that was looked for is masked as the rows are: the file goes on to
 * others. */
static void
note_filters(struct export_job *job)
{
    struct buf text;
    struct buf scratch;

    buf_init(&text, 64 * 1024);
    buf_init(&scratch, 64 * 1024);
    for (size_t i = 0; i < job->params.count; i++) {
        const struct param *param = &job->params.items[i];

        if (param->value.bytes > 0) {
            buf_put_text(&text, text.bytes > 0 ? "；" : "");
            buf_put_span(&text, param->name);
            buf_put_text(&text, " = ");
            buf_put_span(&text, mask_field(job->request.role, MASK_TEXT,
                                           param->value, &scratch));
        }
    }
    xlsx_note(job->workbook, "筛选条件",
              text.bytes > 0 ? buf_view(&text) : SPAN_LITERAL("无（全部）"));
    buf_release(&scratch);
    buf_release(&text);
}

static void
note_number(struct export_job *job, const char *name, uint64_t value)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    xlsx_note(job->workbook, name, span_of(text));
}

static void
put_notes(struct export_job *job)
{
    char time[TICKET_TIME_BYTES];
    uint64_t cut = xlsx_cut_cells(job->workbook);

    xlsx_note(job->workbook, "清单",
              span_of(job->source->chinese != NULL ? job->source->chinese
                                                   : job->source->name));
    note_filters(job);
    xlsx_note(job->workbook, "导出时间",
              span_of(ticket_time_format(job->request.now_us, time)));
    note_number(job, "行数", xlsx_rows(job->workbook));
    note_number(job, "数据序号", list_export_snapshot(job->list));
    xlsx_note(job->workbook, "程序版本", SPAN_LITERAL("suqiu " SUQIU_VERSION));
    xlsx_note(job->workbook, "时间", SPAN_LITERAL("北京时间（UTC+8）"));
    if (job->request.role != MASK_ROLE_SUPERVISOR) {
        xlsx_note(job->workbook, "隐私",
                  SPAN_LITERAL("电话、户号、姓名、地址已脱敏"));
    }
    if (cut > 0) {
        note_number(job, "超长截断的单元格", cut);
    }
}

/* One piece of rows. */
static void
workbook_turn(evutil_socket_t fd, short what, void *user)
{
    struct export_job *job = user;
    const struct timeval now = {0, 0};
    bool more = false;

    (void)fd;
    (void)what;
    if (list_export_next(job->list, job->request.dictionary, &job->piece, &more,
                         &job->err) != ERR_OK) {
        job_fail(job);
        return;
    }
    if (more) {
        (void)event_add(job->ev_turn, &now);
        return;
    }
    put_notes(job);
    list_export_close(&job->list);
    job->packing = true;
    if (!background_try(job->exports->background, pack_work, pack_done, job)) {
        job->packing = false;
        (void)err_set(&job->err, ERR_BUSY, "too many workbooks at a time");
        job_fail(job);
    }
}

static void
workbook_begin(struct export_job *job)
{
    const struct timeval now = {0, 0};

    job->ev_turn =
        event_new(job->exports->context->base, -1, 0, workbook_turn, job);
    if (job->ev_turn == NULL || event_add(job->ev_turn, &now) != 0) {
        (void)err_set(&job->err, ERR_NO_MEMORY, "export");
        job_fail(job);
        return;
    }
    http_request_on_gone(job->http, workbook_gone, job);
}

static enum err_code
workbook_open(struct export_job *job, struct err *err)
{
    struct exports *exports = job->exports;

    if (exports->workbooks == EXPORT_WORKBOOKS_MAX) {
        return err_set(err, ERR_BUSY,
                       "%d workbooks are being written; try again in a "
                       "moment",
                       EXPORT_WORKBOOKS_MAX);
    }
    exports->workbooks++;
    job->is_workbook = true;
    (void)snprintf(job->path, sizeof(job->path), "%s/%s%llu.xlsx",
                   exports->context->spool_dir, workbook_prefix,
                   (unsigned long long)http_request_number(job->http));
    return xlsx_writer_open(job->path, &job->workbook, err);
}

/* ---- */

static void
begin(struct export_job *job)
{
    if (job->err.code != ERR_OK) {
        job_fail(job);
    } else if (job->form->workbook) {
        workbook_begin(job);
    } else {
        stream_begin(job);
    }
}

static void
open_gone(struct http_request *http, void *user)
{
    struct export_job *job = user;

    job->http = NULL;
    http_reply(http, 503, NULL, (struct span){NULL, 0}); /* to nobody */
}

/* The list worker's thread: the job is nobody else's until open_done. */
static void
open_work(void *data)
{
    struct export_job *job = data;

    (void)!list_export_open(job->source, job->form, &job->request,
                            job->workbook, &job->list, &job->err);
}

static void
open_done(void *data)
{
    struct export_job *job = data;

    job->opening = false;
    if (job->http == NULL) {
        job_free(job);
        return;
    }
    http_request_on_gone(job->http, NULL, NULL);
    begin(job);
}

/* Gather the rows, here or by the list worker. */
static void
open_list(struct export_job *job)
{
    struct list_worker *worker = job->exports->worker;

    if (job->source->thread != LIST_ON_GATHERER || worker == NULL) {
        open_work(job);
        begin(job);
        return;
    }
    job->request.gathered = list_worker_gathered(worker);
    if (list_worker_try(worker, open_work, open_done, job, &job->err) !=
        ERR_OK) {
        job_fail(job);
        return;
    }
    job->opening = true;
    http_request_on_gone(job->http, open_gone, job);
}

void
exports_answer(struct exports *exports,
               struct http_request *http,
               const struct list_source *source,
               const struct list_form *form)
{
    struct export_job *job;
    struct params params;
    struct err err = {0};

    if (form->workbook && exports->background == NULL) {
        problem_reply(http, 501, "not_implemented",
                      "this server writes no workbooks; ask for .csv");
        return;
    }
    job = exports->job_count < EXPORTS_MAX ? calloc(1, sizeof(*job)) : NULL;
    if (job == NULL) {
        (void)err_set(&err, ERR_BUSY,
                      "%zu exports are under way; try again in a moment",
                      exports->job_count);
        problem_reply_err(http, &err);
        return;
    }
    job->exports = exports;
    job->next = exports->jobs;
    job->link = &exports->jobs;
    if (job->next != NULL) {
        job->next->link = &job->next;
    }
    exports->jobs = job;
    exports->job_count++;
    job->http = http;
    job->source = source;
    job->form = form;
    buf_init(&job->piece, LIST_PAGE_BYTES_MAX);
    buf_init(&job->packed, LIST_PAGE_BYTES_MAX);
    answer_request(exports->context, http, &params, &job->request);
    job->params_bytes = params_copy(&params, &job->params);
    job->request.params = &job->params;
    if (exports->context->keep_edition != NULL) {
        job->edition = exports->context->keep_edition(exports->context->data);
    }
    if (job->params_bytes == NULL) {
        (void)err_set(&job->err, ERR_NO_MEMORY, "export");
    }
    if (job->err.code != ERR_OK ||
        (form->workbook && workbook_open(job, &job->err) != ERR_OK)) {
        job_fail(job);
        return;
    }
    open_list(job);
}

/* Clients that take nothing must not keep a snapshot. */
static void
rest_cb(evutil_socket_t fd, short what, void *data)
{
    struct exports *exports = data;

    (void)fd;
    (void)what;
    for (struct export_job *job = exports->jobs; job != NULL; job = job->next) {
        if (!job->opening && job->list != NULL) {
            list_export_rest(job->list);
        }
    }
}

static enum err_code
watch_snapshots(struct exports *exports, struct err *err)
{
    const struct timeval every = {EXPORT_REST_S, 0};

    exports->ev_rest =
        event_new(exports->context->base, -1, EV_PERSIST, rest_cb, exports);
    if (exports->ev_rest == NULL || event_add(exports->ev_rest, &every) != 0) {
        return err_set(err, ERR_NO_MEMORY, "exports");
    }
    return ERR_OK;
}

/* What a killed server left. */
static void
clean_spool(const char *spool_dir)
{
    DIR *dir = opendir(spool_dir);
    char path[EXPORT_PATH_BYTES];

    if (dir == NULL) {
        return;
    }
    for (struct dirent *entry = readdir(dir); entry != NULL;
         entry = readdir(dir)) {
        if (strncmp(entry->d_name, workbook_prefix,
                    sizeof(workbook_prefix) - 1) == 0) {
            (void)snprintf(path, sizeof(path), "%s/%s", spool_dir,
                           entry->d_name);
            (void)unlink(path);
        }
    }
    (void)closedir(dir);
}

enum err_code
exports_new(const struct serve_context *context,
            struct list_worker *worker,
            struct exports **out,
            struct err *err)
{
    struct exports *exports = calloc(1, sizeof(*exports));

    if (exports == NULL) {
        return err_set(err, ERR_NO_MEMORY, "exports");
    }
    exports->context = context;
    exports->worker = worker;
    if (context->base != NULL && watch_snapshots(exports, err) != ERR_OK) {
        exports_free(&exports);
        return err->code;
    }
    if (context->base != NULL && context->spool_dir != NULL) {
        if (mkdir(context->spool_dir, 0700) != 0 && errno != EEXIST) {
            (void)err_set(err, err_from_errno(errno), "cannot make '%s': %s",
                          context->spool_dir, strerror(errno));
        } else {
            clean_spool(context->spool_dir);
            (void)!background_new(context->base, EXPORT_WORKBOOKS_MAX,
                                  &exports->background, err);
        }
    }
    if (err->code != ERR_OK) {
        exports_free(&exports);
        return err->code;
    }
    *out = exports;
    return ERR_OK;
}

void
exports_free(struct exports **exports)
{
    if (*exports == NULL) {
        return;
    }
    background_free(&(*exports)->background);
    if ((*exports)->ev_rest != NULL) {
        event_free((*exports)->ev_rest);
    }
    free(*exports);
    *exports = NULL;
}
