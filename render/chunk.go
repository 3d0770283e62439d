package render

import (
	"regexp"
	"strings"
)

// chunk is a chain, a set or the like, or (without head) one line outside of
// any.
type chunk struct {
	head  string   // "chain input"
	lines []string // without line feeds; the frame of a block is among them
	first int      // 1-based number of the first line
}

var chunkLine = regexp.MustCompile(`^\t([a-z]+(?: [a-z]+)? [^ {}]+) \{(?: # handle [0-9]+)*$`)

// chunks takes any text apart, by the indentation that nft and this package
// write. No line is lost; a block without an end takes the rest.
func chunks(text string) []chunk {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	var out []chunk
	for i := 0; i < len(lines); {
		c := chunk{first: i + 1, lines: lines[i : i+1]}
		if m := chunkLine.FindStringSubmatch(lines[i]); m != nil {
			c.head = m[1]
			c.lines = lines[i:]
			for n, l := range c.lines {
				if l == "\t}" {
					c.lines = c.lines[:n+1]
					break
				}
			}
		}
		out = append(out, c)
		i += len(c.lines)
	}
	return out
}

// body is the lines of a block between its frame.
func (c chunk) body() []string {
	last := len(c.lines)
	if last > 1 && c.lines[last-1] == "\t}" {
		last--
	}
	return c.lines[1:last]
}
