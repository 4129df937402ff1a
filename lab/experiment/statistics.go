package experiment

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// Spread is the mean and the sample standard deviation over seeds. The
// deviation of a single seed is 0. What is not finite is null in JSON.
type Spread struct {
	Mean float64
	Std  float64
}

// Text writes the mean, with the deviation if there is more than one seed.
func (s Spread) Text(seeds int) string {
	if seeds == 1 {
		return fmt.Sprintf("%.4f", s.Mean)
	}
	return fmt.Sprintf("%.4f ± %.4f", s.Mean, s.Std)
}

// spreadJSON is a Spread in JSON.
type spreadJSON struct {
	Mean number `json:"mean"`
	Std  number `json:"std"`
}

// MarshalJSON writes {"mean": ..., "std": ...}.
func (s Spread) MarshalJSON() ([]byte, error) {
	return json.Marshal(spreadJSON{number(s.Mean), number(s.Std)})
}

// UnmarshalJSON reads what MarshalJSON wrote; null becomes NaN.
func (s *Spread) UnmarshalJSON(text []byte) error {
	var read spreadJSON
	err := json.Unmarshal(text, &read)
	*s = Spread{float64(read.Mean), float64(read.Std)}
	return err
}

func newSpread(values []float64) Spread {
	if len(values) == 1 {
		return Spread{Mean: values[0]}
	}
	mean, std := stat.MeanStdDev(values, nil)
	return Spread{mean, std}
}

// markBest marks the method with the highest mean test score, and those within
// one standard error of it (its standard deviation over the root of the number
// of seeds). Methods that diverged are never marked.
func markBest(results []Result, seeds int) {
	best := -1
	for i, r := range results {
		if r.TestScore != nil && (best < 0 || r.TestScore.Mean > results[best].TestScore.Mean) {
			best = i
		}
	}
	if best < 0 {
		return
	}
	top := *results[best].TestScore
	threshold := top.Mean - top.Std/math.Sqrt(float64(seeds))
	for i := range results {
		r := &results[i]
		r.Best = i == best
		r.Tied = !r.Best && r.TestScore != nil && r.TestScore.Mean >= threshold
	}
}

// reachedLoss is the lowest train loss that every one of a method's seeds
// reached at the end of some epoch.
func reachedLoss(curves []Curve) float64 {
	worst := math.Inf(-1)
	for _, c := range curves {
		worst = max(worst, slices.Min(c.TrainLoss))
	}
	return worst
}

// middleLoss is the target loss of a comparison that was not given one: the
// median over the methods of the loss that they reached (of an even number,
// the higher of the two in the middle), so that at least half of them reach it.
func middleLoss(reached []float64) float64 {
	sorted := slices.Sorted(slices.Values(reached))
	return sorted[len(sorted)/2]
}

// epochsTo is the first epoch of a curve of (epoch, loss) at which the loss is
// at or below target; false if it never is.
func epochsTo(epochs, losses []float64, target float64) (float64, bool) {
	for i, loss := range losses {
		if loss <= target {
			return epochs[i], true
		}
	}
	return 0, false
}

// meanEpochsTo is the mean over seeds of epochsTo; nil unless every seed
// reaches the target.
func meanEpochsTo(curves []Curve, target float64) *float64 {
	sum := 0.0
	for _, c := range curves {
		epochs, reached := epochsTo(c.Epochs, c.TrainLoss, target)
		if !reached {
			return nil
		}
		sum += epochs
	}
	mean := sum / float64(len(curves))
	return &mean
}
