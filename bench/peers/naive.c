/*
 * naive: what a C programmer writes first: a thread a connection, a loop over
 * PCRE2-JIT patterns for each ticket, one LMDB transaction for what one read
 * brought. It speaks suqiu's feed protocol (lines in, {"ack":N} out). A peer
 * for bench/peers/run.sh.
 *
 *   bench-naive serve RULES.tsv DIR      prints "port N" when it listens
 *   bench-naive dump DIR                 prints ID <tab> MASK
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <lmdb.h>
#include <netinet/in.h>
#include <pcre2.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/decode/ticket_decode.h"

enum {
    PATTERNS_MAX = 2048,
    ROOM_BYTES = 1024 * 1024,
    BATCH_TICKETS_MAX = 4096,
    KEY_BYTES_MAX = 500,
    WINDOW_DAYS = 30
};

struct pattern {
    unsigned bit;
    pcre2_code *code;
};

static struct pattern patterns[PATTERNS_MAX];
static size_t pattern_count;
static MDB_env *env;
static MDB_dbi tickets_db;
static MDB_dbi callers_db;
static MDB_dbi counters_db;

/* One ticket of a batch. */
struct item {
    struct decoded decoded;
    struct span line;
    uint64_t mask;
};

struct connection {
    int fd;
    struct decoder *decoder;
    struct arena arena;
    pcre2_match_data *match;
    struct item *items;
    char *room;
    uint64_t lines;
};

static void
die(const char *what, int code)
{
    (void)fprintf(stderr, "naive: %s: %s\n", what,
                  code < 0 ? mdb_strerror(code) : strerror(code));
    exit(3);
}

static void
check(int code, const char *what)
{
    if (code != 0) {
        die(what, code);
    }
}

/* --- rules -------------------------------------------------------------- */

static void
read_rules(const char *path)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    ssize_t bytes;

    if (file == NULL) {
        die(path, errno);
    }
    while ((bytes = getline(&line, &room, file)) > 0 &&
           pattern_count < PATTERNS_MAX) {
        char *text = strchr(line, '\t');
        PCRE2_SIZE offset;
        int error;
        struct pattern *pattern = &patterns[pattern_count++];

        text = text != NULL ? strchr(text + 1, '\t') : NULL;
        if (text == NULL) {
            die("a bad line of rules", EINVAL);
        }
        line[bytes - 1] = '\0';
        pattern->bit = (unsigned)strtoul(line, NULL, 10);
        pattern->code =
            pcre2_compile((PCRE2_SPTR)(text + 1), PCRE2_ZERO_TERMINATED,
                          PCRE2_UTF | PCRE2_DOTALL, &error, &offset, NULL);
        if (pattern->code == NULL ||
            pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE) != 0) {
            die("a pattern", EINVAL);
        }
    }
    free(line);
    (void)fclose(file);
}

static uint64_t
classify(struct connection *connection, struct span text)
{
    uint64_t mask = 0;

    for (size_t i = 0; i < pattern_count; i++) {
        uint64_t bit = UINT64_C(1) << patterns[i].bit;

        if ((mask & bit) == 0 &&
            pcre2_match(patterns[i].code, (PCRE2_SPTR)text.data, text.bytes, 0,
                        PCRE2_NO_UTF_CHECK, connection->match, NULL) >= 0) {
            mask |= bit;
        }
    }
    return mask;
}

/* --- store -------------------------------------------------------------- */

static void
open_store(const char *dir)
{
    MDB_txn *txn;

    check(mdb_env_create(&env), "LMDB");
    check(mdb_env_set_mapsize(env, (size_t)64 << 30), "map");
    check(mdb_env_set_maxdbs(env, 4), "LMDB");
    check(mdb_env_open(env, dir, MDB_NOTLS, 0600), dir);
    check(mdb_txn_begin(env, NULL, 0, &txn), "transaction");
    check(mdb_dbi_open(txn, "tickets", MDB_CREATE, &tickets_db), "tickets");
    check(mdb_dbi_open(txn, "callers", MDB_CREATE, &callers_db), "callers");
    check(mdb_dbi_open(txn, "counters", MDB_CREATE, &counters_db), "counters");
    check(mdb_txn_commit(txn), "commit");
}

/* "PHONE TIME" in ASCII, so that the order is that of time. */
static MDB_val
caller_key(char room[KEY_BYTES_MAX], struct span caller, int64_t at_us)
{
    int bytes = snprintf(room, KEY_BYTES_MAX, "%.*s %018" PRId64,
                         (int)(caller.bytes < 64 ? caller.bytes : 64),
                         caller.data, at_us);

    return (MDB_val){(size_t)bytes, room};
}

/* Calls from that telephone in the window before. */
static unsigned
count_calls(MDB_txn *txn, const struct ticket *ticket)
{
    char from_room[KEY_BYTES_MAX];
    char upto_room[KEY_BYTES_MAX];
    MDB_val key = caller_key(from_room, ticket->caller,
                             ticket->accepted_at_us - WINDOW_DAYS * US_PER_DAY);
    MDB_val upto =
        caller_key(upto_room, ticket->caller, ticket->accepted_at_us);
    MDB_val value;
    MDB_cursor *cursor;
    unsigned calls = 0;
    int code;

    check(mdb_cursor_open(txn, callers_db, &cursor), "cursor");
    code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (code == 0 && mdb_cmp(txn, callers_db, &key, &upto) < 0) {
        calls++;
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return calls;
}

static void
count_up(MDB_txn *txn, unsigned bit, int32_t day)
{
    uint32_t name[2] = {bit, (uint32_t)day};
    MDB_val key = {sizeof(name), name};
    MDB_val value;
    uint64_t count = 0;

    if (mdb_get(txn, counters_db, &key, &value) == 0) {
        memcpy(&count, value.mv_data, sizeof(count));
    }
    count++;
    value = (MDB_val){sizeof(count), &count};
    check(mdb_put(txn, counters_db, &key, &value, 0), "put");
}

static void
put_item(MDB_txn *txn, const struct item *item)
{
    const struct ticket *ticket = &item->decoded.ticket;
    struct {
        uint64_t mask;
        uint64_t repeats;
    } head = {item->mask, 0};
    MDB_val key = {ticket->id.bytes, (void *)(uintptr_t)ticket->id.data};
    MDB_val value = {sizeof(head) + item->line.bytes, NULL};

    if (ticket->caller.bytes > 0) {
        char room[KEY_BYTES_MAX];
        MDB_val caller =
            caller_key(room, ticket->caller, ticket->accepted_at_us);
        MDB_val id = key;

        head.repeats = count_calls(txn, ticket);
        check(mdb_put(txn, callers_db, &caller, &id, 0), "put");
    }
    for (unsigned bit = 0; bit < 64; bit++) {
        if ((item->mask >> bit & 1) != 0) {
            count_up(txn, bit, shanghai_day(ticket->accepted_at_us));
        }
    }
    check(mdb_put(txn, tickets_db, &key, &value, MDB_RESERVE), "put");
    memcpy(value.mv_data, &head, sizeof(head));
    memcpy((char *)value.mv_data + sizeof(head), item->line.data,
           item->line.bytes);
}

static void
store_items(const struct item *items, size_t count)
{
    MDB_txn *txn;

    check(mdb_txn_begin(env, NULL, 0, &txn), "transaction");
    for (size_t i = 0; i < count; i++) {
        put_item(txn, &items[i]);
    }
    check(mdb_txn_commit(txn), "commit");
}

static void
dump(void)
{
    MDB_txn *txn;
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;

    check(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), "transaction");
    check(mdb_cursor_open(txn, tickets_db, &cursor), "cursor");
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
        uint64_t mask;

        memcpy(&mask, value.mv_data, sizeof(mask));
        printf("%.*s\t%" PRIu64 "\n", (int)key.mv_size, (char *)key.mv_data,
               mask);
    }
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
}

/* --- connections -------------------------------------------------------- */

/* Whole lines of room[0, bytes): judged, stored, acknowledged. */
static size_t
take_lines(struct connection *connection, size_t bytes)
{
    size_t count = 0;
    size_t at = 0;
    const char *end;
    char answer[64];
    int answer_bytes;

    arena_reset(&connection->arena);
    while (count < BATCH_TICKETS_MAX &&
           (end = memchr(connection->room + at, '\n', bytes - at)) != NULL) {
        struct item *item = &connection->items[count];
        struct err err = {0};

        item->line = (struct span){connection->room + at,
                                   (size_t)(end - connection->room) - at};
        at = (size_t)(end - connection->room) + 1;
        if (decode_json(connection->decoder, item->line, &connection->arena,
                        &item->decoded, &err) != ERR_OK) {
            die("a line that is no ticket", EINVAL);
        }
        item->mask = classify(connection, item->decoded.ticket.text);
        count++;
    }
    if (count == 0) {
        return 0;
    }
    store_items(connection->items, count);
    connection->lines += count;
    answer_bytes = snprintf(answer, sizeof(answer), "{\"ack\":%" PRIu64 "}\n",
                            connection->lines);
    (void)send(connection->fd, answer, (size_t)answer_bytes, MSG_NOSIGNAL);
    return at;
}

static void *
serve_connection(void *data)
{
    struct connection *connection = data;
    struct err err = {0};
    size_t used = 0;
    ssize_t got;

    arena_init(&connection->arena, 256 * 1024);
    connection->room = malloc(ROOM_BYTES);
    connection->items = malloc(BATCH_TICKETS_MAX * sizeof(struct item));
    connection->match = pcre2_match_data_create(1, NULL);
    if (connection->room == NULL || connection->items == NULL ||
        connection->match == NULL ||
        decode_new(&connection->decoder, &err) != ERR_OK) {
        die("memory", ENOMEM);
    }
    while (used < ROOM_BYTES &&
           (got = recv(connection->fd, connection->room + used,
                       ROOM_BYTES - used, 0)) > 0) {
        size_t taken;

        used += (size_t)got;
        while ((taken = take_lines(connection, used)) > 0) {
            used -= taken;
            memmove(connection->room, connection->room + taken, used);
        }
    }
    (void)close(connection->fd);
    decode_free(&connection->decoder);
    pcre2_match_data_free(connection->match);
    arena_release(&connection->arena);
    free(connection->items);
    free(connection->room);
    free(connection);
    return NULL;
}

static void
serve(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    if (listener < 0 ||
        bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, 64) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &bytes) != 0) {
        die("listen", errno);
    }
    printf("port %u\n", (unsigned)ntohs(address.sin_port));
    (void)fflush(stdout);
    for (;;) {
        struct connection *connection = calloc(1, sizeof(*connection));
        pthread_t thread;

        if (connection == NULL) {
            die("memory", ENOMEM);
        }
        connection->fd = accept(listener, NULL, NULL);
        if (connection->fd < 0) {
            die("accept", errno);
        }
        check(pthread_create(&thread, NULL, serve_connection, connection),
              "thread");
        (void)pthread_detach(thread);
    }
}

int
main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "serve") == 0) {
        read_rules(argv[2]);
        open_store(argv[3]);
        serve();
    } else if (argc == 3 && strcmp(argv[1], "dump") == 0) {
        open_store(argv[2]);
        dump();
        mdb_env_close(env);
        return 0;
    }
    (void)fprintf(stderr, "usage: bench-naive serve RULES DIR | dump DIR\n");
    return 2;
}
