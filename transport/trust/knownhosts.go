package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

// maxKnownHosts bounds one known_hosts file, in bytes: 100,000 hosts with three
// keys each.
const maxKnownHosts = 64 << 20

// usualKnownHosts are the files ssh reads (UserKnownHostsFile and GlobalKnownHostsFile in
// ssh_config(5)). One of the second kind may revoke a key just as well.
var usualKnownHosts = []string{"~/.ssh/known_hosts", "~/.ssh/known_hosts2", "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"}

// KnownHosts is what a list of known_hosts files says. It is safe for any number of
// goroutines, and shows what is recorded meanwhile.
type KnownHosts struct {
	files   []*knownFile
	revoked []knownLine // of a file that ssh_config(5) names with RevokedHostKeys
}

// knownFile is a known_hosts file. All lists with it share it.
type knownFile struct {
	path string

	mu    sync.RWMutex
	lines catalogue

	queue queue // of what is to be recorded
}

// KnownHosts loads a list of files. An empty list stands for the files ssh
// reads, which need not exist; a named one must, unless the Store may record hosts: then
// it is made when it is needed. Beside it revoked may name a file of keys that no host may
// have, "" or "none" for none. The error is a *FileError.
func (s *Store) KnownHosts(files []string, revoked string) (*KnownHosts, error) {
	return s.known.get(strings.Join(append([]string{revoked}, files...), "\x00"), func() (*KnownHosts, error) {
		optional := len(files) == 0
		if optional {
			files = usualKnownHosts
		}
		k := &KnownHosts{}
		if revoked != "" && revoked != "none" {
			var err error
			if k.revoked, err = loadRevoked(revoked); err != nil {
				return nil, err
			}
		}
		for _, file := range files {
			path, err := expand(file)
			if err != nil {
				return nil, err
			}
			f, err := s.files.get(path, func() (*knownFile, error) { return loadKnownFile(path, s.log) })
			switch {
			case optional && strings.HasSuffix(path, "2") && errors.Is(err, fs.ErrNotExist):
				continue // nobody has them any more, and no message names them
			case (optional || s.recording) && errors.Is(err, fs.ErrNotExist):
			case err != nil:
				return nil, err
			}
			k.files = append(k.files, f)
		}
		return k, nil
	})
}

// loadKnownFile reads a file. One that does not exist is an empty one, beside the error.
func loadKnownFile(path string, log *slog.Logger) (*knownFile, error) {
	f := &knownFile{path: path}
	text, err := readFile(path, maxKnownHosts)
	var missing *FileError
	if errors.As(err, &missing) && errors.Is(err, fs.ErrNotExist) {
		missing.Next = "check the path in the fleet file, or type fwpush trust, which makes it"
	}
	if err != nil {
		return f, err
	}
	good, skipped := readKnownHosts(path, text)
	f.lines.add(good...)
	for _, line := range skipped {
		log.Warn("known_hosts line skipped", "place", line.place(), "reason", line.reason)
	}
	return f, nil
}

// paths are the files, in order.
func (k *KnownHosts) paths() []string {
	var list []string
	for _, f := range k.files {
		list = append(list, f.path)
	}
	return list
}

// each is what a question to the lines of every file yields, in order.
func (k *KnownHosts) each(ask func(*catalogue) []knownLine) (list []knownLine) {
	for _, f := range k.files {
		f.mu.RLock()
		list = append(list, ask(&f.lines)...)
		f.mu.RUnlock()
	}
	return list
}

// Host is what is recorded for one host.
type Host struct {
	known    *KnownHosts
	name     Name
	named    []knownLine // of its name
	portless []knownLine // of its name without the port
}

// Host looks up a host.
func (k *KnownHosts) Host(name Name) Host {
	h := Host{known: k, name: name}
	full, portless := name.Recorded(), name.portless()
	h.named = k.each(func(c *catalogue) []knownLine { return c.named(full) })
	if portless != "" {
		h.portless = k.each(func(c *catalogue) []knownLine { return c.named(portless) })
	}
	return h
}

// Name is what the host is called.
func (h Host) Name() Name { return h.name }

// keys are the lines with keys of the host itself.
func keys(lines []knownLine) []knownLine { return marked(lines, "") }

func marked(lines []knownLine, marker string) (list []knownLine) {
	for _, l := range lines {
		if l.marker == marker {
			list = append(list, l)
		}
	}
	return list
}

// preferred are key types in the order of ssh (HostKeyAlgorithms of ssh_config(5)).
// Where several are recorded, which one is asked for decides whether a host with one
// changed key is let through.
var preferred = []string{
	ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256,
}

const certSuffix = "-cert-v01@openssh.com"

// inOrder are the host key algorithms there are, without SHA-1 and DSA: those of
// certificates, and the plain ones.
func inOrder() (certificates, plain []string) {
	var rest []string
	supported := ssh.SupportedAlgorithms().HostKeys
	for _, a := range supported {
		if !strings.Contains(a, "-cert-v01") && !slices.Contains(preferred, a) {
			rest = append(rest, a)
		}
	}
	for _, a := range slices.Concat(preferred, rest) {
		if slices.Contains(supported, a) {
			plain = append(plain, a)
		}
		if cert := a + certSuffix; slices.Contains(supported, cert) {
			certificates = append(certificates, cert)
		}
	}
	return certificates, plain
}

// KeyType is the type of the keys that an algorithm signs with.
func KeyType(algorithm string) string {
	switch a := strings.TrimSuffix(algorithm, certSuffix); a {
	case ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512:
		return ssh.KeyAlgoRSA
	default:
		return a
	}
}

// Algorithms are the host key algorithms to ask for. First comes what the host
// has a key recorded for, so that a host with keys of other types too shows that
// one. The others follow: they lead to a key that is refused, with its
// fingerprint, instead of a failed negotiation. An authority may sign keys of
// any type, not only its own; without one a certificate is worth no more than the key in it.
func (h Host) Algorithms() []string {
	certificates, plain := inOrder()
	lines := h.named
	if len(lines) == 0 {
		lines = h.portless
	}
	if len(h.authorities()) == 0 {
		certificates = nil
	}
	recorded := func(a string) bool {
		return slices.ContainsFunc(keys(lines), func(l knownLine) bool { return l.key.Type() == KeyType(a) })
	}
	slices.SortStableFunc(plain, func(a, b string) int {
		switch ra, rb := recorded(a), recorded(b); {
		case ra && !rb:
			return -1
		case rb && !ra:
			return 1
		}
		return 0
	})
	return slices.Concat(certificates, plain)
}

// Check accepts what ssh accepts with StrictHostKeyChecking (check_host_key in its
// sshconnect.c): a certificate of an authority recorded for the host, or a key recorded
// for it. A certificate that is refused is looked at as the key in it.
//
// In three ways it is stricter. A key marked @revoked is refused whatever host the line
// names; what is recorded without the port counts only where no key is recorded with it;
// and a certificate may not be signed with SHA-1, whatever CASignatureAlgorithms says.
func (h Host) Check(key ssh.PublicKey) *Refusal {
	r := refuse(Unknown, key)
	r.Name, r.Files = h.name, h.known.paths()
	if l, ok := h.revoked(key); ok {
		r.Kind, r.Recorded = Revoked, []string{l.describe()}
		return r
	}
	if cert, ok := key.(*ssh.Certificate); ok {
		if r.Certificate = h.certified(cert); r.Certificate == nil {
			return nil
		}
	}
	if recorded := keys(h.named); len(recorded) > 0 {
		for _, l := range recorded {
			if l.is(key) {
				return nil
			}
			r.Recorded, r.file = append(r.Recorded, l.describe()), l.file
		}
		r.Kind = Changed
		return r
	}
	for _, l := range keys(h.portless) {
		if l.is(key) {
			return nil
		}
	}
	for _, l := range h.authorities() {
		r.Recorded = append(r.Recorded, l.describe())
	}
	return r
}

// authorities are those recorded for the host, with the port or without.
func (h Host) authorities() []knownLine {
	return append(marked(h.named, markAuthority), marked(h.portless, markAuthority)...)
}

// revoked finds the line that revokes a key, or for a certificate its key or authority.
func (h Host) revoked(key ssh.PublicKey) (knownLine, bool) {
	parts := []ssh.PublicKey{key}
	if cert, ok := key.(*ssh.Certificate); ok {
		parts = append(parts, cert.SignatureKey)
	}
	for _, l := range append(h.known.each(func(c *catalogue) []knownLine { return c.revoked }), h.known.revoked...) {
		if slices.ContainsFunc(parts, l.is) {
			return l, true
		}
	}
	return knownLine{}, false
}

// Elsewhere tells under which other names a key is recorded, each with its place: the host
// had another name or address before, or is a copy of another.
func (h Host) Elsewhere(key ssh.PublicKey) (list []string) {
	full := h.name.Recorded()
	for _, l := range h.known.each(func(c *catalogue) []knownLine { return c.lines }) {
		if l.marker != "" || !l.is(key) || l.names.match(full) {
			continue
		}
		name := l.names.patterns
		if l.names.hashed() {
			name = "a hidden name"
		}
		list = append(list, fmt.Sprintf("%.100s at %s", name, l.place()))
	}
	return list
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
