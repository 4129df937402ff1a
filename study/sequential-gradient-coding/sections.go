package sequentialgradientcoding

import (
	"fmt"

	"github.com/descentml/descent/fleet/coding"
	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/study"
)

func sections(r *study.Results) []report.Section {
	return []report.Section{timeSection(r), burstSection(r), loadSection(r)}
}

// titles are the schemes as people write them.
var titles = map[coding.Kind]string{coding.Uncoded: "uncoded", coding.GC: "GC", coding.SRSGC: "SR-SGC", coding.MSGC: "M-SGC"}

// timeSection is the paper's central picture: jobs done over time, with the
// table of run times.
func timeSection(r *study.Results) report.Section {
	seed := r.Setup.Seeds[0]
	figure := plot.Figure{
		Title: "Gradients over time, 256 workers", X: plot.Axis{Label: "time, s"}, Y: plot.Axis{Label: "gradients computed"},
		Caption: fmt.Sprintf("Simulated: 5 %% of the workers are late in a round and take about 2.3 s instead of 1.1 s; a unit of load costs %.4g s. First seed.", paperFleet.slope),
	}
	for i, kind := range families {
		c := r.Curve(paperFleet.cell(), seed, familyName(kind))
		figure.Lines = append(figure.Lines, plot.Line{Name: titles[kind], X: c.X, Y: c.Y, Color: i + 1, Emphasis: kind == coding.MSGC})
	}
	table := &report.Table{
		Caption: fmt.Sprintf("Run time of %d gradients, 256 workers, means over seeds", paperFleet.jobs),
		Columns: []report.Column{
			{Name: "Scheme"}, {Name: "Parameters", Help: "of the first seed, chosen on a probe"}, {Name: "Load", Numeric: true, Help: "share of the data that a worker processes in a round"},
			{Name: "Time, s", Numeric: true}, {Name: "Rounds waited", Numeric: true}, {Name: "Over GC", Numeric: true, Help: "the paper has 0.837 for M-SGC, 0.931 for SR-SGC and 1.206 for uncoded"},
		},
	}
	for _, kind := range families {
		over := func(name string) []float64 { return r.Over(paperFleet.cell(), name) }
		table.Rows = append(table.Rows, report.Row{Cells: []string{
			titles[kind], parametersOf(r, paperFleet, kind, seed), fmt.Sprintf("%.5f", study.Mean(over(loadName(kind, 0)))),
			study.Spread(over(timeName(kind, 0))), fmt.Sprintf("%.0f", study.Mean(over(waitName(kind, 0)))), fmt.Sprintf("%.3f", study.Mean(ratios(r, paperFleet, kind, coding.GC))),
		}})
	}
	return report.Section{
		Title:   "Less load for the same tolerance is less time",
		Text:    "Gradient coding pays for late workers in every round; the sequential schemes repeat what was lost only when it was lost, and so take less time for the same exact gradients.",
		Figures: []plot.Figure{figure, slopeFigure(r)}, Table: table,
	}
}

// parametersOf writes the parameters chosen in the first run.
func parametersOf(r *study.Results, d delayModel, kind coding.Kind, seed uint64) string {
	value := func(name string) float64 { return r.Value(d.cell(), seed, parameterName(kind, 0, name)) }
	switch kind {
	case coding.Uncoded:
		return "-"
	case coding.GC:
		return fmt.Sprintf("s = %.0f", value("s"))
	}
	return fmt.Sprintf("B = %.0f, W = %.0f, lambda = %.0f", value("B"), value("W"), value("lambda"))
}

func slopeFigure(r *study.Results) plot.Figure {
	line := r.OverSeeds(cellSlopes, curveGain)
	line.Name, line.Points, line.Emphasis, line.Color = "M-SGC over GC", true, true, 4
	return plot.Figure{
		Title: "The gain grows with the price of load", X: plot.Axis{Label: "slope, seconds for each unit of load"}, Y: plot.Axis{Label: "time of M-SGC over that of GC"},
		Caption: "64 workers, short bursts. With slope 0 redundancy costs nothing. Means and range over seeds.", Lines: []plot.Line{line}, Horizontal: []plot.Rule{{Name: "equal", At: 1}},
	}
}

// burstSection is the same for bursts of three lengths, with the waits.
func burstSection(r *study.Results) report.Section {
	table := &report.Table{
		Caption: "64 workers, slope 4, means over seeds and draws",
		Columns: []report.Column{{Name: "Bursts"}, {Name: "Scheme"}, {Name: "Over GC", Numeric: true}, {Name: "Rounds waited of 300", Numeric: true, Help: "in the first draw of each seed"}, {Name: "Load", Numeric: true}},
	}
	waits := plot.Figure{
		Title: "Rounds that waited", X: plot.Axis{Label: "mean length of a burst, rounds"}, Y: plot.Axis{Label: "rounds waited of 300"},
		Caption: "First draw of each seed; the band is the range over seeds. Two rounds in a row of one worker break a burst of B = 1.",
	}
	lines := map[coding.Kind]*plot.Line{}
	for i, kind := range families {
		lines[kind] = &plot.Line{Name: titles[kind], Color: i + 1, Points: true}
	}
	for _, d := range []delayModel{shortBursts, someBursts, longBursts} {
		for _, kind := range families {
			waited := r.Over(d.cell(), waitName(kind, 0))
			table.Rows = append(table.Rows, report.Row{Cells: []string{
				fmt.Sprintf("%.1f rounds", 1/d.delays.Q), titles[kind], fmt.Sprintf("%.3f", study.Mean(ratios(r, d, kind, coding.GC))),
				fmt.Sprintf("%.0f", study.Mean(waited)), fmt.Sprintf("%.4f", study.Mean(r.Over(d.cell(), loadName(kind, 0)))),
			}})
			lines[kind].X, lines[kind].Y = append(lines[kind].X, 1/d.delays.Q), append(lines[kind].Y, study.Mean(waited))
		}
	}
	for _, kind := range families {
		waits.Lines = append(waits.Lines, *lines[kind])
	}
	return report.Section{
		Title: "Bursts decide", Table: table, Figures: []plot.Figure{waits},
		Text: "A scheme made for short bursts has to wait for everybody where bursts are longer. Parameters are chosen anew for every kind of burst.",
	}
}

func loadSection(r *study.Results) report.Section {
	figure := plot.Figure{
		Title: "Load against the window W", X: plot.Axis{Label: "W, rounds"}, Y: plot.Axis{Label: "load, share of the data"},
		Caption: fmt.Sprintf("%d workers, at most %d late in any W rounds, each within %d. SR-SGC exists where B divides W-1.", figureWorkers, figureLambda, figureB),
	}
	for i, line := range []struct{ curve, name string }{{"gc", "GC (s = lambda)"}, {"sr-sgc", "SR-SGC"}, {"m-sgc", "M-SGC"}, {"bound", "bound L*"}, {"uncoded", "uncoded"}} {
		c := r.Curve(cellLoads, 0, line.curve)
		figure.Lines = append(figure.Lines, plot.Line{Name: line.name, X: c.X, Y: c.Y, Color: i + 2, Points: line.curve == "sr-sgc", Emphasis: line.curve == "m-sgc", Dashed: line.curve == "bound", Muted: line.curve == "uncoded"})
	}
	table := &report.Table{
		Caption: "Published loads, 256 workers", Columns: []report.Column{{Name: "Scheme"}, {Name: "Load", Numeric: true}, {Name: "Over uncoded", Numeric: true}},
	}
	for _, p := range publishedLoads {
		load := spec("%s", p.scheme).Load(paperWorkers)
		table.Rows = append(table.Rows, report.Row{Cells: []string{p.scheme, fmt.Sprintf("%.5f", load), fmt.Sprintf("%.2f", load*paperWorkers)}})
	}
	return report.Section{Title: "Loads", Table: table, Figures: []plot.Figure{figure}}
}
