package program_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/descentml/descent/backend/ir"
	"github.com/descentml/descent/backend/kernel/workers"
	"github.com/descentml/descent/backend/tensor"
)

// fused is how a fused computation stands in a dump.
const fused = "Fused"

// softmax adds the softmax of the rows of x.
func (g graph) softmax(x ir.Value) ir.Value {
	dimensions := g.Shape(x).Dimensions
	perRow := ir.Target{Shape: shapes.Make(g.Shape(x).DType, dimensions[0], 1)}
	last := ir.Axes{Axes: []int{1}}
	largest := g.add(compute.OpTypeReshape, perRow, g.add(compute.OpTypeReduceMax, last, x))
	exponentials := g.add(compute.OpTypeExp, nil, g.add(compute.OpTypeSub, nil, x, largest))
	sum := g.add(compute.OpTypeReshape, perRow, g.add(compute.OpTypeReduceSum, last, exponentials))
	return g.add(compute.OpTypeDiv, nil, exponentials, sum)
}

// TestSoftmaxIsOneComputation also for its fused form, rows of one block and
// rows that take many.
func TestSoftmaxIsOneComputation(t *testing.T) {
	for _, columns := range []int{2, 10, 100, 5000} {
		for name, build := range map[string]func(g graph, x ir.Value) ir.Value{
			"parts": func(g graph, x ir.Value) ir.Value { return g.softmax(x) },
			"whole": func(g graph, x ir.Value) ir.Value { return g.add(compute.OpTypeFusedSoftmax, ir.Axis{Axis: 1}, x) },
		} {
			const rows = 70
			g := newGraph(t)
			g.Outputs = []ir.Value{build(g, g.AddParameter("x", matrix(rows, columns)))}
			g.count("fuse", fused, 1)
			x := randomMatrix(rows, columns)
			got := tensor.Of[float32](run(t, g.compile(), x)[0])
			for row := range slices.Chunk(tensor.Of[float32](x), columns) {
				sum := 0.0
				for _, v := range row {
					sum += math.Exp(float64(v))
				}
				for i, v := range row {
					if want := math.Exp(float64(v)) / sum; math.Abs(float64(got[i])-want) > 1e-6 {
						t.Fatalf("%s of %d columns: got %g, want %g", name, columns, got[i], want)
					}
				}
				got = got[columns:]
			}
		}
	}
}

func randomMatrix(rows, columns int) tensor.Tensor {
	random := rand.New(rand.NewPCG(uint64(rows), uint64(columns)))
	flat := make([]float32, rows*columns)
	for i := range flat {
		flat[i] = float32(random.NormFloat64())
	}
	return tensor.Tensor{Shape: matrix(rows, columns), Flat: flat}
}

// TestUpdateIsOneComputation has the three results of an optimizer, each in the
// memory of the argument that it replaces.
func TestUpdateIsOneComputation(t *testing.T) {
	g := newGraph(t)
	shape := shapes.Make(dtypes.Float32, 3)
	weights, mean, square, gradient := g.AddParameter("w", shape), g.AddParameter("m", shape), g.AddParameter("v", shape), g.AddParameter("g", shape)
	half := g.AddConstant(number(0.5))
	average := func(old, x ir.Value) ir.Value {
		return g.add(compute.OpTypeAdd, nil, g.add(compute.OpTypeMul, nil, half, old), g.add(compute.OpTypeMul, nil, half, x))
	}
	newMean := average(mean, gradient)
	newSquare := average(square, g.add(compute.OpTypeMul, nil, gradient, gradient))
	step := g.add(compute.OpTypeDiv, nil, newMean, g.add(compute.OpTypeSqrt, nil, newSquare))
	g.Outputs = []ir.Value{g.add(compute.OpTypeSub, nil, weights, step), newMean, newSquare}
	g.count("fuse", fused, 1)
	p := g.compile()
	results := []tensor.Tensor{floats(1, 2, 3), floats(0, 0, 0), floats(0, 0, 0)}
	arguments := []tensor.Tensor{results[0], results[1], results[2], floats(2, 4, 8)}
	for i, donor := range p.Donors() {
		if donor < 0 {
			t.Fatalf("donors are %v, want one for each result", p.Donors())
		}
		results[i] = arguments[donor]
	}
	if err := p.Run(nil, arguments, results); err != nil {
		t.Fatal(err)
	}
	root := float32(math.Sqrt(0.5))
	expect(t, results[1], 1, 2, 4)
	expect(t, results[2], 2, 8, 32)
	for i, w := range []float32{1, 2, 3} {
		if got := tensor.Of[float32](results[0])[i]; math.Abs(float64(got-(w-root))) > 1e-6 {
			t.Errorf("got weight %g, want %g", got, w-root)
		}
	}
}

// TestReductionsOfLargeMatrices does not depend on the number of workers, and
// is close to the sums in higher precision.
func TestReductionsOfLargeMatrices(t *testing.T) {
	const rows, columns = 700, 900
	g := newGraph(t)
	x := g.AddParameter("x", matrix(rows, columns))
	squares := g.add(compute.OpTypeMul, nil, x, x)
	g.Outputs = []ir.Value{
		g.add(compute.OpTypeReduceSum, ir.Axes{Axes: []int{0}}, squares),
		g.add(compute.OpTypeReduceSum, ir.Axes{Axes: []int{0, 1}}, squares),
		g.add(compute.OpTypeReduceMax, ir.Axes{Axes: []int{1}}, squares),
	}
	g.count("fuse", fused, 1)
	p := g.compile()
	argument := randomMatrix(rows, columns)
	alone := run(t, p, argument)
	pool := workers.New(3)
	defer pool.Close()
	for range 5 {
		together := run(t, p, argument)
		if err := p.Run(pool, []tensor.Tensor{argument}, together); err != nil {
			t.Fatal(err)
		}
		for i := range alone {
			if !slices.Equal(alone[i].Bytes(), together[i].Bytes()) {
				t.Errorf("result %d depends on the workers", i)
			}
		}
	}
	total, first := 0.0, 0.0
	for i, v := range tensor.Of[float32](argument) {
		total += float64(v) * float64(v)
		if i%columns == 0 {
			first += float64(v) * float64(v)
		}
	}
	if got := float64(tensor.Of[float32](alone[0])[0]); math.Abs(got/first-1) > 1e-5 {
		t.Errorf("sum of the first column is %g, want %g", got, first)
	}
	if got := float64(tensor.Of[float32](alone[1])[0]); math.Abs(got/total-1) > 1e-6 {
		t.Errorf("sum is %g, want %g", got, total)
	}
}

// TestNothingIsFusedAcrossItsOwnResult has a value that is needed before and
// after a product: two computations, not one that would wait for itself.
func TestNothingIsFusedAcrossItsOwnResult(t *testing.T) {
	g := newGraph(t)
	x := g.AddParameter("x", matrix(2, 2))
	y := g.add(compute.OpTypeNeg, nil, x)
	product := g.add(compute.OpTypeDotGeneral, ir.Dot{LHSContracting: []int{1}, RHSContracting: []int{0}}, y, x)
	g.Outputs = []ir.Value{g.add(compute.OpTypeAdd, nil, product, y)}
	g.count("fuse", fused, 2)
	expect(t, run(t, g.compile(), tensor.Tensor{Shape: matrix(2, 2), Flat: []float32{1, 2, 3, 4}})[0], -8, -12, -18, -26)
}

// TestLayerNormIsOneComputation with a gain that has an axis of size 1.
func TestLayerNormIsOneComputation(t *testing.T) {
	g := newGraph(t)
	x, gain, offset := g.AddParameter("x", matrix(2, 2)), g.AddParameter("gain", matrix(1, 2)), g.AddParameter("offset", vector2)
	a := ir.LayerNorm{Axes: []int{1}, HasGamma: true, HasBeta: true}
	g.Outputs = []ir.Value{g.add(compute.OpTypeFusedLayerNorm, a, x, gain, offset)}
	g.count("fuse", fused, 1)
	argument := tensor.Tensor{Shape: matrix(2, 2), Flat: []float32{1, 3, 7, -1}}
	two := tensor.Tensor{Shape: matrix(1, 2), Flat: []float32{2, 2}}
	expect(t, run(t, g.compile(), argument, two, floats(0, 1))[0], -2, 3, 2, -1)
}

// TestGeluIsOneInstruction of a fused computation, in both of its forms.
func TestGeluIsOneInstruction(t *testing.T) {
	for exact, want := range map[bool]func(x float64) float64{
		true: func(x float64) float64 { return x / 2 * math.Erfc(-x/math.Sqrt2) },
		false: func(x float64) float64 {
			return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
		},
	} {
		g := newGraph(t)
		x, bias := g.AddParameter("x", matrix(70, 33)), g.AddParameter("bias", matrix(1, 33))
		sum := g.add(compute.OpTypeAdd, nil, x, g.add(compute.OpTypeBroadcastInDim, ir.BroadcastInDim{Target: matrix(70, 33), Axes: []int{0, 1}}, bias))
		g.Outputs = []ir.Value{g.add(compute.OpTypeFusedGelu, ir.Gelu{Exact: exact}, sum)}
		g.count("fuse", fused, 1)
		arguments := []tensor.Tensor{randomMatrix(70, 33), randomMatrix(1, 33)}
		got := tensor.Of[float32](run(t, g.compile(), arguments...)[0])
		a, b := tensor.Of[float32](arguments[0]), tensor.Of[float32](arguments[1])
		for i := range got {
			argument := float64(a[i] + b[i%33])
			if want := want(argument); math.Abs(float64(got[i])-want) > 4e-7*max(1, math.Abs(argument)) {
				t.Fatalf("exact %v: got %g for %g, want %g", exact, got[i], argument, want)
			}
		}
	}
}
