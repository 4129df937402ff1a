package diffgrad

import (
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"pgregory.net/rapid"
)

// away reports whether x is further than margin from all breaks of f.
func away(f Function, x, margin float64) bool {
	for _, at := range f.Breaks {
		if math.Abs(x-at) <= margin {
			return false
		}
	}
	return true
}

func TestDerivativesAgreeWithDifferences(t *testing.T) {
	const h = 1e-6
	for _, f := range Functions() {
		rapid.Check(t, func(t *rapid.T) {
			x := rapid.Float64Range(-2, 2).Filter(func(x float64) bool { return away(f, x, 2*h) }).Draw(t, "x")
			difference := (f.Value(x+h) - f.Value(x-h)) / (2 * h)
			if got := f.Derivative(x); math.Abs(got-difference) >= 1e-5 {
				t.Fatalf("%s'(%g) = %g, the difference quotient is %g", f.Name, x, got, difference)
			}
		})
	}
}

// graphs holds the functions once more, as GoMLX graphs over a vector of points.
var graphs = map[string]func(x *graph.Node) *graph.Node{
	"F1": func(x *graph.Node) *graph.Node {
		left := graph.Square(graph.AddScalar(x, 0.3))
		right := graph.AddScalar(graph.Square(graph.AddScalar(x, -0.2)), 0.05)
		return graph.Where(upTo(x, 0), left, right)
	},
	"F2": func(x *graph.Node) *graph.Node {
		left := graph.AddScalar(graph.MulScalar(x, -40), -35.15)
		wave := graph.Mul(x, graph.Sin(graph.MulScalar(x, 8)))
		right := graph.AddScalar(graph.Add(graph.PowScalar(x, 3), wave), 0.85)
		return graph.Where(upTo(x, -0.9), left, right)
	},
	"F3": func(x *graph.Node) *graph.Node {
		size := graph.Abs(x) // F3 is even, up to the ends of its pieces
		outer := graph.Where(upTo(size, 0.5), graph.AddScalar(graph.Neg(size), 0.75), graph.Square(x))
		return graph.Where(upTo(size, 0.4), graph.MulScalar(size, 7.0/8), outer)
	},
}

func upTo(x *graph.Node, end float64) *graph.Node {
	return graph.LessOrEqual(x, graph.Scalar(x.Graph(), x.DType(), end))
}

// Away from the breaks, value and derivative are those of a graph and of its
// automatic differentiation.
func TestFunctionsAgreeWithGraphs(t *testing.T) {
	points := make([]float64, 0, 401)
	for i := -200; i <= 200; i++ {
		points = append(points, float64(i)/100+0.0033)
	}
	for _, f := range Functions() {
		exec, err := graph.NewExec(newBackend(t), func(x *graph.Node) (value, derivative *graph.Node) {
			value = graphs[f.Name](x)
			return value, graph.Gradient(graph.ReduceAllSum(value), x)[0]
		})
		if err != nil {
			t.Fatal(err)
		}
		outputs, err := exec.Call(points)
		if err != nil {
			t.Fatal(err)
		}
		values, derivatives := tensors.MustCopyFlatData[float64](outputs[0]), tensors.MustCopyFlatData[float64](outputs[1])
		for i, x := range points {
			if math.Abs(values[i]-f.Value(x)) > 1e-12 || math.Abs(derivatives[i]-f.Derivative(x)) > 1e-12 {
				t.Errorf("%s(%g) is %g with derivative %g, as a graph %g and %g",
					f.Name, x, f.Value(x), f.Derivative(x), values[i], derivatives[i])
			}
		}
	}
}

// The listed minima are minima, with the values of the specification, and on
// [-1, 1] nothing is below the global one.
func TestMinima(t *testing.T) {
	values := map[string][]float64{ // global, then local
		"F1": {0, 0.05},
		"F2": {1.1977e-4, 0.85, 0.465318},
		"F3": {0, 0.25, 0.25},
	}
	for _, f := range Functions() {
		for i, x := range append([]float64{f.Minimum}, f.LocalMinima...) {
			if math.Abs(f.Value(x)-values[f.Name][i]) > 1e-6 {
				t.Errorf("%s(%g) = %g, expected %g", f.Name, x, f.Value(x), values[f.Name][i])
			}
			for _, h := range []float64{1e-4, 1e-3} {
				if f.Value(x-h) <= f.Value(x) || f.Value(x+h) <= f.Value(x) {
					t.Errorf("%s has no minimum at %g", f.Name, x)
				}
			}
			if away(f, x, 1e-9) && math.Abs(f.Derivative(x)) > 1e-7 {
				t.Errorf("%s'(%g) = %g at a minimum", f.Name, x, f.Derivative(x))
			}
		}
		for i := -1000; i <= 1000; i++ {
			if x := float64(i) / 1000; f.Value(x) < f.Value(f.Minimum) {
				t.Errorf("%s(%g) = %g is below the global minimum", f.Name, x, f.Value(x))
			}
		}
	}
}

// F1 and F3 are continuous at their breaks; F2 jumps from 0.85 to 0.8353.
func TestBreaks(t *testing.T) {
	for _, f := range Functions() {
		for _, x := range f.Breaks {
			jump := f.Value(math.Nextafter(x, 2)) - f.Value(x)
			expected := 0.0
			if f.Name == "F2" {
				expected = 0.8353 - 0.85
			}
			if math.Abs(jump-expected) > 1e-4 {
				t.Errorf("%s jumps by %g at %g, expected %g", f.Name, jump, x, expected)
			}
		}
	}
}
