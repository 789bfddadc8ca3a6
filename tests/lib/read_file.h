/*
 * read_file: the bytes of a file of the source tree, for tests.
 *
 * Fails the running test when the file cannot be read. Include after cmocka.h.
 */
#ifndef TESTS_LIB_READ_FILE_H
#define TESTS_LIB_READ_FILE_H

#include <stdio.h>
#include <stdlib.h>

#include "analyzers/span.h"

/* `path` below the source tree; given: free(span.data). */
static inline struct span
read_source_file(const char *path)
{
    char name[1024];
    FILE *file;
    char *data = NULL;
    long bytes = 0;

    (void)snprintf(name, sizeof(name), "%s/%s", SUQIU_SOURCE_DIR, path);
    file = fopen(name, "rb");
    if (file == NULL) {
        fail_msg("%s cannot be opened", name);
        return (struct span){NULL, 0};
    }
    if (fseek(file, 0, SEEK_END) != 0 || (bytes = ftell(file)) < 0 ||
        fseek(file, 0, SEEK_SET) != 0) {
        fail_msg("%s cannot be measured", name);
    }
    data = malloc((size_t)bytes + 1);
    if (data == NULL || fread(data, 1, (size_t)bytes, file) != (size_t)bytes) {
        fail_msg("%s cannot be read", name);
    } else {
        data[bytes] = '\0';
    }
    (void)fclose(file);
    return (struct span){data, (size_t)bytes};
}

#endif /* TESTS_LIB_READ_FILE_H */
