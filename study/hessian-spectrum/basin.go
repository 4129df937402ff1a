package hessianspectrum

import (
	"context"
	"fmt"

	"gonum.org/v1/gonum/floats"

	"github.com/descentml/descent/analysis/spectrum"
	"github.com/descentml/descent/study"
)

// What the cells with batches measure.
const (
	largeSharpness    = "largest eigenvalue, large batch"
	smallSharpness    = "largest eigenvalue, small batch"
	largeLoss         = "train loss, large batch"
	smallLoss         = "train loss, small batch"
	barrier           = "barrier on the line"
	controlBarrier    = "barrier to an independent solution"
	curveBarrier      = "barrier on the curve to an independent solution"
	largeAccuracy     = "test accuracy, large batch"
	smallAccuracy     = "test accuracy, then small batch"
	distance          = "distance of the two parts' ends"
	curveLine         = "loss on the line"
	curveControl      = "loss on the line to an independent solution"
	curveAround       = "loss on the curve to an independent solution"
	trainingImages    = 1000
	batchLearningRate = 0.1
)

func spikeName(ell float64) string { return fmt.Sprintf("largest eigenvalue, ell = %g", ell) }

// batches trains from the same weights with large and small batches for as many
// steps (check 8).
func (e experiment) batches(ctx context.Context, l laboratory, steps int) (study.Measured, error) {
	train, _ := l.images(trainingImages)
	n, err := newNetwork(l.backend, train, relu, 32)
	if err != nil {
		return study.Measured{}, err
	}
	start := n.initial(l.rand(streamWeights))
	m := study.Measured{Values: map[string]float64{}}
	for _, part := range []struct {
		batch           int
		sharpness, loss string
	}{{500, largeSharpness, largeLoss}, {10, smallSharpness, smallLoss}} {
		w, err := n.descend(ctx, start, batchLearningRate, part.batch, steps, l.seed)
		if err != nil {
			return m, err
		}
		if m.Values[part.loss], err = n.at(ctx, w); err != nil {
			return m, err
		}
		ends, err := spectrum.Extreme(ctx, e.hessian(n.Risk, ctx), spectrum.Extremes{Largest: 1, Tolerance: 1e-6}, l.rand(streamProbes))
		if err != nil {
			return m, err
		}
		m.Values[part.sharpness] = ends.Largest[0].Value
	}
	return m, nil
}

// basin trains with large batches, then on with small ones, and looks at the
// loss between the two ends, and from the second to a solution of small batches
// from other weights (check 9).
func (e experiment) basin(ctx context.Context, l laboratory, sz size) (study.Measured, error) {
	train, test := l.images(trainingImages)
	n, err := newNetwork(l.backend, train, relu, 50, 50)
	if err != nil {
		return study.Measured{}, err
	}
	other := n.initial(l.rand(streamOther))
	first, err := n.descend(ctx, n.initial(l.rand(streamWeights)), batchLearningRate, 500, sz.basinSteps, l.seed)
	if err != nil {
		return study.Measured{}, err
	}
	second, err := n.descend(ctx, e.onward(first, other), batchLearningRate, 16, sz.basinSteps, l.seed+1)
	if err != nil {
		return study.Measured{}, err
	}
	independent, err := n.descend(ctx, n.initial(l.rand(streamIndependent)), batchLearningRate, 16, sz.basinSteps, l.seed+2)
	if err != nil {
		return study.Measured{}, err
	}
	m := study.Measured{Values: map[string]float64{distance: floats.Distance(first, second, 2)}, Curves: map[string]study.Curve{}}
	if m.Values[largeAccuracy], err = n.accuracy(first, test); err != nil {
		return m, err
	}
	if m.Values[smallAccuracy], err = n.accuracy(second, test); err != nil {
		return m, err
	}
	return m, paths(ctx, n, l, sz, m, first, second, independent)
}

// paths measures the losses between the solutions into m: on 41 points from one
// to the other and as far beyond both.
func paths(ctx context.Context, n *network, l laboratory, sz size, m study.Measured, first, second, independent []float64) error {
	at := spectrum.Even(-1, 2, 121)
	line, err := spectrum.Line(ctx, n, first, second, at)
	if err != nil {
		return err
	}
	control, err := spectrum.Line(ctx, n, second, independent, at)
	if err != nil {
		return err
	}
	curve, err := spectrum.FindCurve(ctx, n, second, independent, spectrum.Curves{Steps: sz.curveSteps, LearningRate: 0.2}, l.rand(streamCurve))
	if err != nil {
		return err
	}
	around, err := curve.Profile(ctx, n, spectrum.Even(0, 1, 41))
	if err != nil {
		return err
	}
	for _, path := range []struct {
		profile       spectrum.Profile
		barrier, name string
	}{{line, barrier, curveLine}, {control, controlBarrier, curveControl}, {around, curveBarrier, curveAround}} {
		if m.Values[path.barrier], err = path.profile.Barrier(); err != nil {
			return err
		}
		m.Curves[path.name] = study.Curve{X: path.profile.At, Y: path.profile.Loss}
	}
	return nil
}
