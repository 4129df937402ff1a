package store_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/descentml/descent/lab/store"
)

// line returns points for the steps first to last.
func line(first, last int64) []store.Point {
	var points []store.Point
	for step := first; step <= last; step++ {
		x := float64(step)
		points = append(points, store.Point{Step: step, Epoch: x / 10, Seconds: x / 100, Value: 1 / x})
	}
	return points
}

// samePoint compares bits, so that NaN equals itself and 0 differs from -0.
func samePoint(a, b store.Point) bool {
	return a.Step == b.Step &&
		math.Float64bits(a.Epoch) == math.Float64bits(b.Epoch) &&
		math.Float64bits(a.Seconds) == math.Float64bits(b.Seconds) &&
		math.Float64bits(a.Value) == math.Float64bits(b.Value)
}

func wantPoints(t testing.TB, s *store.Store, trial int64, name string, want []store.Point) {
	t.Helper()
	got, err := s.Series(t.Context(), trial, name)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(got, want, samePoint) {
		t.Fatalf("%d points in %s, expected %d:\n%v\nexpected\n%v", len(got), name, len(want), got, want)
	}
}

func TestSeriesNames(t *testing.T) {
	s := open(t, t.TempDir())
	w := create(t, s, "train")
	trial, other := start(t, w, adam), start(t, w, store.TrialKey{Method: "sgd"})
	must(t, w.Append(t.Context(), trial.ID,
		store.Series{Name: "validation_loss", Points: line(10, 10)},
		store.Series{Name: "train_loss", Points: line(1, 300)}))
	names, err := s.SeriesNames(t.Context(), trial.ID)
	must(t, err)
	if want := []string{"train_loss", "validation_loss"}; !slices.Equal(names, want) {
		t.Errorf("names %v, expected %v", names, want)
	}
	wantPoints(t, s, trial.ID, "validation_loss", line(10, 10))
	wantPoints(t, s, trial.ID, "train_loss", line(1, 300))
	wantPoints(t, s, trial.ID, "learning_rate", nil)
	wantPoints(t, s, other.ID, "train_loss", nil)
}

// A store behaves as a map from step to point, whatever the order of appends,
// overlaps and truncations, and across the borders of blocks.
func TestSeriesModel(t *testing.T) {
	s := open(t, t.TempDir())
	w := create(t, s, "train")
	ctx := t.Context()
	seed := uint64(0)
	rapid.Check(t, func(rt *rapid.T) {
		seed++
		trial, err := w.StartTrial(ctx, store.TrialKey{Seed: seed})
		if err != nil {
			rt.Fatal(err)
		}
		model := map[int64]store.Point{}
		check := func(from int64) {
			var want []store.Point
			for _, step := range slices.Sorted(maps.Keys(model)) {
				if step >= from {
					want = append(want, model[step])
				}
			}
			got, err := s.SeriesFrom(ctx, trial.ID, "x", from)
			if err != nil || !slices.EqualFunc(got, want, samePoint) {
				rt.Fatalf("from %d: %d points, expected %d: %v", from, len(got), len(want), err)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"append a range": func(rt *rapid.T) {
				first := rapid.Int64Range(-500, 1500).Draw(rt, "first")
				points := line(first, first+rapid.Int64Range(0, 400).Draw(rt, "length"))
				value := rapid.Float64().Draw(rt, "value")
				for i := range points {
					points[i].Value = value
					model[points[i].Step] = points[i]
				}
				if err := w.Append(ctx, trial.ID, store.Series{Name: "x", Points: points}); err != nil {
					rt.Fatal(err)
				}
			},
			"append scattered": func(rt *rapid.T) {
				points := rapid.SliceOf(rapid.Custom(func(rt *rapid.T) store.Point {
					step := rapid.OneOf(rapid.Int64Range(-500, 1500), rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64}))
					return store.Point{
						Step:  step.Draw(rt, "step"),
						Epoch: rapid.Float64().Draw(rt, "epoch"),
						Value: rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1)}).Draw(rt, "value"),
					}
				})).Draw(rt, "points")
				for _, p := range points {
					model[p.Step] = p
				}
				if err := w.Append(ctx, trial.ID, store.Series{Name: "x", Points: points}); err != nil {
					rt.Fatal(err)
				}
			},
			"truncate": func(rt *rapid.T) {
				last := rapid.Int64Range(-600, 2000).Draw(rt, "last")
				maps.DeleteFunc(model, func(step int64, _ store.Point) bool { return step > last })
				if err := w.Truncate(ctx, trial.ID, last); err != nil {
					rt.Fatal(err)
				}
			},
			"read from": func(rt *rapid.T) {
				check(rapid.Int64Range(-600, 2000).Draw(rt, "from"))
			},
			"": func(*rapid.T) { check(math.MinInt64) },
		})
	})
}

func TestAppendKeepsArgument(t *testing.T) {
	s := open(t, t.TempDir())
	w := create(t, s, "train")
	trial := start(t, w, adam)
	points := line(1, 3)
	slices.Reverse(points)
	given := slices.Clone(points)
	must(t, w.Append(t.Context(), trial.ID, store.Series{Name: "x", Points: points}))
	if !slices.Equal(points, given) {
		t.Errorf("Append changed its argument to %v", points)
	}
}

func TestBrokenBlock(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	w := create(t, s, "train")
	trial := start(t, w, adam)
	must(t, w.Append(t.Context(), trial.ID, store.Series{Name: "train_loss", Points: line(1, 3)}))
	execute(t, dir, "UPDATE blocks SET points = x'0102'")
	_, err := s.Series(t.Context(), trial.ID, "train_loss")
	wantError(t, err, "train_loss", dir, "2 bytes", "multiple of 32")
}

func BenchmarkAppend10000(b *testing.B) {
	s := open(b, b.TempDir())
	w := create(b, s, "train")
	trial := start(b, w, adam)
	points := line(1, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Append(b.Context(), trial.ID, store.Series{Name: "train_loss", Points: points}); err != nil {
			b.Fatal(err)
		}
		for i := range points {
			points[i].Step += 10_000
		}
	}
}

// BenchmarkAppendEpoch appends what a trial measures in one epoch.
func BenchmarkAppendEpoch(b *testing.B) {
	s := open(b, b.TempDir())
	w := create(b, s, "train")
	trial := start(b, w, adam)
	series := make([]store.Series, 5)
	for i := range series {
		series[i] = store.Series{Name: fmt.Sprint(i), Points: line(1, 1)}
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Append(b.Context(), trial.ID, series...); err != nil {
			b.Fatal(err)
		}
		for i := range series {
			series[i].Points[0].Step++
		}
	}
}

func BenchmarkSeries100000(b *testing.B) {
	s := open(b, b.TempDir())
	w := create(b, s, "train")
	trial := start(b, w, adam)
	must(b, w.Append(b.Context(), trial.ID, store.Series{Name: "train_loss", Points: line(1, 100_000)}))
	b.ReportAllocs()
	for b.Loop() {
		points, err := s.Series(b.Context(), trial.ID, "train_loss")
		if err != nil || len(points) != 100_000 {
			b.Fatal(len(points), err)
		}
	}
}

// BenchmarkRuns2000 lists runs with configurations and results of 2 kB each.
// In the second case the processes of all runs were killed.
func BenchmarkRuns2000(b *testing.B) {
	for _, state := range []store.State{store.Done, store.Interrupted} {
		b.Run(string(state), func(b *testing.B) {
			s := open(b, b.TempDir())
			text := string(make([]byte, 333)) // a zero byte is six characters in JSON
			for range 2000 {
				w, err := s.Create(b.Context(), "train", "iris", text)
				must(b, err)
				if state == store.Done {
					must(b, w.Finish(b.Context(), store.Done, text, nil))
				}
				must(b, w.Close())
			}
			b.ReportAllocs()
			for b.Loop() {
				runs, err := s.Runs(b.Context(), store.Filter{State: state})
				if err != nil || len(runs) != 2000 {
					b.Fatal(len(runs), err)
				}
			}
		})
	}
}
