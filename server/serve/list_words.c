/* Chinese for the wire words of lists. */
#include "server/serve/list_words.h"

#include <string.h>

#include "analyzers/ticket.h"

/* Words of answers that are no words of records. */
static const struct {
    const char *column;
    const char *wire;
    const char *chinese;
} answer_words[] = {
    {"state", "open", "处理中"},
    {"state", "replied", "已答复"},
    {"state", "closed", "已办结"},
    {"flags", "test_ticket", "内部测试"},
    {"flags", "not_utility", "非供电业务"},
    {"flags", "multi_topic", "多个诉求"},
    {"flags", "truncated_scan", "超长未全判"},
    {"flags", "incomplete", "判定未完"},
    {"flags", "false_claim", "文中否认投诉"},
    {"key", "customer", "户号"},
    {"key", "caller", "来电号码"},
    {"key", "address", "用电地址"},
    {"key", "related", "前期工单"},
    {"excluded", "final_reply", "已最终答复"},
    {"excluded", "threshold", "未达次数"},
};

struct span
list_word_chinese(const char *column, struct span wire)
{
    enum ticket_type type;
    enum ticket_channel channel;
    enum ticket_region region;
    enum ticket_category category;

    if (strcmp(column, "type") == 0 && ticket_type_from(wire, &type)) {
        return span_of(ticket_type_chinese(type));
    }
    if (strcmp(column, "channel") == 0 && ticket_channel_from(wire, &channel)) {
        return span_of(ticket_channel_chinese(channel));
    }
    if (strcmp(column, "region") == 0 && ticket_region_from(wire, &region)) {
        return span_of(ticket_region_chinese(region));
    }
    if (strcmp(column, "category") == 0 &&
        ticket_category_from(wire, &category)) {
        return span_of(ticket_category_chinese(category));
    }
    for (size_t i = 0; i < sizeof(answer_words) / sizeof(answer_words[0]);
         i++) {
        if (strcmp(answer_words[i].column, column) == 0 &&
            span_is(wire, answer_words[i].wire)) {
            return span_of(answer_words[i].chinese);
        }
    }
    return wire;
}
