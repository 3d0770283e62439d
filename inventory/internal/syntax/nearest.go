package syntax

import "strings"

// Nearest returns the known word that s was probably meant to be, "" if none is
// near. Of two equally near the first wins. If none is, it is the only one that s is
// the beginning of.
func Nearest(s string, known []string) string {
	limit := 3
	switch n := len([]rune(s)); {
	case n <= 3:
		limit = 1
	case n <= 8:
		limit = 2
	case n > 64:
		return ""
	}
	best := ""
	for _, k := range known {
		// A word that shares no more than its length is not near.
		if d := distance(s, k, limit); d <= limit && d < len([]rune(k)) {
			best, limit = k, d-1
		}
	}
	if best != "" || len(s) < 3 {
		return best
	}
	for _, k := range known {
		if strings.HasPrefix(k, s) {
			if best != "" {
				return ""
			}
			best = k
		}
	}
	return best
}

// distance counts the letters to insert, delete, replace or swap with their
// neighbour to make b of a (optimal string alignment). Above limit it may be
// any number above limit.
func distance(a, b string, limit int) int {
	x, y := []rune(a), []rune(b)
	if len(x)-len(y) > limit || len(y)-len(x) > limit {
		return limit + 1
	}
	var older []int
	old := make([]int, len(y)+1)
	for j := range old {
		old[j] = j
	}
	for i := range x {
		cur := make([]int, len(y)+1)
		cur[0] = i + 1
		for j := range y {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			cur[j+1] = min(old[j+1]+1, cur[j]+1, old[j]+cost)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				cur[j+1] = min(cur[j+1], older[j-1]+1)
			}
		}
		older, old = old, cur
	}
	return old[len(y)]
}
