/* Builds the invented province; writes addresses, telephones, numbers. */
#include "bench/places.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 48, VILLAGE_WORDS = 40 };

static const struct {
    const char *city;
    const char *county;
    bool city_core;
} counties[STATIONS_MIN] = {
    {"银川", "兴庆区", true},     {"银川", "金凤区", true},
    {"银川", "西夏区", true},     {"银川", "永宁县", false},
    {"银川", "贺兰县", false},    {"银川", "灵武市", false},
    {"石嘴山", "大武口区", true}, {"石嘴山", "惠农区", true},
    {"石嘴山", "平罗县", false},  {"吴忠", "利通区", true},
    {"吴忠", "红寺堡区", false},  {"吴忠", "盐池县", false},
    {"吴忠", "同心县", false},    {"吴忠", "青铜峡市", false},
    {"固原", "原州区", true},     {"固原", "西吉县", false},
    {"固原", "隆德县", false},    {"固原", "泾源县", false},
    {"固原", "彭阳县", false},    {"中卫", "沙坡头区", true},
    {"中卫", "中宁县", false},    {"中卫", "海原县", false},
};

static const char *const words[WORDS] = {
    "清水", "长山", "兴旺", "东桥", "南湖", "北塘", "和顺", "永丰",
    "新安", "白石", "金沙", "平川", "石坝", "柳泉", "杨岭", "松涛",
    "高台", "大河", "小坪", "红崖", "丰登", "裕民", "安康", "胜利",
    "向阳", "光华", "团结", "文昌", "迎宾", "滨河", "望远", "云溪",
    "月牙", "双井", "三岔", "五里", "七星", "百花", "千顷", "万寿",
    "古渡", "新渠", "沙湾", "桃园", "梨花", "枣林", "杏坪", "榆钱"};

static const char *const village_words[VILLAGE_WORDS] = {
    "上庄",   "下庄", "前营", "后营", "东滩", "西滩", "南梁", "北梁",
    "王渠",   "李堡", "张湾", "马场", "杨洼", "赵岔", "周塘", "吴沟",
    "和平",   "幸福", "富康", "锦绣", "阳光", "翠湖", "紫荆", "世纪",
    "金桂",   "银杏", "丽景", "华庭", "福临", "康宁", "明珠", "瑞祥",
    "老城根", "新桥", "旧堡", "石磨", "盐湖", "草场", "果园", "苗圃"};

static const char *const estate_ends[4] = {"花园", "小区", "家园", "名苑"};

static void
set_text(struct text *text, const char *a, const char *b, const char *c)
{
    int bytes = snprintf(text->data, sizeof(text->data), "%s%s%s", a, b, c);

    assert(bytes > 0 && (size_t)bytes < sizeof(text->data));
    text->bytes = (uint16_t)bytes;
}

static void
build_station(struct station *station, uint32_t index)
{
    uint32_t county = index % STATIONS_MIN;
    uint32_t rank = index / STATIONS_MIN;
    const char *word = words[(rank + county * 7) % WORDS];
    int bytes;

    station->urban = counties[county].city_core ? rank % 3 != 2 : rank % 4 == 0;
    station->region = station->urban ? "urban" : "rural";
    if (!station->urban && index % 11 == 5) {
        station->region = "remote";
    }
    set_text(&station->city, counties[county].city, "市", "");
    set_text(&station->county, counties[county].county, "", "");
    set_text(&station->town, word, station->urban ? "路" : "镇", "");
    set_text(&station->name, word, "供电所", "");
    set_text(&station->hall, word, "营业厅", "");
    bytes = snprintf(station->unit.data, sizeof(station->unit.data),
                     "宁夏电力/%s供电公司/%s供电公司/%s", counties[county].city,
                     counties[county].county, station->name.data);
    assert(bytes > 0 && (size_t)bytes < sizeof(station->unit.data));
    station->unit.bytes = (uint16_t)bytes;
}

bool
places_init(struct places *places, uint32_t station_count)
{
    assert(station_count >= STATIONS_MIN && station_count <= STATIONS_MAX);
    places->station_count = station_count;
    places->stations = calloc(station_count, sizeof(*places->stations));
    if (places->stations == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < station_count; i++) {
        build_station(&places->stations[i], i);
    }
    return true;
}

void
places_release(struct places *places)
{
    free(places->stations);
    places->stations = NULL;
}

static char *
put_text(char *at, const char *text)
{
    size_t bytes = strlen(text);

    memcpy(at, text, bytes);
    return at + bytes;
}

static char *
put_known(char *at, const struct text *text)
{
    memcpy(at, text->data, text->bytes);
    return at + text->bytes;
}

char *
put_digits(char *at, uint64_t value, unsigned digits)
{
    for (unsigned i = digits; i > 0; i--) {
        at[i - 1] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + digits;
}

/* Without leading zeros; value < 10000 */
static char *
put_small(char *at, uint32_t value)
{
    return put_digits(at, value,
                      value < 10     ? 1
                      : value < 100  ? 2
                      : value < 1000 ? 3
                                     : 4);
}

struct household
places_household(const struct places *places, uint32_t number)
{
    struct household household;
    char *end = household.village;

    household.number = number;
    household.station = &places->stations[number % places->station_count];
    household.bits = random_mix(number);
    end = put_text(end, village_words[(household.bits >> 8) % VILLAGE_WORDS]);
    end = put_text(end, household.station->urban
                            ? estate_ends[(household.bits >> 16) % 4]
                            : "村");
    household.village_bytes = (uint16_t)(end - household.village);
    return household;
}

char *
household_put_address(const struct household *household,
                      uint32_t bits,
                      char *at)
{
    const struct station *station = household->station;
    uint64_t own = household->bits;

    if (bits % 5 != 0) {
        at = put_known(at, &station->city);
    }
    at = put_known(at, &station->county);
    at = put_known(at, &station->town);
    memcpy(at, household->village, household->village_bytes);
    at += household->village_bytes;
    if (!station->urban) {
        at = put_small(at, 1 + (uint32_t)(own >> 24) % 12);
        return put_text(at, "组");
    }
    at = put_small(at, 1 + (uint32_t)(own >> 24) % 40);
    at = put_text(at, "号楼");
    if ((bits >> 8) % 3 == 0) {
        return at; /* the agent did not ask for the door */
    }
    at = put_small(at, 1 + (uint32_t)(own >> 32) % 4);
    at = put_text(at, "单元");
    at = put_small(at, (1 + (uint32_t)(own >> 36) % 18) * 100 + 1 +
                           (uint32_t)(own >> 44) % 4);
    return put_text(at, "室");
}

char *
household_put_phone(uint32_t number, char *at)
{
    memcpy(at, "199000", 6);
    return number < 100000 ? put_digits(at + 6, number, 5)
                           : put_digits(at + 6, number % 10000000, 7);
}

char *
household_put_customer(uint32_t number, char *at)
{
    at[0] = '9';
    at[1] = '9';
    /* Odd and no multiple of 5: a permutation of the eight-digit numbers. */
    return put_digits(at + 2, (uint64_t)number * 61803399 % 100000000, 8);
}

static void
fill(struct phrase_place *out,
     enum phrase_slot slot,
     const char *data,
     uint16_t bytes)
{
    out->data[slot] = data;
    out->bytes[slot] = bytes;
}

void
household_fill_place(const struct household *household,
                     struct phrase_place *out)
{
    const struct station *station = household->station;

    fill(out, SLOT_HALL, station->hall.data, station->hall.bytes);
    fill(out, SLOT_STATION, station->name.data, station->name.bytes);
    fill(out, SLOT_VILLAGE, household->village, household->village_bytes);
}
