// Package live tells web pages of news by server-sent events. However many
// viewers a topic has, one poller looks for news, and every viewer holds no
// more than the newest event: a slow one misses those in between, and holds up
// nobody.
package live

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// ErrFull says that no more streams are taken for now.
var ErrFull = errors.New("too many pages are open that follow something: close some, or load the page again to see what is new")

// Event is the state of a topic at some time: it stands for all events before.
type Event struct {
	ID   string // changes whenever there is news; one line
	Name string // that a page listens to; one line
	Data string // any text
	Last bool   // nothing follows; streams end
}

// Source looks for news: it returns the state of its topic, with the same ID
// as before if nothing has changed. It is called again and again by one
// goroutine, and should cost little. An error is taken for no news.
type Source func(context.Context) (Event, error)

// Limit bounds how many streams there are at once: Take takes a place and
// returns how to give it back, or false.
type Limit interface {
	Take() (release func(), ok bool)
}

// Options say how a hub works. Zero values stand for the defaults.
type Options struct {
	Limit     Limit         // required
	Interval  time.Duration // between two looks for news; default: 500 ms
	Heartbeat time.Duration // between signs of life; default: 15 s
	Patience  time.Duration // that a viewer has to take what is written; default: 10 s
	Longest   time.Duration // that a stream lasts, after which browsers ask anew; default: 30 min
}

// Hub shares pollers between streams. Make it with NewHub.
type Hub struct {
	options Options
	ctx     context.Context
	stop    context.CancelFunc
	mutex   sync.Mutex // guards what follows
	topics  map[string]*topic
}

// NewHub makes a hub.
func NewHub(o Options) *Hub {
	for _, setting := range []struct {
		value    *time.Duration
		standard time.Duration
	}{
		{&o.Interval, 500 * time.Millisecond}, {&o.Heartbeat, 15 * time.Second},
		{&o.Patience, 10 * time.Second}, {&o.Longest, 30 * time.Minute},
	} {
		if *setting.value <= 0 {
			*setting.value = setting.standard
		}
	}
	h := &Hub{options: o, topics: map[string]*topic{}}
	h.ctx, h.stop = context.WithCancel(context.Background())
	return h
}

// Close ends all streams and pollers.
func (h *Hub) Close() { h.stop() }

// Topics is the number of topics that are followed now: of pollers.
func (h *Hub) Topics() int {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return len(h.topics)
}

// topic is what some viewers follow.
type topic struct {
	cancel  context.CancelFunc
	viewers map[*viewer]bool
	newest  Event
}

// viewer is one stream.
type viewer struct {
	news chan struct{} // holds one token if there is an event that was not seen
}

// join adds a viewer to a topic, and a poller if it is the first.
func (h *Hub) join(name string, source Source) (*topic, *viewer) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	t, found := h.topics[name]
	if !found {
		t = &topic{viewers: map[*viewer]bool{}}
		var ctx context.Context
		ctx, t.cancel = context.WithCancel(h.ctx)
		h.topics[name] = t
		go h.poll(ctx, t, source)
	}
	v := &viewer{news: make(chan struct{}, 1)}
	t.viewers[v] = true
	if t.newest.ID != "" {
		v.news <- struct{}{}
	}
	return t, v
}

// leave takes a viewer out of a topic, whose poller ends with the last one.
func (h *Hub) leave(name string, t *topic, v *viewer) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	delete(t.viewers, v)
	if len(t.viewers) == 0 {
		t.cancel()
		if h.topics[name] == t {
			delete(h.topics, name)
		}
	}
}

// poll looks for news of a topic until nobody follows it.
func (h *Hub) poll(ctx context.Context, t *topic, source Source) {
	tick := time.NewTicker(h.options.Interval)
	defer tick.Stop()
	for {
		if event, err := source(ctx); err == nil {
			h.publish(t, event)
			if event.Last {
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (h *Hub) publish(t *topic, event Event) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if event.ID == t.newest.ID {
		return
	}
	t.newest = event
	for v := range t.viewers {
		select {
		case v.news <- struct{}{}:
		default: // it has not seen the one before, and will see this one instead
		}
	}
}

func (h *Hub) newest(t *topic) Event {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return t.newest
}

// Serve answers a request with the events of a topic until the viewer goes
// away, the topic has its last event or the hub is closed. A browser that
// comes back names the event that it saw last, and is not told it again; one
// that saw the last event of all is told not to come again (status 204). The
// error ErrFull means that nothing was written and a refusal is due.
func (h *Hub) Serve(w http.ResponseWriter, r *http.Request, name string, source Source) error {
	release, ok := h.options.Limit.Take()
	if !ok || h.ctx.Err() != nil {
		if ok {
			release()
		}
		return ErrFull
	}
	defer release()
	t, v := h.join(name, source)
	defer h.leave(name, t, v)
	s := stream{hub: h, w: w, control: http.NewResponseController(w), seen: r.Header.Get("Last-Event-ID")}
	s.follow(r.Context(), t, v)
	return nil
}

// stream is an answer in progress.
type stream struct {
	hub     *Hub
	w       http.ResponseWriter
	control *http.ResponseController
	seen    string // ID of the event that the viewer has seen
	begun   bool
}

// follow writes events until there is a reason to stop.
func (s *stream) follow(ctx context.Context, t *topic, v *viewer) {
	// The limits of the server are for answers that end soon; those of this
	// stream are set with every write. A writer that has none needs none.
	_ = s.control.SetReadDeadline(time.Time{})
	o := s.hub.options
	heartbeat := time.NewTicker(o.Heartbeat)
	defer heartbeat.Stop()
	longest := time.NewTimer(o.Longest)
	defer longest.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-s.hub.ctx.Done():
			return
		case <-longest.C:
			return
		case <-heartbeat.C:
			err = s.write(": still here\n\n")
		case <-v.news:
			event := s.hub.newest(t)
			if event.Last && event.ID == s.seen && !s.begun {
				s.w.WriteHeader(http.StatusNoContent)
				return
			}
			if event.ID != s.seen {
				err = s.write(event.text())
				s.seen = event.ID
			}
			if event.Last {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// write sends text at once, or fails when the viewer does not take it in time.
func (s *stream) write(text string) error {
	_ = s.control.SetWriteDeadline(time.Now().Add(s.hub.options.Patience))
	if !s.begun {
		s.begun = true
		header := s.w.Header()
		header.Set("Content-Type", "text/event-stream; charset=utf-8")
		header.Set("Cache-Control", "no-store")
		header.Set("X-Accel-Buffering", "no") // proxies pass it on at once
		text = "retry: 2000\n\n" + text
	}
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.control.Flush()
}

// text is the event as the protocol writes it.
func (e Event) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "id: %s\nevent: %s\n", oneLine(e.ID), oneLine(e.Name))
	for line := range strings.SplitSeq(strings.ReplaceAll(e.Data, "\r", "\n"), "\n") {
		fmt.Fprintf(&b, "data: %s\n", line)
	}
	b.WriteString("\n")
	return b.String()
}

// oneLine keeps a field from ending early, and an ID from being ignored.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' || r == 0 {
			return ' '
		}
		return r
	}, text)
}
