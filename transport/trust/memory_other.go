//go:build !linux

package trust

import "os"

func scratch() (f *os.File, path string, done func(), err error) { return temporary() }
