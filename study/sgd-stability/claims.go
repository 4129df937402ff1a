package sgdstability

import (
	"fmt"
	"math"
	"strings"

	"github.com/descentml/descent/study"
)

func claims() []study.Claim {
	return append(append(diagonalClaims(), reluClaims()...), theoryClaims()...)
}

// tolerated is by how much a measured trace may exceed its limit.
const tolerated = 1.02

// onEverySeed judges by a rule that has to hold for each seed.
func onEverySeed(r *study.Results, ours string, rule func(seed uint64) bool) study.Finding {
	return study.Finding{Ours: ours, Holds: r.EverySeed(rule)}
}

// means writes the mean of a value over seeds for each cell.
func means(r *study.Results, value string, cells []string) string {
	var list []string
	for _, cell := range cells {
		list = append(list, fmt.Sprintf("%.3g", study.Mean(r.Over(cell, value))))
	}
	return strings.Join(list, ", ")
}

func cellsOf(name func(string, float64) string, method string, rates []float64) []string {
	var list []string
	for _, rate := range rates {
		list = append(list, name(method, rate))
	}
	return list
}

// values are those of one seed.
func values(r *study.Results, seed uint64, value string, cells []string) []float64 {
	var list []float64
	for _, cell := range cells {
		list = append(list, r.Value(cell, seed, value))
	}
	return list
}

// tracesBelow reports whether every trace is at most 2 / rate.
func tracesBelow(traces, rates []float64) bool {
	for i, rate := range rates {
		if !(traces[i] <= 2/rate*tolerated) {
			return false
		}
	}
	return true
}

// within reports whether values differ by less than a share of the smallest.
func within(share float64, values []float64) bool {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		low, high = min(low, v), max(high, v)
	}
	return high-low < share*low // not for NaN, which min and max pass on
}

func diagonalClaims() []study.Claim {
	sgdCells, gdCells := cellsOf(diagonalCell, sgd, diagonalRates), cellsOf(diagonalCell, gd, diagonalGDRates)
	return []study.Claim{
		{
			ID: "sgd-bounds-the-trace", Central: true,
			Statement: "SGD at the learning rate e, one example a step, ends at solutions where the trace of the Hessian is at most 2/e.",
			Figure:    "Tr(H) <= 2/e", Source: "abstract",
			Measure:   "Trace of the Gram matrix of the gradients after SGD on a diagonal linear network of 1,000 features and 300 examples, at six learning rates from 0.004 to 0.126.",
			Criterion: "trace <= 1.02 * 2/e at every learning rate and for every seed",
			Judge: func(r *study.Results) study.Finding {
				return onEverySeed(r, "traces "+means(r, trace, sgdCells)+" against 500, 253, 127, 63.3, 31.7, 15.9", func(seed uint64) bool {
					return tracesBelow(values(r, seed, trace, sgdCells), diagonalRates)
				})
			},
			Remark: "At 0.004 the training loss is not yet zero in the quick preset, and at the two smallest rates gradients are clipped for longer than the first tenth of the steps; see the table for each run.",
		},
		{
			ID: "larger-rates-generalise", Central: true,
			Statement: "The larger the learning rate of SGD, the better the solution generalises.",
			Figure:    "the test error of the diagonal network falls with the learning rate", Source: "unverified",
			Measure:   "Mean square error of the same networks on 1,000 new examples, without noise.",
			Criterion: "test error at 0.0631 <= that at 0.0079 / 100, for every seed",
			Judge: func(r *study.Results) study.Finding {
				return onEverySeed(r, "test errors "+means(r, testError, sgdCells), func(seed uint64) bool {
					return r.Value(diagonalCell(sgd, 0.0631), seed, testError) <= r.Value(diagonalCell(sgd, 0.0079), seed, testError)/100
				})
			},
		},
		{
			ID: "gd-ignores-the-rate", Central: true,
			Statement: "Gradient descent on the same network finds solutions whose trace and test error do not depend on the learning rate: its stability asks too little.",
			Figure:    "all measures stay constant", Source: "unverified",
			Measure:   "The same after 1,000 steps of gradient descent at 0.004, 0.032 and 0.126.",
			Criterion: "largest and smallest differ by less than 5 %, for the trace and for the test error, for every seed",
			Judge: func(r *study.Results) study.Finding {
				return onEverySeed(r, "traces "+means(r, trace, gdCells)+", test errors "+means(r, testError, gdCells), func(seed uint64) bool {
					return within(0.05, values(r, seed, trace, gdCells)) && within(0.05, values(r, seed, testError, gdCells))
				})
			},
		},
		{
			ID:        "escape",
			Statement: "SGD leaves an interpolating solution whose trace is too large for its learning rate, and settles where the trace is small enough; at a small learning rate it stays.",
			Source:    "derived from the abstract's statement",
			Measure:   "A solution of gradient descent, moved by normal noise of deviation 0.001, then 40,000 steps of SGD at 0.03, and at 0.002 as a control.",
			Criterion: "at 0.03 the loss rises by more than 1,000, then falls below 1e-8 with a trace <= 2/0.03; at 0.002 it never exceeds 1.2 times its start; for every seed",
			Judge: func(r *study.Results) study.Finding {
				ours := fmt.Sprintf("rises by %s, trace %s to %s, control %s", study.Spread(r.Over(escapeCell, peakRatio)),
					study.Spread(r.Over(escapeCell, startTrace)), study.Spread(r.Over(escapeCell, trace)), study.Spread(r.Over(escapeCell, control+peakRatio)))
				return onEverySeed(r, ours, func(seed uint64) bool {
					v := func(name string) float64 { return r.Value(escapeCell, seed, name) }
					return v(peakRatio) > 1e3 && v(trainLoss) < 1e-8 && v(trace) <= 2/escapeRate && v(control+peakRatio) <= 1.2
				})
			},
		},
		{
			ID:        "sgd-balances",
			Statement: "SGD balances the two layers of the diagonal network from any start; gradient descent does not.",
			Figure:    "r(theta) goes to 1 for SGD", Source: "unverified",
			Measure:   "r = sum (a^2 + b^2) / (2 sum |a b|) after 30,000 steps of SGD and 2,000 of gradient descent at 0.05, from starts with r = 4 and 8.",
			Criterion: "at the end r <= 0.5 r0 for SGD and r >= 0.9 r0 for gradient descent, for every seed",
			Judge: func(r *study.Results) study.Finding {
				sgdCells, gdCells := cellsOf(balanceCell, sgd, balances), cellsOf(balanceCell, gd, balances)
				return onEverySeed(r, "SGD "+means(r, balanceName, sgdCells)+"; gradient descent "+means(r, balanceName, gdCells), func(seed uint64) bool {
					for _, r0 := range balances {
						if !(r.Value(balanceCell(sgd, r0), seed, balanceName) <= 0.5*r0 && r.Value(balanceCell(gd, r0), seed, balanceName) >= 0.9*r0) {
							return false
						}
					}
					return true
				})
			},
			Remark: "From r = 8 gradient descent itself can start above its own limit at this rate, 2/0.05, and not have settled after 2,000 steps; see the training losses.",
		},
	}
}

func reluClaims() []study.Claim {
	sgdCells, gdCells := cellsOf(reluCell, sgd, reluRates), cellsOf(reluCell, gd, reluGDRates)
	return []study.Claim{
		{
			ID: "relu-trace", Central: true,
			Statement: "On two-layer ReLU networks, too, SGD ends at solutions with a trace of at most 2/e.",
			Figure:    "near but below 2/e", Source: "unverified",
			Measure:   "60 neurons fitted to 3 on 120 examples in 20 dimensions: SGD at four learning rates, and gradient descent at two.",
			Criterion: "training loss < 1e-8 for SGD and gradient descent, and trace <= 1.02 * 2/e for SGD, for every learning rate and seed",
			Judge: func(r *study.Results) study.Finding {
				return onEverySeed(r, "traces "+means(r, trace, sgdCells)+" against 500, 250, 167, 125", func(seed uint64) bool {
					for _, loss := range append(values(r, seed, trainLoss, sgdCells), values(r, seed, trainLoss, gdCells)...) {
						if !(loss < 1e-8) {
							return false
						}
					}
					return tracesBelow(values(r, seed, trace, sgdCells), reluRates)
				})
			},
		},
		{
			ID:        "relu-path-norm",
			Statement: "The path norm and the test error of the ReLU networks fall with the learning rate of SGD.",
			Figure:    "path norm falls, test error improves", Source: "unverified",
			Measure:   "The same networks of SGD; the test error is relative to the mean square of the target.",
			Criterion: "path norm and test error decrease from each learning rate to the next, for every seed",
			Judge: func(r *study.Results) study.Finding {
				return onEverySeed(r, "path norms "+means(r, norm, sgdCells)+"; test errors "+means(r, testError, sgdCells), func(seed uint64) bool {
					return decreasing(values(r, seed, norm, sgdCells)) && decreasing(values(r, seed, testError, sgdCells))
				})
			},
		},
		{
			ID:        "relu-sgd-generalises",
			Statement: "SGD at its best learning rate generalises far better than gradient descent, although both interpolate.",
			Source:    "unverified",
			Measure:   "Smallest test error of the same networks over learning rates.",
			Criterion: "that of SGD <= 0.1 times that of gradient descent, for every seed",
			Judge: func(r *study.Results) study.Finding {
				return onEverySeed(r, "SGD "+means(r, testError, sgdCells)+"; gradient descent "+means(r, testError, gdCells), func(seed uint64) bool {
					return smallest(values(r, seed, testError, sgdCells)) <= 0.1*smallest(values(r, seed, testError, gdCells))
				})
			},
		},
	}
}

// smallest is the minimum, NaN if any value is.
func smallest(values []float64) float64 {
	least := math.Inf(1)
	for _, v := range values {
		least = min(least, v)
	}
	return least
}

func decreasing(values []float64) bool {
	for i := 1; i < len(values); i++ {
		if !(values[i] < values[i-1]) {
			return false
		}
	}
	return true
}
