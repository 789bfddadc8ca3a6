#!/bin/sh
# The table of saved results of the peers: medians and ratios of the last sitting.
#   bench/peers/table.sh FILE
set -eu

[ $# -eq 1 ] && [ -f "$1" ] || {
    sed -n 's/^# \{0,1\}//p' "$0" | sed -n '2p' >&2
    exit 2
}

awk '
function text(key,   at) {
    at = index($0, "\"" key "\":\"")
    if (at == 0) return ""
    at = substr($0, at + length(key) + 4)
    return substr(at, 1, index(at, "\"") - 1)
}
function number(key,   at) {
    at = index($0, "\"" key "\":")
    return at == 0 ? 0 : substr($0, at + length(key) + 3) + 0
}
function median(list,   v, n, i, j, x) {
    n = split(list, v, " ")
    for (i = 2; i <= n; i++) {
        x = v[i]
        for (j = i - 1; j > 0 && v[j] + 0 > x + 0; j--) v[j + 1] = v[j]
        v[j + 1] = x
    }
    return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
}
BEGIN {
    order = "naive node postgres redis clickhouse"
    words["naive"] = "C, loop over PCRE2-JIT, LMDB"
    words["node"] = "Node.js, RegExp, lmdb"
    words["postgres"] = "PostgreSQL 15, COPY, triggers"
    words["redis"] = "Redis 7 Streams, Lua function"
    words["clickhouse"] = "ClickHouse 18.16, no fsync"
    # The rate of suqiu is to be so many times that of the peer.
    goal["postgres"] = goal["redis"] = goal["node"] = 10
    goal["clickhouse"] = 3
}
{ what = text("what") }
what == "machine" { split("", own); split("", peer); split("", why) }
what == "skipped" { why[text("peer")] = text("why") }
what == "suqiu" { own[text("beside")] = own[text("beside")] " " number("tickets_per_second") }
what in words { peer[what] = peer[what] " " number("tickets_per_second") }
END {
    printf "%-34s %12s %12s %8s  goal\n", "durable tickets/s, medians", "peer", "suqiu", "ratio"
    count = split(order, names, " ")
    for (i = 1; i <= count; i++) {
        name = names[i]
        if (name in why) printf "%-34s left out: %s\n", words[name], why[name]
        if (!(name in peer)) continue
        p = median(peer[name])
        s = median(own[name])
        printf "%-34s %12.0f %12.0f %8.1f  %s\n", words[name], p, s, s / p, \
            name in goal ? ">= " goal[name] (s / p >= goal[name] ? " pass" : " MISS") : ""
    }
}' "$1"
