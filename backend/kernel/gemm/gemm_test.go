package gemm

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/descentml/descent/backend/kernel/workers"
	"pgregory.net/rapid"
)

// TestProducts draws shapes, strides, transpositions, factors and batches, and
// asks for the right values and for the same bits with any number of workers.
func TestProducts(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		t.Run("float32", func(t *testing.T) { testProducts(t, Float32) })
		t.Run("float64", func(t *testing.T) { testProducts(t, Float64) })
	})
}

func testProducts[T number](t *testing.T, f multiply[T]) {
	two, three := workers.New(2), workers.New(3)
	defer two.Close()
	defer three.Close()
	rapid.Check(t, func(t *rapid.T) {
		p := drawProblem[T](t)
		c := p.run(t, f, nil)
		p.verify(t, c, always)
		for _, pool := range []*workers.Pool{two, three} {
			if !sameBits(c, p.run(t, f, pool.Run)) {
				t.Fatalf("%+v: other bits with %d workers", p.shape(), pool.Size())
			}
		}
	})
}

func drawProblem[T number](t *rapid.T) *problem[T] {
	// Sizes that rapid draws itself are nearly all below ten.
	random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	dimension := func(name string) int {
		return random.IntN(1 + rapid.SampledFrom([]int{80, 80, 20, 4}).Draw(t, "largest "+name))
	}
	factor := rapid.SampledFrom([]T{0, 1, -1, 0.7, -1.3})
	padding := rapid.SampledFrom([]int{0, 0, 1, 5})
	p := &problem[T]{
		transA: rapid.Bool().Draw(t, "transA"), transB: rapid.Bool().Draw(t, "transB"),
		m: dimension("m"), n: dimension("n"), k: dimension("k"),
		alpha: factor.Draw(t, "alpha"), beta: factor.Draw(t, "beta"),
		paddingA: padding.Draw(t, "paddingA"), paddingB: padding.Draw(t, "paddingB"), padding: padding.Draw(t, "paddingC"),
		count: rapid.SampledFrom([]int{0, 0, 1, 2, 9}).Draw(t, "count"),
	}
	p.fill(random)
	if rapid.Bool().Draw(t, "one B for all") {
		p.strideB = 0
	}
	return p
}

// TestLargeProducts covers shapes that are cut into blocks of every kind, and
// both sides of every threshold; a sample of the elements is checked.
func TestLargeProducts(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		t.Run("float32", func(t *testing.T) { testLargeProducts(t, Float32) })
		t.Run("float64", func(t *testing.T) { testLargeProducts(t, Float64) })
	})
}

func testLargeProducts[T number](t *testing.T, f multiply[T]) {
	pool := workers.New(3)
	defer pool.Close()
	random := rand.New(rand.NewPCG(1, 2))
	panels := kernelWidth[T]()*packEarly.panels - 3
	shapes := [][3]int{
		{2100, panels, 130}, {5, 4200, 9}, // several blocks of rows, of columns
		{130, 40, 500}, {350, panels, 760}, // of the sum; A is packed
		{100, panels, 150},                                                          // B is packed, and A if it is transposed
		{1, 1000, 700}, {1000, 1, 700}, {3, 500, 900}, {500, 2, 900}, {2100, 40, 3}, // narrow
	}
	if !testing.Short() {
		shapes = append(shapes, [3]int{256, 1025, 1030}) // large enough to pack B as it is
	}
	for _, s := range shapes {
		for form := range 4 {
			if form > 0 && s[1] == 1025 {
				break
			}
			p := &problem[T]{m: s[0], n: s[1], k: s[2], transA: form&1 != 0, transB: form&2 != 0, alpha: 1.5, beta: T(form%3-1) / 2, padding: 3}
			p.fill(random)
			c := p.run(t, f, nil)
			rate := 400 / float64(p.m*p.n)
			p.verify(t, c, func() bool { return random.Float64() < rate })
			if !sameBits(c, p.run(t, f, pool.Run)) {
				t.Errorf("%+v: other bits with %d workers", p.shape(), pool.Size())
			}
		}
	}
}

// kernelWidth is the width of a tile of the kernels in use.
func kernelWidth[T number]() int {
	if size[T](1) == 4 {
		return engine32.kernels.width()
	}
	return engine64.kernels.width()
}

// TestSpecialValues puts NaN and infinities into A and B: the rules of IEEE 754
// decide which elements of C are NaN, infinite or finite.
func TestSpecialValues(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		t.Run("float32", func(t *testing.T) { testSpecialValues(t, Float32) })
		t.Run("float64", func(t *testing.T) { testSpecialValues(t, Float64) })
	})
}

func testSpecialValues[T number](t *testing.T, f multiply[T]) {
	random := rand.New(rand.NewPCG(3, 4))
	special := []float64{0, math.Inf(1), math.Inf(-1), math.NaN()}
	for form := range 4 {
		for _, s := range [][3]int{{33, 35, 17}, {1, 40, 20}, {40, 1, 20}, {3, 9, 5}} {
			p := &problem[T]{m: s[0], n: s[1], k: s[2], transA: form&1 != 0, transB: form&2 != 0, alpha: 1}
			p.fill(random)
			for range 6 {
				p.a[random.IntN(len(p.a))] = T(special[random.IntN(len(special))])
				p.b[random.IntN(len(p.b))] = T(special[random.IntN(len(special))])
			}
			for i := range p.c {
				p.c[i] = T(math.NaN()) // not read, because beta is zero
			}
			c := p.run(t, f, nil)
			for row := range p.m {
				for column := range p.n {
					want, got := p.plain(row, column), float64(c[row*p.ldc+column])
					if math.IsNaN(want) != math.IsNaN(got) || math.IsInf(want, 0) && got != want {
						t.Fatalf("%+v: C[%d,%d] = %v, want %v", p.shape(), row, column, got, want)
					}
				}
			}
		}
	}
}

// plain sums without care for rounding.
func (p *problem[T]) plain(row, column int) (sum float64) {
	for step := range p.k {
		indexA, indexB := row*p.lda+step, step*p.ldb+column
		if p.transA {
			indexA = step*p.lda + row
		}
		if p.transB {
			indexB = column*p.ldb + step
		}
		sum += float64(p.a[indexA]) * float64(p.b[indexB])
	}
	return sum
}

func TestProductsAtTheSameTime(t *testing.T) {
	pool := workers.New(2)
	defer pool.Close()
	var callers sync.WaitGroup
	for caller := range 4 {
		callers.Go(func() {
			p := &problem[float64]{m: 60 + caller, n: 50, k: 400, alpha: 1, transB: caller%2 == 0}
			p.fill(rand.New(rand.NewPCG(uint64(caller), 0)))
			want := p.run(t, Float64, nil)
			for range 20 {
				if !sameBits(want, p.run(t, Float64, pool.Run)) {
					t.Errorf("%+v: other bits beside other products", p.shape())
				}
			}
		})
	}
	callers.Wait()
}

func TestWrongArguments(t *testing.T) {
	x := make([]float32, 100)
	long := math.MaxInt / 2
	for name, err := range map[string]error{
		"m below zero":         Float32(false, false, -1, 2, 2, 1, x, 2, x, 2, 0, x, 2, Options{}),
		"k below zero":         Float32(false, false, 1, 2, -2, 1, x, 2, x, 2, 0, x, 2, Options{}),
		"stride of A":          Float32(false, false, 5, 5, 5, 1, x, 4, x, 5, 0, x, 5, Options{}),
		"stride of transposed": Float32(true, false, 6, 5, 5, 1, x, 5, x, 5, 0, x, 5, Options{}),
		"short A":              Float32(false, false, 5, 5, 5, 1, x[:24], 5, x, 5, 0, x, 5, Options{}),
		"short B":              Float32(false, true, 5, 5, 5, 1, x, 5, x[:24], 5, 0, x, 5, Options{}),
		"short C":              Float32(false, false, 5, 5, 5, 1, x, 5, x, 5, 0, x[:24], 5, Options{}),
		"product overflows":    Float32(false, false, long, 5, 5, 1, x, 5, x, 5, 0, x, 5, Options{}),
		"batch too long":       Float32(false, false, 5, 5, 5, 1, x, 5, x, 5, 0, x, 5, Options{Batch: Batch{5, 25, 0, 25}}),
		"batch overflows":      Float32(false, false, 5, 5, 5, 1, x, 5, x, 5, 0, x, 5, Options{Batch: Batch{long, long, 0, 25}}),
		"batch overlaps":       Float32(false, false, 5, 5, 5, 1, x, 5, x, 5, 0, x, 5, Options{Batch: Batch{2, 0, 0, 24}}),
		"batch stride":         Float32(false, false, 5, 5, 5, 1, x, 5, x, 5, 0, x, 5, Options{Batch: Batch{2, -1, 0, 25}}),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestEmptyProducts scales C if the sum is empty and does nothing without C.
func TestEmptyProducts(t *testing.T) {
	c := []float64{1, 2, 3, 4}
	if err := Float64(false, false, 2, 2, 0, 1, nil, 0, nil, 2, 3, c, 2, Options{}); err != nil {
		t.Fatal(err)
	}
	if !sameBits(c, []float64{3, 6, 9, 12}) {
		t.Errorf("3 C + 0 = %v", c)
	}
	if err := Float64(false, false, 0, 2, 5, 1, nil, 5, make([]float64, 10), 2, 0, nil, 2, Options{}); err != nil {
		t.Error(err)
	}
}
