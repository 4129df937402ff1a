package main

import (
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/descentml/descent/analysis/doubledescent"
	"github.com/descentml/descent/data"
	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
)

// descentReport is the result of `analyze double-descent`, as --json prints it.
// Numbers that are not there, because a training diverged, are null.
type descentReport struct {
	Data         string         `json:"data"`
	Task         data.Task      `json:"task"`
	Model        string         `json:"model"`
	Activation   string         `json:"activation"`
	Factor       string         `json:"factor"`
	Examples     int            `json:"examples"`
	TestExamples int            `json:"test_examples"`
	Inputs       int            `json:"inputs"`
	Outputs      int            `json:"outputs"`
	Noise        float64        `json:"noise"`
	Seeds        int            `json:"seeds"`
	Threshold    int            `json:"threshold_width"`
	Values       []descentValue `json:"values"`
	Conclusion   string         `json:"conclusion"`
}

// descentValue is one value of the factor.
type descentValue struct {
	Value         string         `json:"value"`
	PeakRatio     *float64       `json:"peak_ratio"`
	MedianRatio   *float64       `json:"median_peak_ratio"`
	PeakWidth     int            `json:"peak_width"`
	ThresholdLoss *float64       `json:"threshold_loss"`
	Condition     *float64       `json:"threshold_condition"`
	Peak          bool           `json:"double_descent"`
	Points        []descentPoint `json:"points"`
}

// descentPoint is a value at one width, means over the seeds.
type descentPoint struct {
	Width      int      `json:"width"`
	Parameters int      `json:"parameters"`
	TrainMSE   *float64 `json:"train_mse"`
	TestMSE    *float64 `json:"test_mse"`
	MedianTest *float64 `json:"median_test_mse"`
	Lowest     *float64 `json:"lowest_test_mse"`
	Highest    *float64 `json:"highest_test_mse"`
	TestError  *float64 `json:"test_error"`
	Condition  *float64 `json:"condition"`
	WeightNorm *float64 `json:"weight_norm"`
	Diverged   int      `json:"diverged"`
}

// known is a number for JSON; nil if it is not finite.
func known(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

// valueOf is a number from JSON; NaN for nil.
func valueOf(x *float64) float64 {
	if x == nil {
		return math.NaN()
	}
	return *x
}

func newDescentReport(f *descentFlags, table *data.Table, sample *doubledescent.Data, records []doubledescent.Record) *descentReport {
	r := &descentReport{Data: table.Name, Task: table.Task(), Model: f.model, Activation: f.activation, Factor: f.factor,
		Noise: f.noise, Seeds: f.seeds}
	r.Examples, r.Inputs = sample.Train.Inputs.Dims()
	r.TestExamples, r.Outputs = sample.Test.Targets.Dims()
	for _, c := range doubledescent.Curves(records) {
		shape := c.Shape()
		value := descentValue{Value: c.Setting, PeakRatio: known(shape.PeakRatio), MedianRatio: known(shape.MedianRatio), PeakWidth: shape.PeakWidth,
			ThresholdLoss: known(shape.ThresholdLoss), Condition: known(shape.ThresholdCondition), Peak: shape.DoubleDescent}
		for _, p := range c.Points {
			if p.Multiple == 1 {
				r.Threshold = p.Width
			}
			value.Points = append(value.Points, descentPoint{Width: p.Width, Parameters: p.Parameters, TrainMSE: known(p.Train), TestMSE: known(p.Test),
				MedianTest: known(p.MedianTest), Lowest: known(p.Low), Highest: known(p.High),
				TestError: known(p.Error), Condition: known(p.Condition), WeightNorm: known(p.WeightNorm), Diverged: p.Diverged})
		}
		r.Values = append(r.Values, value)
	}
	r.Conclusion = r.conclude()
	return r
}

// largest is the largest width.
func (r *descentReport) largest() int {
	points := r.Values[0].Points
	return points[len(points)-1].Width
}

// lowLoss is a train loss so small that it explains no missing peak.
const lowLoss = 1e-4

// conclude says in one sentence what a practitioner can act on.
func (r *descentReport) conclude() string {
	var high, low, lowest *descentValue // highest peak, lowest without one, lowest loss
	for i := range r.Values {
		v := &r.Values[i]
		switch {
		case v.PeakRatio == nil || v.ThresholdLoss == nil:
			continue
		case v.Peak && (high == nil || *v.PeakRatio > *high.PeakRatio):
			high = v
		case !v.Peak && (low == nil || *v.PeakRatio < *low.PeakRatio):
			low = v
		}
		if lowest == nil || *v.ThresholdLoss < *lowest.ThresholdLoss {
			lowest = v
		}
	}
	switch {
	case lowest == nil:
		return fmt.Sprintf("Every training diverged near width %d: take smaller steps.", r.Threshold)
	case high == nil && *lowest.ThresholdLoss < lowLoss:
		return fmt.Sprintf("No value shows a peak at width %d, although at %s the train loss there gets down to %s: on these data a width near the threshold does little harm.",
			r.Threshold, lowest.Value, threeDigits(*lowest.ThresholdLoss))
	case high == nil:
		return fmt.Sprintf("No value shows a peak at width %d because the train loss there stops at %s or above; train longer (--factor budget) to see whether one appears.",
			r.Threshold, threeDigits(*lowest.ThresholdLoss))
	case low == nil:
		return fmt.Sprintf("Every value shows a peak, the highest at %s: at width %d the test loss is %s times that at width %d; keep away from that width, stop earlier or add a ridge.",
			high.Value, high.PeakWidth, threeDigits(*high.PeakRatio), r.largest())
	}
	return fmt.Sprintf("At %s the test loss peaks at width %d (%s times that at width %d); at %s %s.",
		high.Value, high.PeakWidth, threeDigits(*high.PeakRatio), r.largest(), low.Value, low.without())
}

// without says why there is no peak.
func (v *descentValue) without() string {
	if *v.ThresholdLoss < lowLoss {
		return fmt.Sprintf("there is no peak although the train loss at the threshold gets down to %s", threeDigits(*v.ThresholdLoss))
	}
	return fmt.Sprintf("there is no peak because the train loss at the threshold stops at %s", threeDigits(*v.ThresholdLoss))
}

// describe says what was trained.
func (r *descentReport) describe() string {
	model := "heads on random " + r.Activation + " features"
	if r.Model == modelTwoLayer {
		model = "two-layer " + r.Activation + " networks"
	}
	return fmt.Sprintf("%s: %d training and %d test examples, %d inputs, %s noise in the training targets; %s of width %d to %d, threshold at %d; %s",
		r.Data, r.Examples, r.TestExamples, r.Inputs, fmt.Sprintf("%.3g %%", 100*r.Noise), model,
		r.Values[0].Points[0].Width, r.largest(), r.Threshold, count(r.Seeds, "seed"))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// cells are the row of a value in the table, without a mark.
func (v descentValue) cells(largest descentPoint) []string {
	number := func(x *float64) string {
		if x == nil {
			return "-"
		}
		return threeDigits(*x)
	}
	peak := "no"
	switch {
	case v.PeakRatio == nil:
		peak = "diverged"
	case v.Peak:
		peak = fmt.Sprintf("yes, at %d", v.PeakWidth)
	}
	return []string{v.Value, number(v.PeakRatio), peak, number(v.ThresholdLoss), number(v.Condition), number(largest.TestMSE), number(largest.TestError)}
}

// header names the columns of cells.
func (r *descentReport) header() []string {
	return []string{r.Factor, "peak ratio R", "peak", fmt.Sprintf("train loss at %d", r.Threshold), fmt.Sprintf("condition at %d", r.Threshold),
		fmt.Sprintf("test loss at %d", r.largest()), fmt.Sprintf("test error at %d", r.largest())}
}

// rows are the table; regression has no test error.
func (r *descentReport) rows() (header []string, rows [][]string) {
	header = r.header()
	if r.Task == data.Regression {
		header = header[:len(header)-1]
	}
	for _, v := range r.Values {
		rows = append(rows, v.cells(v.Points[len(v.Points)-1])[:len(header)])
	}
	return header, rows
}

func (r *descentReport) print(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "%s\n\n", r.describe()); err != nil {
		return err
	}
	header, rows := r.rows()
	if err := printTable(w, header, rows, 1, 3, 4, 5, 6); err != nil {
		return err
	}
	var widths []string
	for _, p := range r.Values[0].Points {
		widths = append(widths, fmt.Sprint(p.Width))
	}
	_, err := fmt.Fprintf(w, "\nWidths: %s\n%s\n", strings.Join(widths, ", "), r.Conclusion)
	return err
}

// page is the HTML report.
func (r *descentReport) page(command string) report.Page {
	header, rows := r.rows()
	table := &report.Table{Caption: "One row for each value of the factor"}
	for i, name := range header {
		table.Columns = append(table.Columns, report.Column{Name: name, Numeric: i != 0 && i != 2})
	}
	table.Columns[1].Help = fmt.Sprintf("largest mean test loss at 0.8 to 1.2 times the width %d over that at width %d", r.Threshold, r.largest())
	table.Columns[2].Help = "yes if R is at least 2 and the test loss falls by 20 % on both sides of the peak"
	for _, cells := range rows {
		table.Rows = append(table.Rows, report.Row{Cells: cells})
	}
	figures := []plot.Figure{
		r.figure("Test loss against width", "test MSE", true, "Mean over seeds; the band spans the seeds.", func(p descentPoint) *float64 { return p.TestMSE }),
		r.figure("Train loss against width", "train MSE", true, "Mean over seeds at the end of training.", func(p descentPoint) *float64 { return p.TrainMSE }),
		r.figure("Condition number against width", "condition number of the features", true, "Median over seeds; of a network, of its hidden values at the start.",
			func(p descentPoint) *float64 { return p.Condition }),
	}
	for i, v := range r.Values {
		line := &figures[0].Lines[i]
		for _, p := range v.Points {
			line.Low, line.High = append(line.Low, valueOf(p.Lowest)), append(line.High, valueOf(p.Highest))
		}
	}
	if r.Task != data.Regression {
		wrong := r.figure("Test error against width", "test error", false, "Mean share of test examples that get another class.", func(p descentPoint) *float64 { return p.TestError })
		figures = append(figures[:1], append([]plot.Figure{wrong}, figures[1:]...)...)
	}
	return report.Page{
		Title: "Double descent on " + r.Data, Subtitle: r.Conclusion,
		Facts:   []report.Fact{{Name: "Setting", Value: r.describe()}},
		Command: command,
		Sections: []report.Section{
			{Title: "Result", Table: table, Text: "A peak needs a small train loss at the threshold. The condition number says how slowly that loss falls: gradient descent needs about its square in steps."},
			{Title: "Curves", Figures: append(figures, r.channel())},
		},
	}
}

// figure draws a quantity over the widths, one line per value.
func (r *descentReport) figure(title, label string, log bool, caption string, quantity func(descentPoint) *float64) plot.Figure {
	width := "features"
	if r.Model == modelTwoLayer {
		width = "hidden units"
	}
	figure := plot.Figure{Title: title, X: plot.Axis{Label: width, Log: true}, Y: plot.Axis{Label: label, Log: log}, Caption: caption,
		Vertical: []plot.Rule{{Name: "threshold", At: float64(r.Threshold)}}}
	for _, v := range r.Values {
		line := plot.Line{Name: v.Value, Points: true}
		for _, p := range v.Points {
			line.X, line.Y = append(line.X, float64(p.Width)), append(line.Y, valueOf(quantity(p)))
		}
		figure.Lines = append(figure.Lines, line)
	}
	return figure
}

// channel draws the peak against the loss at the threshold.
func (r *descentReport) channel() plot.Figure {
	figure := plot.Figure{Title: "Peak against the loss at the threshold", X: plot.Axis{Label: "train MSE at the threshold", Log: true},
		Y: plot.Axis{Label: "peak ratio R", Log: true}, Caption: "One point per value."}
	for _, v := range r.Values {
		figure.Lines = append(figure.Lines, plot.Line{Name: v.Value, Scatter: true,
			X: []float64{valueOf(v.ThresholdLoss)}, Y: []float64{valueOf(v.PeakRatio)}})
	}
	return figure
}

// threeDigits writes a number with three significant digits.
func threeDigits(x float64) string {
	if x != 0 && (math.Abs(x) < 1e-3 || math.Abs(x) >= 1e5) {
		return fmt.Sprintf("%.2e", x)
	}
	return fmt.Sprintf("%.3g", x)
}
