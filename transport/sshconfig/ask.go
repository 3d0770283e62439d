package sshconfig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// askTime bounds one ssh -G: it runs what Match exec names, which may hang.
	askTime = 10 * time.Second
	// maxOutput bounds what is read of what it prints, in bytes. It prints about 4 kB.
	maxOutput = 1 << 20
)

// RefusedError says that ssh refuses its configuration, or gave no answer.
type RefusedError struct {
	Host   string // as ssh was asked
	Reason string // ssh's own words, with file and line, one a line
}

func (e *RefusedError) Error() string {
	return "ssh -G " + e.Host + ": " + strings.ReplaceAll(e.Reason, "\n", "; ")
}

// question is what ssh is asked: what would be typed to get to a host.
type question struct {
	name     string
	user     string // -l; "" for what the configuration says
	port     uint16 // -p; 0 for what the configuration says
	hostname string // instead of HostName; "" for what the configuration says
	jumps    string // -J; "none" for none, "" for what the configuration says
}

func (q question) args(file string) []string {
	args := []string{"-T", "-G"} // without -T ssh remarks that there is no terminal
	if file != "" {
		args = append(args, "-F", file)
	}
	if q.user != "" {
		args = append(args, "-l", q.user)
	}
	if q.port != 0 {
		args = append(args, "-p", strconv.Itoa(int(q.port)))
	}
	if q.hostname != "" {
		args = append(args, "-o", "HostName="+escaped(q.hostname))
	}
	switch q.jumps {
	case "":
	case "none":
		args = append(args, "-o", "ProxyJump=none")
	default:
		args = append(args, "-J", q.jumps)
	}
	return append(args, "--", q.name)
}

// answer is what ssh -G prints: values by key, in order. Keys are in lower case.
type answer map[string][]string

// one is the value of a key, "" for none.
func (a answer) one(key string) string {
	if v := a[key]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// yes reports whether a switch is on.
func (a answer) yes(key string) bool { return a.one(key) == "yes" || a.one(key) == "true" }

func read(text string) answer {
	a := answer{}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		key = strings.ToLower(key) // canonicalizePermittedcnames, as ssh writes it
		a[key] = append(a[key], value)
	}
	return a
}

// run asks ssh once. The process and all it has started end with it, after askTime at
// the latest. The error is a *RefusedError, or the cause of ctx.
func (r *Resolver) run(parent context.Context, file string, q question) (answer, error) {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-parent.Done():
		return nil, context.Cause(parent)
	}
	r.asked.Add(1)
	ctx, cancel := context.WithTimeout(parent, askTime)
	defer cancel()
	stdout, stderr := &bounded{}, &bounded{}
	cmd := exec.CommandContext(ctx, r.ssh, q.args(file)...)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	refused := func(reason string) error { return &RefusedError{Host: q.name, Reason: reason} }
	switch {
	case parent.Err() != nil:
		return nil, context.Cause(parent)
	case ctx.Err() != nil:
		return nil, refused(fmt.Sprintf("no answer within %s; look at what Match exec runs in ssh_config", askTime))
	case stdout.full || stderr.full:
		return nil, refused(fmt.Sprintf("prints more than %d MiB", maxOutput>>20))
	case errors.Is(err, exec.ErrWaitDelay): // it has answered, and what Match exec left behind holds on to its output
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may be gone
	case err != nil:
		if said := strings.TrimSpace(strings.ReplaceAll(stderr.String(), "\r", "")); said != "" {
			return nil, refused(said)
		}
		return nil, refused(err.Error())
	}
	return read(stdout.String()), nil
}

// bounded keeps the first maxOutput bytes that are written to it.
type bounded struct {
	bytes.Buffer
	full bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxOutput {
		b.full = true
		return len(p), nil
	}
	return b.Buffer.Write(p)
}
