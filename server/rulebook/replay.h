/*
 * replay: what would these tables say of the tickets that are there?
 *
 * Flow      store snapshot -> [replay: classify] -> which tickets would move
 * Effects   reads the store in short snapshots, beside a running server;
 *           changes nothing
 *
 * A ticket moves when its category, subcategory, topic or region would be
 * another. What a supervisor corrected is judged, too, and marked: its
 * correction would stay.
 */
#ifndef RULEBOOK_REPLAY_H
#define RULEBOOK_REPLAY_H

#include "analyzers/arena.h"
#include "analyzers/classify.h"
#include "server/base/json_out.h"
#include "server/ledger/store.h"

enum {
    REPLAY_LIST_DEFAULT = 100,
    REPLAY_LIST_MAX = 10000,
    REPLAY_EVIDENCE_MAX = 3,     /* of each side, strongest first */
    REPLAY_PIECE_TICKETS = 500,  /* from one snapshot */
    REPLAY_WORDS_CHARS_MAX = 40, /* of the matched words that are kept */
};

struct replay_evidence {
    struct span rule;
    struct span words; /* matched in the ticket's text; else empty */
    int32_t weight;    /* hundredths */
    enum ticket_category category;
};

/* What one set of tables says of a ticket; texts live in the result. */
struct replay_side {
    enum ticket_category category;
    struct span subcategory; /* empty: none */
    struct span topic;
    enum ticket_region region;
    uint32_t confidence_permille;
    struct span dictionary;
    size_t evidence_count;
    struct replay_evidence evidence[REPLAY_EVIDENCE_MAX];
};

struct replay_move {
    struct span id;
    int64_t accepted_at_us;
    bool reviewed; /* a correction holds it where it is */
    struct replay_side was;
    struct replay_side is;
};

struct replay_result {
    char dictionary[20]; /* the tables asked */
    int64_t from_us;     /* as asked */
    int64_t to_us;
    uint64_t tickets; /* judged */
    /* how many would differ in …; a ticket may count in several */
    uint64_t moved; /* any of the four */
    uint64_t moved_category;
    uint64_t moved_subcategory;
    uint64_t moved_topic;
    uint64_t moved_region;
    uint64_t moved_reviewed; /* of `moved`: reviewed */
    uint64_t matrix[TICKET_CATEGORY_COUNT][TICKET_CATEGORY_COUNT]; /* was, is */

    /* Those that change category or subcategory come first, then the others;
     * each part in the order of time. */
    struct replay_move *moves;
    size_t move_count;
    struct arena arena; /* what the moves point to */
};

struct replay_options {
    int64_t from_us; /* 受理时间 */
    int64_t to_us;   /* exclusive */
    size_t list_max; /* moves that are kept; at most REPLAY_LIST_MAX */
    /* Called after each piece; false: stop with ERR_BUSY. May be NULL. */
    bool (*go_on)(void *data, uint64_t tickets);
    void *data;
};

/*
 *   out     filled; release with replay_release, also after an error
 * Errors  of the store; BUSY when it was stopped; NO_MEMORY
 * Cost    a few microseconds a ticket more than reading it
 */
enum err_code replay_run(const struct store *store,
                         const struct dictionary *dictionary,
                         const struct replay_options *options,
                         struct replay_result *out,
                         struct err *err) MUST_CHECK;
void replay_release(struct replay_result *result);

/* Tickets of a range, for progress: counts the index. */
enum err_code replay_count(const struct store *store,
                           int64_t from_us,
                           int64_t to_us,
                           uint64_t *out,
                           struct err *err) MUST_CHECK;

/*
 * The result as members of an open object.
 *   show  the words of a ticket as the reader may see them; NULL: as they are
 */
void replay_put_json(const struct replay_result *result,
                     struct span (*show)(void *data, struct span words),
                     void *data,
                     struct json_out *json);

#endif /* RULEBOOK_REPLAY_H */
