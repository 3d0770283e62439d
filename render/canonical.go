package render

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// Canonical is a listing without what changes by itself: elements of sets that
// packets or time change, counts of counters and quotas, handles, blank lines,
// and the order of chains and sets. That order tells how a table came to be and
// not what it does: nft lists a chain that was kept over a load before new ones,
// and in the order of the file after a boot. Two listings of the same ruleset
// by the same nft have the same canonical form, and its digest is what drift is
// told by. It takes any text and passes on what it does not know. What runs in
// iptables is listed in such a form already.
func Canonical(listing string) string {
	nft, iptables := SplitListing(listing)
	if nft == "" {
		return iptables
	}
	return canonicalTable(nft) + iptables
}

func canonicalTable(listing string) string {
	var frame, end []string
	var blocks []chunk
	for _, c := range chunks(onLines(stillLines(listing))) {
		switch {
		case c.head != "":
			if c.lines[len(c.lines)-1] != "\t}" {
				return strings.TrimSuffix(listing, "\n") + "\n" // it is cut off: what stood behind it has no place in an order
			}
			c.lines = settled(c)
			blocks = append(blocks, c)
		case strings.TrimSpace(c.lines[0]) == "":
		case c.lines[0] == "}":
			end = append(end, c.lines[0])
		default:
			frame = append(frame, c.lines[0])
		}
	}
	slices.SortStableFunc(blocks, func(a, b chunk) int { return cmp.Compare(a.head, b.head) })
	var out strings.Builder
	say := func(lines []string) {
		for _, l := range lines {
			out.WriteString(l + "\n")
		}
	}
	say(frame)
	for _, b := range blocks {
		say(b.lines)
	}
	say(end)
	return out.String()
}

// settled is a block without its moving parts. Its last line is its end, whatever is open before it.
func settled(c chunk) []string {
	moving := false
	for _, l := range c.lines {
		word, value, _ := strings.Cut(strings.TrimSpace(l), " ")
		moving = moving || word == "timeout" ||
			word == "flags" && (strings.Contains(value, "dynamic") || strings.Contains(value, "timeout"))
	}
	moving = moving && !strings.HasPrefix(c.head, "chain ")
	var out []string
	for i := 0; i < len(c.lines); i++ {
		if moving && strings.HasPrefix(c.lines[i], "\t\telements = {") {
			i += elementLines(c.lines[i:len(c.lines)-1]) - 1
			continue
		}
		if !tallied.MatchString(c.lines[i]) {
			out = append(out, c.lines[i])
		}
	}
	return out
}

// elementLines is the number of lines up to the brace that closes the elements,
// or all of them if none does.
func elementLines(lines []string) int {
	depth, quoted := 0, false
	for i, l := range lines {
		if depth, quoted = balance(l, depth, quoted); depth <= 0 && !quoted {
			return i + 1
		}
	}
	return len(lines)
}

var (
	counted = regexp.MustCompile(`\bcounter(?: packets [0-9]+ bytes [0-9]+)+`)
	used    = regexp.MustCompile(`\b((?:over|until|quota) [0-9]+ [a-z]+)(?: used [0-9]+ [a-z]+)+`)
	handled = regexp.MustCompile(`(?: # handle [0-9]+)+$`)
	tallied = regexp.MustCompile(`^\t\tpackets [0-9]+ bytes [0-9]+$`)
)

// stillLines is before anything else, so that no line turns into another kind of line by it.
func stillLines(listing string) string {
	lines := strings.Split(listing, "\n")
	for i, l := range lines {
		lines[i] = still(l)
	}
	return strings.Join(lines, "\n")
}

// still takes the moving numbers out of one line, outside of quotes.
func still(l string) string {
	parts := strings.Split(handled.ReplaceAllString(l, ""), `"`)
	for i := 0; i < len(parts); i += 2 {
		parts[i] = used.ReplaceAllString(counted.ReplaceAllString(parts[i], "counter"), "$1")
	}
	return strings.Join(parts, `"`)
}
