package lab_test

import (
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fwpush/internal/lab"
)

const bootLimit = time.Minute

// answers tells whether the host's sshd sends anything within a second.
func answers(t *testing.T, h *lab.Host) bool {
	t.Helper()
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(h.Addr4().String(), strconv.Itoa(h.Port())), time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	_, err = conn.Read(make([]byte, 1))
	return err == nil
}

// answersSoon gives a host on a busy machine time to answer.
func answersSoon(t *testing.T, h *lab.Host) bool {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		if answers(t, h) {
			return true
		}
	}
	return false
}

func TestPowerCycle(t *testing.T) {
	h := start(t, lab.HostOptions{Name: "power"})
	before := run(t, h, "cat", "/proc/sys/kernel/random/boot_id")
	run(t, h, "sh", "-c", "nft add table inet mine; touch /root/kept /run/gone; echo touch /root/late | at -M now + 1 hour")
	if err := h.PowerCycle(within(t, bootLimit)); err != nil {
		t.Fatal(err)
	}
	if run(t, h, "cat", "/proc/sys/kernel/random/boot_id") == before {
		t.Error("the same boot id")
	}
	if got := run(t, h, "sh", "-c", "nft list tables; ls /root/kept /run/gone 2>/dev/null; atq | wc -l"); got != "/root/kept\n1" {
		t.Errorf("after the power cut: %q, want the disk and the spool alone", got)
	}
	if err := h.Reboot(within(t, bootLimit)); err == nil {
		t.Error("a light host was rebooted by a systemd that it has not got")
	}
}

func TestLink(t *testing.T) {
	h := start(t, lab.HostOptions{Name: "link"})
	if err := h.LinkDown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if answers(t, h) {
		t.Error("the host answers without a cable")
	}
	if got := run(t, h, "ip", "-o", "address", "show", "dev", "eth0"); !strings.Contains(got, h.Addr4().String()) || !strings.Contains(got, h.Addr6().String()) {
		t.Errorf("addresses without a cable: %s", got)
	}
	if err := h.LinkUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an answer with the cable back", func() bool { return answers(t, h) })
}

func TestLosePackets(t *testing.T) {
	h := start(t, lab.HostOptions{Name: "lossy"})
	other := start(t, lab.HostOptions{Name: "sound"})
	if err := h.Lose(t.Context(), 100); err != nil {
		t.Fatal(err)
	}
	if answers(t, h) {
		t.Error("the host answers though all packets are lost")
	}
	if !answersSoon(t, other) {
		t.Error("another host lost its packets")
	}
	if err := h.Lose(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if !answersSoon(t, h) {
		t.Error("the host does not answer though no packet is lost")
	}
}

func TestSlowLink(t *testing.T) {
	h := start(t, lab.HostOptions{Name: "slow"})
	if err := h.Qdisc(t.Context(), "tbf", "rate", "800kbit", "burst", "4kb", "latency", "400ms"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := login(t, h, "root", h.Addr4().String(), "head -c 100000 /dev/urandom"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 900*time.Millisecond {
		t.Errorf("100 kB at 100 kB/s took %v", took)
	}
}

func TestStoppedDaemon(t *testing.T) {
	h := start(t, lab.HostOptions{Name: "stopped"})
	for _, step := range []struct {
		signal unix.Signal
		want   bool
	}{{unix.SIGSTOP, false}, {unix.SIGCONT, true}, {unix.SIGKILL, false}} {
		if err := h.Kill(t.Context(), step.signal, "sshd"); err != nil {
			t.Fatal(err)
		}
		if got := answers(t, h); got != step.want {
			t.Errorf("after %v the host answers: %v", step.signal, got)
		}
	}
	if err := h.Kill(t.Context(), unix.SIGKILL, "atd"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of atd", func() bool { return run(t, h, "sh", "-c", "ps -C atd -o pid= || :") == "" })
}

func TestFullDisk(t *testing.T) {
	h := start(t, lab.HostOptions{Name: "full", DiskMB: 16})
	if err := h.FillDisk(); err != nil {
		t.Fatal(err)
	}
	if err := h.WriteFile(t.Context(), "/root/new", "text"); err == nil || !strings.Contains(err.Error(), "No space left") {
		t.Errorf("writing to a full disk: %v", err)
	}
	if err := h.WriteFile(t.Context(), "/run/new", "text"); err != nil {
		t.Error(err)
	}
	if err := h.FreeDisk(); err != nil {
		t.Fatal(err)
	}
	if err := h.WriteFile(t.Context(), "/root/new", "text"); err != nil {
		t.Error(err)
	}
}

// TestNarrowPath moves more than a window of data both ways over a path whose narrow link neither
// end can see, and looks at what the ends have learnt of it.
func TestNarrowPath(t *testing.T) {
	h := start(t, lab.HostOptions{Name: "narrow", PathMTU: 1300})
	neighbour := start(t, lab.HostOptions{Name: "wide"})
	if got := run(t, h, "cat", "/sys/class/net/eth0/mtu"); got != "1500" {
		t.Errorf("the host's own link has MTU %s", got)
	}
	for _, addr := range []struct{ host, controller string }{
		{h.Addr4().String(), world.Addr4().String()}, {h.Addr6().String(), world.Addr6().String()},
	} {
		const size = 200_000
		out, err := login(t, h, "root", addr.host, fmt.Sprintf("head -c %d /dev/zero | tr '\\0' x", size))
		if err != nil || len(out) != size {
			t.Errorf("from %s: %d bytes of %d, %v", addr.host, len(out), size, err)
		}
		if got := run(t, h, "ip", "route", "get", addr.controller); !strings.Contains(got, "mtu 1300") {
			t.Errorf("the host has not learnt the path MTU to %s: %s", addr.controller, got)
		}
		upload(t, h, addr.host, size)
		if got, err := exec.CommandContext(t.Context(), "ip", "route", "get", addr.host).Output(); err != nil || !strings.Contains(string(got), "mtu 1300") {
			t.Errorf("the controller has not learnt the path MTU to %s: %s %v", addr.host, got, err)
		}
		run(t, neighbour, "ping", "-c", "1", "-W", "5", addr.host)
	}
	if err := h.PowerCycle(within(t, bootLimit)); err != nil {
		t.Errorf("behind its routers: %v", err)
	}
}

// upload sends bytes to the host by ssh, and checks that it counts as many.
func upload(t *testing.T, h *lab.Host, addr string, size int) {
	t.Helper()
	cmd := exec.CommandContext(within(t, time.Minute), "ssh", "-F", "none", "-i", world.KeyFile(),
		"-o", "UserKnownHostsFile="+world.KnownHosts(), "-o", "BatchMode=yes", "root@"+addr, "wc -c")
	cmd.Stdin = io.LimitReader(neverEnding('x'), int64(size))
	out, err := cmd.Output()
	if err != nil || strings.TrimSpace(string(out)) != strconv.Itoa(size) {
		t.Errorf("to %s: %s bytes of %d, %v", addr, out, size, err)
	}
}

type neverEnding byte

func (b neverEnding) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}
