package schedulerefinement

import (
	"fmt"
	"slices"

	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/study"
)

func sections(r *study.Results) []report.Section {
	return []report.Section{
		centralSection(r), riskSection(r), softmaxSection(r), boundSection(r), shapeSection(r),
	}
}

// slots are the colours of the schedules, the same on the whole page.
var slots = map[string]int{linear: 1, refinedL2: 2, refinedL1: 3, cosine: 4, flat: 5, warm: 6}

// centralSection shows the norms of a run and what refinement makes of them.
func centralSection(r *study.Results) report.Section {
	section := report.Section{
		Title: "Gradient norms and the schedule that they make",
		Text:  "The regression with noise on its gradients that is large early, late or the same all along. The refined schedule is small where the norms of the run before were large.",
	}
	for _, i := range []int{1, 2, 0} {
		p, seed := noiseProfiles[i], r.Setup.Seeds[0]
		norms, smooth, refined := r.Curve(p.cell(), seed, "norms"), r.Curve(p.cell(), seed, "smoothed"), r.Curve(p.cell(), seed, "schedule")
		if len(norms.Y) == 0 {
			continue
		}
		top := slices.Max(norms.Y)
		count := float64(len(refined.Y))
		straight := study.Curve{X: []float64{0, count}, Y: []float64{1, 0}}
		section.Figures = append(section.Figures, plot.Figure{
			Title: p.name + " noise", X: plot.Axis{Label: "step"}, Y: plot.Axis{Label: "share of the peak", Min: 0, Max: 1.02},
			Caption: fmt.Sprintf("Norms of a run with linear decay as shares of the largest, their running median, and the refined schedule (l2sq) beside the straight line. Seed %d.", seed),
			Lines: []plot.Line{
				{Name: "gradient norm", X: norms.X, Y: scaled(norms.Y, 1/top), Muted: true},
				{Name: "its running median", X: smooth.X, Y: scaled(smooth.Y, 1/top), Color: slots[flat]},
				{Name: linear, X: straight.X, Y: straight.Y, Color: slots[linear], Dashed: true},
				{Name: refinedL2, X: refined.X, Y: refined.Y, Color: slots[refinedL2], Emphasis: true},
			},
		})
	}
	return section
}

func scaled(y []float64, by float64) []float64 {
	list := make([]float64, len(y))
	for i, x := range y {
		list[i] = by * x
	}
	return list
}

// riskSection shows what the schedules reach.
func riskSection(r *study.Results) report.Section {
	names := []string{linear, refinedL2, refinedL1, cosine, warm, flat}
	table := &report.Table{Caption: "Risk of the last point at each schedule's best learning rate, mean and deviation over seeds", Columns: []report.Column{{Name: "Noise"}}}
	for _, name := range names {
		table.Columns = append(table.Columns, report.Column{Name: name, Numeric: true})
	}
	section := report.Section{Title: "Does refinement help?", Table: table,
		Text: "The rate is chosen anew for each schedule. The warm-up by hand knows when the early noise ends; refinement finds it out. Means are over replicas on other noise than that of the run that was refined."}
	for _, p := range noiseProfiles {
		row := report.Row{Cells: []string{p.name}}
		figure := plot.Figure{
			Title: p.name + " noise", X: plot.Axis{Label: "peak learning rate", Log: true}, Y: plot.Axis{Label: "risk of the last point", Log: true},
			Caption: fmt.Sprintf("Mean risk over replicas, seed %d; the rings are each schedule's best rate.", r.Setup.Seeds[0]), ChosenName: "best rate",
		}
		for _, name := range names {
			row.Cells = append(row.Cells, study.Spread(r.Over(p.cell(), name)))
			c := r.Curve(p.cell(), r.Setup.Seeds[0], name)
			if len(c.Y) == 0 {
				continue
			}
			figure.Lines = append(figure.Lines, plot.Line{
				Name: name, X: c.X, Y: c.Y, Color: slots[name], Chosen: []int{slices.Index(c.Y, slices.Min(c.Y))}, Emphasis: name == refinedL2,
			})
		}
		table.Rows = append(table.Rows, row)
		section.Figures = append(section.Figures, figure)
	}
	return section
}

// softmaxSection ranks the schedules on real data.
func softmaxSection(r *study.Results) report.Section {
	names := []string{linear, cosine, refinedL1, refinedL2, step, flat, inverse, inverseRt}
	table := &report.Table{Caption: "Final training loss of the last weights, mean over seeds at the best learning rate", Columns: []report.Column{{Name: "Set and optimizer"}}}
	ranks := make([]float64, len(names))
	for _, name := range names {
		table.Columns = append(table.Columns, report.Column{Name: name, Numeric: true})
	}
	for _, p := range softmaxProblems {
		row := report.Row{Cells: []string{p.cell()}}
		losses := make([]float64, len(names))
		for i, name := range names {
			losses[i] = bestLoss(r, p, name)
			row.Cells = append(row.Cells, fmt.Sprintf("%.4f", losses[i]))
		}
		for i, loss := range losses {
			for _, other := range losses {
				if other < loss {
					ranks[i] += 1 / float64(len(softmaxProblems))
				}
			}
		}
		table.Rows = append(table.Rows, row)
	}
	mean := report.Row{Cells: []string{"mean rank"}, Note: "1 is the lowest loss"}
	for _, rank := range ranks {
		mean.Cells = append(mean.Cells, fmt.Sprintf("%.2f", rank+1))
	}
	table.Rows = append(table.Rows, mean)
	section := report.Section{Title: "Softmax regression on real sets", Table: table,
		Text: "Fifteen per cent of the labels are replaced by random classes. Every schedule has its own sweep of the learning rate, and the last weights count, not the best ones on the way."}
	for _, p := range []softmaxProblem{softmaxProblems[0], softmaxProblems[6]} {
		section.Figures = append(section.Figures, rateFigure(r, p, []string{linear, cosine, refinedL1, flat}))
	}
	return section
}

// rateFigure shows the loss over learning rates.
func rateFigure(r *study.Results, p softmaxProblem, names []string) plot.Figure {
	rates := geometric(p.low, p.high, sizeOf(r.Setup.Preset).softmaxRates)
	figure := plot.Figure{
		Title: p.cell(), X: plot.Axis{Label: "peak learning rate", Log: true}, Y: plot.Axis{Label: "final training loss", Log: true},
		Caption: "Mean over seeds of the loss of the last weights.",
	}
	for _, name := range names {
		line := plot.Line{Name: name, X: rates, Color: slots[name], Points: true}
		for i := range rates {
			line.Y = append(line.Y, study.Mean(r.Over(p.cell(), lossAt(name, i))))
		}
		figure.Lines = append(figure.Lines, line)
	}
	return figure
}

// boundSection is the table of bounds and the steps that minimise them.
func boundSection(r *study.Results) report.Section {
	table := &report.Table{Caption: "sqrt T times the bound for norms and distance 1, at the best scale", Columns: []report.Column{{Name: "Schedule"}}}
	for _, T := range boundHorizons {
		table.Columns = append(table.Columns, report.Column{Name: horizon(T), Numeric: true})
	}
	for _, name := range []string{flat, inverseRt, inverse, cosine, linear, best} {
		row := report.Row{Cells: []string{name}, Best: name == best}
		for _, T := range boundHorizons {
			row.Cells = append(row.Cells, fmt.Sprintf("%.3f", r.Value(cellBounds, 0, name+", "+horizon(T))))
		}
		table.Rows = append(table.Rows, row)
	}
	figure := plot.Figure{
		Title: "Steps that minimise the bound", X: plot.Axis{Label: "share of the run"}, Y: plot.Axis{Label: "share of the largest step", Min: 0, Max: 1.02},
		Caption: "Found by L-BFGS over all steps, for constant norms, beside the straight line. The last step turns up, which moves the returned point no more.",
		Lines:   []plot.Line{{Name: linear, X: []float64{0, 1}, Y: []float64{1, 0}, Dashed: true, Color: slots[linear]}},
	}
	for i, T := range boundHorizons {
		c := r.Curve(cellBounds, 0, horizon(T))
		figure.Lines = append(figure.Lines, plot.Line{Name: horizon(T), X: scaled(c.X, 1/float64(T)), Y: c.Y, Color: i + 2})
	}
	return report.Section{Title: "What theory says of the last point", Table: table, Figures: []plot.Figure{figure},
		Text: "The bound holds for subgradient descent with any steps. A flat schedule loses a factor log T; linear decay does not."}
}

// shapeSection shows the official script's synthetic norms.
func shapeSection(r *study.Results) report.Section {
	norms := plot.Figure{Title: "Synthetic gradient norms", X: plot.Axis{Label: "step"}, Y: plot.Axis{Label: "norm", Log: true},
		Caption: "They fall fast over the first tenth and then stay, rise or fall."}
	factors := plot.Figure{Title: "Their schedules", X: plot.Axis{Label: "step"}, Y: plot.Axis{Label: "share of the peak", Min: 0, Max: 1.02},
		Caption: "Variant l2sq without smoothing."}
	for i, end := range profileEnds {
		name := profileName(end)
		for _, f := range []struct {
			figure *plot.Figure
			curve  study.Curve
		}{{&norms, r.Curve(cellProfiles, 0, "norms, "+name)}, {&factors, r.Curve(cellProfiles, 0, "factors, "+name)}} {
			f.figure.Lines = append(f.figure.Lines, plot.Line{Name: name, X: f.curve.X, Y: f.curve.Y, Color: i + 1})
		}
	}
	return report.Section{Title: "Shapes", Figures: []plot.Figure{norms, factors},
		Text: "Norms that rise bring the schedule below the straight line after its warm-up; norms that fall give it a flat top and a fast end."}
}
