package roles

import (
	"fmt"
	"slices"
	"strings"

	"fwpush/inventory"
	"fwpush/roles/internal/addrs"
)

// byVerb parts rules into those that refuse and those that allow.
func byVerb(rules []Rule) (denies, allows []Rule) {
	first, _ := slices.BinarySearchFunc(rules, false, func(r Rule, _ bool) int { return rank(r.Allows())*2 - 1 }) // they come first
	return rules[:first], rules[first:]
}

// lintShadowed warns about an allow that lets nothing through, because denies refuse
// all it is about for as long as it stands.
func (c *compiler) lintShadowed(rules []Rule) {
	denies, allows := byVerb(rules)
	if len(denies) == 0 {
		return
	}
	var beside strings.Builder
	for _, deny := range denies {
		beside.WriteString(deny.site())
	}
	for _, allow := range allows {
		// Hosts of the same roles ask the same.
		if !c.first("shadow\x00" + allow.site() + beside.String()) {
			continue
		}
		if by := shadow(allow, denies); by != nil {
			wins, hint := "the deny at "+by[0].Place.String()+" wins", "narrow one of the two"
			if len(by) > 1 {
				wins, hint = "the denies at "+places(by)+" win", "narrow one of them"
			}
			c.warnAt(allow.Place, "the allow is shadowed, "+wins, hint)
		}
	}
}

// site tells a rule from all others of the fleet: on hosts with other interfaces the
// same line is another rule.
func (r Rule) site() string {
	return fmt.Sprintf("%s %q %q\x00", r.Place, r.InIfaces, r.OutIfaces)
}

func places(rules []Rule) string {
	list := make([]string, len(rules))
	for i, r := range rules {
		list[i] = r.Place.String()
	}
	return strings.Join(list, ", ")
}

// shadow are the denies that refuse all an allow is about, nil if some of it is left:
// one by itself, or those that share its services among them.
func shadow(allow Rule, denies []Rule) []Rule {
	var by []Rule
	v4, v6 := allow.families()
	left4, left6 := allow.Keys(false), allow.Keys(true)
	for _, deny := range denies {
		keys4, keys6 := deny.Keys(false), deny.Keys(true)
		over4, over6 := deny.spans(allow)
		takes4, takes6 := v4 && over4 && left4.Meets(keys4), v6 && over6 && left6.Meets(keys6)
		if !takes4 && !takes6 {
			continue
		}
		if (!v4 || over4 && keys4.Covers(allow.Keys(false))) && (!v6 || over6 && keys6.Covers(allow.Keys(true))) {
			return []Rule{deny}
		}
		by = append(by, deny)
		if takes4 {
			left4 = left4.Minus(keys4)
		}
		if takes6 {
			left6 = left6.Minus(keys6)
		}
	}
	if v4 && !left4.Empty() || v6 && !left6.Empty() {
		return nil
	}
	return by
}

// spans reports, for each family, whether r is about every pair of addresses and every
// interface that o is about, and for as long.
func (r Rule) spans(o Rule) (v4, v6 bool) {
	within := func(outer, inner []string) bool {
		return len(outer) == 0 || len(inner) > 0 && !slices.ContainsFunc(inner, func(name string) bool { return !slices.Contains(outer, name) })
	}
	lasts := r.Expires.IsZero() || !o.Expires.IsZero() && !o.Expires.After(r.Expires)
	if !lasts || !within(r.InIfaces, o.InIfaces) || !within(r.OutIfaces, o.OutIfaces) {
		return false, false
	}
	from4, from6 := reach(r.From)
	to4, to6 := reach(r.To)
	oFrom4, oFrom6 := reach(o.From)
	oTo4, oTo6 := reach(o.To)
	return r.Family != inventory.IPv6 && addrs.Covers(from4, oFrom4) && addrs.Covers(to4, oTo4),
		r.Family != inventory.IPv4 && addrs.Covers(from6, oFrom6) && addrs.Covers(to6, oTo6)
}
