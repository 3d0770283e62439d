package render

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"fwpush/inventory"
)

// Diff is the difference of two rulesets in the same rendering. The order of
// chains and sets is none: it has no meaning in a table.
type Diff struct {
	Changed        bool
	Added, Removed int // lines
	// Text is a unified diff, old to new, whose hunks are headed by the chain
	// or set they are in; empty if nothing changed. What came from a host is
	// in it as it is: a terminal must be guarded from it.
	Text string

	places map[int][]inventory.Place // by 1-based line of Text
}

// Annotated is Text with the place in the fleet file beside each added line
// that has one.
func (d Diff) Annotated() string {
	return annotate(d.Text, d.places)
}

// Compare is the change a candidate brings: running is the text a host last
// confirmed, in fwpush's own rendering, or "" if it has none. Never pass a
// listing: no nft prints what it was given. The marker, which changes with
// anything, is left out.
func Compare(running string, candidate Ruleset) Diff {
	return compare(unmarked(split(running)), unmarked(split(candidate.Text)), candidate.Places)
}

// Drift is what was changed by hand: stored is the listing of a host when it
// confirmed, live the one of now, both by the same nft on that host.
func Drift(stored, live string) Diff {
	return compare(split(Canonical(stored)), split(Canonical(live)), nil)
}

func unmarked(parts []*part) []*part {
	return slices.DeleteFunc(parts, func(p *part) bool {
		chain, ok := strings.CutPrefix(p.head, "chain ")
		return ok && isMarker(chain) && len(p.lines) == 0 || isContainerMarker(p)
	})
}

// part is a chain or set of a text, or (without head) whatever is in neither.
type part struct {
	head     string
	lines    []source
	unframed bool // of a text for iptables: its lines say themselves where they belong
}

// title heads a hunk.
func (p *part) title() string {
	switch {
	case p.head != "":
		return p.head
	case p.unframed:
		return string(BackendIptables)
	}
	return "table " + tableName
}

type source struct {
	text string
	n    int // 1-based number in the text it is from
}

// split takes a text apart at the blocks of the table, leaving out the header of
// a script, the frame of the table and blank lines.
func split(text string) []*part {
	nft, iptables := SplitListing(text)
	if iptables == "" {
		return tableParts(nft)
	}
	parts := containerParts(iptables)
	if nft != "" {
		parts = append(tableParts(nft), parts...)
	}
	return parts
}

func tableParts(text string) []*part {
	loose := &part{}
	var parts []*part
	seen := map[string]*part{}
	for _, c := range chunks(text) {
		l := c.lines[0]
		if c.head == "" {
			if strings.TrimSpace(l) != "" && !isFrame(l) {
				loose.lines = append(loose.lines, source{l, c.first})
			}
			continue
		}
		p := seen[c.head]
		if p == nil {
			p = &part{head: c.head}
			seen[c.head] = p
			parts = append(parts, p)
		}
		for i, l := range c.body() {
			p.lines = append(p.lines, source{l, c.first + 1 + i})
		}
	}
	if len(loose.lines) > 0 {
		parts = append([]*part{loose}, parts...)
	}
	return parts
}

func isFrame(l string) bool {
	return l == "table "+tableName+" {" || l == "}" || l != "" && slices.Contains(strings.Split(header, "\n"), l)
}

// compare shows what is gone first, then the rest in the order of the new text.
func compare(was, is []*part, places map[int][]inventory.Place) Diff {
	d := differ{places: places, out: Diff{places: map[int][]inventory.Place{}}}
	before, after := byHead(was), byHead(is)
	for _, p := range was {
		if after[p.key()] == nil {
			d.whole('-', p)
		}
	}
	for _, p := range is {
		if old := before[p.key()]; old != nil {
			d.lines(old, p)
		} else {
			d.whole('+', p)
		}
	}
	d.out.Text = d.text.String()
	d.out.Changed = d.out.Text != ""
	return d.out
}

func byHead(parts []*part) map[partKey]*part {
	m := make(map[partKey]*part, len(parts))
	for _, p := range parts {
		m[p.key()] = p
	}
	return m
}

// partKey tells parts apart: lines that belong nowhere may be of both backends.
type partKey struct {
	head     string
	unframed bool
}

func (p *part) key() partKey { return partKey{p.head, p.unframed} }

// differ writes a Diff.
type differ struct {
	places map[int][]inventory.Place // by line of the new text
	out    Diff
	text   strings.Builder
	n      int // lines written
}

func (d *differ) say(sign byte, l string, from int) {
	switch sign {
	case '+':
		d.out.Added++
	case '-':
		d.out.Removed++
	}
	d.n++
	fmt.Fprintf(&d.text, "%c  %s\n", sign, l)
	if p := d.places[from]; sign == '+' && len(p) > 0 {
		d.out.places[d.n] = p
	}
}

func (d *differ) hunk(p *part) {
	d.n++
	fmt.Fprintf(&d.text, "@@ %s @@\n", p.title())
}

// whole shows a chain or set that is new or gone, with its frame, so that an
// empty one shows too.
func (d *differ) whole(sign byte, p *part) {
	d.hunk(p)
	if p.head == "" || p.unframed {
		for _, l := range p.lines {
			d.say(sign, indented(l.text), l.n)
		}
		return
	}
	d.say(sign, p.head+" {", 0)
	for _, l := range p.lines {
		d.say(sign, "  "+indented(l.text), l.n)
	}
	d.say(sign, "}", 0)
}

// indented is a line without the indentation of its block; what is left of it
// becomes two spaces a tab.
func indented(l string) string {
	l = strings.TrimPrefix(strings.TrimPrefix(l, "\t"), "\t")
	rest := strings.TrimLeft(l, "\t")
	return strings.Repeat("  ", len(l)-len(rest)) + rest
}

var hunkLine = regexp.MustCompile(`^@@ -[0-9]+(?:,[0-9]+)? \+([0-9]+)(?:,[0-9]+)? @@$`)

// lines shows what differs inside a chain or set that both have.
func (d *differ) lines(old, new *part) {
	unified := string(diff.Diff("old", old.bytes(), "new", new.bytes()))
	at := 0 // index of the next line of new
	for i, l := range strings.Split(strings.TrimSuffix(unified, "\n"), "\n") {
		if i < 3 || l == "" { // the names of the files
			continue
		}
		if m := hunkLine.FindStringSubmatch(l); m != nil {
			n, _ := strconv.Atoi(m[1])
			at = max(0, n-1)
			d.hunk(new)
			continue
		}
		from := 0
		if l[0] != '-' && at < len(new.lines) {
			from = new.lines[at].n
			at++
		}
		d.say(l[0], indented(l[1:]), from)
	}
}

func (p *part) bytes() []byte {
	var b strings.Builder
	for _, l := range p.lines {
		b.WriteString(l.text + "\n")
	}
	return []byte(b.String())
}
