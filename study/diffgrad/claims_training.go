package diffgrad

import (
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/gonum/stat"

	"github.com/descentml/descent/study"
)

// digitsClaims are those on the small network.
func (e experiment) digitsClaims() []study.Claim {
	adam, own, half := digitsCell(e.adam()), digitsCell(e.diffGrad()), digitsCell(e.control())
	protocol := "a network of 64-64-10 on 1,400 digits of 8x8 pixels, 20 epochs in batches of 32 (fewer in the smoke preset)"
	return []study.Claim{
		{
			ID: "equal-rate", Statement: "At the same learning rate, diffGrad trains to a better accuracy than Adam.",
			Source: "Tables of CIFAR results, at another scale", Measure: "the test accuracy of " + protocol,
			Criterion: "mean accuracy(diffGrad) > mean accuracy(Adam)",
			Judge: func(r *study.Results) study.Finding {
				ours := fmt.Sprintf("Adam %s, diffGrad %s, Adam at half the rate %s",
					study.Spread(r.Over(adam, accuracy)), study.Spread(r.Over(own, accuracy)), study.Spread(r.Over(half, accuracy)))
				return study.Finding{Ours: ours, Holds: study.Mean(r.Over(own, accuracy)) > study.Mean(r.Over(adam, accuracy))}
			},
			Remark: "Where gradients are small, diffGrad is Adam at half the rate: see half-rate-on-digits. Which of the two rates is better is a property of the task.",
		},
		{
			ID: "half-rate-on-digits", Statement: "On a small network the friction stays near one half, so that diffGrad is Adam at half the learning rate.",
			Source: ourReading, Measure: "the final train loss of " + protocol + ", and the mean of xi over all weights and steps",
			Criterion: "|mean loss(diffGrad) - mean loss(Adam at half the rate)| <= 0.01 and mean xi < 0.52",
			Judge: func(r *study.Results) study.Finding {
				ours, control := study.Mean(r.Over(own, trainLoss)), study.Mean(r.Over(half, trainLoss))
				xi := study.Mean(r.Over(probedCell(e.diffGrad(), 1), meanXi))
				return study.Finding{
					Ours:  fmt.Sprintf("loss: diffGrad %.4f, Adam at half the rate %.4f, Adam %.4f; mean xi %.4f", ours, control, study.Mean(r.Over(adam, trainLoss)), xi),
					Holds: math.Abs(ours-control) <= 0.01 && xi < 0.52,
				}
			},
		},
		e.lossScale(),
		e.tuned(),
	}
}

// lossScale separates diffGrad from Adam at half the rate: it sees the scale of
// the loss, which Adam does not.
func (e experiment) lossScale() study.Claim {
	change := func(r *study.Results, c contestant) (before, after float64) {
		return study.Mean(r.Over(digitsCell(c), trainLoss)), study.Mean(r.Over(probedCell(c, lossFactor), trainLoss))
	}
	return study.Claim{
		ID: "loss-scale", Statement: "The friction works on the absolute change of the gradient, so that multiplying the loss by 1000 turns diffGrad into Adam, and leaves Adam alone.",
		Source: ourReading, Measure: "the final train loss on digits, without the factor, when the loss is multiplied by 1000 in training",
		Criterion: "|loss(diffGrad, x1000) - loss(Adam, x1000)| <= 0.02, and the losses of Adam and of Adam at half the rate change by less than 0.005 (means over seeds)",
		Judge: func(r *study.Results) study.Finding {
			adamBefore, adamAfter := change(r, e.adam())
			halfBefore, halfAfter := change(r, e.control())
			before, after := change(r, e.diffGrad())
			return study.Finding{
				Ours: fmt.Sprintf("diffGrad %.4f to %.4f, Adam %.4f to %.4f, at half the rate %.4f to %.4f; mean xi %.3f",
					before, after, adamBefore, adamAfter, halfBefore, halfAfter, study.Mean(r.Over(probedCell(e.diffGrad(), lossFactor), meanXi))),
				Holds: math.Abs(after-adamAfter) <= 0.02 && math.Abs(adamAfter-adamBefore) < 0.005 && math.Abs(halfAfter-halfBefore) < 0.005,
			}
		},
	}
}

// tuned compares the best of three learning rates for each method.
func (e experiment) tuned() study.Claim {
	return study.Claim{
		ID: "tuned-rates", Statement: "With the best of three learning rates each, Adam and diffGrad are equally accurate.",
		Source: ourReading, Measure: "the best test accuracy on digits at the learning rates 0.001, 0.003 and 0.01, and at half of them",
		Criterion: "the largest difference of the three best mean accuracies is at most 0.01",
		Judge: func(r *study.Results) study.Finding {
			lowest, highest := math.Inf(1), math.Inf(-1)
			var ours []string
			for _, c := range e.pair() {
				_, best := e.bestRate(r, c)
				lowest, highest = min(lowest, best), max(highest, best)
				ours = append(ours, fmt.Sprintf("%s %.4f", c.title, best))
			}
			return study.Finding{Ours: strings.Join(ours, ", "), Holds: highest-lowest <= 0.01}
		},
		Remark: "The best rate is chosen by the test accuracy, for all three alike.",
	}
}

// bestRate is the learning rate at which a method is the most accurate on
// digits, with that accuracy; NaN if one is missing.
func (e experiment) bestRate(r *study.Results, c contestant) (rate, best float64) {
	best = math.Inf(-1)
	for _, tuned := range tunedRates {
		if c.control {
			tuned /= 2
		}
		mean := study.Mean(r.Over(digitsCell(c.at(tuned)), accuracy))
		if math.IsNaN(mean) {
			return tuned, mean
		}
		if mean > best {
			rate, best = tuned, mean
		}
	}
	return rate, best
}

// imageClaims are those on the residual network.
func (e experiment) imageClaims() []study.Claim {
	return []study.Claim{
		{
			ID: "best-on-images", Central: true, Statement: "On image classification with a residual network, diffGrad is more accurate than the six other optimizers.",
			Figure: "on CIFAR-10 and CIFAR-100, at every batch size", Source: "Tables of CIFAR results",
			Measure:   "the test accuracy of a small residual network on Fashion-MNIST (on digits where that is not installed), with the paper's learning rates and schedule",
			Criterion: "at every batch size, mean accuracy(diffGrad) > mean accuracy of each of the six others",
			Judge:     e.judgeImages,
			Remark: "The paper's own tables were made with code whose friction was 1/2 from the second step on, as its authors later said: they compare Adam at half the learning rate. " +
				"The trainings here are short, which favours long steps; the paper's take 100 epochs. At equal rates the friction only shortens diffGrad's steps: see friction-on-images. AdaGrad has the learning rate 0.01 and AdaDelta 1, as neither moves at the 0.001 of the others.",
		},
		{
			ID: "friction-on-images", Statement: "On images, diffGrad is more accurate than Adam at half its learning rate, so that the friction does something.",
			Source: ourReading, Measure: "the difference of the two test accuracies, seed by seed, over all batch sizes",
			Criterion: "mean difference > 2 standard errors",
			Judge:     e.judgeFrictionOnImages,
			Remark:    "The gradient of a mean loss by one weight is small against 1, and so is its change: the friction stays near one half.",
		},
		{
			ID: "variants", Statement: "Other friction functions are as accurate as the original.",
			Figure: "CIFAR-10, batch 32: 94.37, 94.17, 94.27, 94.04 and 93.99 % against 93.9 %", Source: "Section VII-B",
			Measure:   "the test accuracy of the residual network with diffGrad1 to diffGrad5",
			Criterion: "|mean accuracy(variant) - mean accuracy(original)| <= 0.01 for each of the five",
			Judge:     e.judgeVariants,
			Remark: "All but the last three have the friction 1/2 where the gradient does not change. From there that of diffGrad2 rises 4.5 times as fast as the original's with the change of the gradient, and up to 5. " +
				"Its steps are the longest, which counts in a short training; the quick preset trains for three epochs on 1,400 digits.",
		},
		{
			ID: "activations", Statement: "With diffGrad, leaky ReLU is the best of four activations and SELU the worst.",
			Figure: "CIFAR-10, batch 32: leaky ReLU 94.31, ELU 94.16, ReLU 93.9, SELU 93.48 %", Source: "Table of activation functions",
			Measure:   "the test accuracy of the residual network with each activation",
			Criterion: "mean accuracy(leaky ReLU) is the highest of the four and mean accuracy(SELU) the lowest",
			Judge:     e.judgeActivations,
			Remark:    "The network has no batch normalisation, unlike the paper's, and trains for a few epochs, three of them on 1,400 digits in the quick preset, where those win that learn the fastest. All four start from He's initialisation.",
		},
	}
}

// imageMean is the mean accuracy of a method on the set of the comparison.
func imageMean(r *study.Results, t imageTraining) float64 {
	return study.Mean(r.Over(t.name(), accuracy))
}

func (e experiment) judgeImages(r *study.Results) study.Finding {
	set, holds := e.planOf(r).images, true
	var ours []string
	for _, batch := range set.batches {
		own := imageMean(r, set.training(e.diffGrad(), batch, relu))
		best, title := math.Inf(-1), ""
		for _, c := range e.rivals() {
			if c.title == e.diffGrad().title {
				continue
			}
			mean := imageMean(r, set.training(c, batch, relu))
			holds = holds && own > mean
			if mean > best {
				best, title = mean, c.title
			}
		}
		ours = append(ours, fmt.Sprintf("batch %d: diffGrad %.4f, best other %s %.4f", batch, own, title, best))
	}
	return study.Finding{Ours: fmt.Sprintf("%s: %s", set, strings.Join(ours, "; ")), Holds: holds}
}

func (e experiment) judgeFrictionOnImages(r *study.Results) study.Finding {
	set := e.planOf(r).images
	var differences []float64
	for _, batch := range set.batches {
		own, half := r.Over(set.training(e.diffGrad(), batch, relu).name(), accuracy), r.Over(set.training(e.control(), batch, relu).name(), accuracy)
		for i := range own {
			differences = append(differences, own[i]-half[i])
		}
	}
	if len(differences) < 2 {
		return study.Finding{Ours: fmt.Sprintf("%.4f; one seed has no standard error", study.Mean(differences))}
	}
	mean, deviation := stat.MeanStdDev(differences, nil)
	standardError := stat.StdErr(deviation, float64(len(differences)))
	return study.Finding{Ours: fmt.Sprintf("%.4f with the standard error %.4f", mean, standardError), Holds: mean > 2*standardError}
}

func (e experiment) judgeVariants(r *study.Results) study.Finding {
	set, holds := e.planOf(r).details, true
	var original float64
	var ours []string
	for i, c := range e.variants() {
		mean := imageMean(r, set.training(c, set.batches[0], relu))
		if i == 0 {
			original = mean
		}
		holds = holds && math.Abs(mean-original) <= 0.01
		ours = append(ours, fmt.Sprintf("%s %.4f", c.title, mean))
	}
	return study.Finding{Ours: fmt.Sprintf("%s: %s", set, strings.Join(ours, ", ")), Holds: holds}
}

func (e experiment) judgeActivations(r *study.Results) study.Finding {
	set := e.planOf(r).details
	means := map[string]float64{}
	var ours []string
	for _, a := range activations {
		means[a.name] = imageMean(r, set.training(e.diffGrad(), set.batches[0], a.name))
		ours = append(ours, fmt.Sprintf("%s %.4f", a.title, means[a.name]))
	}
	holds := true
	for _, middle := range []string{relu, "elu"} {
		holds = holds && study.Increasing(means["selu"], means[middle], means["leaky_relu"])
	}
	return study.Finding{Ours: fmt.Sprintf("%s: %s", set, strings.Join(ours, ", ")), Holds: holds}
}
