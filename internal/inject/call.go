package inject

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Kind is what a call does, as far as the filter lets this process hear of it.
type Kind string

const (
	Name  Kind = "name"  // makes, moves or removes a name in a directory
	Sync  Kind = "sync"  // waits for a disk
	Write Kind = "write" // opens for writing, writes, or cuts
	Load  Kind = "load"  // hands rules to the kernel: by netlink, or by a socket option
	Fork  Kind = "fork"  // makes a process
)

// Call is a system call that a process of the tree is about to make, and waits to be let.
type Call struct {
	PID     int    // in this process's own PID namespace
	Program string // comm of proc(5)
	Kind    Kind
	Syscall string
	Path    string   // what it is about, "" where it is about no file
	To      string   // the other path of a rename or a link
	Args    []string // of the program
}

func (c Call) String() string {
	s := fmt.Sprintf("%s: %s %s", c.Program, c.Syscall, c.Path)
	if c.To != "" {
		s += " -> " + c.To
	}
	return s
}

// shape is one system call: its name, what kind it is of, and where its paths are.
type shape struct {
	name string
	kind Kind
	path func(pid int, args [6]uint64) (path, to string)
}

// at is a path by a directory's descriptor and a name, in the arguments that are named.
func at(dir, name int) func(int, [6]uint64) (string, string) {
	return func(pid int, a [6]uint64) (string, string) { return pathAt(pid, int32(a[dir]), a[name]), "" }
}

func at2(dir, name, dir2, name2 int) func(int, [6]uint64) (string, string) {
	return func(pid int, a [6]uint64) (string, string) {
		return pathAt(pid, int32(a[dir]), a[name]), pathAt(pid, int32(a[dir2]), a[name2])
	}
}

func descriptor(fd int) func(int, [6]uint64) (string, string) {
	return func(pid int, a [6]uint64) (string, string) { return link(pid, fmt.Sprintf("fd/%d", int32(a[fd]))), "" }
}

func nothing(int, [6]uint64) (string, string) { return "", "" }

// shapes are the calls that every architecture has; oldShapes those of before the *at calls.
var shapes = map[uintptr]shape{
	unix.SYS_RENAMEAT:        {"renameat", Name, at2(0, 1, 2, 3)},
	unix.SYS_RENAMEAT2:       {"renameat2", Name, at2(0, 1, 2, 3)},
	unix.SYS_LINKAT:          {"linkat", Name, at2(0, 1, 2, 3)},
	unix.SYS_UNLINKAT:        {"unlinkat", Name, at(0, 1)},
	unix.SYS_MKDIRAT:         {"mkdirat", Name, at(0, 1)},
	unix.SYS_MKNODAT:         {"mknodat", Name, at(0, 1)},
	unix.SYS_SYMLINKAT:       {"symlinkat", Name, at(1, 2)},
	unix.SYS_FSYNC:           {"fsync", Sync, descriptor(0)},
	unix.SYS_FDATASYNC:       {"fdatasync", Sync, descriptor(0)},
	unix.SYS_OPENAT:          {"openat", Write, at(0, 1)}, // for writing alone: see filter
	unix.SYS_WRITE:           {"write", Write, descriptor(0)},
	unix.SYS_FTRUNCATE:       {"ftruncate", Write, descriptor(0)},
	unix.SYS_COPY_FILE_RANGE: {"copy_file_range", Write, descriptor(2)},
	unix.SYS_SENDMSG:         {"sendmsg", Load, nothing},
	unix.SYS_SENDTO:          {"sendto", Load, nothing},
	unix.SYS_SETSOCKOPT:      {"setsockopt", Load, nothing},
	unix.SYS_CLONE:           {"clone", Fork, nothing}, // processes, not threads: see filter
	unix.SYS_CLONE3:          {"clone3", Fork, nothing},
}

func init() {
	for number, s := range oldShapes {
		shapes[number] = s
	}
}

// loaders are the programs whose sends and socket options load rules.
func loads(program string, nr uintptr, args [6]uint64) bool {
	// IPT_SO_SET_REPLACE of SOL_IP, and its like of SOL_IPV6: the legacy variant's one way.
	const replace = 64
	switch {
	case strings.HasPrefix(program, "iptables"), strings.HasPrefix(program, "ip6tables"), strings.HasPrefix(program, "xtables"):
		if nr == unix.SYS_SETSOCKOPT {
			return (args[1] == unix.SOL_IP || args[1] == unix.SOL_IPV6) && args[2] == replace
		}
		return nr == unix.SYS_SENDMSG
	case program == "nft":
		return nr == unix.SYS_SENDMSG
	case program == "ipset":
		return nr == unix.SYS_SENDTO
	}
	return false
}

// describe says what a call is; false for one that nobody wants to hear of.
func describe(pid int, nr uintptr, args [6]uint64) (Call, bool) {
	s, ok := shapes[nr]
	if !ok {
		return Call{}, false
	}
	c := Call{PID: pid, Kind: s.kind, Syscall: s.name, Program: strings.TrimSpace(read(pid, "comm"))}
	if s.kind == Load && !loads(c.Program, nr, args) {
		return Call{}, false
	}
	c.Path, c.To = s.path(pid, args)
	c.Args = strings.Split(strings.TrimSuffix(read(pid, "cmdline"), "\x00"), "\x00")
	return c, true
}

func read(pid int, file string) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	return string(text)
}

func link(pid int, file string) string {
	path, _ := os.Readlink(fmt.Sprintf("/proc/%d/%s", pid, file))
	return path
}

// pathAt is the path that a process means by a directory and a name in its memory.
func pathAt(pid int, dir int32, address uint64) string {
	name := word(pid, address)
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	if dir == unix.AT_FDCWD {
		return filepath.Join(link(pid, "cwd"), name)
	}
	return filepath.Join(link(pid, fmt.Sprintf("fd/%d", dir)), name)
}

// word is the string at an address of a process.
func word(pid int, address uint64) string {
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return ""
	}
	defer mem.Close()
	buf := make([]byte, unix.PathMax)
	n, _ := mem.ReadAt(buf, int64(address)) // short at the end of a mapping
	text, _, _ := strings.Cut(string(buf[:n]), "\x00")
	return text
}

// chain is a process and the shells above it, from the top: a script with what it is at, and not
// the daemon that started it.
func chain(pid int) []int {
	pids := []int{pid}
	for up := parent(pid); up > 1 && strings.TrimSpace(read(up, "comm")) == "sh"; up = parent(up) {
		pids = append([]int{up}, pids...)
	}
	return pids
}

// parent of a process (proc(5), stat).
func parent(pid int) int {
	stat := read(pid, "stat")
	words := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
	if len(words) < 2 {
		return 0
	}
	up, _ := strconv.Atoi(words[1])
	return up
}

// cutArgs of a call in the order of the ABI.
func cutArgs(raw []byte) (args [6]uint64) {
	for i := range args {
		args[i] = binary.NativeEndian.Uint64(raw[8*i:])
	}
	return args
}
