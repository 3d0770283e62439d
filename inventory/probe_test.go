package inventory

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A probe of the command line is read as one of the file is.
func TestParseProbe(t *testing.T) {
	fleet, ps := Parse("fleet.toml", []byte(top("[hosts.web1]\n[roles.x]\nprobe = [ { tcp = 443, from = \"host:web1\", host = \"db1\", expect = false, timeout = \"3s\" } ]")))
	if len(ps) > 0 {
		t.Fatal(told(ps))
	}
	got, ps := fleet.ParseProbe("--probe", `tcp = 443, from = "host:web1", host = "db1", expect = false, timeout = "3s"`)
	want := fleet.Roles["x"].Probes[0]
	want.Place = Place{File: "--probe", Line: 1, Col: 1}
	want.From.Place, want.Host.Place = Place{File: "--probe", Line: 1, Col: 19}, Place{File: "--probe", Line: 1, Col: 39}
	if diff := cmp.Diff(want, got); diff != "" || ps != nil {
		t.Errorf("%v, -want +got\n%s", told(ps), diff)
	}

	got, ps = fleet.ParseProbe("--probe", ` run = "true\nfalse" `)
	if got.Kind != "run" || got.Text != "true\nfalse" || got.Timeout != 5*time.Second || ps != nil {
		t.Errorf("got %+v, %v", got, told(ps))
	}
}

func TestParseProbeRefuses(t *testing.T) {
	fleet, ps := Parse("fleet.toml", []byte(top("[hosts.web1]\n[hosts.db1]")))
	if len(ps) > 0 {
		t.Fatal(told(ps))
	}
	for _, tt := range []struct{ text, want string }{
		{`tpc = 443`, `--probe:1:1: unknown key "tpc" in a probe; did you mean "tcp"?
    1 | tpc = 443
      | ^^^ tpc`},
		{`tcp = "443", from = "controller"`, `--probe:1:7: tcp must be a number, not the string "443"
    1 | tcp = "443", from = "controller"
      |       ^^^^^ tcp`},
		{`tcp = 443, from = "host:wbe1"`, `--probe:1:19: unknown host "wbe1"; did you mean "web1"?
    1 | tcp = 443, from = "host:wbe1"
      |                   ^^^^^^^^^^^ from`},
		{`tcp = 443, http = "/é", expect = 1`, `--probe:1:12: a probe says one thing, not tcp and http; make two probes of it
    1 | tcp = 443, http = "/é", expect = 1
      |            ^^^^ http`},
		{`tcp = 443, tcp = 80`, `--probe:1:12: "tcp" in [probe] defined twice (line 1, 1)
    1 | tcp = 443, tcp = 80
      |            ^^^ tcp`},
		{``, `--probe:1:1: a probe says tcp, http, ssh or run; write { tcp = 443 }
`},
		{`443`, `--probe:1:4: `},
		{` { tcp = 443 }`, `--probe:1:1: the braces around a probe are no part of it; write what stands between them`},
		{`tcp = 443 } # `, `--probe:1:1: the braces around a probe are no part of it; write what stands between them`},
		{"tcp = 443 }\nversion = { x = 1", `--probe:1:1: a probe is one line of UTF-8; write \n in a string for the end of a line`},
		{"tcp = 443 # \xff", `--probe:1:1: a probe is one line of UTF-8; write \n in a string for the end of a line`},
		{`run = "\u001b[2J"`, `--probe:1:8: character not allowed in run at column 8; remove U+001B`},
		{`http = "http://u:hunter2@x/"`, `--probe:1:8: secrets are not read from inventory; leave user and password out of the URL`},
		{`ssh = "ipv6", from = "host:web1"`, `--probe:1:22: ssh is a login from the controller; leave from out, or write { tcp = 22 }`},
		{`ssh = "ipv6", host = "web1"`, `--probe:1:15: host has no meaning with ssh; ssh is a login on the host itself`},
	} {
		_, ps := fleet.ParseProbe("--probe", tt.text)
		var b strings.Builder
		if err := ps.Print(&b); err != nil {
			t.Fatal(err)
		}
		if got := b.String(); len(ps) != 1 || !strings.HasPrefix(got, tt.want) || strings.Contains(got, "hunter2") {
			t.Errorf("%q: got\n%s\nwant\n%s", tt.text, got, tt.want)
		}
	}
}
