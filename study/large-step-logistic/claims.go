package largesteplogistic

import (
	"fmt"
	"math"
	"strings"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/study"
)

func claims() []study.Claim {
	return append(append(exactClaims(), theoremClaims()...), append(dataClaims(), fashionClaims()...)...)
}

// tableCounts are the integers of the paper's table 1 for its worst case.
var tableCounts = []struct {
	label string
	count float64
}{{normalizedLabel(100), 2}, {normalizedLabel(10), 2}, {normalizedLabel(1), 16}, {normalizedLabel(0.1), 157}, {plainLabel(100), 308}}

// growthCounts are the iterations of the batch perceptron, 0.3 n + 1.
var growthCounts = []float64{4, 16, 31, 61, 151, 301, 601}

func exactClaims() []study.Claim {
	return []study.Claim{
		{
			ID: "table-1", Central: true,
			Statement: "On the worst-case data normalised gradient descent separates 1,000 examples in 2 iterations at huge learning rates, where plain gradient descent needs 308.",
			Figure:    "2 / 2 / 16 / 157 at the rates 100 / 10 / 1 / 0.1, against 308", Source: "Table 1",
			Measure:   "Iterations to separation on the data of theorem 5.1 with n = 1,000, from zero, counted as in the paper.",
			Criterion: "the same five integers",
			Judge: func(r *study.Results) study.Finding {
				var ours []string
				holds := true
				for _, c := range tableCounts {
					got := r.Value(worstCell, 0, c.label+iterations)
					ours = append(ours, countText(got))
					holds = holds && got == c.count
				}
				return study.Finding{Ours: strings.Join(ours[:4], " / ") + ", against " + ours[4], Holds: holds}
			},
		},
		{
			ID: "linear-in-n", Central: true,
			Statement: "The number of iterations of the batch perceptron can grow linearly with the number of examples, while that of the normalised one does not depend on it.",
			Figure:    "at least a constant times n, for margin and radius that stay", Source: "Theorems 5.1 and 5.3",
			Measure:   "Iterations of both perceptrons on the worst-case data for n = 10, 50, 100, 200, 500, 1000, 2000.",
			Criterion: "the batch perceptron takes 4, 16, 31, 61, 151, 301, 601 iterations, that is 0.3 n + 1, and the normalised one 2 for every n",
			Judge: func(r *study.Results) study.Finding {
				batch, normalized := r.Curve(growthCell, 0, batchLabel).Y, r.Curve(growthCell, 0, normalizedBatchLabel).Y
				holds := len(batch) == len(growthCounts) && len(normalized) == len(growthCounts)
				var ours []string
				for i := range batch {
					ours = append(ours, countText(batch[i]))
					holds = holds && batch[i] == growthCounts[i] && normalized[i] == 2
				}
				return study.Finding{Ours: strings.Join(ours, ", ") + "; normalised " + distinct(normalized), Holds: holds}
			},
		},
		{
			ID:        "loss-explodes",
			Statement: "There is data on which the loss after one step grows without limit with the learning rate, and the second step separates.",
			Figure:    "the loss after a step goes to infinity and the second to 0 with the rate", Source: "Theorem 4.1",
			Measure:   "The signed rows (1, -1) and (1, 4) at the rates 1, 10, 100 and 1000.",
			Criterion: "separation at t = 2 at every rate; losses at t = 1 of 0.4278, 1.2894, 12.5, 125.0 to all digits; theta_1/rate = (0.5, 0.75) exactly; theta_2/100 within 1e-8 of (1, 0.25)",
			Judge: func(r *study.Results) study.Finding {
				value := func(rate float64, what string) float64 { return r.Value(twoPointsCell, 0, plainLabel(rate)+what) }
				var ours []string
				holds := value(100, " distance 2") <= 1e-8
				for i, want := range []float64{0.4278, 1.2894, 12.5, 125} {
					rate := twoPointsRates[i]
					loss := value(rate, " loss 1")
					ours = append(ours, fmt.Sprintf("%.4g", loss))
					tolerance := map[bool]float64{true: 5e-5, false: 5e-2}[want < 10]
					holds = holds && math.Abs(loss-want) <= tolerance && value(rate, iterations) == 2 && value(rate, " distance 1") == 0
				}
				return study.Finding{Ours: "losses " + strings.Join(ours, ", ") + ", then separated", Holds: holds}
			},
		},
	}
}

// theoremClaims are those that are measured on random data, and the bounds.
func theoremClaims() []study.Claim {
	reduces := func(id, statement, source string, label func(float64) string, central bool) study.Claim {
		criterion := "for every seed: at the rates 1e6 and 1e8 at most 1e-12 at every step and the same last step"
		if central {
			criterion += "; at the rate 100 more than 1e-3"
		}
		return study.Claim{
			ID: id, Central: central, Statement: statement, Figure: "the limit of theta_t divided by the rate is the perceptron's iterate for every t", Source: source,
			Measure:   "The largest difference of any iterate divided by the rate from the perceptron's, on 200 normally distributed examples in 20 dimensions with a gap of 0.05.",
			Criterion: criterion,
			Judge: func(r *study.Results) study.Finding {
				worst := 0.0
				holds := r.EverySeed(func(seed uint64) bool {
					value := func(rate float64, what string) float64 { return r.Value(pathsCell, seed, label(rate)+what) }
					good := !central || value(100, pathDistance) > 1e-3
					for _, rate := range []float64{1e6, 1e8} {
						worst = max(worst, value(rate, pathDistance))
						good = good && value(rate, pathDistance) <= 1e-12 && value(rate, pathOtherStop) == 0
					}
					return good
				})
				return study.Finding{Ours: fmt.Sprintf("at most %.2g at 1e6 and 1e8; %s at 100", worst, study.Spread(r.Over(pathsCell, label(100)+pathDistance))), Holds: holds}
			},
		}
	}
	return []study.Claim{
		reduces("becomes-perceptron", "As the learning rate grows, gradient descent on the logistic loss from zero becomes the batch perceptron.", "Theorem 3.2", plainLabel, true),
		reduces("normalised-limit", "As the learning rate grows, normalised gradient descent becomes the normalised batch perceptron.", "Section 6", normalizedLabel, false),
		{
			ID:        "bounds",
			Statement: "The numbers of iterations stay below the paper's bounds, which for all but the batch perceptron do not contain the number of examples.",
			Figure:    "n R²/μ²; R²/μ²; R²/μ² + 2 log(2n-1)/(γ μ²)", Source: "Theorems 3.3, 5.2, 5.3 and 6.1",
			Measure:   "All runs of perceptrons and of the normalised method on every set but Fashion-MNIST, with the margin bounded from above to 1e-6 by dual coordinate descent.",
			Criterion: "no run is above its bound",
			Judge:     judgeBounds,
		},
		{
			ID:        "step-length",
			Statement: "A step of the normalised method is never longer than the learning rate times the largest norm of an example.",
			Figure:    "a convex combination of the signed rows", Source: "Section 6",
			Measure:   "The longest step at the rates 0.1, 1, 10 and 100 on the same random data, relative to that.",
			Criterion: "at most 1 (to 1e-9) for every seed",
			Judge: func(r *study.Results) study.Finding {
				longest := r.Over(pathsCell, "longest step")
				return study.Finding{Ours: "at most " + study.Spread(longest), Holds: r.EverySeed(func(seed uint64) bool {
					return r.Value(pathsCell, seed, "longest step") <= 1+1e-9
				})}
			},
		},
		{
			ID:        "invariances",
			Statement: "Scaling the examples does not change what perceptrons do, and having every example twice changes nothing but the single perceptron.",
			Source:    "follows from the definitions of the methods",
			Measure:   "Iterations before and after, of the perceptrons with examples scaled by 7.25, and of both batch perceptrons and both gradient methods with every example twice.",
			Criterion: "no number changes, for every seed",
			Remark: "In exact arithmetic this is an identity. Where a count changes, it is that of the normalised method at a large rate, whose iterates are chaotic: " +
				"the examples twice are summed in another order, the last bit of a step differs, and the difference grows by orders of magnitude until the paths part (see the figure). " +
				"The batch perceptron and plain gradient descent are not affected.",
			Judge: func(r *study.Results) study.Finding {
				changed, compared := 0.0, 0.0
				holds := r.EverySeed(func(seed uint64) bool {
					compared += r.Value(pathsCell, seed, "runs compared")
					of := r.Value(pathsCell, seed, "runs compared")
					broken := valueOr0(r, pathsCell, seed, "runs changed")
					changed += broken
					return of > 0 && broken == 0
				})
				return study.Finding{Ours: fmt.Sprintf("%.0f of %.0f runs change", changed, compared), Holds: holds}
			},
		},
	}
}

// valueOr0 is a count that a cell leaves out where it is 0.
func valueOr0(r *study.Results, cell string, seed uint64, name string) float64 {
	if x := r.Value(cell, seed, name); !math.IsNaN(x) {
		return x
	}
	return 0
}

func judgeBounds(r *study.Results) study.Finding {
	compared, broken, complete := 0.0, 0.0, true
	look := func(cell string, seed uint64) {
		of := r.Value(cell, seed, boundsCompared)
		complete = complete && of > 0
		compared += of
		broken += valueOr0(r, cell, seed, boundsBroken)
	}
	look(worstCell, 0)
	for _, p := range pairs {
		look(p.cell, 0)
	}
	for _, seed := range r.Setup.Seeds {
		look(pathsCell, seed)
		for _, share := range shares {
			look(imbalanceCell(share), seed)
		}
	}
	return study.Finding{Ours: fmt.Sprintf("%.0f of %.0f runs are above", broken, compared), Holds: complete && broken == 0}
}

func dataClaims() []study.Claim {
	digits := pairs[0].cell
	return []study.Claim{
		{
			ID: "loss-misleads", Central: true,
			Statement: "The learning rates that separate first are those with the highest losses on the way, and at the largest ones gradient descent is the batch perceptron.",
			Figure:    "on CIFAR-10 accuracy 1.0 comes first at the rates 1, 10 and 100, whose losses are the highest", Source: "Figures of section 2 (CIFAR-10, Fashion-MNIST, EuroSAT, MNIST)",
			Measure:   "Iterations and largest loss of gradient descent on digits 3 and 8 of the 8x8 digits, 357 examples.",
			Criterion: "iterations(10) < iterations(1)/2 < iterations(0.1)/10, the largest loss rises strictly over the rates 1, 10, 100, 1e4, and iterations(1e4) are within 3 of the batch perceptron's",
			Judge: func(r *study.Results) study.Finding {
				value := func(rate float64, what string) float64 { return r.Value(digits, 0, plainLabel(rate)+what) }
				holds := value(10, iterations) < value(1, iterations)/2 && value(1, iterations)/2 < value(0.1, iterations)/10 &&
					study.Increasing(value(1, maxLoss), value(10, maxLoss), value(100, maxLoss), value(1e4, maxLoss)) &&
					math.Abs(value(1e4, iterations)-r.Value(digits, 0, batchLabel+iterations)) <= 3
				var counts, losses []string
				for _, rate := range pairPlain {
					counts, losses = append(counts, countText(value(rate, iterations))), append(losses, fmt.Sprintf("%.3g", value(rate, maxLoss)))
				}
				return study.Finding{Ours: fmt.Sprintf("iterations %s, largest losses %s at 0.1, 1, 10, 100, 1e4; batch perceptron %s",
					strings.Join(counts, ", "), strings.Join(losses, ", "), countText(r.Value(digits, 0, batchLabel+iterations))), Holds: holds}
			},
			Remark: "The criterion's iterations(1)/2 < iterations(0.1)/10 is nearly an equality by nature: below the edge of stability the number of iterations is inversely proportional to the rate, so iterations(0.1)/10 is about iterations(1).",
		},
		{
			ID:        "small-steps",
			Statement: "At the step of the classical theory the loss never rises and separation is slow; at a huge one the loss rises and separation is fast.",
			Figure:    "smooth and slow at small rates", Source: "Section 2",
			Measure:   "Gradient descent on digits 3 and 8 at 1/L and at 100, where L is the largest curvature of the loss.",
			Criterion: "1/L: 898 iterations without an increase of the loss; 100: 69 iterations with 5 increases",
			Judge: func(r *study.Results) study.Finding {
				value := func(name string) float64 { return r.Value(smallStepsCell, 0, name) }
				return study.Finding{
					Ours: fmt.Sprintf("L = %.3f: %s iterations with %.0f increases, and %s with %.0f", value("curvature"), countText(value("classical"+iterations)), value("classical"+increases),
						countText(value(plainLabel(100)+iterations)), value(plainLabel(100)+increases)),
					Holds: value("classical"+iterations) == 898 && value("classical"+increases) == 0 && value(plainLabel(100)+iterations) == 69 && value(plainLabel(100)+increases) == 5,
				}
			},
		},
		{
			ID:        "wins-imbalanced",
			Statement: "Where one class is rare, normalisation makes gradient descent much faster.",
			Figure:    "311 to 504 iterations against 538 on imbalanced Fashion-MNIST", Source: "Table 1 and figure 7",
			Measure:   "Median iterations over 10 draws of 500 examples in 20 dimensions of which 2 % are positive.",
			Criterion: "at the rates 0.1 and 1 gradient descent needs more than 5 times the iterations, for every seed",
			Judge: func(r *study.Results) study.Finding {
				return judgeRates(r, imbalanceCell(0.02), []float64{0.1, 1}, func(plain, normalized float64) bool { return plain > 5*normalized })
			},
		},
		{
			ID:        "loses-balanced",
			Statement: "Where both classes are equally frequent, normalisation makes gradient descent at large rates slower.",
			Figure:    "3160 to 3359 iterations against 2778 and 2928 on balanced Fashion-MNIST", Source: "Table 1 and figure 6",
			Measure:   "The same with equally frequent classes.",
			Criterion: "at the rates 10 and 100 gradient descent needs fewer iterations, for every seed",
			Judge: func(r *study.Results) study.Finding {
				return judgeRates(r, imbalanceCell(0.5), []float64{10, 100}, func(plain, normalized float64) bool { return plain < normalized })
			},
		},
	}
}

// judgeRates compares the plain with the normalised method at some rates, for
// every seed.
func judgeRates(r *study.Results, cell string, rates []float64, rule func(plain, normalized float64) bool) study.Finding {
	var ours []string
	for _, rate := range rates {
		ours = append(ours, fmt.Sprintf("%s against %s at %g", study.Spread(r.Over(cell, plainLabel(rate)+iterations)), study.Spread(r.Over(cell, normalizedLabel(rate)+iterations)), rate))
	}
	return study.Finding{Ours: "gradient descent " + strings.Join(ours, ", "), Holds: r.EverySeed(func(seed uint64) bool {
		for _, rate := range rates {
			if !rule(r.Value(cell, seed, plainLabel(rate)+iterations), r.Value(cell, seed, normalizedLabel(rate)+iterations)) {
				return false
			}
		}
		return true
	})}
}

// fashionClaims are those that need Fashion-MNIST, and those that need what is
// not to be had here.
func fashionClaims() []study.Claim {
	list := []study.Claim{
		{
			ID:        "fashion-imbalanced",
			Statement: "On imbalanced Fashion-MNIST the normalised method separates before gradient descent at its best rate.",
			Figure:    "311 / 349 / 353 at the rates 100 / 10 / 1 against 538", Source: "Table 1",
			Measure:   "Iterations on pairs of classes of which 5 % of the examples are of the first; 1,000 examples of one pair in the quick preset, 5,000 of two pairs in the full one.",
			Criterion: "on every pair normalised at 1, 10 and 100 is below gradient descent at 100",
			Judge: func(r *study.Results) study.Finding {
				return judgeFashion(r, fashionShare, func(value func(label string) float64) bool {
					return max(value(normalizedLabel(1)), value(normalizedLabel(10)), value(normalizedLabel(100))) < value(plainLabel(100))
				})
			},
			Remark: "The main text of the paper names neither the classes nor the share of the rare one, so the sets differ from its own.",
		},
		{
			ID:        "fashion-balanced",
			Statement: "On balanced Fashion-MNIST the normalised method is slower than gradient descent at its best rate.",
			Figure:    "3160 / 3359 / 3351 at the rates 100 / 10 / 1 against 2778 at 10 and 2928 at 100", Source: "Table 1",
			Measure:   "The same with as many examples of both classes.",
			Criterion: "on every pair gradient descent at the better of 10 and 100 is below normalised at the best of 1, 10 and 100",
			Judge: func(r *study.Results) study.Finding {
				return judgeFashion(r, 0.5, func(value func(label string) float64) bool {
					return min(value(plainLabel(10)), value(plainLabel(100))) < min(value(normalizedLabel(1)), value(normalizedLabel(10)), value(normalizedLabel(100)))
				})
			},
			Remark: "The main text of the paper does not name the classes, so the sets differ from its own.",
		},
		{
			ID:         "other-images",
			Statement:  "The same is seen on CIFAR-10 and EuroSAT, where the normalised batch perceptron wins on two of three imbalanced sets.",
			Figure:     "two of three",
			Source:     "Figures 6 and 7",
			Untestable: "CIFAR-10 and EuroSAT are not among the data that comes with the program, and the paper's choice of classes and shares is in an appendix that was not at hand",
		},
	}
	if !data.Installed(fashionSet) {
		for i := range list[:2] {
			list[i].Judge, list[i].Untestable = nil, "Fashion-MNIST is not installed: Debian's package dataset-fashion-mnist has it"
		}
	}
	return list
}

// judgeFashion applies a rule to every pair that the preset has.
func judgeFashion(r *study.Results, share float64, rule func(value func(label string) float64) bool) study.Finding {
	count, _ := fashionSize(r.Setup.Preset)
	holds := count > 0
	var ours []string
	for _, p := range fashionPairs[:count] {
		value := func(label string) float64 { return r.Value(fashionRun(p, share, label), 0, label+iterations) }
		holds = holds && rule(value)
		ours = append(ours, fmt.Sprintf("%s v %s: normalised %s / %s / %s, gradient descent %s / %s", p.positive, p.negative,
			countText(value(normalizedLabel(100))), countText(value(normalizedLabel(10))), countText(value(normalizedLabel(1))), countText(value(plainLabel(10))), countText(value(plainLabel(100)))))
	}
	return study.Finding{Ours: strings.Join(ours, "; "), Holds: holds}
}

// countText writes a number of iterations.
func countText(x float64) string {
	switch {
	case math.IsNaN(x):
		return "not measured"
	case math.IsInf(x, 1):
		return fmt.Sprintf("over %d", iterationLimit)
	}
	return fmt.Sprintf("%g", x)
}

// distinct lists the values that differ.
func distinct(values []float64) string {
	var list []string
	seen := map[float64]bool{}
	for _, x := range values {
		if !seen[x] {
			seen[x] = true
			list = append(list, countText(x))
		}
	}
	return strings.Join(list, ", ")
}
