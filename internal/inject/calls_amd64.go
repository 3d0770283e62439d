package inject

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_X86_64

var oldShapes = map[uintptr]shape{
	unix.SYS_RENAME:   {"rename", Name, names2(0, 1)},
	unix.SYS_LINK:     {"link", Name, names2(0, 1)},
	unix.SYS_UNLINK:   {"unlink", Name, name(0)},
	unix.SYS_RMDIR:    {"rmdir", Name, name(0)},
	unix.SYS_MKDIR:    {"mkdir", Name, name(0)},
	unix.SYS_MKNOD:    {"mknod", Name, name(0)},
	unix.SYS_SYMLINK:  {"symlink", Name, name(1)},
	unix.SYS_OPEN:     {"open", Write, name(0)},
	unix.SYS_CREAT:    {"creat", Write, name(0)},
	unix.SYS_TRUNCATE: {"truncate", Write, name(0)},
	unix.SYS_FORK:     {"fork", Fork, nothing},
	unix.SYS_VFORK:    {"vfork", Fork, nothing},
}

func name(arg int) func(int, [6]uint64) (string, string) {
	return func(pid int, a [6]uint64) (string, string) { return pathAt(pid, unix.AT_FDCWD, a[arg]), "" }
}

func names2(arg, to int) func(int, [6]uint64) (string, string) {
	return func(pid int, a [6]uint64) (string, string) {
		return pathAt(pid, unix.AT_FDCWD, a[arg]), pathAt(pid, unix.AT_FDCWD, a[to])
	}
}

// flagged are calls that only matter with some flags in an argument.
var flagged = []flags{
	{unix.SYS_OPENAT, 2, writing, true},
	{unix.SYS_OPEN, 1, writing, true},
	{unix.SYS_CLONE, 0, unix.CLONE_THREAD, false},
}
