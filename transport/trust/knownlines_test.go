package trust

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"fwpush/internal/sshtest"
)

func TestReadKnownHosts(t *testing.T) {
	key := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(sshtest.NewKey(t).PublicKey())))
	blob := strings.Fields(key)[1]
	tests := []struct {
		name, line string
		want       string // what was read; "" if nothing
		reason     string // why it is skipped; "" if it is not
	}{
		{"plain", "web1 " + key, "web1 " + key, ""},
		{"comment at the end", "web1 " + key + " root@web1", "web1 " + key, ""},
		{"blanks and tabs, CRLF", " \tweb1 \t ssh-ed25519\t" + blob + " \r", "web1 " + key, ""},
		{"upper case names", "Web1,10.0.0.1 " + key, "web1,10.0.0.1 " + key, ""},
		{"port, negation, wildcard", "[web1]:2222,!bad,*.example " + key, "[web1]:2222,!bad,*.example " + key, ""},
		{"authority", "@cert-authority *.example " + key, "@cert-authority *.example " + key, ""},
		{"revoked", "@revoked * " + key, "@revoked * " + key, ""},
		{"hashed", "|1|c2FsdA==|aGFzaA== " + key, "|1|c2FsdA==|aGFzaA== " + key, ""},
		{"empty", "", "", ""},
		{"comment", "  # web1 ssh-ed25519 AAAA", "", ""},
		{"unknown marker", "@trusted web1 " + key, "", `unknown marker "@trusted"`},
		{"two markers", "@revoked @cert-authority web1 " + key, "", "more than one marker"},
		{"marker alone", "@revoked", "", "not enough words"},
		{"no key", "web1 ssh-ed25519", "", "not enough words"},
		{"bad base64", "web1 ssh-ed25519 !!!!", "", "not base64"},
		{"not a key", "web1 ssh-ed25519 AAAA", "", "not a key"},
		{"another type", "web1 ssh-rsa " + blob, "", `says "ssh-rsa", but the key is ssh-ed25519`},
		{"unknown hash", "|2|c2FsdA==|aGFzaA== " + key, "", "not a hashed host name"},
		{"broken hash", "|1|c2Fsd|aGFzaA== " + key, "", "not base64"},
		{"lone negation", "web1,! " + key, "web1,! " + key, ""},
		{"bracket without port", "web2,[web1] " + key, "web2,[web1] " + key, ""},
		{"too long", "web1 " + key + " " + strings.Repeat("x", maxKnownLine), "", "longer than 32 KiB"},
		{"terminal codes", "\x1b[2J web1 " + key, "", "not base64"},
		{"terminal codes in a type", "web1 \x1b[2J " + blob, "", `says "\x1b[2J"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			good, skipped := readKnownHosts("file", []byte("# first\n"+tt.line+"\n"))
			var got, reason string
			for _, l := range good {
				names := l.names.patterns
				if l.names.hashed() {
					names = fmt.Sprintf("|1|%s|%s", base64.StdEncoding.EncodeToString(l.names.salt), base64.StdEncoding.EncodeToString(l.names.hash))
				}
				got = strings.TrimSpace(l.marker + " " + names + " " + string(ssh.MarshalAuthorizedKey(l.key)))
			}
			for _, l := range skipped {
				reason = l.reason
				if l.place() != "file:2" {
					t.Errorf("place %s", l.place())
				}
			}
			if got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			if (tt.reason == "") != (reason == "") || !strings.Contains(reason, tt.reason) {
				t.Errorf("reason %q, want %q", reason, tt.reason)
			}
		})
	}
}

// Whatever the file holds, what x/crypto's reader would have taken is taken too, and each
// line that is not has its number.
func FuzzReadKnownHosts(f *testing.F) {
	key := string(ssh.MarshalAuthorizedKey(sshtest.NewKey(f).PublicKey()))
	for _, seed := range []string{
		"", "\n", "# x\n", "web1 " + key, "@revoked * " + key, "@cert-authority *.x " + key, "|1|c2FsdA==|aGFzaA== " + key,
		"[a]:22,!b,c* " + key, "! " + key, "[ " + key, "@ " + key, "| " + key, ", " + key, "a\x00b " + key, "web1\t" + key + "\r\nweb2 ssh-rsa AAAA",
		"web1 " + key + "\nmore\n", strings.Repeat("x", 70000), "\v\f\u00a0 " + key, "a b c d e",
	} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	accepts := func(t *testing.T, text []byte) bool {
		path := filepath.Join(dir, "known_hosts")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := knownhosts.New(path)
		return err == nil
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		good, skipped := readKnownHosts("file", text)
		lines := bytes.Split(text, []byte("\n"))
		seen := 0
		for _, l := range good {
			l.names.match("web1")
			if l.number <= seen || l.number > len(lines) || l.key == nil || l.reason != "" || l.marker != "" && l.marker != markAuthority && l.marker != markRevoked {
				t.Fatalf("taken: %+v after line %d of %d", l, seen, len(lines))
			}
			seen = l.number
			if alone, _ := readKnownHosts("file", lines[l.number-1]); len(alone) != 1 || !alone[0].is(l.key) || alone[0].marker != l.marker {
				t.Errorf("line %d alone is another: %q", l.number, lines[l.number-1])
			}
		}
		for _, l := range skipped {
			if l.number < 1 || l.number > len(lines) {
				t.Fatalf("line %d of %d", l.number, len(lines))
			}
			if raw := lines[l.number-1]; len(raw) <= maxKnownLine && accepts(t, raw) {
				t.Errorf("skipped %q (%s), which the library reads", raw, l.reason)
			}
		}
	})
}
