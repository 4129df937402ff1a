package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/web/chart"
	"github.com/descentml/descent/web/live"
	"github.com/descentml/descent/web/picture"
)

// follow answers with the events of a topic.
func (s *Server) follow(w http.ResponseWriter, r *http.Request, topic string, source live.Source) error {
	err := s.runs.hub.Serve(w, r, topic, source)
	if errors.Is(err, live.ErrFull) {
		w.Header().Set("Retry-After", "10")
		return fail(http.StatusServiceUnavailable, "There are %v.", err)
	}
	return err
}

// watch looks for news of a part of the store, and asks nothing of it while
// nothing at all was recorded.
type watch struct {
	server  *Server
	version int64
	quiet   int // looks without change
	working bool
	event   live.Event
}

// newWatch makes a watch.
func (s *Server) newWatch() *watch { return &watch{server: s, version: -1} }

// dead is how many looks without change may pass before a run that is at work
// is asked whether its process still is there: that it died changes nothing in
// the store.
const dead = 3

// look returns the event of read, which says whether something is at work. It
// calls read only if there can be news.
func (w *watch) look(ctx context.Context, read func() (live.Event, bool, error)) (live.Event, error) {
	version, err := w.server.store.Version(ctx)
	if err != nil {
		return live.Event{}, err
	}
	w.quiet++
	if version == w.version && !(w.working && w.quiet >= dead) {
		return w.event, nil
	}
	event, working, err := read()
	if err != nil {
		return live.Event{}, err
	}
	w.version, w.quiet, w.event, w.working = version, 0, event, working
	return event, nil
}

// runNews is what an event tells of a run.
type runNews struct {
	Run      int64       `json:"run"`
	State    store.State `json:"state"`
	Seconds  float64     `json:"seconds"`
	Trials   int         `json:"trials"`
	Finished int         `json:"finished"`
}

// runSource looks for news of some runs.
func (s *Server) runSource(ids []int64) live.Source {
	watch := s.newWatch()
	return func(ctx context.Context) (live.Event, error) {
		return watch.look(ctx, func() (live.Event, bool, error) {
			version, news, err := s.pulses(ctx, ids)
			if err != nil {
				return live.Event{}, false, err
			}
			text, err := json.Marshal(news)
			working, final := false, true
			for _, n := range news {
				working = working || n.State == store.Running
				final = final && (n.State == store.Done || n.State == store.Failed)
			}
			return live.Event{ID: version, Name: "change", Data: string(text), Last: final}, working, err
		})
	}
}

// pulses returns a text that changes whenever something of some runs does, and
// what there is to tell of them.
func (s *Server) pulses(ctx context.Context, ids []int64) (string, []runNews, error) {
	var version strings.Builder
	var news []runNews
	for _, id := range ids {
		p, err := s.store.Pulse(ctx, id)
		if err != nil {
			return "", nil, err
		}
		fmt.Fprintf(&version, "%d %s %d;", id, p.State, p.Updated.UnixMicro())
		news = append(news, runNews{id, p.State, p.Seconds, p.Trials, p.Finished})
	}
	return digest(version.String()), news, nil
}

// digest shortens a text to one that differs if the text does.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:12])
}

// drawnChart is a chart as a page shows it.
type drawnChart struct {
	*chart.Chart
	SVG template.HTML
}

// document is a page as it is sent.
type document struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (d *document) Header() http.Header         { return d.header }
func (d *document) WriteHeader(status int)      { d.status = status }
func (d *document) Write(b []byte) (int, error) { return d.body.Write(b) }

// shared answers with a page that is the same for all who ask for it under one
// key within a second.
func (s *Server) shared(w http.ResponseWriter, r *http.Request, key string, answer handlerFunc) error {
	if r.Method != http.MethodGet {
		return answer(w, r)
	}
	key = fmt.Sprintf("%s %s %d", key, r.URL.RequestURI(), time.Now().Unix())
	d, err := s.runs.documents.get(key, func() (*document, error) {
		d := &document{header: http.Header{}, status: http.StatusOK}
		// Should the first who asks go away, the others are served all the same.
		return d, answer(d, r.WithContext(context.WithoutCancel(r.Context())))
	})
	if err != nil {
		return err
	}
	for name, values := range d.header {
		w.Header()[name] = values
	}
	w.WriteHeader(d.status)
	_, _ = w.Write(d.body.Bytes()) // who has gone away needs no answer
	return nil
}

// drawRuns draws the curves of runs with the options of a form. version tells
// the state of the runs that is drawn from later ones.
func (s *Server) drawRuns(r *http.Request, ids []int64, version string) (*drawnChart, error) {
	options, err := chart.ParseOptions(r.URL.Query())
	if err != nil {
		return nil, fail(http.StatusBadRequest, "%s.", sentence(err))
	}
	// Should the first who asks go away, the others are served all the same.
	ctx := context.WithoutCancel(r.Context())
	return s.runs.charts.get(version+"?"+options.Query().Encode(), func() (*drawnChart, error) {
		c, err := chart.Read(ctx, s.store, ids, options)
		if err != nil {
			return nil, err
		}
		c.Figure.ID = "curves-figure"
		svg, err := picture.Both(c.Figure)
		return &drawnChart{c, svg}, err
	})
}

func (s *Server) runEvents(w http.ResponseWriter, r *http.Request) error {
	id, err := runID(r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.followRuns(w, r, []int64{id})
}

func (s *Server) compareEvents(w http.ResponseWriter, r *http.Request) error {
	ids, err := comparedRuns(r)
	if err != nil {
		return err
	}
	return s.followRuns(w, r, ids)
}

func (s *Server) followRuns(w http.ResponseWriter, r *http.Request, ids []int64) error {
	// Who will be refused costs nothing more than that.
	if release, ok := s.streams.Take(); ok {
		release()
		if _, _, err := s.pulses(r.Context(), ids); err != nil { // there is no such run
			return err
		}
	}
	topic := "runs"
	for _, id := range ids {
		topic += " " + strconv.FormatInt(id, 10)
	}
	return s.follow(w, r, topic, s.runSource(ids))
}
