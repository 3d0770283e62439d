package render_test

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"fwpush/inventory"
	"fwpush/render"
	"fwpush/roles"
	"fwpush/roles/space"
	"fwpush/roles/verdict"
)

// TestTextDecidesAsThePolicy reads the text back and asks it about packets: it
// must say what the policy says. No rule can be wider, narrower, lost, or moved
// by a comment without this being seen.
func TestTextDecidesAsThePolicy(t *testing.T) { rapid.Check(t, textDecides) }

func textDecides(t *rapid.T) {
	p := genPolicy.Draw(t, "policy")
	text := mustRapid(t, p).Text
	s, engine := readText(t, text), verdict.New(p)
	for range 20 {
		k := genPacket(p).Draw(t, "packet")
		if k.Direction == roles.Forward && !p.Forwards || k.Direction == roles.Published && !p.Publishes {
			continue // there is no chain to ask
		}
		outcomes := engine.Packet(k)
		if len(outcomes) != 1 {
			t.Fatalf("%d outcomes for %+v", len(outcomes), k)
		}
		want := outcomes[0].Verdict
		got := s.verdict(t, simulate(k))
		if got == "unreachable" && isError(k) {
			got = "drop" // no error answers an error, whatever the text says
		}
		if got == "reset" || got == "unreachable" {
			if got == "reset" != (k.Proto == space.TCP) {
				t.Fatalf("%s for %+v", got, k)
			}
			got = "reject"
		}
		if got != string(want) {
			t.Fatalf("text says %s, policy %s, for %+v in\n%s", got, want, k, text)
		}
	}
}

// isError tells messages that the kernel takes for errors (icmp_pointers in
// net/ipv4/icmp.c, RFC 4443 section 2.1).
func isError(k verdict.Packet) bool {
	return k.Proto == space.ICMP && !slices.Contains([]uint8{0, 8, 13, 14, 15, 16, 17, 18}, k.Type) || k.Proto == space.ICMPv6 && k.Type < 128
}

func mustRapid(t *rapid.T, p roles.Policy) render.Ruleset {
	rs, err := render.Nftables(p)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func simulate(k verdict.Packet) packet {
	p := packet{chain: string(k.Direction), proto: strconv.Itoa(int(k.Proto)), src: k.Src, dst: k.Dst, sport: k.SrcPort, dport: k.DstPort, iface: k.In, oface: k.Out}
	if word := space.ProtoWord(k.Proto); word != "" {
		p.proto = word
	}
	if k.Proto == space.ICMP || k.Proto == space.ICMPv6 {
		six := k.Proto == space.ICMPv6
		p.proto, p.icmp, p.state = "icmp", inventory.ICMPName(six, k.Type), "invalid"
		begins, untracked := []uint8{8, 13, 15, 17}, []uint8(nil)
		if six {
			p.proto, begins, untracked = "icmpv6", []uint8{128, 139}, []uint8{130, 131, 132, 133, 134, 135, 136, 143}
		}
		switch {
		case slices.Contains(begins, k.Type):
			p.state = ""
		case slices.Contains(untracked, k.Type):
			p.state, p.hops = "untracked", 255
			if k.Type == 143 || k.Type < 133 {
				p.hops = 1
			}
		}
	}
	p.multicast = k.Dst.IsMulticast()
	if k.Direction == roles.Published {
		p.chain, p.translated, p.asked, p.dport, p.dst = "forward", true, k.DstPort, 80, container(k.Dst.Is6())
	}
	return p
}

// container is where a published port leads.
func container(v6 bool) netip.Addr {
	if v6 {
		return netip.MustParseAddr("fd00::2")
	}
	return netip.MustParseAddr("172.17.0.2")
}

// TestP4NoLineWithoutTheMatchesOfItsRule is pitfall 0.11: a rule narrowed to one
// family once became a line that matched everything.
func TestP4NoLineWithoutTheMatchesOfItsRule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := genPolicy.Draw(t, "policy")
		p.Out, p.Forward, p.Published = nil, nil, nil // places are line numbers, unique within one list
		rs := mustRapid(t, p)
		lines := strings.Split(rs.Text, "\n")
		for n, places := range rs.Places {
			for _, r := range p.In {
				if !slices.Contains(places, r.Place) {
					continue
				}
				rule, _, _ := strings.Cut(strings.TrimSpace(lines[n-1]), ` comment "`)
				lacks := func(bad bool, what string) {
					if bad {
						t.Fatalf("%q comes from %+v and does not look at %s", rule, r, what)
					}
				}
				if strings.HasPrefix(rule, "limit rate over ") {
					continue // of a chain that is jumped to with all the matches
				}
				has := func(words ...string) bool {
					return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(" "+rule, " "+w+" ") })
				}
				lacks(!r.All && !has("dport", "icmp type", "icmpv6 type", "meta l4proto"), "its services")
				lacks(len(r.InIfaces) > 0 && !has("iifname"), "where it comes in")
				lacks(len(r.OutIfaces) > 0 && !has("oifname"), "where it goes out")
				lacks(!r.Expires.IsZero() && !has("meta time <"), "the time")
				lacks(r.Family == inventory.IPv4 && !has("ip saddr", "ip daddr", "icmp type", "meta nfproto ipv4"), "its family")
				lacks(r.Family == inventory.IPv6 && !has("ip6 saddr", "ip6 daddr", "icmpv6 type", "meta nfproto ipv6"), "its family")
				// Of a whole family its name is enough.
				family := has("ip saddr", "ip daddr", "ip6 saddr", "ip6 daddr", "icmp type", "icmpv6 type", "meta nfproto ipv4", "meta nfproto ipv6")
				for _, end := range []struct {
					peers []roles.Peer
					field string
				}{{r.From, " saddr "}, {r.To, " daddr "}} {
					enough := strings.Contains(rule, end.field) || family && wholeFamily(end.peers)
					lacks(len(end.peers) > 0 && !enough, "its"+end.field)
				}
			}
		}
	})
}

// wholeFamily tells whether the literal addresses of a list are all of a family.
func wholeFamily(peers []roles.Peer) bool {
	var all space.Addrs
	for _, p := range peers {
		if p.Kind == roles.Literal {
			all = all.Union(space.AddrsOf(slices.Concat(p.V4, p.V6)...))
		}
	}
	return all.Covers(space.Everyone(false)) || all.Covers(space.Everyone(true))
}

// TestC12NoFlowtable: what a flowtable forwards does not meet the forward chain again.
func TestC12NoFlowtable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for line := range strings.Lines(mustRapid(t, genPolicy.Draw(t, "policy")).Text) {
			rule, _, _ := strings.Cut(line, ` comment "`)
			if words := strings.Fields(rule); slices.Contains(words, "flowtable") || slices.Contains(words, "offload") || slices.Contains(words, "flow") {
				t.Fatalf("a flowtable: %s", line)
			}
		}
	})
}

// TestP2OrderMeansNothing: rules, peers, addresses and ports in any order give
// the same bytes.
func TestP2OrderMeansNothing(t *testing.T) { rapid.Check(t, orderMeansNothing) }

func orderMeansNothing(t *rapid.T) {
	p := genPolicy.Draw(t, "policy")
	q := p
	q.Management.Peers = rapid.Permutation(p.Management.Peers).Draw(t, "management")
	shuffle := func(rules []roles.Rule) []roles.Rule {
		out := rapid.Permutation(rules).Draw(t, "rules")
		for i := range out {
			out[i].From = rapid.Permutation(out[i].From).Draw(t, "from")
			out[i].To = rapid.Permutation(out[i].To).Draw(t, "to")
			out[i].Ports = rapid.Permutation(out[i].Ports).Draw(t, "ports")
		}
		return out
	}
	q.In, q.Out, q.Forward, q.Published = shuffle(p.In), shuffle(p.Out), shuffle(p.Forward), shuffle(p.Published)
	a, b := mustRapid(t, p), mustRapid(t, q)
	if a.Text != b.Text || a.Digest != b.Digest {
		t.Fatalf("order changed the text:\n%s", render.Compare(a.Text, b).Text)
	}
}

// TestSetNamesAreUnique: whatever names fall together, each set stands once and
// holds its own addresses (the latter is TestTextDecidesAsThePolicy).
func TestSetNamesAreUnique(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rs := mustRapid(t, genPolicy.Draw(t, "policy"))
		seen := map[string]bool{}
		for l := range strings.Lines(rs.Text) {
			if strings.HasPrefix(l, "\tset ") || strings.HasPrefix(l, "\tchain ") {
				if seen[l] {
					t.Fatalf("twice: %s", l)
				}
				seen[l] = true
			}
		}
	})
}

// TestMonotone: an allow never closes, a deny never opens.
func TestMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := genPolicy.Draw(t, "policy")
		if len(p.In) == 0 {
			return
		}
		q := p
		q.In = p.In[1:]
		more, less := readText(t, mustRapid(t, p).Text), readText(t, mustRapid(t, q).Text)
		for range 10 {
			k := simulate(genPacket(p).Draw(t, "packet"))
			k.chain = "input"
			with, without := more.verdict(t, k), less.verdict(t, k)
			if !p.In[0].Allows() && with == "accept" && without != "accept" {
				t.Fatalf("the deny %+v opened %+v", p.In[0], k)
			}
			if p.In[0].Allows() && with != "accept" && without == "accept" {
				t.Fatalf("the allow %+v closed %+v", p.In[0], k)
			}
		}
	})
}
