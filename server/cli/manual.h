/*
 * manual: the man page, the bash completion and the settings file, written from
 * the tables that the program itself reads (commands.def, options.def).
 *
 * Effects   none but the buf
 */
#ifndef CLI_MANUAL_H
#define CLI_MANUAL_H

#include "server/base/buf.h"

enum { MANUAL_BYTES_MAX = 1024 * 1024 };

/* suqiu(1), for man. */
void manual_put_man(struct buf *out);

/* For /usr/share/bash-completion/completions/suqiu. */
void manual_put_completion(struct buf *out);

/* Every setting explained and commented out: nothing is set by it. */
void manual_put_settings(struct buf *out);

#endif /* CLI_MANUAL_H */
