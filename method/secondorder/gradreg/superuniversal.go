package gradreg

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
)

// SuperUniversal is the older gradient-regularised method: Doikov, Mishchenko
// and Nesterov, "Super-universal regularized Newton method", SIAM Journal on
// Optimization 2024. Its lambda is M |g|_*^Exponent, so that
//
//	gamma = |g|_*^(1-Exponent)/M,
//
// and M is searched for: a step passes if -<g+, h> >= |g+|_*^2/(4 lambda), after
// which M is divided by Factor; a failure multiplies it. With the exponents 1
// and 0 these are the rules gamma = 1/M and gamma = |g|_*/M that the paper
// compares with.
type SuperUniversal struct {
	// Curvature is H, the exact Hessian in the publication. Default [Zero].
	Curvature Curvature
	// Metric is B. Default the identity.
	Metric *Metric
	// Exponent lies in [0, 1]. Default 1, NaN for 0.
	Exponent float64
	// M is the constant that the search begins with. Default 1.
	M float64
	// Factor is above 1. Default 4.
	Factor float64
	// Floor is what M does not fall below. Default 1e-5, NaN for 0.
	Floor float64
	// Tries is the largest number of steps tried in one iteration. Default 40.
	Tries int
}

// Minimize implements [Method].
func (m SuperUniversal) Minimize(ctx context.Context, f Function, x0 []float64, limits Limits, observe Observer) (*Result, error) {
	m.Exponent, m.M, m.Factor, m.Floor = number(m.Exponent, 1), number(m.M, 1), number(m.Factor, 4), number(m.Floor, 1e-5)
	if m.Curvature == nil {
		m.Curvature = Zero{}
	}
	if m.Tries == 0 {
		m.Tries = 40
	}
	if !(0 <= m.Exponent && m.Exponent <= 1) || !(m.M > 0) || !(m.Factor > 1) {
		return nil, fmt.Errorf("settings Exponent %g, M %g and Factor %g: expected a number in [0, 1], one above 0 and one above 1", m.Exponent, m.M, m.Factor)
	}
	run, err := newRun(f, m.Metric, x0, func(e *engine) mover {
		return &superUniversal{m, m.Curvature.system(f.Dim(), m.Metric, &e.counts)}
	})
	if err != nil {
		return nil, err
	}
	return minimize(ctx, run, limits, observe)
}

type superUniversal struct {
	SuperUniversal
	system system
}

func (s *superUniversal) move(ctx context.Context, e *engine) (Iteration, error) {
	s.system.update(e.now.x, e.now.gradient)
	it := Iteration{Lambda: math.NaN(), Gamma: math.NaN()}
	for it.Tries < s.Tries {
		if err := ctx.Err(); err != nil {
			return it, err
		}
		it.Tries++
		lambda := s.M * math.Pow(e.now.norm, s.Exponent)
		if s.system.solve(e.step, lambda) {
			e.try()
			if -floats.Dot(e.trial.gradient, e.step) >= e.trial.norm*e.trial.norm/(4*lambda) && e.trial.finite() {
				it.Moved, it.Lambda, it.Gamma = true, lambda, e.now.norm/lambda
				s.M = max(s.M/s.Factor, s.Floor)
				return it, nil
			}
		}
		s.M *= s.Factor
	}
	return it, nil
}
