package mfac

import (
	"math"

	"github.com/descentml/descent/backend/kernel/vector"
)

// elimination is the paper's form of the window: D, q and B of the Gram matrix
// S = G G^T, in the order of the rows of G.
//
//	D_ij = g_i^T F_{i-1}^-1 g_j for j >= i,  q_i = n + D_ii,  V = B G
//
// where n is the divisor of F.
type elimination struct {
	order   int
	damping float64
	divisor float64
	d, b    []float64 // [m, m]
	q       []float64
	p       []float64 // buffer
}

func newElimination(order int, damping float64) *elimination {
	return &elimination{
		order: order, damping: damping,
		d: make([]float64, order*order), b: make([]float64, order*order), q: make([]float64, order), p: make([]float64, order),
	}
}

// run computes D and q, then B, from S: O(m^3).
func (e *elimination) run(gram []float64) {
	m := e.order
	for i, s := range gram {
		e.d[i] = s / e.damping
	}
	for i := range m {
		row := e.d[i*m : (i+1)*m]
		e.q[i] = e.divisor + row[i]
		for j := i + 1; j < m; j++ {
			below := e.d[j*m+j : (j+1)*m]
			vector.MulAddScalar(below, row[j:], -row[j]/e.q[i], below)
		}
	}
	clear(e.b)
	for i := range m {
		row := e.b[i*m : (i+1)*m]
		row[i] = 1 / e.damping
		for j := range i {
			vector.MulAddScalar(row[:j+1], e.b[j*m:j*m+j+1], -e.d[j*m+i]/e.q[j], row[:j+1])
		}
	}
}

// coefficients sets c so that F^-1 x = x/lambda - G^T c, where k = G x:
// c = B^T (p / q) with p_i = g_i^T F_{i-1}^-1 x.
func (e *elimination) coefficients(c, k []float64) {
	m, p := e.order, e.p
	for i, x := range k {
		p[i] = x / e.damping
	}
	for i := range m {
		p[i] /= e.q[i]
		vector.MulAddScalar(p[i+1:], e.d[i*m+i+1:(i+1)*m], -p[i], p[i+1:])
	}
	clear(c)
	for i := range m {
		vector.MulAddScalar(c[:i+1], e.b[i*m:i*m+i+1], p[i], c[:i+1])
	}
}

// logDeterminant is the sum of log(q_i/n).
func (e *elimination) logDeterminant() float64 {
	sum := 0.0
	for _, q := range e.q {
		sum += math.Log(q / e.divisor)
	}
	return sum
}
