package largesteplogistic

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/descentml/descent/method/separation"
	"github.com/descentml/descent/study"
)

// The names of cells; those of pairs are in their list, those of Fashion-MNIST
// in fashion.go.
const (
	worstCell      = "worst case"
	growthCell     = "worst case by n"
	twoPointsCell  = "two points"
	pathsCell      = "paths"
	sweepCell      = "digits 3 v 8 by rate"
	smallStepsCell = "small steps"
)

// What the cells are run at.
var (
	worstPlain      = []float64{1, 10, 100, 1e4}
	worstNormalized = []float64{0.1, 1, 10, 100}
	growthSizes     = []int{10, 50, 100, 200, 500, 1000, 2000}
	twoPointsRates  = []float64{1, 10, 100, 1000}
	pairPlain       = []float64{0.1, 1, 10, 100, 1e4}
	pairNormalized  = []float64{0.1, 1, 10, 100, 1e6}
	imbalanceRates  = []float64{0.1, 1, 10, 100}
	shares          = []float64{0.5, 0.02}
)

func imbalanceCell(share float64) string { return fmt.Sprintf("imbalance %g", share) }

func (e *experiment) cells(setup study.Setup) ([]study.Cell, error) {
	list := []study.Cell{
		{Name: worstCell, Run: e.worst},
		{Name: growthCell, Run: e.growth},
		{Name: twoPointsCell, Run: e.twoPoints},
		{Name: sweepCell, Run: e.sweep},
		{Name: smallStepsCell, Run: e.smallSteps},
	}
	for i, p := range pairs {
		list = append(list, study.Cell{Name: p.cell, Run: func(ctx context.Context) (study.Measured, error) {
			return e.pair(ctx, p, i == 0)
		}})
	}
	draws := 10
	if setup.Preset == study.Smoke {
		draws = 1
	}
	for _, seed := range setup.Seeds {
		list = append(list, study.Cell{Name: pathsCell, Seed: seed, Run: func(ctx context.Context) (study.Measured, error) {
			return e.paths(ctx, seed)
		}})
		for _, share := range shares {
			list = append(list, study.Cell{Name: imbalanceCell(share), Seed: seed, Run: func(ctx context.Context) (study.Measured, error) {
				return e.imbalance(ctx, share, seed, draws)
			}})
		}
	}
	return append(list, e.fashionCells(setup.Preset)...), nil
}

// worst is the paper's worst case with 1,000 examples.
func (e *experiment) worst(ctx context.Context) (study.Measured, error) {
	s, m := worstCase(1000), newMeasured()
	g, err := s.geometry(ctx, 1e-6)
	if err != nil {
		return m, err
	}
	m.Values["difficulty"] = g.Difficulty()
	return m, runAll(ctx, m, s, e.runners(worstPlain, worstNormalized), g, false)
}

// growth is the worst case for more and more examples.
func (e *experiment) growth(ctx context.Context) (study.Measured, error) {
	m := newMeasured()
	for _, r := range e.runners(nil, []float64{1}) {
		var curve study.Curve
		for _, n := range growthSizes {
			one := newMeasured()
			if err := runAll(ctx, one, worstCase(n), []runner{r}, nil, false); err != nil {
				return m, err
			}
			curve.X, curve.Y = append(curve.X, float64(n)), append(curve.Y, one.Values[r.label+iterations])
		}
		m.Curves[r.label] = curve
	}
	return m, nil
}

// twoPoints is theorem 4.1: how far the loss rises in the first step, and how
// far the iterates are from those of the limit.
func (e *experiment) twoPoints(ctx context.Context) (study.Measured, error) {
	m := newMeasured()
	for _, rate := range twoPointsRates {
		path, result, err := trace(ctx, twoPoints(), e.plain(rate))
		if err != nil {
			return m, err
		}
		label := plainLabel(rate)
		m.Values[label+iterations] = count(result)
		for t, limit := range [][]float64{{0, 0}, {0.5, 0.75}, {1, 0.25}} {
			if t < len(path) {
				m.Values[fmt.Sprintf("%s loss %d", label, t)] = result.Losses[t]
				m.Values[fmt.Sprintf("%s distance %d", label, t)] = distance(path[t], limit)
			}
		}
	}
	return m, nil
}

// trace runs a method and keeps every iterate, divided by the learning rate.
func trace(ctx context.Context, s *set, method separation.Method) ([][]float64, *separation.Result, error) {
	problem, err := s.problem()
	if err != nil {
		return nil, nil, err
	}
	var path [][]float64
	result, err := separation.Run(ctx, problem, method, separation.Settings{
		MaxIterations: iterationLimit,
		Observe: func(_ separation.Iterate, state []float64) error {
			path = append(path, slices.Clone(state))
			return nil
		},
	})
	return path, result, err
}

// distance is the largest difference of two vectors' elements.
func distance(a, b []float64) float64 {
	largest := 0.0
	for i := range a {
		largest = max(largest, math.Abs(a[i]-b[i]))
	}
	return largest
}

// paths compares gradient descent with the perceptrons step by step on random
// data, and looks at the bounds, the length of steps and what changes nothing.
func (e *experiment) paths(ctx context.Context, seed uint64) (study.Measured, error) {
	s, m := gaussian(seed), newMeasured()
	g, err := s.geometry(ctx, 1e-6)
	if err != nil {
		return m, err
	}
	rates := []float64{0.1, 1, 10, 100}
	if err := runAll(ctx, m, s, e.runners(nil, rates), g, false); err != nil {
		return m, err
	}
	for _, rate := range []float64{100, 1e6, 1e8} {
		if err := compare(ctx, m, s, runner{plainLabel(rate), e.plain(rate)}, e.batch); err != nil {
			return m, err
		}
		if err := compare(ctx, m, s, runner{normalizedLabel(rate), e.normalized(rate)}, e.normalizedBatch); err != nil {
			return m, err
		}
	}
	for _, rate := range rates {
		path, _, err := trace(ctx, s, e.normalized(rate))
		if err != nil {
			return m, err
		}
		m.Values["longest step"] = max(m.Values["longest step"], longestStep(path)/g.Radius)
	}
	return m, e.invariances(ctx, m, s)
}

// What compare measures, after the label.
const (
	pathDistance  = " distance" // from the perceptron's path, of iterates divided by the rate
	pathOtherStop = " stops"    // difference of the numbers of iterations
)

// compare measures how far a run is from that of a perceptron.
func compare(ctx context.Context, m study.Measured, s *set, r runner, perceptron separation.Method) error {
	path, _, err := trace(ctx, s, r.method)
	if err != nil {
		return err
	}
	limit, _, err := trace(ctx, s, perceptron)
	if err != nil {
		return err
	}
	apart := 0.0
	for t := range min(len(path), len(limit)) {
		apart = max(apart, distance(path[t], limit[t]))
	}
	m.Values[r.label+pathDistance] = apart
	m.Values[r.label+pathOtherStop] = math.Abs(float64(len(path) - len(limit)))
	return nil
}

func longestStep(path [][]float64) float64 {
	longest := 0.0
	for t := range len(path) - 1 {
		square := 0.0
		for i := range path[t] {
			square += (path[t+1][i] - path[t][i]) * (path[t+1][i] - path[t][i])
		}
		longest = max(longest, math.Sqrt(square))
	}
	return longest
}

// invariances counts the runs whose number of iterations changes where it must
// not: perceptrons on scaled examples, and all but the single perceptron with
// every example twice.
func (e *experiment) invariances(ctx context.Context, m study.Measured, s *set) error {
	perceptrons := []runner{{batchLabel, e.batch}, {normalizedBatchLabel, e.normalizedBatch}, {perceptronLabel, e.perceptron}}
	averaged := append(perceptrons[:2:2], runner{plainLabel(0.1), e.plain(0.1)}, runner{plainLabel(10), e.plain(10)},
		runner{normalizedLabel(0.1), e.normalized(0.1)}, runner{normalizedLabel(10), e.normalized(10)})
	for _, c := range []struct {
		changed *set
		runners []runner
	}{{s.scaled(7.25), perceptrons}, {s.twice(), averaged}} {
		before, after := newMeasured(), newMeasured()
		if err := runAll(ctx, before, s, c.runners, nil, false); err != nil {
			return err
		}
		if err := runAll(ctx, after, c.changed, c.runners, nil, false); err != nil {
			return err
		}
		for _, r := range c.runners {
			m.Values["runs compared"]++
			if before.Values[r.label+iterations] != after.Values[r.label+iterations] {
				m.Values["runs changed"]++
			}
		}
	}
	return e.rounding(ctx, m, s)
}

// rounding follows the normalised method at the rate 10 with every example once
// and twice: how far apart the iterates are, where in exact arithmetic they are
// the same.
func (e *experiment) rounding(ctx context.Context, m study.Measured, s *set) error {
	once, _, err := trace(ctx, s, e.normalized(10))
	if err != nil {
		return err
	}
	twice, _, err := trace(ctx, s.twice(), e.normalized(10))
	if err != nil {
		return err
	}
	var curve study.Curve
	for t := 1; t < min(len(once), len(twice)); t++ {
		curve.X, curve.Y = append(curve.X, float64(t)), append(curve.Y, distance(once[t], twice[t]))
	}
	m.Curves["rounding"] = curve
	return nil
}

// pair runs everything on real data.
func (e *experiment) pair(ctx context.Context, p pair, curves bool) (study.Measured, error) {
	m := newMeasured()
	s, err := p.read(ctx)
	if err != nil {
		return m, err
	}
	g, err := s.geometry(ctx, 1e-6)
	if err != nil {
		return m, err
	}
	m.Values["difficulty"], m.Values["examples"] = g.Difficulty(), float64(len(s.labels))
	return m, runAll(ctx, m, s, e.runners(pairPlain, pairNormalized), g, curves)
}

// sweep runs the first pair over many learning rates.
func (e *experiment) sweep(ctx context.Context) (study.Measured, error) {
	m := newMeasured()
	s, err := pairs[0].read(ctx)
	if err != nil {
		return m, err
	}
	for exponent := -6; exponent <= 16; exponent++ {
		rate := math.Pow(10, float64(exponent)/4)
		one := newMeasured()
		if err := runAll(ctx, one, s, []runner{{"gd", e.plain(rate)}, {"normalised", e.normalized(rate)}}, nil, false); err != nil {
			return m, err
		}
		for key, value := range one.Values {
			curve := m.Curves[key]
			m.Curves[key] = study.Curve{X: append(curve.X, rate), Y: append(curve.Y, value)}
		}
	}
	return m, nil
}

// smallSteps compares the classical step with a huge one.
func (e *experiment) smallSteps(ctx context.Context) (study.Measured, error) {
	m := newMeasured()
	s, err := pairs[0].read(ctx)
	if err != nil {
		return m, err
	}
	rows, err := s.rows()
	if err != nil {
		return m, err
	}
	curvature, err := separation.Smoothness(ctx, rows)
	if err != nil {
		return m, err
	}
	m.Values["curvature"] = curvature
	return m, runAll(ctx, m, s, []runner{{"classical", e.plain(1 / curvature)}, {"edge", e.plain(2 / curvature)}, {plainLabel(100), e.plain(100)}}, nil, false)
}

// imbalance takes medians over random data of which a share is positive.
func (e *experiment) imbalance(ctx context.Context, share float64, seed uint64, draws int) (study.Measured, error) {
	m, list := newMeasured(), e.runners(imbalanceRates, imbalanceRates)
	counts := map[string][]float64{}
	for draw := range draws {
		s := imbalanced(share, rand.New(rand.NewPCG(seed, imbalanceStream+uint64(draw)<<8)))
		g, err := s.geometry(ctx, 1e-3) // a coarse margin makes for coarse bounds, never for wrong ones
		if err != nil {
			return m, err
		}
		one := newMeasured()
		if err := runAll(ctx, one, s, list, g, false); err != nil {
			return m, err
		}
		for _, r := range list {
			counts[r.label] = append(counts[r.label], one.Values[r.label+iterations])
		}
		m.Values[boundsCompared] += one.Values[boundsCompared]
		m.Values[boundsBroken] += one.Values[boundsBroken]
	}
	for label, values := range counts {
		m.Values[label+iterations] = study.Median(values)
	}
	return m, nil
}
