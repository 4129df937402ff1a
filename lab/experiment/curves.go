package experiment

import (
	"context"
	"slices"

	"github.com/descentml/descent/lab/store"
)

// Curves reads from the store the curves of all trials of a run with the given
// method and learning rate, ordered by seed.
func Curves(ctx context.Context, s *store.Store, run int64, method string, rate float64) ([]Curve, error) {
	trials, err := s.Trials(ctx, run)
	if err != nil {
		return nil, err
	}
	var curves []Curve
	for _, t := range trials {
		if t.Method != method || t.LearningRate != rate {
			continue
		}
		curve, err := readCurve(ctx, s, t)
		if err != nil {
			return nil, err
		}
		if len(curve.Epochs) > 0 {
			curves = append(curves, curve)
		}
	}
	slices.SortFunc(curves, func(a, b Curve) int {
		if a.Seed < b.Seed {
			return -1
		}
		return 1
	})
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
