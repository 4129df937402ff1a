package experiment

import (
	"cmp"
	"context"
	"slices"

	"github.com/descentml/descent/lab/store"
)

// Curves reads from the store the curves of a run's trials with the given
// method and learning rate, one per seed and ordered by it. Where a seed has a
// trial of both phases, they are the same numbers, and the final one is read.
func Curves(ctx context.Context, s *store.Store, run int64, method string, rate float64) ([]Curve, error) {
	trials, err := s.Trials(ctx, run)
	if err != nil {
		return nil, err
	}
	bySeed := map[uint64]store.Trial{}
	for _, t := range trials {
		if t.Method != method || t.LearningRate != rate {
			continue
		}
		if _, known := bySeed[t.Seed]; !known || t.Phase == store.Final {
			bySeed[t.Seed] = t
		}
	}
	var curves []Curve
	for _, t := range bySeed {
		curve, err := readCurve(ctx, s, t)
		if err != nil {
			return nil, err
		}
		if len(curve.Epochs) > 0 {
			curves = append(curves, curve)
		}
	}
	slices.SortFunc(curves, func(a, b Curve) int { return cmp.Compare(a.Seed, b.Seed) })
	return curves, nil
}

func readCurve(ctx context.Context, s *store.Store, t store.Trial) (Curve, error) {
	curve := Curve{Seed: t.Seed}
	for _, part := range []struct {
		name   string
		values *[]float64
	}{
		{SeriesTrainLoss, &curve.TrainLoss},
		{SeriesValidationLoss, &curve.ValidationLoss},
		{SeriesValidationScore, &curve.ValidationScore},
	} {
		points, err := s.Series(ctx, t.ID, part.name)
		if err != nil {
			return curve, err
		}
		for i, p := range points {
			*part.values = append(*part.values, p.Value)
			if part.name == SeriesTrainLoss {
				curve.Epochs = append(curve.Epochs, points[i].Epoch)
				curve.Seconds = append(curve.Seconds, points[i].Seconds)
			}
		}
	}
	return curve, nil
}
