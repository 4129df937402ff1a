package chart_test

import (
	"fmt"

	"github.com/descentml/descent/web/chart"
)

// A million points become at most four a column, and the peak is among them.
func ExampleSampler() {
	s := chart.NewSampler(0, 1e6, false, 10)
	for i := range int64(1e6) {
		y := 1.0
		if i == 654321 {
			y = 9
		}
		s.Add(i, float64(i), y)
	}
	x, y := s.Points()
	for i := range x {
		if y[i] > 1 {
			fmt.Printf("%d points, the peak at %.0f\n", len(x), x[i])
		}
	}
	// Output: 21 points, the peak at 654321
}
