/* Reads every table of the dictionary from a directory or from the binary. */
#include "server/base/dict_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/base/dict_embedded.h"

enum { DICT_PATH_BYTES = 1024 };

static bool
is_table_name(const char *name)
{
    size_t bytes = strlen(name);

    return name[0] != '.' && bytes > 4 &&
           (strcmp(name + bytes - 4, ".csv") == 0 ||
            strcmp(name + bytes - 4, ".tsv") == 0);
}

static enum err_code
add_file(struct dict_files *out,
         const char *path,
         struct span bytes,
         struct err *err)
{
    if (out->count == DICT_FILES_MAX) {
        return err_set(err, ERR_TOO_LONG,
                       "%s: more than %d tables; put some together", path,
                       DICT_FILES_MAX);
    }
    out->files[out->count++] =
        (struct dictionary_file){.path = path, .bytes = bytes};
    return ERR_OK;
}

static int
compare_files(const void *a, const void *b)
{
    const struct dictionary_file *left = a;
    const struct dictionary_file *right = b;

    return strcmp(left->path, right->path);
}

/* All bytes of an open file of the size fstat gave. */
static enum err_code
read_all(int fd, const char *full, size_t bytes, char *data, struct err *err)
{
    size_t used = 0;

    while (used < bytes) {
        ssize_t got = read(fd, data + used, bytes - used);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return err_set(err, ERR_IO, "%s: cannot be read: %s", full,
                           strerror(errno));
        }
        if (got == 0) {
            return err_set(err, ERR_IO,
                           "%s: changed while it was read; try again", full);
        }
        used += (size_t)got;
    }
    return ERR_OK;
}

static enum err_code
load_file(const char *full,
          const char *below,
          size_t *total_bytes,
          struct dict_files *out,
          struct err *err)
{
    int fd = open(full, O_RDONLY | O_CLOEXEC);
    char *data = NULL;
    char *path = NULL;
    struct stat info;
    enum err_code code;

    if (fd < 0 || fstat(fd, &info) != 0) {
        code = err_set(err, err_from_errno(errno), "%s: cannot be opened: %s",
                       full, strerror(errno));
        goto out;
    }
    if (info.st_size > DICT_FILE_BYTES_MAX ||
        *total_bytes + (size_t)info.st_size > DICT_FILES_BYTES_MAX) {
        code = err_set(err, ERR_TOO_LONG,
                       "%s: too large: a table may have %d MiB, all of them "
                       "%d MiB",
                       full, DICT_FILE_BYTES_MAX >> 20,
                       DICT_FILES_BYTES_MAX >> 20);
        goto out;
    }
    data = malloc((size_t)info.st_size + 1);
    path = strdup(below);
    if (data == NULL || path == NULL) {
        code = err_set(err, ERR_NO_MEMORY, "%s: out of memory", full);
        goto out;
    }
    code = read_all(fd, full, (size_t)info.st_size, data, err);
    if (code != ERR_OK) {
        goto out;
    }
    data[info.st_size] = '\0';
    code = add_file(out, path, (struct span){data, (size_t)info.st_size}, err);
    if (code == ERR_OK) {
        *total_bytes += (size_t)info.st_size;
        data = NULL;
        path = NULL;
    }
out:
    free(path);
    free(data);
    if (fd >= 0) {
        (void)close(fd);
    }
    return code;
}

static enum err_code load_directory(const char *root,
                                    const char *below,
                                    int depth,
                                    size_t *total_bytes,
                                    struct dict_files *out,
                                    struct err *err);

/* One name of a directory: a table, a directory, or nothing to us. */
static enum err_code
load_entry(const char *root,
           const char *below,
           const char *name,
           int depth,
           size_t *total_bytes,
           struct dict_files *out,
           struct err *err)
{
    char full[DICT_PATH_BYTES];
    char path[DICT_PATH_BYTES];
    struct stat info;
    int path_bytes = snprintf(path, sizeof(path), "%s%s%s", below,
                              below[0] ? "/" : "", name);
    int full_bytes = snprintf(full, sizeof(full), "%s/%s", root, path);

    if (path_bytes >= (int)sizeof(path) || full_bytes >= (int)sizeof(full)) {
        return err_set(err, ERR_TOO_LONG, "%s: the path is too long", name);
    }
    if (stat(full, &info) != 0) {
        return err_set(err, err_from_errno(errno),
                       "%s: cannot be looked at: %s", full, strerror(errno));
    }
    if (S_ISDIR(info.st_mode)) {
        return load_directory(root, path, depth + 1, total_bytes, out, err);
    }
    if (S_ISREG(info.st_mode) && is_table_name(name)) {
        return load_file(full, path, total_bytes, out, err);
    }
    return ERR_OK;
}

static enum err_code
load_directory(const char *root,
               const char *below,
               int depth,
               size_t *total_bytes,
               struct dict_files *out,
               struct err *err)
{
    char full[DICT_PATH_BYTES];
    enum err_code code = ERR_OK;
    DIR *directory;

    if (snprintf(full, sizeof(full), "%s/%s", root, below) >=
            (int)sizeof(full) ||
        depth > DICT_DEPTH_MAX) {
        return err_set(err, ERR_TOO_LONG, "%s: nested too deep", root);
    }
    directory = opendir(full);
    if (directory == NULL) {
        return err_set(err, err_from_errno(errno),
                       "%s: not a directory that can be read: %s; --dict "
                       "names the directory with the tables",
                       full, strerror(errno));
    }
    while (code == ERR_OK) {
        struct dirent *entry;

        errno = 0;
        entry = readdir(directory);
        if (entry == NULL) {
            if (errno != 0) {
                code = err_set(err, ERR_IO, "%s: %s", full, strerror(errno));
            }
            break;
        }
        if (entry->d_name[0] != '.') {
            code = load_entry(root, below, entry->d_name, depth, total_bytes,
                              out, err);
        }
    }
    (void)closedir(directory);
    return code;
}

enum err_code
dict_files_load(const char *directory, struct dict_files *out, struct err *err)
{
    struct dict_files loaded = {0};
    enum err_code code = ERR_OK;
    size_t total_bytes = 0;

    loaded.files = calloc(DICT_FILES_MAX, sizeof(loaded.files[0]));
    if (loaded.files == NULL) {
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    }
    if (directory == NULL || directory[0] == '\0') {
        loaded.embedded = true;
        for (size_t i = 0; i < dict_embedded_count && code == ERR_OK; i++) {
            const struct dict_embedded_file *file = &dict_embedded[i];

            code = add_file(
                &loaded, file->path,
                (struct span){file->start, (size_t)(file->end - file->start)},
                err);
        }
    } else {
        code = load_directory(directory, "", 0, &total_bytes, &loaded, err);
    }
    if (code == ERR_OK && loaded.count == 0) {
        code =
            err_set(err, ERR_NOT_FOUND, "%s: not one .csv or .tsv table in it",
                    loaded.embedded ? "the binary" : directory);
    }
    if (code != ERR_OK) {
        dict_files_release(&loaded);
        return code;
    }
    qsort(loaded.files, loaded.count, sizeof(loaded.files[0]), compare_files);
    *out = loaded;
    return ERR_OK;
}

void
dict_files_release(struct dict_files *files)
{
    for (size_t i = 0; i < files->count && !files->embedded; i++) {
        /* Allocated by load_file; the type of the core says const. */
        free((void *)(uintptr_t)files->files[i].path);
        free((void *)(uintptr_t)files->files[i].bytes.data);
    }
    free(files->files);
    *files = (struct dict_files){0};
}
