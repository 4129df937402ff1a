package program_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/descentml/descent/backend/ir"
	"github.com/descentml/descent/backend/program"
	"github.com/descentml/descent/backend/tensor"
)

// after returns the dump of the function after the last pass of a name.
func (g graph) after(pass string) string {
	g.t.Helper()
	var b bytes.Buffer
	if err := program.Dump(&b, g.Function); err != nil {
		g.t.Fatal(err)
	}
	_, text, found := cutLast(b.String(), "after "+pass+":\n")
	if !found {
		g.t.Fatalf("there is no pass %q in:\n%s", pass, b.String())
	}
	text, _, _ = strings.Cut(text, "\nafter ")
	return text
}

func cutLast(text, separator string) (before, after string, found bool) {
	i := strings.LastIndex(text, separator)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+len(separator):], true
}

// count fails unless an operation stands so many times in the text.
func (g graph) count(pass, operation string, want int) {
	g.t.Helper()
	text := g.after(pass)
	if got := strings.Count(text, "= "+operation+"("); got != want {
		g.t.Errorf("%d times %s after %s, want %d:\n%s", got, operation, pass, want, text)
	}
}

func matrix(rows, columns int) shapes.Shape { return shapes.Make(dtypes.Float32, rows, columns) }

func number(x float32) tensor.Tensor {
	return tensor.Tensor{Shape: shapes.Make(dtypes.Float32), Flat: []float32{x}}
}

func TestCallsAreInlined(t *testing.T) {
	double := newGraph(t)
	x := double.AddParameter("x", vector2)
	double.Outputs = []ir.Value{double.add(compute.OpTypeAdd, nil, x, x)}
	twice := newGraph(t)
	y := twice.AddParameter("y", vector2)
	twice.Outputs = twice.control(compute.OpTypeCall, nil, twice.control(compute.OpTypeCall, nil, []ir.Value{y}, double), double)
	g := newGraph(t)
	g.Outputs = g.control(compute.OpTypeCall, nil, []ir.Value{g.AddParameter("z", vector2)}, twice)
	g.count("inline", "Call", 0)
	g.count("inline", "Add", 2)
	expect(t, run(t, g.compile(), floats(1, 2))[0], 4, 8)
}

func TestConstantsAreFolded(t *testing.T) {
	g := newGraph(t)
	x := g.AddParameter("x", vector2)
	sum := g.add(compute.OpTypeAdd, nil, g.AddConstant(number(2)), g.AddConstant(number(3)))
	zero := g.AddConstant(tensor.Tensor{Shape: shapes.Make(dtypes.Int32), Flat: []int32{0}})
	quotient := g.add(compute.OpTypeDiv, nil, zero, zero) // fails when it runs, not before
	g.Outputs = []ir.Value{g.add(compute.OpTypeMul, nil, x, sum)}
	g.count("fold", "Add", 0)
	expect(t, run(t, g.compile(), floats(1, 2))[0], 5, 10)
	g.Outputs = append(g.Outputs, quotient)
	g.count("fold", "Div", 1)
}

func TestRepetitionIsComputedOnce(t *testing.T) {
	g := newGraph(t)
	x := g.AddParameter("x", vector2)
	a := g.add(compute.OpTypeExp, nil, g.add(compute.OpTypeNeg, nil, x))
	b := g.add(compute.OpTypeExp, nil, g.add(compute.OpTypeNeg, nil, x))
	g.Outputs = []ir.Value{g.add(compute.OpTypeSub, nil, a, b)}
	g.count("common", "Exp", 1)
	expect(t, run(t, g.compile(), floats(1, 2))[0], 0, 0)
}

// TestSimplifications has one computation per row, and how often an operation
// is left of it.
func TestSimplifications(t *testing.T) {
	transpose := func(g graph, x ir.Value) ir.Value {
		return g.add(compute.OpTypeTranspose, ir.Axes{Axes: []int{1, 0}}, x)
	}
	reshape := func(g graph, x ir.Value, dimensions ...int) ir.Value {
		return g.add(compute.OpTypeReshape, ir.Target{Shape: shapes.Make(dtypes.Float32, dimensions...)}, x)
	}
	product := ir.Dot{LHSContracting: []int{1}, RHSContracting: []int{0}}
	for name, test := range map[string]struct {
		build     func(g graph, x ir.Value) ir.Value
		operation string
		left      int
	}{
		"two transpositions":        {func(g graph, x ir.Value) ir.Value { return transpose(g, transpose(g, x)) }, "Transpose", 0},
		"two reshapes":              {func(g graph, x ir.Value) ir.Value { return reshape(g, reshape(g, x, 6), 3, 2) }, "Reshape", 1},
		"a reshape back":            {func(g graph, x ir.Value) ir.Value { return reshape(g, reshape(g, x, 6), 2, 3) }, "Reshape", 0},
		"times one":                 {func(g graph, x ir.Value) ir.Value { return g.add(compute.OpTypeMul, nil, x, g.AddConstant(number(1))) }, "Mul", 0},
		"one times":                 {func(g graph, x ir.Value) ir.Value { return g.add(compute.OpTypeMul, nil, g.AddConstant(number(1)), x) }, "Mul", 0},
		"divided by one":            {func(g graph, x ir.Value) ir.Value { return g.add(compute.OpTypeDiv, nil, x, g.AddConstant(number(1))) }, "Div", 0},
		"one divided by":            {func(g graph, x ir.Value) ir.Value { return g.add(compute.OpTypeDiv, nil, g.AddConstant(number(1)), x) }, "Div", 1},
		"plus zero, which makes -0": {func(g graph, x ir.Value) ir.Value { return g.add(compute.OpTypeAdd, nil, x, g.AddConstant(number(0))) }, "Add", 1},
		"a square":                  {func(g graph, x ir.Value) ir.Value { return g.add(compute.OpTypePow, nil, x, g.AddConstant(number(2))) }, "Pow", 0},
		"a transposed operand": {func(g graph, x ir.Value) ir.Value {
			return g.add(compute.OpTypeDotGeneral, product, x, transpose(g, x))
		}, "Transpose", 0},
		"a transposed product": {func(g graph, x ir.Value) ir.Value {
			return transpose(g, g.add(compute.OpTypeDotGeneral, product, x, reshape(g, x, 3, 2)))
		}, "Transpose", 0},
		"widened and back": {func(g graph, x ir.Value) ir.Value {
			wide := g.add(compute.OpTypeConvertDType, ir.DType{DType: dtypes.Float64}, x)
			return g.add(compute.OpTypeConvertDType, ir.DType{DType: dtypes.Float32}, wide)
		}, "ConvertDType", 0},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGraph(t)
			g.Outputs = []ir.Value{test.build(g, g.AddParameter("x", matrix(2, 3)))}
			g.count("simplify", test.operation, test.left)
		})
	}
}

// TestTransposedProductIsTheSame compares with the product by hand.
func TestTransposedProductIsTheSame(t *testing.T) {
	g := newGraph(t)
	x, y := g.AddParameter("x", matrix(1, 2)), g.AddParameter("y", matrix(2, 3))
	product := g.add(compute.OpTypeDotGeneral, ir.Dot{LHSContracting: []int{1}, RHSContracting: []int{0}}, x, y)
	g.Outputs = []ir.Value{g.add(compute.OpTypeTranspose, ir.Axes{Axes: []int{1, 0}}, product)}
	a := tensor.Tensor{Shape: matrix(1, 2), Flat: []float32{1, 2}}
	b := tensor.Tensor{Shape: matrix(2, 3), Flat: []float32{1, 2, 3, 4, 5, 6}}
	expect(t, run(t, g.compile(), a, b)[0], 9, 12, 15)
}
