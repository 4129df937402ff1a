package mfacstudy

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/learner/prune"
	"github.com/descentml/descent/method/secondorder/mfac"
	"github.com/descentml/descent/study"
)

const (
	algebraCell = "algebra"
	costCell    = "cost"
)

// What the algebra cell measures: the largest relative errors over all sizes.
const (
	staticError   = "static"
	paperError    = "dynamic"
	choleskyError = "Cholesky"
	logError      = "log determinant"
	orderError    = "order" // of the rows of the window, after replacements
	woodError     = "WoodFisher"
)

// What the cost cell measures.
const (
	staticCurve    = "static product"        // seconds by d
	stepCurve      = "step"                  // of the window, by d
	precomputation = "static precomputation" // by m
	mfacSeconds    = "M-FAC seconds"         // for a full inverse of a network's size
	woodSeconds    = "WoodFisher seconds"
)

func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x3fac)) }

func normal[T mfac.Float](rng *rand.Rand, n int) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = T(rng.NormFloat64())
	}
	return x
}

// algebraSizes are m, d and lambda of the specification.
var algebraSizes = []struct {
	m, d    int
	damping float64
}{{5, 12, 1}, {32, 200, 1e-3}, {64, 40, 1e-2}}

// algebra compares all forms with a dense inverse on Gaussian gradients.
func (e *experiment) algebra(ctx context.Context, seed uint64) (study.Measured, error) {
	m := study.Measured{Values: map[string]float64{}}
	note := func(name string, x float64) { m.Values[name] = math.Max(m.Values[name], x) } // NaN stays
	for i, s := range algebraSizes {
		rng := random(seed + uint64(i)<<32)
		g, x := normal[float64](rng, s.m*s.d), normal[float64](rng, s.d)
		want, logDet := dense(g, s.m, s.d, s.damping, x)
		got := make([]float64, s.d)
		static, err := e.static(ctx, slices.Clone(g), s.m, s.d, mfac.StaticSettings{Damping: s.damping})
		if err != nil {
			return m, err
		}
		if err := static.Product(got, x); err != nil {
			return m, err
		}
		note(staticError, apart(got, want))
		note(logError, math.Abs(static.LogDeterminant()-logDet)/math.Abs(logDet))
		for name, form := range map[string]mfac.Form{paperError: mfac.Paper, choleskyError: mfac.Cholesky} {
			w, err := mfac.NewWindow[float64](mfac.WindowSettings{Gradients: s.m, Parameters: s.d, Damping: s.damping, Form: form})
			if err != nil {
				return m, err
			}
			if err := shuffled(w, g, s.m, s.d, rng, func(order bool) error {
				if err := w.Product(got, x); err != nil {
					return err
				}
				if order {
					note(orderError, apart(got, want))
				} else {
					note(name, apart(got, want))
				}
				return nil
			}); err != nil {
				return m, err
			}
		}
		wood, err := prune.NewWoodFisher(ctx, g, s.m, s.d, s.damping, 16)
		if err != nil {
			return m, err
		}
		block, err := e.static(ctx, slices.Clone(g), s.m, s.d, mfac.StaticSettings{Damping: s.damping, Block: 16})
		if err != nil {
			return m, err
		}
		other := make([]float64, s.d)
		if err := block.Product(got, x); err != nil {
			return m, err
		}
		if err := wood.Product(other, x); err != nil {
			return m, err
		}
		note(woodError, apart(got, other))
	}
	return m, nil
}

// shuffled fills a window in order, and again with all rows replaced three times
// at random places and then by the same gradients in another order.
func shuffled(w *mfac.Window[float64], g []float64, m, d int, rng *rand.Rand, look func(order bool) error) error {
	for row := range slices.Chunk(g, d) {
		if err := w.Push(row); err != nil {
			return err
		}
	}
	if err := look(false); err != nil {
		return err
	}
	for range 3 * m {
		if err := w.Replace(rng.IntN(m), normal[float64](rng, d)); err != nil {
			return err
		}
	}
	places := rng.Perm(m)
	for i, at := range rng.Perm(m) {
		if err := w.Replace(places[i], g[at*d:(at+1)*d]); err != nil {
			return err
		}
	}
	return look(true)
}

// dense solves with F as a matrix, and returns its log determinant.
func dense(g []float64, m, d int, damping float64, x []float64) ([]float64, float64) {
	rows := mat.NewDense(m, d, g)
	var f mat.SymDense
	f.SymOuterK(1/float64(m), rows.T())
	for k := range d {
		f.SetSym(k, k, f.At(k, k)+damping)
	}
	var cholesky mat.Cholesky
	if !cholesky.Factorize(&f) {
		return nil, math.NaN()
	}
	var solution mat.VecDense
	if err := cholesky.SolveVecTo(&solution, mat.NewVecDense(d, slices.Clone(x))); err != nil {
		return nil, math.NaN()
	}
	return solution.RawVector().Data, cholesky.LogDet()
}

// apart is the norm of the difference over that of the wanted vector; NaN if
// there is none.
func apart(got, want []float64) float64 {
	if len(got) != len(want) {
		return math.NaN()
	}
	difference, norm := 0.0, 0.0
	for i, w := range want {
		difference += (got[i] - w) * (got[i] - w)
		norm += w * w
	}
	return math.Sqrt(difference / norm)
}

// cost times the algorithms in float32, on one core: others may be at work on
// other cells. All sizes are beyond what caches hold, so that no doubling goes
// from the cache to memory.
func (e *experiment) cost(ctx context.Context, p plan) (study.Measured, error) {
	m := study.Measured{Values: map[string]float64{}, Curves: map[string]study.Curve{}}
	for _, d := range p.sizes {
		if err := ctx.Err(); err != nil {
			return m, err
		}
		product, step, err := passes(ctx, 64, d, p.repeats)
		if err != nil {
			return m, err
		}
		extend(m, staticCurve, d, product)
		extend(m, stepCurve, d, step)
	}
	const d = 20_000
	for _, length := range p.lengths {
		g := normal[float32](random(1), length*d)
		seconds, err := fastest(max(1, p.repeats/3), func() error {
			_, err := mfac.NewStatic(ctx, slices.Clone(g), length, d, mfac.StaticSettings{Damping: 1})
			return err
		})
		if err != nil {
			return m, err
		}
		extend(m, precomputation, length, seconds)
	}
	return m, e.rivals(ctx, m, p)
}

// passes times a static product, and a step of the window with its product.
func passes(ctx context.Context, length, d, repeats int) (product, step float64, err error) {
	g := spread(length * d)
	x, dst := normal[float32](random(3), d), make([]float32, d)
	w, err := mfac.NewWindow[float32](mfac.WindowSettings{Gradients: length, Parameters: d, Damping: 1})
	if err != nil {
		return 0, 0, err
	}
	for row := range slices.Chunk(g, d) {
		if err := w.Push(row); err != nil {
			return 0, 0, err
		}
	}
	step, err = fastest(repeats, func() error {
		if err := w.Push(x); err != nil {
			return err
		}
		_, err := w.Direction(dst)
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	static, err := mfac.NewStatic(ctx, g, length, d, mfac.StaticSettings{Damping: 1})
	if err != nil {
		return 0, 0, err
	}
	product, err = fastest(repeats, func() error { return static.Product(dst, x) })
	return product, step, err
}

// spread makes numbers of the size of normal ones, as fast as they are written.
func spread(n int) []float32 {
	x := make([]float32, n)
	state := uint32(1)
	for i := range x {
		state = state*1664525 + 1013904223
		x[i] = float32(state>>8)/(1<<23) - 1
	}
	return x
}

// rivals times M-FAC and WoodFisher on the full inverse of a network of the
// size that is pruned here.
func (e *experiment) rivals(ctx context.Context, m study.Measured, p plan) error {
	length, d := min(32, p.gradients), 3560
	if p.repeats == 1 {
		d = 400
	}
	g := normal[float64](random(4), length*d)
	var err error
	m.Values[woodSeconds], err = fastest(1, func() error {
		_, err := prune.NewWoodFisher(ctx, g, length, d, 1e-3, 0)
		return err
	})
	if err != nil {
		return err
	}
	m.Values[mfacSeconds], err = fastest(3, func() error {
		_, err := e.static(ctx, slices.Clone(g), length, d, mfac.StaticSettings{Damping: 1e-3})
		return err
	})
	return err
}

func extend(m study.Measured, name string, x int, seconds float64) {
	curve := m.Curves[name]
	m.Curves[name] = study.Curve{X: append(curve.X, float64(x)), Y: append(curve.Y, seconds)}
}

// fastest is the least time of some runs, in seconds: what disturbs a run only
// adds to its time.
func fastest(repeats int, run func() error) (float64, error) {
	least := math.Inf(1)
	for range repeats {
		start := time.Now()
		if err := run(); err != nil {
			return 0, err
		}
		least = min(least, time.Since(start).Seconds())
	}
	return least, nil
}
