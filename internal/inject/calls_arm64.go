package inject

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_AARCH64

var oldShapes = map[uintptr]shape{}

// flagged are calls that only matter with some flags in an argument.
var flagged = []flags{
	{unix.SYS_OPENAT, 2, writing, true},
	{unix.SYS_CLONE, 0, unix.CLONE_THREAD, false},
}
