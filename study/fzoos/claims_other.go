package fzoos

import (
	"fmt"
	"math"

	"github.com/descentml/descent/study"
)

// median of a value over seeds, where a run without it counts as infinite.
func median(r *study.Results, cell, value string) float64 {
	list := r.Over(cell, value)
	for i, v := range list {
		if math.IsNaN(v) {
			list[i] = math.Inf(1)
		}
	}
	return study.Median(list)
}

// lowest says whether FZooS ends lower than all baselines with fewer queries.
func lowest(r *study.Results, problem string, round int) (ours string, holds bool) {
	own, rival := mean(r, cellName(problem, fzoos), gapAt(round)), best(r, problem, gapAt(round), baselines)
	a, b := mean(r, cellName(problem, fzoos), queries), best(r, problem, queries, baselines)
	ours = fmt.Sprintf("%s: from %.3g to %.3g against %.3g, %.0f against %.0f queries", problem, mean(r, cellName(problem, fzoos), gapAt(0)), own, rival, a, b)
	return ours, own < rival && a < b
}

func otherClaims() []study.Claim {
	return []study.Claim{
		{
			ID:        "hilly-functions",
			Statement: "FZooS is ahead on functions with many local minima as well.",
			Figure:    "Ackley and Levy", Source: "official code",
			Measure:   "Ackley and Levy with moderate differences (C = 0.5), 5 clients; 20 dimensions and 6 rounds in quick, 50 and 20 in full; means over seeds of F.",
			Criterion: "F(FZooS) at the end < the best baseline's, with fewer queries, on both",
			Judge: func(r *study.Results) study.Finding {
				rounds := sizeOf(r.Setup.Preset).hilly.rounds
				a, x := lowest(r, ackleyName, rounds)
				b, y := lowest(r, levyName, rounds)
				return study.Finding{Ours: a + "; " + b, Holds: x && y}
			},
		},
		{
			ID:        "attack",
			Statement: "A black-box attack on several models succeeds with fewer queries and rounds.",
			Figure:    "MNIST and CIFAR-10, curves", Source: "abstract; the curves are unverified",
			Measure:   "10 small networks, each trained on 7 of the 10 digits (8 x 8 pixels); pixels may change by 0.3 of their range; 5 local steps a round. Median over seeds, one image each, of the queries and rounds until the mean margin is negative.",
			Criterion: "queries(FZooS) < each baseline's and rounds(FZooS) <= each baseline's; a run without success counts as infinite",
			Judge: func(r *study.Results) study.Finding {
				own, rounds := median(r, cellName(attackName, fzoos), success), median(r, cellName(attackName, fzoos), succeeded)
				rival, rivalRounds := math.Inf(1), math.Inf(1)
				for _, v := range baselines {
					rival = min(rival, median(r, cellName(attackName, v), success))
					rivalRounds = min(rivalRounds, median(r, cellName(attackName, v), succeeded))
				}
				return study.Finding{
					Ours:  fmt.Sprintf("%.0f queries in %.0f rounds against %.0f in %.0f", own, rounds, rival, rivalRounds),
					Holds: own < rival && rounds <= rivalRounds && !math.IsInf(own, 1),
				}
			},
		},
		{
			ID:        "metric",
			Statement: "A metric without a gradient is improved with fewer queries and rounds.",
			Figure:    "CovType, curves", Source: "abstract; the curves are unverified",
			Measure:   "All weights of a network on digits that was trained a little, within 0.2 of where they are; 7 owners with 3 classes each; 4 rounds in quick, 10 in full; 1 - macro F1, mean over owners and seeds.",
			Criterion: "1 - F1 of FZooS at the end < the best baseline's, with fewer queries",
			Judge: func(r *study.Results) study.Finding {
				ours, holds := lowest(r, metricName, sizeOf(r.Setup.Preset).metric.rounds)
				return study.Finding{Ours: ours, Holds: holds}
			},
		},
		{
			ID:        "transferable-surrogate",
			Statement: "Random features make surrogates transferable: their kernel error falls as 1/sqrt(M), and averaging weights averages surrogates.",
			Figure:    "M must grow as 1/error^2", Source: "reviews of the submission",
			Measure:   "Error of 100, 1,000 and 10,000 features over 30 points in 6 dimensions, times sqrt(M); the gradient of mean weights against the mean of gradients; cosine of the gradient of 2,000 features with that of the process on 60 values.",
			Criterion: "every error times sqrt(M) in [0.5, 1.2]; averages equal to 1e-12; cosine >= 0.9; for every seed",
			Judge: func(r *study.Results) study.Finding {
				v := func(seed uint64, name string) float64 { return r.Value(identityCell, seed, name) }
				return study.Finding{
					Ours: fmt.Sprintf("errors %.2f to %.2f; averages differ by %.1g; cosine %s", mean(r, identityCell, kernelLeast), mean(r, identityCell, kernelError),
						mean(r, identityCell, averaging), study.Spread(r.Over(identityCell, transfer))),
					Holds: r.EverySeed(func(seed uint64) bool {
						return v(seed, kernelLeast) >= 0.5 && v(seed, kernelError) <= 1.2 && v(seed, averaging) <= 1e-12 && v(seed, transfer) >= 0.9
					}),
				}
			},
		},
		{
			ID:        "uncertainty-shrinks",
			Statement: "The uncertainty of the surrogate's gradient never rises with a further query.",
			Source:    "derived; it is what active queries rest on",
			Measure:   "Trace of the gradient's covariance at a point while 60 random points in 5 dimensions are added.",
			Criterion: "it begins at d / l^2, never rises by more than 1e-9 and stays >= 0, for every seed",
			Judge: func(r *study.Results) study.Finding {
				curve := r.Curve(identityCell, r.Setup.Seeds[0], uncertainties)
				if len(curve.Y) == 0 {
					return study.Finding{Ours: "not measured"}
				}
				return study.Finding{
					Ours:  fmt.Sprintf("from %.3g to %.3g; rose %.0f times", curve.Y[0], curve.Y[len(curve.Y)-1], mean(r, identityCell, rises)),
					Holds: r.EverySeed(func(seed uint64) bool { return r.Value(identityCell, seed, rises) == 0 }),
				}
			},
		},
		{
			ID:        "large-images",
			Statement: "On MNIST and CIFAR-10 FZooS needs the fewest queries and rounds to deceive ten deep networks.",
			Figure:    "curves", Source: "unverified",
			Untestable: "it takes ten trained convolutional networks and 784 to 1,024 dimensions with 100 to 150 rounds and 15 images; the attack on digits stands in for it.",
		},
		{
			ID:        "rates",
			Statement: "For strongly convex, convex and non-convex means FZooS converges at rates that beat those of finite differences.",
			Figure:    "theorems", Source: "reviews of the submission",
			Untestable: "the theorems could not be read; they assume functions drawn from a Gaussian process and a correction weight that needs an unknown constant.",
		},
	}
}
