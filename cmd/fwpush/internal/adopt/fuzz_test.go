package adopt

import (
	"strings"
	"testing"

	"fwpush/inventory"
)

// FuzzOfList: a fleet of whatever people type for ssh is one that loads, with all of its hosts.
func FuzzOfList(f *testing.F) {
	for _, seed := range []string{"root@web1 web2:2222 [2001:db8::1]:22", "a@b@c -x $(x) web1.example.net:ssh", "WEB1 web1 web_1", "user@ @host :22 [ ] [::1", "10.0.0.1 10.0.0.1:22 010.0.0.1 ::ffff:1.2.3.4 fe80::1%eth0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, words string) { loads(t, OfList(strings.Fields(words))) })
}

// FuzzConfigured: a fleet of whatever ssh -G may say of hosts is one that loads.
func FuzzConfigured(f *testing.F) {
	f.Add("web1", "hostname 192.0.2.1\nport 2222\nuser root\nidentityfile ~/.ssh/x\nproxyjump a,b@c:3\nconnecttimeout 7\n")
	f.Add("x y", "hostname -x\nport x\nuser a;b\nuserknownhostsfile /a /b\nconnecttimeout none\nproxycommand nc %h\n")
	f.Add("web1\n[x]", "hostname \x1b[2J\nport 0\nuser \"\nidentityfile \x00\nidentityfile \\\n")
	f.Fuzz(func(t *testing.T, name, text string) {
		said := map[string][]string{}
		for line := range strings.Lines(text) {
			key, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
			said[key] = append(said[key], value)
		}
		fleet := Fleet{Hosts: []Host{configured(name, said)}}
		fleet.namedJumps()
		loads(t, fleet)
	})
}

func loads(t *testing.T, read Fleet) {
	t.Helper()
	fleet := read.Mended()
	fleet.From = []Source{{Value: "192.0.2.1"}}
	out := fleet.Text()
	parsed, bad := inventory.Parse("fleet.toml", []byte(out))
	for _, p := range bad.Errors() {
		t.Fatalf("%s: %s of\n%s", p.Place, p.Msg, out)
	}
	if len(parsed.Hosts) != len(fleet.Hosts) {
		t.Fatalf("%d hosts of %d in\n%s", len(parsed.Hosts), len(fleet.Hosts), out)
	}
}
