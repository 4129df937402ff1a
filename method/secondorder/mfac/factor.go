package mfac

import (
	"math"

	"github.com/descentml/descent/backend/kernel/vector"
)

// factor is R of the Cholesky factorisation K = R^T R of a matrix of the form
// K = shift I + G G^T, upper triangular and row by row. The rows of K are in
// order of age, so that a step of the window takes out the first one and appends
// one: O(m^2) where a new factorisation takes O(m^3).
//
// Both are safe from rounding. Without a row the rest of R is updated by adding
// a square, which cannot fail, and a new row has a pivot of at least shift in
// exact arithmetic, which is what it gets if rounding says less. An error of a
// row leaves with it, so errors do not pile up.
type factor struct {
	order int       // m
	first int       // rows and columns before are left out
	shift float64   // of the diagonal of K
	r     []float64 // [m, m]; what is below the diagonal is not looked at
	x     []float64 // buffer
}

func (f *factor) row(i int) []float64 { return f.r[i*f.order : (i+1)*f.order] }

// reset makes the factor that of shift I.
func (f *factor) reset() {
	clear(f.r)
	root := math.Sqrt(f.shift)
	for i := range f.order {
		f.row(i)[i] = root
	}
}

// remove takes out row and column p of K. Those after it move up by one, and
// the last is free for append.
func (f *factor) remove(p int) {
	x := f.x[:f.order-1-p]
	copy(x, f.row(p)[p+1:])
	for i := f.first; i < p; i++ {
		row := f.row(i)
		copy(row[p:], row[p+1:])
	}
	// What was beside the pivot of p adds x x^T to the K of the rows after it: a
	// rotation works it into each of them on its way up.
	for i := p + 1; i < f.order; i++ {
		from, to, x := f.row(i)[i:], f.row(i - 1)[i-1:f.order-1], x[i-p-1:]
		pivot := math.Hypot(from[0], x[0])
		cos, sin := from[0]/pivot, x[0]/pivot
		scale(to, from, cos) // to = cos from + sin x
		vector.MulAddScalar(to, x, sin, to)
		scale(x, x, cos) // x = cos x - sin from
		vector.MulAddScalar(x, from, -sin, x)
	}
}

// scale is the kernel dst = a b of a vector and a number.
var scale = vector.BinaryScalar[float64](vector.Mul)

// append makes k column and row p of K, above its diagonal element shift +
// square. Those before it must be there, those after it must not. It overwrites k.
func (f *factor) append(p int, k []float64, square float64) {
	rest := f.shift + square
	for i := f.first; i < p; i++ {
		row := f.row(i)
		y := k[i] / row[i]
		vector.MulAddScalar(k[i+1:p], row[i+1:p], -y, k[i+1:p])
		row[p] = y
		rest -= y * y
	}
	f.row(p)[p] = math.Sqrt(max(rest, f.shift))
}

// solve replaces b by K^-1 b.
func (f *factor) solve(b []float64) {
	for i := f.first; i < f.order; i++ {
		row := f.row(i)
		b[i] /= row[i]
		vector.MulAddScalar(b[i+1:], row[i+1:], -b[i], b[i+1:])
	}
	f.back(b)
}

// back replaces y by R^-1 y.
func (f *factor) back(y []float64) {
	for i := f.order - 1; i >= f.first; i-- {
		row := f.row(i)
		y[i] = (y[i] - vector.Dot(row[i+1:], y[i+1:])) / row[i]
	}
}

// logDeterminant is that of K.
func (f *factor) logDeterminant() float64 {
	sum := 0.0
	for i := f.first; i < f.order; i++ {
		sum += 2 * math.Log(f.row(i)[i])
	}
	return sum
}
