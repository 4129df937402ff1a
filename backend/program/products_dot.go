package program

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/descentml/descent/backend/ir"
	"github.com/descentml/descent/backend/kernel/gemm"
	"github.com/descentml/descent/backend/kernel/vector"
	"github.com/descentml/descent/backend/kernel/workers"
	"github.com/descentml/descent/backend/ops"
	"github.com/descentml/descent/backend/tensor"
)

// buildDot returns the kernel of a DotGeneral: matrix products of package gemm
// if it accumulates in float32 or float64, as 16-bit floats do, else package
// ops.
func buildDot(f *ir.Function, n *ir.Node) (kernel, error) {
	a, ok := n.Attributes.(ir.Dot)
	if !ok {
		return nil, fmt.Errorf("%s has attributes %T, expected %T", n.Op, n.Attributes, a)
	}
	left, right := f.Shape(n.Inputs[0]), f.Shape(n.Inputs[1])
	accumulator := a.Config.AccumulatorDType
	if accumulator == dtypes.InvalidDType {
		accumulator = left.DType
	}
	if accumulator.IsHalfPrecision() {
		accumulator = dtypes.Float32
	}
	switch {
	case accumulator == dtypes.Float32 && left.DType.IsFloat():
		return newDot[float32](a, left, right, accumulator).run, nil
	case accumulator == dtypes.Float64 && left.DType.IsFloat():
		return newDot[float64](a, left, right, accumulator).run, nil
	}
	axes := ops.DotAxes{LHSContracting: a.LHSContracting, LHSBatch: a.LHSBatch, RHSContracting: a.RHSContracting, RHSBatch: a.RHSBatch}
	return alone(func(out, in []tensor.Tensor) error {
		return ops.DotGeneral(out[0], in[0], in[1], axes, accumulator)
	}), nil
}

// A dot computes the products of a batch of m×k by k×n matrices.
type dot[T vector.Float] struct {
	left, right factor
	m, n, k     int
	count       int // of products
	accumulator dtypes.DType
	multiply    multiplier[T]
	scratch     scratch[T]
	spreader    spreader
}

// multiplier is the type of gemm.Float32 and gemm.Float64.
type multiplier[T vector.Float] func(transA, transB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int, options gemm.Options) error

func multiplierOf[T vector.Float]() multiplier[T] {
	if f, ok := any(multiplier[float32](gemm.Float32)).(multiplier[T]); ok {
		return f
	}
	return any(multiplier[float64](gemm.Float64)).(multiplier[T])
}

func newDot[T vector.Float](a ir.Dot, left, right shapes.Shape, accumulator dtypes.DType) *dot[T] {
	d := &dot[T]{accumulator: accumulator, multiply: multiplierOf[T]()}
	leftCross := otherAxes(left.Rank(), a.LHSContracting, a.LHSBatch)
	rightCross := otherAxes(right.Rank(), a.RHSContracting, a.RHSBatch)
	d.count = product(gathered(left.Dimensions, a.LHSBatch))
	d.m = product(gathered(left.Dimensions, leftCross))
	d.k = product(gathered(left.Dimensions, a.LHSContracting))
	d.n = product(gathered(right.Dimensions, rightCross))
	// The sum may run over the axes in any order: one that spares copies.
	best := -1
	for _, order := range [][]int{sortedPlaces(a.LHSContracting), sortedPlaces(a.RHSContracting)} {
		l := newFactor(left.Dimensions, a.LHSBatch, leftCross, gathered(a.LHSContracting, order))
		r := newFactor(right.Dimensions, a.RHSBatch, gathered(a.RHSContracting, order), rightCross)
		if copied := l.copied() + r.copied(); best < 0 || copied < best {
			best, d.left, d.right = copied, l, r
		}
	}
	return d
}

// otherAxes returns the axes up to rank that are in neither list.
func otherAxes(rank int, first, second []int) []int {
	var axes []int
	for axis := range rank {
		if !slices.Contains(first, axis) && !slices.Contains(second, axis) {
			axes = append(axes, axis)
		}
	}
	return axes
}

// sortedPlaces returns the order in which list's values rise.
func sortedPlaces(list []int) []int {
	places := make([]int, len(list))
	for i := range places {
		places[i] = i
	}
	slices.SortFunc(places, func(a, b int) int { return list[a] - list[b] })
	return places
}

// copied is the number of elements that must be moved first.
func (x factor) copied() int {
	if x.pack == nil {
		return 0
	}
	return x.size
}

func (d *dot[T]) run(pool *workers.Pool, outputs, inputs []tensor.Tensor) error {
	a, releaseA, err := d.matrices(pool, &d.left, inputs[0])
	if err != nil {
		return err
	}
	defer d.release(releaseA)
	b, releaseB, err := d.matrices(pool, &d.right, inputs[1])
	if err != nil {
		return err
	}
	defer d.release(releaseB)
	out := outputs[0]
	if out.Shape.DType == d.accumulator {
		return d.products(pool, tensor.Of[T](out), a, b)
	}
	memory := d.scratch.get(out.Shape.Size())
	defer d.scratch.put(memory)
	if err := d.products(pool, *memory, a, b); err != nil {
		return err
	}
	return ops.ConvertDType(out, viewOf(out.Shape, d.accumulator, *memory))
}

// matrices returns the elements of an operand, converted and packed if need be,
// and memory to release after use.
func (d *dot[T]) matrices(pool *workers.Pool, x *factor, in tensor.Tensor) (elements []T, memory *[]T, err error) {
	if in.Shape.DType == d.accumulator && x.pack == nil {
		return tensor.Of[T](in), nil, nil
	}
	source := in
	if in.Shape.DType != d.accumulator {
		converted := d.scratch.get(x.size)
		source = viewOf(in.Shape, d.accumulator, *converted)
		if err := ops.ConvertDType(source, in); err != nil {
			return nil, nil, err
		}
		if x.pack == nil {
			return *converted, converted, nil
		}
		defer d.scratch.put(converted)
	}
	memory = d.scratch.get(x.size)
	return *memory, memory, permute(x.pack, pool, *memory, tensor.Of[T](source))
}

func (d *dot[T]) release(memory *[]T) {
	if memory != nil {
		d.scratch.put(memory)
	}
}

// dotWork is the number of multiplications that are worth a task of their own.
const dotWork = 1 << 16

// products computes c from a and b: large products one after the other, each
// spread over the pool, small ones side by side.
func (d *dot[T]) products(pool *workers.Pool, c, a, b []T) error {
	const many = 8
	work := max(1, d.m*d.n*d.k)
	tasks := max(1, min(d.count, d.count*work/dotWork))
	if pool == nil || tasks < 2 || d.count < many && work >= many*dotWork {
		return d.some(d.spreader.parallel(pool), c, a, b, 0, d.count)
	}
	failures := make([]error, tasks)
	pool.Run(tasks, func(task int) {
		failures[task] = d.some(nil, c, a, b, task*d.count/tasks, (task+1)*d.count/tasks)
	})
	return firstError(failures)
}

// some computes the products from first up to end.
func (d *dot[T]) some(parallel gemm.Parallel, c, a, b []T, first, end int) error {
	for i := first; i < end; i++ {
		atA, _ := offsets(d.left.batch, i)
		atB, _ := offsets(d.right.batch, i)
		err := d.multiply(d.left.transposed, d.right.transposed, d.m, d.n, d.k, 1, a[atA:], d.left.stride, b[atB:], d.right.stride,
			0, c[i*d.m*d.n:], max(1, d.n), gemm.Options{Parallel: parallel})
		if err != nil {
			return err
		}
	}
	return nil
}

// viewOf returns a tensor of the shape's dimensions and T's data type.
func viewOf[T vector.Float](shape shapes.Shape, dtype dtypes.DType, elements []T) tensor.Tensor {
	return tensor.Tensor{Shape: shapes.Shape{DType: dtype, Dimensions: shape.Dimensions}, Flat: elements}
}
