/*
 * taxonomy: three levels of complaint topics, from dict/categories.csv.
 *
 * First level: enum ticket_category. Second level (subcategory 二级分类) and
 * third level (topic 三级分类) are rows; a row is named by its Chinese name and
 * by a dotted code ("service.conduct", "service.conduct.hall_attitude").
 *
 * Source    《国家电网公司供电服务投诉处理规范》, analyzers/DESIGN.md#taxonomy
 * Effects   none after taxonomy_build
 */
#ifndef ANALYZERS_TAXONOMY_H
#define ANALYZERS_TAXONOMY_H

#include <stddef.h>
#include <stdint.h>

#include "analyzers/dictionary.h"
#include "analyzers/ticket.h"

enum {
    TAXONOMY_NONE = -1,
    TAXONOMY_ROWS_MAX = 1000,
    TAXONOMY_CLASSES_MAX = 31 /* second-level names; one more class is none */
};

struct taxonomy;

struct taxonomy_row {
    enum ticket_category category;
    struct span code;    /* "service.conduct" */
    struct span chinese; /* "服务行为" */
    struct span english;
    struct span group;   /* 一类, 二类, 生产类 or empty */
    int32_t parent;      /* of a topic: its subcategory's row; else NONE */
    int32_t class_index; /* position of its second-level name, from 0 */
    bool scored;
};

enum err_code taxonomy_build(const struct dictionary_file *files,
                             size_t file_count,
                             struct taxonomy **out,
                             struct err *err) MUST_CHECK;
void taxonomy_free(struct taxonomy **taxonomy);

size_t taxonomy_row_count(const struct taxonomy *taxonomy);
const struct taxonomy_row *taxonomy_row(const struct taxonomy *taxonomy,
                                        int32_t row);

/* The second-level names as classes 0..count-1, in the order of the table. */
size_t taxonomy_class_count(const struct taxonomy *taxonomy);
int32_t taxonomy_class_row(const struct taxonomy *taxonomy, size_t class_index);

/* How many third-level names a second-level row has, the row of number `index`
 * among them, in the order of the table, and the number of a third-level
 * row. */
size_t taxonomy_topic_count(const struct taxonomy *taxonomy,
                            int32_t subcategory);
int32_t taxonomy_topic_row(const struct taxonomy *taxonomy,
                           int32_t subcategory,
                           size_t index);
size_t taxonomy_topic_index(const struct taxonomy *taxonomy, int32_t topic);

/* Row of a second-level name (Chinese name or code), or TAXONOMY_NONE. */
int32_t taxonomy_subcategory(const struct taxonomy *taxonomy, struct span name);

/* Row of a third-level name (Chinese name or code) below a subcategory (any
 * subcategory when TAXONOMY_NONE), or TAXONOMY_NONE. */
int32_t taxonomy_topic(const struct taxonomy *taxonomy,
                       int32_t subcategory,
                       struct span name);

#endif /* ANALYZERS_TAXONOMY_H */
