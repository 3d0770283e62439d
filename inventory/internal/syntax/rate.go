package syntax

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Bounds of a rate. xt_limit of iptables knows no more than 10,000 a second and
// no larger burst (XT_LIMIT_SCALE in the kernel's xt_limit.h), and xt_hashlimit
// counts up to what a day brings (MAX_CPJ): what is more it refuses, or takes for
// less without a word.
const (
	maxRate  = 10_000
	maxBurst = 10_000
	maxWhole = 24 * time.Hour
)

// periods are the words for a period; the first of each is how it is written.
var periods = []struct {
	time.Duration
	words []string
}{
	{time.Second, []string{"s", "sec", "second"}},
	{time.Minute, []string{"min", "m", "minute"}},
	{time.Hour, []string{"h", "hour"}},
	{24 * time.Hour, []string{"day", "d"}},
}

// A rate counts each source by itself, each network of sources, or all together.
const (
	PerSource = "source"
	PerNet    = "net"
	Global    = "global"
)

// Rate reads "6/min per source burst 3": how many in which period, of whom, and
// how many at once, 0 if that is not said.
func Rate(key, s string) (n int, per time.Duration, scope string, burst int, e *Error) {
	bad := func(msg, hint string) (int, time.Duration, string, int, *Error) {
		return 0, 0, "", 0, wrong(msg, hint)
	}
	words := strings.Fields(s)
	if len(words) == 0 {
		return bad(key+" must be n/second, n/min, n/h or n/day, not "+Quote(s), `write "6/min"`)
	}
	count, period, _ := strings.Cut(words[0], "/")
	n, ok := count10(count, maxRate)
	per = periodOf(period)
	if !ok || per == 0 {
		return bad(fmt.Sprintf("%s must be n/second, n/min, n/h or n/day with n from 1 to %d, not %s", key, maxRate, Quote(s)), "")
	}
	scope = PerSource
	rest := words[1:]
	switch {
	case len(rest) >= 2 && rest[0] == "per" && (rest[1] == PerSource || rest[1] == PerNet):
		scope, rest = rest[1], rest[2:]
	case len(rest) >= 1 && rest[0] == Global:
		scope, rest = Global, rest[1:]
	}
	if len(rest) == 2 && rest[0] == "burst" {
		if burst, ok = count10(rest[1], maxBurst); !ok {
			return bad(fmt.Sprintf("burst of %s must be 1..%d, not %s", key, maxBurst, Quote(rest[1])), "")
		}
		if most := int(maxWhole * time.Duration(n) / per); burst > most {
			return bad(fmt.Sprintf("burst of %s must be 1..%d at %s, not %s", key, most, words[0], Quote(rest[1])), "a burst is no larger than what a day brings")
		}
		rest = nil
	}
	if len(rest) > 0 {
		return bad(fmt.Sprintf("%s: %s is not understood", key, Quote(strings.Join(rest, " "))),
			`after the number come "per source", "per net" or "global", then "burst N"`)
	}
	return n, per, scope, burst, nil
}

// count10 reads a number from 1 to most, written without sign or leading zero.
func count10(s string, most int) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && strconv.Itoa(n) == s && n >= 1 && n <= most
}

func periodOf(word string) time.Duration {
	for _, p := range periods {
		for _, w := range p.words {
			if w == word {
				return p.Duration
			}
		}
	}
	return 0
}

// Period is how a period is written, "" for a duration that is none.
func Period(d time.Duration) string {
	for _, p := range periods {
		if p.Duration == d {
			return p.words[0]
		}
	}
	return ""
}

// Percent reads a share from 1% to 100%.
func Percent(s string) (int, *Error) {
	digits, ok := strings.CutSuffix(s, "%")
	n, fits := count10(digits, 100)
	if !ok || !fits {
		return 0, wrong(Quote(s)+" is not a share from 1% to 100%", "")
	}
	return n, nil
}
