package soak

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// networkFaults are those of the way to a host.
func networkFaults() []*fault {
	f := func(name string, weight int, strike func(*subject, drawn) (wound, error)) *fault {
		return &fault{class: "network", name: name, weight: weight, key: "link", when: ever, strike: strike}
	}
	const toHost, fromHost = "ip daddr HOST ", "ip saddr HOST "
	return []*fault{
		f("link down", 12, linkDown),
		f("replies dropped", 8, onTheWay(fromHost+"tcp sport 22 counter drop", "")),
		f("requests dropped", 8, onTheWay("", toHost+"tcp dport 22 counter drop")),
		f("new connections dropped", 8, onTheWay("", toHost+"tcp dport 22 tcp flags & (syn|ack) == syn counter drop")),
		f("old connections dropped", 6, onTheWay("", toHost+"tcp dport 22 tcp flags & (syn|ack) != syn counter drop")),
		f("connections reset", 8, onTheWay("", toHost+"tcp dport 22 counter reject with tcp reset")),
		f("host unreachable", 4, onTheWay("", toHost+"counter reject with icmpx type host-unreachable")),
		f("loss", 8, onTheWay(fromHost+"numgen random mod 100 < PERCENT counter drop", toHost+"numgen random mod 100 < PERCENT counter drop")),
		f("narrow link", 4, narrow),
	}
}

func linkDown(s *subject, _ drawn) (wound, error) {
	err := s.LinkDown(context.Background())
	return wound{
		felt: now(strings.TrimSpace(s.read("/sys/class/net/eth0/carrier")) != "1"),
		heal: func() error { return s.LinkUp(context.Background()) },
	}, err
}

// onTheWay has the world itself, where the controller stands, treat the packets of a host so.
func onTheWay(in, out string) func(*subject, drawn) (wound, error) {
	return func(s *subject, d drawn) (wound, error) {
		table := "soak_" + strings.ReplaceAll(s.Name(), "-", "_")
		words := strings.NewReplacer("HOST", s.Addr4().String(), "PERCENT", strconv.Itoa(15+d.n%45))
		_, err := worldNFT(fmt.Sprintf(`table inet %s {
	chain in { type filter hook input priority 0; %s; }
	chain out { type filter hook output priority 0; %s; }
}`, table, words.Replace(in), words.Replace(out)))
		felt := false
		count := func() bool {
			if !felt {
				text, err := worldNFT("list table inet " + table)
				felt = err == nil && strings.Count(text, "packets") > strings.Count(text, "packets 0 ")
			}
			return felt
		}
		return wound{felt: count, heal: func() error {
			count()
			_, err := worldNFT("delete table inet " + table)
			return err
		}}, err
	}
}

// worldNFT runs nft in the world's own network namespace.
func worldNFT(text string) (string, error) {
	cmd := exec.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader(text + "\n")
	var out, msg bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &msg
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("nft: %w: %s", err, msg.Bytes())
	}
	return out.String(), nil
}

func narrow(s *subject, d drawn) (wound, error) {
	err := s.Qdisc(context.Background(), "tbf", "rate", strconv.Itoa(64+d.n%512)+"kbit", "burst", "4kb", "latency", "400ms")
	shown, _ := s.console("tc qdisc show dev eth0")
	return wound{
		felt: now(strings.Contains(shown, "tbf")),
		heal: func() error { _, err := s.console("tc qdisc del dev eth0 root"); return err },
	}, err
}

// sshFaults are those of the host's sshd.
func sshFaults() []*fault {
	f := func(name string, weight int, strike func(*subject, drawn) (wound, error)) *fault {
		return &fault{class: "ssh", name: name, weight: weight, key: "sshd", when: ever, strike: strike}
	}
	cut := f("connections cut", 16, sessionsKilled)
	cut.key, cut.when = "session", midway
	return []*fault{
		cut,
		f("sshd killed", 8, daemonFault("sshd", syscall.SIGKILL)),
		f("sshd stopped", 8, daemonFault("sshd", syscall.SIGSTOP)),
		f("sshd restarted", 8, sshdRestarted),
		f("sshd crowded", 6, sshdCrowded),
	}
}

// daemonFault kills or stops a daemon. Healed, it runs again.
func daemonFault(name string, sig syscall.Signal) func(*subject, drawn) (wound, error) {
	return func(s *subject, _ drawn) (wound, error) {
		heal := func() error { return s.revive(name) }
		p, ok := s.daemon(name)
		if !ok {
			return wound{heal: heal}, errors.New(name + " does not run")
		}
		felt, err := s.signal(sig, p)
		return wound{felt: now(felt), heal: heal}, err
	}
}

func sshdRestarted(s *subject, _ drawn) (wound, error) {
	p, ok := s.daemon("sshd")
	if !ok {
		return wound{}, errors.New("sshd does not run")
	}
	felt, err := s.signal(syscall.SIGKILL, p)
	return wound{felt: now(felt)}, errors.Join(err, s.revive("sshd"))
}

// sessionsKilled ends every connection, and leaves what it had begun to itself.
func sessionsKilled(s *subject, _ drawn) (wound, error) {
	felt, err := s.signal(syscall.SIGKILL, s.processes("sshd: root")...)
	return wound{felt: now(felt)}, err
}

// sshdCrowded has strangers take all the places for those who have not logged in yet.
func sshdCrowded(s *subject, _ drawn) (wound, error) {
	if p, ok := s.daemon("sshd"); ok {
		if _, err := s.signal(syscall.SIGKILL, p); err != nil {
			return wound{}, err
		}
	}
	if err := s.revive("sshd", "-o", "MaxStartups=2"); err != nil {
		return wound{}, err
	}
	var strangers []net.Conn
	turned := false
	for range 4 {
		var d net.Dialer
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		c, err := d.DialContext(ctx, "tcp4", netip.AddrPortFrom(s.Addr4(), 22).String())
		cancel()
		if err != nil {
			continue
		}
		strangers = append(strangers, c)
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		banner := make([]byte, 4)
		n, _ := c.Read(banner)
		turned = turned || string(banner[:n]) != "SSH-"
	}
	return wound{felt: now(turned), heal: func() error {
		for _, c := range strangers {
			c.Close()
		}
		p, ok := s.daemon("sshd")
		if !ok {
			return s.revive("sshd")
		}
		_, err := s.signal(syscall.SIGKILL, p)
		return errors.Join(err, s.revive("sshd"))
	}}, nil
}
