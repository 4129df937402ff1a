package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/web/guard"
	"github.com/descentml/descent/web/launch"
	"github.com/descentml/descent/web/live"
)

// runs is what the pages of runs share.
type runs struct {
	hub       *live.Hub
	launcher  *launch.Launcher
	uploads   *launch.Uploads
	downloads *guard.Limit
	charts    cache[*drawnChart]
	documents cache[*document]
}

// openRuns makes what the pages of runs need.
func (s *Server) openRuns(o Options) (err error) {
	s.runs.downloads = guard.NewLimit(mostDownloads)
	s.runs.hub = live.NewHub(live.Options{Limit: s.streams, Interval: cmp.Or(max(0, o.FollowInterval), time.Second)})
	s.runs.launcher, err = launch.New(launch.Options{Store: s.store.Dir(), Executable: s.executable, Most: o.MaxRuns})
	if err != nil {
		return err
	}
	s.runs.uploads, err = launch.NewUploads(s.store.Dir(), o.Uploads)
	return err
}

// closeRuns ends the event streams. Runs that were started go on.
func (s *Server) closeRuns() error {
	s.runs.hub.Close()
	return s.runs.uploads.Close()
}

func (s *Server) runRoutes() {
	s.handle("GET /runs", s.runList)
	s.handle("GET /runs/events", s.runListEvents)
	s.handle("GET /runs/new", s.newRun)
	s.handle("POST /runs", s.startRun)
	s.handle("GET /launches/{launch}", s.launched)
	s.handleLimited("POST /uploads", s.runs.uploads.Limits().Bytes+maxForm, s.upload)
	s.handle("POST /uploads/{upload}/delete", s.deleteUpload)
	s.handle("GET /runs/compare", s.compareRuns)
	s.handle("GET /runs/compare/events", s.compareEvents)
	s.handle("GET /runs/{id}", s.showRun)
	s.handle("GET /runs/{id}/events", s.runEvents)
	s.handle("GET /runs/{id}/points.csv", s.runPoints)
	s.handle("POST /runs/{id}/stop", s.stopRun)
	s.handle("POST /runs/{id}/resume", s.resumeRun)
}

// runID reads the number of a run.
func runID(text string) (int64, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 {
		return 0, fail(http.StatusNotFound, "There is no run %.40q.", text)
	}
	return id, nil
}

// pageSize is the number of runs on a page of the list.
const pageSize = 50

// runListView is the list of runs.
type runListView struct {
	Runs    []listedRun
	Total   int
	Choices store.Choices
	Filter  url.Values // as asked for
	States  []store.State
	Older   string // address of the next page, "" if this is the last
	Newest  string // address of the first page, "" if this is it
}

// listedRun is a run in the list.
type listedRun struct {
	ID      int64       `json:"run"`
	Kind    string      `json:"kind"`
	Name    string      `json:"name"`
	State   store.State `json:"state"`
	Created time.Time   `json:"created"`
	Seconds float64     `json:"seconds"`
	Data    string      `json:"data,omitempty"`
	Model   string      `json:"model,omitempty"`
	Methods []string    `json:"methods,omitempty"`
	Error   string      `json:"error,omitempty"`
}

func newListedRun(r store.Listed) listedRun {
	return listedRun{r.ID, r.Kind, r.Name, r.State, r.Created, r.Seconds, baseName(r.Data), r.Model, r.Methods, r.Error}
}

// baseName is the name of a file without its folders; "" stays so.
func baseName(source string) string {
	source = strings.ReplaceAll(source, `\`, "/")
	return source[strings.LastIndexByte(strings.TrimRight(source, "/"), '/')+1:]
}

// Title is what the run is about, in short.
func (r listedRun) Title() string {
	switch {
	case len(r.Methods) > 1:
		return fmt.Sprintf("%d methods on %s", len(r.Methods), r.Data)
	case len(r.Methods) == 1:
		return r.Methods[0] + " on " + r.Data
	}
	return r.Name
}

func (s *Server) runList(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	filter, err := parseFilter(query)
	if err != nil {
		return err
	}
	filter.Limit = pageSize
	found, total, err := s.store.List(r.Context(), filter)
	if err != nil {
		return err
	}
	v := runListView{Runs: []listedRun{}, Total: total, Filter: query,
		States: []store.State{store.Running, store.Interrupted, store.Done, store.Failed}}
	for _, run := range found {
		v.Runs = append(v.Runs, newListedRun(run))
	}
	if wantsJSON(r) {
		writeJSON(w, http.StatusOK, map[string]any{"total": total, "runs": v.Runs})
		return nil
	}
	if v.Choices, err = s.store.Choices(r.Context()); err != nil {
		return err
	}
	v.Choices.Data = baseNames(v.Choices.Data)
	if n := len(found); n == pageSize {
		v.Older = page(query, strconv.FormatInt(found[n-1].ID, 10))
	}
	if filter.Before > 0 {
		v.Newest = page(query, "")
	}
	return s.render(w, r, "runs", view{Title: "Runs", Section: "runs", Data: v})
}

// page is the address of the list from before a run on.
func page(query url.Values, before string) string {
	next := url.Values{}
	for name, values := range query {
		if name != "before" && values[0] != "" {
			next[name] = values[:1]
		}
	}
	if before != "" {
		next.Set("before", before)
	}
	if len(next) == 0 {
		return "/runs"
	}
	return "/runs?" + next.Encode()
}

// baseNames are names of files without folders, sorted, each once.
func baseNames(sources []string) []string {
	names := make([]string, len(sources))
	for i, source := range sources {
		names[i] = baseName(source)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Is tells whether a field of the filter has a value, for the form.
func (v runListView) Is(field string, value any) bool {
	return v.Filter.Get(field) == fmt.Sprint(value)
}

// Filtered tells whether the list is a part of the runs.
func (v runListView) Filtered() bool {
	for name, values := range v.Filter {
		if name != "before" && values[0] != "" {
			return true
		}
	}
	return false
}

// parseFilter reads the fields state, kind, data, model, method, from, to and
// before of a form. Days begin at midnight of this machine's zone.
func parseFilter(query url.Values) (store.Filter, error) {
	f := store.Filter{Kind: query.Get("kind"), State: store.State(query.Get("state")),
		Data: query.Get("data"), Model: query.Get("model"), Method: query.Get("method")}
	switch f.State {
	case "", store.Running, store.Interrupted, store.Done, store.Failed:
	default:
		return f, fail(http.StatusBadRequest, "state %.40q: expected running, interrupted, done or failed.", f.State)
	}
	for _, day := range []struct {
		field string
		time  *time.Time
		days  int
	}{{"from", &f.From, 0}, {"to", &f.To, 1}} {
		text := query.Get(day.field)
		if text == "" {
			continue
		}
		t, err := time.ParseInLocation(time.DateOnly, text, time.Local)
		if err != nil {
			return f, fail(http.StatusBadRequest, "%s %.40q: expected a day such as 2026-03-01.", day.field, text)
		}
		*day.time = t.AddDate(0, 0, day.days)
	}
	if text := query.Get("before"); text != "" {
		var err error
		if f.Before, err = runID(text); err != nil {
			return f, err
		}
	}
	return f, nil
}

// runListEvents tells the list of changes in the store.
func (s *Server) runListEvents(w http.ResponseWriter, r *http.Request) error {
	return s.follow(w, r, "list", s.listSource())
}

// listSource looks for changes of what the list shows: new runs and states.
// Points that are recorded are none.
func (s *Server) listSource() live.Source {
	watch := s.newWatch()
	return func(ctx context.Context) (live.Event, error) {
		return watch.look(ctx, func() (live.Event, bool, error) {
			newest, total, err := s.store.List(ctx, store.Filter{Limit: pageSize})
			if err != nil {
				return live.Event{}, false, err
			}
			id := strconv.Itoa(total)
			working := false
			for _, run := range newest {
				id += fmt.Sprintf(" %d%c", run.ID, run.State[0])
				working = working || run.State == store.Running
			}
			return live.Event{ID: digest(id), Name: "change", Data: "{}"}, working, nil
		})
	}
}
