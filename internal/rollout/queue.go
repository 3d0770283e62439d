package rollout

import "sync"

// queue hands events from many goroutines to one, in the order in which they came. It
// has no bound, so that no transaction ever waits for a slow terminal.
type queue struct {
	mu     sync.Mutex
	events []Event
	closed bool
	more   chan struct{} // has an item while there may be something to take
}

func newQueue() *queue { return &queue{more: make(chan struct{}, 1)} }

func (q *queue) put(e Event) {
	q.mu.Lock()
	q.events = append(q.events, e)
	q.mu.Unlock()
	q.wake()
}

// close says that nothing more comes.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.wake()
}

func (q *queue) wake() {
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// each hands every event to do, if that is set, until the queue is closed and empty.
func (q *queue) each(do func(Event)) {
	for range q.more {
		q.mu.Lock()
		events, closed := q.events, q.closed
		q.events = nil
		q.mu.Unlock()
		for _, e := range events {
			if do != nil {
				contained(func() { do(e) })
			}
		}
		if closed {
			return
		}
	}
}
