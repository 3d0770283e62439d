package render

import "strings"

// containerParts takes a text for iptables, or a listing of what runs there, apart at
// its chains, sets and jumps. What only frames them says nothing a reader of a diff
// wants to know; a line that belongs nowhere is kept.
func containerParts(text string) []*part {
	loose := &part{unframed: true}
	var parts []*part
	seen := map[string]*part{}
	in := func(head string) *part {
		p := seen[head]
		if p == nil {
			p = &part{head: head, unframed: true}
			seen[head] = p
			parts = append(parts, p)
		}
		return p
	}
	section := ""
	for i, l := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if rest, ok := strings.CutPrefix(l, "#: "); ok {
			section = rest
			continue
		}
		if l == "" || l == "COMMIT" || l+"\n" == iptablesHead || strings.HasPrefix(l, "*") {
			continue
		}
		p := loose
		words := strings.Fields(l)
		switch {
		case section == "jumps":
			p = in("jumps")
		case len(words) < 2:
		case section == "ipset" && (words[0] == "create" || words[0] == "add"):
			p = in("set " + words[1])
		case strings.HasPrefix(words[0], ":"):
			p = in("chain " + section + " " + words[0][1:])
		case words[0] == "-A":
			p = in("chain " + section + " " + words[1])
		}
		p.lines = append(p.lines, source{l, i + 1})
	}
	if len(loose.lines) > 0 {
		parts = append([]*part{loose}, parts...)
	}
	return parts
}

// isContainerMarker says whether a part is the version of a text for iptables: an
// empty chain that is declared and no more.
func isContainerMarker(p *part) bool {
	digits, ok := strings.CutPrefix(p.head, "chain iptables filter "+iptablesMarker)
	return ok && len(p.lines) == 1 && isMarker(markerPrefix+digits)
}

// iptablesMarker begins the name of the chain that says the version.
const iptablesMarker = "FWPUSH-REV-"
