/*
 * classify: which complaint category is this ticket, and why?
 *
 * Flow      clean -> [classify] + region -> ledger
 * Input     one ticket's text (and address) and the dictionary
 * Output    one struct verdict with its evidence
 * Effects   none: memory comes from the scratch and the arena
 * Source    boundary rules: analyzers/DESIGN.md#classify
 */
#ifndef ANALYZERS_CLASSIFY_H
#define ANALYZERS_CLASSIFY_H

#include <stddef.h>
#include <stdint.h>

#include "analyzers/arena.h"
#include "analyzers/dictionary.h"
#include "analyzers/err.h"
#include "analyzers/ticket.h"

enum {
    CLASSIFY_TEXT_BYTES_MAX = 8192, /* scanned; the rest is stored unread */
    VERDICT_EVIDENCE_MAX = 12,      /* strongest first, the rest is dropped */
    VERDICT_RULE_BYTES_MAX = 48
};

enum verdict_flag {
    VERDICT_TEST_TICKET = 1u << 0, /* 测试工单 */
    VERDICT_NOT_UTILITY = 1u << 1, /* another party's act */
    VERDICT_MULTI_TOPIC = 1u << 2, /* secondary is not empty */
    VERDICT_TRUNCATED_SCAN = 1u << 3,
    VERDICT_INCOMPLETE = 1u << 4, /* a rule hit its match limit */
    VERDICT_FALSE_CLAIM = 1u << 5 /* the text says it is no complaint */
};

/* "test_ticket", …; NULL for an unknown bit. Append only. */
const char *verdict_flag_name(enum verdict_flag flag);
enum { VERDICT_FLAG_COUNT = 6 };

enum evidence_field {
    EVIDENCE_TEXT,
    EVIDENCE_ADDRESS,
    EVIDENCE_UNIT,
    EVIDENCE_REGION,
    EVIDENCE_TYPE,
    EVIDENCE_CUSTOMER
};
const char *evidence_field_name(enum evidence_field field); /* "text", … */

/* Why: one rule that spoke. */
struct evidence {
    struct span rule; /* id of the rule; borrowed from the dictionary */
    struct span text; /* the matched words; borrowed from the ticket */
    uint32_t start;   /* offsets in characters of the original field */
    uint32_t end;
    int32_t weight; /* hundredths; negative speaks against */
    enum evidence_field field;
    enum ticket_category category; /* for or against which */
};

struct verdict {
    enum ticket_category category;
    enum ticket_category runner_up; /* NONE when nothing else spoke */
    uint32_t secondary;  /* bit set of (1u << category), never the primary */
    int32_t subcategory; /* taxonomy row or TAXONOMY_NONE */
    int32_t topic;       /* taxonomy row or TAXONOMY_NONE */
    int32_t matter; /* second-level row the text is about, also when it is no
                       complaint (a fault, a question); or TAXONOMY_NONE */
    uint32_t confidence_permille;
    uint32_t flags; /* enum verdict_flag */
    enum ticket_region region;
    struct evidence region_evidence; /* rule names the step that decided */
    uint32_t evidence_count;
    struct evidence evidence[VERDICT_EVIDENCE_MAX];
};

/* One thread's working memory for one dictionary; swapped with it. */
struct classify_scratch;

enum err_code classify_scratch_new(const struct dictionary *dictionary,
                                   struct classify_scratch **out,
                                   struct err *err) MUST_CHECK;
void classify_scratch_free(struct classify_scratch **scratch);

/*
 * Judge one ticket: category, subcategory, topic, secondary, flags, region.
 *
 *   out   always filled; its spans borrow from the ticket and the dictionary
 *
 * The category is judged from the text. A ticket of type `complaint` without
 * evidence against being one gets the strongest of the five categories even
 * where the same text without a type would stay below the threshold of none.
 *
 * Errors  none: a rule that fails or runs into its limit sets
 *         VERDICT_INCOMPLETE
 * Cost    a few microseconds; no allocation
 */
void classify_ticket(const struct dictionary *dictionary,
                     struct classify_scratch *scratch,
                     const struct ticket *ticket,
                     struct verdict *out);

/* How often a rule spoke, and which category was judged where the rule spoke
 * for another (or against this one). */
struct rule_hit_count {
    uint32_t hits;
    uint32_t lost[TICKET_CATEGORY_COUNT];
};

/* The rules that spoke since classify_tally_reset; borrowed. */
struct classify_tally {
    const struct rule_hit_count *rules; /* [index of the rule] */
    const uint32_t *spoke;              /* spoke[count]: indexes, each once */
    size_t count;
};
struct classify_tally classify_tally(const struct classify_scratch *scratch);
void classify_tally_reset(struct classify_scratch *scratch);

#endif /* ANALYZERS_CLASSIFY_H */
