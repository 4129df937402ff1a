package doubledescent

import (
	"fmt"
	"math"

	"github.com/descentml/descent/analysis/doubledescent"
	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/study"
)

func sections(r *study.Results) []report.Section {
	list := []report.Section{
		{
			Title: "The peak appears as training goes on",
			Text: "Random tanh features of digits, 100 training images, a tenth of the labels replaced. The head is trained by gradient descent at 1/L, " +
				"where L is the largest curvature at that width.",
			Table:   shapeTable("Peak over budgets", shapesOf(r, cellBudgets, append(budgetNames(), slowRun, slowRunOn))),
			Figures: []plot.Figure{budgetFigure(r), channelFigure(r), errorFigure(r), conditionFigure(r)},
		},
		{
			Title: "One factor at a time",
			Text: "1000 epochs, at N and 10 N. The last two settings start from a random head, which has a test error of its own at every width; " +
				"they are no part of the correlation.",
			Table: shapeTable("Peak and threshold loss", factorRows(r)),
		},
		{
			Title: "What removes the peak",
			Text: "Ridge regression, and two baselines chosen in hindsight at every width: the best of the ridges and the best of the budgets " +
				"by the test images themselves, which flatters them.",
			Table: shapeTable("Ridge and hindsight", append(shapesOf(r, cellBudgets, ridgeNames()), hindsight(r)...)),
		},
		{
			Title:   "Two-layer networks",
			Text:    "Digits 3 and 8, ten principal components, a tenth of the labels flipped. 12 h + 1 parameters equal the 100 targets at h = 8.",
			Figures: []plot.Figure{networkFigure(r)},
		},
	}
	if batches, err := batchSettings(); err == nil && r.Setup.Preset != study.Smoke {
		list = append(list,
			report.Section{
				Title: "Batch sizes",
				Text:  "At 0.1/L. At equal epochs small batches take more steps; at equal steps they see fewer examples.",
				Table: shapeTable("Peak by batch size", shapesOf(r, cellBatches, namesOf(batches))),
			},
			report.Section{Title: "Other activations", Table: shapeTable("Peak by activation", shapesOf(r, cellActivations, namesOf(activationSettings())))})
	}
	if r.Setup.Preset == study.Full {
		list = append(list, report.Section{Title: "200 training images", Table: shapeTable("Peak over budgets", shapesOf(r, cellLarger, budgetNames()))})
	}
	return list
}

func namesOf(settings []doubledescent.Setting) (names []string) {
	for _, s := range settings {
		names = append(names, s.Name)
	}
	return names
}

func ridgeNames() []string { return namesOf(ridgeSettings()) }

// named is a row of a table of shapes.
type named struct {
	name  string
	shape doubledescent.Shape
}

func shapesOf(r *study.Results, cell string, settings []string) (list []named) {
	for _, s := range settings {
		list = append(list, named{s, curveOf(r, cell, s).Shape()})
	}
	return list
}

func factorRows(r *study.Results) (list []named) {
	found := factorShapes(r)
	for _, name := range append(factorNames(), nameStart1, nameStart2) {
		list = append(list, named{name, found[name]})
	}
	return list
}

// hindsight is the best ridge and the best budget at every width.
func hindsight(r *study.Results) []named {
	best := func(title string, settings []string) named {
		var envelope doubledescent.Curve
		for _, s := range settings {
			for i, p := range curveOf(r, cellBudgets, s).Points {
				if i == len(envelope.Points) {
					envelope.Points = append(envelope.Points, p)
				} else if p.Test < envelope.Points[i].Test {
					envelope.Points[i] = p
				}
			}
		}
		return named{title, envelope.Shape()}
	}
	return []named{best("best ridge in hindsight", ridgeNames()), best("best budget in hindsight", budgetNames())}
}

func shapeTable(caption string, rows []named) *report.Table {
	table := &report.Table{Caption: caption, Columns: []report.Column{
		{Name: "Setting"},
		{Name: "Peak ratio R", Numeric: true, Help: "largest test MSE at 0.8 N to 1.2 N over that at 10 N, of the mean over seeds"},
		{Name: "R of medians", Numeric: true, Help: "the same of the median over seeds"},
		{Name: "Threshold loss", Numeric: true, Help: "mean train MSE at P = N"},
		{Name: "Double descent", Help: "R is at least 2 and the test MSE falls by 20 % on both sides; no where only N and 10 N were measured"},
	}}
	for _, row := range rows {
		answer := "no"
		if row.shape.DoubleDescent {
			answer = "yes"
		}
		table.Rows = append(table.Rows, report.Row{Cells: []string{row.name, number(row.shape.PeakRatio), number(row.shape.MedianRatio),
			number(row.shape.ThresholdLoss), answer}})
	}
	return table
}

func number(x float64) string {
	if math.IsNaN(x) {
		return "–"
	}
	return fmt.Sprintf("%.3g", x)
}

// line draws a quantity of a curve over P/N.
func line(name string, c doubledescent.Curve, value func(doubledescent.Point) float64) plot.Line {
	l := plot.Line{Name: name, Points: true}
	for _, p := range c.Points {
		l.X, l.Y = append(l.X, p.Multiple), append(l.Y, value(p))
	}
	return l
}

func test(p doubledescent.Point) float64 { return p.Test }

func budgetFigure(r *study.Results) plot.Figure {
	figure := plot.Figure{
		Title: "Test error against width", X: plot.Axis{Label: "features per training example, P/N", Log: true},
		Y:        plot.Axis{Label: "test MSE", Log: true},
		Caption:  "Mean test MSE over seeds for 100 to 10,000,000 steps of gradient descent, and for the pseudo-inverse.",
		Vertical: []plot.Rule{{Name: "P = N", At: 1}},
	}
	for _, name := range budgetNames() {
		figure.Lines = append(figure.Lines, line(name, curveOf(r, cellBudgets, name), test))
	}
	return figure
}

func errorFigure(r *study.Results) plot.Figure {
	figure := plot.Figure{
		Title: "Share of wrong digits against width", X: plot.Axis{Label: "features per training example, P/N", Log: true},
		Y: plot.Axis{Label: "test error"}, Caption: "Mean share of test images that get another digit.",
		Vertical: []plot.Rule{{Name: "P = N", At: 1}},
	}
	for _, name := range budgetNames() {
		figure.Lines = append(figure.Lines, line(name, curveOf(r, cellBudgets, name), func(p doubledescent.Point) float64 { return p.Error }))
	}
	return figure
}

func conditionFigure(r *study.Results) plot.Figure {
	c := curveOf(r, cellBudgets, pseudoInverse)
	return plot.Figure{
		Title: "Conditioning against width", X: plot.Axis{Label: "features per training example, P/N", Log: true},
		Y: plot.Axis{Label: "value", Log: true}, Caption: "Median condition number of the features and mean norm of the pseudo-inverse head.",
		Vertical: []plot.Rule{{Name: "P = N", At: 1}},
		Lines: []plot.Line{
			line("condition number", c, func(p doubledescent.Point) float64 { return p.Condition }),
			line("norm of the head", c, func(p doubledescent.Point) float64 { return p.WeightNorm }),
		},
	}
}

// channelFigure draws R against Lth over all settings: one curve, if the loss at
// the threshold is the one channel.
func channelFigure(r *study.Results) plot.Figure {
	scatter := func(name string, rows []named) plot.Line {
		l := plot.Line{Name: name, Scatter: true}
		for _, row := range rows {
			l.X, l.Y = append(l.X, row.shape.ThresholdLoss), append(l.Y, row.shape.PeakRatio)
		}
		return l
	}
	return plot.Figure{
		Title: "Peak against the loss at the threshold", X: plot.Axis{Label: "train MSE at P = N", Log: true},
		Y:       plot.Axis{Label: "peak ratio R", Log: true},
		Caption: "Each point is a setting. Whatever made the loss what it is, the peak is nearly a function of it.",
		Lines: []plot.Line{
			scatter("ten settings, 1000 epochs", factorRows(r)[:len(factorNames())]),
			scatter("budgets", shapesOf(r, cellBudgets, append(budgetNames()[:len(budgets)], slowRun, slowRunOn))),
			scatter("ridge", shapesOf(r, cellBudgets, ridgeNames())),
			scatter("head from a random start", factorRows(r)[len(factorNames()):]),
		},
	}
}

func networkFigure(r *study.Results) plot.Figure {
	figure := plot.Figure{
		Title: "Two-layer network", X: plot.Axis{Label: "hidden units", Log: true}, Y: plot.Axis{Label: "test MSE", Log: true},
		Caption:  "Mean test MSE over seeds after 100 to 10,000 steps of heavy ball.",
		Vertical: []plot.Rule{{Name: "parameters = targets", At: doubledescent.ThresholdWidth(examples, dimensions, 1)}},
	}
	for _, steps := range networkBudgets {
		l := plot.Line{Name: stepsName(steps), Points: true}
		for _, p := range curveOf(r, cellNetwork, stepsName(steps)).Points {
			l.X, l.Y = append(l.X, float64(p.Width)), append(l.Y, p.Test)
		}
		figure.Lines = append(figure.Lines, l)
	}
	return figure
}
