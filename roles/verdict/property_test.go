package verdict_test

import (
	"flag"
	"net/netip"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/space"
	"fwpush/roles/verdict"
)

// A draw compiles whole fleets and asks for hundreds of packets: -rapid.checks says how many, or 40.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("40"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// compileModel compiles every host of a model, which has no errors.
func compileModel(t *rapid.T, text string) []roles.Policy {
	fleet, problems := inventory.Parse("fleet.toml", []byte(text))
	policies, more := roles.CompileAll(fleet)
	for _, p := range append(problems.Errors(), more.Errors()...) {
		t.Fatalf("%s: %s\nin:\n%s", p.Place, p.Msg, text)
	}
	return policies
}

func engines(policies []roles.Policy) []*verdict.Engine {
	list := make([]*verdict.Engine, len(policies))
	for i, p := range policies {
		list[i] = verdict.New(p)
	}
	return list
}

// A compiled policy decides as the file says, whatever is in it: no rule is
// widened because a set or a role is empty or has one family, none is lost.
func TestP4CompileAgreesWithTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		hosts := engines(compileModel(t, m.text(asWritten)))
		for range 20 {
			h, k := rapid.IntRange(0, len(hosts)-1).Draw(t, "host"), drawPacket(t)
			if got := hosts[h].Packet(k); len(got) != 1 || got[0].Verdict != m.verdict(h, k) {
				t.Fatalf("h%d, %+v: got %+v, the model says %s\n%s", h, k, got, m.verdict(h, k), m.text(asWritten))
			}
		}
	})
}

// Neither the order of tables, roles, rules, services nor addresses shows in a
// policy.
func TestP2OrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		shuffle := func(s []string) []string {
			if len(s) == 0 {
				return s
			}
			return rapid.Permutation(s).Draw(t, "order")
		}
		one, other := compileModel(t, m.text(asWritten)), compileModel(t, m.text(shuffle))
		if diff := cmp.Diff(withoutPlaces(one), withoutPlaces(other), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Fatalf("policies differ:\n%s", diff)
		}
	})
}

func withoutPlaces(policies []roles.Policy) []roles.Policy {
	for i := range policies {
		p := &policies[i]
		p.Management.Place = inventory.Place{}
		for key, d := range p.Decided {
			p.Decided[key] = roles.Decision{By: d.By}
		}
		for _, rules := range [][]roles.Rule{p.In, p.Out} {
			for j := range rules {
				rules[j].Place = inventory.Place{}
			}
		}
	}
	return policies
}

// One more allow closes nothing, one more deny opens nothing, on no host; but
// for an allow that takes dns or ntp over (see Policy.Lifelines), which may close
// what a closed outbound let out to everywhere, and nothing else.
func TestP3RulesAreMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		before := engines(compileModel(t, m.text(asWritten)))
		deny, in := rapid.Bool().Draw(t, "add a deny"), rapid.Bool().Draw(t, "to in")
		role := &m.roles[rapid.IntRange(0, len(m.roles)-1).Draw(t, "role")]
		added := drawRule(t, in, deny)
		if in {
			role.in = append(slices.Clone(role.in), added)
		} else {
			role.out = append(slices.Clone(role.out), added)
		}
		after := engines(compileModel(t, m.text(asWritten)))
		for range 20 {
			h, k := rapid.IntRange(0, len(before)-1).Draw(t, "host"), drawPacket(t)
			old, now := before[h].Packet(k)[0].Verdict, after[h].Packet(k)[0].Verdict
			if deny && old != inventory.Accept && now == inventory.Accept {
				t.Fatalf("h%d: the deny opened %+v", h, k)
			}
			tookOver := !in && added.takesOver(lifelineOf(k))
			if !deny && !tookOver && old == inventory.Accept && now != inventory.Accept {
				t.Fatalf("h%d: the allow closed %+v", h, k)
			}
		}
	})
}

// A host that leaves a role leaves the policies of all others with it.
func TestP3LeavingARoleLeavesEveryPolicy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		host, role := rapid.IntRange(0, 3).Draw(t, "host"), rapid.IntRange(0, 3).Draw(t, "role")
		for _, member := range []bool{true, false} {
			m.hosts[host].roles = slices.DeleteFunc(slices.Clone(m.hosts[host].roles), func(r int) bool { return r == role })
			if member {
				m.hosts[host].roles = append(m.hosts[host].roles, role)
			}
			for _, p := range compileModel(t, m.text(asWritten)) {
				for _, r := range slices.Concat(p.In, p.Out) {
					for _, peer := range slices.Concat(r.From, r.To) {
						if peer.Kind != roles.RolePeer || peer.Name != "r"+string(rune('0'+role)) {
							continue
						}
						for n, addresses := range m.hosts[host].nets {
							for _, a := range addresses {
								named := member && (peer.Net == "" || peer.Net == "n"+string(rune('0'+n)))
								if space.AddrsOf(slices.Concat(peer.V4, peer.V6)...).Has(netip.MustParseAddr(a)) != named {
									t.Fatalf("%s: %s has %s: %t", p.Host, peer, a, !named)
								}
							}
						}
					}
				}
			}
		}
	})
}
