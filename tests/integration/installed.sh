#!/bin/sh
# Inside the machine of install_package.sh: is what the package brought right?
# Prints a line a step; the last one is "the package works".
set -eu
exec 2>&1
url=http://127.0.0.1:9559
data=/var/lib/suqiu

fail() {
    echo "failed: $*"
    systemctl status suqiu --no-pager -l || true
    journalctl -u suqiu --no-pager -n 40 || true
    exit 1
}

# until_true SECONDS COMMAND...: ask again every tenth of a second
until_true() {
    left=$(($1 * 10))
    shift
    until "$@" >/dev/null 2>&1; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || fail "waited in vain for: $*"
        sleep 0.1
    done
}

pid() {
    systemctl show -P MainPID suqiu
}

# What the kernel says of the process: status_of NAME
status_of() {
    sed -n "s/^$1:[[:space:]]*//p" "/proc/$(pid)/status"
}

ask() {
    curl -sf -H "Authorization: Bearer $(cat /root/token)" "$url$1"
}

tickets() {
    ask /metrics | sed -n 's/^suqiu_tickets_total //p'
}

# ---- as it was installed ----

[ "$(dpkg-query -W -f='${db:Status-Status}' suqiu)" = installed ] || fail dpkg
[ -z "$(dpkg --verify suqiu)" ] || fail "files differ: $(dpkg --verify suqiu)"
getent passwd suqiu | grep -q ':/var/lib/suqiu:/usr/sbin/nologin$' || fail "the user"
[ "$(systemctl is-enabled suqiu)" = disabled ] || fail "it is enabled"
! systemctl is-active -q suqiu || fail "it was started without being asked"
[ "$(stat -c '%U %a' /etc/suqiu/suqiu.conf)" = "root 644" ] || fail "the settings"
systemd-analyze verify --man=no suqiu.service || fail "the unit is not right"
systemd-analyze security --threshold=15 --no-pager suqiu.service >/tmp/security ||
    fail "the unit is open wider than 1.5: $(tail -n 1 /tmp/security)"
tail -n 1 /tmp/security
echo "installed: files, user, settings, unit"

# ---- it runs, and may do little ----

systemctl enable -q --now suqiu || fail "it does not start"
[ "$(stat -c '%U %G %a' "$data")" = "suqiu suqiu 700" ] || fail "the directory"
[ "$(stat -c '%U' "/proc/$(pid)")" = suqiu ] || fail "the user it runs as"
[ "$(status_of NoNewPrivs)" = 1 ] || fail "it may gain rights"
[ "$(status_of Seccomp)" = 2 ] || fail "system calls are not filtered"
[ "$(status_of CapBnd)" = 0000000000000000 ] || fail "it has capabilities"
# Memory that is run and belongs to no file: the rules as PCRE2 compiled them.
grep -q ' [r-][w-]xp 00000000 00:00 0 *$' "/proc/$(pid)/maps" || fail "no JIT"
journalctl -u suqiu --no-pager | grep -q 'sign in once' || fail "no link"
echo "running as suqiu: no rights, system calls filtered, JIT"

# ---- a token as the manual says, records in, numbers out ----

runuser -u suqiu -- suqiu token add me --role admin --data "$data" |
    grep -o 'sq_[^ ]*' >/root/token || fail "no token"
chmod 600 /root/token
! ask /v1/me >/dev/null || fail "the token holds before it was read"
systemctl reload suqiu || fail "it cannot be reloaded"
until_true 30 ask /v1/me
suqiu import --to "$url" --token-file /root/token /root/sample/quarter.ndjson \
    /root/sample/events.ndjson || fail "the import"
[ "$(tickets)" = 500 ] || fail "tickets: $(tickets)"
ask '/v1/tickets.xlsx' >/tmp/book.xlsx || fail "no workbook"
[ "$(head -c 2 /tmp/book.xlsx)" = PK ] || fail "no workbook"
[ -z "$(find "$data" -perm /077)" ] || fail "others may read $(find "$data" -perm /077)"
echo "500 tickets in, a workbook out"

# ---- it falls over and comes back ----

before=$(pid)
kill -9 "$before"
until_true 60 systemctl is-active suqiu
until_true 60 ask /readyz
[ "$(pid)" != "$before" ] || fail "it was not started again"
[ "$(tickets)" = 500 ] || fail "after a crash: $(tickets)"
mkdir -p /run/systemd/system/suqiu.service.d
printf '[Service]\nWatchdogSec=2\nTimeoutAbortSec=1\n' \
    >/run/systemd/system/suqiu.service.d/soon.conf
systemctl daemon-reload
systemctl restart suqiu
before=$(pid)
kill -STOP "$before"
until_true 60 sh -c "[ \$(systemctl show -P MainPID suqiu) != $before ] &&
    [ \$(systemctl show -P MainPID suqiu) != 0 ]"
until_true 60 ask /readyz
[ "$(tickets)" = 500 ] || fail "after it hung: $(tickets)"
rm -r /run/systemd/system/suqiu.service.d
systemctl daemon-reload
echo "killed and hung: started again, nothing lost"

# ---- upgrade: the settings stay, the new program runs ----

sed -i 's/^;http_idle_deadline_s = .*/http_idle_deadline_s = 61/' /etc/suqiu/suqiu.conf
grep -qx 'http_idle_deadline_s = 61' /etc/suqiu/suqiu.conf || fail "no such setting"
before=$(pid)
DEBIAN_FRONTEND=noninteractive dpkg -i /root/next.deb >/tmp/upgrade 2>&1 ||
    fail "the upgrade: $(cat /tmp/upgrade)"
until_true 60 ask /readyz
[ "$(pid)" != "$before" ] || fail "the old program still runs"
dpkg-query -W suqiu | grep -q '+next$' || fail "the version"
grep -qx 'http_idle_deadline_s = 61' /etc/suqiu/suqiu.conf || fail "the settings are lost"
[ "$(tickets)" = 500 ] || fail "after the upgrade: $(tickets)"
systemctl is-enabled -q suqiu || fail "no longer enabled"
echo "upgraded: settings and tickets stay"

# ---- removed, purged, installed again ----

dpkg -r suqiu >/tmp/remove 2>&1 || fail "the removal: $(cat /tmp/remove)"
! systemctl is-active -q suqiu || fail "it runs without its program"
[ ! -e /usr/bin/suqiu ] || fail "the program stays"
[ -f /etc/suqiu/suqiu.conf ] || fail "the settings went with the program"
dpkg -P suqiu >/tmp/purge 2>&1 || fail "the purge: $(cat /tmp/purge)"
[ ! -e /etc/suqiu ] || fail "/etc/suqiu stays"
[ -z "$(find /etc/systemd /usr/lib/systemd -name 'suqiu*')" ] || fail "the unit stays"
[ -f "$data/data.mdb" ] || fail "the data is gone"
getent passwd suqiu >/dev/null || fail "the owner of the data is gone"
dpkg -i /root/suqiu.deb >/tmp/again 2>&1 || fail "again: $(cat /tmp/again)"
systemctl start suqiu || fail "it does not start again"
until_true 60 ask /readyz
[ "$(tickets)" = 500 ] || fail "after purge and install: $(tickets)"
systemctl stop suqiu
runuser -u suqiu -- suqiu fsck --data "$data" || fail "fsck"
echo "removed and purged: the data stays, and is found again"
echo "the package works"
