#!/bin/sh
# The measurements of bench/README.md: a table, and bench/results/DATE.json.
#   bench/run.sh [--count N] [--runs N] [--connections N] [--window BYTES]
#                [--build DIR] [--dir DIR] [--scenario WORD] [--events on|off]
#                [--seconds N] [--feed-rate N] [--query-rate N] [--single N]
set -eu
cd "$(dirname "$0")/.."

count=300000 # tickets a run
runs=3
connections=2
window=8388608
build=build/release
parent=${TMPDIR:-/tmp}
scenario=normal
events=on
seconds=3        # of each rate of the open loop
feed_rate=50000  # lines a second beside the queries
query_rate=50    # queries a second, five kinds together
single=100000    # lines of the single requests, half of them in each run

usage() {
    sed -n 's/^# \{0,1\}//p' "$0" | sed -n '2,5p' >&2
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
    --seconds) seconds=$2 ;;
    --feed-rate) feed_rate=$2 ;;
    --query-rate) query_rate=$2 ;;
    --single) single=$2 ;;
    *) usage ;;
    esac
    shift 2
done

bench=$build/suqiu-bench
suqiu=$build/suqiu
tmp=$(mktemp -d "$parent/suqiu-bench-XXXXXX")
supervisor=
# shellcheck source=bench/lib.sh
. bench/lib.sh

clean_up() {
    [ -z "$supervisor" ] || kill "$supervisor" 2>/dev/null || true
    rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 3' INT TERM

# CPU time of the server so far, in ticks of the kernel.
cpu_ticks() {
    sed 's/^.*) //' "/proc/$pid/stat" | awk '{ print $12 + $13 }'
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
    own_kib=$(own_memory)
    written=$(sed -n 's/^write_bytes: //p' "/proc/$pid/io" |
        awk -v n="$count" '{ printf "%.0f", $1 / n }')
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
    keep process "$1" "{\"feed_cpu_us_a_ticket\":$(tail -n 1 "$tmp/cpu"),\"own_kib\":$own_kib,\"written_bytes_a_ticket\":${written:-0},\"first_start_us\":$first_us,\"restart_us\":$restart_us}"
    lines_per_ack=$(printf '%s\n' "$fed" | number lines_per_ack)
    printf '%s\n' "$fed" | number tickets_per_second >>"$tmp/tickets"
    printf '%s\n' "$fed" | number lines_per_second >>"$tmp/lines"
    for percentile in p50 p99 p99.9; do
        printf '%s\n' "$fed" | number "$percentile" >>"$tmp/$percentile"
    done
    printf '%s\n' "$own_kib" >>"$tmp/own"
    printf '%s\n' "${written:-0}" >>"$tmp/written"
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

# The open loop to the knee, then at half of it, on a fresh directory.
run_open() {
    rm -rf "$tmp/data"
    start_server
    opened=$("$bench" open --port "$feed" --sweep --rate 2000 \
        --seconds "$seconds" --start -40) || give_up "the open loop failed"
    stop_server
    check_store
    keep open 1 "$opened"
}

# One ticket a request, beside a server that does nothing.
run_single() {
    rm -rf "$tmp/data"
    start_server
    singles=$("$bench" http-single --port "$http" --count "$single" \
        --events off --start -7) || give_up "the requests failed"
    bulk=$("$bench" http --port "$http" --count "$single" --events off \
        --start -30) || give_up "the requests failed"
    stop_server
    check_store
    keep http_single 1 "$singles"
    keep http 1 "$bulk"
}

# Queries on the data of the last run, first alone, then a feed beside them.
run_query() {
    start_server
    alone=$("$bench" query --http "$http" --alone 50 \
        --from "$(date -d '-7 days' +%Y-%m-%d)" --to "$(date +%Y-%m-%d)") ||
        give_up "the queries failed"
    keep query_alone 1 "$alone"
    asked=$("$bench" query --http "$http" --feed "$feed" --rate "$query_rate" \
        --feed-rate "$feed_rate" --seconds 10 --events off --start -3 --days 2 \
        --from "$(date -d '-7 days' +%Y-%m-%d)" --to "$(date +%Y-%m-%d)") ||
        give_up "the queries failed"
    stop_server
    check_store
    keep query 1 "$asked"
}

# line_with WORD <<LINES: the line with it
line_with() {
    grep -F "$1" | head -n 1
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
flush_before=$("$bench" flush --dir "$tmp" --times 300)
keep_machine
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
say "checking the last store"
check_store
paste "$tmp/lines" "$tmp/bare" | awk '{ print $1 / $2 }' >"$tmp/ratio"
used_bytes=$(printf '%s\n' "$totals" | number used_bytes)
sent_bytes=$(number bytes <"$tmp/truth")
say "queries beside a feed"
run_query
say "the open loop: rates up to the knee"
run_open
say "one ticket a request"
run_single
say "each step alone"
parts=$("$bench" parts --count 5000 --dir "$tmp") || give_up "the parts failed"
keep part 1 "$parts"
flush_after=$("$bench" flush --dir "$tmp" --times 300)
keep flush "$runs" "$flush_after"

flush_us=$(printf '%s\n' "$flush_after" | number flush_us_median)
half=$(printf '%s\n' "$opened" | line_with '"step":"half"')
printf '%-38s median  (lowest .. highest)  goal\n' \
    "$machine, $(nproc) processors"
row "feed, durable records/s" "$tmp/lines" 1 "%.0f" ">= 300000"
row "feed, durable tickets/s" "$tmp/tickets" 1 "%.0f"
row "bare LMDB, same bytes, records/s" "$tmp/bare" 1 "%.0f"
row "ratio to the bare LMDB" "$tmp/ratio" 1 "%.3f" ">= 0.30"
row "server CPU, us a ticket" "$tmp/cpu" 1 "%.1f"
row "closed loop, ack p99, ms" "$tmp/p99" 1000 "%.1f"
row_of "one ticket a request, requests/s" \
    "$(printf '%s\n' "$singles" | number requests_per_second_mean)" 1 "%.0f"
row_of "ratio to an empty evhttp" \
    "$(printf '%s\n' "$singles" | number ratio_to_empty)" 1 "%.3f" ">= 0.5"
row_of "500 tickets a request, records/s" \
    "$(printf '%s\n' "$bulk" | number lines_per_second)" 1 "%.0f"
row_of "open loop, knee, records/s" \
    "$(printf '%s\n' "$opened" | line_with '"step":"knee"' | number rate)" 1 "%.0f"
if [ -n "$half" ]; then
    row_of "half the knee, ack p99, ms" "$(printf '%s\n' "$half" | number p99)" \
        1000 "%.1f" "<= $(awk -v f="$flush_us" 'BEGIN { print 20 + 3 * f / 1000 }')"
    row_of "half the knee, ack p99.9, ms" \
        "$(printf '%s\n' "$half" | number 'p99\.9')" 1000 "%.1f" "<= 100"
fi
for kind in repeat_callers overdue ticket counters tickets; do
    row_of "query $kind, p99, ms" "$(printf '%s\n' "$asked" |
        line_with "\"query\":\"$kind\"" | number p99)" 1000 "%.1f" "<= 20"
done
row_of "feed beside the queries, records/s" "$(printf '%s\n' "$asked" |
    line_with '"query":"feed"' | number lines_per_second)" 1 "%.0f" \
    ">= $((feed_rate * 9 / 10))"
row "own memory, MiB" "$tmp/own" 1024 "%.0f" "<= 1536"
row "resident peak, MiB" "$tmp/peak" 1024 "%.0f"
row "restart until ready, ms" "$tmp/restart" 1000 "%.0f" "<= 1000"
row_of "disk, bytes a byte of JSON" \
    "$(awk -v u="$used_bytes" -v s="$sent_bytes" 'BEGIN { print u / s }')" \
    1 "%.2f" "<= 1.5"
row "written to disk, KiB a ticket" "$tmp/written" 1024 "%.1f"
printf '%-38s %s, then %s\n' "flush of 4 KiB, us" \
    "$(printf '%s\n' "$flush_before" | number flush_us_median)" "$flush_us"
printf '%-38s %s\n' "counts and fsck" "as generated, no difference"

# The newest of the longer measurements, if there are any.
peers=$(find bench/results -name 'peers-*.json' | sort | tail -n 1)
if [ -n "$peers" ]; then
    say "peers, as measured in $peers:"
    bench/peers/table.sh "$peers"
fi
