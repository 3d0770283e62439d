#!/bin/sh
# Makes a root tree that debootstrap cannot make out of one that it has made, in a few seconds.
#   tree.sh openrc BASE DIR    Debian with OpenRC for an init
#   tree.sh busybox BASE DIR   busybox, dropbear, nft and what these need: a router's userland
# Packages come from the mirror that BASE came from. It runs in the machine's network namespace.
set -eu
kind=$1 base=$2 dir=$3
work=$dir.work

die() {
	echo "tree.sh: $*" >&2
	exit 1
}

# fetch PACKAGES: their .deb files in $work/debs. apt runs in a copy of BASE made of links: it
# replaces files and writes into none that is there.
fetch() {
	cp -al "$base" "$work/apt"
	rm -f "$work/apt/etc/resolv.conf"
	cp /etc/resolv.conf "$work/apt/etc/resolv.conf"
	mkdir "$work/apt/debs"
	chroot "$work/apt" sh -c 'cd /debs && apt-get -q update && apt-get -q -o APT::Sandbox::User=root download "$@"' sh "$@"
}

# unpack TREE: what was fetched, into a tree whose /bin and /lib may be links.
unpack() {
	for deb in "$work"/apt/debs/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$1" --keep-directory-symlink
	done
}

# with_libraries TREE FILES: files of $work/apt, and the libraries that they name.
with_libraries() {
	tree=$1
	shift
	for file; do
		printf '%s\n' "$file"
		chroot "$work/apt" ldd "$file" 2>/dev/null | sed -n 's/^[^/]*\(\/[^ ]*\) .*/\1/p'
	done | sort -u | while read -r file; do
		mkdir -p "$tree${file%/*}"
		[ ! -L "$tree$file" ] || die "$file is a link already"
		chroot "$work/apt" cat "$file" >"$tree$file"
		chmod 755 "$tree$file"
	done
}

# service NAME TEXT: a daemon that OpenRC starts.
service() {
	printf '#!/sbin/openrc-run\ncommand=/usr/sbin/%s\npidfile=/run/%s.pid\n%s\n' "$1" "$1" "$2" >"$dir/etc/init.d/$1"
	chmod 755 "$dir/etc/init.d/$1"
	ln -s "/etc/init.d/$1" "$dir/etc/runlevels/default/$1"
}

rm -rf "$dir" "$work"
mkdir "$work"
case $kind in
openrc)
	fetch openrc libeinfo1 librc1
	cp -al "$base" "$dir"
	unpack "$dir"
	ln -sf openrc-init "$dir/usr/sbin/init"
	# What stands in /etc/init.d is for sysvinit, and sets up a machine: disks, clock, devices. A
	# host of the lab has these already.
	for script in "$dir"/etc/init.d/*; do
		! grep -q 'BEGIN INIT INFO' "$script" || rm "$script"
	done
	for level in sysinit boot default nonetwork shutdown; do mkdir -p "$dir/etc/runlevels/$level"; done
	# A host is up when its sshd answers: that comes last.
	service atd ''
	service sshd 'depend() { need atd; }
start_pre() { mkdir -p /run/sshd; }'
	;;
busybox)
	fetch dropbear-bin libtomcrypt1 libtommath1
	unpack "$work/apt"
	for d in usr/bin usr/sbin usr/lib usr/lib64 usr/local/sbin etc/dropbear dev proc sys run tmp root var/log var/spool; do
		mkdir -p "$dir/$d"
	done
	for d in bin sbin lib lib64; do ln -s "usr/$d" "$dir/$d"; done
	# For the lab's own way in, which no login and no script of fwpush has in its path.
	with_libraries "$dir" /usr/bin/unshare
	mv "$dir/usr/bin/unshare" "$dir/usr/local/sbin/unshare"
	with_libraries "$dir" /usr/bin/busybox /usr/sbin/nft /usr/sbin/dropbear /usr/bin/dropbearconvert
	# Last, and from within: each applet is an absolute link, and seen from here one to the machine's.
	chroot "$dir" /usr/bin/busybox --install -s
	printf 'root:x:0:0:root:/root:/bin/sh\n' >"$dir/etc/passwd"
	printf 'root:*:19000:0:99999:7:::\n' >"$dir/etc/shadow"
	printf 'root:x:0:\n' >"$dir/etc/group"
	;;
*) die "unknown kind $kind" ;;
esac
rm -rf "$work"
