package fzoos

import (
	"context"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"

	"github.com/descentml/descent/method/zeroth"
	"github.com/descentml/descent/study"
)

// Values of the identities.
const (
	kernelError   = "largest error of the features times sqrt(M)"
	kernelLeast   = "smallest error of the features times sqrt(M)"
	averaging     = "gradient of mean weights less mean of gradients"
	transfer      = "cosine of the surrogate's gradient with that of its features"
	rises         = "times that the uncertainty rose"
	uncertainties = "uncertainty by points"
)

func generator(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

func uniform(n int, rng *rand.Rand) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = rng.Float64()
	}
	return x
}

// identities measures what the method's parts promise by themselves.
func identities(ctx context.Context, seed uint64) (study.Measured, error) {
	m := study.Measured{Values: map[string]float64{}, Curves: map[string]study.Curve{}}
	low, high := math.Inf(1), 0.0
	for _, count := range []int{100, 1000, 10000} {
		if err := ctx.Err(); err != nil {
			return m, err
		}
		e, err := featureError(count, seed)
		if err != nil {
			return m, err
		}
		low, high = min(low, e), max(high, e)
	}
	m.Values[kernelLeast], m.Values[kernelError] = low, high
	if err := transferable(m, seed); err != nil {
		return m, err
	}
	return m, shrinking(m, seed)
}

// featureError is the root of the mean square error of phi(x)'phi(x') over 30
// points in 6 dimensions, times sqrt(M).
func featureError(count int, seed uint64) (float64, error) {
	const n, d = 30, 6
	f, err := zeroth.NewFeatures(zeroth.FeatureSpec{Dim: d, Count: count, LengthScale: 1, Seed: seed})
	if err != nil {
		return 0, err
	}
	points, mapped, sum := uniform(n*d, generator(seed, 1)), make([]float64, n*count), 0.0
	for i := range n {
		f.Map(points[i*d:(i+1)*d], mapped[i*count:(i+1)*count])
	}
	for i := range n {
		for j := range n {
			r := floats.Distance(points[i*d:(i+1)*d], points[j*d:(j+1)*d], 2)
			e := floats.Dot(mapped[i*count:(i+1)*count], mapped[j*count:(j+1)*count]) - math.Exp(-r*r/2)
			sum += e * e
		}
	}
	return math.Sqrt(sum / (n * n) * float64(count)), nil
}

// transferable fits a process and features to the same 60 values of a smooth
// function, and features to those of another.
func transferable(m study.Measured, seed uint64) error {
	const n, d, count = 60, 5, 2000
	f, err := zeroth.NewFeatures(zeroth.FeatureSpec{Dim: d, Count: count, LengthScale: 1, Seed: seed})
	if err != nil {
		return err
	}
	s, err := zeroth.NewSurrogate(d, zeroth.Settings{Kernel: zeroth.RBF, LengthScales: []float64{1}})
	if err != nil {
		return err
	}
	rng := generator(seed, 2)
	points, other := uniform(n*d, rng), uniform(n*d, rng)
	values, second := make([]float64, n), make([]float64, n)
	for i := range n {
		x := points[i*d : (i+1)*d]
		values[i], second[i] = math.Sin(2*floats.Sum(x)), math.Cos(floats.Sum(other[i*d:(i+1)*d]))
		s.Add(x, values[i])
	}
	a, b, mean := make([]float64, count), make([]float64, count), make([]float64, count)
	if err := f.Fit(points, values, 1e-6, a); err != nil {
		return err
	}
	if err := f.Fit(other, second, 1e-6, b); err != nil {
		return err
	}
	floats.AddTo(mean, a, b)
	floats.Scale(0.5, mean)
	x, g := make([]float64, d), [4][]float64{}
	for i := range x {
		x[i] = 0.5
	}
	for i := range g {
		g[i] = make([]float64, d)
	}
	f.Gradient(x, a, g[0])
	f.Gradient(x, b, g[1])
	f.Gradient(x, mean, g[2])
	worst := 0.0
	for i := range x {
		worst = max(worst, math.Abs(g[2][i]-(g[0][i]+g[1][i])/2)/(1+math.Abs(g[2][i])))
	}
	if err := s.Fit(x, zeroth.Everywhere); err != nil {
		return err
	}
	s.Gradient(x, g[3])
	m.Values[averaging] = worst
	m.Values[transfer] = floats.Dot(g[0], g[3]) / (floats.Norm(g[0], 2) * floats.Norm(g[3], 2))
	return nil
}

// shrinking adds 60 points one by one and looks at the uncertainty at another.
func shrinking(m study.Measured, seed uint64) error {
	const n, d = 60, 5
	rng, count := generator(seed, 3), 0
	at := uniform(d, rng)
	curve := study.Curve{X: []float64{0}, Y: []float64{d}}
	s, err := zeroth.NewSurrogate(d, zeroth.Settings{Kernel: zeroth.RBF, LengthScales: []float64{1}})
	if err != nil {
		return err
	}
	for i := range n {
		s.Add(uniform(d, rng), rng.Float64())
		if err := s.Fit(at, zeroth.Everywhere); err != nil {
			return err
		}
		now := s.Uncertainty(at)
		if now > curve.Y[i]+1e-9 || now < 0 {
			count++
		}
		curve.X, curve.Y = append(curve.X, float64(i+1)), append(curve.Y, now)
	}
	m.Values[rises], m.Curves[uncertainties] = float64(count), curve
	return nil
}
