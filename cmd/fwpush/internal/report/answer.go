package report

import (
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"fwpush/cmd/fwpush/internal/query"
	"fwpush/internal/ui"
	"fwpush/inventory"
	"fwpush/roles"
	"fwpush/roles/expect"
	"fwpush/roles/space"
	"fwpush/roles/verdict"
)

// WriteAnswers says what becomes of a packet, in the order in which it passes, and
// with near which rules came nearest to deciding otherwise. Hosts that decide the
// same for the same reason are told together.
func WriteAnswers(w io.Writer, colour ui.Colour, reply query.Reply, near bool) error {
	var b strings.Builder
	for _, g := range together(reply.Answers, near) {
		a := g.Answer
		fmt.Fprintf(&b, "%s %s: %s by %s", inventory.Fold(g.hosts), a.Direction, paintVerdict(colour, a.Verdict), ui.Safe(a.Why()))
		if place := a.Place.String(); place != "" {
			fmt.Fprintf(&b, ", %s", ui.Safe(place))
		}
		b.WriteString("\n")
		for _, p := range g.parts {
			for _, box := range p.packets.Simple() {
				fmt.Fprintf(&b, "  %s\n", packetsText(box, reply.Names))
			}
			if near {
				for _, m := range p.nearest {
					fmt.Fprintf(&b, "  near: %s\n", ui.Safe(m.String()))
				}
			}
		}
		if l := a.Limited(); l != "" {
			fmt.Fprintf(&b, "  limit: %s\n", l)
		}
		for _, l := range g.limits {
			l.Part = l.Part || l.answers < g.answers
			fmt.Fprintf(&b, "  limit of %s: %s\n", ui.Safe(l.By), ui.Safe(limitText(l.Limit)))
		}
		if a.Behind != nil {
			fmt.Fprintf(&b, "  behind nat: %s\n", ui.Safe(a.Behind.String()))
		}
		if a.NAT != nil {
			fmt.Fprintf(&b, "  after nat: %s, %s\n", natText(*a.NAT), ui.Safe(a.NAT.Place.String()))
		}
		if a.Rule != nil {
			b.WriteString(note(a.Rule))
		}
	}
	for _, n := range reply.Notes {
		fmt.Fprintf(&b, "note: %s\n", ui.Safe(n))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// alike are answers that say the same.
type alike struct {
	query.Answer
	hosts   []string
	parts   []part
	answers int
	limits  []heldBy // of others than what decides
}

// heldBy is a limit, and how many of the answers it holds for.
type heldBy struct {
	verdict.Limit
	answers int
}

// part is packets that the same rules come near to.
type part struct {
	packets space.Region
	nearest []verdict.Miss
}

func together(answers []query.Answer, near bool) []*alike {
	type reason struct {
		direction          roles.Direction
		verdict            inventory.Verdict
		stage              verdict.Stage
		place              inventory.Place
		why, limit, behind string
	}
	var list []*alike
	known := map[reason]*alike{}
	for _, a := range answers {
		r := reason{a.Direction, a.Verdict, a.Stage, a.Place, a.Why(), a.Limited(), fmt.Sprint(a.Behind)}
		g := known[r]
		if g == nil {
			g = &alike{Answer: a}
			known[r] = g
			list = append(list, g)
		}
		if !slices.Contains(g.hosts, a.Host) {
			g.hosts = append(g.hosts, a.Host)
		}
		g.add(a, near)
	}
	return list
}

func (g *alike) add(a query.Answer, near bool) {
	g.answers++
	for _, l := range a.Limits() {
		i := slices.IndexFunc(g.limits, func(o heldBy) bool { return o.By == l.By && o.Place == l.Place })
		if i < 0 {
			i = len(g.limits)
			g.limits = append(g.limits, heldBy{Limit: l})
		}
		g.limits[i].answers++
		g.limits[i].Part = g.limits[i].Part || l.Part
	}
	var nearest []verdict.Miss
	if near {
		nearest = a.Nearest()
	}
	i := slices.IndexFunc(g.parts, func(p part) bool {
		return slices.EqualFunc(p.nearest, nearest, func(x, y verdict.Miss) bool { return x.String() == y.String() })
	})
	if i < 0 {
		i = len(g.parts)
		g.parts = append(g.parts, part{nearest: nearest})
	}
	g.parts[i].packets = append(g.parts[i].packets, a.Packets)
}

// limitText says what a limit is, where, and whether it counts all packets.
func limitText(l verdict.Limit) string {
	text := l.Text
	if place := l.Place.String(); place != "" {
		text += ", " + place
	}
	if l.Part {
		text += ", for some of them"
	}
	return text
}

// natText is what a dnat or redirect does.
func natText(n roles.NAT) string {
	text := string(n.Kind)
	switch {
	case n.ToAddr.IsValid() && n.ToPort > 0:
		text += " to " + netip.AddrPortFrom(n.ToAddr, n.ToPort).String()
	case n.ToAddr.IsValid():
		text += " to " + n.ToAddr.String()
	case n.ToPort > 0:
		text += fmt.Sprintf(" to port %d", n.ToPort)
	}
	return text
}

func paintVerdict(c ui.Colour, v inventory.Verdict) string {
	word := verdict.Past(v)
	switch v {
	case inventory.Accept:
		return c.Green(word)
	case inventory.Drop, inventory.Reject:
		return c.Red(word)
	}
	return c.Yellow(word)
}

// note is what the file says beside a rule, a line or nothing.
func note(r *roles.Rule) string {
	var parts []string
	for _, p := range []struct{ key, value string }{{"", r.Comment}, {"owner ", r.Owner}, {"ticket ", r.Ticket}} {
		if p.value != "" {
			parts = append(parts, p.key+ui.Safe(p.value))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "  " + strings.Join(parts, ", ") + "\n"
}

// packetsText says which packets a box holds.
func packetsText(b space.Box, names query.Names) string {
	text := fmt.Sprintf("%s from %s to %s", KeyText(b.Key, b.V6()), names.Say(b.Src), names.Say(b.Dst))
	if s := b.SrcPort; len(s) == 1 && s[0].From == s[0].To {
		text += fmt.Sprintf(", source port %d", s[0].From)
	}
	return strings.Join(append([]string{text}, b.Interfaces()...), ", ")
}

// few is how many services are written out.
const few = 4

// KeyText is what packets are of: services as a fleet file writes them.
func KeyText(k space.Keys, v6 bool) string {
	if k.Equal(space.AllKeys()) {
		return "everything"
	}
	var words []string
	for i, r := range k {
		if i == few {
			return strings.Join(words, ", ") + fmt.Sprintf(" and %d more", len(k)-few)
		}
		words = append(words, expect.KeyWord(r, v6))
	}
	return cmp.Or(strings.Join(words, ", "), "nothing")
}
