package trust

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

// maxKeyFile bounds a key file, in bytes; a 16384 bit RSA key takes 13 KiB.
const maxKeyFile = 64 << 10

// keyFile is an identity on disk.
type keyFile struct {
	path string
	pub  ssh.PublicKey    // nil if only the passphrase would tell
	cert *ssh.Certificate // of PATH-cert.pub, which ssh offers too; nil for none

	// locked is the text of an encrypted key; nil for others.
	locked []byte

	mu   sync.Mutex
	sign ssh.AlgorithmSigner // nil if only an agent can sign
	// blocked and next tell why only an agent can, and how it could.
	blocked, next string
	given         bool // up: nobody is asked for the passphrase again
}

// signer signs with the key, or is nil if only an agent can.
func (k *keyFile) signer() ssh.AlgorithmSigner {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.sign
}

// asksFor says whether a passphrase would help.
func (k *keyFile) asksFor() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.locked != nil && !k.given
}

func (k *keyFile) why() (blocked, next string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.blocked, k.next
}

// heldAs reports whether the agent's key is this one.
func (k *keyFile) heldAs(key agentKey) bool { return k.pub != nil && sameKey(k.pub, key.pub) }

// keyFile loads an identity file once. The error is a *FileError.
func (s *Store) keyFile(path string) (*keyFile, error) {
	path, err := expand(path)
	if err != nil {
		return nil, err
	}
	return s.keys.get(path, func() (*keyFile, error) {
		text, mode, err := readKeyFile(path)
		if err != nil {
			return nil, err
		}
		return parseKeyFile(path, text, mode)
	})
}

// certificate loads a certificate file once. The error is a *FileError.
func (s *Store) certificate(path string) (*ssh.Certificate, error) {
	path, err := expand(path)
	if err != nil {
		return nil, err
	}
	return s.certs.get(path, func() (*ssh.Certificate, error) {
		text, _, err := readKeyFile(path)
		if err != nil {
			return nil, err
		}
		if cert, ok := parsePublic(text).(*ssh.Certificate); ok {
			return cert, nil
		}
		return nil, &FileError{Path: path, Reason: "is not a certificate", Next: "name one that ssh-keygen -s has made"}
	})
}

func readKeyFile(path string) ([]byte, os.FileMode, error) {
	// Stat first: opening a FIFO would wait for a writer.
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, unreadable(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, 0, &FileError{Path: path, Reason: "is not a regular file", Next: "name a private key under ssh.identity"}
	}
	text, err := readFile(path, maxKeyFile)
	if err != nil {
		return nil, 0, err
	}
	return text, info.Mode().Perm(), nil
}

func parseKeyFile(path string, text []byte, mode os.FileMode) (*keyFile, error) {
	k := &keyFile{path: path}
	k.cert, _ = neighbour(path + "-cert.pub").(*ssh.Certificate)
	if pub, _, _, _, err := ssh.ParseAuthorizedKey(text); err == nil && !isPEM(text) {
		private := strings.TrimSuffix(path, ".pub")
		k.pub = plainKey(pub)
		k.blocked = "is a public key"
		k.next = fmt.Sprintf("name the private key file instead, or type: ssh-add %s", shellWord(private))
		if private == path {
			k.next = "name the private key file instead, or add it with ssh-add"
		}
		return k, nil
	}
	if mode&0o077 != 0 {
		return nil, &FileError{
			Path: path, Reason: fmt.Sprintf("is open to others (mode %04o)", mode),
			Next: "type: chmod 600 " + shellWord(path),
		}
	}
	signer, err := parsePrivate(text)
	var locked *ssh.PassphraseMissingError
	switch {
	case err == nil:
		k.pub, k.sign = signer.PublicKey(), signer
		return k, nil
	case errors.As(err, &locked):
		k.pub, k.locked = locked.PublicKey, text
		k.blocked = "is encrypted"
	case isPEM(text):
		// Keys on hardware tokens and types the library does not know.
		k.blocked = "cannot be used without ssh-agent (" + err.Error() + ")"
	default:
		return nil, &FileError{Path: path, Reason: "is not a private key: " + err.Error(), Next: "name a private key under ssh.identity", Err: err}
	}
	k.next = "type: ssh-add " + shellWord(path)
	if k.pub == nil {
		k.pub = neighbour(path + ".pub")
	}
	if k.pub == nil {
		// Nothing tells which of the agent's keys this is.
		k.next = fmt.Sprintf("type: ssh-keygen -y -f %[1]s > %[1]s.pub && ssh-add %[1]s", shellWord(path))
	}
	return k, nil
}

func isPEM(text []byte) bool {
	block, _ := pem.Decode(text)
	return block != nil
}

func parsePrivate(text []byte) (ssh.AlgorithmSigner, error) {
	signer, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return nil, err
	}
	s, ok := signer.(ssh.AlgorithmSigner)
	if !ok {
		return nil, fmt.Errorf("cannot choose the signature algorithm of a %s key", signer.PublicKey().Type())
	}
	return s, nil
}

// ErrPassphrase says that a passphrase does not open a key file.
var ErrPassphrase = errors.New("wrong passphrase")

// Unlock opens an encrypted key file for the rest of the run. The passphrase is not kept.
// The error is ErrPassphrase if it is wrong, else a *FileError.
func (s *Store) Unlock(path string, passphrase []byte) error {
	k, err := s.keyFile(path)
	if err != nil || k.locked == nil {
		return err
	}
	signer, err := ssh.ParsePrivateKeyWithPassphrase(k.locked, passphrase)
	block, _ := pem.Decode(k.locked)
	switch {
	case errors.Is(err, x509.IncorrectPasswordError):
		return ErrPassphrase
	case err != nil && block.Headers["Proc-Type"] != "":
		return ErrPassphrase // the old format has no check of its own: what comes out is no key
	case err != nil:
		return &FileError{Path: path, Reason: "cannot be used without ssh-agent (" + err.Error() + ")", Next: "type: ssh-add " + shellWord(path), Err: err}
	}
	signs, ok := signer.(ssh.AlgorithmSigner)
	if !ok {
		return &FileError{Path: path, Reason: "is of a type that cannot be used", Next: "type: ssh-add " + shellWord(path)}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sign = signs
	return nil
}

// GiveUp says why nobody will be asked for the passphrase of a key file again.
func (s *Store) GiveUp(path, why string) {
	if k, err := s.keyFile(path); err == nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.blocked, k.given = why, true
	}
}

// neighbour reads a public key file, or returns nil.
func neighbour(path string) ssh.PublicKey {
	text, _, err := readKeyFile(path)
	if err != nil {
		return nil
	}
	return parsePublic(text)
}

// parsePublic reads the text of a public key file; nil if it is none.
func parsePublic(text []byte) ssh.PublicKey {
	pub, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return nil
	}
	return pub
}
