package adopt

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fwpush/internal/ansible"
	"fwpush/inventory"
	"fwpush/roles"
)

// Whatever an inventory holds, what is made of it is a fleet file without a mistake, and
// it is the same twice.
func FuzzMended(f *testing.F) {
	f.Add([]byte(`{"_meta":{"hostvars":{"a":{"ansible_host":"192.0.2.1","ansible_port":"x"},"b":{"ansible_host":"192.0.2.1"},"c":{"fwpush_in":[{"allow":"nix"}],"fwpush_labels":{"a":7}}}},"web":["a","b"],"all":{"children":["web"]}}`))
	f.Add([]byte(`{"_meta":{"hostvars":{"all":{},"x y":{},"h":{"ansible_ssh_common_args":"-J h","fwpush_ssh":7,"ansible_port":2,"fwpush_roles":["nobody"]}}}}`))
	f.Add([]byte("{\"_meta\":{\"hostvars\":{\"h\\n[x]\":{\"ansible_user\":\"a\\nb\",\"fwpush_ssh\":{\"port\":[{}]}}}}}"))
	f.Add([]byte(`{"prod":{"children":["web"]},"web":["h1","a b","h3"],"lone":{"children":["bad"]},"bad":["x y"],"_meta":{"hostvars":{"h1":{"ansible_host":"192.0.2.9"},"h3":{"ansible_host":"192.0.2.9"}}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		inv, found := ansible.Read(text)
		for _, p := range found {
			if !p.Note {
				return
			}
		}
		fleet := OfAnsible(inv, []string{"web"}).Mended()
		fleet.From = []Source{{Value: "192.0.2.1"}}
		out := fleet.Text()
		parsed, bad := inventory.Parse("fleet.toml", []byte(out))
		for _, p := range bad.Errors() {
			t.Fatalf("%s: %s of\n%s", p.Place, p.Msg, out)
		}
		if len(parsed.Hosts) != len(fleet.Hosts) {
			t.Fatalf("%d hosts of %d in\n%s", len(parsed.Hosts), len(fleet.Hosts), out)
		}
		again := OfAnsible(inv, []string{"web"}).Mended()
		if again.From = fleet.From; again.Text() != out {
			t.Fatal("not the same twice")
		}
	})
}

func TestGuard(t *testing.T) {
	f := OfList([]string{"192.0.2.1", "192.0.2.2", "bastion@10.0.0.1", "gone.example.com"})
	for i, h := range f.Hosts {
		if h.Name == "ip-192-0-2-2" {
			f.Hosts[i].Keys = append(h.Keys, Key{"ssh.jump", "ip-10-0-0-1"})
		}
	}
	here := func(_ context.Context, ep inventory.Endpoint) []netip.Addr {
		switch ep.Address {
		case "192.0.2.1":
			return []netip.Addr{netip.MustParseAddr("198.51.100.7")}
		case "10.0.0.1":
			return []netip.Addr{netip.MustParseAddr("10.0.0.7")}
		case "192.0.2.2":
			t.Error("what is behind a jump host is not dialled from here")
		}
		return nil
	}
	f.From = f.Guard(t.Context(), here)
	var got []string
	for _, s := range f.From {
		got = append(got, s.Value)
	}
	if want := "10.0.0.7 198.51.100.7 host:ip-10-0-0-1"; strings.Join(got, " ") != want {
		t.Errorf("%q, want %s", got, want)
	}
	fleet, found := inventory.Parse("fleet.toml", []byte(f.Text()))
	if bad := append(found, roles.Check(fleet)...).Errors(); len(bad) > 0 {
		t.Errorf("%+v of\n%s", bad, f.Text())
	}
	nowhere := func(context.Context, inventory.Endpoint) []netip.Addr { return nil }
	if list := OfList([]string{"192.0.2.1"}).Guard(t.Context(), nowhere); len(list) > 0 {
		t.Errorf("%+v where nothing is known", list)
	}
}

func TestHostNames(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("more.conf", "host=c a\n")
	path := write("config", "Include "+dir+"/*.conf\n# Host no\nHost a \"b\" !x *.y -z # end\n  HostName h\nMatch host m\nHOST\td?\n")
	got, err := hostNames(path, 0)
	if want := "c a b"; err != nil || strings.Join(got, " ") != want {
		t.Errorf("%q, %v, want %s", got, err, want)
	}
	loop := write("loop", "Include "+dir+"/loop\n")
	if _, err := hostNames(loop, 0); err == nil {
		t.Error("a file that includes itself")
	}
}
