package program_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"

	"github.com/descentml/descent/backend/ir"
	"github.com/descentml/descent/backend/tensor"
)

// TestSumOfProductsIsADotProduct over rows and over all elements, of x with
// itself and with something else; not where the products are used twice.
func TestSumOfProductsIsADotProduct(t *testing.T) {
	for _, columns := range []int{3, 40, 5000} {
		for _, axes := range [][]int{{1}, {0, 1}} {
			for name, test := range map[string]struct {
				other, again bool
				products     int // instructions that multiply
			}{"square": {false, false, 0}, "product": {true, false, 0}, "used twice": {true, true, 1}} {
				const rows = 30
				g := newGraph(t)
				x := g.AddParameter("x", matrix(rows, columns))
				a := g.add(compute.OpTypeNeg, nil, x)
				b := a
				if test.other {
					b = g.add(compute.OpTypeAbs, nil, x)
				}
				products := g.add(compute.OpTypeMul, nil, a, b)
				g.Outputs = []ir.Value{g.add(compute.OpTypeReduceSum, ir.Axes{Axes: axes}, products)}
				if test.again {
					g.Outputs = append(g.Outputs, g.add(compute.OpTypeExp, nil, products))
				}
				label := fmt.Sprintf("%s, %d columns, axes %v", name, columns, axes)
				if code := g.after("fuse"); strings.Count(code, "=Mul(") != test.products {
					t.Errorf("%s: want %d products in\n%s", label, test.products, code)
				}
				values := randomMatrix(rows, columns)
				got := tensor.Of[float32](run(t, g.compile(), values)[0])
				want := sums(tensor.Of[float32](values), len(got), test.other)
				for i := range got {
					if math.Abs(float64(got[i])-want[i]) > 1e-5*math.Sqrt(float64(rows*columns))*math.Sqrt(float64(columns)) {
						t.Fatalf("%s: got %g, want %g", label, got[i], want[i])
					}
				}
			}
		}
	}
}

// sums are of -x |x| or x^2 over equal parts of x.
func sums(x []float32, parts int, other bool) []float64 {
	list := make([]float64, parts)
	for i, v := range x {
		product := float64(v) * float64(v)
		if other {
			product = -float64(v) * math.Abs(float64(v))
		}
		list[i/(len(x)/parts)] += product
	}
	return list
}

// TestDotKeepsWhatItReads: between the product and its sum, registers are free
// again but those that the dot product reads.
func TestDotKeepsWhatItReads(t *testing.T) {
	g := newGraph(t)
	x := g.AddParameter("x", matrix(8, 64))
	a, b := g.add(compute.OpTypeNeg, nil, x), g.add(compute.OpTypeAbs, nil, x)
	products := g.add(compute.OpTypeMul, nil, a, b)
	busy := x
	for range 6 { // would take the registers of a and b
		busy = g.add(compute.OpTypeExp, nil, g.add(compute.OpTypeNeg, nil, g.add(compute.OpTypeAbs, nil, busy)))
	}
	sum := g.add(compute.OpTypeReduceSum, ir.Axes{Axes: []int{1}}, products)
	column := g.add(compute.OpTypeReshape, ir.Target{Shape: shapes.Make(g.Shape(x).DType, 8, 1)}, sum)
	g.Outputs = []ir.Value{g.add(compute.OpTypeAdd, nil, busy, column), sum}
	values := randomMatrix(8, 64)
	got := tensor.Of[float32](run(t, g.compile(), values)[1])
	for i, want := range sums(tensor.Of[float32](values), 8, true) {
		if math.Abs(float64(got[i])-want) > 1e-3 {
			t.Errorf("row %d: got %g, want %g", i, got[i], want)
		}
	}
}
