package experiment

import (
	"fmt"
	"math"
)

// Column is a column of a comparison's table after the name of the method.
type Column struct {
	Name    string
	Numeric bool
	Help    string // what it means, in one clause
	Value   func(Result) string
}

// Columns are the columns that tell a report's results apart. Some are there
// only if a result has something to say in them.
func (r *Report) Columns() []Column {
	columns := []Column{
		{"learning rate", true, "as given, or of the rates whose validation score is within one standard error of the best, the one with the lowest validation loss",
			func(r Result) string { return fmt.Sprintf("%.3g", r.LearningRate) }},
		{"test " + r.Score, true, "mean and standard deviation over seeds; higher is better", r.score},
		{"train loss", true, "at the end, mean over seeds", func(r Result) string { return optional(Short, r.TrainLoss) }},
		{"seconds", true, "of training one seed, without evaluation", func(r Result) string { return fmt.Sprintf("%.2f", r.Seconds) }},
		{"status", false, "diverged: a loss was not finite, or grew beyond ten times that of the untrained network",
			func(r Result) string { return r.Status }},
	}
	if r.TargetLoss != nil {
		columns = append(columns, Column{"epochs to loss " + Short(*r.TargetLoss), true,
			"mean number of epochs until the train loss was there; a dash if not every seed got there",
			func(r Result) string { return optional(oneDecimal, r.EpochsToTarget) }})
	}
	if r.searches() {
		columns = append(columns,
			Column{"gradients", true, "of the loss, in one training", func(r Result) string { return fmt.Sprintf("%.0f", r.Gradients) }},
			Column{"evaluations", true, "of the model in the steps of one training, with and without a gradient",
				func(r Result) string { return fmt.Sprintf("%.0f", r.Evaluations) }})
	}
	if r.separates() {
		columns = append(columns, Column{"steps to separate", true, "until every training example was on its side; mean over seeds",
			func(r Result) string { return optional(oneDecimal, r.Separated) }})
	}
	return columns
}

func (r *Report) score(result Result) string {
	if result.TestScore == nil {
		return "-"
	}
	return result.TestScore.Text(r.Seeds)
}

// searches tells whether a method evaluates the model without a gradient of
// the loss, so that gradients alone do not tell what it costs.
func (r *Report) searches() bool {
	for _, result := range r.Results {
		if result.Gradients != result.Evaluations {
			return true
		}
	}
	return false
}

// separates tells whether a method was seen to separate the training part.
func (r *Report) separates() bool {
	for _, result := range r.Results {
		if result.Separated != nil {
			return true
		}
	}
	return false
}

// optional writes a number that may be missing.
func optional(format func(float64) string, x *float64) string {
	if x == nil {
		return "-"
	}
	return format(*x)
}

func oneDecimal(x float64) string { return fmt.Sprintf("%.1f", x) }

// Short writes a number with three significant digits.
func Short(x float64) string {
	if x != 0 && (math.Abs(x) < 1e-3 || math.Abs(x) >= 1e5) {
		return fmt.Sprintf("%.2e", x)
	}
	return fmt.Sprintf("%.3g", x)
}
