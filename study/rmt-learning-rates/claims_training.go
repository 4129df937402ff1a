package rmtlearningrates

import (
	"fmt"
	"strings"

	learning "github.com/descentml/descent/method/randommatrix"
	"github.com/descentml/descent/study"
)

// gridMeasure says what the claims on largest stable rates measure.
const gridMeasure = "the largest rate of the grid with a mean test error below 0.05 over seeds; 1,000 digits, 64-64-64-10 ReLU, 20 epochs, the paper's schedule"

// stableRates writes the largest stable rates over the batch sizes.
func stableRates(r *study.Results, m method) string {
	var rates []float64
	for _, batch := range trainingBatches {
		rates = append(rates, largestStable(r, m, batch))
	}
	return list(rates) + " at batches of 16, 64, 256"
}

func sgdLinear() study.Claim {
	return study.Claim{
		ID: "sgd-linear", Central: true,
		Statement: "The largest stable learning rate of SGD with momentum grows about linearly with the batch size.",
		Figure:    "0.01 B/128 (VGG-16), 0.1 B/128 with batch normalisation: flat performance up to B = 512", Source: "Figures 12 to 16",
		Measure:   gridMeasure + ", rates 0.02, 0.05, 0.1, 0.2, 0.4, momentum 0.9",
		Criterion: "the exponent of the largest stable rate in the batch size, between 16 and 64, is at least 0.7",
		Judge: func(r *study.Results) study.Finding {
			at := exponent(r, sgd)
			return study.Finding{Ours: fmt.Sprintf("exponent %.2f; %s", at, stableRates(r, sgd)), Holds: at >= 0.7}
		},
		Remark: "The grid's rates are a factor of 2 apart, so the exponent over a factor of 4 in the batch size comes in steps of 1/2. " +
			"By the curvature of batches of a smaller network (see the table there) the linear rule would end near an effective batch of c/lam_1, about 3 examples: " +
			"on digits, noise in the curvature is not what limits the rate of SGD at these batch sizes. " +
			"At 16 the rate 0.2 fails for every seed and 0.1 for none, at 64 this is so of 0.4 and 0.2. Initial weights drawn evenly from +-1/sqrt(fan-in) instead of He's give the same exponent.",
	}
}

func adamSlower() study.Claim {
	return study.Claim{
		ID: "adam-below-linear", Central: true,
		Statement: "The largest stable learning rate of Adam grows no faster than with the root of the batch size: the linear rule does not hold.",
		Figure:    "0.0004 sqrt(B/128) holds down to B = 16, the linear rule diverges at B = 256", Source: "Figure 20",
		Measure:   gridMeasure + ", rates 0.01, 0.02, 0.04, 0.08, 0.16",
		Criterion: "the exponent of the largest stable rate in the batch size, between 16 and 256, is at most 0.6",
		Judge: func(r *study.Results) study.Finding {
			at := exponent(r, adam)
			return study.Finding{Ours: fmt.Sprintf("exponent %.2f; %s", at, stableRates(r, adam)), Holds: at <= 0.6}
		},
	}
}

func adamSquareRoot() study.Claim {
	return study.Claim{
		ID:        "adam-square-root",
		Statement: "The largest stable learning rate of Adam grows with the square root of the batch size.",
		Figure:    "exponent 1/2", Source: "Section 11, Figure 20",
		Measure:   "the same rates as adam-below-linear",
		Criterion: "the exponent between 16 and 256 is in [0.3, 0.7]",
		Judge: func(r *study.Results) study.Finding {
			at := exponent(r, adam)
			return study.Finding{Ours: fmt.Sprintf("exponent %.2f", at), Holds: at >= 0.3 && at <= 0.7}
		},
		Remark: "The grid's rates are a factor of 2 apart, which is 1/4 in the exponent over this range. Larger batches take fewer steps in 20 epochs, and Adam's step has about the length of its rate whatever the gradient's noise.",
	}
}

// learnerClaims are those on rates that are read from the spectrum.
func learnerClaims() []study.Claim {
	return []study.Claim{
		{
			ID:        "learner-without-a-grid",
			Statement: "Learning rate and momentum read from Lanczos steps on a batch train as well as the best of a grid.",
			Figure:    "ends with a better test error than tuned SGD with averaging (PreResNet-110, CIFAR-100)", Source: "Figures 17 and 18",
			Measure: "mean test error of the Nesterov variant, estimated every epoch from 20 Lanczos steps on 64 digits, the ends of the last 5 of 20 epochs averaged; " +
				"beside the best mean of the SGD grid of sgd-linear at B = 64",
			Criterion: "at most 1.5 times the best mean of the grid",
			Judge:     learnerJudge("Nesterov"),
		},
		{
			ID:        "polyak-learner",
			Statement: "The Polyak variant of the learner trains as well.",
			Figure:    "trains fastest, with a rate that falls strongly", Source: "Figures 17 and 18",
			Measure:   "the same with the Polyak variant",
			Criterion: "at most 1.5 times the best mean of the grid",
			Judge:     learnerJudge("Polyak"),
			Remark: "The rate comes from curvature at the beginning of an epoch, and at the start curvature is far smaller than some steps later. " +
				"A safety factor of 0.25 rescues it, and Nesterov's variant with the textbook's rate 1/L, which fails without one too: see the table.",
		},
		{
			ID:        "learner-formulas",
			Statement: "The learner's formulas give the rates and momenta of the authors' code.",
			Figure:    "0.131292 and 0.767890 (Nesterov), 0.0169403 and 0.589655 (Polyak)", Source: "a training log of the authors' code",
			Measure:   "both pairs from the 20 Ritz values of the log, without guards",
			Criterion: "all four within a relative 1e-5",
			Judge: func(r *study.Results) study.Finding {
				want := map[learning.Variant][2]float64{learning.Nesterov: {0.131292, 0.767890}, learning.Polyak: {0.0169403, 0.589655}}
				holds := true
				var ours []string
				for _, variant := range []learning.Variant{learning.Nesterov, learning.Polyak} {
					rate, momentum := r.Value(cellFormulas, 0, formulaName(variant, curveRate)), r.Value(cellFormulas, 0, formulaName(variant, curveMomentum))
					holds = holds && near(rate, want[variant][0], 1e-5) && near(momentum, want[variant][1], 1e-5)
					ours = append(ours, fmt.Sprintf("%.6g and %.6g", rate, momentum))
				}
				return study.Finding{Ours: strings.Join(ours, ", "), Holds: holds}
			},
		},
		{
			ID:        "polyak-rate-squared",
			Statement: "The rate of the Polyak variant is the square of what Equation 26 prints.",
			Figure:    "the code squares it, the paper does not", Source: "Equation 26 and the authors' code",
			Measure:   "|x| after 200 heavy-ball steps from ones on a quadratic with 50 eigenvalues from 1 to 100, with either rate",
			Criterion: "at most 1e-12 with the squared rate, above 1 with the printed one",
			Judge: func(r *study.Results) study.Finding {
				squared, printed := r.Value(cellFormulas, 0, polyakEnd), r.Value(cellFormulas, 0, printedEnd)
				return study.Finding{Ours: fmt.Sprintf("%.2g and %.2g", squared, printed), Holds: squared <= 1e-12 && printed > 1}
			},
		},
	}
}

func learnerJudge(name string) func(*study.Results) study.Finding {
	return func(r *study.Results) study.Finding {
		ours, grid := r.Over(learnerCell(name), testError), best(r, sgd, learnerBatch)
		return study.Finding{
			Ours:  fmt.Sprintf("%s (%s), grid %.3f", study.Spread(ours), list(ours), grid),
			Holds: study.Mean(ours) <= 1.5*grid,
		}
	}
}

func untestable() []study.Claim {
	return []study.Claim{
		{
			ID: "vgg-linear-rule", Statement: "VGG-16 and WideResNet-28x10 keep their test error under the linear rule up to B = 512 and lose some at 1024 and 2048.",
			Figure: "B = 1024, validation accuracy: linear 64.35 %, square root 61.08 %, B = 128: 65.82 %", Source: "Figures 11 to 16",
			Untestable: "CIFAR-100 is not part of this program and 300 epochs of VGG-16 take days on two cores; sgd-linear measures the rule on digits",
		},
		{
			ID: "resnet-learner", Statement: "The Nesterov learner beats tuned SGD with averaging on PreResNet-110.",
			Figure: "in pictures", Source: "Figures 17 and 18",
			Untestable: "CIFAR-100 is not part of this program; learner-without-a-grid measures the learner on digits",
		},
		{
			ID: "damping-rates", Statement: "With damping 1 the largest stable rates are 0.01 for SGD, 0.12 for Adam and 0.32 for K-FAC.",
			Figure: "0.01, 0.12, 0.32", Source: "Section 11.1",
			Untestable: "the figures are those of VGG-16 on CIFAR-100, which is not part of this program",
		},
	}
}
