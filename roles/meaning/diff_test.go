package meaning_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/expect"
	"fwpush/roles/meaning"
	"fwpush/roles/space"
)

const head = `version = 1
[management]
from = ["10.0.0.1"]
[sets.a]
addresses = ["192.0.2.0/24"]
[sets.b]
addresses = ["192.0.2.0/25", "198.51.100.0/24", "2001:db8::/64"]
[hosts.h]
`

func policy(t *testing.T, text string) roles.Policy {
	t.Helper()
	fleet, problems := inventory.Parse("fleet.toml", []byte(head+text+"\n"))
	p, more := roles.Compile(fleet, fleet.Hosts[0])
	for _, e := range append(problems.Errors(), more.Errors()...) {
		t.Fatalf("%s: %s", e.Place, e.Msg)
	}
	return p
}

// say is a change in short.
func say(c meaning.Change) string {
	var keys []string
	for _, k := range c.Packets.Key {
		keys = append(keys, expect.KeyWord(k, c.Packets.V6()))
	}
	ends := func(a space.Addrs) string {
		if a.Equal(space.Everyone(a[0].From.Is6())) {
			return map[bool]string{false: "any4", true: "any6"}[a[0].From.Is6()]
		}
		var words []string
		for _, r := range a {
			words = append(words, inventory.AddrRange(r).String())
		}
		return strings.Join(words, ",")
	}
	return fmt.Sprintf("%s %s %s %s>%s", c.Kind, c.Direction, strings.Join(keys, ","), ends(c.Packets.Src), ends(c.Packets.Dst))
}

func raw(at, nft string) string {
	return fmt.Sprintf("\n[[raw]]\nhosts = \"h\"\nchain = \"input\"\nat = %q\nnft = %q", at, nft)
}

func TestDiff(t *testing.T) {
	for _, tt := range []struct{ name, old, now, want string }{
		{"nothing", `in = [ { allow = "http" } ]`, `in = [ { allow = "tcp/80" } ]`, ""},
		{"an allow", ``, `in = [ { allow = "https" } ]`, "opened input tcp/443 any4>any4\nopened input tcp/443 any6>any6"},
		{"an allow taken out", `in = [ { allow = "https", from = "set:a" } ]`, ``, "closed input tcp/443 192.0.2.0/24>any4"},
		{"a set for another", `in = [ { allow = "https", from = "set:a" } ]`, `in = [ { allow = "https", from = "set:b" } ]`,
			"opened input tcp/443 198.51.100.0/24>any4\nopened input tcp/443 2001:db8::/64>any6\nclosed input tcp/443 192.0.2.128/25>any4"},
		{"what another rule allows already", `in = [ { allow = "tcp/1-1024" } ]`, `in = [ { allow = "tcp/1-1024" }, { allow = "https" } ]`, ""},
		{"a deny over an allow", `in = [ { allow = "http" } ]`, `in = [ { allow = "http" }, { deny = "all", from = "set:a" } ]`,
			"closed input ping,tcp/80 192.0.2.0/24>any4"},
		{"a deny taken out", `in = [ { allow = "http" }, { deny = "tcp/1-100", from = "set:a" } ]`, `in = [ { allow = "http" } ]`, "opened input tcp/80 192.0.2.0/24>any4"},
		{"drop for reject", `inbound = "reject"`, ``, ""},
		{"a limit", `in = [ { allow = "http" } ]`, `in = [ { allow = "http", rate = "6/min" } ]`, ""},
		{"out", `outbound = "drop"`, "outbound = \"drop\"\nout = [ { allow = \"https\", to = \"set:a\" } ]", "opened output tcp/443 any4>192.0.2.0/24"},
		{"forward", `forward = []`, `forward = [ { allow = "http", in_iface = "eth1" } ]`, "opened forward tcp/80 any4>any4\nopened forward tcp/80 any6>any6"},
		{"published ports", ``, `published = [ { allow = "all" }, { deny = "http", from = "set:a" } ]`, "closed published tcp/80 192.0.2.0/24>any4"},
		{"a published port", `published = []`, `published = [ { allow = "tcp/8080", from = "set:a" } ]`, "opened published tcp/8080 192.0.2.0/24>any4"},
		{"raw text behind the allows", `in = [ { allow = "http" } ]` + raw("before-allow", "udp dport 7 accept"), `in = [ { allow = "http" } ]` + raw("before-default", "udp dport 7 accept"),
			"unclear input ping,tcp/80 any4>any4\nunclear input tcp/80,ping any6>any6"},
		{"raw text for other", `in = [ { allow = "tcp/1-65535" } ]` + raw("before-default", "udp dport 7 accept"), `in = [ { allow = "tcp/1-65535" } ]` + raw("before-default", "udp dport 9 accept"),
			strings.Join([]string{
				"rewrite input 0,icmp/timestamp-request,icmp/info-request,icmp/address-mask-request,protocols 2 to 6,protocols 7 to 57,protocols 59 to 255 any4>any4",
				"rewrite input 0,protocols 2 to 6,protocols 7 to 57,icmpv6/139,protocols 59 to 255 any6>any6",
				"rewrite input icmpv6/130-132,icmpv6/nd-router-advert ::-fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff,fec0::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff>any6",
				"rewrite input icmpv6/mld2-listener-report ::1-fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff,fec0::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff>any6"}, "\n")},
		{"the same raw text", raw("before-allow", "udp dport 7 accept"), raw("before-allow", "# the same\nudp dport 7 accept"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			changes, err := meaning.Diff(policy(t, tt.old), policy(t, tt.now))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range changes {
				got = append(got, say(c))
			}
			want := strings.Split(tt.want, "\n")
			if tt.want == "" {
				want = nil
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}
