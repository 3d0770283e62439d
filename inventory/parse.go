package inventory

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"fwpush/inventory/internal/hostlist"
	"fwpush/inventory/internal/schema"
	"fwpush/inventory/internal/source"
	"fwpush/inventory/internal/syntax"
)

// Values where the file has none.
const (
	defaultFleet          = "default"
	defaultPort           = 22
	defaultConnectTimeout = 10 * time.Second
	defaultJumpLogins     = 16
	defaultWindow         = 2 * time.Minute
	defaultParallel       = 50
)

// Parse reads a fleet file. Name is how the user named it; relative paths in the
// file start in its directory. Src must be valid UTF-8, as Load makes sure. Files
// that the text names are not read, Load does that.
//
// All mistakes are returned at once, sorted by place. The Fleet is complete if
// none of them is an Error; else it holds what could be understood, so that the
// references in it can be checked too: rules with a mistake are in LeftOut, and
// management.from is empty only after an Error. What names refer to, empty sets,
// a management open to all and names that a ruleset cannot tell apart are the
// business of package roles.
func Parse(name string, src []byte) (*Fleet, Problems) {
	return parse(name, src, nil)
}

func parse(name string, src []byte, fs *files, programs ...Program) (*Fleet, Problems) {
	d := newDecoder(name, src, fs)
	d.include(d.root, []string{name})
	d.ask(programs)
	fleet := d.fleet()
	for file, doc := range d.docs {
		fleet.sources[file] = doc.Again()
	}
	d.found.findKeys(d.docs)
	d.found.Sort()
	return fleet, d.found
}

// ParseRoles reads a file that has nothing but [roles.NAME] tables.
func ParseRoles(name string, src []byte) (map[string]Role, Problems) {
	d := newDecoder(name, src, nil)
	top := schema.Kind("")
	top.Keys = slices.DeleteFunc(slices.Clone(top.Keys), func(k Key) bool { return k.Name != "roles" })
	roles := d.roles(d.table(d.root, top, "")["roles"])
	d.found.findKeys(d.docs)
	d.found.Sort()
	return roles, d.found
}

func newDecoder(name string, src []byte, fs *files) *decoder {
	d := &decoder{file: name, files: fs, docs: map[string]*source.Doc{}, of: map[string][]string{}}
	d.root = d.parse(name, src)
	return d
}

// parse reads a text as TOML; nil if it is none.
func (d *decoder) parse(name string, src []byte) *source.Node {
	doc, faults := source.Read(name, string(src))
	d.docs[name] = doc
	for _, f := range faults {
		if f.Path == nil {
			hint := ""
			if strings.HasPrefix(f.Msg, "expected value but found") {
				hint = "strings stand in quotes"
			}
			d.fail(f.Span, f.Msg, hint)
			continue
		}
		d.twice(f.Path, f.First, f.Span)
	}
	return doc.Root
}

// defined names what stands at a path of keys.
func defined(path []string) string {
	last := len(path) - 1
	if kinds := map[string]string{"hosts": "host", "sets": "set", "services": "service", "roles": "role", "groups": "group"}; last == 1 && kinds[path[0]] != "" {
		return kinds[path[0]] + " " + syntax.Quote(path[1])
	}
	if last == 0 {
		return syntax.Quote(path[0])
	}
	return syntax.Quote(path[last]) + " in " + header(path[:last]...)
}

func (d *decoder) fleet() *Fleet {
	top := d.table(d.root, schema.Kind(""), "")
	f := &Fleet{Path: d.file, Name: defaultFleet, sources: map[string]func() *source.Doc{}}
	if n := top["version"]; n != nil {
		d.version(n)
	}
	if n := top["fleet"]; n != nil && !d.wrong(n, syntax.Name("fleet", n.Text())) {
		f.Name = n.Text()
	}
	defaults := d.table(top["defaults"], schema.Kind("defaults"), header("defaults"))
	if n := defaults["timers"]; n != nil && number(d, n).V == 1 {
		d.fail(n.Val, "timers = 1 is for single hosts: a fleet must not do without its second timer unseen", "write it in the table of each host that has but one")
	}
	f.Defaults = d.settings(defaults)
	f.Management = d.management(top["management"])
	f.Sets = d.sets(top["sets"])
	f.Services = d.services(top["services"])
	f.Roles = d.roles(top["roles"])
	f.Hosts = d.hosts(top["hosts"], inherited{
		roles: d.roleNames(defaults["roles"]),
		ssh:   d.ssh(defaults["ssh"], "defaults"),
		own:   defaults,
	})
	f.Groups = d.groups(top["groups"])
	f.Raw = d.raws(top["raw"])
	f.Tests = d.tests(top["tests"])
	d.distinctHosts(f.Hosts)
	d.jumps(f.Hosts)
	route(f.Hosts)
	f.Rollout = d.rollout(top["rollout"], f)
	f.LeftOut = d.left
	slices.SortStableFunc(f.Hosts, func(a, b Host) int { return hostlist.Compare(a.Name, b.Name) })
	return f
}

func (d *decoder) version(n *source.Node) {
	if v, ok := n.Value.(int64); ok && v != 1 {
		d.fail(n.Val, fmt.Sprintf("unknown schema version %d", v), "this fwpush knows version 1")
	}
}

// named decodes every table below [sets], [services], [roles] or [hosts] and
// checks their names. Before is how many errors had been found without it.
func (d *decoder) named(n *source.Node, t Table, what string, check func(string) *syntax.Error, decode func(n *source.Node, f fields, before int)) {
	if n == nil {
		return
	}
	for _, kid := range n.Kids {
		if e := check(kid.Name); e != nil {
			d.fail(kid.Key, e.Msg, e.Hint)
		}
		before := d.count[Error]
		if kid.Kind != source.Table {
			d.fail(kid.Val, fmt.Sprintf("%s %s must be a table, not %s", what, syntax.Quote(kid.Name), written(kid)), "")
			continue
		}
		decode(kid, d.table(kid, t, header(n.Name, kid.Name)), before)
	}
}

func (d *decoder) settings(f fields) Settings {
	verdict := func(s string) Verdict { return Verdict(s) }
	s := Settings{
		Inbound:    setting(d, f["inbound"], verdict),
		Outbound:   setting(d, f["outbound"], verdict),
		Ping:       setting(d, f["ping"], func(on bool) Ping { return Ping{On: on} }),
		DHCPClient: setting(d, f["dhcp_client"], same[bool]),
		Antispoof:  setting(d, f["antispoof"], same[bool]),
		IGMP:       setting(d, f["igmp"], same[bool]),
		AcceptRA:   setting(d, f["accept_ra"], same[bool]),
		SendsRA:    setting(d, f["sends_ra"], same[bool]),
	}
	if n := f["log"]; n != nil {
		if l, ok := d.log(n); ok {
			a := at(d, n, l)
			s.Log = &a
		}
	}
	if n := f["ping"]; n != nil && n.Kind == source.String {
		if r, ok := d.rate(n); ok {
			a := at(d, n, Ping{On: true, Rate: r})
			s.Ping = &a
		}
	}
	return s
}

// log returns what a log key says.
func (d *decoder) log(n *source.Node) (Log, bool) {
	if n == nil {
		return Log{}, true
	}
	if n.Kind == source.String {
		return Log{On: true, Prefix: n.Text()}, !d.wrong(n, syntax.LogPrefix(n.Text()))
	}
	return Log{On: flag(n)}, true
}

// rate returns what a rate says. Unsaid, the burst is what a second lets through,
// and no less than nft's own 5 (nft(8), "limit") where a day brings that many.
func (d *decoder) rate(n *source.Node) (Rate, bool) {
	count, per, scope, burst, e := syntax.Rate(n.Name, n.Text())
	if d.wrong(n, e) {
		return Rate{}, false
	}
	if burst == 0 {
		burst = max(5, int(time.Duration(count)*time.Second/per))
		if per == 24*time.Hour {
			burst = min(burst, count)
		}
	}
	return Rate{N: count, Per: per, Scope: Scope(scope), Burst: burst}, true
}

func (d *decoder) management(n *source.Node) Management {
	if n == nil {
		return Management{}
	}
	f := d.table(n, schema.Kind("management"), header("management"))
	return Management{
		Place:         d.place(n.Val),
		From:          d.peers(f["from"]),
		AllowAny:      flag(f["allow_any"]),
		Controller:    d.machines(f["controller"]),
		FailsafePorts: d.ports(f["failsafe_ports"]),
	}
}

func (d *decoder) rollout(n *source.Node, fleet *Fleet) Rollout {
	f := d.table(n, schema.Kind("rollout"), header("rollout"))
	r := Rollout{Window: seconds(f["window"], defaultWindow), Parallel: defaultParallel}
	if p := f["parallel"]; p != nil {
		r.Parallel = int(p.Value.(int64))
	}
	d.checkWindow(f["window"], r.Window, fleet.Hosts, fleet.Roles)
	d.walk(f, &r)
	return r
}
