package sso

import (
	"fmt"
	"slices"

	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/study"
)

var axisLabels = map[string]string{
	"gradients": "gradients of the loss", "evaluations": "evaluations of the model", "seconds": "seconds",
}

func sections(r *study.Results) []report.Section {
	return []report.Section{
		fullBatchSection(r), batchesSection(r), cancerSection(r), factorisationSection(r), imitationSection(r),
	}
}

// pictures are one figure for each axis, of the first seed.
func pictures(r *study.Results, cell, title, loss string, names []string) []plot.Figure {
	seed := r.Setup.Seeds[0]
	var figures []plot.Figure
	for _, axis := range axes {
		f := plot.Figure{
			Title:   fmt.Sprintf("%s, by %s", title, axis),
			Caption: fmt.Sprintf("Seed %d.", seed),
			X:       plot.Axis{Label: axisLabels[axis], Log: true},
			Y:       plot.Axis{Label: loss, Log: true},
		}
		for i, name := range names {
			curve := r.Curve(cell, seed, axis+": "+name)
			// The start is at zero on every axis, which a logarithm lacks.
			first := min(1, len(curve.X))
			f.Lines = append(f.Lines, plot.Line{Name: name, X: curve.X[first:], Y: curve.Y[first:], Color: i + 1})
		}
		figures = append(figures, f)
	}
	figures[0].Caption += " The same runs over all evaluations, with inner steps and trials, and over time are beside it: what SSO saves in gradients it spends on inner steps."
	return figures
}

func fullBatchSection(r *study.Results) report.Section {
	names := []string{"GD 1/L", "m=1", "m=10", "m=100", "m=exact"}
	figures := pictures(r, "full batch", "Ill-conditioned logistic regression", "gap to the minimum", names)
	for i := range figures {
		figures[i].Y.Min = 1e-3 // the minimiser's gap goes far below
	}
	return report.Section{
		Title: "Inner steps per gradient",
		Text: "Logistic regression on 500 examples with 20 features whose Gram matrix has the condition number 10^6, on all examples, at the target step size 1/L = 4. " +
			"m is the number of inner steps for each gradient of the loss; exact goes to the surrogate's minimiser by a factorisation, which counts as no evaluation; its gap goes to rounding, below the picture.",
		Figures: figures,
	}
}

func batchesSection(r *study.Results) report.Section {
	table := &report.Table{
		Caption: fmt.Sprintf("Gap to the minimum after %d steps, mean and deviation over the seeds. All steps fall with 1/sqrt(t).", stochasticCalls),
		Columns: []report.Column{
			{Name: "method"}, {Name: "batch 25", Numeric: true}, {Name: "batch 125", Numeric: true},
			{Name: "evaluations", Numeric: true, Help: "of the model, on batches of 125"},
		},
	}
	var names []string
	for _, c := range newExperiment().field() {
		row := report.Row{Cells: []string{c.name}}
		for _, batch := range batches {
			row.Cells = append(row.Cells, each(r, "batches", fmt.Sprintf("gap %s, batch %d at %d", c.name, batch, stochasticCalls)))
		}
		evaluations := study.Mean(r.Over("batches", fmt.Sprintf("evaluations %s, batch 125 at %d", c.name, stochasticCalls)))
		row.Cells = append(row.Cells, fmt.Sprintf("%.0f", evaluations))
		table.Rows = append(table.Rows, row)
		names = append(names, c.name+", batch 125")
	}
	shown := slices.Concat(names[:4], names[7:9])
	return report.Section{
		Title: "Batches",
		Text: "The same problem on batches. SSO has 1/L for its target step size, SGD and SVRG 1 over the largest curvature of the loss in the weights; " +
			"Adam, AdaGrad and AdaGrad-Norm have 0.1, 0.1 and 1, which nobody tuned. SVRG's full gradients count as all the batches in them.",
		Table:   table,
		Figures: pictures(r, "batches", "Batches of 125", "gap to the minimum", shown),
	}
}

func cancerSection(r *study.Results) report.Section {
	table := &report.Table{
		Caption: fmt.Sprintf("Loss on all examples after %d steps of %d, mean and deviation over the seeds.", cancerCalls, cancerBatch),
		Columns: []report.Column{
			{Name: "method"}, {Name: "theory over sqrt(t)", Numeric: true},
			{Name: "best over sqrt(t)", Numeric: true, Help: "of the step sizes 10^-3 to 10^3, by the loss itself"},
			{Name: "best constant", Numeric: true, Help: "of the step sizes 10^-3 to 10^3, by the loss itself"},
		},
	}
	names := []string{"SGD", "m=1", "m=5", "m=20", "m=100"}
	for _, name := range names {
		row := report.Row{Cells: []string{name}}
		for _, kind := range []string{"theory ", "decreasing ", "constant "} {
			row.Cells = append(row.Cells, each(r, "breast cancer", kind+name))
		}
		table.Rows = append(table.Rows, row)
	}
	return report.Section{
		Title: "Breast cancer",
		Text: "Logistic regression on standardised features with a bias. The advantage is that of the step sizes of theory and of decreasing steps. " +
			"With the best constant step the long inner loops have none over SGD, as they fit their own batch.",
		Table:   table,
		Figures: pictures(r, "breast cancer", "Steps of theory", "loss", names),
	}
}

func factorisationSection(r *study.Results) report.Section {
	table := &report.Table{
		Caption: fmt.Sprintf("Mean loss over %d gradients on all examples, mean and deviation over the seeds; gradient descent and Adam at their best step size.", factorSteps(r.Setup.Preset)),
		Columns: []report.Column{{Name: "hidden layer"}},
	}
	names := []string{"GD", "Adam", "m=1", "m=10", "m=100"}
	for _, name := range names {
		table.Columns = append(table.Columns, report.Column{Name: name, Numeric: true})
	}
	for _, width := range widths {
		row := report.Row{Cells: []string{widthName(width)}}
		for _, name := range names {
			row.Cells = append(row.Cells, each(r, widthName(width), "mean "+name))
		}
		table.Rows = append(table.Rows, row)
	}
	return report.Section{
		Title:   "Linear networks",
		Text:    "Y = A X with A = diag(1 .. 1e-10) U for 1000 normal inputs of 6 values and 10 outputs, fitted by two matrices, or by one.",
		Table:   table,
		Figures: pictures(r, widthName(10), "Hidden width 10", "loss", names),
	}
}

func imitationSection(r *study.Results) report.Section {
	rounds, samples, _ := imitationSize(r.Setup.Preset)
	table := &report.Table{
		Caption: fmt.Sprintf("Loss before each update, mean over %d rounds of %d answers of the expert; mean and deviation over the seeds. Baselines at the best of the decades.", rounds, samples),
		Columns: []report.Column{
			{Name: "method"}, {Name: "cloning", Numeric: true, Help: "the expert acts"}, {Name: "online", Numeric: true, Help: "the policy acts"},
			{Name: "last loss, online", Numeric: true}, {Name: "cost, online", Numeric: true, Help: "mean cost of a step of the policy in its last round"},
		},
	}
	var names []string
	for _, l := range newExperiment().imitators() {
		if slices.Contains(names, l.name) {
			continue
		}
		names = append(names, l.name)
		row := report.Row{Cells: []string{l.name}}
		for _, s := range settings {
			row.Cells = append(row.Cells, each(r, s.name, "mean "+l.name))
		}
		row.Cells = append(row.Cells, each(r, settings[1].name, "last "+l.name), each(r, settings[1].name, "cost "+l.name))
		table.Rows = append(table.Rows, row)
	}
	figures := pictures(r, settings[1].name, "Online imitation", "loss before the update", names)
	figures[0].X.Label = "answers of the expert"
	return report.Section{
		Title: "Imitation of an expert",
		Text: "A pendulum is swung up and held by a scripted expert. In each round a walk of states is made, the expert says what it would do in each of them, " +
			"and the policy, a network with one hidden layer, is updated once. The squared loss has L = 1; SSO-OGD and OGD fall with 1/sqrt(t).",
		Table:   table,
		Figures: figures,
	}
}
