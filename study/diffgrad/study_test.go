package diffgrad

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute"

	_ "github.com/descentml/descent/backend"
	"github.com/descentml/descent/data"
	"github.com/descentml/descent/lab/driver"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/study"
	"github.com/descentml/descent/study/studytest"
)

func newBackend(t *testing.T) compute.Backend {
	t.Helper()
	backend, err := compute.New()
	if err != nil {
		t.Fatal(err)
	}
	return backend
}

// measured keeps the results of runFunctions by method.
var measured = map[string]*study.Results{}

// runFunctions runs the deterministic part of the study of a method.
func runFunctions(t *testing.T, e experiment) *study.Results {
	t.Helper()
	if r, ok := measured[e.tested]; ok {
		return r
	}
	setup := study.Setup{Preset: study.Smoke, Seeds: study.Seeds(study.FirstSeed, 1), Backend: newBackend(t)}
	r := study.NewResults(setup)
	for _, cell := range e.functionCells(setup) {
		m, err := cell.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r.Add(cell.Name, cell.Seed, m)
	}
	measured[e.tested] = r
	return r
}

func TestDefinition(t *testing.T) {
	if err := New().Check(); err != nil {
		t.Error(err)
	}
}

// The smoke preset runs from the first cell to the written report.
func TestSmokePreset(t *testing.T) {
	setup := study.Setup{Preset: study.Smoke, Seeds: study.Seeds(study.FirstSeed, 1), Backend: newBackend(t)}
	s := New()
	results := studytest.Measure(t, s, setup, 2)
	judged := s.Judge(results)
	if tested, untestable := len(judged.Claims), judged.Count(study.NotTestable); tested != 17 || untestable != 3 {
		t.Errorf("%d claims, %d of them not testable: expected 17 and 3", tested, untestable)
	}
	for _, c := range judged.Claims {
		if strings.Contains(c.Ours, "NaN") || strings.Contains(c.Ours, "Inf") {
			t.Errorf("%s: a number is missing in %q", c.ID, c.Ours)
		}
	}
	var written strings.Builder
	if err := report.Write(&written, report.Page{Title: "diffGrad", Sections: s.Sections(results)}); err != nil {
		t.Fatal(err)
	}
	for _, expected := range []string{"0.200115", "-0.300071", "0.2667", "x on F3", "test accuracy", "diffGrad5", "SELU"} {
		if !strings.Contains(written.String(), expected) {
			t.Errorf("the report lacks %q", expected)
		}
	}
	if strings.Contains(written.String(), "NaN") {
		t.Error("the report has a number that was not measured")
	}
}

// The figures are those of the specification, found with another program: the
// end on F1 and F2, and how far each goes beyond the minimum of F3.
func TestEndPointsAreThoseOfTheSpecification(t *testing.T) {
	const tolerance = 1e-3
	e := experiment{tested: "diffgrad"}
	r := runFunctions(t, e)
	for i, expected := range []map[string]float64{
		{"F1" + finalX: 0.200115, "F2" + finalX: 9.0e-5, "F2" + finalLoss: 0.85, "F3" + largestX: 0.2667},
		{"F1" + finalX: -0.300071, "F2" + finalX: -0.642963, "F2" + finalLoss: 1.2e-4, "F3" + largestX: 0.1834},
		{"F1" + finalX: -0.300300, "F2" + finalX: -0.643123, "F3" + largestX: 0.1579},
	} {
		c := e.pair()[i]
		for name, want := range expected {
			if got := r.Value(functionCell(c), 0, name); !(math.Abs(got-want) <= tolerance) {
				t.Errorf("%s: %s is %.6f, expected %.6f", c.title, name, got, want)
			}
		}
		if last := r.Value(functionCell(c), 0, "F3"+finalX); !(math.Abs(last) < 0.02) {
			t.Errorf("%s: last x on F3 %.4f, expected within 0.02", c.title, last)
		}
		path := r.Curve(functionCell(c), 0, "F1")
		if len(path.Y) != 300 || path.Y[0] != -1 || path.X[299] != 300 || path.Y[299] != r.Value(functionCell(c), 0, "F1"+finalX) {
			t.Errorf("%s: a path of %d points from %g", c.title, len(path.Y), path.Y[0])
		}
	}
	// Step 1 on F1, where the gradient is -1.4: Adam takes lr, diffGrad lr sigma(1.4).
	for i, want := range []float64{0.1, 0.1 / (1 + math.Exp(-1.4)), 0.05} {
		path := r.Curve(functionCell(e.pair()[i]), 0, "F1").Y
		if step := path[1] - path[0]; math.Abs(step-want) > 1e-8 {
			t.Errorf("%s: first step %.9f, expected %.9f", e.pair()[i].title, step, want)
		}
	}
}

// Where the specification has counts of the starts that find the global
// minimum, they are these.
func TestCountsOfStarts(t *testing.T) {
	e := experiment{tested: "diffgrad"}
	r := runFunctions(t, e)
	for at, counts := range map[setting][3]float64{
		{0.05, 0.9}: {11, 11, 11}, {0.05, 0.95}: {11, 11, 11},
		{0.1, 0.9}: {11, 11, 11}, {0.1, 0.95}: {9, 11, 11}, {0.2, 0.95}: {7, 10, 9},
	} {
		for i, c := range e.pair() {
			if got := r.Value(sensitivityCell, 0, at.found(c)); got != counts[i] {
				t.Errorf("%s finds the minimum from %g starts, expected %g", at.found(c), got, counts[i])
			}
		}
	}
}

// The verdicts on the functions are those of the specification; a method
// without friction, and one that hardly moves, do not get them.
func TestVerdictsSeeAWrongMethod(t *testing.T) {
	judge := func(method string) map[string]study.Verdict {
		e := experiment{tested: method}
		return studytest.Verdicts(e.study(), runFunctions(t, e))
	}
	own := judge("diffgrad")
	for _, id := range []string{"overshoot-f1", "overshoot-f2", "amplitude-f3", "other-starts"} {
		if own[id] != study.Reproduced {
			t.Errorf("%s of diffGrad: %s", id, own[id])
		}
	}
	if own["friction-not-half-rate"] != study.NotReproduced {
		t.Errorf("friction-not-half-rate: %s", own["friction-not-half-rate"])
	}
	for _, method := range []string{"adam", "adadelta"} {
		wrong := judge(method)
		for _, id := range []string{"overshoot-f1", "overshoot-f2"} {
			if wrong[id] != study.NotReproduced {
				t.Errorf("%s of %s in the place of diffGrad: %s", id, method, wrong[id])
			}
		}
	}
}

// What was not measured does not hold.
func TestNothingHoldsWithoutResults(t *testing.T) {
	r := study.NewResults(study.Setup{Preset: study.Quick, Seeds: study.Seeds(study.FirstSeed, 2)})
	for id, verdict := range studytest.Verdicts(New(), r) {
		if verdict == study.Reproduced {
			t.Errorf("%s holds although nothing was measured", id)
		}
	}
}

func digitsTable(t *testing.T) *data.Table {
	t.Helper()
	table, err := data.Open(t.Context(), digitsSource, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// A probe with the factor 1 trains as the driver does, up to the
// rounding of its measurements, and its mean friction is in the range of xi.
func TestProbeTrainsAsTheDriver(t *testing.T) {
	e := experiment{tested: "diffgrad"}
	problem, err := digitsProblem(digitsTable(t), 5)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range e.pair() {
		trial := digitsTrial(c, 5, 2, problem)
		outcome, err := driver.Train(t.Context(), newBackend(t), problem, trial, nil, driver.Hooks{})
		if err != nil {
			t.Fatal(err)
		}
		m, err := probe{problem, trial, 1}.run(t.Context(), newBackend(t))
		if err != nil {
			t.Fatal(err)
		}
		if loss := m.Values[trainLoss]; math.Abs(loss-outcome.Last.TrainLoss) > 1e-6 || math.Abs(m.Values[accuracy]-outcome.Test.Score) > 1e-6 {
			t.Errorf("%s: loss %g and accuracy %g, the driver has %g and %g", c.title, loss, m.Values[accuracy], outcome.Last.TrainLoss, outcome.Test.Score)
		}
		if xi := m.Values[meanXi]; !(xi > 0.5 && xi < 0.52) {
			t.Errorf("%s: mean friction %g, expected just above 0.5", c.title, xi)
		}
	}
}

// Checks 9 and 10 of the specification, on a tenth of the epochs: with small
// gradients diffGrad is near Adam at half the rate; with the loss multiplied by
// 1000 it is near Adam, which does not move.
func TestScaleOfTheLossMovesDiffGradAlone(t *testing.T) {
	e := experiment{tested: "diffgrad"}
	problem, err := digitsProblem(digitsTable(t), 5)
	if err != nil {
		t.Fatal(err)
	}
	loss := map[string]float64{}
	for _, factor := range []float64{1, lossFactor} {
		for _, c := range e.pair() {
			m, err := probe{problem, digitsTrial(c, 5, 3, problem), factor}.run(t.Context(), newBackend(t))
			if err != nil {
				t.Fatal(err)
			}
			loss[fmt.Sprint(c.title, factor)] = m.Values[trainLoss]
		}
	}
	adam, half, own := loss["Adam1"], loss["Adam at half the rate1"], loss["diffGrad1"]
	adamScaled, halfScaled, ownScaled := loss["Adam1000"], loss["Adam at half the rate1000"], loss["diffGrad1000"]
	if math.Abs(adam-adamScaled) > 0.005 || math.Abs(half-halfScaled) > 0.005 {
		t.Errorf("the factor moves Adam from %g to %g, and at half the rate from %g to %g", adam, adamScaled, half, halfScaled)
	}
	if !(math.Abs(own-half) < 0.05*(half-adam)) || !(ownScaled-adam < 0.5*(half-adam)) {
		t.Errorf("diffGrad goes from %g to %g: expected from near %g to near %g", own, ownScaled, half, adam)
	}
}

// A residual network learns the digits, at 8x8 pixels, in three epochs.
func TestResidualNetworkLearns(t *testing.T) {
	e := experiment{tested: "diffgrad"}
	set := newPlan(study.Quick, false).images
	problem, err := set.training(e.adam(), 32, relu).problem(digitsTable(t), 5)
	if err != nil {
		t.Fatal(err)
	}
	trial := driver.Trial{Method: "adam", LearningRate: 3e-3, Seed: 5, BatchSize: 32, Epochs: 3}
	outcome, err := driver.Train(t.Context(), newBackend(t), problem, trial, nil, driver.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	if problem.Train.Count != 1400 || problem.Test.Count != 397 || outcome.Test.Score < 0.9 {
		t.Errorf("accuracy %g on %d images after %d: expected above 0.9 on 397 after 1400", outcome.Test.Score, problem.Test.Count, problem.Train.Count)
	}
}

// Without Fashion-MNIST the digits take its place, and every claim finds what
// was measured.
func TestPlansWithAndWithoutFashion(t *testing.T) {
	e := experiment{tested: "diffgrad"}
	for _, preset := range study.Presets() {
		for _, fashion := range []bool{true, false} {
			p := newPlan(preset, fashion)
			r := study.NewResults(study.Setup{Preset: preset, Seeds: study.Seeds(study.FirstSeed, 1)})
			for _, training := range e.trainings(p) {
				r.Add(training.name(), study.FirstSeed, study.Measured{Values: map[string]float64{accuracy: 0.5}})
			}
			if got := e.planOf(r); got.images.source != p.images.source || got.details.source != p.details.source {
				t.Errorf("%s, Fashion-MNIST %v: read as %s and %s", preset, fashion, got.images, got.details)
			}
			for _, judge := range []func(*study.Results) study.Finding{e.judgeImages, e.judgeVariants, e.judgeActivations} {
				if f := judge(r); strings.Contains(f.Ours, "NaN") {
					t.Errorf("%s, Fashion-MNIST %v: %s", preset, fashion, f.Ours)
				}
			}
		}
	}
}
