package render

import "strings"

// perElement and perRule are about what an element of a set and a rule take in a
// message to the kernel, in bytes, the longest rules of this package excepted.
const perElement, perRule = 50, 1000

// Pieces takes a text for nft apart into scripts whose messages to the kernel are of
// about so many bytes, and that do together what the text does, one after the other
// and not at once: for a kernel that takes no long message. They are no way to load
// rules on a host, where nothing may lie between.
func Pieces(text string, most int) []string {
	var pieces []string
	var body strings.Builder
	size := 0
	cut := func() {
		if size > 0 {
			frame := "table " + tableName + " {\n" + body.String() + "}\n"
			if len(pieces) == 0 {
				frame = header + frame
			}
			pieces = append(pieces, frame)
		}
		body.Reset()
		size = 0
	}
	for _, c := range chunks(strings.TrimPrefix(text, header)) {
		if c.head == "" {
			continue // the frame of the table, and blank lines
		}
		opening, rest := opened(c)
		each := perRule
		if strings.HasPrefix(c.head, "set ") {
			each = perElement
		}
		for first := true; first || len(rest) > 0; first = false {
			if size+perRule > most {
				cut()
			}
			n := min(len(rest), (most-size)/each)
			body.WriteString("\t" + c.head + " {\n" + strings.Join(opening, ""))
			inSet := len(opening) > 0 && strings.HasPrefix(c.head, "set ") && n > 0
			if inSet {
				body.WriteString("\t\telements = {\n")
			}
			for _, l := range rest[:n] {
				body.WriteString(l + "\n")
			}
			if inSet {
				body.WriteString("\t\t}\n")
			}
			body.WriteString("\t}\n")
			rest = rest[n:]
			size += n*each + perRule
			if strings.HasPrefix(c.head, "chain ") {
				opening = nil // the hook is declared once
			}
		}
	}
	cut()
	return pieces
}

// opened divides the body of a block into the lines that every piece of it begins
// with and those that are divided among pieces: elements, rules.
func opened(c chunk) (opening, rest []string) {
	ours := strings.HasPrefix(c.head, "set ") && !strings.HasPrefix(c.head, "set x_") // raw text is as people write it
	for _, l := range c.body() {
		switch t := strings.TrimSpace(l); {
		case strings.HasPrefix(c.head, "chain "):
			if strings.HasPrefix(t, "type ") && strings.Contains(t, " hook ") {
				opening = append(opening, l+"\n")
				continue
			}
			rest = append(rest, l)
		case ours && strings.HasPrefix(t, "elements = { "):
			rest = append(rest, "\t\t\t"+strings.TrimSuffix(strings.TrimPrefix(t, "elements = { "), " }")+",")
		case ours && (t == "elements = {" || t == "}"):
		case ours && strings.HasSuffix(t, ","):
			rest = append(rest, l)
		default:
			opening = append(opening, l+"\n")
		}
	}
	return opening, rest
}

// Section is one part of a text for iptables: what one program is to restore.
type Section struct {
	Tool string // ipset, iptables, ip6tables
	Text string
}

// Sections takes a text for iptables apart.
func Sections(text string) []Section {
	var list []Section
	for _, part := range strings.Split(text, "\n#: ")[1:] {
		head, body, _ := strings.Cut(part, "\n")
		tool, _, _ := strings.Cut(head, " ")
		list = append(list, Section{tool, strings.TrimSuffix(body, "\n") + "\n"})
	}
	return list
}
