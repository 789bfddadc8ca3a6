/*
 * web_embedded: the files of the page, as the build packed them.
 *
 * Written by cmake/EmbedWebRun.cmake; the bytes live as long as the program.
 */
#ifndef WEB_EMBEDDED_H
#define WEB_EMBEDDED_H

#include <stddef.h>

struct web_file {
    const char *name;        /* "app.js" */
    const char *hash;        /* 16 hex digits of the plain bytes */
    const char *plain_start; /* as it is in the source tree */
    const char *plain_end;
    const char *packed_start; /* the same as gzip */
    const char *packed_end;
};

extern const struct web_file web_files[]; /* in the order of their names */
extern const size_t web_file_count;

#endif /* WEB_EMBEDDED_H */
