package trust

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Kind says how a host key failed the check.
type Kind string

// The kinds of a Refusal.
const (
	Unknown Kind = "unknown" // no entry for the host, or a certificate nobody vouches for
	Changed Kind = "changed" // entries for the host, none of them this key
	Revoked Kind = "revoked" // the key, or the authority that signed it, is marked @revoked
)

// Refusal says why a host key was not accepted.
type Refusal struct {
	Kind        Kind
	Name        Name     // what was looked up; the zero Name for a Pin
	KeyType     string   // of the key shown, such as "ssh-ed25519"
	Fingerprint string   // of the key shown, "SHA256:..."
	Recorded    []string // what is recorded instead, each with fingerprint and file:line
	Files       []string // known_hosts files that were looked in
	Certificate error    // why a certificate was not accepted; nil for a plain key
	Unwritten   error    // why a key that nobody has recorded could not be; nil if that was not tried

	file string // of the last conflicting entry
}

func refuse(kind Kind, key ssh.PublicKey) *Refusal {
	plain := plainKey(key)
	return &Refusal{Kind: kind, KeyType: plain.Type(), Fingerprint: ssh.FingerprintSHA256(plain)}
}

// Unrecorded says that nothing at all is recorded for the host, no authority either.
func (r *Refusal) Unrecorded() bool { return r.Kind == Unknown && len(r.Recorded) == 0 }

// NotRecorded is the refusal of a key that could not be recorded: somebody else recorded
// another one meanwhile, or it cannot be written.
func (r *Refusal) NotRecorded(why error) *Refusal {
	var changed *Refusal
	if errors.As(why, &changed) {
		return changed
	}
	r.Unwritten = why
	return r
}

// Error says what was shown, what is recorded where, and what to do next.
func (r *Refusal) Error() string {
	shown := r.KeyType + " " + r.Fingerprint
	recorded := strings.Join(r.Recorded, ", ")
	var what string
	switch {
	case r.Kind == Revoked:
		what = fmt.Sprintf("host key %s is revoked by %s", shown, recorded)
	case r.Kind == Changed:
		what = fmt.Sprintf("host key has changed: the host shows %s, expected is %s", shown, recorded)
	case r.Certificate != nil:
		// The names in a certificate are the host's own words.
		what = fmt.Sprintf("certificate of host key %s refused: %.300q", shown, r.Certificate.Error())
	case recorded != "":
		what = fmt.Sprintf("host key %s has no certificate, and all that is recorded is %s", shown, recorded)
	case r.Unwritten != nil:
		what = fmt.Sprintf("host key %s is new and cannot be recorded: %v", shown, r.Unwritten)
	default:
		what = fmt.Sprintf("host key %s is not in %s", shown, strings.Join(r.Files, " or "))
	}
	return what + "; " + r.Hint()
}

// Hint returns what to do next. A key is never to be added before a person has
// compared its fingerprint on the host itself.
func (r *Refusal) Hint() string {
	record := "fwpush trust"
	if r.Name.Host != "" {
		record += " -l " + shellWord(r.Name.Host)
	}
	switch {
	case r.Kind == Revoked:
		return "do not use this host until it has a new host key"
	case r.Kind == Changed && r.file == "":
		return "another machine may have taken the address: " + r.compare()
	case r.Kind == Changed:
		return fmt.Sprintf("another machine may have taken the address: %s, and only if they agree type: ssh-keygen -R %s -f %s && %s",
			r.compare(), shellWord(r.Name.Recorded()), shellWord(r.file), record)
	case r.Certificate != nil:
		return "have the certificate renewed, or record its authority with @cert-authority"
	case len(r.Recorded) > 0:
		return "have its key signed by that authority"
	case r.Unwritten != nil:
		return "make that file one that you can write, or name another under ssh.known_hosts"
	}
	return fmt.Sprintf("type: %s, which shows it and asks; %s", record, r.compare())
}

// compare is how to find out whether the key shown is the host's.
func (r *Refusal) compare() string {
	short := "rsa" // as sshd's file names have it
	for _, t := range []string{"ed25519", "ecdsa"} {
		if strings.Contains(r.KeyType, t) {
			short = t
		}
	}
	return fmt.Sprintf("compare with ssh-keygen -lf /etc/ssh/ssh_host_%s_key.pub on the host's console", short)
}
