/* The terminal of `suqiu top`. */
#define NCURSES_WIDECHAR 1
#include "server/cli/top_screen.h"

#include <curses.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEY_ESCAPE = 27 };

struct top_screen {
    SCREEN *terminal;
    bool colours;
};

/* Without a locale of UTF-8 the plain one of UTF-8 does; numbers keep their
 * point, so only the characters are taken from it. */
static bool
take_locale(void)
{
    if (setlocale(LC_CTYPE, "") != NULL &&
        strcmp(nl_langinfo(CODESET), "UTF-8") == 0) {
        return true;
    }
    return setlocale(LC_CTYPE, "C.UTF-8") != NULL;
}

static void
begin_colours(struct top_screen *screen)
{
    static const struct {
        short style;
        short colour;
    } pairs[] = {{TOP_GOOD, COLOR_GREEN},
                 {TOP_WARN, COLOR_YELLOW},
                 {TOP_BAD, COLOR_RED}};

    screen->colours =
        has_colors() && start_color() == OK && use_default_colors() == OK;
    for (size_t i = 0; screen->colours && i < sizeof(pairs) / sizeof(pairs[0]);
         i++) {
        (void)init_pair(pairs[i].style, pairs[i].colour, -1);
    }
}

struct top_screen *
top_screen_open(void)
{
    struct top_screen *screen;

    if (isatty(STDIN_FILENO) != 1 || isatty(STDOUT_FILENO) != 1 ||
        !take_locale()) {
        return NULL;
    }
    screen = calloc(1, sizeof(*screen));
    if (screen == NULL) {
        return NULL;
    }
    screen->terminal = newterm(NULL, stdout, stdin); /* NULL: by TERM */
    if (screen->terminal == NULL) {
        free(screen);
        return NULL;
    }
    if (tigetstr("cup") == NULL || tigetstr("cup") == (char *)-1) {
        top_screen_close(&screen); /* it cannot move the cursor */
        return NULL;
    }
    (void)cbreak();
    (void)noecho();
    (void)curs_set(0);
    (void)keypad(stdscr, TRUE);
    (void)set_escdelay(50);
    begin_colours(screen);
    return screen;
}

void
top_screen_close(struct top_screen **screen)
{
    if (*screen == NULL) {
        return;
    }
    (void)endwin();
    delscreen((*screen)->terminal);
    free(*screen);
    *screen = NULL;
}

void
top_screen_size(struct top_screen *screen, size_t *columns, size_t *rows)
{
    (void)screen;
    *columns = (size_t)getmaxx(stdscr);
    *rows = (size_t)getmaxy(stdscr);
}

static attr_t
look_of(const struct top_screen *screen, unsigned char style)
{
    switch ((enum top_style)style) {
    case TOP_TITLE:
        return A_REVERSE;
    case TOP_HEAD:
        return A_BOLD;
    case TOP_GOOD:
    case TOP_WARN:
    case TOP_BAD:
        return screen->colours ? (attr_t)COLOR_PAIR(style)
                               : (style == TOP_BAD ? A_BOLD : A_NORMAL);
    case TOP_PLAIN:
        break;
    }
    return A_NORMAL;
}

void
top_screen_show(struct top_screen *screen, const struct top_grid *grid)
{
    (void)erase();
    for (size_t row = 0; row < grid->rows; row++) {
        for (size_t column = 0; column < grid->columns; column++) {
            const struct top_cell *cell =
                &grid->cells[row * grid->columns + column];

            if (cell->text[0] == '\0') {
                continue; /* the second half of a wide one */
            }
            (void)attrset((int)look_of(screen, cell->style));
            (void)mvaddstr((int)row, (int)column, cell->text);
        }
    }
    (void)attrset(A_NORMAL);
    (void)refresh();
}

enum top_key
top_screen_wait(struct top_screen *screen, unsigned seconds)
{
    int key;

    (void)screen;
    timeout((int)seconds * 1000);
    key = getch();
    if (key == 'q' || key == 'Q' || key == KEY_ESCAPE) {
        return TOP_KEY_QUIT;
    }
    if (key == ERR) {
        struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

        /* Nothing came in time, or the terminal has gone. */
        return poll(&input, 1, 0) == 1 &&
                       (input.revents & (POLLHUP | POLLERR)) != 0
                   ? TOP_KEY_QUIT
                   : TOP_KEY_NONE;
    }
    return TOP_KEY_REDRAW;
}
