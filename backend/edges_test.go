package backend_test

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

// literal is an argument: a slice and its dimensions.
type literal struct {
	flat any
	dims []int
}

func of(flat any, dims ...int) literal { return literal{flat, dims} }

// evaluate runs a computation of the arguments and returns its results' slices.
// It fails if the results differ when the arguments are constants instead.
func evaluate(t testing.TB, arguments []literal, build func(f compute.Function, x []compute.Value) ([]compute.Value, error)) ([]any, error) {
	t.Helper()
	b := newBackend(t, "workers=2")
	var all [2][]any
	for i, constant := range []bool{false, true} {
		builder := b.Builder(t.Name())
		f := builder.Main()
		var values []compute.Value
		var inputs []compute.Buffer
		for j, a := range arguments {
			if constant {
				values = append(values, must(f.Constant(a.flat, a.dims...))(t))
				continue
			}
			shape := shapes.Make(dtypes.FromGoType(reflect.TypeOf(a.flat).Elem()), a.dims...)
			values = append(values, must(f.Parameter(fmt.Sprint("x", j), shape, nil))(t))
			inputs = append(inputs, must(b.BufferFromFlatData(0, a.flat, shape))(t))
		}
		outputs, err := build(f, values)
		if err != nil {
			return nil, err
		}
		finish(t, f, outputs...)
		executable, err := builder.Compile()
		if err != nil {
			return nil, err
		}
		results, err := executable.Execute(inputs, nil, 0)
		if err != nil {
			return nil, err
		}
		for _, r := range results {
			all[i] = append(all[i], must(r.Data())(t))
		}
	}
	if fmt.Sprint(all[0]) != fmt.Sprint(all[1]) {
		t.Errorf("got %v, and %v for constants", all[0], all[1])
	}
	return all[0], nil
}

// one makes a list of the single result of an operation.
func one(v compute.Value, err error) ([]compute.Value, error) { return []compute.Value{v}, err }

type edge struct {
	arguments []literal
	build     func(f compute.Function, x []compute.Value) ([]compute.Value, error)
	want      string // the results, or a part of the error if it begins with "error: "
}

func (e edge) check(t *testing.T) {
	t.Helper()
	results, err := evaluate(t, e.arguments, e.build)
	if part, ok := strings.CutPrefix(e.want, "error: "); ok {
		expectError(t, err, part)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(results...); got != e.want {
		t.Errorf("got %s, want %s", got, e.want)
	}
}

func eachEdge(t *testing.T, edges map[string]edge) {
	for name, e := range edges {
		t.Run(name, e.check)
	}
}

var (
	nan       = float32(math.NaN())
	noFloats  = []float32{}
	twoThirds = []float32{2, 3}
)

// TestNothing has tensors without elements and axes of size 0.
func TestNothing(t *testing.T) {
	type v = compute.Value
	eachEdge(t, map[string]edge{
		"exp":          {[]literal{of(noFloats, 0, 3)}, func(f compute.Function, x []v) ([]v, error) { return one(f.Exp(x[0])) }, "[]"},
		"gelu":         {[]literal{of(noFloats, 0)}, func(f compute.Function, x []v) ([]v, error) { return one(f.FusedGelu(x[0], true)) }, "[]"},
		"softmax":      {[]literal{of(noFloats, 2, 0)}, func(f compute.Function, x []v) ([]v, error) { return one(f.FusedSoftmax(x[0], 1)) }, "[]"},
		"sum":          {[]literal{of(noFloats, 2, 0)}, func(f compute.Function, x []v) ([]v, error) { return one(f.ReduceSum(x[0], 1)) }, "[0 0]"},
		"product":      {[]literal{of(noFloats, 0, 2)}, func(f compute.Function, x []v) ([]v, error) { return one(f.ReduceProduct(x[0], 0)) }, "[1 1]"},
		"largest":      {[]literal{of(noFloats, 0)}, func(f compute.Function, x []v) ([]v, error) { return one(f.ReduceMax(x[0], 0)) }, "[-Inf]"},
		"least of int": {[]literal{of([]int8{}, 0)}, func(f compute.Function, x []v) ([]v, error) { return one(f.ReduceMin(x[0], 0)) }, "[127]"},
		"position":     {[]literal{of(noFloats, 0)}, func(f compute.Function, x []v) ([]v, error) { return one(f.ArgMinMax(x[0], 0, dtypes.Int32, false)) }, "error: has no elements"},
		"product over nothing": {[]literal{of(noFloats, 2, 0), of(noFloats, 0, 2)}, func(f compute.Function, x []v) ([]v, error) {
			return one(f.DotGeneral(x[0], []int{1}, nil, x[1], []int{0}, nil, compute.DotGeneralConfig{}))
		}, "[0 0 0 0]"},
		"product of nothing": {[]literal{of(noFloats, 0, 2), of([]float32{1, 2}, 2, 1)}, func(f compute.Function, x []v) ([]v, error) {
			return one(f.DotGeneral(x[0], []int{1}, nil, x[1], []int{0}, nil, compute.DotGeneralConfig{}))
		}, "[]"},
		"concatenation": {[]literal{of(noFloats, 0), of(twoThirds, 2)}, func(f compute.Function, x []v) ([]v, error) {
			return one(f.Concatenate(0, x...))
		}, "[2 3]"},
		"padding": {[]literal{of(noFloats, 0), of([]float32{7})}, func(f compute.Function, x []v) ([]v, error) {
			return one(f.Pad(x[0], x[1], compute.PadAxis{Start: 1, End: 1}))
		}, "[7 7]"},
		"broadcast": {[]literal{of(noFloats, 0)}, func(f compute.Function, x []v) ([]v, error) {
			return one(f.BroadcastInDim(x[0], shapes.Make(dtypes.Float32, 5, 0), []int{1}))
		}, "[]"},
		"sort": {[]literal{of(noFloats, 0)}, func(f compute.Function, x []v) ([]v, error) { return sorted(f, x[0]) }, "[]"},
		"gather": {[]literal{of(twoThirds, 2), of([]int32{}, 0, 1)}, func(f compute.Function, x []v) ([]v, error) {
			return one(f.Gather(x[0], x[1], 1, nil, []int{0}, []int{0}, []int{1}, false))
		}, "[]"},
	})
}

// sorted sorts x by its only axis in rising order.
func sorted(f compute.Function, x compute.Value) ([]compute.Value, error) {
	less, err := f.Closure()
	if err != nil {
		return nil, err
	}
	var sides [2]compute.Value
	for i, name := range []string{"a", "b"} {
		if sides[i], err = less.Parameter(name, shapes.Make(dtypes.Float32), nil); err != nil {
			return nil, err
		}
	}
	before, err := less.LessThan(sides[0], sides[1])
	if err != nil {
		return nil, err
	}
	if err := less.Return([]compute.Value{before}, nil); err != nil {
		return nil, err
	}
	return f.Sort(less, 0, true, x)
}

// TestScalars has operands without axes.
func TestScalars(t *testing.T) {
	type v = compute.Value
	two, three := of([]float32{2}), of([]float32{3})
	eachEdge(t, map[string]edge{
		"sum over no axes": {[]literal{two}, func(f compute.Function, x []v) ([]v, error) { return one(f.ReduceSum(x[0])) }, "[2]"},
		"sum over axis 0":  {[]literal{two}, func(f compute.Function, x []v) ([]v, error) { return one(f.ReduceSum(x[0], 0)) }, "error: axis 0"},
		"transpose":        {[]literal{two}, func(f compute.Function, x []v) ([]v, error) { return one(f.Transpose(x[0])) }, "[2]"},
		"reverse":          {[]literal{two}, func(f compute.Function, x []v) ([]v, error) { return one(f.Reverse(x[0])) }, "[2]"},
		"slice":            {[]literal{two}, func(f compute.Function, x []v) ([]v, error) { return one(f.Slice(x[0], nil, nil, nil)) }, "[2]"},
		"dynamic slice":    {[]literal{two}, func(f compute.Function, x []v) ([]v, error) { return one(f.DynamicSlice(x[0], nil, nil)) }, "[2]"},
		"reshape":          {[]literal{two}, func(f compute.Function, x []v) ([]v, error) { return one(f.Reshape(x[0], 1, 1)) }, "[2]"},
		"pad":              {[]literal{two, three}, func(f compute.Function, x []v) ([]v, error) { return one(f.Pad(x[0], x[1])) }, "[2]"},
		"where":            {[]literal{of([]bool{true}), two, three}, func(f compute.Function, x []v) ([]v, error) { return one(f.Where(x[0], x[1], x[2])) }, "[2]"},
		"product": {[]literal{two, three}, func(f compute.Function, x []v) ([]v, error) {
			return one(f.DotGeneral(x[0], nil, nil, x[1], nil, nil, compute.DotGeneralConfig{}))
		}, "[6]"},
		"softmax":     {[]literal{two}, func(f compute.Function, x []v) ([]v, error) { return one(f.FusedSoftmax(x[0], 0)) }, "error: axis 0"},
		"position":    {[]literal{two}, func(f compute.Function, x []v) ([]v, error) { return one(f.ArgMinMax(x[0], 0, dtypes.Int32, false)) }, "error: requires a non-scalar"},
		"sort":        {[]literal{two}, func(f compute.Function, x []v) ([]v, error) { return sorted(f, x[0]) }, "error: axis"},
		"concatenate": {[]literal{two, three}, func(f compute.Function, x []v) ([]v, error) { return one(f.Concatenate(0, x...)) }, "error: Concatenate"},
		"iota":        {nil, func(f compute.Function, _ []v) ([]v, error) { return one(f.Iota(shapes.Make(dtypes.Int32), 0)) }, "error: Iota"},
	})
}

// TestNaN follows NaN through what compares numbers. Sorting by less-than keeps
// its place among equals: nothing is before it and it is before nothing.
func TestNaN(t *testing.T) {
	type v = compute.Value
	list := of([]float32{1, nan, 3}, 3)
	rows := of([]float32{1, nan, 3, 4, 5, 6}, 2, 3)
	eachEdge(t, map[string]edge{
		"largest":          {[]literal{list}, func(f compute.Function, x []v) ([]v, error) { return one(f.ReduceMax(x[0], 0)) }, "[NaN]"},
		"smallest":         {[]literal{list}, func(f compute.Function, x []v) ([]v, error) { return one(f.ReduceMin(x[0], 0)) }, "[NaN]"},
		"largest of rows":  {[]literal{rows}, func(f compute.Function, x []v) ([]v, error) { return one(f.ReduceMax(x[0], 1)) }, "[NaN 6]"},
		"least of columns": {[]literal{rows}, func(f compute.Function, x []v) ([]v, error) { return one(f.ReduceMin(x[0], 0)) }, "[1 NaN 3]"},
		"greater":          {[]literal{list, of([]float32{2, 2, nan}, 3)}, func(f compute.Function, x []v) ([]v, error) { return one(f.Max(x[0], x[1])) }, "[2 NaN NaN]"},
		"less":             {[]literal{list, of([]float32{2, 2, nan}, 3)}, func(f compute.Function, x []v) ([]v, error) { return one(f.Min(x[0], x[1])) }, "[1 NaN NaN]"},
		"position of largest": {[]literal{list}, func(f compute.Function, x []v) ([]v, error) {
			return one(f.ArgMinMax(x[0], 0, dtypes.Int32, false))
		}, "[1]"},
		"position of smallest": {[]literal{list}, func(f compute.Function, x []v) ([]v, error) {
			return one(f.ArgMinMax(x[0], 0, dtypes.Int32, true))
		}, "[1]"},
		"sort":    {[]literal{of([]float32{3, nan}, 2)}, func(f compute.Function, x []v) ([]v, error) { return sorted(f, x[0]) }, "[3 NaN]"},
		"equal":   {[]literal{list}, func(f compute.Function, x []v) ([]v, error) { return one(f.Equal(x[0], x[0])) }, "[true false true]"},
		"softmax": {[]literal{of([]float32{0, nan, 0, 0}, 2, 2)}, func(f compute.Function, x []v) ([]v, error) { return one(f.FusedSoftmax(x[0], 1)) }, "[NaN NaN 0.5 0.5]"},
		"to int":  {[]literal{list}, func(f compute.Function, x []v) ([]v, error) { return one(f.ConvertDType(x[0], dtypes.Int8)) }, "[1 0 3]"},
	})
}

// TestIntegers overflow, and are divided by zero.
func TestIntegers(t *testing.T) {
	type v = compute.Value
	hundred := of([]int8{100, 100}, 2)
	product := func(config compute.DotGeneralConfig) func(f compute.Function, x []v) ([]v, error) {
		return func(f compute.Function, x []v) ([]v, error) {
			return one(f.DotGeneral(x[0], []int{0}, nil, x[1], []int{0}, nil, config))
		}
	}
	divide := func(f compute.Function, x []v) ([]v, error) { return one(f.Div(x[0], x[1])) }
	eachEdge(t, map[string]edge{
		"product":            {[]literal{hundred, hundred}, product(compute.DotGeneralConfig{}), "[32]"}, // 20000 modulo 256
		"product in int32":   {[]literal{hundred, hundred}, product(compute.DotGeneralConfig{AccumulatorDType: dtypes.Int32, OutputDType: dtypes.Int32}), "[20000]"},
		"multiplication":     {[]literal{hundred, hundred}, func(f compute.Function, x []v) ([]v, error) { return one(f.Mul(x[0], x[1])) }, "[16 16]"},
		"sum":                {[]literal{hundred}, func(f compute.Function, x []v) ([]v, error) { return one(f.ReduceSum(x[0], 0)) }, "[-56]"},
		"negation":           {[]literal{of([]int8{-128}, 1)}, func(f compute.Function, x []v) ([]v, error) { return one(f.Neg(x[0])) }, "[-128]"},
		"division by zero":   {[]literal{of([]int32{1, 2}, 2), of([]int32{1, 0}, 2)}, divide, "error: zero"},
		"remainder by zero":  {[]literal{of([]uint8{1}), of([]uint8{0})}, func(f compute.Function, x []v) ([]v, error) { return one(f.Rem(x[0], x[1])) }, "error: zero"},
		"least by minus one": {[]literal{of([]int32{math.MinInt32}), of([]int32{-1})}, divide, "[-2147483648]"},
		"no divisors":        {[]literal{of([]int32{}, 0), of([]int32{}, 0)}, divide, "[]"},
		"shift by 40":        {[]literal{of([]int32{1}), of([]int32{40})}, func(f compute.Function, x []v) ([]v, error) { return one(f.ShiftLeft(x[0], x[1])) }, "[0]"},
	})
}

// TestTooLarge asks for 10^12 elements in several ways: an error before any
// memory is taken.
func TestTooLarge(t *testing.T) {
	type v = compute.Value
	const million = 1000 * 1000
	huge := shapes.Make(dtypes.Float64, million, million)
	x := of([]float64{1})
	eachEdge(t, map[string]edge{
		"broadcast": {[]literal{x}, func(f compute.Function, x []v) ([]v, error) { return one(f.BroadcastInDim(x[0], huge, nil)) }, "error: bytes"},
		"within": {[]literal{x}, func(f compute.Function, x []v) ([]v, error) {
			wide, err := f.BroadcastInDim(x[0], huge, nil)
			if err != nil {
				return nil, err
			}
			wide, err = f.Transpose(wide, 1, 0)
			if err != nil {
				return nil, err
			}
			return one(f.Slice(wide, []int{0, 0}, []int{1, 1}, []int{1, 1}))
		}, "error: bytes"},
		"outer product": {[]literal{of(make([]float64, million), million)}, func(f compute.Function, x []v) ([]v, error) {
			return one(f.DotGeneral(x[0], nil, nil, x[0], nil, nil, compute.DotGeneralConfig{}))
		}, "error: bytes"},
		"padding": {[]literal{of([]float64{1}, 1), x}, func(f compute.Function, x []v) ([]v, error) {
			return one(f.Pad(x[0], x[1], compute.PadAxis{End: million * million}))
		}, "error: bytes"},
		"beyond integers": {[]literal{of([]float64{1}, 1), x}, func(f compute.Function, x []v) ([]v, error) {
			return one(f.Pad(x[0], x[1], compute.PadAxis{Start: math.MaxInt, End: math.MaxInt}))
		}, "error: Pad"},
	})
}

// TestBadPrograms are refused when they are built.
func TestBadPrograms(t *testing.T) {
	type v = compute.Value
	scalar, pair := shapes.Make(dtypes.Float32), shapes.Make(dtypes.Float32, 2)
	// closure makes a function of one parameter.
	closure := func(f compute.Function, shape shapes.Shape, result func(c compute.Function, x v) (v, error)) (compute.Function, error) {
		c, err := f.Closure()
		if err != nil {
			return nil, err
		}
		x, err := c.Parameter("x", shape, nil)
		if err != nil {
			return nil, err
		}
		y, err := result(c, x)
		if err != nil {
			return nil, err
		}
		return c, c.Return([]v{y}, nil)
	}
	loop := func(condition, body func(c compute.Function, x v) (v, error)) func(f compute.Function, x []v) ([]v, error) {
		return func(f compute.Function, x []v) ([]v, error) {
			c, err := closure(f, pair, condition)
			if err != nil {
				return nil, err
			}
			b, err := closure(f, pair, body)
			if err != nil {
				return nil, err
			}
			return f.While(c, b, x[0])
		}
	}
	always := func(c compute.Function, _ v) (v, error) { return c.Constant([]bool{true}) }
	same := func(_ compute.Function, x v) (v, error) { return x, nil }
	two := of(twoThirds, 2)
	eachEdge(t, map[string]edge{
		"loop that grows": {[]literal{two}, loop(always, func(c compute.Function, x v) (v, error) { return c.Concatenate(0, x, x) }), "error: While"},
		"loop that changes type": {[]literal{two}, loop(always, func(c compute.Function, x v) (v, error) {
			return c.ConvertDType(x, dtypes.Float64)
		}), "error: While"},
		"condition of floats": {[]literal{two}, loop(same, same), "error: While"},
		"branches that differ": {[]literal{of([]bool{true})}, func(f compute.Function, x []v) ([]v, error) {
			var branches [2]compute.Function
			for i := range branches {
				var err error
				if branches[i], err = f.Closure(); err != nil {
					return nil, err
				}
				constant, err := branches[i].Constant(make([]float32, i+1), i+1)
				if err != nil {
					return nil, err
				}
				if err := branches[i].Return([]v{constant}, nil); err != nil {
					return nil, err
				}
			}
			return f.If(x[0], branches[0], branches[1])
		}, "error: If"},
		"comparator of floats": {[]literal{two}, func(f compute.Function, x []v) ([]v, error) {
			c, err := closure(f, scalar, same)
			if err != nil {
				return nil, err
			}
			return f.Sort(c, 0, false, x[0])
		}, "error: Sort"},
		"complex numbers":   {[]literal{two}, func(f compute.Function, x []v) ([]v, error) { return one(f.ConvertDType(x[0], dtypes.Complex64)) }, "error: Complex64"},
		"erf of integers":   {[]literal{of([]int32{1}, 1)}, func(f compute.Function, x []v) ([]v, error) { return one(f.Erf(x[0])) }, "error: Erf"},
		"gelu of integers":  {[]literal{of([]int32{1}, 1)}, func(f compute.Function, x []v) ([]v, error) { return one(f.FusedGelu(x[0], true)) }, "error: FusedGelu"},
		"sum of booleans":   {[]literal{of([]bool{true}, 1)}, func(f compute.Function, x []v) ([]v, error) { return one(f.ReduceSum(x[0], 0)) }, "error: ReduceSum"},
		"slice backwards":   {[]literal{two}, func(f compute.Function, x []v) ([]v, error) { return one(f.Slice(x[0], []int{1}, []int{0}, []int{1})) }, "error: Slice"},
		"stride of zero":    {[]literal{two}, func(f compute.Function, x []v) ([]v, error) { return one(f.Slice(x[0], []int{0}, []int{1}, []int{0})) }, "error: Slice"},
		"axis twice":        {[]literal{two}, func(f compute.Function, x []v) ([]v, error) { return one(f.ReduceSum(x[0], 0, 0)) }, "error: axis 0"},
		"not a permutation": {[]literal{of(twoThirds, 1, 2)}, func(f compute.Function, x []v) ([]v, error) { return one(f.Transpose(x[0], 0, 0)) }, "error: Transpose"},
	})
}
