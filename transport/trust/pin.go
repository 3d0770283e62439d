package trust

import "golang.org/x/crypto/ssh"

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
func (p Pin) Check(key ssh.PublicKey) *Refusal {
	if string(plainKey(key).Marshal()) == p.key {
		return nil
	}
	r := refuse(Changed, key)
	if first, err := ssh.ParsePublicKey([]byte(p.key)); err == nil {
		r.Recorded = []string{first.Type() + " " + ssh.FingerprintSHA256(first) + ", as the connection before saw it"}
	}
	return r
}
