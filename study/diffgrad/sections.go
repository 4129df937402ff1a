package diffgrad

import (
	"fmt"
	"slices"

	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/study"
)

func (e experiment) sections(r *study.Results) []report.Section {
	p := e.planOf(r)
	return []report.Section{
		{Title: "Paths on three functions", Figures: e.pathFigures(r), Text: "From x = -1 with exact derivatives, at the learning rate 0.1 and b1 = 0.95. " +
			"The paper compares Adam and diffGrad. Adam at half the rate is a control that it lacks: diffGrad's friction is close to 1/2 where gradients change little, and half the rate alone has the same effect."},
		{Title: "End points", Table: e.endPointTable(r)},
		{Title: "Other starts and settings on F1", Table: e.startTable(r)},
		{Title: "A small network on digits", Table: e.digitsTable(r), Text: "A network of 64-64-10 at the paper's learning rates. " +
			"In the last columns the loss was multiplied by 1000 in training: diffGrad's friction then leaves 1/2, as it looks at the absolute change of the gradient."},
		{Title: "The best of three learning rates on digits", Table: e.tunedTable(r)},
		{Title: "A residual network on images", Text: p.images.String() + ". The learning rate falls to a tenth after 80 % of the steps.",
			Table: e.imageTable(r, p.images), Figures: e.imageFigures(r, p.images)},
		{Title: "Friction functions and activations", Text: p.details.String() + fmt.Sprintf(", batches of %d.", p.details.batches[0]), Table: e.detailTable(r, p.details)},
	}
}

// pathFigures draw x over the iterations for the paper's two methods and the
// control.
func (e experiment) pathFigures(r *study.Results) []plot.Figure {
	var figures []plot.Figure
	for _, f := range Functions() {
		figure := plot.Figure{
			Title: "x on " + f.Name, X: plot.Axis{Label: "iteration"}, Y: plot.Axis{Label: "x"},
			Caption:    "x at each iteration; the horizontal line is the global minimum.",
			Horizontal: []plot.Rule{{Name: "global minimum", At: f.Minimum}},
		}
		for i, c := range e.pair() {
			path := r.Curve(functionCell(c), 0, f.Name)
			figure.Lines = append(figure.Lines, plot.Line{Name: c.title, X: path.X, Y: path.Y, Color: i + 1, Dashed: c.control})
		}
		figures = append(figures, figure)
	}
	return figures
}

// numeric are columns of numbers below a first one of names.
func numeric(first string, others ...string) []report.Column {
	columns := []report.Column{{Name: first}}
	for _, name := range others {
		columns = append(columns, report.Column{Name: name, Numeric: true})
	}
	return columns
}

func (e experiment) endPointTable(r *study.Results) *report.Table {
	table := &report.Table{
		Caption: "Where each method stands after 300 iterations; all have the learning rate 0.1",
		Columns: numeric("Method", "x on F1", "loss", "x on F2", "loss", "x on F3", "loss", "largest x", "sign changes"),
	}
	for _, c := range e.field() {
		row := report.Row{Cells: []string{c.title}}
		for _, f := range Functions() {
			row.Cells = append(row.Cells, fmt.Sprintf("%.6f", r.Value(functionCell(c), 0, f.Name+finalX)),
				fmt.Sprintf("%.2e", r.Value(functionCell(c), 0, f.Name+finalLoss)))
		}
		row.Cells = append(row.Cells, fmt.Sprintf("%.4f", r.Value(functionCell(c), 0, "F3"+largestX)),
			fmt.Sprint(r.Value(functionCell(c), 0, "F3"+crossings)))
		table.Rows = append(table.Rows, row)
	}
	return table
}

func (e experiment) startTable(r *study.Results) *report.Table {
	table := &report.Table{Caption: "From how many of 11 starts between -1 and -0.5 the global minimum of F1 is found", Columns: numeric("Learning rate and b1")}
	for _, c := range e.pair() {
		table.Columns = append(table.Columns, report.Column{Name: c.title, Numeric: true})
	}
	for _, s := range settings() {
		row := report.Row{Cells: []string{fmt.Sprintf("%g, %g", s.rate, s.beta1)}}
		for _, c := range e.pair() {
			row.Cells = append(row.Cells, fmt.Sprint(r.Value(sensitivityCell, 0, s.found(c))))
		}
		table.Rows = append(table.Rows, row)
	}
	return table
}

func (e experiment) digitsTable(r *study.Results) *report.Table {
	table := &report.Table{
		Caption: "Mean and standard deviation over seeds after training on digits",
		Columns: numeric("Method", "learning rate", "train loss", "test accuracy", "mean xi", "train loss, x1000", "mean xi, x1000"),
	}
	for _, c := range e.field() {
		over := func(cell, value string) string {
			if values := r.Over(cell, value); slices.IndexFunc(values, isNumber) >= 0 {
				return study.Spread(values)
			}
			return ""
		}
		table.Rows = append(table.Rows, report.Row{Cells: []string{
			c.title, fmt.Sprint(c.rate), over(digitsCell(c), trainLoss), over(digitsCell(c), accuracy), over(probedCell(c, 1), meanXi),
			over(probedCell(c, lossFactor), trainLoss), over(probedCell(c, lossFactor), meanXi),
		}})
	}
	return table
}

func isNumber(x float64) bool { return x == x }

func (e experiment) tunedTable(r *study.Results) *report.Table {
	table := &report.Table{Caption: "Test accuracy by learning rate; the control has half of it", Columns: numeric("Method")}
	for _, rate := range tunedRates {
		table.Columns = append(table.Columns, report.Column{Name: fmt.Sprint(rate), Numeric: true})
	}
	for _, c := range e.pair() {
		row := report.Row{Cells: []string{c.title}}
		for _, rate := range tunedRates {
			if c.control {
				rate /= 2
			}
			row.Cells = append(row.Cells, study.Spread(r.Over(digitsCell(c.at(rate)), accuracy)))
		}
		table.Rows = append(table.Rows, row)
	}
	return table
}

// published are the paper's accuracies on CIFAR-10 with ResNet-50 in percent,
// at batch sizes 32, 64 and 128.
var published = map[string]string{
	"SGDM": "92.95 / 92.07 / 90.15", "AdaGrad": "92.04 / 92.01 / 91.3", "AdaDelta": "93.66 / 93.48 / 93.54", "RMSProp": "92.82 / 92.32 / 92.26",
	"AMSGrad": "93.73 / 93.4 / 93.51", "Adam": "93.78 / 93.81 / 93.72", "diffGrad": "93.9 / 94.05 / 94.08",
	"diffGrad1": "94.37 / 94.08 / 94.15", "diffGrad2": "94.17 / 94.18 / 94", "diffGrad3": "94.27 / 94.08 / 94.19",
	"diffGrad4": "94.04 / 94.33 / 93.9", "diffGrad5": "93.99 / 93.97 / 93.88",
	"leaky ReLU": "94.31 / 94.28 / 94.16", "ELU": "94.16 / 94.16 / 94.1", "SELU": "93.48 / 93.34 / 93.38",
}

const publishedColumn = "paper: ResNet-50 on CIFAR-10, %, batch 32 / 64 / 128"

func (e experiment) imageTable(r *study.Results, set imageSet) *report.Table {
	table := &report.Table{Caption: "Test accuracy: mean and standard deviation over seeds", Columns: numeric("Method", "learning rate")}
	for _, batch := range set.batches {
		table.Columns = append(table.Columns, report.Column{Name: fmt.Sprintf("batch %d", batch), Numeric: true})
	}
	table.Columns = append(table.Columns, report.Column{Name: publishedColumn})
	for _, c := range e.field() {
		row := report.Row{Cells: []string{c.title, fmt.Sprint(c.rate)}}
		for _, batch := range set.batches {
			row.Cells = append(row.Cells, study.Spread(r.Over(set.training(c, batch, relu).name(), accuracy)))
		}
		table.Rows = append(table.Rows, report.Row{Cells: append(row.Cells, published[c.title])})
	}
	return table
}

// imageFigures draw the test accuracy over the epochs, one figure for each
// batch size.
func (e experiment) imageFigures(r *study.Results, set imageSet) []plot.Figure {
	var figures []plot.Figure
	for _, batch := range set.batches {
		figure := plot.Figure{
			Title: fmt.Sprintf("Accuracy in batches of %d", batch), X: plot.Axis{Label: "epoch"}, Y: plot.Axis{Label: "test accuracy"},
			Caption: "Mean test accuracy over the epochs; the band is the range over seeds.",
		}
		for i, c := range e.field() {
			line := r.OverSeeds(set.training(c, batch, relu).name(), accuracy)
			line.Name, line.Color, line.Dashed, line.Emphasis = c.title, i+1, c.control, c.title == e.diffGrad().title
			line.Points = true
			figure.Lines = append(figure.Lines, line)
		}
		figures = append(figures, figure)
	}
	return figures
}

func (e experiment) detailTable(r *study.Results, set imageSet) *report.Table {
	table := &report.Table{
		Caption: "Test accuracy of diffGrad: mean and standard deviation over seeds",
		Columns: []report.Column{{Name: "Friction function"}, {Name: "activation"}, {Name: "test accuracy", Numeric: true}, {Name: publishedColumn}},
	}
	add := func(t imageTraining, activation, figures string) {
		accuracy := study.Spread(r.Over(t.name(), accuracy))
		table.Rows = append(table.Rows, report.Row{Cells: []string{t.contestant.title, activation, accuracy, figures}})
	}
	for _, c := range e.variants() {
		add(set.training(c, set.batches[0], relu), activations[0].title, published[c.title])
	}
	for _, a := range activations[1:] {
		add(set.training(e.diffGrad(), set.batches[0], a.name), a.title, published[a.title])
	}
	return table
}
