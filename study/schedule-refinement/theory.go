package schedulerefinement

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"

	"github.com/descentml/descent/method/schedule"
	"github.com/descentml/descent/method/schedule/lastiterate"
	"github.com/descentml/descent/method/schedule/refine"
	"github.com/descentml/descent/study"
)

// linearDecay runs subgradient descent on |x| with the steps of linear decay,
// from 25 starts in (0, 1] for each horizon, and records the worst ratio of
// |x_T| to distance norm/sqrt(T).
func (e experiment) linearDecay(ctx context.Context, horizons []int) (study.Measured, error) {
	m := study.Measured{Values: map[string]float64{}}
	const starts = 25
	for _, T := range horizons {
		worst, worstFlat := 0.0, 0.0
		for i := range starts {
			if err := ctx.Err(); err != nil {
				return m, err
			}
			start := float64(i+1) / starts
			// x_T has T-1 moves behind it: eta_t = base (1 - t/T) is the
			// schedule at the step t of a run of T.
			base, f := start/math.Sqrt(float64(T)), e.linear(T)
			x, flatX := start, start
			for t := 1; t < T; t++ {
				x -= base * f(t) * math.Copysign(1, x)
				flatX -= base * math.Copysign(1, flatX)
			}
			worst, worstFlat = max(worst, math.Abs(x)/base), max(worstFlat, math.Abs(flatX)/base)
		}
		m.Values[horizon(T)], m.Values[horizon(T)+" flat"] = worst, worstFlat
	}
	return m, nil
}

func horizon(T int) string { return fmt.Sprintf("T = %d", T) }

// theorem runs noisy learners under a converter on sums of absolute values and
// counts how often the last point is above the weighted mean regret, and how
// often it is with the tail fraction that begins one weight too early.
func theorem(ctx context.Context, seed uint64, trials int) (study.Measured, error) {
	rng := rand.New(rand.NewPCG(seed, 4))
	m := study.Measured{Values: map[string]float64{"trials": 0, "violations": 0, "violations of the wrong factor": 0, "largest ratio": 0}}
	for range trials {
		if err := ctx.Err(); err != nil {
			return m, err
		}
		for _, T := range []int{3, 5, 40} {
			for _, name := range []string{"violations", "violations of the wrong factor"} {
				value, regret, err := convert(rng, T, name == "violations")
				if err != nil {
					return m, err
				}
				if value > regret+1e-10 {
					m.Values[name]++
				}
				if name == "violations" {
					m.Values["trials"]++
					m.Values["largest ratio"] = max(m.Values["largest ratio"], value/regret)
				}
			}
		}
	}
	return m, nil
}

// convert runs one learner for T gradients and returns f(x_T) - f(x*) and the
// weighted mean regret of the learner.
func convert(rng *rand.Rand, T int, right bool) (value, regret float64, err error) {
	const d, rows = 5, 12
	minimiser, weights := normal(rng, d), make([]float64, T)
	a := make([][]float64, rows)
	for j := range a {
		a[j] = normal(rng, d)
	}
	for t := range weights {
		weights[t] = 0.05 + 0.95*rng.Float64()
	}
	z := normal(rng, d)
	c, err := lastiterate.NewConverter(z, weights)
	if err != nil {
		return 0, 0, err
	}
	sum, away := floats.Sum(weights), make([]float64, d)
	for t, w := range weights {
		g := make([]float64, d)
		value = 0
		floats.SubTo(away, c.Point(), minimiser)
		for _, row := range a {
			dot := floats.Dot(row, away)
			value += math.Abs(dot) / rows
			floats.AddScaled(g, math.Copysign(1, dot)/rows, row)
		}
		regret += w / sum * floats.Dot(g, floats.SubTo(away, z, minimiser))
		if c.Left() == 0 {
			break
		}
		move := normal(rng, d)
		for i := range move {
			move[i] = 0.5*move[i] - 2*w*g[i]
		}
		floats.Add(z, move)
		if !right { // w_{t:T} in the place of w_{t+1:T}
			floats.Scale(floats.Sum(weights[t:])/floats.Sum(weights[t+1:]), move)
		}
		if err := c.Move(move); err != nil {
			return 0, 0, err
		}
	}
	return value, regret, nil
}

func normal(rng *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	return x
}

// boundSchedules are the schedules of the table of bounds.
func (e experiment) boundSchedules(T int) []entry {
	return []entry{
		{flat, schedule.Constant}, {inverseRt, schedule.InverseSqrt}, {inverse, schedule.Inverse(1)},
		{cosine, schedule.Cosine(T, 0)}, {linear, e.linear(T)},
	}
}

// boundHorizons are the lengths of the table of bounds.
var boundHorizons = []int{10, 50, 200}

const best = "least of all"

// bounds tunes the scale of each schedule in the bound for arbitrary steps, for
// norms and distance 1, and minimises that over all steps. Values are times
// sqrt(T).
func (e experiment) bounds(ctx context.Context) (study.Measured, error) {
	m := study.Measured{Values: map[string]float64{}, Curves: map[string]study.Curve{}}
	for _, T := range boundHorizons {
		b, err := lastiterate.NewBound(1, slices.Repeat([]float64{1}, T))
		if err != nil {
			return m, err
		}
		root := math.Sqrt(float64(T))
		for _, s := range e.boundSchedules(T) {
			u, _ := b.Tuned(sampled(s.f, T))
			m.Values[s.name+", "+horizon(T)] = u * root
		}
		eta, u, err := b.Minimize(ctx)
		if err != nil {
			return m, err
		}
		m.Values[best+", "+horizon(T)] = u * root
		m.Values["correlation, "+horizon(T)] = stat.Correlation(eta, sampled(schedule.Linear(T, 0), T), nil)
		floats.Scale(1/floats.Max(eta), eta)
		m.Curves[horizon(T)] = curveOf(eta)
	}
	return m, nil
}

// profileEnds are the last norms of the official script's synthetic profiles.
var profileEnds = []float64{1, 2, 0.7}

// profilePoints are where its shapes are compared, as shares of the run.
var profilePoints = []float64{0, 0.25, 0.5, 0.75}

const profileLength = 2000

// profiles makes schedules of the official synthetic norms, without smoothing,
// whose norm at x_T is the last of the profile.
func (e experiment) profiles() (study.Measured, error) {
	m := study.Measured{Values: map[string]float64{}, Curves: map[string]study.Curve{}}
	for _, end := range profileEnds {
		norms := syntheticNorms(profileLength, end)
		weights, err := refine.Weights(norms, refine.L2Sq)
		if err != nil {
			return m, err
		}
		factors := refine.Factors(weights)
		name := profileName(end)
		m.Values["peak of "+name] = float64(slices.Index(factors, 1))
		for _, share := range profilePoints {
			m.Values[profilePoint(end, share)] = factors[int(share*profileLength)]
		}
		m.Curves["norms, "+name], m.Curves["factors, "+name] = curveOf(norms), curveOf(factors)
	}
	return m, nil
}

func profileName(end float64) string { return fmt.Sprintf("norms that end at %g", end) }

func profilePoint(end, share float64) string { return fmt.Sprintf("%s at %g", profileName(end), share) }

// syntheticNorms fall fast from 15 to 1 over the first tenth of n points and
// then run straight to end.
func syntheticNorms(n int, end float64) []float64 {
	xs, ys := []float64{0, .003, .02, .03, .1, 1}, []float64{15, 6, 4, 2, 1, end}
	norms := make([]float64, n)
	piece := 0
	for i := range norms {
		x := float64(i) / float64(n-1)
		for x > xs[piece+1] {
			piece++
		}
		part := (x - xs[piece]) / (xs[piece+1] - xs[piece])
		norms[i] = (1-part)*ys[piece] + part*ys[piece+1]
	}
	return norms
}
