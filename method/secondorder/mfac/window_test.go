package mfac_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"github.com/descentml/descent/method/secondorder/mfac"
)

var forms = map[string]mfac.Form{"Cholesky": mfac.Cholesky, "paper": mfac.Paper}

func newWindow[T mfac.Float](t testing.TB, s mfac.WindowSettings) *mfac.Window[T] {
	t.Helper()
	s.Parallel = pool
	w, err := mfac.NewWindow[T](s)
	must(t, err)
	return w
}

// fill pushes rows of gradients.
func fill[T mfac.Float](t testing.TB, w *mfac.Window[T], g []T, d int) {
	t.Helper()
	for row := range slices.Chunk(g, d) {
		must(t, w.Push(row))
	}
}

// Check 1 for the dynamic algorithm, in both forms.
func TestWindowIsTheDenseInverse(t *testing.T) {
	for _, s := range sizes {
		if s.d > 1000 {
			continue
		}
		for name, form := range forms {
			rng := random(4)
			g, x := normal[float64](rng, s.m*s.d), normal[float64](rng, s.d)
			w := newWindow[float64](t, mfac.WindowSettings{Gradients: s.m, Parameters: s.d, Damping: s.damping, Form: form})
			fill(t, w, g, s.d)
			f, got := fisher(g, s.m, s.d, s.d, float64(s.m), s.damping), make([]float64, s.d)
			must(t, w.Product(got, x))
			if e := apart(got, solved(t, f, x)); !(e < 1e-10) {
				t.Errorf("%s, m %d, d %d: product off by %g", name, s.m, s.d, e)
			}
			newest := g[(s.m-1)*s.d:]
			square, err := w.Direction(got)
			must(t, err)
			want := solved(t, f, newest)
			if e := apart(got, want); !(e < 1e-10) {
				t.Errorf("%s, m %d, d %d: direction off by %g", name, s.m, s.d, e)
			}
			inner := mat.Dot(mat.NewVecDense(s.d, newest), mat.NewVecDense(s.d, want))
			if math.Abs(square-inner) > 1e-8*inner || !(0 < square && square < float64(s.m)) { // check 5
				t.Errorf("%s, m %d, d %d: g F^-1 g is %g, want %g", name, s.m, s.d, square, inner)
			}
			var cholesky mat.Cholesky
			cholesky.Factorize(f)
			if want := cholesky.LogDet(); math.Abs(w.LogDeterminant()-want) > 1e-8*math.Abs(want)+1e-12 {
				t.Errorf("%s, m %d, d %d: log det %g, want %g", name, s.m, s.d, w.LogDeterminant(), want)
			}
		}
	}
}

// The static and the dynamic algorithm agree where a dense matrix is large.
func TestStaticIsTheWindow(t *testing.T) {
	s := sizes[len(sizes)-1]
	rng := random(5)
	g, x := normal[float64](rng, s.m*s.d), normal[float64](rng, s.d)
	static, err := mfac.NewStatic(t.Context(), slices.Clone(g), s.m, s.d, mfac.StaticSettings{Damping: s.damping, Parallel: pool})
	must(t, err)
	want, got := make([]float64, s.d), make([]float64, s.d)
	must(t, static.Product(want, x))
	for name, form := range forms {
		w := newWindow[float64](t, mfac.WindowSettings{Gradients: s.m, Parameters: s.d, Damping: s.damping, Form: form})
		fill(t, w, g, s.d)
		must(t, w.Product(got, x))
		if e := apart(got, want); !(e < 1e-10) {
			t.Errorf("%s: off by %g", name, e)
		}
	}
}

// Check 4: after many replacements in any order the product is that of the
// gradients that are there, whatever the order of the rows.
func TestReplacements(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		m, d := rapid.IntRange(1, 9).Draw(r, "m"), rapid.IntRange(1, 12).Draw(r, "d")
		counted := rapid.Bool().Draw(r, "count filled")
		rng := random(rapid.Uint64().Draw(r, "seed"))
		x, held, there := normal[float64](rng, d), make([]float64, m*d), map[int]bool{}
		settings := mfac.WindowSettings{Gradients: m, Parameters: d, Damping: 0.01, CountFilled: counted}
		chol := newWindow[float64](t, settings)
		settings.Form = mfac.Paper
		paper := newWindow[float64](t, settings)
		for range rapid.IntRange(0, 3*m).Draw(r, "replacements") {
			row, g := rapid.IntRange(0, m-1).Draw(r, "row"), normal[float64](rng, d)
			copy(held[row*d:], g)
			there[row] = true
			must(t, chol.Replace(row, g))
			must(t, paper.Replace(row, g))
		}
		divisor := float64(m)
		if counted {
			divisor = float64(max(1, len(there)))
		}
		want := solved(t, fisher(held, m, d, d, divisor, 0.01), x)
		for name, w := range map[string]*mfac.Window[float64]{"Cholesky": chol, "paper": paper} {
			got := make([]float64, d)
			must(t, w.Product(got, x))
			if e := apart(got, want); !(e < 1e-10) {
				r.Fatalf("%s: off by %g", name, e)
			}
			if w.Filled() != len(there) {
				r.Fatalf("%d gradients, want %d", w.Filled(), len(there))
			}
		}
	})
}

// A long run does not lose digits, as every row leaves with its errors.
func TestManyPushes(t *testing.T) {
	const m, d, damping = 16, 60, 1e-3
	w := newWindow[float64](t, mfac.WindowSettings{Gradients: m, Parameters: d, Damping: damping})
	rng := random(6)
	g := normal[float64](rng, 5000*d)
	fill(t, w, g, d)
	last, x, got := g[len(g)-m*d:], normal[float64](rng, d), make([]float64, d)
	must(t, w.Product(got, x))
	if e := apart(got, solved(t, fisher(last, m, d, d, m, damping), x)); !(e < 1e-10) {
		t.Errorf("off by %g", e)
	}
}

// With float32 gradients and a small damping a product with any vector loses
// its digits, as RelativeError says; the newest gradient's does not.
func TestSmallDampingInFloat32(t *testing.T) {
	const m, d, damping = 128, 500, 1e-5
	g := normal[float32](random(7), m*d)
	w := newWindow[float32](t, mfac.WindowSettings{Gradients: m, Parameters: d, Damping: damping})
	fill(t, w, g, d)
	newest, got := g[(m-1)*d:], make([]float32, d)
	want := solved(t, fisher(g, m, d, d, m, damping), newest)
	if _, err := w.Direction(got); err != nil {
		t.Fatal(err)
	}
	if e := apart(got, want); !(e < 2e-6) {
		t.Errorf("direction off by %g", e)
	}
	must(t, w.Product(got, newest))
	e, bound := apart(got, want), w.RelativeError()
	if !(e > 1e-3) || !(bound > 1e-2) {
		t.Errorf("product off by %g, stated %g: expected both to be large", e, bound)
	}
	fine := newWindow[float32](t, mfac.WindowSettings{Gradients: m, Parameters: d, Damping: 0.1})
	fill(t, fine, g, d)
	must(t, fine.Product(got, newest))
	if e := apart(got, solved(t, fisher(g, m, d, d, m, 0.1), newest)); !(e < fine.RelativeError()) || fine.RelativeError() > 1e-3 {
		t.Errorf("damping 0.1: product off by %g, stated %g", e, fine.RelativeError())
	}
}

// The estimate of the error has the largest eigenvalue of F.
func TestRelativeError(t *testing.T) {
	const m, d, damping = 6, 10, 0.5
	g := normal[float64](random(8), m*d)
	for i := range d {
		g[i] *= 30 // one direction stands out
	}
	w := newWindow[float64](t, mfac.WindowSettings{Gradients: m, Parameters: d, Damping: damping})
	fill(t, w, g, d)
	var eigen mat.EigenSym
	if !eigen.Factorize(fisher(g, m, d, d, m, damping), false) {
		t.Fatal("no eigenvalues")
	}
	want := 0x1p-52 * eigen.Values(nil)[d-1] / damping
	if got := w.RelativeError(); math.Abs(got-want) > 1e-6*want {
		t.Errorf("%g, want %g", got, want)
	}
}

// A gradient that is no number leaves no numbers, and no panic.
func TestNaNIsPassedOn(t *testing.T) {
	for name, form := range forms {
		w := newWindow[float64](t, mfac.WindowSettings{Gradients: 3, Parameters: 2, Damping: 1, Form: form})
		fill(t, w, []float64{1, 2, math.NaN(), 1}, 2)
		got := make([]float64, 2)
		if _, err := w.Direction(got); err != nil || !math.IsNaN(got[0]) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestWindowHasTheSameBitsForAnyWorkers(t *testing.T) {
	const m, d = 5, 9001
	g := normal[float32](random(9), 2*m*d)
	var all [2][]float32
	for i, parallel := range []func(int, func(int)){nil, pool} {
		w, err := mfac.NewWindow[float32](mfac.WindowSettings{Gradients: m, Parameters: d, Damping: 1e-3, Parallel: parallel})
		must(t, err)
		fill(t, w, g, d)
		all[i] = make([]float32, d)
		if _, err := w.Direction(all[i]); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(all[0], all[1]) {
		t.Error("directions differ")
	}
}

func TestWindowRefuses(t *testing.T) {
	good := mfac.WindowSettings{Gradients: 2, Parameters: 3, Damping: 1}
	for name, change := range map[string]func(*mfac.WindowSettings){
		"no gradients":  func(s *mfac.WindowSettings) { s.Gradients = 0 },
		"no parameters": func(s *mfac.WindowSettings) { s.Parameters = 0 },
		"NaN damping":   func(s *mfac.WindowSettings) { s.Damping = math.NaN() },
		"another form":  func(s *mfac.WindowSettings) { s.Form = 7 },
	} {
		s := good
		if change(&s); name != "" {
			if _, err := mfac.NewWindow[float64](s); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
	}
	w := newWindow[float64](t, good)
	short := make([]float64, 2)
	if w.Push(short) == nil || w.Product(short, make([]float64, 3)) == nil || w.Replace(2, make([]float64, 3)) == nil {
		t.Error("what does not fit is accepted")
	}
	if _, err := w.Direction(short); err == nil {
		t.Error("a result of another length is accepted")
	}
	direction := []float64{1, 1, 1}
	if square, err := w.Direction(direction); err != nil || square != 0 || !slices.Equal(direction, make([]float64, 3)) {
		t.Errorf("direction of an empty window: %v, %g, %v", direction, square, err)
	}
}

func Example() {
	w, err := mfac.NewWindow[float64](mfac.WindowSettings{Gradients: 2, Parameters: 2, Damping: 1})
	if err != nil {
		panic(err)
	}
	direction := make([]float64, 2)
	for _, gradient := range [][]float64{{5, 5}, {1, 0}, {1, 1}} { // the first is forgotten
		if err := w.Push(gradient); err != nil {
			panic(err)
		}
		square, err := w.Direction(direction)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%.3f %.3f\n", direction, square)
	}
	// Output:
	// [0.192 0.192] 1.923
	// [0.412 -0.382] 0.412
	// [0.364 0.545] 0.909
}

// The time of one step of training: a gradient replaced, and the product.
func BenchmarkStep(b *testing.B) {
	const d = 20_000
	for _, m := range []int{64, 256} {
		b.Run(fmt.Sprint("m=", m), func(b *testing.B) {
			w := newWindow[float32](b, mfac.WindowSettings{Gradients: m, Parameters: d, Damping: 1e-3})
			g, dst := normal[float32](random(10), d), make([]float32, d)
			b.ReportAllocs()
			b.SetBytes(8 * int64(m) * d)
			for range b.N {
				if err := w.Push(g); err != nil {
					b.Fatal(err)
				}
				if _, err := w.Direction(dst); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
