package transport

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"fwpush/inventory"
	"fwpush/transport/trust"
)

func dialReal(t testing.TB, ep inventory.Endpoint) *Conn {
	t.Helper()
	conn, err := New(Options{}).Dial(t.Context(), ep)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// output runs a command and returns all of stdout.
func output(t testing.TB, conn *Conn, stdin []byte, command string) (string, error) {
	t.Helper()
	x := start(t, conn, command)
	if _, err := x.Write(stdin); err != nil {
		t.Fatal(err)
	}
	if err := x.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for {
		line, err := x.ReadLine(t.Context())
		if err != nil {
			return b.String(), x.Wait(t.Context())
		}
		b.WriteString(line + "\n")
	}
}

func TestRealSSHD(t *testing.T) {
	h := newSSHD(t, "")
	ep := h.endpoint(t)
	conn := dialReal(t, ep)

	t.Run("command", func(t *testing.T) {
		out, err := output(t, conn, nil, "id -u; echo $0; echo no >&2; exit 7")
		var exit *ExitError
		if out != "0\n/bin/sh\n" && out != "0\nsh\n" || !errors.As(err, &exit) || exit.Status != 7 || exit.Stderr != "no\n" {
			t.Errorf("got %q, %v", out, err)
		}
	})
	t.Run("nothing is forwarded", func(t *testing.T) {
		t.Setenv("LANG", "xx_XX.UTF-8")
		t.Setenv("LC_ALL", "C")
		out, err := output(t, conn, nil, "tty; env")
		if err != nil || !strings.HasPrefix(out, "not a tty\n") {
			t.Errorf("got %q, %v", out, err)
		}
		for _, name := range []string{"SSH_AUTH_SOCK", "DISPLAY", "SSH_TTY", "LANG", "LC_ALL"} {
			if strings.Contains(out, name+"=") {
				t.Errorf("%s is set on the host:\n%s", name, out)
			}
		}
	})
	t.Run("1 MiB of stdin", func(t *testing.T) {
		data := make([]byte, 1<<20)
		rand.Read(data)
		out, err := output(t, conn, data, "sha256sum")
		if want := fmt.Sprintf("%x  -\n", sha256.Sum256(data)); out != want || err != nil {
			t.Errorf("got %q, %v, want %q", out, err, want)
		}
	})
	t.Run("signal", func(t *testing.T) {
		_, err := output(t, conn, nil, "kill -KILL $$")
		var exit *ExitError
		if !errors.As(err, &exit) || exit.Signal != "KILL" {
			t.Errorf("got %v", err)
		}
	})
	t.Run("dialogue", func(t *testing.T) {
		x := start(t, conn, `sh -s -- "$SSH_CONNECTION"`)
		fmt.Fprintln(x, `f() { echo "$1"; read -r word; echo "heard $word"; exit; }; f "$@"`)
		seen, err := x.ReadLine(t.Context())
		if want := strings.ReplaceAll(conn.LocalAddr().String()+" "+conn.RemoteAddr().String(), ":", " "); seen != want || err != nil {
			t.Errorf("SSH_CONNECTION %q, %v, want %q", seen, err, want)
		}
		fmt.Fprintln(x, "apply")
		if line, err := x.ReadLine(t.Context()); line != "heard apply" || err != nil {
			t.Errorf("got %q, %v", line, err)
		}
		if err := x.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("fresh connection", func(t *testing.T) {
		again, err := New(Options{}).Redial(t.Context(), conn.Pinned())
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		out, err := output(t, again, nil, "echo $SSH_CONNECTION")
		if port := strconv.Itoa(int(again.LocalAddr().Port())); err != nil || !strings.Contains(out, " "+port+" ") {
			t.Errorf("got %q, %v", out, err)
		}
	})
	t.Run("endless output", func(t *testing.T) {
		conn := dialReal(t, ep)
		x := start(t, conn, "yes")
		within(t, 20*time.Second, "Wait", func() {
			if err := x.Wait(t.Context()); !errors.Is(err, ErrTooMuch) {
				t.Errorf("got %v", err)
			}
		})
	})
	t.Run("connection lost", func(t *testing.T) {
		conn := dialReal(t, ep)
		x := start(t, conn, "echo started; read -r word; kill -KILL $PPID; read -r word")
		if line, err := x.ReadLine(t.Context()); line != "started" || err != nil {
			t.Fatalf("got %q, %v", line, err)
		}
		fmt.Fprintln(x, "go")
		var lost *LostError
		if line, err := x.ReadLine(t.Context()); line != "" || !errors.As(err, &lost) {
			t.Errorf("got %q, %v", line, err)
		}
	})
	t.Run("background process keeps stdout", func(t *testing.T) {
		conn := dialReal(t, ep)
		x := start(t, conn, "sleep 300 & echo $!")
		pid, err := x.ReadLine(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x.ReadLine(shortly(t)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		other := dialReal(t, ep)
		if _, err := output(t, other, nil, "kill "+pid); err != nil {
			t.Error(err)
		}
		if err := x.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("unknown key", func(t *testing.T) {
		ep := ep
		ep.Identity = []string{h.path("stranger")}
		run(t, nil, "ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", h.path("stranger"))
		_, err := New(Options{}).Dial(t.Context(), ep)
		var auth *AuthError
		if !errors.As(err, &auth) || strings.Join(auth.Methods, " ") != "publickey" {
			t.Errorf("got %v", err)
		}
	})
	t.Run("changed host key", func(t *testing.T) {
		target := conn.Pinned()
		h.stop()
		for _, suffix := range []string{"", ".pub"} {
			if err := os.Remove(h.path("host_ed25519" + suffix)); err != nil {
				t.Fatal(err)
			}
		}
		run(t, nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", h.path("host_ed25519"))
		h.start(t, "")
		for name, dial := range map[string]func() (*Conn, error){
			"dial":   func() (*Conn, error) { return New(Options{}).Dial(t.Context(), ep) },
			"redial": func() (*Conn, error) { return New(Options{}).Redial(t.Context(), target) },
		} {
			_, err := dial()
			var refused *HostKeyError
			if !errors.As(err, &refused) || refused.Kind != trust.Changed {
				t.Errorf("%s: got %v", name, err)
			}
		}
	})
}

// Keepalives end what goes on with a host that is there for the kernels alone, and leave
// alone one that is silent because its command is.
func TestRealSSHDKeepAlive(t *testing.T) {
	h := newSSHD(t, "")
	d := New(Options{KeepAlive: 500 * time.Millisecond})
	dial := func() *Conn {
		conn, err := d.Dial(t.Context(), h.endpoint(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	stopped, silent := dial(), dial()
	quiet := start(t, silent, "sleep 3")
	x := start(t, stopped, "echo $PPID; read x; kill -STOP $PPID")
	line, err := x.ReadLine(t.Context())
	if pid, e := strconv.Atoi(line); e != nil || err != nil {
		t.Fatal(line, e, err)
	} else {
		defer func() { _ = syscall.Kill(pid, syscall.SIGKILL) }() // nothing else would end it
	}
	if _, err := x.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	within(t, missedKeepAlives*500*time.Millisecond+slack, "the end", func() {
		var lost *LostError
		if err := x.Wait(t.Context()); !errors.As(err, &lost) || !strings.Contains(err.Error(), "no sign of life for ") {
			t.Errorf("stopped: %v", err)
		}
	})
	if err := quiet.Wait(t.Context()); err != nil {
		t.Errorf("silent: %v", err)
	}
}

// What the host offers and we lack is named.
func TestRealSSHDNoCommonAlgorithm(t *testing.T) {
	const missing = "sntrup761x25519-sha512@openssh.com"
	h := newSSHD(t, "KexAlgorithms "+missing)
	_, err := New(Options{}).Dial(t.Context(), h.endpoint(t))
	var dial *DialError
	if !errors.As(err, &dial) || dial.Kind != DialProtocol || !strings.Contains(err.Error(), "no key exchange in common: the host offers only "+missing) {
		t.Errorf("got %v", err)
	}
}

// A host that wants something other than a key, or more, is told apart from one
// that refuses the key.
func TestRealSSHDWantsOtherThanKeys(t *testing.T) {
	tests := []struct{ name, config, want string }{
		{"no keys", "PubkeyAuthentication no\nPasswordAuthentication yes",
			"login as root: the server takes no keys; the server accepts: password; set PubkeyAuthentication yes in the host's sshd_config"},
		{"a key and a password", "AuthenticationMethods publickey,password\nPermitRootLogin yes\nPasswordAuthentication yes",
			"login as root: a key is not enough for this host; the server accepts: password; allow root a key alone with AuthenticationMethods in the host's sshd_config"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New(Options{}).Dial(t.Context(), newSSHD(t, tt.config).endpoint(t))
			var auth *AuthError
			if !errors.As(err, &auth) || !strings.HasSuffix(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

// Key types, certificates of both sides and a real agent.
func TestRealSSHDKeys(t *testing.T) {
	need(t, "ssh-agent", "ssh-add")
	h := newSSHD(t, "")
	h.stop()
	run(t, nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", h.path("ca"))
	run(t, nil, "ssh-keygen", "-q", "-s", h.path("ca"), "-h", "-I", "real", "-n", "127.0.0.1", h.path("host_ecdsa.pub"))
	h.start(t, "HostCertificate "+h.path("host_ecdsa-cert.pub")+"\nTrustedUserCAKeys "+h.path("ca.pub")+"\nMaxAuthTries 2\n")
	ep := h.endpoint(t)

	t.Run("rsa", func(t *testing.T) {
		ep := ep
		run(t, nil, "ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-m", "PEM", "-f", h.path("rsa"))
		public, err := os.ReadFile(h.path("rsa.pub"))
		if err != nil {
			t.Fatal(err)
		}
		known, _ := os.ReadFile(h.path("authorized_keys"))
		h.write(t, "authorized_keys", string(known)+string(public))
		ep.Identity = []string{h.path("rsa")}
		dialReal(t, ep)
	})
	t.Run("host certificate", func(t *testing.T) {
		ep := ep
		ca, err := os.ReadFile(h.path("ca.pub"))
		if err != nil {
			t.Fatal(err)
		}
		ep.KnownHosts = []string{writeFile(t, "known_hosts", "@cert-authority * "+string(ca))}
		dialReal(t, ep)
	})
	t.Run("user certificate", func(t *testing.T) {
		ep := ep
		run(t, nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", h.path("certified"))
		run(t, nil, "ssh-keygen", "-q", "-s", h.path("ca"), "-I", "me", "-n", "root", h.path("certified.pub"))
		ep.Identity = []string{h.path("certified")}
		dialReal(t, ep)
	})
	t.Run("agent", func(t *testing.T) {
		dir, err := os.MkdirTemp("", "agent")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		socket := filepath.Join(dir, "s")
		cmd := exec.Command("ssh-agent", "-D", "-a", socket)
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		serve(t, cmd, "SSH_AUTH_SOCK=")
		t.Setenv("SSH_AUTH_SOCK", socket)

		ep := ep
		locked := h.newIdentity(t, "locked", "secret")
		ep.Identity = []string{locked}
		if _, err := New(Options{}).Dial(t.Context(), ep); err == nil || !strings.Contains(err.Error(), "ssh-add "+locked) {
			t.Errorf("before ssh-add: %v", err)
		}
		h.write(t, "askpass", "#!/bin/sh\necho secret\n")
		if err := os.Chmod(h.path("askpass"), 0o755); err != nil {
			t.Fatal(err)
		}
		run(t, []string{"SSH_ASKPASS=" + h.path("askpass"), "SSH_ASKPASS_REQUIRE=force", "DISPLAY=:0"}, "ssh-add", "-q", locked)
		dialReal(t, ep)

		ep.Identity = nil
		dialReal(t, ep)

		// A token's key is named by its public half.
		ep.Identity = []string{locked + ".pub"}
		dialReal(t, ep)

		// sshd ends the attempt after MaxAuthTries with a word of farewell.
		run(t, nil, "ssh-add", "-q", "-D")
		for i := range 3 {
			name := h.path(fmt.Sprintf("stranger%d", i))
			run(t, nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name)
			run(t, nil, "ssh-add", "-q", name)
		}
		t.Setenv("HOME", dir)
		ep.Identity = nil
		_, err = New(Options{}).Dial(t.Context(), ep)
		var auth *AuthError
		if !errors.As(err, &auth) || len(auth.Tried) == 0 || !strings.Contains(err.Error(), "Too many authentication failures") {
			t.Errorf("got %v", err)
		}
	})
}

// BenchmarkQuickAck shows what TCP_QUICKACK saves per command: about 40 ms with
// sshd before OpenSSH 10, nothing since.
func BenchmarkQuickAck(b *testing.B) {
	h := newSSHD(b, "")
	for _, quick := range []bool{false, true} {
		b.Run(fmt.Sprintf("quickack=%t", quick), func(b *testing.B) {
			d := New(Options{})
			d.quickAck = quick
			ep := h.endpoint(b)
			for b.Loop() {
				conn, err := d.Dial(b.Context(), ep)
				if err != nil {
					b.Fatal(err)
				}
				x, err := conn.Start(b.Context(), "true")
				if err != nil {
					b.Fatal(err)
				}
				if err := x.Wait(b.Context()); err != nil {
					b.Fatal(err)
				}
				conn.Close()
			}
		})
	}
}
