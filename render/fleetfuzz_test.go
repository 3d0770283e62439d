package render_test

import (
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"fwpush/inventory"
	"fwpush/render"
	"fwpush/roles"
)

// FuzzFleet takes any text the whole way: what is wrong is told with its place, and what is not
// becomes rulesets that are ours, are the same when they are made again, and load over one another.
func FuzzFleet(f *testing.F) {
	for _, path := range []string{"../fleet.toml.example", "../internal/e2e/testdata/example/fleet.toml"} {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	const head = "version = 1\n[management]\nfrom = [\"192.0.2.1\"]\n"
	for _, seed := range []string{
		head + "[hosts.a]\nin = [ { allow = [\"http\", \"tcp/1-9\"], from = \"any\", rate = \"9/minute\", comment = \"x\" } ]\n",
		head + "[sets.s]\naddresses = [\"10.0.0.0/8\", \"2001:db8::/32\"]\n[hosts.a]\nout = [ { deny = \"all\", to = \"set:s\" } ]\noutbound = \"drop\"\n",
		head + "[roles.r]\nin = [ { allow = \"ssh\", from = \"role:r\" } ]\n[hosts.a]\nroles = [\"r\"]\naddresses = [\"10.0.0.1\"]\n[hosts.b]\nroles = [\"r\"]\naddresses = [\"10.0.0.2\"]\n",
		head + "[hosts.a]\nbackend = \"iptables\"\nforward = [ { allow = \"all\", from = \"10.0.0.0/8\" } ]\nnat = { masquerade = [ { out_iface = \"eth0\" } ] }\n",
		head + "[hosts.a]\nroles = [\"nobody\"]\nin = [ { allow = \"htp\" } ]\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fleet, found := inventory.Parse("fleet.toml", []byte(text))
		placed(t, text, found)
		if len(found.Errors()) > 0 {
			return
		}
		found = roles.Check(fleet)
		placed(t, text, found)
		policies, problems := roles.CompileAll(fleet)
		placed(t, text, problems)
		if len(found.Errors()) > 0 {
			return
		}
		if len(problems.Errors()) > 0 {
			t.Fatalf("only found when it is compiled: %+v", problems.Errors())
		}
		again, _ := roles.CompileAll(fleet)
		for i, p := range policies {
			one, _ := roles.Compile(fleet, fleet.Hosts[i])
			for _, way := range ways {
				rs, err := way(p)
				second, err2 := way(again[i])
				third, err3 := way(one)
				if (err == nil) != (err2 == nil) || (err == nil) != (err3 == nil) {
					t.Fatalf("%v, then %v, %v", err, err2, err3)
				}
				if err != nil {
					continue
				}
				if rs.Text != second.Text || rs.Digest != second.Digest || rs.Text != third.Text {
					t.Fatalf("not the same again (-first +then):\n%s%s", cmp.Diff(rs.Text, second.Text), cmp.Diff(rs.Text, third.Text))
				}
				ours(t, rs)
			}
		}
	})
}

var ways = []func(roles.Policy) (render.Ruleset, error){
	render.Nftables,
	func(p roles.Policy) (render.Ruleset, error) { return render.Iptables(p, true) },
	func(p roles.Policy) (render.Ruleset, error) { return render.Iptables(p, false) },
}

// placed: each finding says where and what.
func placed(t *testing.T, text string, found inventory.Problems) {
	t.Helper()
	lines := strings.Split(text, "\n")
	for _, p := range found {
		if p.Msg == "" || p.Place.File == "" || p.Severity == inventory.Error && p.Place.Line < 1 && p.Key != "" || p.Place.Line > len(lines) {
			t.Fatalf("without a place or words: %+v", p)
		}
	}
}

// ours: a text that is taken back from a host as ours, and whose listing is understood.
func ours(t *testing.T, rs render.Ruleset) {
	t.Helper()
	if back, err := render.Stored(rs.Text); err != nil || back.Digest != rs.Digest || back.Marker != rs.Marker && rs.Backend == render.BackendNftables {
		t.Fatalf("taken back as %s %s, %v\n%s", back.Digest, back.Marker, err, rs.Text)
	}
	if d := render.Compare(rs.Text, rs); d.Changed {
		t.Fatalf("differs from itself:\n%s", d.Text)
	}
	if rs.Backend != render.BackendNftables {
		return
	}
	table := printed(rs.Text)
	live, err := render.ParseLayout(table)
	if err != nil {
		t.Fatalf("our own layout: %v\n%s", err, rs.Text)
	}
	if script, kept := render.LoadForm(rs, live, nft106); !kept || !strings.HasSuffix(script, table) {
		t.Fatalf("does not keep its own base chains:\n%s", script)
	}
	if whole := render.Canonical(table); render.Canonical(whole) != whole {
		t.Fatalf("the canonical form has another one:\n%s", whole)
	}
}

// FuzzPolicy lets the fuzzer draw policies: their text decides as they do.
func FuzzPolicy(f *testing.F) { drawn(f, textDecides) }

// FuzzOrder lets the fuzzer draw policies: what means the same has the same digest.
func FuzzOrder(f *testing.F) { drawn(f, orderMeansNothing) }

func drawn(f *testing.F, property func(*rapid.T)) {
	for seed := range uint64(4) {
		rng, draws := rand.NewChaCha8([32]byte{byte(seed)}), make([]byte, 8<<10)
		_, _ = rng.Read(draws) // never fails
		f.Add(draws)
	}
	f.Fuzz(rapid.MakeFuzz(property))
}
