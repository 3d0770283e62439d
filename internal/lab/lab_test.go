package lab_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fwpush/internal/lab"
)

// world is set once, before the tests run: a world is the process itself.
var world *lab.World

func TestMain(m *testing.M) {
	code, err := lab.Enter(func(w *lab.World) int {
		if os.Getenv(envVictim) != "" {
			return victim(w)
		}
		world = w
		return m.Run()
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// start gives a host that is stopped at the end of the test.
func start(t *testing.T, o lab.HostOptions) *lab.Host {
	t.Helper()
	h, err := world.Host(within(t, time.Minute), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Stop(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// root gives the root tree of a release. The first one takes about a minute to make.
func root(t *testing.T, suite string) string {
	t.Helper()
	dir, err := world.Root(within(t, 10*time.Minute), suite)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// run returns the trimmed output of a command on a host.
func run(t *testing.T, h *lab.Host, argv ...string) string {
	t.Helper()
	out, _, err := h.Exec(within(t, time.Minute), "", argv...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// login runs a command on a host through its sshd, as fwpush's users would.
func login(t *testing.T, h *lab.Host, user, addr, command string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(within(t, time.Minute), "ssh", "-F", "none", "-i", world.KeyFile(),
		"-o", "UserKnownHostsFile="+world.KnownHosts(), "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes",
		"-o", "ConnectTimeout=5", "-p", strconv.Itoa(h.Port()), user+"@"+addr, command)
	out, err := cmd.Output()
	if exit, ok := err.(*exec.ExitError); ok {
		err = fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}

// eventually asks again and again until ok, for what no event tells of.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(30 * time.Second); !ok(); {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("%s: not within 30 s", what)
		}
	}
}

func TestHostHasItsOwnNameRulesAndQueue(t *testing.T) {
	a := start(t, lab.HostOptions{Name: "own1"})
	b := start(t, lab.HostOptions{Name: "own2"})
	for _, h := range []*lab.Host{a, b} {
		if got := run(t, h, "hostname"); got != h.Name() {
			t.Errorf("host name %q, want %q", got, h.Name())
		}
	}
	run(t, a, "nft", "add", "table", "inet", "mine")
	run(t, a, "sh", "-c", "echo true | at -M now + 1 hour")
	if got := run(t, b, "nft", "list", "tables"); got != "" {
		t.Errorf("the other host has rules of the first: %q", got)
	}
	if got := run(t, b, "atq"); got != "" {
		t.Errorf("the other host has a job of the first: %q", got)
	}
	if got := run(t, a, "nft", "list", "tables"); got != "table inet mine" {
		t.Errorf("rules of the first host: %q", got)
	}
	if run(t, a, "cat", "/etc/machine-id") == run(t, b, "cat", "/etc/machine-id") {
		t.Error("two hosts with one machine id")
	}
}

// A job must see the rules, the name and the files of its own host: without private mounts over
// /run and the spool it would run in the machine's.
func TestJobRunsInItsHost(t *testing.T) {
	h := start(t, lab.HostOptions{Name: "job"})
	start(t, lab.HostOptions{Name: "bystander"})
	run(t, h, "nft", "add", "table", "inet", "seen")
	run(t, h, "sh", "-c", "echo '{ hostname; nft list tables; } >/root/out.part; mv /root/out.part /root/out' | at -M now")
	eventually(t, "the job's output", func() bool {
		_, err := h.ReadFile(t.Context(), "/root/out")
		return err == nil
	})
	if got := run(t, h, "cat", "/root/out"); got != "job\ntable inet seen" {
		t.Errorf("the job saw %q", got)
	}
}

// The tree a host is made of may have jobs queued: those of the machine, when it is the machine's.
func TestJobsOfTheTreeAreGone(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"upper/var/spool/cron/atjobs", "work", "tree"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "upper/var/spool/cron/atjobs/a0000101c2b2a3"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	tree := filepath.Join(dir, "tree")
	if err := unix.Mount("overlay", tree, "overlay", 0, fmt.Sprintf("lowerdir=/,upperdir=%[1]s/upper,workdir=%[1]s/work", dir)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(tree, 0); err != nil {
			t.Error(err)
		}
	})
	h := start(t, lab.HostOptions{Name: "queue", Root: tree})
	if got := run(t, h, "ls", "/var/spool/cron/atjobs"); got != "" {
		t.Errorf("the host has the machine's jobs: %s", got)
	}
}

func TestHostCannotReachTheMachine(t *testing.T) {
	h := start(t, lab.HostOptions{Name: "jail"})
	const trace = "/usr/lab-trace"
	if err := h.WriteFile(t.Context(), trace, "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(trace); err == nil {
		t.Error("a file written on the host is on the machine")
	}
	// What is written is what was there, so that nothing happens to the machine should this fail.
	if got := run(t, h, "sh", "-c", `s=/proc/sys/vm/swappiness; v=$(cat $s); (echo "$v" >$s) 2>/dev/null || echo refused`); got != "refused" {
		t.Error("a host may change the machine's kernel settings")
	}
	// Nobody tries it: success would set the machine's clock, or load a module.
	caps, err := strconv.ParseUint(run(t, h, "sed", "-n", `s/^CapBnd:[[:space:]]*//p`, "/proc/self/status"), 16, 64)
	if err != nil || caps&(1<<unix.CAP_SYS_TIME|1<<unix.CAP_SYS_MODULE) != 0 {
		t.Errorf("a host may set the machine's clock or load modules: %x %v", caps, err)
	}
	if got := run(t, h, "cat", "/proc/mounts"); strings.Contains(got, "/dev/vd") || strings.Contains(got, "/dev/sd") {
		t.Errorf("the machine's mounts are still there:\n%s", got)
	}
}

func TestLoginOverBothFamilies(t *testing.T) {
	h := start(t, lab.HostOptions{Name: "login", Port: 2222, Users: []lab.User{{Name: "plain"}, {Name: "ops", Sudo: true}}})
	for _, addr := range []string{h.Addr4().String(), h.Addr6().String()} {
		for user, command := range map[string]string{"root": "id -u", "ops": "sudo -n id -u"} {
			if got, err := login(t, h, user, addr, command); err != nil || got != "0" {
				t.Errorf("%s@%s: %q %v", user, addr, got, err)
			}
		}
		if got, err := login(t, h, "plain", addr, "sudo -n id -u"); err == nil {
			t.Errorf("a plain user became root: %q", got)
		}
	}
	log, err := h.Console()
	if err != nil || strings.Count(log, "Accepted publickey for root") != 2 {
		t.Errorf("console does not show 2 logins of root (%v):\n%s", err, log)
	}
}

func TestSSHDOptionsPrevail(t *testing.T) {
	h := start(t, lab.HostOptions{Name: "sshd", SSHD: []string{"MaxStartups 1:30:2", "PermitRootLogin no"}})
	if got := run(t, h, "sh", "-c", "sshd -T 2>/dev/null | grep -E '^(maxstartups|permitrootlogin)'"); got != "permitrootlogin no\nmaxstartups 1:30:2" {
		t.Errorf("sshd runs with %q", got)
	}
	if _, err := login(t, h, "root", h.Addr4().String(), "true"); err == nil {
		t.Error("root was let in")
	}
}

// A host remembers the controller's link layer address for minutes, so it must not change with
// the hosts that there are.
func TestControllerKeepsItsAddresses(t *testing.T) {
	at := func() string {
		link, err := net.InterfaceByName("fwlab0")
		if err != nil {
			t.Fatal(err)
		}
		return link.HardwareAddr.String()
	}
	before := at()
	for range 3 {
		h, err := world.Host(within(t, time.Minute), lab.HostOptions{Name: "passing"})
		if err != nil {
			t.Fatal(err)
		}
		if now := at(); now != before {
			t.Errorf("with another host the controller is at %s, before at %s", now, before)
		}
		if err := h.Stop(); err != nil {
			t.Fatal(err)
		}
		if now := at(); now != before {
			t.Errorf("without that host the controller is at %s, before at %s", now, before)
		}
	}
}

func TestOrphansAreReaped(t *testing.T) {
	h := start(t, lab.HostOptions{Name: "orphan"})
	run(t, h, "sh", "-c", "for i in 1 2 3 4 5; do (sh -c 'sleep 0.1' &); done")
	eventually(t, "no zombie and no sleeper left", func() bool {
		for line := range strings.Lines(run(t, h, "ps", "-e", "-o", "stat=,args=")) {
			if strings.HasPrefix(line, "Z") || strings.HasSuffix(strings.TrimSpace(line), "sleep 0.1") {
				return false
			}
		}
		return true
	})
}

func TestWithoutHidesATool(t *testing.T) {
	h := start(t, lab.HostOptions{Name: "bare", Without: []string{"/usr/bin/at", "/usr/sbin/atd"}})
	if got := run(t, h, "sh", "-c", "command -v at atd || echo none"); got != "none" {
		t.Errorf("still there: %s", got)
	}
}

func TestNamesAndErrors(t *testing.T) {
	h := start(t, lab.HostOptions{Name: "taken"})
	for _, name := range []string{"", "Web", "a b", "-a", "../x", "taken"} {
		if _, err := world.Host(t.Context(), lab.HostOptions{Name: name}); err == nil {
			t.Errorf("a host named %q was started", name)
		}
	}
	_, err := world.Host(t.Context(), lab.HostOptions{Name: "broken", Without: []string{"usr/sbin/sshd"}})
	if err == nil || !strings.Contains(err.Error(), "broken") || !strings.Contains(err.Error(), "no /usr/sbin/sshd") {
		t.Errorf("a host without sshd: error %v does not tell what is wrong", err)
	}
	if err := h.Stop(); err != nil {
		t.Error(err)
	}
	if _, _, err := h.Exec(t.Context(), "", "true"); err == nil || !strings.Contains(err.Error(), "stopped") {
		t.Errorf("a command on a stopped host: %v", err)
	}
	start(t, lab.HostOptions{Name: "taken"}) // the name is free again
}

func TestManyHostsAtOnce(t *testing.T) {
	const n = 20
	began := time.Now()
	var wg sync.WaitGroup
	hosts, errs := make([]*lab.Host, n), make([]error, n)
	for i := range n {
		wg.Go(func() { hosts[i], errs[i] = world.Host(t.Context(), lab.HostOptions{Name: fmt.Sprintf("many%d", i)}) })
	}
	wg.Wait()
	t.Logf("%d hosts up after %v", n, time.Since(began).Round(time.Millisecond))
	for i, h := range hosts {
		if errs[i] != nil {
			t.Error(errs[i])
			continue
		}
		if got := run(t, h, "hostname"); got != h.Name() {
			t.Errorf("%s says %q", h.Name(), got)
		}
		if err := h.Stop(); err != nil {
			t.Error(err)
		}
	}
}
