package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// AtdDies is a command for a light host: its atd is killed, and gone when the command ends. A process
// is there for a moment after the signal, and then until it is waited for.
const AtdDies = "p=$(cat /run/atd.pid); rm /run/atd.pid; kill -9 $p; while kill -0 $p 2>/dev/null; do sleep 0.01; done"

// Reboot asks a host that an init system has booted to reboot and returns when it is up again. The disk is as it was,
// /run, /tmp and the kernel's rules are empty, and the boot id is another one.
func (h *Host) Reboot(ctx context.Context) error {
	ask := []string{"systemctl", "reboot"}
	switch {
	case h.opts.OpenRC:
		ask = []string{"openrc-shutdown", "--reboot", "now"}
	case !h.opts.Systemd:
		return fmt.Errorf("lab: %s has no init system: use PowerCycle", h.name)
	}
	b, err := h.current()
	if err != nil {
		return err
	}
	// The command may be killed by what it asks for, so its own end says nothing.
	_, _, asked := h.Exec(ctx, "", ask...)
	select {
	case <-b.gone:
		return h.awaitNext(ctx, b)
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("lab: %s did not go down: %w\n%s", h.name, ctx.Err(), h.pendingJobs(ctx)), asked)
	}
}

// pendingJobs is what systemd still waits for, for an error message about a shutdown that took
// all the time there was.
func (h *Host) pendingJobs(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	jobs, _, err := h.Exec(ctx, "", "sh", "-c", "systemctl list-jobs --no-pager; ps -e -o pid,stat,args; journalctl -b -n 20 --no-pager")
	if err != nil {
		return err.Error()
	}
	return jobs
}

// PowerCycle ends all processes of the host at once, as a power cut does, and boots it again.
func (h *Host) PowerCycle(ctx context.Context) error {
	b, err := h.current()
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.powerOn = true
	h.mu.Unlock()
	b.cutPower()
	return h.awaitNext(ctx, b)
}

// awaitNext waits until the boot after b is up. b is gone.
func (h *Host) awaitNext(ctx context.Context, b *boot) error {
	if b.next == nil {
		return fmt.Errorf("lab: %s did not boot again: %v", h.name, b.reason)
	}
	return h.awaitUp(ctx, b.next)
}

// Kill sends a signal to a daemon that the host started: "atd" or "sshd".
func (h *Host) Kill(ctx context.Context, sig syscall.Signal, name string) error {
	pid, err := h.ReadFile(ctx, "/run/"+name+".pid")
	if err != nil {
		return err
	}
	_, _, err = h.Exec(ctx, "", "kill", "-"+strconv.Itoa(int(sig)), strings.TrimSpace(pid))
	return err
}

// LinkDown pulls the host's cable: it keeps its addresses and loses its carrier.
func (h *Host) LinkDown(ctx context.Context) error {
	return ip(ctx, 0, "link set "+h.net.port+" down")
}

// LinkUp plugs the cable in again.
func (h *Host) LinkUp(ctx context.Context) error {
	return ip(ctx, 0, "link set "+h.net.port+" up")
}

// Lose drops that share of the packets from and to the host, in percent; 0 ends it. It works in
// the bridge, so the host's own rules have no part in it.
func (h *Host) Lose(ctx context.Context, percent int) error {
	if percent < 0 || percent > 100 {
		return fmt.Errorf("lab: lose %d %% of the packets: use 0 to 100", percent)
	}
	if err := loseNothing(ctx, h.net.port); err != nil || percent == 0 {
		return err
	}
	return nft(ctx, fmt.Sprintf(`table bridge %[1]s {
	chain from { type filter hook prerouting priority 0; iifname %[1]q numgen random mod 100 <= %[2]d drop; }
	chain to { type filter hook postrouting priority 0; oifname %[1]q numgen random mod 100 <= %[2]d drop; }
}
`, h.net.port, percent-1))
}

// loseNothing removes the rules of Lose. Adding the table first makes that right when there are none.
func loseNothing(ctx context.Context, port string) error {
	return nft(ctx, fmt.Sprintf("add table bridge %[1]s\ndelete table bridge %[1]s\n", port))
}

// nft loads rules in the world's own network namespace.
func nft(ctx context.Context, rules string) error {
	cmd := exec.CommandContext(ctx, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("lab: nft: %w: %s", err, out)
	}
	return nil
}

// Qdisc replaces the queueing discipline of the host's interface, with tc(8)'s words: for example
// "tbf", "rate", "256kbit", "burst", "4kb", "latency", "400ms", or "netem", "delay", "50ms" where
// the kernel has it.
func (h *Host) Qdisc(ctx context.Context, words ...string) error {
	b, err := h.current()
	if err != nil {
		return err
	}
	args := append([]string{fmt.Sprintf("--net=/proc/%d/ns/net", b.pid), "tc", "qdisc", "replace", "dev", "eth0", "root"}, words...)
	if out, err := exec.CommandContext(ctx, "nsenter", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("lab: %s: tc %s: %w: %s", h.name, strings.Join(words, " "), err, out)
	}
	return nil
}

// FillDisk leaves the host's disk without a free byte. /run and /tmp are not on it.
func (h *Host) FillDisk() error {
	f, err := os.Create(h.fillerPath())
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	_, err = io.Copy(f, zeros{})
	if closed := f.Close(); !errors.Is(err, unix.ENOSPC) {
		return fmt.Errorf("lab: fill the disk of %s: %w", h.name, errors.Join(err, closed))
	}
	return nil
}

// FreeDisk takes FillDisk back.
func (h *Host) FreeDisk() error {
	if err := os.Remove(h.fillerPath()); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	return nil
}

// fillerPath is on the disk, beside the layer that the host sees.
func (h *Host) fillerPath() string { return filepath.Join(h.diskPath(), "filler") }

// zeros is an endless file.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
