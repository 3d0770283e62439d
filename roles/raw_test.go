package roles

import "testing"

// Raw text of a role is for whom the rules of the role are for.
func TestRawOfARole(t *testing.T) {
	const text = prelude + `[hosts.a]
roles = ["web"]
[hosts.b]
roles = ["shop"]
forward = []
[hosts.c]
roles = ["base"]
[roles.shop]
extends = "web"
[[raw]]
roles = "web"
chain = "input"
at = "before-default"
nft = "accept"
[[raw]]
hosts = "b"
chain = "forward"
at = "before-default"
nft = "accept"
`
	for host, want := range map[string]int{"a": 1, "b": 2, "c": 0} {
		if got := len(compile(t, text, host).Raw); got != want {
			t.Errorf("%s has %d of raw, want %d", host, got, want)
		}
	}
}
