package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/descentml/descent/lab/store"
)

var adam = store.TrialKey{Phase: store.Tune, Method: "adam", LearningRate: 0.1, Seed: 1000}

// create begins a run and gives it up when the test ends.
func create(t testing.TB, s *store.Store, kind string) *store.Writer {
	t.Helper()
	w, err := s.Create(t.Context(), kind, "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// start begins a trial.
func start(t testing.TB, w *store.Writer, key store.TrialKey) store.Trial {
	t.Helper()
	trial, err := w.StartTrial(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return trial
}

func state(t testing.TB, s *store.Store, run int64) store.State {
	t.Helper()
	got, err := s.Run(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	return got.State
}

// must stops the test at an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestRunFromCreateToFinish(t *testing.T) {
	s := open(t, t.TempDir())
	ctx := t.Context()
	before := time.Now()
	w, err := s.Create(ctx, "compare", "iris", map[string]int{"epochs": 3})
	must(t, err)
	run, err := s.Run(ctx, w.ID())
	must(t, err)
	if run.ID != w.ID() || run.Kind != "compare" || run.Name != "iris" || run.State != store.Running ||
		string(run.Config) != `{"epochs":3}` || run.Result != nil || run.Error != "" {
		t.Errorf("after Create: %+v", run)
	}
	if run.Created.Location() != time.UTC || run.Created.Before(before.Truncate(time.Microsecond)) || run.Created.After(time.Now()) {
		t.Errorf("created at %v, expected a time in UTC after %v", run.Created, before)
	}

	must(t, w.Finish(ctx, store.Failed, []float64{0.5}, errors.New("out of memory")))
	must(t, w.Close())
	run, err = s.Run(ctx, w.ID())
	must(t, err)
	if run.State != store.Failed || string(run.Result) != `[0.5]` || run.Error != "out of memory" ||
		run.Seconds <= 0 || run.Updated.Before(run.Created) {
		t.Errorf("after Finish: %+v", run)
	}
	if _, err := s.Resume(ctx, w.ID()); !errors.Is(err, store.ErrFinished) {
		t.Errorf("Resume of a failed run: %v, expected ErrFinished", err)
	}
}

func TestRunsFilter(t *testing.T) {
	s := open(t, t.TempDir())
	ctx := t.Context()
	// One run of each state, twice, as (kind, state): 1 and 5 running, and so on.
	for _, kind := range []string{"train", "study"} {
		create(t, s, kind)
		must(t, create(t, s, kind).Close()) // as if its process were gone
		for _, state := range []store.State{store.Done, store.Interrupted} {
			w := create(t, s, kind)
			must(t, w.Finish(ctx, state, nil, nil))
			must(t, w.Close())
		}
	}
	for _, c := range []struct {
		filter store.Filter
		want   []int64
	}{
		{store.Filter{}, []int64{8, 7, 6, 5, 4, 3, 2, 1}},
		{store.Filter{Kind: "train"}, []int64{4, 3, 2, 1}},
		{store.Filter{State: store.Running}, []int64{5, 1}},
		{store.Filter{State: store.Interrupted}, []int64{8, 6, 4, 2}},
		{store.Filter{State: store.Interrupted, Limit: 3}, []int64{8, 6, 4}},
		{store.Filter{State: store.Done, Kind: "study"}, []int64{7}},
		{store.Filter{Kind: "compare"}, nil},
		{store.Filter{Limit: 1}, []int64{8}},
	} {
		runs, err := s.Runs(ctx, c.filter)
		must(t, err)
		var got []int64
		for _, run := range runs {
			got = append(got, run.ID)
			if c.filter.State != "" && run.State != c.filter.State {
				t.Errorf("%+v selected run %d of state %s", c.filter, run.ID, run.State)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%+v selected %v, expected %v", c.filter, got, c.want)
		}
	}
}

func TestResume(t *testing.T) {
	dir := t.TempDir()
	ctx := t.Context()
	s := open(t, dir)
	first := create(t, s, "train")
	trial := start(t, first, adam)
	blob := []byte{1, 2, 3}
	must(t, first.SaveCheckpoint(ctx, trial.ID, store.Checkpoint{Step: 4, Epoch: 1, Blob: []byte("old")}))
	must(t, first.SaveCheckpoint(ctx, trial.ID, store.Checkpoint{Step: 8, Epoch: 2, Blob: blob}))
	must(t, first.Append(ctx, trial.ID, store.Series{Name: "train_loss", Points: line(1, 10)}))

	if _, err := s.Resume(ctx, first.ID()); !errors.Is(err, store.ErrLive) {
		t.Errorf("Resume of a held run: %v, expected ErrLive", err)
	}
	if _, err := s.Resume(ctx, 99); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Resume of no run: %v, expected ErrNotFound", err)
	}
	must(t, first.Close())
	if err := first.Append(ctx, trial.ID); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Append after Close: %v, expected ErrClosed", err)
	}
	execute(t, dir, "UPDATE runs SET seconds = 1000")

	second, err := open(t, dir).Resume(ctx, first.ID())
	must(t, err)
	defer second.Close()
	trials, err := s.Trials(ctx, first.ID())
	must(t, err)
	if len(trials) != 1 || trials[0].State != store.Interrupted {
		t.Errorf("trials of a run just resumed: %+v, expected one interrupted", trials)
	}
	wantError(t, second.Append(ctx, trial.ID), "start it again")

	again := start(t, second, adam)
	if again.ID != trial.ID || again.State != store.Running {
		t.Errorf("started again: %+v, expected trial %d", again, trial.ID)
	}
	checkpoint, found, err := s.Checkpoint(ctx, trial.ID)
	must(t, err)
	if !found || checkpoint.Step != 8 || checkpoint.Epoch != 2 || !slices.Equal(checkpoint.Blob, blob) {
		t.Errorf("checkpoint %+v, %v", checkpoint, found)
	}
	must(t, second.Truncate(ctx, trial.ID, checkpoint.Step))
	wantPoints(t, s, trial.ID, "train_loss", line(1, 8))

	must(t, second.FinishTrial(ctx, trial.ID, store.Done, store.Outcome{Steps: 8}))
	if _, found, err := s.Checkpoint(ctx, trial.ID); err != nil || found {
		t.Errorf("a finished trial has a checkpoint: %v, %v", found, err)
	}
	must(t, second.Finish(ctx, store.Done, nil, nil))
	after, err := s.Run(ctx, first.ID())
	must(t, err)
	if after.Seconds <= 1000 {
		t.Errorf("%v seconds, expected those of both writers, more than 1000", after.Seconds)
	}
}

func TestFinishedTakesNoMore(t *testing.T) {
	s := open(t, t.TempDir())
	ctx := t.Context()
	w := create(t, s, "train")
	done, left := start(t, w, adam), start(t, w, store.TrialKey{Phase: store.Final})
	must(t, w.SaveCheckpoint(ctx, left.ID, store.Checkpoint{}))
	outcome := store.Outcome{Epochs: 2, Steps: 7, Seconds: 1.5, Summary: json.RawMessage(`{"loss":0.25}`)}
	must(t, w.FinishTrial(ctx, done.ID, store.Failed, outcome))

	if again := start(t, w, adam); again.State != store.Failed || !reflect.DeepEqual(again.Outcome, outcome) {
		t.Errorf("a finished trial started again: %+v", again)
	}
	for name, err := range map[string]error{
		"Append":         w.Append(ctx, done.ID, store.Series{Name: "x", Points: line(1, 2)}),
		"Truncate":       w.Truncate(ctx, done.ID, 0),
		"SaveCheckpoint": w.SaveCheckpoint(ctx, done.ID, store.Checkpoint{}),
		"FinishTrial":    w.FinishTrial(ctx, done.ID, store.Done, store.Outcome{}),
	} {
		if !errors.Is(err, store.ErrFinished) {
			t.Errorf("%s on a finished trial: %v, expected ErrFinished", name, err)
		}
	}

	must(t, w.Finish(ctx, store.Done, nil, nil))
	if _, found, err := s.Checkpoint(ctx, left.ID); err != nil || found {
		t.Errorf("a finished run has a checkpoint: %v, %v", found, err)
	}
	trials, err := s.Trials(ctx, w.ID())
	must(t, err)
	if trials[0].State != store.Failed || trials[1].State != store.Interrupted {
		t.Errorf("states of the trials: %s, %s", trials[0].State, trials[1].State)
	}
	if err := w.Append(ctx, left.ID); !errors.Is(err, store.ErrFinished) {
		t.Errorf("Append to a finished run: %v, expected ErrFinished", err)
	}
	if err := w.Finish(ctx, store.Failed, nil, nil); !errors.Is(err, store.ErrFinished) {
		t.Errorf("Finish a second time: %v, expected ErrFinished", err)
	}
}

func TestBadArguments(t *testing.T) {
	s := open(t, t.TempDir())
	ctx := t.Context()
	w := create(t, s, "train")
	foreign := start(t, create(t, s, "train"), adam)
	mine := start(t, w, adam)

	if err := w.Append(ctx, foreign.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Append to a trial of another run: %v, expected ErrNotFound", err)
	}
	if _, err := s.Trials(ctx, 99); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Trials of no run: %v, expected ErrNotFound", err)
	}
	_, err := w.StartTrial(ctx, store.TrialKey{LearningRate: math.NaN()})
	wantError(t, err, "learning rate NaN", "finite")
	_, err = s.Create(ctx, "train", "bad", math.Inf(1))
	wantError(t, err, `"bad"`, "configuration", "+Inf")
	wantError(t, w.Finish(ctx, store.Running, nil, nil), `"running"`, "expected done")
	wantError(t, w.Finish(ctx, store.Done, math.NaN(), nil), "result", "NaN")
	wantError(t, w.FinishTrial(ctx, mine.ID, store.Interrupted, store.Outcome{}), `"interrupted"`, "expected done")
	wantError(t, w.FinishTrial(ctx, mine.ID, store.Done, store.Outcome{Summary: json.RawMessage("{")}), "summary")
	if got := state(t, s, w.ID()); got != store.Running {
		t.Errorf("the run is %s after refused calls", got)
	}
}

func TestContextEnds(t *testing.T) {
	s := open(t, t.TempDir())
	w := create(t, s, "train")
	trial := start(t, w, adam)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Append(ctx, trial.ID, store.Series{Name: "x", Points: line(1, 2)}); !errors.Is(err, context.Canceled) {
		t.Errorf("Append: %v, expected context.Canceled", err)
	}
	if _, err := s.Runs(ctx, store.Filter{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Runs: %v, expected context.Canceled", err)
	}
	must(t, w.Append(t.Context(), trial.ID, store.Series{Name: "x", Points: line(5, 6)}))
	wantPoints(t, s, trial.ID, "x", line(5, 6))
}

// Every trial key comes back with the same bits and is found again.
func TestTrialKeys(t *testing.T) {
	s := open(t, t.TempDir())
	rapid.Check(t, func(rt *rapid.T) {
		w, err := s.Create(t.Context(), "train", "", nil)
		if err != nil {
			rt.Fatal(err)
		}
		defer w.Close()
		ids := map[store.TrialKey]int64{}
		for range rapid.IntRange(1, 5).Draw(rt, "trials") {
			key := store.TrialKey{
				Phase:        rapid.SampledFrom([]store.Phase{store.Tune, store.Final}).Draw(rt, "phase"),
				Method:       rapid.String().Draw(rt, "method"),
				LearningRate: rapid.Float64().Draw(rt, "learning rate"),
				Seed:         rapid.Uint64().Draw(rt, "seed"),
			}
			trial, err := w.StartTrial(t.Context(), key)
			if err != nil {
				rt.Fatal(err)
			}
			if trial.TrialKey != key {
				rt.Fatalf("stored as %+v, expected %+v", trial.TrialKey, key)
			}
			ids[key] = trial.ID
		}
		for key, id := range ids {
			if again, err := w.StartTrial(t.Context(), key); err != nil || again.ID != id {
				rt.Fatalf("%+v found as %d, expected %d: %v", key, again.ID, id, err)
			}
		}
		trials, err := s.Trials(t.Context(), w.ID())
		if err != nil || len(trials) != len(ids) {
			rt.Fatalf("%d trials, expected %d: %v", len(trials), len(ids), err)
		}
	})
}

// Workers of one run, a second run and readers share the store.
func TestConcurrentUse(t *testing.T) {
	dir := t.TempDir()
	var group sync.WaitGroup
	for range 2 {
		s := open(t, dir)
		w := create(t, s, "train")
		for seed := range uint64(4) {
			group.Go(func() {
				key := adam
				key.Seed = seed
				trial, err := w.StartTrial(t.Context(), key)
				for step := int64(1); step <= 30 && err == nil; step++ {
					err = w.Append(t.Context(), trial.ID, store.Series{Name: "train_loss", Points: line(step, step)})
					if points, readErr := s.Series(t.Context(), trial.ID, "train_loss"); readErr != nil || int64(len(points)) != step {
						t.Errorf("%d points after step %d: %v", len(points), step, readErr)
					}
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	group.Wait()
	checkIntegrity(t, dir)
}
