package hostkeys

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"fwpush/transport"
)

// Fingerprints are what a person got from the hosts themselves, by another way than the
// network that is looked at: a console, a provider's interface, a build.
type Fingerprints struct {
	from string // the file
	of   map[string][]string
}

// maxFingerprints bounds a file of fingerprints, in bytes.
const maxFingerprints = 64 << 20

// sha256Form is a fingerprint as ssh-keygen prints it: 32 bytes in base64 without padding.
var sha256Form = regexp.MustCompile(`^SHA256:[A-Za-z0-9+/]{43}$`)

// ReadFingerprints reads a file whose lines are
//
//	NAME SHA256:...                       a name and a fingerprint
//	256 SHA256:... root@NAME (ED25519)    as ssh-keygen -l prints them
//	NAME,NAME ssh-ed25519 AAAA...         as known_hosts and ssh-keyscan have them
//
// Empty lines and those that begin with # are left out. The error names the first line that
// is none of these.
func ReadFingerprints(r io.Reader, from string) (*Fingerprints, error) {
	f := &Fingerprints{from: from, of: map[string][]string{}}
	lines := bufio.NewScanner(io.LimitReader(r, maxFingerprints))
	lines.Buffer(nil, 64<<10)
	number := 0
	for lines.Scan() {
		number++
		words := strings.Fields(lines.Text())
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		names, fingerprint, ok := fingerprintOf(words)
		if !ok {
			return nil, fmt.Errorf("%s:%d: not a fingerprint; a line is NAME SHA256:..., or as ssh-keygen -l or known_hosts has it", from, number)
		}
		for _, name := range names {
			name = strings.ToLower(name)
			f.of[name] = append(f.of[name], fingerprint)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s:%d: %w", from, number+1, err)
	}
	if len(f.of) == 0 {
		return nil, fmt.Errorf("%s: holds no fingerprint", from)
	}
	return f, nil
}

func fingerprintOf(words []string) (names []string, fingerprint string, ok bool) {
	switch {
	case len(words) == 2 && sha256Form.MatchString(words[1]):
		return words[:1], words[1], true
	case len(words) >= 4 && sha256Form.MatchString(words[1]) && strings.HasPrefix(words[len(words)-1], "("):
		_, name, found := strings.Cut(words[2], "@") // a comment is root@web1, a name in known_hosts web1
		if !found {
			name = words[2]
		}
		return strings.Split(name, ","), words[1], true
	case len(words) >= 3 && (strings.HasPrefix(words[1], "ssh-") || strings.HasPrefix(words[1], "ecdsa-")):
		blob, err := base64.StdEncoding.DecodeString(words[2])
		if err != nil || strings.HasPrefix(words[0], "@") || strings.HasPrefix(words[0], "|") {
			return nil, "", false
		}
		sum := sha256.Sum256(blob)
		return strings.Split(words[0], ","), "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:]), true
	}
	return nil, "", false
}

// Vouch compares new hosts with the fingerprints. A host that is listed, by its name or
// by how known_hosts calls it, is vouched for if it shows what is listed; then those keys
// are recorded and no others. Otherwise its outcome is a mismatch: it shows none of what is
// listed, or lacks some of that and has something else instead.
func (f *Fingerprints) Vouch(hosts []*Host) {
	for _, h := range With(hosts, OutcomeNew) {
		var listed []string
		for _, name := range []string{h.Name, h.Address, h.Showing.Name} {
			listed = append(listed, f.of[strings.ToLower(name)]...)
		}
		if len(listed) == 0 {
			continue
		}
		var matching, others int
		missing := slices.Clone(listed)
		for _, k := range h.Keys {
			if !slices.Contains(listed, k.Fingerprint) {
				others++
				continue
			}
			matching++
			missing = slices.DeleteFunc(missing, func(l string) bool { return l == k.Fingerprint })
		}
		if matching == 0 || len(missing) > 0 && others > 0 {
			h.Outcome = OutcomeMismatch
			h.Err = fmt.Errorf("%s: it shows %s; %s has %s; another machine may have taken the address, or the list is of before the host was installed anew",
				h.Name, h.shown(), f.from, strings.Join(listed, ", "))
			continue
		}
		h.Vouched = true
		h.listed = func(k transport.HostKey) bool { return slices.Contains(listed, k.Fingerprint) }
	}
}

// shown are the keys of a host in words.
func (h *Host) shown() string {
	var list []string
	for _, k := range h.Keys {
		list = append(list, k.Type+" "+k.Fingerprint)
	}
	return strings.Join(list, ", ")
}
