package foreign

import (
	"errors"
	"fmt"
	"strings"
)

// MaxText is how many bytes of one program's listing are read.
const MaxText = 4 << 20

// ErrTooLarge is for a listing that is longer than MaxText.
var ErrTooLarge = errors.New("too large to look into")

// ParseSave reads what iptables-save prints, or ip6tables-save where family is IPv6. What cannot be
// read is an error with the number of its line; a condition or target that is only not known
// is not. Of a listing that is cut off, what is left is returned with the error; the chains
// of its last table are Cut.
func ParseSave(text string, family Family, legacy bool) (Ruleset, error) {
	var rs Ruleset
	if len(text) > MaxText {
		return rs, ErrTooLarge
	}
	var table *Table
	chains := map[string]*Chain{}
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		bad := func(what string) (Ruleset, error) {
			return Ruleset{}, fmt.Errorf("line %d of iptables-save: %s: %.80q", number, what, line)
		}
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '*':
			table = &Table{Engine: Iptables, Legacy: legacy, Family: family, Name: line[1:]}
			rs.Tables = append(rs.Tables, table)
			clear(chains)
		case line == "COMMIT":
			table = nil
		case table == nil:
			return bad("outside of a table")
		case line[0] == ':':
			name, rest, _ := strings.Cut(line[1:], " ")
			policy, _, _ := strings.Cut(rest, " ")
			c := &Chain{Name: name}
			if hook := hookOf(name); hook != "" && policy != "-" {
				c.Base = &Base{Type: "filter", Hook: hook, Policy: Accept}
				c.Base.Priority, _ = priority(table.Name, hook)
				if table.Name == "nat" {
					c.Base.Type = "nat"
				}
				if policy == "DROP" {
					c.Base.Policy = Drop
				}
			}
			if name == "" || chains[name] != nil {
				return bad("a chain without a name, or a second one of it")
			}
			chains[name] = c
			table.Chains = append(table.Chains, c)
		default:
			words, err := splitWords(line)
			if err != nil {
				return bad(err.Error())
			}
			if len(words) > 0 && strings.HasPrefix(words[0], "[") { // counters of iptables-save -c
				words = words[1:]
			}
			if len(words) < 2 || words[0] != "-A" || chains[words[1]] == nil {
				return bad("not a rule of a chain")
			}
			c := chains[words[1]]
			r := parseRule(words[2:], family == IPv6, func(name string) bool { return chains[name] != nil })
			r.Text, r.Line = line, number
			c.Rules = append(c.Rules, r)
		}
	}
	if table != nil {
		for _, c := range table.Chains {
			c.Cut = true // any may be
		}
		return rs, fmt.Errorf("line %d of iptables-save: ends within table %.80q, without COMMIT: something is missing", number, table.Name)
	}
	return rs, nil
}

// splitWords divides a line as iptables-save quotes it: words in double quotes, with backslashes
// before quotes and backslashes.
func splitWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	quoted, open := false, false
	for i := 0; i < len(line); i++ {
		switch b := line[i]; {
		case b == '\\' && quoted && i+1 < len(line):
			i++
			word.WriteByte(line[i])
		case b == '"':
			quoted, open = !quoted, true
		case (b == ' ' || b == '\t') && !quoted:
			if open {
				words = append(words, word.String())
				word.Reset()
				open = false
			}
		default:
			word.WriteByte(b)
			open = true
		}
	}
	if quoted {
		return nil, errors.New("a quote without its end")
	}
	if open {
		words = append(words, word.String())
	}
	return words, nil
}
