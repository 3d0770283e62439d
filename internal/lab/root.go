package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// rootCache keeps the root trees between runs: making one takes about a minute.
const rootCache = "/var/cache/fwpush-lab"

// recipe is the script that makes a tree out of bookworm's, and nothing for a release of Debian.
func recipe(tree string) (name, text string) {
	switch tree {
	case "busybox", "openrc":
		return "tree.sh", treeScript
	case "docker":
		return "docker.sh", dockerScript
	}
	return "", ""
}

// lockPoll is how often a tree that another process is making is looked at again.
const lockPoll = 200 * time.Millisecond

// rootPackages are what a host of any kind needs beside Debian's minimal system.
func rootPackages() string {
	return "nftables,iptables,at,openssh-server,iproute2,procps,sudo,systemd-sysv,dbus,libpam-systemd,busybox-static"
}

// Root returns a root tree of a Debian release ("bullseye", "bookworm", "trixie"), made by
// debootstrap(8) at its first use and kept in /var/cache/fwpush-lab; or one made of bookworm's:
// "openrc", Debian with another init, "docker", Debian with docker.io and fail2ban, neither of which
// starts by itself, or "busybox", a router's userland with dropbear, without at and without systemd.
// While one process makes a tree, others wait for it until ctx ends. Packages come from the mirror
// that the machine's own apt uses, or else from debootstrap's default.
func (w *World) Root(ctx context.Context, suite string) (dir string, err error) {
	if !validName(suite) {
		return "", fmt.Errorf("lab: release %q: use a code name such as bookworm", suite)
	}
	dir, packages := filepath.Join(rootCache, suite), rootPackages()
	base := ""
	script, text := recipe(suite)
	if script != "" {
		if base, err = w.Root(ctx, "bookworm"); err != nil {
			return "", err
		}
		packages += "\n" + text
	}
	if err := os.MkdirAll(rootCache, 0o755); err != nil {
		return "", fmt.Errorf("lab: %w", err)
	}
	unlock, err := lockFile(ctx, dir+".lock")
	if err != nil {
		return "", fmt.Errorf("lab: wait for the root tree of %s: %w", suite, err)
	}
	defer unlock()
	// The stamp is written last, so a tree that was interrupted or has other packages is made anew.
	stamp := dir + ".complete"
	if have, err := os.ReadFile(stamp); err == nil && string(have) == packages {
		return dir, nil
	}
	if err := os.RemoveAll(stamp); err != nil {
		return "", fmt.Errorf("lab: %w", err)
	}
	if base != "" {
		err = w.machineNet(ctx, "sh", filepath.Join(w.dir, script), suite, base, dir)
	} else {
		err = w.makeRoot(ctx, suite, dir)
	}
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(stamp, []byte(packages), 0o644); err != nil {
		return "", fmt.Errorf("lab: %w", err)
	}
	return dir, nil
}

func (w *World) makeRoot(ctx context.Context, suite, dir string) error {
	if _, err := findTool("debootstrap"); err != nil {
		return errors.New("lab: not installed: debootstrap; install with: apt-get install debootstrap debian-archive-keyring")
	}
	var failed error
	for _, mirror := range append(machineMirrors(ctx), "") {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("lab: %w", err)
		}
		err := w.debootstrap(ctx, suite, dir, mirror)
		if err == nil {
			return dropPackages(dir)
		}
		failed = errors.Join(failed, err)
		if ctx.Err() != nil {
			break
		}
	}
	return failed
}

func (w *World) debootstrap(ctx context.Context, suite, dir, mirror string) error {
	args := []string{"debootstrap", "--variant=minbase", "--include=" + rootPackages(), suite, dir}
	if mirror != "" {
		args = append(args, mirror)
	}
	return w.machineNet(ctx, args...)
}

// machineNet runs what makes a tree in the machine's network namespace, since the world has no way
// out, and in the world's others, so that it and its mounts end with the world.
func (w *World) machineNet(ctx context.Context, argv ...string) error {
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"--net=/proc/self/fd/3"}, argv...)...)
	cmd.ExtraFiles = []*os.File{w.netns}
	cmd.Dir = "/"
	// It is a script: its children have to end with it, or they would go on writing to the tree.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return fmt.Errorf("lab: %s: %w: %s", strings.Join(argv, " "), err, strings.Join(lines[max(0, len(lines)-5):], "\n"))
}

// machineMirrors are where the machine's apt gets its packages from, security updates aside.
// A machine without apt has none.
func machineMirrors(ctx context.Context) []string {
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages").Output()
	if err != nil {
		return nil
	}
	var mirrors []string
	for line := range bytes.Lines(out) {
		m := strings.TrimSpace(string(line))
		if strings.HasPrefix(m, "http") && !strings.Contains(m, "security") && !slices.Contains(mirrors, m) {
			mirrors = append(mirrors, m)
		}
	}
	return mirrors
}

// dropPackages removes the downloaded packages, half of a tree's size.
func dropPackages(dir string) error {
	packages, err := filepath.Glob(filepath.Join(dir, "var/cache/apt/archives/*.deb"))
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	for _, p := range packages {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("lab: %w", err)
		}
	}
	return nil
}

// lockFile waits for an exclusive lock, which ends with the process at the latest.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if err != unix.EWOULDBLOCK && err != unix.EINTR {
			f.Close()
			return nil, err
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
}
