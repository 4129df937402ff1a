package gradreg

import (
	"context"
	"fmt"
	"math"
)

// Newton is the gradient-regularised method with an approximate Hessian. Its
// zero value is normalised gradient descent in the identity metric; what it is
// made for is Newton{Curvature: Dense(hessian)}.
//
// The search of the step size gamma is the paper's Algorithm 3: from a step h
// to x+ with the gradient g+ it asks that
//
//	f(x) - f(x+) >= |g+|_*^2 / (8 lambda),
//
// halves gamma where it does not hold or where H + lambda B is not positive
// definite, and doubles it after each step. It has no upper bound, so that
// lambda vanishes near a solution. With a Rule gamma is given and nothing is
// searched, which is Algorithm 1.
type Newton struct {
	// Curvature is H. Default [Zero].
	Curvature Curvature
	// Metric is B. Default the identity.
	Metric *Metric
	// Gamma is the step size that the search begins with. Default 1.
	Gamma float64
	// Minimum is what gamma is raised to after a step. Default 1e-9.
	Minimum float64
	// Offset is added to gamma where it divides, as in the official code; it
	// shortens lambda where gamma is as small. Default 1e-8, NaN for 0.
	Offset float64
	// Tries is the largest number of steps tried in one iteration, after
	// which the method stalls. Default 40.
	Tries int
	// Rounding is the relative precision of f. Values that differ by less
	// than four times that are taken as equal, and then a step passes if the
	// gradient gets smaller. Default 2^-52, that of float64.
	Rounding float64
	// Rule gives gamma in place of the search.
	Rule Rule
}

// Rule is gamma as a function of the dual norm of the gradient.
type Rule func(norm float64) float64

// Fixed is the rule of a constant gamma. With gamma = 1/M it is right for
// quasi-self-concordant functions: M is the largest |a_i|_* for logistic
// regression on rows a_i, and 2/mu for log-sum-exp in the metric A'A.
func Fixed(gamma float64) Rule { return func(float64) float64 { return gamma } }

// Hölder is the rule for Hessians with |H(x) - H(y)| <= constant |x - y|^degree,
// for a degree in [0, 1]: gamma = ((1 + degree) |g|_*/constant)^(1/(1+degree)).
// A degree of 1 is a Lipschitz Hessian, with gamma = sqrt(2 |g|_*/constant), and
// 0 one whose variation is bounded, with gamma = |g|_*/constant.
func Hölder(constant, degree float64) Rule {
	return func(norm float64) float64 { return math.Pow((1+degree)*norm/constant, 1/(1+degree)) }
}

// Minimize implements [Method].
func (m Newton) Minimize(ctx context.Context, f Function, x0 []float64, limits Limits, observe Observer) (*Result, error) {
	run, err := m.Start(f, x0)
	if err != nil {
		return nil, err
	}
	return minimize(ctx, run, limits, observe)
}

// Start evaluates the function at x0 and makes ready for steps from there. Its
// errors are those of Minimize.
func (m Newton) Start(f Function, x0 []float64) (*Run, error) {
	m, err := m.complete()
	if err != nil {
		return nil, err
	}
	return newRun(f, m.Metric, x0, func(e *engine) mover {
		return &search{Newton: m, gamma: m.Gamma, system: m.Curvature.system(f.Dim(), m.Metric, &e.counts)}
	})
}

// Restart goes on from another point, with gamma as the next step size to be
// tried, and with the memory that the run has. It counts on. It is an error if
// the run is not one of [Newton], if x0 has another length, or if the function
// is not finite there.
func (r *Run) Restart(x0 []float64, gamma float64) error {
	s, ok := r.mover.(*search)
	if !ok {
		return fmt.Errorf("a restart with gamma = %g: expected a run of Newton", gamma)
	}
	if !(gamma > 0) || math.IsInf(gamma, 0) {
		return fmt.Errorf("step size gamma is %g: expected a finite number above 0", gamma)
	}
	s.gamma = gamma
	return r.engine.begin(x0)
}

// Gamma is the step size that the next step tries first; NaN if the run is not
// one of [Newton].
func (r *Run) Gamma() float64 {
	if s, ok := r.mover.(*search); ok {
		return s.gamma
	}
	return math.NaN()
}

func (m Newton) complete() (Newton, error) {
	if m.Curvature == nil {
		m.Curvature = Zero{}
	}
	if m.Tries == 0 {
		m.Tries = 40
	}
	for _, s := range []struct {
		name     string
		field    *float64
		standard float64
	}{
		{"Gamma", &m.Gamma, 1}, {"Minimum", &m.Minimum, 1e-9}, {"Offset", &m.Offset, 1e-8}, {"Rounding", &m.Rounding, 0x1p-52},
	} {
		if *s.field = number(*s.field, s.standard); !(*s.field >= 0) || math.IsInf(*s.field, 0) {
			return m, fmt.Errorf("setting %s is %g: expected a finite number of at least 0", s.name, *s.field)
		}
	}
	if m.Gamma == 0 {
		return m, fmt.Errorf("setting Gamma is 0: expected a number above 0")
	}
	return m, nil
}

// search is Newton at work.
type search struct {
	Newton
	gamma  float64 // to be tried next
	system system
}

// largest keeps gamma finite however often it is doubled.
const largest = 1e300

func (s *search) move(ctx context.Context, e *engine) (Iteration, error) {
	s.system.update(e.now.x, e.now.gradient)
	if s.Rule != nil {
		return s.ruled(e), nil
	}
	it := Iteration{Lambda: math.NaN(), Gamma: math.NaN()}
	for it.Tries < s.Tries {
		if err := ctx.Err(); err != nil {
			return it, err
		}
		it.Tries++
		lambda := e.now.norm / (s.gamma + s.Offset)
		if s.system.solve(e.step, lambda) {
			e.try()
			if passed, rounded := s.passes(e, lambda); passed {
				it.Moved, it.Rounded, it.Lambda, it.Gamma = true, rounded, lambda, s.gamma
				s.gamma = min(max(2*s.gamma, s.Minimum), largest)
				return it, nil
			}
		}
		s.gamma /= 2
	}
	return it, nil
}

// passes is the test of Algorithm 3. It does not hold for NaN.
func (s *search) passes(e *engine, lambda float64) (passed, rounded bool) {
	now, trial := &e.now, &e.trial
	if now.value-trial.value >= trial.norm*trial.norm/(8*lambda) {
		return trial.finite(), false
	}
	same := math.Abs(now.value-trial.value) <= 4*s.Rounding*math.Abs(now.value)
	return same && trial.norm < now.norm, true
}

// ruled is Algorithm 1: one step of the rule's size, whatever it leads to.
func (s *search) ruled(e *engine) Iteration {
	s.gamma = s.Rule(e.now.norm)
	it := Iteration{Lambda: e.now.norm / s.gamma, Gamma: s.gamma, Tries: 1}
	if s.system.solve(e.step, it.Lambda) {
		e.try()
		it.Moved = true
	}
	return it
}
