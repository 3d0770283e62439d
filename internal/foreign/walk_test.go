package foreign

import (
	"net/netip"
	"testing"

	"go4.org/netipx"
)

// from is a new connection to an address of the host.
func from(src string, proto, port uint32) Packets {
	p := Packets{Proto: proto, DstPort: Range{port, port}, State: "new", Local: true}
	if src != "" {
		p.Src = netipx.RangeOfPrefix(netip.MustParsePrefix(src))
		p.IPv6 = p.Src.From().Is6()
	}
	return p
}

func TestWalk(t *testing.T) {
	entering := from("", 6, 8080)
	entering.In = "eth0"
	six := from("2001:db8::1/128", 6, 22)
	for _, tt := range []struct {
		name, hook string
		p          Packets
		does       Does
		by         string
	}{
		{"mixed.save", "input", from("203.0.113.9/32", 6, 22), Refuses, "iptables filter f2b-sshd: -A f2b-sshd -s 203.0.113.9/32 -j REJECT --reject-with icmp-port-unreachable"},
		{"mixed.save", "input", six, Passes, ""},
		// An ipset is not told, so it may have the address; calico's mark may be set.
		{"mixed.save", "input", from("192.0.2.1/32", 6, 22), Unsure, "iptables filter INPUT: -A INPUT -m set --match-set f2b-nginx src -j REJECT --reject-with icmp-port-unreachable"},
		{"mixed.save", "forward", from("192.0.2.1/32", 6, 22), Passes, ""},
		{"docker.save", "input", from("", 6, 22), Passes, ""},
		{"docker.save", "prerouting", entering, Diverts, "iptables nat DOCKER: -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80"},
		{"docker.save", "prerouting", from("", 6, 22), Passes, ""},
		{"words.json", "input", from("10.1.2.3/32", 6, 1), Refuses, "inet f input: ip saddr { 1.1.1.1-1.1.1.4, 10.0.0.0/8 } drop"},
		{"words.json", "input", from("192.0.2.0/24", 6, 80), Unsure, `inet f input: meta iifname { "eth0", "wan*" } accept`},
		{"words.json", "input", from("192.0.2.5/32", 6, 80), Passes, ""},
		{"words.json", "ingress", from("9.9.9.9/32", 6, 80), Refuses, "netdev nd ing: ip saddr 9.9.9.9 drop"},
		{"words.json", "prerouting", from("9.9.9.9/32", 6, 9), Diverts, "inet f pre: tcp dport 9 redirect to :10"},
	} {
		p := tt.p
		if p.In == "" && tt.name == "words.json" && tt.does == Refuses {
			p.In = "ens3"
		}
		got := load(t, tt.name).Walk(tt.hook, p)
		if got.Does != tt.does || got.By.String() != tt.by {
			t.Errorf("%s %s %+v: %d by %s, want %d by %s", tt.name, tt.hook, tt.p, got.Does, got.By, tt.does, tt.by)
		}
	}
}

// TestWalkSaysOnlyWhatIsSure has one chain a row; the packet is a new connection from 192.0.2.1 to
// tcp/22.
func TestWalkSaysOnlyWhatIsSure(t *testing.T) {
	for _, tt := range []struct {
		name, rules, chains string
		policy              string
		does                Does
	}{
		{name: "nothing", policy: "ACCEPT", does: Passes},
		{name: "policy", policy: "DROP", does: Refuses},
		{name: "established alone", rules: "-A INPUT -m state --state ESTABLISHED -j ACCEPT", policy: "DROP", does: Refuses},
		{name: "port first", rules: "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n-A INPUT -j DROP", policy: "DROP", does: Passes},
		{name: "another port", rules: "-A INPUT -p tcp -m tcp ! --dport 22 -j ACCEPT", policy: "DROP", does: Refuses},
		{name: "another source", rules: "-A INPUT ! -s 192.0.2.0/24 -j ACCEPT", policy: "DROP", does: Refuses},
		{name: "opaque accept", rules: "-A INPUT -m recent --rcheck --name x -j ACCEPT", policy: "DROP", does: Unsure},
		{name: "opaque accept of another port", rules: "-A INPUT -p tcp -m tcp --dport 80 -m recent --rcheck --name x -j ACCEPT", policy: "DROP", does: Refuses},
		{name: "opaque log", rules: "-A INPUT -m limit --limit 3/min -j LOG", policy: "DROP", does: Refuses},
		{name: "unknown target", rules: "-A INPUT -j TARPIT", policy: "DROP", does: Unsure},
		{name: "unknown target behind an accept", rules: "-A INPUT -p tcp -j ACCEPT\n-A INPUT -j TARPIT", policy: "DROP", does: Passes},
		{name: "queue", rules: "-A INPUT -j NFQUEUE --queue-num 0", policy: "ACCEPT", does: Unsure},
		{name: "loopback", rules: "-A INPUT -i lo -j ACCEPT", policy: "DROP", does: Refuses},
		{name: "some interface", rules: "-A INPUT -i eth+ -j ACCEPT", policy: "DROP", does: Unsure},
		{name: "jump and return", chains: ":x - [0:0]\n", rules: "-A INPUT -j x\n-A INPUT -j ACCEPT\n-A x -p tcp -j RETURN\n-A x -j DROP", policy: "DROP", does: Passes},
		{name: "goto does not come back", chains: ":x - [0:0]\n", rules: "-A INPUT -g x\n-A INPUT -j ACCEPT", policy: "DROP", does: Refuses},
		{name: "a loop", chains: ":x - [0:0]\n", rules: "-A INPUT -j x\n-A x -j x", policy: "ACCEPT", does: Unsure},
		{name: "all flags", rules: "-A INPUT -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j DROP", policy: "ACCEPT", does: Refuses},
		{name: "inside quotes", rules: `-A INPUT -p udp -m comment --comment "x -j DROP" -j DROP`, policy: "ACCEPT", does: Passes},
		{name: "maybe twice", rules: "-A INPUT -m recent --rcheck --name x -j DROP\n-A INPUT -m limit --limit 1/sec -j REJECT", policy: "DROP", does: Refuses},
	} {
		rs, err := ParseSave("*filter\n:INPUT "+tt.policy+" [0:0]\n"+tt.chains+tt.rules+"\nCOMMIT\n", IPv4, true)
		if err != nil {
			t.Fatal(err)
		}
		if got := rs.Walk("input", from("192.0.2.1/32", 6, 22)); got.Does != tt.does {
			t.Errorf("%s: %d by %s, want %d", tt.name, got.Does, got.By, tt.does)
		}
	}
}

// TestOneDropIsEnough: an accept ends its chain only, whatever the priorities.
func TestOneDropIsEnough(t *testing.T) {
	rs, err := ParseNft(`{"nftables": [
		{"chain": {"family": "inet", "table": "a", "name": "c", "type": "filter", "hook": "input", "prio": -5, "policy": "accept"}},
		{"rule": {"family": "inet", "table": "a", "chain": "c", "expr": [{"accept": null}]}},
		{"chain": {"family": "inet", "table": "b", "name": "c", "type": "filter", "hook": "input", "prio": 5, "policy": "drop"}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if got := rs.Walk("input", from("192.0.2.1/32", 6, 22)); got.Does != Refuses || got.By.String() != "inet b c: policy drop" {
		t.Errorf("%d by %s", got.Does, got.By)
	}
}
