package gns

import (
	"fmt"
	"slices"

	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/study"
)

// slots are the colours of methods, the same on all figures.
var slots = []string{exact, inexact, gaussNewton, fisher, fisherTerm, gradient, conditioned, accelerated, normalised, cubic, superM, superG, lbfgs}

func colour(name string) int { return slices.Index(slots, name) + 1 }

func sections(r *study.Results) []report.Section {
	list := []report.Section{
		{
			Title: "Four problems",
			Text: "The gap f - f* over iterations of one start each. Inexact curvature is the Hessian without its indefinite part, weighted Gauss-Newton, or the term of rank one; it is nearly as fast as the Hessian, or faster. " +
				"An iteration of a Newton method costs a matrix and about two factorisations, one with the term of rank one or of a gradient method no more than two gradients.",
			Figures: []plot.Figure{
				gaps(r, logSumExp, r.Setup.Seeds[0], "Log-sum-exp, n = 100", 60, same, exact, gaussNewton, conditioned, gradient, accelerated, normalised, cubic, lbfgs),
				gaps(r, quartic, r.Setup.Seeds[0], "|Ax - b|^4/4, 100 by 200", 80, same, exact, fisherTerm, gradient, conditioned, normalised, lbfgs),
				gaps(r, rosenbrock, 0, "Rosenbrock's residuals, p = 5", 200, func(name string) string { return atPower(name, 5) }, exact, inexact, gradient, normalised, cubic, lbfgs),
				gaps(r, chebyshev, r.Setup.Seeds[0], "Chebyshev chain, n = 100, p = 4", 100, func(name string) string { return atStart(name, 0) }, exact, inexact, gradient, normalised, cubic, lbfgs),
			},
		},
		{Title: "Iterations on Rosenbrock's residuals", Table: rosenbrockTable(r)},
		{Title: "Iterations on the other problems", Table: iterationTable(r), Text: "The metric B = A'A alone takes most of the way from the gradient method to Newton's on log-sum-exp and on the fourth power: compare within one metric."},
		{
			Title:   "Step sizes",
			Text:    "The gamma of each step on log-sum-exp with the exact Hessian. It doubles without bound near the solution, where the method becomes Newton's.",
			Figures: []plot.Figure{gammas(r, logSumExp, r.Setup.Seeds[0])},
		},
		{
			Title: "Logistic regression",
			Text:  "Separable points, where the loss tends to 0 and x to infinity, and breast cancer with the ridge 0.01. Fisher's matrix is near the Hessian only where the loss is small, and even there the gradient method needs fewer steps.",
			Figures: []plot.Figure{
				gaps(r, separable, r.Setup.Seeds[0], "Separable points", 1000, same, fisher, exact, gradient),
				gaps(r, cancer, 0, "Breast cancer", 100, same, fisher, exact, gradient),
			},
		},
	}
	if large := r.Curve(published, r.Setup.Seeds[0], exact); len(large.X) > 0 {
		list[0].Figures = append([]plot.Figure{
			gaps(r, published, r.Setup.Seeds[0], "Log-sum-exp, n = 1000", 80, same, exact, gaussNewton, conditioned, superM, superG),
		}, list[0].Figures...)
	}
	return list
}

func same(name string) string { return name }

// gaps draws the gap of methods over the first iterations.
func gaps(r *study.Results, cell string, seed uint64, title string, last float64, wrap func(string) string, names ...string) plot.Figure {
	f := plot.Figure{
		Title: title, X: plot.Axis{Label: "iteration", Max: last}, Y: plot.Axis{Label: "f - f*", Log: true, Min: 1e-10},
		Caption:    "The horizontal line is the gap at which iterations are counted.",
		Horizontal: []plot.Rule{{Name: "1e-8", At: tolerance}},
	}
	if seed != 0 {
		f.Caption = fmt.Sprintf("Seed %d. ", seed) + f.Caption
	}
	for i, name := range names {
		curve := r.Curve(cell, seed, wrap(name))
		count := len(curve.X)
		for count > 0 && curve.X[count-1] > last {
			count--
		}
		f.Lines = append(f.Lines, plot.Line{Name: name, X: curve.X[:count], Y: curve.Y[:count], Color: colour(name), Emphasis: i < 2})
	}
	return f
}

func gammas(r *study.Results, cell string, seed uint64) plot.Figure {
	f := plot.Figure{
		Title: "gamma on log-sum-exp, n = 100", Caption: fmt.Sprintf("Seed %d.", seed),
		X: plot.Axis{Label: "iteration"}, Y: plot.Axis{Label: "gamma", Log: true},
	}
	for _, name := range []string{exact, gaussNewton, superM, superG} {
		curve := r.Curve(cell, seed, name+" gamma")
		f.Lines = append(f.Lines, plot.Line{Name: name, X: curve.X, Y: curve.Y, Color: colour(name), Emphasis: name == exact})
	}
	return f
}

func rosenbrockTable(r *study.Results) *report.Table {
	t := &report.Table{Caption: "Iterations to f - f* < 1e-8 from (-2, 2), with those of a third party's run of the official code", Columns: []report.Column{{Name: "method"}}}
	for _, p := range powers {
		t.Columns = append(t.Columns, report.Column{Name: fmt.Sprintf("p = %g", p), Numeric: true}, report.Column{Name: "theirs", Numeric: true})
	}
	for _, name := range tableRows {
		row := report.Row{Cells: []string{name}}
		for i, p := range powers {
			row.Cells = append(row.Cells, fmt.Sprint(r.Value(rosenbrock, 0, atPower(name, p)+iterations)), fmt.Sprint(table[name][i]))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func iterationTable(r *study.Results) *report.Table {
	t := &report.Table{
		Caption: "Iterations to f - f* < 1e-8, mean and deviation over the seeds; a limit of 1500 (log-sum-exp) or 2000 that is not left stands for itself",
		Columns: []report.Column{{Name: "method"}, {Name: "log-sum-exp", Numeric: true}, {Name: "|Ax - b|^4/4", Numeric: true}, {Name: "Chebyshev", Numeric: true, Help: "from the first start of each seed"}},
	}
	for _, name := range slots {
		cells := []string{name}
		known := false
		for _, place := range []struct{ cell, name string }{{logSumExp, name}, {quartic, name}, {chebyshev, atStart(name, 0)}} {
			counts := r.Over(place.cell, place.name+iterations)
			if slices.ContainsFunc(counts, func(x float64) bool { return x != x }) {
				cells = append(cells, "")
				continue
			}
			known = true
			cells = append(cells, study.Spread(counts))
		}
		if known {
			t.Rows = append(t.Rows, report.Row{Cells: cells})
		}
	}
	return t
}
