package adopt

import (
	"fmt"
	"slices"
	"strings"

	"fwpush/inventory"
)

// Fleet is what a first fleet file says.
type Fleet struct {
	Made   string // what it was made from, for its first line
	From   []Source
	Hosts  []Host
	Roles  []Role
	Groups []Group
	Lost   []Lost // what is in it nowhere
}

// Source is an entry of management.from.
type Source struct{ Value, Comment string }

// Host is a machine, in the keys of [hosts.NAME].
type Host struct {
	Name  string
	Was   string // where it comes from
	Roles []string
	Keys  []Key
	Lost  []Lost
}

// Key is a key of a host, as in "ssh.port"; its value is as encoding/json has it.
type Key struct {
	Path  string
	Value any
}

// Role is a role without rules.
type Role struct {
	Name, Was string
	Hosts     int
	Standard  bool // one of this name ships with fwpush
}

// Group is hosts by name.
type Group struct {
	Name, Was string
	Hosts     []string
}

// Lost is what could not be carried over, and why.
type Lost struct{ Of, Why string }

func (l Lost) String() string {
	if l.Of == "" {
		return l.Why
	}
	return l.Of + ": " + l.Why
}

// Told is everything that could not be carried over, a line each.
func (f Fleet) Told() []string {
	var lines []string
	for _, l := range f.Lost {
		lines = append(lines, l.String())
	}
	for _, h := range f.Hosts {
		for _, l := range h.Lost {
			lines = append(lines, h.Was+": "+l.String())
		}
	}
	return lines
}

// writer writes lines and keeps which host each is about.
type writer struct {
	strings.Builder
	hosts []int // by line, -1 for none
	host  int
}

func (w *writer) line(format string, args ...any) {
	fmt.Fprintf(w, format+"\n", args...)
	w.hosts = append(w.hosts, w.host)
}

// comment writes text behind a hash, whatever it is: nothing in it may end the line.
func (w *writer) comment(format string, args ...any) {
	text := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(fmt.Sprintf(format, args...), "?"))
	w.line("%s", strings.TrimRight("# "+text, " "))
}

// Text is the file. It is the same to the byte whenever what it was made from is.
func (f Fleet) Text() string {
	w := f.write()
	return w.String()
}

func (f Fleet) write() *writer {
	w := &writer{host: -1}
	w.comment("%s", f.Made)
	w.comment("")
	w.comment("Next: fill in the roles, then fwpush check, fwpush diff, fwpush apply --canary 1.")
	w.comment("The language is in docs/policy.md; fwpush schema describes it to an editor.")
	w.line("")
	w.line("version = 1")
	w.line("")
	w.comment("Who may always reach SSH: this comes first on every host and cannot be denied. CHECK IT:")
	w.comment("it must hold the addresses that hosts see you come from, which behind a NAT are others,")
	w.comment("and should hold a second way in.")
	w.line("[management]")
	w.line("from = [")
	for _, s := range f.From {
		w.line("  %-28s # %s", inventory.TOML(s.Value)+",", s.Comment)
	}
	w.line("]")
	common := f.common()
	if len(common) > 0 {
		w.line("")
		w.line("[defaults]")
		w.line("ssh = %s", inline(common))
	}
	f.roles(w)
	f.groups(w)
	for i, h := range f.Hosts {
		w.host = i
		h.write(w, common)
	}
	w.host = -1
	if len(f.Lost) > 0 {
		w.line("")
		w.comment("Not carried over:")
		for _, l := range f.Lost {
			w.comment("  %s", l)
		}
	}
	return w
}

func (f Fleet) roles(w *writer) {
	for _, r := range f.Roles {
		w.line("")
		if r.Was != r.Name {
			w.comment("%s", r.Was)
		}
		if r.Standard {
			w.comment("fwpush has a role of this name: fwpush roles show %s. Take this table away to use it.", r.Name)
		}
		w.line("[roles.%s]", r.Name)
		w.line("in = [")
		w.line("  # { allow = [\"http\", \"https\"] },   what %s may be asked for, one rule a line", hosts(r.Hosts))
		w.line("]")
	}
}

func (f Fleet) groups(w *writer) {
	for _, g := range f.Groups {
		w.line("")
		if g.Was != g.Name {
			w.comment("%s", g.Was)
		}
		w.line("[groups.%s]", g.Name)
		w.line("hosts = %s", inventory.TOML([]string{inventory.Fold(g.Hosts)}))
	}
}

func hosts(n int) string {
	if n == 1 {
		return "one host"
	}
	return fmt.Sprintf("%d hosts", n)
}

func (h Host) write(w *writer, common []Key) {
	w.line("")
	head := fmt.Sprintf("[hosts.%s]", inventory.TOMLKey(h.Name))
	if h.Was != h.Name {
		w.comment("%s", h.Was)
	}
	w.line("%s", head)
	if len(h.Roles) > 0 {
		w.line("roles = %s", inventory.TOML(h.Roles))
	}
	var ssh []Key
	for _, k := range h.Keys {
		switch {
		case !strings.HasPrefix(k.Path, "ssh."):
			w.line("%s = %s", inventory.TOMLKey(k.Path), inventory.TOML(k.Value))
		case !slices.ContainsFunc(common, func(c Key) bool { return c.Path == k.Path }):
			ssh = append(ssh, k)
		}
	}
	if len(ssh) > 0 {
		w.line("ssh = %s", inline(ssh))
	}
	for _, l := range h.Lost {
		w.comment("not carried over: %s", l)
	}
}

// common are the settings of SSH that all of several hosts have.
func (f Fleet) common() []Key {
	var out []Key
	if len(f.Hosts) < 2 {
		return nil
	}
	for _, k := range f.Hosts[0].Keys {
		shared := slices.Contains([]string{"ssh.port", "ssh.user", "ssh.identity", "ssh.known_hosts", "ssh.become", "ssh.connect_timeout"}, k.Path)
		for _, h := range f.Hosts[1:] {
			shared = shared && slices.ContainsFunc(h.Keys, func(o Key) bool {
				return o.Path == k.Path && inventory.TOML(o.Value) == inventory.TOML(k.Value)
			})
		}
		if shared {
			out = append(out, k)
		}
	}
	return out
}

// inline is settings of SSH as a table on one line.
func inline(keys []Key) string {
	items := make([]string, len(keys))
	for i, k := range keys {
		items[i] = inventory.TOMLKey(strings.TrimPrefix(k.Path, "ssh.")) + " = " + inventory.TOML(k.Value)
	}
	return "{ " + strings.Join(items, ", ") + " }"
}
