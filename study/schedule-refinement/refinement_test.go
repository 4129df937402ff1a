package schedulerefinement

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/method/schedule"
	"github.com/descentml/descent/method/schedule/refine"
	"github.com/descentml/descent/study"
	"github.com/descentml/descent/study/studytest"
)

func Example() {
	s := New()
	cells, err := s.Cells(study.Setup{Preset: study.Quick, Seeds: study.Seeds(study.FirstSeed, 3)})
	if err != nil {
		panic(err)
	}
	fmt.Println(s.Paper, len(s.Claims), "claims,", len(cells), "cells")
	// Output: schedule-refinement 13 claims, 39 cells
}

func TestDefinition(t *testing.T) {
	if err := New().Check(); err != nil {
		t.Error(err)
	}
}

func setup() study.Setup {
	return study.Setup{Preset: study.Smoke, Seeds: study.Seeds(study.FirstSeed, 1)}
}

// run measures the cells whose names keep accepts, in a store of its own.
func run(t *testing.T, s *study.Study, workers int, keep func(name string) bool) *study.Results {
	t.Helper()
	plan := s.Cells
	s.Cells = func(setup study.Setup) ([]study.Cell, error) {
		cells, err := plan(setup)
		return slices.DeleteFunc(cells, func(c study.Cell) bool { return !keep(c.Name) }), err
	}
	return studytest.Measure(t, s, setup(), workers)
}

func everything(string) bool       { return true }
func noiseOnly(name string) bool   { return strings.HasSuffix(name, "noise") }
func softmaxOnly(name string) bool { return strings.Contains(name, ", ") }

func TestSmoke(t *testing.T) {
	s := New()
	results := run(t, s, 2, everything)
	for _, c := range s.Judge(results).Claims {
		t.Logf("%s: %s (%s)", c.ID, c.Verdict, c.Ours)
		if c.Central && c.Verdict != study.Reproduced {
			t.Errorf("%s is %s: %s", c.ID, c.Verdict, c.Ours)
		}
	}
	var page strings.Builder
	if err := report.Write(&page, report.Page{Title: s.Paper, Sections: s.Sections(results)}); err != nil {
		t.Fatal(err)
	}
	for _, expected := range []string{"early noise", "mean rank", "least of all", "linear after 30 % warm-up"} {
		if !strings.Contains(page.String(), expected) {
			t.Errorf("the report lacks %q", expected)
		}
	}
	if strings.Contains(page.String(), "NaN") {
		t.Error("the report has NaN where a number should be")
	}
}

// A study without measurements reproduces nothing, and its report can be drawn.
func TestNothingMeasured(t *testing.T) {
	s, empty := New(), study.NewResults(setup())
	for id, verdict := range studytest.Verdicts(s, empty) {
		if verdict == study.Reproduced {
			t.Errorf("%s is reproduced by nothing", id)
		}
	}
	if err := report.Write(&strings.Builder{}, report.Page{Title: s.Paper, Sections: s.Sections(empty)}); err != nil {
		t.Error(err)
	}
}

func right() experiment {
	return experiment{
		linear: func(total int) schedule.Func { return schedule.Linear(total, 0) },
		refine: func(norms []float64, v refine.Variant) (*refine.Curve, error) {
			return refine.Refine(norms, refine.Options{Variant: v, Tau: refine.DefaultTau})
		},
	}
}

// Large steps where norms are large are what refinement must not make.
func TestWrongRefinementIsNotReproduced(t *testing.T) {
	wrong := right()
	wrong.refine = func(norms []float64, v refine.Variant) (*refine.Curve, error) {
		inverted := make([]float64, len(norms))
		for i, norm := range norms {
			inverted[i] = 1 / norm
		}
		return right().refine(inverted, v)
	}
	s := wrong.study()
	got := studytest.Verdicts(s, run(t, s, 2, noiseOnly))
	for _, id := range []string{"refinement-helps", "warmup-emerges"} {
		if got[id] != study.NotReproduced {
			t.Errorf("with inverted norms %s is %s", id, got[id])
		}
	}
}

// With 1/sqrt t in the place of linear decay, the usual schedules are not beaten.
func TestWrongLinearDecayIsNotReproduced(t *testing.T) {
	wrong := right()
	wrong.linear = func(total int) schedule.Func { return schedule.InverseSqrt }
	s := wrong.study()
	if got := studytest.Verdicts(s, run(t, s, 2, softmaxOnly)); got["linear-beats-defaults"] != study.NotReproduced {
		t.Errorf("with 1/sqrt t in its place, linear-beats-defaults is %s", got["linear-beats-defaults"])
	}
}

// The number of workers changes no bit.
func TestWorkersChangeNothing(t *testing.T) {
	keep := func(name string) bool {
		return name == noiseProfiles[1].cell() || name == cellTheorem || strings.HasPrefix(name, "iris")
	}
	one, two := run(t, New(), 1, keep), run(t, New(), 2, keep)
	if !reflect.DeepEqual(one, two) {
		t.Error("one and two workers measure different numbers")
	}
}

func TestContextEndsTheWork(t *testing.T) {
	cells, err := New().Cells(study.Setup{Preset: study.Full, Seeds: setup().Seeds})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range cells {
		if c.Name == cellProfiles { // it takes milliseconds and does not look
			continue
		}
		if _, err := c.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s ends with %v", c.Name, err)
		}
	}
}

// The closed form of the risk is the mean absolute residual above its minimum.
func TestRiskAgreesWithSampling(t *testing.T) {
	rng := rand.New(rand.NewPCG(1000, 9))
	away := normal(rng, dimension)
	const count = 200_000
	mean, minimum := 0.0, residualNoise*math.Sqrt(2/math.Pi)
	for range count {
		dot := residualNoise * rng.NormFloat64()
		for _, y := range away {
			dot += y * rng.NormFloat64()
		}
		mean += math.Abs(dot) / count
	}
	if want := risk(away); math.Abs(mean-minimum-want) > 0.01*want {
		t.Errorf("the risk is %g, sampled %g", want, mean-minimum)
	}
	if r := risk(make([]float64, dimension)); r != 0 {
		t.Errorf("the risk at the minimiser is %g", r)
	}
}

// A sweep over rates takes the same steps as a run at one of them.
func TestRatesDoNotMix(t *testing.T) {
	r := regression{profile: noiseProfiles[2], seed: 1000, steps: 50}
	f := schedule.Linear(50, 0)
	rates := []float64{0.01, 0.3}
	together, alone := make([]float64, 2*dimension), make([]float64, dimension)
	r.run(f, rates, 7, together, nil)
	for i, rate := range rates {
		r.run(f, []float64{rate}, 7, alone, nil)
		if !slices.Equal(alone, together[i*dimension:(i+1)*dimension]) {
			t.Errorf("rate %g ends elsewhere next to others", rate)
		}
	}
}
