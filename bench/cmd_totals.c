/* suqiu-bench totals: the running totals of a data directory, as JSON. */
#include <stdio.h>

#include "bench/commands.h"
#include "server/ledger/reader.h"

static const char usage[] = "totals DIR\n";

int
cmd_totals(int argc, char **argv)
{
    struct store_options options = {UINT64_C(64) << 30};
    struct store *store = NULL;
    struct reader reader;
    struct ledger_totals totals;
    uint64_t used_bytes;
    uint64_t map_bytes;
    struct err err = {0};

    if (argc != 2 || argv[1][0] == '-') {
        return bench_usage(usage, false, false);
    }
    if (store_open(argv[1], STORE_READ, &options, &store, &err) != ERR_OK ||
        reader_begin(store, &reader, &err) != ERR_OK) {
        store_close(&store);
        return bench_fail(&err);
    }
    totals = reader_totals(&reader);
    store_usage(store, &used_bytes, &map_bytes);
    printf("{\"used_bytes\":%llu", (unsigned long long)used_bytes);
#define TOTAL_ROW(name, text)                                                  \
    printf(",\"%s\":%llu", #name, (unsigned long long)totals.name);
#include "server/ledger/totals.def"
#undef TOTAL_ROW
    printf("}\n");
    reader_end(&reader);
    store_close(&store);
    return BENCH_FINE;
}
