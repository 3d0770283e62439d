package trust

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// maxKeys is how many keys are offered at most: sshd ends a connection after
// MaxAuthTries, 6 by default (sshd_config(5)).
const maxKeys = 5

// Wanted says which keys may be offered to a host.
type Wanted struct {
	Files        []string // key files; none: the agent's keys, then the usual files
	Certificates []string // certificate files, beside KEY-cert.pub; a key of theirs need not be named
	Agent        string   // the agent's socket; "": the one of the Store, "none": no agent
	Others       bool     // with named files: what else the agent holds, too
}

// usualFiles are those that ssh looks for, as far as the library can use them.
var usualFiles = []string{"~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa"}

// Identities are the keys to offer to a host, in order.
type Identities struct {
	List   []Identity
	Notes  []string // what could not be offered, and why
	Locked []string // key files that a passphrase would open

	done func()
}

// Close lets go of the agent. The keys sign no more.
func (ids *Identities) Close() {
	if ids.done != nil {
		ids.done()
	}
}

// Identities finds the keys for a login: those of named files, or where there are none those
// of the agent and of the usual files. A certificate comes before its key. The agent is not
// asked where no key needs it, so that a stuck one cannot harm; ctx bounds its answers.
//
// The error joins a *FileError for each named file that cannot be used. The
// result must be closed in any case.
func (s *Store) Identities(ctx context.Context, w Wanted) (*Identities, error) {
	ids := &Identities{}
	files := w.Files
	named := len(files) > 0
	if !named {
		files = usualFiles
	}
	var errs []error
	unusable := func(err error) {
		if named {
			errs = append(errs, err)
		} else {
			ids.Notes = append(ids.Notes, err.Error())
		}
	}
	var certs []*ssh.Certificate
	for _, path := range w.Certificates {
		cert, err := s.certificate(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		certs = append(certs, cert)
	}
	var direct, blocked []*keyFile
	for _, path := range files {
		k, err := s.keyFile(path)
		switch {
		case err != nil && !named && errors.Is(err, fs.ErrNotExist):
		case err != nil:
			unusable(err)
		case k.signer() != nil:
			direct = append(direct, k)
		default:
			blocked = append(blocked, k)
		}
	}
	absent := "ssh-agent does not hold it"
	var held []agentKey
	all := !named || w.Others
	if all || len(blocked) > 0 || len(certs) > 0 {
		var err error
		if held, ids.done, err = s.agentKeys(ctx, w.Agent); err != nil {
			absent = err.Error()
			ids.Notes = append(ids.Notes, absent)
		}
	}
	// The order is that of ssh, for a host looks at a few only: named certificates, those of
	// the agent's keys that a file names, its others, and last the other files.
	for _, cert := range certs {
		for _, k := range direct {
			ids.certify(k.path, cert, k.signer(), false)
		}
		for _, key := range held {
			ids.certify(key.label(), cert, key.signer, true)
		}
	}
	file := func(k *keyFile) {
		ids.certify(k.path, k.cert, k.signer(), false)
		ids.add(Identity{k.path, k.signer().PublicKey(), k.signer(), false})
	}
	var others []agentKey
	for _, key := range held {
		is := func(k *keyFile) bool { return k.heldAs(key) }
		if i := slices.IndexFunc(direct, is); i >= 0 {
			file(direct[i])
		} else if i := slices.IndexFunc(blocked, is); i >= 0 {
			ids.certify(key.label(), blocked[i].cert, key.signer, true)
			ids.add(Identity{key.label(), key.pub, key.signer, true})
		} else if all {
			others = append(others, key)
		}
	}
	for _, key := range others {
		ids.add(Identity{key.label(), key.pub, key.signer, true})
	}
	for _, k := range direct {
		file(k)
	}
	for _, k := range blocked {
		if slices.ContainsFunc(held, k.heldAs) {
			continue
		}
		if k.asksFor() {
			ids.Locked = append(ids.Locked, k.path)
		}
		blocked, next := k.why()
		unusable(&FileError{Path: k.path, Reason: blocked + ", and " + absent, Next: next})
	}
	return ids, errors.Join(errs...)
}

// certify adds a key's certificate, if it is its own.
func (ids *Identities) certify(label string, cert *ssh.Certificate, key ssh.AlgorithmSigner, agent bool) {
	if cert == nil || !sameKey(cert.Key, key.PublicKey()) {
		return
	}
	signer, err := ssh.NewCertSigner(cert, key)
	if err != nil {
		return
	}
	if signs, ok := signer.(ssh.AlgorithmSigner); ok {
		ids.add(Identity{label, cert, signs, agent})
	}
}

// add appends a key unless it is there already or is a DSA key, or a certificate that the
// host would refuse: each that is refused counts against the login.
func (ids *Identities) add(id Identity) {
	if cert, ok := id.Key.(*ssh.Certificate); ok {
		err := expired(cert, time.Now())
		if cert.CertType != ssh.UserCert {
			err = errors.New("is one of a host")
		}
		if err != nil {
			ids.note(fmt.Sprintf("the certificate %.80q of %s is %s", cert.KeyId, id.label, strings.TrimPrefix(err.Error(), "is ")))
			return
		}
	}
	//lint:ignore SA1019 only the name is used, to refuse such a key
	if plainKey(id.Key).Type() == ssh.InsecureKeyAlgoDSA {
		ids.Notes = append(ids.Notes, id.label+" is a DSA key, which is not used")
		return
	}
	if !slices.ContainsFunc(ids.List, id.is) {
		ids.List = append(ids.List, id)
	}
}

func (ids *Identities) note(text string) {
	if !slices.Contains(ids.Notes, text) {
		ids.Notes = append(ids.Notes, text)
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
