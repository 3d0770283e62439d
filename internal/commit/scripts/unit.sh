# shellcheck shell=sh
# The boot unit. It loads the confirmed rules before there is a network, and
# again whenever nftables.service is restarted or reloaded, because Debian's
# nftables.conf begins by emptying the whole ruleset. Starting it beside rules
# that run changes nothing while there is a state file: they may be a candidate in
# its window. Without one they are of before a boot that the kernel's rules have
# outlived, as in a container.

# shellcheck disable=SC2034 # read by facts.sh and begin.sh
UNITTEXT='# Written by fwpush; taken away by fwpush remove.
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
Environment=PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C TZ=UTC0
ExecStart=/bin/sh -c "if [ -e /var/lib/fwpush/boot.ipt ] || [ -e /var/lib/fwpush/exclusive ]; then exec /bin/sh /var/lib/fwpush/load.sh start; fi; { ls /run/fwpush/S.* && nft list table inet fwpush; } >/dev/null 2>&1 || nft -f /var/lib/fwpush/boot.nft || nft -f /var/lib/fwpush/boot.prev || exec /bin/sh /var/lib/fwpush/load.sh previous"
ExecReload=/bin/sh -c "if [ -e /var/lib/fwpush/boot.ipt ] || [ -e /var/lib/fwpush/exclusive ]; then exec /bin/sh /var/lib/fwpush/load.sh reload; fi; nft -f /var/lib/fwpush/boot.nft || nft -f /var/lib/fwpush/boot.prev || exec /bin/sh /var/lib/fwpush/load.sh previous"

[Install]
WantedBy=sysinit.target'
