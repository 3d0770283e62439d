// Package foreign reads the firewall rules on a host that are not fwpush's: those that Docker,
// libvirt, fail2ban, kube-proxy, firewalld or ufw load, and those that somebody wrote by hand. It
// parses what iptables-save and nft -j tell, says which manager a chain or rule belongs to, and
// leads packets through base chains.
//
// What it reads was sent by a host: it is bounded, and may be anything. What it does not understand
// is kept as text and makes an answer unsure; it never makes one up.
package foreign
