/* Directories that live as long as one measurement. */
#include "bench/scratch_dir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum err_code
scratch_dir_make(const char *parent,
                 const char *name,
                 char out[SCRATCH_DIR_BYTES],
                 struct err *err)
{
    (void)snprintf(out, SCRATCH_DIR_BYTES, "%s/%s-XXXXXX", parent, name);
    if (mkdtemp(out) == NULL) {
        return err_set(err, ERR_IO, "%s: %s", out, strerror(errno));
    }
    return ERR_OK;
}

void
scratch_dir_remove(const char *dir, struct err *err)
{
    static const char *const files[] = {"data.mdb", "lock.mdb", "writer.lock"};
    char path[SCRATCH_DIR_BYTES + 16];

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
        (void)unlink(path);
    }
    if (rmdir(dir) != 0) {
        (void)err_set(err, ERR_IO, "remove %s: %s", dir, strerror(errno));
    }
}
