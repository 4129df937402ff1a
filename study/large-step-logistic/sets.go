package largesteplogistic

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/stat"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/method/separation"
)

// set is examples of two classes.
type set struct {
	width   int
	labels  []float64 // -1 or +1
	numbers []float64 // row by row
}

func (s *set) add(label float64, features ...float64) {
	s.labels, s.numbers, s.width = append(s.labels, label), append(s.numbers, features...), len(features)
}

func (s *set) rows() (*separation.Dense, error) {
	return separation.NewDense(len(s.labels), s.width, s.numbers)
}

func (s *set) problem() (*separation.Problem, error) {
	rows, err := s.rows()
	if err != nil {
		return nil, err
	}
	return separation.NewProblem(rows, s.labels)
}

// geometry finds radius and margin, the latter to a relative tolerance.
func (s *set) geometry(ctx context.Context, tolerance float64) (*separation.Geometry, error) {
	rows, err := s.rows()
	if err != nil {
		return nil, err
	}
	return separation.Measure(ctx, rows, s.labels, separation.MarginSettings{Tolerance: tolerance})
}

// worstCase is the data of theorem 5.1: the signed rows (0.5, -1), once, and
// (0.5, 1), n-1 times.
func worstCase(n int) *set {
	s := &set{}
	s.add(1, 0.5, -1)
	for range n - 1 {
		s.add(-1, -0.5, -1)
	}
	return s
}

// twoPoints is the data of theorem 4.1: the signed rows (1, -1) and (1, 4).
func twoPoints() *set {
	s := &set{}
	s.add(1, 1, -1)
	s.add(1, 1, 4)
	return s
}

// The streams of random numbers of a seed.
const (
	gaussianStream = iota + 1
	imbalanceStream
)

// gaussian is 200 normally distributed points in 20 dimensions, labelled by a
// random vector and moved away from its plane by 0.05.
func gaussian(seed uint64) *set {
	rng := rand.New(rand.NewPCG(seed, gaussianStream))
	w := normal(rng, 20)
	norm := 0.0
	for _, x := range w {
		norm += x * x
	}
	s := &set{}
	for range 200 {
		x := normal(rng, len(w))
		side := 0.0
		for i := range x {
			side += x[i] * w[i]
		}
		label := math.Copysign(1, side)
		for i := range x {
			x[i] += 0.05 * label * w[i] / math.Sqrt(norm)
		}
		s.add(label, x...)
	}
	return s
}

func normal(rng *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	return x
}

// imbalanced is 500 normally distributed points in 20 dimensions, of which a
// share is positive; the first coordinate separates them and the second is
// moved off the origin.
func imbalanced(share float64, rng *rand.Rand) *set {
	s := &set{}
	for i := range 500 {
		label := -1.0
		if float64(i) < 500*share {
			label = 1
		}
		x := normal(rng, 20)
		x[0] = label * (0.1 + math.Abs(x[0]))
		x[1] += 3
		s.add(label, x...)
	}
	return s
}

// twice is every example of a set two times, and scaled the set with all
// features multiplied.
func (s *set) twice() *set {
	return &set{s.width, append(append([]float64{}, s.labels...), s.labels...), append(append([]float64{}, s.numbers...), s.numbers...)}
}

func (s *set) scaled(by float64) *set {
	numbers := make([]float64, len(s.numbers))
	for i, x := range s.numbers {
		numbers[i] = by * x
	}
	return &set{s.width, s.labels, numbers}
}

// pair is two classes of a set of real data with a constant feature. An empty
// negative stands for all other classes.
type pair struct {
	cell, set          string
	positive, negative string
	standardise        bool    // every feature over all rows of the set
	divisor            float64 // of features that are not standardised
}

// The pairs of the embedded sets.
var pairs = []pair{
	{"digits 3 v 8", "digits", "3", "8", false, 16},
	{"digits 1 v 8", "digits", "1", "8", false, 16},
	{"digits 4 v 9", "digits", "4", "9", false, 16},
	{"wine", "wine", "class_0", "", true, 0},
	{"iris", "iris", "setosa", "", false, 1},
}

func (p pair) read(ctx context.Context) (*set, error) {
	table, err := data.Open(ctx, p.set, data.Options{})
	if err != nil {
		return nil, err
	}
	columns := make([][]float64, len(table.Features))
	for i := range table.Features {
		columns[i] = p.column(&table.Features[i], table.Rows)
	}
	s := &set{}
	for row, code := range table.Target.Codes {
		label := 0.0
		switch level := table.Target.Levels[code]; level {
		case p.positive:
			label = 1
		case p.negative:
			label = -1
		default:
			if p.negative != "" {
				continue
			}
			label = -1
		}
		features := make([]float64, 0, len(columns)+1)
		for _, column := range columns {
			features = append(features, column[row])
		}
		s.add(label, append(features, 1)...)
	}
	if positive, negative := s.counts(); positive == 0 || negative == 0 {
		return nil, fmt.Errorf("%s: %d examples of class %q and %d others: expected both", p.set, positive, p.positive, negative)
	}
	return s, nil
}

// column is a feature of all rows, scaled.
func (p pair) column(c *data.Column, rows int) []float64 {
	numbers := make([]float64, rows)
	for row := range numbers {
		if c.Bytes != nil {
			numbers[row] = float64(c.Bytes[row])
		} else {
			numbers[row] = c.Numbers[row]
		}
	}
	mean, deviation := 0.0, p.divisor
	if p.standardise {
		mean, deviation = stat.PopMeanStdDev(numbers, nil)
	}
	for row := range numbers {
		numbers[row] = (numbers[row] - mean) / deviation
	}
	return numbers
}

func (s *set) counts() (positive, negative int) {
	for _, label := range s.labels {
		if label > 0 {
			positive++
		}
	}
	return positive, len(s.labels) - positive
}
