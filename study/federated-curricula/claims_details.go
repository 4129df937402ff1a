package federatedcurricula

import (
	"fmt"
	"strings"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/fleet/federated/curriculum"
	"github.com/descentml/descent/study"
)

func detailClaims() []study.Claim {
	return []study.Claim{
		{
			ID:        "scores",
			Statement: "Easy first beats hard first with each of the scores, and least with the client's own model, which is from its last participation.",
			Figure:    "gaps of 13.3 points with the global loss, 1.6 with the local and 11.9 with both, 2 classes a client, CIFAR-10", Source: "the authors' notebooks",
			Measure:   "Curriculum less anti on digits with 2 classes a client and 30 % noise, mean of the last 10 rounds.",
			Criterion: "above 0 with each in the mean over seeds, and smaller with the local loss than with the global one and with both",
			Judge: func(r *study.Results) study.Finding {
				gain := map[curriculum.Score]float64{}
				holds := true
				var ours []string
				for _, s := range scores {
					values := effect(r, scoreCell(s))
					gain[s] = study.Mean(values)
					holds = holds && gain[s] > 0
					ours = append(ours, fmt.Sprintf("%s %s", s, points(values)))
				}
				local := gain[curriculum.LocalLoss]
				return study.Finding{
					Ours:  strings.Join(ours, ", ") + " points",
					Holds: holds && local < gain[curriculum.GlobalLoss] && local < gain[curriculum.BothLoss],
				}
			},
		},
		{
			ID:        "start-fraction",
			Statement: "The more samples are in use at the start, the less the order matters.",
			Figure:    "gaps of 12.9, 16.4, 13.0, 9.2 and 3.4 points at b = 0.0025, 0.1, 0.2, 0.5 and 0.8", Source: "the authors' notebooks",
			Measure:   "Curriculum less anti at Dir(0.1) with 30 % noise over the fraction b at the start.",
			Criterion: "the mean falls from b = 0.2 to 0.5 to 0.8",
			Judge: func(r *study.Results) study.Finding {
				var ours []string
				means := map[float64]float64{}
				for _, b := range starts {
					values := effect(r, startCell(b))
					means[b] = study.Mean(values)
					ours = append(ours, points(values))
				}
				return study.Finding{Ours: strings.Join(ours, ", ") + " points", Holds: study.Increasing(means[0.8], means[0.5], means[0.2])}
			},
		},
		{
			ID:        "consistency",
			Statement: "Where the samples of a client are alike in difficulty, their order matters little.",
			Figure:    "gaps of 9.0 points with mixed difficulties and 1.0 with like ones for IID; 9.9 and 2.1 at Dir(0.2)", Source: "the authors' notebooks",
			Measure:   "Curriculum less anti with 30 % noise and an expert's scores, where clients share the samples at random and where they share them sorted by the expert's loss.",
			Criterion: "smaller for sorted samples in the mean over seeds, for IID and at Dir(0.2)",
			Judge: func(r *study.Results) study.Finding {
				holds := true
				var ours []string
				for _, c := range consistencySplits {
					mixed, like := effect(r, consistencyCell(false, c)), effect(r, consistencyCell(true, c))
					holds = holds && study.Mean(like) < study.Mean(mixed)
					ours = append(ours, fmt.Sprintf("%s: %s mixed, %s alike", splitText(c), points(mixed), points(like)))
				}
				return study.Finding{Ours: strings.Join(ours, "; ") + " points", Holds: holds}
			},
		},
		{
			ID:        "drop-in",
			Statement: "The order matters in the same direction under FedAvg, FedProx, SCAFFOLD and FedNova.",
			Figure:    "gaps of 5.5 points with FedAvg and 14.4 with SCAFFOLD on Fashion-MNIST at Dir(0.05)", Source: "the authors' notebooks",
			Measure:   "Curriculum less anti at Dir(0.1) with 30 % noise under the four strategies (FedProx: mu = 0.001).",
			Criterion: "at least 3 points in the mean over seeds with each",
			Judge: func(r *study.Results) study.Finding {
				holds := true
				var ours []string
				for _, s := range strategies {
					values := effect(r, strategyCell(s))
					holds = holds && study.Mean(values) >= 0.03
					ours = append(ours, fmt.Sprintf("%s %s", s, points(values)))
				}
				return study.Finding{Ours: strings.Join(ours, ", ") + " points", Holds: holds}
			},
		},
	}
}

func fashionClaim() study.Claim {
	claim := study.Claim{
		ID:        "fashion",
		Statement: "On Fashion-MNIST easy first beats hard first where clients differ most.",
		Figure:    "80.1 / 74.6 / 80.5 / 80.3 % for curriculum / anti / random / vanilla at Dir(0.05)", Source: "the authors' notebooks",
		Measure:   "10,000 images over 50 clients of which 5 take part in a round, a network with one hidden layer of 64, scores by the received model's loss, mean of the last 10 rounds.",
		Criterion: "curriculum - anti at least 2 points in the mean over seeds at Dir(0.05)",
		Remark:    "The paper trains LeNet-5, which takes too long here. That the curriculum is above ordinary FedAvg is not asked: it is not in the authors' tables either.",
		Judge: func(r *study.Results) study.Finding {
			cell := fashionCell(fashionSplits[0])
			var ours []string
			for _, label := range []string{easyFirst, hardFirst, random, vanilla} {
				ours = append(ours, fmt.Sprintf("%.1f", 100*study.Mean(r.Over(cell, label+last))))
			}
			gain := effect(r, cell)
			return study.Finding{Ours: strings.Join(ours, " / ") + " %; gap " + points(gain) + " points", Holds: study.Mean(gain) >= 0.02}
		},
	}
	if !data.Installed(fashionSource) {
		claim.Judge, claim.Untestable = nil, "Fashion-MNIST is not installed: Debian's package dataset-fashion-mnist has it"
	}
	return claim
}

func untestableClaims() []study.Claim {
	return []study.Claim{
		{
			ID:        "natural-images",
			Statement: "The same is seen with convolutional networks on CIFAR-10 and CIFAR-100.",
			Figure:    "50.82 / 40.22 / 46.12 / 42.60 % for curriculum / anti / random / vanilla at Dir(0.05), CIFAR-10", Source: "the authors' notebooks",
			Untestable: "CIFAR-10 and CIFAR-100 are not among the data that comes with the program, and 100 rounds of a ResNet-9 on 100 clients take hours on two cores",
		},
		{
			ID:         "convergence",
			Statement:  "Local SGD with ordered samples converges at the rates of local SGD with biased gradients, and the growing subset makes early iterations faster.",
			Source:     "abstract; unverified",
			Untestable: "the statements and constants of the theorems were not at hand",
		},
	}
}
