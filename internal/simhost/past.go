package simhost

import (
	"fmt"
	"strings"
)

// past is scripts/past.sh: a generation that the host keeps.
func (s *shell) past() {
	s.greet()
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &telling{mark: s.mark, lie: s.lie}
	t.say("proto", "1")
	uid := "0"
	if !s.root {
		uid = "1000"
	}
	t.say("uid", uid)
	t.say("newest", fmt.Sprint(s.newest))
	var kept []string
	found := 0
	for n := s.newest - len(s.gens) + 1; n <= s.newest; n++ {
		kept = append(kept, fmt.Sprint(n))
		if s.isPast(n) {
			found = n
		}
	}
	t.say("kept", strings.Join(kept, " "))
	t.say("generation", fmt.Sprint(found))
	if found > 0 {
		g := s.generation(found)
		t.section("meta", g.meta)
		t.section("rules", g.rules)
		if g.policy != "" {
			t.section("policy", g.policy)
		}
	}
	t.say("ask", "")
	fmt.Fprint(s.x.Stdout, t.text.String())
}

// isPast says whether generation n is one that is asked for.
func (s *shell) isPast(n int) bool {
	switch which := s.args[0]; which {
	case "before":
		return n < s.newest
	case "previous":
		return n < s.newest && s.generation(n).rules != s.last().rules
	default:
		return which == fmt.Sprint(n) || strings.Contains(s.generation(n).meta, "run "+which+"\n")
	}
}

func (s *shell) generation(n int) generation { return s.gens[n-1-(s.newest-len(s.gens))] }
