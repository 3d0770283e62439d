package trust

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"pgregory.net/rapid"

	"fwpush/internal/sshtest"
)

// Patterns mean to us what they mean to OpenSSH: ssh-keygen -F finds a line for a name
// exactly when we do.
func TestNamesMatchAsInOpenSSH(t *testing.T) {
	key := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(sshtest.NewKey(t).PublicKey())))
	file := filepath.Join(t.TempDir(), "known_hosts")
	part := rapid.SampledFrom([]string{"*", "?", "a", "b", "A", ".", "[", "]", ":22", ":1", "]:1", "!", "-"})
	pattern := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(part, 1, 6).Draw(t, "pattern"), "")
	})
	rapid.Check(t, func(t *rapid.T) {
		list := strings.Join(rapid.SliceOfN(pattern, 1, 3).Draw(t, "patterns"), ",")
		name := rapid.SampledFrom([]string{"a", "ab", "a.b", "[a]:1", "[ab]:1", "b", "aab", "[a.b]:22"}).Draw(t, "name")
		if rapid.Bool().Draw(t, "hashed") {
			list = hashName(strings.ToLower(list))
		}
		if err := os.WriteFile(file, []byte(list+" "+key+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		out, _ := exec.Command("ssh-keygen", "-F", name, "-f", file).Output()
		read, err := readNames(list)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := read.match(name), len(out) > 0; got != want {
			t.Errorf("%q for %q: %t, ssh-keygen says %t", list, name, got, want)
		}
	})
}

// A pattern made to be slow is not.
func TestManyStars(t *testing.T) {
	if fits(strings.Repeat("*a", 2000)+"b", strings.Repeat("a", 4000)) {
		t.Error("matches")
	}
}
