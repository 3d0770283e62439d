package trust

import (
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
)

// maxKeyFile bounds a key file, in bytes; a 16384 bit RSA key takes 13 KiB.
const maxKeyFile = 64 << 10

// keyFile is an identity on disk.
type keyFile struct {
	path string
	pub  ssh.PublicKey // nil if only the passphrase would tell
	// signers is the key's certificate, if there is one, and the key itself.
	// Without any only an agent can sign, and blocked and next tell why and how.
	signers []ssh.AlgorithmSigner
	blocked string
	next    string
}

// heldAs reports whether the agent's key is this one.
func (k *keyFile) heldAs(key agentKey) bool { return k.pub != nil && sameKey(k.pub, key.pub) }

// keyFile loads an identity file once. The error is a *FileError.
func (s *Store) keyFile(path string) (*keyFile, error) {
	return s.keys.get(path, func() (*keyFile, error) {
		path, err := expand(path)
		if err != nil {
			return nil, err
		}
		text, mode, err := readKeyFile(path)
		if err != nil {
			return nil, err
		}
		return parseKeyFile(path, text, mode)
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
		k.pub = signer.PublicKey()
		if cert := certificateOf(path, signer); cert != nil {
			k.signers = append(k.signers, cert)
		}
		k.signers = append(k.signers, signer)
		return k, nil
	case errors.As(err, &locked):
		k.pub = locked.PublicKey
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

// certificateOf returns a signer for PATH-cert.pub, which ssh offers too, or
// nil if there is none that fits the key.
func certificateOf(path string, key ssh.Signer) ssh.AlgorithmSigner {
	cert, ok := neighbour(path + "-cert.pub").(*ssh.Certificate)
	if !ok {
		return nil
	}
	signer, err := ssh.NewCertSigner(cert, key)
	if err != nil {
		return nil
	}
	s, _ := signer.(ssh.AlgorithmSigner)
	return s
}

// neighbour reads a public key file, or returns nil.
func neighbour(path string) ssh.PublicKey {
	text, _, err := readKeyFile(path)
	if err != nil {
		return nil
	}
	pub, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return nil
	}
	return pub
}
