package mfac

import (
	"context"
	"fmt"
	"math"
	"sync"

	"github.com/descentml/descent/backend/kernel/gemm"
)

// StaticSettings are those of [NewStatic].
type StaticSettings struct {
	// Damping is lambda, above 0 and finite. There is no default; the paper
	// prunes with 1e-5.
	Damping float64
	// Block is the number of consecutive parameters between which F is kept; it
	// is taken as 0 between others. Default 0: all parameters are one block. The
	// last block may be smaller.
	Block int
	// Page is the number of gradients that are worked into the inverse at a time.
	// It changes the result by rounding alone: with 1 it is the recursion of the
	// paper as it stands, with more its paged form. Default 32.
	Page int
	// Parallel spreads the work, as workers.Pool.Run does. nil: no other
	// goroutine.
	Parallel gemm.Parallel
}

// Static is the inverse of F for one fixed set of gradients, in each block as
//
//	F^-1 = I/lambda - sum_i v_i v_i^T / q_i
//
// with v_i = F_{i-1}^-1 g_i and q_i = m + g_i^T v_i, where F_i has the first i
// gradients (and the divisor m throughout). It takes no memory for d numbers
// beside the gradients, which the v_i replace.
type Static[T Float] struct {
	gradients, parameters int
	settings              StaticSettings
	v                     []T       // [gradients, parameters]
	q                     []float64 // [blocks, gradients]
	product               product[T]
	scratch               sync.Pool // *[]T of 2 x gradients
}

// NewStatic works m gradients of d parameters, which lie row by row, into the
// inverse. It takes O(d m^2) time whatever the size of blocks, and overwrites the
// gradients: they must not be used any more. When ctx ends, so does it, with
// ctx's error.
func NewStatic[T Float](ctx context.Context, gradients []T, m, d int, s StaticSettings) (*Static[T], error) {
	if err := checkShape(m, d, s.Damping); err != nil {
		return nil, err
	}
	if len(gradients) != m*d {
		return nil, fmt.Errorf("%d numbers for %d gradients of %d parameters: expected %d", len(gradients), m, d, m*d)
	}
	if s.Block < 0 || s.Page < 0 {
		return nil, fmt.Errorf("block %d and page %d: expected at least 0", s.Block, s.Page)
	}
	if s.Block == 0 || s.Block > d {
		s.Block = d
	}
	if s.Page == 0 {
		s.Page = 32
	}
	s.Page = min(s.Page, m)
	f := &Static[T]{gradients: m, parameters: d, settings: s, v: gradients, product: productOf[T]()}
	f.scratch.New = func() any { buffer := make([]T, 2*m); return &buffer }
	f.q = make([]float64, f.blocks()*m)
	f.eachBlock(func(block int, inner gemm.Parallel) { f.newRecursion(block, inner).run(ctx) })
	return f, ctx.Err()
}

func (f *Static[T]) blocks() int { return (f.parameters + f.settings.Block - 1) / f.settings.Block }

// eachBlock does work for all blocks: side by side if there are several, else
// the work itself is given what spreads it.
func (f *Static[T]) eachBlock(do func(block int, inner gemm.Parallel)) {
	if f.blocks() == 1 || f.settings.Parallel == nil {
		alone(f.blocks(), func(block int) { do(block, f.settings.Parallel) })
		return
	}
	f.settings.Parallel(f.blocks(), func(block int) { do(block, nil) })
}

// columns are the first parameter of a block and the one after its last.
func (f *Static[T]) columns(block int) (from, to int) {
	from = block * f.settings.Block
	return from, min(from+f.settings.Block, f.parameters)
}

func (f *Static[T]) divisors(block int) []float64 {
	return f.q[block*f.gradients : (block+1)*f.gradients]
}

// Product sets dst = F^-1 x, in O(d m) time. Both have an element for each
// parameter; dst may be x.
func (f *Static[T]) Product(dst, x []T) error {
	if err := checkLength("the vector", len(x), f.parameters); err != nil {
		return err
	}
	if err := checkLength("the result", len(dst), f.parameters); err != nil {
		return err
	}
	f.eachBlock(func(block int, inner gemm.Parallel) { f.multiply(dst, x, block, inner) })
	return nil
}

// multiply sets the part of a block of dst = x/lambda - V^T ((V x) / q).
func (f *Static[T]) multiply(dst, x []T, block int, inner gemm.Parallel) {
	m, d, options := f.gradients, f.parameters, gemm.Options{Parallel: inner}
	from, to := f.columns(block)
	buffer := f.scratch.Get().(*[]T)
	defer f.scratch.Put(buffer)
	y, sum := (*buffer)[:m], (*buffer)[m:]
	clear(y)
	for at := from; at < to; at += chunk {
		width := min(chunk, to-at)
		mustFit(f.product(false, false, m, 1, width, 1, f.v[at:], d, x[at:], 1, 0, sum, 1, options))
		for i := range y {
			y[i] += sum[i]
		}
	}
	for i, q := range f.divisors(block) {
		y[i] = T(float64(y[i]) / q)
	}
	copy(dst[from:to], x[from:to])
	mustFit(f.product(false, false, 1, to-from, m, -1, y, m, f.v[from:], d, T(1/f.settings.Damping), dst[from:to], to-from, options))
}

// Diagonal sets dst to the diagonal of F^-1, in O(d m) time:
//
//	[F^-1]_kk = 1/lambda - sum_i V_ik^2/q_i
func (f *Static[T]) Diagonal(dst []T) error {
	if err := checkLength("the diagonal", len(dst), f.parameters); err != nil {
		return err
	}
	f.eachBlock(func(block int, _ gemm.Parallel) {
		from, to := f.columns(block)
		sums := make([]float64, min(chunk, to-from))
		for at := from; at < to; at += chunk {
			width := min(chunk, to-at)
			clear(sums)
			for i, q := range f.divisors(block) {
				for k, v := range f.v[i*f.parameters+at:][:width] {
					sums[k] += float64(v) * float64(v) / q
				}
			}
			for k := range width {
				dst[at+k] = T(1/f.settings.Damping - sums[k])
			}
		}
	})
	return nil
}

// Element returns [F^-1]_kl in O(m) time; 0 where k and l are in different
// blocks. It is an error if one of them is no parameter.
func (f *Static[T]) Element(k, l int) (float64, error) {
	if k < 0 || l < 0 || k >= f.parameters || l >= f.parameters {
		return 0, fmt.Errorf("element (%d, %d): expected indices from 0 to %d", k, l, f.parameters-1)
	}
	block := k / f.settings.Block
	if l/f.settings.Block != block {
		return 0, nil
	}
	element := 0.0
	if k == l {
		element = 1 / f.settings.Damping
	}
	for i, q := range f.divisors(block) {
		element -= float64(f.v[i*f.parameters+k]) * float64(f.v[i*f.parameters+l]) / q
	}
	return element, nil
}

// LogDeterminant returns log det F = d log(lambda) + sum_i log(q_i/m), summed
// over blocks.
func (f *Static[T]) LogDeterminant() float64 {
	sum := float64(f.parameters) * math.Log(f.settings.Damping)
	for _, q := range f.q {
		sum += math.Log(q / float64(f.gradients))
	}
	return sum
}

// Divisors returns the q_i of the blocks, block by block. They must not be
// changed.
func (f *Static[T]) Divisors() []float64 { return f.q }

// recursion turns the gradients of one block into its v_i, a page at a time.
type recursion[T Float] struct {
	*Static[T]
	from, to     int // columns
	q            []float64
	options      gemm.Options
	coefficients []T       // [page, finished]: of the finished v_j in the rows of a page
	sums         []float64 // the same, or [page, page]
	gradients    []T       // [page, chunk]: rows of a page as they were
}

func (f *Static[T]) newRecursion(block int, inner gemm.Parallel) *recursion[T] {
	from, to := f.columns(block)
	page, m := f.settings.Page, f.gradients
	return &recursion[T]{
		Static: f, from: from, to: to, q: f.divisors(block), options: gemm.Options{Parallel: inner},
		coefficients: make([]T, page*m), sums: make([]float64, page*m), gradients: make([]T, page*min(chunk, to-from)),
	}
}

// run does all pages, or ends early when ctx does.
func (r *recursion[T]) run(ctx context.Context) {
	for first := 0; first < len(r.q) && ctx.Err() == nil; first += r.settings.Page {
		count := min(r.settings.Page, len(r.q)-first)
		r.project(first, count)
		r.deflate(first, count)
		r.within(first, count)
	}
}

// at returns the rows from the i-th on, from a column on.
func (r *recursion[T]) at(i, column int) []T { return r.v[i*r.parameters+column:] }

// add adds what a product left in the coefficients to the sums.
func (r *recursion[T]) add(count int) {
	for i, x := range r.coefficients[:count] {
		r.sums[i] += float64(x)
	}
}

// project sets the coefficients of a page to (g_i^T v_j)/q_j, j finished.
func (r *recursion[T]) project(first, count int) {
	if first == 0 {
		return
	}
	clear(r.sums)
	for column := r.from; column < r.to; column += chunk {
		width := min(chunk, r.to-column)
		mustFit(r.product(false, true, count, first, width, 1, r.at(first, column), r.parameters, r.at(0, column), r.parameters, 0, r.coefficients, first, r.options))
		r.add(count * first)
	}
	for i := range count * first {
		r.coefficients[i] = T(r.sums[i] / r.q[i%first])
	}
}

// deflate turns the g_i of a page into b_i = F^-1 g_i with F of the finished
// pages, and sets the sums to all g_i^T b_j.
func (r *recursion[T]) deflate(first, count int) {
	clear(r.sums)
	scale := T(1 / r.settings.Damping)
	inner := make([]T, count*count)
	for column := r.from; column < r.to; column += chunk {
		width := min(chunk, r.to-column)
		for i := range count {
			row := r.at(first+i, column)[:width]
			copy(r.gradients[i*width:], row)
			if first == 0 {
				for k := range row {
					row[k] *= scale
				}
			}
		}
		page := r.at(first, column)
		if first > 0 {
			mustFit(r.product(false, false, count, width, first, -1, r.coefficients, first, r.at(0, column), r.parameters, scale, page, r.parameters, r.options))
		}
		mustFit(r.product(false, true, count, count, width, 1, r.gradients, width, page, r.parameters, 0, inner, count, r.options))
		for i, x := range inner {
			r.sums[i] += float64(x)
		}
	}
}

// within finishes a page: from g_i^T b_j it eliminates d_ij = g_i^T F_{i-1}^-1
// g_j, j >= i, and takes from each row its part in those before,
//
//	v_i = b_i - sum_{j<i} (d_ji/q_j) v_j
//
// which is a triangular matrix times the b_j.
func (r *recursion[T]) within(first, count int) {
	d := r.sums
	for i := range count {
		q := float64(len(r.q)) + d[i*count+i]
		r.q[first+i] = q
		for j := i + 1; j < count; j++ {
			factor := d[i*count+j] / q
			for k := j; k < count; k++ {
				d[j*count+k] -= factor * d[i*count+k]
			}
		}
	}
	if count == 1 {
		return
	}
	triangle := r.triangle(first, count)
	for column := r.from; column < r.to; column += chunk {
		width := min(chunk, r.to-column)
		for i := range count {
			copy(r.gradients[i*width:], r.at(first+i, column)[:width])
		}
		mustFit(r.product(false, false, count, width, count, 1, triangle, count, r.gradients, width, 0, r.at(first, column), r.parameters, r.options))
	}
}

// triangle is the matrix by which within multiplies, [count, count].
func (r *recursion[T]) triangle(first, count int) []T {
	rows, result := make([]float64, count*count), make([]T, count*count)
	for i := range count {
		row := rows[i*count:]
		row[i] = 1
		for j := range i {
			factor := r.sums[j*count+i] / r.q[first+j]
			for k := range j + 1 {
				row[k] -= factor * rows[j*count+k]
			}
		}
	}
	for i, x := range rows {
		result[i] = T(x)
	}
	return result
}
