/* Many callers, one place, one matter: what the place of an address is. */
#include "analyzers/hot_spot.h"

#include <stdlib.h>
#include <string.h>

#include "analyzers/settings.h"
#include "analyzers/ticket.h"

/* --- settings --- */

enum { SETTING_CALLERS, SETTING_WINDOW, SETTING_COUNT };

static const struct setting settings_known[SETTING_COUNT] = {
    [SETTING_CALLERS] = {"hot_spot.callers_min", "callers", 2, 1000},
    [SETTING_WINDOW] = {"hot_spot.window_hours", "hours", 1, 744},
};

enum err_code
hot_spot_settings_build(const struct dictionary_file *files,
                        size_t file_count,
                        struct hot_spot_settings **out,
                        struct err *err)
{
    uint64_t values[SETTING_COUNT];
    struct hot_spot_settings *settings;
    enum err_code code =
        settings_read(files, file_count, "hot_spot.", settings_known,
                      SETTING_COUNT, values, err);

    if (code != ERR_OK) {
        return code;
    }
    settings = calloc(1, sizeof(*settings));
    if (settings == NULL) {
        return err_set(err, ERR_NO_MEMORY, "the settings of hot spots");
    }
    settings->callers_min = (uint32_t)values[SETTING_CALLERS];
    settings->window_us = (int64_t)values[SETTING_WINDOW] * US_PER_HOUR;
    *out = settings;
    return ERR_OK;
}

void
hot_spot_settings_free(struct hot_spot_settings **settings)
{
    free(*settings);
    *settings = NULL;
}

/* --- the place --- */

/* Half-width or full-width digit: the household begins. */
static bool
is_digit(uint32_t c)
{
    return (c >= '0' && c <= '9') || (c >= 0xFF10 && c <= 0xFF19);
}

/* ( （ 【 [: what follows is no name. */
static bool
opens_remark(uint32_t c)
{
    return c == '(' || c == 0xFF08 || c == 0x3010 || c == '[';
}

/* Blanks and punctuation: not part of a name. */
static bool
is_noise(uint32_t c)
{
    return c <= 0x2F || (c >= 0x3A && c <= 0x40) || (c >= 0x5B && c <= 0x60) ||
           (c >= 0x7B && c <= 0x7F) || (c >= 0x2000 && c <= 0x206F) ||
           (c >= 0x3000 && c <= 0x303F) || (c >= 0xFF00 && c <= 0xFF0F) ||
           (c >= 0xFF1A && c <= 0xFF20);
}

/* 省 市 县 旗, and 区 unless it is 小区, 社区, 园区, 厂区, 矿区. */
static bool
ends_head(uint32_t c, uint32_t before)
{
    return c == 0x7701 || c == 0x5E02 || c == 0x53BF || c == 0x65D7 ||
           (c == 0x533A && before != 0x5C0F && before != 0x793E &&
            before != 0x56ED && before != 0x5382 && before != 0x77FF);
}

size_t
hot_spot_place(struct span address, char *out)
{
    size_t bytes = 0;
    size_t chars = 0;
    size_t village_end = 0; /* behind 村, 屯 */
    size_t village_chars = 0;
    uint32_t before = 0;

    while (address.bytes > 0) {
        uint32_t c;
        size_t n = utf8_next(address, &c);

        if (is_digit(c) || opens_remark(c)) {
            break;
        }
        if (!is_noise(c)) {
            memcpy(out + bytes, address.data, n);
            bytes += n;
            chars++;
            if (ends_head(c, before) && village_end == 0) {
                bytes = 0;
                chars = 0;
            }
            if (c == 0x6751 || c == 0x5C6F) {
                village_end = bytes;
                village_chars = chars;
            }
            before = c;
        }
        address.data += n;
        address.bytes -= n;
    }
    if (village_end > 0) { /* the group of a village is not its name */
        bytes = village_end;
        chars = village_chars;
    }
    return chars < HOT_SPOT_PLACE_CHARS_MIN ? 0 : bytes;
}
