// Package schedule holds learning rate schedules: how the learning rate
// changes over a run, as a factor on its base value.
//
// A schedule is a function of the step alone. [Attach] lets one drive the
// learning rate of any GoMLX training loop, [Set] sets the rate by hand, and
// [New] makes a schedule from a line of text. Package refine makes one from the
// gradient norms of an earlier run, for [Refined]; package lastiterate has the
// theory of both.
//
// Lengths are in optimizer steps. A schedule that falls over total steps has
// its end value at the step total, which is the first step after a run of
// total steps; the last step of the run is still a little above it, and so no
// step is lost where the end is zero.
package schedule

import "math"

// Func gives the factor on the base learning rate at a step, counted from 0.
// A step below 0 counts as 0.
type Func func(step int) float64

// Constant is 1 at every step.
func Constant(int) float64 { return 1 }

// InverseSqrt is 1/sqrt(step+1): 1 at the step 0 and 1/2 at the step 3. It is
// the rate a/sqrt(t) of regret bounds, t = step+1.
func InverseSqrt(step int) float64 { return 1 / math.Sqrt(float64(max(step, 0)+1)) }

// Step multiplies by factor after each stretch of the given number of steps:
// it is factor^k from the step k every to the step (k+1) every - 1. With a
// length below 1 it never does.
func Step(every int, factor float64) Func {
	return func(step int) float64 {
		if every < 1 || step < every {
			return 1
		}
		return math.Pow(factor, float64(step/every))
	}
}

// Linear runs in a straight line from exactly 1 at the step 0 to exactly end
// at the step total, and stays there. With a total below 1 it is end from the
// start.
func Linear(total int, end float64) Func {
	return func(step int) float64 { return between(end, remaining(step, total)) }
}

// Cosine runs along half a period of a cosine from exactly 1 at the step 0 to
// exactly end at the step total, and stays there; it is half-way at total/2.
// With a total below 1 it is end from the start. Source: Loshchilov and
// Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017,
// equation 5, without restarts.
func Cosine(total int, end float64) Func {
	return func(step int) float64 {
		sine := math.Sin(math.Pi / 2 * remaining(step, total))
		return between(end, sine*sine) // (1 + cos(pi step/total))/2
	}
}

// WithWarmup puts a straight rise of the given number of steps before f: the
// factor is f(0) (step+1)/(steps+1) during the rise, exactly f(0) at the step
// steps, and f(step-steps) from there. With no steps it is f.
func WithWarmup(steps int, f Func) Func {
	return func(step int) float64 {
		if step >= steps {
			return f(step - max(steps, 0))
		}
		return f(0) * float64(max(step, 0)+1) / float64(steps+1)
	}
}

// remaining is the share of the total that is left at the step: exactly 1 at
// the start and 0 from the end.
func remaining(step, total int) float64 {
	if step >= total {
		return 0
	}
	return float64(total-max(step, 0)) / float64(total)
}

// between is end where the weight is 0 and 1 where it is 1.
func between(end, weight float64) float64 { return (1-weight)*end + weight }
