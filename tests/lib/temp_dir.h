/*
 * temp_dir: a directory of one test, and files in it. Include after cmocka.h.
 */
#ifndef TESTS_LIB_TEMP_DIR_H
#define TESTS_LIB_TEMP_DIR_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "analyzers/span.h"

struct temp_dir {
    char path[64];
};

static inline void
temp_dir_make(struct temp_dir *dir)
{
    (void)snprintf(dir->path, sizeof(dir->path), "/tmp/suqiu-test-XXXXXX");
    assert_non_null(mkdtemp(dir->path));
}

static inline int
temp_dir_remove_one(const char *path,
                    const struct stat *about,
                    int kind,
                    struct FTW *where)
{
    (void)about;
    (void)kind;
    (void)where;
    return remove(path);
}

static inline void
temp_dir_remove(struct temp_dir *dir)
{
    assert_int_equal(
        nftw(dir->path, temp_dir_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* "DIR/name"; good until the next but three calls. */
static inline const char *
temp_dir_path(const struct temp_dir *dir, const char *name)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];

    (void)snprintf(path, sizeof(paths[0]), "%s/%s", dir->path, name);
    return path;
}

/* Write DIR/name; returns its path. */
static inline const char *
temp_dir_write(const struct temp_dir *dir, const char *name, struct span bytes)
{
    const char *path = temp_dir_path(dir, name);
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes.data, 1, bytes.bytes, file), bytes.bytes);
    assert_int_equal(fclose(file), 0);
    return path;
}

#endif /* TESTS_LIB_TEMP_DIR_H */
