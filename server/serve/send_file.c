/* A file as an answer. */
#include "server/serve/send_file.h"

#include <stdlib.h>
#include <unistd.h>

#include "server/serve/http.h"
#include "server/serve/problem.h"

enum {
    SEND_BLOCK_BYTES = 256 * 1024,
    SEND_LOW_BYTES = 64 * 1024 /* the client took so much: go on */
};

struct send_job {
    int fd;
    char block[SEND_BLOCK_BYTES];
};

static void
job_free(struct send_job *job)
{
    (void)close(job->fd);
    free(job);
}

static void
send_gone(struct http_request *http, void *user)
{
    job_free(user);
    http_stream_end(http, false);
}

static void
send_step(struct http_request *http, void *user)
{
    struct send_job *job = user;
    ssize_t got = read(job->fd, job->block, sizeof(job->block));

    if (got > 0) {
        (void)http_stream_put(http, (struct span){job->block, (size_t)got});
        http_stream_on_room(http, SEND_LOW_BYTES, send_step, job);
        return;
    }
    job_free(job);
    http_stream_end(http, got == 0);
}

void
send_file(struct http_request *http,
          int fd,
          const char *content_type,
          const char *file_name)
{
    struct send_job *job = malloc(sizeof(*job));
    struct err err = {0};

    if (job == NULL) {
        (void)close(fd);
        (void)err_set(&err, ERR_NO_MEMORY, "file");
        problem_reply_err(http, &err);
        return;
    }
    job->fd = fd;
    http_reply_header(http, "Content-Disposition",
                      "attachment; filename=\"%s\"", file_name);
    http_reply_header(http, "Cache-Control", "no-store");
    http_stream_start(http, 200, content_type);
    http_request_on_gone(http, send_gone, job);
    http_stream_on_room(http, SEND_LOW_BYTES, send_step, job);
}
