package render_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fwpush/inventory"
	"fwpush/render"
)

// listed is what nft prints, put together from the body of the table.
func listed(body ...string) string {
	return "table inet fwpush {\n" + strings.Join(body, "\n") + "\n}\n"
}

const (
	setOps   = "\tset s_ops4 {\n\t\ttype ipv4_addr\n\t\tflags interval\n\t\telements = { 10.0.0.0/8, 192.0.2.1,\n\t\t\t     198.51.100.0/24 }\n\t}\n"
	setDyn   = "\tset d_ssh4 {\n\t\ttype ipv4_addr\n\t\tsize 65535\n\t\tflags dynamic\n\t\ttimeout 2m\n\t\telements = { 192.0.2.7 timeout 2m expires 1m59s }\n\t}\n"
	chainRev = "\tchain rev_0123456789ab {\n\t}\n"
	chainIn  = "\tchain input {\n\t\ttype filter hook input priority filter - 10; policy drop;\n\t\tip saddr @s_ops4 tcp dport { 80, 443 } accept comment \"}\"\n\t\tcounter drop\n\t}\n"
)

func TestParseLayout(t *testing.T) {
	input := render.BaseChain{Name: "input", Type: "filter", Hook: "input", Priority: -10, Policy: inventory.Drop}
	ops := render.Set{Name: "s_ops4", Type: "ipv4_addr", Flags: "interval"}
	base := func(spec string) string {
		return "\tchain input {\n\t\ttype filter hook input priority " + spec + "\n\t}"
	}
	at := func(priority int) render.Layout {
		c := input
		c.Priority = priority
		return render.Layout{Exists: true, Base: []render.BaseChain{c}}
	}
	for _, c := range []struct {
		name, listing string
		want          render.Layout
	}{
		{"no table", "", render.Layout{}},
		{"empty table", listed(), render.Layout{Exists: true}},
		{"all we know", listed(setOps, setDyn, chainRev, chainIn), render.Layout{
			Exists: true, Marker: "rev_0123456789ab",
			Base: []render.BaseChain{input}, Chains: []string{"rev_0123456789ab"},
			Sets: []render.Set{ops, {Name: "d_ssh4", Type: "ipv4_addr", Size: "65535", Flags: "dynamic", Timeout: "2m"}},
		}},
		{"concatenation", listed("\tset x {\n\t\ttype ipv4_addr . inet_service\n\t\tflags interval,timeout\n\t}"), render.Layout{
			Exists: true, Sets: []render.Set{{Name: "x", Type: "ipv4_addr . inet_service", Flags: "interval,timeout"}},
		}},
		{"priority as a number", listed(base("-10; policy drop;")), at(-10)},
		{"priority zero", listed(base("filter; policy drop;")), at(0)},
		{"priority above", listed(base("security + 5; policy drop;")), at(55)},
		{"a comment with a line feed", listed("\tchain x {\n\t\taccept comment \"a\n\t}\n}\"\n\t}"), render.Layout{Exists: true, Chains: []string{"x"}}},
		{"a chain called almost like a marker", listed("\tchain rev_0123456789aX {\n\t}"), render.Layout{Exists: true, Chains: []string{"rev_0123456789aX"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := render.ParseLayout(c.listing)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// TestParseLayoutNotUnderstood: what is not known is never guessed. Each of
// these would be lost, or would break the load, in the kept form.
func TestParseLayoutNotUnderstood(t *testing.T) {
	for name, listing := range map[string]string{
		"another table":                "table inet other {\n}\n",
		"another family":               "table ip fwpush {\n}\n",
		"two tables":                   listed() + listed(),
		"text behind":                  listed() + "x\n",
		"a warning before":             "# Warning: table inet fwpush is managed by iptables-nft, do not touch!\n" + listed(),
		"table flag":                   listed("\tflags dormant"),
		"table comment":                listed("\tcomment \"x\""),
		"map":                          listed("\tmap m {\n\t\ttype ipv4_addr : verdict\n\t}"),
		"quota":                        listed("\tquota q {\n\t\tover 25 mbytes\n\t}"),
		"an odd counter":               listed("\tcounter c {\n\t\tcomment \"x\"\n\t}"),
		"flowtable":                    listed("\tflowtable f {\n\t\thook ingress priority filter\n\t\tdevices = { eth0 }\n\t}"),
		"set of a type in nft's words": listed("\tset x {\n\t\ttypeof ip saddr\n\t}"),
		"set that merges":              listed("\tset x {\n\t\ttype ipv4_addr\n\t\tflags interval\n\t\tauto-merge\n\t}"),
		"set with a comment":           listed("\tset x {\n\t\ttype ipv4_addr\n\t\tcomment \"y\"\n\t}"),
		"set that cannot be flushed":   listed("\tset x {\n\t\ttype ipv4_addr\n\t\tflags constant\n\t}"),
		"two types":                    listed("\tset x {\n\t\ttype ipv4_addr\n\t\ttype ipv6_addr\n\t}"),
		"chain with a comment":         listed("\tchain x {\n\t\tcomment \"y\"\n\t\taccept\n\t}"),
		"chain on a device":            listed("\tchain x {\n\t\ttype filter hook ingress device \"eth0\" priority filter; policy accept;\n\t}"),
		"unknown priority":             listed("\tchain x {\n\t\ttype filter hook input priority odd; policy accept;\n\t}"),
		"huge priority":                listed("\tchain x {\n\t\ttype filter hook input priority 99999999999; policy accept;\n\t}"),
		"same chain twice":             listed(chainRev, chainRev),
		"name that is a script":        listed("\tchain x;flush {\n\t}"),
		"name with a blank":            listed("\tchain x y {\n\t}"),
		"name too long":                listed("\tchain " + strings.Repeat("x", 256) + " {\n\t}"),
		"chain without end":            "table inet fwpush {\n\tchain x {\n\t\taccept\n",
		"chain in a chain":             listed("\tchain x {\n\tchain y {\n\t}\n\t}"),
		"table without end":            "table inet fwpush {\n",
		"quote without end":            listed("\tchain x {\n\t\taccept comment \"y\n\t}"),
		"brace too many":               listed("\tchain x {\n\t\taccept }\n\t}"),
		"carriage returns":             strings.ReplaceAll(listed(chainIn), "\n", "\r\n"),
	} {
		if got, err := render.ParseLayout(listing); err == nil {
			t.Errorf("%s: taken for understood: %+v", name, got)
		} else if len(err.Error()) > 500 {
			t.Errorf("%s: the message repeats %d bytes of the host", name, len(err.Error()))
		}
	}
}

func TestN17ParseVersion(t *testing.T) {
	for in, want := range map[string]render.Version{
		// Recorded: Debian 10, Ubuntu 20.04, 22.04 and 24.04.
		"nftables v0.9.0 (Fearless Fosdick)\n":     {Major: 0, Minor: 9},
		"nftables v0.9.3 (Topsy)\n":                {Major: 0, Minor: 9, Patch: 3},
		"nftables v1.0.2 (Lester Gooch)\n":         {Major: 1, Minor: 0, Patch: 2},
		"nftables v1.0.9 (Old Doc Yak #3)\n":       {Major: 1, Minor: 0, Patch: 9},
		"nftables v0.9.8 (E.D.S.)\n":               {Major: 0, Minor: 9, Patch: 8},
		"nftables v1.0.6 (Lester Gooch #5)\n":      {Major: 1, Minor: 0, Patch: 6},
		"nftables v1.1.3 (Commodore Bullmoose #4)": {Major: 1, Minor: 1, Patch: 3},
		"nftables v1.0":                            {Major: 1},
	} {
		if got, err := render.ParseVersion(in); err != nil || got != want {
			t.Errorf("%q: got %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "nft", "nftables v", "nftables v1", "nftables v1.0.6x", "nftables v99999.1.1", "x nftables v1.0.6", "nftables v-1.0.6"} {
		if got, err := render.ParseVersion(in); err == nil {
			t.Errorf("%q: taken for %v", in, got)
		}
	}
	v := render.Version{Major: 1, Minor: 0, Patch: 6}
	for _, c := range []struct {
		o    render.Version
		want bool
	}{
		{render.Version{Major: 1, Minor: 0, Patch: 6}, true}, {render.Version{Major: 0, Minor: 9, Patch: 8}, true},
		{render.Version{Major: 1, Minor: 0, Patch: 7}, false}, {render.Version{Major: 1, Minor: 1}, false}, {render.Version{Major: 2}, false},
	} {
		if got := v.AtLeast(c.o); got != c.want {
			t.Errorf("%v.AtLeast(%v) = %v", v, c.o, got)
		}
	}
}

func TestN18CanonicalLeavesOutWhatMoves(t *testing.T) {
	for name, pair := range map[string][2]string{
		"counters":                {"\tchain x {\n\t\tcounter packets 1 bytes 60 drop\n\t}", "\tchain x {\n\t\tcounter packets 2 bytes 120 drop\n\t}"},
		"counters left out":       {"\tchain x {\n\t\tcounter packets 1 bytes 60 drop\n\t}", "\tchain x {\n\t\tcounter drop\n\t}"},
		"a named counter's brace": {"\tcounter c {\n\t\tpackets 1 bytes 2\t}\n\tchain x {\n\t}", "\tcounter c {\n\t\tpackets 3 bytes 4\n\t}\n\tchain x {\n\t}"},
		"a named counter":         {"\tcounter c {\n\t\tpackets 1 bytes 2\n\t}", "\tcounter c {\n\t\tpackets 3 bytes 4\n\t}"},
		"a quota":                 {"\tchain x {\n\t\tquota over 25 mbytes used 1 mbytes drop\n\t}", "\tchain x {\n\t\tquota over 25 mbytes used 7 kbytes drop\n\t}"},
		"handles":                 {"\tchain x { # handle 4\n\t\taccept # handle 5\n\t}", "\tchain x {\n\t\taccept\n\t}"},
		"dynamic elements":        {setDyn, strings.ReplaceAll(setDyn, "expires 1m59s", "expires 3s")},
		"no dynamic elements":     {setDyn, strings.ReplaceAll(setDyn, "\t\telements = { 192.0.2.7 timeout 2m expires 1m59s }\n", "")},
		"many dynamic elements":   {setDyn, strings.ReplaceAll(setDyn, "192.0.2.7 timeout", "192.0.2.8 expires 1s,\n\t\t\t     192.0.2.7 timeout")},
		"the order of chains":     {chainRev + "\n" + chainIn, chainIn + "\n" + chainRev},
	} {
		a, b := render.Canonical(listed(pair[0])), render.Canonical(listed(pair[1]))
		if a != b {
			t.Errorf("%s (-one +other):\n%s", name, cmp.Diff(a, b))
		}
		if again := render.Canonical(a); again != a {
			t.Errorf("%s: the canonical form has another one:\n%s", name, cmp.Diff(a, again))
		}
	}
}

// TestCanonicalFormIsItsOwn: of any text, be it none that nft prints.
func TestCanonicalFormIsItsOwn(t *testing.T) {
	for name, listing := range map[string]string{
		"a number behind a number": "\t\tquota over 1 mbytes used 1 mbytes used 2 kbytes\n\t\tcounter packets 1 bytes 2 packets 3 bytes 4\n",
		"a block that is cut off":  "\tset b {\n\t\telements = {\n\t}\n\tset a {\n\t\tflags dynamic",
		"elements without an end":  "\tset a {\n\t\tflags dynamic\n\t\telements = { 1\n\t}\n\tset b {\n\t\telements = { 2,\n\t\t3 }\n\t}\n",
		"a handle behind an end":   "\tchain b {\n\t} # handle 5\n\tchain a {\n\t}\n}\n",
	} {
		once := render.Canonical(listing)
		if twice := render.Canonical(once); twice != once {
			t.Errorf("%s: %q, then %q", name, once, twice)
		}
	}
}

// TestCanonicalKeepsWhatMatters: each of these is drift.
func TestCanonicalKeepsWhatMatters(t *testing.T) {
	whole := listed(setOps, setDyn, chainRev, chainIn)
	for name, edit := range map[string][2]string{
		"a rule":             {"\t\tcounter drop\n", ""},
		"the order of rules": {"\t\tcounter drop\n\t}", "\t}"},
		"a policy":           {"policy drop", "policy accept"},
		"an element":         {"192.0.2.1,", "192.0.2.2,"},
		"a comment":          {`comment "}"`, `comment "counter packets 1 bytes 2"`},
		"a flag":             {"flags interval", "flags constant"},
		"the timeout":        {"timeout 2m\n", "timeout 3m\n"},
		"the marker":         {"rev_0123456789ab", "rev_0123456789ac"},
		"a table flag":       {"table inet fwpush {\n", "table inet fwpush {\n\tflags dormant\n"},
		"another set":        {chainRev, chainRev + "\tset y {\n\t\ttype ipv4_addr\n\t}\n"},
	} {
		edited := strings.Replace(whole, edit[0], edit[1], 1)
		if edited == whole {
			t.Fatalf("%s: nothing edited", name)
		}
		if render.Canonical(edited) == render.Canonical(whole) {
			t.Errorf("%s: not seen", name)
		}
		if d := render.Drift(whole, edited); !d.Changed || d.Text == "" || d.Added+d.Removed == 0 {
			t.Errorf("%s: drift %+v", name, d)
		}
	}
	for _, comment := range []string{`"counter packets 1 bytes 2"`, `"# handle 7"`} {
		l := listed("\tchain x {\n\t\taccept comment " + comment + "\n\t}")
		if !strings.Contains(render.Canonical(l), comment) {
			t.Errorf("comment %s was changed", comment)
		}
	}
}
