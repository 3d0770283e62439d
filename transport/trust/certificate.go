package trust

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"
)

// certified says why a host's certificate is not accepted; nil if it is.
func (h Host) certified(cert *ssh.Certificate) error {
	if cert.CertType != ssh.HostCert {
		return errors.New("it is no certificate of a host")
	}
	if !slices.ContainsFunc(h.authorities(), func(l knownLine) bool { return l.is(cert.SignatureKey) }) {
		return fmt.Errorf("no @cert-authority line for it has the authority %s %s that signed it",
			cert.SignatureKey.Type(), ssh.FingerprintSHA256(cert.SignatureKey))
	}
	// The library would take ssh-rsa, which signs with SHA-1; ssh does not
	// (CASignatureAlgorithms of ssh_config(5)).
	if cert.Signature.Format == ssh.KeyAlgoRSA {
		return errors.New("its authority signed it with SHA-1")
	}
	if err := expired(cert, time.Now()); err != nil {
		return err
	}
	return new(ssh.CertChecker).CheckCert(h.name.principal(), cert)
}

// expired says in words a person can act on that a certificate is not valid at a time.
func expired(cert *ssh.Certificate, now time.Time) error {
	at := uint64(now.Unix())
	switch {
	case at < cert.ValidAfter:
		return fmt.Errorf("not valid before %s, and here it is %s", day(cert.ValidAfter), day(at))
	case cert.ValidBefore != ssh.CertTimeInfinity && at >= cert.ValidBefore:
		return fmt.Errorf("expired %s, and here it is %s", day(cert.ValidBefore), day(at))
	}
	return nil
}

func day(seconds uint64) string {
	const year9999 = 253402300799
	return time.Unix(int64(min(seconds, year9999)), 0).UTC().Format("2006-01-02T15:04:05Z")
}
