package coding

import (
	"math/rand/v2"
	"sync"
)

// exactCode are the weights of a code modulo the prime. The rows are words of the
// Reed-Solomon code of length n and dimension n-s, the values of polynomials of
// degree below n-s at n points, to which the row of ones belongs. Row i is the
// polynomial with roots at all points but those of its s+1 chunks.
type exactCode struct {
	rows [][]Residue // weights of each worker's chunks

	// All combinations of rows that give ones are start + sum_f a_f free_f: the
	// reduced system says what a pivot worker's weight is for given weights of
	// the free ones.
	solve  func() *exactSystem
	mutex  sync.Mutex
	cached map[string][]Residue
}

type exactSystem struct {
	pivotOf []int       // row of reduced for each worker; -1 if it is free
	free    []int       // workers whose weights can be chosen
	reduced [][]Residue // weight of a pivot worker: last entry - sum_f entry_f a_f
	solved  bool
}

func newExactCode(c *Code, rng *rand.Rand) *exactCode {
	e := &exactCode{rows: make([][]Residue, c.workers), cached: map[string][]Residue{}}
	if c.construction == Repetition {
		for i := range e.rows {
			e.rows[i] = ones[Residue](c.s+1, 1)
		}
		return e
	}
	points := make([]Residue, c.workers)
	for seen := map[Residue]bool{}; len(seen) < c.workers; {
		x := Residue(rng.Uint64N(uint64(Modulus)))
		if !seen[x] {
			points[len(seen)], seen[x] = x, true
		}
	}
	inside := make([]bool, c.workers)
	for i, support := range c.support {
		clear(inside)
		for _, j := range support {
			inside[j] = true
		}
		e.rows[i] = make([]Residue, len(support))
		scale := Residue(1)
		for k, j := range support {
			value := Residue(1)
			for other, x := range points {
				if !inside[other] {
					value = value.Times(points[j].Minus(x))
				}
			}
			if k == 0 {
				scale = value.Inverse()
			}
			e.rows[i][k] = value.Times(scale)
		}
	}
	e.solve = sync.OnceValue(func() *exactSystem { return newExactSystem(c, e.rows) })
	return e
}

// newExactSystem solves sum_i a_i E[i,j] = 1 for all j once and for all.
func newExactSystem(c *Code, weights [][]Residue) *exactSystem {
	n := c.workers
	flat := make([]Residue, n*(n+1))
	rows := make([][]Residue, n)
	for j := range rows {
		rows[j] = flat[j*(n+1) : (j+1)*(n+1)]
		rows[j][n] = 1
	}
	for i, support := range c.support {
		for k, j := range support {
			rows[j][i] = weights[i][k]
		}
	}
	pivots := reduce(rows)
	s := &exactSystem{pivotOf: make([]int, n), reduced: rows, solved: consistent(rows, pivots)}
	for i := range s.pivotOf {
		s.pivotOf[i] = -1
	}
	for row, column := range pivots {
		s.pivotOf[column] = row
	}
	for i, row := range s.pivotOf {
		if row < 0 {
			s.free = append(s.free, i)
		}
	}
	return s
}

// without finds weights with zeros for the workers that are not received; nil if
// there are none.
func (s *exactSystem) without(received Set, workers int) []Residue {
	if !s.solved {
		return nil
	}
	// Unknowns are the weights of free workers, one equation a missing worker.
	var equations [][]Residue
	for i := range workers {
		if received.Has(i) {
			continue
		}
		equation := make([]Residue, len(s.free)+1)
		row := s.pivotOf[i]
		for f, worker := range s.free {
			if worker == i {
				equation[f] = 1
			} else if row >= 0 {
				equation[f] = s.reduced[row][worker]
			}
		}
		if row >= 0 {
			equation[len(s.free)] = s.reduced[row][workers]
		}
		equations = append(equations, equation)
	}
	chosen := make([]Residue, len(s.free))
	if len(equations) > 0 {
		pivots := reduce(equations)
		if !consistent(equations, pivots) {
			return nil
		}
		for row, f := range pivots { // unknowns without a pivot stay 0
			chosen[f] = equations[row][len(s.free)]
		}
	}
	weights := make([]Residue, workers)
	for i, row := range s.pivotOf {
		if row < 0 {
			continue
		}
		weights[i] = s.reduced[row][workers]
		for f, worker := range s.free {
			weights[i] = weights[i].Minus(s.reduced[row][worker].Times(chosen[f]))
		}
	}
	for f, worker := range s.free {
		weights[worker] = chosen[f]
	}
	return weights
}

// ExactRow is what a worker multiplies the gradients of its chunks with, in the
// order of [Code.Support], modulo [Modulus]. It is not to be changed.
func (c *Code) ExactRow(worker int) []Residue { return c.exact().rows[worker] }

// ExactCombination is [Code.Combination] modulo [Modulus], where there is no
// rounding: any combination gives the same sum.
func (c *Code) ExactCombination(received Set) ([]Residue, error) {
	if !received.fits(c.workers) {
		return nil, c.incomplete(received, 1)
	}
	if c.construction == Repetition {
		return choose[Residue](c, received, 1)
	}
	e := c.exact()
	return remember(&e.mutex, e.cached, received, func() ([]Residue, error) {
		if weights := e.solve().without(received, c.workers); weights != nil {
			return weights, nil
		}
		return nil, c.incomplete(received, 1)
	})
}

// mostRemembered bounds the sets whose combinations are kept.
const mostRemembered = 4096

// remember looks a set's combination up, and finds it if it is new. An entry is
// made once for a set; errors are not kept.
func remember[T any](mutex *sync.Mutex, cached map[string][]T, received Set, find func() ([]T, error)) ([]T, error) {
	var space [64]byte
	key := space[:0]
	for _, word := range received {
		key = append(key, byte(word), byte(word>>8), byte(word>>16), byte(word>>24), byte(word>>32), byte(word>>40), byte(word>>48), byte(word>>56))
	}
	mutex.Lock()
	defer mutex.Unlock()
	if weights, ok := cached[string(key)]; ok {
		return weights, nil
	}
	weights, err := find()
	if err != nil {
		return nil, err
	}
	if len(cached) >= mostRemembered {
		clear(cached)
	}
	cached[string(key)] = weights
	return weights, nil
}
