package coded

import (
	"context"
	"fmt"
	"math"

	"github.com/descentml/descent/fleet/coding"
)

// Arithmetic is how gradients are summed.
type Arithmetic int

// The arithmetics; see the package's comment.
const (
	// Exact sums residues of gradients in steps of 2^-44.
	Exact Arithmetic = iota
	// Real sums float64.
	Real
)

// String is the arithmetic's name.
func (a Arithmetic) String() string {
	if a == Real {
		return "real"
	}
	return "exact"
}

// Range of Exact. A sum has to stay within a 256th of what residues can hold, so
// that one that is no sum at all, for workers that disagree on a chunk, is found
// out with as good as certainty by any vector of a few numbers.
const (
	// Step is the distance of neighbouring numbers.
	Step = 1.0 / (1 << 44)
	// Largest bounds the numbers of a gradient.
	Largest = 256.0
)

// Compute computes one task: the sum of the chunks' gradients for the job, in dst.
// dst and scratch, which it overwrites, are as long as the parameters. It returns
// within one chunk of the end of its context. A gradient that is not finite or,
// for [Exact], above [Largest] is a [RangeError].
func Compute(ctx context.Context, a Arithmetic, g Gradients, job Job, task Task, dst Vector, scratch []float64) error {
	if len(task.Chunks) != len(task.Weights) {
		return fmt.Errorf("a task with %d chunks and %d weights: expected as many", len(task.Chunks), len(task.Weights))
	}
	if len(dst) != len(job.Parameters) || len(scratch) != len(dst) {
		return fmt.Errorf("a sum of %d numbers and room for %d, for %d parameters: expected as many", len(dst), len(scratch), len(job.Parameters))
	}
	clear(dst) // zero is zero in both forms
	for k, chunk := range task.Chunks {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := g.Gradient(ctx, job.Model, chunk, job.Parameters, scratch); err != nil {
			return fmt.Errorf("gradient of chunk %d for job %d: %w", chunk, job.Number, err)
		}
		if err := a.add(dst, task.Weights[k], scratch); err != nil {
			return fmt.Errorf("gradient of chunk %d for job %d: %w", chunk, job.Number, err)
		}
	}
	return nil
}

// RangeError says that a number of a gradient cannot be summed: training has
// diverged.
type RangeError struct {
	Parameter int
	Value     float64
}

// Error is the sentence.
func (e *RangeError) Error() string {
	return fmt.Sprintf("derivative %d is %g: expected a number within %g", e.Parameter, e.Value, Largest)
}

// add adds a weight times a gradient to a sum.
func (a Arithmetic) add(dst Vector, weight uint64, gradient []float64) error {
	if a == Real {
		w := math.Float64frombits(weight)
		for i, x := range gradient {
			if x-x != 0 {
				return &RangeError{i, x}
			}
			dst[i] = math.Float64bits(math.Float64frombits(dst[i]) + w*x)
		}
		return nil
	}
	w := coding.Residue(weight)
	for i, x := range gradient {
		if !(math.Abs(x) <= Largest) {
			return &RangeError{i, x}
		}
		r := coding.FromInt(int64(math.RoundToEven(x / Step)))
		dst[i] = uint64(coding.Residue(dst[i]).Plus(w.Times(r)))
	}
	return nil
}

// addSum adds a weight times a sum to a sum.
func (a Arithmetic) addSum(dst Vector, weight uint64, sum Vector) {
	if a == Real {
		w := math.Float64frombits(weight)
		for i, x := range sum {
			dst[i] = math.Float64bits(math.Float64frombits(dst[i]) + w*math.Float64frombits(x))
		}
		return
	}
	w := coding.Residue(weight)
	for i, x := range sum {
		dst[i] = uint64(coding.Residue(dst[i]).Plus(w.Times(coding.Residue(x))))
	}
}

// one is the weight of a plain sum.
func (a Arithmetic) one() uint64 {
	if a == Real {
		return math.Float64bits(1)
	}
	return 1
}

// row is what a worker's chunks are weighted with in the code.
func (a Arithmetic) row(code *coding.Code, worker int) []uint64 {
	if a == Real {
		return bitsOf(code.Row(worker))
	}
	return residuesOf(code.ExactRow(worker))
}

// combination is what the workers' coded sums are weighted with.
func (a Arithmetic) combination(code *coding.Code, received coding.Set) ([]uint64, error) {
	if a == Real {
		weights, err := code.Combination(received)
		return bitsOf(weights), err
	}
	weights, err := code.ExactCombination(received)
	return residuesOf(weights), err
}

func bitsOf(x []float64) []uint64 {
	list := make([]uint64, len(x))
	for i := range x {
		list[i] = math.Float64bits(x[i])
	}
	return list
}

func residuesOf(x []coding.Residue) []uint64 {
	list := make([]uint64, len(x))
	for i := range x {
		list[i] = uint64(x[i])
	}
	return list
}

// check refuses a vector from outside that has not the form of a sum.
func (a Arithmetic) check(v Vector, parameters int) error {
	if len(v) != parameters {
		return fmt.Errorf("a sum of %d numbers: expected %d", len(v), parameters)
	}
	if a == Exact {
		for i, x := range v {
			if x >= uint64(coding.Modulus) {
				return fmt.Errorf("number %d of a sum is %d: expected residues below %d", i, x, uint64(coding.Modulus))
			}
		}
	}
	return nil
}

// gradient sets dst to the numbers of a decoded sum.
func (a Arithmetic) gradient(dst []float64, sum Vector) error {
	if a == Real {
		for i, x := range sum {
			dst[i] = math.Float64frombits(x)
		}
		return nil
	}
	for i, x := range sum {
		value := float64(coding.Residue(x).Int()) * Step
		if math.Abs(value) > Largest {
			return fmt.Errorf("decoded derivative %d is %g, expected a number within %g: training has diverged, or workers disagree on the gradient of a chunk; a -rep scheme or the arithmetic real bear that", i, value, Largest)
		}
		dst[i] = value
	}
	return nil
}
