# Rules -> the table of ClickHouse: the mask is computed at the insert, the
# counters are a view that sums. No trigger: repeat calls are a query.
BEGIN { FS = "\t"; all = "toUInt64(0)" }
{
    pattern = $3
    gsub(/\\/, "\\\\\\\\", pattern)
    gsub(/\047/, "\\\\\047", pattern)
    test = "match(text, \047" pattern "\047)"
    if ($1 in tests) tests[$1] = tests[$1] " or " test
    else tests[$1] = test
}
END {
    for (bit in tests)
        all = "bitOr(" all ", if(" tests[bit] ", toUInt64(" sprintf("%d", 2 ^ bit) "), toUInt64(0)))"
    print "CREATE TABLE ticket (id String, accepted_at String, caller String, customer String, name String, address String, unit String, type String, text String, hits UInt64 DEFAULT " all ") ENGINE = MergeTree() ORDER BY (caller, accepted_at);"
    print "CREATE MATERIALIZED VIEW counter ENGINE = SummingMergeTree() ORDER BY (day, hits) AS SELECT substring(accepted_at, 1, 10) AS day, hits, toUInt64(1) AS tickets FROM ticket;"
}
