#!/bin/sh
# Makes a root tree with Debian's docker.io and fail2ban out of one that debootstrap has made.
#   docker.sh docker BASE DIR
# Nothing of either is started at boot: a test does that. Packages come from the mirror that BASE
# came from. It runs in the machine's network namespace.
set -eu
base=$2 dir=$3
work=$dir.work

rm -rf "$dir" "$work"
mkdir "$work"
# apt finds out what belongs to them in a copy of BASE made of links: it replaces files and writes
# into none that is there. Nothing is installed, so no maintainer's script runs and no unit is enabled.
cp -al "$base" "$work/apt"
rm -f "$work/apt/etc/resolv.conf"
cp /etc/resolv.conf "$work/apt/etc/resolv.conf"
mkdir -p "$work/apt/debs/partial"
chroot "$work/apt" sh -c 'apt-get -q update &&
	apt-get -q -y --no-install-recommends -o APT::Sandbox::User=root -o Dir::Cache::archives=/debs --download-only install docker.io fail2ban'
cp -al "$base" "$dir"
for deb in "$work"/apt/debs/*.deb; do
	dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$dir" --keep-directory-symlink
done
rm -rf "$work"
