package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// probeTime is how long a port may take to answer before it counts as closed.
// Over a bridge in the same kernel an answer takes less than a millisecond.
const probeTime = 2 * time.Second

// Listen accepts connections on TCP ports until it is killed, and says so on
// ready once it does. It is what runs on the web hosts.
func Listen(ready io.Writer, ports []string) error {
	var serving sync.WaitGroup
	for _, port := range ports {
		l, err := net.Listen("tcp", ":"+port)
		if err != nil {
			return err
		}
		serving.Go(func() { serve(l) })
	}
	if _, err := fmt.Fprintln(ready, "listening"); err != nil {
		return err
	}
	serving.Wait()
	return nil
}

func serve(l net.Listener) {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			conn.Close()
		}
	}
}

// Probe writes a line for each TCP port of an address: what comes of a
// connection. It is what runs on the bastion.
func Probe(ctx context.Context, out io.Writer, address string, ports []string) error {
	seen := make([]string, len(ports))
	var probing sync.WaitGroup
	for i, port := range ports {
		probing.Go(func() { seen[i] = probe(ctx, net.JoinHostPort(address, port)) })
	}
	probing.Wait()
	for i, port := range ports {
		if _, err := fmt.Fprintf(out, "%s %s\n", port, seen[i]); err != nil {
			return err
		}
	}
	return nil
}

// probe says what comes of a connection: open, refused, no answer, or an error.
func probe(ctx context.Context, address string) string {
	conn, err := (&net.Dialer{Timeout: probeTime}).DialContext(ctx, "tcp", address)
	var timeout net.Error
	switch {
	case err == nil:
		conn.Close()
		return "open"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer"
	}
	return err.Error()
}
