package trust

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net"
	"strings"

	"golang.org/x/crypto/ssh"
)

// maxKnownLine bounds a line of known_hosts, in bytes. The library gives up on
// a whole file at 64 KiB; the largest key it accepts takes 3 KiB.
const maxKnownLine = 32 << 10

// knownLine is an accepted line of a known_hosts file, or a skipped one with
// the reason.
type knownLine struct {
	file      string
	number    int
	text      string
	authority bool
	reason    string
}

func (l knownLine) place() string { return fmt.Sprintf("%s:%d", l.file, l.number) }

// filterKnownHosts splits a known_hosts file into the lines the library can
// read and those it would refuse the whole file for; ssh skips those too (sshd(8),
// SSH_KNOWN_HOSTS FILE FORMAT). Host names come out in lower case, as ssh
// compares them.
func filterKnownHosts(file string, text []byte) (good, skipped []knownLine) {
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

func (l *knownLine) read(raw []byte) error {
	if len(raw) > maxKnownLine {
		return fmt.Errorf("longer than %d KiB", maxKnownLine>>10)
	}
	// Only blanks and tabs separate words here, unlike in strings.Fields.
	words := strings.FieldsFunc(string(raw), func(r rune) bool { return r == ' ' || r == '\t' })
	marker := ""
	if strings.HasPrefix(words[0], "@") {
		marker = words[0]
		if marker != "@cert-authority" && marker != "@revoked" {
			return fmt.Errorf("unknown marker %.40q", marker)
		}
		l.authority = marker == "@cert-authority"
		words = words[1:]
	}
	if len(words) < 3 {
		return fmt.Errorf("not enough words: want host names, key type and key")
	}
	names, err := readNames(words[0])
	if err != nil {
		return err
	}
	blob, err := base64.StdEncoding.DecodeString(words[2])
	if err != nil {
		return fmt.Errorf("the key is not base64")
	}
	key, err := ssh.ParsePublicKey(blob)
	if err != nil {
		return fmt.Errorf("not a key: %.80q", err.Error())
	}
	if key.Type() != words[1] {
		return fmt.Errorf("says %.40q, but the key is %s", words[1], key.Type())
	}
	l.text = strings.TrimLeft(marker+" ", " ") + names + " " + words[1] + " " + words[2]
	return nil
}

// readNames checks a list of host name patterns, or one hashed name.
func readNames(names string) (string, error) {
	if strings.HasPrefix(names, "|") {
		parts := strings.Split(names, "|")
		if len(parts) != 4 || parts[1] != "1" {
			return "", fmt.Errorf("not a hashed host name")
		}
		for _, part := range parts[2:] {
			if _, err := base64.StdEncoding.DecodeString(part); err != nil {
				return "", fmt.Errorf("the hashed host name is not base64")
			}
		}
		return names, nil
	}
	if strings.HasPrefix(names, "@") {
		return "", fmt.Errorf("more than one marker")
	}
	for name := range strings.SplitSeq(names, ",") {
		bare := strings.TrimPrefix(name, "!")
		if name == "!" {
			return "", fmt.Errorf("a ! without a host name")
		}
		if strings.HasPrefix(bare, "[") {
			if _, _, err := net.SplitHostPort(bare); err != nil {
				return "", fmt.Errorf("a host name in brackets needs a port: [name]:port")
			}
		}
	}
	return strings.ToLower(names), nil
}
