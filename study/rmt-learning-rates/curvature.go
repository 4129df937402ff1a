package rmtlearningrates

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"

	"github.com/descentml/descent/analysis/randommatrix"
	"github.com/descentml/descent/analysis/spectrum"
	learning "github.com/descentml/descent/method/randommatrix"
	"github.com/descentml/descent/study"
)

// Where the Hessians of batches are looked at, from the specification.
const (
	descentSteps = 60
	descentRate  = 0.1
	batchLanczos = 15
	topPairs     = 20 // eigenpairs of all data, for the directional coefficient
	noiseProbes  = 3
)

var curvatureBatches = []int{8, 16, 32, 64, 128, 256}

// What the curvature cell measures.
const (
	topAll        = "top eigenvalue of all data"
	slope         = "slope of the excess"
	fitted        = "fitted coefficient"
	directional   = "directional coefficient"
	plainCoeff    = "directional coefficient, others at 0"
	isotropic     = "isotropic coefficient"
	curveTop      = "top eigenvalue over batches"
	curveSpread   = "its deviation"
	curveErrors   = "test errors"
	curveRate     = "learning rate"
	curveMomentum = "momentum"
	testError     = "test error"
)

func formulaName(variant learning.Variant, what string) string {
	name := map[learning.Variant]string{learning.Nesterov: "Nesterov", learning.Polyak: "Polyak"}[variant]
	return fmt.Sprintf("%s, %s", name, what)
}

// logged are Ritz values in a training log of the authors' code, the last one
// with nearly all of the weight.
var logged = []float64{
	184.497, 91.6072, 82.4955, 74.9932, 68.8208, 59.1834, 51.7545, 43.9251, 43.055, 37.6525, 32.2158, 32.1924, 25.6551, 22.0987,
	18.8549, 12.0788, 10.78, 3.50091, 3.18029, 0.00236677,
}

// formulas are the learner on the authors' log and the Polyak pair on a quadratic
// (checks 5 and 6). Nothing in it is random.
func formulas(context.Context) (study.Measured, error) {
	m := newMeasured()
	weights := make([]float64, len(logged))
	for i := range weights {
		weights[i] = (1 - 0.995802) / float64(len(weights)-1)
	}
	weights[len(weights)-1] = 0.995802
	for _, variant := range []learning.Variant{learning.Nesterov, learning.Polyak} {
		r, err := learning.Learner{Variant: variant, Unguarded: true}.Rates(learning.Ritz{Nodes: logged, Weights: weights})
		if err != nil {
			return m, err
		}
		m.Values[formulaName(variant, curveRate)], m.Values[formulaName(variant, curveMomentum)] = r.LearningRate, r.Momentum
	}
	curvature, even := spectrum.Even(1, 100, 50), make([]float64, 50)
	floats.AddConst(0.02, even)
	r, err := learning.Learner{Variant: learning.Polyak, Unguarded: true}.Rates(learning.Ritz{Nodes: curvature, Weights: even})
	if err != nil {
		return m, err
	}
	m.Values[polyakEnd] = descendQuadratic(r, curvature)
	r.LearningRate = math.Sqrt(r.LearningRate) // as equation 26 prints it
	m.Values[printedEnd] = descendQuadratic(r, curvature)
	return m, nil
}

// descendQuadratic is the length of x after 200 steps from ones.
func descendQuadratic(r learning.Rates, curvature []float64) float64 {
	x, v, g := make([]float64, len(curvature)), make([]float64, len(curvature)), make([]float64, len(curvature))
	floats.AddConst(1, x)
	for range 200 {
		floats.MulTo(g, curvature, x)
		r.Step(x, v, g)
	}
	return floats.Norm(x, 2)
}

// curvature compares the Hessians of batches with that of all data after some
// steps of gradient descent (checks 7 and 8).
func (e experiment) curvature(ctx context.Context, l laboratory, draws int) (study.Measured, error) {
	m := newMeasured()
	n, _, w := l.networks(32)
	gradient := make([]float64, n.dim())
	for range descentSteps {
		n.gradient(w, n.data.all(), gradient)
		floats.AddScaled(w, -descentRate, gradient)
	}
	ends, err := spectrum.Extreme(ctx, n.hessian(w, n.data.all()), spectrum.Extremes{Largest: topPairs, Steps: 150, Tolerance: 1e-3, Vectors: true}, l.rand(streamLanczos))
	if err != nil {
		return m, err
	}
	m.Values[topAll] = ends.Largest[0].Value
	if err := e.broadening(ctx, l, n, w, draws, m); err != nil {
		return m, err
	}
	products := func(ctx context.Context, v []float64, visit func([]float64) error) error {
		product := make([]float64, n.dim())
		for i := range n.data.count() {
			if err := n.hessian(w, []int{i}).Apply(product, v); err != nil {
				return err
			}
			if err := visit(product); err != nil {
				return err
			}
		}
		return nil
	}
	noise, err := randommatrix.EstimateNoise(ctx, n.dim(), products, randommatrix.Estimation{Probes: noiseProbes}, l.rand(streamNoise))
	if err != nil {
		return m, err
	}
	direction, err := randommatrix.EstimateDirection(ctx, ends.Largest, products, randommatrix.Estimation{})
	if err != nil {
		return m, err
	}
	m.Values[isotropic] = noise.Value / m.Values[topAll]
	m.Values[directional], m.Values[plainCoeff] = direction.Refined, direction.Plain
	return m, nil
}

// broadening measures the top eigenvalues of batches into m, and the law of their
// excess over that of all data.
func (e experiment) broadening(ctx context.Context, l laboratory, n *network, w []float64, draws int, m study.Measured) error {
	batches, probes := l.rand(streamBatches), l.rand(streamProbes)
	var top, spread study.Curve
	var logB, logExcess []float64
	for _, batch := range curvatureBatches {
		values := make([]float64, draws)
		for i := range values {
			op := n.hessian(w, e.subset(batches.Perm(n.data.count()), batch))
			ends, err := spectrum.Extreme(ctx, op, spectrum.Extremes{Largest: 1, Steps: batchLanczos}, probes)
			if err != nil {
				return err
			}
			values[i] = ends.Largest[0].Value
		}
		mean, deviation := stat.MeanStdDev(values, nil)
		x := float64(batch)
		top.X, top.Y = append(top.X, x), append(top.Y, mean)
		spread.X, spread.Y = append(spread.X, x), append(spread.Y, deviation)
		logB = append(logB, math.Log(randommatrix.EffectiveBatch(batch, n.data.count())))
		logExcess = append(logExcess, math.Log(mean-m.Values[topAll])) // NaN where batches are not sharper
	}
	m.Curves[curveTop], m.Curves[curveSpread] = top, spread
	_, m.Values[slope] = stat.LinearRegression(logB, logExcess, nil, false)
	product := 0.0 // mean logarithm of excess times b
	for i := range logB {
		product += (logB[i] + logExcess[i]) / float64(len(logB))
	}
	m.Values[fitted] = math.Exp(product)
	return nil
}
