package doubledescent

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// Point is a setting at one width, over the seeds.
type Point struct {
	Multiple         float64 // width over that of the threshold, as asked for
	Width            int
	Parameters       int // that are trained
	Seeds            int
	Train            float64 // mean train MSE
	Test, MedianTest float64 // test MSE; the mean is heavy-tailed at the threshold
	Low, High        float64 // smallest and largest test MSE
	Error            float64 // mean test error; NaN for regression
	Condition        float64 // median condition number of the features
	WeightNorm       float64 // mean
	Diverged         int     // number of seeds
}

// Curve is a setting over the widths, in rising order.
type Curve struct {
	Setting string
	Points  []Point
}

// Curves averages records over seeds, one curve for each setting in the order in
// which they come first. Where a seed diverged, means are not finite.
func Curves(records []Record) []Curve {
	var curves []Curve
	groups := map[string]map[float64][]Record{}
	for _, r := range records {
		if groups[r.Setting] == nil {
			groups[r.Setting] = map[float64][]Record{}
			curves = append(curves, Curve{Setting: r.Setting})
		}
		groups[r.Setting][r.Multiple] = append(groups[r.Setting][r.Multiple], r)
	}
	for i := range curves {
		c := &curves[i]
		for _, group := range groups[c.Setting] {
			c.Points = append(c.Points, newPoint(group))
		}
		slices.SortFunc(c.Points, func(a, b Point) int { return cmp.Compare(a.Multiple, b.Multiple) })
	}
	return curves
}

func newPoint(group []Record) Point {
	over := func(value func(Record) float64) []float64 {
		values := make([]float64, len(group))
		for i, r := range group {
			values[i] = value(r)
		}
		return values
	}
	mean := func(value func(Record) float64) float64 { return stat.Mean(over(value), nil) }
	test := over(func(r Record) float64 { return r.TestMSE })
	p := Point{
		Multiple: group[0].Multiple, Width: group[0].Width, Parameters: group[0].Parameters, Seeds: len(group),
		Train: mean(func(r Record) float64 { return r.TrainMSE }),
		Test:  stat.Mean(test, nil), MedianTest: median(test), Low: slices.Min(test), High: slices.Max(test),
		Error:      mean(func(r Record) float64 { return r.TestError }),
		Condition:  median(over(func(r Record) float64 { return r.Condition })),
		WeightNorm: mean(func(r Record) float64 { return r.WeightNorm }),
	}
	for _, r := range group {
		if r.Diverged {
			p.Diverged++
		}
	}
	return p
}

func median(values []float64) float64 {
	if slices.ContainsFunc(values, math.IsNaN) {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// Shape says how high the peak of a curve is.
type Shape struct {
	// PeakRatio is R, the largest mean test MSE at 0.8 to 1.2 times the
	// threshold over that at the largest width, usually 10 times.
	PeakRatio float64
	// MedianRatio is the same of medians over seeds.
	MedianRatio float64
	// PeakWidth is the width of the peak.
	PeakWidth int
	// ThresholdLoss is Lth, the mean train MSE at the threshold.
	ThresholdLoss float64
	// ThresholdCondition is the median condition number of the features there.
	ThresholdCondition float64
	// DoubleDescent is declared where R is at least 2 and the test MSE is at
	// least 20 % lower than the peak both somewhere below and somewhere above it.
	DoubleDescent bool
}

// Where the peak is looked for, and what it takes to be one.
const (
	peakFrom, peakTo = 0.8, 1.2
	peakRatio        = 2
	peakFall         = 0.2
)

// Shape measures a curve. Numbers that its points do not allow, for lack of a
// width near the threshold or because a seed diverged, are NaN.
func (c Curve) Shape() Shape {
	s := Shape{PeakRatio: math.NaN(), MedianRatio: math.NaN(), ThresholdLoss: math.NaN(), ThresholdCondition: math.NaN()}
	if len(c.Points) == 0 {
		return s
	}
	peak, nearest := -1, 0
	medianPeak := math.Inf(-1)
	for i, p := range c.Points {
		if math.Abs(p.Multiple-1) < math.Abs(c.Points[nearest].Multiple-1) {
			nearest = i
		}
		if p.Multiple < peakFrom-1e-9 || p.Multiple > peakTo+1e-9 {
			continue
		}
		if peak < 0 || !(p.Test <= c.Points[peak].Test) {
			peak = i
		}
		medianPeak = max(medianPeak, p.MedianTest)
	}
	if peak < 0 {
		return s
	}
	last := c.Points[len(c.Points)-1]
	s.PeakRatio, s.MedianRatio = c.Points[peak].Test/last.Test, medianPeak/last.MedianTest
	s.PeakWidth = c.Points[peak].Width
	s.ThresholdLoss, s.ThresholdCondition = c.Points[nearest].Train, c.Points[nearest].Condition
	falls := func(points []Point) bool {
		return slices.ContainsFunc(points, func(p Point) bool { return p.Test <= (1-peakFall)*c.Points[peak].Test })
	}
	s.DoubleDescent = s.PeakRatio >= peakRatio && falls(c.Points[:peak]) && falls(c.Points[peak+1:])
	return s
}

// Spearman returns the rank correlation of x and y, equal values sharing the
// mean of their ranks. It is NaN if the lengths differ, if there are fewer than
// two pairs, if a value is NaN or if all values of one are equal.
func Spearman(x, y []float64) float64 {
	if len(x) != len(y) || len(x) < 2 || slices.ContainsFunc(x, math.IsNaN) || slices.ContainsFunc(y, math.IsNaN) {
		return math.NaN()
	}
	return stat.Correlation(ranks(x), ranks(y), nil)
}

// ranks are the ranks of values from 1 on.
func ranks(values []float64) []float64 {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(values[a], values[b]) })
	ranks := make([]float64, len(values))
	for from := 0; from < len(order); {
		to := from
		for to < len(order) && values[order[to]] == values[order[from]] {
			to++
		}
		for _, i := range order[from:to] {
			ranks[i] = float64(from+to+1) / 2
		}
		from = to
	}
	return ranks
}
