package adopt

import (
	"slices"
	"strings"

	"fwpush/inventory"
)

// Mended is the fleet without what a fleet file does not take, each named as lost: a key
// whose value is none, else the host. What is left is read without a mistake.
func (f Fleet) Mended() Fleet {
	f.Hosts = slices.Clone(f.Hosts)
	for {
		w := f.guarded().write()
		_, found := inventory.Parse("fleet.toml", []byte(w.String()))
		again := false
		gone := map[int]bool{}
		for _, p := range found.Errors() {
			if p.Place.Line < 1 || p.Place.Line > len(w.hosts) || w.hosts[p.Place.Line-1] < 0 {
				continue
			}
			i := w.hosts[p.Place.Line-1]
			h := &f.Hosts[i]
			if gone[i] {
				continue
			}
			again = true
			key := keyOf(p.Key)
			at := slices.IndexFunc(h.Keys, func(k Key) bool { return k.Path == key })
			if at < 0 || strings.Contains(p.Msg, "same address") {
				gone[i] = true
				why, _, _ := strings.Cut(p.Msg, " (line") // of a file that nobody has
				f.Lost = append(f.Lost, Lost{h.Was, why})
				continue
			}
			h.Keys = slices.Delete(slices.Clone(h.Keys), at, at+1)
			h.Lost = append(slices.Clip(h.Lost), Lost{key, p.Msg})
		}
		if !again {
			return f
		}
		var kept []Host
		for i, h := range f.Hosts {
			if !gone[i] {
				kept = append(kept, h)
			}
		}
		f.Hosts = kept
		f.count()
	}
}

// guarded is the fleet with an entry of management.from, which the reader wants, in the
// place of those that are not known yet.
func (f Fleet) guarded() Fleet {
	f.From = []Source{{Value: "192.0.2.1"}}
	return f
}

// count counts the hosts of roles and groups anew; those that have none any more go.
func (f *Fleet) count() {
	there := map[string]bool{}
	for _, h := range f.Hosts {
		there[h.Name] = true
	}
	groups := slices.Clone(f.Groups)
	for i, g := range groups {
		groups[i].Hosts = slices.DeleteFunc(slices.Clone(g.Hosts), func(name string) bool { return !there[name] })
	}
	f.Groups = slices.DeleteFunc(groups, func(g Group) bool { return len(g.Hosts) == 0 })
	roles := slices.Clone(f.Roles)
	for i := range roles {
		roles[i].Hosts = 0
		for _, h := range f.Hosts {
			if slices.Contains(h.Roles, roles[i].Name) {
				roles[i].Hosts++
			}
		}
	}
	f.Roles = slices.DeleteFunc(roles, func(r Role) bool { return r.Hosts == 0 })
}

// keyOf is a key of a host in the way to it: ssh.port of hosts."web1.example.com".ssh.port,
// addresses of hosts.web1.addresses[0].
func keyOf(path string) string {
	rest := strings.TrimPrefix(path, "hosts.")
	if strings.HasPrefix(rest, `"`) {
		if end := strings.Index(rest[1:], `"`); end >= 0 {
			rest = rest[end+2:]
		}
	}
	_, rest, _ = strings.Cut(rest, ".")
	rest, _, _ = strings.Cut(rest, "[")
	parts := strings.Split(rest, ".")
	if parts[0] == "ssh" && len(parts) > 1 {
		return "ssh." + parts[1]
	}
	return parts[0]
}
