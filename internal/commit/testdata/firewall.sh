#!/bin/sh
# A firewall as one writes it at home, and as it has run on many a web server: IPv4
# only, and IPv6 forgotten.
ipt=${1:-iptables}
$ipt -F
$ipt -X
$ipt -t nat -F
$ipt -t mangle -F
$ipt -P INPUT DROP
$ipt -P FORWARD DROP
$ipt -P OUTPUT ACCEPT
$ipt -N LOGDROP
$ipt -A LOGDROP -m limit --limit 5/min --limit-burst 10 -j LOG --log-prefix "fw drop: " --log-level 7
$ipt -A LOGDROP -j DROP
$ipt -A INPUT -i lo -j ACCEPT
$ipt -A INPUT -m state --state ESTABLISHED,RELATED -j ACCEPT
$ipt -A INPUT -p tcp ! --syn -m state --state NEW -j DROP
$ipt -A INPUT -p tcp --dport 22 -m state --state NEW -m recent --set --name ssh
$ipt -A INPUT -p tcp --dport 22 -m state --state NEW -m recent --update --seconds 60 --hitcount 15 --name ssh -j LOGDROP
$ipt -A INPUT -p tcp --dport 22 -j ACCEPT -m comment --comment "ssh, \"slowly\""
$ipt -A INPUT -p tcp -m multiport --dports 80,443 -j ACCEPT
$ipt -A INPUT -p icmp --icmp-type echo-request -m limit --limit 5/s -j ACCEPT
$ipt -A INPUT -j LOGDROP
$ipt -t mangle -A PREROUTING -p tcp --tcp-flags ALL NONE -j DROP
