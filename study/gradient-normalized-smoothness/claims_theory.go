package gns

import (
	"fmt"
	"math"

	"github.com/descentml/descent/study"
)

// theoryClaims are what is proved of the method, as far as runs can contradict it.
func theoryClaims() []study.Claim {
	return []study.Claim{
		{
			ID: "accepted-steps", Statement: "Every accepted step is at most gamma long, and f falls by at least |g+|^2/(8 lambda).",
			Source: "Lemma 1 and Algorithm 3", Measure: "how many accepted steps contradict it, in all runs of the method on all problems",
			Criterion: "none does, beyond the rounding of f",
			Judge: func(r *study.Results) study.Finding {
				worst, runs := worstOf(r, violations)
				return study.Finding{Ours: fmt.Sprintf("at most %g steps of a run, in %d runs", worst, runs), Holds: worst == 0}
			},
		},
		{
			ID: "solves", Statement: "The search costs about two linear systems for each step.",
			Source: "complexity of Algorithm 3", Measure: "systems tried less 2K + 5 + max(0, log2(gamma_0/min gamma)) for K iterations, in all runs of the method",
			Criterion: "at most 0",
			Judge: func(r *study.Results) study.Finding {
				worst, runs := worstOf(r, excess)
				return study.Finding{Ours: fmt.Sprintf("at most %.1f, in %d runs", worst, runs), Holds: worst <= 0}
			},
		},
		{
			ID: "fixed-step", Statement: "With the step size of theory the method needs no search: gamma = mu/2 for log-sum-exp, 1/max |a| for logistic regression, and sqrt(2|g|/L) for a Lipschitz Hessian.",
			Source: "lower bounds on gamma, constants derived here", Measure: "steps that contradict Lemma 1, and iterations to 1e-8; on |x|^3/3 in 5 variables those to |g| <= 1, 1e-2, 1e-4",
			Criterion: "no step does, the first two reach 1e-8 within 1000 iterations, and the third stays within the bound of theory",
			Judge:     judgeFixed,
		},
		{
			ID: "error-identities", Statement: "The weighted Gauss-Newton matrix is off the Hessian by |g|^2/mu exactly, and Fisher's matrix of a logistic regression by at most f max |a|^2.",
			Source: "conditions on the error; derived here", Measure: "the operator norm of the difference at 100 random points: its relative distance from the first figure, and its share of the second, on breast cancer",
			Criterion: "at most 1e-10, and at most 1",
			Judge: func(r *study.Results) study.Finding {
				first, second := largest(r, "Gauss-Newton error"), largest(r, "Fisher error")
				return study.Finding{Ours: fmt.Sprintf("at most %.2g and %.3g", first, second), Holds: first <= 1e-10 && second <= 1}
			},
		},
		{
			ID: "limits", Statement: "H = 0 gives normalised gradient descent, a quadratic takes one step at a large gamma, and rank one is solved as the matrix would be.",
			Source: "definition of the method", Measure: "the largest difference of a coordinate after one step, the iterations, and the relative difference of the two solutions",
			Criterion: "at most 1e-12, 1, and at most 1e-8",
			Judge: func(r *study.Results) study.Finding {
				zero, steps, outer := largest(r, "normalised gradient"), largest(r, "quadratic"+iterations), largest(r, "rank one")
				return study.Finding{Ours: fmt.Sprintf("%.2g, %g and %.2g", zero, steps, outer), Holds: zero <= 1e-12 && steps == 1 && outer <= 1e-8}
			},
		},
		{
			ID: "scale", Statement: "Multiplying f and H by a number changes nothing.",
			Source: "Definition 1", Measure: "by how much x moves after 8 steps on log-sum-exp of 200 rows in 50 variables times 1e-3 and 1e3",
			Criterion: "at most 1e-9",
			Judge: func(r *study.Results) study.Finding {
				worst := largest(r, "scale")
				return study.Finding{Ours: fmt.Sprintf("%.2g", worst), Holds: worst <= 1e-9}
			},
			Remark: "In exact arithmetic it moves by nothing. With as many rows as variables the metric A'A is so ill-conditioned that rounding alone moves it by 5e-9.",
		},
		{
			ID: "rates", Statement: "For convex functions of each class of smoothness the inexact method has the rate of the exact one as long as f - f* is above the order of the constant part of the error.",
			Source: "convergence theorems", Untestable: "a run that keeps within an upper bound does not show the bound; fixed-step and linear-on-separable measure two cases",
		},
	}
}

// largest is a value of the theory's cells over all seeds.
func largest(r *study.Results, name string) float64 {
	worst := math.Inf(-1)
	for _, value := range r.Over(theory, name) {
		worst = max(worst, value)
	}
	return worst
}

func judgeFixed(r *study.Results) study.Finding {
	holds, wrong := true, 0.0
	check := func(cell string, seed uint64, name string) {
		wrong += r.Value(cell, seed, name+violations)
		holds = holds && r.Value(cell, seed, name+reached) == 1
	}
	var counts []float64
	for _, shape := range shapes {
		name := fmt.Sprintf("%d by %d", shape[0], shape[1])
		for _, seed := range r.Setup.Seeds {
			check(fixed, seed, name)
			counts = append(counts, r.Value(fixed, seed, name+iterations))
		}
	}
	check(cancer, 0, "rule")
	ours := fmt.Sprintf("log-sum-exp %s iterations, breast cancer %g", study.Spread(counts), r.Value(cancer, 0, "rule"+iterations))
	for _, goal := range gradients {
		name := fmt.Sprintf("cubed to %g", goal)
		count := r.Value(cancer, 0, name+iterations)
		wrong += r.Value(cancer, 0, name+violations)
		holds = holds && count <= r.Value(cancer, 0, name+" bound")
		ours += fmt.Sprintf(", |x|^3/3 to %g: %g", goal, count)
	}
	return study.Finding{Ours: fmt.Sprintf("%s; %g steps contradict", ours, wrong), Holds: holds && wrong == 0}
}

// pictureClaims are what the paper's curves show.
func pictureClaims() []study.Claim {
	return []study.Claim{
		{
			ID: "gamma-above-older", Statement: "The step sizes that the search finds lie above those of the older adaptive rules.",
			Source: "the figure of step sizes on log-sum-exp", Measure: "the median over iterations of gamma/gamma(older rule) with the exact Hessian on log-sum-exp, for 1/M and for |g|/M",
			Criterion: "above 1 for both rules and each seed",
			Judge: func(r *study.Results) study.Finding {
				holds := true
				var ratios [2][]float64
				for i, rule := range []string{superM, superG} {
					for _, seed := range r.Setup.Seeds {
						ratios[i] = append(ratios[i], gammaRatio(r, seed, rule))
						holds = holds && ratios[i][len(ratios[i])-1] > 1
					}
				}
				return study.Finding{Ours: fmt.Sprintf("%s and %s", study.Spread(ratios[0]), study.Spread(ratios[1])), Holds: holds}
			},
			Remark: "The rule 1/M is the same step size with another test and the search factor 2: -<g+, h> >= |g+|^2/(4 lambda), of which the left side is the slope behind the step and not the decrease.",
		},
		{
			ID: "newton-under-100", Statement: "On Rosenbrock's residuals and the Chebyshev chain, Newton steps reach a gap of 1e-9 within about 100 iterations, and the gradient method does not.",
			Source: experiments, Measure: "iterations to 1e-9 for p = 5 and n = 2, and for p = 4 and n = 100 from the first start of each seed",
			Criterion: "exact and inexact < 100, gradient method > 100, each time",
			Judge: func(r *study.Results) study.Finding {
				holds, slowest, fastest := true, 0.0, math.Inf(1)
				add := func(cell string, seed uint64, wrap func(string) string) {
					for _, name := range []string{exact, inexact} {
						count := r.Value(cell, seed, wrap(name)+under)
						slowest, holds = max(slowest, count), holds && count < 100
					}
					count := r.Value(cell, seed, wrap(gradient)+under)
					fastest, holds = min(fastest, count), holds && count > 100
				}
				add(rosenbrock, 0, func(name string) string { return atPower(name, 5) })
				for _, seed := range r.Setup.Seeds {
					add(chebyshev, seed, func(name string) string { return atStart(name, 0) })
				}
				return study.Finding{Ours: fmt.Sprintf("Newton steps at most %g, gradient method at least %g", slowest, fastest), Holds: holds}
			},
			Remark: "A start of the chain that ends on a plateau would break it: see chebyshev.",
		},
		{
			ID: "exact-indefinite", Statement: "On functions that are not convex the exact Hessian is less stable than its positive semidefinite part.",
			Source: experiments, Measure: "factorisations that fail as the regularised matrix is not positive definite, on Rosenbrock's residuals for p = 5 and on the Chebyshev chain",
			Criterion: "more than 0 with the exact Hessian, 0 with the inexact one",
			Judge: func(r *study.Results) study.Finding {
				full, own := r.Value(rosenbrock, 0, atPower(exact, 5)+failed), r.Value(rosenbrock, 0, atPower(inexact, 5)+failed)
				for _, seed := range r.Setup.Seeds {
					full += r.Value(chebyshev, seed, atStart(exact, 0)+failed)
					own += r.Value(chebyshev, seed, atStart(inexact, 0)+failed)
				}
				return study.Finding{Ours: fmt.Sprintf("exact %g, inexact %g", full, own), Holds: full > 0 && own == 0}
			},
			Remark: "It costs trials and no accuracy: a failure halves gamma, and the iterations stay within a few of the inexact ones.",
		},
		{
			ID: "mushrooms", Statement: "On logistic and softmax regression with Fisher's matrix the method is ahead of first-order methods.",
			Source: "the experiments on LIBSVM's mushrooms", Untestable: "the set is not part of this program; breast cancer and separable points stand in for it in the figures, on which Fisher's matrix is not ahead",
		},
	}
}

func gammaRatio(r *study.Results, seed uint64, rule string) float64 {
	own, other := r.Curve(logSumExp, seed, exact+" gamma"), r.Curve(logSumExp, seed, rule+" gamma")
	var ratios []float64
	for i := range min(len(own.Y), len(other.Y)) {
		ratios = append(ratios, own.Y[i]/other.Y[i])
	}
	return study.Median(ratios)
}
