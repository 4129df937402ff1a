package program_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/descentml/descent/backend/ir"
	"github.com/descentml/descent/backend/program"
	"github.com/descentml/descent/backend/tensor"
)

// graph builds functions in tests and stops the test on errors.
type graph struct {
	t testing.TB
	*ir.Function
}

func newGraph(t testing.TB) graph { return graph{t, &ir.Function{Name: t.Name()}} }

func (g graph) add(op compute.OpType, attributes any, inputs ...ir.Value) ir.Value {
	g.t.Helper()
	n, err := g.Add(op, attributes, inputs)
	if err != nil {
		g.t.Fatal(err)
	}
	return n.Outputs[0]
}

func (g graph) compile() *program.Program {
	g.t.Helper()
	p, err := program.Compile(g.Function)
	if err != nil {
		g.t.Fatal(err)
	}
	return p
}

// floats is a vector.
func floats(flat ...float32) tensor.Tensor {
	return tensor.Tensor{Shape: shapes.Make(dtypes.Float32, len(flat)), Flat: flat}
}

// run returns the results in new memory.
func run(t testing.TB, p *program.Program, arguments ...tensor.Tensor) []tensor.Tensor {
	t.Helper()
	results := make([]tensor.Tensor, len(p.Outputs()))
	for i, shape := range p.Outputs() {
		var err error
		if results[i], err = tensor.New(shape); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Run(nil, arguments, results); err != nil {
		t.Fatal(err)
	}
	return results
}

func expect(t testing.TB, got tensor.Tensor, want ...float32) {
	t.Helper()
	if flat := tensor.Of[float32](got); !slices.Equal(flat, want) {
		t.Errorf("got %v, want %v", flat, want)
	}
}

func Example() {
	f := &ir.Function{Name: "double"}
	x := f.AddParameter("x", shapes.Make(dtypes.Float32, 3))
	sum, err := f.Add(compute.OpTypeAdd, nil, []ir.Value{x, x})
	if err != nil {
		panic(err)
	}
	f.Outputs = sum.Outputs
	p, err := program.Compile(f)
	if err != nil {
		panic(err)
	}
	in := []float32{1, 2, 3}
	out := make([]float32, 3)
	shape := p.Outputs()[0]
	if err := p.Run(nil, []tensor.Tensor{{Shape: shape, Flat: in}}, []tensor.Tensor{{Shape: shape, Flat: out}}); err != nil {
		panic(err)
	}
	fmt.Println(out)
	// Output: [2 4 6]
}

// TestResultsThatAreNotComputed covers outputs that are parameters, constants
// and repeated values.
func TestResultsThatAreNotComputed(t *testing.T) {
	g := newGraph(t)
	x := g.AddParameter("x", shapes.Make(dtypes.Float32, 2))
	c := g.AddConstant(floats(5, 6))
	y := g.add(compute.OpTypeNeg, nil, x)
	g.Outputs = []ir.Value{x, c, y, y, x}
	results := run(t, g.compile(), floats(1, 2))
	expect(t, results[0], 1, 2)
	expect(t, results[1], 5, 6)
	expect(t, results[2], -1, -2)
	expect(t, results[3], -1, -2)
	expect(t, results[4], 1, 2)
}

// TestIntermediateValuesKeepApart computes a chain in which early values are
// used late, next to many that die early.
func TestIntermediateValuesKeepApart(t *testing.T) {
	g := newGraph(t)
	x := g.AddParameter("x", shapes.Make(dtypes.Float32, 2))
	early := g.add(compute.OpTypeAdd, nil, x, x)
	v := early
	for range 10 {
		v = g.add(compute.OpTypeAdd, nil, g.add(compute.OpTypeNeg, nil, v), x)
	}
	g.Outputs = []ir.Value{g.add(compute.OpTypeSub, nil, v, early), g.add(compute.OpTypeMul, nil, early, early)}
	p := g.compile()
	for range 3 { // the memory of the first run is used again
		results := run(t, p, floats(1, 10))
		expect(t, results[0], 0, 0)
		expect(t, results[1], 4, 400)
	}
}

func TestUnusedNodesDoNotRun(t *testing.T) {
	g := newGraph(t)
	x := g.AddParameter("x", shapes.Make(dtypes.Int32))
	zero := g.add(compute.OpTypeSub, nil, x, x)
	g.add(compute.OpTypeDiv, nil, x, zero) // would fail
	g.Outputs = []ir.Value{x}
	results := run(t, g.compile(), tensor.Tensor{Shape: shapes.Make(dtypes.Int32), Flat: []int32{7}})
	if got := tensor.Of[int32](results[0])[0]; got != 7 {
		t.Errorf("got %d, want 7", got)
	}
}

func TestDonors(t *testing.T) {
	g := newGraph(t)
	shape := shapes.Make(dtypes.Float32, 2)
	a, b, c := g.AddParameter("a", shape), g.AddParameter("b", shape), g.AddParameter("c", shape)
	sum := g.add(compute.OpTypeAdd, nil, a, b)
	product := g.add(compute.OpTypeMul, nil, sum, b)
	g.Outputs = []ir.Value{sum, product, c}
	p := g.compile()
	if got := p.Donors(); !slices.Equal(got, []int{0, 1, 2}) {
		t.Fatalf("got donors %v, want each parameter for the result in which it ends", got)
	}
	arguments := []tensor.Tensor{floats(1, 2), floats(3, 4), floats(5, 6)}
	if err := p.Run(nil, arguments, arguments); err != nil {
		t.Fatal(err)
	}
	expect(t, arguments[0], 4, 6)
	expect(t, arguments[1], 12, 24)
	expect(t, arguments[2], 5, 6)
}

// TestNoDonorWhileInUse has a result that is written before the parameter is
// read for the last time.
func TestNoDonorWhileInUse(t *testing.T) {
	g := newGraph(t)
	x := g.AddParameter("x", shapes.Make(dtypes.Float32, 2))
	negative := g.add(compute.OpTypeNeg, nil, x)
	g.Outputs = []ir.Value{negative, g.add(compute.OpTypeReverse, ir.Axes{Axes: []int{0}}, x)}
	if got := g.compile().Donors(); !slices.Equal(got, []int{-1, -1}) {
		t.Errorf("got donors %v, want none", got)
	}
}

func TestConcurrentRuns(t *testing.T) {
	g := newGraph(t)
	x := g.AddParameter("x", shapes.Make(dtypes.Float32, 4))
	v := x
	for range 5 {
		v = g.add(compute.OpTypeAdd, nil, g.add(compute.OpTypeNeg, nil, v), x)
	}
	g.Outputs = []ir.Value{v}
	p := g.compile()
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for range 50 {
				results := run(t, p, floats(float32(i), 1, 2, 3))
				expect(t, results[0], 0, 0, 0, 0)
			}
		})
	}
	group.Wait()
}

func TestFailingStepIsAnError(t *testing.T) {
	g := newGraph(t)
	x := g.AddParameter("x", shapes.Make(dtypes.Int32))
	g.Outputs = []ir.Value{g.add(compute.OpTypeDiv, nil, x, g.add(compute.OpTypeSub, nil, x, x))}
	p := g.compile()
	scalar := func() []tensor.Tensor {
		return []tensor.Tensor{{Shape: shapes.Make(dtypes.Int32), Flat: []int32{3}}}
	}
	if err := p.Run(nil, scalar(), scalar()); err == nil || !strings.Contains(err.Error(), "Div") {
		t.Errorf("got %v, want an error of Div", err)
	}
}

func TestCompileRefusesWhatItCannotRun(t *testing.T) {
	g := newGraph(t)
	x := g.AddParameter("x", shapes.MakeDynamic(dtypes.Float32, []int{shapes.DynamicDim}, []string{"n"}))
	g.Outputs = []ir.Value{x}
	if _, err := program.Compile(g.Function); err == nil || !strings.Contains(err.Error(), "dynamic") {
		t.Errorf("got %v, want an error about dynamic axes", err)
	}
	size := g.add(compute.OpTypeDynamicDimensionSize, ir.Axis{}, x)
	g.Parameters, g.ParameterNames, g.Outputs = nil, nil, []ir.Value{size}
	if _, err := program.Compile(g.Function); err == nil {
		t.Error("a function that uses undefined values compiled")
	}
	h := newGraph(t)
	y := h.AddParameter("y", shapes.Make(dtypes.Float32, 2))
	h.Outputs = []ir.Value{h.add(compute.OpTypeDynamicShape, nil, y)}
	if _, err := program.Compile(h.Function); !errors.Is(err, compute.ErrNotImplemented) {
		t.Errorf("got %v, want compute.ErrNotImplemented", err)
	}
}
