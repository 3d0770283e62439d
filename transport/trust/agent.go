package trust

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

const (
	// agentTimeout bounds connecting to the agent and listing its keys. Signing
	// has the whole time of the login, since a person may have to touch a token.
	agentTimeout = 2 * time.Second
	// agentConnects is how many logins may be connecting to the agent at once;
	// ssh-agent's listen queue holds 128.
	agentConnects = 32
)

// agentKey is a key an agent holds.
type agentKey struct {
	pub     ssh.PublicKey
	comment string // as the agent has it, raw
	signer  ssh.AlgorithmSigner
}

// label names the key in messages.
func (k agentKey) label() string { return fmt.Sprintf("agent key %.80q", k.comment) }

// agentKeys lists the keys of the ssh-agent behind a socket ("": the usual) over a connection of its own, so that
// an agent stuck in one login does not hold up another. The keys sign until
// done is called or the login's context ends.
func (s *Store) agentKeys(login context.Context, socket string) (keys []agentKey, done func(), err error) {
	if socket == "" || socket == "SSH_AUTH_SOCK" { // as IdentityAgent of ssh_config(5) has it
		socket = s.agentSocket
	}
	switch socket {
	case "":
		return nil, nil, errors.New("SSH_AUTH_SOCK is not set")
	case "none":
		return nil, nil, errors.New("IdentityAgent is none")
	}
	socket, err = expand(socket)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(login, agentTimeout)
	defer cancel()
	select {
	case s.agentSlots <- struct{}{}:
		defer func() { <-s.agentSlots }()
	case <-ctx.Done():
		return nil, nil, errors.New("ssh-agent is busy with other logins")
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, nil, fmt.Errorf("ssh-agent: %w", err)
	}
	limit, _ := ctx.Deadline()
	conn.SetDeadline(limit)
	var signers []ssh.Signer
	// Without Close in sight the client reads in our goroutine, where a panic
	// over a malformed answer can be caught.
	client := agent.NewClient(struct{ io.ReadWriter }{conn})
	err = caught(func() (err error) { signers, err = client.Signers(); return err })
	if err != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("ssh-agent: %w", err)
	}
	conn.SetDeadline(time.Time{})
	stop := context.AfterFunc(login, func() { conn.Close() })
	for _, signer := range signers {
		listed, ok := signer.PublicKey().(*agent.Key)
		if !ok {
			continue
		}
		pub, err := ssh.ParsePublicKey(listed.Blob)
		signs, ok := signer.(ssh.AlgorithmSigner)
		if err == nil && ok {
			keys = append(keys, agentKey{pub, listed.Comment, signs})
		}
	}
	return keys, func() { stop(); conn.Close() }, nil
}

// caught turns a panic of f into an error: one bad answer of an agent must not
// end a run over many hosts (CVE-2025-47913 was such a panic).
func caught(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("malformed answer: %v", p)
		}
	}()
	return f()
}
