package soak

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// teamSize is how many hosts one program pushes to.
const teamSize = 3

// soak plays rounds with teams, each at its own pace, until next gives no more seeds. A team with a
// violation gets new hosts; after some of them it is enough.
func soak(t *testing.T, hosts int, next func() (seed uint64, ok bool)) {
	const enough = 8
	tally, began := newTally(), time.Now()
	var mu sync.Mutex
	rounds, found := 0, 0
	take := func() (uint64, bool) {
		mu.Lock()
		defer mu.Unlock()
		if found >= enough {
			return 0, false
		}
		seed, ok := next()
		if ok {
			rounds++
		}
		return seed, ok
	}
	var playing sync.WaitGroup
	for n := range max(1, hosts/teamSize) {
		playing.Go(func() {
			var team *team
			defer func() {
				if team != nil {
					if err := team.stop(); err != nil {
						t.Error(err)
					}
				}
			}()
			for made := 0; ; {
				seed, ok := take()
				if !ok {
					return
				}
				if team == nil {
					made++
					ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
					var err error
					team, err = newTeam(ctx, fmt.Sprintf("s%d-%d", n+1, made), min(teamSize, hosts), filepath.Join(t.TempDir(), fmt.Sprint(made)))
					cancel()
					if err != nil {
						t.Error(err)
						return
					}
				}
				bad, story := team.round(context.Background(), seed, tally)
				if len(bad) == 0 {
					continue
				}
				mu.Lock()
				found++
				mu.Unlock()
				t.Errorf("round of seed %d:", seed)
				for _, b := range bad {
					t.Errorf("violated: %s", b)
				}
				t.Log(story)
				if err := team.stop(); err != nil {
					t.Error(err)
				}
				team = nil
			}
		})
	}
	playing.Wait()
	took := time.Since(began)
	t.Logf("%d rounds of %d hosts in %s, %.0f faults a minute\n%s", rounds, min(teamSize, hosts), took.Round(time.Second), float64(tally.total())/took.Minutes(), tally)
}

// TestSoak plays two rounds whose faults are over soon. `make chaos` plays thousands.
func TestSoak(t *testing.T) {
	seeds := []uint64{228, 229}
	soak(t, 2*teamSize, func() (uint64, bool) {
		if len(seeds) == 0 {
			return 0, false
		}
		seed := seeds[0]
		seeds = seeds[1:]
		return seed, true
	})
}
