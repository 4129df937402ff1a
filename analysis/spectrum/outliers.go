package spectrum

import (
	"fmt"
	"math"
)

// The rules by which the paper counts the eigenvalues that stand apart from the
// bulk (Appendix A). Each takes eigenvalues with the largest first; a count of i
// says that the first i stand apart.

// GapCount is the i with the largest gap lambda_i - lambda_{i+1}; 0 for fewer
// than two eigenvalues. It often stops after the first one.
func GapCount(eigenvalues []float64) int {
	best, count := math.Inf(-1), 0
	for i := 1; i < len(eigenvalues); i++ {
		if gap := eigenvalues[i-1] - eigenvalues[i]; gap > best {
			best, count = gap, i
		}
	}
	return count
}

// RatioCount is the i from low to high with the largest ratio
// lambda_i/lambda_{i+1}, as far as eigenvalues are positive; 0 if there is none.
// A window of 2 to twice the number of classes keeps it away from the first
// eigenvalue and from the many near zero.
func RatioCount(eigenvalues []float64, low, high int) (int, error) {
	if low < 1 || high < low {
		return 0, fmt.Errorf("a window from %d to %d: expected 1 <= low <= high", low, high)
	}
	best, count := 0.0, 0
	for i := low; i <= high && i < len(eigenvalues) && eigenvalues[i] > 0; i++ {
		if ratio := eigenvalues[i-1] / eigenvalues[i]; ratio > best {
			best, count = ratio, i
		}
	}
	return count, nil
}

// AboveCount is the number of eigenvalues above a threshold: the elbow that a
// person sees in their plot.
func AboveCount(eigenvalues []float64, threshold float64) int {
	count := 0
	for _, lambda := range eigenvalues {
		if lambda > threshold {
			count++
		}
	}
	return count
}

// Spike is where the largest eigenvalue of a sample covariance matrix goes when
// the covariance is diag(ell, 1, ..., 1) and dimension over samples tends to
// alpha: to ell (1 + alpha/(ell - 1)), separated from the rest, if ell exceeds
// 1 + sqrt(alpha), else to the edge (1 + sqrt(alpha))² of the rest (Baik, Ben
// Arous and Péché 2005; Appendix B of the paper).
func Spike(ell, alpha float64) (largest float64, separated bool) {
	edge := 1 + math.Sqrt(alpha)
	if ell > edge {
		return ell * (1 + alpha/(ell-1)), true
	}
	return edge * edge, false
}
