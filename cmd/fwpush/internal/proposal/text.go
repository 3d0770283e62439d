package proposal

import (
	"fmt"
	"strings"

	"fwpush/cmd/fwpush/internal/report"
	"fwpush/roles"
	"fwpush/roles/space"
)

// String is a flow in words: "in: tcp/25 from any IPv4".
func (f Flow) String() string {
	b := f.Packets
	word := map[roles.Direction]string{roles.Input: "in", roles.Output: "out", roles.Forward: "through"}[f.Direction]
	parts := []string{word + ":", report.KeyText(b.Key, b.V6())}
	if f.Direction != roles.Output {
		parts = append(parts, "from "+space.AddrsText(b.Src))
	}
	if whole := b.Dst.Equal(space.Everyone(b.V6())); f.Direction != roles.Input || !whole {
		parts = append(parts, "to "+space.AddrsText(b.Dst))
	}
	if !b.SrcPort.Equal(space.AllPorts()) {
		parts = append(parts, fmt.Sprintf("with source port %d and perhaps others", b.SrcPort[0].From))
	}
	if parts = append(parts, b.Interfaces()...); f.Limit != "" {
		parts = append(parts, f.Limit)
	}
	return strings.Join(parts, " ")
}

// onOneLine is text for a comment, whatever a host or a file is called.
func onOneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// mostTold bounds the lines of one kind in a file.
const mostTold = 200

// File is the proposal as a piece of a fleet file: first what a person has to know, then
// the role, then what each of the other rules became.
func (out Proposal) File(from string) string {
	var b strings.Builder
	comment := func(format string, args ...any) {
		b.WriteString(strings.TrimRight("# "+onOneLine(fmt.Sprintf(format, args...)), " ") + "\n")
	}
	list := func(head string, lines []string) {
		if len(lines) == 0 {
			return
		}
		comment("")
		comment("%s", head)
		for i, l := range lines {
			if i == mostTold {
				comment("  and %d more", len(lines)-mostTold)
				break
			}
			comment("  %s", l)
		}
	}
	comment("Made by fwpush import of %s.", from)
	for _, n := range out.Notes {
		comment("%s", n)
	}
	if len(out.Management) > 0 {
		comment("SSH is let in from %s: those belong into management.from.", strings.Join(out.Management, ", "))
	}
	list("Opens, which the rules refuse:", words(out.Opens))
	list("Closes, which the rules let through:", words(out.Closes))
	list("Not carried over:", words(out.Lost))
	if len(out.Opens)+len(out.Closes) == 0 {
		comment("")
		subject := "It"
		if len(out.Lost) > 0 {
			subject = "But for what is not carried over, it"
		}
		comment("%s decides every first packet as the rules do.", subject)
	}
	b.WriteString("\n" + out.Text)
	if len(out.Built) > 0 {
		b.WriteString("\n")
		comment("Built in, or said by a key:")
		for _, l := range out.Built {
			comment("  %s", l)
		}
	}
	return b.String()
}

// Told is what differs, a line each, for stderr.
func (out Proposal) Told() []string {
	var lines []string
	for _, l := range words(out.Lost) {
		lines = append(lines, "not carried over: "+l)
	}
	for _, l := range words(out.Opens) {
		lines = append(lines, "opens "+l)
	}
	for _, l := range words(out.Closes) {
		lines = append(lines, "closes "+l)
	}
	return lines
}

func words[T fmt.Stringer](list []T) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = v.String()
	}
	return out
}
