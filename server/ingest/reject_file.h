/*
 * reject_file: the refused records of one file, to be mended and sent again.
 *
 * Rows come back with the columns they had and one more, 错误原因; lines of
 * JSON as 行号, 原文 and 错误原因. A file read in again may keep that column:
 * it is passed over (columns.h).
 *
 * Effects   writes `path` row by row
 */
#ifndef INGEST_REJECT_FILE_H
#define INGEST_REJECT_FILE_H

#include "server/ingest/record_file.h"

struct reject_file;

/*
 * `path` ends in .csv or .xlsx; it is made at the first refused record, so that
 * no file means none. path, source: borrowed until close.
 * Errors  USAGE (another suffix), NO_MEMORY
 */
enum err_code reject_file_new(const char *path,
                              struct reject_file **out,
                              struct err *err) MUST_CHECK;

/* One refused record of `file`, with the reason in words. The first failure
 * sticks until close. */
void reject_file_put(struct reject_file *rejects,
                     const struct record_file *file,
                     const struct file_record *record,
                     struct span reason);

uint64_t reject_file_count(const struct reject_file *rejects);

/* Finish the file. Errors  IO, DISK_FULL, NO_MEMORY; then there is none.
 * Accepts NULL. */
enum err_code reject_file_close(struct reject_file **rejects,
                                struct err *err) MUST_CHECK;

#endif /* INGEST_REJECT_FILE_H */
