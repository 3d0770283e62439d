package inventory

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
	// FileName is what the fleet file is called if it is not named.
	FileName = "fleet.toml"

	maxFile = 4 << 20 // bytes
)

// Find returns the fleet file of a directory: fleet.toml there or in the nearest
// directory above, as a path relative to where it was looked for.
func Find(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("look for %s: %w", FileName, err)
	}
	for up := dir; ; up = filepath.Join(up, "..") {
		path := filepath.Join(up, FileName)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("look for %s: %w", FileName, err)
		}
		if here, err := filepath.Abs(up); err != nil || here == filepath.Dir(here) {
			return "", fmt.Errorf("no %s in %s or above; name one with -i", FileName, abs)
		}
	}
}

// LoadOptions say how a fleet file came to be read.
type LoadOptions struct {
	// Named is true if the user named the file. A file that was found by
	// itself is refused where others could have put it there.
	Named bool
}

// Load reads a fleet file as Parse does. The Fleet is never nil.
func Load(path string, o LoadOptions) (*Fleet, Problems) {
	src, found := read(path, o)
	if len(found.Errors()) > 0 {
		return &Fleet{Path: path}, found
	}
	fleet, more := Parse(path, src)
	found = append(found, more...)
	found.Sort()
	return fleet, found
}

// read returns the bytes of a fleet file and what is to be said about the file.
func read(path string, o LoadOptions) ([]byte, Problems) {
	var found Problems
	say := func(s Severity, msg, hint string) Problems {
		return append(found, Problem{Severity: s, Place: Place{File: path}, Msg: msg, Hint: hint})
	}
	// Before opening, which would wait for a writer if it is a FIFO.
	if info, err := os.Stat(path); err != nil {
		return nil, say(Error, reason(err), "")
	} else if mode := info.Mode(); !mode.IsRegular() && !(o.Named && mode&fs.ModeNamedPipe != 0) {
		return nil, say(Error, "not a regular file", "name a file in TOML")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, say(Error, reason(err), "")
	}
	defer file.Close()
	for _, look := range []struct {
		what string
		stat func() (fs.FileInfo, error)
	}{
		{"the file", file.Stat},
		{"its directory", func() (fs.FileInfo, error) { return os.Stat(filepath.Dir(path)) }},
	} {
		info, err := look.stat()
		if err != nil {
			return nil, say(Error, reason(err), "")
		}
		found = append(found, trust(path, look.what, info, o)...)
	}
	if len(found.Errors()) > 0 {
		return nil, found
	}
	src, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	switch {
	case err != nil:
		return nil, say(Error, reason(err), "")
	case len(src) > maxFile:
		return nil, say(Error, fmt.Sprintf("too large, a fleet file has at most %d MiB", maxFile>>20), "")
	case bytes.HasPrefix(src, []byte("\xff\xfe")), bytes.HasPrefix(src, []byte("\xfe\xff")),
		bytes.IndexByte(src[:min(len(src), 4)], 0) >= 0:
		return nil, say(Error, "the file is UTF-16", "save it as UTF-8")
	case bytes.HasPrefix(src, []byte("#!")):
		return nil, say(Error, "a fleet file that is a program is not supported yet", "")
	}
	if bad := invalidUTF8(src); bad >= 0 {
		p := Place{File: path, Line: 1 + bytes.Count(src[:bad], []byte("\n"))}
		p.Col = 1 + utf8.RuneCount(bytes.TrimPrefix(src[bytes.LastIndexByte(src[:bad], '\n')+1:bad], []byte("\ufeff")))
		return nil, append(found, Problem{Place: p, Width: 1, Msg: fmt.Sprintf("byte 0x%02x is not UTF-8", src[bad]), Hint: "save the file as UTF-8"})
	}
	return src, found
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

// trust says who else could have written a file. What stands in it becomes the
// firewall of every host.
func trust(path, what string, info fs.FileInfo, o LoadOptions) Problems {
	p := Problem{Severity: Note, Place: Place{File: path}}
	var found Problems
	switch mode := info.Mode(); {
	case mode.IsRegular() || mode.IsDir():
	default:
		return nil // a FIFO was made for us
	}
	switch perm := info.Mode().Perm(); {
	case perm&0o002 != 0:
		p.Msg = what + " can be written by everybody"
		if !o.Named {
			p.Severity, p.Hint = Error, "name it with -i if that is meant"
		}
		found = append(found, p)
	case perm&0o020 != 0:
		p.Msg = what + " can be written by its group"
		found = append(found, p)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 && int(st.Uid) != os.Getuid() {
		p.Severity, p.Hint = Note, ""
		p.Msg = fmt.Sprintf("%s belongs to user %d, not to you", what, st.Uid)
		found = append(found, p)
	}
	return found
}

// reason is an error about a file without the path, which stands before it.
func reason(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}
