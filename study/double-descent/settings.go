package doubledescent

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"github.com/descentml/descent/analysis/doubledescent"
	"github.com/descentml/descent/data"
)

// The design of the experiments.
const (
	examples     = 100 // N
	testExamples = 500
	noise        = 0.1 // share of the training labels that are replaced or flipped
	epochs       = 1000
	dimensions   = 10 // principal components that the network sees
)

// Streams of the generators of one seed.
const (
	streamDigits = 0xd161 + iota
	streamPair
	streamPrediction
)

// features have entries of W_1 that are N(0, 1): 64 inputs of digits.
var features = doubledescent.Features{Scale: 8}

func gradientDescent(name string, steps int) doubledescent.Setting {
	return doubledescent.Setting{Name: name, Features: features, Training: doubledescent.Training{Rate: 1, Epochs: steps}}
}

func exact(name string, penalty float64) doubledescent.Setting {
	return doubledescent.Setting{Name: name, Features: features,
		Training: doubledescent.Training{Method: doubledescent.Exact, Penalty: penalty}}
}

// budgets are numbers of steps.
var budgets = []int{1e2, 1e3, 1e4, 1e5, 1e6, 1e7}

const pseudoInverse = "pseudo-inverse"

func budgetSettings() (list []doubledescent.Setting) {
	for _, steps := range budgets {
		list = append(list, gradientDescent(stepsName(steps), steps))
	}
	return append(list, exact(pseudoInverse, 0))
}

const (
	slowRun    = "0.1/L, 1e3 steps"
	slowRunOn  = "0.1/L, continued to 1e7 steps"
	rescueFrom = 1e3
	rescueTo   = 1e7
)

func rescueSettings() []doubledescent.Setting {
	before, after := gradientDescent(slowRun, rescueFrom), gradientDescent(slowRunOn, rescueTo)
	before.Training.Rate, after.Training.Rate = 0.1, 0.1
	return []doubledescent.Setting{before, after}
}

// ridges are penalties in units of s_1^2.
var ridges = []float64{1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1}

func ridgeName(a float64) string { return fmt.Sprintf("ridge %.0e", a) }

func ridgeSettings() (list []doubledescent.Setting) {
	for _, a := range ridges {
		list = append(list, exact(ridgeName(a), a))
	}
	return list
}

// The ten settings whose peak is compared with their loss at the threshold.
const (
	nameGD          = "GD 1/L"
	nameSlow        = "GD 0.1/L"
	nameMomentum    = "GD 1/L, momentum 0.9"
	nameSGD         = "SGD batch 10, 0.3/L"
	nameSGDMomentum = "SGD batch 10, 0.1/L, momentum 0.9"
	nameAdam3       = "Adam 1e-3"
	nameAdam2       = "Adam 1e-2"
	nameAdam1       = "Adam 1e-1"
	nameShifted     = "GD 1/L, inputs off by 0.3"
	nameSmallFirst  = "GD 1/L, first layer x 0.1"
)

// Two more that are reported apart: a random head at the start has a test error
// of its own at every width.
const (
	nameStart1 = "GD 1/L, head from 0.1"
	nameStart2 = "GD 1/L, head from 1"
)

func factorNames() []string {
	return []string{nameGD, nameSlow, nameMomentum, nameSGD, nameSGDMomentum, nameAdam3, nameAdam2, nameAdam1, nameShifted, nameSmallFirst}
}

// factorSettings are the settings, by what they cost.
func factorSettings() (closed, sgd, adam []doubledescent.Setting) {
	vary := func(name string, change func(*doubledescent.Setting)) doubledescent.Setting {
		s := gradientDescent(name, epochs)
		change(&s)
		return s
	}
	closed = []doubledescent.Setting{
		gradientDescent(nameGD, epochs),
		vary(nameSlow, func(s *doubledescent.Setting) { s.Training.Rate = 0.1 }),
		vary(nameMomentum, func(s *doubledescent.Setting) { s.Training.Momentum = 0.9 }),
		vary(nameShifted, func(s *doubledescent.Setting) { s.Inputs.Shift = 0.3 }),
		vary(nameSmallFirst, func(s *doubledescent.Setting) { s.Features.Scale *= 0.1 }),
		vary(nameStart1, func(s *doubledescent.Setting) { s.Training.Start = 0.1 }),
		vary(nameStart2, func(s *doubledescent.Setting) { s.Training.Start = 1 }),
	}
	sgd = []doubledescent.Setting{
		vary(nameSGD, func(s *doubledescent.Setting) { s.Training.Batch, s.Training.Rate = 10, 0.3 }),
		vary(nameSGDMomentum, func(s *doubledescent.Setting) {
			s.Training.Batch, s.Training.Rate, s.Training.Momentum = 10, 0.1, 0.9
		}),
	}
	for i, name := range []string{nameAdam3, nameAdam2, nameAdam1} {
		adam = append(adam, vary(name, func(s *doubledescent.Setting) {
			s.Training = doubledescent.Training{Method: doubledescent.Adam, Rate: math.Pow(10, float64(i-3)), Epochs: epochs}
		}))
	}
	return closed, sgd, adam
}

// batchSettings compare batch sizes at equal epochs and at equal steps.
func batchSettings() ([]doubledescent.Setting, error) {
	return doubledescent.Vary("batch-size", gradientDescent("", epochs), examples)
}

func activationSettings() (list []doubledescent.Setting) {
	for _, a := range []doubledescent.Activation{doubledescent.ReLU, doubledescent.ELU, doubledescent.Softsign} {
		for _, s := range []doubledescent.Setting{gradientDescent(stepsName(1e3), 1e3), gradientDescent(stepsName(1e5), 1e5), exact(pseudoInverse, 0)} {
			s.Name, s.Features.Activation = activationName(a, s.Name), a
			list = append(list, s)
		}
	}
	return list
}

func activationName(a doubledescent.Activation, setting string) string {
	return string(a) + ", " + setting
}

// The two-layer network.
var (
	networkWidths  = []int{1, 2, 3, 5, 8, 10, 15, 30, 100}
	networkBudgets = []int{100, 1000, 10000}
)

func networkSettings() (list []doubledescent.Setting) {
	for _, steps := range networkBudgets {
		list = append(list, doubledescent.Setting{Name: stepsName(steps), Network: true,
			Training: doubledescent.Training{Rate: 0.1, Momentum: 0.9, Epochs: steps}})
	}
	return list
}

func networkMultiples() (multiples []float64) {
	threshold := doubledescent.ThresholdWidth(examples, dimensions, 1)
	for _, h := range networkWidths {
		multiples = append(multiples, float64(h)/threshold)
	}
	return multiples
}

// pixels reads the embedded digits once: images x 64 from 0 to 1, and their
// labels.
var pixels = sync.OnceValues(func() (digitSet, error) {
	table, err := data.Open(context.Background(), "digits", data.Options{})
	if err != nil {
		return digitSet{}, err
	}
	set := digitSet{images: mat.NewDense(table.Rows, len(table.Features), nil)}
	for j, column := range table.Features {
		for i, x := range column.Bytes {
			set.images.Set(i, j, float64(x)/16)
		}
		for i, x := range column.Numbers {
			set.images.Set(i, j, x/16)
		}
	}
	for _, code := range table.Target.Codes {
		label, err := strconv.Atoi(table.Target.Levels[code])
		if err != nil {
			return digitSet{}, err
		}
		set.labels = append(set.labels, label)
	}
	return set, nil
})

type digitSet struct {
	images *mat.Dense
	labels []int
}

func (d digitSet) pick(rows []int) (*mat.Dense, []int) {
	_, columns := d.images.Dims()
	inputs, labels := mat.NewDense(len(rows), columns, nil), make([]int, len(rows))
	for i, row := range rows {
		inputs.SetRow(i, d.images.RawRowView(row))
		labels[i] = d.labels[row]
	}
	return inputs, labels
}

// digits draws n training and 500 test images of all ten digits, centred by the
// training mean, with a tenth of the training labels replaced by uniform random
// ones. Targets are 1 for the digit and 0 for the others, less 0.1.
func digits(n int) func(seed uint64) (*doubledescent.Data, error) {
	return func(seed uint64) (*doubledescent.Data, error) {
		set, err := pixels()
		if err != nil {
			return nil, err
		}
		rng := rand.New(rand.NewPCG(seed, streamDigits))
		order := rng.Perm(len(set.labels))
		inputs, labels := set.pick(order[:n])
		testInputs, testLabels := set.pick(order[n : n+testExamples])
		labels = doubledescent.ReplaceLabels(labels, 10, noise, rng)
		raw := &doubledescent.Data{
			Train: doubledescent.Part{Inputs: inputs, Targets: doubledescent.OneHot(labels, 10), Labels: labels},
			Test:  doubledescent.Part{Inputs: testInputs, Targets: doubledescent.OneHot(testLabels, 10), Labels: testLabels},
		}
		return doubledescent.Inputs{Normalization: doubledescent.Centered}.Apply(raw)
	}
}

// pairOfDigits draws 100 training images of the digits 3 and 8, the others being
// for testing, as ten principal components of the centred training inputs
// divided by one deviation, with a tenth of the training labels flipped. Targets
// are -1 and +1.
func pairOfDigits(seed uint64) (*doubledescent.Data, error) {
	set, err := pixels()
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(seed, streamPair))
	order := slices.DeleteFunc(rng.Perm(len(set.labels)), func(row int) bool { return set.labels[row] != 3 && set.labels[row] != 8 })
	part := func(rows []int) doubledescent.Part {
		inputs, labels := set.pick(rows)
		for i, label := range labels {
			labels[i] = (label - 3) / 5
		}
		return doubledescent.Part{Inputs: inputs, Labels: labels}
	}
	raw := &doubledescent.Data{Train: part(order[:examples]), Test: part(order[examples:])}
	raw.Train.Labels = doubledescent.FlipLabels(raw.Train.Labels, noise, rng)
	raw.Train.Targets, raw.Test.Targets = doubledescent.Signs(raw.Train.Labels), doubledescent.Signs(raw.Test.Labels)
	centered, err := doubledescent.Inputs{Normalization: doubledescent.Centered}.Apply(raw)
	if err != nil {
		return nil, err
	}
	var components stat.PC
	if !components.PrincipalComponents(centered.Train.Inputs, nil) {
		return nil, fmt.Errorf("seed %d: the principal components were not found", seed)
	}
	var directions mat.Dense
	components.VectorsTo(&directions)
	basis := mat.DenseCopyOf(directions.Slice(0, 64, 0, dimensions))
	fixSigns(basis)
	var train, test mat.Dense
	train.Mul(centered.Train.Inputs, basis)
	test.Mul(centered.Test.Inputs, basis)
	_, deviation := stat.PopMeanStdDev(train.RawMatrix().Data, nil)
	train.Scale(1/deviation, &train)
	test.Scale(1/deviation, &test)
	centered.Train.Inputs, centered.Test.Inputs = &train, &test
	return centered, nil
}

// fixSigns turns each column so that its largest element is positive: the signs
// of principal components are arbitrary, and libraries differ in them.
func fixSigns(basis *mat.Dense) {
	rows, columns := basis.Dims()
	for j := range columns {
		column := mat.Col(nil, j, basis)
		if -floats.Min(column) > floats.Max(column) {
			for i := range rows {
				basis.Set(i, j, -column[i])
			}
		}
	}
}
