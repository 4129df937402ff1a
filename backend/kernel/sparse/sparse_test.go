package sparse_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"github.com/descentml/descent/backend/kernel/sparse"
	"github.com/descentml/descent/backend/kernel/workers"
)

func Example() {
	// 1 0 2
	// 0 3 0
	matrix := &sparse.Matrix{Columns: 3, Offsets: []int{0, 2, 3}, Indices: []int32{0, 2, 1}, Values: []float64{1, 2, 3}}
	s, err := sparse.NewMultiplier(matrix, nil)
	if err != nil {
		panic(err)
	}
	y, x := make([]float64, 2), make([]float64, 3)
	s.Mul(y, []float64{1, 1, 1})
	s.MulTrans(x, []float64{1, 10})
	fmt.Println(y, x)
	// Output: [3 3] [1 30 2]
}

// random is a matrix with about perRow entries a row, some rows empty, and the
// same matrix dense.
func random(rng *rand.Rand, rows, columns, perRow int) (*sparse.Matrix, *mat.Dense) {
	m := &sparse.Matrix{Columns: columns, Offsets: []int{0}}
	dense := mat.NewDense(rows, columns, nil)
	for row := range rows {
		for range rng.IntN(2*perRow + 1) {
			column, x := rng.IntN(columns), rng.NormFloat64()
			m.Indices, m.Values = append(m.Indices, int32(column)), append(m.Values, x)
			dense.Set(row, column, dense.At(row, column)+x)
		}
		m.Offsets = append(m.Offsets, len(m.Values))
	}
	return m, dense
}

func vectorOf(rng *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	return x
}

func near(t interface{ Fatalf(string, ...any) }, what string, got, want []float64) {
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-11*(1+math.Abs(want[i])) {
			t.Fatalf("%s: element %d is %g, want %g", what, i, got[i], want[i])
		}
	}
}

func TestProductsAreThoseOfTheDenseMatrix(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		rows, columns := rapid.IntRange(1, 300).Draw(t, "rows"), rapid.IntRange(1, 60).Draw(t, "columns")
		m, dense := random(rng, rows, columns, rapid.IntRange(0, 90).Draw(t, "per row"))
		s, err := sparse.NewMultiplier(m, nil)
		if err != nil {
			t.Fatal(err)
		}
		x, y := vectorOf(rng, columns), vectorOf(rng, rows)
		wantY, wantX := mat.NewVecDense(rows, nil), mat.NewVecDense(columns, nil)
		wantY.MulVec(dense, mat.NewVecDense(columns, x))
		wantX.MulVec(dense.T(), mat.NewVecDense(rows, y))
		gotY, gotX := vectorOf(rng, rows), vectorOf(rng, columns)
		for range 2 { // the second time with used buffers
			s.Mul(gotY, x)
			s.MulTrans(gotX, y)
			near(t, "A x", gotY, wantY.RawVector().Data)
			near(t, "A' y", gotX, wantX.RawVector().Data)
		}
		// A' (2 A x + row number)
		s.Through(gotX, gotY, x, func(first int, y []float64) {
			for i := range y {
				y[i] = 2*y[i] + float64(first+i)
			}
		})
		for i := range rows {
			wantY.SetVec(i, 2*wantY.AtVec(i)+float64(i))
		}
		wantX.MulVec(dense.T(), wantY)
		near(t, "f(A x)", gotY, wantY.RawVector().Data)
		near(t, "A' f(A x)", gotX, wantX.RawVector().Data)
		row := rng.IntN(rows)
		sum := slices.Clone(x)
		m.AddScaled(sum, 3, row)
		for j := range sum {
			x[j] += 3 * dense.At(row, j)
		}
		near(t, "x + 3 a", sum, x)
		if got, want := m.Dot(row, x), mat.Dot(dense.RowView(row), mat.NewVecDense(columns, x)); math.Abs(got-want) > 1e-10*(1+math.Abs(want)) {
			t.Fatalf("a x = %g, want %g", got, want)
		}
	})
}

// One pass over the rows has the same bits as two, on any number of workers,
// and several multipliers of one matrix work side by side.
func TestBitsDoNotDependOnTheWorkers(t *testing.T) {
	m := scattered(5000, 700, 40)
	rng := rand.New(rand.NewPCG(1000, 0))
	x := vectorOf(rng, 700)
	alone := gradient(t, m, x, nil, false)
	var group sync.WaitGroup
	for size := range 5 {
		for _, fused := range []bool{false, true} {
			group.Go(func() {
				pool := workers.New(size + 1)
				defer pool.Close()
				if got := gradient(t, m, x, pool.Run, fused); !slices.Equal(got, alone) {
					t.Errorf("%d workers, fused %t: other bits than alone", size+1, fused)
				}
			})
		}
	}
	group.Wait()
}

// gradient is A' tanh(A x).
func gradient(t *testing.T, m *sparse.Matrix, x []float64, parallel sparse.Parallel, fused bool) []float64 {
	s, err := sparse.NewMultiplier(m, parallel)
	if err != nil {
		t.Error(err)
		return nil
	}
	dst, y := make([]float64, m.Columns), make([]float64, m.Rows())
	squash := func(_ int, y []float64) {
		for i := range y {
			y[i] = math.Tanh(y[i])
		}
	}
	if fused {
		s.Through(dst, y, x, squash)
		return dst
	}
	s.Mul(y, x)
	squash(0, y)
	s.MulTrans(dst, y)
	return dst
}

func TestZeroRowsAreLeftOut(t *testing.T) {
	m := &sparse.Matrix{Columns: 1, Offsets: []int{0, 1, 2}, Indices: []int32{0, 0}, Values: []float64{math.Inf(1), 2}}
	s, err := sparse.NewMultiplier(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]float64, 1)
	if s.MulTrans(dst, []float64{0, 3}); dst[0] != 6 {
		t.Errorf("sum %g, want 6", dst[0])
	}
}

func TestErrors(t *testing.T) {
	for want, m := range map[string]sparse.Matrix{
		"0 rows and 2 columns":    {Columns: 2, Offsets: []int{0}},
		"1 rows and 0 columns":    {Offsets: []int{0, 0}},
		"offsets go from 1 to 1":  {Columns: 1, Offsets: []int{1, 1}, Indices: []int32{0}, Values: []float64{1}},
		"0 indices and 1 values":  {Columns: 1, Offsets: []int{0, 1}, Values: []float64{1}},
		"rows of a sparse matrix": {Columns: 1, Offsets: []int{0, 2, 1}, Indices: []int32{0}, Values: []float64{1}},
		"in column 1":             {Columns: 1, Offsets: []int{0, 1}, Indices: []int32{1}, Values: []float64{1}},
		"in column -1":            {Columns: 1, Offsets: []int{0, 1}, Indices: []int32{-1}, Values: []float64{1}},
	} {
		if _, err := sparse.NewMultiplier(&m, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v: expected one with %q", err, want)
		}
	}
}

func TestNothingIsAllocatedAfterTheFirstCall(t *testing.T) {
	m := scattered(5000, 700, 40)
	pool := workers.New(2)
	defer pool.Close()
	s, err := sparse.NewMultiplier(m, pool.Run)
	if err != nil {
		t.Fatal(err)
	}
	dst, y, x := make([]float64, m.Columns), make([]float64, m.Rows()), make([]float64, m.Columns)
	same := func(int, []float64) {}
	if got := testing.AllocsPerRun(10, func() {
		s.Mul(y, x)
		s.MulTrans(dst, y)
		s.Through(dst, y, x, same)
	}); got != 0 {
		t.Errorf("%g allocations in three products", got)
	}
}
