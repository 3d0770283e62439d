package rollout

import (
	"context"
	"fmt"
	"time"

	"fwpush/inventory"
	"fwpush/transport"
)

// early are the logins of hosts whose turn comes next. While a commit group applies and proves
// itself this machine mostly waits for answers; a few hosts of the next one log in meanwhile. They
// are asked nothing before their turn. It belongs to the goroutine that walks the waves.
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
// connections without traffic, hardly ever this soon.
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

// dialed is what came of it, and whether that is still worth something.
func (l *login) dialed() (conn *transport.Conn, fresh bool, err error) {
	<-l.done // Dial has its own limits
	return l.conn, time.Since(l.began) < loginAge, l.err
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
