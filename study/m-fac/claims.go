package mfacstudy

import (
	"fmt"
	"math"
	"strings"

	"github.com/descentml/descent/study"
)

const (
	abstract  = "abstract"
	modelCard = "authors' model cards"
	frontPage = "authors' repository, front page"
)

func (e *experiment) claims() []study.Claim {
	return append(append(costClaims(), pruningClaims()...), trainingClaims()...)
}

func costClaims() []study.Claim {
	return []study.Claim{
		{
			ID: "exact", Central: true,
			Statement: "Products with the inverse of the damped Fisher matrix need no matrix of parameters by parameters and are exact, in the static and in the dynamic algorithm.",
			Figure:    "exact", Source: abstract,
			Measure:   "Largest relative errors against a dense solution, for three sizes with Gaussian gradients in float64, and that of the log determinant that comes with them.",
			Criterion: "products within 1e-10 and the log determinant within 1e-8, for every seed",
			Judge: func(r *study.Results) study.Finding {
				return study.Finding{
					Ours: fmt.Sprintf("static %.0e, dynamic as published %.0e, dynamic by Cholesky %.0e, log determinant %.0e",
						worst(r, staticError), worst(r, paperError), worst(r, choleskyError), worst(r, logError)),
					Holds: worst(r, staticError) <= 1e-10 && worst(r, paperError) <= 1e-10 && worst(r, choleskyError) <= 1e-10 && worst(r, logError) <= 1e-8,
				}
			},
		},
		{
			ID:        "window",
			Statement: "The dynamic algorithm replaces a gradient of the window by a new one, and its state remains that of the gradients which are there.",
			Figure:    "exact", Source: abstract,
			Measure:   "Relative error of a product after 3 m replacements at random places and then the first gradients again in another order.",
			Criterion: "within 1e-10 for every seed, in both forms",
			Judge: func(r *study.Results) study.Finding {
				return study.Finding{Ours: fmt.Sprintf("%.0e", worst(r, orderError)), Holds: worst(r, orderError) <= 1e-10}
			},
		},
		{
			ID: "linear", Central: true,
			Statement: "A product costs time linear in the number of parameters.",
			Figure:    "O(dm)", Source: abstract,
			Measure:   "Least time of a static product with m = 64 gradients in float32, for each doubling of d.",
			Criterion: "every doubling of d multiplies the time by 1.6 to 2.6",
			Judge: func(r *study.Results) study.Finding {
				ours, holds := doublings(r.Curve(costCell, 0, staticCurve), 1.6, 2.6)
				return study.Finding{Ours: ours, Holds: holds}
			},
			Remark: "A time; other work on the machine disturbs it.",
		},
		{
			ID:        "precomputation",
			Statement: "The precomputation of the static algorithm costs time quadratic in the number of gradients.",
			Figure:    "O(dm^2)", Source: abstract,
			Measure:   "Least time of the precomputation for 20,000 parameters in float32, for each doubling of m.",
			Criterion: "every doubling of m multiplies the time by 3 to 5",
			Judge: func(r *study.Results) study.Finding {
				ours, holds := doublings(r.Curve(costCell, 0, precomputation), 3, 5)
				return study.Finding{Ours: ours, Holds: holds}
			},
			Remark: "A time. Gradients are worked in a page of 32 at a time, which has a part whose cost is linear in m.",
		},
		{
			ID:        "woodfisher",
			Statement: "In blocks M-FAC is WoodFisher up to rounding, and much cheaper where blocks are large.",
			Figure:    "much cheaper", Source: "unverified",
			Measure:   "Relative difference of products in blocks of 16, and the times of both for one block of 3,560 weights and 32 gradients.",
			Criterion: "difference within 1e-10 for every seed, and a tenth of the time at most",
			Judge: func(r *study.Results) study.Finding {
				fast, slow := r.Value(costCell, 0, mfacSeconds), r.Value(costCell, 0, woodSeconds)
				return study.Finding{
					Ours:  fmt.Sprintf("difference %.0e; %.3g s against %.3g s", worst(r, woodError), fast, slow),
					Holds: worst(r, woodError) <= 1e-10 && fast <= slow/10,
				}
			},
		},
	}
}

// worst is the largest of an error over the seeds; NaN if one is missing.
func worst(r *study.Results, name string) float64 {
	largest := 0.0
	for _, x := range r.Over(algebraCell, name) {
		largest = math.Max(largest, x)
	}
	return largest
}

// doublings lists by what each doubling of x multiplies y, and tells whether
// all lie between two bounds.
func doublings(c study.Curve, low, high float64) (string, bool) {
	holds := len(c.Y) > 1
	var factors []string
	for i := 1; i < len(c.Y); i++ {
		factor := c.Y[i] / c.Y[i-1]
		holds = holds && low <= factor && factor <= high
		factors = append(factors, fmt.Sprintf("%.2f (%.0f to %.0f)", factor, c.X[i-1], c.X[i]))
	}
	return strings.Join(factors, ", "), holds
}

const pruningMeasure = "Test accuracy of a 64-40-20-10 network for digits, pruned globally to 90 % in 8 rounds without training after it, by 256 gradients of single examples."

func pruningClaims() []study.Claim {
	return []study.Claim{
		{
			ID: "pruning", Central: true,
			Statement: "At high sparsity M-FAC's pruning keeps far more accuracy than pruning by magnitude.",
			Figure:    "accuracy higher at all sparsities shown", Source: "unverified",
			Measure:   pruningMeasure,
			Criterion: "for every seed, full M-FAC is at least 0.88 and at least 0.05 above magnitude",
			Judge: func(r *study.Results) study.Finding {
				return study.Finding{Ours: scores(r, fullPruning, magnitudePruning), Holds: r.EverySeed(func(seed uint64) bool {
					full := r.Value(fullPruning, seed, testAccuracy)
					return full >= 0.88 && full >= r.Value(magnitudePruning, seed, testAccuracy)+0.05
				})}
			},
		},
		{
			ID:        "blocks",
			Statement: "Larger blocks of the Fisher matrix prune better, and all of it best.",
			Figure:    "full best at high sparsity", Source: "unverified",
			Measure:   pruningMeasure,
			Criterion: "mean accuracy over seeds: full above blocks of 64 above magnitude",
			Judge: func(r *study.Results) study.Finding {
				return study.Finding{
					Ours:  scores(r, fullPruning, blockPruning, magnitudePruning),
					Holds: study.Increasing(mean(r, magnitudePruning), mean(r, blockPruning), mean(r, fullPruning)),
				}
			},
		},
		{
			ID:        "diagonal",
			Statement: "What is beside the diagonal of the Fisher matrix matters: M-FAC prunes better than its diagonal.",
			Figure:    "", Source: "unverified",
			Measure:   pruningMeasure,
			Criterion: "full M-FAC above the diagonal for every seed",
			Judge: func(r *study.Results) study.Finding {
				return study.Finding{Ours: scores(r, fullPruning, diagonalPruning), Holds: r.EverySeed(func(seed uint64) bool {
					return r.Value(fullPruning, seed, testAccuracy) > r.Value(diagonalPruning, seed, testAccuracy)
				})}
			},
		},
		{
			ID:        "recomputation",
			Statement: "Taking the gradients anew on the way to high sparsity helps.",
			Figure:    "helps", Source: "unverified",
			Measure:   pruningMeasure + " Against the same in one round.",
			Criterion: "mean accuracy over seeds: 8 rounds above one",
			Judge: func(r *study.Results) study.Finding {
				return study.Finding{Ours: scores(r, fullPruning, oncePruning), Holds: mean(r, fullPruning) > mean(r, oncePruning)}
			},
		},
		{
			ID:        "gradients",
			Statement: "Accuracy after pruning rises with the number of gradients.",
			Figure:    "rises with m", Source: "unverified",
			Measure:   pruningMeasure + " Against the same with a quarter of the gradients.",
			Criterion: "mean accuracy over seeds: 256 gradients above 64",
			Judge: func(r *study.Results) study.Finding {
				return study.Finding{Ours: scores(r, fullPruning, fewPruning), Holds: mean(r, fullPruning) > mean(r, fewPruning)}
			},
		},
		{
			ID:        "pruning-80",
			Statement: "At moderate sparsity M-FAC's pruning leaves the training loss far lower than magnitude's.",
			Figure:    "", Source: "unverified",
			Measure:   "Training loss of the same networks pruned to 80 % in 8 rounds.",
			Criterion: "for every seed at most half of magnitude's",
			Judge: func(r *study.Results) study.Finding {
				return study.Finding{
					Ours: fmt.Sprintf("%s against %s", study.Spread(r.Over(fullPruning, lossAt80)), study.Spread(r.Over(magnitudePruning, lossAt80))),
					Holds: r.EverySeed(func(seed uint64) bool {
						return r.Value(fullPruning, seed, lossAt80) <= r.Value(magnitudePruning, seed, lossAt80)/2
					}),
				}
			},
		},
		{
			ID:         "imagenet",
			Statement:  "Gradual pruning with M-FAC gives sparse models for ImageNet that are more accurate than those known.",
			Figure:     "ResNet50 72.6 % at sparsity 95 %, 67.6 % at 98 %; MobileNetV1 70.9 % at 75 %, 67.2 % at 89 %",
			Source:     frontPage,
			Untestable: "ImageNet and networks of its size are out of reach of a minute on two cores",
		},
	}
}

func mean(r *study.Results, cell string) float64 { return study.Mean(r.Over(cell, testAccuracy)) }

// scores writes the test accuracies of cells.
func scores(r *study.Results, cells ...string) string {
	var list []string
	for _, cell := range cells {
		list = append(list, fmt.Sprintf("%s %s", cell, study.Spread(r.Over(cell, testAccuracy))))
	}
	return strings.Join(list, "; ")
}

// rivals are the optimizers that M-FAC is compared with.
var rivals = []string{"SGD 0.03", "SGD 0.1", "Adam 0.003", "Adam 0.01"}

func trainingClaims() []study.Claim {
	return []study.Claim{
		{
			ID: "optimizer", Central: true,
			Statement: "As an optimizer M-FAC reaches lower losses than SGD with momentum and Adam in the same number of steps.",
			Figure:    "better than tuned rivals", Source: abstract,
			Measure:   "Training loss on digits after 10 epochs in batches of 32, window 256, damping 1e-3, rate 3e-3, without momentum; SGD with momentum 0.9 at 0.03 and 0.1, Adam at 0.003 and 0.01.",
			Criterion: "for every seed at most a third of the least mean loss of a rival",
			Judge: func(r *study.Results) study.Finding {
				rival, best := bestRival(r)
				return study.Finding{
					Ours:  fmt.Sprintf("%s against %.3g of %s", study.Spread(r.Over(tunedMFAC, trainLoss)), best, rival),
					Holds: r.EverySeed(func(seed uint64) bool { return r.Value(tunedMFAC, seed, trainLoss) <= best/3 }),
				}
			},
			Remark: "The damping decides: at the defaults of the published code (1e-5, rate 1e-3) the same training does far worse, see the table.",
		},
		{
			ID:         "language",
			Statement:  "M-FAC fine-tunes small language models to higher scores than Adam.",
			Figure:     "SQuADv2 with BERT-mini: F1 61.35 ± 0.24 against 58.13 ± 0.31; MRPC with BERT-tiny: accuracy 72.94 ± 0.37 against 69.90 ± 0.32",
			Source:     modelCard,
			Untestable: "pretrained language models and their data do not come with the program",
		},
	}
}

// bestRival is the rival with the least mean loss.
func bestRival(r *study.Results) (name string, loss float64) {
	name, loss = "none", math.NaN()
	for _, rival := range rivals {
		if mean := study.Mean(r.Over(rival, trainLoss)); !(mean >= loss) && !math.IsNaN(mean) {
			name, loss = rival, mean
		}
	}
	return name, loss
}
