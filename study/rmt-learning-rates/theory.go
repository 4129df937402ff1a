package rmtlearningrates

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"github.com/descentml/descent/analysis/randommatrix"
	"github.com/descentml/descent/analysis/spectrum"
	"github.com/descentml/descent/analysis/stability"
	"github.com/descentml/descent/study"
)

// The sizes of the simulations, from the specification.
const (
	matrixRows     = 400
	matrixDraws    = 5
	elementScale   = 0.3 // s
	matrixBatch    = 50
	population     = 60
	subsetDraws    = 20_000
	noiseRows      = 300
	noiseScale     = 0.2
	noiseExamples  = 64
	noiseExpected  = noiseRows * noiseScale * noiseScale
	regressionRows = 40
	regressors     = 6
)

var (
	additiveMultiples = []float64{0.5, 1.5, 3} // of the threshold
	positiveMultiples = []float64{0.5, 2}
	positiveRatios    = []float64{0.5, 2}
	subsetBatches     = []int{1, 5, 20}
	regressionBatches = []int{1, 2, 4, 8, 16, 40, 100, 1000}
)

func additiveName(multiple float64, what string) string {
	return fmt.Sprintf("additive, %g thresholds, %s", multiple, what)
}

func positiveName(ratio, multiple float64, what string) string {
	return fmt.Sprintf("positive, q = %g, %g thresholds, %s", ratio, multiple, what)
}

func subsetName(batch int) string { return fmt.Sprintf("variance ratio, %d of %d", batch, population) }

// What the theory's cells measure.
const (
	found          = "found"
	predicted      = "predicted"
	printed        = "predicted as printed"
	overlap        = "overlap found"
	overlapMissing = "overlap error"
	noiseFound     = "noise"
	limitRate      = "limit"
	ratioBroken    = "broken bounds"
	polyakEnd      = "end, squared rate"
	printedEnd     = "end, printed rate"
	curveExact     = "exact rate"
	curvePredicted = "predicted rate"
	curveIsotropic = "predicted rate, isotropic"
)

// wigner draws a symmetric matrix whose elements have a variance.
func wigner(rows int, variance float64, rng *rand.Rand) *mat.SymDense {
	a := mat.NewSymDense(rows, nil)
	for i := range rows {
		for j := i; j < rows; j++ {
			a.SetSym(i, j, math.Sqrt(variance)*rng.NormFloat64())
		}
	}
	return a
}

// marchenkoPastur draws E E' for E [rows, columns] with elements of variance
// 1/columns.
func marchenkoPastur(rows, columns int, rng *rand.Rand) *mat.SymDense {
	e := mat.NewDense(rows, columns, nil)
	for i := range rows {
		for j := range columns {
			e.Set(i, j, rng.NormFloat64())
		}
	}
	a := mat.NewSymDense(rows, nil)
	a.SymOuterK(1/float64(columns), e)
	return a
}

// spiked is the mean over draws of noise of the top eigenvalue with a spike on
// the first axis, and of the overlap with that axis.
func spiked(ctx context.Context, noise func() *mat.SymDense, lambda float64, rng *rand.Rand) (value, overlap float64, err error) {
	for range matrixDraws {
		a := noise()
		a.SetSym(0, 0, a.At(0, 0)+lambda)
		e, err := spectrum.Extreme(ctx, spectrum.Dense{Matrix: a}, spectrum.Extremes{Largest: 1, Tolerance: 1e-4, Vectors: true}, rng)
		if err != nil {
			return 0, 0, err
		}
		top := e.Largest[0]
		value, overlap = value+top.Value/matrixDraws, overlap+top.Vector[0]*top.Vector[0]/matrixDraws
	}
	return value, overlap, nil
}

// matrices are both spiked models and the estimate of the noise (checks 1, 2, 4).
func (e experiment) matrices(ctx context.Context, l laboratory) (study.Measured, error) {
	m, rng := newMeasured(), l.rand(streamMatrices)
	element := elementScale * elementScale / matrixBatch
	model := e.additive(matrixRows * element)
	for _, multiple := range additiveMultiples {
		lambda := multiple * model.Threshold()
		value, squared, err := spiked(ctx, func() *mat.SymDense { return wigner(matrixRows, element, rng) }, lambda, rng)
		if err != nil {
			return m, err
		}
		m.Values[additiveName(multiple, found)], m.Values[additiveName(multiple, predicted)] = value, model.Outlier(lambda)
		m.Values[additiveName(multiple, overlap)], m.Values[additiveName(multiple, overlapMissing)] = squared, squared-model.Overlap(lambda)
	}
	for _, q := range positiveRatios {
		law := randommatrix.MarchenkoPastur{Ratio: q, Variance: 1}
		corrected, asPrinted := randommatrix.Positive{Law: law}, randommatrix.Positive{Law: law, Printed: true}
		for _, multiple := range positiveMultiples {
			lambda := multiple * corrected.Threshold()
			value, _, err := spiked(ctx, func() *mat.SymDense { return marchenkoPastur(matrixRows, int(matrixRows/q), rng) }, lambda, rng)
			if err != nil {
				return m, err
			}
			m.Values[positiveName(q, multiple, found)] = value
			m.Values[positiveName(q, multiple, predicted)], m.Values[positiveName(q, multiple, printed)] = corrected.Outlier(lambda), asPrinted.Outlier(lambda)
		}
	}
	estimate, err := randommatrix.EstimateNoise(ctx, noiseRows, noisyExamples(rng), randommatrix.Estimation{Probes: 2, Unbiased: true}, l.rand(streamNoise))
	m.Values[noiseFound] = estimate.Value
	return m, err
}

// noisyExamples are the Hessians 5 e_1 e_1' plus Wigner noise.
func noisyExamples(rng *rand.Rand) randommatrix.Products {
	var list []*mat.SymDense
	for range noiseExamples {
		h := wigner(noiseRows, noiseScale*noiseScale, rng)
		h.SetSym(0, 0, h.At(0, 0)+5)
		list = append(list, h)
	}
	return func(_ context.Context, v []float64, visit func([]float64) error) error {
		product := make([]float64, noiseRows)
		for _, h := range list {
			if err := (spectrum.Dense{Matrix: h}).Apply(product, v); err != nil {
				return err
			}
			if err := visit(product); err != nil {
				return err
			}
		}
		return nil
	}
}

// subsets measures the variance of means over subsets (check 3).
func subsets(ctx context.Context, l laboratory) (study.Measured, error) {
	m, rng := newMeasured(), l.rand(streamSubsets)
	values := make([]float64, population)
	for i := range values {
		values[i] = rng.ExpFloat64()
	}
	variance, means := stat.PopVariance(values, nil), make([]float64, subsetDraws)
	for _, batch := range append(subsetBatches, population) {
		if err := ctx.Err(); err != nil {
			return m, err
		}
		for i := range means {
			for j := range batch {
				k := j + rng.IntN(population-j)
				values[j], values[k] = values[k], values[j]
			}
			means[i] = stat.Mean(values[:batch], nil)
		}
		m.Values[subsetName(batch)] = stat.Variance(means, nil) / variance
	}
	return m, nil
}

// leastSquares is the exact threshold of SGD over the batch size, and what the
// random matrix theory predicts (check 9).
func leastSquares(ctx context.Context, l laboratory) (study.Measured, error) {
	m, rng := newMeasured(), l.rand(streamLeastSquares)
	rows := mat.NewDense(regressionRows, regressors, nil)
	for j := range regressors {
		scale := 0.3 + 1.7*rng.Float64()
		for i := range regressionRows {
			rows.Set(i, j, scale*rng.NormFloat64())
		}
	}
	model, err := regressionModel(ctx, rows, rng)
	if err != nil {
		return m, err
	}
	m.Values[limitRate] = 2 / model.Top
	isotropic := randommatrix.Model{Top: model.Top, Noise: model.Noise}
	design, err := stability.NewDesign(rows)
	if err != nil {
		return m, err
	}
	var exact, directional, noise study.Curve
	for _, batch := range regressionBatches {
		rate, err := design.Threshold(ctx, stability.Sampling{Batch: batch})
		if err != nil {
			return m, err
		}
		x := float64(batch)
		exact.X, exact.Y = append(exact.X, x), append(exact.Y, rate)
		directional.X, directional.Y = append(directional.X, x), append(directional.Y, model.MaxRate(x))
		noise.X, noise.Y = append(noise.X, x), append(noise.Y, isotropic.MaxRate(x))
	}
	m.Curves[curveExact], m.Curves[curvePredicted], m.Curves[curveIsotropic] = exact, directional, noise
	return m, nil
}

// regressionModel is the model of least squares, whose examples have the Hessians
// a_i a_i'.
func regressionModel(ctx context.Context, rows *mat.Dense, rng *rand.Rand) (randommatrix.Model, error) {
	n, d := rows.Dims()
	h := mat.NewSymDense(d, nil)
	h.SymOuterK(1/float64(n), rows.T())
	ends, err := spectrum.Extreme(ctx, spectrum.Dense{Matrix: h}, spectrum.Extremes{Largest: d, Vectors: true}, rng)
	if err != nil {
		return randommatrix.Model{}, err
	}
	products := func(_ context.Context, v []float64, visit func([]float64) error) error {
		product := make([]float64, d)
		for i := range n {
			a := rows.RawRowView(i)
			floats.ScaleTo(product, floats.Dot(a, v), a)
			if err := visit(product); err != nil {
				return err
			}
		}
		return nil
	}
	noise, err := randommatrix.EstimateNoise(ctx, d, products, randommatrix.Estimation{Probes: 100}, rng)
	if err != nil {
		return randommatrix.Model{}, err
	}
	direction, err := randommatrix.EstimateDirection(ctx, ends.Largest, products, randommatrix.Estimation{})
	return randommatrix.Model{Top: ends.Largest[0].Value, Noise: noise.Value, Excess: direction.Refined}, err
}
