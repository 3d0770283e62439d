package hostlist

import (
	"cmp"
	"strings"
)

// Compare orders names as people count: web2 before web10. Names that differ
// only in leading zeros are ordered by their bytes, so that no two are equal.
func Compare(a, b string) int {
	x, y := a, b
	for x != "" && y != "" {
		xd, yd := digits(x), digits(y)
		if xd == 0 || yd == 0 {
			if x[0] != y[0] {
				return cmp.Compare(x[0], y[0])
			}
			x, y = x[1:], y[1:]
			continue
		}
		if c := compareNumbers(x[:xd], y[:yd]); c != 0 {
			return c
		}
		x, y = x[xd:], y[yd:]
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(a, b))
}

// compareNumbers compares decimal numbers of any length by value.
func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

// digits counts the digits that s starts with.
func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}
