package fedfix

import (
	"fmt"
	"slices"

	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/study"
)

func sections(r *study.Results) []report.Section {
	return []report.Section{pictureSection(r), controlSection(r), limitSection(r)}
}

// lossFigure shows strategies over simulated time.
func lossFigure(r *study.Results, heading, cell, caption string, strategies []string) plot.Figure {
	f := plot.Figure{Title: heading, X: plot.Axis{Label: "simulated time, works of the slowest client"}, Y: plot.Axis{Label: "mean loss over clients, nats", Log: true}, Caption: caption}
	for i, strategy := range strategies {
		line := r.OverSeeds(cell, strategy)
		line.Name, line.Color = title(strategy), i+1
		f.Lines = append(f.Lines, line)
	}
	return f
}

// pictureSection is the paper's central picture: loss over time.
func pictureSection(r *study.Results) report.Section {
	table := &report.Table{
		Caption: "Loss on digits at equal simulated time, mean and deviation over seeds",
		Columns: []report.Column{{Name: "Strategy"}, {Name: "Rate 0.02, last third", Numeric: true}, {Name: "Rate 0.5, largest early", Numeric: true, Help: "in the first 10 units of time; the training begins at 2.303"},
			{Name: "Rate 0.5, after 100", Numeric: true}},
	}
	for _, strategy := range compared {
		last := "not run"
		if len(r.Curve(longCell, r.Setup.Seeds[0], strategy).X) > 0 {
			last = study.Spread(over(r, longCell, strategy, end))
		}
		table.Rows = append(table.Rows, report.Row{Cells: []string{title(strategy),
			study.Spread(over(r, smallCell, strategy, late)), study.Spread(over(r, largeCell, strategy, peak)), last}})
	}
	return report.Section{
		Title: "Fast, or stable, or both", Table: table,
		Text: "Ten clients that differ in their classes and in their speed, from 1 unit of time for a local work down to 0.2. FedAvg waits for the slowest, asynchronous FedAvg for nobody, " +
			"and FedFix aggregates every half unit what has arrived. All weights are such that the limit is the same.",
		Figures: []plot.Figure{
			lossFigure(r, "Small step: learning rate 0.02", smallCell, "Mean over seeds; the band spans them. Whoever adds up more local works per unit of time is ahead.", compared),
			lossFigure(r, "Large step: learning rate 0.5", largeCell, "The same at 25 times the learning rate: asynchronous FedAvg explodes before it converges.", compared),
			lossFigure(r, "Large step, longer", longCell, "FedFix and FedAvg up to 100 units of time.", []string{"fedavg", "fedfix:delta=0.5"}),
		},
	}
}

// controlSection is what is left of the difference at equal progress.
func controlSection(r *study.Results) report.Section {
	table := &report.Table{
		Caption: "Loss after 30 units of time at equal progress, mean and deviation over seeds",
		Columns: []report.Column{{Name: "Learning rate"}, {Name: "Async, rescaled", Numeric: true}, {Name: "FedAvg", Numeric: true}, {Name: "Largest early loss, Async", Numeric: true}},
	}
	var figures []plot.Figure
	for _, rate := range []float64{smallRate, largeRate} {
		label := func(strategy string) string { return fmt.Sprintf("%s %g", strategy, rate) }
		table.Rows = append(table.Rows, report.Row{Cells: []string{fmt.Sprintf("%g", rate), study.Spread(over(r, controlCell, label("async"), end)),
			study.Spread(over(r, controlCell, label("fedavg"), end)), study.Spread(over(r, controlCell, label("async"), peak))}})
		f := plot.Figure{Title: fmt.Sprintf("Equal progress, learning rate %g", rate), X: plot.Axis{Label: "simulated time, works of the slowest client"},
			Y: plot.Axis{Label: "mean loss over clients, nats", Log: true}, Caption: "Asynchronous FedAvg with the server's learning rate 0.047, dashed, against FedAvg."}
		for i, strategy := range []string{"fedavg", "async"} {
			line := r.OverSeeds(controlCell, label(strategy))
			line.Name, line.Color, line.Dashed = title(strategy), map[int]int{0: 1, 1: 3}[i], i == 1
			f.Lines = append(f.Lines, line)
		}
		figures = append(figures, f)
	}
	return report.Section{
		Title: "How much of it is step size", Table: table, Figures: figures,
		Text: "Per unit of time asynchronous FedAvg adds up as many local works of weight 1 as there are returns, about 21 here, where FedAvg adds up one. " +
			"With a server's learning rate that makes up for it, both do the same: speed and instability come from the larger steps, and not from acting at once.",
	}
}

// limitSection shows where the strategies end.
func limitSection(r *study.Results) report.Section {
	table := &report.Table{
		Caption: "Ten quadratics: distances of the second half's time average, and the swing around it, mean and deviation over seeds",
		Columns: []report.Column{{Name: "Strategy"}, {Name: "From its surrogate's minimum", Numeric: true}, {Name: "From the federated optimum", Numeric: true}, {Name: "Swing", Numeric: true}},
	}
	figure := plot.Figure{Title: "Where strategies converge to", X: plot.Axis{Label: "simulated time, works of the slowest client"}, Y: plot.Axis{Label: "distance from the federated optimum", Log: true},
		Caption: "First seed. Equal weights, dashed, lead to another point; weights that make up for participation do not."}
	seed := r.Setup.Seeds[0]
	for i, strategy := range slices.Concat(unbiased, biased) {
		table.Rows = append(table.Rows, report.Row{Cells: []string{title(strategy), study.Spread(over(r, limitCell, strategy, offset)),
			study.Spread(over(r, limitCell, strategy, reached)), study.Spread(over(r, limitCell, strategy, swing))}})
		curve := r.Curve(limitCell, seed, strategy)
		color := i + 1
		if i >= len(unbiased) {
			color = i - len(unbiased) + 2 // that of the same policy
		}
		figure.Lines = append(figure.Lines, plot.Line{Name: title(strategy), X: curve.X, Y: curve.Y, Color: color, Dashed: i >= len(unbiased)})
	}
	return report.Section{Title: "The limit", Table: table, Figures: []plot.Figure{figure}}
}
