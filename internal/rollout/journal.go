package rollout

import (
	"fmt"

	"fwpush/internal/commit"
)

// Journal is told what must be on disk before it happens.
type Journal interface {
	// Applying comes before the first of these hosts is told to apply. An error keeps
	// them from it.
	Applying(wave int, hosts []string) error
	// Decide comes before the first of these hosts hears how its group has decided. That
	// it cannot be written changes nothing: hosts that hear of it end whole, and the
	// others revert.
	Decide(d Decision, hosts []Decided)
}

// Decision is what becomes of a group.
type Decision string

// The decisions.
const (
	Commit Decision = "commit"
	Revert Decision = "revert"
	Leave  Decision = "leave" // pending, for a confirm by hand
)

// Decided is a host of a group that is decided: what got in there, and what a later
// confirm of it needs.
type Decided struct {
	Host     string
	Evidence commit.Evidence
	Through  []string // jump hosts on the way, the first hop first
	Probes   []string // those that were tried and are as they must be
	commit.Secrets
}

// book is a Journal, or none, that cannot end the transactions of a whole run: a panic in
// it is as if it could not write.
type book struct{ Journal }

func (o Options) journal() book { return book{o.Journal} }

func (b book) applying(wave int, hosts []string) (err error) {
	if b.Journal == nil {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a bug in fwpush: %v", p)
		}
	}()
	return b.Applying(wave, hosts)
}

func (b book) decide(d Decision, hosts []Decided) {
	if b.Journal != nil {
		contained(func() { b.Decide(d, hosts) })
	}
}
