package federated

import (
	"errors"
	"fmt"
)

// Quadratic is the [Objective] whose optima are known: row i is the centre c_i
// of the loss a_i |x - c_i|²/2. With one row per client it shows where a
// strategy converges to.
type Quadratic struct {
	centres    [][]float64
	curvatures []float64
}

// NewQuadratic makes the objective of centres [rows][P] and their curvatures
// a_i; nil is 1 each. It keeps both.
func NewQuadratic(centres [][]float64, curvatures []float64) (*Quadratic, error) {
	if len(centres) == 0 || len(centres[0]) == 0 {
		return nil, errors.New("no centres: expected at least one of at least one number")
	}
	for i, c := range centres {
		if len(c) != len(centres[0]) || !finite(c) {
			return nil, fmt.Errorf("centre %d has %d numbers: expected %d finite ones", i, len(c), len(centres[0]))
		}
	}
	if curvatures != nil && (len(curvatures) != len(centres) || !finite(curvatures)) {
		return nil, fmt.Errorf("%d curvatures for %d centres: expected a finite one for each", len(curvatures), len(centres))
	}
	return &Quadratic{centres, curvatures}, nil
}

func (q *Quadratic) curvature(row int) float64 {
	if q.curvatures == nil {
		return 1
	}
	return q.curvatures[row]
}

// Dim implements [Objective].
func (q *Quadratic) Dim() int { return len(q.centres[0]) }

// Gradient implements [Objective].
func (q *Quadratic) Gradient(parameters, gradient []float64, rows []int) (float64, error) {
	clear(gradient)
	total, share := 0.0, 1/float64(len(rows))
	for _, row := range rows {
		a := q.curvature(row)
		for j, c := range q.centres[row] {
			d := parameters[j] - c
			total += share * a * d * d / 2
			gradient[j] += share * a * d
		}
	}
	return total, nil
}

// Evaluate implements [Objective]. Nothing is wrong.
func (q *Quadratic) Evaluate(parameters []float64, rows []int, losses []float64, wrong []bool) error {
	for i, row := range rows {
		if losses == nil {
			break
		}
		losses[i] = 0
		for j, c := range q.centres[row] {
			d := parameters[j] - c
			losses[i] += q.curvature(row) * d * d / 2
		}
	}
	clear(wrong)
	return nil
}

// Singles are the shards of count clients that have the row of their number.
func Singles(count int) [][]int {
	shards := make([][]int, count)
	for i := range shards {
		shards[i] = []int{i}
	}
	return shards
}

var _ Objective = (*Quadratic)(nil)
