package proposal

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"fwpush/internal/foreign"
	"fwpush/inventory"
	"fwpush/roles"
)

// Proposal is a role made of rules, and how it differs from them.
type Proposal struct {
	Role  string
	Text  string // TOML of the role, with the services and sets it names
	Built []Line // rules that every role has built in
	Lost  []Line // rules that are in it nowhere, or in part
	Notes []string
	// Management are the sources that SSH is open to where it is not open to everybody.
	Management []string
	Opens      []Flow
	Closes     []Flow
}

// Make makes a role of the rules of a host. The error is that there are too many rules to
// work out what they do.
func Make(role string, rs Rules) (Proposal, error) {
	r := &reader{files: rs.Files, lines: rs.Lines, managers: map[*foreign.Rule]string{}, chains: map[*foreign.Chain]string{}, policies: map[*foreign.Chain]string{}, present: map[string]bool{}, told: map[string]bool{}}
	hooks, err := r.understand(rs)
	if err != nil {
		return Proposal{}, err
	}
	p := &maker{reader: r, role: role, sets: map[string]string{}, entries: map[roles.Direction][]entry{}}
	out := Proposal{Role: role}
	in, leaving, through := hooks[roles.Input], hooks[roles.Output], hooks[roles.Forward]
	open6 := !rs.V6 || in[1].open() && !in[0].open()
	p.direction(roles.Input, in, open6, false)
	alike := func(c chains) bool { return !rs.V6 || open6 && c[1].open() }
	lets := func(c chains) bool { return letsAll(c[0]) && (letsAll(c[1]) || !rs.V6) }
	p.direction(roles.Output, leaving, alike(leaving), lets(leaving))
	forwards := (!through[0].open() || rs.V6 && !through[1].open()) && through[0].others+through[1].others == ""
	if !forwards { // and then it is none of the role's business
		delete(hooks, roles.Forward)
		p.unrouted(through)
	}
	if forwards {
		p.direction(roles.Forward, through, alike(through), false)
	}
	p.way = ""
	if p.translations, err = p.nat(rs); err != nil {
		return out, err
	}
	r.elsewhere(rs)
	settings := func(b *strings.Builder) {
		fmt.Fprintf(b, "inbound = %s\n", inventory.TOML(inbound(in[0])))
		if !lets(leaving) {
			fmt.Fprintf(b, "outbound = %s\n", inventory.TOML(inbound(leaving[0])))
		}
		p.settings(b, in)
	}
	p.pings(in, open6)
	for {
		out.Text = p.text(settings, forwards)
		again, err := p.mend(out)
		if err != nil {
			return out, err
		}
		if !again {
			break
		}
	}
	out.notes(p, rs, in)
	err = out.compare(hooks, p.translations, map[roles.Direction]bool{roles.Input: open6, roles.Output: alike(leaving), roles.Forward: alike(through)})
	out.Built, out.Lost = r.builtin, r.lost
	return out, err
}

// text is the role with what it names.
func (p *maker) text(settings func(*strings.Builder), forwards bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[roles.%s]\n", p.role)
	settings(&b)
	for _, d := range [...]roles.Direction{roles.Input, roles.Output, roles.Forward} {
		list := p.entries[d]
		if len(list) == 0 {
			if d == roles.Forward && forwards {
				b.WriteString("forward = [] # what is routed through the host is refused\n")
			}
			continue
		}
		width := 0
		for _, e := range list {
			width = max(width, min(len(e.text(d)), 80))
		}
		fmt.Fprintf(&b, "%s = [\n", keyOf[d])
		for _, e := range list {
			fmt.Fprintf(&b, "  %-*s # %s\n", width+1, e.text(d)+",", onOneLine(e.at))
		}
		b.WriteString("]\n")
	}
	if len(p.translations) > 0 {
		b.WriteString("nat = [\n")
		for _, n := range p.translations {
			fmt.Fprintf(&b, "  %s, # %s\n", n.text, onOneLine(n.at))
		}
		b.WriteString("]\n")
	}
	p.more(&b)
	return b.String()
}

// keyOf is the list that rules of a direction stand in.
var keyOf = map[roles.Direction]string{roles.Input: "in", roles.Output: "out", roles.Forward: "forward"}

var listed = regexp.MustCompile(`^roles\.[^.]+\.(in|out|forward|nat)\[(\d+)\]`)

// mend takes out what a fleet file does not take, such as two translations of the same
// connections, and names it. True if anything went. A rule that refuses does not go: the
// others mean what they do because of it.
func (p *maker) mend(out Proposal) (again bool, err error) {
	fleet, found := inventory.Parse("proposal", []byte(out.whole()))
	found = append(found, roles.Check(fleet)...)
	errors := fleet.Annotate(found.Errors())
	if len(errors) == 0 {
		return false, nil
	}
	bad := errors[0]
	m := listed.FindStringSubmatch(bad.Key)
	if m == nil {
		return false, fmt.Errorf("the proposal is no fleet file: %s: %s", bad.Key, bad.Msg)
	}
	i, _ := strconv.Atoi(m[2])
	if m[1] == "nat" && i < len(p.translations) {
		n := p.translations[i]
		p.tell(&p.lost, n.at, n.rule, bad.Msg)
		p.translations = slices.Delete(slices.Clone(p.translations), i, i+1)
		return true, nil
	}
	for d, key := range keyOf {
		if key == m[1] && i < len(p.entries[d]) && p.entries[d][i].verb == "allow" {
			e := p.entries[d][i]
			p.tell(&p.lost, e.at, e.text(d), bad.Msg)
			p.entries[d] = slices.Delete(slices.Clone(p.entries[d]), i, i+1)
			return true, nil
		}
	}
	return false, fmt.Errorf("the proposal is no fleet file: %s: %s", bad.Key, bad.Msg)
}

// unrouted names what is routed otherwise than all, where that is none of the role's business.
func (p *maker) unrouted(through chains) {
	for _, h := range through {
		p.unlimited(h)
		for _, d := range h.pieces {
			if d.rule != nil && h.others != "" {
				p.tell(&p.lost, d.at, d.rule.Text, "what is routed is up to "+h.others+" here")
			}
		}
	}
}

// letsAll tells whether what no rule refuses is let through.
func letsAll(h *hook) bool { return !h.policy && !slices.ContainsFunc(h.pieces, refusesAll) }

func refusesAll(p piece) bool { return !p.accept && broad(p.full) }

// pings settles ping for both families.
func (p *maker) pings(in chains, open6 bool) {
	p.ping = p.echoes(in[0], false)
	if open6 {
		return
	}
	six, takes := p.echoes(in[1], true), "the narrower for both"
	switch {
	case six == p.ping:
		return
	case p.ping == "true" || six == "false":
		p.ping = six
	case p.ping != "false" && six != "true": // two rates: nobody knows which is the narrower
		takes = "the rate of IPv4 for both"
	}
	p.lost = append(p.lost, Line{"IPv4 and IPv6", "echo requests", "are let in otherwise of one family than of the other; the role takes " + takes})
}

// settings are the keys of a role beside its rules.
func (p *maker) settings(b *strings.Builder, in chains) {
	switch p.ping {
	case "true":
	case "false":
		b.WriteString("ping = false\n")
	default:
		fmt.Fprintf(b, "ping = %s\n", inventory.TOML(rateOfPing(p.ping)))
	}
	if p.dhcp {
		b.WriteString("dhcp_client = true\n")
	}
	for _, h := range in {
		if h.log == nil {
			continue
		}
		if prefix := logPrefix(h.log.Text); prefix != "" {
			fmt.Fprintf(b, "log = %s\n", inventory.TOML(prefix))
		}
		return
	}
}

// rateOfPing is a rate without the scope, which ping has none of.
func rateOfPing(rate string) string {
	count, _, _ := strings.Cut(rate, " ")
	return count
}

// logPrefix is the prefix of log lines, where a fleet file takes it.
func logPrefix(rule string) string {
	_, rest, ok := strings.Cut(rule, "--log-prefix ")
	if !ok {
		return ""
	}
	prefix := rest
	if strings.HasPrefix(rest, `"`) {
		prefix, _, _ = strings.Cut(rest[1:], `"`)
	} else {
		prefix, _, _ = strings.Cut(rest, " ")
	}
	if prefix = comment(prefix); len(prefix) > 29 || strings.ContainsAny(prefix, `$\`) {
		return ""
	}
	return prefix
}

// more are the services and sets that the rules name.
func (p *maker) more(b *strings.Builder) {
	slices.Sort(p.protos)
	for _, n := range p.protos {
		fmt.Fprintf(b, "\n[services.proto-%d]\nproto = [%d]\n", n, n)
	}
	rules := b.String()
	for _, s := range p.setList {
		if !strings.Contains(rules, inventory.TOML("set:"+s.name)) {
			continue // a larger one has taken its place
		}
		fmt.Fprintf(b, "\n[sets.%s]\naddresses = [\n", s.name)
		for _, w := range s.words {
			fmt.Fprintf(b, "  %s,\n", inventory.TOML(w))
		}
		b.WriteString("]\n")
	}
}

// notes are what a person has to know of it all.
func (out *Proposal) notes(p *maker, rs Rules, in chains) {
	note := func(format string, args ...any) { out.Notes = append(out.Notes, fmt.Sprintf(format, args...)) }
	for _, who := range slices.Sorted(maps.Keys(p.present)) {
		text := fmt.Sprintf("%s goes on beside fwpush, where the host has coexist = [%q].", who, who)
		if in[0].others == who || in[1].others == who {
			text += fmt.Sprintf(" A packet has to be let in by both: what %s lets in has to be added to this role.", who)
		}
		note("%s", text)
	}
	if in[0].open() {
		note("Nothing refuses anything over IPv4 here: the role lets in all of it. Narrow it.")
	}
	switch {
	case !rs.V6:
		note("No rules of IPv6 were read. What the role lets in without an address in the rule, it lets in over IPv6 too, and nothing else of IPv6. If ip6tables refuses any of that, pass --ip6tables as well.")
	case in[1].open() && !in[0].open():
		note("IPv6 is open: no rule refuses any of it. The role closes it but for what its rules say.")
	}
	if p.toItself {
		note("A dnat without to is of what goes to the host's own addresses, where the rules have it of what goes anywhere: to = \"any\" is that.")
	}
	for _, e := range p.entries[roles.Input] {
		if e.verb == "allow" && slices.Contains(e.services, "ssh") {
			if len(e.from) == 0 {
				note("SSH is open to everybody. management.from needs the addresses that you push from; a rule for the others is up to you.")
				return
			}
			if e.rate != "" && slices.Contains(e.from, "::/0") {
				continue // whoever is not one of the others, which are let in without a limit
			}
			for _, f := range e.from {
				if !slices.Contains(out.Management, f) {
					out.Management = append(out.Management, f)
				}
			}
		}
	}
}
