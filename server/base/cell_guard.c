/* Texts that a spreadsheet would run as a formula. */
#include "server/base/cell_guard.h"

bool
cell_is_formula(struct span text)
{
    static const char *const full_width[] = {"\xEF\xBC\x9D", "\xEF\xBC\x8B",
                                             "\xEF\xBC\x8D", "\xEF\xBC\xA0"};

    if (text.bytes == 0) {
        return false;
    }
    if (memchr("=+-@\t\r\n", text.data[0], 7) != NULL) {
        return true;
    }
    for (size_t i = 0; i < sizeof(full_width) / sizeof(full_width[0]); i++) {
        if (span_starts(text, span_of(full_width[i]))) {
            return true;
        }
    }
    return false;
}
