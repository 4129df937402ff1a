//go:build unix

package main

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/backend/kernel"
	"github.com/descentml/descent/data"
	"github.com/descentml/descent/method/secondorder/gradreg"
	"github.com/descentml/descent/method/secondorder/gradreg/problem"
)

// logisticRidge is the ridge of every logistic regression here, of the mean loss.
const logisticRidge = 1e-4

// logisticGradient is the norm of the gradient at which every side ends.
const logisticGradient = 1e-8

// logisticFits are logistic regressions, from the examples to a gradient of
// norm 1e-8, by gradient-regularised Newton with a Hessian whose products are in
// float32; all else is in float64. The peer's
// side is scikit-learn's LogisticRegression by the solver in the name, on the
// same objective and to the same norm: our work is the same for each solver.
func logisticFits() []work {
	var list []work
	for _, set := range []struct {
		name string
		load func() (*mat.Dense, [][]float64, error)
	}{
		{"breast-cancer", func() (*mat.Dense, [][]float64, error) { return standardised("breast-cancer") }},
		{"digits", func() (*mat.Dense, [][]float64, error) { return standardised("digits") }},
		{"20000x500", syntheticExamples},
	} {
		for _, solver := range []string{"lbfgs", "newton-cg", "newton-cholesky"} {
			list = append(list, work{name: fmt.Sprintf("logistic %s %s", set.name, solver), prepare: func() (func() error, error) {
				examples, labels, err := set.load()
				if err != nil {
					return nil, err
				}
				kernel.UseInGonum()
				return func() error { return fitAll(examples, labels) }, nil
			}})
		}
	}
	return list
}

// fitAll fits one regression for each vector of labels.
func fitAll(examples *mat.Dense, labels [][]float64) error {
	for _, y := range labels {
		f, err := problem.NewLogistic(examples, y, logisticRidge)
		if err != nil {
			return err
		}
		r, err := gradreg.Newton{Curvature: gradreg.Dense(f.HessianFloat32), Gamma: 100}.Minimize(context.Background(), f, make([]float64, f.Dim()),
			gradreg.Limits{Gradient: logisticGradient}, nil)
		if err != nil {
			return err
		}
		if r.Status != gradreg.Converged {
			return fmt.Errorf("logistic regression ended with %s at a gradient of %g", r.Status, r.Gradient)
		}
	}
	return nil
}

// standardised is an embedded set in numbers of mean 0 and deviation 1 with a
// column of ones, and a vector of labels -1 and +1 for each class against the
// rest; of two classes, for the second.
func standardised(set string) (*mat.Dense, [][]float64, error) {
	table, err := data.Open(context.Background(), set, data.Options{})
	if err != nil {
		return nil, nil, err
	}
	all := make([]int, table.Rows)
	for i := range all {
		all[i] = i
	}
	encoder, err := data.Fit(table, all)
	if err != nil {
		return nil, nil, err
	}
	features, err := encoder.Features(table, all)
	if err != nil {
		return nil, nil, err
	}
	classes, err := encoder.Labels(table, all)
	if err != nil {
		return nil, nil, err
	}
	width := encoder.Width()
	examples := mat.NewDense(table.Rows, width+1, nil)
	for i := range table.Rows {
		row := examples.RawRowView(i)
		for j, x := range features[i*width : (i+1)*width] {
			row[j] = float64(x)
		}
		row[width] = 1
	}
	first := 0
	if len(encoder.Classes()) == 2 {
		first = 1
	}
	var labels [][]float64
	for class := first; class < len(encoder.Classes()); class++ {
		y := make([]float64, table.Rows)
		for i, c := range classes {
			y[i] = -1
			if int(c) == class {
				y[i] = 1
			}
		}
		labels = append(labels, y)
	}
	return examples, labels, nil
}

// syntheticExamples are 20,000 examples of 500 correlated features: each has
// the correlation 0.9 with the one before. torch_side.py has the same formula.
func syntheticExamples() (*mat.Dense, [][]float64, error) {
	const count, width, correlation = 20_000, 500, 0.9
	examples, y := mat.NewDense(count, width, nil), make([]float64, count)
	fresh := math.Sqrt(12 * (1 - correlation*correlation)) // of a uniform number
	for i := range count {
		row, logit := examples.RawRowView(i), 0.0
		for j := range row {
			row[j] = math.Sqrt(12) * (scattered(i*width+j) - 0.5)
			if j > 0 {
				row[j] = correlation*row[j-1] + fresh*(scattered(i*width+j)-0.5)
			}
			logit += row[j] * (float64((j*7919)%1009)/1009 - 0.5) / 4
		}
		if y[i] = -1; scattered(count*width+i) < 1/(1+math.Exp(-logit)) {
			y[i] = 1
		}
	}
	return examples, [][]float64{y}, nil
}

// scattered is a number in [0, 1) of an index, by the mixing function of
// SplitMix64.
func scattered(index int) float64 {
	z := uint64(index+1) * 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return float64((z^z>>31)>>11) / (1 << 53)
}
