package progress

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// interrupts are what a person at the keyboard, or an init system, asks of a
// run: first to start no new host, then to take back what is not confirmed, then
// to leave at once.
type interrupts struct {
	ctx    context.Context // done after the first: no host is started any more
	unwind chan struct{}   // closed after the second: hosts in flight revert
	leave  chan struct{}   // closed after the third: the hosts are left to their timers
}

// watchInterrupts listens until stop is called. SIGTERM is a first and a second
// interrupt together. SIGHUP and SIGPIPE never end a run: with the controller
// gone every host in flight would revert.
func watchInterrupts(say func(count int)) (in interrupts, stop func()) {
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	ctx, cancel := context.WithCancel(context.Background())
	in = interrupts{ctx: ctx, unwind: make(chan struct{}), leave: make(chan struct{})}
	signals := make(chan os.Signal, 8)
	done := make(chan struct{})
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		for count := 0; count < 3; {
			var got os.Signal
			select {
			case <-done:
				return
			case got = <-signals:
			}
			step := 1
			if got == syscall.SIGTERM && count == 0 {
				step = 2
			}
			for ; step > 0; step-- {
				count++
				switch count {
				case 1:
					cancel()
				case 2:
					close(in.unwind)
				case 3:
					close(in.leave)
				}
			}
			say(count)
		}
	}()
	return in, func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}
