package lastiterate_test

import (
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"
	"pgregory.net/rapid"

	"github.com/descentml/descent/method/schedule/lastiterate"
)

// Subgradient descent on |x| with constant moves: the converter makes linear
// decay of them, and the last point keeps the bound.
func Example() {
	const T, start = 50, 0.7
	c, err := lastiterate.NewConverter([]float64{start}, slices.Repeat([]float64{1}, T))
	if err != nil {
		log.Fatal(err)
	}
	for c.Left() > 0 {
		subgradient := math.Copysign(1, c.Point()[0])
		if err := c.Move([]float64{-start / math.Sqrt(T) * subgradient}); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Printf("|x_T| = %.4f, at most %.2f\n", math.Abs(c.Point()[0]), start/math.Sqrt(T))
	// Output: |x_T| = 0.0011, at most 0.10
}

// absolutes is f(x) = mean of |a_j . (x - minimiser)| over its rows.
type absolutes struct {
	rows      [][]float64
	minimiser []float64
}

func newAbsolutes(rng *rand.Rand, rows, d int) absolutes {
	f := absolutes{minimiser: normal(rng, d)}
	for range rows {
		f.rows = append(f.rows, normal(rng, d))
	}
	return f
}

func normal(rng *rand.Rand, d int) []float64 {
	x := make([]float64, d)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	return x
}

// at returns the value and a subgradient.
func (f absolutes) at(x []float64) (value float64, g []float64) {
	g = make([]float64, len(x))
	away := floats.SubTo(make([]float64, len(x)), x, f.minimiser)
	for _, a := range f.rows {
		dot := floats.Dot(a, away)
		value += math.Abs(dot) / float64(len(f.rows))
		floats.AddScaled(g, math.Copysign(1, dot)/float64(len(f.rows)), a)
	}
	return value, g
}

// theorem runs a noisy learner under tail fractions that begin at w_{t+ahead}
// and returns f(x_T) - f(x*) and the bound of Theorem 1.
func theorem(t testing.TB, rng *rand.Rand, T, ahead int) (value, bound float64) {
	t.Helper()
	const d = 5
	f := newAbsolutes(rng, 12, d)
	weights := make([]float64, T)
	for i := range weights {
		weights[i] = 0.05 + 0.95*rng.Float64()
	}
	c, err := lastiterate.NewConverter(normal(rng, d), weights)
	if err != nil {
		t.Fatal(err)
	}
	x, z := slices.Clone(c.Point()), slices.Clone(c.Point())
	regret, total := 0.0, floats.Sum(weights)
	for i, w := range weights {
		fx, g := f.at(x)
		value = fx
		regret += w * floats.Dot(g, floats.SubTo(make([]float64, d), z, f.minimiser))
		if i == T-1 {
			break
		}
		move := normal(rng, d)
		for j := range move {
			move[j] = 0.5*move[j] - 2*w*g[j]
		}
		floats.Add(z, move)
		if ahead == 1 {
			if err := c.Move(move); err != nil {
				t.Fatal(err)
			}
			copy(x, c.Point())
		} else {
			floats.AddScaled(x, floats.Sum(weights[i+ahead:])/total, move)
		}
	}
	return value, regret / total
}

// Theorem 1 holds on every path, for a learner with noisy moves; with the
// factor that is off by one it does not.
func TestRegretBoundsTheLastPoint(t *testing.T) {
	rng := rand.New(rand.NewPCG(1000, 0))
	violations := map[int]int{}
	for range 300 {
		for _, T := range []int{3, 5, 40} {
			for _, ahead := range []int{0, 1} {
				if value, bound := theorem(t, rng, T, ahead); value > bound+1e-10 {
					violations[ahead]++
				}
			}
		}
	}
	if violations[1] != 0 || violations[0] == 0 {
		t.Errorf("%d violations, and %d with the wrong factor: expected none and some", violations[1], violations[0])
	}
}

// Linear decay on |x| keeps distance norm/sqrt(T), and its steps are those of a
// converter with constant weights.
func TestLinearDecayOnTheAbsoluteValue(t *testing.T) {
	horizons := []int{10, 100, 1000, 10_000}
	if testing.Short() {
		horizons = horizons[:3]
	}
	for _, T := range horizons {
		for i := range 25 {
			start := float64(i+1) / 25
			x := start
			for _, step := range lastiterate.LinearSteps(start, 1, T) {
				x -= step * math.Copysign(1, x)
			}
			if limit := start / math.Sqrt(float64(T)); math.Abs(x) > limit {
				t.Errorf("T = %d from %g: |x_T| = %g, expected at most %g", T, start, math.Abs(x), limit)
			}
		}
	}
	fractions, err := lastiterate.TailFractions(slices.Repeat([]float64{0.3}, 40))
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range lastiterate.LinearSteps(2, 5, 40) {
		if want := 2 / (5 * math.Sqrt(40)) * fractions[i]; math.Abs(step-want) > 1e-15 {
			t.Errorf("step %d is %g, expected %g", i+1, step, want)
		}
	}
}

// B has its closed form at the best weights, and nothing near goes below it.
func TestBestWeights(t *testing.T) {
	rng := rand.New(rand.NewPCG(1000, 1))
	norms := make([]float64, 50)
	for i := range norms {
		norms[i] = math.Exp(rng.NormFloat64())
	}
	const distance = 1.7
	weights, bound, err := lastiterate.BestWeights(distance, norms)
	if err != nil {
		t.Fatal(err)
	}
	sum, largest := 0.0, slices.Max(norms)
	for _, g := range norms {
		sum += 1 / (g * g)
	}
	value, err := lastiterate.WeightedBound(distance, weights, norms)
	if err != nil {
		t.Fatal(err)
	}
	if closed := distance / math.Sqrt(sum); math.Abs(value-closed) > 1e-12 || math.Abs(bound-closed) > 1e-12 {
		t.Errorf("B is %.15g and said to be %.15g, expected %.15g", value, bound, closed)
	}
	if worst := distance * largest / math.Sqrt(50); bound > worst {
		t.Errorf("B is %g, above that of linear decay, %g", bound, worst)
	}
	other := make([]float64, len(weights))
	for range 2000 {
		spread := math.Exp(4*rng.Float64() - 5)
		for i, w := range weights {
			other[i] = w * math.Exp(spread*rng.NormFloat64())
		}
		if perturbed, _ := lastiterate.WeightedBound(distance, other, norms); perturbed < value {
			t.Fatalf("weights moved by %g have B = %.15g, below %.15g", spread, perturbed, value)
		}
	}
}

// The steps of weighted descent are its weights times the tail fractions.
func TestWeightedSteps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.Float64Range(0.01, 10), 1, 30).Draw(t, "weights")
		steps, err := lastiterate.WeightedSteps(weights)
		if err != nil {
			t.Fatal(err)
		}
		for i, step := range steps {
			if want := weights[i] * floats.Sum(weights[i+1:]) / floats.Sum(weights); math.Abs(step-want) > 1e-12 {
				t.Fatalf("step %d is %g, expected %g", i+1, step, want)
			}
		}
		if steps[len(steps)-1] != 0 {
			t.Fatalf("the last step is %g", steps[len(steps)-1])
		}
	})
}

func TestConverterRejects(t *testing.T) {
	for expected, weights := range map[string][]float64{
		"weight 2 is -1: expected a finite number": {1, -1},
		"weight 1 is NaN":                          {math.NaN(), 1},
		"0 weights with the sum 0":                 nil,
		"2 weights with the sum 0":                 {0, 0},
	} {
		if _, err := lastiterate.NewConverter([]float64{0}, weights); err == nil || !strings.Contains(err.Error(), expected) {
			t.Errorf("weights %v: error %v, expected one with %q", weights, err, expected)
		}
		if _, err := lastiterate.WeightedSteps(weights); err == nil {
			t.Errorf("weights %v made steps", weights)
		}
	}
	start := []float64{1, 2}
	c, err := lastiterate.NewConverter(start, []float64{1, 3})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Move([]float64{1}); err == nil || !strings.Contains(err.Error(), "a move of 1 numbers, expected 2") {
		t.Errorf("a short move: %v", err)
	}
	if c.Factor() != 0.75 || c.Left() != 1 {
		t.Errorf("factor %g with %d moves left, expected 0.75 and 1", c.Factor(), c.Left())
	}
	if err := c.Move([]float64{4, 0}); err != nil || c.Point()[0] != 4 || c.Factor() != 0 {
		t.Errorf("point %v, factor %g, error %v", c.Point(), c.Factor(), err)
	}
	if err := c.Move([]float64{1, 1}); err == nil || !strings.Contains(err.Error(), "expected no more") {
		t.Errorf("a move after the last: %v", err)
	}
	if start[0] != 1 {
		t.Error("the start was written to")
	}
}
