package inventory

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// way is how a host is reached, hop by hop from here.
func way(ep Endpoint) string {
	var hops []string
	for hop := &ep; hop != nil; hop = hop.Via {
		text := fmt.Sprintf("%s=%s@%s:%d", hop.Name, hop.User, hop.Address, hop.Port)
		hops = append([]string{text + " " + strings.Join(hop.Identity, ",") + " " + fmt.Sprint(hop.ConnectTimeout, " ", hop.JumpLogins)}, hops...)
	}
	return strings.Join(hops, " > ")
}

// A jump host of the fleet is reached by its own settings, its own jump included; of any
// other only what is written is its own.
func TestWaysThroughJumpHosts(t *testing.T) {
	const text = `version = 1
[defaults.ssh]
user = "deploy"
identity = "/k/all"
connect_timeout = "5s"
jump = "outer"
[management]
from = ["192.0.2.1"]
[hosts.outer]
addresses = ["192.0.2.10"]
ssh = { port = 2222, user = "hop", identity = "/k/outer", connect_timeout = "9s", jump_logins = 4 }
[hosts.inner]
unmanaged = true
addresses = ["10.0.0.2"]
[hosts.web1]
addresses = ["10.0.0.11"]
ssh.jump = "inner"
[hosts.web2]
addresses = ["10.0.0.12"]
ssh.jump = "inner"
[hosts.a1]
addresses = ["10.1.0.1"]
ssh = { jump = "gw.example.net", user = "root", identity = "/k/a1" }
[hosts.a2]
addresses = ["10.1.0.2"]
ssh = { jump = "ops@GW.example.net:2200", connect_timeout = "7s", jump_logins = 2 }
[hosts.a3]
addresses = ["10.1.0.3"]
ssh.jump = "[2001:DB8::1]:22"
[hosts.a4]
addresses = ["10.1.0.4"]
ssh.jump = "ops@2001:db8::2"
`
	fleet, problems := Parse("fleet.toml", []byte(text))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	got := map[string]Endpoint{}
	for _, h := range fleet.Hosts {
		got[h.Name] = h.SSH
	}
	const outer = "outer=hop@192.0.2.10:2222 /k/outer 9s 4"
	const inner = outer + " > inner=deploy@10.0.0.2:22 /k/all 5s 16"
	for name, want := range map[string]string{
		"outer": outer,
		"inner": inner,
		"web1":  inner + " > web1=deploy@10.0.0.11:22 /k/all 5s 16",
		"a1":    "gw.example.net=root@gw.example.net:22 /k/a1 5s 16 > a1=root@10.1.0.1:22 /k/a1 5s 16",
		"a2":    "ops@GW.example.net:2200=ops@gw.example.net:2200 /k/all 7s 2 > a2=deploy@10.1.0.2:22 /k/all 7s 2",
		"a3":    "[2001:DB8::1]:22=deploy@2001:db8::1:22 /k/all 5s 16 > a3=deploy@10.1.0.3:22 /k/all 5s 16",
		"a4":    "ops@2001:db8::2=ops@2001:db8::2:22 /k/all 5s 16 > a4=deploy@10.1.0.4:22 /k/all 5s 16",
	} {
		if w := way(got[name]); w != want {
			t.Errorf("%s is reached by\n%s\nwant\n%s", name, w, want)
		}
	}
	if got["web1"].Via != got["web2"].Via {
		t.Error("two hosts behind one jump host each have a copy of it")
	}
	for name, outside := range map[string]bool{"inner": false, "web1": true, "a1": true} {
		if via := got[name].Via; via.Outside != outside {
			t.Errorf("%s, on the way to %s, is outside of what can be selected: %t", via.Name, name, via.Outside)
		}
	}
}

// However jumps are written, every way ends, and where none goes in a circle it leads
// through all that were written.
func TestWaysEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "hosts")
		jump := make([]int, n) // n: none
		var b strings.Builder
		b.WriteString("version = 1\n[management]\nfrom = [\"192.0.2.1\"]\n")
		for i := range n {
			jump[i] = rapid.IntRange(0, n).Draw(t, "jump")
			fmt.Fprintf(&b, "[hosts.h%d]\naddresses = [\"10.0.0.%d\"]\n", i, i+1)
			if jump[i] < n {
				fmt.Fprintf(&b, "ssh.jump = \"h%d\"\n", jump[i])
			}
		}
		fleet, problems := Parse("fleet.toml", []byte(b.String()))
		sound := true
		for i := range n {
			length := 0
			for at := i; at < n && length <= n; at = jump[at] {
				length++
			}
			sound = sound && length <= n
			hops := 0
			for hop := &fleet.Hosts[i].SSH; hop != nil; hop = hop.Via {
				if hops++; hops > n {
					t.Fatalf("the way to h%d does not end", i)
				}
			}
			if length <= n && hops != length {
				t.Errorf("the way to h%d has %d hops, want %d", i, hops, length)
			}
		}
		if sound != (len(problems.Errors()) == 0) {
			t.Errorf("circle: %t, problems: %v", !sound, problems)
		}
	})
}

// What stands in the file is told from what is a default, since only the rest is ssh's to
// say; that there is no jump can be written, too.
func TestWritten(t *testing.T) {
	fleet, ps := Parse("fleet.toml", []byte(base+"[defaults.ssh]\nuser = \"ops\"\njump = \"bastion\"\n[hosts.bastion]\n[hosts.a]\nssh = { port = 22, jump = \"none\" }\n[hosts.b]\nssh.jump = \"x@outside.example\"\n"))
	if len(ps) > 0 {
		t.Fatal(told(ps))
	}
	keys := func(e Endpoint) string { return strings.Join(slices.Sorted(maps.Keys(e.Written)), " ") }
	a, bastion, b := fleet.Hosts[0].SSH, fleet.Hosts[2].SSH, fleet.Hosts[1].SSH
	if bastion.Name != "bastion" {
		bastion, b = b, bastion
	}
	for _, tt := range []struct{ what, got, want string }{
		{"a", keys(a) + a.Jump, "jump port user"},
		{"bastion", keys(bastion) + bastion.Jump, "jump user"},
		{"b", keys(b), "jump user"},
		{"what b goes through", keys(*b.Via), "user"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %q is written, want %q", tt.what, tt.got, tt.want)
		}
	}
	if at, through := b.Via.Written["user"], b.Written["jump"]; at != through || at.Line == 0 {
		t.Errorf("the user of b's jump is written at %v, its jump at %v", at, through)
	}
}
