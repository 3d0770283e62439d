package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fwpush/inventory"
	"fwpush/transport"
)

// early are the logins of hosts whose turn comes next. As a commit group comes to its gate, and when
// the last ones prove themselves, this machine mostly waits for answers; hosts of the next one log in
// meanwhile. They are asked nothing before their turn. It belongs to the goroutine that walks the waves.
type early map[int]*login

// login is a connection that was begun before its host's turn.
type login struct {
	began  time.Time
	giveUp context.CancelFunc
	done   chan struct{} // closed when the rest is set
	conn   *transport.Conn
	err    error
}

// loginAge is how old such a login may be when its turn comes. Firewalls on the way forget
// connections, hardly ever this soon; a connection that is lost without a word is known to be by then.
const loginAge = 20 * time.Second

func (e early) begin(i int, d Dialer, ep inventory.Endpoint) {
	ctx, cancel := context.WithCancel(context.Background())
	l := &login{began: time.Now(), giveUp: cancel, done: make(chan struct{})}
	e[i] = l
	go func() {
		defer close(l.done)
		defer func() { // a panic here would end every transaction of this controller
			if p := recover(); p != nil {
				l.err = fmt.Errorf("a bug in fwpush: %v%s", p, panicPlace())
			}
		}()
		l.conn, l.err = d.Dial(ctx, ep)
	}()
}

// take hands a host's login over, nil if there is none.
func (e early) take(i int) *login {
	l := e[i]
	delete(e, i)
	return l
}

// dialed is what came of it, now that it is the host's turn, and whether that holds: a connection that
// is not over, a refusal of the host's, or a failure to reach it that has come this moment. What could
// not be reached while others changed may be reached now.
func (l *login) dialed() (conn *transport.Conn, holds bool, err error) {
	early := false
	select {
	case <-l.done:
		early = true
	default:
		<-l.done // Dial has its own limits, and these are the host's own turn
	}
	old := early && time.Since(l.began) >= loginAge
	var dial *transport.DialError
	switch {
	case l.err == nil:
		holds = !old && l.conn.Gone() == nil
	case early:
		holds = !old && !errors.As(l.err, &dial)
	default:
		holds = true // to try again at once would take as long again
	}
	return l.conn, holds, l.err
}

// drop closes what nobody took, and says what each cost.
func (e early) drop(cost func(i int, connections int)) {
	for _, l := range e {
		l.giveUp()
	}
	for i, l := range e {
		h := host{}
		conn, _, err := l.dialed()
		_, _ = h.count(conn, err)
		connections, _ := h.hangUp()
		cost(i, connections)
		delete(e, i)
	}
}
