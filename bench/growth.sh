#!/bin/sh
# How suqiu behaves as its data grows: one store, fed to 10 thousand, 100
# thousand, 1 million (--full: 10 million) tickets with their events; at each
# size the rate, the queries, memory, file and restart. A table, and
# bench/results/growth-DATE.json.
#   bench/growth.sh [--full] [--sizes "N N"] [--feed-rate N] [--build DIR] [--dir DIR]
set -eu
cd "$(dirname "$0")/.."

sizes="10000 100000 1000000"
feed_rate=50000 # lines a second beside the queries
query_rate=50
seconds=10
build=build/release
parent=${TMPDIR:-/tmp}

while [ $# -gt 0 ]; do
    case $1 in
    --full)
        sizes="10000 100000 1000000 10000000"
        shift
        continue
        ;;
    esac
    [ $# -ge 2 ] || {
        sed -n 's/^# \{0,1\}//p' "$0" | sed -n '5p' >&2
        exit 2
    }
    case $1 in
    --sizes) sizes=$2 ;;
    --feed-rate) feed_rate=$2 ;;
    --query-rate) query_rate=$2 ;;
    --seconds) seconds=$2 ;;
    --build) build=$2 ;;
    --dir) parent=$2 ;;
    *)
        sed -n 's/^# \{0,1\}//p' "$0" | sed -n '5p' >&2
        exit 2
        ;;
    esac
    shift 2
done

bench=$build/suqiu-bench
suqiu=$build/suqiu
part_max=500000       # tickets a part: what the client holds in memory
tickets_a_day=150000  # of the generator's normal scenario
tmp=$(mktemp -d "$parent/suqiu-growth-XXXXXX")
supervisor=
# shellcheck source=bench/lib.sh
. bench/lib.sh

clean_up() {
    [ -z "$supervisor" ] || kill "$supervisor" 2>/dev/null || true
    rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 3' INT TERM

for program in "$bench" "$suqiu"; do
    [ -x "$program" ] || give_up "build first: ./run build"
done
[ "$(stat -f -c %T "$tmp")" != tmpfs ] ||
    give_up "$parent is memory, not a disk; say --dir DIR"
mkdir -p bench/results
results=bench/results/growth-$(date +%Y-%m-%d).json
keep_machine
keep flush 0 "$("$bench" flush --dir "$tmp" --times 300)"

# shellcheck disable=SC2086 # a list
largest=$(printf '%s\n' $sizes | sort -n | tail -n 1)
# Days since the oldest ticket: the parts and the queries' feeds, with reserve.
back=$((largest / tickets_a_day + 2 * (largest / part_max) + 60))
oldest=$(date -d "-$back days" +%Y-%m-%d)
sent=0
json_bytes=0

# feed_part N: N tickets of the next days; sets fed
feed_part() {
    days=$(($1 / tickets_a_day + 1))
    fed=$("$bench" feed --port "$feed" --connections 2 --count "$1" \
        --events on --start "-$back" --days "$days" --truth "$tmp/truth") ||
        give_up "the feed failed"
    back=$((back - days - 1))
    sent=$((sent + $1))
    json_bytes=$((json_bytes + $(printf '%s\n' "$fed" | number bytes)))
}

header=
for size in $sizes; do
    start_server
    while [ "$sent" -lt "$size" ]; do
        part=$((size - sent))
        [ "$part" -le "$part_max" ] || part=$part_max
        feed_part "$part"
    done
    keep grown "$size" "$fed"
    own_kib=$(own_memory)
    stop_server
    start_server
    restart_us=$ready_us
    alone=$("$bench" query --http "$http" --alone 50 --from "$oldest" \
        --to "$(date -d "$oldest +31 days" +%Y-%m-%d)") ||
        give_up "the queries failed"
    keep grown_alone "$size" "$alone"
    # The feed beside them adds a tenth at most, or a small store were none.
    beside=$((size / 10 / seconds))
    [ "$beside" -le "$feed_rate" ] || beside=$feed_rate
    asked=$("$bench" query --http "$http" --feed "$feed" --rate "$query_rate" \
        --feed-rate "$beside" --seconds "$seconds" --events off \
        --start "-$back" --days 1 --from "$oldest" \
        --to "$(date -d "$oldest +31 days" +%Y-%m-%d)") ||
        give_up "the queries failed"
    back=$((back - 2))
    keep grown_query "$size" "$asked"
    fed_bytes=$(printf '%s\n' "$asked" | sed -n '/"query":"feed"/p' | number bytes)
    json_bytes=$((json_bytes + ${fed_bytes:-0}))
    stop_server
    totals=$("$bench" totals "$tmp/data")
    used=$(printf '%s\n' "$totals" | number used_bytes)
    file=$(stat -c %s "$tmp/data/data.mdb")
    # the queries' feed counts, too
    stored=$(printf '%s\n' "$totals" | number tickets)
    [ "$stored" -ge "$sent" ] ||
        give_up "$sent tickets were sent, the store has $stored"
    sent=$stored
    keep grown_store "$size" "{\"tickets\":$stored,\"used_bytes\":$used,\"file_bytes\":$file,\"json_bytes\":$json_bytes,\"own_kib\":$own_kib,\"restart_us\":$restart_us}"
    [ -n "$header" ] || {
        header=1
        printf '%9s %9s %8s %8s %8s %8s | p99 ms: %s\n' tickets lines/s \
            "own MiB" "file MB" "restart" "late p99" \
            "repeat overdue ticket counters list"
    }
    late=$(printf '%s\n' "$asked" | sed -n '/"query":"feed"/p' | number p99)
    printf '%9s %9.0f %8.0f %8.0f %6.0fms %6.0fms |' "$size" \
        "$(printf '%s\n' "$fed" | number lines_per_second)" \
        "$(echo "$own_kib" | awk '{ print $1 / 1024 }')" \
        "$(echo "$used" | awk '{ print $1 / 1e6 }')" \
        "$(echo "$restart_us" | awk '{ print $1 / 1e3 }')" \
        "$(echo "${late:-0}" | awk '{ print $1 / 1e3 }')"
    for kind in repeat_callers overdue ticket counters tickets; do
        printf ' %8.1f' "$(printf '%s\n' "$asked" |
            sed -n "/\"query\":\"$kind\"/p" | number p99 | awk '{ print $1 / 1e3 }')"
    done
    printf '\n'
done
say "checking the store"
check_store
say "fsck: no difference; results are in $results"
