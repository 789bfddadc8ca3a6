#!/bin/sh
# Instructions of each step of a ticket, counted by callgrind: repeatable where
# time is not. Fails when a step needs 5 % more than bench/instructions.tsv says.
#   bench/count.sh [--record] [--build DIR]      exit 77: no valgrind
set -eu
cd "$(dirname "$0")/.."

build=build/release
record=
while [ $# -gt 0 ]; do
    case $1 in
    --record) record=1 ;;
    --build)
        build=$2
        shift
        ;;
    *)
        sed -n 's/^# \{0,1\}//p' "$0" | sed -n '4p' >&2
        exit 2
        ;;
    esac
    shift
done

for program in valgrind callgrind_annotate; do
    command -v "$program" >/dev/null || {
        echo "no $program: nothing was counted" >&2
        exit 77
    }
done

tickets=300
bounds=bench/instructions.tsv
tmp=$(mktemp -d "${TMPDIR:-/tmp}/suqiu-count-XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 3' INT TERM

# count COMMAND...: the instructions a ticket of each of its steps.
# For larger blocks memset takes one string instruction, which callgrind counts
# once a byte; the processor needs a sixty-fourth of that.
count() {
    GLIBC_TUNABLES=glibc.cpu.x86_rep_stosb_threshold=1073741824 \
        valgrind --tool=callgrind --callgrind-out-file="$tmp/out" \
        --collect-atstart=no --toggle-collect='step_*' \
        "$build/suqiu-bench" "$@" --count $tickets --dir "$tmp" \
        >"$tmp/log" 2>&1 || {
        tail -n 20 "$tmp/log" >&2
        exit 3
    }
    callgrind_annotate --auto=no --inclusive=yes --threshold=100 "$tmp/out" |
        sed -n 's/^ *\([0-9,]*\) .*[:/]step_\([a-z]*\).*/\2 \1/p' | tr -d , |
        awk -v n=$tickets '{ if ($2 > most[$1]) most[$1] = $2 }
            END { for (step in most) printf "%s\t%d\n", step, most[step] / n }'
}

{
    count parts --rounds 1
    count ledger
} >"$tmp/unsorted"
sort "$tmp/unsorted" >"$tmp/counts"
[ "$(wc -l <"$tmp/counts")" -ge 8 ] || {
    echo "callgrind named only these steps:" >&2
    cat "$tmp/counts" >&2
    exit 3
}

if [ -n "$record" ]; then
    cp "$tmp/counts" "$bounds"
    cat "$bounds"
    exit 0
fi
printf '%-10s %12s %12s\n' step instructions recorded
join "$tmp/counts" "$bounds" | awk '
    { verdict = $2 > $3 * 1.05 ? "MORE THAN 5 % ABOVE" : ""
      bad += verdict != ""
      printf "%-10s %12d %12d %s\n", $1, $2, $3, verdict }
    END { exit bad > 0 }' || {
    echo "a step costs more; if that is meant: bench/count.sh --record" >&2
    exit 1
}
