#!/bin/sh
# Draws docs/pictures/bench.svg from the newest saved results: how fast (beside
# what a team would build instead), how late (the open loop up to the knee), what
# each step costs, and how the rate changes as the data grows. What was not
# measured is left out.
#   bench/picture.sh [FILE.svg]
set -eu
cd "$(dirname "$0")/.."

out=${1:-docs/pictures/bench.svg}
mkdir -p "$(dirname "$out")"

# newest PATTERN: the file of the last day
newest() {
    find bench/results -name "$1" | sort | tail -n 1
}

# shellcheck disable=SC2046 # no file, no word
set -- $(newest '20*.json') $(newest 'peers-*.json') $(newest 'growth-*.json')
[ $# -gt 0 ] || {
    echo "no results yet: ./run bench" >&2
    exit 1
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
function log10(x) { return log(x > 0 ? x : 1) / log(10) }
function grouped(n,   s, t) {
    s = sprintf("%.0f", n)
    while (length(s) > 3) {
        t = "," substr(s, length(s) - 2) t
        s = substr(s, 1, length(s) - 3)
    }
    return s t
}
function label(x, y, anchor, class, words) {
    printf "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"%s\" class=\"%s\">%s</text>\n", x, y, anchor, class, words
}
function box(x, y, w, h, class) {
    printf "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"%s\"/>\n", x, y, w, h, class
}
# A panel of bars, logarithmic when `logs`: names[1..n], values[1..n].
function bars(x, y, title, n, logs, unit,   i, most, w) {
    label(x, y, "start", "title", title)
    most = 0
    for (i = 1; i <= n; i++) if (values[i] > most) most = values[i]
    for (i = 1; i <= n; i++) {
        w = most <= 0 ? 0 : logs ? 230 * log10(values[i]) / log10(most) : 230 * values[i] / most
        label(x + 150, y + 8 + i * 22, "end", "name", names[i])
        box(x + 156, y - 3 + i * 22, w > 1 ? w : 1, 14, names[i] == "suqiu" ? "own" : "other")
        label(x + 162 + w, y + 8 + i * 22, "start", "value", grouped(values[i]) unit)
    }
}
# A line over a logarithmic x axis: xs ascending, ys, 1..n; ys up to `high`, when
# `logs` logarithmic from 100.
function curve(x, y, w, h, n, high, logs, class,   i, points, fx, fy) {
    for (i = 1; i <= n; i++) {
        fx = xs[n] > xs[1] ? (log10(xs[i]) - log10(xs[1])) / (log10(xs[n]) - log10(xs[1])) : 0
        fy = high <= 0 ? 0 : logs ? (log10(ys[i]) - 2) / (log10(high) - 2) : ys[i] / high
        if (fy < 0) fy = 0
        points = points sprintf("%.1f,%.1f ", x + fx * w, y + h - fy * h)
        if (class != "p50") label(x + fx * w, y + h + 14, "middle", "tick", grouped(xs[i] / 1000) "k")
    }
    printf "<polyline points=\"%s\" class=\"%s\"/>\n", points, class
}
# The sweep came to the knee from both sides.
function sort_rates(   i, j, t) {
    for (i = 2; i <= opens; i++)
        for (j = i; j > 1 && rate[j - 1] > rate[j]; j--) {
            t = rate[j]; rate[j] = rate[j - 1]; rate[j - 1] = t
            t = p50[j]; p50[j] = p50[j - 1]; p50[j - 1] = t
            t = p99[j]; p99[j] = p99[j - 1]; p99[j - 1] = t
        }
}
{ what = text("what") }
what == "machine" {
    machine = text("processor") ", " number("processors") " processors, Linux " text("kernel")
    at = substr(text("at"), 1, 10)
    # The last sitting of a day counts.
    if (FILENAME ~ /peers-/) { own_sum = own_n = 0; split("", sum); split("", count) }
    else if (FILENAME ~ /growth-/) sizes = 0
    else steps = opens = 0
}
what == "open" && text("step") == "sweep" { opens++; rate[opens] = number("rate"); p50[opens] = number("p50"); p99[opens] = number("p99") }
what == "part" { steps++; step[steps] = text("part"); cost[steps] = number("ns_a_ticket") }
what == "suqiu" { own_sum += number("tickets_per_second"); own_n++ }
what ~ /^(naive|node|postgres|redis|clickhouse)$/ { sum[what] += number("tickets_per_second"); count[what]++ }
what == "grown" { sizes++; size[sizes] = number("run"); grown[sizes] = number("lines_per_second") }
END {
    print "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 960 620\" font-family=\"sans-serif\">"
    print "<style>text{fill:#24292f;font-size:12px}.title{font-size:14px;font-weight:bold}.value{font-size:11px}.tick{font-size:10px;fill:#57606a}.own{fill:#0b7a75}.other{fill:#9fb8c8}polyline{fill:none;stroke-width:2}.p50{stroke:#9fb8c8}.p99{stroke:#c2410c}.grown{stroke:#0b7a75}line{stroke:#d0d7de}</style>"
    print "<rect width=\"960\" height=\"620\" fill=\"#ffffff\"/>"
    label(24, 28, "start", "name", machine ", measured " at)
    n = 0
    if (own_n) {
        names[++n] = "suqiu"; values[n] = own_sum / own_n
        split("clickhouse node postgres redis naive", order, " ")
        words["clickhouse"] = "ClickHouse, no fsync"; words["node"] = "Node.js + lmdb"
        words["postgres"] = "PostgreSQL"; words["redis"] = "Redis + Lua"; words["naive"] = "naive C + PCRE2"
        for (i = 1; i in order; i++) if (order[i] in sum) { names[++n] = words[order[i]]; values[n] = sum[order[i]] / count[order[i]] }
        bars(24, 64, "Durable tickets a second (logarithmic)", n, 1, "")
    }
    if (steps) {
        for (i = 1; i <= steps; i++) { names[i] = step[i]; gsub(/_/, " ", names[i]); values[i] = cost[i] }
        bars(500, 64, "Each step alone, nanoseconds a ticket", steps, 0, "")
    }
    if (opens) {
        label(24, 340, "start", "title", "Open loop: acknowledgement (ms) over records a second")
        high = 1000
        sort_rates()
        for (i = 1; i <= opens; i++) { xs[i] = rate[i]; if (p99[i] > high) high = p99[i] }
        for (i = 0; i <= 4; i++) {
            printf "<line x1=\"70\" x2=\"440\" y1=\"%d\" y2=\"%d\"/>\n", 570 - i * 50, 570 - i * 50
            label(64, 574 - i * 50, "end", "tick", sprintf("%.1f", exp(log(100) + log(high / 100) * i / 4) / 1000))
        }
        for (i = 1; i <= opens; i++) ys[i] = p50[i]
        curve(70, 370, 370, 200, opens, high, 1, "p50")
        for (i = 1; i <= opens; i++) ys[i] = p99[i]
        curve(70, 370, 370, 200, opens, high, 1, "p99")
        label(440, 358, "end", "tick", "grey: half of them, orange: 99 of 100")
    }
    if (sizes) {
        label(500, 340, "start", "title", "Records a second as the data grows (tickets stored)")
        high = 0
        for (i = 1; i <= sizes; i++) { xs[i] = size[i]; ys[i] = grown[i]; if (grown[i] > high) high = grown[i] }
        for (i = 0; i <= 4; i++) {
            printf "<line x1=\"560\" x2=\"930\" y1=\"%d\" y2=\"%d\"/>\n", 570 - i * 50, 570 - i * 50
            label(554, 574 - i * 50, "end", "tick", grouped(high * i / 4))
        }
        curve(560, 370, 370, 200, sizes, high, 0, "grown")
    }
    print "</svg>"
}' "$@" >"$out.new"
mv "$out.new" "$out"
echo "drawn: $out" >&2
