package kernel

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
	"gonum.org/v1/gonum/blas/testblas"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) {
	UseInGonum()
	m.Run()
}

func TestGonumsOwnSuite(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"Dgemm": func(t *testing.T) { testblas.TestDgemm(t, float64BLAS{}) },
		"Dgemv": func(t *testing.T) { testblas.DgemvTest(t, float64BLAS{}) },
		"Dger":  func(t *testing.T) { testblas.DgerTest(t, float64BLAS{}) },
		"Dsyrk": func(t *testing.T) { testblas.DsyrkTest(t, float64BLAS{}) },
		"Dtrmm": func(t *testing.T) { testblas.DtrmmTest(t, float64BLAS{}) },
		"Dtrsm": func(t *testing.T) { testblas.DtrsmTest(t, float64BLAS{}) },
	} {
		t.Run(name, test)
	}
}

// arguments are those of all routines; each takes what it needs.
type arguments struct {
	side    blas.Side
	uplo    blas.Uplo
	tA, tB  blas.Transpose
	diag    blas.Diag
	m, n, k int
	lda     int
	incX    int
	incY    int
	a, b, c []float64
	alpha   float64
	beta    float64
}

func drawArguments(t *rapid.T) *arguments {
	random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	size := func(name string) int {
		return 1 + random.IntN(rapid.SampledFrom([]int{320, 100, 40, 10}).Draw(t, "largest "+name))
	}
	transposes := rapid.SampledFrom([]blas.Transpose{blas.NoTrans, blas.Trans, blas.ConjTrans})
	p := &arguments{
		side: rapid.SampledFrom([]blas.Side{blas.Left, blas.Right}).Draw(t, "side"),
		uplo: rapid.SampledFrom([]blas.Uplo{blas.Upper, blas.Lower}).Draw(t, "uplo"),
		diag: rapid.SampledFrom([]blas.Diag{blas.Unit, blas.NonUnit}).Draw(t, "diag"),
		tA:   transposes.Draw(t, "tA"), tB: transposes.Draw(t, "tB"),
		m: size("m"), n: size("n"), k: size("k"),
		incX:  rapid.SampledFrom([]int{1, 2, -1}).Draw(t, "incX"),
		incY:  rapid.SampledFrom([]int{1, 3, -2}).Draw(t, "incY"),
		alpha: rapid.SampledFrom([]float64{0, 1, -1, 0.6}).Draw(t, "alpha"),
		beta:  rapid.SampledFrom([]float64{0, 1, -1, 0.6}).Draw(t, "beta"),
	}
	p.lda = max(p.m, p.n, p.k) + rapid.SampledFrom([]int{0, 3}).Draw(t, "padding")
	for _, x := range []*[]float64{&p.a, &p.b, &p.c} {
		*x = make([]float64, p.lda*p.lda)
		for i := range *x {
			(*x)[i] = random.NormFloat64()
		}
	}
	return p
}

// wellConditioned makes the triangles of A easy to solve with.
func (p *arguments) wellConditioned() {
	for i := range p.a {
		p.a[i] /= float64(p.lda)
	}
	for i := 0; i < len(p.a); i += p.lda + 1 {
		p.a[i] = 2 + math.Abs(p.a[i])
	}
}

// vector returns a vector of n elements that are inc apart.
func (p *arguments) vector(n, inc int) []float64 {
	x := make([]float64, (n-1)*max(inc, -inc)+1)
	for i := range x {
		x[i] = p.b[i%len(p.b)]
	}
	return x
}

// level23 are the routines that are replaced.
type level23 interface {
	Dgemm(tA, tB blas.Transpose, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int)
	Dgemv(tA blas.Transpose, m, n int, alpha float64, a []float64, lda int, x []float64, incX int, beta float64, y []float64, incY int)
	Dger(m, n int, alpha float64, x []float64, incX int, y []float64, incY int, a []float64, lda int)
	Dsyrk(uplo blas.Uplo, tA blas.Transpose, n, k int, alpha float64, a []float64, lda int, beta float64, c []float64, ldc int)
	Dtrmm(side blas.Side, uplo blas.Uplo, tA blas.Transpose, diag blas.Diag, m, n int, alpha float64, a []float64, lda int, b []float64, ldb int)
	Dtrsm(side blas.Side, uplo blas.Uplo, tA blas.Transpose, diag blas.Diag, m, n int, alpha float64, a []float64, lda int, b []float64, ldb int)
}

// single gives the routines for float32 the face of those for float64.
type single struct{ blas.Float32 }

func (s single) Dgemm(tA, tB blas.Transpose, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int) {
	s.in32(c, func(c []float32) {
		s.Sgemm(tA, tB, m, n, k, float32(alpha), to32(a), lda, to32(b), ldb, float32(beta), c, ldc)
	})
}

func (s single) Dgemv(tA blas.Transpose, m, n int, alpha float64, a []float64, lda int, x []float64, incX int, beta float64, y []float64, incY int) {
	s.in32(y, func(y []float32) {
		s.Sgemv(tA, m, n, float32(alpha), to32(a), lda, to32(x), incX, float32(beta), y, incY)
	})
}

func (s single) Dger(m, n int, alpha float64, x []float64, incX int, y []float64, incY int, a []float64, lda int) {
	s.in32(a, func(a []float32) { s.Sger(m, n, float32(alpha), to32(x), incX, to32(y), incY, a, lda) })
}

func (s single) Dsyrk(uplo blas.Uplo, tA blas.Transpose, n, k int, alpha float64, a []float64, lda int, beta float64, c []float64, ldc int) {
	s.in32(c, func(c []float32) { s.Ssyrk(uplo, tA, n, k, float32(alpha), to32(a), lda, float32(beta), c, ldc) })
}

func (s single) Dtrmm(side blas.Side, uplo blas.Uplo, tA blas.Transpose, diag blas.Diag, m, n int, alpha float64, a []float64, lda int, b []float64, ldb int) {
	s.in32(b, func(b []float32) { s.Strmm(side, uplo, tA, diag, m, n, float32(alpha), to32(a), lda, b, ldb) })
}

func (s single) Dtrsm(side blas.Side, uplo blas.Uplo, tA blas.Transpose, diag blas.Diag, m, n int, alpha float64, a []float64, lda int, b []float64, ldb int) {
	s.in32(b, func(b []float32) { s.Strsm(side, uplo, tA, diag, m, n, float32(alpha), to32(a), lda, b, ldb) })
}

// in32 runs f on a copy of x in float32.
func (single) in32(x []float64, f func([]float32)) {
	y := to32(x)
	f(y)
	for i, v := range y {
		x[i] = float64(v)
	}
}

func to32(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}

// TestAgreesWithGonum compares each routine with gonum's, element by element,
// including the elements that must not change.
func TestAgreesWithGonum(t *testing.T) {
	for name, run := range map[string]func(level23, *arguments) []float64{
		"Gemm": func(b level23, p *arguments) []float64 {
			b.Dgemm(p.tA, p.tB, p.m, p.n, p.k, p.alpha, p.a, p.lda, p.b, p.lda, p.beta, p.c, p.lda)
			return p.c
		},
		"Gemv": func(b level23, p *arguments) []float64 {
			lengthY, lengthX := swapIf(p.tA, p.m, p.n)
			// No longer than needed: gonum's Sgemv clears what is behind y.
			x, y := p.vector(lengthX, p.incX), p.vector(lengthY, p.incY)
			b.Dgemv(p.tA, p.m, p.n, p.alpha, p.a, p.lda, x, p.incX, p.beta, y, p.incY)
			return y
		},
		"Ger": func(b level23, p *arguments) []float64 {
			// Forwards: gonum's Dger reads beside vectors that are stored backwards.
			incX, incY := max(p.incX, -p.incX), max(p.incY, -p.incY)
			b.Dger(p.m, p.n, p.alpha, p.vector(p.m, incX), incX, p.vector(p.n, incY), incY, p.a, p.lda)
			return p.a
		},
		"Syrk": func(b level23, p *arguments) []float64 {
			b.Dsyrk(p.uplo, p.tA, p.n, p.k, p.alpha, p.a, p.lda, p.beta, p.c, p.lda)
			return p.c
		},
		"Trmm": func(b level23, p *arguments) []float64 {
			p.wellConditioned()
			b.Dtrmm(p.side, p.uplo, p.tA, p.diag, p.m, p.n, p.alpha, p.a, p.lda, p.b, p.lda)
			return p.b
		},
		"Trsm": func(b level23, p *arguments) []float64 {
			p.wellConditioned()
			b.Dtrsm(p.side, p.uplo, p.tA, p.diag, p.m, p.n, p.alpha, p.a, p.lda, p.b, p.lda)
			return p.b
		},
	} {
		t.Run("D"+name, func(t *testing.T) { agree(t, float64BLAS{}, gonum.Implementation{}, run, 1e-12) })
		t.Run("S"+name, func(t *testing.T) { agree(t, single{float32BLAS{}}, gonum.Implementation{}, run, 2e-3) })
	}
}

func agree(t *testing.T, ours, theirs level23, run func(level23, *arguments) []float64, tolerance float64) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawArguments(t)
		q := *p
		q.a, q.b, q.c = append([]float64(nil), p.a...), append([]float64(nil), p.b...), append([]float64(nil), p.c...)
		got, want := run(ours, p), run(theirs, &q)
		for i := range want {
			if !(math.Abs(got[i]-want[i]) <= tolerance*(1+math.Abs(want[i])+float64(p.k)/10)) {
				t.Fatalf("element %d is %v, want %v", i, got[i], want[i])
			}
		}
	})
}

// TestPanicsAreGonums gives each routine wrong arguments, large enough that
// right ones would go to the kernels.
func TestPanicsAreGonums(t *testing.T) {
	x := make([]float64, 100*100)
	for name, run := range map[string]func(level23){
		"transpose": func(b level23) { b.Dgemm('x', 'N', 99, 99, 99, 1, x, 99, x, 99, 0, x, 99) },
		"m":         func(b level23) { b.Dgemm('N', 'N', -1, 99, 99, 1, x, 99, x, 99, 0, x, 99) },
		"lda":       func(b level23) { b.Dgemm('N', 'N', 99, 99, 99, 1, x, 98, x, 99, 0, x, 99) },
		"short a":   func(b level23) { b.Dgemm('N', 'N', 99, 99, 99, 1, x[:9], 99, x, 99, 0, x, 99) },
		"short c":   func(b level23) { b.Dgemm('N', 'N', 99, 99, 99, 1, x, 99, x, 99, 0, x[:9], 99) },
		"incX":      func(b level23) { b.Dgemv('N', 99, 99, 1, x, 99, x, 0, 0, x, 1) },
		"short y":   func(b level23) { b.Dgemv('N', 99, 99, 1, x, 99, x, 1, 0, x[:9], 1) },
		"incY":      func(b level23) { b.Dger(300, 300, 1, x, 1, x, 0, make([]float64, 300*300), 300) },
		"uplo":      func(b level23) { b.Dsyrk('x', 'N', 99, 99, 1, x, 99, 0, x, 99) },
		"side":      func(b level23) { b.Dtrsm('x', 'U', 'N', 'N', 99, 99, 1, x, 99, x, 99) },
		"diag":      func(b level23) { b.Dtrmm('L', 'U', 'N', 'x', 99, 99, 1, x, 99, x, 99) },
		"ldb":       func(b level23) { b.Dtrmm('L', 'U', 'N', 'N', 99, 99, 1, x, 99, x, 98) },
	} {
		want := panicOf(func() { run(gonum.Implementation{}) })
		if want == nil {
			t.Errorf("%s: gonum does not mind", name)
		}
		for _, ours := range []level23{float64BLAS{}, single{float32BLAS{}}} {
			if got := panicOf(func() { run(ours) }); got != want {
				t.Errorf("%s: panic %v, want %v", name, got, want)
			}
		}
	}
}

func panicOf(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}
