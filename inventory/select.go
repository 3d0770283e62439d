package inventory

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"fwpush/inventory/internal/hostlist"
	"fwpush/inventory/internal/syntax"
)

// Selection says which hosts a command is about. An empty one means all.
type Selection struct {
	Roles   []string // --role: hosts with any of these roles
	Limit   []string // --limit: patterns; each narrows
	Named   string   // a pattern that is an argument, not a flag
	Exclude []string // --exclude: patterns; each takes hosts away
	Only    []string // names, not patterns: what a plan or a run is about; nil for all
	// Strays are names that patterns may mean beside those of the fleet: hosts that it
	// does not name any more. Which of them are selected, Strayed tells.
	Strays []string
}

// Select returns the selected hosts in the order of the fleet, without those that
// are unmanaged. A role or a
// pattern that names no host of the fleet and no stray is an error, and so is a selection
// without either: what was mistyped must not look like success.
func Select(fleet *Fleet, s Selection) ([]Host, error) {
	strayed := len(s.Strayed()) > 0
	if len(fleet.Hosts) == 0 && !strayed {
		return nil, fmt.Errorf("no hosts in %s", fleet.Path)
	}
	keep := make([]bool, len(fleet.Hosts))
	for i := range keep {
		keep[i] = len(s.Roles) == 0
	}
	for _, role := range s.Roles {
		hits, err := matches(fleet, "--role", hostlist.Term{Text: role, Role: role}, nil)
		if err != nil {
			return nil, err
		}
		for i := range keep {
			keep[i] = keep[i] || hits[i]
		}
	}
	for _, narrow := range []struct {
		flag     string
		patterns []string
		want     bool
	}{{"", listed(s.Named), true}, {"--limit", s.Limit, true}, {"--exclude", s.Exclude, false}} {
		for _, pattern := range narrow.patterns {
			hits, err := union(fleet, narrow.flag, pattern, s.Strays)
			if err != nil {
				return nil, err
			}
			for i := range keep {
				keep[i] = keep[i] && hits[i] == narrow.want
			}
		}
	}
	if err := only(fleet, s.Only, keep); err != nil {
		return nil, err
	}
	var hosts []Host
	var unmanaged []string
	for i, h := range fleet.Hosts {
		switch {
		case !keep[i]:
		case h.Unmanaged:
			unmanaged = append(unmanaged, h.Name)
		default:
			hosts = append(hosts, h)
		}
	}
	if strayed {
		return hosts, nil
	}
	if len(hosts) == 0 && len(unmanaged) > 0 {
		return nil, fmt.Errorf("%s: unmanaged, an entry of the address book that gets no rules", Fold(unmanaged))
	}
	if len(hosts) == 0 {
		return nil, fmt.Errorf("no host is left by %s; %s", s, known(fleet))
	}
	return hosts, nil
}

// only takes away all hosts but those of these names. One that the fleet does not have
// is an error.
func only(fleet *Fleet, names []string, keep []bool) error {
	if names == nil {
		return nil
	}
	wanted := make(map[string]bool, len(names))
	for _, n := range names {
		wanted[n] = true
	}
	for i, h := range fleet.Hosts {
		keep[i] = keep[i] && wanted[h.Name]
		delete(wanted, h.Name)
	}
	if len(wanted) > 0 {
		return fmt.Errorf("%s: no longer in %s", Fold(slices.Collect(maps.Keys(wanted))), fleet.Path)
	}
	return nil
}

// union tells for each host whether a pattern names it.
func union(fleet *Fleet, flag, pattern string, strays []string) ([]bool, error) {
	terms, err := hostlist.Parse(pattern)
	if err != nil {
		if flag == "" {
			return nil, err
		}
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	all := make([]bool, len(fleet.Hosts))
	for _, t := range terms {
		hits, err := matches(fleet, flag, t, strays)
		if err != nil {
			return nil, err
		}
		for i := range all {
			all[i] = all[i] || hits[i]
		}
	}
	return all, nil
}

// matches tells for each host whether a term names it; one must be named, or a stray.
func matches(fleet *Fleet, flag string, t hostlist.Term, strays []string) ([]bool, error) {
	hits := fleet.match(t)
	if slices.Contains(hits, true) || slices.ContainsFunc(strays, func(name string) bool { return means(t, name) }) {
		return hits, nil
	}
	meant := ""
	if n := suggest(fleet, t); n != "" {
		meant = fmt.Sprintf("; did you mean %q?", n)
	}
	return nil, fmt.Errorf("no host matches %s; %s%s", strings.TrimSpace(flag+" "+syntax.Quote(t.Text)), known(fleet), meant)
}

// match tells for each host of the fleet whether a term names it.
func (f *Fleet) match(t hostlist.Term) []bool {
	if t.Group != "" {
		return f.inGroup(f.Groups[t.Group])
	}
	hits := make([]bool, len(f.Hosts))
	for i, h := range f.Hosts {
		if t.Role == "" {
			hits[i] = t.Match(h.Name)
		} else {
			hits[i] = slices.ContainsFunc(h.Roles, func(r At[string]) bool { return r.V == t.Role })
		}
	}
	return hits
}

func (f *Fleet) inGroup(g Group) []bool {
	hits := make([]bool, len(f.Hosts))
	for _, pattern := range g.Hosts {
		for i, hit := range f.matchAny(pattern.V) {
			hits[i] = hits[i] || hit
		}
	}
	for i, h := range f.Hosts {
		hits[i] = hits[i] || g.matches(h)
	}
	return hits
}

// matches reports whether a host has all the labels that a group asks for.
func (g Group) matches(h Host) bool {
	for key, want := range g.Match {
		if h.Labels[key] != want {
			return false
		}
	}
	return len(g.Match) > 0
}

// matchAny tells for each host whether a pattern names it; nobody need be named.
func (f *Fleet) matchAny(pattern string) []bool {
	hits := make([]bool, len(f.Hosts))
	terms, err := hostlist.Parse(pattern)
	if err != nil {
		return hits // the decoder has told
	}
	for _, t := range terms {
		if t.Group != "" && len(f.Groups[t.Group].Hosts)+len(f.Groups[t.Group].Match) == 0 {
			continue
		}
		for i, hit := range f.match(t) {
			hits[i] = hits[i] || hit
		}
	}
	return hits
}

// Named returns the indexes in Hosts of those that a pattern of the fleet file
// names, in their order; none if it names nobody.
func (f *Fleet) Named(pattern string) []int { return indexes(f.matchAny(pattern)) }

// Group returns the indexes in Hosts of those that are in a group.
func (f *Fleet) Group(name string) []int { return indexes(f.inGroup(f.Groups[name])) }

func indexes(hits []bool) []int {
	var list []int
	for i, hit := range hits {
		if hit {
			list = append(list, i)
		}
	}
	return list
}

// listed is a pattern as a list, none for "".
func listed(pattern string) []string {
	if pattern == "" {
		return nil
	}
	return []string{pattern}
}

func known(fleet *Fleet) string {
	if len(fleet.Hosts) == 1 {
		return "1 host known"
	}
	return fmt.Sprintf("%d hosts known", len(fleet.Hosts))
}

// suggest returns what a term that names no host was probably meant to be.
func suggest(fleet *Fleet, t hostlist.Term) string {
	var hosts, stems, roles []string
	for _, h := range fleet.Hosts {
		hosts = append(hosts, h.Name)
		stems = append(stems, strings.TrimRight(h.Name, "0123456789"))
		for _, r := range h.Roles {
			roles = append(roles, r.V)
		}
	}
	if t.Group != "" {
		if n := syntax.Nearest(t.Group, slices.Sorted(maps.Keys(fleet.Groups))); n != "" && n != t.Group {
			return "group:" + n
		}
		return ""
	}
	if t.Role != "" {
		if n := syntax.Nearest(t.Role, roles); n != "" {
			return strings.TrimSuffix(t.Text, t.Role) + n
		}
		return ""
	}
	if slices.Contains(roles, t.Text) {
		return "role:" + t.Text
	}
	i := strings.IndexAny(t.Text, "*[")
	if i < 0 {
		return syntax.Nearest(t.Text, hosts)
	}
	if n := syntax.Nearest(t.Text[:i], stems); n != "" && n != t.Text[:i] {
		return n + t.Text[i:]
	}
	return ""
}

// String writes a selection as flags.
func (s Selection) String() string {
	var words []string
	for _, f := range []struct {
		flag   string
		values []string
	}{{"", listed(s.Named)}, {"--role", s.Roles}, {"--limit", s.Limit}, {"--exclude", s.Exclude}} {
		for _, v := range f.values {
			words = append(words, strings.TrimSpace(f.flag+" "+syntax.Quote(v)))
		}
	}
	return strings.Join(words, " ")
}

// Strayed are the strays that are selected, in their order: they have no roles and are in
// no group.
func (s Selection) Strayed() []string {
	if len(s.Roles) > 0 {
		return nil
	}
	var names []string
	for _, name := range s.Strays {
		meant := func(pattern string) bool { return named(pattern, name) }
		if (s.Named == "" || meant(s.Named)) && !slices.ContainsFunc(s.Exclude, meant) &&
			!slices.ContainsFunc(s.Limit, func(pattern string) bool { return !meant(pattern) }) {
			names = append(names, name)
		}
	}
	return names
}

// named says whether a pattern stands for a name; one that cannot be read does not.
func named(pattern, name string) bool {
	terms, err := hostlist.Parse(pattern)
	return err == nil && slices.ContainsFunc(terms, func(t hostlist.Term) bool { return means(t, name) })
}

// means says whether a term stands for a name of no fleet.
func means(t hostlist.Term, name string) bool { return t.Role == "" && t.Group == "" && t.Match(name) }

// Sort puts host names into their natural order: web2 before web10.
func Sort(names []string) { slices.SortFunc(names, hostlist.Compare) }

// Fold writes host names as few patterns that Select takes back:
// web[01-11,13-20],db1.
func Fold(names []string) string { return hostlist.Fold(names) }
