package trust

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

// maxKnownLine bounds a line of known_hosts, in bytes; the largest key takes 3 KiB.
const maxKnownLine = 32 << 10

// The markers of a line.
const (
	markAuthority = "@cert-authority"
	markRevoked   = "@revoked"
)

// knownLine is a line of a known_hosts file that holds a key, or one that is skipped, with
// the reason.
type knownLine struct {
	file   string
	number int
	marker string // "" for a host's own key
	names  names
	key    ssh.PublicKey
	reason string
}

func (l knownLine) place() string { return fmt.Sprintf("%s:%d", l.file, l.number) }

// is reports whether the line is about this very key, without regard to certificates.
func (l knownLine) is(key ssh.PublicKey) bool { return sameKey(l.key, key) }

// describe names the recorded key and where it stands.
func (l knownLine) describe() string {
	what := l.key.Type()
	if l.marker == markAuthority {
		what = "authority " + what
	}
	return fmt.Sprintf("%s %s at %s", what, ssh.FingerprintSHA256(l.key), l.place())
}

// readKnownHosts reads the lines of a known_hosts file (sshd(8), SSH_KNOWN_HOSTS FILE
// FORMAT). What ssh would skip is skipped, too.
func readKnownHosts(file string, text []byte) (good, skipped []knownLine) {
	number := 0
	for len(text) > 0 {
		var raw []byte
		raw, text, _ = bytes.Cut(text, []byte("\n"))
		number++
		raw = bytes.Trim(raw, " \t\r")
		if len(raw) == 0 || raw[0] == '#' {
			continue
		}
		line := knownLine{file: file, number: number}
		if err := line.read(raw); err != nil {
			line.reason = err.Error()
			skipped = append(skipped, line)
			continue
		}
		good = append(good, line)
	}
	return good, skipped
}

func (l *knownLine) read(raw []byte) (err error) {
	if len(raw) > maxKnownLine {
		return fmt.Errorf("longer than %d KiB", maxKnownLine>>10)
	}
	// Only blanks and tabs separate words here, unlike in strings.Fields.
	words := strings.FieldsFunc(string(raw), func(r rune) bool { return r == ' ' || r == '\t' })
	if strings.HasPrefix(words[0], "@") {
		l.marker = words[0]
		if l.marker != markAuthority && l.marker != markRevoked {
			return fmt.Errorf("unknown marker %.40q", l.marker)
		}
		words = words[1:]
	}
	if len(words) < 3 {
		return fmt.Errorf("not enough words: want host names, key type and key")
	}
	if strings.HasPrefix(words[0], "@") {
		return fmt.Errorf("more than one marker")
	}
	if l.names, err = readNames(words[0]); err != nil {
		return err
	}
	blob, err := base64.StdEncoding.DecodeString(words[2])
	if err != nil {
		return fmt.Errorf("the key is not base64")
	}
	if l.key, err = ssh.ParsePublicKey(blob); err != nil {
		return fmt.Errorf("not a key: %.80q", err.Error())
	}
	if l.key.Type() != words[1] {
		return fmt.Errorf("says %.40q, but the key is %s", words[1], l.key.Type())
	}
	return nil
}

// loadRevoked reads a file of RevokedHostKeys (ssh_config(5)): a public key on each line. As
// with ssh nothing is accepted where it cannot be read as a whole.
func loadRevoked(path string) ([]knownLine, error) {
	path, err := expand(path)
	if err != nil {
		return nil, err
	}
	text, err := readFile(path, maxKnownHosts)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(text, []byte("SSHKRL")) {
		return nil, &FileError{Path: path, Reason: "is a binary list of revoked keys, which cannot be read",
			Next: "list the keys in a text file for RevokedHostKeys, or with @revoked in known_hosts"}
	}
	var list []knownLine
	for i, line := range strings.Split(string(text), "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		key := parsePublic([]byte(line))
		if key == nil {
			return nil, &FileError{Path: fmt.Sprintf("%s:%d", path, i+1), Reason: "is no public key, so that no host can be said not to be revoked", Next: "correct the line"}
		}
		list = append(list, knownLine{file: path, number: i + 1, marker: markRevoked, key: key})
	}
	return list, nil
}
