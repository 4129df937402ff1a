package mfac_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/method/secondorder/mfac"
)

// sizes are m, d and lambda of the comparisons; in the third and fourth there are
// more gradients than parameters.
var sizes = []struct {
	m, d    int
	damping float64
}{{5, 12, 1}, {32, 200, 1e-3}, {64, 40, 1e-2}, {7, 1, 0.5}, {40, 5000, 1e-2}}

// Check 1 of the specification for the static algorithm, with pages that divide
// m and that do not; a page of 1 is the recursion as published.
func TestStaticIsTheDenseInverse(t *testing.T) {
	for _, s := range sizes {
		if s.d > 1000 {
			continue // TestStaticIsTheWindow has it
		}
		for _, page := range []int{1, 4, 7, 0} {
			rng := random(1)
			g, x := normal[float64](rng, s.m*s.d), normal[float64](rng, s.d)
			f := fisher(g, s.m, s.d, s.d, float64(s.m), s.damping)
			static, err := mfac.NewStatic(t.Context(), slices.Clone(g), s.m, s.d, mfac.StaticSettings{Damping: s.damping, Page: page, Parallel: pool})
			must(t, err)
			got := make([]float64, s.d)
			must(t, static.Product(got, x))
			if e := apart(got, solved(t, f, x)); !(e < 1e-10) {
				t.Errorf("m %d, d %d, page %d: product off by %g", s.m, s.d, page, e)
			}
			dense, diagonal := inverse(t, f), make([]float64, s.d)
			must(t, static.Diagonal(diagonal))
			for k := range s.d {
				l := (3*k + 1) % s.d
				element, err := static.Element(k, l)
				must(t, err)
				if math.Abs(diagonal[k]-dense.At(k, k)) > 1e-9/s.damping || math.Abs(element-dense.At(k, l)) > 1e-9/s.damping {
					t.Fatalf("m %d, d %d, page %d: elements %g and %g of row %d, want %g and %g", s.m, s.d, page, diagonal[k], element, k, dense.At(k, k), dense.At(k, l))
				}
			}
			// Check 3.
			var cholesky mat.Cholesky
			cholesky.Factorize(f)
			if want := cholesky.LogDet(); math.Abs(static.LogDeterminant()-want) > 1e-8*math.Abs(want)+1e-12 {
				t.Errorf("m %d, d %d, page %d: log det %g, want %g", s.m, s.d, page, static.LogDeterminant(), want)
			}
		}
	}
}

// Check 2: two gradients of two parameters worked out by hand.
func TestClosedForm(t *testing.T) {
	g := []float64{1, 0, 1, 1}
	static, err := mfac.NewStatic(t.Context(), slices.Clone(g), 2, 2, mfac.StaticSettings{Damping: 1})
	must(t, err)
	if q := static.Divisors(); math.Abs(q[0]-3) > 1e-15 || math.Abs(q[1]-11./3) > 1e-15 {
		t.Errorf("q = %v, want 3 and 11/3", q)
	}
	if det := math.Exp(static.LogDeterminant()); math.Abs(det-2.75) > 1e-14 {
		t.Errorf("det F = %g, want 2.75", det)
	}
	for k, row := range [][]float64{{6. / 11, -2. / 11}, {-2. / 11, 8. / 11}} {
		for l, want := range row {
			if got, err := static.Element(k, l); err != nil || math.Abs(got-want) > 1e-15 {
				t.Errorf("element %d, %d is %g, %v: want %g", k, l, got, err, want)
			}
		}
	}
	// With one gradient F^-1 g = g/(lambda + |g|^2).
	one, err := mfac.NewStatic(t.Context(), []float64{3, 4}, 1, 2, mfac.StaticSettings{Damping: 0.5})
	must(t, err)
	got := make([]float64, 2)
	must(t, one.Product(got, []float64{3, 4}))
	if math.Abs(got[0]-3/25.5) > 1e-15 || math.Abs(got[1]-4/25.5) > 1e-15 {
		t.Errorf("F^-1 g = %v, want g/25.5", got)
	}
}

// Check 7: blocks of all parameters are no blocks, blocks of one parameter are
// the diagonal Fisher matrix, and others the inverse of each block.
func TestBlocks(t *testing.T) {
	const m, d, damping = 20, 50, 1e-2
	rng := random(2)
	g, x := normal[float64](rng, m*d), normal[float64](rng, d)
	for _, block := range []int{1, 7, 25, 49, 50, 1000} {
		static, err := mfac.NewStatic(t.Context(), slices.Clone(g), m, d, mfac.StaticSettings{Damping: damping, Block: block, Parallel: pool})
		must(t, err)
		got, diagonal := make([]float64, d), make([]float64, d)
		must(t, static.Product(got, x))
		if e := apart(got, solved(t, fisher(g, m, d, min(block, d), m, damping), x)); !(e < 1e-10) {
			t.Errorf("block %d: product off by %g", block, e)
		}
		must(t, static.Diagonal(diagonal))
		if block == 1 {
			for k := range d {
				square := 0.0
				for i := range m {
					square += g[i*d+k] * g[i*d+k] / m
				}
				if want := 1 / (damping + square); math.Abs(diagonal[k]-want) > 1e-10*want {
					t.Errorf("diagonal element %d is %g, want %g", k, diagonal[k], want)
				}
			}
			if zero, err := static.Element(3, 4); err != nil || zero != 0 {
				t.Errorf("an element between blocks is %g, %v", zero, err)
			}
		}
	}
}

// The number of workers changes no bit.
func TestStaticHasTheSameBitsForAnyWorkers(t *testing.T) {
	const m, d = 24, 9000
	g := normal[float32](random(3), m*d)
	for _, block := range []int{0, 100} {
		var first []float32
		for _, parallel := range []func(int, func(int)){nil, pool} {
			static, err := mfac.NewStatic(t.Context(), slices.Clone(g), m, d, mfac.StaticSettings{Damping: 0.1, Block: block, Parallel: parallel})
			must(t, err)
			got := make([]float32, d)
			must(t, static.Product(got, g[:d]))
			if first == nil {
				first = got
			} else if !slices.Equal(first, got) {
				t.Errorf("block %d: products differ", block)
			}
		}
	}
}

func TestStaticRefuses(t *testing.T) {
	good := mfac.StaticSettings{Damping: 1}
	for name, test := range map[string]func() error{
		"no damping": func() error {
			_, err := mfac.NewStatic(t.Context(), []float64{1}, 1, 1, mfac.StaticSettings{})
			return err
		},
		"no gradients": func() error { _, err := mfac.NewStatic(t.Context(), []float64{}, 0, 1, good); return err },
		"wrong length": func() error { _, err := mfac.NewStatic(t.Context(), []float64{1, 2, 3}, 2, 2, good); return err },
		"a negative block": func() error {
			_, err := mfac.NewStatic(t.Context(), []float64{1}, 1, 1, mfac.StaticSettings{Damping: 1, Block: -1})
			return err
		},
	} {
		if test() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	static, err := mfac.NewStatic(t.Context(), []float64{1, 2}, 1, 2, good)
	must(t, err)
	if static.Product(make([]float64, 2), make([]float64, 3)) == nil || static.Diagonal(make([]float64, 1)) == nil {
		t.Error("vectors of another length are accepted")
	}
	if _, err := static.Element(0, 2); err == nil {
		t.Error("an element that is not there is accepted")
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := mfac.NewStatic(ended, make([]float64, 100), 10, 10, good); !errors.Is(err, context.Canceled) {
		t.Errorf("after its context has ended: %v", err)
	}
}

func ExampleNewStatic() {
	// Two gradients of two parameters.
	static, err := mfac.NewStatic(context.Background(), []float64{1, 0, 1, 1}, 2, 2, mfac.StaticSettings{Damping: 1})
	if err != nil {
		panic(err)
	}
	x := []float64{11, 0}
	if err := static.Product(x, x); err != nil {
		panic(err)
	}
	fmt.Printf("%.3f\n", x)
	// Output: [6.000 -2.000]
}
