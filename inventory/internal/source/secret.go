package source

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// SecretKey reports whether a key is named like something that must not be
// written into a file which many people read.
func SecretKey(name string) bool { return secretName.MatchString(name) }

// SecretURL reports whether a text is a URL with a user in it, and so perhaps with a
// password, whether or not it is a good one.
func SecretURL(text string) bool { return secretUser.MatchString(text) }

var (
	secretName = regexp.MustCompile(`(?i)pass?w(or)?d|passphrase|secret|private_?key|token|(^|[_-])(pw|pass)$`)
	// As people write it, a colon in place of the equals sign included.
	secretText = regexp.MustCompile(`(?i)((pass?w(or)?d|passphrase|secret|private_?key|token)[a-z0-9_-]*|\b(\w+[_-])?(pw|pass))["']?[ \t]*[=:][ \t]*`)
	// RFC 3986, section 3.2.1.
	secretUser = regexp.MustCompile(`://[^/?#"'\n]*@`)
)

// secrets are the bytes of the text that are not to be repeated to anybody, in
// order: what is assigned to a key that names a secret, to the end of its last
// line, and users in URLs. Lines are printed with what is wrong in them, and people write passwords
// where they do not belong, also into texts that are not TOML.
func (d *Doc) secrets() [][2]int {
	var found [][2]int
	add := func(start, end int) {
		if i := strings.IndexByte(d.text[end:], '\n'); i >= 0 {
			end += i
		} else {
			end = len(d.text)
		}
		found = append(found, [2]int{start, end})
	}
	for _, m := range secretText.FindAllStringIndex(d.text, -1) {
		add(m[1], valueEnd(d.text, m[1]))
	}
	for _, m := range secretUser.FindAllStringIndex(d.text, -1) {
		found = append(found, [2]int{m[0] + len("://"), m[1] - len("@")})
	}
	var walk func(n *Node)
	walk = func(n *Node) {
		for _, kid := range slices.Concat(n.Kids, n.Elems) {
			if kid.value && SecretKey(kid.Name) {
				add(kid.Val.off, kid.Val.end)
			}
			walk(kid)
		}
	}
	walk(d.tree)
	slices.SortFunc(found, func(a, b [2]int) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	var merged [][2]int
	for _, r := range found {
		if n := len(merged); n > 0 && r[0] <= merged[n-1][1] {
			merged[n-1][1] = max(merged[n-1][1], r[1])
		} else {
			merged = append(merged, r)
		}
	}
	return merged
}

// valueEnd is where a value that starts at an offset ends; the end of the text if
// one of several lines never does.
func valueEnd(text string, start int) int {
	s := &scanner{text: text, pos: start, mark: start, line: 1, col: 1, root: &Node{}}
	if s.value(&Node{}, 0) {
		return s.pos
	}
	for _, open := range []string{`"""`, "'''", "[", "{"} {
		if strings.HasPrefix(text[start:], open) {
			return len(text)
		}
	}
	return start
}

// mask replaces what is secret of a line by asterisks.
func (d *Doc) mask(line string, n int) string {
	if line == "" {
		return line
	}
	hidden, start := d.hide(), d.starts[n-1]
	i, _ := slices.BinarySearchFunc(hidden, start, func(r [2]int, at int) int { return cmp.Compare(r[1], at) })
	var b strings.Builder
	at := 0
	for ; i < len(hidden) && hidden[i][0] < start+len(line); i++ {
		from, to := max(hidden[i][0]-start, at), min(hidden[i][1]-start, len(line))
		if from >= to {
			continue
		}
		b.WriteString(line[at:from])
		b.WriteString(strings.Repeat("*", utf8.RuneCountInString(line[from:to])))
		at = to
	}
	return b.String() + line[at:]
}
