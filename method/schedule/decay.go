package schedule

import (
	"math"

	"github.com/descentml/descent/method/schedule/refine"
)

// Inverse is offset/(offset + step): 1 at the step 0 and 1/2 at the step
// offset, which is above 0. With the offset 1 it is the rate a/t of textbooks,
// t = step+1.
func Inverse(offset float64) Func {
	return func(step int) float64 { return offset / (offset + float64(max(step, 0))) }
}

// InverseSqrtFrom is the root of [Inverse]: 1 at the step 0 and 1/2 at the step
// 3 offset. With the offset 1 it is [InverseSqrt].
func InverseSqrtFrom(offset float64) Func {
	inverse := Inverse(offset)
	return func(step int) float64 { return math.Sqrt(inverse(step)) }
}

// Exponential is exp(-rate step/total): 1 at the step 0 and exp(-rate) at the
// step total, and stays there. With a total below 1 it is that from the start.
func Exponential(total int, rate float64) Func {
	return func(step int) float64 { return math.Exp(-rate * (1 - remaining(step, total))) }
}

// Polynomial runs along (1 - step/total)^power from exactly 1 at the step 0 to
// exactly end at the step total, and stays there. The power is above 0; with 1
// it is [Linear]. With a total below 1 it is end from the start.
func Polynomial(total int, power, end float64) Func {
	return func(step int) float64 { return between(end, math.Pow(remaining(step, total), power)) }
}

// Milestones multiplies by factor at each of the given shares of the run: with
// the shares 0.3, 0.6 and 0.9 and the factor 0.1 it is the 30-60-90 rule. A
// share counts from the first step at or after it. With a total below 1 all
// are passed from the start.
func Milestones(total int, shares []float64, factor float64) Func {
	return func(step int) float64 {
		result := 1.0
		for _, share := range shares {
			if float64(max(step, 0)) >= share*float64(total) {
				result *= factor
			}
		}
		return result
	}
}

// Refined follows a curve that gradient norms of an earlier run gave, see
// package refine. As in [Linear], its end lies at the step total, after the
// last step. With a total below 1 it is at its end from the start.
func Refined(curve *refine.Curve, total int) Func {
	return func(step int) float64 { return curve.At(step, total) }
}
