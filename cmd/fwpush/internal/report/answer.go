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
func WriteAnswers(w io.Writer, colour ui.Colour, answers []query.Answer, near bool) error {
	var b strings.Builder
	for _, g := range together(answers) {
		a := g.Answer
		fmt.Fprintf(&b, "%s %s: %s by %s", inventory.Fold(g.hosts), a.Direction, paintVerdict(colour, a.Verdict), a.Why())
		if place := a.Place.String(); place != "" {
			fmt.Fprintf(&b, ", %s", ui.Safe(place))
		}
		b.WriteString("\n")
		for _, box := range g.packets.Simple() {
			fmt.Fprintf(&b, "  %s\n", Packets(box))
		}
		if l := a.Limited(); l != "" {
			fmt.Fprintf(&b, "  limit: %s\n", l)
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
		if near {
			for _, m := range a.Nearest {
				fmt.Fprintf(&b, "  near: %s\n", missText(m))
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// alike are answers that say the same.
type alike struct {
	query.Answer
	hosts   []string
	packets space.Region
}

func together(answers []query.Answer) []*alike {
	var list []*alike
	for _, a := range answers {
		i := slices.IndexFunc(list, func(g *alike) bool {
			return g.Direction == a.Direction && g.Verdict == a.Verdict && g.Stage == a.Stage && g.Place == a.Place && g.Why() == a.Why() && sameGateway(g.Behind, a.Behind)
		})
		if i < 0 {
			list = append(list, &alike{Answer: a})
			i = len(list) - 1
		}
		if !slices.Contains(list[i].hosts, a.Host) {
			list[i].hosts = append(list[i].hosts, a.Host)
		}
		list[i].packets = append(list[i].packets, a.Packets)
	}
	return list
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

func sameGateway(a, b *expect.Gateway) bool {
	return a == b || a != nil && b != nil && a.String() == b.String()
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

func missText(m verdict.Miss) string {
	text := fmt.Sprintf("rule %s, %s", m.Rule.Name, ui.Safe(m.Rule.Place.String()))
	if len(m.Parts) == 0 {
		return text + ", matches, and something else decides before it"
	}
	var parts []string
	for _, p := range m.Parts {
		parts = append(parts, missPart(m.Rule, p))
	}
	return text + ", " + strings.Join(parts, ", ")
}

func missPart(r *roles.Rule, p verdict.Part) string {
	switch p {
	case verdict.FamilyPart:
		return "is for " + string(r.Family) + " only"
	case verdict.ServicePart:
		return "is about " + r.Traffic.String()
	case verdict.FromPart:
		return "is from " + peersText(r.From)
	case verdict.ToPart:
		return "is to " + peersText(r.To)
	case verdict.InPart:
		return "comes in by " + strings.Join(r.InIfaces, ", ")
	}
	return "goes out by " + strings.Join(r.OutIfaces, ", ")
}

func peersText(list []roles.Peer) string {
	var words []string
	for _, p := range list {
		if p.Kind == roles.Literal {
			words = append(words, addressText(space.AddrsOf(slices.Concat(p.V4, p.V6)...)))
			continue
		}
		words = append(words, p.String())
	}
	return strings.Join(words, ", ")
}

// few is how many addresses or ports are written out.
const few = 4

// Packets says which packets a box holds.
func Packets(b space.Box) string {
	text := fmt.Sprintf("%s from %s to %s", keyText(b.Key, b.V6()), addressText(b.Src), addressText(b.Dst))
	if s := b.SrcPort; len(s) == 1 && s[0].From == s[0].To {
		text += fmt.Sprintf(", source port %d", s[0].From)
	}
	for _, side := range []struct {
		word  string
		names space.Names
	}{{"in by", b.In}, {"out by", b.Out}} {
		if words := ifaceText(side.names); words != "" {
			text += ", " + side.word + " " + words
		}
	}
	return text
}

func ifaceText(n space.Names) string {
	list := slices.DeleteFunc(slices.Clone(n.List), func(s string) bool { return n.Except && s == "lo" })
	switch {
	case len(list) == 0:
		return ""
	case n.Except:
		return "any but " + strings.Join(list, ", ")
	}
	return strings.Join(list, ", ")
}

func addressText(a space.Addrs) string {
	switch {
	case a.Equal(space.Everyone(false)):
		return "any IPv4"
	case a.Equal(space.Everyone(true)):
		return "any IPv6"
	case a.Equal(space.Everyone(false).Union(space.Everyone(true))):
		return "any"
	}
	whole := space.Everyone(a[0].From.Is6())
	if rest := whole.Minus(a); whole.Covers(a) && len(rest) <= len(a) && a.Has(whole[0].From) && a.Has(whole[0].To) {
		return "any but " + listed(rest)
	}
	return listed(a)
}

func listed(a space.Addrs) string {
	var words []string
	for i, r := range a {
		if i == few {
			return strings.Join(words, ", ") + fmt.Sprintf(" and %d more", len(a)-few)
		}
		words = append(words, inventory.AddrRange(r).String())
	}
	return strings.Join(words, ", ")
}

func keyText(k space.Keys, v6 bool) string {
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
