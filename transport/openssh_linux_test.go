package transport

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh/knownhosts"

	"fwpush/inventory"
)

// sshdHost is a real OpenSSH server on a loopback port, with files of its own.
type sshdHost struct {
	addr     netip.AddrPort
	dir      string
	identity string
	stop     func()
}

func need(t testing.TB, names ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("needs root, to give sshd files of its own in a mount namespace: run the tests as root")
	}
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Fatalf("needs %s: apt-get install openssh-server openssh-client util-linux", name)
		}
	}
}

func run(t testing.TB, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// newSSHD starts sshd with an ed25519 and an ECDSA host key. Root's account in
// it has an empty home directory and /bin/sh.
func newSSHD(t testing.TB, config string) *sshdHost {
	t.Helper()
	need(t, "sshd", "ssh-keygen", "unshare")
	h := &sshdHost{dir: t.TempDir()}
	for _, kind := range []string{"ed25519", "ecdsa"} {
		run(t, nil, "ssh-keygen", "-q", "-t", kind, "-N", "", "-f", h.path("host_"+kind))
	}
	h.identity = h.newIdentity(t, "id", "")
	if err := os.Mkdir(h.path("home"), 0o700); err != nil {
		t.Fatal(err)
	}
	h.write(t, "passwd", "root:x:0:0:root:"+h.path("home")+":/bin/sh\nsshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n")
	h.write(t, "shadow", "root:*:19000:0:99999:7:::\nsshd:*:19000:0:99999:7:::\n")
	h.start(t, config)
	return h
}

func (h *sshdHost) path(name string) string { return filepath.Join(h.dir, name) }

func (h *sshdHost) write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(h.path(name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// newIdentity makes a key that may log in.
func (h *sshdHost) newIdentity(t testing.TB, name, passphrase string) string {
	t.Helper()
	run(t, nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", h.path(name))
	public, err := os.ReadFile(h.path(name + ".pub"))
	if err != nil {
		t.Fatal(err)
	}
	known, _ := os.ReadFile(h.path("authorized_keys"))
	h.write(t, "authorized_keys", string(known)+string(public))
	return h.path(name)
}

// start runs sshd in the foreground until the test ends.
func (h *sshdHost) start(t testing.TB, config string) {
	t.Helper()
	if !h.addr.IsValid() {
		listener, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		h.addr = addrPort(listener.Addr())
		listener.Close()
	}
	h.write(t, "sshd_config", config+fmt.Sprintf(`
ListenAddress %s
HostKey %s
HostKey %s
AuthorizedKeysFile %s
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
PidFile none
`, h.addr, h.path("host_ed25519"), h.path("host_ecdsa"), h.path("authorized_keys")))
	const script = `mount -t tmpfs tmpfs /run && mkdir /run/sshd &&
mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/shadow" /etc/shadow &&
exec "$2" -D -e -f "$1/sshd_config"`
	sshd, err := exec.LookPath("sshd")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "-m", "sh", "-c", script, "sh", h.dir, sshd)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	h.stop = serve(t, cmd, "Server listening on")
}

// serve starts a server and waits until it has printed a text.
func serve(t testing.TB, cmd *exec.Cmd, ready string) (stop func()) {
	t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	up := make(chan struct{})
	var text bytes.Buffer
	go func() {
		defer close(read)
		for s := bufio.NewScanner(out); s.Scan(); {
			fmt.Fprintln(&text, s.Text())
			if strings.Contains(s.Text(), ready) {
				close(up)
				ready = "\x00"
			}
		}
	}()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cmd.Process.Kill()
		cmd.Wait()
		out.Close()
		<-read
	}
	t.Cleanup(stop)
	select {
	case <-up:
	case <-read:
		t.Fatalf("%s ended:\n%s", cmd, text.String())
	}
	return stop
}

func (h *sshdHost) endpoint(t testing.TB) inventory.Endpoint {
	t.Helper()
	text, err := os.ReadFile(h.path("host_ed25519.pub"))
	if err != nil {
		t.Fatal(err)
	}
	line := knownhosts.Normalize(h.addr.String()) + " " + string(text)
	return inventory.Endpoint{
		Name: "real", Address: h.addr.Addr().String(), Port: h.addr.Port(), User: "root",
		Identity: []string{h.identity}, KnownHosts: []string{writeFile(t, "known_hosts", line)},
	}
}
