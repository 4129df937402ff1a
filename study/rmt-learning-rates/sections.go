package rmtlearningrates

import (
	"fmt"

	"github.com/descentml/descent/analysis/randommatrix"
	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/study"
)

func sections(r *study.Results) []report.Section {
	return []report.Section{rateSection(r), gridSection(r), curvatureSection(r), learnerSection(r)}
}

func batchAxis() plot.Axis { return plot.Axis{Label: "batch size, examples", Log: true} }

func rateAxis() plot.Axis { return plot.Axis{Label: "learning rate", Log: true} }

// rateSection is the paper's central picture: the largest stable learning rate
// against the batch size, predicted and found.
func rateSection(r *study.Results) report.Section {
	return report.Section{
		Title: "The largest stable learning rate grows with the batch, then saturates",
		Text: "A batch sees the curvature of the data plus noise, and so allows a smaller learning rate than all data do. The noise falls with the batch size: " +
			"the rate grows linearly as long as noise is what limits it, and stays at 2/lam_1 from where the curvature of the data does.",
		Figures: []plot.Figure{curvatureRates(r), regressionRates(r)},
	}
}

// curvatureRates are 2 over the top eigenvalue of batches of digits.
func curvatureRates(r *study.Results) plot.Figure {
	seed := r.Setup.Seeds[0]
	top, spread := r.Curve(cellCurvature, seed, curveTop), r.Curve(cellCurvature, seed, curveSpread)
	measured := plot.Line{Name: "found", X: top.X, Points: true, Color: 1, Emphasis: true}
	predictions := []plot.Line{
		{Name: "predicted, directional noise", Color: 2, Dashed: true},
		{Name: "predicted, isotropic noise", Color: 3, Dashed: true},
	}
	all := r.Value(cellCurvature, seed, topAll)
	for i, batch := range top.X {
		measured.Y = append(measured.Y, 2/top.Y[i])
		measured.Low, measured.High = append(measured.Low, 2/(top.Y[i]+spread.Y[i])), append(measured.High, 2/(top.Y[i]-spread.Y[i]))
		b := randommatrix.EffectiveBatch(int(batch), 1000)
		for k, coefficient := range []string{directional, isotropic} {
			model := randommatrix.Model{Top: all, Excess: r.Value(cellCurvature, seed, coefficient)}
			predictions[k].X, predictions[k].Y = append(predictions[k].X, batch), append(predictions[k].Y, model.MaxRate(b))
		}
	}
	return plot.Figure{
		Title: "Largest rate of SGD on digits", X: batchAxis(), Y: rateAxis(),
		Caption:    "2 over the mean top eigenvalue of 100 batches, with one standard deviation, and what the noise of per-example Hessians predicts. First seed.",
		Lines:      append([]plot.Line{measured}, predictions...),
		Horizontal: []plot.Rule{{Name: "all data, 2/lam_1", At: 2 / all}},
	}
}

// regressionRates are the exact thresholds of least squares.
func regressionRates(r *study.Results) plot.Figure {
	seed := r.Setup.Seeds[0]
	figure := plot.Figure{
		Title: "Least squares, exactly", X: batchAxis(), Y: rateAxis(),
		Caption: "The mean-square threshold of SGD on 40 random rows with 6 columns. The theory looks at the top eigenvalue of one batch, " +
			"the exact threshold at the mean square over many steps. First seed.",
		Horizontal: []plot.Rule{{Name: "all data, 2/lam_1", At: r.Value(cellLeastSquares, seed, limitRate)}},
	}
	for i, line := range []struct{ curve, name string }{{curveExact, "exact"}, {curvePredicted, "predicted, directional noise"}, {curveIsotropic, "predicted, isotropic noise"}} {
		c := r.Curve(cellLeastSquares, seed, line.curve)
		figure.Lines = append(figure.Lines, plot.Line{Name: line.name, X: c.X, Y: c.Y, Color: i + 1, Points: i == 0, Dashed: i > 0, Emphasis: i == 0})
	}
	return figure
}

// gridSection is what trainings stand.
func gridSection(r *study.Results) report.Section {
	figure := plot.Figure{
		Title: "Largest stable rate in training", X: batchAxis(), Y: rateAxis(),
		Caption: "The largest rate of the grid with a mean test error below 0.05, and the rules from the smallest batch on.",
	}
	table := &report.Table{Caption: "Mean test error over seeds", Columns: []report.Column{{Name: "Method"}, {Name: "Batch", Numeric: true}}}
	for i := range sgd.rates {
		table.Columns = append(table.Columns, report.Column{Name: fmt.Sprintf("Rate %d", i+1), Numeric: true, Help: fmt.Sprintf("%g for SGD, %g for Adam", sgd.rates[i], adam.rates[i])})
	}
	for i, m := range []method{sgd, adam} {
		line := plot.Line{Name: m.name, Color: i + 1, Points: true, Emphasis: true}
		for _, batch := range trainingBatches {
			line.X, line.Y = append(line.X, float64(batch)), append(line.Y, largestStable(r, m, batch))
			row := report.Row{Cells: []string{m.name, fmt.Sprint(batch)}}
			for _, rate := range m.rates {
				row.Cells = append(row.Cells, fmt.Sprintf("%.3f", study.Mean(r.Over(trainingCell(m, batch), rateName(rate)))))
			}
			table.Rows = append(table.Rows, row)
		}
		rule := plot.Line{Name: "linear rule", Color: i + 1, Dashed: true, X: line.X}
		follow := randommatrix.Linear
		if m.name == adam.name {
			rule.Name, follow = "square-root rule", randommatrix.SquareRoot
		}
		for _, batch := range trainingBatches {
			rule.Y = append(rule.Y, follow(line.Y[0], trainingBatches[0], batch))
		}
		figure.Lines = append(figure.Lines, line, rule)
	}
	return report.Section{
		Title: "Largest stable rates of trainings", Table: table, Figures: []plot.Figure{figure},
		Text: "1,000 digits, a 64-64-64-10 ReLU network, 20 epochs with the paper's schedule.",
	}
}

// curvatureSection is how the top eigenvalue of batches exceeds that of all data.
func curvatureSection(r *study.Results) report.Section {
	figure := plot.Figure{
		Title: "Excess of the top eigenvalue", X: plot.Axis{Label: "effective batch size b = B/(1 - B/N)", Log: true}, Y: plot.Axis{Label: "mean top eigenvalue less that of all data", Log: true},
		Caption: "One line a seed. A slope of -1 is the theory's.",
	}
	table := &report.Table{
		Caption: "Coefficient c of the excess c/b",
		Columns: []report.Column{
			{Name: "Seed"}, {Name: "Top eigenvalue", Numeric: true, Help: "of the Hessian of all 1,000 digits"}, {Name: "Fitted", Numeric: true, Help: "to the batches"},
			{Name: "Directional", Numeric: true, Help: "by perturbation, from per-example Hessians"}, {Name: "Others at 0", Numeric: true, Help: "the same as if all other eigenvalues were 0"},
			{Name: "Isotropic", Numeric: true, Help: "P s²/lam_1, the theory's"},
		},
	}
	for i, seed := range r.Setup.Seeds {
		top, all := r.Curve(cellCurvature, seed, curveTop), r.Value(cellCurvature, seed, topAll)
		line := plot.Line{Name: fmt.Sprintf("seed %d", seed), Color: i + 1, Points: true}
		for k, batch := range top.X {
			line.X, line.Y = append(line.X, randommatrix.EffectiveBatch(int(batch), 1000)), append(line.Y, top.Y[k]-all)
		}
		figure.Lines = append(figure.Lines, line)
		row := report.Row{Cells: []string{fmt.Sprint(seed)}}
		for _, name := range []string{topAll, fitted, directional, plainCoeff, isotropic} {
			row.Cells = append(row.Cells, fmt.Sprintf("%.3g", r.Value(cellCurvature, seed, name)))
		}
		table.Rows = append(table.Rows, row)
	}
	return report.Section{Title: "Curvature of batches", Table: table, Figures: []plot.Figure{figure}}
}

// learnerSection is what is read from the spectrum.
func learnerSection(r *study.Results) report.Section {
	table := &report.Table{
		Caption: "Test error without a grid, B = 64",
		Columns: []report.Column{{Name: "Learner"}, {Name: "Mean and deviation", Numeric: true}, {Name: "Seeds", Numeric: true, Help: "1 is a training that diverged"}},
	}
	rates := plot.Figure{Title: "Learning rate that is read", X: plot.Axis{Label: "epoch"}, Y: rateAxis(), Caption: "First seed; a line ends where the training diverged."}
	momenta := plot.Figure{Title: "Momentum that is read", X: plot.Axis{Label: "epoch"}, Y: plot.Axis{Label: "momentum", Max: 1}, Caption: "First seed."}
	seed := r.Setup.Seeds[0]
	for i, l := range learners {
		errors := r.Over(learnerCell(l.name), testError)
		table.Rows = append(table.Rows, report.Row{Cells: []string{l.name, study.Spread(errors), list(errors)}})
		rate, momentum := r.Curve(learnerCell(l.name), seed, curveRate), r.Curve(learnerCell(l.name), seed, curveMomentum)
		rates.Lines = append(rates.Lines, plot.Line{Name: l.name, X: rate.X, Y: rate.Y, Color: i + 1})
		momenta.Lines = append(momenta.Lines, plot.Line{Name: l.name, X: momentum.X, Y: momentum.Y, Color: i + 1})
	}
	table.Rows = append(table.Rows, report.Row{Cells: []string{"best of the SGD grid", fmt.Sprintf("%.3f", best(r, sgd, learnerBatch)), ""}})
	return report.Section{Title: "Rates from the spectrum", Table: table, Figures: []plot.Figure{rates, momenta}}
}
