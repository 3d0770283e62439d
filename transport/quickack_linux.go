package transport

import "syscall"

// quickAck turns delayed acknowledgements off on a TCP socket. The kernel may
// turn them on again at any time (tcp(7)), so it is repeated after each read.
func quickAck(fd uintptr) {
	syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
}
