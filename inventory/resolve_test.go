package inventory

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestResolve(t *testing.T) {
	const text = "version = 1\n[management]\nfrom = [\"192.0.2.1\"]\n[sets.a]\naddresses = [\"192.0.2.9\"]\nnames = [\"one.example.net\", \"two.example.net\"]\n"
	addr := netip.MustParseAddr
	for _, tt := range []struct {
		name string
		one  []netip.Addr
		err  error
		want string // the first error
	}{
		{"sorted, each once", []netip.Addr{addr("2001:db8::1"), addr("::ffff:192.0.2.5"), addr("192.0.2.5")}, nil, ""},
		{"not found", nil, errors.New("no such host"), `6:10: one.example.net of set "a" does not resolve here: no such host`},
		{"nothing", nil, nil, `6:10: one.example.net of set "a" resolves to no address`},
		{"this machine", []netip.Addr{addr("127.0.0.1")}, nil, `6:10: one.example.net of set "a" resolves to 127.0.0.1, which is no address of another machine`},
		{"everybody", []netip.Addr{addr("0.0.0.0")}, nil, `6:10: one.example.net of set "a" resolves to 0.0.0.0, which is no address of another machine`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fleet, problems := Parse("fleet.toml", []byte(text))
			if len(problems.Errors()) > 0 {
				t.Fatal(problems)
			}
			got, problems := fleet.Resolve(t.Context(), func(_ context.Context, name string) ([]netip.Addr, error) {
				if name == "two.example.net" {
					return []netip.Addr{addr("192.0.2.7")}, nil
				}
				return tt.one, tt.err
			})
			first := ""
			if errs := problems.Errors(); len(errs) > 0 {
				first = strings.TrimPrefix(errs[0].Place.String(), "fleet.toml:") + ": " + errs[0].Msg
			}
			if first != tt.want {
				t.Errorf("got %q, want %q", first, tt.want)
			}
			if len(fleet.Sets["a"].Resolved) != 0 {
				t.Error("the fleet itself was changed")
			}
			if tt.want != "" {
				return
			}
			problems.Sort()
			if len(problems) != 2 || problems[0].Msg != `set "a": one.example.net is 192.0.2.5, 2001:db8::1` || problems[0].Severity != Note {
				t.Errorf("notes %+v", problems)
			}
			if set := got.Sets["a"]; len(set.Resolved) != 2 || len(set.Resolved[0].Addresses) != 2 || set.Resolved[1].Addresses[0] != addr("192.0.2.7") {
				t.Errorf("got %+v", set.Resolved)
			}
		})
	}
}
