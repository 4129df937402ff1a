package curriculum

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// FlipLabels gives a share of the labels, to the nearest whole number of them,
// a label drawn uniformly from all classes, which may be the one they had: the
// label noise that makes samples hard to a controlled degree. It returns the
// indices drawn, and changes labels in place.
func FlipLabels(labels []int32, share float64, classes int, rng *rand.Rand) ([]int, error) {
	if !(share >= 0 && share <= 1) || classes < 2 {
		return nil, fmt.Errorf("label noise %g over %d classes: expected a share from 0 to 1 and at least 2 classes", share, classes)
	}
	drawn := rng.Perm(len(labels))[:int(math.Round(share*float64(len(labels))))]
	for _, i := range drawn {
		labels[i] = int32(rng.IntN(classes))
	}
	return drawn, nil
}

// NoiseGradient is the noise rate of each of n clients, evenly from lowest to
// highest.
func NoiseGradient(n int, lowest, highest float64) []float64 {
	rates := make([]float64, n)
	for i := range rates {
		rates[i] = lowest
		if n > 1 {
			rates[i] += (highest - lowest) * float64(i) / float64(n-1)
		}
	}
	return rates
}
