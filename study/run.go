package study

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/descentml/descent/lab/store"
)

// Kind is the kind of the runs that studies are recorded as.
const Kind = "study"

// Config is what a recorded study was asked for.
type Config struct {
	Paper  string   `json:"paper"`
	Preset Preset   `json:"preset"`
	Seeds  []uint64 `json:"seeds"`
}

// ReadConfig reads the configuration of a recorded study.
func ReadConfig(run store.Run) (Config, error) {
	var c Config
	if run.Kind != Kind {
		return c, fmt.Errorf("run %d is of kind %s: expected %s", run.ID, run.Kind, Kind)
	}
	if err := json.Unmarshal(run.Config, &c); err != nil {
		return c, fmt.Errorf("reading the settings of run %d: %w", run.ID, err)
	}
	return c, nil
}

// Progress says how far a study is.
type Progress struct {
	Done, Planned int    // cells
	Cell          string // that has just ended
	Seed          uint64 // of that cell
	Elapsed       time.Duration
}

// Observer is told of progress, one call at a time.
type Observer func(Progress)

// Run measures a study with the given number of workers and records every cell
// in the writer's run when it ends. Cells that the run already holds are not
// run again. The number of workers does not change any result. observe may be
// nil. When ctx ends, Run returns its error; what is recorded stays.
func Run(ctx context.Context, s *Study, setup Setup, w *store.Writer, st *store.Store, workers int, observe Observer) (*Results, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	cells, err := s.Cells(setup)
	if err != nil {
		return nil, fmt.Errorf("study %s: %w", s.Paper, err)
	}
	r := runner{store: st, writer: w, results: NewResults(setup), observe: observe, progress: Progress{Planned: len(cells)}, started: time.Now()}
	group, groupContext := errgroup.WithContext(ctx)
	group.SetLimit(max(1, workers))
	for _, cell := range cells {
		if groupContext.Err() != nil {
			break
		}
		group.Go(func() error { return r.cell(groupContext, cell) })
	}
	if err := group.Wait(); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("study %s: %w", s.Paper, err)
	}
	return r.results, ctx.Err()
}

type runner struct {
	store    *store.Store
	writer   *store.Writer
	observe  Observer
	started  time.Time
	mutex    sync.Mutex // guards what follows
	results  *Results
	progress Progress
}

func (r *runner) cell(ctx context.Context, c Cell) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	trial, err := r.writer.StartTrial(ctx, cellTrial(c.Name, c.Seed))
	if err != nil {
		return err
	}
	var m Measured
	if trial.State == store.Done {
		if m, err = readCell(ctx, r.store, trial); err != nil {
			return err
		}
	} else {
		started := time.Now()
		if caught := exceptions.TryCatch[error](func() { m, err = c.Run(ctx) }); caught != nil {
			err = caught
		}
		if err != nil {
			return fmt.Errorf("%s, seed %d: %w", c.Name, c.Seed, err)
		}
		if err := r.record(ctx, trial.ID, m, time.Since(started)); err != nil {
			return err
		}
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.results.Add(c.Name, c.Seed, m)
	r.progress.Done++
	r.progress.Cell, r.progress.Seed, r.progress.Elapsed = c.Name, c.Seed, time.Since(r.started)
	if r.observe != nil {
		r.observe(r.progress)
	}
	return nil
}

func cellTrial(name string, seed uint64) store.TrialKey {
	return store.TrialKey{Phase: store.Final, Method: name, Seed: seed}
}

// record keeps a cell even when ctx has just ended.
func (r *runner) record(ctx context.Context, trial int64, m Measured, took time.Duration) error {
	ctx = context.WithoutCancel(ctx)
	var series []store.Series
	for name, curve := range m.Curves {
		if len(curve.X) != len(curve.Y) {
			return fmt.Errorf("curve %s: %d x and %d y values", name, len(curve.X), len(curve.Y))
		}
		s := store.Series{Name: name}
		for i := range curve.X {
			s.Points = append(s.Points, store.Point{Step: int64(i), Epoch: curve.X[i], Value: curve.Y[i]})
		}
		series = append(series, s)
	}
	if err := r.writer.Append(ctx, trial, series...); err != nil {
		return err
	}
	summary := make(map[string]number, len(m.Values))
	for name, value := range m.Values {
		summary[name] = number(value)
	}
	text, err := json.Marshal(summary)
	if err != nil {
		return err
	}
	return r.writer.FinishTrial(ctx, trial, store.Done, store.Outcome{Seconds: took.Seconds(), Summary: text})
}

// Read returns the results of a recorded study, as far as they are there.
func Read(ctx context.Context, st *store.Store, run store.Run) (*Results, error) {
	config, err := ReadConfig(run)
	if err != nil {
		return nil, err
	}
	trials, err := st.Trials(ctx, run.ID)
	if err != nil {
		return nil, err
	}
	results := NewResults(Setup{Preset: config.Preset, Seeds: config.Seeds})
	for _, t := range trials {
		if t.State != store.Done {
			continue
		}
		m, err := readCell(ctx, st, t)
		if err != nil {
			return nil, err
		}
		results.Add(t.Method, t.Seed, m)
	}
	return results, nil
}

func readCell(ctx context.Context, st *store.Store, t store.Trial) (Measured, error) {
	m := Measured{Values: map[string]float64{}, Curves: map[string]Curve{}}
	var summary map[string]number
	if err := json.Unmarshal(t.Summary, &summary); err != nil {
		return m, fmt.Errorf("reading trial %d of the store: %w", t.ID, err)
	}
	for name, value := range summary {
		m.Values[name] = float64(value)
	}
	names, err := st.SeriesNames(ctx, t.ID)
	if err != nil {
		return m, err
	}
	for _, name := range names {
		points, err := st.Series(ctx, t.ID, name)
		if err != nil {
			return m, err
		}
		var curve Curve
		for _, p := range points {
			curve.X, curve.Y = append(curve.X, p.Epoch), append(curve.Y, p.Value)
		}
		m.Curves[name] = curve
	}
	return m, nil
}

// number is a float64 that JSON can hold: NaN and infinities as text.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	if x := float64(n); math.IsNaN(x) || math.IsInf(x, 0) {
		return json.Marshal(strconv.FormatFloat(x, 'g', -1, 64))
	}
	return json.Marshal(float64(n))
}

func (n *number) UnmarshalJSON(text []byte) error {
	var x float64
	var word string
	if json.Unmarshal(text, &word) == nil {
		value, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return errors.New("expected a number")
		}
		*n = number(value)
		return nil
	}
	if err := json.Unmarshal(text, &x); err != nil {
		return err
	}
	*n = number(x)
	return nil
}
