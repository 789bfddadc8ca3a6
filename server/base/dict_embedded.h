/*
 * dict_embedded: the tables of dict/ as they were when the binary was built;
 * cmake/EmbedDict.cmake writes the source. Only dict_files reads this.
 */
#ifndef BASE_DICT_EMBEDDED_H
#define BASE_DICT_EMBEDDED_H

#include <stddef.h>

struct dict_embedded_file {
    const char *path; /* below dict/ */
    const char *start;
    const char *end;
};

extern const struct dict_embedded_file dict_embedded[];
extern const size_t dict_embedded_count;

#endif /* BASE_DICT_EMBEDDED_H */
