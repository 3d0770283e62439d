package soak

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"fwpush/internal/lab"
)

// reach is how long anything done to a host at its console may take.
const reach = 30 * time.Second

// subject is a lab host that things are done to. Its files and processes are looked at from outside:
// what is broken on it is not in the way, and it costs no process.
type subject struct {
	*lab.Host

	power sync.RWMutex // held while it boots: nothing else strikes or is healed then

	mu    sync.Mutex
	files string // its root directory, as the world sees it
}

func newSubject(ctx context.Context, name string) (*subject, error) {
	h, err := world.Host(ctx, lab.HostOptions{Name: name, DiskMB: 24})
	if err != nil {
		return nil, err
	}
	s := &subject{Host: h}
	if err := s.booted(); err != nil {
		return nil, errors.Join(err, h.Stop())
	}
	// A second name, so that nft can be taken away and be there again.
	_, err = s.console("cp /usr/sbin/nft /usr/sbin/nft.real && ln -f /usr/sbin/nft.real /usr/sbin/nft")
	return s, err
}

// booted finds the files of the boot that runs now.
func (s *subject) booted() error {
	files, err := s.Files()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.files = files
	}
	return err
}

func (s *subject) path(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.files + name
}

// read is a file's text, empty if there is none.
func (s *subject) read(name string) string {
	text, err := os.ReadFile(s.path(name))
	if err != nil {
		return ""
	}
	return string(text)
}

func (s *subject) write(name, text string, mode fs.FileMode) error {
	return os.WriteFile(s.path(name), []byte(text), mode)
}

func (s *subject) exists(name string) bool {
	_, err := os.Lstat(s.path(name))
	return err == nil
}

// sound is where a program is found before what stands in for it.
const sound = "PATH=/usr/bin:/bin:/usr/sbin:/sbin; "

// console runs a shell script as root on the host and returns its output.
func (s *subject) console(script string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), reach)
	defer cancel()
	out, _, err := s.Exec(ctx, "", append([]string{"sh", "-c", sound + script, "sh"}, args...)...)
	return strings.TrimRight(out, "\n"), err
}

// rules are what runs of fwpush's; "" if there is no table.
func (s *subject) rules() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), reach)
	defer cancel()
	out, msg, err := s.Exec(ctx, "", "/usr/sbin/nft.real", "-s", "list", "table", "inet", "fwpush")
	if err != nil && strings.Contains(msg, "No such file") {
		return "", nil
	}
	return strings.TrimRight(out, "\n"), err
}

// process is one of a host, as the host numbers it.
type process struct {
	pid         int
	state       byte // proc(5): R, S, T, Z
	start, line string
}

// processes are all of the host whose command line has the text in it.
func (s *subject) processes(text string) []process {
	dirs, _ := filepath.Glob(s.path("/proc/[0-9]*"))
	var found []process
	for _, dir := range dirs {
		line, err := os.ReadFile(dir + "/cmdline")
		if err != nil || !strings.Contains(string(line), text) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if p, ok := s.process(pid); ok {
			p.line = strings.ReplaceAll(string(line), "\x00", " ")
			found = append(found, p)
		}
	}
	return found
}

func (s *subject) process(pid int) (process, bool) {
	stat := s.read("/proc/" + strconv.Itoa(pid) + "/stat")
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return process{}, false
	}
	return process{pid: pid, state: fields[0][0], start: fields[19]}, true
}

// signal sends a signal to processes of the host, and says whether it was seen to arrive at one.
func (s *subject) signal(sig syscall.Signal, which ...process) (bool, error) {
	if len(which) == 0 {
		return false, nil
	}
	args := make([]string, len(which))
	for i, p := range which {
		args[i] = strconv.Itoa(p.pid)
	}
	_, err := s.console(`s=$1; shift; kill -s "$s" "$@"`, append([]string{strconv.Itoa(int(sig))}, args...)...)
	if err != nil && len(which) == 1 {
		return false, nil // it was gone
	}
	return until(300*time.Millisecond, func() bool {
		for _, p := range which {
			now, there := s.process(p.pid)
			switch gone := !there || now.start != p.start || now.state == 'Z' || now.state == 'X'; {
			case sig == syscall.SIGKILL && gone, sig == syscall.SIGSTOP && !gone && now.state == 'T', sig == syscall.SIGCONT && !gone && now.state != 'T':
				return true
			}
		}
		return false
	}), nil
}

// daemon is the process of sshd or atd that runs now.
func (s *subject) daemon(name string) (process, bool) {
	pid, err := strconv.Atoi(strings.TrimSpace(s.read("/run/" + name + ".pid")))
	if err != nil {
		return process{}, false
	}
	p, ok := s.process(pid)
	return p, ok && p.state != 'Z' && strings.Contains(s.read(fmt.Sprintf("/proc/%d/comm", pid)), name)
}

// revive starts a daemon that does not run and lets one go on that was stopped.
func (s *subject) revive(name string, args ...string) error {
	p, ok := s.daemon(name)
	switch {
	case ok && p.state == 'T':
		_, err := s.signal(syscall.SIGCONT, p)
		return err
	case ok:
		return nil
	}
	_, err := s.console(`n=$1; shift; exec env -i PATH="$PATH" "/usr/sbin/$n" "$@" >/dev/null 2>&1`, append([]string{name}, args...)...)
	return err
}
