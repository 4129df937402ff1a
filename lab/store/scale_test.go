package store_test

import (
	"context"
	"errors"
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/lab/store/storetest"
)

// filled returns a store of the size with the numbers of its runs.
func filled(t testing.TB, size storetest.Size) (*store.Store, []int64) {
	t.Helper()
	s := open(t, t.TempDir())
	ids, err := storetest.Fill(t.Context(), s, size, 1)
	if err != nil {
		t.Fatal(err)
	}
	return s, ids
}

// onlyTrial returns the trial of a run that has one.
func onlyTrial(t testing.TB, s *store.Store, run int64) int64 {
	t.Helper()
	trials, err := s.Trials(t.Context(), run)
	if err != nil || len(trials) != 1 {
		t.Fatalf("%d trials, %v", len(trials), err)
	}
	return trials[0].ID
}

func TestListSelectsByWhatRunsAreAbout(t *testing.T) {
	s, ids := filled(t, storetest.Size{Runs: 24, Points: 24 * 50})
	all, err := s.Runs(t.Context(), store.Filter{})
	if err != nil || len(all) != 24 {
		t.Fatalf("%d runs, %v", len(all), err)
	}
	middle := all[12].Created
	for name, c := range map[string]struct {
		filter store.Filter
		want   func(i int) bool // i counts runs from the first created
	}{
		"all":              {store.Filter{}, func(int) bool { return true }},
		"data":             {store.Filter{Data: "churn.csv"}, func(i int) bool { return i%4 == 3 }},
		"model":            {store.Filter{Model: "mlp:64"}, func(i int) bool { return i%3 == 0 }},
		"kind of model":    {store.Filter{Model: "mlp"}, func(i int) bool { return i%3 != 1 }},
		"part of a name":   {store.Filter{Model: "ml"}, func(int) bool { return false }},
		"method":           {store.Filter{Method: "diffgrad:friction=dfc2"}, func(i int) bool { return i%4 == 3 }},
		"method in short":  {store.Filter{Method: "diffgrad"}, func(i int) bool { return i%4 == 3 }},
		"from":             {store.Filter{From: middle}, func(i int) bool { return i >= 11 }},
		"to":               {store.Filter{To: middle}, func(i int) bool { return i < 11 }},
		"several":          {store.Filter{Data: "digits", Model: "linear", State: store.Done}, func(i int) bool { return i%4 == 0 && i%3 == 1 }},
		"state":            {store.Filter{State: store.Running}, func(int) bool { return false }},
		"text of a filter": {store.Filter{Data: "' OR 1=1 --"}, func(int) bool { return false }},
	} {
		var want []int64
		for i, id := range ids {
			if c.want(i) {
				want = append([]int64{id}, want...)
			}
		}
		listed, total, err := s.List(t.Context(), c.filter)
		runs, err2 := s.Runs(t.Context(), c.filter)
		if err := errors.Join(err, err2); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got, got2 []int64
		for i := range listed {
			got, got2 = append(got, listed[i].ID), append(got2, runs[i].ID)
		}
		if !slices.Equal(got, want) || !slices.Equal(got2, want) || total != len(want) {
			t.Errorf("%s: runs %v and %v of %d, expected %v", name, got, got2, total, want)
		}
	}
}

func TestListPagesWithoutGapOrOverlap(t *testing.T) {
	s, ids := filled(t, storetest.Size{Runs: 25, Points: 0})
	var seen []int64
	for before := int64(0); ; {
		page, total, err := s.List(t.Context(), store.Filter{Limit: 10, Before: before})
		if err != nil || total != 25 {
			t.Fatalf("total %d, %v", total, err)
		}
		if len(page) == 0 {
			break
		}
		for _, run := range page {
			seen = append(seen, run.ID)
		}
		before = page[len(page)-1].ID
	}
	slices.Reverse(seen)
	if !slices.Equal(seen, ids) {
		t.Errorf("pages have %v, expected %v", seen, ids)
	}
}

func TestListKnowsStudiesAndFilesByName(t *testing.T) {
	s := open(t, t.TempDir())
	for _, config := range []any{
		map[string]any{"paper": "diffgrad"},
		map[string]any{"data": map[string]any{"source": "/home/me/churn.csv"}, "methods": []string{"adam"}},
		map[string]any{"unknown": 1},
	} {
		w, err := s.Create(t.Context(), "any", "name", config)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
	}
	for data, want := range map[string]int64{"diffgrad": 1, "churn.csv": 2, "/home/me/churn.csv": 2, "hurn.csv": 0} {
		found, _, err := s.List(t.Context(), store.Filter{Data: data})
		if err != nil || len(found) > 1 || want == 0 != (len(found) == 0) || want > 0 && found[0].ID != want {
			t.Errorf("%s: %v, %v", data, found, err)
		}
	}
	choices, err := s.Choices(t.Context())
	if err != nil || !slices.Equal(choices.Data, []string{"/home/me/churn.csv", "diffgrad"}) || !slices.Equal(choices.Methods, []string{"adam"}) {
		t.Errorf("%+v, %v", choices, err)
	}
}

// TestWalkGivesWhatSeriesGives also on a series that was appended to in many
// pieces, from every step.
func TestWalkGivesWhatSeriesGives(t *testing.T) {
	s := open(t, t.TempDir())
	w, err := s.Create(t.Context(), "any", "name", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	trial, err := w.StartTrial(t.Context(), store.TrialKey{Method: "adam"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		var points []store.Point
		for j := range i {
			points = append(points, store.Point{Step: int64(10*i + 3*j), Value: float64(i)})
		}
		if err := w.Append(t.Context(), trial.ID, store.Series{Name: "loss", Points: points}); err != nil {
			t.Fatal(err)
		}
	}
	for _, from := range []int64{math.MinInt64, -1, 0, 13, 14, 200, 507, 508, 9999, math.MaxInt64} {
		want, err := s.SeriesFrom(t.Context(), trial.ID, "loss", from)
		if err != nil {
			t.Fatal(err)
		}
		var got []store.Point
		err = s.Walk(t.Context(), trial.ID, "loss", from, func(block []store.Point) error {
			got = append(got, block...)
			return nil
		})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("from %d: %d points, expected %d; %v", from, len(got), len(want), err)
		}
	}
	all, err := s.Series(t.Context(), trial.ID, "loss")
	span, found, err2 := s.Span(t.Context(), trial.ID, "loss")
	if err := errors.Join(err, err2); err != nil || !found || span.Count != len(all) || span.First != all[0] || span.Last != all[len(all)-1] {
		t.Errorf("span %+v %v, %v", span, found, err)
	}
	if _, found, err := s.Span(t.Context(), trial.ID, "nothing"); found || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
	if names, err := s.RunSeriesNames(t.Context(), w.ID()); err != nil || !slices.Equal(names, []string{"loss"}) {
		t.Errorf("names %v, %v", names, err)
	}
	stop := errors.New("enough")
	if err := s.Walk(t.Context(), trial.ID, "loss", 0, func([]store.Point) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v, expected the error of visit", err)
	}
}

// TestVersionTellsOfEveryChange of this process and of another, and of nothing
// else.
func TestVersionTellsOfEveryChange(t *testing.T) {
	dir := t.TempDir()
	mine, other := open(t, dir), open(t, dir)
	before, err := mine.Version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	changed := func() bool {
		t.Helper()
		version, err := mine.Version(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		same := version == before
		before = version
		return !same
	}
	if _, err := mine.Runs(t.Context(), store.Filter{}); err != nil || changed() {
		t.Errorf("reading was a change; %v", err)
	}
	for _, s := range []*store.Store{mine, other} {
		w, err := s.Create(t.Context(), "any", "name", nil)
		if err != nil || !changed() || changed() {
			t.Errorf("creating a run was not one change; %v", err)
		}
		trial, err := w.StartTrial(t.Context(), store.TrialKey{Method: "adam"})
		if err != nil || !changed() {
			t.Errorf("starting a trial was no change; %v", err)
		}
		err = w.Append(t.Context(), trial.ID, store.Series{Name: "loss", Points: []store.Point{{Step: 1}}})
		if err != nil || !changed() {
			t.Errorf("a point was no change; %v", err)
		}
		w.Close()
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := mine.Version(cancelled); err == nil {
		t.Error("no error from an ended context")
	}
	if _, err := mine.Version(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestPulseFollowsARun(t *testing.T) {
	s := open(t, t.TempDir())
	w, err := s.Create(t.Context(), "any", "name", nil)
	if err != nil {
		t.Fatal(err)
	}
	expect := func(state store.State, trials, finished int) {
		t.Helper()
		p, err := s.Pulse(t.Context(), w.ID())
		if err != nil || p.State != state || p.Trials != trials || p.Finished != finished {
			t.Errorf("%+v, %v: expected %s, %d trials, %d finished", p, err, state, trials, finished)
		}
	}
	expect(store.Running, 0, 0)
	one, err := w.StartTrial(t.Context(), store.TrialKey{Method: "adam"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.StartTrial(t.Context(), store.TrialKey{Method: "sgd"}); err != nil {
		t.Fatal(err)
	}
	if err := w.FinishTrial(t.Context(), one.ID, store.Failed, store.Outcome{}); err != nil {
		t.Fatal(err)
	}
	expect(store.Running, 2, 1)
	w.Close()
	expect(store.Interrupted, 2, 1)
	w2, err := s.Resume(t.Context(), w.ID())
	if err != nil {
		t.Fatal(err)
	}
	if err := w2.Finish(t.Context(), store.Done, nil, nil); err != nil {
		t.Fatal(err)
	}
	expect(store.Done, 2, 1)
	w2.Close()
	if _, err := s.Pulse(t.Context(), 99); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%v, expected ErrNotFound", err)
	}
}

// largeStore names the variable that lets the benchmarks fill a store of ten
// million points instead of a twentieth of it.
const largeStore = "DESCENT_LARGE_STORE"

func benchmarkSize(b *testing.B) storetest.Size {
	if os.Getenv(largeStore) == "" {
		b.Logf("a twentieth of the large store; %s=1 fills all of it", largeStore)
		return storetest.Small
	}
	return storetest.Large
}

func BenchmarkFillAndRead(b *testing.B) {
	size := benchmarkSize(b)
	began := time.Now()
	s, ids := filled(b, size)
	b.Logf("%d runs with about %d points filled in %v", size.Runs, size.Points, time.Since(began))
	ctx := b.Context()
	b.Run("list", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := s.List(ctx, store.Filter{Data: "digits", Model: "mlp", Method: "adam", State: store.Done, Limit: 100}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("list all", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := s.List(ctx, store.Filter{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("choices", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Choices(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("walk long series", func(b *testing.B) {
		b.ReportAllocs()
		var trials []int64
		for _, id := range ids[:size.LongRuns] {
			trials = append(trials, onlyTrial(b, s, id))
		}
		for b.Loop() {
			for _, trial := range trials {
				sum := 0.0
				err := s.Walk(ctx, trial, "train_loss", 0, func(points []store.Point) error {
					for _, p := range points {
						sum += p.Value
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("version", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Version(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("pulse", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Pulse(ctx, ids[0]); err != nil {
				b.Fatal(err)
			}
		}
	})
}
