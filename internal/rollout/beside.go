package rollout

import (
	"fmt"
	"strings"

	"fwpush/internal/commit"
	"fwpush/internal/foreign"
	"fwpush/render"
	"fwpush/roles"
)

// beside is what of others a packet has to pass as well as our rules. In a table of iptables an
// accept of ours, whose jump is the first, is the last word of its chain.
func (t Target) beside(f commit.Facts) foreign.Ruleset {
	rs := f.Foreign.Ruleset
	if t.mode() == commit.ModeExclusive { // what somebody has made at home goes in the same commit
		rs = rs.Keep(func(manager string) bool { return manager != foreign.ByHandIptables && manager != foreign.ByHandNft })
	}
	rules, err := t.Fit(f)
	if err != nil || render.BackendOf(rules.Text) != render.BackendIptables {
		return rs
	}
	var out foreign.Ruleset
	for _, table := range rs.Tables {
		if table.Engine == foreign.Iptables && table.Name == "filter" && table.Legacy == !strings.Contains(f.Iptables, "nf_tables") {
			copied := *table
			copied.Chains = nil
			for _, c := range table.Chains {
				ours := map[string]string{"INPUT": "IN", "OUTPUT": "OUT", "FORWARD": "FWD"}[c.Name]
				last := strings.Contains(rules.Text, "\n:FWPUSH-"+ours+" ") && (c.Name != "FORWARD" || rules.Forwards())
				if c.Base == nil || ours == "" || !last {
					copied.Chains = append(copied.Chains, c)
				}
			}
			table = &copied
		}
		out.Tables = append(out.Tables, table)
	}
	return out
}

// proveBeside is the part of the lock-out proof that is not about our rules: a new connection like
// this one has to get through the base chains of others too, and its answers back. What they let
// through moments ago they let through still, so an answer that is not sure is no refusal; but a
// host may have shut itself to new connections since this one was made, or let it in by a state
// that it lost, and a connection that confirms would then never come.
func (t Target) proveBeside(f commit.Facts, seen roles.SSHConnection) error {
	rs := t.beside(f)
	client, server := seen.Client.Addr(), seen.Server.Addr()
	in := foreign.Packets{IPv6: client.Is6(), Src: foreign.One(client), Dst: foreign.One(server), Proto: 6, State: "new", Local: true,
		DstPort: foreign.Range{Lo: uint32(seen.Server.Port()), Hi: uint32(seen.Server.Port())}}
	if client == server || client.IsLoopback() { // a host that pushes to itself
		in.In = "lo"
	}
	for _, hook := range []string{"prerouting", "input"} {
		if fate := rs.Walk(hook, in); fate.Does == foreign.Refuses {
			return &OverriddenError{fmt.Sprintf("new connections from %s to %d", client, seen.Server.Port()), fate}
		}
	}
	out := foreign.Packets{IPv6: client.Is6(), Src: in.Dst, Dst: in.Src, Proto: 6, State: "established", SrcPort: in.DstPort, Out: in.In}
	for _, hook := range []string{"output", "postrouting"} {
		if fate := rs.Walk(hook, out); fate.Does == foreign.Refuses {
			return &OverriddenError{fmt.Sprintf("answers to %s", client), fate}
		}
	}
	return nil
}

// OverriddenError says that rules of others would refuse what the management pair admits.
type OverriddenError struct {
	What string
	Fate foreign.Fate
}

func (e *OverriddenError) Error() string {
	return fmt.Sprintf("would lock out: %s are refused by rules that are not fwpush's, %s", e.What, clip(e.Fate.By.String()))
}

// Hint says what to change.
func (e *OverriddenError) Hint() string {
	return "let them in there as well, or take that firewall away"
}
