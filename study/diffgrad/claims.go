package diffgrad

import (
	"fmt"
	"math"
	"strings"

	"github.com/descentml/descent/study"
)

// Where claims stand.
const (
	onFunctions = "the experiment on synthetic functions and its figures"
	ourReading  = "not in the paper: a control of this study"
)

func (e experiment) claims() []study.Claim {
	claims := append(e.functionClaims(), e.digitsClaims()...)
	claims = append(claims, e.imageClaims()...)
	return append(claims, untestable()...)
}

// functionClaims are those on the three functions.
func (e experiment) functionClaims() []study.Claim {
	return []study.Claim{
		e.overshoot(0, "Adam overshoots the global minimum of F1 and stays in the local one; diffGrad reaches the global one."),
		e.overshoot(1, "Adam overshoots the global minimum of F2 and stays in a local one; diffGrad reaches the global one."),
		{
			ID: "amplitude-f3", Statement: "Around the minimum of F3, Adam oscillates with a larger amplitude than diffGrad.",
			Source: onFunctions, Measure: "the largest and the last x of the two paths on F3",
			Criterion: "largest x(diffGrad) < largest x(Adam), and |last x| < 0.02 for both",
			Judge: func(r *study.Results) study.Finding {
				adam, own := r.Value(functionCell(e.adam()), 0, "F3"+largestX), r.Value(functionCell(e.diffGrad()), 0, "F3"+largestX)
				settled := math.Abs(r.Value(functionCell(e.adam()), 0, "F3"+finalX)) < 0.02 &&
					math.Abs(r.Value(functionCell(e.diffGrad()), 0, "F3"+finalX)) < 0.02
				return study.Finding{Ours: fmt.Sprintf("largest x: Adam %.4f, diffGrad %.4f", adam, own), Holds: own < adam && settled}
			},
			Remark: "Adam at half the rate overshoots less than either.",
		},
		{
			ID: "frequency-f3", Statement: "Around the minimum of F3, Adam oscillates with a higher frequency than diffGrad.",
			Source: onFunctions, Measure: "how often x changes its sign on F3 in 299 updates",
			Criterion: "sign changes(Adam) > sign changes(diffGrad)",
			Judge: func(r *study.Results) study.Finding {
				adam, own := r.Value(functionCell(e.adam()), 0, "F3"+crossings), r.Value(functionCell(e.diffGrad()), 0, "F3"+crossings)
				half := r.Value(functionCell(e.control()), 0, "F3"+crossings)
				return study.Finding{Ours: fmt.Sprintf("sign changes: Adam %g, diffGrad %g; Adam at half the rate %g", adam, own, half), Holds: adam > own}
			},
			Remark: "Half the rate does not explain this one: Adam at half the rate changes sign as often as Adam.",
		},
		{
			ID: "friction-not-half-rate", Statement: "What saves diffGrad on F1 and F2 is its friction, and not that its steps are shorter than Adam's.",
			Source: ourReading, Measure: "the last x on F1 and F2 of Adam at half the learning rate",
			Criterion: "on F1 and F2, diffGrad ends within 1e-3 of the global minimum and Adam at half the rate does not",
			Judge: func(r *study.Results) study.Finding {
				holds := true
				var ours []string
				for _, f := range Functions()[:2] {
					half := r.Value(functionCell(e.control()), 0, f.Name+finalX)
					holds = holds && e.reaches(r, e.diffGrad(), f) && math.Abs(half-f.Minimum) > 1e-3
					ours = append(ours, fmt.Sprintf("%s: x = %.6f", f.Name, half))
				}
				return study.Finding{Ours: "Adam at half the rate: " + strings.Join(ours, ", "), Holds: holds}
			},
			Remark: "Adam at half the rate reaches both global minima, as diffGrad does: on these functions half the learning rate has the whole effect.",
		},
		e.sensitivity(),
	}
}

// reaches reports whether a method ends within 1e-3 of a function's global
// minimum.
func (e experiment) reaches(r *study.Results, c contestant, f Function) bool {
	return math.Abs(r.Value(functionCell(c), 0, f.Name+finalX)-f.Minimum) < 1e-3
}

// overshoot is the claim on F1 or F2. Adam's local minimum is the first one
// behind the global one.
func (e experiment) overshoot(function int, statement string) study.Claim {
	f := Functions()[function]
	local := f.LocalMinima[0]
	return study.Claim{
		ID: "overshoot-" + strings.ToLower(f.Name), Central: true, Statement: statement,
		Figure: "in pictures: Adam at the local minimum, diffGrad at the global one", Source: onFunctions,
		Measure:   "x after 300 iterations from -1 at the learning rate 0.1, b1 = 0.95, with exact derivatives",
		Criterion: fmt.Sprintf("|x(Adam) - %g| < 1e-3 and |x(diffGrad) - (%.6g)| < 1e-3", local, f.Minimum),
		Judge: func(r *study.Results) study.Finding {
			adam, own := r.Value(functionCell(e.adam()), 0, f.Name+finalX), r.Value(functionCell(e.diffGrad()), 0, f.Name+finalX)
			return study.Finding{
				Ours:  fmt.Sprintf("x: Adam %.6f, diffGrad %.6f", adam, own),
				Holds: math.Abs(adam-local) < 1e-3 && e.reaches(r, e.diffGrad(), f),
			}
		},
		Remark: "Adam at half the rate reaches the global minimum too: see friction-not-half-rate.",
	}
}

func (e experiment) sensitivity() study.Claim {
	return study.Claim{
		ID: "other-starts", Statement: "diffGrad's advantage on F1 does not hang on one start and one setting.",
		Source:    "unverified: an extension of the paper's protocol",
		Measure:   "from how many of 11 starts in [-1, -0.5] the global minimum of F1 is found, at the learning rates 0.05, 0.1 and 0.2 with b1 = 0.9 and 0.95",
		Criterion: "count(diffGrad) >= count(Adam) in each of the six settings",
		Judge: func(r *study.Results) study.Finding {
			holds := true
			totals := map[string]float64{}
			for _, s := range settings() {
				for _, c := range e.pair() {
					totals[c.title] += r.Value(sensitivityCell, 0, s.found(c))
				}
				holds = holds && r.Value(sensitivityCell, 0, s.found(e.diffGrad())) >= r.Value(sensitivityCell, 0, s.found(e.adam()))
			}
			return study.Finding{
				Ours: fmt.Sprintf("of 66: Adam %g, diffGrad %g, Adam at half the rate %g",
					totals[e.adam().title], totals[e.diffGrad().title], totals[e.control().title]),
				Holds: holds,
			}
		},
	}
}

// untestable are the claims that cannot be tested here.
func untestable() []study.Claim {
	return []study.Claim{
		{
			ID: "cifar10", Statement: "With ResNet-50 on CIFAR-10, diffGrad is more accurate than six other optimizers.",
			Figure: "93.9, 94.05 and 94.08 % at batch sizes 32, 64 and 128; next best 93.78, 93.81 and 93.72 %", Source: "Table of CIFAR-10 results",
			Untestable: "100 epochs of ResNet-50 take GPU days, and the set is not part of this program; the claim best-on-images measures the same on a small residual network",
			Remark:     "By the authors' own account, the code behind the published tables kept a reference to the gradient in place of a copy. Its friction was 1/2 from the second step on: it was Adam at half the learning rate.",
		},
		{
			ID: "cifar100", Statement: "With ResNet-50 on CIFAR-100, diffGrad is more accurate than six other optimizers.",
			Figure: "75.4, 75.27 and 75.05 % at batch sizes 32, 64 and 128; next best 73.46, 74.09 and 74.12 %", Source: "Table of CIFAR-100 results",
			Untestable: "100 epochs of ResNet-50 take GPU days, and the set is not part of this program",
			Remark:     "Made with the same code as the CIFAR-10 table: Adam at half the learning rate, first step aside.",
		},
		{
			ID: "regret", Statement: "On convex losses diffGrad's average regret vanishes as 1/sqrt(T).",
			Source:     "Theorem 1",
			Untestable: "a run that keeps within an upper bound does not show the bound; the proof sums 1/xi as if it telescoped, but xi moves both ways",
		},
	}
}
