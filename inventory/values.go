package inventory

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fwpush/inventory/internal/source"
	"fwpush/inventory/internal/syntax"
)

func at[T any](d *decoder, n *source.Node, v T) At[T] { return At[T]{V: v, Place: d.place(n.Val)} }

// setting returns a value of a scalar that may be absent.
func setting[T any, U any](d *decoder, n *source.Node, as func(T) U) *At[U] {
	if n == nil {
		return nil
	}
	v, ok := n.Value.(T)
	if !ok {
		return nil
	}
	a := at(d, n, as(v))
	return &a
}

func same[T any](v T) T { return v }

// flag returns a boolean, false if it is absent.
func flag(n *source.Node) bool {
	if n == nil {
		return false
	}
	v, _ := n.Value.(bool)
	return v
}

// seconds returns a duration that fits was asked about, or the default.
func seconds(n *source.Node, otherwise time.Duration) time.Duration {
	if n == nil {
		return otherwise
	}
	v, err := time.ParseDuration(n.Text())
	if err != nil {
		return otherwise
	}
	return v
}

// strings returns the items of a list that pass a check, each once.
func (d *decoder) strings(n *source.Node, check func(string) *syntax.Error) []At[string] {
	var out []At[string]
	for _, item := range items(n) {
		if item.Kind != source.String || d.wrong(item, check(item.Text())) {
			continue
		}
		out = append(out, at(d, item, item.Text()))
	}
	return once(out)
}

// once joins lists; of equal values the first is kept.
func once[T comparable](lists ...[]At[T]) []At[T] {
	var out []At[T]
	seen := map[T]bool{}
	for _, list := range lists {
		for _, a := range list {
			if !seen[a.V] {
				seen[a.V] = true
				out = append(out, a)
			}
		}
	}
	return out
}

// ports returns the items of a list of port numbers, each once.
func (d *decoder) ports(n *source.Node) []At[uint16] {
	var out []At[uint16]
	for _, item := range items(n) {
		if v, ok := item.Value.(int64); ok && syntax.Port(v) == nil {
			out = append(out, at(d, item, uint16(v)))
		}
	}
	return once(out)
}

// machines returns the items of a list of addresses of machines.
func (d *decoder) machines(n *source.Node) []At[netip.Addr] {
	var out []At[netip.Addr]
	seen := map[netip.Addr]bool{}
	for _, item := range items(n) {
		if item.Kind != source.String {
			continue
		}
		a, e := syntax.Machine(item.Text())
		if d.wrong(item, e) {
			continue
		}
		if seen[a] {
			d.report(Note, item.Val, a.String()+" is in the list twice", "")
			continue
		}
		seen[a] = true
		out = append(out, at(d, item, a))
	}
	return out
}

// note returns the text of a comment, an owner or a ticket.
func (d *decoder) note(f fields, key string) At[string] {
	n := f[key]
	if n == nil || d.wrong(n, syntax.Text(key, n.Text())) {
		return At[string]{}
	}
	return at(d, n, n.Text())
}

// paths returns file names as the system wants them: a leading ~/ is the home
// directory, a relative one starts where the fleet file is.
func (d *decoder) paths(n *source.Node) []string {
	var out []string
	for _, item := range items(n) {
		if item.Kind != source.String || syntax.Path(item.Text()) != nil {
			continue
		}
		path := item.Text()
		if rest, ok := strings.CutPrefix(path, "~/"); ok {
			// Without a home directory checkSSH has complained.
			home, _ := os.UserHomeDir()
			path = filepath.Join(home, rest)
		} else if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(item.Val.File), path)
		}
		out = append(out, path)
	}
	return out
}

// checkPaths reports what is wrong with file names as names; whether there are
// such files is the business of who opens them.
func (d *decoder) checkPaths(n *source.Node) {
	for _, item := range items(n) {
		if item.Kind != source.String || d.wrong(item, syntax.Path(item.Text())) || !strings.HasPrefix(item.Text(), "~/") {
			continue
		}
		if _, err := os.UserHomeDir(); err != nil {
			d.fail(item.Val, "no home directory for "+syntax.Quote(item.Text()), "set HOME, or write the whole path")
		}
	}
}
