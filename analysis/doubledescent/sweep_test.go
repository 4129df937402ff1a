package doubledescent_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"github.com/descentml/descent/analysis/doubledescent"
	"github.com/descentml/descent/data"
)

// digits draws n training and 300 test images, centred, with a tenth of the
// training labels replaced.
func digits(t testing.TB, n int, seed uint64) *doubledescent.Data {
	t.Helper()
	table, err := data.Open(context.Background(), "digits", data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(seed, 9))
	order := rng.Perm(table.Rows)
	part := func(rows []int, noise float64) doubledescent.Part {
		inputs, labels := mat.NewDense(len(rows), len(table.Features), nil), make([]int, len(rows))
		for i, row := range rows {
			for j, c := range table.Features {
				if c.Bytes != nil {
					inputs.Set(i, j, float64(c.Bytes[row])/16)
				} else {
					inputs.Set(i, j, c.Numbers[row]/16)
				}
			}
			labels[i] = int(table.Target.Codes[row])
		}
		labels = doubledescent.ReplaceLabels(labels, 10, noise, rng)
		return doubledescent.Part{Inputs: inputs, Targets: doubledescent.OneHot(labels, 10), Labels: labels}
	}
	d, err := doubledescent.Inputs{Normalization: doubledescent.Centered}.Apply(
		&doubledescent.Data{Train: part(order[:n], 0.1), Test: part(order[n:n+300], 0)})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// newSweep is a sweep on small samples of digits with entries of W_1 that are
// N(0, 1).
func newSweep(t testing.TB, n int, seeds []uint64, multiples []float64, settings ...doubledescent.Setting) *doubledescent.Sweep {
	return &doubledescent.Sweep{
		Data:  func(seed uint64) (*doubledescent.Data, error) { return digits(t, n, seed), nil },
		Seeds: seeds, Multiples: multiples, Settings: settings, Workers: 2,
	}
}

var features = doubledescent.Features{Scale: 8}

func measure(t *testing.T, s *doubledescent.Sweep) map[string]doubledescent.Curve {
	t.Helper()
	records, err := s.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]doubledescent.Curve{}
	for _, c := range doubledescent.Curves(records) {
		found[c.Setting] = c
	}
	return found
}

// Checks 2, 3, 6 and 7 on a smaller sample: the peak grows with the budget, a
// ridge removes it, the condition number is largest at the threshold, and a
// small loss at 10 N makes no peak.
func TestPeakGrowsWithTheBudget(t *testing.T) {
	base := doubledescent.Setting{Features: features}
	settings, err := doubledescent.Vary("budget", base, 50)
	if err != nil {
		t.Fatal(err)
	}
	slow := base
	slow.Name, slow.Training = "slow", doubledescent.Training{Rate: 0.1, Epochs: 1000}
	ridge := base
	ridge.Name, ridge.Training = "ridge", doubledescent.Training{Method: doubledescent.Exact, Penalty: 1e-2}
	found := measure(t, newSweep(t, 50, []uint64{1000, 1001, 1002}, nil, append(settings, slow, ridge)...))
	before := doubledescent.Shape{PeakRatio: 0, ThresholdLoss: math.Inf(1)}
	for _, s := range settings[:6] {
		shape := found[s.Name].Shape()
		if shape.PeakRatio <= before.PeakRatio || shape.ThresholdLoss >= before.ThresholdLoss {
			t.Errorf("%s: R %.3g, Lth %.3g, after %.3g and %.3g: expected a higher peak at a lower loss",
				s.Name, shape.PeakRatio, shape.ThresholdLoss, before.PeakRatio, before.ThresholdLoss)
		}
		before = shape
	}
	exact := found["minimum norm"]
	if shape := exact.Shape(); shape.PeakRatio < 100 || !shape.DoubleDescent || shape.PeakWidth != 50 {
		t.Errorf("minimum norm: %+v, expected a peak above 100 at 50", shape)
	}
	for _, name := range []string{"slow", "ridge"} {
		if shape := found[name].Shape(); shape.PeakRatio > 1.6 || shape.DoubleDescent || shape.ThresholdLoss < 8e-3 {
			t.Errorf("%s: %+v, expected no peak and a loss above 8e-3", name, shape)
		}
	}
	for _, p := range exact.Points {
		if p.Width != 50 && p.Condition >= exact.Shape().ThresholdCondition {
			t.Errorf("condition number %g at width %d, %g at the threshold", p.Condition, p.Width, exact.Shape().ThresholdCondition)
		}
	}
	points := found["1e6 steps"].Points
	last := points[len(points)-1]
	for _, p := range points[:len(points)-1] {
		if p.Test <= last.Test {
			t.Errorf("test MSE %g at width %d, %g at 10 N", p.Test, p.Width, last.Test)
		}
	}
	if last.Train > 1e-20 {
		t.Errorf("train MSE %g at 10 N after 1e6 steps, expected below 1e-20", last.Train)
	}
}

// Checks 4 and 5 on a smaller sample: over optimizers, steps, centring and
// initialization, the peak follows the loss at the threshold.
func TestPeakFollowsTheThresholdLoss(t *testing.T) {
	vary := func(name string, change func(*doubledescent.Setting)) doubledescent.Setting {
		s := doubledescent.Setting{Name: name, Features: features, Training: doubledescent.Training{Epochs: 1000}}
		change(&s)
		return s
	}
	adam := func(rate float64) func(*doubledescent.Setting) {
		return func(s *doubledescent.Setting) { s.Training.Method, s.Training.Rate = doubledescent.Adam, rate }
	}
	settings := []doubledescent.Setting{
		vary("gd", func(*doubledescent.Setting) {}),
		vary("slow", func(s *doubledescent.Setting) { s.Training.Rate = 0.1 }),
		vary("momentum", func(s *doubledescent.Setting) { s.Training.Momentum = 0.9 }),
		vary("sgd", func(s *doubledescent.Setting) { s.Training.Rate, s.Training.Batch = 0.3, 10 }),
		vary("adam 1e-1", adam(1e-1)), vary("adam 1e-2", adam(1e-2)), vary("adam 1e-3", adam(1e-3)),
		vary("off centre", func(s *doubledescent.Setting) { s.Inputs.Shift = 0.3 }),
		vary("small", func(s *doubledescent.Setting) { s.Features.Scale = 0.8 }),
	}
	seeds := []uint64{1000, 1001}
	if testing.Short() {
		seeds = seeds[:1]
	}
	found := measure(t, newSweep(t, 40, seeds, []float64{1, 10}, settings...))
	var ratios, losses []float64
	for _, s := range settings {
		shape := found[s.Name].Shape()
		ratios, losses = append(ratios, shape.PeakRatio), append(losses, shape.ThresholdLoss)
	}
	if r := doubledescent.Spearman(ratios, losses); !(r <= -0.9) {
		t.Errorf("Spearman %.3f of R %.3g and Lth %.3g, expected at most -0.9", r, ratios, losses)
	}
	for _, pair := range [][2]string{{"slow", "gd"}, {"gd", "momentum"}, {"off centre", "gd"}, {"small", "gd"}, {"adam 1e-3", "adam 1e-2"}, {"adam 1e-2", "adam 1e-1"}} {
		if low, high := found[pair[0]].Shape().PeakRatio, found[pair[1]].Shape().PeakRatio; !(low < high) {
			t.Errorf("R %.3g of %s, %.3g of %s: expected the first lower", low, pair[0], high, pair[1])
		}
	}
}

// The number of workers changes no bit.
func TestSameBitsForAnyNumberOfWorkers(t *testing.T) {
	settings := []doubledescent.Setting{
		{Name: "sgd", Features: features, Training: doubledescent.Training{Batch: 5, Rate: 0.2, Epochs: 20}},
		{Name: "centred", Features: doubledescent.Features{Centered: true, Activation: doubledescent.ELU}},
		{Name: "net", Network: true, Training: doubledescent.Training{Epochs: 20, Momentum: 0.9}},
		{Name: "longer net", Network: true, Training: doubledescent.Training{Epochs: 40, Momentum: 0.9}},
	}
	var runs [2][]doubledescent.Record
	for i, workers := range []int{1, 4} {
		s := newSweep(t, 30, []uint64{1, 2}, []float64{0.5, 1, 2}, settings...)
		s.Workers = workers
		told := 0
		s.Observe = func(done, planned int) {
			if told++; done != told || planned != 12 {
				t.Errorf("told of %d of %d, expected %d of 12", done, planned, told)
			}
		}
		var err error
		if runs[i], err = s.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(runs[0]) != 24 || !reflect.DeepEqual(runs[0], runs[1]) {
		t.Errorf("%d records by one worker differ from %d by four", len(runs[0]), len(runs[1]))
	}
}

func TestEveryFactorRuns(t *testing.T) {
	for _, network := range []bool{false, true} {
		for _, name := range doubledescent.FactorNames() {
			settings, err := doubledescent.Vary(name, doubledescent.Setting{Network: network, Training: doubledescent.Training{Epochs: 5}}, 20)
			if err != nil {
				t.Fatal(err)
			}
			if name == "budget" && network {
				settings = settings[:1]
			}
			found := measure(t, newSweep(t, 20, []uint64{1}, []float64{1, 2}, settings...))
			if len(found) != len(settings) || len(settings) < 1 {
				t.Errorf("%s: %d curves of %d settings", name, len(found), len(settings))
			}
		}
	}
	_, err := doubledescent.Vary("step-sizes", doubledescent.Setting{}, 20)
	if err == nil || !strings.Contains(err.Error(), `"step-size"`) {
		t.Errorf("unknown factor: %v, expected the nearest name", err)
	}
	if _, err := doubledescent.ParseActivation("tan"); err == nil || !strings.Contains(err.Error(), "tanh") {
		t.Errorf("unknown activation: %v, expected the nearest name", err)
	}
}

func TestSweepErrors(t *testing.T) {
	good := doubledescent.Setting{Name: "a"}
	for name, s := range map[string]*doubledescent.Sweep{
		"no settings":       newSweep(t, 20, []uint64{1}, nil),
		"no seeds":          newSweep(t, 20, nil, nil, good),
		"same names":        newSweep(t, 20, []uint64{1}, nil, good, good),
		"no width":          newSweep(t, 20, []uint64{1}, []float64{0}, good),
		"exact network":     newSweep(t, 20, []uint64{1}, nil, doubledescent.Setting{Network: true, Training: doubledescent.Training{Method: doubledescent.Exact}}),
		"unknown scaling":   newSweep(t, 20, []uint64{1}, nil, doubledescent.Setting{Inputs: doubledescent.Inputs{Normalization: "whitened"}}),
		"activation":        newSweep(t, 20, []uint64{1}, nil, doubledescent.Setting{Features: doubledescent.Features{Activation: "sine"}}),
		"penalty and steps": newSweep(t, 20, []uint64{1}, nil, doubledescent.Setting{Training: doubledescent.Training{Penalty: 1}}),
	} {
		if _, err := s.Run(t.Context()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := newSweep(t, 60, []uint64{1}, nil, doubledescent.Setting{Name: "long", Training: doubledescent.Training{Batch: 1, Rate: 0.01, Epochs: 1e9}})
	s.Multiples = []float64{0.1, 1}
	s.Data = func(seed uint64) (*doubledescent.Data, error) {
		cancel()
		return digits(t, 60, seed), nil
	}
	if _, err := s.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, expected the context's error", err)
	}
}

// A curve that falls, rises and falls again is double descent; one that only
// falls or only rises is not.
func TestShapes(t *testing.T) {
	curve := func(test ...float64) doubledescent.Shape {
		c := doubledescent.Curve{}
		for i, multiple := range []float64{0.1, 0.5, 1, 2, 10} {
			c.Points = append(c.Points, doubledescent.Point{Multiple: multiple, Width: int(100 * multiple), Test: test[i], MedianTest: test[i], Train: test[i] / 2})
		}
		return c.Shape()
	}
	if s := curve(4, 2, 6, 3, 2); !s.DoubleDescent || s.PeakRatio != 3 || s.PeakWidth != 100 || s.ThresholdLoss != 3 || s.MedianRatio != 3 {
		t.Errorf("a peak: %+v", s)
	}
	for name, s := range map[string]doubledescent.Shape{"falling": curve(9, 8, 6, 3, 2), "rising": curve(1, 2, 3, 4, 5), "low": curve(4, 2, 3, 2.2, 2), "nan": curve(4, 2, math.NaN(), 3, 2)} {
		if s.DoubleDescent {
			t.Errorf("%s: %+v, expected no double descent", name, s)
		}
	}
	if s := (doubledescent.Curve{}).Shape(); !math.IsNaN(s.PeakRatio) {
		t.Errorf("no points: %+v, expected NaN", s)
	}
}

func TestSpearman(t *testing.T) {
	if r := doubledescent.Spearman([]float64{1, 2, 2, 3}, []float64{10, 20, 30, 40}); math.Abs(r-3/math.Sqrt(10)) > 1e-12 {
		t.Errorf("with ties %g, expected %g", r, 3/math.Sqrt(10))
	}
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfNDistinct(rapid.Float64Range(-5, 5), 3, 20, rapid.ID[float64]).Draw(t, "values")
		rising, falling := make([]float64, len(values)), make([]float64, len(values))
		for i, x := range values {
			rising[i], falling[i] = x*x*x+x, -x
		}
		up, down := doubledescent.Spearman(values, rising), doubledescent.Spearman(values, falling)
		if math.Abs(up-1) > 1e-9 || math.Abs(down+1) > 1e-9 {
			t.Fatalf("%g with a rising and %g with a falling function", up, down)
		}
	})
}

func TestNoise(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	labels := make([]int, 200)
	changed := 0
	for _, label := range doubledescent.FlipLabels(labels, 0.1, rng) {
		changed += label
	}
	if changed != 20 || labels[0] != 0 {
		t.Errorf("%d of 200 labels flipped, expected 20", changed)
	}
	changed = 0
	for _, label := range doubledescent.ReplaceLabels(labels, 10, 0.5, rng) {
		if label != 0 {
			changed++
		}
	}
	if changed < 70 || changed > 100 {
		t.Errorf("%d of 200 labels changed, expected about nine tenths of 100", changed)
	}
	values := []float64{1, 2, 3, 4}
	for _, x := range doubledescent.ReplaceValues(values, 1, rng) {
		if x < 1 || x > 4 || x != math.Trunc(x) {
			t.Errorf("%g is none of the values", x)
		}
	}
}

func TestNormalization(t *testing.T) {
	d := random(9, 20, 3, 1)
	d.Train.Inputs.SetCol(1, make([]float64, 20))
	for _, in := range []doubledescent.Inputs{{Normalization: doubledescent.Centered}, {Normalization: doubledescent.Standardized}, {Normalization: doubledescent.Standardized, Shift: 2}} {
		got, err := in.Apply(d)
		if err != nil {
			t.Fatal(err)
		}
		for j := range 3 {
			column := mat.NewVecDense(20, mat.Col(nil, j, got.Train.Inputs))
			if mean := mat.Sum(column) / 20; math.Abs(mean-in.Shift) > 1e-12 {
				t.Errorf("%+v: column %d has mean %g", in, j, mean)
			}
			if in.Normalization == doubledescent.Standardized && in.Shift == 0 && j != 1 && math.Abs(mat.Dot(column, column)/20-1) > 1e-12 {
				t.Errorf("%+v: column %d has mean square %g", in, j, mat.Dot(column, column)/20)
			}
		}
	}
}
