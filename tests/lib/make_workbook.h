/*
 * make_workbook: workbooks for tests, part by part, by minizip. Include after
 * cmocka.h.
 */
#ifndef TESTS_LIB_MAKE_WORKBOOK_H
#define TESTS_LIB_MAKE_WORKBOOK_H

#include <minizip/zip.h>
#include <string.h>

#include "analyzers/span.h"

#define WORKBOOK_RELATION(id, type, target)                                    \
    "<Relationship Id=\"" id "\" Type=\"http://x/" type "\" Target=\"" target  \
    "\"/>"

static inline void
zip_part(zipFile zip, const char *name, struct span bytes)
{
    assert_int_equal(zipOpenNewFileInZip(zip, name, NULL, NULL, 0, NULL, 0,
                                         NULL, Z_DEFLATED,
                                         Z_DEFAULT_COMPRESSION),
                     ZIP_OK);
    assert_int_equal(
        zipWriteInFileInZip(zip, bytes.data, (unsigned)bytes.bytes), ZIP_OK);
    assert_int_equal(zipCloseFileInZip(zip), ZIP_OK);
}

/* What goes into it; NULL parts are left out. */
struct workbook_parts {
    const char *properties; /* inside <workbook>: "<workbookPr …/>" */
    const char *strings;    /* inside <sst> */
    const char *styles;     /* inside <styleSheet> */
    const char *sheet;      /* the whole part */
    const char *second;     /* of the sheet 说明 */
};

static inline void
make_workbook(const char *path, const struct workbook_parts *parts)
{
    char text[4096];
    zipFile zip = zipOpen(path, APPEND_STATUS_CREATE);

    assert_non_null(zip);
    zip_part(zip, "_rels/.rels",
             SPAN_LITERAL("<Relationships>" WORKBOOK_RELATION(
                 "r", "officeDocument", "xl/workbook.xml") "</Relationships>"));
    (void)snprintf(text, sizeof(text),
                   "<workbook xmlns:r=\"r\">%s<sheets><sheet name=\"工单\" "
                   "r:id=\"a\"/>%s</sheets></workbook>",
                   parts->properties != NULL ? parts->properties : "",
                   parts->second != NULL ? "<sheet name=\"说明\" r:id=\"b\"/>"
                                         : "");
    zip_part(zip, "xl/workbook.xml", span_of(text));
    zip_part(
        zip, "xl/_rels/workbook.xml.rels",
        SPAN_LITERAL(
            "<Relationships>" WORKBOOK_RELATION("a", "worksheet",
                                                "worksheets/sheet1.xml")
                WORKBOOK_RELATION("b", "worksheet", "/xl/worksheets/sheet2.xml")
                    WORKBOOK_RELATION("c", "sharedStrings", "sharedStrings.xml")
                        WORKBOOK_RELATION("d", "styles",
                                          "styles.xml") "</Relationships>"));
    if (parts->strings != NULL) {
        (void)snprintf(text, sizeof(text), "<sst>%s</sst>", parts->strings);
        zip_part(zip, "xl/sharedStrings.xml", span_of(text));
    }
    if (parts->styles != NULL) {
        (void)snprintf(text, sizeof(text), "<styleSheet>%s</styleSheet>",
                       parts->styles);
        zip_part(zip, "xl/styles.xml", span_of(text));
    }
    if (parts->sheet != NULL) {
        zip_part(zip, "xl/worksheets/sheet1.xml", span_of(parts->sheet));
    }
    if (parts->second != NULL) {
        zip_part(zip, "xl/worksheets/sheet2.xml", span_of(parts->second));
    }
    assert_int_equal(zipClose(zip, NULL), ZIP_OK);
}

#endif /* TESTS_LIB_MAKE_WORKBOOK_H */
