package guard

import (
	"net"
	"sync"
	"time"
)

// Limit bounds how many of something are held at once.
type Limit struct{ places chan struct{} }

// NewLimit makes a limit of n at once.
func NewLimit(n int) *Limit { return &Limit{places: make(chan struct{}, n)} }

// Take takes a place and returns how to give it back, which may be called more
// than once; false if all places are taken.
func (l *Limit) Take() (release func(), ok bool) {
	select {
	case l.places <- struct{}{}:
		return sync.OnceFunc(func() { <-l.places }), true
	default:
		return nil, false
	}
}

// Taken is how many places are taken.
func (l *Limit) Taken() int { return len(l.places) }

// After mostWrong wrong tokens within a period nobody's token is looked at until
// the period is over.
const (
	mostWrong = 20
	period    = 10 * time.Second
)

// attempts slows down who guesses a token.
type attempts struct {
	mutex sync.Mutex
	since time.Time
	count int
}

func newAttempts() *attempts { return &attempts{} }

func (a *attempts) allowed(now time.Time) bool {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if now.Sub(a.since) > period {
		a.since, a.count = now, 0
	}
	return a.count < mostWrong
}

func (a *attempts) wrong() {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.count++
}

// Listener bounds the connections that are open at once: further ones wait in
// the system's queue until one closes.
func Listener(inner net.Listener, most int) net.Listener {
	return &listener{Listener: inner, places: make(chan struct{}, most), closed: make(chan struct{})}
}

type listener struct {
	net.Listener
	places chan struct{}
	closed chan struct{}
	once   sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case l.places <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.places
		return nil, err
	}
	return &connection{Conn: c, release: sync.OnceFunc(func() { <-l.places })}, nil
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type connection struct {
	net.Conn
	release func()
}

func (c *connection) Close() error {
	err := c.Conn.Close()
	c.release()
	return err
}
