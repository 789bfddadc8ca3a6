#!/bin/sh
# The page in a real browser: tests/web/run.sh [--must | --pictures DIR |
# --script FILE ARGUMENTS]
# Needs chromium, a Chinese font, node and npm, and once the two packages of
# package-lock.json. Where something is missing it ends with 77, which ctest
# counts as skipped; with --must it is a failure.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=${SUQIU_BUILD:-$here/../../build/release}
modules=$here/../../build/web-tests

missing() {
    echo "not run: $1; ./run test --web installs what is needed"
    [ "${1:+$must}" = yes ] && exit 1
    exit 77
}

must=no
[ "${1:-}" != --must ] || {
    must=yes
    shift
}
command -v chromium >/dev/null || missing "no chromium"
command -v node >/dev/null && command -v npm >/dev/null || missing "no node or npm"
fc-list :lang=zh 2>/dev/null | grep -q . || missing "no Chinese font"

mkdir -p "$modules"
script=
if [ "${1:-}" = --script ]; then
    script=$(basename "${2:?which}")
    cp "$2" "$modules"
fi
cp "$here"/package.json "$here"/package-lock.json "$here"/*.mjs "$modules"
cd "$modules"
if [ ! -d node_modules ] || ! cmp -s package-lock.json node_modules/.kept-lock; then
    npm ci --no-audit --no-fund --silent >npm.log 2>&1 ||
        missing "npm could not bring the packages (build/web-tests/npm.log)"
    cp package-lock.json node_modules/.kept-lock
fi
SUQIU=$(cd "$build" && pwd)/suqiu
export SUQIU
if [ "${1:-}" = --pictures ]; then
    exec node pictures.mjs "${2:?where to}"
fi
if [ -n "$script" ]; then
    shift 2
    exec node "$script" "$@"
fi
exec node --test ./*.test.mjs
