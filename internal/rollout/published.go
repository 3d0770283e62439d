package rollout

import (
	"fmt"
	"slices"
	"strings"

	"fwpush/internal/commit"
	"fwpush/internal/foreign"
	"fwpush/inventory"
)

// publishedNote tells of ports that go past the rules for the host itself.
func (t Target) publishedNote(f commit.Facts) string {
	if t.Policy.Forwards || t.Policy.Publishes {
		return "" // they pass rules of ours
	}
	var parts []string
	more := 0
	for _, p := range f.Foreign.Published() {
		if !t.forUs(p) {
			continue
		}
		if len(parts) == mostNoted {
			more++
			continue
		}
		parts = append(parts, fmt.Sprintf("%s by %s (%s)", publishedText(p), called(p.Manager), clip(p.By.String())))
	}
	if len(parts) == 0 {
		return ""
	}
	text := "published past the rules of `in`: " + strings.Join(parts, "; ")
	if more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text + "; a list `published` rules on them"
}

// forUs says whether a translation is of an address of the host, as far as that is known.
func (t Target) forUs(p foreign.Published) bool {
	if len(p.Dst) == 0 || p.Locally {
		return true
	}
	for _, r := range p.Dst {
		if slices.ContainsFunc(t.Policy.Addresses, r.Contains) {
			return true
		}
	}
	return false
}

// publishedText is "tcp/8080 to 172.17.0.2:80".
func publishedText(p foreign.Published) string {
	proto := "all"
	switch {
	case p.Proto == 6:
		proto = "tcp"
	case p.Proto == 17:
		proto = "udp"
	case p.Proto != 0:
		proto = inventory.ProtoName(uint8(p.Proto))
	}
	var ports []string
	for _, r := range p.Ports {
		text := fmt.Sprint(r.Lo)
		if r.Hi != r.Lo {
			text = fmt.Sprintf("%d-%d", r.Lo, r.Hi)
		}
		ports = append(ports, proto+"/"+text)
	}
	if len(ports) == 0 {
		ports = []string{proto}
	}
	text := strings.Join(ports, ", ")
	switch {
	case p.To.Addr().IsValid() && p.To.Port() != 0:
		text += " to " + p.To.String()
	case p.To.Addr().IsValid():
		text += " to " + p.To.Addr().String()
	}
	if p.Others > 0 {
		text += fmt.Sprintf(" and %d more", p.Others)
	}
	return text
}
