package fzoos

import (
	"fmt"

	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/study"
)

func sections(r *study.Results) []report.Section {
	return []report.Section{pictureSection(r), ablationSection(r), extremeSection(r), othersSection(r), identitySection(r)}
}

// figure draws a curve of variants, one colour each.
func figure(r *study.Results, problem, curve, title, caption, axis, label string, log bool, variants []variant) plot.Figure {
	f := plot.Figure{Title: title, Caption: caption, X: plot.Axis{Label: axis}, Y: plot.Axis{Label: label, Log: log}}
	for i, v := range variants {
		line := r.OverSeeds(cellName(problem, v), curve)
		line.Name, line.Color = v.label, i+1
		line.Emphasis = v.label == fzoos.label
		if v.label == oracle.label {
			line.Muted = true
		}
		f.Lines = append(f.Lines, line)
	}
	return f
}

// compared are the lines of the first pictures.
var compared = []variant{fzoos, fedzo, fedprox, scaffold1, scaffold2, prgf, oracle}

// pictureSection is the paper's central picture.
func pictureSection(r *study.Results) report.Section {
	s := report.Section{
		Title: "Fewer queries and fewer rounds",
		Text: "The mean of five clients' quadratic functions, of which they can only query values. All take ten local steps of Adam a round; they differ in how they estimate gradients and in how they make up for each other. " +
			"With true gradients (grey) the method's limit is seen; it queries only to report values, and is left out of the pictures by queries.",
	}
	for _, c := range []float64{5, 0.5} {
		problem := quadraticName(c)
		words := fmt.Sprintf("C = %g", c)
		caption := "Mean over seeds, with their range. "
		s.Figures = append(s.Figures,
			figure(r, problem, byQueries, "Gap by queries, "+words, caption+"All queries of all clients are counted.", "queries", "F(x) - F*", true, compared[:len(compared)-1]),
			figure(r, problem, byRounds, "Gap by rounds, "+words, caption+"A round is one local phase of all clients.", "rounds", "F(x) - F*", true, compared),
		)
	}
	s.Table = gapTable(r, []float64{0.5, 5})
	return s
}

// gapTable is the specification's table of gaps.
func gapTable(r *study.Results, cs []float64) *report.Table {
	t := &report.Table{
		Caption: "Gap F(x) - F*: mean and deviation over seeds",
		Columns: []report.Column{{Name: "Strategy"}, {Name: "C", Numeric: true}},
	}
	for _, round := range judgedRounds {
		t.Columns = append(t.Columns, report.Column{Name: fmt.Sprintf("After %d rounds", round), Numeric: true})
	}
	t.Columns = append(t.Columns,
		report.Column{Name: "Queries", Numeric: true, Help: "of all clients, in all rounds"},
		report.Column{Name: "kB", Numeric: true, Help: "to and from all clients in all rounds, as binary messages of 64-bit numbers"},
		report.Column{Name: "Cosine", Numeric: true, Help: "of client 1's estimate in the last local step with its true gradient; of the mean's gradient for true gradients"})
	for _, c := range cs {
		for _, v := range variantsOf(c, sizeOf(r.Setup.Preset).everywhere) {
			cell := cellName(quadraticName(c), v)
			row := []string{v.label, fmt.Sprint(c)}
			for _, round := range judgedRounds {
				row = append(row, study.Spread(r.Over(cell, gapAt(round))))
			}
			row = append(row, fmt.Sprintf("%.0f", mean(r, cell, queries)), fmt.Sprintf("%.0f", mean(r, cell, kilobytes)), fmt.Sprintf("%.2f", mean(r, cell, cosine)))
			t.Rows = append(t.Rows, report.Row{Cells: row})
		}
	}
	return t
}

func ablationSection(r *study.Results) report.Section {
	parts := []variant{fzoos, uncorrected, random, passive}
	return report.Section{
		Title: "What each part does",
		Text:  "FZooS at C = 5 with parts taken away: the correction by the others' surrogates, the choice of active points by uncertainty, and active points in local steps.",
		Figures: []plot.Figure{
			figure(r, quadraticName(5), byRounds, "By rounds", "Mean over seeds, with their range.", "rounds", "F(x) - F*", true, parts),
			figure(r, quadraticName(5), byQueries, "By queries", "Mean over seeds, with their range.", "queries", "F(x) - F*", true, parts),
		},
	}
}

func extremeSection(r *study.Results) report.Section {
	return report.Section{
		Title: "The limit: extreme differences",
		Text:  "At C = 50 clients' functions are far from convex, and local steps drift apart. The weight 1/t fades too early; the full correction does not.",
		Table: gapTable(r, []float64{50}),
		Figures: []plot.Figure{figure(r, quadraticName(50), byRounds, "Gap by rounds, C = 50", "Mean over seeds, with their range.", "rounds", "F(x) - F*", true,
			[]variant{fzoos, full, fedzo, scaffold1, scaffold2, oracle})},
	}
}

func othersSection(r *study.Results) report.Section {
	s := report.Section{
		Title: "Other black boxes",
		Text:  "Two hilly functions; an attack on several classifiers of digits at once, which succeeds below 0; the F1 score of a network over seven owners of data.",
		Table: attackTable(r),
	}
	for _, p := range []struct{ problem, label string }{{attackName, "mean margin"}, {metricName, "1 - F1"}, {ackleyName, "F(x)"}, {levyName, "F(x)"}} {
		s.Figures = append(s.Figures, figure(r, p.problem, byQueries, p.problem, "By queries of all clients; mean over seeds, with their range.", "queries", p.label, false, others))
	}
	return s
}

func attackTable(r *study.Results) *report.Table {
	t := &report.Table{
		Caption: "Attack: until the mean margin is negative, each seed in turn; a dash is no success",
		Columns: []report.Column{{Name: "Strategy"}, {Name: "Queries", Numeric: true}, {Name: "Rounds", Numeric: true}},
	}
	for _, v := range others {
		row := []string{v.label, "", ""}
		for i, seed := range r.Setup.Seeds {
			for k, value := range []string{success, succeeded} {
				text := "-"
				if number := r.Value(cellName(attackName, v), seed, value); number == number {
					text = fmt.Sprintf("%.0f", number)
				}
				if i > 0 {
					text = ", " + text
				}
				row[k+1] += text
			}
		}
		t.Rows = append(t.Rows, report.Row{Cells: row})
	}
	return t
}

func identitySection(r *study.Results) report.Section {
	line := r.OverSeeds(identityCell, uncertainties)
	line.Name = "uncertainty"
	return report.Section{
		Title: "What the surrogate knows of the gradient",
		Figures: []plot.Figure{{
			Title: "Gradient uncertainty", Caption: "Trace of the covariance of the gradient at a point in 5 dimensions, RBF kernel of length scale 1. It begins at d / l^2 = 5.",
			X: plot.Axis{Label: "points known"}, Y: plot.Axis{Label: "trace"}, Lines: []plot.Line{line},
		}},
	}
}
