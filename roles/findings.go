package roles

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"fwpush/inventory"
)

// findings collects problems, one for each mistake: what many hosts stumble
// over is told once.
type findings struct {
	list  inventory.Problems
	seen  map[string]bool
	count [inventory.Note + 1]int // by severity, told or not
}

// first reports whether nothing was found under the key before.
func (f *findings) first(key string) bool {
	if f.seen[key] {
		return false
	}
	if f.seen == nil {
		f.seen = map[string]bool{}
	}
	f.seen[key] = true
	return true
}

// maxFindings bounds what is told of one severity; a file with more mistakes is
// no fleet file.
const maxFindings = 1000

func (f *findings) add(p inventory.Problem) {
	if !f.first(p.Place.String() + "\x00" + p.Msg) {
		return
	}
	f.count[p.Severity]++
	switch n := f.count[p.Severity]; {
	case n <= maxFindings:
		f.list = append(f.list, p)
	case n == maxFindings+1:
		f.list = append(f.list, inventory.Problem{Severity: p.Severity, Place: inventory.Place{File: p.Place.File},
			Msg: fmt.Sprintf("more than %d findings, the rest is not shown", maxFindings)})
	}
}

// errorAt and warnAt leave the width and the line to Fleet.Annotate, which has
// the text.
func (f *findings) errorAt(place inventory.Place, msg, hint string) {
	f.add(inventory.Problem{Severity: inventory.Error, Place: place, Width: 1, Msg: msg, Hint: hint})
}

func (f *findings) warnAt(place inventory.Place, msg, hint string) {
	f.add(inventory.Problem{Severity: inventory.Warning, Place: place, Width: 1, Msg: msg, Hint: hint})
}

// notService are words that are taken for services.
var notService = map[string]string{
	"any":  `write "all" for every service`,
	"tcp":  `write the port too, as in "tcp/5005", or "tcp/1-65535" for all`,
	"udp":  `write the port too, as in "udp/5005", or "udp/1-65535" for all`,
	"sctp": `write the port too, as in "sctp/5005", or "sctp/1-65535" for all`,
}

// remarks are warnings and the hosts they are about: what one line of the file does to
// many hosts is told once.
type remarks map[remark][]string

// remark is a warning with the hosts left out between before and after.
type remark struct {
	place               inventory.Place
	before, after, hint string
}

func (told remarks) add(host string, r remark) { told[r] = append(told[r], host) }

// unknown reports a name that nothing in the file defines.
func (f *findings) unknown(place inventory.Place, kind, name string, known []string) {
	msg := fmt.Sprintf("%s %q not defined", kind, name)
	hint := ""
	if notService[name] != "" && kind == "service" {
		hint = notService[name]
	} else if kind == "service" && strings.HasPrefix(name, "icmp") {
		hint = `what connections need of ICMP is always let through; an echo request is "ping", other types stand in a service with icmp = [...]`
	} else if n := inventory.Nearest(name, known); n != "" {
		msg += fmt.Sprintf("; did you mean %q?", n)
	} else if len(known) == 0 {
		hint = fmt.Sprintf("the file defines no %s", kind)
	}
	f.errorAt(place, msg, hint)
}

// cycle reports names that lead back to the first of them, once, wherever on the way
// it was met.
func (f *findings) cycle(place inventory.Place, names []string, hint string) {
	if f.first("cycle\x00" + hint + "\x00" + strings.Join(slices.Sorted(slices.Values(names)), "\x00")) {
		f.errorAt(place, "cycle: "+strings.Join(append(slices.Clone(names), names[0]), " → "), hint)
	}
}

// sorted returns what was found in the order of the file.
func (f *findings) sorted() inventory.Problems {
	f.list.Sort()
	return f.list
}

func comparePlaces(a, b inventory.Place) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
}

// theHosts names hosts in a message: "host web1", "hosts web[01-20]".
func theHosts(names []string) string {
	if len(names) == 1 {
		return "host " + names[0]
	}
	return "hosts " + inventory.Fold(names)
}
