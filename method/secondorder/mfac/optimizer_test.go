package mfac_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	_ "github.com/descentml/descent/backend"
	"github.com/descentml/descent/method/secondorder/mfac"
	"github.com/descentml/descent/method/stepper"
	"github.com/descentml/descent/objective"
)

const width = 5

// regression is a linear model of width inputs and a bias with squared error,
// whose gradient is known: weights start as given.
type regression struct {
	stepper.Model
	x [][]float64
	y []float64
}

func newRegression(t testing.TB, dtype dtypes.DType, start []float64) *regression {
	t.Helper()
	backend, err := compute.NewWithConfig("descent")
	must(t, err)
	rng := random(20)
	r := &regression{Model: stepper.Model{
		Backend: backend, Store: model.NewStore(), DType: dtype, Loss: objective.SquaredError, StepsPerEpoch: 4,
		Outputs: func(scope *model.Scope, x *graph.Node) *graph.Node {
			g, scope := x.Graph(), scope.In("network")
			rows := make([][]float64, width)
			for i := range rows {
				rows[i] = []float64{start[i]}
			}
			if dtype == dtypes.Float32 {
				w := scope.VariableWithValue("w", tensors.FromFlatDataAndDimensions(narrow(start[:width]), width, 1))
				b := scope.VariableWithValue("b", float32(start[width]))
				return graph.Add(graph.MatMul(x, w.NodeValue(g)), b.NodeValue(g))
			}
			w := scope.VariableWithValue("w", rows)
			b := scope.VariableWithValue("b", start[width])
			return graph.Add(graph.MatMul(x, w.NodeValue(g)), b.NodeValue(g))
		},
	}}
	for range 24 {
		row := normal[float64](rng, width)
		r.x, r.y = append(r.x, row), append(r.y, row[0]-2*row[1]+0.5+0.1*rng.NormFloat64())
	}
	return r
}

func narrow(x []float64) []float32 {
	list := make([]float32, len(x))
	for i, v := range x {
		list[i] = float32(v)
	}
	return list
}

// batch is the step-th batch of six examples.
func (r *regression) batch(step int) (x, y *tensors.Tensor, rows []int) {
	var xs, ys []float64
	for i := range 6 {
		row := (step*6 + i*step + i) % len(r.x)
		rows, xs, ys = append(rows, row), append(xs, r.x[row]...), append(ys, r.y[row])
	}
	if r.DType == dtypes.Float32 {
		return tensors.FromFlatDataAndDimensions(narrow(xs), 6, width), tensors.FromFlatDataAndDimensions(narrow(ys), 6, 1), rows
	}
	return tensors.FromFlatDataAndDimensions(xs, 6, width), tensors.FromFlatDataAndDimensions(ys, 6, 1), rows
}

// gradient is that of the mean squared error on some rows.
func (r *regression) gradient(w []float64, rows []int) []float64 {
	g := make([]float64, width+1)
	for _, row := range rows {
		residual := w[width] - r.y[row]
		for i, x := range r.x[row] {
			residual += w[i] * x
		}
		for i, x := range r.x[row] {
			g[i] += 2 * residual * x / float64(len(rows))
		}
		g[width] += 2 * residual / float64(len(rows))
	}
	return g
}

func (r *regression) stepper(t testing.TB, text string) stepper.Stepper {
	t.Helper()
	build, err := mfac.New(text)
	must(t, err)
	s, err := build(r.Model)
	must(t, err)
	must(t, s.Compile(shapes.Make(r.DType, 6, width), shapes.Make(r.DType, 6, 1)))
	return s
}

// train takes steps and returns the last.
func (r *regression) train(t testing.TB, s stepper.Stepper, from, to int, rate float64) stepper.Step {
	t.Helper()
	var last stepper.Step
	for step := from; step < to; step++ {
		x, y, _ := r.batch(step)
		var err error
		last, err = s.Step(rate, x, y)
		must(t, err)
	}
	return last
}

// weights are w and b as they are in the store.
func (r *regression) weights(t testing.TB) []float64 {
	t.Helper()
	var list []float64
	for _, name := range []string{"/network/w", "/network/b"} {
		value, err := r.Store.GetVariable(name).Value()
		must(t, err)
		value, err = value.LocalClone()
		must(t, err)
		numbers, err := stepper.Values(value)
		must(t, err)
		list = append(list, numbers...)
	}
	return list
}

var startWeights = []float64{0.3, 0, -0.2, 0.1, 0, 0.4}

// byHand takes the same steps with dense matrices.
func (r *regression) byHand(t *testing.T, o mfac.Optimizer, steps int, rate float64) []float64 {
	w := slices.Clone(startWeights)
	var window [][]float64
	velocity := make([]float64, len(w))
	for step := range steps {
		_, _, rows := r.batch(step)
		g := r.gradient(w, rows)
		for i := range g {
			g[i] += o.WeightDecay * w[i]
			if o.Sparse && startWeights[i] == 0 {
				g[i] = 0
			}
		}
		window = append(window, g)
		window = window[max(0, len(window)-o.Window):]
		divisor := float64(o.Window)
		if o.CountFilled {
			divisor = float64(len(window))
		}
		u := solved(t, fisher(slices.Concat(window...), len(window), len(w), len(w), divisor, o.Damping), g)
		for i := range w {
			velocity[i] = o.Momentum*velocity[i] + (1-o.Momentum)*u[i]
			w[i] -= rate * velocity[i]
		}
	}
	return w
}

// The steps of the stepper are those of the paper's formulas.
func TestStepsAreThoseOfTheFormula(t *testing.T) {
	for text, o := range map[string]mfac.Optimizer{
		"m-fac:window=4:damping=0.1":                                         {Window: 4, Damping: 0.1},
		"m-fac:window=4:damping=0.1:form=paper":                              {Window: 4, Damping: 0.1},
		"m-fac:window=4:damping=0.1:count_filled=true":                       {Window: 4, Damping: 0.1, CountFilled: true},
		"m-fac:window=3:damping=0.1:momentum=0.6:weight_decay=0.2":           {Window: 3, Damping: 0.1, Momentum: 0.6, WeightDecay: 0.2},
		"m-fac:window=5:damping=0.1:sparse=true":                             {Window: 5, Damping: 0.1, Sparse: true},
		"m-fac:window=5:damping=0.1:sparse=true:momentum=0.5:check=true":     {Window: 5, Damping: 0.1, Sparse: true, Momentum: 0.5},
		"m-fac:window=3:damping=0.1:weight_decay=0.2:count_filled=true:lr=9": {Window: 3, Damping: 0.1, WeightDecay: 0.2, CountFilled: true},
	} {
		r := newRegression(t, dtypes.Float64, startWeights)
		r.train(t, r.stepper(t, text), 0, 11, 0.05)
		got := r.weights(t)
		if e := apart(got, r.byHand(t, o, 11, 0.05)); !(e < 1e-11) {
			t.Errorf("%s: weights off by %g", text, e)
		}
		if o.Sparse && (got[1] != 0 || got[4] != 0) {
			t.Errorf("%s: weights that were zero are %g and %g", text, got[1], got[4])
		}
	}
}

// What a step reports is of the loss, not of what is stored.
func TestStepReports(t *testing.T) {
	r := newRegression(t, dtypes.Float64, startWeights)
	step := r.train(t, r.stepper(t, "m-fac:window=4:weight_decay=0.5"), 0, 1, 0)
	_, _, rows := r.batch(0)
	l2, l1 := 0.0, 0.0
	for _, g := range r.gradient(startWeights, rows) {
		l2, l1 = l2+g*g, l1+math.Abs(g)
	}
	if math.Abs(step.GradientL2-math.Sqrt(l2)) > 1e-12 || math.Abs(step.GradientL1-l1) > 1e-12 || step.Gradients != 1 || step.Evaluations != 1 {
		t.Errorf("%+v, want norms %g and %g", step, math.Sqrt(l2), l1)
	}
	if got := r.weights(t); !slices.Equal(got, startWeights) {
		t.Errorf("a step at rate 0 moved the weights to %v", got)
	}
}

// A training goes on from a copy of the store to the same bits, at any time.
func TestCopiedStoreContinuesToTheSameBits(t *testing.T) {
	for _, text := range []string{
		"m-fac:window=4", "m-fac:window=4:form=paper:momentum=0.9", "m-fac:window=4:count_filled=true", "m-fac:window=4:sparse=true:weight_decay=0.1",
	} {
		for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64} {
			for _, at := range []int{1, 3, 6} {
				whole := newRegression(t, dtype, startWeights)
				whole.train(t, whole.stepper(t, text), 0, 9, 0.01)
				cut := newRegression(t, dtype, startWeights)
				cut.train(t, cut.stepper(t, text), 0, at, 0.01)
				var err error
				cut.Store, err = cut.Store.Clone()
				must(t, err)
				cut.train(t, cut.stepper(t, text), at, 9, 0.01)
				if a, b := whole.weights(t), cut.weights(t); !slices.Equal(a, b) {
					t.Errorf("%s in %s, cut after %d: %v, want %v", text, dtype, at, b, a)
				}
			}
		}
	}
}

// The window is changed where it lies: no step copies it.
func TestWindowStaysWhereItIs(t *testing.T) {
	r := newRegression(t, dtypes.Float32, startWeights)
	s := r.stepper(t, "m-fac:window=3")
	place := func() *float32 {
		value, err := r.Store.GetVariable("/m-fac/window").Value()
		must(t, err)
		var first *float32
		must(t, tensors.MutableFlatData(value, func(flat []float32) { first = &flat[0] }))
		return first
	}
	r.train(t, s, 0, 1, 0.01)
	before := place()
	if r.train(t, s, 1, 5, 0.01); place() != before {
		t.Error("the window has moved")
	}
}

// Check 5, in a training in float32 with the published damping: no step breaks
// the bound, which would be an error.
func TestBoundHoldsInTraining(t *testing.T) {
	r := newRegression(t, dtypes.Float32, startWeights)
	s := r.stepper(t, "m-fac:window=16:check=true")
	first := r.train(t, s, 0, 1, 0.004)
	if last := r.train(t, s, 1, 300, 0.004); !(last.Loss < first.Loss/2) {
		t.Errorf("loss %g after 300 steps, %g before", last.Loss, first.Loss)
	}
}

func TestNewRefuses(t *testing.T) {
	for text, says := range map[string]string{
		"mfac":                      `did you mean "m-fac"`,
		"m-fac:windw=3":             `did you mean "window"`,
		"m-fac:window=0":            "at least 1",
		"m-fac:damping=0":           "(0, +Inf)",
		"m-fac:momentum=1":          "[0, 1)",
		"m-fac:weight_decay=-1":     "[0, +Inf)",
		"m-fac:form=qr":             "cholesky, paper",
		"m-fac:sparse=perhaps":      "true or false",
		"m-fac:damping=1:damping=2": "twice",
	} {
		if _, err := mfac.New(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("New(%q): %v, expected %q", text, err, says)
		}
	}
	r := newRegression(t, dtypes.Float64, startWeights)
	for name, o := range map[string]mfac.Optimizer{
		"window": {Window: -1}, "damping": {Damping: math.NaN()}, "momentum": {Momentum: 2}, "form": {Form: 9},
	} {
		if _, err := o.Stepper(r.Model); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s out of range: %v", name, err)
		}
	}
	r.DType = dtypes.Float16
	if _, err := new(mfac.Optimizer).Stepper(r.Model); err == nil {
		t.Error("a model in float16 is accepted")
	}
}

// A window of another length than that of the store is refused.
func TestOtherSettingsDoNotContinue(t *testing.T) {
	r := newRegression(t, dtypes.Float64, startWeights)
	r.train(t, r.stepper(t, "m-fac:window=4"), 0, 2, 0.01)
	x, y, _ := r.batch(2)
	if _, err := r.stepper(t, "m-fac:window=5").Step(0.01, x, y); err == nil || !strings.Contains(err.Error(), "/m-fac/window") {
		t.Errorf("error %v", err)
	}
}

func TestMethodsListsTheDefaults(t *testing.T) {
	m := mfac.Methods()[0]
	var written []string
	for _, o := range m.Options {
		written = append(written, o.Name+"="+o.Default)
	}
	if text := strings.Join(written, ":"); text != "lr=0.001:window=512:damping=1e-05:momentum=0:weight_decay=0:form=cholesky:count_filled=false:sparse=false:check=false" {
		t.Errorf("options %s", text)
	}
	for _, o := range m.Options {
		if o.Name == "damping" {
			if _, err := mfac.New(fmt.Sprintf("m-fac:%s=%s", o.Name, o.Default)); err != nil {
				t.Error(err)
			}
		}
	}
}
