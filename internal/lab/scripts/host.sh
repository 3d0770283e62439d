#!/bin/sh
# What the first process of a host does. It runs as PID 1 in new network, mount, PID, IPC and UTS
# namespaces, on a root tree that the caller has mounted and filled at $LAB_ROOT.
#   host.sh light     sshd and atd under this shell
#   host.sh systemd   /sbin/init, in a cgroup namespace of its own
#   host.sh openrc    /sbin/openrc-init
#   host.sh router    nothing but a network namespace that forwards packets
# A host waits for one line on stdin, which says that its network is set up; an end of file means
# that the caller is gone. A router writes a line when it forwards.
set -eu

await_network() {
	read -r _
	exec </dev/null
}

# The devices a server has, and none of the machine's disks.
make_dev() {
	mount -t tmpfs -o mode=755,size=1m dev dev
	for d in null zero full random urandom tty; do
		: >"dev/$d"
		mount --bind "/dev/$d" "dev/$d"
	done
	ln -s /proc/self/fd dev/fd
	ln -s fd/0 dev/stdin
	ln -s fd/1 dev/stdout
	ln -s fd/2 dev/stderr
	mkdir dev/pts dev/shm
	mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
	ln -s pts/ptmx dev/ptmx
	mount -t tmpfs -o mode=1777 shm dev/shm
}

# Kernel settings that no namespace covers belong to the machine: a host sees them but cannot
# change them. The network's are its own. Each boot has its own boot id.
make_proc() {
	mount -t proc -o nosuid,nodev,noexec proc proc
	cat /proc/sys/kernel/random/uuid >dev/boot_id
	mount --bind proc/sys proc/sys
	mount --bind proc/sys/net proc/sys/net
	mount --bind dev/boot_id proc/sys/kernel/random/boot_id
	rm dev/boot_id
	mount -o remount,bind,ro proc/sys
	if [ -e proc/sysrq-trigger ]; then
		mount --bind dev/null proc/sysrq-trigger
	fi
}

# Leaves the machine's root for the host's, so that nothing of the machine stays mounted here.
enter_root() {
	hostname "$LAB_NAME"
	cd "$LAB_ROOT"
	make_dev
	make_proc
	mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
	if [ "$1" = systemd ]; then
		mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
	fi
	mount -t tmpfs -o mode=755,nosuid,nodev run run
	mount -t tmpfs -o mode=1777,nosuid,nodev tmp tmp
	# pivot_root(2) describes this use: the old root ends up on top of the new one.
	pivot_root . .
	umount -l .
	cd /
}

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
umask 022
case $1 in
light)
	enter_root light
	await_network
	mkdir /run/sshd /run/lock
	if command -v atd >/dev/null; then
		env -i PATH="$PATH" atd -f &
		echo $! >/run/atd.pid
	fi
	if [ -x /usr/sbin/sshd ]; then
		env -i PATH="$PATH" /usr/sbin/sshd -D -e &
	elif [ -x /usr/sbin/dropbear ]; then
		# It reads keys in its own form only.
		dropbearconvert openssh dropbear /etc/ssh/ssh_host_ed25519_key /etc/dropbear/key
		env -i PATH="$PATH" /usr/sbin/dropbear -F -E -s -r /etc/dropbear/key -p "$LAB_PORT" -P /run/sshd.pid &
	else
		echo "host.sh: the root tree has no /usr/sbin/sshd and no dropbear" >&2
		exit 1
	fi
	# This shell stays to reap what daemons leave. The sleep keeps `wait` waiting when a test has
	# ended the daemons.
	sleep 2147483647 &
	while :; do
		wait || :
	done
	;;
systemd)
	enter_root systemd
	await_network
	exec env -i container=lab PATH="$PATH" /sbin/init
	;;
openrc)
	enter_root openrc
	await_network
	exec env -i PATH="$PATH" /sbin/openrc-init
	;;
router)
	echo 1 >/proc/sys/net/ipv4/ip_forward
	echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
	# A router asks for neighbours with its link-local address, which would be tentative for its
	# first seconds (RFC 4862 5.4).
	echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
	echo ready
	exec sleep 2147483647
	;;
*)
	echo "host.sh: unknown kind $1" >&2
	exit 2
	;;
esac
