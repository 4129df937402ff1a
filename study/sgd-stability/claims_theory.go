package sgdstability

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"

	"github.com/descentml/descent/study"
)

// theoryClaims are those that hold exactly.
func theoryClaims() []study.Claim {
	value := func(r *study.Results, cell string, rule func(v func(string) float64) bool) func(uint64) bool {
		return func(seed uint64) bool {
			return rule(func(name string) float64 { return r.Value(cell, seed, name) })
		}
	}
	return []study.Claim{
		{
			ID:        "conditions-are-necessary",
			Statement: "Linear stability implies that the trace, its sharper form and the largest eigenvalue are bounded, and larger batches are stable at larger learning rates.",
			Figure:    "Tr(H) <= 2B/e and the largest eigenvalue <= 2/e", Source: "abstract, for B = 1",
			Measure:   "The exact threshold of 20 random designs a seed (40 examples, 6 parameters) for batches of 1, 2, 8 and 40 against every condition, and against that of the next smaller batch.",
			Criterion: "no condition is violated",
			Judge: func(r *study.Results) study.Finding {
				ours := fmt.Sprintf("%.0f of %.0f violated", floats.Sum(r.Over(thresholdCell, violated)), floats.Sum(r.Over(thresholdCell, compared)))
				return onEverySeed(r, ours, value(r, thresholdCell, func(v func(string) float64) bool {
					return v(compared) > 0 && v(violated) == 0
				}))
			},
		},
		{
			ID:        "trace-is-not-the-threshold",
			Statement: "The condition on the trace is exact where all gradients have the same norm, and can be far from it otherwise.",
			Source:    "derived in the specification",
			Measure:   "The threshold of 200 gradients of norm 1.7 in 6 dimensions against 2/trace, and that of four orthogonal gradients of norms 1, 2, 3 and 0.5.",
			Criterion: "|threshold - 2/trace| <= 1e-8 for the first; 2/9 against 0.5614 to four digits for the second",
			Judge: func(r *study.Results) study.Finding {
				first := r.Setup.Seeds[0]
				ours := fmt.Sprintf("differences %s; %.5f against %.5f", study.Spread(r.Over(thresholdCell, constantNorm)), r.Value(thresholdCell, first, orthogonal), r.Value(thresholdCell, first, orthogonal2))
				return onEverySeed(r, ours, value(r, thresholdCell, func(v func(string) float64) bool {
					return v(constantNorm) <= 1e-8 && math.Abs(v(orthogonal)-2.0/9) <= 1e-8 && math.Abs(v(orthogonal2)-0.5614) <= 5e-5
				}))
			},
		},
		{
			ID:        "second-moment",
			Statement: "The mean square of the distance to the minimum shrinks below the exact threshold and grows above it.",
			Figure:    "0.965, 0.982, 1.021, 1.074 on one design of the specification", Source: "derived in the specification",
			Measure:   "Average factor a step over 5,000 steps of the moment recursion at 0.90, 0.97, 1.03 and 1.10 of the threshold; its symmetry, and what it makes of a positive semidefinite matrix.",
			Criterion: "< 1 at 0.97 and > 1 at 1.03; self-adjoint to 1e-12, no eigenvalue below -1e-12; for every seed",
			Judge: func(r *study.Results) study.Finding {
				growth := r.Curve(thresholdCell, r.Setup.Seeds[0], growthCurve)
				ours := "not measured"
				if len(growth.Y) == len(growthAt) {
					ours = fmt.Sprintf("%.3f, %.3f, %.3f, %.3f", growth.Y[0], growth.Y[1], growth.Y[2], growth.Y[3])
				}
				return onEverySeed(r, ours, func(seed uint64) bool {
					y := r.Curve(thresholdCell, seed, growthCurve).Y
					return len(y) == len(growthAt) && y[1] < 1 && y[2] > 1 &&
						r.Value(thresholdCell, seed, asymmetry) <= 1e-12 && r.Value(thresholdCell, seed, negative) >= -1e-12
				})
			},
		},
		{
			ID:        "trace-is-a-path-norm",
			Statement: "The trace of a two-layer ReLU network is, on average over inputs, at least sqrt(d) times its path norm, with equality for balanced layers.",
			Figure:    "sqrt(d) times the path norm", Source: "abstract, for the equivalence",
			Measure:   "Trace on 400,000 normal inputs of 20 dimensions, 7 neurons, against 1/2 sum (|w|^2 + d a^2), and that against the path norm before and after balancing.",
			Criterion: "within 1 %; ratio to the bound >= 1 before and 1 to 1e-10 after; for every seed",
			Judge: func(r *study.Results) study.Finding {
				seed := r.Setup.Seeds[0]
				ours := fmt.Sprintf("%.2f against %.2f; ratios %.3f and %.3f", r.Value(identityCell, seed, reluSampled), r.Value(identityCell, seed, reluExpected), r.Value(identityCell, seed, reluBound), r.Value(identityCell, seed, reluEquality))
				return onEverySeed(r, ours, value(r, identityCell, func(v func(string) float64) bool {
					return math.Abs(v(reluSampled)/v(reluExpected)-1) <= 0.01 && v(reluBound) >= 1 && math.Abs(v(reluEquality)-1) <= 1e-10
				}))
			},
		},
		{
			ID:        "trace-is-a-1-norm",
			Statement: "The trace of a diagonal linear network is at least twice the weighted 1-norm of its coefficients: stability of SGD is a constraint like that of the LASSO.",
			Figure:    "an l1 constraint", Source: "abstract, for the equivalence",
			Measure:   "Trace of the gradients on normal inputs against sum m (a^2 + b^2) and 2 sum m |a b|, and the balance of starts that ask for 1, 2, 4, 8 and 16.",
			Criterion: "equal to 1e-10, ratio to the bound >= 1, balances met to 1e-10; for every seed",
			Judge: func(r *study.Results) study.Finding {
				ours := fmt.Sprintf("differences %s; ratio %s; balances off by %s", study.Spread(r.Over(identityCell, diagonalTrace)), study.Spread(r.Over(identityCell, diagonalBound)), study.Spread(r.Over(identityCell, balanceStart)))
				return onEverySeed(r, ours, value(r, identityCell, func(v func(string) float64) bool {
					return v(diagonalTrace) <= 1e-10 && v(diagonalBound) >= 1 && v(balanceStart) <= 1e-10
				}))
			},
		},
		{
			ID:         "images",
			Statement:  "On images with unbalanced classes, SGD at larger learning rates finds flatter solutions that generalise better.",
			Source:     "unverified",
			Untestable: "The paper's experiments on images were not to be had, neither their set-up nor their figures.",
		},
	}
}
