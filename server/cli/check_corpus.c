/* Labelled tickets: how often the tables judge as a person did. */
#include "server/cli/check_internal.h"

#include <stdlib.h>

#include "analyzers/rules.h"
#include "analyzers/taxonomy.h"
#include "server/base/display.h"
#include "server/cli/labelled.h"

enum { CALIBRATION_STEPS = 10, CLASSES = TICKET_CATEGORY_COUNT };

struct tally {
    size_t right;
    size_t all;
};

struct rule_tally {
    size_t spoke;
    size_t category_right;
    size_t class_right;
};

struct figures {
    size_t confusion[CLASSES][CLASSES]; /* [label][judged], type unknown */
    struct tally known;                 /* five ways, type given */
    struct tally subcategory;
    struct tally topic;
    struct tally region;
    struct tally region_two; /* urban against rural with remote */
    size_t secondary_hit;
    size_t secondary_judged;
    size_t secondary_labelled;
    struct tally calibration[CALIBRATION_STEPS];
    double calibration_sum[CALIBRATION_STEPS];
    size_t rows;
};

struct corpus {
    const struct dictionary *dictionary;
    const struct check_corpus_options *options;
    struct classify_scratch *scratch;
    struct figures figures;
    struct rule_tally *rules;
    struct buf *out;
};

static double
share(size_t part, size_t all)
{
    return all > 0 ? 100.0 * (double)part / (double)all : 0.0;
}

static void
count(struct tally *tally, bool right)
{
    tally->right += right;
    tally->all++;
}

/* ----------------------------------------------------------------- judging */

static void
put_row_name(struct buf *out, const struct taxonomy *taxonomy, int32_t row)
{
    const struct taxonomy_row *found = taxonomy_row(taxonomy, row);

    if (found != NULL) {
        buf_printf(out, "/%.*s", SPAN_ARGS(found->chinese));
    }
}

static void
put_error(struct corpus *corpus,
          const struct labelled *row,
          const struct verdict *verdict)
{
    const struct taxonomy *taxonomy = corpus->dictionary->taxonomy;
    struct buf *out = corpus->out;

    buf_printf(out, "%.*s  %s", SPAN_ARGS(row->ticket.id),
               ticket_category_wire(row->category));
    put_row_name(out, taxonomy, row->subcategory);
    buf_printf(out, "  judged %s", ticket_category_wire(verdict->category));
    put_row_name(out, taxonomy, verdict->subcategory);
    buf_printf(out, "  %.2f  next %s\n    ",
               verdict->confidence_permille / 1000.0,
               ticket_category_wire(verdict->runner_up));
    display_put(out, row->ticket.text);
    buf_put_char(out, '\n');
    for (size_t i = 0; i < verdict->evidence_count; i++) {
        const struct evidence *one = &verdict->evidence[i];

        buf_printf(out, "    %+.2f %s %.*s “", one->weight / 100.0,
                   ticket_category_wire(one->category), SPAN_ARGS(one->rule));
        display_put(out, one->text);
        buf_put_text(out, "”\n");
    }
}

static void
count_unknown(struct corpus *corpus,
              const struct labelled *row,
              const struct verdict *verdict)
{
    struct figures *f = &corpus->figures;
    size_t step = verdict->confidence_permille * CALIBRATION_STEPS / 1001;

    f->confusion[row->category][verdict->category]++;
    count(&f->calibration[step], row->category == verdict->category);
    f->calibration_sum[step] += verdict->confidence_permille / 1000.0;
    if (row->region != TICKET_REGION_UNKNOWN) {
        count(&f->region, row->region == verdict->region);
        count(&f->region_two, verdict->region != TICKET_REGION_UNKNOWN &&
                                  (row->region == TICKET_REGION_URBAN) ==
                                      (verdict->region == TICKET_REGION_URBAN));
    }
}

static unsigned
bits_of(uint32_t bits)
{
    unsigned number = 0;

    for (; bits != 0; bits &= bits - 1) {
        number++;
    }
    return number;
}

/* A complaint judged with its type given. */
static void
count_known(struct corpus *corpus,
            const struct labelled *row,
            const struct verdict *verdict)
{
    struct figures *f = &corpus->figures;

    count(&f->known, row->category == verdict->category);
    count(&f->subcategory, row->subcategory == verdict->subcategory);
    if (row->topic != TAXONOMY_NONE) {
        count(&f->topic, row->topic == verdict->topic);
    }
    f->secondary_hit += bits_of(row->secondary & verdict->secondary);
    f->secondary_judged += bits_of(verdict->secondary);
    f->secondary_labelled += bits_of(row->secondary);
}

static void
count_rules(struct corpus *corpus,
            const struct labelled *row,
            const struct verdict *verdict)
{
    const struct taxonomy_row *label =
        taxonomy_row(corpus->dictionary->taxonomy, row->subcategory);

    for (size_t i = 0; i < verdict->evidence_count; i++) {
        size_t index =
            rules_find(corpus->dictionary->rules, verdict->evidence[i].rule);
        const struct rule *rule = rules_get(corpus->dictionary->rules, index);

        if (rule == NULL) {
            continue;
        }
        corpus->rules[index].spoke++;
        corpus->rules[index].category_right += rule->category == row->category;
        corpus->rules[index].class_right +=
            label == NULL ? rule->category == row->category
                          : rule->class_index == label->class_index;
    }
}

static enum err_code
judge_row_cb(void *context, const struct labelled *row, struct err *err)
{
    struct corpus *corpus = context;
    struct ticket unknown = row->ticket;
    struct verdict verdict;
    bool wrong;

    (void)err;
    unknown.type = TICKET_TYPE_UNKNOWN;
    corpus->figures.rows++;
    classify_ticket(corpus->dictionary, corpus->scratch, &unknown, &verdict);
    count_unknown(corpus, row, &verdict);
    count_rules(corpus, row, &verdict);
    wrong = verdict.category != row->category;
    if (corpus->options->errors && !corpus->options->type_known && wrong) {
        put_error(corpus, row, &verdict);
    }
    if (row->ticket.type != TICKET_TYPE_COMPLAINT) {
        return ERR_OK;
    }
    classify_ticket(corpus->dictionary, corpus->scratch, &row->ticket,
                    &verdict);
    count_known(corpus, row, &verdict);
    wrong = verdict.category != row->category ||
            verdict.subcategory != row->subcategory;
    if (corpus->options->errors && corpus->options->type_known && wrong) {
        put_error(corpus, row, &verdict);
    }
    return ERR_OK;
}

static enum err_code
judge_file(struct corpus *corpus, const char *path, struct err *err)
{
    const struct taxonomy *taxonomy = corpus->dictionary->taxonomy;

    if (corpus->options->truth != NULL) {
        return labelled_read_ndjson(path, corpus->options->truth, taxonomy,
                                    judge_row_cb, corpus, err);
    }
    return labelled_read(path, taxonomy, judge_row_cb, corpus, err);
}

/* ---------------------------------------------------------------- printing */

static void
put_confusion(const struct figures *f, struct buf *out)
{
    double sum = 0;
    size_t right = 0;
    unsigned classes = 0;

    buf_put_text(out, "\ntype unknown: rows are the labels, columns the "
                      "judgement\n          ");
    for (size_t c = 0; c < CLASSES; c++) {
        buf_printf(out, "%9s", ticket_category_wire((enum ticket_category)c));
    }
    buf_put_text(out, "  precision  recall      F1\n");
    for (size_t a = 0; a < CLASSES; a++) {
        size_t labelled = 0;
        size_t judged = 0;
        double precision;
        double recall;
        double f1;

        buf_printf(out, "%-10s", ticket_category_wire((enum ticket_category)a));
        for (size_t b = 0; b < CLASSES; b++) {
            buf_printf(out, "%9zu", f->confusion[a][b]);
            labelled += f->confusion[a][b];
            judged += f->confusion[b][a];
        }
        precision = share(f->confusion[a][a], judged);
        recall = share(f->confusion[a][a], labelled);
        f1 = precision + recall > 0
                 ? 2 * precision * recall / (precision + recall)
                 : 0;
        buf_printf(out, "%11.2f%8.2f%8.2f\n", precision, recall, f1);
        right += f->confusion[a][a];
        if (labelled > 0) {
            sum += f1;
            classes++;
        }
    }
    buf_printf(out, "macro-F1 %.2f   accuracy %.2f   of %zu rows\n",
               classes > 0 ? sum / classes : 0.0, share(right, f->rows),
               f->rows);
}

static void
put_tally(struct buf *out, const char *name, const struct tally *tally)
{
    buf_printf(out, "%-28s %6.2f   (%zu of %zu)\n", name,
               share(tally->right, tally->all), tally->right, tally->all);
}

static void
put_figures(const struct figures *f, struct buf *out)
{
    double precision = share(f->secondary_hit, f->secondary_judged);
    double recall = share(f->secondary_hit, f->secondary_labelled);
    size_t none = 0;

    put_confusion(f, out);
    for (size_t c = 0; c < CLASSES; c++) {
        none += f->confusion[TICKET_CATEGORY_NONE][c];
    }
    buf_printf(
        out, "none recall %.2f\n\ncomplaints, type known\n",
        share(f->confusion[TICKET_CATEGORY_NONE][TICKET_CATEGORY_NONE], none));
    put_tally(out, "category (five ways)", &f->known);
    put_tally(out, "second level", &f->subcategory);
    put_tally(out, "third level, where labelled", &f->topic);
    buf_printf(out, "%-28s %6.2f   (precision %.2f, recall %.2f)\n",
               "secondary, micro-F1",
               precision + recall > 0
                   ? 2 * precision * recall / (precision + recall)
                   : 0.0,
               precision, recall);
    buf_put_text(out, "\nall rows\n");
    put_tally(out, "region (three ways)", &f->region);
    put_tally(out, "region (urban or rural)", &f->region_two);
    buf_put_text(out, "\nconfidence   rows   said   right\n");
    for (size_t i = 0; i < CALIBRATION_STEPS; i++) {
        const struct tally *tally = &f->calibration[i];

        if (tally->all > 0) {
            buf_printf(out, "%.1f-%.1f     %6zu  %5.2f   %5.2f\n",
                       (double)i / 10, (double)(i + 1) / 10, tally->all,
                       f->calibration_sum[i] / (double)tally->all,
                       (double)tally->right / (double)tally->all);
        }
    }
}

static void
put_rules(const struct corpus *corpus)
{
    buf_put_text(corpus->out, "rule                              spoke  "
                              "category right  class right\n");
    for (size_t i = 0; i < rules_count(corpus->dictionary->rules); i++) {
        const struct rule *rule = rules_get(corpus->dictionary->rules, i);
        const struct rule_tally *tally = &corpus->rules[i];

        display_put_cell(corpus->out, rule->id, 32, DISPLAY_LEFT);
        buf_printf(corpus->out, "%7zu %14.0f %% %10.0f %%\n", tally->spoke,
                   share(tally->category_right, tally->spoke),
                   share(tally->class_right, tally->spoke));
    }
}

enum err_code
check_corpus(const struct dictionary *dictionary,
             char **paths,
             size_t path_count,
             const struct check_corpus_options *options,
             struct buf *out,
             struct err *err)
{
    struct corpus corpus = {
        .dictionary = dictionary, .options = options, .out = out};
    enum err_code code;

    corpus.rules =
        calloc(rules_count(dictionary->rules) + 1, sizeof(*corpus.rules));
    if (corpus.rules == NULL) {
        return err_set(err, ERR_NO_MEMORY, "check");
    }
    code = classify_scratch_new(dictionary, &corpus.scratch, err);
    for (size_t i = 0; code == ERR_OK && i < path_count; i++) {
        code = judge_file(&corpus, paths[i], err);
    }
    if (code == ERR_OK) {
        if (options->rules) {
            put_rules(&corpus);
        }
        put_figures(&corpus.figures, out);
    }
    classify_scratch_free(&corpus.scratch);
    free(corpus.rules);
    return code;
}
