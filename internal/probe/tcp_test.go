package probe

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"fwpush/inventory"
)

func TestString(t *testing.T) {
	web2 := inventory.Host{Name: "web2"}
	p := prober(t, web2)
	for _, tt := range []struct{ text, want string }{
		{`tcp = 443`, "tcp 443"},
		{`tcp = 5432, from = "host:web2", expect = false`, "no tcp 5432 from web2"},
		{`tcp = 5432, from = "host:web2", host = "db1"`, "tcp 5432 to db1 from web2"},
		{`http = "/healthz", expect = 204`, "http /healthz = 204"},
		{`http = "https://www.example.net/\u202e"`, `http https://www.example.net/\u202e`},
		{`ssh = "ipv6"`, "ssh ipv6"},
		{`run = "systemctl is-active\n\tnginx", become = true`, "run as root: systemctl is-active nginx"},
		{`run = "false", expect = false`, "run: false (must fail)"},
		{`run = "` + strings.Repeat("é", 100) + `"`, "run: " + strings.Repeat("é", 59) + "…"},
	} {
		if got := p.Of(inventory.Host{}, []inventory.Probe{read(t, tt.text, web2)})[0].String(); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestTCP(t *testing.T) {
	open, shut := listen(t, "127.0.0.1"), closed(t, "127.0.0.1")
	p := prober(t, inventory.Host{Name: "named", Addresses: at("127.0.0.2", "127.0.0.1").Addresses},
		inventory.Host{Name: "dialled", SSH: inventory.Endpoint{Address: "127.0.0.1"}})
	for _, tt := range []struct {
		name, text string
		host       inventory.Host
		want       string
	}{
		{"open", `tcp = ` + open, at("127.0.0.1"), ""},
		{"shut", `tcp = ` + shut, at("127.0.0.1"), "127.0.0.1:" + shut + ": connection refused"},
		{"one of several", `tcp = ` + open, at("127.0.0.2", "127.0.0.1", "::1"), ""},
		{"none of several", `tcp = ` + shut, at("127.0.0.2", "127.0.0.1", "::1"), "connection refused; …connection refused; …connection refused"},
		{"must not be and is not", `expect = false, tcp = ` + shut, at("127.0.0.1", "::1"), ""},
		{"must not be and is at one of several", `expect = false, tcp = ` + open, at("127.0.0.2", "127.0.0.1", "::1"), "127.0.0.1:" + open + " connects, and must not"},
		{"host of the fleet", `host = "named", tcp = ` + open, at("127.0.0.3"), ""},
		{"host without addresses", `host = "dialled", tcp = ` + open, at("127.0.0.3"), ""},
		{"address", `host = "127.0.0.1", tcp = ` + open, at("127.0.0.3"), ""},
		{"address of the probe's host only", `tcp = ` + open, at("127.0.0.3"), "refused"},
		{"name", `host = "localhost", tcp = ` + open, at("127.0.0.3"), ""},
		{"unknown name", `host = "nobody.invalid", tcp = 1`, at(), "?looking up nobody.invalid: …; check the name, or write an address"},
		{"unknown name that must not connect", `host = "nobody.invalid", tcp = 1, expect = false`, at(), "?looking up nobody.invalid"},

		// The world of the tests has no default route.
		{"no route", `tcp = 1`, at("192.0.2.1"), "?192.0.2.1:1: no route from here: network is unreachable"},
		{"no route to what must not connect", `tcp = 1, expect = false`, at("192.0.2.1", "2001:db8::1"), "?no route from here…no route from here"},
		{"no route to one of several", `expect = false, tcp = ` + shut, at("2001:db8::1", "127.0.0.1"), ""},
		{"no route to the address that is open", `tcp = ` + open, at("2001:db8::1", "127.0.0.1"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			probe := p.Of(tt.host, []inventory.Probe{read(t, tt.text)})[0]
			expect(t, probe.Try(t.Context(), nil), tt.want)
		})
	}
}

// Packets that a host drops, and what routers say in place of the host.
func TestTCPThroughRules(t *testing.T) {
	h := web1(t)
	rules(t, h, "tcp dport 5001 drop", "tcp dport 5002 reject with icmpx admin-prohibited",
		"ip version 4 tcp dport 5003 reject with icmp net-unreachable", "tcp dport 5003 reject with icmpx no-route")
	p := prober(t)
	for _, tt := range []struct{ name, text, want string }{
		{"drop", `tcp = 5001, timeout = "1s"`, "no answer within 1s; …no answer within 1s"},
		{"drop as it must be", `tcp = 5001, expect = false, timeout = "1s"`, ""},
		{"admin-prohibited", `tcp = 5002`, ": no route to host…: permission denied"},
		{"admin-prohibited as it must be", `tcp = 5002, expect = false`, ""},
		{"a router without a route", `tcp = 5003`, "network is unreachable…network is unreachable"},
		{"a router without a route, as it must be", `tcp = 5003, expect = false`, ""},
		{"open", `tcp = 22`, ""},
		{"open that must not be", `tcp = 22, expect = false`, ":22 connects, and must not"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			began := time.Now()
			expect(t, p.Of(entry(h, "root", "none"), []inventory.Probe{read(t, tt.text)})[0].Try(t.Context(), nil), tt.want)
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

// Who is given up has found out nothing.
func TestGivenUp(t *testing.T) {
	h := web1(t)
	rules(t, h, "tcp dport 5001 drop")
	p := prober(t)
	reason := errors.New("somebody pressed\x1b[2J a key")
	for _, text := range []string{`tcp = 5001`, `tcp = 5001, expect = false`, `http = "http://web1:5001/"`} {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(200*time.Millisecond, func() { cancel(reason) })
		err := p.Of(entry(h, "root", "none"), []inventory.Probe{read(t, text+`, host = "`+h.Addr4().String()+`"`)})[0].Try(ctx, nil)
		expect(t, err, `?given up: somebody pressed\x1b[2J a key`)
		if !errors.Is(err, reason) {
			t.Errorf("%v does not wrap the cause", err)
		}
	}
	// A deadline before the probe's own leaves too little time for silence.
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	expect(t, p.Of(entry(h, "root", "none"), []inventory.Probe{read(t, `tcp = 5001, expect = false`)})[0].Try(ctx, nil), "?given up")
}

// What several addresses make of one probe.
func TestJudge(t *testing.T) {
	of := func(fates ...fate) []attempt {
		var list []attempt
		for _, f := range fates {
			list = append(list, attempt{at: "a:1", fate: f, why: errors.New([]string{"", "absent", "unrouted", "broken"}[f])})
		}
		return list
	}
	for _, tt := range []struct {
		missed       []attempt
		works, fails string // for a probe that must work, and for one that must not
	}{
		{of(notThere, notThere), "a:1: absent; a:1: absent", ""},
		{of(notThere, noRoute), "a:1: absent", ""},
		{of(notThere, notTried), "a:1: absent; a:1: broken", "?a:1: broken"},
		{of(noRoute), "?a:1: unrouted", "?a:1: unrouted"},
		{of(noRoute, notTried), "?a:1: broken; a:1: unrouted", "?a:1: broken"},
		{of(notThere, notThere, notThere, notThere, notThere, notThere), "a:1: absent; a:1: absent; a:1: absent; a:1: absent; and 2 more", ""},
	} {
		expect(t, (&Probe{}).judge(tt.missed), tt.works)
		expect(t, (&Probe{want: inventory.Probe{Fails: true}}).judge(tt.missed), tt.fails)
	}
}
