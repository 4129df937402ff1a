package ir_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/descentml/descent/backend/ir"
	"github.com/descentml/descent/backend/tensor"
)

func Example() {
	f := &ir.Function{Name: "norm"}
	x := f.AddParameter("x", shapes.Make(dtypes.Float32, 3))
	square, err := f.Add(compute.OpTypeMul, nil, []ir.Value{x, x})
	if err != nil {
		panic(err)
	}
	sum, err := f.Add(compute.OpTypeReduceSum, ir.Axes{Axes: []int{0}}, square.Outputs)
	if err != nil {
		panic(err)
	}
	f.Outputs = sum.Outputs
	fmt.Print(f)
	// Output:
	// func norm(%0 x (Float32)[3]) {
	//   %1 (Float32)[3] = Mul(%0, %0)
	//   %2 (Float32) = ReduceSum(%1) {Axes:[0]}
	//   return %2
	// }
}

func vector(n int) shapes.Shape { return shapes.Make(dtypes.Float32, n) }

// identity is a function of one parameter that returns it.
func identity(shape shapes.Shape) *ir.Function {
	f := &ir.Function{}
	f.Outputs = []ir.Value{f.AddParameter("", shape)}
	return f
}

func TestInferRefusesBadPrograms(t *testing.T) {
	boolean := shapes.Make(dtypes.Bool)
	cases := []struct {
		name       string
		op         compute.OpType
		attributes any
		inputs     []shapes.Shape
		bodies     []*ir.Function
		want       string
	}{
		{"different shapes", compute.OpTypeAdd, nil, []shapes.Shape{vector(2), vector(3)}, nil, "Add((Float32)[2], (Float32)[3])"},
		{"missing operand", compute.OpTypeAdd, nil, []shapes.Shape{vector(2)}, nil, "got 1 inputs, expected 2"},
		{"unwanted attributes", compute.OpTypeAdd, ir.Axis{}, []shapes.Shape{vector(2), vector(2)}, nil, "takes no attributes"},
		{"wrong attributes", compute.OpTypeReduceSum, ir.Axis{}, []shapes.Shape{vector(2)}, nil, "expected ir.Axes"},
		{"unwanted function", compute.OpTypeNeg, nil, []shapes.Shape{vector(2)}, []*ir.Function{identity(vector(2))}, "takes no functions"},
		{"axis out of range", compute.OpTypeReduceSum, ir.Axes{Axes: []int{1}}, []shapes.Shape{vector(2)}, nil, "axis 1"},
		{"axis twice", compute.OpTypeReverse, ir.Axes{Axes: []int{0, 0}}, []shapes.Shape{vector(2)}, nil, "twice"},
		{"bits of floats", compute.OpTypeReduceBitwiseAnd, ir.Axes{}, []shapes.Shape{vector(2)}, nil, "integer"},
		{"sum of booleans", compute.OpTypeReduceSum, ir.Axes{}, []shapes.Shape{boolean}, nil, "numbers"},
		{"logic of floats", compute.OpTypeReduceLogicalOr, ir.Axes{}, []shapes.Shape{vector(2)}, nil, "boolean"},
		{"permutation too short", compute.OpTypeTranspose, ir.Axes{}, []shapes.Shape{vector(2)}, nil, "Transpose"},
		{"reshape to another size", compute.OpTypeReshape, ir.Target{Shape: vector(5)}, []shapes.Shape{vector(2)}, nil, "Reshape"},
		{"broadcast axes decrease", compute.OpTypeBroadcastInDim,
			ir.BroadcastInDim{Target: shapes.Make(dtypes.Float32, 2, 2), Axes: []int{1, 0}}, []shapes.Shape{shapes.Make(dtypes.Float32, 2, 2)}, nil, "increasing"},
		{"pad with another type", compute.OpTypePad, ir.Pad{Axes: make([]compute.PadAxis, 1)}, []shapes.Shape{vector(2), boolean}, nil, "fill value"},
		{"kernel of another type", compute.OpTypeConvGeneral, ir.Conv{}, []shapes.Shape{vector(2), boolean}, nil, "same data type"},
		{"start indices missing", compute.OpTypeDynamicSlice, ir.DynamicSlice{Sizes: []int{1}}, []shapes.Shape{vector(2)}, nil, "start index"},
		{"update too large", compute.OpTypeDynamicUpdateSlice, nil, []shapes.Shape{vector(2), vector(3), shapes.Make(dtypes.Int32)}, nil, "update has size 3"},
		{"softmax of integers", compute.OpTypeFusedSoftmax, ir.Axis{}, []shapes.Shape{shapes.Make(dtypes.Int32, 2)}, nil, "float"},
		{"predicate not boolean", compute.OpTypeIf, ir.If{TrueArguments: 1}, []shapes.Shape{vector(1), vector(2), vector(2)},
			[]*ir.Function{identity(vector(2)), identity(vector(2))}, "predicate"},
		{"branches differ", compute.OpTypeIf, ir.If{TrueArguments: 1}, []shapes.Shape{boolean, vector(2), vector(3)},
			[]*ir.Function{identity(vector(2)), identity(vector(3))}, "false branch"},
		{"condition not boolean", compute.OpTypeWhile, ir.While{State: 1}, []shapes.Shape{vector(2)},
			[]*ir.Function{identity(vector(2)), identity(vector(2))}, "condition"},
		{"wrong arguments", compute.OpTypeCall, nil, []shapes.Shape{vector(3)}, []*ir.Function{identity(vector(2))}, "arguments"},
		{"too large to store", compute.OpTypeBroadcastInDim, ir.BroadcastInDim{Target: shapes.Make(dtypes.Float32, 1<<40, 1<<40)},
			[]shapes.Shape{shapes.Make(dtypes.Float32)}, nil, "too many elements"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := ir.Infer(c.op, c.attributes, c.inputs, c.bodies...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestInferOfUnknownOperation(t *testing.T) {
	_, err := ir.Infer(compute.OpTypeAllReduce, nil, nil)
	if !errors.Is(err, compute.ErrNotImplemented) {
		t.Errorf("got %v, want compute.ErrNotImplemented", err)
	}
}

func TestAddRefusesForeignValues(t *testing.T) {
	f := identity(vector(2))
	if _, err := f.Add(compute.OpTypeNeg, nil, []ir.Value{7}); err == nil || !strings.Contains(err.Error(), "value 7") {
		t.Errorf("got %v, want an error about value 7", err)
	}
}

// TestVerify breaks a function in each way that a pass could.
func TestVerify(t *testing.T) {
	build := func() *ir.Function {
		f := &ir.Function{}
		x := f.AddParameter("x", vector(2))
		first, err := f.Add(compute.OpTypeNeg, nil, []ir.Value{x})
		if err != nil {
			t.Fatal(err)
		}
		second, err := f.Add(compute.OpTypeAbs, nil, first.Outputs)
		if err != nil {
			t.Fatal(err)
		}
		f.Outputs = second.Outputs
		return f
	}
	if err := ir.Verify(build()); err != nil {
		t.Errorf("well-formed function: %v", err)
	}
	breakages := map[string]func(*ir.Function){
		"used before":      func(f *ir.Function) { f.Nodes[0], f.Nodes[1] = f.Nodes[1], f.Nodes[0] },
		"defined twice":    func(f *ir.Function) { f.Nodes[1].Outputs = f.Nodes[0].Outputs },
		"does not exist":   func(f *ir.Function) { f.Nodes[1].Outputs = []ir.Value{9} },
		"output: value":    func(f *ir.Function) { f.Outputs = []ir.Value{9} },
		"no attributes":    func(f *ir.Function) { f.Nodes[0].Attributes = ir.Axis{} },
		"constant has":     func(f *ir.Function) { f.Nodes[0] = &ir.Node{Op: compute.OpTypeConstant, Outputs: f.Nodes[0].Outputs} },
		"Equal's outputs":  func(f *ir.Function) { f.Nodes[0].Op, f.Nodes[0].Inputs = compute.OpTypeEqual, []ir.Value{0, 0} },
		"parameter: value": func(f *ir.Function) { f.Parameters = append(f.Parameters, f.Parameters[0]) },
	}
	for want, damage := range breakages {
		f := build()
		damage(f)
		if err := ir.Verify(f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

func TestKeysTellNodesApart(t *testing.T) {
	f := &ir.Function{}
	x := f.AddParameter("x", shapes.Make(dtypes.Float32, 2, 2))
	add := func(op compute.OpType, attributes any, inputs ...ir.Value) *ir.Node {
		t.Helper()
		n, err := f.Add(op, attributes, inputs)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	constant := func(flat ...float32) *ir.Node {
		t.Helper()
		data, err := tensor.FromFlat(vector(len(flat)), flat)
		if err != nil {
			t.Fatal(err)
		}
		f.AddConstant(data)
		return f.Nodes[len(f.Nodes)-1]
	}
	zero := float32(0)
	different := []*ir.Node{
		add(compute.OpTypeReduceSum, ir.Axes{Axes: []int{0}}, x),
		add(compute.OpTypeReduceSum, ir.Axes{Axes: []int{1}}, x),
		add(compute.OpTypeReduceMax, ir.Axes{Axes: []int{0}}, x),
		add(compute.OpTypeConvertDType, ir.DType{DType: dtypes.Float64}, x),
		add(compute.OpTypeConvertDType, ir.DType{DType: dtypes.Float16}, x),
		constant(0), constant(-zero, 0), constant(1),
	}
	seen := map[string]int{}
	for i, n := range different {
		if j, ok := seen[n.Key()]; ok {
			t.Errorf("nodes %d and %d share the key %q", j, i, n.Key())
		}
		seen[n.Key()] = i
	}
	if again := add(compute.OpTypeReduceSum, ir.Axes{Axes: []int{0}}, x); again.Key() != different[0].Key() {
		t.Errorf("equal nodes have keys %q and %q", again.Key(), different[0].Key())
	}
	if barrier := add(compute.OpTypeOptimizationBarrier, nil, x); barrier.Key() != "" {
		t.Errorf("a barrier has the key %q, want none", barrier.Key())
	}
	if large := constant(make([]float32, 1000)...); large.Key() != "" {
		t.Error("a large constant has a key, want none")
	}
}
