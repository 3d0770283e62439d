package rollout

import (
	"context"
	"fmt"

	"fwpush/transport"
)

// Probe is something that must work, or must not, while a host runs rules that are not
// confirmed.
type Probe interface {
	String() string // for people
	// Try is nil if it is as it must be. It bounds itself. conn is a login on the host.
	Try(ctx context.Context, conn *transport.Conn) error
}

// trial is a probe of one host, and how it was before the push.
type trial struct {
	Probe
	before error
}

// firstTries are the probes of a host as they are before the push. One that fails by
// then cannot tell anything about the new rules.
func firstTries(ctx context.Context, probes []Probe, conn *transport.Conn) []trial {
	list := make([]trial, len(probes))
	for i, p := range probes {
		list[i] = trial{p, p.Try(ctx, conn)}
	}
	return list
}

// tryAgain is why the rules must not stay, nil if they may; and what is worth telling.
func tryAgain(ctx context.Context, trials []trial, conn *transport.Conn) (notes []string, err error) {
	for _, t := range trials {
		after := t.Try(ctx, conn)
		switch {
		case after == nil:
		case t.before != nil:
			notes = append(notes, fmt.Sprintf("probe %s failed before the push too and is not counted: %v", t, after))
		case err == nil:
			err = fmt.Errorf("probe %s: %w", t, after)
		}
	}
	return notes, err
}
