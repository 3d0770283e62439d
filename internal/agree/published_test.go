package agree

import (
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// publishedPort has a container as Docker makes one: its port is reached through the
// host, whose input chain never sees it. Another is published on the port that the
// first one listens at.
func publishedPort(t *testing.T, h *host) {
	h.container()
	for _, c := range []struct {
		lines   string
		reached bool
	}{
		{"", true}, // no forward chain without a forward rule
		{`forward = [ { allow = "tcp/9" } ]`, false},
		{`forward = [ { allow = "http", to = "172.17.0.2" } ]`, true},
		{"", true}, // and it goes again
	} {
		text := nftables(t, ours(t, me(), c.lines))
		if chain := strings.Contains(text, "hook forward"); chain != (c.lines != "") {
			t.Errorf("%q: a forward chain: %v", c.lines, chain)
		}
		h.nft(text)
		if got := knocks(t.Context(), h.Addr4(), 8080); got != c.reached {
			t.Errorf("%q: port 8080 is reached: %v", c.lines, got)
		}
		if knocks(t.Context(), h.Addr4(), 8081) {
			t.Error("port 8081 is reached")
		}
	}
}

// publishedRules has the rules of published, over both families and in every way they
// can be loaded: they hold by the port that was asked for, and what the container sends
// is not theirs.
func publishedRules(t *testing.T, h *host) {
	h.container()
	for _, c := range []struct {
		lines string
		open  string // of 8080 and 80
		shut  bool   // the container does not get out
	}{
		{lines: `published = []`},
		{lines: `published = [ { allow = "tcp/8080" } ]`, open: "8080"},
		{lines: `published = [ { allow = "tcp/80" } ]`, open: "80"},
		{lines: `published = [ { allow = ["tcp/80", "tcp/8080", "tcp/443"] } ]`, open: "8080 80"},
		{lines: `published = [ { allow = "tcp/8000-8100", from = [` + me() + `] } ]`, open: "8080"},
		{lines: `published = [ { allow = "tcp/8080", from = ["198.51.100.1", "2001:db8:ffff::1"] } ]`},
		{lines: `published = [ { allow = "tcp/8080", iface = "eth0" }, { allow = "tcp/80", iface = "eth9" } ]`, open: "8080"},
		{lines: `published = [ { allow = "all" }, { deny = "tcp/8080" } ]`, open: "80"},
		{lines: `published = [ { allow = "tcp/8080", max_conns = 50, rate = "50/s", log = true, name = "app" } ]`, open: "8080"},
		{lines: "published = [ { allow = \"tcp/8080\" } ]\nforward = []", open: "8080", shut: true},
		{lines: "published = []\nforward = [ { allow = \"all\" } ]"},
		{lines: `in = [ { deny = "all" } ]`, open: "8080 80"},
	} {
		policy := ours(t, me(), c.lines)
		for _, way := range ways {
			_, script := way.load(t, policy)
			if _, said, err := h.Exec(t.Context(), script, way.program...); err != nil {
				t.Fatalf("%s, %q: %v: %s", way.name, c.lines, err, said)
			}
			reached := h.reached(8080, 80)
			for _, a := range []netip.Addr{h.Addr4(), h.Addr6()} {
				if reached[a] != c.open {
					t.Errorf("%s, %q: of %s are reached %q, want %q", way.name, c.lines, a, reached[a], c.open)
				}
			}
			if _, _, err := h.Exec(t.Context(), "", "ip", "netns", "exec", "box", "ping", "-q", "-c", "1", "-W", "1", world.Addr4().String()); (err != nil) != c.shut {
				t.Errorf("%s, %q: the container gets out: %v", way.name, c.lines, err == nil)
			}
			h.sh("nft 'add table inet fwpush; delete table inet fwpush'; for v in nft legacy; do for i in iptables ip6tables; do $i-$v -F; $i-$v -X; done; done; ipset destroy")
		}
	}
}

// container has a machine behind the host, to which two ports are published. Each leads
// to the number of the other: a rule that looked at the port behind nat would be seen.
func (h *host) container() {
	h.sh(`ip netns add box
ip link add docker0 type veth peer name eth0 netns box
ip addr add 172.17.0.1/16 dev docker0; ip addr add fd00:17::1/64 dev docker0 nodad; ip link set docker0 up
ip -n box addr add 172.17.0.2/16 dev eth0; ip -n box addr add fd00:17::2/64 dev eth0 nodad; ip -n box link set eth0 up; ip -n box link set lo up
ip -n box route add default via 172.17.0.1; ip -n box -6 route add default via fd00:17::1
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
for p in "8080 80" "80 8080"; do set -- $p
  iptables-nft -t nat -A PREROUTING -i eth0 -p tcp --dport $1 -j DNAT --to-destination 172.17.0.2:$2
  ip6tables-nft -t nat -A PREROUTING -i eth0 -p tcp --dport $1 -j DNAT --to-destination [fd00:17::2]:$2
done
iptables-nft -t nat -A POSTROUTING -o eth0 -j MASQUERADE`)
}

// reached are the ports at which something answers, at each address of the host.
func (h *host) reached(ports ...uint16) map[netip.Addr]string {
	addrs := []netip.Addr{h.Addr4(), h.Addr6()}
	answers := make([]bool, len(addrs)*len(ports))
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = knocks(h.t.Context(), addrs[i/len(ports)], ports[i%len(ports)]) })
	}
	all.Wait()
	found := map[netip.Addr]string{}
	for i, answered := range answers {
		if answered {
			a := addrs[i/len(ports)]
			found[a] = strings.TrimSpace(found[a] + " " + strconv.Itoa(int(ports[i%len(ports)])))
		}
	}
	return found
}
