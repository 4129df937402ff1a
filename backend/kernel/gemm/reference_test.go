package gemm

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/descentml/descent/backend/kernel/cpu"
	"pgregory.net/rapid"
)

// multiply is Float32 or Float64.
type multiply[T number] func(transA, transB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int, options Options) error

// problem is a product, or a batch of them, with its matrices.
type problem[T number] struct {
	transA, transB              bool
	m, n, k                     int
	alpha, beta                 T
	a, b, c                     []T
	lda, ldb, ldc               int
	count                       int
	strideA, strideB, strideC   int
	paddingA, paddingB, padding int // columns of A, B and C that belong to nobody
}

// fill allocates the matrices and draws their elements; what lies between the
// rows is NaN, and must not matter. The last row ends with the slice.
func (p *problem[T]) fill(random *rand.Rand) {
	rowsA, columnsA := swapIf(p.transA, p.m, p.k)
	rowsB, columnsB := swapIf(p.transB, p.k, p.n)
	p.a, p.lda, p.strideA = matrices[T](random, max(1, p.count), rowsA, columnsA, p.paddingA)
	p.b, p.ldb, p.strideB = matrices[T](random, max(1, p.count), rowsB, columnsB, p.paddingB)
	p.c, p.ldc, p.strideC = matrices[T](random, max(1, p.count), p.m, p.n, p.padding)
}

func matrices[T number](random *rand.Rand, count, rows, columns, padding int) (x []T, rowStride, stride int) {
	rowStride = columns + padding
	stride = rows * rowStride
	length := count * stride
	if length >= padding {
		length -= padding
	}
	x = make([]T, length)
	for i := range x {
		x[i] = T(random.NormFloat64())
		if i%max(1, rowStride) >= columns {
			x[i] = T(math.NaN())
		}
	}
	return x, rowStride, stride
}

// run computes the product into a copy of C.
func (p *problem[T]) run(t rapid.TB, f multiply[T], parallel Parallel) []T {
	t.Helper()
	c := append([]T(nil), p.c...)
	options := Options{Parallel: parallel, Batch: Batch{p.count, p.strideA, p.strideB, p.strideC}}
	if err := f(p.transA, p.transB, p.m, p.n, p.k, p.alpha, p.a, p.lda, p.b, p.ldb, p.beta, c, p.ldc, options); err != nil {
		t.Fatalf("%+v: %v", p.shape(), err)
	}
	return c
}

// shape returns the problem without its elements, for messages.
func (p problem[T]) shape() problem[T] {
	p.a, p.b, p.c = nil, nil, nil
	return p
}

// element returns what C's element should be, and the sum of the sizes of the
// terms.
func (p *problem[T]) element(batch, row, column int) (value, size float64) {
	var sum, rest float64 // together they have twice the digits of float64
	for step := range p.k {
		indexA, indexB := row*p.lda+step, step*p.ldb+column
		if p.transA {
			indexA = step*p.lda + row
		}
		if p.transB {
			indexB = column*p.ldb + step
		}
		x, y := float64(p.a[batch*p.strideA+indexA]), float64(p.b[batch*p.strideB+indexB])
		term := x * y
		next := sum + term
		back := next - sum
		rest += math.FMA(x, y, -term) + (sum - (next - back)) + (term - back)
		sum = next
		size += math.Abs(term)
	}
	alpha, beta := float64(p.alpha), float64(p.beta)
	value, size = alpha*(sum+rest), math.Abs(alpha)*size
	if beta != 0 {
		old := beta * float64(p.c[batch*p.strideC+row*p.ldc+column])
		value, size = value+old, size+math.Abs(old)
	}
	return value, size
}

// verify compares the elements of a result that sample lets through with the
// reference, within the bound for a sum in any order: (k+2) eps |alpha||A||B|.
func (p *problem[T]) verify(t rapid.TB, c []T, sample func() bool) {
	t.Helper()
	eps := math.Pow(2, -24)
	if size[T](1) == 8 {
		eps = math.Pow(2, -53)
	}
	for batch := range max(1, p.count) {
		for row := range p.m {
			for column := range p.n {
				if !sample() {
					continue
				}
				want, size := p.element(batch, row, column)
				got := float64(c[batch*p.strideC+row*p.ldc+column])
				if !(math.Abs(got-want) <= 2*float64(p.k+2)*eps*size) {
					t.Fatalf("%+v: C[%d,%d,%d] = %v, want %v", p.shape(), batch, row, column, got, want)
				}
			}
		}
	}
	for i := range c {
		if i%max(1, p.ldc) >= p.n && !math.IsNaN(float64(c[i])) {
			t.Fatalf("%+v: element %d, between rows of C, was overwritten", p.shape(), i)
		}
	}
}

func always() bool { return true }

// eachLevel runs a test with all kernels that this processor can run.
func eachLevel(t *testing.T, test func(t *testing.T)) {
	defer use(cpu.Best())
	for _, level := range cpu.Levels() {
		use(level)
		t.Run(level.String(), test)
	}
}

func sameBits[T number](a, b []T) bool {
	for i := range a {
		if math.Float64bits(float64(a[i])) != math.Float64bits(float64(b[i])) {
			return false
		}
	}
	return len(a) == len(b)
}
