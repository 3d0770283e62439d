#!/bin/sh
# The firewall of our web server. Only nginx and SSH are open.
set -e

IPT=${IPT:-iptables}

$IPT -F
$IPT -X
$IPT -P INPUT DROP
$IPT -P FORWARD DROP
$IPT -P OUTPUT ACCEPT

# the machine itself
$IPT -A INPUT -i lo -j ACCEPT

# answers to what we asked for
$IPT -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
$IPT -A INPUT -m conntrack --ctstate INVALID -j DROP

# the office may always log in, others have to be patient
$IPT -A INPUT -s 10.99.0.1/32 -p tcp --dport 22 -j ACCEPT
$IPT -A INPUT -p tcp --dport 22 -m conntrack --ctstate NEW -m hashlimit --hashlimit-name ssh --hashlimit-mode srcip --hashlimit-upto 6/minute --hashlimit-burst 3 -j ACCEPT

# nginx
$IPT -A INPUT -p tcp -m multiport --dports 80,443 -m comment --comment "nginx" -j ACCEPT

# ping
$IPT -A INPUT -p icmp --icmp-type echo-request -j ACCEPT

$IPT -A INPUT -m limit --limit 5/min -j LOG --log-prefix "dropped: "
$IPT -A INPUT -j DROP
