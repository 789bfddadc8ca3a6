/* A verdict as one JSON object; the names are those of the contract. */
#include "server/serve/verdict_json.h"

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

void
verdict_put_evidence(struct json_out *json,
                     const struct evidence *one,
                     struct span text)
{
    json_open_object(json);
    json_put_string(json, "rule", one->rule);
    json_put_text(json, "field", evidence_field_name(one->field));
    json_put_uint(json, "start", one->start);
    json_put_uint(json, "end", one->end);
    json_put_string(json, "text", text.data != NULL ? text : SPAN_LITERAL(""));
    json_put_double(json, "weight", one->weight / 100.0);
    if (one->category != TICKET_CATEGORY_NONE) {
        json_put_text(json, "category", ticket_category_wire(one->category));
    }
    json_close_object(json);
}

void
verdict_put_secondary(struct json_out *json, unsigned secondary)
{
    json_key(json, "secondary");
    json_open_array(json);
    for (unsigned c = 1; c < TICKET_CATEGORY_COUNT; c++) {
        if ((secondary >> c & 1) != 0) {
            json_text(json, ticket_category_wire((enum ticket_category)c));
        }
    }
    json_close_array(json);
}

void
verdict_put_flags(struct json_out *json, unsigned flags)
{
    json_key(json, "flags");
    json_open_array(json);
    for (unsigned i = 0; i < VERDICT_FLAG_COUNT; i++) {
        if ((flags >> i & 1) != 0) {
            json_text(json, verdict_flag_name((enum verdict_flag)(1u << i)));
        }
    }
    json_close_array(json);
}

void
verdict_put_runner_up(struct json_out *json, enum ticket_category runner_up)
{
    json_key(json, "runner_up");
    json_text(json, runner_up == TICKET_CATEGORY_NONE
                        ? NULL
                        : ticket_category_wire(runner_up));
}

void
verdict_put_json(struct json_out *json,
                 const struct dictionary *dictionary,
                 const struct ticket *ticket,
                 const struct verdict *verdict)
{
    json_open_object(json);
    json_put_string(json, "id", ticket->id);
    json_put_text(json, "category", ticket_category_wire(verdict->category));
    put_name(json, "subcategory", dictionary, verdict->subcategory);
    put_name(json, "topic", dictionary, verdict->topic);
    json_put_double(json, "confidence", verdict->confidence_permille / 1000.0);
    verdict_put_runner_up(json, verdict->runner_up);
    verdict_put_secondary(json, verdict->secondary);
    json_put_text(json, "region", ticket_region_wire(verdict->region));
    json_key(json, "evidence");
    json_open_array(json);
    for (size_t i = 0; i < verdict->evidence_count; i++) {
        verdict_put_evidence(json, &verdict->evidence[i],
                             verdict->evidence[i].text);
    }
    json_close_array(json);
    json_key(json, "region_evidence");
    verdict_put_evidence(json, &verdict->region_evidence,
                         verdict->region_evidence.text);
    verdict_put_flags(json, verdict->flags);
    json_put_text(json, "dictionary", dictionary->version);
    json_close_object(json);
}
