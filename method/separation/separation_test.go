package separation_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/descentml/descent/backend/kernel/sparse"
	"github.com/descentml/descent/backend/kernel/workers"
	"github.com/descentml/descent/method/separation"
)

var all = []separation.Method{gd{.1}, gd{10}, ngd{.1}, ngd{100}, bp{}, nbp{}, separation.Perceptron{}}

// Check 6 of the specification: what does not change the number of iterations.
func TestInvariances(t *testing.T) {
	e := gaussian(t, 120, 10, 1002)
	scaled := slices.Clone(e.numbers)
	for i := range scaled {
		scaled[i] *= 7.25
	}
	for _, m := range []separation.Method{bp{}, nbp{}, separation.Perceptron{}} {
		if a, b := run(t, e, m), run(t, newExamples(t, e.labels, scaled), m); a.Iterations != b.Iterations {
			t.Errorf("%s: %d iterations, and %d on scaled examples", m, a.Iterations, b.Iterations)
		}
	}
	twice := newExamples(t, slices.Concat(e.labels, e.labels), slices.Concat(e.numbers, e.numbers))
	for _, m := range []separation.Method{gd{.1}, gd{10}, bp{}, nbp{}, ngd{.1}, ngd{10}} {
		if a, b := run(t, e, m), run(t, twice, m); a.Iterations != b.Iterations || math.Abs(a.MaxLoss-b.MaxLoss) > 1e-9*a.MaxLoss {
			t.Errorf("%s: %d iterations, and %d with every example twice", m, a.Iterations, b.Iterations)
		}
	}
	// Scaling the examples by c is a learning rate c^2 times as large.
	if a, b := run(t, newExamples(t, e.labels, scaled), gd{1}), run(t, e, gd{7.25 * 7.25}); a.Iterations != b.Iterations {
		t.Errorf("%d iterations on scaled examples, %d at the scaled rate", a.Iterations, b.Iterations)
	}
}

// Check 7: a step of the normalised methods is no longer than the radius.
func TestNormalizedStepsAreNoLongerThanTheRadius(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		e := gaussian(t, rapid.IntRange(2, 40).Draw(rt, "n"), rapid.IntRange(1, 6).Draw(rt, "d"), rapid.Uint64().Draw(rt, "seed"))
		radius := geometry(t, e).Radius
		for _, m := range []separation.Method{ngd{math.Exp(rapid.Float64Range(-5, 20).Draw(rt, "log rate"))}, nbp{}} {
			p := path(t, e, m)
			for i := range p[1:] {
				length := 0.0
				for j := range p[i] {
					length += (p[i+1][j] - p[i][j]) * (p[i+1][j] - p[i][j])
				}
				if math.Sqrt(length) > radius*(1+1e-9) {
					rt.Fatalf("%s: step %d is %g long, above the radius %g", m, i, math.Sqrt(length), radius)
				}
			}
		}
	})
}

// The step is that of the formula with the textbook's functions, and the loss
// is what differences of it say.
func TestStepIsTheGradientOfTheLoss(t *testing.T) {
	e := gaussian(t, 30, 4, 1003)
	rng := rand.New(rand.NewPCG(1003, 2))
	state := make([]float64, 4)
	for i := range state {
		state[i] = rng.NormFloat64()
	}
	at := func(m separation.Method, state []float64) (*separation.Descent, separation.Iterate) {
		d, err := separation.NewDescent(e.problem(t), m)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Restore(state, 5); err != nil {
			t.Fatal(err)
		}
		return d, d.Measure()
	}
	d, it := at(gd{1}, state)
	normalized, _ := at(ngd{1}, state)
	mean := 0.0
	for i, label := range e.labels {
		mean += 1 / (1 + math.Exp(label*inner(e.numbers[4*i:4*i+4], state))) / 30
	}
	d.Advance(1)
	normalized.Advance(1)
	for j := range state {
		moved := slices.Clone(state)
		moved[j] += 1e-5
		_, above := at(gd{1}, moved)
		moved[j] -= 2e-5
		_, below := at(gd{1}, moved)
		gradient := (above.Loss - below.Loss) / 2e-5
		if got := state[j] - d.State()[j]; math.Abs(got-gradient) > 1e-8 {
			t.Errorf("step %g along feature %d, the difference quotient is %g", got, j, gradient)
		}
		if got := state[j] - normalized.State()[j]; math.Abs(got-gradient/mean) > 1e-7 {
			t.Errorf("normalised step %g along feature %d, want %g", got, j, gradient/mean)
		}
	}
	if it.Step != 5 {
		t.Errorf("step %d after 5", it.Step)
	}
}

// Sparse rows, with one pass or two and any number of workers, take the same
// path as dense ones.
func TestSparseRowsTakeTheSamePath(t *testing.T) {
	e := digits(t, "3", "8")
	for _, size := range []int{1, 2, 3} {
		pool := workers.New(size)
		rows, err := sparse.NewMultiplier(e.matrix(), pool.Run)
		if err != nil {
			t.Fatal(err)
		}
		p, err := separation.NewProblem(rows, e.labels)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range all {
			dense := run(t, e, m)
			r, err := separation.Run(t.Context(), p, m, separation.Settings{})
			if err != nil {
				t.Fatal(err)
			}
			if r.Iterations != dense.Iterations || math.Abs(r.MaxLoss-dense.MaxLoss) > 1e-9*dense.MaxLoss {
				t.Errorf("%s on %d workers: %d iterations, %d with dense rows", m, size, r.Iterations, dense.Iterations)
			}
		}
		pool.Close()
	}
	dense, sparse := geometry(t, e), must(separation.Measure(t.Context(), e.matrix(), e.labels, separation.MarginSettings{}))
	if math.Abs(dense.Upper-sparse.Upper) > 1e-6*dense.Upper {
		t.Errorf("the margin is %g dense and %g sparse", dense.Upper, sparse.Upper)
	}
}

func must[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}

// Long after separation all probabilities underflow. The normalised method goes
// on, towards the largest margin; the others stay where they are.
func TestDescentGoesOnAfterSeparation(t *testing.T) {
	e := gaussian(t, 40, 3, 1004)
	g := geometry(t, e)
	for _, rate := range []float64{1e3, 1e8} {
		d := must(separation.NewDescent(e.problem(t), ngd{rate}))
		for range 3000 {
			d.Advance(1)
		}
		it := d.Measure()
		smallest, state := math.Inf(1), d.State()
		for i, label := range e.labels {
			smallest = min(smallest, label*inner(e.numbers[3*i:3*i+3], state))
		}
		margin := smallest / math.Sqrt(inner(state, state))
		if it.Wrong != 0 || it.Loss != 0 || !(margin > 0.95*g.Lower) || margin > g.Upper*(1+1e-9) {
			t.Errorf("rate %g: %d wrong, loss %g, margin %g of at most %g", rate, it.Wrong, it.Loss, margin, g.Upper)
		}
	}
	d := must(separation.NewDescent(e.problem(t), nbp{}))
	for range 2000 {
		d.Advance(1)
	}
	before := slices.Clone(d.State())
	d.Advance(1)
	if l2, l1 := d.StepNorms(); !slices.Equal(before, d.State()) || l2 != 0 || l1 != 0 {
		t.Error("a perceptron moves after separation")
	}
}

// A descent goes on from a copy of its state to the same bits.
func TestDescentContinues(t *testing.T) {
	e := gaussian(t, 40, 3, 1005)
	for _, m := range all {
		straight, first, second := must(separation.NewDescent(e.problem(t), m)), must(separation.NewDescent(e.problem(t), m)), must(separation.NewDescent(e.problem(t), m))
		for range 3 {
			first.Advance(1)
		}
		if err := second.Restore(first.State(), 3); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			second.Advance(1)
		}
		for range 6 {
			straight.Advance(1)
		}
		if !slices.Equal(straight.State(), second.State()) || straight.Measure() != second.Measure() {
			t.Errorf("%s: %v, straight %v", m, second.State(), straight.State())
		}
	}
}

// Check 9: the trade-off both ways, on few seeds here.
func TestImbalance(t *testing.T) {
	median := func(share float64, m separation.Method) float64 {
		var counts []float64
		for seed := range uint64(5) {
			counts = append(counts, float64(run(t, imbalanced(t, share, 1000+seed), m).Iterations))
		}
		slices.Sort(counts)
		return counts[2]
	}
	if plain, normalized := median(.02, gd{1}), median(.02, ngd{1}); !(plain > 5*normalized) {
		t.Errorf("2 %% positive, rate 1: %g iterations, normalised %g", plain, normalized)
	}
	if plain, normalized := median(.5, gd{10}), median(.5, ngd{10}); !(plain < normalized) {
		t.Errorf("balanced, rate 10: %g iterations, normalised %g", plain, normalized)
	}
}

// imbalanced is 500 points of a normal distribution in 20 dimensions, separated
// along the first, of which a share is positive.
func imbalanced(t *testing.T, share float64, seed uint64) examples {
	rng := rand.New(rand.NewPCG(seed, 3))
	var labels, numbers []float64
	for i := range 500 {
		label := -1.0
		if float64(i) < share*500 {
			label = 1
		}
		x := make([]float64, 20)
		for j := range x {
			x[j] = rng.NormFloat64()
		}
		x[0] = label * (0.1 + math.Abs(x[0]))
		x[1] += 3
		labels, numbers = append(labels, label), append(numbers, x...)
	}
	return newExamples(t, labels, numbers)
}

func TestDataThatNothingSeparates(t *testing.T) {
	e := newExamples(t, []float64{1, -1}, []float64{1, 2, 1, 2})
	for _, m := range all {
		r, err := separation.Run(t.Context(), e.problem(t), m, separation.Settings{MaxIterations: 50})
		if err != nil || r.Separated || r.Iterations != 50 || len(r.Losses) != 51 {
			t.Errorf("%s: %+v, %v", m, r, err)
		}
	}
	g := must(separation.Measure(t.Context(), e.Dense, e.labels, separation.MarginSettings{MaxPasses: 100}))
	if g.Separable() || !math.IsInf(g.Difficulty(), 1) || !math.IsInf(separation.Bound(ngd{1}, g), 1) {
		t.Errorf("the same example in both classes has the margin %g", g.Lower)
	}
}

func TestErrors(t *testing.T) {
	e := worstCase(t, 10)
	zero := make([]float64, 20)
	for want, err := range map[string]error{
		"19 numbers for 10 rows":     second(separation.NewDense(10, 2, zero[:19])),
		"9 labels for 10 rows":       second(separation.NewProblem(e.Dense, e.labels[:9])),
		"label 0 is 0":               second(separation.NewProblem(e.Dense, zero[:10])),
		"learning rate 0":            second(separation.NewDescent(e.problem(t), gd{0})),
		"learning rate +Inf":         second(separation.NewDescent(e.problem(t), ngd{math.Inf(1)})),
		"learning rate NaN":          second(separation.NewDescent(e.problem(t), ngd{math.NaN()})),
		"all rows are zero":          second(separation.Measure(t.Context(), must(separation.NewDense(10, 2, zero)), e.labels, separation.MarginSettings{})),
		"state of 1 numbers":         must(separation.NewDescent(e.problem(t), bp{})).Restore(zero[:1], 0),
		"2 labels for 10 rows":       second(separation.Measure(t.Context(), e.Dense, e.labels[:2], separation.MarginSettings{})),
		"row 3 has the squared norm": second(separation.Measure(t.Context(), must(separation.NewDense(10, 2, append(make([]float64, 6), append([]float64{math.NaN()}, zero[:13]...)...))), e.labels, separation.MarginSettings{})),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v: expected one with %q", err, want)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := separation.Run(ended, e.problem(t), bp{}, separation.Settings{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v after the end of the context", err)
	}
	stop := errors.New("enough")
	if _, err := separation.Run(t.Context(), e.problem(t), bp{}, separation.Settings{Observe: func(separation.Iterate, []float64) error { return stop }}); !errors.Is(err, stop) {
		t.Errorf("error %v: expected the observer's", err)
	}
}

func second[T any](_ T, err error) error { return err }

// BenchmarkIteration allocates nothing.
func BenchmarkIteration(b *testing.B) {
	e := digits(b, "3", "8")
	for _, m := range all {
		b.Run(m.String(), func(b *testing.B) {
			d := must(separation.NewDescent(e.problem(b), m))
			b.ReportAllocs()
			for b.Loop() {
				d.Measure()
				d.Advance(1)
			}
		})
	}
}

// BenchmarkSparseIteration is an iteration of the normalised method on sparse
// rows of 50 entries: ns/entry does not grow with their number, so that 1,000
// iterations cost what they cost per entry.
func BenchmarkSparseIteration(b *testing.B) {
	for _, rows := range []int{5_000, 20_000, 80_000} {
		b.Run(fmt.Sprintf("%d rows of 50", rows), func(b *testing.B) {
			m := &sparse.Matrix{Columns: 20_000, Offsets: []int{0}}
			labels := make([]float64, rows)
			rng := rand.New(rand.NewPCG(1000, 4))
			for row := range rows {
				for range 50 {
					m.Indices, m.Values = append(m.Indices, int32(rng.IntN(m.Columns))), append(m.Values, rng.Float64())
				}
				m.Offsets = append(m.Offsets, len(m.Values))
				labels[row] = float64(2*rng.IntN(2) - 1)
			}
			pool := workers.New(0)
			defer pool.Close()
			d := must(separation.NewDescent(must(separation.NewProblem(must(sparse.NewMultiplier(m, pool.Run)), labels)), ngd{1}))
			d.Advance(1)
			b.ReportAllocs()
			for b.Loop() {
				d.Measure()
				d.Advance(1)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(m.NonZeros()), "ns/entry")
		})
	}
}

// twoPasses hides that dense rows can do both products in one.
type twoPasses struct{ separation.Rows }

// Rows with products alone take the same path, and an evaluator sees the losses
// and margins of the path.
func TestRowsWithTwoProducts(t *testing.T) {
	e := digits(t, "4", "9")
	p := must(separation.NewProblem(twoPasses{e.Dense}, e.labels))
	evaluator := separation.NewEvaluator(p)
	for _, m := range []separation.Method{gd{1}, ngd{1}, bp{}, nbp{}, separation.Perceptron{}} {
		want := run(t, e, m)
		got := must(separation.Run(t.Context(), p, m, separation.Settings{Observe: func(it separation.Iterate, state []float64) error {
			loss, margins := evaluator.Evaluate(state)
			count := 0
			for _, margin := range margins {
				if margin <= 0 {
					count++
				}
			}
			if count != it.Wrong || math.Abs(loss-it.Loss) > 1e-12*(1+loss) {
				t.Fatalf("%s: loss %g and %d wrong after %d steps, evaluated %g and %d", m, it.Loss, it.Wrong, it.Step, loss, count)
			}
			return nil
		}}))
		if got.Iterations != want.Iterations || !slices.Equal(got.Wrong, want.Wrong) {
			t.Errorf("%s: %d iterations with two products, %d with one pass", m, got.Iterations, want.Iterations)
		}
	}
}
