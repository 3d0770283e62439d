package render

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"fwpush/inventory"
	"fwpush/roles"
)

// header replaces the table in the same transaction. Adding it first makes the
// delete succeed on a host that has no such table. `destroy` would say it in
// one line but is unknown before nft 1.0.7.
const (
	tableName = "inet fwpush"
	header    = "add table " + tableName + "\ndelete table " + tableName + "\n"
)

// Ruleset is a policy as text.
type Ruleset struct {
	// Backend is what Text is for; "" for no text.
	Backend Backend
	// Text is a complete nft script that replaces table inet fwpush and
	// touches nothing else: add table, delete table, then the table block.
	// It is what the boot file holds. Empty means "no table" (remove).
	Text string
	// Digest is "sha256:" and the hex digest of Text.
	Digest string
	// Marker is the name of the empty version chain, "rev_" and 12 hex digits.
	Marker string
	// Places maps 1-based lines of Text to where the fleet file says so. It is
	// printed beside the rules and is part of neither text nor digest.
	Places map[int][]inventory.Place
}

// Remove is the ruleset of a host that shall have no table of ours.
func Remove() Ruleset {
	return Ruleset{Digest: digest("")}
}

// Stored is a ruleset of ours as a host has kept it: text that Nftables or Iptables made.
// It has no places. The error says that the text is none of ours as far as can be seen
// without loading it.
func Stored(text string) (Ruleset, error) {
	r := Ruleset{Backend: BackendOf(text), Text: text, Digest: digest(text)}
	layout := strings.HasPrefix(text, header+"table "+tableName+" {\n")
	if r.Backend == BackendIptables {
		layout = strings.Contains(text, "\n:"+iptablesMarker)
	}
	if text == "" || !layout {
		return Ruleset{}, errors.New("what is kept is no ruleset of fwpush")
	}
	for line := range strings.Lines(text) {
		word := strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(word, "chain "); ok && isMarker(strings.TrimSuffix(name, " {")) {
			r.Marker = strings.TrimSuffix(name, " {")
		}
		if name, ok := strings.CutPrefix(word, ":"+iptablesMarker); ok && len(name) > markerDigits {
			r.Marker = markerPrefix + name[:markerDigits]
		}
	}
	return r, nil
}

// Forwards tells of a ruleset that decides all that passes through the host, and not only
// what is sent on to published ports.
func (r Ruleset) Forwards() bool {
	return strings.Contains(r.Text, "hook forward priority filter - 10; policy drop;") ||
		strings.Contains(r.Text, "\n-A FWPUSH-FWD -m conntrack --ctstate INVALID -j DROP\n")
}

// Nftables renders a policy for nftables 0.9.8 and newer. The same policy gives
// the same bytes, in whatever order its rules and peers stand.
//
// The error names the host, the place and what to change. It means that the
// policy says something nft cannot say (a quote in a comment, a port 0) or that
// must never be loaded (no management path); nothing is left out silently.
func Nftables(p roles.Policy) (Ruleset, error) {
	r, err := newRenderer(p)
	if err != nil {
		return Ruleset{}, fmt.Errorf("%s: cannot be rendered: %w", p.Host, err)
	}
	objects, chains := nftBlocks(r.program())
	if err := namesApart(slices.Concat(objects, chains)); err != nil {
		return Ruleset{}, fmt.Errorf("%s: cannot be rendered: %w", p.Host, err)
	}
	return assemble(objects, chains), nil
}

// namesApart refuses two blocks of a name: nft would make one of them.
func namesApart(blocks []block) error {
	seen := map[string]bool{}
	for _, b := range blocks {
		if seen[b.head] {
			return fmt.Errorf("there would be two of %q; give a rule, or a block of raw text, another name", b.head)
		}
		seen[b.head] = true
	}
	return nil
}

// assemble writes the text, with the marker chain between sets and chains. The
// marker is the digest of the text without it.
func assemble(sets, chains []block) Ruleset {
	bare, _ := write(append(sets[:len(sets):len(sets)], chains...))
	sum := sha256.Sum256([]byte(bare))
	marker := markerPrefix + hex.EncodeToString(sum[:])[:markerDigits]

	blocks := append(sets[:len(sets):len(sets)], block{head: "chain " + marker})
	text, places := write(append(blocks, chains...))
	return Ruleset{Backend: BackendNftables, Text: text, Digest: digest(text), Marker: marker, Places: places}
}

// The marker is a chain and not a table comment, because every nft can list a
// chain and old ones cannot say a comment.
const (
	markerPrefix = "rev_"
	markerDigits = 12
)

func isMarker(chain string) bool {
	digits, ok := strings.CutPrefix(chain, markerPrefix)
	return ok && len(digits) == markerDigits && strings.Trim(digits, "0123456789abcdef") == ""
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}
