package hessianspectrum

import (
	"fmt"
	"math"
	"strings"

	"github.com/descentml/descent/analysis/spectrum"
	"github.com/descentml/descent/study"
)

func claims() []study.Claim {
	return append([]study.Claim{outliersAreClasses(), sameBasin(), tanhHidesClasses(), widthFeedsTheBulk(), negativeTail(), largeBatchIsSharper(), spikeSeparates()}, untestable()...)
}

func outliersAreClasses() study.Claim {
	return study.Claim{
		ID: "outliers-are-classes", Central: true,
		Statement: "A network trained on k clusters has about as many large eigenvalues as there are clusters.",
		Figure:    "gradient descent, ReLU, ratio rule: 4, 7, 12 and 21 for k = 2, 5, 10 and 20; by hand 2, 5, 10 and 21", Source: "Table 1",
		Measure:   "the i from 2 to 2k with the largest ratio of eigenvalue i to the next, by 80 Lanczos steps, of a 100-30-30-k ReLU network after 300 steps of gradient descent (400 for k = 20)",
		Criterion: "|count - k| <= 1 for every k and every seed",
		Judge: func(r *study.Results) study.Finding {
			holds := true
			var ours []string
			for _, k := range sizeOf(r.Setup.Preset).classes {
				counts := r.Over(clusterCell(relu, k), ratioCount)
				for _, count := range counts {
					holds = holds && math.Abs(count-float64(k)) <= 1
				}
				ours = append(ours, fmt.Sprintf("k = %d: %s", k, list(counts)))
			}
			return study.Finding{Ours: strings.Join(ours, "; "), Holds: holds}
		},
		Remark: "The softmax takes away one direction once the clusters are fitted, which turns k into k - 1, and there the spectrum does have its step. For k = 10 the outliers are spread over a factor of 4, " +
			"so that in two of the five seeds from 1000 on a step inside of them has a larger ratio (eigenvalues 8 and 9 against 9 and 10) and the rule says 8. The eigenvalues are settled there, and 50, 100 or 150 steps of descent " +
			"in place of 300 do not mend it for all five. The paper does not say how means, rate and steps were chosen: they are this study's.",
	}
}

// list writes numbers with commas.
func list(values []float64) string {
	var words []string
	for _, value := range values {
		words = append(words, fmt.Sprintf("%.4g", value))
	}
	return strings.Join(words, ", ")
}

func sameBasin() study.Claim {
	return study.Claim{
		ID: "same-basin", Central: true,
		Statement: "Solutions of large and of small batches lie in one basin: there is no barrier on the straight line between them.",
		Figure:    "no barrier; the test accuracy rises by about 1 %", Source: "Figures 7 and 8 (AlexNet on CIFAR-10, batches of 1000 and 32)",
		Measure:   "the train loss on 41 points from the end of a training with batches of 500 to where batches of 16 lead from there, at the same rate and for as many steps; 64-50-50-10 on 1,000 digits",
		Criterion: "for every seed the barrier is at most 1e-3, and that to a solution from other initial weights is above 0.1",
		Judge: func(r *study.Results) study.Finding {
			own, control := r.Over(cellBasin, barrier), r.Over(cellBasin, controlBarrier)
			holds := true
			for i := range own {
				holds = holds && own[i] <= 1e-3 && control[i] > 0.1
			}
			return study.Finding{
				Ours: fmt.Sprintf("barriers %s; to other solutions %s; test accuracy %.4f, then %.4f",
					list(own), list(control), study.Mean(r.Over(cellBasin, largeAccuracy)), study.Mean(r.Over(cellBasin, smallAccuracy))),
				Holds: holds,
			}
		},
		Remark: "The barrier to an independent solution is one of the straight line alone: its hidden units stand in another order, and a curve leads around it (see the figures).",
	}
}

func tanhHidesClasses() study.Claim {
	return study.Claim{
		ID:        "tanh-hides-classes",
		Statement: "With tanh in place of ReLU the rules mostly do not find the number of clusters.",
		Figure:    "gradient descent, tanh, gap and ratio rule: 2 and 17 for k = 5, 2 and 4 for k = 10, 3 and 4 for k = 20", Source: "Table 1",
		Measure:   "the counts of outliers-are-classes with tanh, for k of 5 and more",
		Criterion: "|count - k| > 1 in more than half of the runs",
		Judge: func(r *study.Results) study.Finding {
			wrong, all := 0, 0
			var ours []string
			for _, k := range sizeOf(r.Setup.Preset).classes {
				if k < 5 {
					continue
				}
				counts := r.Over(clusterCell(tanh, k), ratioCount)
				for _, count := range counts {
					all++
					if math.Abs(count-float64(k)) > 1 {
						wrong++
					}
				}
				ours = append(ours, fmt.Sprintf("k = %d: %s", k, list(counts)))
			}
			return study.Finding{Ours: strings.Join(ours, "; "), Holds: 2*wrong > all && !strings.Contains(strings.Join(ours, ""), "NaN")}
		},
		Remark: "The paper's ratio rule searches all eigenvalues and ours those from 2 to 2k, which keeps it from jumping to the numerical zeros.",
	}
}

func widthFeedsTheBulk() study.Claim {
	return study.Claim{
		ID:        "width-feeds-the-bulk",
		Statement: "A wider network has the same large eigenvalues and more near zero.",
		Figure:    "the right edges of four widths lie on each other", Source: "Figure 3 (MNIST)",
		Measure:   "the mean of the ten largest eigenvalues, and the share of all with |lambda| below a thousandth of the largest, for 10, 20 and 40 ReLU units on 400 digits after 1500 steps of gradient descent; means over seeds",
		Criterion: "the means of the ten largest of the two widest networks differ by at most 15 %, and the share near zero grows with the width",
		Judge: func(r *study.Results) study.Finding {
			widths := sizeOf(r.Setup.Preset).widths
			var tops, shares []float64
			for _, units := range widths {
				tops = append(tops, study.Mean(r.Over(widthCell(units), topTen)))
				shares = append(shares, study.Mean(r.Over(widthCell(units), zeroMass)))
			}
			a, b := tops[len(tops)-2], tops[len(tops)-1]
			return study.Finding{
				Ours:  fmt.Sprintf("ten largest %s; near zero %s, for %v units", list(tops), list(shares), widths),
				Holds: math.Abs(a-b) <= 0.15*max(a, b) && study.Increasing(shares...),
			}
		},
	}
}

func negativeTail() study.Claim {
	return study.Claim{
		ID:        "negative-tail",
		Statement: "After training there still are negative eigenvalues, orders of magnitude smaller than the largest.",
		Figure:    "-1e-5 against 1e-1", Source: "Figures 5 and 6 (MNIST)",
		Measure:   "the smallest and the largest eigenvalue of the networks of width-feeds-the-bulk",
		Criterion: "the smallest is below 0 and at least -0.02 times the largest, for every width and seed",
		Judge: func(r *study.Results) study.Finding {
			holds := true
			var ours []string
			for _, units := range sizeOf(r.Setup.Preset).widths {
				low, high := r.Over(widthCell(units), smallest), r.Over(widthCell(units), largest)
				for i := range low {
					holds = holds && low[i] < 0 && -low[i] <= 0.02*high[i]
				}
				ours = append(ours, fmt.Sprintf("%d units: %.2g to %.3g", units, study.Mean(low), study.Mean(high)))
			}
			return study.Finding{Ours: strings.Join(ours, "; "), Holds: holds}
		},
	}
}

func largeBatchIsSharper() study.Claim {
	return study.Claim{
		ID:        "large-batch-is-sharper",
		Statement: "After as many steps at the same rate, training with large batches has larger outliers than with small ones.",
		Figure:    "in pictures", Source: "Figure 4 (MNIST, batches of 512 and 10)",
		Measure:   "the largest eigenvalue after 2000 steps with batches of 500 and of 10 from the same weights; 64-32-10 on 1,000 digits",
		Criterion: "the large batch has the larger one in at least 80 % of the seeds, and the mean train losses are within a factor of 2",
		Judge: func(r *study.Results) study.Finding {
			large, small := r.Over(cellBatch, largeSharpness), r.Over(cellBatch, smallSharpness)
			sharper := 0
			for i := range large {
				if large[i] > small[i] {
					sharper++
				}
			}
			a, b := study.Mean(r.Over(cellBatch, largeLoss)), study.Mean(r.Over(cellBatch, smallLoss))
			return study.Finding{
				Ours:  fmt.Sprintf("batches of 500: %s, of 10: %s; train losses %.3g and %.3g", list(large), list(small), a, b),
				Holds: 5*sharper >= 4*len(large) && max(a, b) <= 2*min(a, b),
			}
		},
		Remark: "Curvature of cross entropy shrinks with the loss: the comparison is between losses that are alike.",
	}
}

func spikeSeparates() study.Claim {
	return study.Claim{
		ID:        "spike-separates",
		Statement: "A direction of large variance leaves the bulk of a sample covariance exactly if it exceeds 1 + sqrt(alpha).",
		Figure:    "ell (1 + alpha/(ell - 1)) above the threshold, (1 + sqrt(alpha))² below", Source: "Appendix B (Baik, Ben Arous and Péché)",
		Measure:   "the mean largest eigenvalue of five sample covariances of 200 points in 400 dimensions with one variance of 2, 4 and 8 and others of 1",
		Criterion: "within 5 % of 5.83, 6.67 and 10.29 (mean over seeds)",
		Judge: func(r *study.Results) study.Finding {
			holds := true
			var ours []string
			for _, ell := range spikeSizes {
				predicted, _ := spectrum.Spike(ell, float64(spikeColumns)/spikeRows)
				mean := study.Mean(r.Over(cellSpike, spikeName(ell)))
				holds = holds && math.Abs(mean-predicted) <= 0.05*predicted
				ours = append(ours, fmt.Sprintf("%.2f for %.2f", mean, predicted))
			}
			return study.Finding{Ours: strings.Join(ours, ", "), Holds: holds}
		},
	}
}

func untestable() []study.Claim {
	return []study.Claim{
		{
			ID: "alexnet", Statement: "The line from large-batch to small-batch AlexNet on CIFAR-10 has no barrier.",
			Figure: "no barrier", Source: "Figures 7 and 8",
			Untestable: "the set is not part of this program and 50,000 steps of AlexNet take hours; same-basin measures the same on digits",
		},
		{
			ID: "mnist-widths", Statement: "On 1,000 MNIST examples the 120 largest eigenvalues are the same for 10 to 70 hidden units.",
			Figure: "four curves on each other", Source: "Figure 3",
			Untestable: "MNIST is not part of this program; width-feeds-the-bulk measures the same on digits of 8x8 pixels",
		},
		{
			ID: "negative-share", Statement: "The share of negative eigenvalues does not change with the width.",
			Figure: "1 to 2 %", Source: "Figures 5 and 6, as far as their axes show",
			Untestable: "eigenvalues of 1e-5 are told from zero by no quadrature, and the paper gives no threshold; the table of widths shows the share below a thousandth of the largest",
		},
	}
}
