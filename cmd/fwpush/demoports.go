package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// probeTime is how long a port may take to answer before it counts as closed.
// Over a bridge in the same kernel an answer takes less than a millisecond.
const probeTime = 2 * time.Second

// newDemoListen is what runs on the web hosts of a demo.
func newDemoListen() *cobra.Command {
	return &cobra.Command{
		Use:    "listen PORT...",
		Short:  "accept connections until killed (a part of the demo)",
		Hidden: true,
		Args:   cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, ports []string) error {
			var serving sync.WaitGroup
			for _, port := range ports {
				l, err := net.Listen("tcp", ":"+port)
				if err != nil {
					return err
				}
				serving.Go(func() { serve(l) })
			}
			// Whoever started this waits for a line.
			if _, err := fmt.Fprintln(os.Stdout, "listening"); err != nil {
				return err
			}
			serving.Wait()
			return nil
		},
	}
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

// newDemoProbe is what runs on the bastion of a demo.
func newDemoProbe(c *console) *cobra.Command {
	return &cobra.Command{
		Use:    "probe ADDRESS PORT...",
		Short:  "tell which ports answer (a part of the demo)",
		Hidden: true,
		Args:   cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			seen := make([]string, len(args)-1)
			var probing sync.WaitGroup
			for i, port := range args[1:] {
				probing.Go(func() { seen[i] = probe(cmd.Context(), net.JoinHostPort(args[0], port)) })
			}
			probing.Wait()
			for i, port := range args[1:] {
				if _, err := fmt.Fprintf(c.out, "%s %s\n", port, seen[i]); err != nil {
					return err
				}
			}
			return nil
		},
	}
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
