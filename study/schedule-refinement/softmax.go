package schedulerefinement

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/method/schedule"
	"github.com/descentml/descent/study"
)

// The logistic regression: an embedded set, its columns standardised, a column
// of ones beside them, and part of the labels replaced by random ones so that
// nothing can be interpolated.
const (
	replacedLabels = 0.15
	batchSize      = 16
)

// softmaxProblem is a set with an optimizer.
type softmaxProblem struct {
	set       string
	adam      bool // else plain SGD
	low, high float64
}

var softmaxProblems = func() []softmaxProblem {
	var list []softmaxProblem
	for _, set := range []string{"digits", "wine", "breast-cancer", "iris"} {
		list = append(list, softmaxProblem{set, true, 3e-3, 0.3}, softmaxProblem{set, false, 1e-2, 1})
	}
	return list
}()

func (p softmaxProblem) optimizer() string {
	if p.adam {
		return "Adam"
	}
	return "SGD"
}

func (p softmaxProblem) cell() string { return p.set + ", " + p.optimizer() }

// baselines are the schedules that know nothing of a run, in the settings of
// the specification.
func (e experiment) baselines(steps int) []entry {
	return []entry{
		{linear, e.linear(steps)},
		{cosine, schedule.Cosine(steps, 0)},
		{step, schedule.Milestones(steps, []float64{0.3, 0.6, 0.9}, 0.1)},
		{flat, schedule.Constant},
		{inverse, schedule.Inverse(float64(steps) / 45)},
		{inverseRt, schedule.InverseSqrt},
	}
}

// lossAt names a schedule's final loss at the i-th rate.
func lossAt(schedule string, i int) string { return fmt.Sprintf("%s at rate %d", schedule, i) }

// softmax trains with every schedule at every rate, on the same batches. The
// refined schedules come from one more run with batches of its own, at the rate
// that was best for linear decay.
func (e experiment) softmax(ctx context.Context, p softmaxProblem, seed uint64, sz size) (study.Measured, error) {
	m := study.Measured{Values: map[string]float64{}, Curves: map[string]study.Curve{}}
	examples, err := loadExamples(ctx, p.set, rand.New(rand.NewPCG(seed, 1)))
	if err != nil {
		return m, err
	}
	rates := geometric(p.low, p.high, sz.softmaxRates)
	const compared, recorded = 2, 3 // streams of batches
	sweep := func(s entry) (bestRate float64, err error) {
		least := math.Inf(1)
		for i, rate := range rates {
			t := training{examples: examples, adam: p.adam, rate: rate, schedule: s.f, steps: sz.softmaxSteps}
			loss, err := t.run(ctx, rand.New(rand.NewPCG(seed, compared)), nil)
			if err != nil {
				return 0, err
			}
			m.Values[lossAt(s.name, i)] = loss
			if loss < least {
				least, bestRate = loss, rate
			}
		}
		return bestRate, nil
	}
	entries := e.baselines(sz.softmaxSteps)
	best, err := sweep(entries[0])
	if err != nil {
		return m, err
	}
	var l2, l1 []float64
	t := training{examples: examples, adam: p.adam, rate: best, schedule: entries[0].f, steps: sz.softmaxSteps}
	if _, err := t.run(ctx, rand.New(rand.NewPCG(seed, recorded)), func(g []float64) {
		a, b := norms(g)
		l2, l1 = append(l2, a), append(l1, b)
	}); err != nil {
		return m, err
	}
	refined, err := e.refined(l2, l1)
	if err != nil {
		return m, err
	}
	for _, s := range append(entries[1:], refined...) {
		if _, err := sweep(s); err != nil {
			return m, err
		}
	}
	m.Curves["norms"] = curveOf(l1)
	m.Curves["schedule"] = curveOf(sampled(refined[1].f, sz.softmaxSteps))
	return m, nil
}

// examples are rows of width features, the last of them 1, with their classes.
type examples struct {
	x              []float64 // rows x width
	y              []int
	width, classes int
}

func loadExamples(ctx context.Context, set string, rng *rand.Rand) (*examples, error) {
	table, err := data.Open(ctx, set, data.Options{})
	if err != nil {
		return nil, err
	}
	width := len(table.Features) + 1
	e := &examples{x: make([]float64, table.Rows*width), y: make([]int, table.Rows), width: width, classes: len(table.Target.Levels)}
	for j, c := range table.Features {
		column := c.Numbers
		if column == nil {
			column = make([]float64, table.Rows)
			for i, b := range c.Bytes {
				column[i] = float64(b)
			}
		}
		mean, deviation := moments(column)
		for i, value := range column {
			if deviation > 0 {
				e.x[i*width+j] = (value - mean) / deviation
			}
		}
	}
	for i, code := range table.Target.Codes {
		e.x[i*width+width-1] = 1
		e.y[i] = int(code)
		if rng.Float64() < replacedLabels {
			e.y[i] = rng.IntN(e.classes)
		}
	}
	return e, nil
}

// moments are the mean and the population standard deviation.
func moments(x []float64) (mean, deviation float64) {
	for _, value := range x {
		mean += value / float64(len(x))
	}
	for _, value := range x {
		deviation += (value - mean) * (value - mean) / float64(len(x))
	}
	return mean, math.Sqrt(deviation)
}

// add adds the gradient of the loss of one row, times weight, to g, unless g is
// nil, and returns the loss. w and g are width x classes, logits classes.
func (e *examples) add(g, w, logits []float64, row int, weight float64) float64 {
	x := e.x[row*e.width : (row+1)*e.width]
	clear(logits)
	for j, value := range x {
		if value != 0 {
			for c, a := range w[j*e.classes : (j+1)*e.classes] {
				logits[c] += value * a
			}
		}
	}
	top := math.Inf(-1)
	for _, z := range logits {
		top = max(top, z)
	}
	own, sum := logits[e.y[row]], 0.0
	for c, z := range logits {
		logits[c] = math.Exp(z - top)
		sum += logits[c]
	}
	loss := math.Log(sum) + top - own
	if g == nil {
		return loss
	}
	for c := range logits {
		logits[c] *= weight / sum
	}
	logits[e.y[row]] -= weight
	for j, value := range x {
		if value != 0 {
			for c := range logits {
				g[j*e.classes+c] += value * logits[c]
			}
		}
	}
	return loss
}

// training is one run from zero weights.
type training struct {
	examples *examples
	adam     bool
	rate     float64
	schedule schedule.Func
	steps    int
}

// The settings of Adam.
const (
	beta1   = 0.9
	beta2   = 0.95
	epsilon = 1e-8
)

// run trains and returns the mean loss over all examples at the end. see, if
// not nil, is shown the gradient of every step.
func (t training) run(ctx context.Context, rng *rand.Rand, see func(g []float64)) (float64, error) {
	e := t.examples
	count := e.width * e.classes
	buffer := make([]float64, 4*count+e.classes)
	w, g, first, second, logits := buffer[:count], buffer[count:2*count], buffer[2*count:3*count], buffer[3*count:4*count], buffer[4*count:]
	for step := range t.steps {
		if step%256 == 0 && ctx.Err() != nil {
			return 0, ctx.Err()
		}
		clear(g)
		for range batchSize {
			e.add(g, w, logits, rng.IntN(len(e.y)), 1.0/batchSize)
		}
		if see != nil {
			see(g)
		}
		rate := t.rate * t.schedule(step)
		if t.adam {
			adamStep(w, g, first, second, rate, step+1)
			continue
		}
		for i, d := range g {
			w[i] -= rate * d
		}
	}
	total := 0.0
	for row := range e.y {
		total += e.add(nil, w, logits, row, 0)
	}
	return total / float64(len(e.y)), nil
}

// adamStep is the t-th step of Adam.
func adamStep(w, g, first, second []float64, rate float64, t int) {
	unbias1, unbias2 := 1-math.Pow(beta1, float64(t)), 1-math.Pow(beta2, float64(t))
	for i, d := range g {
		first[i] += (1 - beta1) * (d - first[i])
		second[i] += (1 - beta2) * (d*d - second[i])
		w[i] -= rate * first[i] / unbias1 / (math.Sqrt(second[i]/unbias2) + epsilon)
	}
}
