#!/bin/sh
# What supervisors feel, against goals: the page, its clicks, many open pages
# beside a full feed, Excel. A table, and bench/results/desk-DATE.json.
#   bench/desk.sh [--count N] [--runs N] [--feed N] [--pages N] [--rows N]
#                 [--build DIR] [--dir DIR]
# Needs chromium, node, npm and curl (./run bench desk brings them).
set -eu
cd "$(dirname "$0")/.."

count=1000000 # tickets behind the page
runs=3
feed_count=300000 # tickets of a run beside the pages
pages=200
rows=100000 # of the workbooks
build=build/release
parent=${TMPDIR:-/tmp}

usage() {
    sed -n 's/^# \{0,1\}//p' "$0" | sed -n '4,5p' >&2
    exit 2
}

while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || usage
    case $1 in
    --count) count=$2 ;;
    --runs) runs=$2 ;;
    --feed) feed_count=$2 ;;
    --pages) pages=$2 ;;
    --rows) rows=$2 ;;
    --build) build=$2 ;;
    --dir) parent=$2 ;;
    *) usage ;;
    esac
    shift 2
done

bench=$build/suqiu-bench
suqiu=$build/suqiu
tmp=$(mktemp -d "$parent/suqiu-bench-XXXXXX")
supervisor=
listeners=
# shellcheck source=bench/lib.sh
. bench/lib.sh

clean_up() {
    [ -z "$listeners" ] || kill "$listeners" 2>/dev/null || true
    [ -z "$supervisor" ] || kill "$supervisor" 2>/dev/null || true
    rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 3' INT TERM
rate_none=
rate_off=
rate_on=

# script FILE ARGUMENTS: a program of bench/desk with the browser's packages
script() {
    SUQIU_BUILD=$(cd "$build" && pwd) tests/web/run.sh --script "$@"
}

# values KEY <<JSON: the number of a key in each line that has it
values() {
    sed -n "s/.*\"$1\":\(-\{0,1\}[0-9.]*\).*/\1/p"
}

# ---- the page ----

# All that a browser ever loads of the page, as it goes over the wire.
assets() {
    {
        curl -sf --compressed -o /dev/null -w '%{size_download}\n' "$url/"
        for path in server/web/page/* server/web/vendor/echarts.js; do
            [ "${path##*/}" != index.html ] || continue
            curl -sf --compressed -o /dev/null -w '%{size_download}\n' \
                "$url/assets/${path##*/}" || give_up "no asset $path"
        done
    } | awk '{ n += $1 } END { print n }'
}

run_page() {
    say "a store of $count tickets"
    start_server
    "$bench" feed --port "$feed" --connections 2 --count "$count" --events on \
        --days 7 --start -6 >/dev/null 2>&1 || give_up "the feed failed"
    url=http://127.0.0.1:$http
    asset_bytes=$(assets)
    say "the page in a browser"
    script bench/desk/page.mjs "$url" "$runs" >"$tmp/page" ||
        give_up "the browser failed"
    stop_server
    rm -rf "$tmp/data"
    keep page 0 "$(cat "$tmp/page")"
    values paint_us <"$tmp/page" >"$tmp/paint"
    values now_us <"$tmp/page" >"$tmp/now"
    values server_us <"$tmp/page" | sort -n >"$tmp/click"
}

# ---- open pages beside a full feed ----

# feed_beside PANELS: none, off or on; sets rate
feed_beside() {
    rm -rf "$tmp/data"
    start_server
    if [ "$1" != none ]; then
        rm -f "$tmp/listening"
        mkfifo "$tmp/listening"
        node bench/desk/listeners.mjs "http://127.0.0.1:$http" "$pages" "$1" \
            >"$tmp/listening" &
        listeners=$!
        exec 4<"$tmp/listening"
        read -r _ <&4 || give_up "the pages do not listen"
    fi
    # Tickets of today: each commit is news for every page.
    fed=$("$bench" feed --port "$feed" --connections 2 --count "$feed_count" \
        --events on --days 1 --start -0 2>/dev/null) || give_up "the feed failed"
    if [ "$1" != none ]; then
        kill -TERM "$listeners"
        read -r heard <&4 || give_up "a page was cut off"
        exec 4<&-
        wait "$listeners" || give_up "the pages ended badly"
        listeners=
        keep pages "$run" "{\"panels\":\"$1\",$(printf '%s' "$heard" | cut -c 2-)"
    fi
    stop_server
    keep feed "$run" "$fed"
    rate=$(printf '%s\n' "$fed" | number lines_per_second)
}

run_beside() {
    run=1
    while [ "$run" -le "$runs" ]; do
        # Alternated, and the other way round each second time.
        order="none off on"
        [ $((run % 2)) -eq 1 ] || order="on off none"
        for how in $order; do
            feed_beside "$how"
            eval "rate_$how=$rate"
            say "run $run, pages $how: $rate records/s"
        done
        awk -v a="$rate_off" -v b="$rate_none" 'BEGIN { print a / b }' >>"$tmp/listen"
        awk -v a="$rate_on" -v b="$rate_none" 'BEGIN { print a / b }' >>"$tmp/open"
        run=$((run + 1))
    done
}

# ---- Excel ----

run_sheets() {
    bench/sheets.sh --count "$rows" --build "$build" --dir "$parent" \
        >"$tmp/sheets" || give_up "the workbooks failed"
    keep sheet 0 "$(cat "$tmp/sheets")"
}

# seconds of a step of the workbooks
step() {
    grep -F "\"step\":\"$1\"" "$tmp/sheets" | number "$2"
}

for file in "$bench" "$suqiu"; do
    [ -x "$file" ] || give_up "$file is not built: ./run build"
done
command -v curl >/dev/null || give_up "curl is needed"
[ "$(stat -f -c %T "$tmp")" != tmpfs ] ||
    give_up "$parent is memory, not a disk; say --dir DIR"
mkdir -p bench/results
results=bench/results/desk-$(date +%Y-%m-%d).json
say "results go to $results"
keep_machine
run_page
run_beside
run_sheets

printf '%-38s median  (lowest .. highest)  goal\n' \
    "$machine, $(nproc) processors"
row "first paint, ms" "$tmp/paint" 1000 "%.0f" "<= 500"
row "numbers of Now stand, ms" "$tmp/now" 1000 "%.0f" "<= 500"
row "a click's request, median, ms" "$tmp/click" 1000 "%.1f"
row_of "a click's request, slowest, ms" "$(tail -n 1 "$tmp/click")" 1000 "%.1f" "<= 200"
row_of "page and assets, gzip, KiB" "$asset_bytes" 1024 "%.0f" "<= 400"
row "feed beside $pages listeners, ratio" "$tmp/listen" 1 "%.3f" ">= 0.95"
row "feed beside $pages pages of Now, ratio" "$tmp/open" 1 "%.3f" ">= 0.95"
row_of "xlsx of $rows rows, s" "$(step 'export xlsx' seconds)" 1 "%.1f" "<= 5"
row_of "xlsx beside a feed, s" "$(step 'export beside a feed' seconds)" 1 "%.1f"
row_of "that feed, of what was sent" "$(step 'feed beside an export' kept)" 1 "%.3f" ">= 0.95"
row_of "import of an xlsx of $rows rows, s" "$(step 'import xlsx' seconds)" 1 "%.1f" "<= 10"
say "the slowest clicks:"
sed -n 's/.*"click":"\([^"]*\)","path":"\([^"]*\)","server_us":\([0-9]*\).*/\3 \1  \2/p' \
    "$tmp/page" | sort -rn | head -n 5 |
    awk '{ us = $1; $1 = ""; printf "%8.1f ms %s\n", us / 1000, $0 }' >&2
