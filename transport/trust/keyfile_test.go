package trust

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"

	"fwpush/internal/sshtest"
)

func newStore(agentSocket string) *Store {
	return NewStore(agentSocket, false, slog.New(slog.DiscardHandler))
}

func write(t testing.TB, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// Each way in which a named identity cannot be used has one message that names
// the path and what to do.
func TestUnusableIdentities(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	good, public := sshtest.NewIdentity(t, "")
	encrypted, _ := sshtest.NewIdentity(t, "secret")
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	line := string(ssh.MarshalAuthorizedKey(public))
	fifo := path("fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	const oldPEM = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"
	tests := []struct{ name, path, want string }{
		{"missing", path("none"), " does not exist; check the path in the fleet file"},
		{"readable by all", write(t, path("open"), string(text), 0o644), " is open to others (mode 0644); type: chmod 600 " + path("open")},
		{"readable by the group", write(t, path("group"), string(text), 0o640), " is open to others (mode 0640); type: chmod 600 " + path("group")},
		{"a public key", write(t, path("id.pub"), line, 0o644), " is a public key, and SSH_AUTH_SOCK is not set; name the private key file instead, or type: ssh-add " + path("id")},
		{"a public key under another name", write(t, path("deploy"), line, 0o644), " is a public key, and SSH_AUTH_SOCK is not set; name the private key file instead, or add it with ssh-add"},
		{"encrypted", encrypted, " is encrypted, and SSH_AUTH_SOCK is not set; type: ssh-add " + encrypted},
		{"encrypted in the old format", write(t, path("o ld"), oldPEM, 0o600), " is encrypted, and SSH_AUTH_SOCK is not set; type: ssh-keygen -y -f '" + path("o ld") + "' > '" + path("o ld") + "'.pub && ssh-add '" + path("o ld") + "'"},
		{"no key", write(t, path("text"), "hello\n", 0o600), " is not a private key: ssh: no key found; name a private key under ssh.identity"},
		{"a broken key", write(t, path("broken"), string(text[:80])+"\n", 0o600), " is not a private key: ssh: no key found; name a private key under ssh.identity"},
		{"a directory", dir, " is not a regular file; name a private key under ssh.identity"},
		{"a FIFO", fifo, " is not a regular file; name a private key under ssh.identity"},
		{"too large", write(t, path("large"), strings.Repeat("x", maxKeyFile+1), 0o600), " is too large; check the path in the fleet file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ids, err := newStore("").Identities(t.Context(), Wanted{Files: []string{tt.path, good}})
			t.Cleanup(func() { ids.Close() })
			var file *FileError
			if !errors.As(err, &file) || file.Path != tt.path {
				t.Fatalf("got %v", err)
			}
			if want := tt.path + tt.want; err.Error() != want {
				t.Errorf("got  %s\nwant %s", err, want)
			}
		})
	}
}

// All mistakes come at once.
func TestUnusableIdentitiesTogether(t *testing.T) {
	ids, err := newStore("").Identities(t.Context(), Wanted{Files: []string{"/nonexistent/a", "/nonexistent/b"}})
	t.Cleanup(func() { ids.Close() })
	if err == nil || !strings.Contains(err.Error(), "/nonexistent/a does") || !strings.Contains(err.Error(), "/nonexistent/b does") {
		t.Errorf("got %v", err)
	}
}

// Key files are read once: a file that changes in the middle of a run changes
// nothing for the hosts that follow.
func TestKeyFilesAreReadOnce(t *testing.T) {
	path, _ := sshtest.NewIdentity(t, "")
	s := newStore("")
	for range 2 {
		ids, err := s.Identities(t.Context(), Wanted{Files: []string{path}})
		ids.Close()
		if err != nil || len(ids.List) != 1 {
			t.Fatalf("got %v, %v", ids.List, err)
		}
		os.Remove(path)
	}
}

// Of the usual files those that are missing are no matter, those that cannot be
// used are told but stop nothing.
func TestUsualFiles(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	good, key := sshtest.NewIdentity(t, "")
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(home, ".ssh", "id_ed25519"), string(text), 0o600)
	open := write(t, filepath.Join(home, ".ssh", "id_rsa"), string(text), 0o644)
	ids, err := newStore("").Identities(t.Context(), Wanted{})
	t.Cleanup(func() { ids.Close() })
	if err != nil {
		t.Fatal(err)
	}
	if len(ids.List) != 1 || !strings.HasSuffix(ids.List[0].String(), ssh.FingerprintSHA256(key)) {
		t.Errorf("got %v", ids.List)
	}
	if notes := strings.Join(ids.Notes, "\n"); !strings.Contains(notes, open+" is open to others") || strings.Contains(notes, "id_ecdsa") {
		t.Errorf("notes:\n%s", notes)
	}
}

// RSA keys sign with SHA-2 only.
func TestNoSHA1(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := ssh.NewPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	const want = "rsa-sha2-512 rsa-sha2-256"
	if got := strings.Join(witness{Identity: Identity{Key: public}}.Algorithms(), " "); got != want {
		t.Errorf("signs with %s, want %s", got, want)
	}
}
