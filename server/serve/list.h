/*
 * list: rows of named columns, written as JSON, NDJSON or CSV.
 *
 * One definition of columns and one function that puts cells give every form
 * of a list. A form is a table of four functions (struct list_form); a further
 * one (xlsx) joins by another such table.
 *
 *   list_begin -> list_text, list_int, … one a column, row after row ->
 * list_end
 *
 * Effects   writes into the buf of the writer
 */
#ifndef SERVE_LIST_H
#define SERVE_LIST_H

#include "analyzers/span.h"
#include "server/base/buf.h"
#include "server/base/json_out.h"

enum {
    LIST_COLUMNS_MAX = 64,
    LIST_WORDS_MAX = 1024 /* in one cell */
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

/* One way of writing. */
struct list_form {
    const char *suffix;       /* ".csv"; "" is the JSON page */
    const char *content_type; /* with its charset */
    bool paged;               /* has limit, cursor and totals */
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

struct list_writer {
    const struct list_form *form;
    const struct list_column *columns; /* borrowed */
    size_t column_count;
    bool for_excel; /* CSV: Chinese heads, long digits kept as text */
    struct buf *buf;
    struct json_out *json; /* of the JSON form: inside an array */
    struct json_out own_json;
    size_t column; /* the next cell */
    size_t row_count;
};

/* `json`: where the JSON form writes its array; NULL for the other forms. */
void list_begin(struct list_writer *writer,
                const struct list_form *form,
                const struct list_column *columns,
                size_t column_count,
                bool for_excel,
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
