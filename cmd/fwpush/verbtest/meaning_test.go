package verbtest

import (
	"strings"
	"testing"
)

// TestMeaning changes rules of hosts that have confirmed some, and reads what diff
// says the change opens and closes there.
func TestMeaning(t *testing.T) {
	f := newFleet(t, "web1", "web2")
	f.run(0, "apply", "-y")
	f.append(`[sets.office]
addresses = ["192.0.2.0/24", "2001:db8:5::/48"]
[roles.web]
in = [ { allow = "tcp/80" }, { allow = "tcp/8080", from = "set:office" }, { deny = "ping", from = "198.51.100.7" } ]
`)
	says := func(out string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("no %q in:\n%s", w, out)
			}
		}
	}
	out, _ := f.run(1, "diff", "--color", "never")
	says(out, "● web[1-2] (2)",
		"  newly open: tcp/8080 from set:office on web[1-2]\n",
		"  newly closed: tcp/443 from any on web[1-2]\n",
		"  newly closed: ping from 198.51.100.7 on web[1-2]\n")
	if n := strings.Count(out, "newly "); n != 3 {
		t.Errorf("%d changes of meaning, want 3:\n%s", n, out)
	}
	f.run(0, "apply", "-y")
	if out, _ := f.run(0, "diff", "--color", "never"); strings.Contains(out, "newly") {
		t.Errorf("after the apply: %s", out)
	}
	f.sh("web1", "rm /var/lib/fwpush/gen/2/policy.json")
	f.append("[roles.base]\nping = false\n")
	out, _ = f.run(1, "diff", "--color", "never")
	says(out, "● web1 (1)", "what it opens and closes cannot be told: the host keeps no policy",
		"● web2 (1)", "  newly closed: ping from any but 198.51.100.7 on web2\n", "  newly closed: ping from any on web2\n")
	f.sh("web2", "echo garbage >/var/lib/fwpush/gen/2/policy.json")
	out, _ = f.run(1, "diff", "--color", "never")
	says(out, "what the host keeps of its policy is of another version of fwpush")
	f.sh("web2", "head -c 1500000 /dev/zero | tr '\\0' x >/var/lib/fwpush/gen/2/policy.json") // more than one line may have
	out, _ = f.run(1, "diff", "--color", "never")
	says(out, "what it opens and closes cannot be told: the policy that it confirmed is too large for it to keep")
}
