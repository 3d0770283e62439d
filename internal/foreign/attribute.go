package foreign

import (
	"slices"

	"go4.org/netipx"
)

// Item is one thing that was found: a chain with its hook, a rule in a built-in chain, or a policy.
type Item struct {
	Manager string
	Table   *Table
	Chain   *Chain
	Rule    *Rule // nil: the chain itself, or its policy
}

// String is "iptables filter INPUT: -A INPUT -j DROP", or "ip nat PREROUTING".
func (i Item) String() string {
	text := i.Table.String() + " " + i.Chain.Name
	switch {
	case i.Rule != nil:
		return text + ": " + i.Rule.Text
	case i.Chain.Base != nil && i.Chain.Base.Policy == Drop:
		return text + ": policy drop"
	}
	return text
}

// Items are everything there is that does anything, with whoever it belongs to. What does nothing is
// not told: built-in chains and base chains that are empty and accept, and tables without rules.
//
// A rule in a built-in chain of iptables belongs to the manager whose chain it jumps to, whose set it
// asks or whose interface it names; a policy other than accept to one that is known to set it and has
// chains here.
func (rs Ruleset) Items() []Item {
	a := attribution{}
	for _, t := range rs.Tables {
		for _, c := range t.Chains {
			a.meet(t, c)
		}
	}
	var items []Item
	for _, t := range rs.Tables {
		for _, c := range t.Chains {
			items = append(items, a.items(t, c)...)
		}
	}
	return items
}

// By are the items of each manager; its keys are words of hosts.NAME.coexist.
func (rs Ruleset) By() map[string][]Item {
	by := map[string][]Item{}
	for _, i := range rs.Items() {
		by[i.Manager] = append(by[i.Manager], i)
	}
	return by
}

// ManagerOf is whose a table of nftables or a regular chain is by its name alone, "" if nobody's that is known.
func ManagerOf(family Family, table, chain string) string {
	a := attribution{}
	return a.ofChain(&Table{Engine: Nft, Family: family, Name: table}, &Chain{Name: chain})
}

// Without leaves out the chains that are ours, and rules that jump to them: tables of nftables by
// their key "FAMILY NAME", chains of iptables by patterns.
func (rs Ruleset) Without(tables, chains []string) Ruleset {
	var out Ruleset
	for _, t := range rs.Tables {
		if t.Engine == Nft && named(string(t.Family)+" "+t.Name, tables) {
			continue
		}
		copied := *t
		copied.Chains = nil
		for _, c := range t.Chains {
			if c.Base == nil && named(c.Name, chains) {
				continue
			}
			kept := *c
			kept.Rules = slices.DeleteFunc(slices.Clone(c.Rules), func(r Rule) bool { return named(r.Verdict.Chain, chains) })
			copied.Chains = append(copied.Chains, &kept)
		}
		out.Tables = append(out.Tables, &copied)
	}
	return out
}

// Keep leaves out what belongs to managers that keep is not for: their tables of nftables and chains of
// iptables, their rules in built-in chains, and the policies they set.
func (rs Ruleset) Keep(keep func(manager string) bool) Ruleset {
	gone := map[*Chain]bool{}
	rules := map[*Rule]bool{}
	for _, i := range rs.Items() {
		switch {
		case keep(i.Manager):
		case i.Rule != nil:
			rules[i.Rule] = true
		default:
			gone[i.Chain] = true
		}
	}
	var out Ruleset
	for _, t := range rs.Tables {
		copied := *t
		copied.Chains = nil
		for _, c := range t.Chains {
			if gone[c] && c.Base == nil {
				continue
			}
			kept := *c
			kept.Rules = nil
			for i := range c.Rules {
				if !rules[&c.Rules[i]] && !(gone[c] && t.Engine == Nft) {
					kept.Rules = append(kept.Rules, c.Rules[i])
				}
			}
			if gone[c] && c.Base != nil {
				base := *c.Base
				base.Policy = Accept
				kept.Base = &base
			}
			copied.Chains = append(copied.Chains, &kept)
		}
		out.Tables = append(out.Tables, &copied)
	}
	return out
}

// Join puts together what several programs told. A table of which a later one tells is taken as that
// one does: iptables-save has words for the rules of iptables-nft, which nft has not.
func Join(first Ruleset, others ...Ruleset) Ruleset {
	var out Ruleset
	told := map[string]bool{}
	for _, s := range others {
		for _, t := range s.Tables {
			if !t.Legacy {
				told[string(t.Family)+" "+t.Name] = true
			}
			out.Tables = append(out.Tables, t)
		}
	}
	for _, t := range first.Tables {
		if !told[string(t.Family)+" "+t.Name] {
			out.Tables = append(out.Tables, t)
		}
	}
	return out
}

type attribution struct {
	present []string            // managers with chains or tables here
	bridges map[string][]string // by manager: interfaces here that have names of their own
}

// mostBridges bounds how many of a host are believed to be a manager's.
const mostBridges = 200

// meet notes who is here, and which interfaces a manager has made that have names of their own.
func (a *attribution) meet(t *Table, c *Chain) {
	if owner := a.ofChain(t, c); owner != "" && !slices.Contains(a.present, owner) {
		a.present = append(a.present, owner)
	}
	for _, r := range c.Rules {
		for _, m := range managers {
			if m.Bridges == "" || r.Verdict.Chain != m.Bridges || len(a.bridges[m.Name]) > mostBridges {
				continue
			}
			for _, cond := range r.Matches {
				if cond.Field == OutIface && !cond.Not && len(cond.Names) > 0 && !slices.Contains(a.bridges[m.Name], cond.Names[0]) {
					if a.bridges == nil {
						a.bridges = map[string][]string{}
					}
					a.bridges[m.Name] = append(a.bridges[m.Name], cond.Names[0])
				}
			}
		}
	}
}

// ofChain is the manager whose a regular chain or a whole table of nftables is, "" if nobody's.
func (a *attribution) ofChain(t *Table, c *Chain) string {
	for _, m := range managers {
		if t.Engine == Nft && named(string(t.Family)+" "+t.Name, m.Tables) || c.Base == nil && named(c.Name, m.Chains) {
			return m.Name
		}
	}
	return ""
}

func (a *attribution) ofRule(t *Table, r *Rule) string {
	for _, m := range managers {
		if named(r.Verdict.Chain, m.Chains) || named(r.Comment, m.Comments) || m.Name == "docker" && a.hairpin(r) || slices.ContainsFunc(r.Matches, func(c Match) bool {
			return t.Engine == Iptables && named(c.Set, m.Sets) ||
				(c.Field == InIface || c.Field == OutIface) && slices.ContainsFunc(c.Names, func(n string) bool { return named(n, m.Ifaces) || slices.Contains(a.bridges[m.Name], n) })
		}) {
			return m.Name
		}
	}
	return byHand(t)
}

// hairpin says whether a rule is one that lets a container reach its own published port: it goes from
// an address to the same.
func (a *attribution) hairpin(r *Rule) bool {
	var src, dst netipx.IPRange
	for _, m := range r.Matches {
		if m.Not || len(m.Addrs) != 1 {
			continue
		}
		switch m.Field {
		case SrcAddr:
			src = m.Addrs[0]
		case DstAddr:
			dst = m.Addrs[0]
		}
	}
	return r.Verdict.Kind == Masquerade && src.IsValid() && src == dst && src.From() == src.To() && slices.Contains(a.present, "docker")
}

func byHand(t *Table) string {
	if t.Engine == Iptables {
		return ByHandIptables
	}
	return ByHandNft
}

func (a *attribution) items(t *Table, c *Chain) []Item {
	if owner := a.ofChain(t, c); owner != "" {
		if c.Base == nil || len(c.Rules) > 0 || c.Base.Policy == Drop {
			return []Item{{owner, t, c, nil}}
		}
		return nil
	}
	var items []Item
	if c.Base != nil && c.Base.Policy == Drop {
		owner := byHand(t)
		for _, m := range managers {
			if t.Engine == Iptables && t.Name == "filter" && slices.Contains(m.Policies, c.Name) && slices.Contains(a.present, m.Name) {
				owner = m.Name
				break
			}
		}
		items = append(items, Item{owner, t, c, nil})
	}
	for i := range c.Rules {
		items = append(items, Item{a.ofRule(t, &c.Rules[i]), t, c, &c.Rules[i]})
	}
	return items
}
