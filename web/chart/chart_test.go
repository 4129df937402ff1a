package chart_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/lab/store/storetest"
	"github.com/descentml/descent/web/chart"
)

func open(t testing.TB) *store.Store {
	t.Helper()
	st, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

func read(t testing.TB, st *store.Store, runs []int64, o chart.Options) *chart.Chart {
	t.Helper()
	c, err := chart.Read(t.Context(), st, runs, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// run records a run in progress with the points of trials, and returns its
// number.
func run(t testing.TB, st *store.Store, config any, result any, points map[store.TrialKey][]store.Series) int64 {
	t.Helper()
	w, err := st.Create(t.Context(), "compare", "name", config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	var keys []store.TrialKey
	for key := range points {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b store.TrialKey) int {
		return strings.Compare(fmt.Sprint(a.Phase == store.Final, a), fmt.Sprint(b.Phase == store.Final, b))
	})
	for _, key := range keys {
		trial, err := w.StartTrial(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Append(t.Context(), trial.ID, points[key]...); err != nil {
			t.Fatal(err)
		}
	}
	if result != nil {
		if err := w.Finish(t.Context(), store.Done, result, nil); err != nil {
			t.Fatal(err)
		}
	}
	return w.ID()
}

func series(name string, values ...float64) store.Series {
	s := store.Series{Name: name}
	for i, v := range values {
		s.Points = append(s.Points, store.Point{Step: int64(10 * (i + 1)), Epoch: float64(i + 1), Seconds: 0.5 * float64(i+1), Value: v})
	}
	return s
}

func TestPeakOfALongSeriesIsInThePicture(t *testing.T) {
	st := open(t)
	ids, err := storetest.Fill(t.Context(), st, storetest.Size{Runs: 2, LongRuns: 2, LongPoints: 100_000}, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []string{chart.Step, chart.Epoch, chart.Time} {
		for _, log := range []bool{false, true} {
			c := read(t, st, ids[:2], chart.Options{X: x, LogX: log, LogY: log, Axes: true})
			if len(c.Lines) != 2 || c.Options.Series != "train_loss" {
				t.Fatalf("%+v", c.Lines)
			}
			for _, line := range c.Figure.Lines {
				if !slices.Contains(line.Y, storetest.Peak) || !slices.ContainsFunc(line.Y, math.IsNaN) {
					t.Errorf("x %s, log %v: the peak or the gap of %s is lost among %d points", x, log, line.Name, len(line.Y))
				}
				if len(line.Y) > 2010 {
					t.Errorf("%d points", len(line.Y))
				}
			}
			if err := c.Figure.SVG(io.Discard); err != nil {
				t.Error(err)
			}
			if !json.Valid([]byte(c.Readout)) || len(c.Readout) > 30_000 {
				t.Errorf("a read-out of %d bytes", len(c.Readout))
			}
		}
	}
}

func TestSeedsBecomeMeanAndRange(t *testing.T) {
	st := open(t)
	key := func(phase store.Phase, rate float64, seed uint64) store.TrialKey {
		return store.TrialKey{Phase: phase, Method: "adam", LearningRate: rate, Seed: seed}
	}
	id := run(t, st, map[string]any{"methods": []string{"sgd", "adam"}}, nil, map[store.TrialKey][]store.Series{
		key(store.Tune, 0.1, 1):  {series("train_loss", 9, 9)},
		key(store.Tune, 0.2, 1):  {series("train_loss", 4, 2, 1)},
		key(store.Final, 0.2, 2): {series("train_loss", 6, 4)},
	})
	c := read(t, st, []int64{id}, chart.Options{})
	// A method that has not begun keeps its place, and the others their colours.
	if len(c.Lines) != 2 || c.Lines[0].Name != "sgd" || c.Lines[0].Seeds != 0 || c.Lines[1].Seeds != 2 || c.Lines[1].Last != "1" ||
		c.Lines[1].Key != fmt.Sprintf("%d:adam", id) || c.Lines[1].Slot != 2 {
		t.Fatalf("%+v", c.Lines)
	}
	if !c.Alike || len(c.Notes) != 1 || !strings.Contains(c.Notes[0], "2 seeds") {
		t.Errorf("notes %q", c.Notes)
	}
	line := c.Figure.Lines[0]
	if !slices.Equal(line.X, []float64{1, 2, 3}) || !slices.Equal(line.Y, []float64{5, 3, 1}) ||
		!slices.Equal(line.Low, []float64{4, 2, 1}) || !slices.Equal(line.High, []float64{6, 4, 1}) {
		t.Errorf("%+v", line)
	}
}

func TestTuningShowsTheNewestTrial(t *testing.T) {
	st := open(t)
	id := run(t, st, map[string]any{"methods": []string{"sgd"}}, nil, map[store.TrialKey][]store.Series{
		{Phase: store.Tune, Method: "sgd", LearningRate: 0.1, Seed: 1}: {series("train_loss", 9)},
		{Phase: store.Tune, Method: "sgd", LearningRate: 0.2, Seed: 1}: {series("train_loss", 7)},
	})
	c := read(t, st, []int64{id}, chart.Options{})
	if len(c.Lines) != 1 || c.Lines[0].Name != "sgd, tuning at 0.2" || !c.Lines[0].Dashed || c.Lines[0].Last != "7" {
		t.Errorf("%+v", c.Lines)
	}
	result := map[string]any{"results": []any{map[string]any{"method": "sgd", "learning_rate": 0.1}}}
	id = run(t, st, map[string]any{"methods": []string{"sgd"}}, result, map[store.TrialKey][]store.Series{
		{Phase: store.Tune, Method: "sgd", LearningRate: 0.1, Seed: 1}: {series("train_loss", 9)},
		{Phase: store.Tune, Method: "sgd", LearningRate: 0.2, Seed: 1}: {series("train_loss", 7)},
	})
	c = read(t, st, []int64{id}, chart.Options{})
	if len(c.Lines) != 1 || c.Lines[0].Name != "sgd" || c.Lines[0].Last != "9" {
		t.Errorf("the chosen rate is not shown: %+v", c.Lines)
	}
}

func TestHorizontalAxes(t *testing.T) {
	st := open(t)
	norms := store.Series{Name: "gradient_norm"} // recorded at each step, without the time
	for i := range 35 {
		norms.Points = append(norms.Points, store.Point{Step: int64(i + 1), Epoch: float64(i+1) / 10, Value: float64(i)})
	}
	id := run(t, st, map[string]any{"methods": []string{"sgd"}}, nil, map[store.TrialKey][]store.Series{
		{Method: "sgd", Seed: 1}: {series("train_loss", 3, 2, 1), series("gradients", 20, 40, 60), norms},
	})
	for _, c := range []struct {
		x, series   string
		first, last float64
	}{
		{chart.Step, "gradient_norm", 1, 35},
		{chart.Epoch, "gradient_norm", 0.1, 3.5},
		{chart.Time, "gradient_norm", 0.05, 1.75},
		{chart.Gradients, "gradient_norm", 2, 70},
		{chart.Step, "train_loss", 10, 30},
		{chart.Time, "train_loss", 0.5, 1.5},
		{chart.Gradients, "train_loss", 20, 60},
	} {
		got := read(t, st, []int64{id}, chart.Options{X: c.x, Series: c.series})
		x := got.Figure.Lines[0].X
		if math.Abs(x[0]-c.first) > 1e-12 || math.Abs(x[len(x)-1]-c.last) > 1e-12 {
			t.Errorf("%s of %s from %g to %g, expected %g to %g", c.x, c.series, x[0], x[len(x)-1], c.first, c.last)
		}
	}
	other := run(t, st, nil, nil, map[store.TrialKey][]store.Series{{Method: "sgd"}: {series("train_loss", 1)}})
	c := read(t, st, []int64{other}, chart.Options{X: chart.Gradients})
	if len(c.Figure.Lines) != 0 || c.Lines[0].Note != "it records no gradient evaluations" {
		t.Errorf("%+v", c.Lines)
	}
}

// TestLinesWithoutTheMeasureAreLeftOut of the legend when there is no more to
// come, and a sentence says so; they take no place of others.
func TestLinesWithoutTheMeasureAreLeftOut(t *testing.T) {
	st := open(t)
	key := func(method string) store.TrialKey { return store.TrialKey{Phase: store.Final, Method: method} }
	cells := map[store.TrialKey][]store.Series{}
	for i := range chart.MostLines + 5 {
		cells[key(fmt.Sprintf("a%02d", i))] = []store.Series{series("angle", 1, 2)}
	}
	cells[key("b")] = []store.Series{series("train_loss", 1, 2), series("angle", 1)}
	study := run(t, st, nil, map[string]any{}, cells)
	both := run(t, st, map[string]any{"methods": []string{"adam"}}, map[string]any{}, map[store.TrialKey][]store.Series{
		key("adam"): {series("train_loss", 3, 2), series("gradients", 5, 6)},
	})
	none := run(t, st, nil, map[string]any{}, map[store.TrialKey][]store.Series{key("c"): {series("angle", 1)}})
	empty := run(t, st, nil, map[string]any{}, nil)
	working := run(t, st, map[string]any{"methods": []string{"sgd"}}, nil, nil)
	for _, c := range []struct {
		runs  []int64
		o     chart.Options
		lines []string
		note  string
	}{
		{[]int64{study, both, none, empty}, chart.Options{}, []string{"run 1: b", "run 2: adam"}, "29 lines of run 1, run 3 and run 4 record no train loss."},
		{[]int64{study}, chart.Options{}, []string{"b"}, "29 lines of run 1 record no train loss."},
		{[]int64{study}, chart.Options{Hidden: []string{"1:a01", "1:b"}}, []string{"b"}, "29 lines of run 1 record no train loss."},
		{[]int64{none}, chart.Options{Series: "train_loss"}, nil, "Run 3 records no train loss."},
		{[]int64{empty}, chart.Options{}, nil, "Run 4 records no train loss."},
		{[]int64{study, both}, chart.Options{X: chart.Gradients, Series: "train_loss"}, []string{"run 2: adam"}, "One line of run 1 records no gradient evaluations."},
		{[]int64{both, working}, chart.Options{}, []string{"run 2: adam", "run 5: sgd"}, ""},
	} {
		got := read(t, st, c.runs, c.o)
		var names []string
		for _, line := range got.Lines {
			names = append(names, line.Name)
		}
		if !slices.Equal(names, c.lines) {
			t.Errorf("%v %+v: lines %q, expected %q", c.runs, c.o, names, c.lines)
		}
		if c.note == "" && len(got.Notes) > 0 || c.note != "" && !slices.Contains(got.Notes, c.note) {
			t.Errorf("%v %+v: notes %q, expected %q", c.runs, c.o, got.Notes, c.note)
		}
	}
}

func TestHiddenLinesKeepTheOthersColours(t *testing.T) {
	st := open(t)
	points := map[store.TrialKey][]store.Series{}
	for _, method := range []string{"a", "b", "c"} {
		points[store.TrialKey{Phase: store.Final, Method: method}] = []store.Series{series("loss", 1, 2)}
	}
	id := run(t, st, nil, nil, points)
	c := read(t, st, []int64{id}, chart.Options{Hidden: []string{fmt.Sprintf("%d:b", id)}})
	if len(c.Lines) != 3 || !c.Lines[1].Hidden || len(c.Figure.Lines) != 2 || c.Figure.Lines[1].Color != 3 || c.Options.Series != "loss" {
		t.Errorf("%+v", c.Lines)
	}
}

func TestLossesGetALogAxisUnlessAskedOtherwise(t *testing.T) {
	st := open(t)
	id := run(t, st, nil, nil, map[store.TrialKey][]store.Series{{Method: "sgd"}: {series("train_loss", 1, 2), series("learning_rate", 1, 2)}})
	for query, want := range map[string]bool{"": true, "series=learning_rate": false, "axes=linear": false, "log=x": false, "log=y&series=learning_rate": true} {
		form, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		o, err := chart.ParseOptions(form)
		if err != nil {
			t.Fatal(err)
		}
		c := read(t, st, []int64{id}, o)
		if c.Figure.Y.Log != want {
			t.Errorf("%q: logarithmic %v", query, c.Figure.Y.Log)
		}
		again, err := chart.ParseOptions(c.Options.Query())
		if err != nil || read(t, st, []int64{id}, again).Figure.Y.Log != want {
			t.Errorf("%q does not keep its axes: %v", query, err)
		}
	}
}

func TestWhatIsNotThere(t *testing.T) {
	st := open(t)
	if _, err := chart.Read(t.Context(), st, []int64{7}, chart.Options{}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%v, expected ErrNotFound", err)
	}
	if _, err := chart.Read(t.Context(), st, make([]int64, chart.MostRuns+1), chart.Options{}); err == nil {
		t.Error("no error for too many runs")
	}
	id := run(t, st, nil, nil, nil)
	if c := read(t, st, []int64{id}, chart.Options{}); len(c.Lines) != 0 {
		t.Errorf("%+v", c.Lines)
	}
	many := map[store.TrialKey][]store.Series{}
	for i := range chart.MostLines + 5 {
		many[store.TrialKey{Method: fmt.Sprint(i)}] = nil
	}
	c := read(t, st, []int64{run(t, st, nil, nil, many)}, chart.Options{})
	if len(c.Lines) != chart.MostLines || len(c.Notes) != 1 {
		t.Errorf("%d lines, notes %v", len(c.Lines), c.Notes)
	}
}

func TestOptionsReadWhatTheyWrite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		form := url.Values{
			"series": {rapid.StringN(0, 20, 60).Draw(t, "series")},
			"x":      {rapid.SampledFrom([]string{"", "step", "epoch", "time", "gradients"}).Draw(t, "x")},
			"log":    rapid.SliceOfN(rapid.SampledFrom([]string{"x", "y"}), 0, 2).Draw(t, "log"),
			"smooth": {fmt.Sprint(rapid.Float64Range(0, 0.99).Draw(t, "smooth"))},
			"axes":   {rapid.SampledFrom([]string{"", "linear"}).Draw(t, "axes")},
			"hide":   rapid.SliceOfN(rapid.StringN(1, 5, 10), 0, 5).Draw(t, "hide"),
		}
		o, err := chart.ParseOptions(form)
		if err != nil {
			t.Fatal(err)
		}
		again, err := chart.ParseOptions(o.Query())
		if err != nil || again.Query().Encode() != o.Query().Encode() {
			t.Fatalf("%+v became %+v, %v", o, again, err)
		}
	})
	for _, bad := range []url.Values{
		{"x": {"moon"}}, {"log": {"z"}}, {"smooth": {"NaN"}}, {"smooth": {"1"}}, {"smooth": {"-0.1"}},
		{"series": {strings.Repeat("x", 300)}}, {"hide": make([]string, 500)},
	} {
		if _, err := chart.ParseOptions(bad); err == nil || len(err.Error()) > 200 {
			t.Errorf("%.60v: %v", bad, err)
		}
	}
}

// BenchmarkFiveLongRuns reads and draws what the issue promises under 300 ms.
func BenchmarkFiveLongRuns(b *testing.B) {
	const variable = "DESCENT_LARGE_STORE"
	size := storetest.Size{Runs: 5, LongRuns: 5, LongPoints: 100_000}
	if os.Getenv(variable) == "" {
		b.Logf("a store of five runs; %s=1 fills one of 2,000", variable)
	} else {
		size = storetest.Large
	}
	st := open(b)
	ids, err := storetest.Fill(b.Context(), st, size, 1)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		o    chart.Options
	}{
		{"linear", chart.Options{}},
		{"log axes, smoothed", chart.Options{X: chart.Step, LogX: true, LogY: true, Smooth: 0.6}},
		{"hidden", chart.Options{Hidden: []string{fmt.Sprintf("%d:adam", ids[0])}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := read(b, st, ids[:5], c.o).Figure.SVG(io.Discard); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
