package main

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/analysis/doubledescent"
	"github.com/descentml/descent/data"
)

// How many rows a model is tested on.
const (
	fewestTestRows = 20
	mostTestRows   = 500
)

// sampler draws the training and test examples of a seed from a table.
type sampler struct {
	table    *data.Table
	examples int
	noise    float64
}

func (s sampler) draw(seed uint64) (*doubledescent.Data, error) {
	rng := rand.New(rand.NewPCG(seed, 0xdde5))
	train, test, err := s.rows(rng)
	if err != nil {
		return nil, err
	}
	encoder, err := data.Fit(s.table, train)
	if err != nil {
		return nil, fmt.Errorf("%d training examples with seed %d: %w", len(train), seed, err)
	}
	d := new(doubledescent.Data)
	for _, part := range []struct {
		out  *doubledescent.Part
		rows []int
	}{{&d.Train, train}, {&d.Test, test}} {
		features, err := encoder.Features(s.table, part.rows)
		if err != nil {
			return nil, err
		}
		part.out.Inputs = matrix(features, len(part.rows), encoder.Width())
	}
	if s.table.Task() == data.Regression {
		return d, s.values(d, encoder, train, test, rng)
	}
	return d, s.labels(d, encoder, train, test, rng)
}

// rows draws as many training rows as asked for, with every class among them,
// and up to 500 test rows.
func (s sampler) rows(rng *rand.Rand) (train, test []int, err error) {
	own, rows := s.table.TestFrom > 0, s.table.Rows
	if own {
		rows = s.table.TestFrom
	}
	others := rows - s.examples
	if others < fewestTestRows && !own || others < 0 {
		return nil, nil, fmt.Errorf("%s: %d rows are too few for %d training examples and at least %d for testing: expected more rows or a smaller --examples",
			s.table.Name, rows, s.examples, fewestTestRows)
	}
	share := float64(min(others, mostTestRows)) / float64(rows)
	spare := max(0, float64(others)/float64(rows)-share)
	if own {
		share, spare = 0, float64(others)/float64(rows)
	}
	split, err := data.NewSplit(s.table, spare, share, rng)
	if err != nil {
		return nil, nil, err
	}
	train, test = split.Train, split.Test
	// Shares of classes are rounded, so there can be a few rows too many or too few.
	rng.Shuffle(len(train), func(i, j int) { train[i], train[j] = train[j], train[i] })
	rest := slices.Clone(split.Validation)
	rng.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	missing := max(0, s.examples-len(train))
	train = append(train, rest[:min(missing, len(rest))]...)
	train = train[:min(s.examples, len(train))]
	rng.Shuffle(len(test), func(i, j int) { test[i], test[j] = test[j], test[i] })
	test = test[:min(len(test), mostTestRows)]
	slices.Sort(train)
	slices.Sort(test)
	return train, test, nil
}

// labels fills in the targets of classification: -1 and +1 for two classes, else
// one column per class.
func (s sampler) labels(d *doubledescent.Data, encoder *data.Encoder, train, test []int, rng *rand.Rand) error {
	classes := len(encoder.Classes())
	for _, part := range []struct {
		out  *doubledescent.Part
		rows []int
	}{{&d.Train, train}, {&d.Test, test}} {
		codes, err := encoder.Labels(s.table, part.rows)
		if err != nil {
			return err
		}
		part.out.Labels = make([]int, len(codes))
		for i, code := range codes {
			part.out.Labels[i] = int(code)
		}
	}
	targets := func(labels []int) *mat.Dense { return doubledescent.OneHot(labels, classes) }
	if classes == 2 {
		d.Train.Labels, targets = doubledescent.FlipLabels(d.Train.Labels, s.noise, rng), doubledescent.Signs
	} else {
		d.Train.Labels = doubledescent.ReplaceLabels(d.Train.Labels, classes, s.noise, rng)
	}
	d.Train.Targets, d.Test.Targets = targets(d.Train.Labels), targets(d.Test.Labels)
	return nil
}

// values fills in the targets of regression, in units of the deviation of the
// training targets.
func (s sampler) values(d *doubledescent.Data, encoder *data.Encoder, train, test []int, rng *rand.Rand) error {
	y, err := encoder.Targets(s.table, train)
	if err != nil {
		return err
	}
	testY, err := encoder.Targets(s.table, test)
	if err != nil {
		return err
	}
	d.Train.Targets = mat.NewDense(len(train), 1, doubledescent.ReplaceValues(matrix(y, len(train), 1).RawMatrix().Data, s.noise, rng))
	d.Test.Targets = matrix(testY, len(test), 1)
	return nil
}

func matrix(values []float32, rows, columns int) *mat.Dense {
	wide := make([]float64, len(values))
	for i, x := range values {
		wide[i] = float64(x)
	}
	return mat.NewDense(rows, columns, wide)
}
