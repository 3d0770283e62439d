package lab

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// firstUID is where plain users start, above those of the machine's own users and of Debian's packages.
const firstUID = 42000

// furnish writes the files that make a tree this host: its name, keys, users, and nothing of what
// the machine's own system has queued or configured for root. It runs before the first boot.
func (h *Host) furnish() error {
	root, err := os.OpenRoot(h.rootPath())
	if err != nil {
		return err
	}
	defer root.Close()
	return errors.Join(
		h.writeIdentity(root),
		h.writeSSH(root),
		h.writeUsers(root),
		emptySpool(root),
		h.mask(root),
		h.removePaths(root),
	)
}

type file struct {
	path string
	mode fs.FileMode
	text string
}

func writeFiles(root *os.Root, files ...file) error {
	for _, f := range files {
		if err := root.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
			return err
		}
		// The tree may have a link here (Debian's resolv.conf is one at times).
		if err := root.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := root.WriteFile(f.path, []byte(f.text), f.mode); err != nil {
			return err
		}
		if err := root.Chmod(f.path, f.mode); err != nil {
			return err
		}
	}
	return nil
}

func (h *Host) writeIdentity(root *os.Root) error {
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return err
	}
	return writeFiles(root,
		file{"etc/hostname", 0o644, h.name + "\n"},
		file{"etc/hosts", 0o644, "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 " + h.name + "\n"},
		file{"etc/machine-id", 0o444, hex.EncodeToString(id) + "\n"},
		// No name server is in reach: asking one would only cost time.
		file{"etc/resolv.conf", 0o644, ""},
		file{"etc/fstab", 0o644, ""},
		// Whatever root's shell does at the machine costs every command on the host.
		file{"root/.bashrc", 0o644, ""},
		file{"root/.profile", 0o644, ""},
		file{"root/.bash_profile", 0o644, ""},
	)
}

func (h *Host) writeSSH(root *os.Root) error {
	old, err := fs.Glob(root.FS(), "etc/ssh/ssh_host_*")
	if err != nil {
		return err
	}
	for _, path := range old {
		if err := root.Remove(path); err != nil {
			return err
		}
	}
	key := filepath.Join(h.dir, "host_key")
	public, err := writeKey(key, h.name)
	if err != nil {
		return err
	}
	private, err := os.ReadFile(key)
	if err != nil {
		return err
	}
	if err := h.w.trust(public, h.opts.Port, h.Addr4(), h.Addr6()); err != nil {
		return err
	}
	config := strings.Join(h.sshdConfig(), "\n") + "\n"
	return errors.Join(
		writeFiles(root,
			file{"etc/ssh/ssh_host_ed25519_key", 0o600, string(private)},
			file{"etc/ssh/ssh_host_ed25519_key.pub", 0o644, string(public)},
			file{"etc/ssh/sshd_config", 0o644, config},
		),
		h.authorize(root, "root", 0),
	)
}

// sshdConfig are the caller's lines, and the lab's own for the keywords that those do not name.
func (h *Host) sshdConfig() []string {
	// PAM opens a session with logind on a systemd host, as on a real one; elsewhere it only
	// costs time.
	pam := "no"
	if h.opts.Systemd {
		pam = "yes"
	}
	own := []string{
		"Port " + strconv.Itoa(h.opts.Port),
		"HostKey /etc/ssh/ssh_host_ed25519_key",
		"PidFile /run/sshd.pid",
		"UsePAM " + pam,
		"UseDNS no",
		"MaxStartups 200",
		"PasswordAuthentication no",
		"AuthorizedKeysFile .ssh/authorized_keys",
		"PrintMotd no",
		"PrintLastLog no",
		"LogLevel VERBOSE",
		"Subsystem sftp internal-sftp",
	}
	// With most keywords the first value is the one in force, but not with all (MaxStartups).
	lines := slices.Clone(h.opts.SSHD)
	for _, line := range own {
		keyword, _, _ := strings.Cut(line, " ")
		named := func(l string) bool {
			k, _, _ := strings.Cut(strings.TrimSpace(l), " ")
			return strings.EqualFold(k, keyword)
		}
		if !slices.ContainsFunc(h.opts.SSHD, named) {
			lines = append(lines, line)
		}
	}
	return lines
}

// authorize admits the lab's key for the owner of a home directory. sshd refuses keys in
// directories that others can write to.
func (h *Host) authorize(root *os.Root, home string, uid int) error {
	dir := filepath.Join(home, ".ssh")
	if err := root.RemoveAll(dir); err != nil {
		return err
	}
	if err := writeFiles(root, file{filepath.Join(dir, "authorized_keys"), 0o600, string(h.w.pubkey)}); err != nil {
		return err
	}
	for _, path := range []string{home, dir} {
		if err := root.Chmod(path, 0o700); err != nil {
			return err
		}
	}
	for _, path := range []string{home, dir, filepath.Join(dir, "authorized_keys")} {
		if err := root.Chown(path, uid, uid); err != nil {
			return err
		}
	}
	return nil
}

// writeUsers adds plain users. A `*` for a password admits keys and no password, while `!` would
// lock the account for sshd (shadow(5)).
func (h *Host) writeUsers(root *os.Root) error {
	for i, u := range h.opts.Users {
		if !validName(u.Name) {
			return fmt.Errorf("user name %q", u.Name)
		}
		uid, home := firstUID+i, "home/"+u.Name
		err := errors.Join(
			appendLine(root, "etc/passwd", fmt.Sprintf("%s:x:%d:%d::/%s:/bin/sh", u.Name, uid, uid, home)),
			appendLine(root, "etc/group", fmt.Sprintf("%s:x:%d:", u.Name, uid)),
			appendLine(root, "etc/shadow", fmt.Sprintf("%s:*:19000:0:99999:7:::", u.Name)),
			h.authorize(root, home, uid),
		)
		if err == nil {
			err = writeRights(root, u)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// writeRights says what a user may do as root.
func writeRights(root *os.Root, u User) error {
	lines := u.Sudoers
	if u.Sudo {
		lines += "\n" + u.Name + " ALL=(ALL:ALL) NOPASSWD: ALL"
	}
	var err error
	if lines != "" {
		err = writeFiles(root, file{"etc/sudoers.d/" + u.Name, 0o440, lines + "\n"})
	}
	if u.Doas != "" {
		err = errors.Join(err, writeFiles(root, file{"etc/doas.conf", 0o400, u.Doas + "\n"}))
	}
	return err
}

// setPasswords has the host itself hash them, once it is up.
func (h *Host) setPasswords(ctx context.Context) error {
	lines := ""
	for _, u := range append(slices.Clone(h.opts.Users), User{Name: "root", Password: h.opts.RootPassword}) {
		if u.Password != "" {
			lines += u.Name + ":" + u.Password + "\n"
		}
	}
	if lines == "" {
		return nil
	}
	_, _, err := h.Exec(ctx, lines, "chpasswd")
	return err
}

func appendLine(root *os.Root, path, line string) error {
	f, err := root.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line + "\n")
	return errors.Join(err, f.Close())
}

// emptySpool removes the machine's own jobs, which atd would otherwise run on the host.
func emptySpool(root *os.Root) error {
	for _, dir := range []string{"var/spool/cron/atjobs", "var/spool/cron/atspool"} {
		entries, err := fs.ReadDir(root.FS(), dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, e := range entries {
			if e.Name() == ".SEQ" {
				continue // at(1) wants it there
			}
			if err := root.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// masked are what a systemd host has no use for: upkeep that wants a network and time, and what a
// third of the work of each boot would go into. Of its generators only that for init scripts stays.
var masked = []string{
	"system/apt-daily.timer", "system/apt-daily-upgrade.timer", "system/dpkg-db-backup.timer", "system/e2scrub_all.timer",
	"system/e2scrub_reap.service", "system/fstrim.timer",
	"system/dev-hugepages.mount", "system/dev-mqueue.mount", "system/sys-kernel-debug.mount", "system/sys-kernel-tracing.mount",
	"system/sys-fs-fuse-connections.mount", "system/systemd-journal-flush.service", "system/systemd-sysusers.service",
	"system/systemd-update-utmp.service", "system/systemd-update-utmp-runlevel.service",
	"system-generators/systemd-cryptsetup-generator", "system-generators/systemd-debug-generator",
	"system-generators/systemd-fstab-generator", "system-generators/systemd-getty-generator",
	"system-generators/systemd-gpt-auto-generator", "system-generators/systemd-hibernate-resume-generator",
	"system-generators/systemd-integritysetup-generator", "system-generators/systemd-run-generator",
	"system-generators/systemd-system-update-generator", "system-generators/systemd-veritysetup-generator",
}

func (h *Host) mask(root *os.Root) error {
	if !h.opts.Systemd {
		return nil
	}
	if err := root.MkdirAll("etc/systemd/system-generators", 0o755); err != nil {
		return err
	}
	for _, name := range masked {
		path := "etc/systemd/" + name
		if err := root.RemoveAll(path); err != nil {
			return err
		}
		if err := root.Symlink("/dev/null", path); err != nil {
			return err
		}
	}
	return nil
}

func (h *Host) removePaths(root *os.Root) error {
	for _, path := range h.opts.Without {
		if err := root.RemoveAll(strings.TrimPrefix(path, "/")); err != nil {
			return err
		}
	}
	return nil
}
