package trust

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

// maxKnownHosts bounds one known_hosts file, in bytes: 100,000 hosts with three
// keys each.
const maxKnownHosts = 64 << 20

// KnownHosts is what a list of known_hosts files says.
type KnownHosts struct {
	db    *knownhosts.HostKeyDB
	lines []knownLine // of the merged text db was read from
	files []string
}

// KnownHosts loads a list of files. An empty list stands for the two files ssh
// reads, which need not exist; a named one must. The error is a *FileError, or
// says that no temporary file could be written.
func (s *Store) KnownHosts(files []string) (*KnownHosts, error) {
	return s.known.get(strings.Join(files, "\x00"), func() (*KnownHosts, error) {
		optional := len(files) == 0
		if optional {
			files = []string{"~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts"}
		}
		k := &KnownHosts{}
		for _, file := range files {
			file, err := expand(file)
			if err != nil {
				return nil, err
			}
			k.files = append(k.files, file)
			text, err := readFile(file, maxKnownHosts)
			if optional && errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			lines, skipped := filterKnownHosts(file, text)
			k.lines = append(k.lines, lines...)
			for _, line := range skipped {
				s.log.Warn("known_hosts line skipped", "place", line.place(), "reason", line.reason)
			}
		}
		return k, k.parse()
	})
}

// parse hands the accepted lines to the library, which reads only files and
// refuses a whole file for one line it cannot parse.
func (k *KnownHosts) parse() error {
	f, path, done, err := scratch()
	if err != nil {
		return fmt.Errorf("cannot write a temporary file: %w", err)
	}
	defer done()
	var text strings.Builder
	for _, line := range k.lines {
		text.WriteString(line.text + "\n")
	}
	if _, err := io.WriteString(f, text.String()); err != nil {
		return fmt.Errorf("cannot write a temporary file: %w", err)
	}
	k.db, err = knownhosts.NewDB(path)
	return err
}

// Host is what is recorded for one host.
type Host struct {
	*KnownHosts
	name string // "host:port", lower case, as ssh looks it up
	port string
	bare string // "host:22", where ssh looks if nothing is recorded for another port
}

// Host looks up a host by the address or name in the fleet file and its port.
func (k *KnownHosts) Host(address string, port uint16) Host {
	p, address := strconv.Itoa(int(port)), strings.ToLower(address)
	return Host{k, net.JoinHostPort(address, p), p, net.JoinHostPort(address, "22")}
}

// Algorithms are the host key algorithms to ask for. First comes what the host
// has a key recorded for, so that a host with keys of other types too shows that
// one. The others follow: they lead to a key that is refused, with its
// fingerprint, instead of a failed negotiation. An authority may sign keys of
// any type, not only its own; without one a certificate could only be refused
// while the plain key below it may be known.
func (h Host) Algorithms() []string {
	var certificates, plain, recorded []string
	for _, a := range ssh.SupportedAlgorithms().HostKeys {
		if strings.Contains(a, "-cert-v01") {
			certificates = append(certificates, a)
		} else {
			plain = append(plain, a)
		}
	}
	authority := false
	keys := h.db.HostKeys(h.name)
	if len(keys) == 0 {
		keys = h.db.HostKeys(h.bare)
	}
	for _, key := range keys {
		switch {
		case key.Cert:
			authority = true
		case key.Type() == ssh.KeyAlgoRSA:
			recorded = append(recorded, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		case slices.Contains(plain, key.Type()):
			recorded = append(recorded, key.Type())
		}
	}
	if !authority {
		certificates = nil
	}
	var all []string
	for _, a := range slices.Concat(certificates, recorded, plain) {
		if !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}

// Check accepts a key that is recorded for the host, or a certificate of an
// authority recorded for it. A key marked @revoked is refused whatever host the
// line names.
func (h Host) Check(remote net.Addr, key ssh.PublicKey) *Refusal {
	ask := h.db.HostKeyCallback()
	err := ask(h.name, remote, key)
	var unknown *xknownhosts.KeyError
	if errors.As(err, &unknown) && len(unknown.Want) == 0 && ask(h.bare, remote, key) == nil {
		return nil
	}
	if err == nil {
		return nil
	}
	r := refuse(Unknown, key)
	r.Name, r.port, r.Files = xknownhosts.Normalize(h.name), h.port, h.files

	// The library says only in words that a certificate or its authority is
	// revoked, so they are asked for one by one.
	parts := []ssh.PublicKey{key}
	if cert, ok := key.(*ssh.Certificate); ok {
		parts = append(parts, cert.Key, cert.SignatureKey)
		r.Certificate = err
	}
	var revoked *xknownhosts.RevokedError
	for _, part := range parts {
		if errors.As(ask(h.name, remote, part), &revoked) {
			r.Kind, r.Recorded = Revoked, []string{h.describe(revoked.Revoked)}
			return r
		}
	}
	var mismatch *xknownhosts.KeyError
	if errors.As(err, &mismatch) {
		for _, want := range mismatch.Want {
			r.Recorded = append(r.Recorded, h.describe(want))
			if line := h.lines[want.Line-1]; !line.authority {
				r.Kind, r.file = Changed, line.file
			}
		}
	}
	return r
}

// describe names a recorded key and the line it stands on.
func (k *KnownHosts) describe(key xknownhosts.KnownKey) string {
	line := k.lines[key.Line-1]
	what := key.Key.Type()
	if line.authority {
		what = "authority " + what
	}
	return fmt.Sprintf("%s %s at %s", what, ssh.FingerprintSHA256(key.Key), line.place())
}

// Pin is a host key that was accepted once and is now the only one.
type Pin struct {
	key       string // in wire format, without a certificate
	algorithm string
}

// PinTo returns the pin for a key and the algorithm it was shown with.
func PinTo(key ssh.PublicKey, algorithm string) Pin {
	return Pin{string(plainKey(key).Marshal()), algorithm}
}

// Algorithms asks for the same key again.
func (p Pin) Algorithms() []string { return []string{p.algorithm} }

// Check accepts the one key. A renewed certificate for it is the same key.
func (p Pin) Check(_ net.Addr, key ssh.PublicKey) *Refusal {
	if string(plainKey(key).Marshal()) == p.key {
		return nil
	}
	r := refuse(Changed, key)
	if first, err := ssh.ParsePublicKey([]byte(p.key)); err == nil {
		r.Recorded = []string{first.Type() + " " + ssh.FingerprintSHA256(first) + ", as the connection before saw it"}
	}
	return r
}

// plainKey returns the key inside a certificate, or the key itself.
func plainKey(key ssh.PublicKey) ssh.PublicKey {
	if cert, ok := key.(*ssh.Certificate); ok {
		return cert.Key
	}
	return key
}

// sameKey compares keys without regard to certificates around them.
func sameKey(a, b ssh.PublicKey) bool {
	return string(plainKey(a).Marshal()) == string(plainKey(b).Marshal())
}
