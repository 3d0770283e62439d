package roles

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"fwpush/inventory"
)

func natHost(entries ...string) string {
	return prelude + "[sets.ops]\naddresses = [\"198.51.100.0/24\"]\n[hosts.gw]\naddresses = [\"203.0.113.1\", \"10.0.0.1\"]\n" +
		"nat = [\n" + strings.Join(entries, ",\n") + "\n]\n"
}

// translated is who gets where, in the order of the policy.
func translated(list []NAT) string {
	var words []string
	for _, n := range list {
		word := string(n.Kind)
		if n.ToAddr.IsValid() {
			word += " " + n.ToAddr.String()
		}
		if n.ToPort > 0 {
			word += fmt.Sprintf(" %d", n.ToPort)
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

// The first entry that matches translates, so the exception comes first, in whichever
// order the file has them.
func TestNATExceptionsComeFirst(t *testing.T) {
	for _, tt := range []struct {
		name    string
		entries []string
		want    string
	}{
		{"by source, leaving", []string{`{ snat = "203.0.113.7", from = "10.0.0.25", out_iface = "wan" }`, `{ masquerade = true, family = "ipv4", from = "10.0.0.0/24", out_iface = "wan" }`},
			"snat 203.0.113.7, masquerade"},
		{"by source, arriving", []string{`{ dnat = true, to_addr = "10.0.0.9", dport = "http", from = "set:ops", iface = "wan" }`, `{ dnat = true, to_addr = "10.0.0.8", dport = "http", iface = "wan" }`},
			"dnat 10.0.0.9, dnat 10.0.0.8"},
		{"by interface", []string{`{ dnat = true, to_addr = "10.0.0.9", dport = "http", iface = "wan" }`, `{ dnat = true, to_addr = "10.0.0.8", dport = "http" }`},
			"dnat 10.0.0.9, dnat 10.0.0.8"},
		{"by port", []string{`{ dnat = true, to_addr = "10.0.0.9", dport = "http" }`, `{ dnat = true, to_addr = "10.0.0.8", dport = "tcp/1-1000" }`},
			"dnat 10.0.0.9, dnat 10.0.0.8"},
		{"by one of its addresses", []string{`{ dnat = true, to_addr = "10.0.0.9", dport = "http", to = "203.0.113.1" }`, `{ dnat = true, to_addr = "10.0.0.8", dport = "http" }`},
			"dnat 10.0.0.9, dnat 10.0.0.8"},
		{"by an address the file does not give it", []string{`{ dnat = true, to_addr = "10.0.0.9", dport = "http", to = "203.0.113.2" }`, `{ dnat = true, to_addr = "10.0.0.8", dport = "http" }`},
			"dnat 10.0.0.9, dnat 10.0.0.8"},
		{"its addresses among all", []string{`{ dnat = true, to_addr = "10.0.0.9", dport = "http" }`, `{ redirect = 3128, dport = "http", family = "ipv4" }`},
			"dnat 10.0.0.9, redirect 3128"},
		{"its addresses among any", []string{`{ dnat = true, to_addr = "10.0.0.9", dport = "http" }`, `{ dnat = true, to_addr = "10.0.0.8", dport = "http", to = "any" }`},
			"dnat 10.0.0.9, dnat 10.0.0.8"},
		{"three deep", []string{`{ snat = "203.0.113.9", from = "10.0.0.0/30" }`, `{ snat = "203.0.113.8", from = "10.0.0.0/24" }`, `{ snat = "203.0.113.7" }`},
			"snat 203.0.113.9, snat 203.0.113.8, snat 203.0.113.7"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 {
				if got := translated(compile(t, natHost(tt.entries...), "gw").NAT); got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
				slices.Reverse(tt.entries)
			}
		})
	}
}

// Where neither of two entries is the exception, nothing says which one is meant.
func TestNATContradictions(t *testing.T) {
	const contradiction = "11: this entry of nat and the one at fleet.toml:10:1 translate some of the same connections, each in another way"
	for _, tt := range []struct{ name, a, b, want string }{
		{"crossing", `{ snat = "203.0.113.7", from = "10.0.0.0/24" }`, `{ snat = "203.0.113.8", out_iface = "wan" }`, contradiction},
		{"the same", `{ snat = "203.0.113.7", from = "10.0.0.0/24" }`, `{ snat = "203.0.113.8", from = ["10.0.0.0/25", "10.0.0.128/25"] }`, contradiction},
		{"two ways away", `{ redirect = 3128, dport = ["http", "https"] }`, `{ dnat = true, to_addr = "10.0.0.9", dport = ["http", "tcp/81"], to = "any" }`, contradiction},
		{"to another port", `{ redirect = 3128, dport = "http", from = "10.0.0.0/24" }`, `{ redirect = 3129, dport = "http", iface = "lan" }`, contradiction},
		{"crossing, to one end", `{ snat = "203.0.113.7", from = "10.0.0.0/24" }`, `{ snat = "203.0.113.7", out_iface = "wan" }`, ""},
		{"apart", `{ snat = "203.0.113.7", from = "10.0.0.0/24" }`, `{ snat = "203.0.113.8", from = "10.0.1.0/24" }`, ""},
		{"of two families", `{ masquerade = true, family = "ipv4" }`, `{ snat = "2001:db8::1" }`, ""},
		{"where they come from and where they go", `{ snat = "203.0.113.7", from = "10.0.0.0/24" }`, `{ dnat = true, to_addr = "10.0.0.9", dport = "http" }`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fleet := load(t, natHost(tt.a, tt.b))
			_, problems := Compile(fleet, fleet.Hosts[0])
			if got := found(problems, inventory.Error); got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
}

// Order never matters, and no entry stands behind one that takes all it is about.
func TestNATOrderIsOfTheEntries(t *testing.T) {
	draw := func(t *rapid.T) string {
		from := rapid.SampledFrom([]string{"any", "10.0.0.0/24", "10.0.0.0/25", "10.0.0.7", "2001:db8::/64"}).Draw(t, "from")
		port := rapid.SampledFrom([]string{"tcp/80", "tcp/80-90", "tcp/1-65535"}).Draw(t, "port")
		to := rapid.SampledFrom([]string{"", "", `, to = "any"`, `, to = "203.0.113.1"`, `, to = "203.0.113.0/24"`}).Draw(t, "to")
		iface := rapid.SampledFrom([]string{"", `, iface = "wan"`}).Draw(t, "iface")
		kind := rapid.SampledFrom([]string{`dnat = true, to_addr = "10.0.0.9"`, `dnat = true, to_addr = "10.0.0.8:81"`, "redirect = 8080"}).Draw(t, "kind")
		if from == "2001:db8::/64" {
			kind, to = "redirect = 8080", ""
		}
		return fmt.Sprintf(`{ %s, from = %q, dport = %q%s%s }`, kind, from, port, to, iface)
	}
	rapid.Check(t, func(t *rapid.T) {
		entries := rapid.SliceOfN(rapid.Custom(draw), 2, 5).Draw(t, "entries")
		compiled := func(list []string) (nat []NAT, ok bool) {
			fleet, problems := inventory.Parse("fleet.toml", []byte(natHost(list...)))
			if len(problems.Errors()) > 0 {
				t.Fatalf("%v", problems)
			}
			p, found := Compile(fleet, fleet.Hosts[0])
			return p.NAT, len(found.Errors()) == 0
		}
		nat, ok := compiled(entries)
		again, okAgain := compiled(rapid.Permutation(entries).Draw(t, "another order"))
		if ok != okAgain || !slices.EqualFunc(nat, again, func(a, b NAT) bool { return compareNAT(a, b) == 0 }) {
			t.Fatalf("got %v %s, in another order %v %s", ok, translated(nat), okAgain, translated(again))
		}
		if !ok {
			return
		}
		own := []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("203.0.113.1")}
		for i, n := range nat {
			for _, before := range nat[:i] {
				if len(n.packets(own).Without(before.packets(own))) == 0 && !n.sameTarget(before) {
					t.Fatalf("nothing is left of %v behind %v", n, before)
				}
			}
		}
	})
}
