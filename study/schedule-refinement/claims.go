package schedulerefinement

import "github.com/descentml/descent/study"

const unverified = "unverified: abstract; the full text was not available"

func claims() []study.Claim {
	return append(testable(), untestable()...)
}

func testable() []study.Claim {
	return []study.Claim{
		{
			ID: "refinement-helps", Central: true,
			Statement: "Refining the schedule by the gradient norms of an earlier run improves on linear decay where norms vary over the run, and costs nothing where they do not.",
			Source:    unverified,
			Measure: "Mean risk of the last point over replicas of a 20-dimensional regression in 400 steps, each schedule at its best learning rate, with gradient noise that is constant, large in the first 30 % or large in the last 30 % of the run; " +
				"norms from one run of linear decay.",
			Criterion: "for every seed: constant |refined l2sq / linear - 1| <= 0.1; early refined <= 0.35 linear; late refined <= 0.6 linear",
			Judge:     judgeRefinement,
			Remark:    "The refined schedules meet other noise than the run that they come from. With early noise a flat rate and a warm-up by hand beat linear decay too; the report has both, and refinement is ahead of them.",
		},
		{
			ID: "linear-beats-defaults", Central: true,
			Statement: "Linear decay to zero is better than a constant rate, 1/t, 1/sqrt t and the 30-60-90 rule for the last point.",
			Source:    unverified,
			Measure: "Mean over seeds of the final training loss of softmax regression on digits, wine, breast-cancer and iris with 15 % of the labels replaced, with Adam and with SGD, " +
				"1000 steps of 16 examples, each schedule at its best learning rate; 1/t is 1/(1 + 45 t/T).",
			Criterion: "linear has the lower loss in at least 6 of the 8 cells, against each of the four",
			Judge:     judgeLinearBeats,
		},
		{
			ID:        "linear-ties-cosine",
			Statement: "Linear decay is as good as cosine decay.",
			Source:    unverified,
			Measure:   "The losses of the same runs.",
			Criterion: "|linear - cosine| <= 1 % of linear in at least 7 of the 8 cells",
			Judge:     judgeCosine,
			Remark:    "The paper reports that linear decay matches or beats cosine; on these problems the two cannot be told apart.",
		},
		{
			ID:        "refinement-is-safe",
			Statement: "Refined schedules are no worse than linear decay.",
			Source:    unverified,
			Measure:   "The losses of the same runs, with a schedule from the l1 norms of one run of linear decay.",
			Criterion: "|refined l1 - linear| <= 1.5 % of linear in all 8 cells",
			Judge:     judgeSafe,
			Remark:    "The paper reports that refinement improves on linear decay on most of its tasks. Norms hardly vary in these, and refinement ties: it does not win.",
		},
		{
			ID:        "warmup-emerges",
			Statement: "Refined schedules warm up where a run begins with large gradients, without being told to.",
			Source:    unverified,
			Measure:   "The refined schedule of the regression with early noise: its first factor and the place of its peak.",
			Criterion: "for every seed: the first factor is below 0.2 of the peak, and the peak lies at 0.28 to 0.40 of the run",
			Judge:     judgeWarmup,
			Remark: "The warm-up is there for every seed. The top of the schedule is flat, though, so that the noise of one run's norms decides where the largest factor lies: " +
				"of the five seeds from 1000 on, that of 1004 has it at 0.50 of the run, after 94 % of it at 0.37.",
		},
		{
			ID:        "shapes",
			Statement: "Norms that rise make a schedule that falls below the straight line, and norms that fall one with a flat top and a fast end.",
			Source:    "official plotting script; our figures from its formula",
			Measure:   "Schedules (l2sq, no smoothing) of 2000 synthetic norms that fall from 15 to 1 over the first tenth of the run and then stay, rise to 2 or fall to 0.7.",
			Criterion: "peak at index 200 in all three; factors at 0, 1/4, 1/2 and 3/4 of the run within 1e-4 of those in the specification",
			Judge:     judgeShapes,
		},
		{
			ID:        "linear-decay-bound",
			Statement: "With linear decay the last point is within distance norm / sqrt T of the minimum, without a factor log T.",
			Figure:    "D G / sqrt T",
			Source:    "theorem on linear decay, as restated elsewhere",
			Measure:   "Worst |x_T| sqrt T / D of subgradient descent on |x| from 25 starts D in (0, 1].",
			Criterion: "|x_T| <= D / sqrt T for every start and every T",
			Judge:     judgeLinearDecay,
			Remark:    "|x| is easy for it: the worst ratio is far below the bound, and a constant rate keeps the bound too.",
		},
		{
			ID:        "last-point-theorem",
			Statement: "With a learner's moves multiplied by the tail fractions of the weights, the last point is no worse than the learner's weighted mean regret.",
			Figure:    "f(x_T) - f(x*) <= sum w_t <g_t, z_t - x*> / sum w_t",
			Source:    "Theorem 1, as restated elsewhere",
			Measure:   "Violations over noisy learners on sums of absolute values in five dimensions, T of 3, 5 and 40; as a control, violations with the tail that begins one weight too early.",
			Criterion: "for every seed: no violation by more than 1e-10, and at least one of the control",
			Judge:     judgeTheorem,
		},
		{
			ID:        "bound-prefers-linear",
			Statement: "Of the usual schedules, linear decay has the least bound for arbitrary steps, close to 2 D G / sqrt T, and the schedule that minimises the bound is nearly a straight line.",
			Figure:    "(2 + o(1)) D G / sqrt T",
			Source:    "bound: official code; constant: unverified",
			Measure:   "sqrt T times the bound for D = G = 1 at the best scale of each schedule, and its minimum over all steps by L-BFGS.",
			Criterion: "within 2e-3 at T = 50: flat 2.341, 1/sqrt t 2.157, 1/t 2.731, cosine 2.123, linear 2.058, minimum 1.989; at T = 200: 2.622, 2.350, 3.797, 2.075, 2.022; the minimiser's correlation with linear decay is above 0.99 at T = 50",
			Judge:     judgeBounds,
			Remark:    "At T = 10 the order differs: 1/sqrt t has a lower bound than linear decay.",
		},
	}
}

func untestable() []study.Claim {
	return []study.Claim{
		{
			ID:         "deep-learning-tasks",
			Statement:  "Linear decay matches or beats every common default schedule, cosine included, on ten deep-learning tasks and on language models.",
			Source:     unverified,
			Untestable: "CIFAR-10 and -100, ImageNet, IWSLT14, GPT and RoBERTa text, Criteo, knee MRI and COCO are not embedded, and training on them takes GPU days; the paper's tables were not available to compare with.",
		},
		{
			ID:         "deep-refinement",
			Statement:  "Refinement improves on linear decay on most of the deep-learning tasks, and finds warm-up and rapid final annealing there.",
			Figure:     "warm-up share / power of the fall: ImageNet 0.01 / 3.0, GPT 0.28 / 1.0, RoBERTa 0.45 / 0.8, DLRM 0.20 / 0.9, MRI 0.40 / 0.9, RCNN 0.0 / 1.5",
			Source:     "official plotting script (fits by hand)",
			Untestable: "The tasks cannot be trained here. `descent schedule refine` does it for a user's own run.",
		},
		{
			ID:         "short-runs",
			Statement:  "Cosine beats linear decay in runs of 30 epochs, and linear decay wins in shorter ones.",
			Source:     "unverified: seen through reviews only",
			Untestable: "The table's task and numbers were not available.",
		},
		{
			ID:         "minimax",
			Statement:  "The constant 1 of linear decay's bound cannot be improved by any method in the worst case.",
			Source:     unverified,
			Untestable: "It is a statement about all methods and all convex functions; no measurement decides it.",
		},
	}
}
