package live_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/descentml/descent/web/guard"
	"github.com/descentml/descent/web/live"
)

// counter is a topic whose state is a number.
type counter struct {
	value, asked atomic.Int64
	last         atomic.Bool
	broken       atomic.Bool
}

func (c *counter) source(context.Context) (live.Event, error) {
	c.asked.Add(1)
	if c.broken.Load() {
		return live.Event{}, errors.New("the disk is gone")
	}
	n := c.value.Load()
	return live.Event{ID: fmt.Sprint(n), Name: "change", Data: fmt.Sprintf("{\"n\":\n%d}", n), Last: c.last.Load()}, nil
}

// server serves a hub at /TOPIC, all topics with one counter.
func server(t *testing.T, o live.Options) (*live.Hub, *counter, string) {
	t.Helper()
	if o.Limit == nil {
		o.Limit = guard.NewLimit(100)
	}
	if o.Interval == 0 {
		o.Interval = time.Millisecond
	}
	hub, c := live.NewHub(o), &counter{}
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := hub.Serve(w, r, r.URL.Path, c.source); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(site.Close)
	t.Cleanup(hub.Close)
	t.Cleanup(site.CloseClientConnections)
	return hub, c, site.URL
}

// get opens a stream.
func get(t *testing.T, address, lastEvent string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if lastEvent != "" {
		request.Header.Set("Last-Event-ID", lastEvent)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}

// until reads lines up to one that begins so, and returns all.
func until(t *testing.T, lines *bufio.Scanner, begin string) []string {
	t.Helper()
	var all []string
	for lines.Scan() {
		all = append(all, lines.Text())
		if strings.HasPrefix(lines.Text(), begin) {
			return all
		}
	}
	t.Fatalf("the stream ended without %q: %q, %v", begin, all, lines.Err())
	return nil
}

func TestViewersShareOnePoller(t *testing.T) {
	hub, c, address := server(t, live.Options{Interval: 5 * time.Millisecond})
	var streams []*bufio.Scanner
	for range 20 {
		answer := get(t, address+"/run", "")
		if kind := answer.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/event-stream") {
			t.Fatal(kind)
		}
		lines := bufio.NewScanner(answer.Body)
		until(t, lines, "id: 0")
		streams = append(streams, lines)
	}
	if hub.Topics() != 1 {
		t.Errorf("%d pollers", hub.Topics())
	}
	c.value.Store(5)
	for _, lines := range streams {
		until(t, lines, "id: 5")
		if got := until(t, lines, "data: 5}"); got[0] != "event: change" || got[1] != `data: {"n":` {
			t.Errorf("%q", got)
		}
	}
}

func TestPollerEndsWithItsLastViewer(t *testing.T) {
	hub, c, address := server(t, live.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	request, _ := http.NewRequestWithContext(ctx, http.MethodGet, address+"/run", nil)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	until(t, bufio.NewScanner(answer.Body), "id: 0")
	cancel()
	answer.Body.Close()
	for hub.Topics() > 0 {
		runtime.Gosched()
	}
	// A call that was under way may still end; a poller that goes on would be
	// seen to ask about fifty times.
	before := c.asked.Load()
	time.Sleep(50 * time.Millisecond)
	if now := c.asked.Load(); now > before+1 {
		t.Errorf("asked %d times after the last viewer left", now-before)
	}
}

func TestResumeTellsNothingTwice(t *testing.T) {
	_, c, address := server(t, live.Options{Heartbeat: 2 * time.Millisecond})
	c.value.Store(3)
	lines := bufio.NewScanner(get(t, address+"/run", "3").Body)
	for _, line := range until(t, lines, ": still here") {
		if strings.HasPrefix(line, "id:") {
			t.Errorf("told again: %s", line)
		}
	}
	c.value.Store(4)
	until(t, lines, "id: 4")
	behind := bufio.NewScanner(get(t, address+"/run", "2").Body)
	if got := until(t, behind, "id:"); got[len(got)-1] != "id: 4" {
		t.Errorf("%q", got)
	}
}

func TestLastEventEndsStreamsForGood(t *testing.T) {
	hub, c, address := server(t, live.Options{})
	answer := get(t, address+"/run", "")
	until(t, bufio.NewScanner(answer.Body), "id: 0")
	c.value.Store(1)
	c.last.Store(true)
	rest, err := io.ReadAll(answer.Body)
	if err != nil || !strings.Contains(string(rest), "id: 1\n") {
		t.Errorf("%q, %v", rest, err)
	}
	if again := get(t, address+"/run", "1"); again.StatusCode != http.StatusNoContent {
		t.Errorf("status %d", again.StatusCode)
	}
	for hub.Topics() > 0 {
		runtime.Gosched()
	}
}

func TestErrorsOfASourceAreNoNews(t *testing.T) {
	_, c, address := server(t, live.Options{Heartbeat: time.Millisecond})
	lines := bufio.NewScanner(get(t, address+"/run", "").Body)
	until(t, lines, "id: 0")
	c.broken.Store(true)
	c.value.Store(1)
	until(t, lines, ": still here")
	c.broken.Store(false)
	until(t, lines, "id: 1")
}

func TestCloseEndsStreamsAndTakesNoMore(t *testing.T) {
	hub, _, address := server(t, live.Options{})
	answer := get(t, address+"/run", "")
	until(t, bufio.NewScanner(answer.Body), "id: 0")
	hub.Close()
	if _, err := io.ReadAll(answer.Body); err != nil {
		t.Error(err)
	}
	if refused := get(t, address+"/run", ""); refused.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d", refused.StatusCode)
	}
}

func TestStreamsEndWhenTheyAreOld(t *testing.T) {
	_, _, address := server(t, live.Options{Longest: 20 * time.Millisecond})
	if _, err := io.ReadAll(get(t, address+"/run", "").Body); err != nil {
		t.Error(err)
	}
}

// stuck is a viewer that takes nothing.
type stuck struct {
	header  http.Header
	writing chan struct{} // closed by the first write
	free    chan struct{}
	once    sync.Once
}

func (s *stuck) Header() http.Header { return s.header }
func (s *stuck) WriteHeader(int)     {}
func (s *stuck) Write(b []byte) (int, error) {
	s.once.Do(func() { close(s.writing) })
	<-s.free
	return len(b), nil
}
func (s *stuck) Flush() {}

// TestSlowViewerHoldsUpNobody and is owed one event at most.
func TestSlowViewerHoldsUpNobody(t *testing.T) {
	hub := live.NewHub(live.Options{Limit: guard.NewLimit(2), Interval: time.Millisecond})
	defer hub.Close()
	c := &counter{}
	slow := &stuck{header: http.Header{}, writing: make(chan struct{}), free: make(chan struct{})}
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		ended <- hub.Serve(slow, httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx), "run", c.source)
	}()
	<-slow.writing
	quick := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _ = hub.Serve(w, r, "run", c.source) }))
	defer quick.Close()
	defer quick.CloseClientConnections()
	lines := bufio.NewScanner(get(t, quick.URL, "").Body)
	for n := int64(1); n < 50; n++ {
		c.value.Store(n)
		until(t, lines, fmt.Sprintf("id: %d", n))
	}
	cancel()
	close(slow.free)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestTenThousandStreams: as many as the limit allows are served, the others
// are refused at once.
func TestTenThousandStreams(t *testing.T) {
	const places, all = 50, 10_000
	hub := live.NewHub(live.Options{Limit: guard.NewLimit(places)})
	defer hub.Close()
	c := &counter{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var refused, served atomic.Int64
	var group sync.WaitGroup
	for i := range all {
		group.Go(func() {
			r := httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx)
			switch err := hub.Serve(httptest.NewRecorder(), r, fmt.Sprint(i%7), c.source); {
			case errors.Is(err, live.ErrFull):
				if refused.Add(1) == all-places {
					if hub.Topics() > 7 {
						t.Errorf("%d pollers", hub.Topics())
					}
					cancel()
				}
			case err == nil:
				served.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	group.Wait()
	if served.Load() != places || refused.Load() != all-places || hub.Topics() != 0 {
		t.Errorf("%d served, %d refused, %d pollers left", served.Load(), refused.Load(), hub.Topics())
	}
}

func TestEventsCannotBreakTheProtocol(t *testing.T) {
	hub := live.NewHub(live.Options{Limit: guard.NewLimit(1)})
	defer hub.Close()
	w := httptest.NewRecorder()
	err := hub.Serve(w, httptest.NewRequest(http.MethodGet, "/", nil), "x", func(context.Context) (live.Event, error) {
		return live.Event{ID: "1\ndata: no", Name: "a\r\nid: 7", Data: "x\r\n\nid: 9", Last: true}, nil
	})
	want := "retry: 2000\n\nid: 1 data: no\nevent: a  id: 7\ndata: x\ndata: \ndata: \ndata: id: 9\n\n"
	if err != nil || w.Body.String() != want {
		t.Errorf("%q, %v", w.Body.String(), err)
	}
}
