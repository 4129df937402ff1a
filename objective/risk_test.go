package objective_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	_ "github.com/descentml/descent/backend"
	"github.com/descentml/descent/objective"
)

// outputs are the models under test, for 3 classes or 1 value.
type outputs func(scope *model.Scope, x *Node) *Node

func dense(act func(*Node) *Node, units int) outputs {
	return func(scope *model.Scope, x *Node) *Node {
		h := act(layers.DenseWithBias(scope.In("hidden"), x, 5))
		return layers.DenseWithBias(scope.In("output"), h, units)
	}
}

// images is a network with a convolution, whose weights are no dense layer's.
func images(scope *model.Scope, x *Node) *Node {
	x = Reshape(x, -1, 4, 1, 1)
	x = Tanh(layers.Convolution(scope.In("conv"), x).Channels(2).KernelSizePerAxis(3, 1).PadSame().Done())
	return layers.DenseWithBias(scope.In("output"), Reshape(x, x.Shape().Dimensions[0], -1), 3)
}

// tied uses one matrix twice, and a scale that is no layer.
func tied(scope *model.Scope, x *Node) *Node {
	w := scope.VariableWithValue("w", [][]float64{{0.3, -0.2, 0.5, 1}, {0.1, 0.7, -0.4, 0}, {-0.6, 0.2, 0.3, 0.1}, {0.2, 0.2, -0.9, 0.4}}).NodeValue(x)
	w = ConvertDType(w, x.DType())
	h := Tanh(MatMul(Tanh(MatMul(x, w)), w))
	return MatMul(h, ConvertDType(Const(x.Graph(), [][]float64{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 1, 0}}), x.DType()))
}

func tanhNet() outputs { return dense(Tanh, 3) }

// risk makes a mean loss over n random examples of 4 features.
func risk(t testing.TB, build outputs, loss objective.Loss, dtype dtypes.DType, n int, o objective.Options) *objective.Risk {
	t.Helper()
	backend, err := compute.NewWithConfig("descent")
	if err != nil {
		t.Fatal(err)
	}
	store := model.NewStore()
	if err := store.SetRNGStateFromSeed(7); err != nil {
		t.Fatal(err)
	}
	x, y := examples(n)
	f, err := objective.NewRisk(objective.Model{Backend: backend, Store: store, DType: dtype, Outputs: build, Loss: loss}, x, y, o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func examples(n int) (x, y *tensors.Tensor) { return some(n, 0, n) }

// some are the examples from first to below last of n.
func some(n, first, last int) (x, y *tensors.Tensor) {
	rng := rand.New(rand.NewPCG(11, 12))
	features, labels := make([]float64, 4*n), make([]int32, n)
	for i := range features {
		features[i] = rng.NormFloat64()
	}
	for i := range labels {
		labels[i] = int32(rng.IntN(3))
	}
	return tensors.FromFlatDataAndDimensions(features[4*first:4*last], last-first, 4), tensors.FromFlatDataAndDimensions(labels[first:last], last-first, 1)
}

func normal(rng *rand.Rand, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = rng.NormFloat64()
	}
	return v
}

// relative is |a - b| / |b|.
func relative(a, b []float64) float64 { return floats.Distance(a, b, 2) / floats.Norm(b, 2) }

func gradientAt(t testing.TB, f *objective.Risk, w []float64) []float64 {
	t.Helper()
	g := make([]float64, f.Dim())
	if err := f.SetParameters(w); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Gradient(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	return g
}

// Check 1 of the specification: Hessian-vector products agree with differences
// of gradients, and the Hessian is symmetric.
func TestHessianVectorAgainstDifferencesOfGradients(t *testing.T) {
	for name, build := range map[string]outputs{"dense": tanhNet(), "tied": tied} {
		f := risk(t, build, objective.CrossEntropy, dtypes.Float64, 40, objective.Options{})
		rng := rand.New(rand.NewPCG(3, 4))
		w, moved := make([]float64, f.Dim()), make([]float64, f.Dim())
		f.Parameters(w)
		v, u := normal(rng, f.Dim()), normal(rng, f.Dim())
		hv, hu := make([]float64, f.Dim()), make([]float64, f.Dim())
		if err := f.HessianVector(t.Context(), hv, v); err != nil {
			t.Fatal(err)
		}
		if err := f.HessianVector(t.Context(), hu, u); err != nil {
			t.Fatal(err)
		}
		if a, b := floats.Dot(u, hv), floats.Dot(v, hu); math.Abs(a-b) > 1e-10*floats.Norm(hv, 2)*floats.Norm(u, 2) {
			t.Errorf("%s: u'Hv = %.15g and v'Hu = %.15g", name, a, b)
		}
		const h = 1e-5
		floats.AddScaledTo(moved, w, h, v)
		difference := gradientAt(t, f, moved)
		floats.AddScaledTo(moved, w, -h, v)
		floats.Sub(difference, gradientAt(t, f, moved))
		floats.Scale(1/(2*h), difference)
		if off := relative(difference, hv); off > 1e-5 {
			t.Errorf("%s: the product is off by %g from the difference of gradients", name, off)
		}
	}
}

func TestGradientAgainstDifferencesOfValues(t *testing.T) {
	f := risk(t, tanhNet(), objective.CrossEntropy, dtypes.Float64, 30, objective.Options{Chunk: 7})
	w := make([]float64, f.Dim())
	f.Parameters(w)
	g := gradientAt(t, f, w)
	v := normal(rand.New(rand.NewPCG(1, 1)), f.Dim())
	at := func(step float64) float64 {
		moved := make([]float64, f.Dim())
		floats.AddScaledTo(moved, w, step, v)
		if err := f.SetParameters(moved); err != nil {
			t.Fatal(err)
		}
		value, err := f.Value(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	const h = 1e-5
	if slope, want := (at(h)-at(-h))/(2*h), floats.Dot(g, v); math.Abs(slope-want) > 1e-8*(1+math.Abs(want)) {
		t.Errorf("slope %g, gradient along the direction %g", slope, want)
	}
}

// exampleGradients collects them in a matrix.
func exampleGradients(t testing.TB, visit func(context.Context, func(int, *mat.Dense) error) error, n, dim int) *mat.Dense {
	t.Helper()
	all := mat.NewDense(n, dim, nil)
	seen := 0
	err := visit(t.Context(), func(first int, g *mat.Dense) error {
		rows, _ := g.Dims()
		all.Slice(first, first+rows, 0, dim).(*mat.Dense).Copy(g)
		seen += rows
		return nil
	})
	if err != nil || seen != n {
		t.Fatalf("%d of %d gradients, %v", seen, n, err)
	}
	return all
}

// The gradient of an example is that of the loss over this example alone,
// whether layers are dense or not, and their mean is the gradient.
func TestExampleGradientsAreThoseOfSingleExamples(t *testing.T) {
	const n = 13
	for name, build := range map[string]outputs{"dense": dense(activation.Relu, 3), "convolution": images, "tied": tied} {
		f := risk(t, build, objective.CrossEntropy, dtypes.Float64, n, objective.Options{Chunk: 6})
		gradients := exampleGradients(t, f.ExampleGradients, n, f.Dim())
		w, mean := make([]float64, f.Dim()), make([]float64, f.Dim())
		f.Parameters(w)
		for i := range n {
			floats.AddScaled(mean, 1.0/n, gradients.RawRowView(i))
			x, y := some(n, i, i+1)
			one, err := objective.NewRisk(f.Model(), x, y, objective.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if off := relative(gradients.RawRowView(i), gradientAt(t, one, w)); off > 1e-12 {
				t.Errorf("%s: example %d is off by %g", name, i, off)
			}
		}
		if off := relative(mean, gradientAt(t, f, w)); off > 1e-12 {
			t.Errorf("%s: the mean is off by %g", name, off)
		}
	}
}

// The empirical Fisher matrix is G'G/n of the gradients G of the examples, and
// the Gauss-Newton matrix is J'BJ/n, made here from the rows of the Jacobian.
func TestFisherAndGaussNewtonAgainstTheirDefinitions(t *testing.T) {
	const n = 12
	for name, build := range map[string]outputs{"dense": tanhNet(), "tied": tied} {
		f := risk(t, build, objective.CrossEntropy, dtypes.Float64, n, objective.Options{Chunk: 5})
		g := exampleGradients(t, f.ExampleGradients, n, f.Dim())
		var want mat.Dense
		want.Mul(g.T(), g)
		want.Scale(1.0/n, &want)
		got, asymmetry, err := objective.Matrix(f.Fisher(t.Context()))
		if err != nil || asymmetry > 1e-12 || !mat.EqualApprox(got, &want, 1e-12) {
			t.Errorf("%s: the Fisher matrix differs from G'G/n (asymmetry %g, %v)", name, asymmetry, err)
		}
		if got, err = gaussNewtonByRows(t, f, build, n); err != nil {
			t.Fatal(err)
		}
		product, _, err := objective.Matrix(f.GaussNewton(t.Context()))
		if err != nil || !mat.EqualApprox(product, got, 1e-12) {
			t.Errorf("%s: the Gauss-Newton matrix differs from J'BJ/n (%v)", name, err)
		}
	}
}

// gaussNewtonByRows sums p_k J_k'J_k - (sum_k p_k J_k)'(...) over the examples:
// J_k is the gradient of a loss that is output k.
func gaussNewtonByRows(t *testing.T, f *objective.Risk, build outputs, n int) (*mat.SymDense, error) {
	t.Helper()
	x, y := examples(n)
	var rows [3]*mat.Dense
	for k := range rows {
		m := f.Model()
		m.Loss = func(_, o *Node) *Node { return ReduceAllMean(Slice(o, AxisRange(), AxisElem(k))) }
		one, err := objective.NewRisk(m, x, y, objective.Options{})
		if err != nil {
			return nil, err
		}
		rows[k] = exampleGradients(t, one.ExampleGradients, n, f.Dim())
	}
	exec, err := model.NewExec(f.Model().Backend, f.Model().Store, func(scope *model.Scope, x *Node) *Node { return Softmax(build(scope, x), -1) })
	if err != nil {
		return nil, err
	}
	outputs, err := exec.Exec(x)
	if err != nil {
		return nil, err
	}
	p := tensors.MustCopyFlatData[float64](outputs[0])
	sum := mat.NewSymDense(f.Dim(), nil)
	for i := range n {
		mean := mat.NewVecDense(f.Dim(), nil)
		for k := range rows {
			row := rows[k].RowView(i)
			sum.SymRankOne(sum, p[3*i+k]/float64(n), row)
			mean.AddScaledVec(mean, p[3*i+k], row)
		}
		sum.SymRankOne(sum, -1/float64(n), mean)
	}
	return sum, nil
}

// Chunks and blocks change nothing but the order of sums; the same call gives
// the same bits.
func TestChunksAndBlocks(t *testing.T) {
	const n = 50
	whole := risk(t, tanhNet(), objective.CrossEntropy, dtypes.Float64, n, objective.Options{Block: 1})
	parts := risk(t, tanhNet(), objective.CrossEntropy, dtypes.Float64, n, objective.Options{Chunk: 16, Block: 3})
	rng := rand.New(rand.NewPCG(5, 6))
	var v, a, b, again [][]float64
	for range 7 {
		v, a = append(v, normal(rng, whole.Dim())), append(a, make([]float64, whole.Dim()))
		b, again = append(b, make([]float64, whole.Dim())), append(again, make([]float64, whole.Dim()))
	}
	for name, of := range map[string]func(*objective.Risk) *objective.Operator{
		"Hessian":      func(f *objective.Risk) *objective.Operator { return f.Hessian(t.Context()) },
		"Gauss-Newton": func(f *objective.Risk) *objective.Operator { return f.GaussNewton(t.Context()) },
		"Fisher":       func(f *objective.Risk) *objective.Operator { return f.Fisher(t.Context()) },
	} {
		for _, run := range []error{of(whole).ApplyBlock(a, v), of(parts).ApplyBlock(b, v), of(parts).ApplyBlock(again, v)} {
			if run != nil {
				t.Fatal(run)
			}
		}
		for i := range v {
			if off := relative(b[i], a[i]); off > 1e-12 || !floats.Equal(b[i], again[i]) {
				t.Errorf("%s, vector %d: off by %g, the same again: %t", name, i, off, floats.Equal(b[i], again[i]))
			}
		}
	}
}

// In float32 products are those of float64 but for rounding.
func TestFloat32(t *testing.T) {
	wide := risk(t, tanhNet(), objective.CrossEntropy, dtypes.Float64, 60, objective.Options{})
	narrow := risk(t, tanhNet(), objective.CrossEntropy, dtypes.Float32, 60, objective.Options{})
	w := make([]float64, wide.Dim())
	narrow.Parameters(w)
	if err := wide.SetParameters(w); err != nil {
		t.Fatal(err)
	}
	v := normal(rand.New(rand.NewPCG(2, 2)), wide.Dim())
	for name, of := range map[string]func(*objective.Risk, []float64) error{
		"Hessian":      func(f *objective.Risk, dst []float64) error { return f.HessianVector(t.Context(), dst, v) },
		"Gauss-Newton": func(f *objective.Risk, dst []float64) error { return f.GaussNewtonVector(t.Context(), dst, v) },
		"Fisher":       func(f *objective.Risk, dst []float64) error { return f.FisherVector(t.Context(), dst, v) },
	} {
		a, b := make([]float64, wide.Dim()), make([]float64, wide.Dim())
		if err := of(wide, a); err != nil {
			t.Fatal(err)
		}
		if err := of(narrow, b); err != nil {
			t.Fatal(err)
		}
		if off := relative(b, a); off > 1e-5 || off == 0 {
			t.Errorf("%s: off by %g: expected the rounding of float32", name, off)
		}
	}
}

// Variables that are not trainable are not part of the vector, and stay.
func TestFrozenVariablesAreLeftOut(t *testing.T) {
	f := risk(t, tanhNet(), objective.CrossEntropy, dtypes.Float64, 20, objective.Options{})
	m := f.Model()
	full := f.Dim()
	m.Store.GetVariable("/hidden/dense/weights").SetTrainable(false)
	x, y := examples(20)
	frozen, err := objective.NewRisk(m, x, y, objective.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if frozen.Dim() != full-4*5 {
		t.Fatalf("%d parameters, want %d", frozen.Dim(), full-20)
	}
	for _, slot := range frozen.Slots() {
		if strings.Contains(slot.Path, "hidden/dense/weights") {
			t.Errorf("%s is in the vector", slot.Path)
		}
	}
	a, err1 := f.Value(t.Context())
	b, err2 := frozen.Value(t.Context())
	if err1 != nil || err2 != nil || a != b {
		t.Errorf("values %g and %g, %v, %v", a, b, err1, err2)
	}
}

func TestSaveAndLoad(t *testing.T) {
	f := risk(t, tanhNet(), objective.CrossEntropy, dtypes.Float32, 20, objective.Options{})
	w, back := make([]float64, f.Dim()), make([]float64, f.Dim())
	for i := range w {
		w[i] = float64(i%7) / 8
	}
	if err := f.SetParameters(w); err != nil {
		t.Fatal(err)
	}
	if err := f.Save(); err != nil {
		t.Fatal(err)
	}
	if err := f.SetParameters(make([]float64, f.Dim())); err != nil {
		t.Fatal(err)
	}
	if err := f.Load(); err != nil {
		t.Fatal(err)
	}
	if f.Parameters(back); !floats.Equal(w, back) {
		t.Errorf("%v, want %v", back, w)
	}
}

func TestErrors(t *testing.T) {
	x, y := examples(6)
	good := risk(t, tanhNet(), objective.CrossEntropy, dtypes.Float64, 6, objective.Options{}).Model()
	with := func(change func(*objective.Model)) objective.Model {
		m := good
		m.Store = model.NewStore()
		change(&m)
		return m
	}
	for says, m := range map[string]objective.Model{
		"no trainable variables": with(func(m *objective.Model) { m.Outputs = func(_ *model.Scope, x *Node) *Node { return x } }),
		"expected a scalar":      with(func(m *objective.Model) { m.Loss = func(_, o *Node) *Node { return o } }),
		"cannot be computed":     with(func(m *objective.Model) { m.Outputs = func(_ *model.Scope, x *Node) *Node { return Reshape(x, 5) } }),
		"not finite": with(func(m *objective.Model) {
			m.Outputs = func(scope *model.Scope, x *Node) *Node {
				return Mul(x, scope.VariableWithValue("scale", math.NaN()).NodeValue(x))
			}
		}),
		"float type": with(func(m *objective.Model) { m.DType = dtypes.Int32 }),
		"backend":    with(func(m *objective.Model) { m.Loss = nil }),
	} {
		if _, err := objective.NewRisk(m, x, y, objective.Options{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v: want an error with %q", err, says)
		}
	}
	_, few := examples(5)
	if _, err := objective.NewRisk(good, x, few, objective.Options{}); err == nil || !strings.Contains(err.Error(), "labels of shape") {
		t.Errorf("5 labels for 6 inputs: %v", err)
	}
}

// What has no second derivative, no gradient or no finite product is an error
// when it is asked for.
func TestProductsThatDoNotExist(t *testing.T) {
	scaled := func(act func(*Node) *Node) outputs {
		return func(scope *model.Scope, x *Node) *Node {
			return act(Mul(x, scope.VariableWithValue("scale", 0.0).NodeValue(x)))
		}
	}
	f := risk(t, scaled(func(x *Node) *Node { return Sqrt(x) }), func(_, o *Node) *Node { return ReduceAllMean(o) }, dtypes.Float64, 6, objective.Options{})
	dst := make([]float64, 1)
	if err := f.HessianVector(t.Context(), dst, []float64{1}); err == nil || !strings.Contains(err.Error(), "not finite") {
		t.Errorf("the square root at 0: %v", err)
	}
	// The value and the gradient of a training that diverged are outcomes.
	if value, err := f.Gradient(t.Context(), dst); err != nil || !math.IsNaN(value) && !math.IsNaN(dst[0]) && !math.IsInf(dst[0], 0) {
		t.Errorf("value %g, gradient %v, %v: expected one that is not finite and no error", value, dst, err)
	}
	f = risk(t, scaled(func(x *Node) *Node { return Reverse(x, 0) }), func(_, o *Node) *Node { return ReduceAllMean(o) }, dtypes.Float64, 6, objective.Options{})
	if _, err := f.Gradient(t.Context(), dst); err == nil || !strings.Contains(err.Error(), "cannot be computed: GoMLX has no derivative") {
		t.Errorf("an operation without gradient: %v", err)
	}
	conv := risk(t, images, objective.CrossEntropy, dtypes.Float64, 6, objective.Options{})
	if err := conv.HessianVector(t.Context(), make([]float64, conv.Dim()), make([]float64, conv.Dim())); err == nil || !strings.Contains(err.Error(), "of convolutions and slices it has none") {
		t.Errorf("a convolution's second derivative: %v", err)
	}
	if err := f.HessianVector(t.Context(), dst, []float64{1, 2}); err == nil || !strings.Contains(err.Error(), "expected 1") {
		t.Errorf("a vector that is too long: %v", err)
	}
	if err := f.SetParameters([]float64{math.NaN()}); err == nil {
		t.Error("NaN is a parameter")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.GaussNewtonVector(ctx, dst, []float64{1}); err == nil {
		t.Error("the end of the context is no error")
	}
}

func ExampleRisk() {
	store := model.NewStore()
	line := objective.Model{
		Backend: compute.MustNew(), Store: store, DType: dtypes.Float64,
		Outputs: func(scope *model.Scope, x *Node) *Node {
			return MatMul(x, scope.VariableWithValue("w", [][]float64{{1}, {1}}).NodeValue(x))
		},
		Loss: objective.SquaredError,
	}
	x, y := tensors.FromValue([][]float64{{1, 0}, {0, 3}}), tensors.FromValue([][]float64{{0}, {0}})
	f, err := objective.NewRisk(line, x, y, objective.Options{})
	if err != nil {
		panic(err)
	}
	h := make([]float64, 2)
	if err := f.HessianVector(context.Background(), h, []float64{1, 1}); err != nil {
		panic(err)
	}
	fmt.Printf("H v = %.0f\n", h)
	// Output: H v = [1 9]
}
