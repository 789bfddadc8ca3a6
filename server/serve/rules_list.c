/* GET /v1/rules: the rules in force, how often each spoke and what won. */
#include "server/serve/rules_list.h"

#include <stdio.h>

#include "analyzers/taxonomy.h"
#include "server/rulebook/reload.h"
#include "server/serve/lists.h"

static const char *const rules_params[] = {
    "category", "never_hit", "always_lost", "q", "text", "order", NULL};

static const struct list_column columns[] = {
    {"id", "编号", LIST_TEXT},
    {"category", "类别", LIST_TEXT},
    {"subcategory", "二级分类", LIST_TEXT},
    {"topic", "三级分类", LIST_TEXT},
    {"weight", "分值", LIST_REAL},
    {"scope", "范围", LIST_TEXT},
    {"hits_today", "今日命中", LIST_INT},
    {"hits", "累计命中", LIST_INT},
    {"last_hit_at", "最近命中", LIST_TIME},
    {"lost", "未被采纳", LIST_INT},
    {"lost_to", "被谁否定", LIST_WORDS},
    {"cost_us", "最坏用时微秒", LIST_REAL},
    {"pattern", "词句", LIST_TEXT},
    {"also", "同时", LIST_TEXT},
    {"unless", "除非", LIST_TEXT},
    {"table", "表", LIST_TEXT},
    {"line", "行", LIST_INT},
    {"matched", "命中的词", LIST_TEXT}, /* with a text only */
};
enum { COLUMN_COUNT = sizeof(columns) / sizeof(columns[0]) };

const struct list_column *
rules_list_columns(bool with_text, size_t *count)
{
    *count = with_text ? COLUMN_COUNT : COLUMN_COUNT - 1;
    return columns;
}

static struct span
given(struct span text)
{
    return text.bytes > 0 ? text : (struct span){NULL, 0};
}

static struct span
row_name(const struct dictionary *dictionary, int32_t row)
{
    const struct taxonomy_row *found = taxonomy_row(dictionary->taxonomy, row);

    return found != NULL ? found->chinese : (struct span){NULL, 0};
}

static struct span
subcategory_name(const struct dictionary *dictionary, const struct rule *rule)
{
    return rule->class_index < 0
               ? (struct span){NULL, 0}
               : row_name(dictionary,
                          taxonomy_class_row(dictionary->taxonomy,
                                             (size_t)rule->class_index));
}

/* ["outage=12","none=3"]: what was judged instead, most first. */
static void
put_lost_to(struct list_writer *writer, const struct ledger_rule_hits *hits)
{
    char texts[TICKET_CATEGORY_COUNT][48];
    struct span words[TICKET_CATEGORY_COUNT];
    bool used[TICKET_CATEGORY_COUNT] = {false};
    size_t count = 0;

    for (;;) {
        int most = -1;

        for (int c = 0; c < TICKET_CATEGORY_COUNT; c++) {
            if (!used[c] && hits->lost[c] > 0 &&
                (most < 0 || hits->lost[c] > hits->lost[most])) {
                most = c;
            }
        }
        if (most < 0) {
            break;
        }
        used[most] = true;
        (void)snprintf(texts[count], sizeof(texts[count]), "%s=%llu",
                       ticket_category_wire((enum ticket_category)most),
                       (unsigned long long)hits->lost[most]);
        words[count] = span_of(texts[count]);
        count++;
    }
    list_words(writer, words, count);
}

void
rules_list_put(struct list_writer *writer,
               const struct dictionary *dictionary,
               const struct rule_view *view,
               bool with_text)
{
    const struct rule *rule = view->rule;

    list_text(writer, rule->id);
    list_text(writer, span_of(rule_side_name(rule)));
    list_text(writer, subcategory_name(dictionary, rule));
    list_text(writer, row_name(dictionary, rule->topic));
    list_real(writer, rule->weight / 100.0);
    list_text(writer, span_of(rule_scope_name(rule->scope)));
    list_int(writer, (int64_t)view->hits.today);
    list_int(writer, (int64_t)view->hits.ever);
    list_time(writer, view->hits.last_us != 0 ? view->hits.last_us : INT64_MAX);
    list_int(writer, (int64_t)view->lost);
    put_lost_to(writer, &view->hits);
    if (view->cost_us >= 0) {
        list_real(writer, (double)(int64_t)(view->cost_us * 10 + 0.5) / 10);
    } else {
        list_none(writer);
    }
    list_text(writer, rule->pattern);
    list_text(writer, given(rule->also));
    list_text(writer, given(rule->unless));
    list_text(writer, span_of(rule->file));
    list_int(writer, (int64_t)rule->line);
    if (with_text) {
        list_text(writer, span_of(view->words != NULL ? view->words : ""));
    }
}

/* ---- the list ---- */

struct rules_list {
    struct rule_list list;
    size_t next;
    bool with_text;
};

static bool
category_word(struct span word, unsigned *out)
{
    enum ticket_category category;

    if (!ticket_category_from(word, &category)) {
        return false;
    }
    *out = (unsigned)category;
    return true;
}

static enum err_code
read_query(const struct params *params,
           struct rule_query *query,
           struct err *err)
{
    struct span order = params_get(params, "order");
    bool given_switch;

    *query = (struct rule_query){.contains = params_get(params, "q"),
                                 .text = params_get(params, "text")};
    if (params_set(params, "category", category_word, ERR_BAD_CATEGORY,
                   "service, business, outage, quality, grid, none",
                   &query->categories, err) != ERR_OK ||
        params_switch(params, "never_hit", &given_switch, &query->never_hit,
                      err) != ERR_OK ||
        params_switch(params, "always_lost", &given_switch, &query->always_lost,
                      err) != ERR_OK) {
        return err->code;
    }
    if (order.bytes > 0 && !rule_order_from(order, &query->order)) {
        return err_set_field(err, ERR_BAD_VALUE, "order",
                             "give table, hits, lost or cost");
    }
    return ERR_OK;
}

static enum err_code
rules_open(void *state,
           const struct list_request *request,
           const struct reader *reader,
           struct span cursor,
           struct err *err)
{
    const struct serve_context *context = request->context;
    struct params from_cursor = {.count = 1};
    struct rules_list *list = state;
    const double *rule_us = NULL;
    struct rule_query query;
    uint64_t next = 0;

    (void)reader;
    if (context->rule_us != NULL) {
        rule_us = context->rule_us(context->data);
    }
    if (rule_us == NULL && context->reload != NULL) {
        reload_measure(context->reload); /* the next one who asks has it */
    }
    from_cursor.items[0] = (struct param){SPAN_LITERAL("cursor"), cursor};
    if (read_query(request->params, &query, err) != ERR_OK ||
        params_uint(&from_cursor, "cursor", 0, RULES_MAX, 0, &next, err) !=
            ERR_OK) {
        return err->code;
    }
    list->with_text = query.text.bytes > 0;
    list->next = (size_t)next;
    return rule_list_build(request->dictionary, context->rule_hits, rule_us,
                           &query, request->now_us, &list->list, err);
}

static const struct list_column *
rules_columns(const void *state, size_t *count)
{
    return rules_list_columns(((const struct rules_list *)state)->with_text,
                              count);
}

static enum err_code
rules_fill(void *state,
           const struct list_request *request,
           const struct reader *reader,
           struct list_writer *writer,
           size_t rows_max,
           bool *more,
           struct err *err)
{
    struct rules_list *list = state;

    (void)reader;
    (void)err;
    for (size_t i = 0; i < rows_max && list->next < list->list.count; i++) {
        rules_list_put(writer, request->dictionary,
                       &list->list.views[list->next++], list->with_text);
    }
    *more = list->next < list->list.count;
    return ERR_OK;
}

static void
rules_put_cursor(const void *state, struct buf *out)
{
    buf_printf(out, "%zu", ((const struct rules_list *)state)->next);
}

static void
rules_put_totals(const void *state,
                 const struct reader *reader,
                 struct json_out *json)
{
    (void)reader;
    json_put_uint(json, "total",
                  ((const struct rules_list *)state)->list.count);
}

static void
rules_close(void *state)
{
    rule_list_release(&((struct rules_list *)state)->list);
}

const struct list_source rules_source = {
    .name = "rules",
    .chinese = "规则",
    .params = rules_params,
    .state_bytes = sizeof(struct rules_list),
    .open = rules_open,
    .columns = rules_columns,
    .fill = rules_fill,
    .put_cursor = rules_put_cursor,
    .put_totals = rules_put_totals,
    .close = rules_close,
};
