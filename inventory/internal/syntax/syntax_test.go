package syntax

import (
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// FuzzAddresses holds our reading against net/netip's: what we take is what it
// takes, less what nft or a reader would take for something else.
func FuzzAddresses(f *testing.F) {
	for _, seed := range []string{
		"10.0.0.1", "10.0.0.0/8", "10.0.0.1-10.0.0.9", "::/0", "2001:db8::1-2001:db8::2", "010.1.1.1", "::ffff:1.2.3.4",
		"fe80::1%eth0", "10.0.0.5/24", "/", "-", "1.2.3.4/-1", "1.2.3.4/08", "1.2.3.4-::1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		from, to, e := Addresses(s)
		if e != nil {
			if strings.ContainsAny(e.Error(), "\x1b\n\x00") || len(e.Error()) > 1000 {
				t.Errorf("%q: %q", s, e.Error())
			}
			if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" && !a.Is4In6() {
				t.Errorf("%q is an address: %v", s, e)
			}
			if p, err := netip.ParsePrefix(s); err == nil && p.Masked() == p && !p.Addr().Is4In6() {
				t.Errorf("%q is a prefix: %v", s, e)
			}
			return
		}
		if !from.IsValid() || !to.IsValid() || from.BitLen() != to.BitLen() || to.Less(from) || from.Zone()+to.Zone() != "" || from.Is4In6() || to.Is4In6() {
			t.Fatalf("%q: %s-%s", s, from, to)
		}
		switch {
		case strings.Contains(s, "/"):
			p, err := netip.ParsePrefix(s)
			if err != nil || p.Addr() != from || !p.Contains(to) || to.Next().IsValid() && p.Contains(to.Next()) {
				t.Errorf("%q: %s-%s", s, from, to)
			}
		case strings.Contains(s, "-"):
		default:
			if a, err := netip.ParseAddr(s); err != nil || a != from || a != to {
				t.Errorf("%q: %s-%s", s, from, to)
			}
		}
	})
}

// FuzzStrings: nothing that is taken can be mistaken by a shell, by ssh or by
// nft for anything but a word.
func FuzzStrings(f *testing.F) {
	for _, seed := range []string{"web1", "-oProxyCommand", "a;b", "host:web1@lan", "set:x", "tcp/80-90", "$(x)", "ü", "a\nb", "any", "~/x", "10.0.0.1", "-" + strings.Repeat("3", 2000)} {
		f.Add(seed)
	}
	const evil = " \t\n\x00\x1b\"'`$;&|<>(){}[]*?!#\\,"
	f.Fuzz(func(t *testing.T, s string) {
		for what, e := range map[string]*Error{
			"name": Name("set", s), "host": Host(s), "address": SSHAddress(s), "user": User(s), "peer": Peer("from", s), "service": Service(s),
		} {
			switch {
			case e == nil && (s == "" || strings.ContainsAny(s, evil) || s[0] == '-' || len(s) > 300):
				t.Errorf("%q is taken as %s", s, what)
			case e != nil && (e.Msg == "" || strings.ContainsAny(e.Error(), "\n\x00\x1b") || len(e.Error()) > 2000):
				t.Errorf("%s %q: %q", what, s, e.Error())
			}
		}
		for what, e := range map[string]*Error{"text": Text("comment", s), "prefix": LogPrefix(s)} {
			if e == nil && what == "prefix" && strings.Contains(s, "$") {
				t.Errorf("%q is taken as a prefix", s)
			}
			if e == nil && (len(s) > 128 || strings.ContainsAny(s, "\"\n\x00\x1b\u202e")) {
				t.Errorf("%q is taken as %s", s, what)
			}
		}
		if e := Path(s); e == nil && strings.ContainsAny(s, "\n\x00\x1b") {
			t.Errorf("%q is taken as a path", s)
		}
		if _, _, _, e := Literal(s); e == nil && (strings.ContainsAny(s, evil) || Service(s) != nil) {
			t.Errorf("%q is taken as a literal", s)
		}
	})
}

// edits is the textbook recursion, to hold the fast one against.
func edits(a, b string) int {
	switch {
	case a == "":
		return len(b)
	case b == "":
		return len(a)
	case a[0] == b[0]:
		return edits(a[1:], b[1:])
	}
	n := 1 + min(edits(a[1:], b), edits(a, b[1:]), edits(a[1:], b[1:]))
	if len(a) > 1 && len(b) > 1 && a[0] == b[1] && a[1] == b[0] {
		n = min(n, 1+edits(a[2:], b[2:]))
	}
	return n
}

func TestDistance(t *testing.T) {
	word := rapid.StringMatching(`[abc]{0,6}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := word.Draw(t, "a"), word.Draw(t, "b")
		if got, want := distance(a, b, 6), edits(a, b); got != want {
			t.Fatalf("distance of %q and %q is %d, want %d", a, b, got, want)
		}
		if got, want := distance(a, b, 2), edits(a, b); min(got, 3) != min(want, 3) {
			t.Fatalf("bounded distance of %q and %q is %d, want %d", a, b, got, want)
		}
	})
}

func TestNearest(t *testing.T) {
	known := []string{"allow", "deny", "from", "to", "web", "webs"}
	for s, want := range map[string]string{
		"alow": "allow", "allwo": "allow", "Allow": "allow", "denied": "", "form": "from", "fro": "from", "ot": "to", "x": "",
		"wbe": "web", "weg": "web", "wess": "webs", "fromage": "", "all": "allow", "al": "", "": "", strings.Repeat("a", 1000): "", "web": "web",
	} {
		if got := Nearest(s, known); got != want {
			t.Errorf("Nearest(%.20q) = %q, want %q", s, got, want)
		}
	}
}
