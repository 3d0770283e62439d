package trust

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// scratch is a file without a name, in memory: a full or read-only /tmp must not
// be what keeps somebody from reverting a fleet. The path leads to it until done
// is called (proc(5), /proc/self/fd).
func scratch() (f *os.File, path string, done func(), err error) {
	fd, err := unix.MemfdCreate("fwpush-known-hosts", unix.MFD_CLOEXEC)
	if err != nil {
		return temporary()
	}
	path = "/proc/self/fd/" + strconv.Itoa(fd)
	f = os.NewFile(uintptr(fd), path)
	if _, err := os.Stat(path); err != nil { // no /proc here
		f.Close()
		return temporary()
	}
	return f, path, func() { f.Close() }, nil
}
