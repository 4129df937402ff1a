package main

import (
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/descentml/descent/analysis/randommatrix"
	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
)

// lrReport is the result of `analyze lr`, as --json prints it.
type lrReport struct {
	subjectReport
	Seed    uint64 `json:"seed"`
	Repeats int    `json:"repeats"`

	Top     float64   `json:"largest_eigenvalue"` // of the Hessian of all examples
	Scatter float64   `json:"scatter"`            // c: that of batches is expected to be larger by c/b
	Noise   float64   `json:"isotropic_noise"`    // number of parameters times the variance of an entry of an example's Hessian
	Limit   float64   `json:"limit"`              // predicted for all examples at once
	Points  []lrPoint `json:"points"`

	Batch        int      `json:"batch_size"`    // that the user trains with
	LearningRate *float64 `json:"learning_rate"` // that the user trains with; null if not given
	Conclusion   string   `json:"conclusion"`
}

// lrPoint is one batch size.
type lrPoint struct {
	Batch      int      `json:"batch_size"`
	Predicted  float64  `json:"predicted"`
	Found      *float64 `json:"found"`       // null until it is found, and where every rate that was tried is stable
	Linear     *float64 `json:"linear"`      // rule, from the first that is found
	SquareRoot *float64 `json:"square_root"` // rule, from the first that is found
	Tried      int      `json:"tried"`       // learning rates
}

// copy is one that later findings do not change.
func (r *lrReport) copy() *lrReport {
	c := *r
	c.Points = slices.Clone(r.Points)
	return &c
}

// conclude draws the lines of the rules, and says in one sentence what a
// practitioner can act on.
func (r *lrReport) conclude() {
	first := slices.IndexFunc(r.Points, func(p lrPoint) bool { return p.Found != nil && *p.Found > 0 })
	for i := range r.Points {
		if first < 0 {
			break
		}
		from, p := r.Points[first], &r.Points[i]
		linear, root := randommatrix.Linear(*from.Found, from.Batch, p.Batch), randommatrix.SquareRoot(*from.Found, from.Batch, p.Batch)
		p.Linear, p.SquareRoot = &linear, &root
	}
	r.Conclusion = r.step() + " " + r.growth()
}

// farther is the multiple of a predicted rate beyond which what is found is
// another thing than the edge of stability.
const farther = 2

// step is about the batch size that the user has, or the first one.
func (r *lrReport) step() string {
	p := r.Points[0]
	if i := slices.IndexFunc(r.Points, func(p lrPoint) bool { return p.Batch == r.Batch }); i >= 0 {
		p = r.Points[i]
	}
	sentence := fmt.Sprintf("The largest stable step at batch %d is predicted to be %s", p.Batch, threeDigits(p.Predicted))
	largest := p.Predicted
	if p.Found != nil {
		largest = *p.Found
		sentence = fmt.Sprintf("The largest stable step at batch %d is %s (predicted: %s)", p.Batch, threeDigits(largest), threeDigits(p.Predicted))
	}
	if largest > farther*p.Predicted {
		sentence += ", as steps beyond the predicted one lead to flatter places before the loss has doubled"
	}
	if r.LearningRate == nil {
		return sentence + "."
	}
	sentence += fmt.Sprintf("; you use %s", threeDigits(*r.LearningRate))
	switch share := *r.LearningRate / largest; {
	case share > 1:
		return sentence + ", which is too large here."
	case share > 0.5:
		return sentence + ", which leaves little room."
	}
	return sentence + fmt.Sprintf(", and there is room for a step %.2g times as large.", largest / *r.LearningRate)
}

// growth is about other batch sizes.
func (r *lrReport) growth() string {
	knee := r.Scatter / r.Top
	if knee < 1 {
		return fmt.Sprintf("A larger batch bears no larger step, as the noise of batches hardly adds to the curvature: in theory none bears more than about %s.", threeDigits(r.Limit))
	}
	return fmt.Sprintf("The linear rule ends at batches of about %.0f, which bear half of what all examples do: in theory none bears more than about %s.", knee, threeDigits(r.Limit))
}

// describe says what was looked at.
func (r *lrReport) describe() string {
	classes := ""
	if r.Classes > 0 {
		classes = fmt.Sprintf(", %d classes", r.Classes)
	}
	return fmt.Sprintf("%s: %d examples, %d features%s; %s with %d parameters in %s, %s; loss %s; largest eigenvalue %s, scatter %s",
		r.Data, r.Examples, r.Features, classes, r.Model, r.Parameters, r.DType, r.Training, threeDigits(r.Loss), threeDigits(r.Top), threeDigits(r.Scatter))
}

var lrColumns = []report.Column{
	{Name: "batch size"},
	{Name: "predicted", Numeric: true, Help: "2/(λ + c/b) with the largest eigenvalue λ and the scatter c"},
	{Name: "found", Numeric: true, Help: "largest rate at which no training saw twice the loss of its start"},
	{Name: "found / predicted", Numeric: true},
	{Name: "linear rule", Numeric: true, Help: "from the first batch size"},
	{Name: "square-root rule", Numeric: true, Help: "from the first batch size"},
}

func (r *lrReport) rows() [][]string {
	optional := func(x *float64) string {
		if x == nil {
			return "-"
		}
		return threeDigits(*x)
	}
	var rows [][]string
	for _, p := range r.Points {
		ratio := "-"
		if p.Found != nil {
			ratio = fmt.Sprintf("%.2f", *p.Found/p.Predicted)
		}
		rows = append(rows, []string{fmt.Sprint(p.Batch), threeDigits(p.Predicted), optional(p.Found), ratio, optional(p.Linear), optional(p.SquareRoot)})
	}
	return rows
}

func (r *lrReport) print(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "%s\n\n", r.describe()); err != nil {
		return err
	}
	var header []string
	for _, column := range lrColumns {
		header = append(header, column.Name)
	}
	if err := printTable(w, header, r.rows(), 0, 1, 2, 3, 4, 5); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s\n", r.Conclusion)
	return err
}

// page is the HTML report.
func (r *lrReport) page(command string) report.Page {
	table := &report.Table{Caption: "Largest learning rates", Columns: lrColumns}
	for _, row := range r.rows() {
		table.Rows = append(table.Rows, report.Row{Cells: row})
	}
	return report.Page{
		Title: "Largest learning rates of " + r.Model + " on " + r.Data, Subtitle: r.Conclusion, Command: command,
		Facts: []report.Fact{{Name: "Setting", Value: r.describe()}, {Name: "Trainings", Value: fmt.Sprintf("%d for each rate, %d steps each, seed %d", r.Repeats, trialSteps, r.Seed)}},
		Sections: []report.Section{
			{Title: "Result", Table: table, Text: "SGD is stable below a rate of 2 over the largest eigenvalue of the Hessian that a batch sees. That of a small batch is larger, as the Hessians of single examples scatter: the rate grows with the batch until the curvature of all examples limits it."},
			{Title: "Rates", Figures: []plot.Figure{r.figure()}},
		},
	}
}

func (r *lrReport) figure() plot.Figure {
	line := func(name string, value func(lrPoint) *float64) plot.Line {
		l := plot.Line{Name: name}
		for _, p := range r.Points {
			y := math.NaN()
			if v := value(p); v != nil {
				y = *v
			}
			l.X, l.Y = append(l.X, float64(p.Batch)), append(l.Y, y)
		}
		return l
	}
	found := line("found by training", func(p lrPoint) *float64 { return p.Found })
	found.Points, found.Emphasis = true, true
	predicted := line("predicted", func(p lrPoint) *float64 { return &p.Predicted })
	predicted.Points = true
	linear, root := line("linear rule", func(p lrPoint) *float64 { return p.Linear }), line("square-root rule", func(p lrPoint) *float64 { return p.SquareRoot })
	linear.Dashed, root.Dashed = true, true
	f := plot.Figure{Title: "Largest learning rate against batch size", X: plot.Axis{Label: "batch size", Log: true}, Y: plot.Axis{Label: "largest stable learning rate", Log: true},
		Caption: "Found: the largest rate, to 5 %, at which no training saw twice the loss of its start. The rules begin at the first batch size.",
		Lines:   []plot.Line{found, predicted, linear, root}}
	if r.LearningRate != nil {
		f.Lines = append(f.Lines, plot.Line{Name: "yours", X: []float64{float64(r.Batch)}, Y: []float64{*r.LearningRate}, Scatter: true})
	}
	return f
}
