#!/bin/sh
# The measurements of bench/README.md: a table, and bench/results/DATE.json.
#   bench/run.sh [--count N] [--runs N] [--connections N] [--window BYTES]
#                [--build DIR] [--dir DIR] [--scenario WORD] [--events on|off]
set -eu
cd "$(dirname "$0")/.."

count=1000000
runs=3
connections=2
window=8388608
build=build/release
parent=${TMPDIR:-/tmp}
scenario=normal
events=off

usage() {
    sed -n 's/^# \{0,1\}//p' "$0" | sed -n '2,4p' >&2
    exit 2
}

while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || usage
    case $1 in
    --count) count=$2 ;;
    --runs) runs=$2 ;;
    --connections) connections=$2 ;;
    --window) window=$2 ;;
    --build) build=$2 ;;
    --dir) parent=$2 ;;
    --scenario) scenario=$2 ;;
    --events) events=$2 ;;
    *) usage ;;
    esac
    shift 2
done

bench=$build/suqiu-bench
suqiu=$build/suqiu
tmp=$(mktemp -d "$parent/suqiu-bench-XXXXXX")
supervisor=

clean_up() {
    [ -z "$supervisor" ] || kill "$supervisor" 2>/dev/null || true
    rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 3' INT TERM

say() {
    printf '%s\n' "bench: $*" >&2
}

give_up() {
    say "$*"
    exit 1
}

# number KEY <<JSON: the number of a key; the key stands once.
number() {
    sed -n "s/.*\"$1\":\(-\{0,1\}[0-9.]*\).*/\1/p" | head -n 1
}

# keep WHAT RUN JSON: one line of the results
keep() {
    printf '%s\n' "$3" | sed "s/^{/{\"what\":\"$1\",\"run\":$2,/" >>"$results"
}

# Start the server on $tmp/data; sets http, feed, pid, ready_us.
start_server() {
    rm -f "$tmp/report"
    mkfifo "$tmp/report"
    "$bench" supervise "$suqiu" serve --data "$tmp/data" --http-port 0 \
        --feed-port 0 --auth off --log-level warn >"$tmp/report" &
    supervisor=$!
    exec 3<"$tmp/report"
    read -r ready <&3 || give_up "the server did not start"
    feed=$(printf '%s\n' "$ready" | number feed)
    pid=$(printf '%s\n' "$ready" | number pid)
    ready_us=$(printf '%s\n' "$ready" | number ready_us)
}

# CPU time of the server so far, in ticks of the kernel.
cpu_ticks() {
    sed 's/^.*) //' "/proc/$pid/stat" | awk '{ print $12 + $13 }'
}

# Stop it; sets ended.
stop_server() {
    kill -TERM "$supervisor"
    read -r ended <&3 || give_up "the server left no report"
    exec 3<&-
    wait "$supervisor" || give_up "the server ended badly: $ended"
    supervisor=
}

# What the store has counted must be the truth.
compare_counts() {
    totals=$("$bench" totals "$tmp/data")
    for pair in tickets:tickets events:events duplicates:duplicates \
        versions:versions rejects:bad; do
        stored=$(printf '%s\n' "$totals" | number "${pair%:*}")
        sent=$(number "${pair#*:}" <"$tmp/truth")
        [ "$stored" = "$sent" ] ||
            give_up "${pair%:*}: the store has $stored, sent were $sent;" \
                "no rate is worth printing"
    done
    [ "$(printf '%s\n' "$totals" | number waiting)" = 0 ] ||
        give_up "events still wait for their tickets"
}

run_server() {
    rm -rf "$tmp/data"
    start_server
    ticks=$(cpu_ticks)
    # shellcheck disable=SC2086 # the stream's flags are meant to be split
    fed=$("$bench" feed --port "$feed" --connections "$connections" \
        --window "$window" $stream --truth "$tmp/truth") ||
        give_up "the feed failed"
    ticks=$(($(cpu_ticks) - ticks))
    own_kib=$(sed -n 's/^RssAnon:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status")
    stop_server
    used=$ended
    compare_counts
    peak_kib=$(printf '%s\n' "$used" | number peak_rss_kib)
    first_us=$ready_us
    start_server
    restart_us=$ready_us
    stop_server
    keep feed "$1" "$fed"
    keep server "$1" "$used"
    awk -v t="$ticks" -v hz="$(getconf CLK_TCK)" -v n="$count" \
        'BEGIN { print t / hz / n * 1e6 }' >>"$tmp/cpu"
    keep process "$1" "{\"feed_cpu_us_a_ticket\":$(tail -n 1 "$tmp/cpu"),\"own_kib\":$own_kib,\"first_start_us\":$first_us,\"restart_us\":$restart_us}"
    lines_per_ack=$(printf '%s\n' "$fed" | number lines_per_ack)
    printf '%s\n' "$fed" | number tickets_per_second >>"$tmp/tickets"
    printf '%s\n' "$fed" | number lines_per_second >>"$tmp/lines"
    for percentile in p50 p99 p99.9; do
        printf '%s\n' "$fed" | number "$percentile" >>"$tmp/$percentile"
    done
    printf '%s\n' "$own_kib" >>"$tmp/own"
    printf '%s\n' "$peak_kib" >>"$tmp/peak"
    printf '%s\n' "$restart_us" >>"$tmp/restart"
}

run_lmdb() {
    # shellcheck disable=SC2086 # the same
    bare=$("$bench" lmdb --dir "$tmp" --batch "$lines_per_ack" $stream) ||
        give_up "the bare LMDB failed"
    keep lmdb "$1" "$bare"
    printf '%s\n' "$bare" | number lines_per_second >>"$tmp/bare"
}

median() {
    sort -n "$1" | awk '{ v[NR] = $1 } END {
        print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# row NAME FILE DIVISOR FORMAT [TEST]: a line of the table
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
        printf "%-34s " f "  (" f " .. " f ")  %s %s\n", n, v, l, h, t, verdict
    }'
}

if [ ! -x "$bench" ] || [ ! -x "$suqiu" ]; then
    give_up "$build has no suqiu and suqiu-bench; build them: ./run build"
fi
[ "$(stat -f -c %T "$tmp")" != tmpfs ] ||
    give_up "$parent is memory, not a disk; say --dir DIR"

stream="--count $count --scenario $scenario --events $events --start -7"
mkdir -p bench/results
results=bench/results/$(date +%Y-%m-%d).json
say "$runs runs of $count tickets in $parent; results go to $results"
machine=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
flush_before=$("$bench" flush --dir "$tmp" --times 300)
keep machine 0 "{\"at\":\"$(date +%Y-%m-%dT%H:%M:%S%z)\",\"processor\":\"$machine\",\"processors\":$(nproc),\"kernel\":\"$(uname -r)\",\"file_system\":\"$(stat -f -c %T "$tmp")\",\"version\":\"$("$suqiu" version | head -n 1)\",\"commit\":\"$(git rev-parse --short HEAD 2>/dev/null || echo unknown)\"}"
keep flush 0 "$flush_before"

lines_per_ack=4000
run=1
while [ "$run" -le "$runs" ]; do
    if [ $((run % 2)) -eq 1 ]; then
        run_server "$run"
        run_lmdb "$run"
    else
        run_lmdb "$run"
        run_server "$run"
    fi
    say "run $run: $(tail -n 1 "$tmp/tickets") tickets/s," \
        "bare LMDB $(tail -n 1 "$tmp/bare") lines/s"
    run=$((run + 1))
done
flush_after=$("$bench" flush --dir "$tmp" --times 300)
keep flush "$runs" "$flush_after"
say "checking the last store"
"$suqiu" fsck --data "$tmp/data" >"$tmp/fsck" 2>&1 || {
    cat "$tmp/fsck" >&2
    give_up "fsck found differences; no rate is worth printing"
}
paste "$tmp/lines" "$tmp/bare" | awk '{ print $1 / $2 }' >"$tmp/ratio"

printf '%-34s median  (lowest .. highest)  target\n' "$machine, $(nproc) processors"
row "durable tickets/s" "$tmp/tickets" 1 "%.0f" ">= 100000"
row "durable lines/s" "$tmp/lines" 1 "%.0f"
row "bare LMDB, same bytes, lines/s" "$tmp/bare" 1 "%.0f"
row "ratio to the bare LMDB" "$tmp/ratio" 1 "%.3f"
row "server CPU, us a ticket" "$tmp/cpu" 1 "%.1f"
row "ack p50, ms" "$tmp/p50" 1000 "%.1f"
row "ack p99, ms" "$tmp/p99" 1000 "%.1f"
row "ack p99.9, ms" "$tmp/p99.9" 1000 "%.1f"
row "own memory, MiB" "$tmp/own" 1024 "%.0f" "<= 1024"
row "resident peak, MiB" "$tmp/peak" 1024 "%.0f"
row "restart until ready, ms" "$tmp/restart" 1000 "%.0f" "<= 1000"
printf '%-34s %s, then %s\n' "flush of 4 KiB, us" \
    "$(printf '%s\n' "$flush_before" | number flush_us_median)" \
    "$(printf '%s\n' "$flush_after" | number flush_us_median)"
printf '%-34s %s\n' "counts and fsck" "as generated, no difference"
