package probe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// here is this machine as the start of connections.
type here struct{}

func (here) connect(ctx context.Context, at string, limit time.Duration) (net.Conn, attempt) {
	began := time.Now()
	if a := route(ctx, at); a.fate != there {
		return nil, a
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", at)
	var timeout net.Error
	switch {
	case err == nil:
		return conn, attempt{at: at, fate: there, did: "connects"}
	case errors.Is(ctx.Err(), context.Canceled):
		return nil, attempt{at: at, fate: notTried, why: sayf(err, "given up")}
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil, attempt{at: at, fate: notThere, why: sayf(err, "connection refused")}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return nil, silence(at, began, limit)
	case oneOf(err, answered):
		return nil, attempt{at: at, fate: notThere, why: sayf(err, "%s", reason(err))}
	}
	return nil, attempt{at: at, fate: notTried, why: sayf(err, "%s", reason(err))}
}

// answered are the errors of connect(2) that somebody on the way has caused: a reset,
// or one of the ICMP messages that tables icmp_err_convert and tab_unreach of Linux
// turn into errors (net/ipv4/icmp.c, net/ipv6/icmp.c). Others are our own troubles.
var answered = []syscall.Errno{
	syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.ETIMEDOUT,
	syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.ENONET,
	syscall.ENOPROTOOPT, syscall.EPROTO, syscall.EOPNOTSUPP, syscall.EACCES,
}

// unrouted are the errors of a look for a route that mean that there is none, or no
// address of the family to come from.
var unrouted = []syscall.Errno{
	syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.EACCES, syscall.EINVAL,
	syscall.EAFNOSUPPORT, syscall.EADDRNOTAVAIL, syscall.ENETDOWN,
}

// route asks the kernel for a way to an address, without sending anything: connect(2)
// of UDP does no more than that. It tells the want of a route from the answer of a
// router, which are the same error to TCP.
func route(ctx context.Context, at string) attempt {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "udp", at)
	switch {
	case err == nil:
		conn.Close()
		return attempt{at: at, fate: there}
	case oneOf(err, unrouted):
		return attempt{at: at, fate: noRoute, why: sayf(err, "no route from here: %s", reason(err))}
	}
	return attempt{at: at, fate: notTried, why: sayf(err, "%s", reason(err))}
}

func oneOf(err error, list []syscall.Errno) bool {
	for _, e := range list {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// reason is what the kernel said, without the call and the address before it.
func reason(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	return safe(err.Error())
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}
