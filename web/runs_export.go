package web

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/descentml/descent/lab/store"
)

// runData is a run as JSON.
type runData struct {
	Run     int64           `json:"run"`
	Kind    string          `json:"kind"`
	Name    string          `json:"name"`
	State   store.State     `json:"state"`
	Created time.Time       `json:"created"`
	Updated time.Time       `json:"updated"`
	Seconds float64         `json:"seconds"`
	Error   string          `json:"error,omitempty"`
	Config  json.RawMessage `json:"config"`
	Result  json.RawMessage `json:"result,omitempty"`
	Trials  []trialData     `json:"trials"`
}

type trialData struct {
	Trial        int64           `json:"trial"`
	Phase        store.Phase     `json:"phase,omitempty"`
	Method       string          `json:"method"`
	LearningRate float64         `json:"learning_rate"`
	Seed         uint64          `json:"seed"`
	State        store.State     `json:"state"`
	Epochs       int             `json:"epochs"`
	Steps        int             `json:"steps"`
	Seconds      float64         `json:"seconds"`
	Summary      json.RawMessage `json:"summary,omitempty"`
}

// runJSON answers with all that is recorded of a run but its points.
func (s *Server) runJSON(w http.ResponseWriter, r *http.Request, id int64) error {
	run, err := s.store.Run(r.Context(), id)
	if err != nil {
		return err
	}
	trials, err := s.store.Trials(r.Context(), id)
	if err != nil {
		return err
	}
	d := runData{run.ID, run.Kind, run.Name, run.State, run.Created, run.Updated, run.Seconds, run.Error, run.Config, run.Result, []trialData{}}
	for _, t := range trials {
		d.Trials = append(d.Trials, trialData{t.ID, t.Phase, t.Method, t.LearningRate, t.Seed, t.State, t.Epochs, t.Steps, t.Outcome.Seconds, t.Summary})
	}
	w.Header().Add("Vary", "Accept")
	if r.URL.Query().Has("download") {
		w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="run-%d.json"`, id))
	}
	writeJSON(w, http.StatusOK, d)
	return nil
}

// downloadPatience is how long a client may take for a piece of a download.
const downloadPatience = 30 * time.Second

// mostDownloads is the number of downloads at once. Each has one of the store's
// few connections for as long as its client takes, and pages need the others.
const mostDownloads = 2

// runPoints answers with all points of a run as CSV, in the memory of a block
// of them.
func (s *Server) runPoints(w http.ResponseWriter, r *http.Request) error {
	id, err := runID(r.PathValue("id"))
	if err != nil {
		return err
	}
	ctx := r.Context()
	trials, err := s.store.Trials(ctx, id)
	if err != nil {
		return err
	}
	release, ok := s.runs.downloads.Take()
	if !ok {
		w.Header().Set("Retry-After", "10")
		return fail(http.StatusServiceUnavailable, "There are %d downloads under way, as many as are served at once: try again when one has ended.", mostDownloads)
	}
	defer release()
	control := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="run-%d.csv"`, id))
	out := csv.NewWriter(w)
	row := []string{"phase", "method", "learning_rate", "seed", "series", "step", "epoch", "seconds", "value"}
	if err := out.Write(row); err != nil {
		panic(http.ErrAbortHandler) // the client has gone, or is cut off
	}
	for _, t := range trials {
		names, err := s.store.SeriesNames(ctx, t.ID)
		if err != nil {
			panic(http.ErrAbortHandler) // a file that ends early must not look whole
		}
		row[0], row[1], row[2], row[3] = string(t.Phase), cell(t.Method), floatCell(t.LearningRate), strconv.FormatUint(t.Seed, 10)
		for _, name := range names {
			row[4] = cell(name)
			err := s.store.Walk(ctx, t.ID, name, math.MinInt64, func(points []store.Point) error {
				// A writer without deadlines needs none.
				_ = control.SetWriteDeadline(time.Now().Add(downloadPatience))
				for _, p := range points {
					row[5], row[6], row[7], row[8] = strconv.FormatInt(p.Step, 10), floatCell(p.Epoch), floatCell(p.Seconds), floatCell(p.Value)
					if err := out.Write(row); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				panic(http.ErrAbortHandler)
			}
		}
	}
	out.Flush()
	return nil
}

func floatCell(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

// cell keeps spreadsheets from taking a text for a formula.
func cell(text string) string {
	if strings.ContainsAny(text[:min(1, len(text))], "=+-@\t\r") {
		return "'" + text
	}
	return text
}
