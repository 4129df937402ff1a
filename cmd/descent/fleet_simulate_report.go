package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
)

// simulateReport is the result of `fleet simulate`, as --json prints it.
type simulateReport struct {
	Workers      int         `json:"workers"`
	Delays       string      `json:"delays"` // model or file
	Jobs         int         `json:"jobs"`
	Slope        float64     `json:"slope_seconds"`
	RecordedLoad float64     `json:"recorded_load"`
	Tolerance    float64     `json:"tolerance"`
	WaitOut      string      `json:"wait_out"`
	Runs         int         `json:"runs"`
	Probe        int         `json:"probe_rounds"`
	Schemes      []simulated `json:"schemes"`
	Reference    string      `json:"reference"` // of the ratios
	Fastest      string      `json:"fastest"`
	Conclusion   string      `json:"conclusion"`
}

func (r *simulateReport) describe() string {
	draws := fmt.Sprintf("%d draws", r.Runs)
	if r.Runs == 1 {
		draws = "one run"
	}
	return fmt.Sprintf("%d gradients on %d workers, delays %s, %g s for each unit of load, late after %g times the fastest, %s", r.Jobs, r.Workers, r.Delays, r.Slope, 1+r.Tolerance, draws)
}

// rows are the table's cells.
func (r *simulateReport) rows() [][]string {
	var rows [][]string
	for _, s := range r.Schemes {
		seconds := fmt.Sprintf("%.1f", s.Mean)
		if len(s.Seconds) > 1 {
			seconds += fmt.Sprintf(" ± %.1f", s.Deviation)
		}
		from := "chosen"
		if s.Given {
			from = "given"
		}
		name := s.Scheme
		if !s.Exact {
			name += " (not exact)"
		}
		rows = append(rows, []string{name, from, fmt.Sprintf("%.5f", s.Load), seconds, fmt.Sprintf("%.1f", s.WaitOuts), fmt.Sprintf("%.3f", s.Ratio), fmt.Sprint(s.Models)})
	}
	return rows
}

func (r *simulateReport) print(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "%s\n\n", r.describe()); err != nil {
		return err
	}
	header := []string{"scheme", "parameters", "load", "time, s", "waits", "of " + r.Reference, "models"}
	if err := printTable(w, header, r.rows(), 2, 3, 4, 5, 6); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s\n", r.Conclusion)
	return err
}

// page is the HTML report.
func (r *simulateReport) page(command string) report.Page {
	table := &report.Table{
		Caption: "Run times", Columns: []report.Column{
			{Name: "Scheme", Help: "its gradients are exact whoever is late, unless it says otherwise"}, {Name: "Parameters", Help: "given, or chosen on a separate probe"}, {Name: "Load", Numeric: true, Help: "share of the data that a worker processes in a round"},
			{Name: "Time, s", Numeric: true, Help: "mean and standard deviation over the draws"}, {Name: "Waits", Numeric: true, Help: "rounds in which late workers had to be waited for"},
			{Name: "Ratio", Numeric: true, Help: "of the time to that of " + r.Reference}, {Name: "Models", Numeric: true, Help: "that have to train in turn at least"},
		},
	}
	figure := plot.Figure{
		Title: "Gradients over time", X: plot.Axis{Label: "time, s"}, Y: plot.Axis{Label: "gradients computed"}, Caption: "The first draw.",
	}
	for i, row := range r.rows() {
		s := r.Schemes[i]
		table.Rows = append(table.Rows, report.Row{Cells: row, Best: s.Scheme == r.Fastest})
		line := plot.Line{Name: s.Scheme, Color: i + 1, Emphasis: s.Scheme == r.Fastest}
		clock := 0.0
		for round, took := range s.rounds {
			clock += took
			if done := round + 2 - s.Models; done >= 0 {
				line.X, line.Y = append(line.X, clock), append(line.Y, float64(done))
			}
		}
		figure.Lines = append(figure.Lines, line)
	}
	return report.Page{
		Title: fmt.Sprintf("Coding schemes on %d workers", r.Workers), Subtitle: r.Conclusion, Command: command,
		Facts: []report.Fact{
			{Name: "Setting", Value: r.describe()}, {Name: "Probe", Value: fmt.Sprintf("%d rounds", r.Probe)}, {Name: "Late workers", Value: "waited for: " + r.WaitOut},
		},
		Sections: []report.Section{{Title: "Result", Table: table, Figures: []plot.Figure{figure}}},
	}
}

// show prints the result and writes its report.
func (f *simulateFlags) show(c *cobra.Command, r *simulateReport) error {
	if f.report != "" {
		command := commandOf(c)
		if f.profile == "" { // which counts as a flag of the machine elsewhere
			command += fmt.Sprintf(" --workers %d", f.workers)
		}
		if err := report.WriteFile(f.report, r.page(command)); err != nil {
			return err
		}
	}
	w := c.OutOrStdout()
	if f.json {
		return printJSON(w, r)
	}
	if err := r.print(w); err != nil {
		return err
	}
	if f.report != "" {
		_, err := fmt.Fprintf(w, "\nReport: %s\n", f.report)
		return err
	}
	return nil
}
