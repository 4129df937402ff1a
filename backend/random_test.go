package backend_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/compute/shapes"
)

// TestRandomGraphs compares random graphs with GoMLX's go backend, and with
// themselves for another number of workers and for donated inputs, bit for bit.
// DESCENT_GRAPHS sets how many there are.
func TestRandomGraphs(t *testing.T) {
	count := 2000
	if testing.Short() {
		count = 300
	}
	if text, ok := os.LookupEnv("DESCENT_GRAPHS"); ok {
		count = must(strconv.Atoi(text))(t)
	}
	// Inline, for its pool of workers can wait for itself on a machine of few cores.
	reference := must(gobackend.New("parallelism=0"))(t)
	defer reference.Finalize()
	alone, pair := newBackend(t, "workers=1"), newBackend(t, "workers=2")
	for seed := range uint64(count) {
		g := newRandomGraph(seed)
		want := g.run(t, reference, false)
		got := g.run(t, alone, false)
		for name, again := range map[string][]compute.Buffer{"two workers": g.run(t, pair, false), "donated inputs": g.run(t, pair, true)} {
			for i := range got {
				if !bytes.Equal(bufferBytes(t, got[i]), bufferBytes(t, again[i])) {
					t.Errorf("graph %d: output %d differs with %s", seed, i, name)
				}
			}
		}
		for i := range want {
			if difference := distance(t, got[i], want[i]); !(difference <= g.tolerance) {
				t.Errorf("graph %d: output %d differs by %g of its largest element", seed, i, difference)
			}
		}
		if t.Failed() {
			return
		}
	}
}

func bufferBytes(t testing.TB, b compute.Buffer) []byte {
	t.Helper()
	return dtypes.UnsafeByteSliceFromAny(must(b.Data())(t))
}

// distance is the largest difference relative to the largest magnitude.
func distance(t testing.TB, got, want compute.Buffer) float64 {
	t.Helper()
	x, y := numbers(must(got.Data())(t)), numbers(must(want.Data())(t))
	if len(x) != len(y) {
		return math.Inf(1)
	}
	largest, difference := 1.0, 0.0
	for i := range x {
		if math.IsInf(y[i], 0) || math.IsNaN(y[i]) {
			if x[i] != y[i] && !math.IsNaN(y[i]) {
				return math.Inf(1)
			}
			continue
		}
		largest = max(largest, math.Abs(y[i]))
		difference = max(difference, math.Abs(x[i]-y[i]))
	}
	return difference / largest
}

func numbers(flat any) []float64 {
	var list []float64
	switch flat := flat.(type) {
	case []float32:
		for _, x := range flat {
			list = append(list, float64(x))
		}
	case []float64:
		list = flat
	case []bool:
		for _, x := range flat {
			list = append(list, map[bool]float64{true: 1}[x])
		}
	}
	return list
}

// randomGraph is a graph that is built in the same way on each backend.
type randomGraph struct {
	seed       uint64
	dtype      dtypes.DType
	tolerance  float64
	parameters []shapes.Shape
	data       []any
}

func newRandomGraph(seed uint64) *randomGraph {
	random := rand.New(rand.NewPCG(seed, 1))
	g := &randomGraph{seed: seed, dtype: dtypes.Float32, tolerance: 2e-4}
	if random.IntN(3) == 0 {
		g.dtype, g.tolerance = dtypes.Float64, 1e-10
	}
	sizes := []int{1, 2, 3, 5, 10, 17, 33, 64, 100}
	rows, columns := sizes[random.IntN(len(sizes))], sizes[random.IntN(len(sizes))]
	if random.IntN(20) == 0 {
		rows, columns = 600, 200+random.IntN(200)
	}
	for _, dims := range [][]int{{rows, columns}, {rows, columns}, {columns}, {rows, 1}, {1, columns}, {}, {columns, rows}} {
		shape := shapes.Make(g.dtype, dims...)
		g.parameters = append(g.parameters, shape)
		floats := make([]float64, shape.Size())
		for i := range floats {
			floats[i] = random.NormFloat64()
		}
		g.data = append(g.data, shapes.CastAsDType(floats, g.dtype))
	}
	return g
}

func (g *randomGraph) run(t testing.TB, b compute.Backend, donate bool) []compute.Buffer {
	t.Helper()
	executable := compile(t, b, g.parameters, func(f compute.Function, x []compute.Value) []compute.Value {
		d := &drawer{t: t, Function: f, random: rand.New(rand.NewPCG(g.seed, 2)), dtype: g.dtype}
		for i, v := range x {
			d.push(v, g.parameters[i].Dimensions, true)
		}
		return d.draw()
	})
	defer executable.Finalize()
	inputs, flags := make([]compute.Buffer, len(g.data)), make([]bool, len(g.data))
	for i, flat := range g.data {
		inputs[i], flags[i] = must(b.BufferFromFlatData(0, flat, g.parameters[i]))(t), donate
	}
	outputs, err := executable.Execute(inputs, flags, 0)
	if err != nil {
		t.Fatalf("graph %d: %v", g.seed, err)
	}
	return outputs
}

// drawer adds operations at random.
type drawer struct {
	t testing.TB
	compute.Function
	random *rand.Rand
	dtype  dtypes.DType
	drawn  []drawnValue
}

// A drawnValue is exact if every backend computes the same bits, so that it may
// be compared and rounded.
type drawnValue struct {
	compute.Value
	dims  []int
	exact bool
}

func (d *drawer) push(v compute.Value, dims []int, exact bool) {
	d.drawn = append(d.drawn, drawnValue{v, dims, exact})
}

func (d *drawer) draw() []compute.Value {
	for range 3 + d.random.IntN(25) {
		d.step()
	}
	outputs := []compute.Value{d.drawn[len(d.drawn)-1].Value}
	for range d.random.IntN(4) {
		outputs = append(outputs, d.drawn[d.random.IntN(len(d.drawn))].Value)
	}
	return outputs
}

// any returns a value, more likely a late one, that fits.
func (d *drawer) any(fits func(v drawnValue) bool) (drawnValue, bool) {
	var list []drawnValue
	for i, v := range d.drawn {
		if fits == nil || fits(v) {
			list = append(list, v)
			if i > len(d.drawn)-6 {
				list = append(list, v, v)
			}
		}
	}
	if len(list) == 0 {
		return drawnValue{}, false
	}
	return list[d.random.IntN(len(list))], true
}

// step adds an operation or two.
func (d *drawer) step() {
	x, _ := d.any(nil)
	switch d.random.IntN(10) {
	case 0, 1:
		d.unary(x)
	case 2, 3, 4:
		d.binary(x)
	case 5:
		d.choose()
	case 6, 7:
		d.reduce(x)
	case 8:
		d.move(x)
	case 9:
		d.dot()
	}
}

func (d *drawer) must(v compute.Value, err error) compute.Value {
	d.t.Helper()
	return must(v, err)(d.t)
}

func (d *drawer) scalar(x float64) compute.Value {
	return d.must(d.Constant(shapes.CastAsDType([]float64{x}, d.dtype)))
}

func (d *drawer) unary(x drawnValue) {
	bounded := func() compute.Value { return d.must(d.Tanh(x.Value)) }
	positive := func() compute.Value { return d.must(d.Add(d.must(d.Abs(x.Value)), d.scalar(0.5))) }
	exact := []func() compute.Value{
		func() compute.Value { return d.must(d.Sign(x.Value)) },
		func() compute.Value { return d.must(d.Floor(x.Value)) },
		func() compute.Value { return d.must(d.Ceil(x.Value)) },
		func() compute.Value { return d.must(d.Round(x.Value)) },
		func() compute.Value { return d.must(d.Neg(x.Value)) },
	}
	smooth := []func() compute.Value{
		bounded,
		func() compute.Value { return d.must(d.Exp(bounded())) },
		func() compute.Value { return d.must(d.Expm1(bounded())) },
		func() compute.Value { return d.must(d.Sin(bounded())) },
		func() compute.Value { return d.must(d.Cos(bounded())) },
		func() compute.Value { return d.must(d.Logistic(x.Value)) },
		func() compute.Value { return d.must(d.Erf(x.Value)) },
		func() compute.Value { return d.must(d.FusedGelu(x.Value, d.random.IntN(2) == 0)) },
		func() compute.Value { return d.must(d.Abs(x.Value)) },
		func() compute.Value { return d.must(d.Log(positive())) },
		func() compute.Value { return d.must(d.Log1p(positive())) },
		func() compute.Value { return d.must(d.Sqrt(positive())) },
		func() compute.Value { return d.must(d.Rsqrt(positive())) },
		func() compute.Value { return d.must(d.Pow(positive(), d.scalar(float64(d.random.IntN(3))))) },
	}
	if i := d.random.IntN(len(exact) + len(smooth)); i < len(exact) && x.exact {
		d.push(exact[i](), x.dims, true)
	} else {
		d.push(smooth[i%len(smooth)](), x.dims, false)
	}
}

// broadcast returns the dimensions of an operation on both, if they fit.
func broadcast(a, b []int) ([]int, bool) {
	if len(a) == 0 || len(b) == 0 {
		return slices.Concat(a, b), true
	}
	if len(a) != len(b) {
		return nil, false
	}
	dims := slices.Clone(a)
	for i := range dims {
		if a[i] != b[i] && a[i] != 1 && b[i] != 1 {
			return nil, false
		}
		dims[i] = max(a[i], b[i])
	}
	return dims, true
}

func (d *drawer) binary(x drawnValue) {
	y, _ := d.any(func(v drawnValue) bool {
		_, ok := broadcast(x.dims, v.dims)
		return ok
	})
	if d.random.IntN(2) == 0 {
		x, y = y, x
	}
	dims, _ := broadcast(x.dims, y.dims)
	switch d.random.IntN(6) {
	case 0:
		d.push(d.must(d.Add(x.Value, y.Value)), dims, false)
	case 1:
		d.push(d.must(d.Sub(x.Value, y.Value)), dims, false)
	case 2:
		d.push(d.must(d.Mul(x.Value, d.must(d.Tanh(y.Value)))), dims, false)
	case 3:
		d.push(d.must(d.Div(x.Value, d.must(d.Add(d.must(d.Abs(y.Value)), d.scalar(1))))), dims, false)
	case 4:
		d.push(d.must(d.Max(x.Value, y.Value)), dims, x.exact && y.exact)
	case 5:
		d.push(d.must(d.Min(x.Value, y.Value)), dims, x.exact && y.exact)
	}
}

// choose compares exact values and uses the outcome.
func (d *drawer) choose() {
	x, _ := d.any(func(v drawnValue) bool { return v.exact })
	y, _ := d.any(func(v drawnValue) bool {
		_, ok := broadcast(x.dims, v.dims)
		return ok && v.exact
	})
	dims, _ := broadcast(x.dims, y.dims)
	compares := []func(a, b compute.Value) (compute.Value, error){d.LessThan, d.LessOrEqual, d.GreaterThan, d.GreaterOrEqual, d.Equal, d.NotEqual}
	mask := d.must(compares[d.random.IntN(len(compares))](x.Value, y.Value))
	if d.random.IntN(3) == 0 {
		mask = d.must(d.LogicalNot(mask))
	}
	if d.random.IntN(2) == 0 {
		d.push(d.must(d.ConvertDType(mask, d.dtype)), dims, true)
		return
	}
	same := func(v drawnValue) bool { return slices.Equal(v.dims, dims) }
	a, found := d.any(same)
	b, _ := d.any(same)
	if !found {
		a.Value, b.Value = d.scalar(1), d.scalar(2)
	}
	if d.random.IntN(4) == 0 {
		b.Value = d.scalar(3)
	}
	d.push(d.must(d.Where(mask, a.Value, b.Value)), dims, false)
}

func (d *drawer) reduce(x drawnValue) {
	if len(x.dims) == 0 {
		return
	}
	var axes, rest, kept []int
	for axis, size := range x.dims {
		if d.random.IntN(2) == 0 {
			axes, kept = append(axes, axis), append(kept, 1)
		} else {
			rest, kept = append(rest, size), append(kept, size)
		}
	}
	if len(axes) == 0 {
		return
	}
	var y compute.Value
	switch d.random.IntN(4) {
	case 0:
		y = d.must(d.ReduceMax(x.Value, axes...))
	case 1:
		y = d.must(d.ReduceMin(x.Value, axes...))
	default:
		count := 1
		for _, axis := range axes {
			count *= x.dims[axis]
		}
		y = d.must(d.Mul(d.must(d.ReduceSum(x.Value, axes...)), d.scalar(1/math.Sqrt(float64(count)))))
	}
	d.push(y, rest, false)
	switch d.random.IntN(3) {
	case 0:
		d.push(d.must(d.Reshape(y, kept...)), kept, false)
	case 1:
		d.push(d.must(d.BroadcastInDim(d.must(d.Reshape(y, kept...)), shapes.Make(d.dtype, x.dims...), axesUpTo(len(x.dims)))), x.dims, false)
	}
}

func axesUpTo(n int) []int {
	axes := make([]int, n)
	for i := range axes {
		axes[i] = i
	}
	return axes
}

// move transposes, reshapes or repeats.
func (d *drawer) move(x drawnValue) {
	switch d.random.IntN(3) {
	case 0:
		axes := d.random.Perm(len(x.dims))
		dims := make([]int, len(axes))
		for i, axis := range axes {
			dims[i] = x.dims[axis]
		}
		d.push(d.must(d.Transpose(x.Value, axes...)), dims, x.exact)
	case 1:
		dims := slices.Insert(slices.Clone(x.dims), d.random.IntN(len(x.dims)+1), 1)
		d.push(d.must(d.Reshape(x.Value, dims...)), dims, x.exact)
	case 2:
		if len(x.dims) > 2 {
			return
		}
		size := []int{2, 3, 10, 64}[d.random.IntN(4)]
		at := d.random.IntN(len(x.dims) + 1)
		axes := slices.Delete(axesUpTo(len(x.dims)+1), at, at+1)
		dims := slices.Insert(slices.Clone(x.dims), at, size)
		if product(dims) < 1<<18 {
			d.push(d.must(d.BroadcastInDim(x.Value, shapes.Make(d.dtype, dims...), axes)), dims, x.exact)
		}
	}
}

func product(dims []int) int {
	n := 1
	for _, size := range dims {
		n *= size
	}
	return n
}

// dot multiplies two matrices, normalized so that numbers do not grow.
func (d *drawer) dot() {
	x, ok := d.any(func(v drawnValue) bool { return len(v.dims) == 2 })
	if !ok {
		return
	}
	left := d.random.IntN(2)
	y, ok := d.any(func(v drawnValue) bool {
		return len(v.dims) == 2 && slices.Contains(v.dims, x.dims[left]) && v.dims[0]*v.dims[1]*x.dims[1-left] < 1<<23
	})
	if !ok {
		return
	}
	right := slices.Index(y.dims, x.dims[left])
	v := d.must(d.DotGeneral(x.Value, []int{left}, nil, y.Value, []int{right}, nil, compute.DotGeneralConfig{}))
	v = d.must(d.Mul(v, d.scalar(1/math.Sqrt(float64(x.dims[left])))))
	dims := []int{x.dims[1-left], y.dims[1-right]}
	d.push(v, dims, false)
	if d.random.IntN(2) == 0 {
		d.push(d.must(d.Transpose(v, 1, 0)), []int{dims[1], dims[0]}, false)
	}
}
