#!/bin/sh
# What a ticket costs with more rules: instructions of the whole judgement with
# the tables as they are and with 2, 5 and 10 times as many rules of other words
# (bench/more_rules.py), and how many times the first that is. Callgrind counts,
# so other work on the machine does not matter. Fails above 2.5 times at 10.
#   bench/more_rules.sh [--tickets N] [--build DIR]    exit 77: no valgrind
set -eu
cd "$(dirname "$0")/.."

tickets=300
build=build/release
while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || set -- --help --help
    case $1 in
    --tickets) tickets=$2 ;;
    --build) build=$2 ;;
    *)
        sed -n 's/^# \{0,1\}//p' "$0" | sed -n '6p' >&2
        exit 2
        ;;
    esac
    shift 2
done

for program in valgrind callgrind_annotate python3; do
    command -v "$program" >/dev/null || {
        echo "no $program: nothing was counted" >&2
        exit 77
    }
done

tmp=$(mktemp -d "${TMPDIR:-/tmp}/suqiu-rules-XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 3' INT TERM

# Other tickets than those that are judged.
"$build/suqiu-bench" generate --count 3000 --seed 2 --events off --bad 0 \
    --out "$tmp/tickets" --truth "$tmp/truth"

# count DIR: "INSTRUCTIONS RULES"
count() {
    valgrind --tool=callgrind --callgrind-out-file="$tmp/out" \
        --collect-atstart=no --toggle-collect='step_classify' \
        "$build/suqiu-bench" parts --count "$tickets" --rounds 1 \
        --only classify --dict "$1" --dir "$tmp" >"$tmp/log" 2>&1 || {
        tail -n 20 "$tmp/log" >&2
        exit 3
    }
    callgrind_annotate --auto=no --inclusive=yes --threshold=100 "$tmp/out" |
        sed -n 's/^ *\([0-9,]*\) .*[:/]step_classify.*/\1/p' | tr -d , |
        awk -v n="$tickets" '{ if ($1 > most) most = $1 }
            END { printf "%d\n", most / n }'
}

printf '%5s %7s %13s %6s\n' times rules instructions ratio
first=
for times in 1 2 5 10; do
    dict=dict
    if [ "$times" -gt 1 ]; then
        dict=$tmp/dict
        rm -rf "$dict"
        bench/more_rules.py dict "$times" "$dict" "$tmp/tickets" \
            tests/corpus/read/*.tsv tests/corpus/own/*.tsv
    fi
    instructions=$(count "$dict")
    first=${first:-$instructions}
    rules=$(cat "$dict"/rules/*.csv |
        awk -F, '!/^(\xef\xbb\xbf)?(#|id,)/ && NF > 8' | wc -l)
    awk -v t="$times" -v r="$rules" -v i="$instructions" -v f="$first" '
        BEGIN { printf "%5d %7d %13d %6.2f\n", t, r, i, i / f
                exit t == 10 && i > 2.5 * f }' || {
        echo "more than 2.5 times the instructions" >&2
        exit 1
    }
done
