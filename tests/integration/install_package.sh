#!/bin/sh
# install_package.sh BUILD_DIR: install the package in a fresh Debian, boot it
# under systemd, use it, upgrade it, remove and purge it.
#
# Needs root, mmdebstrap, systemd-nspawn (systemd-container) and a mirror of
# Debian packages; ./run package --try brings the two programs. The fresh Debian
# is kept in BUILD_DIR/debian.tar for the next time.
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$1" && pwd)
suite=bookworm
work=$(mktemp -d "${TMPDIR:-/tmp}/suqiu-install.XXXXXX")
root=$work/root
trap 'rm -rf "$work"' EXIT
trap 'exit 3' INT TERM

fail() {
    echo "failed: $*" >&2
    exit 1
}

for program in mmdebstrap systemd-nspawn; do
    command -v "$program" >/dev/null || fail "no $program"
done
[ "$(id -u)" -eq 0 ] || fail "only root can make a root directory"

# ---- the packages: the one of this build, and the next version of it ----

(cd "$build" && cpack -G DEB -B "$work/deb" >"$work/log" 2>&1) || {
    cat "$work/log"
    fail "cpack"
}
deb=$(echo "$work"/deb/suqiu_*.deb)
dpkg-deb -R "$deb" "$work/next"
sed -i 's/^Version: .*/&+next/' "$work/next/DEBIAN/control"
dpkg-deb --root-owner-group -b "$work/next" "$work/next.deb" >/dev/null

# ---- a Debian with a service manager, and the package in it ----

[ -f "$build/debian.tar" ] || {
    mmdebstrap --variant=minbase --include=systemd,systemd-sysv,dbus,curl \
        "$suite" "$build/debian.new.tar" >"$work/log" 2>&1 || {
        tail -n 20 "$work/log"
        fail "mmdebstrap"
    }
    mv "$build/debian.new.tar" "$build/debian.tar"
}
mkdir "$root"
tar -C "$root" -xf "$build/debian.tar" --exclude=./dev
mkdir -p "$root/dev" "$root/root/sample"
cp /etc/resolv.conf "$root/etc/"
cp "$deb" "$root/root/suqiu.deb"
cp "$work/next.deb" "$root/root/next.deb"
cp "$here"/tests/data/sample/*.ndjson "$root/root/sample/"

# In a container without a manager: what an image is made of.
contained() {
    # Where no systemd runs, systemd-nspawn needs a /run of its own.
    if [ -d /run/systemd/system ]; then
        systemd-nspawn -q --register=no -D "$root" "$@"
    else
        unshare -m sh -c 'mount -t tmpfs tmpfs /run
            exec systemd-nspawn -q --register=no --keep-unit "$@"' sh \
            -D "$root" "$@"
    fi
}
contained --pipe sh -euc 'export DEBIAN_FRONTEND=noninteractive
    apt-get update
    apt-get install -y --no-install-recommends /root/suqiu.deb' \
    >"$work/log" 2>&1 </dev/null || {
    tail -n 30 "$work/log"
    fail "the package does not install"
}
echo "installed without a running manager"

# ---- booted: the steps that follow, and then the power is off ----

cp "$here/tests/integration/installed.sh" "$root/root/"
cat >"$root/etc/systemd/system/installed.service" <<'UNIT'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/sh /root/installed.sh
StandardOutput=file:/root/installed.log
StandardError=inherit
TimeoutStartSec=10min
ExecStopPost=/bin/systemctl poweroff --force
[Install]
WantedBy=multi-user.target
UNIT
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -s ../installed.service "$root/etc/systemd/system/multi-user.target.wants/"
# A network of its own, with nobody in it: as air-gapped as it gets.
contained --private-network -b >"$work/boot.log" 2>&1 </dev/null || {
    tail -n 20 "$work/boot.log"
    fail "it does not boot"
}
grep -v '^+' "$root/root/installed.log"
grep -qx 'the package works' "$root/root/installed.log" || fail "see above"
