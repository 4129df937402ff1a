package program_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/descentml/descent/backend/ir"
	"github.com/descentml/descent/backend/program"
	"github.com/descentml/descent/backend/tensor"
)

func (g graph) control(op compute.OpType, attributes any, inputs []ir.Value, bodies ...graph) []ir.Value {
	g.t.Helper()
	functions := make([]*ir.Function, len(bodies))
	for i, body := range bodies {
		functions[i] = body.Function
	}
	n, err := g.Add(op, attributes, inputs, functions...)
	if err != nil {
		g.t.Fatal(err)
	}
	return n.Outputs
}

var vector2 = shapes.Make(dtypes.Float32, 2)

// TestWhileDoubles doubles x until its sum reaches a limit that both condition
// and body get from outside; the number of rounds decides in which memory the
// state ends.
func TestWhileDoubles(t *testing.T) {
	condition := newGraph(t)
	x := condition.AddParameter("x", vector2)
	limit := condition.AddParameter("", shapes.Make(dtypes.Float32))
	sum := condition.add(compute.OpTypeReduceSum, ir.Axes{Axes: []int{0}}, x)
	condition.Outputs = []ir.Value{condition.add(compute.OpTypeLessThan, nil, sum, limit)}

	body := newGraph(t)
	y := body.AddParameter("x", vector2)
	factor := body.AddParameter("", shapes.Make(dtypes.Float32))
	body.Outputs = []ir.Value{body.add(compute.OpTypeMul, nil, y, factor)}

	g := newGraph(t)
	start := g.AddParameter("start", vector2)
	inputs := []ir.Value{start, g.AddParameter("limit", shapes.Make(dtypes.Float32)), g.AddParameter("factor", shapes.Make(dtypes.Float32))}
	g.Outputs = g.control(compute.OpTypeWhile, ir.While{State: 1, CondArguments: 1}, inputs, condition, body)
	p := g.compile()
	scalar := func(x float32) tensor.Tensor {
		return tensor.Tensor{Shape: shapes.Make(dtypes.Float32), Flat: []float32{x}}
	}
	for limit, want := range map[float32][]float32{0: {1, 2}, 4: {2, 4}, 10: {4, 8}, 20: {8, 16}} {
		argument := floats(1, 2)
		expect(t, run(t, p, argument, scalar(limit), scalar(2))[0], want...)
		expect(t, argument, 1, 2)
	}
}

// TestWhileSwapsItsState has a body that only exchanges two values.
func TestWhileSwapsItsState(t *testing.T) {
	integer := shapes.Make(dtypes.Int32)
	condition, body := newGraph(t), newGraph(t)
	for _, f := range []graph{condition, body} {
		f.AddParameter("n", integer)
		f.AddParameter("a", vector2)
		f.AddParameter("b", vector2)
	}
	zero := condition.AddConstant(tensor.Tensor{Shape: integer, Flat: []int32{0}})
	condition.Outputs = []ir.Value{condition.add(compute.OpTypeGreaterThan, nil, condition.Parameters[0], zero)}
	one := body.AddConstant(tensor.Tensor{Shape: integer, Flat: []int32{1}})
	body.Outputs = []ir.Value{body.add(compute.OpTypeSub, nil, body.Parameters[0], one), body.Parameters[2], body.Parameters[1]}
	g := newGraph(t)
	inputs := []ir.Value{g.AddParameter("n", integer), g.AddParameter("a", vector2), g.AddParameter("b", vector2)}
	g.Outputs = g.control(compute.OpTypeWhile, ir.While{State: 3}, inputs, condition, body)
	p := g.compile()
	for n := range int32(4) {
		results := run(t, p, tensor.Tensor{Shape: integer, Flat: []int32{n}}, floats(1, 2), floats(3, 4))
		want := [][]float32{{1, 2}, {3, 4}}
		if n%2 == 1 {
			slices.Reverse(want)
		}
		expect(t, results[1], want[0]...)
		expect(t, results[2], want[1]...)
	}
}

func TestIfTakesOneBranch(t *testing.T) {
	negate, double := newGraph(t), newGraph(t)
	x, y := negate.AddParameter("", vector2), double.AddParameter("", vector2)
	negate.Outputs = []ir.Value{negate.add(compute.OpTypeNeg, nil, x)}
	double.Outputs = []ir.Value{double.add(compute.OpTypeAdd, nil, y, y)}
	g := newGraph(t)
	inputs := []ir.Value{g.AddParameter("p", shapes.Make(dtypes.Bool)), g.AddParameter("x", vector2), g.AddParameter("y", vector2)}
	g.Outputs = g.control(compute.OpTypeIf, ir.If{TrueArguments: 1}, inputs, negate, double)
	p := g.compile()
	for predicate, want := range map[bool][]float32{true: {-1, -2}, false: {6, 8}} {
		argument := tensor.Tensor{Shape: shapes.Make(dtypes.Bool), Flat: []bool{predicate}}
		expect(t, run(t, p, argument, floats(1, 2), floats(3, 4))[0], want...)
	}
}

// TestCallKeepsCallsApart calls one function twice with different arguments.
func TestCallKeepsCallsApart(t *testing.T) {
	double := newGraph(t)
	x := double.AddParameter("x", vector2)
	double.Outputs = []ir.Value{double.add(compute.OpTypeAdd, nil, x, x)}
	g := newGraph(t)
	a := g.AddParameter("a", vector2)
	once := g.control(compute.OpTypeCall, nil, []ir.Value{a}, double)
	g.Outputs = append(g.control(compute.OpTypeCall, nil, once, double), once...)
	results := run(t, g.compile(), floats(1, 2))
	expect(t, results[0], 4, 8)
	expect(t, results[1], 2, 4)
}

// TestSortByDistance sorts pairs by how far their first element is from a value
// that the comparator gets from outside. Equals keep their order.
func TestSortByDistance(t *testing.T) {
	scalar := shapes.Make(dtypes.Float32)
	less := newGraph(t)
	left, right := less.AddParameter("", scalar), less.AddParameter("", scalar)
	less.AddParameter("", scalar)
	less.AddParameter("", scalar)
	center := less.AddParameter("", scalar)
	distance := func(v ir.Value) ir.Value {
		return less.add(compute.OpTypeAbs, nil, less.add(compute.OpTypeSub, nil, v, center))
	}
	less.Outputs = []ir.Value{less.add(compute.OpTypeLessThan, nil, distance(left), distance(right))}
	g := newGraph(t)
	four := shapes.Make(dtypes.Float32, 4)
	inputs := []ir.Value{g.AddParameter("keys", four), g.AddParameter("values", four), g.AddParameter("center", scalar)}
	g.Outputs = g.control(compute.OpTypeSort, ir.Sort{Operands: 2, Stable: true}, inputs, less)
	results := run(t, g.compile(), floats(9, 4, 6, 5), floats(1, 2, 3, 4), tensor.Tensor{Shape: scalar, Flat: []float32{5}})
	expect(t, results[0], 5, 4, 6, 9)
	expect(t, results[1], 4, 2, 3, 1)
}

// TestSpecialize flattens all but the last axis, with sizes computed from the
// shape, and repeats a row as often as there are rows.
func TestSpecialize(t *testing.T) {
	g := newGraph(t)
	x := g.AddParameter("x", shapes.MakeDynamic(dtypes.Float32, []int{-1, -1, 2}, []string{"batch", "time", ""}))
	size := func(axis int) ir.Value { return g.add(compute.OpTypeDynamicDimensionSize, ir.Axis{Axis: axis}, x) }
	rows := g.add(compute.OpTypeMul, nil, size(0), size(1))
	matrix := g.add(compute.OpTypeDynamicReshape, ir.DynamicReshape{Axes: []ir.DynamicAxis{{Name: "rows", FromInput: true}, {Name: "columns"}}}, x, rows)
	row := g.AddConstant(floats(10, 20))
	target := shapes.MakeDynamic(dtypes.Float32, []int{-1, 2}, []string{"rows", ""})
	repeated := g.add(compute.OpTypeBroadcastInDim, ir.BroadcastInDim{Target: target, Axes: []int{1}}, row)
	g.Outputs = []ir.Value{matrix, repeated, g.add(compute.OpTypeDynamicShape, nil, x)}

	special, err := program.Specialize(g.Function, shapes.AxisBindings{"batch": 1, "time": 2})
	if err != nil {
		t.Fatal(err)
	}
	p, err := program.Compile(special)
	if err != nil {
		t.Fatal(err)
	}
	argument, err := tensor.FromFlat(shapes.Make(dtypes.Float32, 1, 2, 2), []float32{1, 2, 3, 4})
	if err != nil {
		t.Fatal(err)
	}
	results := run(t, p, argument)
	expect(t, results[0], 1, 2, 3, 4)
	expect(t, results[1], 10, 20, 10, 20)
	if want := []int{2, 2}; !slices.Equal(results[0].Shape.Dimensions, want) {
		t.Errorf("got dimensions %v, want %v", results[0].Shape.Dimensions, want)
	}
	if got := tensor.Of[int32](results[2]); !slices.Equal(got, []int32{1, 2, 2}) {
		t.Errorf("got shape %v, want [1 2 2]", got)
	}
}

func TestSpecializeRefuses(t *testing.T) {
	dynamic := shapes.MakeDynamic(dtypes.Int32, []int{-1}, []string{"n"})
	g := newGraph(t)
	x := g.AddParameter("x", dynamic)
	sum := g.add(compute.OpTypeReduceSum, ir.Axes{Axes: []int{0}}, x)
	g.Outputs = []ir.Value{g.add(compute.OpTypeDynamicReshape, ir.DynamicReshape{Axes: []ir.DynamicAxis{{Name: "m", FromInput: true}}}, x, sum)}
	if _, err := program.Specialize(g.Function, shapes.AxisBindings{"n": 3}); err == nil || !strings.Contains(err.Error(), "depends on data") {
		t.Errorf("got %v, want an error about a size that depends on data", err)
	}
	if _, err := program.Specialize(g.Function, nil); err == nil || !strings.Contains(err.Error(), `"n"`) {
		t.Errorf("got %v, want an error about the axis n", err)
	}
	h := newGraph(t)
	y := h.AddParameter("y", dynamic)
	h.Outputs = []ir.Value{h.add(compute.OpTypeDynamicReshape, ir.DynamicReshape{Axes: []ir.DynamicAxis{{Size: 2}, {Name: "m"}}}, y)}
	if _, err := program.Specialize(h.Function, shapes.AxisBindings{"n": 3}); err == nil || !strings.Contains(err.Error(), "cannot infer") {
		t.Errorf("got %v, want an error about an axis that cannot be inferred", err)
	}
}
