#!/bin/sh
# Make ../echarts.js again from npm: pinned versions, checked against the
# hashes of package-lock.json; --check only compares with the file kept here.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d "${TMPDIR:-/tmp}/suqiu-charts.XXXXXX")
trap 'rm -rf "$work"' EXIT
cp package.json package-lock.json charts.js "$work"
(
    cd "$work"
    npm ci --no-audit --no-fund --silent
    npx esbuild charts.js --bundle --minify --format=esm --target=es2020 \
        --charset=utf8 --legal-comments=none --outfile=echarts.js \
        --define:process.env.NODE_ENV='"production"' --log-level=warning \
        --banner:js='/* Apache ECharts 6.1.0, Apache-2.0: LICENSE and NOTICE beside this file. Made by build/rebuild.sh. */'
)
if [ "${1:-}" = --check ]; then
    cmp "$work/echarts.js" ../echarts.js
    echo "echarts.js is what npm gives"
    exit 0
fi
cp "$work/echarts.js" ../echarts.js
cp "$work/node_modules/echarts/LICENSE" ../LICENSE.echarts
cp "$work/node_modules/echarts/NOTICE" ../NOTICE.echarts
cp "$work/node_modules/zrender/LICENSE" ../LICENSE.zrender
sha256sum ../echarts.js
