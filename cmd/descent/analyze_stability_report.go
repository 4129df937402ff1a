package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/descentml/descent/analysis/spectrum"
	"github.com/descentml/descent/analysis/stability"
	"github.com/descentml/descent/data"
	"github.com/descentml/descent/lab/driver"
	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
)

// stabilityReport is the result of `analyze stability`, as --json prints it.
type stabilityReport struct {
	Run          int64     `json:"run"`
	Data         string    `json:"data"`
	Task         data.Task `json:"task"`
	Examples     int       `json:"examples"`
	Model        string    `json:"model"`
	Parameters   int       `json:"parameters"`
	DType        string    `json:"dtype"`
	Method       string    `json:"method"`
	Schedule     string    `json:"schedule"`
	LearningRate float64   `json:"learning_rate"`
	BatchSize    int       `json:"batch_size"`
	Seed         uint64    `json:"seed"`
	Probes       int       `json:"probes"`

	Limit     string           `json:"limit"`     // its formula
	Exact     bool             `json:"exact"`     // it is one of the method, and not of gradient descent only
	Diverged  bool             `json:"diverged"`  // the training
	Deviation float64          `json:"deviation"` // largest relative difference between the losses and the recorded ones; 0: the same bits
	Compared  int              `json:"compared"`  // losses that were recorded, too
	Points    []stabilityPoint `json:"points"`
	Bounds    *stabilityBounds `json:"sgd_limits"` // at the end; null but for the squared error of one output

	Conclusion string `json:"conclusion"`

	factor float64 // of 2/eta
	train  int     // examples of the training part
}

// stabilityPoint is what was measured after an epoch.
type stabilityPoint struct {
	Epoch        float64           `json:"epoch"`
	Step         int               `json:"step"`
	TrainLoss    float64           `json:"train_loss"`
	LearningRate float64           `json:"learning_rate"` // of the step before
	Limit        *float64          `json:"limit"`         // on the sharpness; null at a rate of 0
	Sharpness    float64           `json:"sharpness"`
	Trace        spectrum.Estimate `json:"trace"`
	Frobenius    spectrum.Estimate `json:"frobenius_norm"`
}

// share is the sharpness as a share of its limit.
func (p stabilityPoint) share() float64 {
	if p.Limit == nil {
		return 0
	}
	return p.Sharpness / *p.Limit
}

func share(x float64) string { return fmt.Sprintf("%.2f", x) }

// stabilityBounds are learning rates that SGD cannot exceed at the weights of the
// end, were the loss zero there.
type stabilityBounds struct {
	Examples  int     `json:"examples"` // whose gradients were looked at
	Threshold float64 `json:"threshold"`
	Trace     float64 `json:"trace"`
	Bracket   float64 `json:"bracket"`
	Direction float64 `json:"direction"`
	Sharpness float64 `json:"sharpness"`
}

// copy is one that later measurements do not change.
func (r *stabilityReport) copy() *stabilityReport {
	c := *r
	c.Points = slices.Clone(r.Points)
	return &c
}

// compare holds a loss against the recorded one.
func (r *stabilityReport) compare(recorded *recordedTrial, e driver.Epoch) {
	want, ok := recorded.losses[int64(e.Step)]
	if !ok {
		return
	}
	r.Compared++
	if math.Float64bits(want) != math.Float64bits(e.TrainLoss) && (isFinite(want) || isFinite(e.TrainLoss)) {
		difference := math.Abs(e.TrainLoss-want) / math.Max(math.Abs(want), math.SmallestNonzeroFloat64)
		if !isFinite(difference) {
			difference = math.MaxFloat64 // one of them is no number
		}
		r.Deviation = math.Max(r.Deviation, difference)
	}
}

// boundExamples bounds the examples whose gradients decide the limits of SGD: the
// time grows with the cube of their number.
const boundExamples = 200

// bounds measures the limits of SGD at the present weights.
func (r *stabilityReport) bounds(ctx context.Context, s *subject) error {
	if r.Task != data.Regression {
		return nil
	}
	n := min(s.Examples(), boundExamples, max(1, 1<<26/s.Dim()))
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	x, _ := s.tensors(rows)
	d, err := stability.OfModel(ctx, s.Model(), x)
	if err != nil {
		return err
	}
	sampling := stability.Sampling{Batch: r.BatchSize, WithoutReplacement: n == r.train}
	c, err := d.Conditions(sampling)
	if err != nil {
		return err
	}
	threshold, err := d.Threshold(ctx, sampling)
	if err != nil || math.IsInf(threshold, 0) {
		return err // or no gradient at all, which bounds nothing
	}
	// Package stability has the squared error with a factor 1/2.
	r.Bounds = &stabilityBounds{n, threshold / 2, c.Trace / 2, c.Bracket / 2, c.Direction / 2, c.Sharpness / 2}
	return nil
}

// conclude says in one sentence what a practitioner can act on.
func (r *stabilityReport) conclude() {
	top := slices.MaxFunc(r.Points, func(a, b stabilityPoint) int {
		switch {
		case a.share() < b.share():
			return -1
		case a.share() > b.share():
			return 1
		}
		return 0
	})
	end := r.Points[len(r.Points)-1]
	where := fmt.Sprintf("after epoch %.4g", top.Epoch)
	switch p := top.share(); {
	case !(p > 0):
		r.Conclusion = "Nowhere on the way is the loss curved upwards at a positive learning rate, so that curvature sets the steps no limit."
	case !r.Exact:
		r.Conclusion = fmt.Sprintf("The sharpness comes to %s of %s (%s against %s %s), which is a limit for SGD and only a guide for %s.",
			share(p), r.Limit, threeDigits(top.Sharpness), threeDigits(*top.Limit), where, r.Method)
	case p > 1.1 && end.share() <= 0.8:
		r.Conclusion = fmt.Sprintf("The sharpness passes what the step bears, %s against %s = %s %s, where the training would be stable up to %s, as with a warm-up; at the end it is %s of it.",
			threeDigits(top.Sharpness), r.Limit, threeDigits(*top.Limit), where, threeDigits(top.LearningRate/p), share(end.share()))
	case p > 1.1:
		r.Conclusion = fmt.Sprintf("The sharpness passes what the step bears, %s against %s = %s %s: there a learning rate above %s is too large, and %s was used.",
			threeDigits(top.Sharpness), r.Limit, threeDigits(*top.Limit), where, threeDigits(top.LearningRate/p), threeDigits(top.LearningRate))
	case p > 0.8:
		r.Conclusion = fmt.Sprintf("The training runs at the edge of stability: the sharpness comes to %s of %s %s, so that a larger learning rate than %s finds no stable place there.",
			share(p), r.Limit, where, threeDigits(top.LearningRate))
	default:
		r.Conclusion = fmt.Sprintf("The sharpness stays below what the step bears, at most %s of %s %s: as far as curvature goes, the learning rate could be %.2g times as large.",
			share(p), r.Limit, where, 1/p)
	}
	if r.Bounds != nil {
		r.Conclusion += fmt.Sprintf(" SGD with batches of %d stays at the weights of the end up to a learning rate of about %s.", r.BatchSize, threeDigits(r.Bounds.Threshold))
	}
	if r.Diverged {
		r.Conclusion += " In the end the training diverges."
	}
	r.Conclusion += " " + r.fidelity()
}

// fidelity says how well the repetition follows the record.
func (r *stabilityReport) fidelity() string {
	switch {
	case r.Compared == 0:
		return "No loss is on record to compare with."
	case r.Deviation == 0:
		return "The losses are the recorded ones, to the bit."
	case r.Deviation == math.MaxFloat64:
		return "The losses deviate from the recorded ones, of which some are no numbers: what is shown is of this repetition."
	}
	return fmt.Sprintf("The losses deviate from the recorded ones by up to %.2g %%: what is shown is of this repetition.", 100*r.Deviation)
}

// describe says what was looked at.
func (r *stabilityReport) describe() string {
	return fmt.Sprintf("run %d: %s, %d examples; %s with %d parameters in %s; %s at %s, %s schedule, batches of %d, seed %d",
		r.Run, r.Data, r.Examples, r.Model, r.Parameters, r.DType, r.Method, threeDigits(r.LearningRate), r.Schedule, r.BatchSize, r.Seed)
}

func (r *stabilityReport) columns() []report.Column {
	return []report.Column{
		{Name: "epoch"},
		{Name: "train loss", Numeric: true},
		{Name: "η", Numeric: true, Help: "learning rate of the step before"},
		{Name: r.Limit, Numeric: true, Help: "largest curvature that the step bears"},
		{Name: "sharpness", Numeric: true, Help: "largest eigenvalue of the Hessian"},
		{Name: "share", Numeric: true, Help: "sharpness over what the step bears"},
		{Name: "trace", Numeric: true},
		{Name: "± s.e.", Numeric: true},
		{Name: "Frobenius", Numeric: true},
		{Name: "± s.e.", Numeric: true},
	}
}

func (r *stabilityReport) rows() [][]string {
	var rows [][]string
	for _, p := range r.Points {
		limit, part := "-", "-"
		if p.Limit != nil {
			limit, part = threeDigits(*p.Limit), share(p.share())
		}
		rows = append(rows, []string{fmt.Sprintf("%.4g", p.Epoch), threeDigits(p.TrainLoss), threeDigits(p.LearningRate), limit, threeDigits(p.Sharpness), part,
			threeDigits(p.Trace.Value), threeDigits(p.Trace.StandardError), threeDigits(p.Frobenius.Value), threeDigits(p.Frobenius.StandardError)})
	}
	return rows
}

// boundRows are the limits of SGD at the end.
func (b *stabilityBounds) rows() [][]string {
	return [][]string{
		{"mean-square stability, exact", threeDigits(b.Threshold)},
		{"test with the identity", threeDigits(b.Bracket)},
		{"test with the top eigenvector", threeDigits(b.Direction)},
		{"trace, 2B/Tr(H)", threeDigits(b.Trace)},
		{"gradient descent, 2/sharpness", threeDigits(b.Sharpness)},
	}
}

func (r *stabilityReport) print(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "%s\n\n", r.describe()); err != nil {
		return err
	}
	var header []string
	var numeric []int
	for i, column := range r.columns() {
		header, numeric = append(header, column.Name), append(numeric, i)
	}
	if err := printTable(w, header, r.rows(), numeric...); err != nil {
		return err
	}
	if r.Bounds != nil {
		fmt.Fprintln(w)
		if err := printTable(w, []string{"limit of SGD at the end", "learning rate"}, r.Bounds.rows(), 1); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "\n%s\n", r.Conclusion)
	return err
}

// page is the HTML report.
func (r *stabilityReport) page(command string) report.Page {
	table := &report.Table{Caption: "Curvature along the training", Columns: r.columns()}
	for _, row := range r.rows() {
		table.Rows = append(table.Rows, report.Row{Cells: row})
	}
	p := report.Page{
		Title: fmt.Sprintf("Stability of %s in run %d on %s", r.Method, r.Run, r.Data), Subtitle: r.Conclusion, Command: command,
		Facts: []report.Fact{{Name: "Setting", Value: r.describe()}, {Name: "Estimates", Value: fmt.Sprintf("%d random vectors for trace and norm", r.Probes)}},
		Sections: []report.Section{
			{Title: "Curvature", Table: table, Text: "In directions whose curvature is above the limit, steps grow instead of leading to the valley's floor.", Figures: r.figures()},
		},
	}
	if r.Bounds != nil {
		bounds := &report.Table{Caption: "Limits of SGD at the end", Columns: []report.Column{{Name: "Limit"}, {Name: "learning rate", Numeric: true}}}
		for _, row := range r.Bounds.rows() {
			bounds.Rows = append(bounds.Rows, report.Row{Cells: row})
		}
		p.Sections = append(p.Sections, report.Section{Title: "Where SGD can stay", Table: bounds,
			Text: fmt.Sprintf("From the gradients of %d examples, for batches of %d. The first is where the mean square of the distance to a minimum stays bounded; the others are necessary and not sufficient. They hold where the loss is zero; it is %s here.",
				r.Bounds.Examples, r.BatchSize, threeDigits(r.Points[len(r.Points)-1].TrainLoss))})
	}
	return p
}

func (r *stabilityReport) figures() []plot.Figure {
	line := func(name string, value func(stabilityPoint) (y, standardError float64)) plot.Line {
		l := plot.Line{Name: name, Points: true}
		for _, p := range r.Points {
			y, e := value(p)
			l.X, l.Y = append(l.X, p.Epoch), append(l.Y, y)
			l.Low, l.High = append(l.Low, y-2*e), append(l.High, y+2*e)
		}
		return l
	}
	sharpness := line("sharpness", func(p stabilityPoint) (float64, float64) { return p.Sharpness, 0 })
	sharpness.Emphasis = true
	limit := line(r.Limit, func(p stabilityPoint) (float64, float64) {
		if p.Limit == nil {
			return math.NaN(), 0
		}
		return *p.Limit, 0
	})
	limit.Dashed, limit.Points = true, false
	return []plot.Figure{
		{Title: "Curvature against what the step bears", X: plot.Axis{Label: "epoch"}, Y: plot.Axis{Label: "curvature", Log: true},
			Caption: "Bands of trace and norm are two standard errors wide to either side.",
			Lines: []plot.Line{sharpness, limit,
				line("trace", func(p stabilityPoint) (float64, float64) { return p.Trace.Value, p.Trace.StandardError }),
				line("Frobenius norm", func(p stabilityPoint) (float64, float64) { return p.Frobenius.Value, p.Frobenius.StandardError })}},
		{Title: "Loss", X: plot.Axis{Label: "epoch"}, Y: plot.Axis{Label: "train loss", Log: true}, Caption: "At the epochs that were looked at.",
			Lines: []plot.Line{line("train loss", func(p stabilityPoint) (float64, float64) { return p.TrainLoss, 0 })}},
	}
}
