package backend_test

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
	"github.com/gomlx/compute/support/testutil"

	"github.com/descentml/descent/backend"
)

func Example() {
	b, err := compute.NewWithConfig("descent:workers=2")
	if err != nil {
		panic(err)
	}
	defer b.Finalize()
	builder := b.Builder("square")
	f := builder.Main()
	x, err := f.Parameter("x", shapes.Make(dtypes.Float32, 3), nil)
	if err != nil {
		panic(err)
	}
	square, err := f.Mul(x, x)
	if err != nil {
		panic(err)
	}
	if err := f.Return([]compute.Value{square}, nil); err != nil {
		panic(err)
	}
	executable, err := builder.Compile()
	if err != nil {
		panic(err)
	}
	input, err := b.BufferFromFlatData(0, []float32{1, 2, 3}, shapes.Make(dtypes.Float32, 3))
	if err != nil {
		panic(err)
	}
	outputs, err := executable.Execute([]compute.Buffer{input}, nil, 0)
	if err != nil {
		panic(err)
	}
	fmt.Println(outputs[0].Data())
	// Output: [1 4 9] <nil>
}

var vector3 = shapes.Make(dtypes.Float32, 3)

// compile builds a computation from parameters of the given shapes.
func compile(t testing.TB, b compute.Backend, parameters []shapes.Shape, build func(f compute.Function, x []compute.Value) []compute.Value) compute.Executable {
	t.Helper()
	builder := b.Builder(t.Name())
	f := builder.Main()
	values := make([]compute.Value, len(parameters))
	for i, shape := range parameters {
		values[i] = must(f.Parameter(fmt.Sprint("x", i), shape, nil))(t)
	}
	if err := f.Return(build(f, values), nil); err != nil {
		t.Fatal(err)
	}
	return must(builder.Compile())(t)
}

// must stops the test if a call fails: must(f(x))(t).
func must[T any](x T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
}

func buffer(t testing.TB, b compute.Backend, flat ...float32) compute.Buffer {
	t.Helper()
	return must(b.BufferFromFlatData(0, flat, shapes.Make(dtypes.Float32, len(flat))))(t)
}

func expect(t testing.TB, got compute.Buffer, want ...float32) {
	t.Helper()
	if flat := must(got.Data())(t).([]float32); !slices.Equal(flat, want) {
		t.Errorf("got %v, want %v", flat, want)
	}
}

func expectError(t testing.TB, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, want one with %q", err, want)
	}
}

func TestOptions(t *testing.T) {
	b := newBackend(t, "workers=3")
	if !strings.Contains(b.Description(), "3 workers") {
		t.Errorf("description is %q, want 3 workers", b.Description())
	}
	for _, options := range []string{"workers=0", "workers=x", "workers", "speed=high"} {
		if _, err := backend.New(options); err == nil {
			t.Errorf("options %q were accepted", options)
		}
	}
}

func TestRegistered(t *testing.T) {
	if !slices.Contains(compute.List(), backend.Name) {
		t.Errorf("backends are %v, want %q among them", compute.List(), backend.Name)
	}
}

// TestDonatedInput checks that the memory of a donated input becomes that of
// the result, and that the input is gone.
func TestDonatedInput(t *testing.T) {
	b := newBackend(t, "")
	executable := compile(t, b, []shapes.Shape{vector3}, func(f compute.Function, x []compute.Value) []compute.Value {
		return []compute.Value{must(f.Neg(x[0]))(t)}
	})
	input := buffer(t, b, 1, 2, 3)
	before := must(input.Data())(t).([]float32)
	outputs := must(executable.Execute([]compute.Buffer{input}, []bool{true}, 0))(t)
	expect(t, outputs[0], -1, -2, -3)
	if after := must(outputs[0].Data())(t).([]float32); &after[0] != &before[0] {
		t.Error("the result does not have the memory of the donated input")
	}
	_, err := input.Data()
	expectError(t, err, "donated")
	_, err = executable.Execute([]compute.Buffer{input}, nil, 0)
	expectError(t, err, "input 0")
	if err := input.Finalize(); err != nil {
		t.Errorf("finalizing a donated input: %v", err)
	}
	expect(t, outputs[0], -1, -2, -3)
}

// TestDonatedInputThatIsAlsoRead passes one buffer twice.
func TestDonatedInputThatIsAlsoRead(t *testing.T) {
	b := newBackend(t, "")
	executable := compile(t, b, []shapes.Shape{vector3, vector3}, func(f compute.Function, x []compute.Value) []compute.Value {
		return []compute.Value{must(f.Neg(x[0]))(t), must(f.Reverse(x[1], 0))(t)}
	})
	input := buffer(t, b, 1, 2, 3)
	outputs := must(executable.Execute([]compute.Buffer{input, input}, []bool{true, false}, 0))(t)
	expect(t, outputs[0], -1, -2, -3)
	expect(t, outputs[1], 3, 2, 1)
}

func TestInputsStayAsTheyAre(t *testing.T) {
	b := newBackend(t, "")
	executable := compile(t, b, []shapes.Shape{vector3}, func(f compute.Function, x []compute.Value) []compute.Value {
		return []compute.Value{must(f.Neg(x[0]))(t), x[0]}
	})
	input := buffer(t, b, 1, 2, 3)
	outputs := must(executable.Execute([]compute.Buffer{input}, nil, 0))(t)
	must(outputs[1].Data())(t).([]float32)[0] = 100
	expect(t, input, 1, 2, 3)
	expect(t, outputs[0], -1, -2, -3)
}

func TestExecuteRefuses(t *testing.T) {
	b := newBackend(t, "")
	executable := compile(t, b, []shapes.Shape{vector3}, func(f compute.Function, x []compute.Value) []compute.Value { return x })
	input := buffer(t, b, 1, 2, 3)
	other := buffer(t, newBackend(t, ""), 1, 2, 3)
	finalized := buffer(t, b, 1, 2, 3)
	if err := finalized.Finalize(); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		inputs []compute.Buffer
		donate []bool
		device compute.DeviceNum
	}{
		"got 0 inputs":         {},
		"donation flags":       {inputs: []compute.Buffer{input}, donate: []bool{true, true}},
		"no device 1":          {inputs: []compute.Buffer{input}, device: 1},
		"expected (Float32)":   {inputs: []compute.Buffer{buffer(t, b, 1)}},
		"buffer of this":       {inputs: []compute.Buffer{other}},
		"finalized or donated": {inputs: []compute.Buffer{finalized}},
	}
	for want, c := range cases {
		_, err := executable.Execute(c.inputs, c.donate, c.device)
		expectError(t, err, want)
	}
	executable.Finalize()
	_, err := executable.Execute([]compute.Buffer{input}, nil, 0)
	expectError(t, err, "finalized")
}

func TestConcurrentExecutions(t *testing.T) {
	b := newBackend(t, "")
	executable := compile(t, b, []shapes.Shape{vector3}, func(f compute.Function, x []compute.Value) []compute.Value {
		return []compute.Value{must(f.Add(x[0], must(f.Mul(x[0], x[0]))(t)))(t)}
	})
	var group sync.WaitGroup
	for i := range 8 {
		x := float32(i)
		group.Go(func() {
			for range 30 {
				input := buffer(t, b, x, 1, 2)
				outputs, err := executable.Execute([]compute.Buffer{input}, []bool{true}, 0)
				if err != nil {
					t.Error(err)
					return
				}
				expect(t, outputs[0], x+x*x, 2, 6)
				if err := outputs[0].Finalize(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

// TestNestedClosuresCapture has a loop in a branch that uses values of both
// functions around it.
func TestNestedClosuresCapture(t *testing.T) {
	b := newBackend(t, "")
	scalar := shapes.Make(dtypes.Float32)
	executable := compile(t, b, []shapes.Shape{shapes.Make(dtypes.Bool), scalar, scalar}, func(f compute.Function, x []compute.Value) []compute.Value {
		limit, step := x[1], x[2]
		loop := must(f.Closure())(t)
		double := must(loop.Add(step, step))(t)
		condition := must(loop.Closure())(t)
		state := must(condition.Parameter("state", scalar, nil))(t)
		finish(t, condition, must(condition.LessThan(state, limit))(t))
		body := must(loop.Closure())(t)
		state = must(body.Parameter("state", scalar, nil))(t)
		finish(t, body, must(body.Add(must(body.Add(state, double))(t), step))(t))
		finish(t, loop, must(loop.While(condition, body, step))(t)...)
		other := must(f.Closure())(t)
		finish(t, other, limit)
		return must(f.If(x[0], loop, other))(t)
	})
	for predicate, want := range map[bool]float32{true: 14, false: 11} {
		inputs := []compute.Buffer{
			must(testutil.ToBuffer(b, predicate))(t),
			must(testutil.ToBuffer(b, float32(11)))(t),
			must(testutil.ToBuffer(b, float32(2)))(t),
		}
		expect(t, must(executable.Execute(inputs, nil, 0))(t)[0], want)
	}
}

func finish(t testing.TB, f compute.Function, outputs ...compute.Value) {
	t.Helper()
	if err := f.Return(outputs, nil); err != nil {
		t.Fatal(err)
	}
}

// TestBuildingRefuses tries what a builder must not accept.
func TestBuildingRefuses(t *testing.T) {
	b := newBackend(t, "")
	builder := b.Builder("bad")
	f := builder.Main()
	x := must(f.Parameter("x", vector3, nil))(t)
	foreign := must(b.Builder("other").Main().Parameter("x", vector3, nil))(t)
	closure := must(f.Closure())(t)
	inner := must(closure.Parameter("y", vector3, nil))(t)
	cases := map[string]func() error{
		"Add((Float32)[3], (Float32)[2])": func() error {
			_, err := f.Add(x, must(f.Constant([]float32{1, 2}, 2))(t))
			return err
		},
		`computation "other"`:  func() error { _, err := f.Neg(foreign); return err },
		"another function":     func() error { _, err := f.Neg(inner); return err },
		"got a value <nil>":    func() error { _, err := f.Neg(nil); return err },
		"has no Return yet":    func() error { _, err := f.While(closure, closure, x); return err },
		"expected a closure":   func() error { _, err := f.While(f, f, x); return err },
		"Constant":             func() error { _, err := f.Constant(7); return err },
		"12 bytes, expected 8": func() error { _, err := f.Constant([]float32{1, 2, 3}, 2); return err },
		"at least one output":  func() error { return f.Return(nil, nil) },
		"main function has no": func() error { _, err := builder.Compile(); return err },
		"too many elements":    func() error { _, err := f.Iota(shapes.Make(dtypes.Float32, 1<<40, 1<<40), 0); return err },
		"not yet used":         func() error { _, err := builder.NewFunction(compute.MainName); return err },
		"axis 3":               func() error { _, err := f.ReduceSum(x, 3); return err },
	}
	for want, attempt := range cases {
		expectError(t, attempt(), want)
	}
	if _, err := f.AllReduce([]compute.Value{x}, compute.ReduceOpSum, nil); !errors.Is(err, compute.ErrNotImplemented) {
		t.Errorf("got %v, want compute.ErrNotImplemented", err)
	}
	finish(t, f, x)
	must(builder.Compile())(t)
	_, err := f.Neg(x)
	expectError(t, err, "already compiled")
}

// TestMoreThanTheMemory asks for a result that no machine can hold.
func TestMoreThanTheMemory(t *testing.T) {
	b := newBackend(t, "")
	executable := compile(t, b, nil, func(f compute.Function, _ []compute.Value) []compute.Value {
		return []compute.Value{must(f.Iota(shapes.Make(dtypes.Float32, 1<<48), 0))(t)}
	})
	_, err := executable.Execute(nil, nil, 0)
	expectError(t, err, "bytes")
}

func TestBuffers(t *testing.T) {
	b := newBackend(t, "")
	shared, flat, err := b.NewSharedBuffer(0, vector3)
	if err != nil {
		t.Fatal(err)
	}
	flat.([]float32)[1] = 5
	expect(t, shared, 0, 5, 0)
	copied := make([]float32, 3)
	if err := shared.ToFlatData(copied); err != nil || !slices.Equal(copied, []float32{0, 5, 0}) {
		t.Errorf("got %v and error %v, want [0 5 0]", copied, err)
	}
	expectError(t, shared.ToFlatData(make([]float32, 2)), "expected 12")
	expectError(t, shared.ToFlatData(make([]int32, 3)), "expected []float32")
	integers := must(b.BufferFromFlatData(0, []int{1, 2}, shapes.Make(dtypes.Int64, 2)))(t)
	if got := must(integers.Data())(t).([]int64); !slices.Equal(got, []int64{1, 2}) {
		t.Errorf("got %v, want [1 2]", got)
	}
	_, err = b.BufferFromFlatData(0, []float32{1}, vector3)
	expectError(t, err, "expected 12")
	_, err = b.BufferFromFlatData(1, []float32{1, 2, 3}, vector3)
	expectError(t, err, "no device 1")
	if _, err = shared.CopyToDevice(1); !errors.Is(err, compute.ErrNotImplemented) {
		t.Errorf("got %v, want compute.ErrNotImplemented", err)
	}
}

func TestFinalizedBackend(t *testing.T) {
	b := newBackend(t, "")
	executable := compile(t, b, []shapes.Shape{vector3}, func(f compute.Function, x []compute.Value) []compute.Value { return x })
	input := buffer(t, b, 1, 2, 3)
	b.Finalize()
	if !b.IsFinalized() {
		t.Error("backend is not finalized")
	}
	_, err := executable.Execute([]compute.Buffer{input}, nil, 0)
	expectError(t, err, "finalized")
	_, err = b.BufferFromFlatData(0, []float32{1, 2, 3}, vector3)
	expectError(t, err, "finalized")
	if err := input.Finalize(); err != nil {
		t.Errorf("finalizing a buffer afterwards: %v", err)
	}
}

// TestDynamicAxis runs one executable for several sizes.
func TestDynamicAxis(t *testing.T) {
	b := newBackend(t, "")
	shape := shapes.MakeDynamic(dtypes.Float32, []int{shapes.DynamicDim}, []string{"n"})
	executable := compile(t, b, []shapes.Shape{shape, shape}, func(f compute.Function, x []compute.Value) []compute.Value {
		return []compute.Value{must(f.Add(x[0], x[1]))(t)}
	})
	for range 2 {
		expect(t, must(executable.Execute([]compute.Buffer{buffer(t, b, 1), buffer(t, b, 2)}, nil, 0))(t)[0], 3)
		expect(t, must(executable.Execute([]compute.Buffer{buffer(t, b, 1, 2), buffer(t, b, 3, 4)}, nil, 0))(t)[0], 4, 6)
	}
	_, err := executable.Execute([]compute.Buffer{buffer(t, b, 1), buffer(t, b, 1, 2)}, nil, 0)
	expectError(t, err, `"n"`)
}
