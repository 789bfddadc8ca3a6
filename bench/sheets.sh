#!/bin/sh
# Excel: how long do many rows take out of a running server and into a store?
#   bench/sheets.sh [--count N] [--build DIR] [--dir DIR]
# Needs curl. Prints one JSON object a step; nothing is kept.
set -eu
cd "$(dirname "$0")/.."

count=100000
build=build/release
parent=${TMPDIR:-/tmp}

usage() {
    sed -n 's/^# \{0,1\}//p' "$0" | sed -n '2,3p' >&2
    exit 2
}

while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || usage
    case $1 in
    --count) count=$2 ;;
    --build) build=$2 ;;
    --dir) parent=$2 ;;
    *) usage ;;
    esac
    shift 2
done

tmp=$(mktemp -d "$parent/suqiu-sheets-XXXXXX")
server=
clean_up() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 3' INT TERM

give_up() {
    printf '%s\n' "bench: $*" >&2
    exit 1
}

now() {
    date +%s.%N
}

# told STEP BEGIN FILE: one line of the results
told() {
    awk -v step="$1" -v a="$2" -v b="$(now)" -v n="$count" \
        -v bytes="$(wc -c <"$3")" \
        'BEGIN { printf "{\"step\":\"%s\",\"rows\":%d,\"seconds\":%.2f,\"file_bytes\":%d}\n", step, n, b - a, bytes }'
}

command -v curl >/dev/null || give_up "curl is needed"
"$build/suqiu-bench" generate --count "$count" --events off --bad 0 \
    --duplicates 0 --versions 0 --late 0 --out "$tmp/lines" 2>/dev/null
"$build/suqiu" import --data "$tmp/data" "$tmp/lines" >/dev/null

"$build/suqiu" serve --data "$tmp/data" --http-port 0 --feed-port 0 \
    --auth off --log-level warn >/dev/null &
server=$!
tries=0
until [ -f "$tmp/data/ports" ]; do
    kill -0 "$server" 2>/dev/null || give_up "the server did not start"
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || give_up "the server did not become ready"
    sleep 0.1
done
http=$(sed -n 's/^http=//p' "$tmp/data/ports")

for form in xlsx csv; do
    begin=$(now)
    curl -sf -o "$tmp/out.$form" "http://127.0.0.1:$http/v1/tickets.$form" ||
        give_up "the export failed"
    told "export $form" "$begin" "$tmp/out.$form"
done
# The same while a feed sends at a fixed rate, from before it to after it.
sent=20000
"$build/suqiu-bench" open --port "$(sed -n 's/^feed=//p' "$tmp/data/ports")" \
    --rate "$sent" --seconds 12 --events off --start -3 >"$tmp/fed" 2>/dev/null &
feeder=$!
sleep 1
begin=$(now)
curl -sf -o "$tmp/beside.xlsx" "http://127.0.0.1:$http/v1/tickets.xlsx" ||
    give_up "the export failed"
told "export beside a feed" "$begin" "$tmp/beside.xlsx"
wait "$feeder" || give_up "the feed failed"
awk -v sent="$sent" -v got="$(sed -n 's/.*"lines_per_second":\([0-9.]*\).*/\1/p' "$tmp/fed")" \
    -v p99="$(sed -n 's/.*"p99":\([0-9]*\).*/\1/p' "$tmp/fed")" \
    'BEGIN { printf "{\"step\":\"feed beside an export\",\"lines_per_second\":%s,\"kept\":%.3f,\"ack_p99_us\":%s}\n", got, got / sent, p99 }'
printf '{"step":"server","peak_rss_kib":%s}\n' \
    "$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$server/status")"
kill "$server"
wait "$server" || give_up "the server ended badly"
server=

begin=$(now)
"$build/suqiu" import --data "$tmp/again" "$tmp/out.xlsx" >"$tmp/summary" ||
    give_up "the import refused rows: $(cat "$tmp/summary")"
told "import xlsx" "$begin" "$tmp/out.xlsx"
grep -q "^accepted *$count$" "$tmp/summary" ||
    give_up "not all rows came back: $(cat "$tmp/summary")"
