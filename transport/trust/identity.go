package trust

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"golang.org/x/crypto/ssh"
)

// maxKeys is how many keys are offered at most: sshd ends a connection after
// MaxAuthTries, 6 by default (sshd_config(5)).
const maxKeys = 5

// Identities are the keys to offer to a host, in order.
type Identities struct {
	List  []Identity
	Notes []string // what could not be offered, and why

	done func()
}

// Close lets go of the agent. The keys sign no more.
func (ids *Identities) Close() {
	if ids.done != nil {
		ids.done()
	}
}

// Identities finds the keys for a login. With named files: those only an agent
// can use come first, then the others, and nothing else the agent holds. With
// none: the agent's keys, then the usual files. The agent is not asked where no
// key needs it, so that a stuck one cannot harm; ctx bounds its answers.
//
// The error joins a *FileError for each named file that cannot be used. The
// result must be closed in any case.
func (s *Store) Identities(ctx context.Context, files []string) (*Identities, error) {
	ids := &Identities{}
	named := len(files) > 0
	if !named {
		files = []string{"~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa"}
	}
	var errs []error
	unusable := func(err error) {
		if named {
			errs = append(errs, err)
		} else {
			ids.Notes = append(ids.Notes, err.Error())
		}
	}
	var direct, blocked []*keyFile
	for _, path := range files {
		k, err := s.keyFile(path)
		switch {
		case err != nil && !named && errors.Is(err, fs.ErrNotExist):
		case err != nil:
			unusable(err)
		case len(k.signers) > 0:
			direct = append(direct, k)
		default:
			blocked = append(blocked, k)
		}
	}
	absent := "ssh-agent does not hold it"
	var held []agentKey
	if !named || len(blocked) > 0 {
		var err error
		if held, ids.done, err = s.agentKeys(ctx); err != nil {
			absent = err.Error()
			ids.Notes = append(ids.Notes, absent)
		}
	}
	for _, key := range held {
		wanted := slices.ContainsFunc(blocked, func(k *keyFile) bool { return k.heldAs(key) })
		if !named || wanted {
			ids.add(Identity{fmt.Sprintf("agent key %.80q", key.comment), key.pub, key.signer, true})
		}
	}
	for _, k := range direct {
		for _, signer := range k.signers {
			ids.add(Identity{k.path, signer.PublicKey(), signer, false})
		}
	}
	for _, k := range blocked {
		if !slices.ContainsFunc(held, k.heldAs) {
			unusable(&FileError{Path: k.path, Reason: k.blocked + ", and " + absent, Next: k.next})
		}
	}
	return ids, errors.Join(errs...)
}

// add appends a key unless it is there already or is a DSA key.
func (ids *Identities) add(id Identity) {
	//lint:ignore SA1019 only the name is used, to refuse such a key
	if plainKey(id.Key).Type() == ssh.InsecureKeyAlgoDSA {
		ids.Notes = append(ids.Notes, id.label+" is a DSA key, which is not used")
		return
	}
	if !slices.ContainsFunc(ids.List, id.is) {
		ids.List = append(ids.List, id)
	}
}

// Trim moves the preferred key to the front, if there is one, and keeps no more
// than sshd is ready to look at.
func (ids *Identities) Trim(prefer Identity) {
	if i := slices.IndexFunc(ids.List, prefer.is); i > 0 {
		first := ids.List[i]
		ids.List = slices.Insert(slices.Delete(ids.List, i, i+1), 0, first)
	}
	if over := len(ids.List) - maxKeys; over > 0 {
		ids.List = ids.List[:maxKeys]
		ids.Notes = append(ids.Notes, fmt.Sprintf("%d more keys were not tried, since sshd stops after a few: name the right one under ssh.identity", over))
	}
}

// Alone is the one key of a login that knows which it needs. It must be one that
// signs by itself.
func Alone(id Identity) *Identities { return &Identities{List: []Identity{id}} }

// Identity is one key that can be offered.
type Identity struct {
	label  string // where it comes from
	Key    ssh.PublicKey
	signer ssh.AlgorithmSigner
	agent  bool // the agent signs, over the connection of one login
}

// ByItself reports whether the key signs without the agent.
func (id Identity) ByItself() bool { return id.Key != nil && !id.agent }

// String names the key in messages, with its fingerprint.
func (id Identity) String() string {
	return id.label + " " + ssh.FingerprintSHA256(plainKey(id.Key))
}

// is reports whether both are the same key, with the same certificate.
func (id Identity) is(other Identity) bool {
	return id.Key != nil && other.Key != nil && string(id.Key.Marshal()) == string(other.Key.Marshal())
}

// Signer returns a signer that tells signing about each signature it is asked for
// and signed how that went.
func (id Identity) Signer(signing func(Identity), signed func(Identity, error)) ssh.Signer {
	return witness{id, signing, signed}
}

type witness struct {
	Identity
	signing func(Identity)
	signed  func(Identity, error)
}

func (w witness) PublicKey() ssh.PublicKey { return w.Key }

func (w witness) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return w.SignWithAlgorithm(rand, data, w.Algorithms()[0])
}

func (w witness) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (sig *ssh.Signature, err error) {
	w.signing(w.Identity)
	err = caught(func() (err error) {
		sig, err = w.signer.SignWithAlgorithm(rand, data, algorithm)
		return err
	})
	w.signed(w.Identity, err)
	return sig, err
}

// Algorithms leaves out ssh-rsa, whose signatures use SHA-1.
func (w witness) Algorithms() []string {
	if t := plainKey(w.Key).Type(); t != ssh.KeyAlgoRSA {
		return []string{t}
	}
	return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
}
