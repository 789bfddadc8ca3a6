/* The tokens file: one line a token, nothing of the token itself. */
#include "server/access/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "analyzers/ticket.h"
#include "server/base/buf.h"

static const char tokens_name[] = "tokens";
static const char token_prefix[] = "sq_";
static const char token_label[] = "suqiu token";

enum { TOKEN_PREFIX_CHARS = sizeof(token_prefix) - 1 };

void
tokens_release(struct tokens *tokens)
{
    if (tokens->items != NULL) {
        secret_forget(tokens->items, TOKENS_MAX * sizeof(*tokens->items));
    }
    free(tokens->items);
    *tokens = (struct tokens){0};
}

static enum err_code
make_room(struct tokens *tokens, struct err *err)
{
    if (tokens->items == NULL) {
        tokens->items = calloc(TOKENS_MAX, sizeof(*tokens->items));
    }
    return tokens->items != NULL ? ERR_OK
                                 : err_set(err, ERR_NO_MEMORY, "tokens");
}

const struct token *
tokens_find(const struct tokens *tokens, struct span id)
{
    for (size_t i = 0; i < tokens->count; i++) {
        if (span_is(id, tokens->items[i].id)) {
            return &tokens->items[i];
        }
    }
    return NULL;
}

static const struct token *
find_name(const struct tokens *tokens, struct span name)
{
    for (size_t i = 0; i < tokens->count; i++) {
        if (span_is(name, tokens->items[i].name)) {
            return &tokens->items[i];
        }
    }
    return NULL;
}

/* ---- one token ---- */

static bool
is_id(struct span id)
{
    for (size_t i = 0; i < id.bytes; i++) {
        char c = id.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '2' && c <= '7'))) {
            return false;
        }
    }
    return id.bytes == ACCESS_TOKEN_ID_CHARS;
}

struct span
token_id_of(struct span text)
{
    struct span id;

    if (text.bytes != TOKEN_CHARS ||
        !span_starts(text, span_of(token_prefix))) {
        return (struct span){NULL, 0};
    }
    id = (struct span){text.data + TOKEN_PREFIX_CHARS, ACCESS_TOKEN_ID_CHARS};
    return is_id(id) ? id : (struct span){NULL, 0};
}

/* What follows `word` behind blanks; {NULL, 0} when it is not there. */
static struct span
behind(struct span text, const char *word)
{
    text = span_trim(text);
    if (text.data == NULL || !span_starts(text, span_of(word))) {
        return (struct span){NULL, 0};
    }
    return (struct span){text.data + strlen(word), text.bytes - strlen(word)};
}

struct span
token_of_json(struct span line)
{
    struct span rest = behind(line, "{");
    struct span token;

    rest = behind(rest, "\"token\"");
    rest = behind(rest, ":");
    rest = behind(rest, "\"");
    if (rest.data == NULL) {
        return (struct span){NULL, 0};
    }
    token = span_split(&rest, '"');
    return span_is(span_trim(rest), "}") ? token : (struct span){NULL, 0};
}

static void
hash_token(const struct secret *secret,
           struct span text,
           uint8_t out[SECRET_HASH_BYTES])
{
    secret_hash(secret, token_label, &text, 1, out);
}

bool
token_fits(const struct token *token,
           const struct secret *secret,
           struct span text)
{
    uint8_t hash[SECRET_HASH_BYTES];

    hash_token(secret, text, hash);
    return secret_same(hash, token->hash);
}

static bool
is_name(struct span name)
{
    for (size_t i = 0; i < name.bytes; i++) {
        unsigned char c = (unsigned char)name.data[i];

        if (c < 0x20 || c == 0x7F) {
            return false;
        }
    }
    return name.bytes > 0 && name.bytes <= ACCESS_NAME_BYTES_MAX &&
           utf8_valid(name) && span_trim(name).bytes == name.bytes &&
           name.data[0] != '-';
}

enum err_code
tokens_add(struct tokens *tokens,
           const struct secret *secret,
           struct span name,
           enum access_role role,
           int64_t now_us,
           char text[TOKEN_CHARS + 1],
           struct err *err)
{
    struct token token = {.role = role, .created_us = now_us};
    char random[SECRET_RANDOM_CHARS + 1];

    if (!is_name(name)) {
        return err_set_field(err, ERR_BAD_VALUE, "name",
                             "a token's name says who uses it: 1 to %d bytes "
                             "without control characters or blanks at its ends",
                             ACCESS_NAME_BYTES_MAX);
    }
    if (find_name(tokens, name) != NULL) {
        return err_set_field(err, ERR_BAD_VALUE, "name",
                             "there is a token of this name already: revoke "
                             "it first or choose another name");
    }
    if (tokens->count == TOKENS_MAX) {
        return err_set(err, ERR_TOO_LONG, "there are %d tokens, that is all",
                       TOKENS_MAX);
    }
    if (make_room(tokens, err) != ERR_OK) {
        return err->code;
    }
    if (!secret_random_id(token.id, ACCESS_TOKEN_ID_CHARS) ||
        !secret_random_text(random)) {
        return err_set(err, ERR_IO, "the system gives no random bytes");
    }
    (void)snprintf(token.name, sizeof(token.name), "%.*s", SPAN_ARGS(name));
    (void)snprintf(text, TOKEN_CHARS + 1, "%s%s_%s", token_prefix, token.id,
                   random);
    secret_forget(random, sizeof(random));
    hash_token(secret, span_of(text), token.hash);
    tokens->items[tokens->count++] = token;
    return ERR_OK;
}

bool
tokens_remove(struct tokens *tokens, struct span name_or_id)
{
    const struct token *token = find_name(tokens, name_or_id);

    if (token == NULL) {
        token = tokens_find(tokens, name_or_id);
    }
    if (token == NULL) {
        return false;
    }
    for (size_t i = (size_t)(token - tokens->items); i + 1 < tokens->count;
         i++) {
        tokens->items[i] = tokens->items[i + 1];
    }
    tokens->count--;
    return true;
}

/* ---- the file ---- */

/* "id role time hash name" */
static bool
read_line(struct span line, struct token *out)
{
    struct span rest = line;
    struct span id = span_split(&rest, ' ');
    struct span role = span_split(&rest, ' ');
    struct span time = span_split(&rest, ' ');
    struct span hash = span_split(&rest, ' ');
    struct err err = {0};

    if (!is_id(id) || !is_name(rest)) {
        return false;
    }
    (void)snprintf(out->id, sizeof(out->id), "%.*s", SPAN_ARGS(id));
    (void)snprintf(out->name, sizeof(out->name), "%.*s", SPAN_ARGS(rest));
    out->role = access_role_from_name(role);
    return out->role != ACCESS_NOBODY && secret_from_hex(hash, out->hash) &&
           ticket_time_parse(time, &out->created_us, &err) == ERR_OK;
}

static enum err_code
take_line(struct tokens *tokens,
          struct span line,
          size_t number,
          const char *dir,
          struct err *err)
{
    struct token *token = &tokens->items[tokens->count];

    if (line.bytes == 0 || line.data[0] == '#') {
        return ERR_OK;
    }
    if (tokens->count == TOKENS_MAX) {
        return err_set(err, ERR_TOO_LONG, "%s/%s: more than %d tokens", dir,
                       tokens_name, TOKENS_MAX);
    }
    if (!read_line(line, token)) {
        return err_set(err, ERR_BAD_VALUE,
                       "%s/%s: line %zu: not a token's line; `suqiu token` "
                       "writes this file",
                       dir, tokens_name, number);
    }
    if (tokens_find(tokens, span_of(token->id)) != NULL ||
        find_name(tokens, span_of(token->name)) != NULL) {
        return err_set(err, ERR_BAD_VALUE,
                       "%s/%s: line %zu: this token stands there twice", dir,
                       tokens_name, number);
    }
    tokens->count++;
    return ERR_OK;
}

enum err_code
tokens_read(const char *dir, struct tokens *out, struct err *err)
{
    char path[SECRET_PATH_BYTES];
    char *text = malloc(TOKENS_FILE_BYTES_MAX);
    struct span rest;

    *out = (struct tokens){0};
    if (text == NULL || make_room(out, err) != ERR_OK) {
        free(text);
        return err_set(err, ERR_NO_MEMORY, "tokens");
    }
    (void)snprintf(path, sizeof(path), "%s/%s", dir, tokens_name);
    rest.data = text;
    if (secret_read_file(path, text, TOKENS_FILE_BYTES_MAX, &rest.bytes, err) ==
        ERR_OK) {
        for (size_t number = 1; rest.bytes > 0 && err->code == ERR_OK;
             number++) {
            struct span line = span_split(&rest, '\n');

            (void)take_line(out, line, number, dir, err);
        }
    }
    free(text);
    return err->code;
}

enum err_code
tokens_write(const char *dir, const struct tokens *tokens, struct err *err)
{
    struct buf buf;

    buf_init(&buf, TOKENS_FILE_BYTES_MAX - 1);
    buf_put_text(&buf, "# Tokens of this data directory, as `suqiu token` "
                       "writes them: only keyed hashes.\n");
    for (size_t i = 0; i < tokens->count; i++) {
        const struct token *token = &tokens->items[i];
        char hash[SECRET_HEX_BYTES];
        char time[TICKET_TIME_BYTES];

        secret_to_hex(token->hash, hash);
        buf_printf(
            &buf, "%s %s %s %s %s\n", token->id, access_role_name(token->role),
            ticket_time_format(token->created_us, time), hash, token->name);
    }
    if (buf_check(&buf, err) == ERR_OK) {
        (void)!secret_write_file(dir, tokens_name, buf_view(&buf), err);
    }
    buf_release(&buf);
    return err->code;
}

enum err_code
token_file_read(const char *path, char out[TOKEN_CHARS + 1], struct err *err)
{
    char text[TOKEN_CHARS * 2];
    struct span token = {text, 0};

    if (secret_read_file(path, text, sizeof(text), &token.bytes, err) !=
        ERR_OK) {
        return err->code;
    }
    token = span_trim(token);
    if (token_id_of(token).data == NULL) {
        (void)err_set(err, ERR_BAD_VALUE,
                      "%s: holds no token; put what `suqiu token add` printed "
                      "in there",
                      path);
    } else {
        (void)snprintf(out, TOKEN_CHARS + 1, "%.*s", SPAN_ARGS(token));
    }
    secret_forget(text, sizeof(text));
    return err->code;
}

int
tokens_lock(const char *dir, struct err *err)
{
    char path[SECRET_PATH_BYTES];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/secret", dir);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX) == 0) {
        return fd;
    }
    (void)err_set(err, err_from_errno(errno), "%s: %s", path, strerror(errno));
    return -1;
}
