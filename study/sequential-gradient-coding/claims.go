package sequentialgradientcoding

import (
	"fmt"
	"math"
	"slices"

	"github.com/descentml/descent/fleet/coding"
	"github.com/descentml/descent/study"
)

func claims() []study.Claim {
	list := []study.Claim{lowerLoads(), exactAndInTime()}
	list = append(list, timeClaims()...)
	list = append(list, nearTheBound(), beyondIsReported(), decodings(), exactTraining(), addsUp())
	return append(list, study.Claim{
		ID: "lambda-run-time", Statement: "On 256 workers of AWS Lambda, training four networks in turn takes 16 % less time with M-SGC than with gradient coding.",
		Figure: "916.37 s against 1095.14 s (authors' notebook; 16 % in the abstract)", Source: "abstract",
		Untestable: "It needs 256 serverless workers or the recorded profiles of their delays; run-time-256 draws delays with such a share of late workers instead.",
	})
}

func lowerLoads() study.Claim {
	return study.Claim{
		ID: "lower-loads", Central: true,
		Statement: "At equal tolerance of bursts M-SGC loads a worker less than SR-SGC, and SR-SGC no more than gradient coding.",
		Figure:    "0.0075 for (1,2,27), 0.0508 for (2,3,23) and 0.0625 for s = 15 with 256 workers", Source: "the load formulas; authors' notebook",
		Measure:   "the formulas at the published parameters, at all (B,W,lambda) with up to 12 workers and W up to 8 where B divides W-1 and 0 < lambda < n, and the data that the tasks of a round process",
		Criterion: "the published loads to 5e-9, M-SGC < SR-SGC <= GC (s = lambda) at every tuple, and the tasks of a round equal to the formula to 1e-12",
		Judge: func(r *study.Results) study.Finding {
			off, count, unlike, tasks := r.Value(cellLoads, 0, loadOff), r.Value(cellLoads, 0, tuples), r.Value(cellLoads, 0, unordered), r.Value(cellLoads, 0, assignedOff)
			return study.Finding{
				Ours:  fmt.Sprintf("loads off by at most %.1g; the order holds at %.0f of %.0f tuples; tasks off by at most %.1g", off, count-unlike, count, tasks),
				Holds: off <= 5e-9 && unlike == 0 && count > 0 && tasks <= 1e-12,
			}
		},
	}
}

func exactAndInTime() study.Claim {
	return study.Claim{
		ID: "exact-and-in-time", Central: true,
		Statement: "Every gradient is decoded exactly within T rounds: by M-SGC for every bursty and every (B, W+B-1, lambda)-arbitrary pattern, by SR-SGC for every bursty and every s-per-round pattern.",
		Figure:    "all", Source: "unverified",
		Measure: "all bursty patterns of three small cases, maximal random patterns of 18 rounds for eleven tuples, and 256 workers with 4 % late at random and wait-outs; " +
			"each job decoded from what has arrived, in exact arithmetic",
		Criterion: "no job undecoded, wrong or late in any pattern; 217, 1015 and 292 patterns found by enumeration; no allowed round refused by the conformance check",
		Judge: func(r *study.Results) study.Finding {
			failed := r.Value(cellExhaustive, 0, failedJobs)
			refused := r.Value(cellExhaustive, 0, refusedOnes)
			count, around := r.Value(cellExhaustive, 0, patternCount), 0.0
			for _, seed := range r.Setup.Seeds {
				failed += r.Value(cellPatterns, seed, failedJobs) + r.Value(cellLarge, seed, failedJobs)
				refused += r.Value(cellPatterns, seed, refusedOnes)
				count += r.Value(cellPatterns, seed, patternCount)
				around += r.Value(cellLarge, seed, aroundLate)
			}
			return study.Finding{
				Ours:  fmt.Sprintf("%.0f failures in %.0f patterns; with 256 workers %.0f late answers decoded around", failed, count, around),
				Holds: failed == 0 && refused == 0 && r.Value(cellExhaustive, 0, countsRight) == 1 && around > 0,
			}
		},
	}
}

// ratios are the times of one scheme over those of another, for all seeds and runs.
func ratios(r *study.Results, d delayModel, a, b coding.Kind) []float64 {
	runs := d.runs
	if r.Setup.Preset == study.Smoke {
		runs = 1
	}
	var list []float64
	for _, seed := range r.Setup.Seeds {
		for run := range runs {
			list = append(list, r.Value(d.cell(), seed, timeName(a, run))/r.Value(d.cell(), seed, timeName(b, run)))
		}
	}
	return list
}

func timeClaims() []study.Claim {
	const how = "total time of 300 jobs on 64 workers, slope 4, parameters chosen on a separate probe of 60 rounds, four draws a seed"
	return []study.Claim{
		{
			ID: "run-time-256", Central: true,
			Statement: "With 256 workers M-SGC takes less time than gradient coding.",
			Figure:    "0.837 of it", Source: "abstract (16 %)",
			Measure: "total time of 480 jobs with 2.2013 s for each unit of load and delays fitted to the baselines of the authors' table: late workers as many as make gradient coding with s = 15 wait in 26 % of the rounds, " +
				"late enough that a round of all workers takes about 2.66 s; parameters chosen on a separate probe of 80 rounds",
			Criterion: "for every seed M-SGC takes less time than gradient coding",
			Judge:     faster(paperFleet),
			Remark: "The gain is below the paper's 16 %: it depends on what waiting for everybody costs, which the table leaves open. The recorded delays are Python pickles that are not at hand. " +
				"Delays of 2.5 to 5 s in bad rounds, tried first, make every wait cost twice as much as in the paper, and M-SGC loses: see run-time-256-slower-bursts.",
		},
		{
			ID:        "run-time-256-slower-bursts",
			Statement: "The gain with 256 workers remains where late workers take 2.5 to 5 times as long.",
			Figure:    "none: the paper's rounds of all workers take 2.66 s", Source: "this study",
			Measure:   "the same with bad rounds of 2.5 to 5 s and 4 % of the workers bad, as with 64 workers",
			Criterion: "for every seed M-SGC takes less time than gradient coding",
			Judge:     faster(heavyFleet),
			Remark: "Of 256 workers, one that was late is late again in one round of four, and M-SGC with B = 1 then waits for everybody, more than 5 s; schemes with B = 2 within the grid do not pay either. " +
				"Gradient coding waits in one round of a hundred.",
		},
		{
			ID: "run-time-short-bursts", Central: true,
			Statement: "Where bursts are short, M-SGC takes clearly less time than gradient coding.",
			Figure:    "0.837 of it", Source: "abstract (16 %)",
			Measure:   how + "; bad with probability 0.04, good again with 0.97",
			Criterion: "mean ratio at most 0.90 and every one below 0.92",
			Judge: func(r *study.Results) study.Finding {
				list := ratios(r, shortBursts, coding.MSGC, coding.GC)
				return study.Finding{
					Ours:  fmt.Sprintf("%s of it, at most %.3f", study.Spread(list), slices.Max(list)),
					Holds: study.Mean(list) <= 0.9 && atMost(list, math.Nextafter(0.92, 0)),
				}
			},
		},
		{
			ID:        "order-of-schemes",
			Statement: "SR-SGC lies between M-SGC and gradient coding, and gradient coding far below waiting for all.",
			Figure:    "1019.46 s, 1095.14 s and 1321.18 s", Source: "authors' notebook",
			Measure:   how,
			Criterion: "mean of SR-SGC over GC below 1, mean of GC over uncoded below 0.70",
			Judge: func(r *study.Results) study.Finding {
				srsgc, gc := ratios(r, shortBursts, coding.SRSGC, coding.GC), ratios(r, shortBursts, coding.GC, coding.Uncoded)
				return study.Finding{
					Ours:  fmt.Sprintf("%s of GC; GC %s of uncoded", study.Spread(srsgc), study.Spread(gc)),
					Holds: study.Mean(srsgc) < 1 && study.Mean(gc) < 0.7,
				}
			},
		},
		{
			ID:        "long-bursts",
			Statement: "Where bursts are long, M-SGC has to wait so often that it takes more time than gradient coding.",
			Figure:    "none: the paper's delays have short bursts", Source: "this study's falsifier",
			Measure:   how + "; bad with probability 0.04, good again with 0.4",
			Criterion: "mean ratio at least 1.03",
			Judge: func(r *study.Results) study.Finding {
				list, waits := ratios(r, longBursts, coding.MSGC, coding.GC), 0.0
				for _, seed := range r.Setup.Seeds {
					waits += r.Value(longBursts.cell(), seed, waitName(coding.MSGC, 0)) / float64(len(r.Setup.Seeds))
				}
				return study.Finding{Ours: fmt.Sprintf("%s of it; it waits in %.0f of %d rounds", study.Spread(list), waits, longBursts.jobs), Holds: study.Mean(list) >= 1.03}
			},
			Remark: "A simulation that does not charge waiting would show a gain here.",
		},
	}
}

// faster judges whether M-SGC takes less time than gradient coding for every seed.
func faster(d delayModel) func(*study.Results) study.Finding {
	return func(r *study.Results) study.Finding {
		list := ratios(r, d, coding.MSGC, coding.GC)
		uncoded := study.Mean(r.Over(d.cell(), timeName(coding.Uncoded, 0))) / float64(d.jobs)
		return study.Finding{Ours: fmt.Sprintf("%s of it; a round of all workers takes %.2f s", study.Spread(list), uncoded), Holds: atMost(list, math.Nextafter(1, 0))}
	}
}

// atMost reports whether there are values and none is above a bound or missing.
func atMost(values []float64, bound float64) bool {
	return len(values) > 0 && !slices.ContainsFunc(values, func(x float64) bool { return !(x <= bound) })
}

func nearTheBound() study.Claim {
	return study.Claim{
		ID:        "near-the-bound",
		Statement: "No scheme for bursts loads less than L*; M-SGC meets it for lambda = n-1 and n, and otherwise comes as near as 1/W.",
		Figure:    "L* = (W-1+B)/(n(W-1) + B(n-lambda))", Source: "unverified; derived anew",
		Measure:   "the loads of all (B,W,lambda) with up to 12 workers and W up to 8; the gap at (n,B,lambda) = (20,3,4) for W = 4, 8, 16, 32",
		Criterion: "no load below L* - 1e-12; equality to 1e-12 exactly for lambda in {0, n-1, n}; gaps .0278, .0126, .0060 and .0029 to 5e-5",
		Judge: func(r *study.Results) study.Finding {
			below, wrong := r.Value(cellLoads, 0, belowBound), r.Value(cellLoads, 0, wrongEquality)
			holds := below == 0 && wrong == 0
			for w, want := range map[int]float64{4: .0278, 8: .0126, 16: .0060, 32: .0029} {
				holds = holds && math.Abs(r.Value(cellLoads, 0, gapName(w))-want) <= 5e-5
			}
			return study.Finding{
				Ours: fmt.Sprintf("%.0f below, %.0f wrong equalities; the gap at 2W is %.2f to %.2f of that at W", below, wrong,
					r.Value(cellLoads, 0, gapRatioLeast), r.Value(cellLoads, 0, gapRatio)),
				Holds: holds,
			}
		},
	}
}

func beyondIsReported() study.Claim {
	return study.Claim{
		ID:        "beyond-is-reported",
		Statement: "Outside of the bursts that it is made for, M-SGC cannot decode.",
		Figure:    "none", Source: "derived",
		Measure:   "(5 workers, B=2, W=3, lambda=2): one worker late three rounds in a row, three workers in successive rounds, three in one round",
		Criterion: "all three are reported as undecodable, and refused by the conformance check before",
		Judge: func(r *study.Results) study.Finding {
			count, then := r.Value(cellBeyond, 0, reported), r.Value(cellBeyond, 0, refusedThen)
			return study.Finding{Ours: fmt.Sprintf("%.0f reported, %.0f refused, of %.0f", count, then, r.Value(cellBeyond, 0, patternCount)), Holds: count == 3 && then == 3}
		},
	}
}

func decodings() study.Claim {
	return study.Claim{
		ID:        "any-n-s-answers",
		Statement: "A cyclic gradient code gives the gradient from any n-s answers.",
		Figure:    "any", Source: "the code of Tandon et al. that the paper builds on",
		Measure:   "all sets of (6,2) and (10,3), 20 random sets of (256,15); s+1 neighbours left out; the same in arithmetic modulo a prime",
		Criterion: "for every seed residuals at most 1e-12, 1e-9 and 1e-6, sums of the first two to 1e-8 relative, every lost chunk refused, with residual 1 there, and no inexact sum modulo the prime",
		Judge: func(r *study.Results) study.Finding {
			worst, weight := 0.0, 0.0
			holds := r.EverySeed(func(seed uint64) bool {
				value := func(name string) float64 { return r.Value(cellCodes, seed, name) }
				worst, weight = max(worst, value(residualLarge)), max(weight, value(largestWeight))
				large := value(residualLarge) < 1e-6 || r.Setup.Preset == study.Smoke // which leaves it out
				return value(residualSmall) <= 1e-12 && value(residualMiddle) <= 1e-9 && large && value(sumOff) <= 1e-8 && value(uncovered) == 1 && value(exactWrong) == 0
			})
			inexact := 0.0
			for _, seed := range r.Setup.Seeds {
				inexact += r.Value(cellCodes, seed, exactWrong)
			}
			return study.Finding{Ours: fmt.Sprintf("residual at most %.1g at 256 workers, with weights up to %.0f; %.0f inexact modulo the prime", worst, weight, inexact), Holds: holds}
		},
		Remark: "Real weights grow with s and amplify rounding; weights modulo a prime, with gradients in steps of 2^-44, have no rounding at all.",
	}
}

func exactTraining() study.Claim {
	return study.Claim{
		ID:        "exact-training",
		Statement: "Training with late workers gives the parameters of training with full gradients.",
		Figure:    "exact gradients", Source: "abstract",
		Measure:   "four softmax models on digits, 8 workers, 40 jobs, M-SGC (1,2,3), SR-SGC (1,2,4) and GC (2), random late workers that conform; twice in exact arithmetic, once in float64",
		Criterion: "for every seed and scheme within 1e-8 relative of serial training, and equal bits for other late workers in exact arithmetic",
		Judge: func(r *study.Results) study.Finding {
			worstExact, worstReal, late := 0.0, 0.0, 0.0
			holds := r.EverySeed(func(seed uint64) bool {
				holds := true
				for _, s := range trained {
					value := func(name string) float64 { return r.Value(trainingCell(s), seed, name) }
					worstExact, worstReal, late = max(worstExact, value(exactAway)), max(worstReal, value(realAway)), late+value(lateOnes)
					holds = holds && value(exactAway) <= 1e-8 && value(realAway) <= 1e-8 && value(sameBits) == 1 && value(lateOnes) > 0
				}
				return holds
			})
			return study.Finding{
				Ours:  fmt.Sprintf("at most %.1g away in exact arithmetic, bits equal: %v; %.1g in float64; %.0f late answers", worstExact, holds, worstReal, late),
				Holds: holds,
			}
		},
	}
}

func addsUp() study.Claim {
	return study.Claim{
		ID:        "accounting",
		Statement: "The time of a run is the sum of its rounds, and every wait is charged.",
		Figure:    "none", Source: "check of this study",
		Measure:   "all runs of the claims on time",
		Criterion: "the rounds add up to the time, and waits are the rounds with late workers of which none was done without",
		Judge: func(r *study.Results) study.Finding {
			wrong := 0.0
			for _, d := range delayModels {
				for _, seed := range r.Setup.Seeds {
					wrong += r.Value(d.cell(), seed, accountingOff)
				}
			}
			return study.Finding{Ours: fmt.Sprintf("%.0f runs do not add up", wrong), Holds: wrong == 0}
		},
	}
}
