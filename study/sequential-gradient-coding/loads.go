package sequentialgradientcoding

import (
	"context"
	"fmt"
	"math"

	"github.com/descentml/descent/fleet/coding"
	"github.com/descentml/descent/study"
)

// publishedLoads are those of the paper's experiments.
var publishedLoads = []struct {
	scheme string
	load   float64
}{
	{"m-sgc:B=1,W=2,lambda=27", 0.00754310}, {"m-sgc:B=1,W=2,lambda=24", 0.00751202}, {"sr-sgc:B=2,W=3,lambda=23", 13. / 256}, {"gc:s=15", 16. / 256}, {"uncoded", 1. / 256},
}

// Names of values of the cell of loads.
const (
	loadOff       = "largest deviation from the published loads"
	unordered     = "tuples where M-SGC < SR-SGC <= GC fails"
	tuples        = "tuples"
	assignedOff   = "largest deviation of what tasks process from the formula"
	belowBound    = "tuples below the bound"
	wrongEquality = "tuples with equality where none belongs, or none where it does"
	gapRatio      = "largest ratio of the gap at 2W to that at W"
	gapRatioLeast = "least ratio of the gap at 2W to that at W"
)

// The tuple of the figure of loads over W.
const figureWorkers, figureB, figureLambda = 20, 3, 4

func (e experiment) loads(ctx context.Context) (study.Measured, error) {
	m := newMeasured()
	for _, p := range publishedLoads {
		m.Values[loadOff] = max(m.Values[loadOff], math.Abs(e.load(spec("%s", p.scheme), 256)-p.load))
	}
	for n := 1; n <= 12; n++ {
		for w := 2; w <= 8; w++ {
			for b := 1; b < w; b++ {
				for lambda := 0; lambda <= n; lambda++ {
					if err := ctx.Err(); err != nil {
						return m, err
					}
					e.compare(m.Values, n, b, w, lambda)
				}
			}
		}
	}
	for _, text := range []string{"uncoded", "gc:s=3", "sr-sgc:B=2,W=3,lambda=5", "m-sgc:B=2,W=3,lambda=3", "m-sgc:B=1,W=4,lambda=5", "m-sgc-rep:B=3,W=4,lambda=3"} {
		off, err := e.assigned(spec("%s", text), 8)
		if err != nil {
			return m, err
		}
		m.Values[assignedOff] = max(m.Values[assignedOff], off)
	}
	e.overW(m)
	return m, nil
}

// compare counts what is wrong at one tuple.
func (e experiment) compare(values map[string]float64, n, b, w, lambda int) {
	msgc := e.load(coding.Spec{Kind: coding.MSGC, B: b, W: w, Lambda: lambda}, n)
	gap := msgc - coding.LeastLoad(n, b, w, lambda)
	values[belowBound] += bit(!(gap >= -1e-12))
	values[wrongEquality] += bit((math.Abs(gap) <= 1e-12) != (lambda == 0 || lambda >= n-1))
	// At equal tolerance GC needs s = lambda, and SR-SGC a W with B dividing W-1.
	if lambda == 0 || lambda >= n || (w-1)%b != 0 {
		return
	}
	values[tuples]++
	srsgc := e.load(coding.Spec{Kind: coding.SRSGC, B: b, W: w, Lambda: lambda}, n)
	gc := e.load(coding.Spec{Kind: coding.GC, S: lambda}, n)
	values[unordered] += bit(!(msgc < srsgc && srsgc <= gc))
}

// assigned measures how far the tasks of a round in which as many jobs as ever are
// in work are from the load of the formula.
func (e experiment) assigned(s coding.Spec, workers int) (float64, error) {
	scheme, err := e.scheme(s, workers, s.Delay()+5)
	if err != nil {
		return 0, err
	}
	worst := 0.0
	for {
		if err := scheme.Begin(); err != nil {
			return 0, err
		}
		if scheme.Round() == s.Delay()+2 {
			break
		}
		if _, err := scheme.End(coding.NewSet(workers)); err != nil {
			return 0, err
		}
	}
	for worker := range workers {
		load := 0.0
		for _, task := range scheme.Tasks(worker) {
			for _, chunk := range task.Chunks {
				load += scheme.Placement().Fractions[chunk]
			}
		}
		worst = max(worst, math.Abs(load-e.load(s, workers)))
	}
	return worst, nil
}

// overW draws loads against W at one tolerance, and the gap to the bound.
func (e experiment) overW(m study.Measured) {
	curves := map[string]study.Curve{}
	add := func(name string, w int, load float64) {
		c := curves[name]
		c.X, c.Y = append(c.X, float64(w)), append(c.Y, load)
		curves[name] = c
	}
	for w := figureB + 1; w <= 32; w++ {
		add("m-sgc", w, e.load(coding.Spec{Kind: coding.MSGC, B: figureB, W: w, Lambda: figureLambda}, figureWorkers))
		add("bound", w, coding.LeastLoad(figureWorkers, figureB, w, figureLambda))
		add("gc", w, e.load(coding.Spec{Kind: coding.GC, S: figureLambda}, figureWorkers))
		add("uncoded", w, 1./figureWorkers)
		if (w-1)%figureB == 0 {
			add("sr-sgc", w, e.load(coding.Spec{Kind: coding.SRSGC, B: figureB, W: w, Lambda: figureLambda}, figureWorkers))
		}
	}
	for name, c := range curves {
		m.Curves[name] = c
	}
	gap := func(w int) float64 {
		return e.load(coding.Spec{Kind: coding.MSGC, B: figureB, W: w, Lambda: figureLambda}, figureWorkers) - coding.LeastLoad(figureWorkers, figureB, w, figureLambda)
	}
	m.Values[gapRatioLeast] = math.Inf(1)
	for w := 4; w < 32; w *= 2 {
		ratio := gap(2*w) / gap(w)
		m.Values[gapRatio], m.Values[gapRatioLeast] = max(m.Values[gapRatio], ratio), min(m.Values[gapRatioLeast], ratio)
		m.Values[gapName(w)] = gap(w)
	}
	m.Values[gapName(32)] = gap(32)
}

func gapName(w int) string { return fmt.Sprintf("gap at W = %d", w) }
