package render_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"fwpush/render"
	"fwpush/roles"
)

// TestTextDecidesAsThePolicy reads the text back and asks it about packets: it
// must say what the policy says. No rule can be wider, narrower, lost, or moved
// by a comment without this being seen.
func TestTextDecidesAsThePolicy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := genPolicy.Draw(t, "policy")
		text := mustRapid(t, p).Text
		s := readText(t, text)
		for range 20 {
			k := genPacket(p).Draw(t, "packet")
			want, _ := p.Verdict(k)
			got := s.verdict(t, simulate(k))
			if got == "reset" || got == "unreachable" {
				if got == "reset" != (k.Proto == "tcp") {
					t.Fatalf("%s for %+v", got, k)
				}
				got = "reject"
			}
			if got != string(want) {
				t.Fatalf("text says %s, policy %s, for %+v in\n%s", got, want, k, text)
			}
		}
	})
}

func mustRapid(t *rapid.T, p roles.Policy) render.Ruleset {
	rs, err := render.Nftables(p)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func simulate(k roles.Packet) packet {
	p := packet{chain: string(k.Direction), proto: k.Proto, src: k.Src, dst: k.Dst, sport: k.SrcPort, dport: k.DstPort}
	if k.Proto == "ping" {
		p.proto, p.icmp = "icmpv6", "echo-request"
		if k.Src.Is4() {
			p.proto = "icmp"
		}
	}
	return p
}

// TestNoLineWithoutTheMatchesOfItsRule is pitfall 0.11: a rule narrowed to one
// family once became a line that matched everything.
func TestNoLineWithoutTheMatchesOfItsRule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := genPolicy.Draw(t, "policy")
		p.Out = nil // places are line numbers, unique within one list
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
				lacks(!r.All && !strings.Contains(rule, " dport ") && !strings.Contains(" "+rule, " echo-request ") &&
					!strings.HasPrefix(rule, "tcp dport ") && !strings.HasPrefix(rule, "udp dport ") && !strings.HasPrefix(rule, "sctp dport "), "its services")
				whole := strings.Count(rule, "meta nfproto ")
				sources, targets := strings.Count(rule, " saddr "), strings.Count(rule, " daddr ")
				lacks(len(r.From) > 0 && len(r.To) > 0 && sources+targets+whole != 2, "both its ends")
				lacks(len(r.From) > 0 && sources+whole == 0, "its sources")
				lacks(len(r.To) > 0 && targets+whole == 0, "its targets")
			}
		}
	})
}

// TestOrderMeansNothing: rules, peers, addresses and ports in any order give
// the same bytes.
func TestOrderMeansNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
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
		q.In, q.Out = shuffle(p.In), shuffle(p.Out)
		a, b := mustRapid(t, p), mustRapid(t, q)
		if a.Text != b.Text || a.Digest != b.Digest {
			t.Fatalf("order changed the text:\n%s", render.Compare(a.Text, b).Text)
		}
	})
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
			if p.In[0].Deny && with == "accept" && without != "accept" {
				t.Fatalf("the deny %+v opened %+v", p.In[0], k)
			}
			if !p.In[0].Deny && with != "accept" && without == "accept" {
				t.Fatalf("the allow %+v closed %+v", p.In[0], k)
			}
		}
	})
}
