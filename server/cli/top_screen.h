/*
 * top_screen: a terminal, by ncursesw; the one place that knows it.
 *
 * One at a time. Resizing makes top_screen_wait return TOP_KEY_REDRAW.
 */
#ifndef CLI_TOP_SCREEN_H
#define CLI_TOP_SCREEN_H

#include "server/cli/top_grid.h"

struct top_screen;

enum top_key { TOP_KEY_NONE, TOP_KEY_REDRAW, TOP_KEY_QUIT };

/* Takes the terminal over; NULL when standard input and output are none, or
 * one that cannot move the cursor or show UTF-8. */
struct top_screen *top_screen_open(void);
/* Gives it back as it was. Accepts NULL. */
void top_screen_close(struct top_screen **screen);

void top_screen_size(struct top_screen *screen, size_t *columns, size_t *rows);
void top_screen_show(struct top_screen *screen, const struct top_grid *grid);

/* Wait for a key: NONE when the time is over (look again), REDRAW after a
 * resize, QUIT for q, Q, Escape and the end of the input. */
enum top_key top_screen_wait(struct top_screen *screen, unsigned seconds);

#endif /* CLI_TOP_SCREEN_H */
