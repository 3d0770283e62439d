package proposal

import (
	"errors"
	"testing"

	"fwpush/internal/foreign"
	"fwpush/inventory"
	"fwpush/roles"
)

// Whatever a host tells, what is made of it is a piece of a fleet file, and where nothing is
// named as not carried over it opens nothing but what a closed outbound keeps. It is the
// same twice.
func FuzzMake(f *testing.F) {
	f.Add("*filter\n:INPUT DROP [0:0]\n:a - [0:0]\n-A INPUT -s 10.0.0.1 -j DROP\n-A INPUT -p tcp -m tcp --dport 22 -m comment --comment \"a \\\" b\" -j ACCEPT\n-A INPUT -j a\n-A a -p 47 -j ACCEPT\n-A a -p icmp -j RETURN\nCOMMIT\n*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.1:8080\n-A PREROUTING -i a\"b -p tcp --dport 0 -j REDIRECT --to-ports 1\nCOMMIT\n", false)
	f.Add("*nat\n:PREROUTING ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n-A PREROUTING -p udp -m udp --dport 53 -j REDIRECT --to-ports 5353\n-A PREROUTING -d 192.0.2.1 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.1:8080\n-A POSTROUTING -o eth0 -j MASQUERADE\n-A POSTROUTING -s 10.0.0.0/8 -j SNAT --to-source 192.0.2.7\nCOMMIT\n", false)
	f.Add("*filter\n:INPUT ACCEPT [0:0]\n:OUTPUT DROP [0:0]\n:FORWARD DROP [0:0]\n-A FORWARD -i x -o y -s 2001:db8::/32 -j ACCEPT\n-A OUTPUT -p udp --dport 53 -m limit --limit 1/sec -j ACCEPT\n-A INPUT -p tcp --dport 1:65535 -m hashlimit --hashlimit-above 999999999/day --hashlimit-mode srcip -j DROP\nCOMMIT\n", true)
	f.Fuzz(func(t *testing.T, text string, v6 bool) {
		family := foreign.IPv4
		if v6 {
			family = foreign.IPv6
		}
		rs, err := foreign.ParseSave(text, family, false)
		if err != nil {
			return
		}
		rules := Rules{Files: map[foreign.Family]string{family: "f"}, Lines: true, Rules: rs, V6: v6}
		p, err := Make("web", rules)
		if errors.Is(err, errTooMuch) {
			return
		}
		if err != nil {
			t.Fatalf("%v of\n%s\n%s", err, text, p.Text)
		}
		for _, o := range p.Opens {
			if len(p.Lost) == 0 && o.Direction != roles.Output {
				t.Fatalf("opens %s of\n%s\n%s", o, text, p.Text)
			}
		}
		if again, _ := Make("web", rules); again.File("f") != p.File("f") {
			t.Fatal("not the same twice")
		}
	})
}

// The same of what nft lists, where chains, tables and interfaces may be called anything.
func FuzzMakeNft(f *testing.F) {
	f.Add(`{"nftables":[{"chain":{"family":"inet","table":"f","name":"x\n]\n[roles.evil]\nin = [\n#","type":"filter","hook":"input","prio":0,"policy":"drop"}},` +
		`{"rule":{"family":"inet","table":"f","chain":"x\n]\n[roles.evil]\nin = [\n#","comment":"\"\n","expr":[{"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":"a\n\"b"}},{"limit":{"rate":9,"burst":0,"per":"minute"}},{"accept":null}]}}]}`)
	f.Add(`{"nftables":[{"chain":{"family":"inet","table":"n","name":"o","type":"nat","hook":"postrouting","prio":100}},{"rule":{"family":"inet","table":"n","chain":"o","expr":[{"match":{"op":"!=","left":{"payload":{"protocol":"ip","field":"daddr"}},"right":{"prefix":{"addr":"10.0.0.0","len":8}}}},{"snat":{"addr":"192.0.2.1","port":7}}]}},` +
		`{"rule":{"family":"inet","table":"n","chain":"o","expr":[{"jump":{"target":"o"}}]}},{"rule":{"family":"inet","table":"n","chain":"o","expr":[{"masquerade":{"flags":"random"}}]}},{"chain":{"family":"bridge","table":"b\r","name":"\u0085","hook":"forward","policy":"drop"}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		rs, err := foreign.ParseNft(text)
		if err != nil {
			return
		}
		p, err := Make("web", Rules{Files: map[foreign.Family]string{foreign.Inet: "f"}, Rules: rs, V6: true})
		if errors.Is(err, errTooMuch) {
			return
		}
		if err != nil {
			t.Fatalf("%v of\n%s\n%s", err, text, p.Text)
		}
		fleet, _ := inventory.Parse("f", []byte(p.whole()))
		if len(fleet.Roles) != 1 || len(fleet.Hosts) != 1 {
			t.Fatalf("%d roles and %d hosts in\n%s", len(fleet.Roles), len(fleet.Hosts), p.Text)
		}
	})
}
