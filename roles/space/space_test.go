package space

import (
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A small world of each kind of point, so that everything meets its edges.
func addr(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}) }

func drawSet[T Point[T]](t *rapid.T, label string, point func(int) T) Set[T] {
	var list []Range[T]
	for range rapid.IntRange(0, 4).Draw(t, label) {
		a, b := rapid.IntRange(0, 12).Draw(t, label), rapid.IntRange(0, 12).Draw(t, label)
		list = append(list, Range[T]{point(min(a, b)), point(max(a, b))})
	}
	return Of(list...)
}

func drawAddrs(t *rapid.T) Addrs { return drawSet(t, "addresses", addr) }

func TestSetsHoldWhatTheySay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawAddrs(t), drawAddrs(t)
		for _, s := range []Addrs{a, b, a.Union(b), a.And(b), a.Minus(b)} {
			if !slices.Equal(Of(s...), s) {
				t.Fatalf("%v is not in its one form", s)
			}
		}
		covers, meets := true, false
		for n := range 14 {
			p := addr(n)
			in, of := a.Has(p), b.Has(p)
			covers, meets = covers && (in || !of), meets || in && of
			for name, pair := range map[string][2]bool{
				"union": {a.Union(b).Has(p), in || of}, "and": {a.And(b).Has(p), in && of}, "minus": {a.Minus(b).Has(p), in && !of},
			} {
				if pair[0] != pair[1] {
					t.Fatalf("%s of %v and %v has %s: %t", name, a, b, p, pair[0])
				}
			}
		}
		if a.Covers(b) != covers || a.Meets(b) != meets {
			t.Fatalf("%v and %v: covers %t, meets %t", a, b, a.Covers(b), a.Meets(b))
		}
	})
}

// A set that many packets have is there once, whatever is asked of it.
func TestSetsAreShared(t *testing.T) {
	var list []Range[netip.Addr]
	for n := range 50 {
		list = append(list, Range[netip.Addr]{addr(4 * n), addr(4*n + 1)})
	}
	long, some, other := Of(list...), Of(list[10:20]...), One(addr(2))
	for name, pair := range map[string][2]Addrs{
		"and itself": {long.And(long), long}, "and everyone": {long.And(Everyone(false)), long}, "everyone and": {Everyone(false).And(long), long},
		"and a part": {long.And(some), some}, "and a span": {long.And(Addrs{{addr(38), addr(79)}}), long[10:20]},
		"of which it is a part": {some.Union(long), long}, "with a part": {long.Union(some), long}, "without others": {long.Minus(other), long},
	} {
		if !pair[0].is(pair[1]) {
			t.Errorf("%s: %v is a copy", name, pair[0])
		}
	}
}

func TestSetsAtTheEnds(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		all := Everyone(v6)
		first, last := all[0].From, all[0].To
		rest := all.Minus(One(first)).Minus(One(last))
		if len(rest) != 1 || rest.Has(first) || rest.Has(last) || !rest.Union(One(last)).Union(One(first)).Equal(all) {
			t.Errorf("%v without its ends is %v", all, rest)
		}
	}
	all := AllPorts()
	if rest := all.Minus(One(Port(0))).Minus(One(Port(65535))); !rest.Equal(Ports{{1, 65534}}) {
		t.Errorf("all ports without the ends are %v", rest)
	}
	both := Everyone(false).Union(Everyone(true))
	if len(both) != 2 || !both.Minus(Everyone(true)).Equal(Everyone(false)) {
		t.Errorf("both families are %v", both)
	}
}

func drawNames(t *rapid.T) Names {
	n := NamesOf(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 3).Draw(t, "names")...)
	n.Except = rapid.Bool().Draw(t, "but those")
	return n
}

func TestNamesHoldWhatTheySay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawNames(t), drawNames(t)
		empty := true
		for _, name := range []string{"a", "b", "c", "another"} {
			in, of := a.Has(name), b.Has(name)
			empty = empty && !in
			if a.And(b).Has(name) != (in && of) || a.Minus(b).Has(name) != (in && !of) || a.Union(b).Has(name) != (in || of) || a.Not().Has(name) == in {
				t.Fatalf("%v and %v disagree about %s", a, b, name)
			}
		}
		if a.Empty() != empty {
			t.Fatalf("%v is empty: %t", a, a.Empty())
		}
	})
}

func drawBox(t *rapid.T) Box {
	return Box{
		Src: drawAddrs(t), Dst: drawAddrs(t),
		Key:     drawSet(t, "keys", func(n int) Key { return Key(n) }),
		SrcPort: drawSet(t, "ports", func(n int) Port { return Port(n) }),
		In:      drawNames(t), Out: drawNames(t),
	}
}

func (r Region) has(p Box) bool {
	return slices.ContainsFunc(r, func(b Box) bool { return b.Meets(p) })
}

func TestRegionsHoldWhatTheySay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a, b Region
		for range rapid.IntRange(1, 3).Draw(t, "boxes") {
			if x := drawBox(t); !x.Empty() {
				a = append(a, x)
			}
			if x := drawBox(t); !x.Empty() {
				b = append(b, x)
			}
		}
		rest, simple := a.Without(b), a.Simple()
		for range 30 {
			p := Box{
				One(addr(rapid.IntRange(0, 13).Draw(t, "src"))), One(addr(rapid.IntRange(0, 13).Draw(t, "dst"))),
				One(Key(rapid.IntRange(0, 13).Draw(t, "key"))), One(Port(rapid.IntRange(0, 13).Draw(t, "sport"))),
				NamesOf(rapid.SampledFrom([]string{"a", "b", "x"}).Draw(t, "in")), NamesOf(rapid.SampledFrom([]string{"a", "b", "x"}).Draw(t, "out")),
			}
			if rest.has(p) != (a.has(p) && !b.has(p)) {
				t.Fatalf("%v without %v has %v: %t", a, b, p, rest.has(p))
			}
			if simple.has(p) != a.has(p) {
				t.Fatalf("%v is not the same as %v", simple, a)
			}
			for i, x := range rest {
				for _, y := range rest[i+1:] {
					if len(a) == 1 && x.Meets(y) {
						t.Fatalf("%v and %v meet", x, y)
					}
				}
			}
		}
	})
}
