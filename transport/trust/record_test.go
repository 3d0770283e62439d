package trust

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"fwpush/internal/sshtest"
)

func recorder(t *testing.T, file string) Host {
	t.Helper()
	k, err := NewStore("", true, newStore("").log).KnownHosts([]string{file}, "")
	if err != nil {
		t.Fatal(err)
	}
	return k.Host(Name{Host: "web1", Address: "Web1.example", Port: 2222})
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What was in the file stays as it was, to the byte; what is new comes after it, and ssh
// finds it.
func TestRecord(t *testing.T) {
	key, other := sshtest.NewKey(t).PublicKey(), sshtest.NewKey(t).PublicKey()
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	otherLine := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(other)))
	added := "[web1.example]:2222 " + line + "\n"
	tests := []struct{ name, before, want string }{
		{"empty", "", added},
		{"comments and odd lines", "# mine\n\n@odd x\n", "# mine\n\n@odd x\n" + added},
		{"no newline at the end", "db1 " + otherLine, "db1 " + otherLine + "\n" + added},
		{"there already", added, added},
		{"there already, by a pattern", "[web*]:2222 " + line + "\n", "[web*]:2222 " + line + "\n"},
		{"without the port is another name", "web1.example " + otherLine + "\n", "web1.example " + otherLine + "\n" + added},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := write(t, filepath.Join(t.TempDir(), "known_hosts"), tt.before, 0o640)
			h := recorder(t, file)
			if err := h.Record([]ssh.PublicKey{key}, false); err != nil {
				t.Fatal(err)
			}
			if got := read(t, file); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
			if info, _ := os.Stat(file); info.Mode().Perm() != 0o640 {
				t.Errorf("mode %s", info.Mode())
			}
			if r := h.known.Host(h.name).Check(key); r != nil {
				t.Errorf("not known in this run: %v", r)
			}
		})
	}
}

// Where names are hidden they stay hidden.
func TestRecordHashed(t *testing.T) {
	key := sshtest.NewKey(t).PublicKey()
	file := filepath.Join(t.TempDir(), "known_hosts")
	if err := recorder(t, file).Record([]ssh.PublicKey{key}, true); err != nil {
		t.Fatal(err)
	}
	second := recorder(t, file)
	second.name.Address = "web2"
	if err := second.Record([]ssh.PublicKey{key}, false); err != nil {
		t.Fatal(err)
	}
	if text := read(t, file); strings.Contains(text, "web") || strings.Count(text, "|1|") != 2 {
		t.Errorf("known_hosts:\n%s", text)
	}
	for _, name := range []string{"[web1.example]:2222", "[web2]:2222"} {
		if out, err := exec.Command("ssh-keygen", "-F", name, "-f", file).CombinedOutput(); err != nil {
			t.Errorf("ssh-keygen does not find %s: %s", name, out)
		}
	}
}

// The file and its directory are made for their owner alone; a link stays a link.
func TestRecordMakesTheFile(t *testing.T) {
	key := sshtest.NewKey(t).PublicKey()
	dir := filepath.Join(t.TempDir(), "ssh")
	file := filepath.Join(dir, "known_hosts")
	if err := recorder(t, file).Record([]ssh.PublicKey{key}, false); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, file: 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	h := recorder(t, link)
	h.name.Address = "web2"
	if err := h.Record([]ssh.PublicKey{key}, false); err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Lstat(link); info.Mode()&os.ModeSymlink == 0 || strings.Count(read(t, file), "\n") != 2 {
		t.Errorf("link %s, file:\n%s", info.Mode(), read(t, file))
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

// What somebody else has recorded since is not contradicted.
func TestRecordFindsAnotherKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "known_hosts")
	first, second := recorder(t, file), recorder(t, file) // two runs
	if err := first.Record([]ssh.PublicKey{sshtest.NewKey(t).PublicKey()}, false); err != nil {
		t.Fatal(err)
	}
	before := read(t, file)
	err := second.Record([]ssh.PublicKey{sshtest.NewKey(t).PublicKey()}, false)
	var refused *Refusal
	if !errors.As(err, &refused) || refused.Kind != Changed || !strings.Contains(err.Error(), file+":1") {
		t.Errorf("got %v", err)
	}
	if read(t, file) != before {
		t.Error("the file was changed")
	}
}

// Many runs that record at the same time lose none of each other's hosts.
func TestRecordFromManyRuns(t *testing.T) {
	const runs = 40
	key := sshtest.NewKey(t).PublicKey()
	file := write(t, filepath.Join(t.TempDir(), "known_hosts"), "# mine\n", 0o600)
	errs := make(chan error)
	for i := range runs {
		h := recorder(t, file)
		h.name.Address = fmt.Sprintf("web%d", i)
		go func() { errs <- h.Record([]ssh.PublicKey{key}, false) }()
	}
	for range runs {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if text := read(t, file); strings.Count(text, "\n") != 1+runs || !strings.HasPrefix(text, "# mine\n") {
		t.Errorf("known_hosts:\n%s", text)
	}
}
