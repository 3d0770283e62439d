# shellcheck shell=sh
# The boot unit, for systemd and for OpenRC. It loads the confirmed rules before there
# is a network, and with systemd again whenever nftables.service is restarted or reloaded, because
# Debian's nftables.conf begins by emptying the whole ruleset. Starting it beside rules
# that run changes nothing while there is a state file: they may be a candidate in
# its window. Without one they are of before a boot that the kernel's rules have
# outlived, as in a container.
#
# A boot file that does not load is told of on stderr (the journal, the console) and in
# /run/fwpush.boot, which facts.sh reads; then the rules before it are loaded.

# Both units have these lines, systemd between double quotes: no ", $, % or \ in them.
# A file that is empty, or cut off before its table, is no error to nft: hence grep.
LOADPREV="grep -qs 'hook input' /var/lib/fwpush/boot.prev && nft -f /var/lib/fwpush/boot.prev || exec /bin/sh /var/lib/fwpush/load.sh previous"
LOADBOOT="if grep -qs 'hook input' /var/lib/fwpush/boot.nft && nft -f /var/lib/fwpush/boot.nft; then rm -f /run/fwpush.boot; else echo previous >/run/fwpush.boot; echo 'fwpush: /var/lib/fwpush/boot.nft does not load; loading boot.prev, the rules before it' >&2; $LOADPREV; fi"
LOADSTART="if [ -e /var/lib/fwpush/boot.ipt ] || [ -e /var/lib/fwpush/exclusive ]; then exec /bin/sh /var/lib/fwpush/load.sh start; fi; { ls /run/fwpush/S.* && nft list table inet fwpush; } >/dev/null 2>&1 || $LOADBOOT"
LOADAGAIN="if [ -e /var/lib/fwpush/boot.ipt ] || [ -e /var/lib/fwpush/exclusive ]; then exec /bin/sh /var/lib/fwpush/load.sh reload; fi; $LOADBOOT"

# shellcheck disable=SC2034 # read by facts.sh and begin.sh
UNITTEXT="# Written by fwpush; taken away by fwpush remove.
[Unit]
Description=Firewall rules confirmed by fwpush
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
After=nftables.service netfilter-persistent.service
PartOf=nftables.service netfilter-persistent.service
ReloadPropagatedFrom=nftables.service netfilter-persistent.service
Conflicts=shutdown.target
RequiresMountsFor=/var/lib/fwpush
ConditionPathExists=|/var/lib/fwpush/boot.nft
ConditionPathExists=|/var/lib/fwpush/boot.ipt

[Service]
Type=oneshot
RemainAfterExit=yes
SyslogLevel=err
Environment=PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C TZ=UTC0
ExecStart=/bin/sh -c \"$LOADSTART\"
ExecReload=/bin/sh -c \"$LOADAGAIN\"

[Install]
WantedBy=sysinit.target"

# Nothing is needed: what mounts the disk has another name on each distribution. The
# kernel's log keeps what is said before there is a syslog.
# shellcheck disable=SC2034,SC2016 # read by facts.sh and begin.sh; expanded by OpenRC
INITTEXT='#!/sbin/openrc-run
# Written by fwpush; taken away by fwpush remove.
description="Firewall rules confirmed by fwpush"
extra_commands="reload"

depend() {
	after localmount mountall clock nftables iptables ip6tables
	before net
}

start() {
	[ -e /var/lib/fwpush/boot.nft ] || [ -e /var/lib/fwpush/boot.ipt ] || return 0
	ebegin "Loading the firewall rules confirmed by fwpush"
	(
		# Not outside: OpenRC needs the PATH that it gives.
		export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C TZ=UTC0
		'$LOADSTART'
	)
	tell $?
}

reload() {
	ebegin "Loading the firewall rules confirmed by fwpush again"
	(
		export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C TZ=UTC0
		'$LOADAGAIN'
	)
	tell $?
}

stop() { return 0; }

tell() {
	status=$1
	[ ! -e /run/fwpush.boot ] || set -- 1
	if [ "$1" -ne 0 ]; then
		eerror "fwpush: the confirmed firewall rules did not load: fwpush status"
		[ ! -c /dev/kmsg ] || echo "<2>fwpush: the confirmed firewall rules did not load" >/dev/kmsg
	fi
	eend "$status"
}'

# init_of: INIT, what boots the host, as far as we have a unit for it, UNITFILE where that
# stands, and UNITWANT what it has to be.
init_of() {
	INIT=none UNITFILE='' UNITWANT=''
	if [ -d /run/systemd/system ]; then
		INIT=systemd UNITFILE=$UNITDIR/fwpush.service UNITWANT=$UNITTEXT
	elif [ -e /run/openrc/softlevel ]; then
		INIT=openrc UNITFILE=$INITDIR/fwpush UNITWANT=$INITTEXT
	fi
}

# unit_state: UNIT, whether the host would load our rules at boot: ok, differs,
# disabled, absent, or none where there is nothing that we know to do it.
unit_state() {
	init_of
	UNIT=none
	[ "$INIT" != none ] || return 0
	UNIT=absent
	slurp "$UNITFILE" || return 0
	UNIT=differs
	[ "$TEXT" = "$UNITWANT" ] || return 0
	[ "$INIT" = systemd ] || [ -x "$UNITFILE" ] || return 0
	UNIT=disabled
	for f in "$UNITDIR"/*.wants/fwpush.service "$LEVELS/boot/fwpush" "$LEVELS/sysinit/fwpush"; do
		case $INIT$f in
		systemd*.service | openrc*/fwpush) [ ! -L "$f" ] || UNIT=ok ;;
		esac
	done
}
