/*
 * dict_files: the bytes of every table of the dictionary.
 *
 * From a directory (*.csv and *.tsv at any depth, names beginning with a dot
 * left out), or from the copy of dict/ inside the binary.
 */
#ifndef BASE_DICT_FILES_H
#define BASE_DICT_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "analyzers/dictionary.h"
#include "analyzers/err.h"

enum {
    DICT_FILES_MAX = 512,
    DICT_FILE_BYTES_MAX = 64 * 1024 * 1024,
    DICT_FILES_BYTES_MAX = 256 * 1024 * 1024, /* all together */
    DICT_DEPTH_MAX = 8
};

struct dict_files {
    struct dictionary_file *files; /* sorted by path */
    size_t count;
    bool embedded; /* bytes and names live in the binary */
};

/*
 *   directory  NULL or "" for the copy inside the binary
 *   out        written on ERR_OK only; release with dict_files_release, not
 *              before the dictionary built from it no longer needs the bytes
 *
 * Errors  NOT_FOUND (no such directory, or not one table in it), TOO_LONG (a
 *         limit above), IO, NO_MEMORY; the detail names the file
 * Cost    reads every file once
 */
enum err_code dict_files_load(const char *directory,
                              struct dict_files *out,
                              struct err *err) MUST_CHECK;

void dict_files_release(struct dict_files *files);

#endif /* BASE_DICT_FILES_H */
