package foreign

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// nftObject is one entry of what `nft -j list ruleset` prints (libnftables-json(5)).
type nftObject struct {
	Table *struct{ Family, Name string }
	Chain *struct {
		Family, Table, Name, Type, Hook, Policy string
		Dev                                     any // a name, or a list of them
		Prio                                    *int
	}
	Rule *struct {
		Family, Table, Chain, Comment string
		Expr                          []json.RawMessage
	}
	Set *nftSet
	Map *nftSet
}

type nftSet struct {
	Family, Table, Name string
	Type, Map           json.RawMessage
	Elem                []json.RawMessage
}

// nftReader puts the objects together. They may come in any order, but rules of one chain come in theirs.
type nftReader struct {
	tables map[string]*Table
	chains map[string]*Chain
	maps   map[string][]json.RawMessage // elements of named verdict maps
	list   []*Table
	left   int // rules that elements of maps may still become
}

// maxBranches is how many rules, with the conditions that each has, the elements of verdict maps become
// in all. Many rules could name one large map, and one with many conditions a map with many elements.
const maxBranches = 200_000

// ParseNft reads what `nft -j list ruleset` prints. Expressions that are not understood, xtables
// compat expressions among them, are opaque; only text that is not such a listing is an error.
func ParseNft(text string) (Ruleset, error) {
	if len(text) > MaxText {
		return Ruleset{}, ErrTooLarge
	}
	var doc struct{ Nftables []nftObject }
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return Ruleset{}, fmt.Errorf("the listing of nft -j: %w", err)
	}
	if doc.Nftables == nil {
		return Ruleset{}, errors.New(`the listing of nft -j: no "nftables" is in it`)
	}
	r := nftReader{map[string]*Table{}, map[string]*Chain{}, map[string][]json.RawMessage{}, nil, maxBranches}
	for _, o := range doc.Nftables {
		switch {
		case o.Table != nil:
			r.table(o.Table.Family, o.Table.Name)
		case o.Chain != nil:
			c := r.chain(o.Chain.Family, o.Chain.Table, o.Chain.Name)
			if o.Chain.Hook != "" && c.Base == nil {
				c.Base = &Base{Type: o.Chain.Type, Hook: o.Chain.Hook, Policy: Accept}
				c.Base.Device, _ = o.Chain.Dev.(string)
				if o.Chain.Prio != nil {
					c.Base.Priority = *o.Chain.Prio
				}
				if o.Chain.Policy == "drop" {
					c.Base.Policy = Drop
				}
			}
		case o.Set != nil:
			t := r.table(o.Set.Family, o.Set.Table)
			t.Sets[o.Set.Name] = o.Set.read()
		case o.Map != nil:
			r.maps[o.Map.Family+" "+o.Map.Table+" "+o.Map.Name] = o.Map.Elem
			t := r.table(o.Map.Family, o.Map.Table)
			t.Sets[o.Map.Name] = o.Map.read()
		}
	}
	for _, o := range doc.Nftables {
		if o.Rule != nil {
			c := r.chain(o.Rule.Family, o.Rule.Table, o.Rule.Chain)
			c.Rules = append(c.Rules, r.rules(o.Rule.Family, o.Rule.Table, o.Rule.Comment, o.Rule.Expr)...)
		}
	}
	return Ruleset{r.list}, nil
}

func (r *nftReader) table(family, name string) *Table {
	key := family + " " + name
	if r.tables[key] == nil {
		r.tables[key] = &Table{Engine: Nft, Family: Family(family), Name: name, Sets: map[string]*Set{}}
		r.list = append(r.list, r.tables[key])
	}
	return r.tables[key]
}

func (r *nftReader) chain(family, table, name string) *Chain {
	key := family + " " + table + " " + name
	if r.chains[key] == nil {
		r.chains[key] = &Chain{Name: name}
		t := r.table(family, table)
		t.Chains = append(t.Chains, r.chains[key])
	}
	return r.chains[key]
}

// read takes a set's elements; of a map, its keys.
func (s *nftSet) read() *Set {
	set := &Set{Name: s.Name}
	for _, e := range s.Elem {
		if len(s.Map) > 0 {
			var pair []json.RawMessage
			if json.Unmarshal(e, &pair) != nil || len(pair) != 2 {
				set.Opaque = true
				continue
			}
			e = pair[0]
		}
		if !set.Values.element(e) {
			set.Opaque = true
		}
	}
	m := Match{Field: s.field(), Values: set.Values}
	if m.Field != 0 && m.numbers(s.isType("icmpv6_type")) {
		set.Values = m.Values
	} else {
		set.Opaque = true
	}
	return set
}

// field is one that elements of the set are compared with: names of protocols stand for numbers.
func (s *nftSet) field() Field {
	var of struct{ Typeof json.RawMessage }
	if json.Unmarshal(s.Type, &of) == nil && of.Typeof != nil {
		f, _ := new(nftRule).field(of.Typeof)
		return f
	}
	for name, f := range map[string]Field{"inet_proto": Proto, "icmp_type": ICMPType, "icmpv6_type": ICMPType, "inet_service": DstPort,
		"mark": Mark, "ipv4_addr": SrcAddr, "ipv6_addr": SrcAddr} {
		if s.isType(name) {
			return f
		}
	}
	return InIface
}

func (s *nftSet) isType(name string) bool { return string(bytes.TrimSpace(s.Type)) == `"`+name+`"` }

// catchAll is the element of a set that every other value is.
const catchAll = "*"

// element adds one element of a set, or a value that a rule compares with; false if it is of a
// kind that Values have no room for.
func (v *Values) element(raw json.RawMessage) bool { return v.nested(raw, 0) }

// deepest is a range in an element with a timeout, in a set that stands in a rule. Each depth is read
// anew, which takes long where there are thousands.
const deepest = 2

func (v *Values) nested(raw json.RawMessage, depth int) bool {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return false
	}
	switch raw[0] {
	case '"':
		var text string
		if json.Unmarshal(raw, &text) != nil || strings.HasPrefix(text, "@") || text == catchAll {
			return false
		}
		if r, ok := addrRange(text); ok {
			v.Addrs = append(v.Addrs, r)
		}
		v.Names = append(v.Names, text)
		return true
	case '{':
		return depth <= deepest && v.structured(raw, depth)
	}
	var n uint32
	if json.Unmarshal(raw, &n) != nil {
		return false
	}
	v.Numbers = append(v.Numbers, Range{n, n})
	return true
}

// and has the values of both.
func (v Values) and(w Values) Values {
	return Values{append(v.Addrs, w.Addrs...), append(v.Numbers, w.Numbers...), append(v.Names, w.Names...)}
}

func (v *Values) structured(raw json.RawMessage, depth int) bool {
	var o struct {
		Elem   *struct{ Val json.RawMessage }
		Prefix *struct {
			Addr string
			Len  uint8
		}
		Range []json.RawMessage
		Set   []json.RawMessage
	}
	if json.Unmarshal(raw, &o) != nil {
		return false
	}
	switch {
	case o.Elem != nil:
		return v.nested(o.Elem.Val, depth+1)
	case o.Prefix != nil:
		r, ok := addrRange(fmt.Sprintf("%s/%d", o.Prefix.Addr, o.Prefix.Len))
		if ok {
			v.Addrs = append(v.Addrs, r)
		}
		return ok
	case len(o.Range) == 2:
		var from, to string
		if json.Unmarshal(o.Range[0], &from) == nil && json.Unmarshal(o.Range[1], &to) == nil {
			r, ok := addrRange(from + "-" + to)
			if ok {
				v.Addrs = append(v.Addrs, r)
			}
			return ok
		}
		var lo, hi uint32
		if json.Unmarshal(o.Range[0], &lo) != nil || json.Unmarshal(o.Range[1], &hi) != nil || lo > hi {
			return false
		}
		v.Numbers = append(v.Numbers, Range{lo, hi})
		return true
	case o.Set != nil:
		for _, e := range o.Set {
			if !v.nested(e, depth+1) {
				return false
			}
		}
		return true
	}
	return false
}
