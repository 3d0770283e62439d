package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh"
)

// TestMain makes fwpush a command of the scripts: the real main, in a process of
// its own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"fwpush": main})
}

// TestScripts runs what needs no host: each verb and each message that a person
// can get before the first connection. Scripts find keys in keys/.
func TestScripts(t *testing.T) {
	keys := t.TempDir()
	writeKeys(t, keys)
	withServer := trustServer(t, keys)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			withServer(env)
			env.Setenv("ONLY_FWPUSH", filepath.SplitList(env.Getenv("PATH"))[0]) // a PATH without ssh
			env.Setenv("FWPUSH_SSH_CONFIG", "none")                              // that of whoever runs the tests is not their business
			return os.Symlink(keys, filepath.Join(env.WorkDir, "keys"))
		},
	})
}

// writeKeys makes a good key, one that others can read, one with a passphrase,
// and a public key.
func writeKeys(t *testing.T, dir string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := ssh.MarshalPrivateKey(private, "test")
	if err != nil {
		t.Fatal(err)
	}
	locked, err := ssh.MarshalPrivateKeyWithPassphrase(private, "test", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	sshPublic, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []struct {
		name string
		mode os.FileMode
		text []byte
	}{
		{"good", 0o600, pem.EncodeToMemory(plain)},
		{"open", 0o644, pem.EncodeToMemory(plain)},
		{"locked", 0o600, pem.EncodeToMemory(locked)},
		{"good.pub", 0o644, ssh.MarshalAuthorizedKey(sshPublic)},
		{"known", 0o644, nil},
	} {
		if err := os.WriteFile(filepath.Join(dir, f.name), f.text, f.mode); err != nil {
			t.Fatal(err)
		}
	}
}
