package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// Address says how to reach a server.
type Address struct {
	URL        string // nats://host:4222, or several with commas between
	Credential string // file with an nkey's seed, a JWT with a seed, or a token; required
	CA         string // PEM file of the authority that signed the server's certificate; "" is the system's
	Name       string // of this client in the server's log; optional
	// Patience is how long connecting is tried again while no server answers; 0
	// is one try. A server that refuses is not tried again.
	Patience time.Duration
	Log      *slog.Logger // of connections lost and found; nil is slog.Default
}

// Conn is a connection to a server, which comes back by itself when it breaks.
type Conn struct {
	nats   *nats.Conn
	here   bool // the server is on this machine
	log    *slog.Logger
	closed chan struct{} // for good: by Close, or because the server refuses

	closing atomic.Bool // by Close
}

// Connect connects to a server. It refuses one that lets anybody in, and one on
// another machine without TLS: to such a server nothing is sent, no credential
// either.
func Connect(ctx context.Context, a Address) (*Conn, error) {
	here, err := onlyHere(a.URL)
	if err != nil {
		return nil, err
	}
	secret, err := credential(a.Credential)
	if err != nil {
		return nil, err
	}
	options := []nats.Option{secret}
	if !here || a.CA != "" {
		config, err := clientTLS(a.CA)
		if err != nil {
			return nil, err
		}
		options = append(options, nats.Secure(config))
	}
	return connect(ctx, a, options)
}

// writeBuffer is how many bytes of messages are collected before they are sent.
const writeBuffer = 256 << 10

// retry is the time between two tries to reach a server.
const retry = 100 * time.Millisecond

func connect(ctx context.Context, a Address, options []nats.Option) (*Conn, error) {
	here, err := onlyHere(a.URL)
	if err != nil {
		return nil, err
	}
	c := &Conn{log: a.Log, here: here, closed: make(chan struct{})}
	if c.log == nil {
		c.log = slog.Default()
	}
	options = append(options, c.options(a.Name)...)
	for end := time.Now().Add(a.Patience); ; {
		var err error
		if c.nats, err = dial(ctx, a.URL, options); err == nil {
			break
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if refused(err) || !time.Now().Before(end) {
			return nil, fmt.Errorf("cannot connect to %s: %w", a.URL, explain(err))
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(retry):
		}
	}
	if !c.nats.AuthRequired() {
		c.Close()
		return nil, fmt.Errorf("server %s lets anybody in: give it users, nkeys or a token", a.URL)
	}
	return c, nil
}

// dial connects, and gives up at the end of ctx.
func dial(ctx context.Context, url string, options []nats.Option) (*nats.Conn, error) {
	type dialled struct {
		conn *nats.Conn
		err  error
	}
	done := make(chan dialled, 1)
	go func() {
		nc, err := nats.Connect(url, options...)
		done <- dialled{nc, err}
	}()
	select {
	case d := <-done:
		return d.conn, d.err
	case <-ctx.Done():
		go func() {
			if d := <-done; d.err == nil {
				d.conn.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

// refused tells whether trying again is of no use.
func refused(err error) bool {
	return errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrSecureConnWanted) || errors.Is(err, nats.ErrSecureConnRequired)
}

func explain(err error) error {
	switch {
	case errors.Is(err, nats.ErrAuthorization):
		return fmt.Errorf("the credential is not one that the server knows: %w", err)
	case errors.Is(err, nats.ErrSecureConnWanted):
		return fmt.Errorf("it has no TLS, which servers on other machines need: %w", err)
	}
	return err
}

// options are those of every connection.
func (c *Conn) options(name string) []nats.Option {
	return []nats.Option{
		nats.Name(name), nats.Timeout(5 * time.Second), nats.MaxReconnects(-1), nats.ReconnectWait(retry), nats.ReconnectJitter(retry, retry),
		nats.WriteBufferSize(writeBuffer),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				c.log.Warn("connection to the server is lost", "error", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) { c.log.Info("connection to the server is back", "url", nc.ConnectedUrlRedacted()) }),
		nats.ClosedHandler(func(nc *nats.Conn) {
			if err := nc.LastError(); err != nil && !c.closing.Load() {
				c.log.Warn("connection to the server is closed", "error", explain(err))
			}
			close(c.closed)
		}),
		nats.ErrorHandler(func(_ *nats.Conn, s *nats.Subscription, err error) {
			subject := ""
			if s != nil {
				subject = s.Subject
			}
			c.log.Warn("the server or the connection complains", "subject", subject, "error", err)
		}),
	}
}

// Close ends the connection. Closing it again changes nothing.
func (c *Conn) Close() {
	c.closing.Store(true)
	c.nats.Close()
}

// URL is the server that the connection has at present.
func (c *Conn) URL() string { return c.nats.ConnectedUrlRedacted() }

// NATS is the connection itself, for who speaks with the server.
func (c *Conn) NATS() *nats.Conn { return c.nats }

// Log is where the connection's news go.
func (c *Conn) Log() *slog.Logger { return c.log }

// Here tells whether the server is on this machine.
func (c *Conn) Here() bool { return c.here }

// Closed is closed when the connection is, for good.
func (c *Conn) Closed() <-chan struct{} { return c.closed }

// Gone is what is wrong with a connection that is closed.
func (c *Conn) Gone() error {
	if err := c.nats.LastError(); err != nil {
		return fmt.Errorf("the connection to the server is closed: %w", explain(err))
	}
	return errors.New("the connection to the server is closed")
}
