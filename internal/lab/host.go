package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// HostOptions describe one host. Only Name is needed.
type HostOptions struct {
	Name string // host name, unique in the world
	// Root is the tree the host's files come from; it is never written to. Empty means the
	// machine's own for a light host, and that of World.Root for bookworm for a systemd host.
	Root string
	// Systemd boots the tree's /sbin/init. Otherwise a shell runs sshd and atd.
	Systemd bool
	// OpenRC boots the tree's openrc-init; Root is then that of World.Root for openrc.
	OpenRC bool
	// DiskMB is the size of the host's disk in MiB: what it can write in addition to Root. 0 means 64.
	DiskMB int
	Port   int      // sshd's port; 0 means 22
	SSHD   []string // lines of sshd_config, in place of the lab's own for the same keywords
	Users  []User   // beside root
	// RootPassword is root's, for su; "" for none that would work.
	RootPassword string
	// Without are paths, relative to the root, that are removed from the host's view of the tree.
	Without []string
	// PathMTU, if not 0, puts the host behind two routers whose link in the middle has this MTU
	// in bytes (1280 to 1500), while the host's and the controller's own links have 1500.
	PathMTU int
}

// User is a plain user who logs in with the lab's key.
type User struct {
	Name string
	Sudo bool // may run everything as root by sudo without a password
	// Password is what sudo asks for; "" for none that would work. sshd takes keys alone.
	Password string
	Sudoers  string // lines of sudoers(5) about this user, beside Sudo
	Doas     string // lines of doas.conf(5); the tree needs opendoas
}

// Host is a running host. Its methods may be called concurrently.
type Host struct {
	w    *World
	name string
	opts HostOptions
	dir  string // in the world: disk, root, host_key, console.log
	net  hostNet

	mu      sync.Mutex
	boot    *boot // the latest one
	stopped bool  // for good
	powerOn bool  // after the next power cut
}

// Host starts a host and returns when its sshd answers and, with systemd, its boot is complete. A
// host that is not up within a minute is an error with the end of its console; so is the end of
// ctx. After an error nothing is left of the host.
func (w *World) Host(ctx context.Context, o HostOptions) (h *Host, err error) {
	if o.DiskMB == 0 {
		o.DiskMB = 64
	}
	if o.Port == 0 {
		o.Port = 22
	}
	switch {
	case !validName(o.Name):
		return nil, fmt.Errorf("lab: host name %q: use lower case letters, digits and inner hyphens, at most 63", o.Name)
	case o.Systemd && w.cgroup == "":
		return nil, errors.New("lab: systemd hosts need a writable cgroup2 mount on the machine (see /proc/mounts)")
	case o.Root == "" && o.Systemd:
		if o.Root, err = w.Root(ctx, "bookworm"); err != nil {
			return nil, err
		}
	case o.Root == "" && o.OpenRC:
		if o.Root, err = w.Root(ctx, "openrc"); err != nil {
			return nil, err
		}
	case o.Root == "":
		o.Root = "/"
	}
	h = &Host{w: w, name: o.Name, opts: o, dir: filepath.Join(w.dir, "hosts", o.Name)}
	number, err := w.enroll(h.name)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("lab: start host %s: %w", h.name, err), h.Stop())
			h = nil
		}
	}()
	h.net = newHostNet(number)
	if o.PathMTU != 0 {
		if err := h.net.moveBehind(ctx, w, o.PathMTU); err != nil {
			return h, err
		}
	}
	if err := h.mountDisk(); err != nil {
		return h, err
	}
	if err := h.furnish(); err != nil {
		return h, err
	}
	b, err := h.start()
	if err != nil {
		return h, err
	}
	if err := h.awaitUp(ctx, b); err != nil {
		return h, err
	}
	return h, h.setPasswords(ctx)
}

// Name is the host's name.
func (h *Host) Name() string { return h.name }

// Addr4 is the host's IPv4 address.
func (h *Host) Addr4() netip.Addr { return h.net.addr4.Addr() }

// Addr6 is the host's IPv6 address.
func (h *Host) Addr6() netip.Addr { return h.net.addr6.Addr() }

// Port is where the host's sshd listens.
func (h *Host) Port() int { return h.opts.Port }

// Console is what the host's first process and its light daemons have written so far: with a
// light host sshd's log, one line for each login and each command. The lab's own looks at the
// banner while it waited for the host are in it as connections without a login.
func (h *Host) Console() (string, error) {
	text, err := os.ReadFile(h.consolePath())
	if err != nil {
		return "", fmt.Errorf("lab: %w", err)
	}
	return string(text), nil
}

// Stop ends the host as a power cut would and removes it. It may be called again.
func (h *Host) Stop() error {
	h.mu.Lock()
	h.stopped = true
	b := h.boot
	h.mu.Unlock()
	for ; b != nil; b = b.next {
		b.cutPower()
	}
	err := errors.Join(h.net.remove(context.Background()), h.removeCgroup())
	for _, m := range []string{h.rootPath(), h.diskPath()} {
		if e := unix.Unmount(m, unix.MNT_DETACH); e != nil && e != unix.EINVAL && e != unix.ENOENT {
			err = errors.Join(err, fmt.Errorf("lab: unmount %s: %w", m, e))
		}
	}
	err = errors.Join(err, os.RemoveAll(h.dir))
	h.w.forget(h.name)
	return err
}

func (h *Host) diskPath() string    { return filepath.Join(h.dir, "disk") }
func (h *Host) rootPath() string    { return filepath.Join(h.dir, "root") }
func (h *Host) consolePath() string { return filepath.Join(h.dir, "console.log") }

// mountDisk puts an empty, bounded disk over the root tree. It is mounted in the world, not in
// the host, so that it outlives a reboot.
func (h *Host) mountDisk() error {
	if err := errors.Join(os.Mkdir(h.dir, 0o755), os.Mkdir(h.diskPath(), 0o755), os.Mkdir(h.rootPath(), 0o755)); err != nil {
		return err
	}
	if err := unix.Mount("disk", h.diskPath(), "tmpfs", 0, fmt.Sprintf("mode=755,size=%dm", h.opts.DiskMB)); err != nil {
		return fmt.Errorf("mount disk: %w", err)
	}
	upper, work := filepath.Join(h.diskPath(), "upper"), filepath.Join(h.diskPath(), "work")
	if err := errors.Join(os.Mkdir(upper, 0o755), os.Mkdir(work, 0o755)); err != nil {
		return err
	}
	layers := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", h.opts.Root, upper, work)
	if err := unix.Mount("overlay", h.rootPath(), "overlay", 0, layers); err != nil {
		return fmt.Errorf("mount overlay of %s: %w", h.opts.Root, err)
	}
	return nil
}

func validName(name string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyz0123456789-"
	return name != "" && len(name) <= 63 && strings.Trim(name, "-") == name && strings.Trim(name, allowed) == ""
}
