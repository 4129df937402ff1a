package largesteplogistic

import (
	"context"
	"fmt"
	"sync"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/study"
)

// fashionSet is the name of Fashion-MNIST.
const fashionSet = "fashion-mnist"

// fashionPair is two classes of Fashion-MNIST. The paper does not say in its
// main text which it takes; these separate within the limit, in minutes.
type fashionPair struct{ positive, negative string }

var fashionPairs = []fashionPair{{"Trouser", "Dress"}, {"T-shirt/top", "Trouser"}}

// fashionShare is the share of the positive class in the imbalanced sets.
const fashionShare = 0.05

// The rates of the paper's table.
var (
	fashionPlain      = []float64{10, 100}
	fashionNormalized = []float64{0.1, 1, 10, 100}
)

func fashionCell(p fashionPair, share float64) string {
	return fmt.Sprintf("%s v %s, %.0f %% positive", p.positive, p.negative, 100*share)
}

// fashionSize is the number of pairs and of examples of each set: those of the
// paper's figures in the full preset, less in the quick one, none in a test.
func fashionSize(preset study.Preset) (pairs, examples int) {
	switch preset {
	case study.Full:
		return len(fashionPairs), 5000
	case study.Quick:
		return 1, 1000
	}
	return 0, 0
}

// fashionCells has a cell for each run, as one takes many seconds.
func (e *experiment) fashionCells(preset study.Preset) []study.Cell {
	count, examples := fashionSize(preset)
	if !data.Installed(fashionSet) {
		return nil
	}
	read := sync.OnceValues(func() (*data.Table, error) {
		return data.Open(context.Background(), fashionSet, data.Options{}) // shared by cells; under two seconds
	})
	var list []study.Cell
	for _, p := range fashionPairs[:count] {
		for _, share := range []float64{0.5, fashionShare} {
			for _, r := range e.runners(fashionPlain, fashionNormalized) {
				if r.label == perceptronLabel {
					continue
				}
				list = append(list, study.Cell{Name: fashionRun(p, share, r.label), Run: func(ctx context.Context) (study.Measured, error) {
					return p.run(ctx, read, share, examples, r)
				}})
			}
		}
	}
	return list
}

func fashionRun(p fashionPair, share float64, label string) string {
	return fashionCell(p, share) + ", " + label
}

func (p fashionPair) run(ctx context.Context, read func() (*data.Table, error), share float64, examples int, r runner) (study.Measured, error) {
	m := newMeasured()
	table, err := read()
	if err != nil {
		return m, err
	}
	s, err := p.set(table, share, examples)
	if err != nil {
		return m, err
	}
	return m, runAll(ctx, m, s, []runner{r}, nil, false)
}

// set is the first examples of both classes in the order of the training part,
// with pixels divided by 255 and a constant feature.
func (p fashionPair) set(table *data.Table, share float64, examples int) (*set, error) {
	positive := int(share * float64(examples))
	left := map[string]int{p.positive: positive, p.negative: examples - positive}
	s := &set{}
	for row := range table.TestFrom {
		level := table.Target.Levels[table.Target.Codes[row]]
		if left[level] == 0 {
			continue
		}
		left[level]--
		features := make([]float64, 0, len(table.Features)+1)
		for i := range table.Features {
			features = append(features, float64(table.Features[i].Bytes[row])/255)
		}
		label := -1.0
		if level == p.positive {
			label = 1
		}
		s.add(label, append(features, 1)...)
	}
	if len(s.labels) != examples {
		return nil, fmt.Errorf("%s has %d examples of %s and %s: expected %d", fashionSet, len(s.labels), p.positive, p.negative, examples)
	}
	return s, nil
}
