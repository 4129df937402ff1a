package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/spf13/cobra"

	"github.com/descentml/descent/fleet/federated/zeroth"
	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/lab/store"
)

// blackBoxReport is the outcome of `fleet federate --objective`, as --json prints
// it.
type blackBoxReport struct {
	Run           int64            `json:"run"`
	Objective     string           `json:"objective"`
	Clients       int              `json:"clients"`
	Dim           int              `json:"dim"`
	Rounds        int              `json:"rounds"`
	Heterogeneity float64          `json:"heterogeneity"` // of formulas
	Minimum       *float64         `json:"minimum"`       // of the mean; null if it is not known
	Seed          uint64           `json:"seed"`
	Plans         []zeroth.Plan    `json:"plans"`
	Results       []blackBoxResult `json:"results"` // in the order that was asked for
}

// blackBoxResult is one strategy's line.
type blackBoxResult struct {
	Strategy    string        `json:"strategy"`
	Value       float64       `json:"value"`        // mean of the clients' functions at the end
	Lowest      float64       `json:"lowest"`       // the least mean after a round
	LowestRound int           `json:"lowest_round"` // and which that was
	Point       []float64     `json:"point"`        // where, in the units of the black box
	Totals      zeroth.Totals `json:"totals"`
	Repeated    int64         `json:"repeated_queries"` // of rounds that were stopped on the way, not part of the totals
	Seconds     float64       `json:"seconds"`
	Best        bool          `json:"best"`
	Curve       blackBoxCurve `json:"curve"`
}

// blackBoxCurve is what was measured: the mean at points, and how many queries
// had been made when they were reached.
type blackBoxCurve struct {
	Round   []float64 `json:"round"`
	Queries []float64 `json:"queries"`
	Value   []float64 `json:"value"`
}

// rank marks the lowest value.
func (r *blackBoxReport) rank() {
	best := 0
	for i := range r.Results {
		r.Results[i].Best = false
		if r.Results[i].Lowest < r.Results[best].Lowest {
			best = i
		}
	}
	r.Results[best].Best = true
}

// describe says what was minimised.
func (r *blackBoxReport) describe() string {
	text := fmt.Sprintf("%s: %s, %s, %s", r.Objective, count(r.Clients, "client"), count(r.Dim, "variable"), count(r.Rounds, "round"))
	if r.Minimum != nil {
		text += fmt.Sprintf(", minimum %.6g", *r.Minimum)
	}
	return text
}

func (r *blackBoxReport) columns() []report.Column {
	columns := []report.Column{{Name: "strategy"}, {Name: "value", Numeric: true, Help: "mean of the clients' functions after the last round"}}
	if r.Minimum != nil {
		columns = append(columns, report.Column{Name: "gap", Numeric: true, Help: "value less the minimum"})
	}
	return append(columns,
		report.Column{Name: "lowest", Numeric: true, Help: "least value after a round"},
		report.Column{Name: "in round", Numeric: true},
		report.Column{Name: "queries", Numeric: true, Help: "of all clients' functions"},
		report.Column{Name: "down", Numeric: true, Help: "bytes from the server to clients, in all rounds"},
		report.Column{Name: "up", Numeric: true, Help: "bytes from clients to the server, in all rounds"},
		report.Column{Name: "seconds", Numeric: true})
}

func (l *blackBoxResult) cells(minimum *float64) []string {
	cells := []string{l.Strategy, fmt.Sprintf("%.6g", l.Value)}
	if minimum != nil {
		cells = append(cells, fmt.Sprintf("%.3g", l.Value-*minimum))
	}
	return append(cells, fmt.Sprintf("%.6g", l.Lowest), fmt.Sprint(l.LowestRound), fmt.Sprint(l.Totals.Queries),
		bytesText(l.Totals.BytesDown), bytesText(l.Totals.BytesUp), fmt.Sprintf("%.2f", l.Seconds))
}

// best is the line with the lowest value.
func (r *blackBoxReport) best() *blackBoxResult {
	for i := range r.Results {
		if r.Results[i].Best {
			return &r.Results[i]
		}
	}
	return &r.Results[0]
}

// shownVariables is how many coordinates of the best point are printed.
const shownVariables = 12

// pointText is the beginning of the best point.
func (r *blackBoxReport) pointText() string {
	var words []string
	for i, v := range r.best().Point {
		if i == shownVariables {
			words = append(words, fmt.Sprintf("... (all %d with --json)", r.Dim))
			break
		}
		words = append(words, fmt.Sprintf("%.6g", v))
	}
	return strings.Join(words, " ")
}

func (r *blackBoxReport) print(w io.Writer) error {
	fmt.Fprintf(w, "%s\n\n", r.describe())
	if err := printRanking(w, r.table()); err != nil {
		return err
	}
	if len(r.Results) > 1 {
		fmt.Fprintln(w, "\n★ lowest; with one seed there is no telling chance from difference")
	}
	for i := range r.Results {
		if n := r.Results[i].Repeated; n > 0 {
			fmt.Fprintf(w, "\n%s made %d queries more in rounds that were stopped and repeated.\n", r.Results[i].Strategy, n)
		}
	}
	_, err := fmt.Fprintf(w, "\nPoint:   %s\n", r.pointText())
	return err
}

// figures show the values, or gaps where the minimum is known.
func (r *blackBoxReport) figures() []plot.Figure {
	y, shift := plot.Axis{Label: "mean of the clients' functions"}, 0.0
	if r.Minimum != nil {
		y, shift = plot.Axis{Label: "mean less its minimum", Log: true}, *r.Minimum
	}
	queries := plot.Figure{Title: "By queries", X: plot.Axis{Label: "queries of all clients"}, Y: y, Caption: "What was reached with so many values of the black boxes."}
	rounds := plot.Figure{Title: "By rounds", X: plot.Axis{Label: "rounds"}, Y: y, Caption: "What was reached with so many exchanges between server and clients."}
	for i := range r.Results {
		c := &r.Results[i].Curve
		gaps := make([]float64, len(c.Value))
		for j, v := range c.Value {
			if gaps[j] = v - shift; r.Minimum != nil && gaps[j] <= 0 {
				gaps[j] = math.NaN() // rounding at the minimum
			}
		}
		line := plot.Line{Name: r.Results[i].Strategy, Y: gaps, Color: i + 1, Points: len(gaps) <= 50}
		line.X = c.Queries
		queries.Lines = append(queries.Lines, line)
		line.X = c.Round
		rounds.Lines = append(rounds.Lines, line)
	}
	return []plot.Figure{queries, rounds}
}

// table has a row for each strategy.
func (r *blackBoxReport) table() *report.Table {
	t := &report.Table{Caption: fmt.Sprintf("After %s", count(r.Rounds, "round")), Columns: r.columns()}
	for i := range r.Results {
		l := &r.Results[i]
		row := report.Row{Cells: l.cells(r.Minimum), Best: l.Best && len(r.Results) > 1}
		if l.Repeated > 0 {
			row.Note = fmt.Sprintf("%d queries more in rounds that were stopped and repeated", l.Repeated)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// page is the HTML report.
func (r *blackBoxReport) page(run store.Run, command string) report.Page {
	b := r.best()
	return report.Page{
		Title: "Federated minimisation of " + r.Objective, Command: command,
		Subtitle: fmt.Sprintf("%s reaches %.6g in round %d.", b.Strategy, b.Lowest, b.LowestRound),
		Facts: []report.Fact{
			{Name: "Run", Value: fmt.Sprintf("%d, %s", run.ID, run.Created.Format("2 January 2006, 15:04 MST"))},
			{Name: "Objective", Value: r.describe()},
			{Name: "Lowest point", Value: r.pointText()},
		},
		Sections: []report.Section{
			{Title: "Progress", Figures: r.figures(), Text: "All strategies begin at the same point. Every call of a client's function is counted."},
			{Title: "Result", Table: r.table()},
		},
	}
}

// showBlackBox prints a recorded run on black boxes and draws its report.
func showBlackBox(c *cobra.Command, st *store.Store, run store.Run, asJSON bool, file, storeFlag string) error {
	config, err := readBlackBox(run)
	if err != nil {
		return err
	}
	w := c.OutOrStdout()
	var r blackBoxReport
	if err := json.Unmarshal(run.Result, &r); err != nil {
		return fmt.Errorf("reading run %d: %w", run.ID, err)
	}
	if len(r.Results) == 0 {
		return fmt.Errorf("run %d has no result of a strategy", run.ID)
	}
	if asJSON {
		err = printJSON(w, r)
	} else {
		err = r.print(w)
	}
	if err != nil {
		return err
	}
	if file, err = writePage(st, run, file, r.page(run, config.Command)); err != nil || asJSON {
		return err
	}
	_, err = fmt.Fprintf(w, "Report:  %s\nRepeat:  %s\n", file, config.Command+storeOption(storeFlag))
	return err
}
