package e2e

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// scan tells which TCP ports of an address from 1 to last answer at all: with a
// connection, or with a reset where the rules let the question in and nobody
// listens.
func (n network) scan(a netip.Addr, last int) (answering []int, err error) {
	socks := make([]unix.PollFd, 0, last)
	defer func() {
		for _, s := range socks {
			unix.Close(int(s.Fd))
		}
	}()
	err = n.do(func() error {
		for port := 1; port <= last; port++ {
			family, to := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: port, Addr: a.As16()})
			if a.Is4() {
				family, to = unix.AF_INET, &unix.SockaddrInet4{Port: port, Addr: a.As4()}
			}
			fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			socks = append(socks, unix.PollFd{Fd: int32(fd), Events: unix.POLLOUT})
			if err := unix.Connect(fd, to); err != nil && err != unix.EINPROGRESS && err != unix.ECONNREFUSED {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	time.Sleep(silence) // what is to be seen is that nothing happens
	if _, err := unix.Poll(socks, 0); err != nil {
		return nil, err
	}
	for i, s := range socks {
		if s.Revents != 0 {
			answering = append(answering, i+1)
		}
	}
	return answering, nil
}
