package roles

import (
	"slices"
	"testing"
	"time"

	"fwpush/inventory"
)

// What a closed host may still ask of whom, by what its rules and those of its
// roles say of dns and ntp.
func TestLifelines(t *testing.T) {
	const sets = `
[sets.resolvers]
addresses = ["10.0.0.53", "fd00::53"]
[sets.nobody]
allow_empty = true
`
	own := func(out string) string {
		return "[hosts.h]\noutbound = \"drop\"\nout = [ " + out + " ]\n"
	}
	const (
		both = "tcp/53 udp/53 udp/123"
		dns  = "tcp/53 udp/53"
		ntp  = "udp/123"
	)
	for _, tt := range []struct{ name, fleet, want string }{
		{"open", "[hosts.h]\n", ""},
		{"open, whatever is named", "[hosts.h]\nout = [ { deny = \"dns\" }, { deny = \"smtp\" } ]\n", ""},
		{"dropping", "[hosts.h]\noutbound = \"drop\"\n", both},
		{"rejecting", "[hosts.h]\noutbound = \"reject\"\n", both},
		{"closed by defaults", "[defaults]\noutbound = \"reject\"\n[hosts.h]\n", both},
		{"closed by a role", "[hosts.h]\nroles = [\"x\"]\n[roles.x]\noutbound = \"drop\"\n", both},
		{"other allows", own(`{ allow = ["http", "tcp/52", "udp/54", "ping"] }`), both},

		{"dns to somebody", own(`{ allow = "dns", to = "set:resolvers" }`), ntp},
		{"dns to everybody", own(`{ allow = "dns" }`), ntp},
		{"ntp to somebody", own(`{ allow = "ntp", to = "10.0.0.1" }`), dns},
		{"both to somebody", own(`{ allow = ["ntp", "dns"], to = "10.0.0.1" }`), ""},
		{"a literal", own(`{ allow = "udp/53", to = "10.0.0.1" }`), ntp},
		{"a literal of the other protocol", own(`{ allow = "tcp/53", to = "10.0.0.1" }`), ntp},
		{"a range is about something else", own(`{ allow = ["udp/50-130", "tcp/1-65535"], to = "10.0.0.1" }`), both},
		{"a range of one", own(`{ allow = "udp/123-123", to = "10.0.0.1" }`), dns},
		{"a service of the file", "[services.names]\nudp = [53]\n" + own(`{ allow = "names", to = "10.0.0.1" }`), ntp},
		{"tcp/123 is not ntp", own(`{ allow = "tcp/123", to = "10.0.0.1" }`), both},

		{"an empty set", own(`{ allow = "dns", to = "set:nobody" }`), ntp},
		{"a role without hosts", own(`{ allow = "dns", to = "role:bastion", allow_empty = true }`), ntp},
		{"an empty set in a role", "[hosts.h]\nroles = [\"x\"]\n[roles.x]\noutbound = \"drop\"\nout = [ { allow = \"dns\", to = \"set:nobody\" } ]\n", ntp},
		{"in a role that another extends", "[hosts.h]\nroles = [\"x\"]\n[roles.x]\noutbound = \"drop\"\nextends = \"y\"\n[roles.y]\nout = [ { allow = \"ntp\", to = \"10.0.0.1\" } ]\n", dns},
		{"in a role that replaces a standard one", "[hosts.h]\nroles = [\"web\"]\noutbound = \"drop\"\n[roles.web]\nextends = \"web\"\nout = [ { allow = \"dns\", to = \"10.0.0.1\" } ]\n", ntp},
		{"in a role the host does not have", "[hosts.h]\noutbound = \"drop\"\n[roles.x]\nout = [ { allow = \"dns\" } ]\n", both},
		{"one by the host, one by a role", "[hosts.h]\nroles = [\"x\"]\noutbound = \"drop\"\nout = [ { allow = \"dns\" } ]\n[roles.x]\nout = [ { allow = \"ntp\" } ]\n", ""},

		{"all names neither", own(`{ allow = "all", to = "10.0.0.1" }`), both},
		{"all beside dns", own(`{ allow = ["all", "dns"], to = "10.0.0.1" }`), ntp},
		{"a deny takes nothing over", own(`{ deny = ["dns", "ntp"], to = "10.0.0.1" }`), both},
		{"nor does what is let in", "[hosts.h]\noutbound = \"drop\"\nin = [ { allow = \"dns\" } ]\n", both},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := compile(t, prelude+sets+tt.fleet, "h")
			want := ""
			if tt.want != "" {
				want = "allow " + tt.want
			}
			got := ""
			if len(p.Lifelines) > 0 {
				got = say([]Rule{{Verb: inventory.AllowVerb, Traffic: Traffic{Ports: p.Lifelines}}})
			}
			if got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// The end of a rule opens nothing, and check tells what the host lost with it.
func TestExpiredAllowKeepsLifelinesClosed(t *testing.T) {
	fleet := load(t, prelude+"[hosts.h]\nroles = [\"web\"]\noutbound = \"drop\"\nout = [ { allow = \"dns\", to = \"10.0.0.53\", expires = 2020-01-01 } ]\n")
	fleet.ReadAt = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	p, _ := Compile(fleet, fleet.Hosts[0])
	if got := p.LifelineNames(); !slices.Equal(got, []string{"ntp"}) {
		t.Errorf("let out to everywhere: %v", got)
	}
	want := lines("7: outbound is drop and no rule allows dns out on host h", "8: the rule expired on 2020-01-01 and is left out")
	if got := found(Check(fleet), inventory.Warning); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
