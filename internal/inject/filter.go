package inject

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// writing are the flags of open(2) that make a difference to a file.
const writing = unix.O_WRONLY | unix.O_RDWR | unix.O_CREAT | unix.O_TRUNC

// flags says that a call matters if one of the bits is set in an argument, or if none is.
type flags struct {
	number  uintptr
	arg     uint32
	bits    uint32
	present bool
}

// Where seccomp_data has its fields (seccomp(2)); the lower half of an argument, of a machine that
// begins with it.
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetArgs   = 16
)

// filter asks about every call of shapes and lets all others pass.
func filter() []unix.SockFilter {
	const (
		load = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		is   = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		has  = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
		ret  = unix.BPF_RET | unix.BPF_K
	)
	pass := unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ALLOW}
	ask := unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_USER_NOTIF}
	program := []unix.SockFilter{
		{Code: load, K: offsetArch}, {Code: is, K: auditArch, Jt: 1}, pass,
		{Code: load, K: offsetNumber},
	}
	for _, f := range flagged {
		test := unix.SockFilter{Code: has, K: f.bits, Jf: 1}
		if !f.present {
			test.Jt, test.Jf = 1, 0
		}
		program = append(program,
			unix.SockFilter{Code: is, K: uint32(f.number), Jf: 4},
			unix.SockFilter{Code: load, K: offsetArgs + 8*f.arg}, test, ask, pass)
	}
	for number := range shapes {
		if !slices.ContainsFunc(flagged, func(f flags) bool { return f.number == number }) {
			program = append(program, unix.SockFilter{Code: is, K: uint32(number), Jf: 1}, ask)
		}
	}
	return append(program, pass)
}

// variable in the environment of a child says that it is one.
const variable = "FWPUSH_INJECT"

// Main is the first thing in the TestMain of a package that calls Start: in a child it puts itself
// under the filter and becomes the program. Elsewhere it does nothing. An error is a child's, which
// has to end with it.
func Main() error {
	if os.Getenv(variable) == "" {
		return nil
	}
	// The filter is one thread's until that executes the program, and so is the rest of this.
	runtime.LockOSThread()
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return v == variable+"=1" })
	program := filter()
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	// Once it is received a call waits for its answer whatever signals come: a call that were begun
	// again would be counted twice.
	const how = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	_, _, e := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, how, uintptr(unsafe.Pointer(&prog)))
	if e != 0 {
		return fmt.Errorf("inject: seccomp: %w", e)
	}
	// The end of one pipe says that the listener is there, and that of the other that the parent has
	// it. No call of the filter may be made until then: nobody would answer.
	unix.RawSyscall(unix.SYS_CLOSE, ready, 0, 0)
	var b [1]byte
	unix.RawSyscall(unix.SYS_READ, taken, uintptr(unsafe.Pointer(&b[0])), 1)
	unix.RawSyscall(unix.SYS_CLOSE, taken, 0, 0)
	return fmt.Errorf("inject: %s: %w", os.Args[1], unix.Exec(os.Args[1], os.Args[1:], env))
}

// Descriptors of a child.
const (
	ready = 3
	taken = 4
)
