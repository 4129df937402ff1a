package objective

import (
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers"
	gomodel "github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"

	_ "github.com/descentml/descent/backend"
	"github.com/descentml/descent/model"
)

// classifier is a risk over n random examples of width 64 and 10 classes.
func classifier(t testing.TB, n int, outputs func(scope *gomodel.Scope, x *graph.Node) *graph.Node) *Risk {
	t.Helper()
	backend, err := compute.NewWithConfig("descent")
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	x, y := make([]float32, 64*n), make([]int32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	for i := range y {
		y[i] = int32(i % 10)
	}
	f, err := NewRisk(Model{Backend: backend, Store: gomodel.NewStore(), DType: dtypes.Float32, Loss: CrossEntropy, Outputs: outputs},
		tensors.FromFlatDataAndDimensions(x, n, 64), tensors.FromFlatDataAndDimensions(y, n, 1), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func mlp(t testing.TB) func(scope *gomodel.Scope, x *graph.Node) *graph.Node {
	t.Helper()
	net, err := model.New("mlp:32", model.Input{Width: 64})
	if err != nil {
		t.Fatal(err)
	}
	return func(scope *gomodel.Scope, x *graph.Node) *graph.Node { return net.Logits(scope, x, 10) }
}

// square is a network whose layers are as wide as its input, where a matrix and
// its transpose have one shape, and whose first bias is added twice.
func square(scope *gomodel.Scope, x *graph.Node) *graph.Node {
	bias := scope.VariableWithValue("twice", make([]float32, 64)).NodeValue(x)
	x = graph.Tanh(graph.Add(layers.Dense(scope.In("first"), x, false, 64), graph.ExpandLeftToRank(bias, 2)))
	x = graph.Add(x, graph.ExpandLeftToRank(bias, 2))
	return layers.DenseWithBias(scope.In("output"), x, 10)
}

// Dense layers take the way of outer products, other models do not, and both
// give the same gradients.
func TestDenseLayersTakeOuterProducts(t *testing.T) {
	scaled := func(scope *gomodel.Scope, x *graph.Node) *graph.Node {
		return graph.Mul(mlp(t)(scope, x), scope.VariableWithValue("scale", float32(2)).NodeValue(x))
	}
	for name, c := range map[string]struct {
		outputs func(scope *gomodel.Scope, x *graph.Node) *graph.Node
		outer   bool
	}{"mlp": {mlp(t), true}, "square": {square, true}, "a factor": {scaled, false}} {
		f := classifier(t, 20, c.outputs)
		fast, slow := mat.NewDense(20, f.Dim(), nil), mat.NewDense(20, f.Dim(), nil)
		collect := func(to *mat.Dense) func(int, *mat.Dense) error {
			return func(first int, g *mat.Dense) error {
				n, dim := g.Dims()
				to.Slice(first, first+n, 0, dim).(*mat.Dense).Copy(g)
				return nil
			}
		}
		if err := f.ExampleGradients(t.Context(), collect(fast)); err != nil {
			t.Fatal(err)
		}
		if got := f.jacobian.outer.exec != nil; got != c.outer {
			t.Errorf("%s: outer products %t, want %t", name, got, c.outer)
		}
		f.jacobian.outer.exec = nil
		if err := f.ExampleGradients(t.Context(), collect(slow)); err != nil {
			t.Fatal(err)
		}
		if !mat.EqualApprox(fast, slow, 1e-5) {
			t.Errorf("%s: both ways differ", name)
		}
	}
}

// BenchmarkExampleGradients is the gradients of 1000 examples, as outer products
// and by copies of the model.
func BenchmarkExampleGradients(b *testing.B) {
	f := classifier(b, 1000, mlp(b))
	ignore := func(int, *mat.Dense) error { return nil }
	if err := f.ExampleGradients(b.Context(), ignore); err != nil {
		b.Fatal(err)
	}
	run := func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := f.ExampleGradients(b.Context(), ignore); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("outer products", run)
	f.jacobian.outer.exec = nil
	b.Run("copies of the model", run)
}
