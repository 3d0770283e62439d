package wire

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// mounts is a mount namespace that no process is in, for the programs of one rig.
type mounts struct{ file *os.File }

// newMounts shows the root tree with a /run of the rig's own, where iptables-legacy has its lock
// and which is the only place that programs may want to write to; and with /proc, which a tree
// that nobody has booted lacks: without it there is no /dev/stdin, which nft 0.9.8 reads for "-".
func newMounts(root string) (m mounts, err error) {
	err = onOwnThread(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return fmt.Errorf("wire: new mount namespace, which needs root: %w", err)
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return fmt.Errorf("wire: keep mounts to the rig: %w", err)
		}
		if root != "" {
			if err := unix.Mount("/proc", filepath.Join(root, "proc"), "", unix.MS_BIND, ""); err != nil {
				return fmt.Errorf("wire: /proc in %s: %w", root, err)
			}
		}
		if err := unix.Mount("tmpfs", filepath.Join("/", root, "run"), "tmpfs", 0, "mode=0755"); err != nil {
			return fmt.Errorf("wire: /run in %q: %w", root, err)
		}
		m.file, err = os.Open("/proc/thread-self/ns/mnt")
		return err
	})
	return m, err
}

// do calls f on a thread that sees the mounts and is in the network namespace.
func (m mounts) do(n namespace, f func() error) error {
	return n.do(func() error {
		// A thread that shares its working directory with others cannot have mounts of its own.
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			return fmt.Errorf("wire: working directory of a thread: %w", err)
		}
		if err := unix.Setns(int(m.file.Fd()), unix.CLONE_NEWNS); err != nil {
			return fmt.Errorf("wire: enter mount namespace: %w", err)
		}
		return f()
	})
}

func (m mounts) close() {
	if m.file != nil {
		m.file.Close()
	}
}
