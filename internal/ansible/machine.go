package ansible

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// Machine is a host in the words of a fleet file.
type Machine struct {
	Name   string // a DNS name in lower case
	Was    string // its name in the inventory
	Groups []string
	Keys   []Key  // of [hosts.NAME], in order, each once
	Lost   []Lost // variables that Keys say nothing of
}

// Key is a key of a host.
type Key struct {
	Path  string // "addresses", "ssh.port"
	Value any    // as JSON has it
	From  string // the variable that says so, "" for the name of the host
}

// Lost is what a fleet file cannot say.
type Lost struct {
	Of  string // the variable
	Why string
}

// Left is a host that is none of a fleet.
type Left struct{ Name, Why string }

// own begins the names of variables that are keys of the fleet file themselves.
const own = "fwpush_"

// Machines says what the hosts of an inventory are in a fleet file. Those that are not
// reached by SSH, and those whose names become one, are left out.
func (inv Inventory) Machines() ([]Machine, []Left) {
	var list []Machine
	var left []Left
	was := map[string]string{}
	for _, h := range inv.Hosts {
		if why := elsewhere(h.Vars); why != "" {
			left = append(left, Left{h.Name, why})
			continue
		}
		name := HostName(h.Name)
		if other, taken := was[name]; taken {
			left = append(left, Left{h.Name, fmt.Sprintf("becomes %s, as %s does", name, other)})
			continue
		}
		was[name] = h.Name
		list = append(list, machine(name, h))
	}
	known := doors(list)
	for _, m := range list {
		for i, k := range m.Keys {
			if jump, ok := k.Value.(string); ok && k.Path == "ssh.jump" {
				m.Keys[i].Value = jumpHost(known, jump)
			}
		}
	}
	return list, left
}

// door is how a machine is reached.
type door struct{ name, was, at, user, port string }

// doors are machines by all that they are called.
func doors(list []Machine) map[string][]door {
	known := map[string][]door{}
	for _, m := range list {
		d := door{m.Name, m.Was, m.Was, "", "22"}
		for _, k := range m.Keys {
			switch v := fmt.Sprint(k.Value); k.Path {
			case "ssh.address":
				d.at = v
			case "addresses":
				d.at = strings.Trim(v, "[]")
			case "ssh.user":
				d.user = v
			case "ssh.port":
				d.port = v
			}
		}
		called := []string{d.name, d.was, d.at}
		slices.Sort(called)
		for _, word := range slices.Compact(called) {
			known[word] = append(known[word], d)
		}
	}
	return known
}

// jumpHost is the name of the machine that a jump leads to, where it is one of them: only
// then is it known to the proof that the way in stays open. Else it is as it was.
func jumpHost(known map[string][]door, jump string) string {
	user, host, _ := strings.Cut(jump, "@")
	if host == "" {
		user, host = "", user
	}
	port := "22"
	if h, p, ok := strings.Cut(host, ":"); ok && !strings.Contains(p, ":") {
		host, port = h, p
	}
	for _, d := range known[host] {
		if (host == d.was || host == d.name || port == d.port) && (user == "" || user == d.user) {
			return d.name
		}
	}
	return jump
}

// elsewhere says why a host is not reached by SSH; "" for one that is.
func elsewhere(vars map[string]any) string {
	c, there := vars["ansible_connection"]
	switch text, _ := c.(string); {
	case !there, text == "ssh", text == "smart", text == "paramiko", text == "paramiko_ssh", strings.HasSuffix(text, ".ssh"), strings.HasSuffix(text, ".paramiko_ssh"):
		return ""
	case text == "":
		return "ansible_connection is no word"
	default:
		return "ansible_connection is " + text + ", not ssh"
	}
}

// HostName makes a DNS name in lower case of the name of a host: an address is called
// ip-10-0-0-5, an underscore becomes a hyphen. What is no name even then stays as it is.
func HostName(s string) string {
	if a, err := netip.ParseAddr(s); err == nil {
		return "ip-" + strings.Trim(strings.NewReplacer(".", "-", ":", "-").Replace(a.WithZone("").String()), "-")
	}
	return strings.ReplaceAll(strings.ToLower(s), "_", "-")
}

// GroupName makes of the name of a group one that roles and groups of a fleet file can
// have.
func GroupName(s string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '_'
	}, strings.ToLower(s))
	if name != "" && (name[0] < 'a' || name[0] > 'z') {
		name = "g_" + strings.TrimLeft(name, "_-")
	}
	return name
}

// builder collects the keys of a machine.
type builder struct {
	Machine
	vars map[string]any
	seen map[string]bool // variables that were asked for
}

func machine(name string, h Host) Machine {
	b := &builder{Machine: Machine{Name: name, Was: h.Name, Groups: h.Groups}, vars: h.Vars, seen: map[string]bool{}}
	b.address()
	b.text("ssh.user", "ansible_user", "ansible_ssh_user")
	b.port()
	b.text("ssh.identity", "ansible_ssh_private_key_file", "ansible_private_key_file")
	b.arguments()
	b.become()
	b.own()
	b.rest()
	return b.Machine
}

// first is the first of variables that is there. Of those behind it Ansible hears nothing.
func (b *builder) first(names ...string) (v any, name string) {
	for _, n := range names {
		b.seen[n] = true
		if name == "" && b.vars[n] != nil {
			v, name = b.vars[n], n
		}
	}
	return v, name
}

func (b *builder) lose(of, why string, args ...any) {
	b.Lost = append(b.Lost, Lost{of, fmt.Sprintf(why, args...)})
}

// set sets a key, in the place of what was said of it before.
func (b *builder) set(path string, v any, from string) {
	b.Keys = slices.DeleteFunc(b.Keys, func(k Key) bool { return k.Path == path })
	b.Keys = append(b.Keys, Key{path, v, from})
}

// plain is a string or a number as text; false for a template, which only Ansible can fill in.
func (b *builder) plain(v any, name string) (string, bool) {
	s := fmt.Sprint(v)
	switch {
	case kind(v) != "a string" && kind(v) != "a number":
		b.lose(name, "is %s", kind(v))
		return "", false
	case strings.Contains(s, "{{") || strings.Contains(s, "{%"):
		b.lose(name, "is a template, which only Ansible fills in")
		return "", false
	}
	return s, s != ""
}

func (b *builder) text(path string, names ...string) {
	if v, name := b.first(names...); name != "" {
		if s, ok := b.plain(v, name); ok {
			b.set(path, s, name)
		}
	}
}

func (b *builder) port() {
	v, name := b.first("ansible_port", "ansible_ssh_port")
	if name == "" {
		return
	}
	if s, ok := b.plain(v, name); ok {
		b.set("ssh.port", number(s), name)
	}
}

// number is digits as a number, other text as it is: the fleet file says what it wants.
func number(s string) any {
	n := int64(0)
	for _, c := range s {
		if c < '0' || c > '9' || len(s) > 9 {
			return s
		}
		n = n*10 + int64(c-'0')
	}
	return n
}

// address is where the host is dialled: an address is what references to the host mean too.
func (b *builder) address() {
	where, from := b.Was, ""
	if v, name := b.first("ansible_host", "ansible_ssh_host"); name != "" {
		if s, ok := b.plain(v, name); ok {
			where, from = s, name
		}
	}
	if a, err := netip.ParseAddr(strings.Trim(where, "[]")); err == nil {
		b.set("addresses", []any{a.String()}, from)
	} else if where != b.Name {
		b.set("ssh.address", where, from)
	}
}

// become is how root is reached.
func (b *builder) become() {
	on, there := b.vars["ansible_become"]
	if !there {
		on = b.vars["ansible_sudo"]
	}
	method, from := b.first("ansible_become_method")
	user, as := b.first("ansible_become_user")
	b.first("ansible_become", "ansible_sudo")
	if as != "" && user != "root" {
		b.lose(as, "rules are loaded by root")
	}
	switch s, _ := on.(string); {
	case from != "":
		if s, ok := b.plain(method, from); ok {
			name := s[strings.LastIndexByte(s, '.')+1:]
			if name != "sudo" && name != "doas" && name != "su" {
				b.lose(from, "is %s; root is reached by sudo, doas, su, or by a login as root", name)
			} else {
				b.set("ssh.become", name, from)
			}
		}
	case there && (on == false || slices.Contains([]string{"no", "false", "False", "off", "0"}, s)):
		b.lose("ansible_become", "is off; rules are loaded by root, by sudo unless the login is root's")
	}
}

// own are the variables that are keys of the fleet file by name. They come last and win.
func (b *builder) own() {
	for _, name := range slices.Sorted(maps.Keys(b.vars)) {
		key, is := strings.CutPrefix(name, own)
		if !is {
			continue
		}
		b.seen[name] = true
		if members, ok := b.vars[name].(map[string]any); ok && key == "ssh" {
			for _, member := range slices.Sorted(maps.Keys(members)) {
				b.set("ssh."+member, members[member], name)
			}
			continue
		}
		b.set(key, b.vars[name], name)
	}
}

// connection begins the names of variables that say how a host is reached.
var connection = []string{"ansible_ssh_", "ansible_become_", "ansible_paramiko_", "ansible_sudo_", "ansible_su_", "ansible_scp_", "ansible_sftp_"}

// immaterial are those of them that only say how Ansible goes about it.
var immaterial = []string{
	"ansible_ssh_pipelining", "ansible_ssh_transfer_method", "ansible_ssh_retries", "ansible_ssh_control_path", "ansible_ssh_control_path_dir",
	"ansible_ssh_use_tty", "ansible_ssh_usetty", "ansible_ssh_executable", "ansible_scp_if_ssh", "ansible_ssh_timeout", "ansible_sftp_batch_mode",
	"ansible_ssh_host_key_checking", "ansible_become_exe", "ansible_become_flags", "ansible_become_allow_same_user",
}

// rest names the variables about connections that nothing was made of. What they hold is
// not repeated.
func (b *builder) rest() {
	for _, name := range slices.Sorted(maps.Keys(b.vars)) {
		about := slices.ContainsFunc(connection, func(p string) bool { return strings.HasPrefix(name, p) })
		secret := strings.HasPrefix(name, "ansible_") && (strings.Contains(name, "pass") || strings.Contains(name, "_key_passphrase"))
		switch {
		case b.seen[name] || b.vars[name] == nil || slices.Contains(immaterial, name):
		case secret:
			b.lose(name, "passwords are not kept: the login is by key, and sudo asks for none or apply --ask-become-pass does")
		case about || name == "ansible_timeout":
			b.lose(name, "has no key in a fleet file")
		}
	}
}
