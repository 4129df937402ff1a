package schedulerefinement

import (
	"fmt"
	"math"
	"strings"

	"github.com/descentml/descent/study"
)

// ratios are those of two schedules' risks, per seed.
func ratios(r *study.Results, p noiseProfile, of, to string) []float64 {
	list := r.Over(p.cell(), of)
	for i, x := range r.Over(p.cell(), to) {
		list[i] /= x
	}
	return list
}

func all(values []float64, rule func(float64) bool) bool {
	for _, x := range values {
		if !rule(x) {
			return false
		}
	}
	return len(values) > 0
}

func judgeRefinement(r *study.Results) study.Finding {
	rules := map[string]func(x float64) bool{
		"constant": func(x float64) bool { return math.Abs(x-1) <= 0.1 },
		"early":    func(x float64) bool { return x <= 0.35 },
		"late":     func(x float64) bool { return x <= 0.6 },
	}
	finding := study.Finding{Holds: true}
	var ours []string
	for _, p := range noiseProfiles {
		list := ratios(r, p, refinedL2, linear)
		ours = append(ours, p.name+" "+study.Spread(list))
		finding.Holds = finding.Holds && all(list, rules[p.name])
	}
	finding.Ours = "refined / linear: " + strings.Join(ours, ", ")
	return finding
}

func judgeWarmup(r *study.Results) study.Finding {
	early := noiseProfiles[1].cell()
	starts, peaks := r.Over(early, "start"), r.Over(early, "peak")
	return study.Finding{
		Ours: fmt.Sprintf("first factor %s of the peak, peak at %s of the run", study.Spread(starts), study.Spread(peaks)),
		Holds: all(starts, func(x float64) bool { return x < 0.2 }) &&
			all(peaks, func(x float64) bool { return 0.28 <= x && x <= 0.40 }),
	}
}

// bestLoss is the mean over seeds of a schedule's final loss at the rate where
// that is least; NaN if nothing was measured.
func bestLoss(r *study.Results, p softmaxProblem, schedule string) float64 {
	best := math.NaN()
	for i := range sizeOf(r.Setup.Preset).softmaxRates {
		if loss := study.Mean(r.Over(p.cell(), lossAt(schedule, i))); !(best <= loss) && !math.IsNaN(loss) {
			best = loss
		}
	}
	return best
}

// countProblems counts the cells in which a rule on two schedules' losses holds.
func countProblems(r *study.Results, a, b string, rule func(a, b float64) bool) int {
	count := 0
	for _, p := range softmaxProblems {
		if rule(bestLoss(r, p, a), bestLoss(r, p, b)) {
			count++
		}
	}
	return count
}

func judgeLinearBeats(r *study.Results) study.Finding {
	finding := study.Finding{Holds: true}
	var ours []string
	for _, other := range []string{flat, inverse, inverseRt, step} {
		count := countProblems(r, linear, other, func(a, b float64) bool { return a < b })
		ours = append(ours, fmt.Sprintf("%s %d", other, count))
		finding.Holds = finding.Holds && count >= 6
	}
	finding.Ours = fmt.Sprintf("cells of %d in which linear is better than: %s", len(softmaxProblems), strings.Join(ours, ", "))
	return finding
}

// excess is the largest difference of a schedule's loss to linear's, relative
// to that.
func excess(r *study.Results, schedule string) float64 {
	largest := 0.0
	for _, p := range softmaxProblems {
		l := bestLoss(r, p, linear)
		if d := (bestLoss(r, p, schedule) - l) / l; !(math.Abs(d) <= math.Abs(largest)) {
			largest = d
		}
	}
	return largest
}

func within(share float64) func(a, b float64) bool {
	return func(a, b float64) bool { return math.Abs(a-b) <= share*a }
}

func judgeCosine(r *study.Results) study.Finding {
	count := countProblems(r, linear, cosine, within(0.01))
	return study.Finding{
		Ours:  fmt.Sprintf("%d of %d cells; the largest difference is %+.2f %%", count, len(softmaxProblems), 100*excess(r, cosine)),
		Holds: count >= 7,
	}
}

func judgeSafe(r *study.Results) study.Finding {
	count := countProblems(r, linear, refinedL1, within(0.015))
	return study.Finding{
		Ours:  fmt.Sprintf("%d of %d cells; the largest difference is %+.2f %%", count, len(softmaxProblems), 100*excess(r, refinedL1)),
		Holds: count == len(softmaxProblems),
	}
}

// expectedFactors are the specification's, at profilePoints.
var expectedFactors = map[float64][]float64{
	1: {.00463, .83324, .55531, .27738}, 2: {.00481, .52464, .18420, .05428}, 0.7: {.00457, .97194, .85327, .57733},
}

func judgeShapes(r *study.Results) study.Finding {
	worst, holds := 0.0, true
	for _, end := range profileEnds {
		holds = holds && r.Value(cellProfiles, 0, "peak of "+profileName(end)) == 200
		for i, share := range profilePoints {
			off := math.Abs(r.Value(cellProfiles, 0, profilePoint(end, share)) - expectedFactors[end][i])
			holds = holds && off <= 1e-4
			worst = max(worst, off)
		}
	}
	return study.Finding{Ours: fmt.Sprintf("largest difference of a factor %.1g", worst), Holds: holds}
}

func judgeLinearDecay(r *study.Results) study.Finding {
	var ours []string
	finding := study.Finding{Holds: true}
	for _, T := range sizeOf(r.Setup.Preset).horizons {
		worst := r.Value(cellLinear, 0, horizon(T))
		ours = append(ours, fmt.Sprintf("%.3g at %s", worst, horizon(T)))
		finding.Holds = finding.Holds && worst <= 1
	}
	finding.Ours = "worst ratio " + strings.Join(ours, ", ")
	return finding
}

func judgeTheorem(r *study.Results) study.Finding {
	sum := func(name string) (total float64) {
		for _, x := range r.Over(cellTheorem, name) {
			total += x
		}
		return total
	}
	return study.Finding{
		Ours: fmt.Sprintf("%g violations in %g runs, %g of the control", sum("violations"), sum("trials"), sum("violations of the wrong factor")),
		Holds: r.EverySeed(func(seed uint64) bool {
			return r.Value(cellTheorem, seed, "violations") == 0 && r.Value(cellTheorem, seed, "violations of the wrong factor") >= 1
		}),
	}
}

// expectedBounds are the specification's, at T = 50 and 200.
var expectedBounds = map[int]map[string]float64{
	50:  {flat: 2.341, inverseRt: 2.157, inverse: 2.731, cosine: 2.123, linear: 2.058, best: 1.989},
	200: {flat: 2.622, inverseRt: 2.350, inverse: 3.797, cosine: 2.075, linear: 2.022},
}

func judgeBounds(r *study.Results) study.Finding {
	holds := r.Value(cellBounds, 0, "correlation, "+horizon(50)) > 0.99
	for T, row := range expectedBounds {
		for name, want := range row {
			holds = holds && math.Abs(r.Value(cellBounds, 0, name+", "+horizon(T))-want) <= 2e-3
		}
	}
	at := func(name string, T int) float64 { return r.Value(cellBounds, 0, name+", "+horizon(T)) }
	return study.Finding{
		Ours: fmt.Sprintf("linear %.3f at T = 50 and %.3f at T = 200; minimum %.3f and %.3f; correlation %.4f",
			at(linear, 50), at(linear, 200), at(best, 50), at(best, 200), at("correlation", 50)),
		Holds: holds,
	}
}
