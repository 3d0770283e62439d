package trust

import "os"

// temporary is a file in the directory for such files. done removes it.
func temporary() (f *os.File, path string, done func(), err error) {
	f, err = os.CreateTemp("", "fwpush-known-hosts-")
	if err != nil {
		return nil, "", nil, err
	}
	return f, f.Name(), func() { f.Close(); os.Remove(f.Name()) }, nil
}
