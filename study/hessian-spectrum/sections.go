package hessianspectrum

import (
	"fmt"

	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/study"
)

func sections(r *study.Results) []report.Section {
	return []report.Section{outlierSection(r), basinSection(r), widthSection(r), batchSection(r)}
}

func outlierSection(r *study.Results) report.Section {
	section := report.Section{
		Title: "Outliers and classes",
		Text:  "Each network was trained on k Gaussian clusters in 100 dimensions. The line marks k: the eigenvalues to its left are expected to stand apart.",
		Table: &report.Table{Caption: "Eigenvalues that stand apart, one number for each seed", Columns: []report.Column{
			{Name: "Network"}, {Name: "parameters", Numeric: true}, {Name: "ratio rule", Numeric: true, Help: "the i from 2 to 2k with the largest ratio of eigenvalue i to the next"},
			{Name: "gap rule", Numeric: true, Help: "the i with the largest gap between eigenvalue i and the next"}, {Name: "train loss", Numeric: true},
		}},
	}
	seed := r.Setup.Seeds[0]
	for _, activation := range activations {
		for _, k := range sizeOf(r.Setup.Preset).classes {
			cell := clusterCell(activation, k)
			section.Table.Rows = append(section.Table.Rows, report.Row{Cells: []string{
				fmt.Sprintf("%s, %d classes", activation, k), known("%.0f", r.Value(cell, seed, parameters)), list(r.Over(cell, ratioCount)),
				list(r.Over(cell, gapCount)), spread(r.Over(cell, finalLoss)),
			}})
		}
	}
	for _, k := range sizeOf(r.Setup.Preset).classes {
		figure := plot.Figure{
			Title: fmt.Sprintf("%d classes", k), X: plot.Axis{Label: "number of the eigenvalue, from the largest"}, Y: plot.Axis{Label: "eigenvalue", Log: true},
			Caption:  fmt.Sprintf("Largest Ritz values of the Hessian after training, seed %d.", seed),
			Vertical: []plot.Rule{{Name: "k", At: float64(k)}},
		}
		for _, activation := range activations {
			c := r.Curve(clusterCell(activation, k), seed, "eigenvalues")
			figure.Lines = append(figure.Lines, plot.Line{Name: activation, X: c.X, Y: c.Y, Points: true, Emphasis: activation == relu})
		}
		section.Figures = append(section.Figures, figure)
	}
	return section
}

// known writes a number, or a dash where it is missing.
func known(format string, x float64) string {
	if x != x {
		return "-"
	}
	return fmt.Sprintf(format, x)
}

// spread is study.Spread with a dash where a number is missing.
func spread(values []float64) string {
	if mean := study.Mean(values); mean != mean {
		return "-"
	}
	return study.Spread(values)
}

func basinSection(r *study.Results) report.Section {
	section := report.Section{
		Title: "One basin for large and small batches",
		Text: "Training begins with batches of 500 (position 0) and goes on from there with batches of 16 at the same rate (position 1). " +
			"The control is a solution of small batches from other initial weights: on the straight line to it the loss rises, and on a curve that was trained to keep it low it does not.",
		Table: &report.Table{Caption: "One row for each seed", Columns: []report.Column{
			{Name: "Seed"}, {Name: "barrier", Numeric: true, Help: "largest train loss on the line less the larger one of its ends"}, {Name: "barrier to another solution", Numeric: true},
			{Name: "the same on a curve", Numeric: true, Help: "a quadratic Bézier curve whose middle minimises the mean loss"}, {Name: "distance", Numeric: true, Help: "between the ends of both parts"},
			{Name: "test accuracy, 500", Numeric: true}, {Name: "test accuracy, 16", Numeric: true},
		}},
	}
	for _, seed := range r.Setup.Seeds {
		row := report.Row{Cells: []string{fmt.Sprint(seed)}}
		for _, name := range []string{barrier, controlBarrier, curveBarrier, distance, largeAccuracy, smallAccuracy} {
			row.Cells = append(row.Cells, known("%.3g", r.Value(cellBasin, seed, name)))
		}
		section.Table.Rows = append(section.Table.Rows, row)
	}
	seed := r.Setup.Seeds[0]
	own, control, around := r.Curve(cellBasin, seed, curveLine), r.Curve(cellBasin, seed, curveControl), r.Curve(cellBasin, seed, curveAround)
	section.Figures = []plot.Figure{{
		Title: "Loss between two solutions", X: plot.Axis{Label: "position: 0 and 1 are the solutions"}, Y: plot.Axis{Label: "train loss"},
		Caption: fmt.Sprintf("Mean loss over all training examples, seed %d. Barriers are measured between 0 and 1.", seed),
		Lines: []plot.Line{
			{Name: "500, then 16", X: own.X, Y: own.Y, Emphasis: true},
			{Name: "16, other weights", X: control.X, Y: control.Y},
			{Name: "the same, curve", X: around.X, Y: around.Y, Dashed: true},
		},
		Vertical: []plot.Rule{{Name: "first solution", At: 0}, {Name: "second solution", At: 1}},
	}}
	return section
}

func widthSection(r *study.Results) report.Section {
	section := report.Section{
		Title: "Width",
		Text: "One hidden ReLU layer on 400 digits. The residual R is the Hessian H less its Gauss-Newton part; only R can make eigenvalues negative. " +
			"To leave R out is the paper's approximation.",
		Table: &report.Table{Caption: "After gradient descent, mean and deviation over seeds", Columns: []report.Column{
			{Name: "Hidden units"}, {Name: "parameters", Numeric: true}, {Name: "largest", Numeric: true}, {Name: "mean of ten", Numeric: true}, {Name: "smallest", Numeric: true},
			{Name: "near zero", Numeric: true, Help: "share of eigenvalues with magnitude below a thousandth of the largest"}, {Name: "near zero at start", Numeric: true},
			{Name: "negative", Numeric: true, Help: "share of eigenvalues below minus a thousandth of the largest"},
			{Name: "|R|/|H| at start", Numeric: true, Help: "Frobenius norms, from 20 random vectors"}, {Name: "|R|/|H|", Numeric: true}, {Name: "train loss", Numeric: true},
		}},
	}
	seed := r.Setup.Seeds[0]
	right := plot.Figure{
		Title: "Largest eigenvalues", X: plot.Axis{Label: "number of the eigenvalue, from the largest"}, Y: plot.Axis{Label: "eigenvalue", Log: true},
		Caption: fmt.Sprintf("After training, seed %d.", seed),
	}
	densities := plot.Figure{
		Title: "Density of the eigenvalues", X: plot.Axis{Label: "eigenvalue"}, Y: plot.Axis{Label: "density", Log: true, Min: 1e-5},
		Caption: fmt.Sprintf("By stochastic Lanczos quadrature after training, smoothed by a hundredth of the range, seed %d.", seed),
	}
	for _, units := range sizeOf(r.Setup.Preset).widths {
		cell := widthCell(units)
		row := report.Row{Cells: []string{fmt.Sprint(units), known("%.0f", r.Value(cell, seed, parameters))}}
		for _, name := range []string{largest, topTen, smallest, zeroMass, zeroAtStart, negativeMass, residualInit, residual, finalLoss} {
			row.Cells = append(row.Cells, spread(r.Over(cell, name)))
		}
		section.Table.Rows = append(section.Table.Rows, row)
		top, density := r.Curve(cell, seed, "eigenvalues"), r.Curve(cell, seed, "density")
		right.Lines = append(right.Lines, plot.Line{Name: fmt.Sprintf("%d units", units), X: top.X, Y: top.Y, Points: true})
		densities.Lines = append(densities.Lines, plot.Line{Name: fmt.Sprintf("%d units", units), X: density.X, Y: density.Y})
	}
	section.Figures = []plot.Figure{right, densities}
	return section
}

func batchSection(r *study.Results) report.Section {
	table := &report.Table{Caption: "One row for each seed", Columns: []report.Column{
		{Name: "Seed"}, {Name: "largest eigenvalue, 500", Numeric: true}, {Name: "largest eigenvalue, 10", Numeric: true},
		{Name: "train loss, 500", Numeric: true}, {Name: "train loss, 10", Numeric: true},
	}}
	for _, seed := range r.Setup.Seeds {
		row := report.Row{Cells: []string{fmt.Sprint(seed)}}
		for _, name := range []string{largeSharpness, smallSharpness, largeLoss, smallLoss} {
			row.Cells = append(row.Cells, known("%.3g", r.Value(cellBatch, seed, name)))
		}
		table.Rows = append(table.Rows, row)
	}
	return report.Section{Title: "Batch size and sharpness", Table: table, Text: "Both trainings begin at the same weights and take as many steps at the same rate."}
}
