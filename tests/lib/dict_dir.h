/*
 * dict_dir: a copy of the project's tables that a test may spoil and mend.
 *
 * Include after cmocka.h.
 */
#ifndef TESTS_LIB_DICT_DIR_H
#define TESTS_LIB_DICT_DIR_H

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "server/base/dict_files.h"
#include "tests/lib/read_file.h"

struct dict_dir {
    char path[256];
};

static inline void
dict_dir_write(const struct dict_dir *dir, const char *table, struct span bytes)
{
    char path[512];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", dir->path, table);
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.data, 1, bytes.bytes, file), bytes.bytes);
    assert_int_equal(fclose(file), 0);
}

/* Make `path` and put every table into it. */
static inline void
dict_dir_make(struct dict_dir *dir, const char *path)
{
    struct dict_files files;
    struct err err = {0};
    char rules[300];

    (void)snprintf(dir->path, sizeof(dir->path), "%s", path);
    (void)snprintf(rules, sizeof(rules), "%s/rules", path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(mkdir(rules, 0700), 0);
    assert_int_equal(dict_files_load(SUQIU_SOURCE_DIR "/dict", &files, &err),
                     ERR_OK);
    for (size_t i = 0; i < files.count; i++) {
        dict_dir_write(dir, files.files[i].path, files.files[i].bytes);
    }
    dict_files_release(&files);
}

/* Put one table back as it is in the project. */
static inline void
dict_dir_restore(const struct dict_dir *dir, const char *table)
{
    char source[300];
    struct span bytes;

    (void)snprintf(source, sizeof(source), "dict/%s", table);
    bytes = read_source_file(source);
    dict_dir_write(dir, table, bytes);
    free((char *)(uintptr_t)bytes.data);
}

/* The project's table with `from` (which must stand there) replaced by `to`,
 * the first time. */
static inline void
dict_dir_replace(const struct dict_dir *dir,
                 const char *table,
                 const char *from,
                 const char *to)
{
    char source[300];
    struct span bytes;
    const char *at;
    char *changed;
    size_t head;
    int used;

    (void)snprintf(source, sizeof(source), "dict/%s", table);
    bytes = read_source_file(source);
    at = strstr(bytes.data, from);
    assert_non_null(at);
    head = (size_t)(at - bytes.data);
    changed = malloc(bytes.bytes + strlen(to) + 1);
    assert_non_null(changed);
    memcpy(changed, bytes.data, head);
    used = snprintf(changed + head, bytes.bytes - head + strlen(to) + 1, "%s%s",
                    to, at + strlen(from));
    dict_dir_write(dir, table, (struct span){changed, head + (size_t)used});
    free(changed);
    free((char *)(uintptr_t)bytes.data);
}

/* The project's table with `more` behind it. */
static inline void
dict_dir_append(const struct dict_dir *dir, const char *table, const char *more)
{
    char source[300];
    struct span bytes;
    char *longer;

    (void)snprintf(source, sizeof(source), "dict/%s", table);
    bytes = read_source_file(source);
    longer = malloc(bytes.bytes + strlen(more) + 1);
    assert_non_null(longer);
    memcpy(longer, bytes.data, bytes.bytes);
    memcpy(longer + bytes.bytes, more, strlen(more));
    dict_dir_write(dir, table,
                   (struct span){longer, bytes.bytes + strlen(more)});
    free(longer);
    free((char *)(uintptr_t)bytes.data);
}

#endif /* TESTS_LIB_DICT_DIR_H */
