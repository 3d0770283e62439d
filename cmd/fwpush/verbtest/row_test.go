package verbtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The tests called TestRow... are rows of the fault matrix (docs/testing.md). These are about the way
// to a host, before anything is changed on it: each host with a fault stands beside one without.

// preflight pushes to web1x, which has a fault, and to web2x, which has none. The one is left alone
// and its trouble told, the other confirmed.
func (f *fleet) preflight(code int, outcome string, says ...string) {
	f.t.Helper()
	bad, good := f.order[0], f.order[1]
	o := f.json(code, "apply", "-y", "--max-fail", "1")
	if got := o.outcomes(); got[bad] != outcome || got[good] != "confirmed" {
		f.t.Errorf("outcomes %v, want %s of %s", got, outcome, bad)
	}
	for _, h := range o.Hosts {
		if h.Name != bad {
			continue
		}
		for _, want := range says {
			if !strings.Contains(h.Error+"; "+h.Hint, want) {
				f.t.Errorf("no %q in %q; %q", want, h.Error, h.Hint)
			}
		}
	}
	if got := f.sh(bad, "nft list tables; ls -d /run/fwpush /var/lib/fwpush 2>/dev/null || true"); got != "" {
		f.t.Errorf("%s was touched: %s", bad, got)
	}
}

// mended pushes once more: it was the fault, and nothing else.
func (f *fleet) mended() {
	f.t.Helper()
	if o := f.json(0, "apply", "-y"); o.outcomes()[f.order[0]] != "confirmed" {
		f.t.Errorf("without the fault: %v", o.outcomes())
	}
}

// mute serves the SSH port of a host in place of its sshd. It counts who came and what it said.
func (f *fleet) mute(host string, pause time.Duration, banner string) (came, said *atomic.Int64, done func()) {
	f.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.t.Fatal(err)
	}
	came, said = new(atomic.Int64), new(atomic.Int64)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			came.Add(1)
			go func() {
				defer conn.Close()
				for i := range len(banner) {
					time.Sleep(pause)
					if _, err := conn.Write([]byte{banner[i]}); err != nil {
						return
					}
					said.Add(1)
				}
				_, _ = conn.Read(make([]byte, 1000)) // what a client says first
				_, _ = conn.Read(make([]byte, 1000)) // until it goes
			}()
		}
	}()
	whole := f.text()
	entry := "[hosts." + host + "]\n"
	f.file("fleet.toml", strings.Replace(whole, entry, fmt.Sprintf("%ssshd_ports = [22]\nssh.address = \"127.0.0.1\"\nssh.port = %d\n", entry, l.Addr().(*net.TCPAddr).Port), 1))
	return came, said, func() {
		l.Close()
		f.file("fleet.toml", whole)
	}
}

func (f *fleet) text() string {
	f.t.Helper()
	text, err := os.ReadFile(filepath.Join(f.dir, "fleet.toml"))
	if err != nil {
		f.t.Fatal(err)
	}
	return string(text)
}

func TestRow2ServerThatSaysNothing(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "web141", "web142")
	came, said, done := f.mute("web141", 0, "")
	began := time.Now()
	f.preflight(4, "unreachable", "within 3s")
	if took := time.Since(began); came.Load() == 0 || said.Load() != 0 || took < 3*time.Second || took > 15*time.Second {
		t.Errorf("%d connections, %d bytes said, %s", came.Load(), said.Load(), took)
	}
	done()
	f.mended()
}

// A byte now and then keeps nobody waiting for longer than the login may take.
func TestRow3ServerThatDribbles(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "web143", "web144")
	came, said, done := f.mute("web143", 300*time.Millisecond, "SSH-2.0-"+strings.Repeat("x", 200))
	began := time.Now()
	f.preflight(4, "unreachable", "within 3s")
	if took := time.Since(began); came.Load() == 0 || said.Load() < 5 || took < 3*time.Second || took > 15*time.Second {
		t.Errorf("%d connections, %d bytes said, %s", came.Load(), said.Load(), took)
	}
	done()
	f.mended()
}

// The key of a host is another one than known_hosts has, or not known at all. Nobody is asked.
func TestRow4HostKeyChangedOrUnknown(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "web145", "web146")
	old := f.sh("web145", "mkdir /root/keys; cp -p /etc/ssh/ssh_host_* /root/keys; cut -d ' ' -f 2 /etc/ssh/ssh_host_ed25519_key.pub")
	f.rekey("web145")
	if got := f.sh("web145", "ssh-keyscan -t ed25519 127.0.0.1 2>/dev/null"); got == "" || strings.Contains(got, old) {
		t.Fatalf("it still shows the old key: %s", got)
	}
	f.preflight(4, "unreachable", "host key", "known_hosts")

	known, err := os.ReadFile(world.KnownHosts())
	if err != nil {
		t.Fatal(err)
	}
	addr := f.hosts["web145"].Addr4().String()
	f.file("known_hosts", withoutLine(string(known), addr+","))
	whole := f.text()
	f.file("fleet.toml", strings.ReplaceAll(whole, world.KnownHosts(), "known_hosts"))
	o := f.json(4, "apply", "-y")
	if h := o.Hosts[0]; h.Outcome != "unreachable" || !strings.Contains(h.Error, "host key") || !strings.Contains(h.Error+h.Hint, "fwpush trust") {
		t.Errorf("unknown: %s: %s; %s", h.Outcome, h.Error, h.Hint)
	}
	f.file("fleet.toml", whole)
	f.sh("web145", `cp -p /root/keys/* /etc/ssh/; kill -HUP $(cat /run/sshd.pid)
n=0; until ssh-keyscan -t ed25519 127.0.0.1 2>/dev/null | grep -qF '`+old+`'; do n=$((n + 1)); [ $n -lt 100 ]; sleep 0.05; done`)
	f.mended()
}

func withoutLine(text, start string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, start) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// known_hosts has a key of a type that the host would not show first: that one is asked for.
func TestRow5KnownHostsHasAnotherTypeOfKey(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "web147", "web148")
	key := f.sh("web147", `ssh-keygen -q -t ecdsa -N '' -f /etc/ssh/ssh_host_ecdsa_key
echo 'HostKey /etc/ssh/ssh_host_ecdsa_key' >>/etc/ssh/sshd_config; kill -HUP $(cat /run/sshd.pid)
n=0; until ssh-keyscan -t ecdsa 127.0.0.1 2>/dev/null | grep -q ecdsa; do n=$((n + 1)); [ $n -lt 100 ]; sleep 0.05; done
cut -d ' ' -f 1-2 /etc/ssh/ssh_host_ecdsa_key.pub`)
	known, err := os.ReadFile(world.KnownHosts())
	if err != nil {
		t.Fatal(err)
	}
	addr := f.hosts["web147"].Addr4().String()
	f.file("known_hosts", withoutLine(string(known), addr+",")+addr+" "+key+"\n")
	f.file("fleet.toml", strings.ReplaceAll(f.text(), world.KnownHosts(), "known_hosts"))
	// The control: who asks for ed25519 is shown a key that is not known.
	ssh := exec.CommandContext(t.Context(), "ssh", "-F", "none", "-i", world.KeyFile(), "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes",
		"-o", "UserKnownHostsFile="+filepath.Join(f.dir, "known_hosts"), "-o", "GlobalKnownHostsFile=none", "-o", "HostKeyAlgorithms=ssh-ed25519", "root@"+addr, "true")
	if out, err := ssh.CombinedOutput(); err == nil || !strings.Contains(string(out), "Host key verification failed") {
		t.Fatalf("by its ed25519 key it can be reached: %v\n%s", err, out)
	}
	if o := f.json(0, "apply", "-y"); o.outcomes()["web147"] != "confirmed" {
		t.Errorf("%v", o.Hosts)
	}
}

func TestRow6SudoWantsAPassword(t *testing.T) {
	t.Parallel()
	f := becoming(t, map[string]string{"web149": "right", "web150": "right"}, "web149", "web150")
	f.sh("web150", "echo 'ops ALL=(ALL:ALL) NOPASSWD: ALL' >/etc/sudoers.d/ops")
	if got := f.sh("web149", "su ops -c 'sudo -n true' 2>&1 || true"); !strings.Contains(got, "a password is required") {
		t.Fatalf("sudo wants none: %s", got)
	}
	f.preflight(3, "failed", "a password is required", "--ask-become-pass or --become-pass-command")
	f.sh("web149", "echo 'ops ALL=(ALL:ALL) NOPASSWD: ALL' >/etc/sudoers.d/ops")
	f.mended()
}

// A host without nft, or with one that is too old, and without iptables to stand in.
func TestRow7NftMissingOrTooOld(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "web151", "web152")
	without := "mkdir -p /root/off; for p in nft iptables iptables-nft iptables-legacy iptables-restore ip6tables-restore; do q=$(command -v $p) && mv $q /root/off || true; done"
	f.sh("web151", without)
	if got := f.sh("web151", "command -v nft || echo none"); got != "none" {
		t.Fatalf("there is nft: %s", got)
	}
	f.preflightWithoutNft("nft")
	// One of before tables of family inet had what our rules are made of.
	f.sh("web151", `cat >/usr/sbin/nft <<'X'
#!/bin/sh
case "$*" in
--version) echo 'nftables v0.6 (Support Edward Snowden)' ;;
*list*) echo 'Error: Could not process rule: No such file or directory' >&2; exit 1 ;;
*) echo '/dev/stdin:1:1-5: Error: syntax error, unexpected string' >&2; exit 1 ;;
esac
X
chmod 755 /usr/sbin/nft`)
	f.preflightWithoutNft("syntax error")
	f.sh("web151", "rm /usr/sbin/nft; mv /root/off/* /usr/sbin/")
	f.mended()
}

func (f *fleet) preflightWithoutNft(says string) {
	f.t.Helper()
	o := f.json(3, "apply", "-y", "--max-fail", "1")
	if h := o.Hosts[0]; h.Outcome != "failed" || !strings.Contains(h.Error, says) || h.Hint == "" {
		f.t.Errorf("%s: %s; %s", h.Outcome, h.Error, h.Hint)
	}
	if got := f.sh("web151", "ls -d /run/fwpush /var/lib/fwpush 2>/dev/null || true"); got != "" {
		f.t.Errorf("it was touched: %s", got)
	}
	if got := o.outcomes()["web152"]; got != "confirmed" && got != "unchanged" {
		f.t.Errorf("the other is %s", got)
	}
}
