package doubledescent_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"github.com/descentml/descent/analysis/doubledescent"
)

// random makes data that are noise: every mode is of use.
func random(seed uint64, n, inputs, outputs int) *doubledescent.Data {
	rng := rand.New(rand.NewPCG(seed, 2))
	draw := func(rows, columns int) *mat.Dense {
		m := mat.NewDense(rows, columns, nil)
		for i := range rows {
			for j := range columns {
				m.Set(i, j, rng.NormFloat64())
			}
		}
		return m
	}
	return &doubledescent.Data{
		Train: doubledescent.Part{Inputs: draw(n, inputs), Targets: draw(n, outputs)},
		Test:  doubledescent.Part{Inputs: draw(2*n, inputs), Targets: draw(2*n, outputs)},
	}
}

func newModes(t testing.TB, d *doubledescent.Data, width int) (*doubledescent.Problem, *doubledescent.Modes) {
	t.Helper()
	p, err := doubledescent.NewProblem(d, doubledescent.Features{Scale: 2}, width, rand.New(rand.NewPCG(3, uint64(width))))
	if err != nil {
		t.Fatal(err)
	}
	m, err := doubledescent.Decompose(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	return p, m
}

// descend is gradient descent with momentum as it is written down.
func descend(p *doubledescent.Problem, start *mat.Dense, rate, momentum float64, steps int) *mat.Dense {
	w := mat.DenseCopyOf(start)
	n, _ := p.Train.Dims()
	rows, columns := w.Dims()
	v := mat.NewDense(rows, columns, nil)
	for range steps {
		var residual, gradient mat.Dense
		residual.Mul(p.Train, w)
		residual.Sub(&residual, p.Targets)
		gradient.Mul(p.Train.T(), &residual)
		gradient.Scale(-rate/float64(n), &gradient)
		v.Scale(momentum, v)
		v.Add(v, &gradient)
		w.Add(w, v)
	}
	return w
}

func distance(a, b mat.Matrix) float64 {
	var difference mat.Dense
	difference.Sub(a, b)
	return mat.Norm(&difference, 2) / mat.Norm(b, 2)
}

// widths are below, at and above the threshold of 30 examples.
var widths = []int{12, 30, 75}

// Check 1: 500 explicit steps are the closed form, from zero and from a random
// start, without and with momentum; also where the step makes the sign of modes
// alternate.
func TestClosedFormIsIteration(t *testing.T) {
	d := random(1, 30, 5, 3)
	for _, width := range widths {
		p, m := newModes(t, d, width)
		start := mat.NewDense(width, 3, nil)
		for i := range width {
			start.SetRow(i, []float64{math.Sin(float64(i)), 0.3, math.Cos(float64(2 * i))})
		}
		for _, test := range []struct{ share, momentum, tolerance float64 }{{1, 0, 1e-9}, {1.7, 0, 1e-9}, {0.3, 0, 1e-9}, {1, 0.9, 1e-8}} {
			f := doubledescent.Descent{Rate: test.share / m.Conditioning().Largest, Momentum: test.momentum, Steps: 500}
			for _, from := range []*mat.Dense{mat.NewDense(width, 3, nil), start} {
				expected := descend(p, from, f.Rate, f.Momentum, f.Steps)
				got, err := m.Head(f, from)
				if err != nil {
					t.Fatal(err)
				}
				if miss := distance(got, expected); miss > test.tolerance {
					t.Errorf("width %d, %+v: the head is off by %.2g", width, test, miss)
				}
				outcome, err := m.SolveFrom(f, from)
				if err != nil {
					t.Fatal(err)
				}
				checkOutcome(t, p, expected, outcome, test.tolerance)
			}
		}
	}
}

// checkOutcome compares an outcome with that of a head.
func checkOutcome(t *testing.T, p *doubledescent.Problem, head *mat.Dense, got doubledescent.Outcome, tolerance float64) {
	t.Helper()
	mean := func(z, y *mat.Dense) float64 {
		var residual mat.Dense
		residual.Mul(z, head)
		residual.Sub(&residual, y)
		rows, columns := y.Dims()
		return math.Pow(mat.Norm(&residual, 2), 2) / float64(rows*columns)
	}
	for _, x := range []struct {
		name          string
		got, expected float64
	}{{"train MSE", got.TrainMSE, mean(p.Train, p.Targets)}, {"test MSE", got.TestMSE, mean(p.Test, p.TestTargets)}, {"norm", got.WeightNorm, mat.Norm(head, 2)}} {
		if math.Abs(x.got-x.expected) > 10*tolerance*math.Abs(x.expected)+1e-25 {
			t.Errorf("%s %.12g, expected %.12g", x.name, x.got, x.expected)
		}
	}
}

// Explicit steps of the package, in either form, are the closed form as well.
func TestIterateIsClosedForm(t *testing.T) {
	d := random(2, 30, 5, 3)
	for _, width := range widths {
		_, m := newModes(t, d, width)
		for _, training := range []doubledescent.Training{
			{Epochs: 300}, {Epochs: 300, Momentum: 0.9}, {Epochs: 200, Start: 0.5}, {Epochs: 200, Rate: 0.3, Momentum: 0.5, Start: 1},
		} {
			closed, err := m.Train(t.Context(), training, rand.New(rand.NewPCG(5, 5)))
			if err != nil {
				t.Fatal(err)
			}
			explicit, err := m.Iterate(t.Context(), training, rand.New(rand.NewPCG(5, 5)))
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(closed.TestMSE/explicit.TestMSE-1) > 1e-9 || math.Abs(closed.TrainMSE/explicit.TrainMSE-1) > 1e-8 || closed.Steps != explicit.Steps {
				t.Errorf("width %d, %+v: closed form %+v, steps %+v", width, training, closed, explicit)
			}
		}
	}
}

// Check 2: after 1e12 steps the solution is that of the pseudo-inverse, which
// fits the training targets from the threshold on.
func TestLimits(t *testing.T) {
	d := random(3, 30, 5, 3)
	for _, width := range widths {
		p, m := newModes(t, d, width)
		exact, err := m.Head(doubledescent.MinimumNorm{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if width != 30 {
			late, err := m.Head(doubledescent.Descent{Rate: 1 / m.Conditioning().Largest, Steps: 1e12}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if miss := distance(late, exact); miss > 1e-6 {
				t.Errorf("width %d: after 1e12 steps off the pseudo-inverse by %.2g", width, miss)
			}
		}
		var fitted mat.Dense
		fitted.Mul(p.Train, exact)
		if mse := math.Pow(distance(&fitted, p.Targets), 2); width >= 30 && mse > 1e-18 {
			t.Errorf("width %d: relative train MSE of the pseudo-inverse %.2g, expected at most 1e-18", width, mse)
		}
		if o := m.Solve(doubledescent.MinimumNorm{}); width >= 30 && (o.TrainMSE > 1e-18 || !o.Reached()) {
			t.Errorf("width %d: train MSE of the pseudo-inverse %.2g, expected at most 1e-18", width, o.TrainMSE)
		}
		ridge, err := m.Head(doubledescent.Ridge{Penalty: 1e-14}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if miss := distance(ridge, exact); width != 30 && miss > 1e-6 {
			t.Errorf("width %d: a vanishing ridge is off the pseudo-inverse by %.2g", width, miss)
		}
	}
}

// The ridge solution solves the normal equations.
func TestRidgeSolvesNormalEquations(t *testing.T) {
	d := random(4, 30, 5, 3)
	for _, width := range widths {
		p, m := newModes(t, d, width)
		head, err := m.Head(doubledescent.Ridge{Penalty: 1e-3}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var gram, expected, side mat.Dense
		gram.Mul(p.Train.T(), p.Train)
		for j := range width {
			gram.Set(j, j, gram.At(j, j)+30*1e-3)
		}
		side.Mul(p.Train.T(), p.Targets)
		if err := expected.Solve(&gram, &side); err != nil {
			t.Fatal(err)
		}
		if miss := distance(head, &expected); miss > 1e-8 {
			t.Errorf("width %d: off the normal equations by %.2g", width, miss)
		}
	}
}

// Check 6: a run that goes on is the run that was longer from the beginning.
func TestRunsCanGoOn(t *testing.T) {
	_, m := newModes(t, random(5, 30, 5, 3), 30)
	rate := 0.1 / m.Conditioning().Largest
	first, err := m.Head(doubledescent.Descent{Rate: rate, Steps: 1e3}, nil)
	if err != nil {
		t.Fatal(err)
	}
	on, err := m.SolveFrom(doubledescent.Descent{Rate: rate, Steps: 1e7 - 1e3}, first)
	if err != nil {
		t.Fatal(err)
	}
	whole := m.Solve(doubledescent.Descent{Rate: rate, Steps: 1e7})
	if math.Abs(on.TestMSE/whole.TestMSE-1) > 1e-9 || math.Abs(on.TrainMSE/whole.TrainMSE-1) > 1e-9 {
		t.Errorf("continued %+v, in one go %+v", on, whole)
	}
	if _, err := m.SolveFrom(doubledescent.MinimumNorm{}, mat.NewDense(2, 2, nil)); err == nil {
		t.Error("a start of another shape is accepted")
	}
}

// Check 9: at the threshold the test error follows from s, U^T Y, T and eta.
func TestPredictionFromTheSpectrum(t *testing.T) {
	d := digits(t, 60, 7)
	p, m := newModes(t, d, 60)
	f := doubledescent.Descent{Rate: 1 / m.Conditioning().Largest, Steps: 400}
	predicted := m.Solve(f)
	head := descend(p, mat.NewDense(60, 10, nil), f.Rate, 0, f.Steps)
	checkOutcome(t, p, head, predicted, 1e-9)
	var outputs mat.Dense
	outputs.Mul(p.Test, head)
	wrong := 0
	for i, label := range p.TestLabels {
		for j, x := range outputs.RawRowView(i) {
			if x > outputs.At(i, label) && j != label {
				wrong++
				break
			}
		}
	}
	if measured := float64(wrong) / float64(len(p.TestLabels)); predicted.TestError != measured {
		t.Errorf("test error %g predicted, %g measured", predicted.TestError, measured)
	}
}

// What is fitted and what is left make up the whole, and the heavy ball is its
// recursion. Without momentum no more is left than there was; a heavy ball may
// overshoot on its way.
func TestFilters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		curvature := rapid.Float64Range(0, 2).Draw(t, "curvature")
		steps := rapid.IntRange(0, 200).Draw(t, "steps")
		momentum := rapid.SampledFrom([]float64{0, 0.5, 0.9}).Draw(t, "momentum")
		expected, before := 1.0, 1.0
		for range steps {
			expected, before = (1+momentum-curvature)*expected-momentum*before, expected
		}
		for _, f := range []doubledescent.Filter{doubledescent.Descent{Rate: 1, Momentum: momentum, Steps: steps}, doubledescent.Ridge{Penalty: 0.1}, doubledescent.MinimumNorm{}} {
			fitted, left := f.Fit(curvature)
			descent, _ := f.(doubledescent.Descent)
			if math.Abs(fitted+left-1) > 1e-12 || (descent.Momentum == 0 && math.Abs(left) > 1+1e-9) {
				t.Fatalf("%+v: %g fitted and %g left of a mode with curvature %g", f, fitted, left, curvature)
			}
			if _, ok := f.(doubledescent.Descent); ok && math.Abs(left-expected) > 1e-10 {
				t.Fatalf("%+v leaves %g, the recursion %g", f, left, expected)
			}
		}
	})
}

// StepsToFit is the first number of steps that leaves less than the tolerance.
func TestStepsToFit(t *testing.T) {
	_, m := newModes(t, random(6, 30, 5, 3), 12)
	c := m.Conditioning()
	steps := int(c.StepsToFit(1e-3))
	for _, test := range []struct {
		steps int
		below bool
	}{{steps, true}, {steps - 1, false}} {
		_, left := doubledescent.Descent{Rate: 1 / c.Largest, Steps: test.steps}.Fit(c.Smallest)
		if (left <= 1e-3*(1+1e-9)) != test.below {
			t.Errorf("%g is left after %d steps, of %d that are needed", left, test.steps, steps)
		}
	}
	values := m.SingularValues()
	if c.Rank != 12 || c.EffectiveRank > 12 || c.EffectiveRank < 1 || math.Abs(values[0]/values[11]/c.Condition-1) > 1e-12 {
		t.Errorf("%+v of singular values %v", c, values)
	}
}

func TestDivergenceIsAnOutcome(t *testing.T) {
	_, m := newModes(t, random(7, 30, 5, 3), 30)
	for _, training := range []doubledescent.Training{{Rate: 3, Epochs: 5000}, {Rate: 40, Momentum: 0.9, Epochs: 5000}, {Rate: 90, Batch: 1, Epochs: 500}} {
		o, err := m.Train(t.Context(), training, rand.New(rand.NewPCG(1, 1)))
		if err != nil || !o.Diverged || o.Reached() {
			t.Errorf("%+v: %+v, %v: expected a divergence", training, o, err)
		}
	}
}

func TestWrongSettingsAreErrors(t *testing.T) {
	_, m := newModes(t, random(8, 30, 5, 3), 30)
	for _, training := range []doubledescent.Training{
		{Method: "adm"}, {Rate: -1}, {Rate: math.Inf(1)}, {Momentum: 1}, {Momentum: 0.5, Method: doubledescent.Adam},
		{Batch: -1}, {Epochs: -1}, {Penalty: 0.1}, {Start: math.NaN()},
	} {
		if _, err := m.Train(t.Context(), training, rand.New(rand.NewPCG(1, 1))); err == nil {
			t.Errorf("%+v is accepted", training)
		}
	}
	d := random(8, 30, 5, 3)
	d.Train.Inputs.Set(3, 2, math.NaN())
	if _, err := doubledescent.NewProblem(d, doubledescent.Features{}, 5, rand.New(rand.NewPCG(1, 1))); err == nil {
		t.Error("NaN among the inputs is accepted")
	}
	for name, p := range map[string]*doubledescent.Problem{
		"empty":         {},
		"rows":          {Train: mat.NewDense(3, 2, nil), Test: mat.NewDense(2, 2, nil), Targets: mat.NewDense(2, 1, nil), TestTargets: mat.NewDense(2, 1, nil)},
		"zero features": {Train: mat.NewDense(3, 2, nil), Test: mat.NewDense(3, 2, nil), Targets: mat.NewDense(3, 1, nil), TestTargets: mat.NewDense(3, 1, nil)},
	} {
		if _, err := doubledescent.Decompose(t.Context(), p); err == nil {
			t.Errorf("%s: the problem is accepted", name)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Train(ctx, doubledescent.Training{Batch: 1}, rand.New(rand.NewPCG(1, 1))); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, expected the context's error", err)
	}
}
