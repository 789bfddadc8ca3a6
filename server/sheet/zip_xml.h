/*
 * zip_xml: the XML parts of a zip file that a stranger made.
 *
 * Flow      file -> minizip -> [zip_xml: limits] -> expat -> handlers
 * Refused   more parts, bytes or nesting than the limits below, a part that
 *           grows more than ZIP_GROWTH_MAX times, a document type (no entities
 *           but the five of XML), passwords, damage (checksums)
 * Effects   reads the file descriptor; memory is bounded by ZIP_BLOCK_BYTES and
 *           what the handlers keep
 */
#ifndef SHEET_ZIP_XML_H
#define SHEET_ZIP_XML_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzers/err.h"
#include "analyzers/span.h"

enum {
    ZIP_PARTS_MAX = 4096,
    ZIP_NAME_BYTES_MAX = 512,
    ZIP_GROWTH_MAX = 400,                     /* unpacked to packed … */
    ZIP_GROWTH_FREE_BYTES = 16 * 1024 * 1024, /* … of what is beyond this */
    ZIP_BLOCK_BYTES = 64 * 1024,
    XML_DEPTH_MAX = 64
};
#define ZIP_PART_BYTES_MAX (UINT64_C(2) << 30)

struct zip_file;

/* `fd` can be sought; it stays open until zip_file_close and is not closed
 * then. Errors  BAD_ENCODING (damaged, or no zip file), TOO_LONG, NO_MEMORY */
enum err_code
zip_file_open(int fd, struct zip_file **out, struct err *err) MUST_CHECK;
/* Accepts NULL. No part may be open. */
void zip_file_close(struct zip_file **zip);

bool zip_file_has(struct zip_file *zip, const char *part);

/* What a part tells. Names are without a prefix ("x:row" is "row"); attributes
 * are name, value, name, value, …, NULL. */
struct xml_handlers {
    void (*start)(void *data, const char *name, const char **attributes);
    void (*end)(void *data, const char *name);
    void (*text)(void *data, const char *text, int bytes); /* may be NULL */
};

/* "" when it is not there. The name is compared without its prefix. */
const char *xml_attribute(const char **attributes, const char *name);

/* One part being read; one at a time of a zip_file. */
struct xml_part;

/* `handlers` and `data` are borrowed until xml_part_close.
 * Errors  NOT_FOUND, BAD_ENCODING (password, damage), NO_MEMORY */
enum err_code xml_part_open(struct zip_file *zip,
                            const char *part,
                            const struct xml_handlers *handlers,
                            void *data,
                            struct xml_part **out,
                            struct err *err) MUST_CHECK;

/* Read one block and call the handlers. *more: there may be further ones.
 * Errors  BAD_ENCODING, TOO_LONG, TOO_DEEP */
enum err_code
xml_part_step(struct xml_part *part, bool *more, struct err *err) MUST_CHECK;

/* For a handler: nothing more of this part is wanted. */
void xml_part_stop(struct xml_part *part);

/* Unpacked bytes so far, and of the whole part as the file says: for a
 * progress bar only. */
uint64_t xml_part_done(const struct xml_part *part);
uint64_t xml_part_bytes(const struct xml_part *part);

/* Accepts NULL. */
void xml_part_close(struct xml_part **part);

/* All of a part. */
enum err_code xml_part_read(struct zip_file *zip,
                            const char *part,
                            const struct xml_handlers *handlers,
                            void *data,
                            struct err *err) MUST_CHECK;

#endif /* SHEET_ZIP_XML_H */
