package ansible

import (
	"fmt"
	"strings"
	"testing"

	"fwpush/inventory"
)

func told(found []Finding) string {
	var b strings.Builder
	for _, f := range found {
		kind := "error"
		if f.Note {
			kind = "note"
		}
		fmt.Fprintf(&b, "%s: %s: %s\n", kind, f.Of, f.Msg)
	}
	return b.String()
}

const meta = `"_meta":{"hostvars":{}}`

func TestBadInventories(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"no JSON":      {"web1\nweb2\n", "error: : not an inventory in JSON: line 1: invalid character 'w' looking for beginning of value\n"},
		"empty":        {"", "error: : not an inventory in JSON: line 1: the JSON ends too early\n"},
		"cut":          {"{\n\"web\": [\"a\"", "error: : not an inventory in JSON: line 2: the JSON ends too early\n"},
		"a list":       {"[]", "error: : must be an object of groups, not a list\n"},
		"more behind":  {"{" + meta + "}\n{}", "error: : not an inventory in JSON: line 2: more behind the end of the JSON\n"},
		"host twice":   {`{"_meta":{"hostvars":{"a":{},"a":{}}}}`, `error: : not an inventory in JSON: line 1: "a" stands twice in _meta.hostvars` + "\n"},
		"deep":         {strings.Repeat("[", 100), "error: : not an inventory in JSON: line 1: more than 64 lists and objects within each other\n"},
		"group":        {`{` + meta + `,"web":7}`, "error: group web: must be an object or a list of hosts, not a number\n"},
		"two mistakes": {`{` + meta + `,"web":{"hosts":"a"},"db":{"host":[]}}`, "error: group db: unknown key \"host\"\nerror: group web: hosts: must be a list of names, not a string\n"},
		"names":        {`{` + meta + `,"web":[1,""]}`, "error: group web: hosts: must hold names, not a number\nerror: group web: hosts: must hold names, not a string\n"},
		"vars":         {`{"_meta":{"hostvars":{"a":[]}},"web":{"vars":"x"}}`, "error: host a: its variables must be an object, not a list\nerror: group web: vars: must be an object, not a string\n"},
		"cycle":        {`{` + meta + `,"a":{"children":["b"]},"b":{"children":["a"]}}`, "error: group a: cycle: [\"a\" \"b\" \"a\"]\n"},
		"no meta":      {`{"web":["a"]}`, "note: : no _meta.hostvars: hosts have the variables of their groups only\n"},
		"all is well":  {`{` + meta + `,"web":["a"]}`, ""},
	} {
		if _, found := Read([]byte(tt.text)); told(found) != tt.want {
			t.Errorf("%s: got\n%swant\n%s", name, told(found), tt.want)
		}
	}
}

// said is what a fleet file with the roles web and db_main would read.
func said(t *testing.T, text string) (toml, notes string) {
	t.Helper()
	inv, found := Read([]byte(text))
	s, more := inv.Said([]string{"db_main", "web"})
	if lines := strings.Count(s.TOML, "\n"); lines != len(s.Of) {
		t.Errorf("%d lines, %d of them known", lines, len(s.Of))
	}
	_, bad := inventory.Parse("t", []byte("version = 1\n[management]\nfrom = [\"192.0.2.1\"]\n"+s.TOML))
	for _, p := range bad.Errors() {
		t.Errorf("%s: %s", p.Key, p.Msg)
	}
	return s.TOML, told(append(found, more...))
}

func TestSaid(t *testing.T) {
	for name, tt := range map[string]struct{ text, toml, notes string }{
		"variables of parents, children, hosts": {
			`{"_meta":{"hostvars":{"w1":{"ansible_port":23},"w2":{}}},
			  "all":{"children":["prod"],"vars":{"ansible_user":"all","ansible_port":1}},
			  "prod":{"children":["web"],"vars":{"ansible_user":"prod"}},
			  "web":{"hosts":["w1","w2"],"vars":{"ansible_user":"web","ansible_port":"22"}}}`,
			"[hosts.w1]\nroles = [\"web\"]\nssh.user = \"web\"\nssh.port = 23\n[hosts.w2]\nroles = [\"web\"]\nssh.user = \"web\"\nssh.port = 22\n" +
				"[groups.prod]\nhosts = [\"w1\", \"w2\"]\n[groups.web]\nhosts = [\"w1\", \"w2\"]\n", "",
		},
		"priority of groups": {
			`{` + meta + `,"a":{"hosts":["h"],"vars":{"ansible_user":"a","ansible_group_priority":5}},"b":{"hosts":["h"],"vars":{"ansible_user":"b"}}}`,
			"[hosts.h]\nssh.user = \"a\"\n[groups.a]\nhosts = [\"h\"]\n[groups.b]\nhosts = [\"h\"]\n", "",
		},
		"names that are none here": {
			`{` + meta + `,"DB-Main":["10.0.0.5","Web_2"],"db_main":["web-2","W3"],"9lives":["W3"]}`,
			"[hosts.ip-10-0-0-5]\naddresses = [\"10.0.0.5\"]\n[hosts.w3]\nroles = [\"db_main\"]\nssh.address = \"W3\"\n[hosts.web-2]\nssh.address = \"Web_2\"\n" +
				"[groups.g_9lives]\nhosts = [\"w3\"]\n[groups.db_main]\nhosts = [\"w3\"]\n",
			"note: host web-2: left out: becomes web-2, as Web_2 does\nnote: group DB-Main: left out: becomes db-main, as db_main does\n",
		},
		"fwpush_ keys win": {
			`{"_meta":{"hostvars":{"h":{"ansible_host":"192.0.2.7","ansible_user":"x","fwpush_addresses":{"lan":["10.0.0.1"],"wan":["192.0.2.7"]},"fwpush_roles":["base"],"fwpush_ssh":{"user":"y"},"fwpush_labels":{"env":"prod"},"fwpush_in":[{"allow":"tcp/80","comment":"x"}]}}},"web":["h"]}`,
			"[hosts.h]\naddresses = { lan = [\"10.0.0.1\"], wan = [\"192.0.2.7\"] }\nin = [{ allow = \"tcp/80\", comment = \"x\" }]\nlabels = { env = \"prod\" }\nroles = [\"base\"]\nssh.user = \"y\"\n[groups.web]\nhosts = [\"h\"]\n", "",
		},
		"jump hosts": {
			`{"_meta":{"hostvars":{"b1":{"ansible_host":"192.0.2.1"},"h1":{"ansible_ssh_common_args":"-J b1"},"h2":{"ansible_ssh_common_args":"-o ProxyCommand=\"ssh -W %h:%p -q 192.0.2.1\""},"h3":{"ansible_ssh_extra_args":"-oProxyJump=me@gate.example.com:2222 -v"},"h4":{"ansible_ssh_common_args":"-o ProxyCommand='nc -X 5 %h %p'"},"h5":{"ansible_ssh_common_args":"-o 'unclosed"}}}}`,
			"[hosts.b1]\naddresses = [\"192.0.2.1\"]\n[hosts.h1]\nssh.jump = \"b1\"\n[hosts.h2]\nssh.jump = \"b1\"\n[hosts.h3]\nssh.jump = \"me@gate.example.com:2222\"\n[hosts.h4]\n[hosts.h5]\n",
			"note: host h3: ansible_ssh_extra_args: -v has no key in a fleet file\nnote: host h4: ansible_ssh_common_args: ProxyCommand is no plain ssh -W; a jump host is named in ssh.jump\nnote: host h5: ansible_ssh_common_args: a quote is not closed\n",
		},
		"what is lost": {
			`{"_meta":{"hostvars":{"h":{"ansible_user":"{{ admin }}","ansible_ssh_pass":"geheim","ansible_become_method":"pbrun","ansible_become_user":"root","ansible_ssh_port":[1],"ansible_ssh_foo":1,"ansible_python_interpreter":"/x","http_port":80}}}}`,
			"[hosts.h]\n",
			"note: host h: ansible_user: is a template, which only Ansible fills in\nnote: host h: ansible_ssh_port: is a list\nnote: host h: ansible_become_method: is pbrun; root is reached by sudo, doas, su, or by a login as root\n" +
				"note: host h: ansible_ssh_foo: has no key in a fleet file\nnote: host h: ansible_ssh_pass: passwords are not kept: the login is by key, and sudo asks for none or apply --ask-become-pass does\n",
		},
		"not by SSH": {
			`{"_meta":{"hostvars":{"l":{"ansible_connection":"local"},"d":{"ansible_connection":"community.docker.docker"},"w":{"ansible_connection":"winrm"},"s":{"ansible_connection":"ansible.builtin.ssh"}}},"web":["l","w"]}`,
			"[hosts.s]\n",
			"note: host d: left out: ansible_connection is community.docker.docker, not ssh\nnote: host l: left out: ansible_connection is local, not ssh\nnote: host w: left out: ansible_connection is winrm, not ssh\n",
		},
	} {
		toml, notes := said(t, tt.text)
		if toml != tt.toml || notes != tt.notes {
			t.Errorf("%s: got\n%s%swant\n%s%s", name, toml, notes, tt.toml, tt.notes)
		}
		if strings.Contains(notes+toml, "geheim") {
			t.Errorf("%s: a password is repeated", name)
		}
	}
}

// Twice the hosts are twice the work, also where each goes through a jump host that is none
// of them.
func TestManyBehindAJumpHost(t *testing.T) {
	work := func(hosts int) float64 {
		var inv Inventory
		for i := range hosts {
			inv.Hosts = append(inv.Hosts, Host{Name: fmt.Sprintf("h%d", i), Vars: map[string]any{"ansible_user": "ops", "ansible_ssh_common_args": "-J jump.example.com"}})
		}
		return testing.AllocsPerRun(3, func() {
			if list, _ := inv.Machines(); len(list) != hosts {
				t.Fatalf("%d machines", len(list))
			}
		})
	}
	if few, many := work(200), work(400); many > 3*few {
		t.Errorf("%.0f allocations for 200 hosts, %.0f for 400", few, many)
	}
}

// Whatever a program prints is either refused or read again as TOML that a fleet file
// takes or finds mistakes in, each with the host that it is about.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"_meta":{"hostvars":{"h":{"ansible_host":"192.0.2.7","fwpush_labels":{"a":"b"},"fwpush_in":[{"allow":"x","rate":1e400}]}}},"web":{"hosts":["h"],"children":["db"],"vars":{"ansible_port":"1"}},"db":["x"]}`))
	f.Add([]byte(`{"a":{"children":["a"]}}`))
	f.Add([]byte("{\"all\":[\"\u0000\\u0000\",\"\\ud800\"],\"_meta\":{\"hostvars\":{\"a.b\":{\"fwpush_a.b\":null,\"fwpush_ssh\":{\"\":1},\"fwpush_ssh\\n\":true}}}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		inv, _ := Read(text)
		s, _ := inv.Said([]string{"web"})
		if lines := strings.Count(s.TOML, "\n"); lines != len(s.Of) {
			t.Fatalf("%d lines, %d of them known:\n%s", lines, len(s.Of), s.TOML)
		}
		if again, _ := inv.Said([]string{"web"}); again.TOML != s.TOML {
			t.Fatal("not the same twice")
		}
		_, found := inventory.Parse("t", []byte("version = 1\nmanagement.from = \"192.0.2.1\"\n"+s.TOML))
		for _, p := range found.Errors() {
			if p.Key == "" && !strings.Contains(p.Msg, "more than") {
				t.Fatalf("%s of\n%s", p.Msg, s.TOML)
			}
		}
	})
}
