package rollout

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"fwpush/internal/commit"
	"fwpush/internal/foreign"
	"fwpush/inventory"
)

// Bounds of what is told of a host's foreign rules in one sentence.
const (
	mostItems = 3   // of one manager
	mostItem  = 160 // bytes of a rule
	mostNoted = 4   // rules that override, or ports that are published
)

// accepts says whether the fleet file knows of a manager's rules on the host. In mode exclusive
// rules made by hand are replaced, and need no word.
func (t Target) accepts(manager string) bool {
	byHand := manager == foreign.ByHandIptables || manager == foreign.ByHandNft
	return byHand && t.Host.Mode.V == "exclusive" ||
		slices.ContainsFunc(t.Host.Coexist, func(word inventory.At[string]) bool { return word.V == manager })
}

// StrangerError is other firewalls on a host that the file does not say it coexists with.
type StrangerError struct {
	Found map[string][]foreign.Item // by manager
}

func (e *StrangerError) Error() string {
	return "the host has other firewalls that its coexist does not name: " + foundText(e.Found)
}

// Hint says what to write.
func (e *StrangerError) Hint() string {
	names := e.names()
	text := fmt.Sprintf("read what they do; to leave them as they are, add coexist = [%s] to the host or to [defaults]", quotedList(names))
	if slices.Contains(names, foreign.ByHandIptables) || slices.Contains(names, foreign.ByHandNft) {
		text += `; to have rules made by hand replaced, write mode = "exclusive"`
	}
	return text
}

func (e *StrangerError) names() []string { return slices.Sorted(maps.Keys(e.Found)) }

func foundText(found map[string][]foreign.Item) string {
	var parts []string
	for _, manager := range slices.Sorted(maps.Keys(found)) {
		parts = append(parts, fmt.Sprintf("%s (%s)", called(manager), itemsText(found[manager])))
	}
	return strings.Join(parts, "; ")
}

func called(manager string) string {
	switch manager {
	case foreign.ByHandIptables:
		return "rules of iptables made by hand"
	case foreign.ByHandNft:
		return "rules of nft made by hand"
	}
	return manager
}

func quotedList(names []string) string {
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = `"` + n + `"`
	}
	return strings.Join(list, ", ")
}

// itemsText names some of what was found. Its bytes are the host's: whoever prints it escapes them.
func itemsText(items []foreign.Item) string {
	var parts []string
	for _, i := range items[:min(len(items), mostItems)] {
		parts = append(parts, clip(i.String()))
	}
	text := strings.Join(parts, ", ")
	if n := len(items) - mostItems; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}

func clip(s string) string {
	if len(s) > mostItem {
		return s[:mostItem] + "..."
	}
	return s
}

// strangers are other firewalls on the host that the file does not name, nil if there are none.
func (t Target) strangers(f commit.Facts) *StrangerError {
	found := f.Foreign.By()
	maps.DeleteFunc(found, func(manager string, _ []foreign.Item) bool { return t.accepts(manager) })
	if len(found) == 0 || t.Candidate.Remove {
		return nil
	}
	return &StrangerError{found}
}

// Note tells the same of a host that is not changed now.
func (e *StrangerError) Note() string {
	return "other firewalls that its coexist does not name, as its next change needs: " + foundText(e.Found)
}

// unreadNote says what is not known of a host.
func (t Target) unreadNote(f commit.Facts) string {
	if f.Foreign.Unread == "" || t.Candidate.Remove {
		return ""
	}
	return "whether rules of others override these could not be looked into: " + clip(f.Foreign.Unread)
}

// besideNotes are what a person should know of the rules of others on a host.
func (t Target) besideNotes(f commit.Facts) []string {
	if t.Candidate.Remove {
		return nil
	}
	var notes []string
	if strange := t.strangers(f); strange != nil && t.Past == nil {
		notes = append(notes, strange.Note())
	}
	return append(append(notes, t.overrideNotes(f)...), t.publishedNote(f))
}

// Beside tells what of the rules of others on a host would not be as the fleet file says,
// where the host is not refused for them; unread is what is not known of them.
func (t Target) Beside(f commit.Facts) (notes []string, unread string) {
	notes = append(t.overrideNotes(f), t.behindNote(f), t.publishedNote(f))
	return slices.DeleteFunc(notes, func(n string) bool { return n == "" }), t.unreadNote(f)
}
