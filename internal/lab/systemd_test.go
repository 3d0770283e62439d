package lab_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"fwpush/internal/lab"
)

// Each release has other versions of systemd, nft, at and OpenSSH, all of which fwpush meets.
func TestSystemdHostReboots(t *testing.T) {
	for _, suite := range []string{"bullseye", "bookworm", "trixie"} {
		t.Run(suite, func(t *testing.T) {
			h := start(t, lab.HostOptions{Name: "sys-" + suite, Systemd: true, Root: root(t, suite)})
			boots := map[string]bool{}
			for range 3 {
				if got := run(t, h, "systemctl", "is-system-running", "--wait"); got != "running" {
					t.Errorf("the system is %s: %s", got, run(t, h, "systemctl", "--failed", "--no-legend"))
				}
				if got := run(t, h, "systemctl", "is-active", "ssh", "atd"); got != "active\nactive" {
					t.Errorf("ssh and atd are %q", got)
				}
				if got := run(t, h, "nft", "list", "tables"); got != "" {
					t.Errorf("rules after boot: %q", got)
				}
				boots[run(t, h, "cat", "/proc/sys/kernel/random/boot_id")] = true
				run(t, h, "nft", "add", "table", "inet", "mine")
				run(t, h, "sh", "-c", "touch /run/gone; echo x >>/root/kept; echo true | at -M now + 1 hour")
				if err := h.Reboot(within(t, bootLimit)); err != nil {
					t.Fatal(err)
				}
			}
			if len(boots) != 3 {
				t.Errorf("%d boot ids in 3 boots", len(boots))
			}
			if got := run(t, h, "sh", "-c", "cat /root/kept; ls /run/gone 2>/dev/null; atq | wc -l"); got != "x\nx\nx\n3" {
				t.Errorf("kept over 3 reboots: %q, want the disk and the spool", got)
			}
			for _, addr := range []string{h.Addr4().String(), h.Addr6().String()} {
				if got, err := login(t, h, "root", addr, "hostname"); err != nil || got != h.Name() {
					t.Errorf("login after the reboots: %q %v", got, err)
				}
			}
		})
	}
}

func TestSystemdTimerFires(t *testing.T) {
	h := start(t, lab.HostOptions{Name: "timer", Systemd: true, Root: root(t, "bookworm")})
	run(t, h, "systemd-run", "--on-active=1", "--timer-property=AccuracySec=100ms", "touch", "/root/fired")
	eventually(t, "the timer", func() bool {
		_, err := h.ReadFile(t.Context(), "/root/fired")
		return err == nil
	})
}

func TestShutdownIsNoReboot(t *testing.T) {
	h := start(t, lab.HostOptions{Name: "halt", Systemd: true, Root: root(t, "bookworm")})
	_, _, _ = h.Exec(within(t, bootLimit), "", "systemctl", "poweroff") // may end with the host
	eventually(t, "the end of the host", func() bool {
		_, _, err := h.Exec(t.Context(), "", "true")
		return err != nil && strings.Contains(err.Error(), "is down")
	})
	if answers(t, h) {
		t.Error("a host that was shut down answers")
	}
}

// A shutdown stops all processes before it ends them. A command that was stopped must not wait to be
// continued from outside, or its host never ends.
func TestStoppedCommandGoesOnWithItsHost(t *testing.T) {
	h := start(t, lab.HostOptions{Name: "stopped"})
	cmd := h.Command(within(t, time.Minute), "sh", "-c", "echo $$ >/run/pid; kill -STOP $$; exit 7")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the stop", func() bool {
		out, _, _ := h.Exec(t.Context(), "", "sh", "-c", "cut -d' ' -f3 /proc/$(cat /run/pid)/stat")
		return out == "T\n"
	})
	run(t, h, "sh", "-c", "kill -CONT $(cat /run/pid)")
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 7 {
		t.Errorf("ended with %v, want exit status 7", err)
	}
}

// A command that is given up must not go on in secret.
func TestCommandEndsWithItsContext(t *testing.T) {
	h := start(t, lab.HostOptions{Name: "given-up"})
	ctx, cancel := context.WithCancel(t.Context())
	cmd := h.Command(ctx, "sleep", "4242")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	sleeps := func() bool {
		_, _, err := h.Exec(t.Context(), "", "pgrep", "-x", "-f", "sleep 4242")
		return err == nil
	}
	eventually(t, "the start", sleeps)
	cancel()
	_ = cmd.Wait()
	eventually(t, "the end on the host", func() bool { return !sleeps() })
}

func TestReleasesHaveTheirOwnTools(t *testing.T) {
	for suite, want := range map[string]string{"bullseye": "nftables v0.9.8 ", "bookworm": "nftables v1.0.6 ", "trixie": "nftables v1.1.3 "} {
		h := start(t, lab.HostOptions{Name: suite, Root: root(t, suite), Users: []lab.User{{Name: "ops", Sudo: true}}})
		if got := run(t, h, "nft", "--version"); !strings.HasPrefix(got, want) {
			t.Errorf("%s has %s, want %s", suite, got, want)
		}
		if got, err := login(t, h, "ops", h.Addr4().String(), "sudo -n id -u"); err != nil || got != "0" {
			t.Errorf("%s: sudo: %q %v", suite, got, err)
		}
	}
}

// Hosts that are not Debian's own kind: what a router has, and another init.
func TestTreesOfOtherKinds(t *testing.T) {
	t.Run("busybox", func(t *testing.T) {
		h := start(t, lab.HostOptions{Name: "router", Root: root(t, "busybox")})
		for _, absent := range []string{"at", "systemctl", "sshd", "bash", "openrc"} {
			if got, _, err := h.Exec(t.Context(), "", "which", absent); err == nil {
				t.Errorf("it has %s", got)
			}
		}
		if got, err := login(t, h, "root", h.Addr4().String(), "readlink /bin/sh; nft --version; echo $SSH_CONNECTION"); err != nil ||
			!strings.HasPrefix(got, "/usr/bin/busybox\nnftables v1.0.6 ") || !strings.HasSuffix(got, " "+h.Addr4().String()+" 22") {
			t.Errorf("login at dropbear: %q %v", got, err)
		}
	})
	t.Run("openrc", func(t *testing.T) {
		h := start(t, lab.HostOptions{Name: "openrc", OpenRC: true, Root: root(t, "openrc")})
		run(t, h, "sh", "-c", "echo x >>/root/kept; touch /run/gone")
		first := run(t, h, "cat", "/proc/sys/kernel/random/boot_id")
		if err := h.Reboot(within(t, bootLimit)); err != nil {
			t.Fatal(err)
		}
		if got := run(t, h, "sh", "-c", "cat /root/kept /run/openrc/softlevel; ls /run/gone 2>/dev/null || true"); got != "x\ndefault" {
			t.Errorf("after a reboot: %q", got)
		}
		if run(t, h, "cat", "/proc/sys/kernel/random/boot_id") == first {
			t.Error("the same boot")
		}
		if got, err := login(t, h, "root", h.Addr4().String(), "rc-service atd status"); err != nil {
			t.Errorf("atd: %q %v", got, err)
		}
	})
	t.Run("docker", func(t *testing.T) {
		h := start(t, lab.HostOptions{Name: "containers", Systemd: true, Root: root(t, "docker")})
		if got := run(t, h, "systemctl", "is-system-running", "--wait"); got != "running" {
			t.Errorf("the system is %s: %s", got, run(t, h, "systemctl", "--failed", "--no-legend"))
		}
		if got := run(t, h, "nft", "list", "tables"); got != "" {
			t.Errorf("rules without anybody having started a daemon: %q", got)
		}
		if got := run(t, h, "sh", "-c", "dockerd --version; fail2ban-server --version"); !strings.HasPrefix(got, "Docker version 20.10.") || !strings.Contains(got, "Fail2Ban v1.0.") {
			t.Errorf("it has %q", got)
		}
	})
}
