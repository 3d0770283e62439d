package rollout

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"fwpush/internal/commit"
	"fwpush/inventory"
	"fwpush/roles"
)

// fleetOf makes targets of words: NAME, NAME<JUMP for a host behind another one,
// NAME:ROLE for one of a role.
func fleetOf(text string) []Target {
	var targets []Target
	behind := map[string][]inventory.Endpoint{}
	for word := range strings.FieldsSeq(text) {
		name, role, _ := strings.Cut(word, ":")
		name, jump, _ := strings.Cut(name, "<")
		h := inventory.Host{Name: name, SSH: inventory.Endpoint{Name: name, Jump: jump}}
		if role != "" {
			h.Roles = []inventory.At[string]{{V: role}}
		}
		targets = append(targets, Target{Host: h})
		if jump != "" {
			behind[jump] = append(behind[jump], h.SSH)
		}
	}
	for i, t := range targets {
		targets[i].Behind = behind[t.Host.Name]
	}
	return targets
}

func wavesAsText(targets []Target, waves []Wave) string {
	var list []string
	for _, w := range waves {
		var names []string
		for _, i := range w.Targets {
			names = append(names, targets[i].Host.Name)
		}
		list = append(list, w.Name+": "+strings.Join(names, " "))
	}
	return strings.Join(list, " | ")
}

func TestWaves(t *testing.T) {
	count := func(n int) inventory.Budget { return inventory.Budget{Count: n} }
	share := func(n int) inventory.Budget { return inventory.Budget{Percent: n} }
	for _, tt := range []struct {
		name, fleet string
		s           Strategy
		want        string
	}{
		{"all at once", "a b c", Strategy{}, "all: a b c"},
		{"a canary", "a b c", Strategy{Canary: Canary{Share: count(1)}}, "canary: a | rest: b c"},
		{"a canary of all", "a b", Strategy{Canary: Canary{Share: count(2)}}, "canary: a b"},
		{"a share is rounded up", "a b c d e", Strategy{Canary: Canary{Share: share(21)}}, "canary: a b | rest: c d e"},
		{"canaries by name", "a b c d", Strategy{Canary: Canary{Names: []string{"d", "b"}}}, "canary: b d | rest: a c"},
		{"waves count canaries", "a b c d e f g h", Strategy{Canary: Canary{Share: count(1)}, Waves: []int{25, 50, 100}},
			"canary: a | wave 1 of 3: b | wave 2 of 3: c d | wave 3 of 3: e f g h"},
		{"a wave that adds nobody is none", "a b c", Strategy{Canary: Canary{Share: count(2)}, Waves: []int{10, 50, 100}}, "canary: a b | rest: c"},
		{"batches", "a b c d e", Strategy{Batch: count(2)}, "wave 1 of 3: a b | wave 2 of 3: c d | wave 3 of 3: e"},
		{"batches of a share", "a b c d e", Strategy{Batch: share(50)}, "wave 1 of 2: a b c | wave 2 of 2: d e"},
		{"batches instead of waves", "a b c", Strategy{Batch: count(2), Waves: []int{100}, Canary: Canary{Share: count(1)}}, "canary: a | rest: b c"},
		{"jump hosts come last", "bastion web1<bastion web2<bastion db", Strategy{}, "wave 1 of 2: web1 web2 db | wave 2 of 2: bastion"},
		{"each after those behind it", "b1 b2<b1 web<b2 db<b1", Strategy{}, "wave 1 of 3: web db | wave 2 of 3: b2 | wave 3 of 3: b1"},
		{"no jump host is a canary by chance", "bastion web1<bastion web2<bastion", Strategy{Canary: Canary{Share: count(1)}},
			"canary: web1 | wave 1 of 2: web2 | wave 2 of 2: bastion"},
		{"a jump host by name is its own first group", "bastion web1<bastion web2<bastion", Strategy{Canary: Canary{Names: []string{"bastion"}}},
			"canary: bastion | rest: web1 web2"},
		{"never with those behind it", "bastion web1<bastion", Strategy{Canary: Canary{Names: []string{"bastion", "web1"}}}, "canary 1 of 2: web1 | canary 2 of 2: bastion"},
		{"small batches and a jump host", "b w1<b w2<b w3<b", Strategy{Batch: count(2)}, "wave 1 of 3: w1 w2 | wave 2 of 3: w3 | wave 3 of 3: b"},
		{"a serial role", "g1:gw g2:gw web g3:gw", Strategy{Serial: []string{"gw"}}, "wave 1 of 3: g1 web | wave 2 of 3: g2 | wave 3 of 3: g3"},
		{"a serial role in batches", "g1:gw g2:gw a b c", Strategy{Serial: []string{"gw"}, Batch: count(3)}, "wave 1 of 2: g1 a b | wave 2 of 2: g2 c"},
		{"two canaries of a serial role", "g1:gw g2:gw", Strategy{Serial: []string{"gw"}, Canary: Canary{Names: []string{"g1", "g2"}}}, "canary 1 of 2: g1 | canary 2 of 2: g2"},
		{"a jump that is not of the run", "web1<bastion web2<bastion", Strategy{}, "all: web1 web2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			targets := fleetOf(tt.fleet)
			waves, err := Waves(targets, tt.s)
			if err != nil {
				t.Fatal(err)
			}
			if got := wavesAsText(targets, waves); got != tt.want {
				t.Errorf("waves\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
	for want, s := range map[string]Strategy{
		"a canary of 4 hosts: of 3 selected it must be 1 to 3":                                            {Canary: Canary{Share: count(4)}},
		"a canary of 3 hosts: only 2 of 3 selected are no jump hosts; name the hosts that shall go first": {Canary: Canary{Share: share(100)}},
	} {
		if _, err := Waves(fleetOf("b w1<b w2<b"), s); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// Whatever the strategy, every host is in one wave, after all that are reached through
// it unless it was named as a canary, and apart from its like.
func TestWavesKeepApartWhatMustBe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "hosts")
		var words []string
		for i := range n {
			word := fmt.Sprintf("h%d", i)
			if jump := rapid.IntRange(-3, i-1).Draw(t, "jump"); jump >= 0 {
				word += fmt.Sprintf("<h%d", jump)
			}
			words = append(words, word+":"+rapid.SampledFrom([]string{"web", "gw", "db"}).Draw(t, "role"))
		}
		// Jumps may stand before or behind those they lead to.
		targets := fleetOf(strings.Join(rapid.Permutation(words).Draw(t, "order"), " "))
		s := Strategy{Serial: rapid.SliceOfDistinct(rapid.SampledFrom([]string{"gw", "db"}), rapid.ID).Draw(t, "serial")}
		switch rapid.IntRange(0, 2).Draw(t, "sizes") {
		case 1:
			s.Batch = inventory.Budget{Count: rapid.IntRange(1, 5).Draw(t, "batch")}
		case 2:
			s.Waves = []int{rapid.IntRange(1, 99).Draw(t, "first"), 100}
		}
		named := map[string]bool{}
		if rapid.Bool().Draw(t, "canary") {
			for range rapid.IntRange(1, 3).Draw(t, "canaries") {
				name := targets[rapid.IntRange(0, n-1).Draw(t, "which")].Host.Name
				s.Canary.Names = append(s.Canary.Names, name)
				named[name] = true
			}
		}
		waves, err := Waves(targets, s)
		if err != nil {
			t.Fatal(err)
		}
		at := map[string]int{}
		for w, wave := range waves {
			roleSeen := map[string]bool{}
			if len(wave.Targets) == 0 {
				t.Fatalf("wave %d is empty", w)
			}
			if s.Batch.Count > 0 && !wave.Canary && len(wave.Targets) > s.Batch.Count {
				t.Fatalf("%s has %d hosts, a batch is %d", wave.Name, len(wave.Targets), s.Batch.Count)
			}
			for _, i := range wave.Targets {
				name := targets[i].Host.Name
				if _, twice := at[name]; twice {
					t.Fatalf("%s is in two waves", name)
				}
				at[name] = w
				role := targets[i].Host.Roles[0].V
				if slices.Contains(s.Serial, role) && roleSeen[role] {
					t.Fatalf("two of role %s in %s", role, wave.Name)
				}
				roleSeen[role] = true
				if named[name] != wave.Canary {
					t.Fatalf("%s is in %s", name, wave.Name)
				}
			}
		}
		if len(at) != n {
			t.Fatalf("%d of %d hosts are in a wave", len(at), n)
		}
		for _, target := range targets {
			jump := target.Host.SSH.Jump
			if jump == "" {
				continue
			}
			if at[jump] == at[target.Host.Name] {
				t.Fatalf("%s and its jump host %s are in one wave", target.Host.Name, jump)
			}
			if at[jump] < at[target.Host.Name] && !named[jump] {
				t.Fatalf("%s goes before %s, which is reached through it", jump, target.Host.Name)
			}
		}
	})
}

func TestBudget(t *testing.T) {
	failed := commit.Result{Outcome: commit.OutcomeFailed, Err: errors.New("no nft")}
	reverted := commit.Result{Outcome: commit.OutcomeReverted, Err: errors.New("no fresh connection got in")}
	unknown := commit.Result{Outcome: commit.OutcomeUnknown, Err: errors.New("silent")}
	away := commit.Result{Outcome: commit.OutcomeUnreachable, Err: errors.New("no route")}
	held := commit.Result{Outcome: commit.OutcomeLocked, Err: errors.New("locked by run x")}
	good := commit.Result{Outcome: commit.OutcomeConfirmed}
	same := commit.Result{Outcome: commit.OutcomeUnchanged}
	drifted := commit.Result{Outcome: commit.OutcomeConfirmed, Err: errors.New("the host runs others")}
	effect := commit.Result{Outcome: commit.OutcomeReverted, Err: &StopError{Cause: errors.New("x")}}
	lockout := commit.Result{Outcome: commit.OutcomeFailed, Stage: commit.StageInspect, Err: &roles.LockoutError{}}
	tenPercent := Strategy{MaxFailures: inventory.Budget{Percent: 10}}
	unreachable := func(b inventory.Budget) Strategy { return Strategy{MaxUnreachable: &b} }
	for _, tt := range []struct {
		name   string
		s      Strategy
		hosts  int
		ends   []commit.Result
		canary bool // the last one
		want   string
	}{
		{"nothing wrong", Strategy{}, 40, []commit.Result{good, same, good}, false, ""},
		{"none may fail by default", Strategy{}, 40, []commit.Result{good, failed}, false, "1 failed, at most 0 allowed"},
		{"10% of 40 are four", tenPercent, 40, []commit.Result{failed, reverted, unknown, drifted}, false, ""},
		{"the fifth is too many", tenPercent, 40, []commit.Result{failed, reverted, good, unknown, failed, reverted}, false, "5 failed, at most 4 allowed"},
		{"10% of 9 are none", tenPercent, 9, []commit.Result{failed}, false, "1 failed, at most 0 allowed"},
		{"a number", Strategy{MaxFailures: inventory.Budget{Count: 1}}, 3, []commit.Result{failed, reverted}, false, "2 failed, at most 1 allowed"},
		{"unreachable is counted apart", tenPercent, 40, []commit.Result{away, away, away, away, away, failed, failed, failed, failed}, false, ""},
		{"unreachable has no bound by default", Strategy{}, 2, []commit.Result{away, away}, false, ""},
		{"unreachable has a bound", unreachable(inventory.Budget{Count: 1}), 40, []commit.Result{away, failed}, false, "1 failed, at most 0 allowed"},
		{"and that is broken", unreachable(inventory.Budget{Percent: 5}), 40, []commit.Result{away, away, away}, false, "3 unreachable, at most 2 allowed"},
		{"locked is neither", Strategy{MaxUnreachable: &inventory.Budget{}}, 3, []commit.Result{held, held}, false, ""},
		{"effects are no causes", Strategy{}, 3, []commit.Result{effect, {Outcome: OutcomeSkipped, Err: ErrInterrupted}}, false, ""},
		{"a canary may not fail", tenPercent, 40, []commit.Result{failed}, true, "canary"},
		{"a canary must be reached", tenPercent, 40, []commit.Result{away}, true, "canary"},
		{"a canary must be free", tenPercent, 40, []commit.Result{held}, true, "canary"},
		{"a canary that is fine", tenPercent, 40, []commit.Result{good}, true, ""},
		{"no budget for a lock-out", tenPercent, 40, []commit.Result{lockout}, false, "a lock-out is within no budget"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBudget(tt.s, tt.hosts)
			got := ""
			for i, end := range tt.ends {
				last := i == len(tt.ends)-1
				stop := b.count(Result{Name: "web1", Result: end}, tt.canary && last)
				switch {
				case stop == nil:
					continue
				case !last:
					t.Fatalf("stops at the %d. host: %v", i+1, stop)
				case stop.Canary:
					got = "canary"
				default:
					got = stop.Budget
				}
				if !errors.Is(stop, ErrStopped) || !strings.Contains(stop.Error(), "web1") {
					t.Errorf("error %v", stop)
				}
			}
			if got != tt.want {
				t.Errorf("stops because of %q, want %q", got, tt.want)
			}
		})
	}
}
