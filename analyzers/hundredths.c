/* Decimal numbers of the tables, kept as whole hundredths. */
#include "analyzers/hundredths.h"

bool
hundredths_parse(struct span text, int32_t *out)
{
    int64_t value = 0;
    size_t at = 0;
    size_t digits = 0;
    size_t decimals = 0;
    bool point = false;
    bool minus = false;

    if (text.bytes > 0 && (text.data[0] == '-' || text.data[0] == '+')) {
        minus = text.data[0] == '-';
        at = 1;
    }
    for (; at < text.bytes; at++) {
        char c = text.data[at];

        if (c == '.' && !point) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9' || (point && decimals == 2) || digits == 9) {
            return false;
        }
        value = value * 10 + (c - '0');
        digits++;
        decimals += point;
    }
    if (digits == 0) {
        return false;
    }
    for (; decimals < 2; decimals++) {
        value *= 10;
    }
    if (value >= INT64_C(1000000000)) {
        return false;
    }
    *out = (int32_t)(minus ? -value : value);
    return true;
}
