package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/spf13/cobra"

	"github.com/descentml/descent/fleet/federated"
	"github.com/descentml/descent/lab/experiment"
	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/lab/store"
)

// federateReport is the outcome of `fleet federate`, as --json prints it.
type federateReport struct {
	Run        int64                  `json:"run"`
	Data       experiment.DataSummary `json:"data"`
	Model      string                 `json:"model"`
	DType      string                 `json:"dtype"`
	Parameters int                    `json:"parameters"`
	Score      string                 `json:"score"` // accuracy or R²
	Clients    int                    `json:"clients"`
	Examples   []int                  `json:"examples"` // of each client
	Partition  string                 `json:"partition"`
	Times      string                 `json:"times"`
	Horizon    float64                `json:"horizon"`
	Local      federated.Local        `json:"local"`
	Results    []federateResult       `json:"results"` // in the order that was asked for
	Saved      string                 `json:"saved,omitempty"`
}

// rank marks the result with the best test score.
func (r *federateReport) rank() {
	best := -1
	for i := range r.Results {
		r.Results[i].Best = false
		if s := r.Results[i].TestScore; s != nil && (best < 0 || *s > *r.Results[best].TestScore) {
			best = i
		}
	}
	if best >= 0 {
		r.Results[best].Best = true
	}
}

func readFederateConfig(run store.Run) (federateConfig, error) {
	var c federateConfig
	if err := json.Unmarshal(run.Config, &c); err != nil {
		return c, fmt.Errorf("reading the settings of run %d: %w", run.ID, err)
	}
	return c, nil
}

// describe says what was trained on what.
func (r *federateReport) describe() string {
	return fmt.Sprintf("%s: %d training, %d validation and %d test examples; %s with %d parameters", r.Data.Name, r.Data.Train, r.Data.Validation, r.Data.Test, r.Model, r.Parameters)
}

// setting says how it was trained.
func (r *federateReport) setting() string {
	work := fmt.Sprintf("%d local steps", r.Local.Steps)
	if r.Local.Steps == 0 {
		work = fmt.Sprintf("%d local epochs", r.Local.Epochs)
	}
	examples := fmt.Sprintf("with %d to %d examples", slices.Min(r.Examples), slices.Max(r.Examples))
	if r.Partition == partitionWorkers {
		examples = "with data of their own"
	}
	return fmt.Sprintf("%d clients by %s %s, times %s, %s of %d at learning rate %g, up to time %g",
		r.Clients, r.Partition, examples, r.Times, work, r.Local.Batch, r.Local.LearningRate, r.Horizon)
}

// columns are the headings of the table, after the mark.
func (r *federateReport) columns() []report.Column {
	return []report.Column{
		{Name: "strategy"},
		{Name: "test " + r.Score, Numeric: true, Help: "at the horizon, on examples that no client has"},
		{Name: "test loss", Numeric: true},
		{Name: "aggregations", Numeric: true},
		{Name: "works", Numeric: true, Help: "local works that were aggregated"},
		{Name: "moved", Numeric: true, Help: "bytes between server and clients, both ways"},
		{Name: "staleness", Numeric: true, Help: "aggregations between the parameters that a work began with and those that it was added to, mean and most"},
		{Name: "seconds", Numeric: true, Help: "of computation"},
	}
}

func (l *federateResult) cells() []string {
	number := func(x *float64) string {
		if x == nil {
			return experiment.StatusDiverged
		}
		return fmt.Sprintf("%.4f", *x)
	}
	return []string{l.Strategy, number(l.TestScore), number(l.TestLoss), fmt.Sprint(l.Aggregations), fmt.Sprint(l.Contributions),
		bytesText(l.Bytes), fmt.Sprintf("%.2f, at most %d", l.MeanStaleness, l.MaxStaleness), fmt.Sprintf("%.2f", l.Seconds)}
}

// bytesText writes a number of bytes with a decimal unit.
func bytesText(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB"}
	x := float64(n)
	for len(units) > 1 && x >= 999.5 {
		x, units = x/1000, units[1:]
	}
	return fmt.Sprintf("%.3g %s", x, units[0])
}

func (r *federateReport) print(w io.Writer) error {
	fmt.Fprintf(w, "%s\n%s\n\n", r.describe(), r.setting())
	if err := printRanking(w, r.table()); err != nil {
		return err
	}
	if len(r.Results) > 1 {
		fmt.Fprintln(w, "\n★ best at equal simulated time; with one seed there is no telling chance from difference")
	}
	return nil
}

// table has a row for each strategy.
func (r *federateReport) table() *report.Table {
	t := &report.Table{Caption: fmt.Sprintf("At simulated time %g", r.Horizon), Columns: r.columns()}
	for i := range r.Results {
		l := &r.Results[i]
		t.Rows = append(t.Rows, report.Row{Cells: l.cells(), Best: l.Best && len(r.Results) > 1})
	}
	return t
}

// page is the HTML report.
func (r *federateReport) page(run store.Run, command string) report.Page {
	x := plot.Axis{Label: "simulated time"}
	loss := plot.Figure{Title: "Loss over simulated time", X: x, Y: plot.Axis{Label: "validation loss", Log: true},
		Caption: "On validation examples that no client has. A unit of time is what the times of the clients are in."}
	score := plot.Figure{Title: "Score over simulated time", X: x, Y: plot.Axis{Label: "validation " + r.Score}, Caption: "The same trainings."}
	for i := range r.Results {
		l := &r.Results[i]
		loss.Lines = append(loss.Lines, plot.Line{Name: l.Strategy, X: l.Curve.Time, Y: numbers(l.Curve.Loss), Color: i + 1})
		score.Lines = append(score.Lines, plot.Line{Name: l.Strategy, X: l.Curve.Time, Y: numbers(l.Curve.Score), Color: i + 1})
	}
	title := "Federated training on " + r.Data.Name
	subtitle := "Every strategy diverged."
	if i := slices.IndexFunc(r.Results, func(l federateResult) bool { return l.Best }); i >= 0 {
		subtitle = fmt.Sprintf("%s reaches a test %s of %.4f at simulated time %g.", r.Results[i].Strategy, r.Score, *r.Results[i].TestScore, r.Horizon)
	}
	return report.Page{
		Title: title, Subtitle: subtitle, Command: command,
		Facts: []report.Fact{{Name: "Run", Value: fmt.Sprintf("%d, %s", run.ID, run.Created.Format("2 January 2006, 15:04 MST"))}, {Name: "Data and model", Value: r.describe()}, {Name: "Setting", Value: r.setting()}},
		Sections: []report.Section{
			{Title: "Result", Table: r.table(), Text: "All strategies begin with the same weights and clients and are compared at equal simulated time, not at an equal number of aggregations."},
			{Title: "Training", Figures: []plot.Figure{loss, score}},
		},
	}
}

// numbers are those that JSON held, NaN for none.
func numbers(list []*float64) []float64 {
	out := make([]float64, len(list))
	for i, x := range list {
		out[i] = math.NaN()
		if x != nil {
			out[i] = *x
		}
	}
	return out
}

// showFederate prints a recorded federated run and draws its report.
func showFederate(c *cobra.Command, st *store.Store, run store.Run, asJSON bool, file, storeFlag string) error {
	if isBlackBox(run) {
		return showBlackBox(c, st, run, asJSON, file, storeFlag)
	}
	config, err := readFederateConfig(run)
	if err != nil {
		return err
	}
	w := c.OutOrStdout()
	var r federateReport
	if err := json.Unmarshal(run.Result, &r); err != nil {
		return fmt.Errorf("reading run %d: %w", run.ID, err)
	}
	if asJSON {
		if err := printJSON(w, r); err != nil {
			return err
		}
	} else if err := r.print(w); err != nil {
		return err
	}
	if file, err = writePage(st, run, file, r.page(run, config.Command)); err != nil || asJSON {
		return err
	}
	fmt.Fprintf(w, "\nReport:  %s\nRepeat:  %s\n", file, config.Command+storeOption(storeFlag))
	if r.Saved != "" {
		fmt.Fprintf(w, "Model:   %s\nPredict: descent predict --model %s --data NEW.csv\n", r.Saved, experiment.Quote(r.Saved))
	}
	return nil
}
