package schedulerefinement

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/descentml/descent/method/schedule"
	"github.com/descentml/descent/method/schedule/refine"
	"github.com/descentml/descent/study"
)

// The regression with known noise: x in R^20 from 0 to the point with 1/sqrt 20
// in every coordinate, by stochastic subgradients of the mean absolute residual
// of a Gaussian row with Gaussian noise, plus Gaussian noise of the profile's
// size on the gradient itself.
const (
	dimension     = 20
	residualNoise = 0.5
)

// noiseProfile says how large the noise on gradients is over the run.
type noiseProfile struct {
	name string
	at   func(share float64) float64 // of the run that is done
}

var noiseProfiles = []noiseProfile{
	{"constant", func(float64) float64 { return 1 }},
	{"early", func(share float64) float64 {
		if share < 0.3 {
			return 5
		}
		return 0.5
	}},
	{"late", func(share float64) float64 {
		if share > 0.7 {
			return 5
		}
		return 0.5
	}},
}

func (p noiseProfile) cell() string { return p.name + " noise" }

// noise sweeps the learning rate for linear decay, refines one run of it at the
// best rate, and sweeps again for the refined schedules. Every schedule meets
// noise of its own, and so does the run whose norms are recorded.
func (e experiment) noise(ctx context.Context, p noiseProfile, seed uint64, sz size) (study.Measured, error) {
	m := study.Measured{Values: map[string]float64{}, Curves: map[string]study.Curve{}}
	rates := geometric(1e-3, 1, sz.noiseRates)
	r := regression{profile: p, seed: seed, steps: sz.noiseSteps, replicas: sz.replicas, rates: rates}
	first := entry{linear, e.linear(sz.noiseSteps)}
	best, err := r.sweep(ctx, first, 0, m)
	if err != nil {
		return m, err
	}
	l2, l1 := r.record(first.f, rates[best])
	entries, err := e.refined(l2, l1)
	if err != nil {
		return m, err
	}
	rise := sz.noiseSteps * 3 / 10
	entries = append(entries,
		entry{cosine, schedule.Cosine(sz.noiseSteps, 0)},
		entry{warm, schedule.WithWarmup(rise, e.linear(sz.noiseSteps-rise))},
		entry{flat, schedule.Constant})
	for i, entry := range entries {
		if _, err := r.sweep(ctx, entry, uint64(i+1), m); err != nil {
			return m, err
		}
	}
	shape := sampled(entries[0].f, sz.noiseSteps)
	peak := slices.Max(shape)
	m.Values["start"] = shape[0] / peak
	m.Values["peak"] = float64(slices.Index(shape, peak)) / float64(sz.noiseSteps)
	m.Curves["norms"] = curveOf(l2)
	m.Curves["smoothed"] = curveOf(refine.Median(l2, refine.Width(refine.DefaultTau, len(l2))))
	m.Curves["schedule"] = curveOf(shape)
	return m, nil
}

// regression is one sweep's setting.
type regression struct {
	profile         noiseProfile
	seed            uint64
	steps, replicas int
	rates           []float64
}

// recordedRun is the stream of the run whose norms are recorded; streams of
// replicas are below.
const recordedRun = 1 << 40

// sweep runs all replicas at all rates with one schedule, records the mean risk
// of the last points over rates and the least one, and returns its index.
func (r *regression) sweep(ctx context.Context, s entry, family uint64, m study.Measured) (best int, err error) {
	risks := make([]float64, len(r.rates))
	away := make([]float64, len(r.rates)*dimension)
	for replica := range r.replicas {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		r.run(s.f, r.rates, family<<20|uint64(replica), away, nil)
		for i := range risks {
			risks[i] += risk(away[i*dimension:(i+1)*dimension]) / float64(r.replicas)
		}
	}
	best = slices.Index(risks, slices.Min(risks))
	m.Values[s.name], m.Values[s.name+" rate"] = risks[best], r.rates[best]
	m.Curves[s.name] = study.Curve{X: slices.Clone(r.rates), Y: risks}
	return best, nil
}

// record returns the norms of the gradients of one more replica.
func (r *regression) record(f schedule.Func, rate float64) (l2, l1 []float64) {
	r.run(f, []float64{rate}, recordedRun, make([]float64, dimension), func(g []float64) {
		squares, sizes := norms(g)
		l2, l1 = append(l2, squares), append(l1, sizes)
	})
	return l2, l1
}

// run takes all steps of one replica at each rate, on the same noise, and sets
// away to x - x* of each rate at the end. see, if not nil, is shown every
// gradient of every rate.
func (r *regression) run(f schedule.Func, rates []float64, stream uint64, away []float64, see func(g []float64)) {
	rng := rand.New(rand.NewPCG(r.seed, stream))
	var row, noise, g [dimension]float64
	for i := range away {
		away[i] = -1 / math.Sqrt(dimension)
	}
	for step := range r.steps {
		for j := range row {
			row[j], noise[j] = rng.NormFloat64(), rng.NormFloat64()
		}
		residual := residualNoise * rng.NormFloat64()
		size, factor := r.profile.at(float64(step)/float64(r.steps)), f(step)
		for i, rate := range rates {
			y := away[i*dimension : (i+1)*dimension]
			dot := residual
			for j, a := range row {
				dot += y[j] * a
			}
			sign := math.Copysign(1, dot)
			for j, a := range row {
				g[j] = sign*a + size*noise[j]
				y[j] -= rate * factor * g[j]
			}
			if see != nil {
				see(g[:])
			}
		}
	}
}

// risk is the mean absolute residual at a distance from the minimiser, less its
// minimum: in closed form, as rows and noise are Gaussian.
func risk(away []float64) float64 {
	squares := residualNoise * residualNoise
	for _, y := range away {
		squares += y * y
	}
	return math.Sqrt(2/math.Pi) * (math.Sqrt(squares) - residualNoise)
}

// norms are the l2 and the l1 norm.
func norms(g []float64) (l2, l1 float64) {
	for _, x := range g {
		l2 += x * x
		l1 += math.Abs(x)
	}
	return math.Sqrt(l2), l1
}
