package sshtest

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"syscall"

	"golang.org/x/crypto/ssh"
)

// Forwarding decides about a direct-tcpip request (RFC 4254, section 7.2): it returns
// where a connection to an address leads, "" if that is prohibited. The address is as the
// client wrote it. A Forwarding that waits for its context never answers.
type Forwarding func(ctx context.Context, address string) string

// forward serves a direct-tcpip channel, with the reasons that sshd gives.
func (c *conn) forward(channel ssh.NewChannel, ended <-chan struct{}) {
	ctx, cancel := context.WithCancel(c.server.ctx)
	defer cancel()
	c.server.wg.Go(func() {
		select {
		case <-ended:
			cancel()
		case <-ctx.Done():
		}
	})
	var request struct {
		Host       string
		Port       uint32
		Origin     string
		OriginPort uint32
	}
	if ssh.Unmarshal(channel.ExtraData(), &request) != nil {
		channel.Reject(ssh.ConnectionFailed, "open failed")
		return
	}
	to := c.server.config.Forward(ctx, net.JoinHostPort(request.Host, strconv.Itoa(int(request.Port))))
	if ctx.Err() != nil {
		return
	}
	if to == "" {
		channel.Reject(ssh.Prohibited, "open failed")
		return
	}
	target, err := new(net.Dialer).DialContext(ctx, "tcp", to)
	if err != nil {
		var errno syscall.Errno
		if errors.As(err, &errno) {
			err = errno
		}
		channel.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	defer target.Close()
	stream, requests, err := channel.Accept()
	if err != nil {
		return
	}
	defer stream.Close()
	go ssh.DiscardRequests(requests)
	sent := make(chan struct{})
	c.server.wg.Go(func() {
		defer close(sent)
		io.Copy(stream, target)
		stream.CloseWrite()
	})
	io.Copy(target, stream)
	target.(*net.TCPConn).CloseWrite()
	select {
	case <-sent:
	case <-ctx.Done(): // nobody hears what the target has to say
	}
}
