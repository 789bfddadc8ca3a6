/* A helper thread for an event loop. */
#include "server/base/background.h"

#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>

#include "server/base/ring.h"
#include "server/base/wake.h"

struct job {
    background_call *work;
    background_call *done;
    void *data;
};

struct background {
    struct ring *wanted;
    struct ring *finished; /* has room for all jobs: never waits */
    struct wake wake;
    struct event *ev_finished;
    pthread_t thread;
    bool running;
    size_t jobs_max;
    size_t jobs; /* under way; of the loop */
};

static void *
run(void *data)
{
    struct background *background = data;
    void *item;

    while (ring_pop(background->wanted, &item, 1) == 1) {
        struct job *job = item;

        job->work(job->data);
        if (!ring_push(background->finished, job)) {
            abort(); /* closed only after this thread has ended */
        }
    }
    return NULL;
}

static void
finish_jobs(struct background *background)
{
    void *item;

    while (ring_try_pop(background->finished, &item, 1) == 1) {
        struct job *job = item;

        background->jobs--;
        job->done(job->data);
        free(job);
    }
}

static void
finished_cb(evutil_socket_t fd, short what, void *data)
{
    struct background *background = data;

    (void)fd;
    (void)what;
    wake_clear(&background->wake);
    finish_jobs(background);
}

enum err_code
background_new(struct event_base *base,
               size_t jobs_max,
               struct background **out,
               struct err *err)
{
    struct background *background = calloc(1, sizeof(*background));

    if (background == NULL) {
        return err_set(err, ERR_NO_MEMORY, "helper thread");
    }
    background->wake.fd = -1;
    background->jobs_max = jobs_max;
    background->wanted = ring_new(jobs_max);
    background->finished = ring_new(jobs_max);
    if (background->wanted == NULL || background->finished == NULL) {
        (void)err_set(err, ERR_NO_MEMORY, "helper thread");
    } else if (wake_open(&background->wake, err) == ERR_OK) {
        ring_add_item_wake(background->finished, &background->wake);
        background->ev_finished =
            event_new(base, wake_fd(&background->wake), EV_READ | EV_PERSIST,
                      finished_cb, background);
        if (background->ev_finished == NULL ||
            event_add(background->ev_finished, NULL) != 0) {
            (void)err_set(err, ERR_NO_MEMORY, "helper thread");
        }
    }
    if (err->code == ERR_OK &&
        pthread_create(&background->thread, NULL, run, background) != 0) {
        (void)err_set(err, ERR_NO_MEMORY, "no thread can be started");
    }
    background->running = err->code == ERR_OK;
    if (err->code != ERR_OK) {
        background_free(&background);
        return err->code;
    }
    *out = background;
    return ERR_OK;
}

void
background_free(struct background **out)
{
    struct background *background = *out;

    if (background == NULL) {
        return;
    }
    if (background->running) {
        ring_close(background->wanted);
        (void)pthread_join(background->thread, NULL);
        finish_jobs(background);
    }
    if (background->ev_finished != NULL) {
        event_free(background->ev_finished);
    }
    ring_free(&background->wanted);
    ring_free(&background->finished);
    wake_close(&background->wake);
    free(background);
    *out = NULL;
}

bool
background_try(struct background *background,
               background_call *work,
               background_call *done,
               void *data)
{
    struct job *job;

    if (background->jobs == background->jobs_max) {
        return false;
    }
    job = malloc(sizeof(*job));
    if (job == NULL) {
        return false;
    }
    *job = (struct job){work, done, data};
    background->jobs++;
    if (!ring_try_push(background->wanted, job)) {
        background->jobs--;
        free(job);
        return false;
    }
    return true;
}

size_t
background_jobs(const struct background *background)
{
    return background->jobs;
}
