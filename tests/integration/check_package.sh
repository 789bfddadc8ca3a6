#!/bin/sh
# check_package.sh BUILD_DIR: make the Debian package, take it apart, try what is
# in it. Tools that are not installed are passed over and named.
set -eu
build=$1
work=$(mktemp -d "${TMPDIR:-/tmp}/suqiu-package.XXXXXX")
trap 'rm -rf "$work"' EXIT

fail() {
    echo "failed: $*" >&2
    exit 1
}

have() {
    command -v "$1" >/dev/null || {
        echo "passed over: no $1"
        return 1
    }
}

cpack -G DEB --config "$build/CPackConfig.cmake" -B "$work" >"$work/log" 2>&1 || {
    cat "$work/log"
    fail "cpack"
}
deb=$(echo "$work"/suqiu_*.deb)
root=$work/root
dpkg-deb -x "$deb" "$root"
dpkg-deb -e "$deb" "$work/control"
dpkg-deb -c "$deb"

for path in usr/bin/suqiu usr/lib/systemd/system/suqiu.service \
    usr/lib/sysusers.d/suqiu.conf etc/suqiu/suqiu.conf \
    usr/share/man/man1/suqiu.1.gz usr/share/bash-completion/completions/suqiu \
    usr/share/doc/suqiu/copyright usr/share/doc/suqiu/changelog.gz \
    usr/share/doc/suqiu/monitoring/suqiu-alerts.yml; do
    [ -f "$root/$path" ] || fail "no $path"
done
[ "$(find "$root" -type f | wc -l)" -le 12 ] || fail "more files than that"
grep -q '^Depends:.*liblmdb0' "$work/control/control" || fail "no dependencies"
grep -qx /etc/suqiu/suqiu.conf "$work/control/conffiles" ||
    fail "the settings are no conffile"
for script in postinst prerm postrm; do
    sh -n "$work/control/$script" || fail "$script"
    [ -x "$work/control/$script" ] || fail "$script cannot be run"
done

# The program takes its own settings file, as it is and with every line on.
conf=$root/etc/suqiu/suqiu.conf
grep -qx 'data = /var/lib/suqiu' "$conf" || fail "no data directory is set"
"$root/usr/bin/suqiu" explain --config "$conf" 三天两头停电 >"$work/out" ||
    fail "the settings file is refused"
grep -q 供电质量投诉 "$work/out" || fail "it does not judge"
sed 's/^;//' "$conf" >"$work/all.conf"
"$root/usr/bin/suqiu" explain --config "$work/all.conf" 停电 >/dev/null ||
    fail "a line of the settings file is refused"

unit=$root/usr/lib/systemd/system/suqiu.service
grep -qx 'Type=notify' "$unit" || fail "the unit does not wait for READY"
if have systemd-analyze; then
    systemd-analyze security --offline=yes --threshold=15 "$unit" \
        >"$work/security" 2>&1 || {
        cat "$work/security"
        fail "the unit is open wider than 1.5"
    }
    tail -n 1 "$work/security"
fi

if have man; then
    MANWIDTH=80 man --warnings -E UTF-8 -l "$root/usr/share/man/man1/suqiu.1.gz" \
        >"$work/man" 2>"$work/man.err" || fail "man"
    [ ! -s "$work/man.err" ] || {
        cat "$work/man.err"
        fail "man warns"
    }
    # Every command and every setting has its place.
    "$root/usr/bin/suqiu" help | sed -n 's/^  \([a-z]*\) .*/\1/p' |
        while read -r command; do
            grep -q "^   $command$" "$work/man" || [ "$command" = help ] ||
                fail "the man page lacks $command"
        done
fi

if have bash; then
    cat >"$work/complete.bash" <<'BASH'
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _suqiu
printf '%s ' "${COMPREPLY[@]}"
BASH
    completed() {
        bash "$work/complete.bash" \
            "$root/usr/share/bash-completion/completions/suqiu" "$@"
    }
    [ "$(completed suqiu cl)" = "classify " ] || fail "completing a command"
    [ "$(completed suqiu serve --http-po)" = "--http-port " ] ||
        fail "completing a flag"
    [ "$(completed suqiu serve --auth o)" = "on off " ] ||
        fail "completing a value"
    [ "$(completed suqiu list ov)" = "overdue " ] || fail "completing a word"
    [ "$(completed suqiu report --http-port)" = " " ] ||
        fail "a flag that the command does not take"
fi

if have lintian; then
    lintian --fail-on error --suppress-tags \
        bad-distribution-in-changes-file,no-manual-page "$deb" || fail lintian
fi
echo "the package is whole"
