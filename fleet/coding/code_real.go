package coding

import (
	"math"
	"math/rand/v2"
	"sync"

	"gonum.org/v1/gonum/mat"
)

// largestResidual is how far a combination of rows may be from a row of ones.
const largestResidual = 1e-6

// realCode are the weights of a code as real numbers: every row is orthogonal to
// the s rows of a random matrix H with H 1 = 0, so that rows span, almost surely
// any n-s of them, the space orthogonal to H, which holds the row of ones.
type realCode struct {
	rows [][]float64 // weights of each worker's chunks

	solve  func() *realSystem
	mutex  sync.Mutex
	cached map[string][]float64
}

// realSystem are all combinations that give ones: start + null z.
type realSystem struct {
	start []float64  // the shortest
	null  *mat.Dense // [n, s], orthonormal columns with E' null = 0; nil if s = 0
}

func newRealCode(c *Code, rng *rand.Rand) *realCode {
	r := &realCode{rows: make([][]float64, c.workers), cached: map[string][]float64{}}
	if c.construction == Repetition || c.s == 0 {
		for i := range r.rows {
			r.rows[i] = ones(c.s+1, 1.0)
		}
	} else {
		h := mat.NewDense(c.s, c.workers, nil)
		for i := range c.s {
			row := h.RawRowView(i)
			for j := range c.workers - 1 {
				row[j] = rng.NormFloat64()
				row[c.workers-1] -= row[j]
			}
		}
		for i, support := range c.support {
			r.rows[i] = orthogonalRow(h, support)
		}
	}
	r.solve = sync.OnceValue(func() *realSystem { return newRealSystem(c, r.rows) })
	return r
}

// orthogonalRow finds weights of chunks, the first 1, with H' times them 0.
func orthogonalRow(h *mat.Dense, support []int) []float64 {
	s, _ := h.Dims()
	a, b := mat.NewDense(s, s, nil), mat.NewVecDense(s, nil)
	for i := range s {
		for k, j := range support[1:] {
			a.Set(i, k, h.At(i, j))
		}
		b.SetVec(i, -h.At(i, support[0]))
	}
	row := make([]float64, s+1)
	row[0] = 1
	// A matrix near singular leaves a warning and large numbers, which the
	// residual of every decoding accounts for.
	_ = mat.NewVecDense(s, row[1:]).SolveVec(a, b)
	return row
}

// newRealSystem solves E' a = 1 by singular values of E.
func newRealSystem(c *Code, rows [][]float64) *realSystem {
	n, rank := c.workers, c.workers-c.s
	e := mat.NewDense(n, n, nil)
	for i, support := range c.support {
		for k, j := range support {
			e.Set(i, j, rows[i][k])
		}
	}
	s := &realSystem{start: make([]float64, n)}
	var svd mat.SVD
	if !svd.Factorize(e, mat.SVDThin) {
		return s // nothing decodes from it: the residual is 1
	}
	values := svd.Values(nil)
	var u, v mat.Dense
	svd.UTo(&u)
	svd.VTo(&v)
	for k := range rank {
		along := 0.0
		for j := range n {
			along += v.At(j, k)
		}
		for i := range n {
			s.start[i] += u.At(i, k) * along / values[k]
		}
	}
	if c.s > 0 {
		s.null = mat.DenseCopyOf(u.Slice(0, n, rank, n))
	}
	return s
}

// Row is what a worker multiplies the gradients of its chunks with, in the order
// of [Code.Support]. It is not to be changed.
func (c *Code) Row(worker int) []float64 { return c.real().rows[worker] }

// Combination is what the sums of the received workers are multiplied with so
// that their sum is that over all chunks, one weight for each of the n workers, 0
// for those not received: of all such combinations the one with the least sum of
// squares, and for a repetition code the first worker of each group. It is kept
// for the set and not to be changed. If there is none to 1e-6 it is an
// [IncompleteError].
//
// Weights grow with s, to some thousand for s = 15 and n = 256, and rounding
// errors of the sums with them; [Code.ExactCombination] has none.
func (c *Code) Combination(received Set) ([]float64, error) {
	if !received.fits(c.workers) {
		return nil, c.incomplete(received, 1)
	}
	if c.construction == Repetition {
		return choose(c, received, 1.0)
	}
	r := c.real()
	return remember(&r.mutex, r.cached, received, func() ([]float64, error) {
		missing := Set(nil)
		for i := range received {
			missing = append(missing, ^received[i])
		}
		var absent []int
		for _, i := range missing.Members() {
			if i < c.workers {
				absent = append(absent, i)
			}
		}
		weights := r.solve().without(absent)
		if len(absent) > c.s {
			weights = c.nearest(r.rows, received)
		}
		if residual := c.residual(r.rows, weights); !(residual <= largestResidual) {
			return nil, c.incomplete(received, residual)
		}
		return weights, nil
	})
}

// without is the shortest combination in which at most s absent workers have
// weight 0.
func (s *realSystem) without(absent []int) []float64 {
	weights := append([]float64(nil), s.start...)
	if len(absent) > 0 && s.null != nil {
		_, free := s.null.Dims()
		a, b := mat.NewDense(len(absent), free, nil), mat.NewVecDense(len(absent), nil)
		for k, i := range absent {
			a.SetRow(k, s.null.RawRowView(i))
			b.SetVec(k, -s.start[i])
		}
		var z, shift mat.VecDense
		if err := z.SolveVec(a, b); err == nil || z.Len() == free {
			shift.MulVec(s.null, &z)
			for i := range weights {
				weights[i] += shift.AtVec(i)
			}
		}
	}
	for _, i := range absent {
		weights[i] = 0
	}
	return weights
}

// nearest is the combination of fewer than n-s received rows that is nearest to
// ones, by least squares.
func (c *Code) nearest(rows [][]float64, received Set) []float64 {
	weights := make([]float64, c.workers)
	members := received.Members()
	if len(members) == 0 {
		return weights
	}
	e, target := mat.NewDense(c.workers, len(members), nil), mat.NewVecDense(c.workers, nil)
	for k, i := range members {
		for at, j := range c.support[i] {
			e.Set(j, k, rows[i][at])
		}
	}
	for j := range c.workers {
		target.SetVec(j, 1)
	}
	var a mat.VecDense
	if err := a.SolveVec(e, target); err == nil || a.Len() == len(members) {
		for k, i := range members {
			weights[i] = a.AtVec(k)
		}
	}
	return weights
}

// residual is max_j |sum_i a_i E[i,j] - 1|.
func (c *Code) residual(rows [][]float64, weights []float64) float64 {
	sums := make([]float64, c.workers)
	for i, support := range c.support {
		for k, j := range support {
			sums[j] += weights[i] * rows[i][k]
		}
	}
	largest := 0.0
	for _, sum := range sums {
		largest = math.Max(largest, math.Abs(sum-1))
	}
	return largest
}
