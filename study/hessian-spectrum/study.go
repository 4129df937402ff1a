// Package hessianspectrum measures the claims of "Empirical Analysis of the
// Hessian of Over-Parametrized Neural Networks" (Sagun, Evci, Guney, Dauphin and
// Bottou, ICLR 2018 workshop): the Hessian of a trained network has a bulk of
// eigenvalues at zero and about as many large ones as there are classes, width
// adds to the bulk alone, and solutions of large and of small batches lie in
// one basin.
//
// Digits of 8x8 pixels stand in for MNIST, and a network of dense layers for
// the AlexNet on CIFAR-10 of the experiment with batches.
package hessianspectrum

import (
	"context"
	"fmt"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/objective"
	"github.com/descentml/descent/study"
)

// New returns the study.
func New() *study.Study {
	return experiment{
		hessian: (*objective.Risk).Hessian,
		onward:  func(first, _ []float64) []float64 { return first },
	}.study()
}

// experiment is the study with what it looks at, which tests replace to see a
// claim fail.
type experiment struct {
	// hessian is the matrix whose eigenvalues are looked at.
	hessian func(f *objective.Risk, ctx context.Context) *objective.Operator
	// onward is where the second part of the training with batches begins,
	// given the end of the first part and other initial weights.
	onward func(first, other []float64) []float64
}

func (e experiment) study() *study.Study {
	return &study.Study{Paper: "hessian-spectrum", Claims: claims(), Cells: e.cells, Sections: sections}
}

// size is how large the measurements of a preset are.
type size struct {
	classes      []int // of the clusters
	clusterSteps int   // of gradient descent, 4/3 of it for 20 classes
	widths       []int
	widthSteps   int
	batchSteps   int // of the comparison of batch sizes
	basinSteps   int // of each of the two parts
	curveSteps   int // of the search for a curved path
}

// sizeOf is the specification's size, but for tests.
func sizeOf(p study.Preset) size {
	if p == study.Smoke {
		return size{classes: []int{5, 10}, clusterSteps: 150, widths: []int{10, 20}, widthSteps: 100, batchSteps: 100, basinSteps: 200, curveSteps: 30}
	}
	return size{classes: []int{2, 5, 10, 20}, clusterSteps: 300, widths: []int{10, 20, 40}, widthSteps: 1500, batchSteps: 2000, basinSteps: 1500, curveSteps: 400}
}

// The names of the cells.
const (
	cellSpike = "sample covariance with a spike"
	cellBatch = "batches of 500 and of 10"
	cellBasin = "batches of 500, then of 16"
)

func clusterCell(activation string, classes int) string {
	return fmt.Sprintf("clusters/%s, %d classes", activation, classes)
}

func widthCell(units int) string { return fmt.Sprintf("digits/%d hidden units", units) }

func (e experiment) cells(setup study.Setup) ([]study.Cell, error) {
	table, err := data.Open(context.Background(), "digits", data.Options{})
	if err != nil {
		return nil, err
	}
	sz := sizeOf(setup.Preset)
	var cells []study.Cell
	for _, seed := range setup.Seeds {
		add := func(name string, run func(ctx context.Context, l laboratory) (study.Measured, error)) {
			cells = append(cells, study.Cell{Name: name, Seed: seed, Run: func(ctx context.Context) (study.Measured, error) {
				return run(ctx, laboratory{setup.Backend, table, seed})
			}})
		}
		add(cellBasin, func(ctx context.Context, l laboratory) (study.Measured, error) { return e.basin(ctx, l, sz) })
		add(cellBatch, func(ctx context.Context, l laboratory) (study.Measured, error) {
			return e.batches(ctx, l, sz.batchSteps)
		})
		for _, activation := range activations {
			for _, classes := range sz.classes {
				add(clusterCell(activation, classes), func(ctx context.Context, l laboratory) (study.Measured, error) {
					return e.clusters(ctx, l, activation, classes, sz.clusterSteps)
				})
			}
		}
		for _, units := range sz.widths {
			add(widthCell(units), func(ctx context.Context, l laboratory) (study.Measured, error) {
				return e.width(ctx, l, units, sz.widthSteps)
			})
		}
		add(cellSpike, spikes)
	}
	return cells, nil
}
