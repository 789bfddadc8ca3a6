#!/bin/sh
# What a team would build instead, beside suqiu, on the same tickets: a table
# with ratios, and bench/results/peers-DATE.json. bench/README.md says what each
# one does. Installs what is missing; a peer that cannot be is named and skipped.
#   bench/peers/run.sh [--count N] [--own-count N] [--rounds N] [--batch N]
#                      [--peers "naive node postgres redis clickhouse"]
#                      [--build DIR] [--dir DIR]
set -eu
cd "$(dirname "$0")/../.."

count=20000      # tickets to a peer
own_count=200000 # to suqiu, which would be done with `count` too soon to measure
rounds=2         # ABBA: suqiu peer peer suqiu
batch=500        # tickets a durable acknowledgement, where the client decides
peers="naive node postgres redis clickhouse"
build=build/release
parent=${TMPDIR:-/tmp}

usage() {
    sed -n 's/^# \{0,1\}//p' "$0" | sed -n '5,7p' >&2
    exit 2
}

while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || usage
    case $1 in
    --count) count=$2 ;;
    --own-count) own_count=$2 ;;
    --rounds) rounds=$2 ;;
    --batch) batch=$2 ;;
    --peers) peers=$2 ;;
    --build) build=$2 ;;
    --dir) parent=$2 ;;
    *) usage ;;
    esac
    shift 2
done

bench=$PWD/$build/suqiu-bench
suqiu=$PWD/$build/suqiu
naive=$PWD/$build/bench-naive
here=$PWD/bench/peers
tmp=$(mktemp -d "$parent/suqiu-peers-XXXXXX")
chmod 755 "$tmp"
started= # the process to end

say() {
    printf '%s\n' "peers: $*" >&2
}

give_up() {
    say "$*"
    exit 1
}

# End what was started, by its id, and wait until it is gone.
end_started() {
    [ -n "$started" ] || return 0
    kill "${1:--TERM}" "$started" 2>/dev/null || true
    wait "$started" 2>/dev/null || true
    started=
}

clean_up() {
    end_started -TERM
    rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 3' INT TERM

number() {
    sed -n "s/.*\"$1\":\(-\{0,1\}[0-9.]*\).*/\1/p" | head -n 1
}

keep() {
    printf '%s\n' "$3" | sed "s/^{/{\"what\":\"$1\",\"run\":$2,/" >>"$results"
}

# Wait until a command succeeds: at most 30 s.
await() {
    tries=0
    until "$@" >/dev/null 2>&1; do
        kill -0 "$started" 2>/dev/null || return 1
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || return 1
        sleep 0.1
    done
}

# apt PACKAGE PROGRAM...: install unless all programs are there.
apt() {
    package=$1
    shift
    for program; do
        [ -x "$program" ] || command -v "$program" >/dev/null || {
            say "installing $package"
            as_root=
            [ "$(id -u)" -eq 0 ] || as_root="sudo -n"
            # Installing must not start a service of the machine's.
            $as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
                apt-get install -y --no-install-recommends "$package" \
                </dev/null >"$tmp/apt.log" 2>&1 || {
                $as_root env DEBIAN_FRONTEND=noninteractive \
                    apt-get update </dev/null >>"$tmp/apt.log" 2>&1
                $as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
                    apt-get install -y --no-install-recommends "$package" \
                    </dev/null >>"$tmp/apt.log" 2>&1
            } || return 1
            return 0
        }
    done
}

# Microseconds of a clock.
now_us() {
    echo $(($(date +%s%N) / 1000))
}

# elapsed FROM_US: the line of a result of `count` tickets
elapsed() {
    awk -v us=$(($(now_us) - $1)) -v n="$count" 'BEGIN {
        printf "{\"tickets\":%d,\"seconds\":%.4f,\"tickets_per_second\":%.0f}\n",
            n, us / 1e6, n / us * 1e6 }'
}

# From a feed client's line, which does not know that its lines are tickets.
from_feed() {
    awk -v n="$count" -v s="$(printf '%s\n' "$1" | number seconds)" 'BEGIN {
        printf "{\"tickets\":%d,\"seconds\":%.4f,\"tickets_per_second\":%.0f}\n",
            n, s, n / s }'
}

# --- suqiu ---------------------------------------------------------------------

run_suqiu() {
    rm -rf "$tmp/own"
    rm -f "$tmp/report"
    mkfifo "$tmp/report"
    "$bench" supervise "$suqiu" serve --data "$tmp/own" --http-port 0 \
        --feed-port 0 --auth off --log-level warn >"$tmp/report" &
    started=$!
    exec 3<"$tmp/report"
    read -r ready <&3 || give_up "suqiu did not start"
    # shellcheck disable=SC2086 # flags, meant to be split
    result=$("$bench" feed --port "$(printf '%s\n' "$ready" | number feed)" \
        --connections 2 --count "$own_count" $stream) || give_up "the feed failed"
    kill -TERM "$started"
    read -r ended <&3 || give_up "suqiu left no report"
    exec 3<&-
    wait "$started" || give_up "suqiu ended badly: $ended"
    started=
    [ "$("$bench" totals "$tmp/own" | number tickets)" = "$own_count" ] ||
        give_up "suqiu did not count what it was sent"
    rm -rf "$tmp/own"
}

# --- peers: setup_NAME says nothing or why not; run_NAME sets result and leaves
# ID <tab> MASK of each ticket it stored in $tmp/found ------------------------

setup_naive() {
    [ -x "$naive" ] || echo "not built"
}

feed_peer() {
    await test -s "$tmp/out" || give_up "$1 did not start: $(cat "$tmp/err")"
    fed=$("$bench" feed --port "$(sed -n 's/^port //p' "$tmp/out")" \
        --connections 2 --file "$tmp/tickets") || give_up "$1 failed"
    result=$(from_feed "$fed")
}

run_naive() {
    mkdir "$tmp/data"
    "$naive" serve "$tmp/rules" "$tmp/data" >"$tmp/out" 2>"$tmp/err" &
    started=$!
    feed_peer naive
    end_started -TERM
    "$naive" dump "$tmp/data" >"$tmp/found"
}

setup_node() {
    if ! apt nodejs node || ! apt npm npm; then
        echo "no node"
        return 0
    fi
    mkdir -p "$tmp/node"
    cp "$here/node_server.js" "$here/package.json" "$tmp/node/"
    (cd "$tmp/node" && npm install --no-audit --no-fund >"$tmp/npm.log" 2>&1) ||
        echo "npm cannot install lmdb"
}

run_node() {
    mkdir "$tmp/data"
    (cd "$tmp/node" && exec node node_server.js serve "$tmp/rules" \
        "$tmp/data/db" "$(nproc)") >"$tmp/out" 2>"$tmp/err" &
    started=$!
    feed_peer node
    end_started -TERM
    (cd "$tmp/node" && node node_server.js dump "$tmp/data/db") >"$tmp/found"
}

pg=/usr/lib/postgresql/15/bin

setup_postgres() {
    apt postgresql-15 $pg/postgres $pg/initdb &&
        apt postgresql-plpython3-15 /usr/lib/postgresql/15/lib/plpython3.so ||
        echo "no PostgreSQL 15"
    awk -v rows=$((batch)) -v name="$tmp/part" '
        { gsub(/\\/, "\\\\"); half = int((NR - 1) / rows) % 2
          file = name half
          if (!(half in n)) n[half] = 0
          if (n[half]++ % rows == 0) {
              if (n[half] > 1) print "\\." >file
              print "COPY ticket (raw) FROM STDIN;" >file
          }
          print >file }
        END { for (half in n) print "\\." >(name half) }' "$tmp/tickets"
}

# PostgreSQL refuses to run as root.
as_postgres=
[ "$(id -u)" -ne 0 ] ||
    as_postgres="setpriv --reuid=postgres --regid=postgres --clear-groups"

pg_client() {
    "$pg/psql" -X -q -v ON_ERROR_STOP=1 -h "$tmp/data" -U postgres postgres "$@"
}

run_postgres() {
    mkdir "$tmp/data"
    if [ "$(id -u)" -eq 0 ]; then
        chown postgres "$tmp/data"
    fi
    # shellcheck disable=SC2086 # the words of the command are meant to be split
    (cd "$tmp/data" && $as_postgres "$pg/initdb" -D "$tmp/data/db" -E UTF8 \
        --locale=C.UTF-8 -A trust -U postgres) >"$tmp/out" 2>&1 ||
        give_up "initdb: $(tail -n 3 "$tmp/out")"
    # shellcheck disable=SC2086 # the same
    (cd "$tmp/data" && exec $as_postgres "$pg/postgres" -D "$tmp/data/db" \
        -k "$tmp/data" -c listen_addresses= -c synchronous_commit=on \
        -c wal_sync_method=fdatasync -c shared_buffers=2GB \
        -c max_wal_size=8GB -c checkpoint_timeout=30min \
        -c log_min_messages=fatal) >"$tmp/out" 2>"$tmp/err" &
    started=$!
    await "$pg/pg_isready" -q -U postgres -h "$tmp/data" ||
        give_up "PostgreSQL did not start: $(tail -n 3 "$tmp/err")"
    awk -f "$here/postgres_schema.awk" "$tmp/rules" | pg_client >"$tmp/out"
    from=$(now_us)
    pg_client -f "$tmp/part0" &
    first=$!
    [ ! -f "$tmp/part1" ] || pg_client -f "$tmp/part1" || give_up "COPY failed"
    wait "$first" || give_up "COPY failed"
    result=$(elapsed "$from")
    pg_client -At -F"$(printf '\t')" -c 'SELECT id, hits FROM ticket' >"$tmp/found"
    end_started -INT # at once, without waiting for clients
}

setup_redis() {
    apt redis-server redis-server redis-cli || {
        echo "no Redis"
        return 0
    }
    LC_ALL=C awk -v lines="$batch" -f "$here/redis_calls.awk" "$tmp/tickets" \
        >"$tmp/calls"
    {
        echo '#!lua name=suqiu'
        echo 'local RULES = {'
        awk -F'\t' '{ print "{" $1 ", [==[" $3 "]==]}," }' "$tmp/rules"
        echo '}'
        cat "$here/redis_ingest.lua"
    } >"$tmp/function"
}

redis() {
    redis-cli -s "$tmp/data/socket" "$@"
}

run_redis() {
    mkdir "$tmp/data"
    redis-server --port 0 --unixsocket "$tmp/data/socket" --dir "$tmp/data" \
        --appendonly yes --appendfsync always --auto-aof-rewrite-percentage 0 \
        --save '' --busy-reply-threshold 60000 >"$tmp/out" 2>&1 &
    started=$!
    await redis PING || give_up "Redis did not start: $(tail -n 3 "$tmp/out")"
    redis -x FUNCTION LOAD <"$tmp/function" >"$tmp/err" ||
        give_up "the function: $(cat "$tmp/err")"
    redis FCALL ingest 0 >"$tmp/err" # compiles the rules
    from=$(now_us)
    redis --pipe <"$tmp/calls" >"$tmp/err" || give_up "Redis: $(cat "$tmp/err")"
    result=$(elapsed "$from")
    redis --raw XRANGE tickets - + |
        awk 'NR % 9 == 3 { id = $0 } NR % 9 == 5 { print id "\t" $0 }' >"$tmp/found"
    end_started -TERM
}

setup_clickhouse() {
    apt clickhouse-server clickhouse-server &&
        apt clickhouse-client clickhouse-client || echo "no ClickHouse"
}

free_port() {
    port=$((20000 + $$ % 10000))
    while ss -ltnH "sport = :$port" | grep -q .; do
        port=$((port + 1))
    done
}

click() {
    clickhouse-client --host 127.0.0.1 --port "$port" "$@"
}

run_clickhouse() {
    mkdir "$tmp/data"
    free_port
    cat >"$tmp/data/config.xml" <<XML
<yandex>
  <logger><level>error</level><log>$tmp/data/log</log><errorlog>$tmp/data/errors</errorlog></logger>
  <listen_host>127.0.0.1</listen_host><tcp_port>$port</tcp_port>
  <path>$tmp/data/db/</path><tmp_path>$tmp/data/tmp/</tmp_path>
  <users_config>users.xml</users_config>
  <default_profile>default</default_profile><default_database>default</default_database>
  <mark_cache_size>268435456</mark_cache_size>
</yandex>
XML
    cat >"$tmp/data/users.xml" <<XML
<yandex><profiles><default><max_memory_usage>4000000000</max_memory_usage></default></profiles>
<users><default><password></password><networks><ip>127.0.0.1</ip></networks>
<profile>default</profile><quota>default</quota></default></users><quotas><default/></quotas></yandex>
XML
    clickhouse-server --config-file="$tmp/data/config.xml" >"$tmp/out" 2>&1 &
    started=$!
    await click --query 'SELECT 1' ||
        give_up "ClickHouse did not start: $(tail -n 3 "$tmp/out")"
    "$bench" rules --bytes 400 2>"$tmp/err" |
        awk -f "$here/clickhouse_schema.awk" >"$tmp/schema"
    click --multiquery --max_query_size 100000000 <"$tmp/schema" >"$tmp/err" 2>&1 ||
        give_up "ClickHouse: $(tail -c 300 "$tmp/err")"
    from=$(now_us)
    for half in 0 1; do
        awk -v half="$half" -v n="$count" '(NR > n / 2) == half' "$tmp/tickets" |
            click --input_format_skip_unknown_fields=1 \
                --max_insert_block_size=10000 --max_query_size 100000000 \
                --query 'INSERT INTO ticket (id, accepted_at, caller, customer, name, address, unit, type, text) FORMAT JSONEachRow' &
        if [ "$half" = 0 ]; then first=$!; else second=$!; fi
    done
    wait "$first" || give_up "INSERT failed"
    wait "$second" || give_up "INSERT failed"
    result=$(elapsed "$from")
    click --query 'SELECT id, hits FROM ticket' >"$tmp/found"
    end_started -TERM
}

# --- the runs ------------------------------------------------------------------

run_peer() {
    rm -rf "$tmp/data" "$tmp/out" "$tmp/err" "$tmp/found"
    "run_$1"
    LC_ALL=C sort "$tmp/found" | cmp -s - "$tmp/expected" ||
        give_up "$1 found other categories than PCRE2 does; no rate is worth" \
            "printing"
    rm -rf "$tmp/data"
}

for program in "$bench" "$suqiu"; do
    [ -x "$program" ] || give_up "build first: ./run build"
done
[ "$(stat -f -c %T "$tmp")" != tmpfs ] ||
    give_up "$parent is memory, not a disk; say --dir DIR"

stream="--events off --bad 0 --duplicates 0 --versions 0 --late 0 --start -7"
mkdir -p bench/results
results=bench/results/peers-$(date +%Y-%m-%d).json
keep machine 0 "{\"at\":\"$(date +%Y-%m-%dT%H:%M:%S%z)\",\"processor\":\"$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)\",\"processors\":$(nproc),\"kernel\":\"$(uname -r)\",\"version\":\"$("$suqiu" version | head -n 1)\",\"commit\":\"$(git rev-parse --short HEAD 2>/dev/null || echo unknown)\"}"
keep flush 0 "$("$bench" flush --dir "$tmp" --times 300)"

say "$count tickets, labelled by PCRE2"
# shellcheck disable=SC2086 # flags, meant to be split
"$bench" generate --count "$count" $stream >"$tmp/tickets" 2>"$tmp/truth"
"$bench" rules --bytes 1500 >"$tmp/rules" 2>"$tmp/rule_count"
"$bench" rules --label "$tmp/tickets" >"$tmp/expected.raw"
LC_ALL=C sort "$tmp/expected.raw" >"$tmp/expected"
say "$(cat "$tmp/rule_count"); results go to $results"

for peer in $peers; do
    case $peer in
    naive | node | postgres | redis | clickhouse) ;;
    *) give_up "there is no peer \"$peer\"" ;;
    esac
    why=$("setup_$peer")
    if [ -n "$why" ]; then
        say "$peer is left out: $why"
        keep skipped 0 "{\"peer\":\"$peer\",\"why\":\"$why\"}"
        continue
    fi
    run=1
    while [ "$run" -le "$rounds" ]; do
        if [ $((run % 2)) -eq 1 ]; then order="own peer"; else order="peer own"; fi
        for who in $order; do
            if [ "$who" = own ]; then
                run_suqiu
                keep suqiu "$run" "$(printf '%s\n' "$result" |
                    sed "s/^{/{\"beside\":\"$peer\",/")"
            else
                run_peer "$peer"
                keep "$peer" "$run" "$result"
            fi
            rate=$(printf '%s\n' "$result" | number tickets_per_second)
            say "$peer, run $run: $who $rate tickets/s"
        done
        run=$((run + 1))
    done
done
keep flush "$rounds" "$("$bench" flush --dir "$tmp" --times 300)"

"$here/table.sh" "$results"
