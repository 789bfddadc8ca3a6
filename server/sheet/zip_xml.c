/* The XML parts of a zip file that a stranger made. */
#include "server/sheet/zip_xml.h"

#include <assert.h>
#include <errno.h>
#include <expat.h>
#include <minizip/unzip.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct zip_file {
    unzFile zip;
    int fd;
    off_t at;
    bool reading_failed;
};

struct xml_part {
    struct zip_file *zip;
    XML_Parser parser;
    const struct xml_handlers *handlers;
    void *data;
    const char *name;      /* of the part, for messages */
    uint64_t packed_bytes; /* at most */
    uint64_t whole_bytes;  /* as the directory says: for progress only */
    uint64_t bytes;        /* unpacked so far */
    unsigned depth;
    bool stopped; /* a handler has had enough */
    struct err err;
};

/* ---- the file under minizip ---- */

static voidpf ZCALLBACK
file_open(voidpf opaque, const void *name, int mode)
{
    (void)name;
    (void)mode;
    return opaque;
}

static uLong ZCALLBACK
file_read(voidpf opaque, voidpf stream, void *bytes, uLong size)
{
    struct zip_file *zip = opaque;
    uLong done = 0;

    (void)stream;
    while (done < size) {
        ssize_t got =
            pread(zip->fd, (char *)bytes + done, size - done, zip->at);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        zip->reading_failed = zip->reading_failed || got < 0;
        if (got <= 0) {
            break;
        }
        done += (uLong)got;
        zip->at += got;
    }
    return done;
}

static uLong ZCALLBACK
file_write(voidpf opaque, voidpf stream, const void *bytes, uLong size)
{
    (void)opaque;
    (void)stream;
    (void)bytes;
    (void)size;
    return 0;
}

static ZPOS64_T ZCALLBACK
file_tell(voidpf opaque, voidpf stream)
{
    (void)stream;
    return (ZPOS64_T)((struct zip_file *)opaque)->at;
}

static long ZCALLBACK
file_seek(voidpf opaque, voidpf stream, ZPOS64_T offset, int origin)
{
    struct zip_file *zip = opaque;
    off_t base = 0;

    (void)stream;
    if (origin == ZLIB_FILEFUNC_SEEK_CUR) {
        base = zip->at;
    } else if (origin == ZLIB_FILEFUNC_SEEK_END) {
        base = lseek(zip->fd, 0, SEEK_END);
    }
    if (base < 0 || offset > INT64_MAX / 2 ||
        (off_t)offset > INT64_MAX / 2 - base) {
        return -1;
    }
    zip->at = base + (off_t)offset;
    return 0;
}

static int ZCALLBACK
file_close(voidpf opaque, voidpf stream)
{
    (void)opaque;
    (void)stream;
    return 0;
}

static int ZCALLBACK
file_error(voidpf opaque, voidpf stream)
{
    (void)stream;
    return ((struct zip_file *)opaque)->reading_failed;
}

enum err_code
zip_file_open(int fd, struct zip_file **out, struct err *err)
{
    struct zip_file *zip = calloc(1, sizeof(*zip));
    unz_global_info64 about;
    zlib_filefunc64_def calls = {.zopen64_file = file_open,
                                 .zread_file = file_read,
                                 .zwrite_file = file_write,
                                 .ztell64_file = file_tell,
                                 .zseek64_file = file_seek,
                                 .zclose_file = file_close,
                                 .zerror_file = file_error,
                                 .opaque = zip};

    if (zip == NULL) {
        return err_set(err, ERR_NO_MEMORY, "workbook");
    }
    zip->fd = fd;
    zip->zip = unzOpen2_64("", &calls);
    if (zip->zip == NULL) {
        free(zip);
        return err_set(err, ERR_BAD_ENCODING,
                       "the zip file is damaged or not complete; copy or "
                       "save it again");
    }
    if (unzGetGlobalInfo64(zip->zip, &about) != UNZ_OK ||
        about.number_entry > ZIP_PARTS_MAX) {
        zip_file_close(&zip);
        return err_set(err, ERR_TOO_LONG,
                       "the zip file has more than %d parts: no workbook",
                       ZIP_PARTS_MAX);
    }
    *out = zip;
    return ERR_OK;
}

void
zip_file_close(struct zip_file **zip)
{
    if (*zip != NULL) {
        (void)unzClose((*zip)->zip);
        free(*zip);
        *zip = NULL;
    }
}

bool
zip_file_has(struct zip_file *zip, const char *part)
{
    return unzLocateFile(zip->zip, part, 2) == UNZ_OK;
}

/* ---- XML ---- */

static const char *
without_prefix(const char *name)
{
    const char *colon = strrchr(name, ':');

    return colon != NULL ? colon + 1 : name;
}

const char *
xml_attribute(const char **attributes, const char *name)
{
    for (size_t i = 0; attributes[i] != NULL; i += 2) {
        if (strcmp(without_prefix(attributes[i]), name) == 0) {
            return attributes[i + 1];
        }
    }
    return "";
}

static void
stop_with(struct xml_part *part, enum err_code code, const char *why)
{
    (void)err_set(&part->err, code, "part %s: %s", part->name, why);
    (void)XML_StopParser(part->parser, XML_FALSE);
}

static void XMLCALL
on_start(void *user, const XML_Char *name, const XML_Char **attributes)
{
    struct xml_part *part = user;

    if (++part->depth > XML_DEPTH_MAX) {
        stop_with(part, ERR_TOO_DEEP, "the XML is nested too deep");
        return;
    }
    part->handlers->start(part->data, without_prefix(name), attributes);
}

static void XMLCALL
on_end(void *user, const XML_Char *name)
{
    struct xml_part *part = user;

    part->depth--;
    part->handlers->end(part->data, without_prefix(name));
}

static void XMLCALL
on_text(void *user, const XML_Char *text, int bytes)
{
    struct xml_part *part = user;

    part->handlers->text(part->data, text, bytes);
}

static void XMLCALL
on_doctype(void *user,
           const XML_Char *name,
           const XML_Char *system,
           const XML_Char *public,
           int has_subset)
{
    (void)name;
    (void)system;
    (void)public;
    (void)has_subset;
    stop_with(user, ERR_BAD_ENCODING,
              "it declares a document type or entities, which no workbook "
              "has; save it again in Excel");
}

static enum err_code
open_packed(struct xml_part *part, struct err *err)
{
    unz_file_info64 about;
    off_t file_bytes;

    if (unzLocateFile(part->zip->zip, part->name, 2) != UNZ_OK) {
        return err_set(err, ERR_NOT_FOUND, "the workbook has no part %s",
                       part->name);
    }
    if (unzGetCurrentFileInfo64(part->zip->zip, &about, NULL, 0, NULL, 0, NULL,
                                0) != UNZ_OK) {
        return err_set(err, ERR_BAD_ENCODING, "the zip file is damaged");
    }
    if ((about.flag & 1) != 0) {
        return err_set(err, ERR_BAD_ENCODING,
                       "the file is protected by a password; save it without");
    }
    /* The directory may say what it likes, the file's size does not. */
    file_bytes = lseek(part->zip->fd, 0, SEEK_END);
    part->packed_bytes =
        file_bytes > 0 && about.compressed_size > (uint64_t)file_bytes
            ? (uint64_t)file_bytes
            : about.compressed_size;
    part->whole_bytes = about.uncompressed_size;
    if (unzOpenCurrentFile(part->zip->zip) != UNZ_OK) {
        return err_set(err, ERR_BAD_ENCODING,
                       "part %s is damaged or packed in an unknown way",
                       part->name);
    }
    return ERR_OK;
}

enum err_code
xml_part_open(struct zip_file *zip,
              const char *name,
              const struct xml_handlers *handlers,
              void *data,
              struct xml_part **out,
              struct err *err)
{
    struct xml_part *part = calloc(1, sizeof(*part));

    if (part == NULL) {
        return err_set(err, ERR_NO_MEMORY, "workbook");
    }
    part->zip = zip;
    part->name = name;
    part->handlers = handlers;
    part->data = data;
    if (open_packed(part, err) != ERR_OK) {
        free(part);
        return err->code;
    }
    part->parser = XML_ParserCreate(NULL);
    if (part->parser == NULL) {
        xml_part_close(&part);
        return err_set(err, ERR_NO_MEMORY, "workbook");
    }
    XML_SetUserData(part->parser, part);
    XML_SetElementHandler(part->parser, on_start, on_end);
    if (handlers->text != NULL) {
        XML_SetCharacterDataHandler(part->parser, on_text);
    }
    XML_SetStartDoctypeDeclHandler(part->parser, on_doctype);
    *out = part;
    return ERR_OK;
}

/* Did it grow like a bomb? */
static enum err_code
check_growth(struct xml_part *part, struct err *err)
{
    if (part->bytes <= ZIP_GROWTH_FREE_BYTES) {
        return ERR_OK;
    }
    if (part->bytes > ZIP_PART_BYTES_MAX) {
        return err_set(err, ERR_TOO_LONG,
                       "part %s has more than %llu bytes; split the workbook "
                       "or save it as CSV",
                       part->name, (unsigned long long)ZIP_PART_BYTES_MAX);
    }
    if (part->bytes / ZIP_GROWTH_MAX > part->packed_bytes) {
        return err_set(err, ERR_TOO_LONG,
                       "part %s grows more than %d times when it is unpacked: "
                       "no workbook of people; save it as CSV if it is one",
                       part->name, ZIP_GROWTH_MAX);
    }
    return ERR_OK;
}

static enum err_code
damaged(const struct xml_part *part, struct err *err)
{
    return err_set(err, part->zip->reading_failed ? ERR_IO : ERR_BAD_ENCODING,
                   "part %s of the workbook is damaged or cut off; copy or "
                   "save the file again",
                   part->name);
}

enum err_code
xml_part_step(struct xml_part *part, bool *more, struct err *err)
{
    void *block = XML_GetBuffer(part->parser, ZIP_BLOCK_BYTES);
    int got;

    *more = false;
    if (block == NULL) {
        return err_set(err, ERR_NO_MEMORY, "workbook");
    }
    got = unzReadCurrentFile(part->zip->zip, block, ZIP_BLOCK_BYTES);
    if (got < 0) {
        return damaged(part, err);
    }
    part->bytes += (uint64_t)got;
    if (check_growth(part, err) != ERR_OK) {
        return err->code;
    }
    if (XML_ParseBuffer(part->parser, got, got == 0) != XML_STATUS_OK &&
        !part->stopped) {
        if (part->err.code != ERR_OK) {
            *err = part->err;
            return err->code;
        }
        return err_set(err, ERR_BAD_ENCODING,
                       "part %s of the workbook, line %lu: %s; save the file "
                       "again in Excel",
                       part->name,
                       (unsigned long)XML_GetCurrentLineNumber(part->parser),
                       XML_ErrorString(XML_GetErrorCode(part->parser)));
    }
    /* The checksum is known at the end only. */
    if (got == 0 && unzCloseCurrentFile(part->zip->zip) != UNZ_OK) {
        return damaged(part, err);
    }
    *more = got > 0 && !part->stopped;
    return ERR_OK;
}

void
xml_part_stop(struct xml_part *part)
{
    part->stopped = true;
    (void)XML_StopParser(part->parser, XML_FALSE);
}

uint64_t
xml_part_done(const struct xml_part *part)
{
    return part->bytes;
}

uint64_t
xml_part_bytes(const struct xml_part *part)
{
    return part->whole_bytes;
}

void
xml_part_close(struct xml_part **part)
{
    if (*part == NULL) {
        return;
    }
    if ((*part)->parser != NULL) {
        XML_ParserFree((*part)->parser);
    }
    (void)unzCloseCurrentFile((*part)->zip->zip);
    free(*part);
    *part = NULL;
}

enum err_code
xml_part_read(struct zip_file *zip,
              const char *name,
              const struct xml_handlers *handlers,
              void *data,
              struct err *err)
{
    struct xml_part *part = NULL;
    bool more = true;

    if (xml_part_open(zip, name, handlers, data, &part, err) != ERR_OK) {
        return err->code;
    }
    while (more && xml_part_step(part, &more, err) == ERR_OK) {
    }
    xml_part_close(&part);
    return err->code;
}
