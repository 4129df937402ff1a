package vector_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/descentml/descent/backend/kernel/cpu"
	"github.com/descentml/descent/backend/kernel/vector"
)

// lengths cover the rest of a step, several steps, and several blocks.
var lengths = []int{0, 1, 2, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 127, 128, 129, 300, 1000, 4096, 4097, 20011}

func normals[T vector.Float](n int, random *rand.Rand) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = T(random.NormFloat64() + 0.1)
	}
	return x
}

// exactSum returns the sum of the terms and of their magnitudes.
func exactSum(n int, term func(i int) float64) (sum, magnitude float64) {
	total := new(big.Float).SetPrec(200)
	for i := range n {
		total.Add(total, new(big.Float).SetPrec(200).SetFloat64(term(i)))
		magnitude += math.Abs(term(i))
	}
	return rounded(total), magnitude
}

func epsilon[T vector.Float]() float64 {
	if T(1)+T(0x1p-40) == 1 {
		return 0x1p-24
	}
	return 0x1p-53
}

func TestSumsAreAccurate(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		checkSums[float32](t)
		checkSums[float64](t)
	})
}

func checkSums[T vector.Float](t *testing.T) {
	t.Helper()
	random := rand.New(rand.NewPCG(1007, 0))
	for _, n := range lengths {
		x, y := normals[T](n, random), normals[T](n, random)
		for name, c := range map[string]struct {
			got  T
			term func(i int) float64
		}{
			"sum":         {vector.Reduce(vector.Sum, x), func(i int) float64 { return float64(x[i]) }},
			"squares":     {vector.SumSquares(x), func(i int) float64 { return float64(x[i]) * float64(x[i]) }},
			"dot product": {vector.Dot(x, y), func(i int) float64 { return float64(x[i]) * float64(y[i]) }},
			"deviations": {vector.SquaredDeviations(x, 0.25), func(i int) float64 {
				return (float64(x[i]) - 0.25) * (float64(x[i]) - 0.25)
			}},
		} {
			want, magnitude := exactSum(n, c.term)
			steps := float64(min(n, 4096))/32 + math.Log2(float64(n+1)) + 8
			if e := math.Abs(float64(c.got) - want); !(e <= steps*epsilon[T]()*magnitude) {
				t.Errorf("%T %s of %d: %g, want %g, off by %g", c.got, name, n, c.got, want, e)
			}
		}
	}
}

// TestReductionsHaveTheSameBits on every level, for what needs no rounding of
// products in float32.
func TestReductionsHaveTheSameBits(t *testing.T) {
	random := rand.New(rand.NewPCG(1008, 0))
	for _, n := range lengths {
		x, y, z := normals[float32](n, random), normals[float64](n, random), normals[float64](n, random)
		type result struct {
			sum, product  float32
			wideSum, dot  float64
			squares, dev  float64
			columns, rows float32
		}
		compute := func() (r result) {
			r.sum, r.product = vector.Reduce(vector.Sum, x), vector.Reduce(vector.Product, x)
			r.wideSum, r.dot = vector.Reduce(vector.Sum, y), vector.Dot(y, z)
			r.squares, r.dev = vector.SumSquares(y), vector.SquaredDeviations(y, 0.5)
			acc := make([]float32, 5)
			vector.ReduceColumns(vector.Sum, acc, x, 6)
			r.columns = acc[3]
			vector.ReduceRows(vector.Sum, acc, x, max(n/3, 1))
			r.rows = acc[1]
			return r
		}
		restore := vector.Force(cpu.Portable)
		want := compute()
		restore()
		eachLevel(t, func(t *testing.T) {
			if got := compute(); got != want {
				t.Errorf("%d elements: %+v, portable %+v", n, got, want)
			}
		})
	}
}

func TestExtremes(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		checkExtremes[float32](t)
		checkExtremes[float64](t)
	})
}

func checkExtremes[T vector.Float](t *testing.T) {
	t.Helper()
	random := rand.New(rand.NewPCG(1009, 0))
	for _, n := range lengths {
		x := normals[T](n, random)
		for i := range x {
			x[i] = T(math.Round(float64(x[i]) * 20)) // many ties
		}
		largest, smallest, argMax, argMin := T(math.Inf(-1)), T(math.Inf(1)), -1, -1
		for i, v := range x {
			if v > largest {
				largest, argMax = v, i
			}
			if v < smallest {
				smallest, argMin = v, i
			}
		}
		if got := vector.Reduce(vector.Largest, x); got != largest {
			t.Errorf("largest of %d is %g, want %g", n, got, largest)
		}
		if got := vector.Reduce(vector.Smallest, x); got != smallest {
			t.Errorf("smallest of %d is %g, want %g", n, got, smallest)
		}
		if got := vector.ArgMax(x); got != argMax {
			t.Errorf("argmax of %d is %d, want %d", n, got, argMax)
		}
		if got := vector.ArgMin(x); got != argMin {
			t.Errorf("argmin of %d is %d, want %d", n, got, argMin)
		}
		if n < 3 {
			continue
		}
		at := random.IntN(n - 1)
		x[at], x[n-1] = T(nan), T(inf)
		for _, r := range []vector.Reduction{vector.Largest, vector.Smallest} {
			if got := vector.Reduce(r, x); got == got {
				t.Errorf("%v of %d with NaN at %d is %g", r, n, at, got)
			}
		}
		if got := vector.ArgMax(x); got != at {
			t.Errorf("argmax of %d with NaN at %d is %d", n, at, got)
		}
	}
}

func TestInfiniteElements(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		x := make([]float64, 20)
		vector.Fill(x, math.Inf(-1))
		if got := vector.Reduce(vector.Largest, x); !math.IsInf(got, -1) {
			t.Errorf("largest of -Inf is %g", got)
		}
		if got := vector.ArgMax(x); got != 0 {
			t.Errorf("argmax of -Inf is %d", got)
		}
		if got := vector.Reduce(vector.Sum, x); !math.IsInf(got, -1) {
			t.Errorf("sum of -Inf is %g", got)
		}
	})
}

// TestReduceRowsAndColumns compares with one row or column at a time, of small
// whole numbers, whose sums and products are exact.
func TestReduceRowsAndColumns(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		checkRowsAndColumns[float32](t)
		checkRowsAndColumns[float64](t)
	})
}

func checkRowsAndColumns[T vector.Float](t *testing.T) {
	t.Helper()
	random := rand.New(rand.NewPCG(1010, 0))
	folds := map[vector.Reduction]func(a, b T) T{
		vector.Sum:      func(a, b T) T { return a + b },
		vector.Product:  func(a, b T) T { return a * b },
		vector.Largest:  func(a, b T) T { return max(a, b) },
		vector.Smallest: func(a, b T) T { return min(a, b) },
	}
	for r, fold := range folds {
		for range 60 {
			rows, columns := 1+random.IntN(40), 1+random.IntN(90)
			stride := columns + random.IntN(3)
			x := make([]T, (rows-1)*stride+columns)
			for i := range x {
				x[i] = T(1 + random.IntN(2)*(2*random.IntN(2)-1)) // 0, 1 or 2
			}
			if r == vector.Product {
				rows = min(rows, 20)
				x = x[:(rows-1)*stride+columns]
			}
			acc, want := make([]T, columns), make([]T, columns)
			vector.Fill(acc, 1)
			for j := range want {
				want[j] = 1
				for i := range rows {
					want[j] = fold(want[j], x[i*stride+j])
				}
			}
			vector.ReduceColumns(r, acc, x, stride)
			checkSame(t, r.String()+" of columns", acc, want)
		}
		x := make([]T, 7*13)
		for i := range x {
			x[i] = T(1 + i%2)
		}
		got := make([]T, 7)
		vector.ReduceRows(r, got, x, 13)
		for i := range got {
			want := x[i*13]
			for _, v := range x[i*13+1 : (i+1)*13] {
				want = fold(want, v)
			}
			if got[i] != want {
				t.Errorf("%v of row %d is %g, want %g", r, i, got[i], want)
			}
		}
	}
}

// TestDotRowsIsDotOfEachRow to the bit, for rows of one block and of several,
// and leaves what no whole row belongs to.
func TestDotRowsIsDotOfEachRow(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1011, 0))
		for _, columns := range []int{1, 7, 64, 4096, 9001} {
			const rows = 3
			x, y := make([]float32, rows*columns), make([]float32, rows*columns)
			for i := range x {
				x[i], y[i] = float32(random.NormFloat64()), float32(random.NormFloat64())
			}
			got := []float32{0, 0, 0, 42}
			vector.DotRows(got, x, y, columns)
			for i := range rows {
				if want := vector.Dot(x[i*columns:(i+1)*columns], y[i*columns:(i+1)*columns]); got[i] != want {
					t.Errorf("%d columns, row %d: got %g, want %g", columns, i, got[i], want)
				}
			}
			if got[rows] != 42 {
				t.Errorf("%d columns: a number beyond the rows became %g", columns, got[rows])
			}
		}
		vector.DotRows([]float32{1}, nil, nil, 0)
	})
}
