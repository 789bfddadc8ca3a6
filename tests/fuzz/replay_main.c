/* Runs a fuzz target over the files of a folder: the regression corpus without
 * a fuzzer. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { INPUT_BYTES_MAX = 4 * 1024 * 1024 };

static int
replay(const char *folder, const char *name)
{
    char path[4096];
    uint8_t *data = malloc(INPUT_BYTES_MAX);
    uint8_t *exact;
    size_t bytes;
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "rb");
    if (data == NULL || file == NULL) {
        (void)fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    bytes = fread(data, 1, INPUT_BYTES_MAX, file);
    (void)fclose(file);
    exact = malloc(bytes > 0 ? bytes : 1); /* so that a byte too far is seen */
    if (exact == NULL) {
        exit(1);
    }
    memcpy(exact, data, bytes);
    (void)LLVMFuzzerTestOneInput(exact, bytes);
    free(exact);
    free(data);
    return 1;
}

int
main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    const struct dirent *entry;
    int count = 0;

    if (folder == NULL) {
        (void)fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    while ((entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] != '.') {
            count += replay(argv[1], entry->d_name);
        }
    }
    (void)closedir(folder);
    (void)printf("%d inputs\n", count);
    return count > 0 ? 0 : 1;
}
