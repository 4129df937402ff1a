package study

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/descentml/descent/lab/plot"
)

// Results are what the cells of a study measured.
type Results struct {
	Setup Setup
	cells map[cellKey]Measured
}

type cellKey struct {
	name string
	seed uint64
}

// NewResults makes results by hand, for testing a study's rules.
func NewResults(setup Setup) *Results {
	return &Results{Setup: setup, cells: map[cellKey]Measured{}}
}

// Add records what the cell of a name and seed measured.
func (r *Results) Add(name string, seed uint64, m Measured) { r.cells[cellKey{name, seed}] = m }

// Value is a number that a cell measured; NaN if it did not.
func (r *Results) Value(cell string, seed uint64, name string) float64 {
	if value, ok := r.cells[cellKey{cell, seed}].Values[name]; ok {
		return value
	}
	return math.NaN()
}

// Over is the number of each seed, in the order of the setup's seeds.
func (r *Results) Over(cell, name string) []float64 {
	values := make([]float64, len(r.Setup.Seeds))
	for i, seed := range r.Setup.Seeds {
		values[i] = r.Value(cell, seed, name)
	}
	return values
}

// Curve is a curve that a cell measured; without points if it did not.
func (r *Results) Curve(cell string, seed uint64, name string) Curve {
	return r.cells[cellKey{cell, seed}].Curves[name]
}

// OverSeeds is the mean of a curve over the setup's seeds, with the range as a
// band, as far as all seeds have it.
func (r *Results) OverSeeds(cell, name string) plot.Line {
	var line plot.Line
	for at := 0; ; at++ {
		var x float64
		var values []float64
		for _, seed := range r.Setup.Seeds {
			curve := r.Curve(cell, seed, name)
			if at >= len(curve.X) {
				return line
			}
			x, values = curve.X[at], append(values, curve.Y[at])
		}
		line.X, line.Y = append(line.X, x), append(line.Y, Mean(values))
		line.Low, line.High = append(line.Low, slices.Min(values)), append(line.High, slices.Max(values))
	}
}

// EverySeed reports whether a rule holds for each seed.
func (r *Results) EverySeed(rule func(seed uint64) bool) bool {
	return !slices.ContainsFunc(r.Setup.Seeds, func(seed uint64) bool { return !rule(seed) })
}

// Mean is the mean of values; NaN if there are none or one is NaN.
func Mean(values []float64) float64 { return stat.Mean(values, nil) }

// Median is the median of values; NaN if there are none or one is NaN.
func Median(values []float64) float64 {
	if len(values) == 0 || slices.ContainsFunc(values, math.IsNaN) {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// Spread writes values as their mean with the sample standard deviation,
// "0.978 ± 0.004", in three significant digits.
func Spread(values []float64) string {
	if len(values) == 1 {
		return fmt.Sprintf("%.3g", values[0])
	}
	mean, deviation := stat.MeanStdDev(values, nil)
	return fmt.Sprintf("%.3g ± %.2g", mean, deviation)
}

// Increasing reports whether every value is above the one before. NaN is above
// nothing.
func Increasing(values ...float64) bool {
	for i := 1; i < len(values); i++ {
		if !(values[i-1] < values[i]) {
			return false
		}
	}
	return true
}
