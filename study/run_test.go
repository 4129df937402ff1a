package study_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/study"
)

// meanOfUniforms is a study of the claim that uniform numbers have the mean
// 1/2; shift breaks its method.
func meanOfUniforms(shift float64, ran *atomic.Int32) *study.Study {
	return &study.Study{
		Paper: "uniform",
		Claims: []study.Claim{
			{
				ID: "mean", Central: true, Statement: "The mean is a half.", Figure: "0.5", Source: "Table 1",
				Measure: "the mean of 10,000 numbers", Criterion: "|mean - 1/2| < 0.02 for every seed",
				Judge: func(r *study.Results) study.Finding {
					return study.Finding{Ours: study.Spread(r.Over("draw", "mean")), Holds: r.EverySeed(func(seed uint64) bool {
						return math.Abs(r.Value("draw", seed, "mean")-0.5) < 0.02
					})}
				},
			},
			{
				ID: "missing", Statement: "What was not measured does not hold.", Source: "unverified",
				Measure: "nothing", Criterion: "x > 0 or x <= 0",
				Judge: func(r *study.Results) study.Finding {
					x := r.Value("draw", r.Setup.Seeds[0], "unknown")
					return study.Finding{Ours: fmt.Sprint(x), Holds: x > 0 || x <= 0}
				},
			},
			{ID: "large", Statement: "It holds for billions.", Source: "Section 4", Untestable: "too many numbers for one machine"},
		},
		Cells: func(s study.Setup) ([]study.Cell, error) {
			var cells []study.Cell
			for _, seed := range s.Seeds {
				cells = append(cells, study.Cell{Name: "draw", Seed: seed, Run: func(context.Context) (study.Measured, error) {
					ran.Add(1)
					rng, sum := rand.New(rand.NewPCG(seed, 1)), 0.0
					var curve study.Curve
					for i := range 10_000 {
						sum += rng.Float64() + shift
						if i%1000 == 999 {
							curve.X, curve.Y = append(curve.X, float64(i+1)), append(curve.Y, sum/float64(i+1))
						}
					}
					return study.Measured{
						Values: map[string]float64{"mean": sum / 10_000, "nothing": math.NaN(), "beyond": math.Inf(-1)},
						Curves: map[string]study.Curve{"mean": curve},
					}, nil
				}})
			}
			return cells, nil
		},
		Sections: func(r *study.Results) []report.Section {
			return []report.Section{{Title: "Mean", Text: study.Spread(r.Over("draw", "mean"))}}
		},
	}
}

func setup(count int) study.Setup {
	return study.Setup{Preset: study.Quick, Seeds: study.Seeds(study.FirstSeed, count)}
}

// recorded runs a study in a new store and returns what it found and its run.
func recorded(t *testing.T, s *study.Study, setup study.Setup, workers int) (*study.Results, *store.Store, store.Run) {
	t.Helper()
	st, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	w, err := st.Create(t.Context(), study.Kind, s.Paper, study.Config{Paper: s.Paper, Preset: setup.Preset, Seeds: setup.Seeds})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	results, err := study.Run(t.Context(), s, setup, w, st, workers, nil)
	if err != nil {
		t.Fatal(err)
	}
	judged := s.Judge(results)
	judged.Run = w.ID()
	if err := w.Finish(t.Context(), store.Done, judged, nil); err != nil {
		t.Fatal(err)
	}
	run, err := st.Run(t.Context(), w.ID())
	if err != nil {
		t.Fatal(err)
	}
	return results, st, run
}

func verdicts(r *study.Report) map[string]study.Verdict {
	found := map[string]study.Verdict{}
	for _, c := range r.Claims {
		found[c.ID] = c.Verdict
	}
	return found
}

func TestVerdicts(t *testing.T) {
	for shift, mean := range map[float64]study.Verdict{0: study.Reproduced, 0.1: study.NotReproduced, math.NaN(): study.NotReproduced} {
		var ran atomic.Int32
		s := meanOfUniforms(shift, &ran)
		results, _, _ := recorded(t, s, setup(3), 2)
		want := map[string]study.Verdict{"mean": mean, "missing": study.NotReproduced, "large": study.NotTestable}
		if got := verdicts(s.Judge(results)); !reflect.DeepEqual(got, want) {
			t.Errorf("shift %g: verdicts %v, want %v", shift, got, want)
		}
	}
}

// What the store gives back is what was measured, NaN, infinities and curves
// included, and the recorded verdicts are those of the run.
func TestRecordIsComplete(t *testing.T) {
	var ran atomic.Int32
	s := meanOfUniforms(0, &ran)
	results, st, run := recorded(t, s, setup(4), 3)
	again, err := study.Read(t.Context(), st, run)
	if err != nil {
		t.Fatal(err)
	}
	for _, seed := range results.Setup.Seeds {
		for _, name := range []string{"mean", "nothing", "beyond"} {
			a, b := results.Value("draw", seed, name), again.Value("draw", seed, name)
			if a != b && !(math.IsNaN(a) && math.IsNaN(b)) {
				t.Errorf("seed %d: %s is %g in the store, was %g", seed, name, b, a)
			}
		}
		if a, b := results.Curve("draw", seed, "mean"), again.Curve("draw", seed, "mean"); !reflect.DeepEqual(a, b) || len(a.X) != 10 {
			t.Errorf("seed %d: the curve is %v in the store, was %v", seed, b, a)
		}
	}
	judged, err := study.ReadReport(run)
	if err != nil {
		t.Fatal(err)
	}
	want := s.Judge(again)
	want.Run = run.ID
	if !reflect.DeepEqual(judged, want) {
		t.Errorf("recorded verdicts %+v, want %+v", judged, want)
	}
}

func TestResultsDoNotDependOnWorkers(t *testing.T) {
	var ran atomic.Int32
	one, _, _ := recorded(t, meanOfUniforms(0, &ran), setup(5), 1)
	four, _, _ := recorded(t, meanOfUniforms(0, &ran), setup(5), 4)
	if a, b := one.Over("draw", "mean"), four.Over("draw", "mean"); !reflect.DeepEqual(a, b) {
		t.Errorf("one worker found %v, four %v", a, b)
	}
}

// A study that was interrupted goes on with the cells that are missing.
func TestResume(t *testing.T) {
	var ran atomic.Int32
	s := meanOfUniforms(0, &ran)
	st, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	w, err := st.Create(t.Context(), study.Kind, s.Paper, study.Config{Paper: s.Paper, Preset: study.Quick})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = study.Run(ctx, s, setup(6), w, st, 1, func(p study.Progress) {
		if p.Done == 2 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted with %v, want %v", err, context.Canceled)
	}
	if err := w.Finish(t.Context(), store.Interrupted, nil, err); err != nil {
		t.Fatal(err)
	}
	w.Close()
	before := ran.Load()
	if before >= 6 {
		t.Fatalf("%d cells ran before the interruption, want fewer than 6", before)
	}
	if w, err = st.Resume(t.Context(), w.ID()); err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	resumed, err := study.Run(t.Context(), s, setup(6), w, st, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if ran.Load() != 6 {
		t.Errorf("%d cells ran in all, want 6", ran.Load())
	}
	whole, _, _ := recorded(t, meanOfUniforms(0, &ran), setup(6), 1)
	if a, b := resumed.Over("draw", "mean"), whole.Over("draw", "mean"); !reflect.DeepEqual(a, b) {
		t.Errorf("resumed: %v, want %v", a, b)
	}
}

func TestFailingCellNamesItself(t *testing.T) {
	for name, fail := range map[string]func(context.Context) (study.Measured, error){
		"error": func(context.Context) (study.Measured, error) { return study.Measured{}, errors.New("no data") },
		"panic": func(context.Context) (study.Measured, error) { panic(errors.New("no data")) },
		"curve": func(context.Context) (study.Measured, error) {
			return study.Measured{Curves: map[string]study.Curve{"no data": {X: []float64{1}}}}, nil
		},
	} {
		var ran atomic.Int32
		s := meanOfUniforms(0, &ran)
		s.Cells = func(study.Setup) ([]study.Cell, error) {
			return []study.Cell{{Name: "broken", Seed: 1003, Run: fail}}, nil
		}
		st, err := store.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		w, err := st.Create(t.Context(), study.Kind, name, study.Config{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = study.Run(t.Context(), s, setup(1), w, st, 1, nil)
		if err == nil || !strings.Contains(err.Error(), "no data") {
			t.Errorf("%s: error %v, want one with its cause", name, err)
		}
		w.Close()
		st.Close()
	}
}

func TestCheckFindsWhatIsWrong(t *testing.T) {
	var ran atomic.Int32
	for want, spoil := range map[string]func(*study.Study){
		"expected claims":           func(s *study.Study) { s.Claims = nil },
		"letters, digits":           func(s *study.Study) { s.Claims[0].ID = "The mean" },
		"expected a new one":        func(s *study.Study) { s.Claims[1].ID = "mean" },
		"no claim is central":       func(s *study.Study) { s.Claims[0].Central = false },
		"statement and a source":    func(s *study.Study) { s.Claims[0].Source = "" },
		"either a rule or why":      func(s *study.Study) { s.Claims[2].Untestable = "" },
		"measured and the criteri":  func(s *study.Study) { s.Claims[0].Criterion = "" },
		"expected claims, cells an": func(s *study.Study) { s.Sections = nil },
	} {
		s := meanOfUniforms(0, &ran)
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
		spoil(s)
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestPageAndScoreboard(t *testing.T) {
	var ran atomic.Int32
	s := meanOfUniforms(0, &ran)
	results, st, run := recorded(t, s, setup(3), 1)
	paper := study.Paper{Name: "uniform", Title: "On <uniform> numbers | a study", Authors: "A. Author", Venue: "Journal 2020", ArXiv: "2001.00001"}
	judged, err := study.ReadReport(run)
	if err != nil {
		t.Fatal(err)
	}
	var page strings.Builder
	if err := report.Write(&page, study.Page(paper, s, judged, results)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"not testable here", "1 of 2 claims reproduced", "descent study run uniform", "too many numbers", "On &lt;uniform&gt;"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	newest, err := study.Newest(t.Context(), st)
	if err != nil || newest["uniform"].ID != run.ID {
		t.Errorf("newest runs %v, %v: want run %d", newest, err, run.ID)
	}
	var board strings.Builder
	err = study.WriteScoreboard(&board, []study.Line{
		{Paper: paper, Exists: true, Report: judged}, {Paper: study.Paper{Name: "later"}}, {Paper: study.Paper{Name: "waiting"}, Exists: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| [uniform](#uniform) | quick preset, seeds 1000 to 1002 | 1 | 1 | 1 |", "| later | planned |", "| waiting | not run yet |",
		`On &lt;uniform> numbers \| a study`, "| - | too many numbers for one machine | not testable here |",
	} {
		if !strings.Contains(board.String(), want) {
			t.Errorf("the scoreboard lacks %q:\n%s", want, board.String())
		}
	}
}

func TestCommandRepeats(t *testing.T) {
	for want, c := range map[string]study.Config{
		"descent study run sso":                                   {Paper: "sso", Preset: study.Quick, Seeds: study.Seeds(1000, 3)},
		"descent study run sso --preset full --seeds 10 --seed 7": {Paper: "sso", Preset: study.Full, Seeds: study.Seeds(7, 10)},
		"descent study run sso --preset smoke --seed 12":          {Paper: "sso", Preset: study.Smoke, Seeds: study.Seeds(12, 1)},
	} {
		if got := study.Command(c); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestStatistics(t *testing.T) {
	if m := study.Median([]float64{3, 1, 2, 10}); m != 2.5 {
		t.Errorf("median %g, want 2.5", m)
	}
	if m := study.Median([]float64{3, 1, 2}); m != 2 {
		t.Errorf("median %g, want 2", m)
	}
	if !math.IsNaN(study.Median([]float64{1, math.NaN()})) || !math.IsNaN(study.Median(nil)) {
		t.Error("the median of what is not there is a number")
	}
	if study.Increasing(1, 2, 2) || study.Increasing(1, math.NaN()) || !study.Increasing(1, 2, 3) || !study.Increasing() {
		t.Error("Increasing is wrong")
	}
}

func Example() {
	var ran atomic.Int32
	s := meanOfUniforms(0, &ran)
	results := study.NewResults(study.Setup{Preset: study.Smoke, Seeds: []uint64{1000}})
	results.Add("draw", 1000, study.Measured{Values: map[string]float64{"mean": 0.501}})
	for _, claim := range s.Judge(results).Claims {
		fmt.Println(claim.ID, claim.Ours, claim.Verdict)
	}
	// Output:
	// mean 0.501 reproduced
	// missing NaN not reproduced
	// large  not testable here
}
