package foreign

import (
	"regexp"
	"strconv"
	"strings"
)

// What `nft list chains` prints. A base chain says where it is hooked in.
var (
	tableLine = regexp.MustCompile(`^table (\S+) (\S+) \{`)
	chainLine = regexp.MustCompile(`^\s+chain (\S+) \{`)
	hookLine  = regexp.MustCompile(`^\s+type (\S+) hook (\S+) (?:.* )?priority ([^;]+); policy (\w+);`)
)

// Untold stands for the rules of a chain that nobody told.
const Untold = "its rules are not known"

// ParseChains reads what `nft list chains` prints, which has no rules: each base chain gets one that
// may do anything.
func ParseChains(text string) Ruleset {
	var rs Ruleset
	if len(text) > MaxText {
		return rs
	}
	var table *Table
	var chain *Chain
	for line := range strings.Lines(text) {
		if m := tableLine.FindStringSubmatch(line); m != nil {
			table, chain = &Table{Engine: Nft, Family: Family(m[1]), Name: m[2], Sets: map[string]*Set{}}, nil
			rs.Tables = append(rs.Tables, table)
		} else if m := chainLine.FindStringSubmatch(line); m != nil && table != nil {
			chain = &Chain{Name: m[1]}
			table.Chains = append(table.Chains, chain)
		} else if m := hookLine.FindStringSubmatch(line); m != nil && chain != nil {
			chain.Base = &Base{Type: m[1], Hook: m[2], Priority: priorityOf(m[3]), Policy: Accept}
			if m[4] == "drop" {
				chain.Base.Policy = Drop
			}
			chain.Rules = []Rule{{Verdict: Verdict{Kind: Unknown}, Text: Untold}}
		}
	}
	return rs
}

// priorityOf reads "filter - 10" (nft(8), "CHAINS").
func priorityOf(text string) int {
	words := strings.Fields(text)
	if len(words) == 0 {
		return 0
	}
	base, err := strconv.Atoi(words[0])
	if err != nil {
		base = map[string]int{"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}[words[0]]
	}
	if len(words) == 3 {
		n, err := strconv.Atoi(words[2])
		switch {
		case err != nil:
		case words[1] == "-":
			base -= n
		default:
			base += n
		}
	}
	return base
}
