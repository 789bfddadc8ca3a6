/* The key of a data directory, its hashes, and files for the owner alone. */
#include "server/access/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECRET_FILE_BYTES_MAX = 256 };

static const char secret_name[] = "secret";

/* ---- hashes ---- */

static void
mac(const uint8_t key[SECRET_HASH_BYTES],
    struct span text,
    uint8_t out[SECRET_HASH_BYTES])
{
    unsigned bytes = SECRET_HASH_BYTES;

    /* Without its one hash the program can keep nothing of what it promises. */
    if (HMAC(EVP_sha256(), key, SECRET_HASH_BYTES,
             (const unsigned char *)(text.data != NULL ? text.data : ""),
             text.bytes, out, &bytes) == NULL ||
        bytes != SECRET_HASH_BYTES) {
        abort();
    }
}

void
secret_hash(const struct secret *secret,
            const char *label,
            const struct span *parts,
            size_t part_count,
            uint8_t out[SECRET_HASH_BYTES])
{
    uint8_t key[SECRET_HASH_BYTES];

    /* A key of its own for each label, then each part under the hash of those
     * before it: no two lists of parts run together. */
    mac(secret->key, span_of(label), key);
    for (size_t i = 0; i < part_count; i++) {
        mac(key, parts[i], out);
        memcpy(key, out, sizeof(key));
    }
    memcpy(out, key, sizeof(key));
    secret_forget(key, sizeof(key));
}

bool
secret_same(const uint8_t a[SECRET_HASH_BYTES],
            const uint8_t b[SECRET_HASH_BYTES])
{
    return CRYPTO_memcmp(a, b, SECRET_HASH_BYTES) == 0;
}

void
secret_forget(void *bytes, size_t count)
{
    OPENSSL_cleanse(bytes, count);
}

bool
secret_random_text(char out[SECRET_RANDOM_CHARS + 1])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqr"
                                  "stuvwxyz0123456789-_";
    uint8_t bytes[SECRET_BYTES + 1] = {0};

    if (RAND_bytes(bytes, SECRET_BYTES) != 1) {
        return false;
    }
    for (size_t i = 0; i < SECRET_RANDOM_CHARS; i++) {
        size_t bit = i * 6;
        unsigned pair = (unsigned)bytes[bit / 8] << 8 | bytes[bit / 8 + 1];

        out[i] = letters[pair >> (10 - bit % 8) & 63u];
    }
    out[SECRET_RANDOM_CHARS] = '\0';
    secret_forget(bytes, sizeof(bytes));
    return true;
}

bool
secret_random_id(char *out, size_t count)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";

    if (RAND_bytes((unsigned char *)out, (int)count) != 1) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        out[i] = letters[(unsigned char)out[i] & 31u];
    }
    out[count] = '\0';
    return true;
}

void
secret_to_hex(const uint8_t hash[SECRET_HASH_BYTES], char out[SECRET_HEX_BYTES])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < SECRET_HASH_BYTES; i++) {
        out[i * 2] = digits[hash[i] >> 4];
        out[i * 2 + 1] = digits[hash[i] & 15u];
    }
    out[SECRET_HEX_BYTES - 1] = '\0';
}

static int
hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

bool
secret_from_hex(struct span hex, uint8_t out[SECRET_HASH_BYTES])
{
    if (hex.bytes != SECRET_HEX_BYTES - 1) {
        return false;
    }
    for (size_t i = 0; i < SECRET_HASH_BYTES; i++) {
        int high = hex_digit(hex.data[i * 2]);
        int low = hex_digit(hex.data[i * 2 + 1]);

        if (high < 0 || low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* ---- files ---- */

static enum err_code
io_error(struct err *err, const char *path)
{
    return err_set(err, err_from_errno(errno), "%s: %s", path, strerror(errno));
}

enum err_code
secret_read_file(
    const char *path, char *out, size_t room, size_t *bytes, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat about;
    ssize_t got = 1;

    *bytes = 0;
    if (fd < 0) {
        return io_error(err, path);
    }
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        (void)err_set(err, ERR_BAD_VALUE, "%s: not an ordinary file", path);
    } else if ((about.st_mode & 077u) != 0) {
        (void)err_set(err, ERR_BAD_VALUE,
                      "%s: others may read or write it (mode %04o); it is a "
                      "secret: chmod 600 %s",
                      path, (unsigned)about.st_mode & 07777u, path);
    }
    while (err->code == ERR_OK && got > 0) {
        got = read(fd, out + *bytes, room - *bytes);
        if (got < 0 && errno != EINTR) {
            (void)io_error(err, path);
        }
        *bytes += got > 0 ? (size_t)got : 0;
        if (*bytes == room) {
            (void)err_set(err, ERR_TOO_LONG, "%s: longer than %zu bytes", path,
                          room - 1);
        }
    }
    (void)close(fd);
    return err->code;
}

static bool
write_all(int fd, struct span bytes)
{
    while (bytes.bytes > 0) {
        ssize_t put = write(fd, bytes.data, bytes.bytes);

        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            return false;
        }
        bytes.data += put;
        bytes.bytes -= (size_t)put;
    }
    return true;
}

/* The directory's own entry on disk. */
static bool
sync_directory(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool fine = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0) {
        (void)close(fd);
    }
    return fine;
}

enum err_code
secret_write_file(const char *dir,
                  const char *name,
                  struct span bytes,
                  struct err *err)
{
    char path[SECRET_PATH_BYTES];
    char aside[SECRET_PATH_BYTES];
    struct stat about;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    (void)snprintf(aside, sizeof(aside), "%s/%s.new", dir, name);
    (void)unlink(aside); /* of a writer that was killed */
    fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return io_error(err, aside);
    }
    if (fchmod(fd, 0600) != 0 || !write_all(fd, bytes) ||
        (geteuid() == 0 && stat(dir, &about) == 0 &&
         fchown(fd, about.st_uid, about.st_gid) != 0) ||
        fsync(fd) != 0) {
        (void)io_error(err, aside);
    }
    (void)close(fd);
    if (err->code == ERR_OK && rename(aside, path) != 0) {
        (void)io_error(err, path);
    }
    if (err->code == ERR_OK && !sync_directory(dir)) {
        (void)io_error(err, dir);
    }
    if (err->code != ERR_OK) {
        (void)unlink(aside);
    }
    return err->code;
}

static enum err_code
make_secret(const char *dir, struct secret *out, struct err *err)
{
    char text[SECRET_HEX_BYTES + 1];

    if (RAND_bytes(out->key, SECRET_BYTES) != 1) {
        return err_set(err, ERR_IO, "the system gives no random bytes");
    }
    secret_to_hex(out->key, text);
    text[SECRET_HEX_BYTES - 1] = '\n';
    (void)!secret_write_file(dir, secret_name,
                             (struct span){text, SECRET_HEX_BYTES}, err);
    secret_forget(text, sizeof(text));
    return err->code;
}

enum err_code
secret_open(const char *dir, bool make, struct secret *out, struct err *err)
{
    char path[SECRET_PATH_BYTES];
    char text[SECRET_FILE_BYTES_MAX];
    size_t bytes;
    struct err read_err = {0};

    (void)snprintf(path, sizeof(path), "%s/%s", dir, secret_name);
    if (secret_read_file(path, text, sizeof(text), &bytes, &read_err) !=
        ERR_OK) {
        if (read_err.code == ERR_NOT_FOUND && make) {
            return make_secret(dir, out, err);
        }
        return err_set(err, read_err.code, "%s", read_err.detail);
    }
    if (!secret_from_hex(span_trim((struct span){text, bytes}), out->key)) {
        (void)err_set(err, ERR_BAD_VALUE,
                      "%s: not the key of a data directory (64 hex digits); "
                      "put the old one back, or remove it together with "
                      "'tokens' and hand out new tokens",
                      path);
    }
    secret_forget(text, sizeof(text));
    return err->code;
}
