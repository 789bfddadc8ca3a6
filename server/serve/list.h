/*
 * list: rows of named columns, written as JSON, NDJSON, CSV or a workbook.
 *
 * One definition of columns and one function that puts cells give every form
 * of a list. A form is a table of four functions (struct list_form).
 *
 *   list_begin -> list_text, list_int, … one a column, row after row ->
 * list_end
 *
 * Effects   writes into the buf of the writer, or into its workbook
 */
#ifndef SERVE_LIST_H
#define SERVE_LIST_H

#include "analyzers/span.h"
#include "server/base/buf.h"
#include "server/base/json_out.h"

enum {
    LIST_COLUMNS_MAX = 257, /* of a file and a reason */
    LIST_WORDS_MAX = 1024   /* in one cell */
};

enum list_kind {
    LIST_TEXT,
    LIST_DIGITS, /* text that a spreadsheet would take for a number */
    LIST_WORDS,  /* an array of texts */
    LIST_INT,
    LIST_REAL,
    LIST_TIME,
    LIST_BOOL
};

struct list_column {
    const char *name;    /* "accepted_at" */
    const char *chinese; /* "受理时间" */
    enum list_kind kind;
};

struct list_cell {
    enum list_kind kind;
    bool missing;
    struct span text;         /* TEXT, DIGITS */
    const struct span *words; /* WORDS: words[word_count] */
    size_t word_count;
    int64_t integer; /* INT; TIME in microseconds; BOOL */
    double real;
};

struct list_writer;
struct xlsx_writer; /* server/sheet/xlsx_write.h */

/* How the rows are written. */
struct list_style {
    bool for_excel; /* CSV: Chinese heads, long digits kept as text */
    bool no_mark;   /* CSV: without a byte-order mark */
    char separator; /* CSV: between cells; 0 is a comma */
    struct xlsx_writer *workbook; /* of list_form_xlsx; borrowed */
};

/* One way of writing. */
struct list_form {
    const char *suffix;       /* ".csv"; "" is the JSON page */
    const char *content_type; /* with its charset */
    bool paged;               /* has limit, cursor and totals */
    bool workbook;            /* rows go to a workbook, not to the buf */
    void (*begin)(struct list_writer *writer);
    void (*cell)(struct list_writer *writer,
                 const struct list_column *column,
                 const struct list_cell *cell);
    void (*row_end)(struct list_writer *writer);
    void (*end)(struct list_writer *writer);
};

extern const struct list_form list_form_json; /* the array of objects only */
extern const struct list_form list_form_ndjson;
extern const struct list_form list_form_csv;
/* For people: Chinese heads and Chinese for the words of the records' format;
 * yes/no is 是/否. list_sheet.c */
extern const struct list_form list_form_xlsx;

struct list_writer {
    const struct list_form *form;
    const struct list_column *columns; /* borrowed */
    size_t column_count;
    struct list_style style;
    struct buf *buf;
    struct json_out *json; /* of the JSON form: inside an array */
    struct json_out own_json;
    size_t column; /* the next cell */
    size_t row_count;
};

/* `style` is copied; NULL is the plain one. `json`: where the JSON form writes
 * its array; NULL for the other forms. */
void list_begin(struct list_writer *writer,
                const struct list_form *form,
                const struct list_column *columns,
                size_t column_count,
                const struct list_style *style,
                struct buf *buf,
                struct json_out *json);

/* Go on in an emptied buf: the head stands in an earlier part. */
void list_end(struct list_writer *writer);

/* The next cell. The kind must be the column's; a missing one is list_none. A
 * text that was not given (data NULL) is missing. */
void list_text(struct list_writer *writer, struct span text);
void list_words(struct list_writer *writer,
                const struct span *words,
                size_t word_count);
void list_int(struct list_writer *writer, int64_t value);
void list_real(struct list_writer *writer, double value);
/* INT64_MAX is missing. */
void list_time(struct list_writer *writer, int64_t at_us);
void list_bool(struct list_writer *writer, bool value);
void list_none(struct list_writer *writer);

#endif /* SERVE_LIST_H */
