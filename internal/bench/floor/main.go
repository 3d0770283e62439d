// Command floor does what no program of this kind can do less of: it opens the two SSH connections
// that a changed host needs and runs the two programs of package commit there, with x/crypto/ssh and
// nothing around it. It judges nothing, proves nothing, keeps no record and takes every host for
// well-behaved. Benchmarks measure fwpush against it; nobody should use it for anything else.
//
// The job comes as JSON on standard input.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
	"golang.org/x/sync/errgroup"
)

// Job is what to do, for all hosts.
type Job struct {
	Forks      int
	User       string
	Identity   string // files
	KnownHosts string

	Begin, Finish string // the first line of what each program is given
	Window        int    // seconds
	Revert        string
	Look          bool // only hear what the first program finds
	Hosts         []Host
}

// Host is one of them and what it is sent.
type Host struct {
	Addr                string // ADDRESS:PORT
	Owner               string // the stamp of the fleet
	Rules, Kept, Policy string
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var job Job
	if err := json.NewDecoder(os.Stdin).Decode(&job); err != nil {
		return err
	}
	config, err := job.config()
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(job.Forks)
	for _, h := range job.Hosts {
		group.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			if err := job.change(h, config); err != nil {
				return fmt.Errorf("%s: %w", h.Addr, err)
			}
			return nil
		})
	}
	return group.Wait()
}

func (j Job) config() (*ssh.ClientConfig, error) {
	pem, err := os.ReadFile(j.Identity)
	if err != nil {
		return nil, err
	}
	key, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		return nil, err
	}
	check, err := knownhosts.New(j.KnownHosts)
	if err != nil {
		return nil, err
	}
	return &ssh.ClientConfig{
		User: j.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: check,
		HostKeyAlgorithms: []string{ssh.KeyAlgoED25519}, Timeout: 10 * time.Second,
	}, nil
}

// change takes one host through both programs.
func (j Job) change(h Host, config *ssh.ClientConfig) error {
	first, err := dial(h.Addr, config)
	if err != nil {
		return err
	}
	defer first.close()
	if err := first.start(j.Begin, "auto", "none", "coexist"); err != nil {
		return err
	}
	if _, err := first.until("ask"); err != nil || j.Look {
		return err
	}
	tx, nonce := draw(), draw()
	first.say("go %s %s %d nftables %d %d %d 0 %d 2\n20260102T030405Z-00000001\n%s\nfloor\n%s%s%s%send %s\n",
		tx, nonce, j.Window, len(h.Rules), len(h.Kept), len(j.Revert), len(h.Policy),
		h.Owner, h.Rules, h.Kept, j.Revert, h.Policy, tx)
	if _, err := first.until("checked"); err != nil {
		return err
	}
	first.say("apply\n")
	applied, err := first.until("applied")
	if err != nil {
		return err
	}
	_, seal, _ := strings.Cut(applied, " ")

	second, err := dial(h.Addr, config)
	if err != nil {
		return err
	}
	defer second.close()
	if err := second.start(j.Finish, "confirm", tx); err != nil {
		return err
	}
	if _, err := second.until("ask"); err != nil {
		return err
	}
	second.say("%s %s\n", nonce, seal)
	if _, err := second.until("fresh"); err != nil {
		return err
	}
	second.say("commit\n")
	switch over, err := second.until("over"); {
	case err != nil:
		return err
	case over != "confirmed":
		return fmt.Errorf("ended as %q", over)
	}
	return nil
}

// peer is one connection with one program on it.
type peer struct {
	client  *ssh.Client
	session *ssh.Session
	in      io.Writer
	out     *bufio.Reader
	mark    string
}

func dial(addr string, config *ssh.ClientConfig) (*peer, error) {
	client, err := ssh.Dial("tcp", addr, config)
	if err != nil {
		return nil, err
	}
	p := &peer{client: client, mark: draw()}
	if p.session, err = client.NewSession(); err != nil {
		client.Close()
		return nil, err
	}
	return p, nil
}

func (p *peer) start(program string, words ...string) (err error) {
	if p.in, err = p.session.StdinPipe(); err != nil {
		return err
	}
	out, err := p.session.StdoutPipe()
	if err != nil {
		return err
	}
	p.out = bufio.NewReader(out)
	if err := p.session.Start(`sh -s -- "$SSH_CONNECTION" ` + p.mark + " " + strings.Join(words, " ")); err != nil {
		return err
	}
	p.say("%s", program)
	return nil
}

// say sends; an error shows in what is not answered.
func (p *peer) say(format string, values ...any) { fmt.Fprintf(p.in, format, values...) }

// until reads up to a word that the program says, and returns what stands behind it.
func (p *peer) until(word string) (string, error) {
	for {
		line, err := p.out.ReadString('\n')
		if err != nil {
			return "", fmt.Errorf("waiting for %q: %w", word, err)
		}
		said, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), p.mark+" ")
		if !ok {
			continue
		}
		first, rest, _ := strings.Cut(said, " ")
		switch first {
		case word:
			return rest, nil
		case "refused", "dropped", "held", "reverted", "open":
			return "", errors.New(said)
		}
	}
}

func (p *peer) close() { p.client.Close() }
