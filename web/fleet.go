package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/web/observe"
)

// FleetWatcher looks at running fleets, see package observe. The error is
// observe.ErrNone if there is none, else it says which cannot be asked.
type FleetWatcher interface {
	Fleets(ctx context.Context) ([]observe.Fleet, error)
}

// fleetKinds are the kinds of the runs that fleets record.
var fleetKinds = []string{"fleet", "federate"}

type fleetView struct {
	Watched bool // whether there is a fleet that may change
	Problem string
	Fleets  []observe.Fleet
	Runs    []store.Run
}

// fleet shows the live workers and the runs that fleets recorded.
func (s *Server) fleet(w http.ResponseWriter, r *http.Request) error {
	v := fleetView{Fleets: []observe.Fleet{}, Runs: []store.Run{}}
	for _, kind := range fleetKinds {
		runs, err := s.store.Runs(r.Context(), store.Filter{Kind: kind, Limit: maxListed})
		if err != nil {
			return err
		}
		v.Runs = append(v.Runs, runs...)
	}
	slices.SortFunc(v.Runs, func(a, b store.Run) int { return cmp.Compare(b.ID, a.ID) })
	if s.watcher != nil {
		fleets, err := s.watcher.Fleets(r.Context())
		v.Fleets, v.Watched = append(v.Fleets, fleets...), !errors.Is(err, observe.ErrNone)
		if v.Watched && err != nil {
			v.Problem = fmt.Sprintf("A fleet does not answer: %v.", err)
		}
	}
	return s.respond(w, r, "fleet", view{Title: "Fleet", Section: "fleet", Data: v}, map[string]any{
		"fleets": v.Fleets, "problem": v.Problem, "runs": runLines(v.Runs),
	})
}

// runLine is a run in JSON, as `descent runs --json` prints it.
type runLine struct {
	Run     int64       `json:"run"`
	Kind    string      `json:"kind"`
	Name    string      `json:"name"`
	State   store.State `json:"state"`
	Created time.Time   `json:"created"`
	Seconds float64     `json:"seconds"`
	Error   string      `json:"error,omitempty"`
}

func runLines(runs []store.Run) []runLine {
	lines := make([]runLine, len(runs))
	for i, r := range runs {
		lines[i] = runLine{r.ID, r.Kind, r.Name, r.State, r.Created, r.Seconds, r.Error}
	}
	return lines
}
