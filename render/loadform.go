package render

import (
	"slices"
	"strings"
)

// keptSince is the first nft that is known to load the kept form. 0.9.8
// crashes on it or checks rules against the old type of a set; what lies
// between is untried.
var keptSince = Version{1, 0, 6}

// LoadForm is the script that brings a host from its live table to the
// candidate in one transaction, and whether it keeps base chains.
//
// Deleting and creating a base chain in one transaction lets single packets
// pass or vanish (its hook is registered anew), so a base chain that stays the
// same is kept: its table is emptied, what is gone or differs in what cannot be
// changed is deleted, and the candidate is declared over the rest. That needs a
// known layout and a new enough nft; else, and when no base chain would be
// kept, the candidate's own text replaces the table as a whole.
//
// The kept form assumes the layout: on a table that changed meanwhile it fails
// and changes nothing. Load it with a check first, and fall back to
// candidate.Text. For a candidate without text the script removes the table.
func LoadForm(candidate Ruleset, live Layout, nft Version) (script string, kept bool) {
	if candidate.Text == "" {
		return header, false
	}
	declared, ours := strings.CutPrefix(candidate.Text, header)
	if !ours || !live.Exists || !nft.AtLeast(keptSince) {
		return candidate.Text, false
	}
	next, err := ParseLayout(declared)
	if err != nil {
		return candidate.Text, false
	}
	gone, kept := obsoleteChains(live, next)
	if !kept {
		return candidate.Text, false
	}
	var b strings.Builder
	say := func(words ...string) { b.WriteString(strings.Join(words, " ") + "\n") }
	say("add table", tableName)
	say("flush table", tableName)
	for _, s := range live.Sets {
		// A source that is counted keeps the limit that it was met with, however long it
		// goes on, so those of limits go too. What raw text has packets put into its
		// sets is its own.
		if !s.dynamic() || strings.HasPrefix(s.Name, meterPrefix) {
			say("flush set", tableName, s.Name)
		}
	}
	for _, name := range gone {
		say("delete chain", tableName, name)
	}
	for _, name := range obsoleteSets(live, next) {
		say("delete set", tableName, name)
	}
	for _, object := range live.Objects {
		if !slices.Contains(next.Objects, object) {
			i := strings.LastIndexByte(object, ' ')
			say("delete", object[:i], tableName, object[i+1:])
		}
	}
	return b.String() + declared, true
}

// obsoleteChains are the running chains the candidate has not, or has as
// something else; kept tells whether a base chain stays.
func obsoleteChains(live, next Layout) (gone []string, kept bool) {
	base := map[string]BaseChain{}
	for _, c := range next.Base {
		base[c.Name] = c
	}
	regular := map[string]bool{}
	for _, name := range next.Chains {
		regular[name] = true
	}
	for _, c := range live.Base {
		if n, ok := base[c.Name]; ok && c.sameAs(n) {
			kept = true
			continue
		}
		gone = append(gone, c.Name)
	}
	for _, name := range live.Chains {
		if !regular[name] {
			gone = append(gone, name)
		}
	}
	return gone, kept
}

func obsoleteSets(live, next Layout) []string {
	same := map[Set]bool{}
	for _, s := range next.Sets {
		same[s] = true
	}
	var gone []string
	for _, s := range live.Sets {
		if !same[s] {
			gone = append(gone, s.Name)
		}
	}
	return gone
}
