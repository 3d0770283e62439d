package sshtest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"
)

// NewKey returns a new ed25519 key.
func NewKey(tb testing.TB) ssh.Signer {
	tb.Helper()
	signer, err := ssh.NewSignerFromKey(newPrivate(tb))
	if err != nil {
		tb.Fatalf("sshtest: %v", err)
	}
	return signer
}

// NewIdentity writes a new ed25519 key to a file only its owner can read, as
// ssh-keygen does. A passphrase other than "" encrypts it.
func NewIdentity(tb testing.TB, passphrase string) (path string, public ssh.PublicKey) {
	tb.Helper()
	private := newPrivate(tb)
	block, err := ssh.MarshalPrivateKey(private, "test")
	if err != nil {
		tb.Fatalf("sshtest: %v", err)
	}
	path = filepath.Join(tb.TempDir(), "id_ed25519")
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		tb.Fatalf("sshtest: %v", err)
	}
	if passphrase != "" {
		// In one round of bcrypt, where x/crypto takes sixteen: with the race detector each costs 100 ms.
		keygen := exec.CommandContext(tb.Context(), "ssh-keygen", "-q", "-p", "-a", "1", "-P", "", "-N", passphrase, "-f", path)
		keygen.Stderr = os.Stderr
		if err := keygen.Run(); err != nil {
			tb.Fatalf("sshtest: ssh-keygen: %v", err)
		}
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		tb.Fatalf("sshtest: %v", err)
	}
	return path, signer.PublicKey()
}

func newPrivate(tb testing.TB) ed25519.PrivateKey {
	tb.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatalf("sshtest: %v", err)
	}
	return private
}
