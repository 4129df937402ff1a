package federated

import (
	"slices"

	"gonum.org/v1/gonum/floats"
)

// TimeAverage is the mean of a path over simulated time: between aggregations
// the parameters stay as the last one left them. Fixed times make a path end in
// a cycle, so its mean says more than its last point.
type TimeAverage struct {
	sum, last   []float64 // the integral up to time, and the point since
	begin, time float64
}

// NewTimeAverage makes the average of points of dim numbers. It begins with the
// first point.
func NewTimeAverage(dim int) *TimeAverage {
	return &TimeAverage{sum: make([]float64, dim)}
}

// Add says that the path comes to a point at a time, not before the last one.
func (a *TimeAverage) Add(time float64, point []float64) {
	if a.last == nil {
		a.begin, a.last = time, slices.Clone(point)
	} else {
		floats.AddScaled(a.sum, time-a.time, a.last)
		copy(a.last, point)
	}
	a.time = time
}

// Mean is the average up to a time, not before the last point; NaN without a
// stretch of time.
func (a *TimeAverage) Mean(time float64) []float64 {
	mean := slices.Clone(a.sum)
	if a.last != nil {
		floats.AddScaled(mean, time-a.time, a.last)
	}
	floats.Scale(1/(time-a.begin), mean)
	return mean
}
