/* A verdict as one JSON object; the names are those of the contract. */
#include "server/cli/verdict_json.h"

#include "analyzers/taxonomy.h"

/* The Chinese name of a row, or null. */
static void
put_name(struct json_out *json,
         const char *key,
         const struct dictionary *dictionary,
         int32_t row)
{
    const struct taxonomy_row *found = taxonomy_row(dictionary->taxonomy, row);

    json_key(json, key);
    if (found == NULL) {
        json_null(json);
    } else {
        json_string(json, found->chinese);
    }
}

static void
put_evidence(struct json_out *json, const struct evidence *one)
{
    json_open_object(json);
    json_put_string(json, "rule", one->rule);
    json_put_text(json, "field", evidence_field_name(one->field));
    json_put_uint(json, "start", one->start);
    json_put_uint(json, "end", one->end);
    json_key(json, "text");
    json_string(json, one->text.data != NULL ? one->text : SPAN_LITERAL(""));
    json_put_double(json, "weight", one->weight / 100.0);
    json_close_object(json);
}

static void
put_lists(struct json_out *json, const struct verdict *verdict)
{
    json_key(json, "secondary");
    json_open_array(json);
    for (unsigned c = 1; c < TICKET_CATEGORY_COUNT; c++) {
        if ((verdict->secondary >> c & 1) != 0) {
            json_text(json, ticket_category_wire((enum ticket_category)c));
        }
    }
    json_close_array(json);
    json_put_text(json, "region", ticket_region_wire(verdict->region));
    json_key(json, "evidence");
    json_open_array(json);
    for (size_t i = 0; i < verdict->evidence_count; i++) {
        put_evidence(json, &verdict->evidence[i]);
    }
    json_close_array(json);
    json_key(json, "region_evidence");
    put_evidence(json, &verdict->region_evidence);
    json_key(json, "flags");
    json_open_array(json);
    for (unsigned i = 0; i < VERDICT_FLAG_COUNT; i++) {
        if ((verdict->flags >> i & 1) != 0) {
            json_text(json, verdict_flag_name((enum verdict_flag)(1u << i)));
        }
    }
    json_close_array(json);
}

void
verdict_put_members(struct json_out *json,
                    const struct dictionary *dictionary,
                    const struct verdict *verdict)
{
    json_put_text(json, "category", ticket_category_wire(verdict->category));
    put_name(json, "subcategory", dictionary, verdict->subcategory);
    put_name(json, "topic", dictionary, verdict->topic);
    json_put_double(json, "confidence", verdict->confidence_permille / 1000.0);
    json_key(json, "runner_up");
    if (verdict->runner_up == TICKET_CATEGORY_NONE) {
        json_null(json);
    } else {
        json_text(json, ticket_category_wire(verdict->runner_up));
    }
    put_lists(json, verdict);
}

void
verdict_put_json(struct json_out *json,
                 const struct dictionary *dictionary,
                 const struct ticket *ticket,
                 const struct verdict *verdict)
{
    json_open_object(json);
    json_put_string(json, "id", ticket->id);
    verdict_put_members(json, dictionary, verdict);
    json_close_object(json);
}
