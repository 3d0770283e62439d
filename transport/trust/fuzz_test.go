package trust

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"fwpush/internal/sshtest"
)

// FuzzShellWord: what we tell people to type is one word to each shell, and the word that was meant.
func FuzzShellWord(f *testing.F) {
	for _, seed := range []string{"", "web1", "[2001:db8::1]:22", "a b", "it's", "$(x)`y`", "~/x", "-n", "é\xff", "a\nb", "#", "=x", "%d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsRune(s, 0) || len(s) > 10_000 {
			return // no argument holds NUL
		}
		for _, shell := range [][]string{{"dash"}, {"busybox", "sh"}, {"bash"}} {
			cmd := exec.Command(shell[0], shell[1:]...)
			cmd.Stdin = strings.NewReader("set -- " + shellWord(s) + "\nprintf '%s:%s' \"$#\" \"$1\"\n")
			cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin", "HOME=/nonexistent"}
			if out, err := cmd.Output(); err != nil || string(out) != "1:"+s {
				t.Errorf("%v: %q became %q, %v", shell, s, out, err)
			}
		}
	})
}

// keygenName is what ssh-keygen -F takes for a name, and no option.
var keygenName = regexp.MustCompile(`^[a-z0-9.:_\[][a-z0-9.:_\[\]-]*$`)

// FuzzNames: a pattern of known_hosts means the same as it does to ssh-keygen -F.
func FuzzNames(f *testing.F) {
	for _, seed := range [][2]string{
		{"web1", "web1"}, {"*", "web1"}, {"w?b*,!web2", "web2"}, {"!web2", "web1"}, {"[web1]:2222", "[web1]:2222"}, {"*.example.net,!db*", "db.example.net"},
		{"WEB1", "web1"}, {"a**b", "ab"}, {",", "a"}, {"!", "a"}, {"192.0.2.?", "192.0.2.10"}, {"!*,web1", "web1"}, {"|1|x|y", "web1"},
	} {
		f.Add(seed[0], seed[1])
	}
	key := string(ssh.MarshalAuthorizedKey(sshtest.NewKey(f).PublicKey()))
	path := filepath.Join(f.TempDir(), "known_hosts")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if !keygenName.MatchString(name) || len(name) > 100 || len(pattern) > 500 || strings.ContainsFunc(pattern, func(r rune) bool { return r <= ' ' || r > '~' || r == '#' || r == '"' }) {
			return
		}
		line := pattern + " " + key
		if err := os.WriteFile(path, []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("ssh-keygen", "-F", name, "-f", path).Output()
		var exit *exec.ExitError
		if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
			return // ssh-keygen takes no such file
		}
		good, _ := readKnownHosts("file", []byte(line))
		ours := len(good) == 1 && good[0].marker == "" && good[0].names.match(name)
		if theirs := strings.Contains(string(out), "# Host "+name+" found"); ours && !theirs {
			t.Fatalf("%q is %q to us and not to ssh", pattern, name)
		} else if theirs && !ours && !strings.HasPrefix(pattern, "@") {
			t.Fatalf("%q is %q to ssh and not to us", pattern, name)
		}
	})
}

// FuzzRecorded: a key that is recorded for a host is found again, plain and hashed, by us and by ssh-keygen.
func FuzzRecorded(f *testing.F) {
	f.Add("web1.example.net", uint16(22), "")
	f.Add("2001:db8::1", uint16(2222), "")
	f.Add("WEB1", uint16(0), "alias")
	key := string(ssh.MarshalAuthorizedKey(sshtest.NewKey(f).PublicKey()))
	path := filepath.Join(f.TempDir(), "known_hosts")
	f.Fuzz(func(t *testing.T, address string, port uint16, alias string) {
		name := Name{Address: address, Port: port, Alias: alias}
		recorded := name.Recorded()
		if !keygenName.MatchString(recorded) || len(recorded) > 100 {
			return
		}
		for _, as := range []string{recorded, hashName(recorded)} {
			line := as + " " + key
			good, skipped := readKnownHosts("file", []byte(line))
			if len(good) != 1 || len(skipped) != 0 || !good[0].names.match(recorded) || good[0].names.match(recorded+"x") {
				t.Fatalf("%q is recorded as %q, and not found", recorded, as)
			}
			if err := os.WriteFile(path, []byte(line), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command("ssh-keygen", "-F", recorded, "-f", path).Output(); err != nil || !strings.Contains(string(out), "found") {
				t.Fatalf("ssh-keygen does not find %q in %q: %v", recorded, line, err)
			}
		}
	})
}
