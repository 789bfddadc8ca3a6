# Shell shared by the scripts of bench/; they set bench, suqiu, build, tmp, results.
# shellcheck shell=sh disable=SC2034,SC2154 # variables of the scripts

say() {
    printf '%s\n' "bench: $*" >&2
}

give_up() {
    say "$*"
    exit 1
}

# number KEY <<JSON: the number of a key; the first that stands there.
number() {
    sed -n "s/.*\"$1\":\(-\{0,1\}[0-9.]*\).*/\1/p" | head -n 1
}

# keep WHAT RUN JSON: the lines of a result, each one line of the results
keep() {
    printf '%s\n' "$3" | sed "s/^{/{\"what\":\"$1\",\"run\":$2,/" >>"$results"
}

# The line that says on what it was measured.
keep_machine() {
    machine=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
    kind=$(sed -n 's/^CMAKE_BUILD_TYPE:[^=]*=//p' "$build/CMakeCache.txt" | tr a-z A-Z)
    flags=$(sed -n "s/^CMAKE_C_FLAGS_$kind:[^=]*=//p" "$build/CMakeCache.txt")
    keep machine 0 "{\"at\":\"$(date +%Y-%m-%dT%H:%M:%S%z)\",\"processor\":\"$machine\",\"processors\":$(nproc),\"kernel\":\"$(uname -r)\",\"file_system\":\"$(stat -f -c %T "$tmp")\",\"version\":\"$("$suqiu" version | head -n 1)\",\"compiler\":\"$(cc --version 2>/dev/null | head -n 1)\",\"flags\":\"$flags\",\"commit\":\"$(git rev-parse --short HEAD 2>/dev/null || echo unknown)\"}"
}

# Start the server on $tmp/data; sets supervisor, http, feed, pid, ready_us.
start_server() {
    rm -f "$tmp/report"
    mkfifo "$tmp/report"
    "$bench" supervise "$suqiu" serve --data "$tmp/data" --http-port 0 \
        --feed-port 0 --auth off --log-level warn >"$tmp/report" &
    supervisor=$!
    exec 3<"$tmp/report"
    read -r ready <&3 || give_up "the server did not start"
    http=$(printf '%s\n' "$ready" | number http)
    feed=$(printf '%s\n' "$ready" | number feed)
    pid=$(printf '%s\n' "$ready" | number pid)
    ready_us=$(printf '%s\n' "$ready" | number ready_us)
}

# Stop it; sets ended.
stop_server() {
    kill -TERM "$supervisor"
    read -r ended <&3 || give_up "the server left no report"
    exec 3<&-
    wait "$supervisor" || give_up "the server ended badly: $ended"
    supervisor=
}

# What the server has allocated now, KiB.
own_memory() {
    sed -n 's/^RssAnon:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status"
}

check_store() {
    "$suqiu" fsck --data "$tmp/data" >"$tmp/fsck" 2>&1 || {
        cat "$tmp/fsck" >&2
        give_up "fsck found differences; no rate is worth printing"
    }
}

median() {
    sort -n "$1" | awk '{ v[NR] = $1 } END {
        print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# row NAME FILE DIVISOR FORMAT [GOAL]: a line of the table; a goal is ">= N" or
# "<= N" in the unit of the line
row() {
    value=$(median "$2")
    low=$(sort -n "$2" | head -n 1)
    high=$(sort -n "$2" | tail -n 1)
    awk -v n="$1" -v v="$value" -v l="$low" -v h="$high" -v d="$3" \
        -v f="$4" -v t="${5:-}" 'BEGIN {
        v /= d; l /= d; h /= d
        split(t, test, " ")
        verdict = ""
        if (test[1] == ">=") verdict = v >= test[2] ? "pass" : "MISS"
        if (test[1] == "<=") verdict = v <= test[2] ? "pass" : "MISS"
        printf "%-38s " f "  (" f " .. " f ")  %s %s\n", n, v, l, h, t, verdict
    }'
}

# row_of NAME VALUE DIVISOR FORMAT [GOAL]: the same of one value
row_of() {
    printf '%s\n' "$2" >"$tmp/one"
    row "$1" "$tmp/one" "$3" "$4" "${5:-}"
}
