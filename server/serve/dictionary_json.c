/* GET /v1/dictionary: the names a page lets people choose from. */
#include "server/serve/dictionary_json.h"

#include "analyzers/calendar.h"
#include "analyzers/deadline.h"
#include "analyzers/indicator.h"
#include "analyzers/taxonomy.h"
#include "server/base/json_out.h"

static void
put_names(struct json_out *json, const struct taxonomy_row *row)
{
    json_put_string(json, "code", row->code);
    json_put_string(json, "name", row->chinese);
    json_put_string(json, "name_en", row->english);
}

static void
put_topics(struct json_out *json,
           const struct taxonomy *taxonomy,
           int32_t subcategory)
{
    json_key(json, "topics");
    json_open_array(json);
    for (int32_t i = 0; i < (int32_t)taxonomy_row_count(taxonomy); i++) {
        const struct taxonomy_row *row = taxonomy_row(taxonomy, i);

        if (row->parent == subcategory) {
            json_open_object(json);
            put_names(json, row);
            json_close_object(json);
        }
    }
    json_close_array(json);
}

static void
put_category(struct json_out *json,
             const struct taxonomy *taxonomy,
             enum ticket_category category)
{
    json_open_object(json);
    json_put_text(json, "code", ticket_category_wire(category));
    json_put_text(json, "name", ticket_category_chinese(category));
    json_key(json, "subcategories");
    json_open_array(json);
    for (int32_t i = 0; i < (int32_t)taxonomy_row_count(taxonomy); i++) {
        const struct taxonomy_row *row = taxonomy_row(taxonomy, i);

        if (row->category == category && row->parent == TAXONOMY_NONE) {
            json_open_object(json);
            put_names(json, row);
            put_topics(json, taxonomy, i);
            json_close_object(json);
        }
    }
    json_close_array(json);
    json_close_object(json);
}

static void
put_clocks(struct json_out *json, const struct deadline_table *table)
{
    json_put_string(json, "deadline_profile", deadline_profile(table));
    json_key(json, "clocks");
    json_open_array(json);
    for (uint32_t i = 0; i < deadline_kind_count(table); i++) {
        json_open_object(json);
        json_put_string(json, "kind", deadline_kind_code(table, i));
        json_put_string(json, "name", deadline_kind_chinese(table, i));
        json_put_string(json, "name_en", deadline_kind_english(table, i));
        json_close_object(json);
    }
    json_close_array(json);
}

enum err_code
dictionary_put_json(const struct dictionary *dictionary,
                    struct buf *out,
                    struct err *err)
{
    struct json_out json;
    char day[PERIOD_NAME_BYTES];

    json_init(&json, out);
    json_open_object(&json);
    json_put_text(&json, "version", dictionary->version);
    json_key(&json, "categories");
    json_open_array(&json);
    for (unsigned c = TICKET_CATEGORY_NONE + 1; c < TICKET_CATEGORY_COUNT;
         c++) {
        put_category(&json, dictionary->taxonomy, (enum ticket_category)c);
    }
    json_close_array(&json);
    put_clocks(&json, dictionary->deadlines);
    json_put_text(
        &json, "calendar_until",
        period_name(PERIOD_DAY, calendar_last_day(dictionary->calendar), day));
    json_close_object(&json);
    buf_put_char(out, '\n');
    return buf_check(out, err);
}
