/* Cuts the sentences of phrases.def into literal pieces and slots. */
#include "bench/phrases.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { PHRASES_MAX = 2048, PIECES_MAX = 8192 };

/* The letter of each slot, and what fills it. */
static const struct {
    char letter;
    const char *values; /* NULL: the caller's place */
} slot_table[SLOT_COUNT] = {
    [SLOT_TIME] = {'t',
                   "昨晚八点左右|今天上午|今天下午三点多|昨天中午|前天晚上|"
                   "今早六点|凌晨两点多|昨天傍晚|今天早上八点半|周末两天|"
                   "今天中午十二点左右|昨天下午四点五十|刚才|晚上七点以后"},
    [SLOT_DATE] = {'d', "上个月初|上周三|上个月二十号|半个月前|本月初|"
                        "去年年底|国庆节以前|上周末|本月八号|三个星期前"},
    [SLOT_NUMBER] = {'n', "2|3|4|5|6|7|8|三|四|五|六"},
    [SLOT_MONEY] = {'m', "50|86|120|137.5|168|200|260|318|420|500|638|800|"
                         "960|1200|1560|2300"},
    [SLOT_PERSON] = {'s', "王女士|李先生|张先生|刘女士|陈先生|杨女士|赵先生|"
                          "黄女士|周先生|吴女士|徐先生|孙女士|马先生|朱女士|"
                          "胡先生|郭女士|何先生|高女士|林先生|罗女士"},
    [SLOT_DURATION] = {'w',
                       "半个小时|两个小时|三天|五天|一个星期|十来天|半个月|"
                       "一个月|四十分钟|大半天|二十多天|三个月"},
    [SLOT_OBJECT] = {'o', "冰箱|空调|水泵|电视机|电磁炉|洗衣机|制氧机|烘干机|"
                          "增氧机|电脑|热水器|冷柜"},
    [SLOT_TRADE] = {'e', "小超市|养鸡场|饭店|理发店|木材加工厂|大棚|奶牛场|"
                         "洗车行|冷库|面粉厂|早点铺|养鱼塘"},
    [SLOT_BUSINESS] = {'b', "过户|销户|增容|一户多人口|峰谷电价|充电桩报装|"
                            "改类|移表|低保户登记|电子发票"},
    [SLOT_HALL] = {'h', NULL},
    [SLOT_STATION] = {'u', NULL},
    [SLOT_VILLAGE] = {'v', NULL},
};

static const char *const shared_text[SHARED_COUNT] = {
#define SHARED_PHRASES(name, text) [SHARED_##name] = text,
#include "bench/phrases.def"
#undef SHARED_PHRASES
};

static const struct {
    enum ticket_type type;
    uint32_t weights[PHRASE_SCENARIOS];
    const char *tags;
    const char *cores;
    const char *details;
} matter_text[MATTER_COUNT] = {
#define MATTER(name, type, category, normal, storm, month_end, tags, cores,    \
               details)                                                        \
    [MATTER_##name] = {                                                        \
        TICKET_TYPE_##type, {normal, storm, month_end}, tags, cores, details},
#include "bench/phrases.def"
#undef MATTER
};

static uint8_t
slot_of(char letter)
{
    for (uint8_t slot = 1; slot < SLOT_COUNT; slot++) {
        if (slot_table[slot].letter == letter) {
            return slot;
        }
    }
    assert(!"a slot of phrases.def has no values");
    return SLOT_NONE;
}

static void
add_piece(struct phrases *phrases, const char *data, size_t bytes, uint8_t slot)
{
    assert(phrases->piece_count < PIECES_MAX);
    phrases->pieces[phrases->piece_count++] =
        (struct phrase_piece){data, (uint16_t)bytes, slot};
}

static void
cut_phrase(struct phrases *phrases, const char *at, const char *end)
{
    struct phrase *phrase = &phrases->phrases[phrases->phrase_count];

    assert(phrases->phrase_count < PHRASES_MAX);
    assert((size_t)(end - at) < PHRASE_BYTES_MAX / 2);
    phrases->phrase_count++;
    phrase->first_piece = (uint32_t)phrases->piece_count;
    while (at < end) {
        const char *brace = memchr(at, '{', (size_t)(end - at));

        if (brace == NULL) {
            brace = end;
        }
        if (brace > at) {
            add_piece(phrases, at, (size_t)(brace - at), SLOT_NONE);
        }
        if (brace < end) {
            assert(brace + 2 < end && brace[2] == '}');
            add_piece(phrases, NULL, 0, slot_of(brace[1]));
            brace += 3;
        }
        at = brace;
    }
    phrase->piece_count = (uint32_t)phrases->piece_count - phrase->first_piece;
}

static struct phrase_list
cut_list(struct phrases *phrases, const char *text)
{
    struct phrase_list list = {(uint32_t)phrases->phrase_count, 0};

    for (;;) {
        const char *bar = strchr(text, '|');

        cut_phrase(phrases, text, bar != NULL ? bar : text + strlen(text));
        list.phrase_count++;
        if (bar == NULL) {
            return list;
        }
        text = bar + 1;
    }
}

bool
phrases_init(struct phrases *phrases)
{
    *phrases = (struct phrases){0};
    phrases->phrases = calloc(PHRASES_MAX, sizeof(*phrases->phrases));
    phrases->pieces = calloc(PIECES_MAX, sizeof(*phrases->pieces));
    if (phrases->phrases == NULL || phrases->pieces == NULL) {
        phrases_release(phrases);
        return false;
    }
    for (size_t slot = 1; slot < SLOT_COUNT; slot++) {
        if (slot_table[slot].values != NULL) {
            phrases->slots[slot] = cut_list(phrases, slot_table[slot].values);
        }
    }
    for (size_t i = 0; i < SHARED_COUNT; i++) {
        phrases->shared[i] = cut_list(phrases, shared_text[i]);
    }
    for (size_t i = 0; i < MATTER_COUNT; i++) {
        struct matter_phrases *matter = &phrases->matters[i];

        matter->type = matter_text[i].type;
        memcpy(matter->weights, matter_text[i].weights,
               sizeof(matter->weights));
        matter->tags = cut_list(phrases, matter_text[i].tags);
        matter->cores = cut_list(phrases, matter_text[i].cores);
        matter->details = cut_list(phrases, matter_text[i].details);
    }
    return true;
}

void
phrases_release(struct phrases *phrases)
{
    free(phrases->phrases);
    free(phrases->pieces);
    phrases->phrases = NULL;
    phrases->pieces = NULL;
}

char *
phrases_put(const struct phrases *phrases,
            struct phrase_list list,
            uint32_t index,
            const struct phrase_place *place,
            struct random *random,
            char *at)
{
    const struct phrase *phrase =
        &phrases->phrases[list.first_phrase + index % list.phrase_count];
    const struct phrase_piece *piece = &phrases->pieces[phrase->first_piece];
    const struct phrase_piece *end = piece + phrase->piece_count;

    for (; piece < end; piece++) {
        const char *data = piece->data;
        size_t bytes = piece->bytes;

        if (piece->slot != SLOT_NONE) {
            struct phrase_list values = phrases->slots[piece->slot];

            if (values.phrase_count == 0) {
                data = place->data[piece->slot];
                bytes = place->bytes[piece->slot];
            } else {
                uint32_t value = values.first_phrase +
                                 random_below(random, values.phrase_count);
                const struct phrase_piece *filled =
                    &phrases->pieces[phrases->phrases[value].first_piece];

                data = filled->data;
                bytes = filled->bytes;
            }
        }
        memcpy(at, data, bytes);
        at += bytes;
    }
    return at;
}
