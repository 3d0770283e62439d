package fleetfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"unicode/utf8"
)

const (
	// Name is what the fleet file is called if it is not named.
	Name = "fleet.toml"

	maxSize = 4 << 20 // bytes
)

// Finding is what is to be said about the file as such.
type Finding struct {
	Refused   bool // the file is not to be used; else a note
	Line, Col int  // 0 for the file as a whole
	Msg, Hint string
}

// Find returns the path of the fleet file of a directory: fleet.toml there or in
// the nearest directory above.
func Find(dir string) (string, error) {
	here, err := filepath.Abs(dir)
	if err == nil {
		// As the kernel goes up, not as the shell came down through a link.
		here, err = filepath.EvalSymlinks(here)
	}
	if err != nil {
		return "", fmt.Errorf("look for %s: %w", Name, err)
	}
	start, up := here, here
	if dir == "." {
		up = dir // people read ../fleet.toml more easily
	}
	for ; ; up = filepath.Join(up, "..") {
		path := filepath.Join(up, Name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("look for %s: %w", Name, err)
		}
		if here == filepath.Dir(here) {
			return "", fmt.Errorf("no %s in %s or above; name one with -i", Name, start)
		}
		here = filepath.Dir(here)
	}
}

// Read returns the bytes of a fleet file, nil if it is refused. Named tells that
// the user named the file: one that was found by itself is refused where others
// could have put it there.
func Read(path string, named bool) ([]byte, []Finding) {
	refuse := func(msg, hint string) []Finding { return []Finding{{Refused: true, Msg: msg, Hint: hint}} }
	// Before opening, which would wait for a writer if it is a FIFO.
	if info, err := os.Stat(path); err != nil {
		return nil, refuse(Reason(err), "")
	} else if mode := info.Mode(); !mode.IsRegular() && !(named && mode&fs.ModeNamedPipe != 0) {
		return nil, refuse("not a regular file", "name a file in TOML")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, refuse(Reason(err), "")
	}
	defer file.Close()
	found, err := trustAll(file, path, named)
	if err != nil {
		return nil, refuse(Reason(err), "")
	}
	for _, f := range found {
		if f.Refused {
			return nil, found
		}
	}
	src, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	if err != nil {
		return nil, append(found, refuse(Reason(err), "")...)
	}
	if bad := text(src); bad != nil {
		return nil, append(found, *bad)
	}
	return src, found
}

// text returns what keeps the bytes of a file from being the text of one.
func text(src []byte) *Finding {
	switch {
	case len(src) > maxSize:
		return &Finding{Refused: true, Msg: fmt.Sprintf("too large, a fleet file has at most %d MiB", maxSize>>20)}
	case bytes.HasPrefix(src, []byte("\xff\xfe")), bytes.HasPrefix(src, []byte("\xfe\xff")),
		bytes.IndexByte(src[:min(len(src), 4)], 0) >= 0:
		return &Finding{Refused: true, Msg: "the file is UTF-16", Hint: "save it as UTF-8"}
	case bytes.HasPrefix(src, []byte("#!")):
		return &Finding{Refused: true, Msg: "a program is no fleet file", Hint: "one that prints an inventory is given with -i beside the fleet file, and may be run (chmod +x)"}
	}
	bad := invalidUTF8(src)
	if bad < 0 {
		return nil
	}
	line := bytes.TrimPrefix(src[bytes.LastIndexByte(src[:bad], '\n')+1:bad], []byte("\ufeff"))
	return &Finding{
		Refused: true,
		Line:    1 + bytes.Count(src[:bad], []byte("\n")),
		Col:     1 + utf8.RuneCount(line),
		Msg:     fmt.Sprintf("byte 0x%02x is not UTF-8", src[bad]), Hint: "save the file as UTF-8",
	}
}

func invalidUTF8(src []byte) int {
	for i := 0; i < len(src); {
		r, n := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// IsProgram tells whether a path is that of a program: a file that may be run and begins
// as scripts (execve(2)) or binaries (elf(5)) do.
func IsProgram(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return false
	}
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	start := make([]byte, 4)
	n, _ := io.ReadFull(file, start) // a shorter file is no program
	return bytes.HasPrefix(start[:n], []byte("#!")) || bytes.Equal(start[:n], []byte("\x7fELF"))
}

// Trust says who else could have written a file that is to be run.
func Trust(path string) []Finding {
	file, err := os.Open(path)
	if err != nil {
		return []Finding{{Refused: true, Msg: Reason(err)}}
	}
	defer file.Close()
	found, err := trustAll(file, path, false)
	if err != nil {
		return []Finding{{Refused: true, Msg: Reason(err)}}
	}
	return found
}

// trustAll looks at a file, the directory it is in, and, if it is a link, the one
// it is really in.
func trustAll(file *os.File, path string, named bool) ([]Finding, error) {
	own, err := file.Stat()
	if err != nil {
		return nil, err
	}
	found := trust("the file", own, named)
	dirs := []string{filepath.Dir(path)}
	if real, err := filepath.EvalSymlinks(path); err == nil && filepath.Dir(real) != dirs[0] {
		dirs = append(dirs, filepath.Dir(real))
	}
	var seen fs.FileInfo
	for _, dir := range dirs {
		around, err := os.Stat(dir)
		if err != nil {
			return nil, err
		}
		if seen == nil || !os.SameFile(seen, around) {
			found = append(found, trust("its directory", around, named)...)
		}
		seen = around
	}
	return found, nil
}

// trust says who else could have written a file. What stands in it becomes the
// firewall of every host.
func trust(what string, info fs.FileInfo, named bool) []Finding {
	if !info.Mode().IsRegular() && !info.IsDir() {
		return nil // a FIFO was made for us
	}
	var found []Finding
	switch perm := info.Mode().Perm(); {
	case perm&0o002 != 0 && named:
		found = append(found, Finding{Msg: what + " can be written by everybody"})
	case perm&0o002 != 0:
		found = append(found, Finding{Refused: true, Msg: what + " can be written by everybody", Hint: "name it with -i if that is meant"})
	case perm&0o020 != 0:
		found = append(found, Finding{Msg: what + " can be written by its group"})
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 && int(st.Uid) != os.Getuid() {
		found = append(found, Finding{Msg: fmt.Sprintf("%s belongs to user %d, not to you", what, st.Uid)})
	}
	return found
}

// Reason is an error about a file without the path, which stands before it.
func Reason(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}
