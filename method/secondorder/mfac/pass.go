package mfac

import "github.com/descentml/descent/backend/kernel/gemm"

const (
	// chunk is the number of columns that one task of a pass works on. Sums over
	// a chunk are in the type of the gradients, those of chunks in float64: that
	// keeps the error of a long float32 product near that of one of its numbers.
	chunk = 4096
	// group is the number of rows that are added up in one go.
	group = 4
)

// rows is a matrix with a gradient in each row, and the passes over it. It is
// read from memory once in each pass, which is all that a pass costs.
type rows[T Float] struct {
	count, columns int
	data           []T
	parallel       gemm.Parallel
	product        product[T]

	// Buffers and tasks, made once so that passes do not allocate.
	partial      []T // [chunks, count]
	coefficients []T
	x, dst       []T // of the pass under way
	scale        T
	stored       int // row that x is written to; -1: none
	mulTask      func(task int)
	combineTask  func(task int)
}

func newRows[T Float](count, columns int, data []T, parallel gemm.Parallel) *rows[T] {
	r := &rows[T]{count: count, columns: columns, data: data, parallel: parallel, product: productOf[T]()}
	if r.parallel == nil {
		r.parallel = alone
	}
	r.partial, r.coefficients = make([]T, r.chunks()*count), make([]T, count)
	r.mulTask, r.combineTask = r.mulChunk, r.combineChunk
	return r
}

func (r *rows[T]) chunks() int { return (r.columns + chunk - 1) / chunk }

func (r *rows[T]) row(i int) []T { return r.data[i*r.columns : (i+1)*r.columns] }

// mul sets k = G x.
func (r *rows[T]) mul(k []float64, x []T) { r.pass(k, x, -1) }

// store writes g to a row and sets k = G g, in one pass.
func (r *rows[T]) store(row int, k []float64, g []T) { r.pass(k, g, row) }

func (r *rows[T]) pass(k []float64, x []T, stored int) {
	r.x, r.stored = x, stored
	r.parallel(r.chunks(), r.mulTask)
	r.x = nil
	clear(k)
	for first := 0; first < len(r.partial); first += r.count {
		for i, sum := range r.partial[first : first+r.count] {
			k[i] += float64(sum)
		}
	}
}

func (r *rows[T]) mulChunk(task int) {
	from := task * chunk
	width := min(chunk, r.columns-from)
	if r.stored >= 0 {
		copy(r.row(r.stored)[from:], r.x[from:from+width])
	}
	mustFit(r.product(false, false, r.count, 1, width, 1, r.data[from:], r.columns, r.x[from:], 1, 0, r.partial[task*r.count:], 1, gemm.Options{}))
}

// combine sets dst = scale x + G^T c; x may be nil for 0, or dst.
func (r *rows[T]) combine(dst []T, scale T, x []T, c []float64) {
	for i := range r.coefficients {
		r.coefficients[i] = T(c[i])
	}
	r.dst, r.scale, r.x = dst, scale, x
	r.parallel(r.chunks(), r.combineTask)
	r.dst, r.x = nil, nil
}

// combineChunk is one task of combine. The chunks come in the opposite order of
// mul, so that the last of one pass, still in the cache, is the first of the next.
func (r *rows[T]) combineChunk(task int) {
	from := (r.chunks() - 1 - task) * chunk
	width := min(chunk, r.columns-from)
	dst := r.dst[from : from+width]
	beta := T(0)
	if r.x != nil {
		copy(dst, r.x[from:from+width])
		beta = r.scale
	}
	for i := 0; i < r.count; i += group {
		lines := min(group, r.count-i)
		mustFit(r.product(false, false, 1, width, lines, 1, r.coefficients[i:], lines, r.data[i*r.columns+from:], r.columns, beta, dst, width, gemm.Options{}))
		beta = 1
	}
}

// mustFit raises the error of a product whose arguments do not fit, which is
// one of this package.
func mustFit(err error) {
	if err != nil {
		panic(err)
	}
}
