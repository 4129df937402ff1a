package sgdstability

import (
	"fmt"
	"slices"

	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/study"
)

func sections(r *study.Results) []report.Section {
	return []report.Section{pictureSection(r), diagonalSection(r), reluSection(r), escapeSection(r), balanceSection(r)}
}

// overRates is a value over learning rates as a line with the range of seeds.
func overRates(r *study.Results, title, value string, cells []string, rates []float64, color int) plot.Line {
	line := plot.Line{Name: title, X: rates, Color: color, Points: true}
	for _, cell := range cells {
		values := r.Over(cell, value)
		line.Y = append(line.Y, study.Mean(values))
		line.Low, line.High = append(line.Low, slices.Min(values)), append(line.High, slices.Max(values))
	}
	return line
}

// limitLine is 2 / rate.
func limitLine(rates []float64) plot.Line {
	line := plot.Line{Name: "2 / learning rate", X: rates, Muted: true}
	for _, rate := range rates {
		line.Y = append(line.Y, 2/rate)
	}
	return line
}

// pictureSection is the paper's central picture: the trace of the solution
// found against 2 / rate.
func pictureSection(r *study.Results) report.Section {
	figure := func(title, caption string, name func(string, float64) string, sgdRates, gdRates []float64) plot.Figure {
		sgdCells, gdCells := cellsOf(name, sgd, sgdRates), cellsOf(name, gd, gdRates)
		return plot.Figure{
			Title: title, Caption: caption,
			X: plot.Axis{Label: "learning rate", Log: true}, Y: plot.Axis{Label: "trace, largest eigenvalue", Log: true},
			Lines: []plot.Line{
				limitLine(slices.Sorted(slices.Values(slices.Concat(sgdRates, gdRates)))),
				overRates(r, "trace, SGD", trace, sgdCells, sgdRates, 1),
				overRates(r, "trace, gradient descent", trace, gdCells, gdRates, 2),
				overRates(r, "largest eigenvalue, gradient descent", sharpness, gdCells, gdRates, 3),
			},
		}
	}
	return report.Section{
		Title: "SGD cannot stay where the trace is above 2 / learning rate",
		Text: "Networks with more parameters than examples, trained without noise. SGD takes one example a step. Its stability bounds the trace of the Hessian, " +
			"a sum over all parameters; that of gradient descent bounds the largest eigenvalue alone, which is far below the line anyway.",
		Figures: []plot.Figure{
			figure("Diagonal linear network", "1,000 features, 300 examples, 3 features matter. Bands are the range over seeds.", diagonalCell, diagonalRates, diagonalGDRates),
			figure("Two-layer ReLU network", "60 neurons learn 3, on 120 examples in 20 dimensions.", reluCell, reluRates, reluGDRates),
			errorFigure(r),
		},
	}
}

func errorFigure(r *study.Results) plot.Figure {
	return plot.Figure{
		Title: "Test error", Caption: "Diagonal network: mean square error on new examples. SGD improves by orders of magnitude with its learning rate.",
		X: plot.Axis{Label: "learning rate", Log: true}, Y: plot.Axis{Label: "mean square test error", Log: true},
		Lines: []plot.Line{
			overRates(r, "SGD", testError, cellsOf(diagonalCell, sgd, diagonalRates), diagonalRates, 1),
			overRates(r, "gradient descent", testError, cellsOf(diagonalCell, gd, diagonalGDRates), diagonalGDRates, 2),
		},
	}
}

// solutions is a table of what was found, one row for a method and a rate.
func solutions(r *study.Results, caption, normTitle string, name func(string, float64) string, sgdRates, gdRates []float64) *report.Table {
	table := &report.Table{Caption: caption, Columns: []report.Column{
		{Name: "Method"}, {Name: "Rate", Numeric: true}, {Name: "2 / rate", Numeric: true}, {Name: "Trace", Numeric: true}, {Name: "Frobenius norm", Numeric: true}, {Name: "Largest eigenvalue", Numeric: true},
		{Name: "Exact limit", Numeric: true, Help: "largest learning rate at which SGD with one example a step is stable in mean square at the solution"},
		{Name: normTitle, Numeric: true}, {Name: "Training loss", Numeric: true}, {Name: "Test error", Numeric: true},
		{Name: "Clipped", Numeric: true, Help: "steps with a shortened gradient, and the last of them as a share of all steps"},
	}}
	for _, method := range []string{sgd, gd} {
		rates := sgdRates
		if method == gd {
			rates = gdRates
		}
		for _, rate := range rates {
			mean := func(value string) float64 { return study.Mean(r.Over(name(method, rate), value)) }
			cells := []string{method, fmt.Sprint(rate)}
			for _, v := range []float64{2 / rate, mean(trace), mean(frobenius), mean(sharpness), mean(threshold), mean(norm), mean(trainLoss), mean(testError)} {
				cells = append(cells, fmt.Sprintf("%.3g", v))
			}
			cells = append(cells, fmt.Sprintf("%.0f, %.0f %%", mean(clipped), 100*mean(lastClipped)))
			table.Rows = append(table.Rows, report.Row{Cells: cells})
		}
	}
	return table
}

func diagonalSection(r *study.Results) report.Section {
	return report.Section{
		Title: "Diagonal linear network",
		Text: "f(x) = sum a b x. The 1-norm of the true coefficients is 3. The exact limit of SGD at what gradient descent finds is far below the learning rates used: " +
			"SGD could not have stayed there.",
		Table: solutions(r, "Means over seeds", "1-norm", diagonalCell, diagonalRates, diagonalGDRates),
	}
}

func reluSection(r *study.Results) report.Section {
	return report.Section{
		Title: "Two-layer ReLU network", Table: solutions(r, "Means over seeds; the test error is relative to the mean square of the target", "Path norm", reluCell, reluRates, reluGDRates),
		Figures: []plot.Figure{{
			Title: "Path norm", Caption: "The trace bounds the path norm.",
			X: plot.Axis{Label: "learning rate", Log: true}, Y: plot.Axis{Label: "path norm", Log: true},
			Lines: []plot.Line{
				overRates(r, "SGD", norm, cellsOf(reluCell, sgd, reluRates), reluRates, 1),
				overRates(r, "gradient descent", norm, cellsOf(reluCell, gd, reluGDRates), reluGDRates, 2),
			},
		}},
	}
}

func escapeSection(r *study.Results) report.Section {
	figure := plot.Figure{
		Title: "SGD leaves what gradient descent found", X: plot.Axis{Label: "step"}, Y: plot.Axis{Label: "training loss", Log: true},
		Caption: "From a solution of gradient descent, moved a little. At 0.03 its trace is far above 2 / 0.03: the loss rises by orders of magnitude before SGD settles elsewhere. At 0.002 SGD stays.",
	}
	seed := r.Setup.Seeds[0]
	for i, run := range []struct{ label, title string }{{"", "learning rate 0.03"}, {control, "learning rate 0.002"}} {
		curve := r.Curve(escapeCell, seed, run.label+lossCurve)
		figure.Lines = append(figure.Lines, plot.Line{Name: run.title, X: curve.X, Y: curve.Y, Color: i + 1})
	}
	return report.Section{Title: "Escape", Figures: []plot.Figure{figure}, Text: fmt.Sprintf(
		"The trace goes from %s to %s; 2 / 0.03 is 66.7. Of 40,000 steps %s were clipped, the last of them within the first %.0f %%.",
		study.Spread(r.Over(escapeCell, startTrace)), study.Spread(r.Over(escapeCell, trace)), study.Spread(r.Over(escapeCell, clipped)), 100*slices.Max(r.Over(escapeCell, lastClipped)))}
}

func balanceSection(r *study.Results) report.Section {
	table := &report.Table{
		Caption: "r = sum (a^2 + b^2) / (2 sum |a b|) at the end, mean and deviation over seeds",
		Columns: []report.Column{{Name: "Start", Numeric: true}, {Name: "SGD", Numeric: true}, {Name: "Gradient descent", Numeric: true}, {Name: "Training losses", Numeric: true}},
	}
	for _, r0 := range sizeOf(r.Setup.Preset).balances {
		s, g := balanceCell(sgd, r0), balanceCell(gd, r0)
		table.Rows = append(table.Rows, report.Row{Cells: []string{
			fmt.Sprint(r0), study.Spread(r.Over(s, balanceName)), study.Spread(r.Over(g, balanceName)),
			fmt.Sprintf("%.2g, %.2g", study.Mean(r.Over(s, trainLoss)), study.Mean(r.Over(g, trainLoss))),
		}})
	}
	return report.Section{Title: "Balance of the layers", Table: table, Text: "The trace is least among networks with the same function where the layers are balanced, and there r is 1."}
}
