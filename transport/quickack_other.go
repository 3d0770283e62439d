//go:build !linux

package transport

// quickAck does nothing where TCP_QUICKACK does not exist.
func quickAck(uintptr) {}
