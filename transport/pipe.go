package transport

import (
	"io"
	"net"
)

// pipe is this end of what piped returns.
type pipe struct {
	net.Conn
	far address
}

// address is a host and port as written, for known_hosts.
type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

func (p pipe) RemoteAddr() net.Addr { return p.far }

// piped is a connection that a jump host made, behind a pipe. The SSH channel knows no
// deadlines, and closing it wakes no reader before the jump host has agreed; the pipe
// does both at once, whatever the jump host does. What is left behind ends with the
// channel, at the latest with the connection to the jump host.
func piped(channel net.Conn, far string) net.Conn {
	here, there := net.Pipe()
	go func() {
		io.Copy(channel, there)
		there.Close()
		channel.Close()
	}()
	go func() {
		io.Copy(there, channel)
		there.Close()
	}()
	return pipe{here, address(far)}
}
