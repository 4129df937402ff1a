package prune

import (
	"cmp"
	"fmt"
	"slices"
)

// Inverse is what pruning needs of F^-1. A mfac.Static is one.
type Inverse interface {
	// Diagonal sets dst to the diagonal, an element for each weight.
	Diagonal(dst []float64) error
	// Product sets dst = F^-1 x; dst may be x.
	Product(dst, x []float64) error
}

// Saliency sets dst to rho_k = w_k^2 / (2 [F^-1]_kk): how much the loss grows,
// by its quadratic model, if weight k goes and the others are moved for it.
func Saliency(dst, weights []float64, inverse Inverse) error {
	if err := inverse.Diagonal(dst); err != nil {
		return err
	}
	for k, w := range weights {
		dst[k] = w * w / (2 * dst[k])
	}
	return nil
}

// Smallest returns the places of the given number of smallest scores, in
// increasing order. Of equal ones those that come first are taken.
func Smallest(scores []float64, count int) []int {
	places := make([]int, len(scores))
	for i := range places {
		places[i] = i
	}
	slices.SortStableFunc(places, func(a, b int) int { return cmp.Compare(scores[a], scores[b]) })
	places = places[:min(count, len(places))]
	slices.Sort(places)
	return places
}

// Surgery sets the weights at some places to zero and moves the others by the
// sum of what makes up for each of them alone, in one product:
//
//	w + F^-1 t with t_k = -w_k/[F^-1]_kk at the places, 0 elsewhere
//
// For one place this is the optimal brain surgeon's solution. For several it is
// not, which would need the block of F^-1 of all of them.
func Surgery(weights []float64, places []int, inverse Inverse) error {
	step, diagonal := make([]float64, len(weights)), make([]float64, len(weights))
	if err := inverse.Diagonal(diagonal); err != nil {
		return err
	}
	for _, k := range places {
		if k < 0 || k >= len(weights) {
			return fmt.Errorf("weight %d: expected one from 0 to %d", k, len(weights)-1)
		}
		step[k] = -weights[k] / diagonal[k]
	}
	if err := inverse.Product(step, step); err != nil {
		return err
	}
	for k, change := range step {
		weights[k] += change
	}
	for _, k := range places {
		weights[k] = 0
	}
	return nil
}
