// Package web serves the workbench: papers, runs and studies as pages of a
// local web site over the same store that the command line writes.
//
// Everything is rendered on the server, so that the pages read without
// JavaScript; a small script of our own adds search as one types and live
// updates. Nothing is loaded from elsewhere.
package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/web/guard"
	"github.com/descentml/descent/web/launch"
	"github.com/descentml/descent/web/picture"
)

// Options are what a server needs.
type Options struct {
	// Store holds the runs that are shown. Required.
	Store *store.Store
	// Token has to be shown by everyone who connects; at least
	// guard.MinToken bytes. Empty: no token, and only requests to this
	// machine's own names are answered.
	Token string
	// Executable is the descent command that runs are started with, as
	// processes of their own. Default: the running one.
	Executable string
	// Fleet is asked how the workers of a fleet are, see observe.New.
	// Nil: no fleet is watched.
	Fleet FleetWatcher
	// FollowInterval is the time between two looks for news of what pages
	// follow. Default: 1 s.
	FollowInterval time.Duration
	// MaxStreams bounds the event streams that are open at once. Default: 200.
	MaxStreams int
	// MaxRuns bounds the runs at work that were started from the page.
	// Default: 4.
	MaxRuns int
	// Uploads bound what people upload. Zero values stand for the defaults.
	Uploads launch.Limits
}

// Server is the workbench. Make it with New.
type Server struct {
	store      *store.Store
	token      string // for entering, "" if none is asked for
	formToken  string // proves that a form came from a page of this server
	executable string
	watcher    FleetWatcher
	streams    *guard.Limit
	guard      *guard.Guard
	pages      pages
	drawn      cache[[]picture.Section] // of finished runs of studies
	studies    cache[map[string][]store.Run]
	runs       runs
	mux        *http.ServeMux
	handler    http.Handler
	slow       slowness
}

// slowness is how slow a client may be before it is given up.
type slowness struct {
	header time.Duration // for the head of a request
	read   time.Duration // for the whole request; uploads set their own
	write  time.Duration // for the whole answer; event streams set their own
	idle   time.Duration // between two requests of a connection
}

const (
	defaultStreams = 200
	maxConnections = 1024
	maxHeader      = 32 << 10
	maxForm        = 1 << 20 // bytes of a request's body, but for uploads
)

// New makes a server.
func New(o Options) (*Server, error) {
	if o.Store == nil {
		return nil, errors.New("the workbench needs a store: Options.Store is nil")
	}
	if o.Token != "" && len(o.Token) < guard.MinToken {
		return nil, fmt.Errorf("the token has %d bytes: expected at least %d", len(o.Token), guard.MinToken)
	}
	if o.Executable == "" {
		var err error
		if o.Executable, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	if o.MaxStreams == 0 {
		o.MaxStreams = defaultStreams
	}
	parsed, err := parsePages()
	if err != nil {
		return nil, err
	}
	s := &Server{
		store: o.Store, token: o.Token, formToken: guard.NewToken(), executable: o.Executable, watcher: o.Fleet,
		streams: guard.NewLimit(o.MaxStreams), pages: parsed, mux: http.NewServeMux(),
		slow: slowness{header: 5 * time.Second, read: 30 * time.Second, write: 30 * time.Second, idle: time.Minute},
	}
	s.studies.most = 2 // they may be large
	s.guard = guard.New(guard.Policy{Token: o.Token, Open: open, Fail: s.refuse})
	if err := s.openRuns(o); err != nil {
		return nil, err
	}
	s.routes()
	s.handler = s.guard.Handler(withoutSuffix(http.HandlerFunc(s.route)))
	return s, nil
}

// routes lists all that is served.
func (s *Server) routes() {
	s.mux.Handle("GET /assets/", assets())
	s.handle("GET /login", s.login)
	s.handle("POST /login", s.login)
	s.handle("POST /logout", s.logout)
	s.handle("GET /{$}", s.home)
	s.handle("GET /papers", s.paperList)
	s.handle("GET /papers/{name}", s.paper)
	s.handle("GET /studies", s.studyList)
	s.handle("GET /studies/{name}", s.study)
	s.handle("POST /studies/{name}", s.runStudy)
	s.handle("GET /curvature", s.curvature)
	s.handle("GET /curvature/{run}", s.analysis)
	s.handle("GET /fleet", s.fleet)
	s.runRoutes()
}

// open reports whether a path is served without the token.
func open(path string) bool { return path == "/login" || strings.HasPrefix(path, "/assets/") }

// Handler is the whole site.
func (s *Server) Handler() http.Handler { return s.handler }

// Serve answers on a listener until ctx ends; then it stops within a second,
// open event streams included, and returns nil. Processes that it started are
// left alone.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	live, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer s.closeRuns()
	server := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: s.slow.header,
		ReadTimeout:       s.slow.read,
		WriteTimeout:      s.slow.write,
		IdleTimeout:       s.slow.idle,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return live },
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(guard.Listener(l, maxConnections)) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	s.runs.hub.Close()
	stop() // ends event streams, which would hold up Shutdown
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), 500*time.Millisecond)
	defer cancel()
	if server.Shutdown(patience) != nil {
		return server.Close()
	}
	return nil
}
