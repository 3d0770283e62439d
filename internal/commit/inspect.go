package commit

import (
	"context"
	"crypto/sha256"
	"fmt"

	"fwpush/render"
	"fwpush/transport"
)

// known is what a host is told of a policy, so that it need not tell it.
func known(policy string) string {
	if policy == "" {
		return "none"
	}
	return fmt.Sprintf("%x", sha256.Sum256([]byte(policy)))
}

// Inspect asks a host for its facts and changes nothing on it: the program
// holds no code that could.
//
// Home-made rules are told of a host that shall be in mode exclusive. Policy is what the
// caller knows that the host may keep; see Candidate.
func Inspect(ctx context.Context, conn *transport.Conn, backend render.Backend, mode Mode, policy string) (Facts, Result) {
	d, err := start(ctx, conn, inspectProgram(mode), want(backend), known(policy), mode.word())
	if err != nil {
		return Facts{}, beginTrouble(StageInspect, err)
	}
	defer d.close()
	f, err := d.facts(ctx)
	if err != nil {
		return f, beginTrouble(StageInspect, err)
	}
	if r, ok := f.usable(backend); !ok {
		return f, r
	}
	return f, Result{Facts: &f}
}
