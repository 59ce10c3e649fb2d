#!/bin/bash
# guest.sh kernel|services|all OUTPUT: runs once in the machine that tests/nix/vm.py boots. A line a
# proof: PASS or FAIL, its name, what was seen. expected.sh has what the table says.
#
# `kernel`: what the kernel and systemd do with the units. Their programs are replaced by `sleep` and
# `true`, since under emulation the real ones take minutes to start. `services`: what the programs do.
mode=$1
exec >"$2" 2>&1
set -u
kernel() { [ "$mode" != services ]; }
services() { [ "$mode" != kernel ]; }
. /proof/expected.sh
cgroup=/sys/fs/cgroup
say() { echo "PROOF $1 $2: ${3//$'\n'/ | }"; }
same() { # NAME EXPECTED FOUND
  if [ "$2" = "$3" ]; then say PASS "$1" "$3"; else say FAIL "$1" "$3, the table has $2"; fi
}
holds() { # NAME SEEN COMMAND…
  local name=$1 seen=$2; shift 2
  if "$@"; then say PASS "$name" "$seen"; else say FAIL "$name" "$seen"; fi
}
show() { systemctl show -P "$2" "$1"; }
# How a unit's program ended; what never ran has the result "success" too.
went() { if [ -n "$(show "$1" ExecMainExitTimestamp)" ]; then show "$1" Result; else echo "it never ran"; fi; }
soon() { # SECONDS COMMAND…
  local end=$((SECONDS + $1)); shift
  until "$@"; do ((SECONDS < end)) || return 1; sleep 1; done
}
active() { [ "$(show "$1" ActiveState)" = active ]; }

echo "PROOF BEGIN systemd $(systemctl --version | head -1 | cut -d' ' -f2), $(nproc) cores, up $(cut -d' ' -f1 /proc/uptime) s"
systemd-tmpfiles --create /etc/tmpfiles.d/jimbot.conf
complaints=$(systemd-analyze verify --man=no /etc/systemd/system/jimbot*.{service,slice,timer,target} 2>&1)
holds "units verify" "${complaints:-nothing to complain of}" test -z "$complaints"

if ! services; then
  for unit in $SERVICES; do
    mkdir -p "/run/systemd/system/jimbot-$unit.service.d"
    printf '[Service]\nExecStart=\nExecStart=/bin/sleep infinity\nExecStartPost=\n' >"/run/systemd/system/jimbot-$unit.service.d/asleep.conf"
  done
  mkdir -p /run/systemd/system/jimbot-{init,retain}.service.d
  printf '[Service]\nExecStart=\nExecStart=/bin/true\n' >/run/systemd/system/jimbot-retain.service.d/done.conf
  printf '[Service]\nExecStart=\nExecStart=/bin/test -e /run/stores-are-there\n' >/run/systemd/system/jimbot-init.service.d/away.conf
fi
# Ray is not packed here. In its place the head leaves its number in /tmp, and the trainer looks for
# that and for the process, as Ray's driver does.
echo 'echo $$ >/tmp/head; exec sleep infinity' >/proof/ray-head.sh
echo 'until [ -s /tmp/head ]; do sleep 1; done; sleep 1; cat "/proc/$(cat /tmp/head)/comm" >/tmp/seen; exec sleep infinity' >/proof/trainer.sh
for unit in ray-head trainer; do
  mkdir -p "/run/systemd/system/jimbot-$unit.service.d"
  printf '[Service]\nExecStart=\nExecStart=/bin/bash /proof/%s.sh\nExecStartPost=\n' $unit >"/run/systemd/system/jimbot-$unit.service.d/instead.conf"
done
systemctl daemon-reload
started=$SECONDS
systemctl start jimbot.target --no-block
for service in $SERVICES; do
  soon 900 active "jimbot-$service"
  holds "$service starts, healthy" "$(show "jimbot-$service" SubState) after $((SECONDS - started)) s" active "jimbot-$service"
done
if services; then
  health=$($JIMBOT health $SERVICES); code=$?
  same "jimbot health" 0 "$code"
  [ $code = 0 ] || echo "$health"
  for service in $SERVICES; do [ $code = 0 ] || journalctl -o cat -n 15 -u "jimbot-$service"; done
fi
tmp_of() { echo "/proc/$(show "jimbot-$1" MainPID)/root/tmp"; }
seen() { [ -s "$(tmp_of trainer)/seen" ]; }
soon 120 seen
same "the trainer sees the head's sockets and process" sleep "$(cat "$(tmp_of trainer)/seen")"
holds "no other service sees them" "in /tmp of mcp: $(ls "$(tmp_of mcp)")" test ! -e "$(tmp_of mcp)/head"
if ! services; then
  holds "all start while the stores' schemas cannot be made" "jimbot-init: $(show jimbot-init SubState)" test "$(show jimbot-init ActiveState)" != active
  touch /run/stores-are-there
  soon 120 active jimbot-init
  holds "they are made once they can be" "restarts: $(show jimbot-init NRestarts)" active jimbot-init
fi
well() { ! services || $JIMBOT health $SERVICES >/dev/null; }

# Limits and pinning are the kernel's.
if kernel; then
systemctl start $(cd /etc/systemd/system && ls -d jimbot*.slice)
while read -r path value; do
  same "limit $path" "$value" "$(cat "$cgroup/$path")"
done </proof/limits
for service in $SERVICES; do
  pid=$(show "jimbot-$service" MainPID)
  same "$service runs on its group's cores" "$API_CPUS" "$(awk '/^Cpus_allowed_list/ {print $2}' "/proc/$pid/status")"
  same "$service is killed late" "$API_OOM" "$(cat "/proc/$pid/oom_score_adj")"
  holds "$service prefers its node" "$(awk 'NR == 1 {print $2}' "/proc/$pid/numa_maps")" grep -q " prefer" "/proc/$pid/numa_maps"
  holds "$service has no capabilities" "$(awk '/^CapEff/ {print $2}' "/proc/$pid/status")" grep -q '^CapEff:\s*0000000000000000' "/proc/$pid/status"
done

# More than its group has is killed; the others live. Before that it is slowed down, for minutes:
# what is proved here is the wall behind the brake.
systemctl set-property --runtime $API_SLICE MemoryHigh=infinity
systemd-run --quiet --wait --collect --unit=glutton -p Slice=$API_SLICE $PYTHON -c \
  "x = bytearray($API_LIMIT + (64 << 20)); print(len(x))"
code=$?
holds "what takes more than its group is killed" "exit $code, $(grep -E '^oom_kill ' $cgroup/$API_PATH/memory.events)" \
  grep -qE '^oom_kill [1-9]' $cgroup/$API_PATH/memory.events
for service in $SERVICES; do
  same "$service lives on" 0 "$(show "jimbot-$service" NRestarts)"
done
fi

# Secrets.
pid=$(show jimbot-claude MainPID)
same "the credential is there" "$SECRET" "$(cat /run/credentials/jimbot-claude.service/claude)"
setpriv --reuid=nobody --regid=nogroup --clear-groups cat /run/credentials/jimbot-claude.service/claude >/dev/null 2>&1
holds "nobody else reads it" "cat ended with $?" test $? != 0
holds "the service knows where" "in its environment" grep -qz 'CREDENTIALS_DIRECTORY=/run/credentials/jimbot-claude.service' "/proc/$pid/environ"
holds "it is in no log, unit or argument" "grep over the journal, systemctl show and ps" \
  bash -c "! { journalctl --no-pager; systemctl show '*'; ps axww; } 2>/dev/null | grep -v grep | grep -q $SECRET"

# Restarts.
for service in $SERVICES; do
  pid=$(show "jimbot-$service" MainPID)
  kill -9 "$pid"
  back() { [ "$(show "jimbot-$service" MainPID)" != "$pid" ] && active "jimbot-$service"; }
  before=$SECONDS; sleep 1; soon 900 back
  holds "$service comes back after kill -9" "$((SECONDS - before)) s, restarts: $(show "jimbot-$service" NRestarts)" back
done
mkdir -p /run/systemd/system/jimbot-claude.service.d
printf '[Service]\nExecStart=\nExecStart=/bin/false\nExecStartPost=\n' >/run/systemd/system/jimbot-claude.service.d/broken.conf
systemctl daemon-reload; systemctl restart --no-block jimbot-claude
delays=$(for _ in $(seq 120); do show jimbot-claude RestartUSecNext; sleep 0.25; done | uniq | tr '\n' ' ')
# Each longer than the one before, up to the table's limit, and it is never given up. The first that
# is seen may be of the restart before.
grows() {
  tr ' ' '\n' <<<"$delays" | awk '/ms$/ {print $1 + 0; next} /s$/ {print 1000 * $1}' |
    awk 'NR == 1 {first = $1; next} NR == 2 && first < $1 {print first} {print}' | sort -nuc 2>/dev/null
}
holds "the delay grows" "$delays" grows
holds "there are steps of it" "$delays" test "$(wc -w <<<"$delays")" -ge 4
same "up to its limit" "$(show jimbot-claude RestartMaxDelayUSec)" "$(awk '{print $NF}' <<<"$delays")"
holds "it is tried for ever" "$(show jimbot-claude ActiveState)" test "$(show jimbot-claude ActiveState)" != failed
rm /run/systemd/system/jimbot-claude.service.d/broken.conf; systemctl daemon-reload; systemctl restart jimbot-claude
holds "and is well once it can be" "$(show jimbot-claude ActiveState)" active jimbot-claude

# A game, backups, a drill, a restore.
if services; then
runuser -u jimbot -- $JIMBOT game serve --port 12346 >/tmp/served 2>&1 &
served=$!
soon 300 bash -c 'exec 3<>/dev/tcp/127.0.0.1/12346' 2>/dev/null
timeout 600 runuser -u jimbot -- $JIMBOT play --game balatrobot --auto --no-advice --seed NIXVM --policy heuristic >/tmp/play 2>&1
same "a game goes through the WebSocket into the log" 0 $?
kill $served; tail -3 /tmp/play
holds "it is in the log" "$(runuser -u jimbot -- $JIMBOT games list 2>&1 | tail -1)" \
  bash -c "runuser -u jimbot -- $JIMBOT games list 2>&1 | grep -q NIXVM"
# At midnight all begin at once.
systemctl start jimbot-backup-{weekly,hourly,daily}
for kind in weekly hourly daily; do
  same "a $kind backup" success "$(went jimbot-backup-$kind)"
  [ "$(went jimbot-backup-$kind)" = success ] || journalctl -o cat -n 20 -u jimbot-backup-$kind
done
systemctl start jimbot-drill
same "a drill restores it" success "$(went jimbot-drill)"
[ "$(went jimbot-drill)" = success ] || journalctl -o cat -n 20 -u jimbot-drill
# What is lost comes back: the log goes, a restore brings it, and all are well with it.
before=$(runuser -u jimbot -- $JIMBOT games list --json 2>/dev/null | sha256sum)
systemctl stop jimbot.target $(printf 'jimbot-%s ' $SERVICES); rm -rf /var/lib/jimbot/events
systemctl start jimbot-restore # which systemd forgets once it has ended well
restored=$?
same "a restore after the log is lost" 0 $restored
((restored == 0)) || journalctl -o cat -n 20 -u jimbot-restore
same "the home is its owner's" "jimbot 700" "$(stat -c '%U %a' /var/lib/jimbot)"
systemctl start jimbot.target
for service in $SERVICES; do soon 900 active "jimbot-$service"; done
same "all are well after it" 0 "$($JIMBOT health $SERVICES >/dev/null; echo $?)"
same "the games are those of before" "$before" "$(runuser -u jimbot -- $JIMBOT games list --json 2>/dev/null | sha256sum)"
fi

# Timers.
holds "five timers wait" "$(systemctl list-timers --all --plain --no-legend 'jimbot*' | awk '{print $(NF-1)}' | tr '\n' ' ')" \
  test "$(systemctl list-timers --all --plain --no-legend 'jimbot*' | wc -l)" = 5
ran() { [ -n "$(show jimbot-retain ExecMainExitTimestamp)" ]; }
if kernel; then
date -s "$(date -d 'tomorrow 00:06' '+%F %T')" >/dev/null
soon 900 ran
holds "midnight passes and the timer fires" "jimbot-retain ended $(show jimbot-retain ExecMainExitTimestamp)" ran
else
systemctl start jimbot-retain
fi
same "forgetting went well" success "$(went jimbot-retain)"
[ "$(went jimbot-retain)" = success ] || journalctl -o cat -n 20 -u jimbot-retain

# A clean stop, in time. systemctl waits for the target alone, and not for what stops with it. The
# backups that midnight began run as the same user and are no part of it.
systemctl stop 'jimbot-*.timer' jimbot-backup-{init,hourly,daily,weekly} jimbot-drill
before=$SECONDS; systemctl stop jimbot.target
gone() { ! pgrep -u jimbot >/dev/null; }
soon 120 gone
holds "all stop" "$((SECONDS - before)) s" gone
for service in $SERVICES; do
  same "$service stopped cleanly" success "$(show "jimbot-$service" Result)"
done
echo "PROOF END up $(cut -d' ' -f1 /proc/uptime) s"
systemctl poweroff
