package hessianspectrum

import (
	"context"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/analysis/spectrum"
	"github.com/descentml/descent/objective"
	"github.com/descentml/descent/study"
)

// lanczosSteps of each probe, as in the specification.
const lanczosSteps = 80

// nearZero is the share of the largest eigenvalue below which one counts as zero.
const nearZero = 1e-3

// What the cells measure.
const (
	ratioCount   = "eigenvalues before the largest ratio"
	gapCount     = "eigenvalues before the largest gap"
	finalLoss    = "train loss"
	topTen       = "mean of the ten largest eigenvalues"
	zeroMass     = "share near zero"
	zeroAtStart  = "share near zero at the start"
	largest      = "largest eigenvalue"
	smallest     = "smallest eigenvalue"
	negativeMass = "share of negative eigenvalues"
	residual     = "|R|/|H|"
	residualInit = "|R|/|H| at the start"
	parameters   = "parameters"
)

// clusters trains on Gaussian clusters and counts the eigenvalues that stand
// apart (check 6 of the specification).
func (e experiment) clusters(ctx context.Context, l laboratory, activation string, classes, steps int) (study.Measured, error) {
	if classes >= 20 {
		steps = steps * 4 / 3
	}
	n, err := newNetwork(l.backend, l.gaussians(1000, 100, classes), activation, 30, 30)
	if err != nil {
		return study.Measured{}, err
	}
	w, err := n.descend(ctx, n.initial(l.rand(streamWeights)), 0.2, n.train.count(), steps, 0)
	if err != nil {
		return study.Measured{}, err
	}
	loss, err := n.at(ctx, w)
	if err != nil {
		return study.Measured{}, err
	}
	d, err := spectrum.Quadrature(ctx, e.hessian(n.Risk, ctx), spectrum.Quadratures{Probes: 1, Steps: lanczosSteps}, l.rand(streamProbes))
	if err != nil {
		return study.Measured{}, err
	}
	values := slices.Clone(d.Probes[0].Nodes)
	slices.Reverse(values)
	count, err := spectrum.RatioCount(values, 2, 2*classes)
	if err != nil {
		return study.Measured{}, err
	}
	shown := values[:min(len(values), 2*classes+10)]
	return study.Measured{
		Values: map[string]float64{ratioCount: float64(count), gapCount: float64(spectrum.GapCount(values)), finalLoss: loss, parameters: float64(n.Dim())},
		Curves: map[string]study.Curve{"eigenvalues": numbered(shown)},
	}, nil
}

// numbered are values over 1, 2, ...
func numbered(values []float64) study.Curve {
	return study.Curve{X: spectrum.Even(1, float64(len(values)), len(values)), Y: values}
}

// gaussians draws class means and n points around them, all with variance 1,
// and standardises them together.
func (l laboratory) gaussians(n, width, classes int) *examples {
	rng := l.rand(streamData)
	means := make([]float64, classes*width)
	for i := range means {
		means[i] = rng.NormFloat64()
	}
	e := &examples{width: width, classes: classes}
	for i := range n {
		class := i % classes
		e.labels = append(e.labels, int32(class))
		for j := range width {
			e.x = append(e.x, means[class*width+j]+rng.NormFloat64())
		}
	}
	mean, deviation := moments(e.x)
	standardise(e.x, mean, deviation)
	return e
}

// width trains a network of one hidden layer on 400 digits and looks at both
// ends of the spectrum and at the bulk (checks 7 and 10).
func (e experiment) width(ctx context.Context, l laboratory, units, steps int) (study.Measured, error) {
	train, _ := l.images(400)
	n, err := newNetwork(l.backend, train, relu, units)
	if err != nil {
		return study.Measured{}, err
	}
	m := study.Measured{Values: map[string]float64{parameters: float64(n.Dim())}, Curves: map[string]study.Curve{}}
	start := n.initial(l.rand(streamWeights))
	if err := n.SetParameters(start); err != nil {
		return m, err
	}
	if m.Values[residualInit], err = e.leftOut(ctx, n, l); err != nil {
		return m, err
	}
	d, err := e.density(ctx, n, l)
	if err != nil {
		return m, err
	}
	m.Values[zeroAtStart], m.Curves["density at the start"] = shareNearZero(d), smooth(d)
	w, err := n.descend(ctx, start, 0.1, train.count(), steps, 0)
	if err != nil {
		return m, err
	}
	if m.Values[finalLoss], err = n.at(ctx, w); err != nil {
		return m, err
	}
	if m.Values[residual], err = e.leftOut(ctx, n, l); err != nil {
		return m, err
	}
	return m, e.ends(ctx, n, l, m)
}

// ends measures the spectrum after training into m.
func (e experiment) ends(ctx context.Context, n *network, l laboratory, m study.Measured) error {
	d, err := e.density(ctx, n, l)
	if err != nil {
		return err
	}
	ends, err := spectrum.Extreme(ctx, e.hessian(n.Risk, ctx), spectrum.Extremes{Largest: 30, Smallest: 1, Steps: 200, Tolerance: 1e-6}, l.rand(streamProbes))
	if err != nil {
		return err
	}
	var values []float64
	for _, pair := range ends.Largest {
		values = append(values, pair.Value)
	}
	for _, value := range values[:10] {
		m.Values[topTen] += value / 10
	}
	m.Values[largest], m.Values[smallest] = values[0], ends.Smallest[0].Value
	m.Values[zeroMass] = shareNearZero(d)
	m.Values[negativeMass] = d.Mass(math.Inf(-1), -nearZero*values[0]).Value
	m.Curves["eigenvalues"], m.Curves["density"] = numbered(values), smooth(d)
	return nil
}

func (e experiment) density(ctx context.Context, n *network, l laboratory) (*spectrum.Density, error) {
	return spectrum.Quadrature(ctx, e.hessian(n.Risk, ctx), spectrum.Quadratures{Probes: 8, Steps: lanczosSteps}, l.rand(streamProbes))
}

func shareNearZero(d *spectrum.Density) float64 {
	_, high := d.Range()
	return d.Mass(-nearZero*high, nearZero*high).Value
}

// smooth is the density at 201 points over its range.
func smooth(d *spectrum.Density) study.Curve {
	low, high := d.Range()
	margin := (high - low) / 20
	at := spectrum.Even(low-margin, high+margin, 201)
	values, _ := d.Smooth(at, 0)
	return study.Curve{X: at, Y: values}
}

// leftOut is the Frobenius norm of the Hessian less its Gauss-Newton part, as a
// share of the Hessian's.
func (e experiment) leftOut(ctx context.Context, n *network, l laboratory) (float64, error) {
	h := e.hessian(n.Risk, ctx)
	r, err := objective.Difference(h, n.GaussNewton(ctx))
	if err != nil {
		return 0, err
	}
	const probes = 20
	whole, err := spectrum.SquaredNorm(ctx, h, probes, l.rand(streamProbes))
	if err != nil {
		return 0, err
	}
	rest, err := spectrum.SquaredNorm(ctx, r, probes, l.rand(streamProbes))
	return math.Sqrt(rest.Value / whole.Value), err
}

// The spikes of check 5: 400 dimensions, 200 samples.
var spikeSizes = []float64{2, 4, 8}

const (
	spikeRows, spikeColumns = 200, 400
	spikeDraws              = 5
)

// spikes measures the largest eigenvalue of sample covariances (check 5).
func spikes(ctx context.Context, l laboratory) (study.Measured, error) {
	rng := l.rand(streamData)
	m := study.Measured{Values: map[string]float64{}}
	x := mat.NewDense(spikeRows, spikeColumns, nil)
	for _, ell := range spikeSizes {
		for range spikeDraws {
			if err := ctx.Err(); err != nil {
				return m, err
			}
			for i := range spikeRows {
				for j := range spikeColumns {
					x.Set(i, j, rng.NormFloat64())
				}
				x.Set(i, 0, x.At(i, 0)*math.Sqrt(ell))
			}
			var gram mat.SymDense
			gram.SymOuterK(1.0/spikeRows, x)
			values, err := spectrum.Eigenvalues(&gram)
			if err != nil {
				return m, err
			}
			m.Values[spikeName(ell)] += values[0] / spikeDraws
		}
	}
	return m, nil
}
