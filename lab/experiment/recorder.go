package experiment

import (
	"context"
	"math"

	"github.com/descentml/descent/lab/driver"
	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/method/stepper"
)

// recorder writes what a trial measures to the store: at the end of every
// epoch, and before every checkpoint, so that nothing before one is lost.
type recorder struct {
	writer   *store.Writer
	trial    int64
	l2, l1   []store.Point // of the steps that are not written yet
	perEpoch float64       // steps
}

// step remembers the norms of a step's gradient, if the method has one.
func (r *recorder) step(step int, taken stepper.Step) {
	point := store.Point{Step: int64(step), Epoch: float64(step) / r.perEpoch}
	for _, norm := range []struct {
		value float64
		list  *[]store.Point
	}{{taken.GradientL2, &r.l2}, {taken.GradientL1, &r.l1}} {
		if point.Value = norm.value; !math.IsNaN(norm.value) {
			*norm.list = append(*norm.list, point)
		}
	}
}

// write records series together with the norms since the last time.
func (r *recorder) write(ctx context.Context, series ...store.Series) error {
	for _, norms := range []store.Series{{Name: SeriesGradientL2, Points: r.l2}, {Name: SeriesGradientL1, Points: r.l1}} {
		if len(norms.Points) > 0 {
			series = append(series, norms)
		}
	}
	err := r.writer.Append(ctx, r.trial, series...)
	r.l2, r.l1 = r.l2[:0], r.l1[:0]
	return err
}

// epoch records what is measured once in an epoch.
func (r *recorder) epoch(ctx context.Context, e driver.Epoch) error {
	point := store.Point{Step: int64(e.Step), Epoch: e.Epoch, Seconds: e.Seconds}
	series := func(name string, value float64) store.Series {
		point.Value = value
		return store.Series{Name: name, Points: []store.Point{point}}
	}
	return r.write(ctx,
		series(SeriesTrainLoss, e.TrainLoss),
		series(SeriesValidationLoss, e.Validation.Loss),
		series(SeriesValidationScore, e.Validation.Score),
		series(SeriesLearningRate, e.LearningRate),
		series(SeriesGradients, float64(e.Gradients)),
		series(SeriesEvaluations, float64(e.Evaluations)),
	)
}
