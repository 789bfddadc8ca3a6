/* suqiu import --to tcp://HOST:PORT or tls://HOST:PORT: lines over the feed. */
#include "server/cli/import_feed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/progress.h"
#include "server/base/tls_client.h"
#include "server/ingest/feed_send.h"

enum { FEED_URL_BYTES_MAX = 300, FEED_READ_STEP_BYTES = 1 << 20 };

static const char feed_scheme[] = "tcp://";
static const char secure_scheme[] = "tls://";
_Static_assert(sizeof(feed_scheme) == sizeof(secure_scheme), "split_url");

struct feed_run {
    struct progress progress;
    uint64_t acknowledged_before; /* of the files before this one */
    uint64_t errors_max;
    uint64_t errors;
};

static bool
is_secure(const char *url)
{
    return strncmp(url, secure_scheme, sizeof(secure_scheme) - 1) == 0;
}

bool
import_feed_url(const char *url)
{
    return is_secure(url) ||
           strncmp(url, feed_scheme, sizeof(feed_scheme) - 1) == 0;
}

/* Cut "tcp://HOST:PORT" or "tls://..." into its parts; an IPv6 host stands in
 * brackets. */
static enum err_code
split_url(const char *url,
          char room[FEED_URL_BYTES_MAX],
          struct feed_send_options *out,
          struct err *err)
{
    char *colon;

    (void)snprintf(room, FEED_URL_BYTES_MAX, "%s",
                   url + sizeof(feed_scheme) - 1);
    colon = strrchr(room, ':');
    if (colon == NULL || colon == room || colon[1] == '\0' ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1)) {
        return err_set(err, ERR_USAGE,
                       "--to \"%.80s\": write it as tcp://127.0.0.1:9560 or "
                       "tls://HOST:9560",
                       url);
    }
    *colon = '\0';
    out->port = colon + 1;
    out->host = room;
    if (room[0] == '[' && colon[-1] == ']') {
        colon[-1] = '\0';
        out->host = room + 1;
    }
    return ERR_OK;
}

/* The whole file, "-" for standard input; free(). */
static char *
read_whole(const char *path, size_t *bytes, struct err *err)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    char *data = NULL;
    size_t room = 0;
    size_t got;

    *bytes = 0;
    if (file == NULL) {
        (void)err_set(err, err_from_errno(errno), "%s: %s", path,
                      strerror(errno));
        return NULL;
    }
    do {
        if (room - *bytes < FEED_READ_STEP_BYTES) {
            size_t larger = room * 2 + FEED_READ_STEP_BYTES;
            char *moved = realloc(data, larger);

            if (moved == NULL) {
                (void)err_set(err, ERR_NO_MEMORY, "%s", path);
                break;
            }
            data = moved;
            room = larger;
        }
        got = fread(data + *bytes, 1, room - *bytes, file);
        *bytes += got;
    } while (got > 0);
    if (err->code == ERR_OK && ferror(file)) {
        (void)err_set(err, ERR_IO, "%s: reading failed", path);
    }
    if (file != stdin) {
        (void)fclose(file);
    }
    if (err->code != ERR_OK) {
        free(data);
        return NULL;
    }
    return data;
}

static void
show_refused(void *data, struct span answer)
{
    struct feed_run *run = data;

    if (run->errors++ < run->errors_max) {
        (void)fprintf(stderr, "%.*s\n", SPAN_ARGS(answer));
    }
}

static void
show_progress(void *data, uint64_t acknowledged)
{
    struct feed_run *run = data;

    progress_update(&run->progress, run->acknowledged_before + acknowledged);
}

enum err_code
import_feed_run(const char *url,
                const char *token,
                const char *ca_path,
                char **paths,
                int path_count,
                uint64_t errors_max,
                uint64_t *refused,
                struct err *err)
{
    char room[FEED_URL_BYTES_MAX];
    struct feed_run run = {.errors_max = errors_max};
    struct feed_send_options options = {.token = token,
                                        .refused = show_refused,
                                        .progress = show_progress,
                                        .data = &run};
    struct feed_send_counts counts = {0};
    struct tls_trust *trust = NULL;

    if (split_url(url, room, &options, err) != ERR_OK ||
        (is_secure(url) && tls_trust_new(ca_path, &trust, err) != ERR_OK)) {
        return err->code;
    }
    options.trust = trust;
    progress_start(&run.progress, "feed", 0);
    for (int i = 0; i < path_count && err->code == ERR_OK; i++) {
        size_t bytes;
        char *data = read_whole(paths[i], &bytes, err);

        if (data != NULL) {
            (void)!feed_send(&options, (struct span){data, bytes}, &counts,
                             err);
            run.acknowledged_before = counts.acknowledged;
        }
        free(data);
    }
    progress_stop(&run.progress);
    tls_trust_free(&trust);
    *refused = counts.refused;
    (void)printf("sent %" PRIu64 " lines, acknowledged %" PRIu64
                 ", refused %" PRIu64 "\n",
                 counts.lines, counts.acknowledged, counts.refused);
    return err->code;
}
