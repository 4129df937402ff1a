package mfacstudy

import (
	"fmt"
	"slices"

	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/study"
)

// The order of the tables and figures.
var (
	pruned    = []string{fullPruning, blockPruning, oncePruning, fewPruning, diagonalPruning, magnitudePruning}
	optimized = append([]string{tunedMFAC, defaultMFAC}, rivals...)
)

func sections(r *study.Results) []report.Section {
	return []report.Section{
		{
			Title: "Pruning in one go",
			Text: "A network of 64-40-20-10 units for the embedded digits (3,560 weights that can be pruned) is trained with SGD and then pruned without further training. " +
				"Each round takes new gradients of single training examples and multiplies the share of the weights that are left by a constant.",
			Table: pruningTable(r), Figures: []plot.Figure{pruningFigure(r)},
		},
		{
			Title: "Training",
			Text:  "The same network and split, trained with a constant learning rate in batches of 32. M-FAC's gradients are those of batches.",
			Table: trainingTable(r), Figures: []plot.Figure{trainingFigure(r)},
		},
		{
			Title:   "Cost",
			Text:    "The least time of several runs, in float32, on one core.",
			Table:   errorTable(r),
			Figures: costFigures(r),
		},
	}
}

func pruningTable(r *study.Results) *report.Table {
	table := &report.Table{
		Caption: "After pruning to 90 %: mean and standard deviation over seeds",
		Columns: []report.Column{{Name: "Pruning"}, {Name: "test accuracy", Numeric: true}, {Name: "before", Numeric: true}, {Name: "train loss", Numeric: true}, {Name: "train loss at 80 %", Numeric: true}},
	}
	for _, name := range pruned {
		row := report.Row{Cells: []string{name}}
		for _, value := range []string{testAccuracy, startScore, trainLoss, lossAt80} {
			cell := ""
			if values := r.Over(name, value); !slices.ContainsFunc(values, func(x float64) bool { return x != x }) {
				cell = study.Spread(values)
			}
			row.Cells = append(row.Cells, cell)
		}
		table.Rows = append(table.Rows, row)
	}
	return table
}

func pruningFigure(r *study.Results) plot.Figure {
	figure := plot.Figure{
		Title: "Accuracy by sparsity", X: plot.Axis{Label: "share of the weights that are zero"}, Y: plot.Axis{Label: "test accuracy"},
		Caption: "Test accuracy after each round of pruning; the band is the range over seeds.",
	}
	for i, name := range pruned {
		line := r.OverSeeds(name, testAccuracy)
		line.Name, line.Color, line.Points, line.Emphasis = name, i+1, true, name == fullPruning
		figure.Lines = append(figure.Lines, line)
	}
	return figure
}

func trainingTable(r *study.Results) *report.Table {
	table := &report.Table{
		Caption: "After training: mean and standard deviation over seeds",
		Columns: []report.Column{{Name: "Method"}, {Name: "train loss", Numeric: true}, {Name: "test accuracy", Numeric: true}},
	}
	for _, name := range optimized {
		table.Rows = append(table.Rows, report.Row{Cells: []string{name, study.Spread(r.Over(name, trainLoss)), study.Spread(r.Over(name, testAccuracy))}})
	}
	return table
}

func trainingFigure(r *study.Results) plot.Figure {
	figure := plot.Figure{
		Title: "Training loss", X: plot.Axis{Label: "epoch"}, Y: plot.Axis{Label: "training loss", Log: true},
		Caption: "Mean loss over the training part after each epoch; the band is the range over seeds.",
	}
	for i, name := range optimized {
		line := r.OverSeeds(name, trainLoss)
		line.Name, line.Color, line.Emphasis, line.Dashed = name, i+1, name == tunedMFAC, name == defaultMFAC
		figure.Lines = append(figure.Lines, line)
	}
	return figure
}

func errorTable(r *study.Results) *report.Table {
	table := &report.Table{Caption: "Largest relative errors over all seeds and sizes", Columns: []report.Column{{Name: "Quantity"}, {Name: "error", Numeric: true}}}
	for _, line := range [][2]string{
		{"static product", staticError}, {"dynamic product as published", paperError}, {"dynamic product by Cholesky", choleskyError},
		{"log determinant", logError}, {"product after replacements", orderError}, {"M-FAC in blocks against WoodFisher", woodError},
	} {
		table.Rows = append(table.Rows, report.Row{Cells: []string{line[0], fmt.Sprintf("%.1e", worst(r, line[1]))}})
	}
	return table
}

func costFigures(r *study.Results) []plot.Figure {
	line := func(name, curve string) plot.Line {
		c := r.Curve(costCell, 0, curve)
		return plot.Line{Name: name, X: c.X, Y: c.Y, Points: true}
	}
	return []plot.Figure{
		{
			Title: "Time by parameters", X: plot.Axis{Label: "parameters", Log: true}, Y: plot.Axis{Label: "seconds", Log: true},
			Caption: "64 gradients. A step replaces a gradient of the window and computes the product with it.",
			Lines:   []plot.Line{line("static product", staticCurve), line("step of the window", stepCurve)},
		},
		{
			Title: "Precomputation by gradients", X: plot.Axis{Label: "gradients", Log: true}, Y: plot.Axis{Label: "seconds", Log: true},
			Caption: "20,000 parameters.",
			Lines:   []plot.Line{line("static precomputation", precomputation)},
		},
	}
}
