package spectrum

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
)

// Extremes are the settings of [Extreme]; zero values are the defaults.
type Extremes struct {
	Largest, Smallest int // how many eigenvalues are wanted at each end
	// Steps is the most products, 300 by default and at most the dimension.
	Steps int
	// Tolerance ends the work when every residual is below this share of the
	// largest eigenvalue in magnitude; 1e-8 by default.
	Tolerance float64
	// Vectors asks for the eigenvectors too.
	Vectors bool
}

// Pair is an approximate eigenvalue with its eigenvector.
type Pair struct {
	Value float64
	// Residual is |A x - Value x| for the unit vector x. An eigenvalue of the
	// matrix lies within this distance of Value, and usually within its square
	// over the gap to the next.
	Residual float64
	Vector   []float64 // of length 1; nil if not asked for
}

// Ends are the extreme eigenpairs of a matrix.
type Ends struct {
	Largest   []Pair // the largest first
	Smallest  []Pair // the smallest, that is the most negative, first
	Steps     int    // products that were taken
	Converged bool   // every residual is within the tolerance
}

// Extreme finds the eigenvalues at the ends of a spectrum by the Lanczos
// process with full reorthogonalisation, started from a random vector of signs.
// Where a space becomes invariant it goes on from another random vector, so that
// several equal eigenvalues are found. Memory is for Steps vectors. If the
// steps do not suffice, the pairs come with their residuals and Converged is false.
func Extreme(ctx context.Context, op Operator, e Extremes, rng *rand.Rand) (*Ends, error) {
	if err := checkDim(op); err != nil {
		return nil, err
	}
	if e.Steps == 0 {
		e.Steps = 300
	}
	if e.Tolerance == 0 {
		e.Tolerance = 1e-8
	}
	e.Steps = min(e.Steps, op.Dim())
	switch {
	case e.Largest < 0 || e.Smallest < 0 || e.Largest+e.Smallest == 0:
		return nil, fmt.Errorf("%d largest and %d smallest eigenvalues: expected at least one", e.Largest, e.Smallest)
	case e.Largest+e.Smallest > e.Steps:
		return nil, fmt.Errorf("%d eigenvalues in %d steps on a matrix of %d rows: expected no more than steps and rows", e.Largest+e.Smallest, e.Steps, op.Dim())
	case !(e.Tolerance > 0):
		return nil, fmt.Errorf("tolerance %g: expected a positive one", e.Tolerance)
	}
	start := make([]float64, op.Dim())
	rademacher(rng, start)
	l, err := newLanczos(double, start, e.Steps)
	if err != nil {
		return nil, err
	}
	reopened := 0
	for step := 1; ; step++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := op.Apply(l.product, l.last); err != nil {
			return nil, err
		}
		if err := l.advance(); err != nil {
			return nil, err
		}
		end := step == e.Steps
		if end || (step >= e.Largest+e.Smallest && (step%checkEvery == 0 || l.closed)) {
			ends, err := l.ends(e)
			// An invariant space misses copies of equal eigenvalues; each vector
			// from outside of it finds one more.
			complete := !l.closed || reopened >= e.Largest+e.Smallest
			if err != nil || end || ends.Converged && complete {
				return ends, err
			}
		}
		if l.closed {
			if complete, err := l.reopen(rng); err != nil {
				return nil, err
			} else if complete {
				return l.ends(e)
			}
			reopened++
		}
		l.extend()
	}
}

// checkEvery is how many steps are taken between two looks at the residuals.
const checkEvery = 10

// reopen continues from a random vector that is orthogonal to the basis, unless
// that is complete.
func (l *lanczos[T]) reopen(rng *rand.Rand) (complete bool, err error) {
	rademacher(rng, l.product)
	l.narrow(l.next, l.product)
	after, err := l.orthogonalise()
	if err != nil || after <= breakdown*math.Sqrt(float64(l.dim)) {
		return true, err
	}
	l.scale(1 / after)
	l.beta[len(l.beta)-1] = 0
	l.closed = false
	return false, nil
}

// ends takes the pairs from the tridiagonal matrix.
func (l *lanczos[T]) ends(e Extremes) (*Ends, error) {
	values, vectors, err := l.ritz()
	if err != nil {
		return nil, err
	}
	n := len(values)
	scale := max(math.Abs(values[0]), math.Abs(values[n-1]))
	r := &Ends{Steps: n, Converged: true}
	take := func(i int) Pair {
		// The residual is what leads out of the space: beta_m times the last component.
		p := Pair{Value: values[i], Residual: l.beta[n-1] * math.Abs(vectors[(n-1)*n+i])}
		r.Converged = r.Converged && p.Residual <= e.Tolerance*scale
		if e.Vectors {
			p.Vector = make([]float64, l.dim)
			q := make([]float64, l.dim)
			for j := range n {
				l.widen(q, l.vector(j))
				floats.AddScaled(p.Vector, vectors[j*n+i], q)
			}
		}
		return p
	}
	for i := range min(e.Largest, n) {
		r.Largest = append(r.Largest, take(n-1-i))
	}
	for i := range min(e.Smallest, n) {
		r.Smallest = append(r.Smallest, take(i))
	}
	return r, nil
}
