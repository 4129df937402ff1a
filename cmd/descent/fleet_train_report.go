package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/descentml/descent/fleet/coding"
	"github.com/descentml/descent/lab/experiment"
	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/lab/store"
)

// fleetReport is the outcome of `fleet train`, as --json prints it.
type fleetReport struct {
	Run          int64                  `json:"run"`
	Data         experiment.DataSummary `json:"data"`
	Scheme       string                 `json:"scheme"`
	Workers      int                    `json:"workers"`
	Load         float64                `json:"load"`  // share of the data that a worker processes in a round
	Delay        int                    `json:"delay"` // rounds that a gradient may come late
	Steps        int                    `json:"steps"`
	DType        string                 `json:"dtype"`
	Arithmetic   string                 `json:"arithmetic"`
	LearningRate float64                `json:"learning_rate"`
	Momentum     float64                `json:"momentum"`
	Method       string                 `json:"method,omitempty"` // "": gradient descent with momentum
	Score        string                 `json:"score"`            // accuracy or R²
	Models       []fleetModel           `json:"models"`
	Rounds       roundCounts            `json:"rounds"`
	Answers      []workerCount          `json:"workers_answers"`
	Seconds      float64                `json:"seconds"`
	Saved        string                 `json:"saved,omitempty"`
}

// fleetModel is one of the models.
type fleetModel struct {
	Model      string  `json:"model"`
	Seed       uint64  `json:"seed"`
	Parameters int     `json:"parameters"`
	Validation float64 `json:"validation_score"`
	TestLoss   float64 `json:"test_loss"`
	TestScore  float64 `json:"test_score"`
	Best       bool    `json:"best"`
}

// workerCount is what a worker did, as the coordinator counted.
type workerCount struct {
	Worker  string  `json:"worker"`
	Answers int64   `json:"answers"`
	Late    int64   `json:"late"`
	Seconds float64 `json:"seconds"` // mean of a task
}

// checkResumed refuses flags beside --resume but the allowed ones.
func checkResumed(c *cobra.Command, allowed ...string) error {
	names := map[string]bool{}
	for _, name := range allowed {
		names[name] = true
	}
	var err error
	c.Flags().Visit(func(flag *pflag.Flag) {
		if !names[flag.Name] && err == nil {
			err = usageError{fmt.Errorf("--%s cannot be given with --resume: the run keeps its settings", flag.Name)}
		}
	})
	return err
}

func (r *fleetReport) describe() string {
	return fmt.Sprintf("%s: %d training, %d validation and %d test examples; %d steps of each model on all training examples",
		r.Data.Name, r.Data.Train, r.Data.Validation, r.Data.Test, r.Steps)
}

func (r *fleetReport) setting() string {
	return fmt.Sprintf("%s over %d workers, each with %.4g of the data in a round where %.4g would do without redundancy; gradients at most %d rounds late",
		r.Scheme, r.Workers, r.Load, 1/float64(r.Workers), r.Delay)
}

func (r *fleetReport) happened() string {
	n := r.Rounds
	return fmt.Sprintf("%d rounds in %.1f s: %d answers late, of which %d were decoded around and %d waited for (in %d rounds); %s sent, %s received",
		n.Rounds, n.Seconds, n.Late, n.Around, n.WaitedFor, n.WaitOuts, bytesText(n.Sent), bytesText(n.Received))
}

func (r *fleetReport) print(w io.Writer) error {
	fmt.Fprintf(w, "%s\n%s\n%s\n\n", r.describe(), r.setting(), r.happened())
	return printRanking(w, r.table())
}

func (r *fleetReport) columns() []string {
	return []string{"model", "seed", "parameters", "validation " + r.Score, "test " + r.Score, "test loss"}
}

func (m *fleetModel) cells() []string {
	return []string{m.Model, fmt.Sprint(m.Seed), fmt.Sprint(m.Parameters), fmt.Sprintf("%.4f", m.Validation), fmt.Sprintf("%.4f", m.TestScore), fmt.Sprintf("%.4f", m.TestLoss)}
}

// fleetCurves are the figures of a run.
func fleetCurves(ctx context.Context, st *store.Store, run int64, score string) ([]plot.Figure, error) {
	trials, err := st.Trials(ctx, run)
	if err != nil {
		return nil, err
	}
	loss := plot.Figure{Title: "Loss over steps", X: plot.Axis{Label: "steps"}, Y: plot.Axis{Label: "validation loss", Log: true}, Caption: "Each model on the validation part."}
	scores := plot.Figure{Title: "Score over steps", X: loss.X, Y: plot.Axis{Label: "validation " + score}, Caption: "The same trainings."}
	rounds := plot.Figure{Title: "Rounds", X: plot.Axis{Label: "round"}, Y: plot.Axis{Label: "workers"}, Caption: "Workers that were late, and those of them without which the round ended."}
	for i, trial := range trials {
		name := fmt.Sprintf("%s, seed %d", trial.Method, trial.Seed)
		for _, part := range []struct {
			figure       *plot.Figure
			series, name string
			byEpoch      bool
			color        int
		}{
			{&loss, experiment.SeriesValidationLoss, name, true, i + 1}, {&scores, experiment.SeriesValidationScore, name, true, i + 1},
			{&rounds, seriesLate, "late", false, 1}, {&rounds, seriesAround, "decoded around", false, 2},
		} {
			points, err := st.Series(ctx, trial.ID, part.series)
			if err != nil {
				return nil, err
			}
			line := plot.Line{Name: part.name, Color: part.color}
			for _, p := range points {
				x := p.Epoch
				if !part.byEpoch {
					x = float64(p.Step)
				}
				line.X, line.Y = append(line.X, x), append(line.Y, p.Value)
			}
			if len(points) > 0 {
				part.figure.Lines = append(part.figure.Lines, line)
			}
		}
	}
	return []plot.Figure{loss, scores, rounds}, nil
}

// table has a row for each model.
func (r *fleetReport) table() *report.Table {
	t := &report.Table{Caption: "After the last step"}
	for i, name := range r.columns() {
		t.Columns = append(t.Columns, report.Column{Name: name, Numeric: i > 0})
	}
	for _, m := range r.Models {
		t.Rows = append(t.Rows, report.Row{Cells: m.cells(), Best: m.Best && len(r.Models) > 1})
	}
	return t
}

// page is the HTML report.
func (r *fleetReport) page(ctx context.Context, st *store.Store, run store.Run, command string) (report.Page, error) {
	figures, err := fleetCurves(ctx, st, run.ID, r.Score)
	if err != nil {
		return report.Page{}, err
	}
	best := r.Models[0]
	for _, m := range r.Models {
		if m.Best {
			best = m
		}
	}
	answers := &report.Table{Caption: "Workers", Columns: []report.Column{{Name: "worker"}, {Name: "answers", Numeric: true}, {Name: "late", Numeric: true}, {Name: "ms a task", Numeric: true}}}
	for _, a := range r.Answers {
		answers.Rows = append(answers.Rows, report.Row{Cells: []string{a.Worker, fmt.Sprint(a.Answers), fmt.Sprint(a.Late), fmt.Sprintf("%.1f", 1000*a.Seconds)}})
	}
	exactness := "Every gradient is that of all training examples, whoever was late."
	if spec, err := coding.ParseSpec(r.Scheme); err == nil && !spec.Exact() {
		exactness = "A gradient is that of the examples whose answers were in time, in place of all."
	}
	return report.Page{
		Title: "Coded training on " + r.Data.Name, Subtitle: fmt.Sprintf("%s reaches a test %s of %.4f.", best.Model, r.Score, best.TestScore), Command: command,
		Facts: []report.Fact{{Name: "Run", Value: fmt.Sprintf("%d, %s", run.ID, run.Created.Format("2 January 2006, 15:04 MST"))}, {Name: "Data", Value: r.describe()}, {Name: "Scheme", Value: r.setting()}, {Name: "Rounds", Value: r.happened()}},
		Sections: []report.Section{
			{Title: "Result", Table: r.table(), Text: exactness},
			{Title: "Training", Figures: figures},
			{Title: "Workers", Table: answers},
		},
	}, nil
}

// showFleet prints a recorded coded training and draws its report.
func showFleet(c *cobra.Command, st *store.Store, run store.Run, asJSON bool, file, storeFlag string) error {
	var config codedConfig
	if err := json.Unmarshal(run.Config, &config); err != nil {
		return fmt.Errorf("reading the settings of run %d: %w", run.ID, err)
	}
	w := c.OutOrStdout()
	var r fleetReport
	if err := json.Unmarshal(run.Result, &r); err != nil {
		return fmt.Errorf("reading run %d: %w", run.ID, err)
	}
	page, err := r.page(c.Context(), st, run, config.Command)
	if err != nil {
		return err
	}
	if asJSON {
		err = printJSON(w, r)
	} else {
		err = r.print(w)
	}
	if err != nil {
		return err
	}
	if file, err = writePage(st, run, file, page); err != nil || asJSON {
		return err
	}
	fmt.Fprintf(w, "\nReport:  %s\nRepeat:  %s\n", file, config.Command+storeOption(storeFlag))
	if r.Saved != "" {
		fmt.Fprintf(w, "Model:   %s\nPredict: descent predict --model %s --data NEW.csv\n", r.Saved, experiment.Quote(r.Saved))
	}
	return nil
}
