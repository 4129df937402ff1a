package analysis

import (
	"encoding/json"

	"github.com/descentml/descent/internal/nullable"
	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
)

// MarshalJSON writes the record with the names of the fields in lower case and
// null for numbers that JSON does not have.
func (r Record) MarshalJSON() ([]byte, error) {
	return json.Marshal(record{r.Analysis, r.Title, r.Sentence, r.Command, pageOf(r.Page), r.Data})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *Record) UnmarshalJSON(text []byte) error {
	var read record
	if err := json.Unmarshal(text, &read); err != nil {
		return err
	}
	*r = Record{read.Analysis, read.Title, read.Sentence, read.Command, read.Page.page(), read.Data}
	r.Page.Title, r.Page.Subtitle, r.Page.Command = r.Title, r.Sentence, r.Command
	return nil
}

// The shape in the store; the names are those of report.Page and plot.Figure.

type record struct {
	Analysis string          `json:"analysis"`
	Title    string          `json:"title"`
	Sentence string          `json:"sentence"`
	Command  string          `json:"command"`
	Page     page            `json:"page"`
	Data     json.RawMessage `json:"data"`
}

type page struct {
	Facts    []fact    `json:"facts,omitempty"`
	Sections []section `json:"sections"`
}

type fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type section struct {
	Title   string   `json:"title"`
	Text    string   `json:"text,omitempty"`
	Table   *table   `json:"table,omitempty"`
	Figures []figure `json:"figures,omitempty"`
}

type table struct {
	Caption string   `json:"caption"`
	Columns []column `json:"columns"`
	Rows    []row    `json:"rows"`
}

type column struct {
	Name    string `json:"name"`
	Numeric bool   `json:"numeric,omitempty"`
	Help    string `json:"help,omitempty"`
}

type row struct {
	Cells []string `json:"cells"`
	Best  bool     `json:"best,omitempty"`
	Tied  bool     `json:"tied,omitempty"`
	Note  string   `json:"note,omitempty"`
}

type figure struct {
	ID         string `json:"id,omitempty"`
	Title      string `json:"title"`
	Caption    string `json:"caption,omitempty"`
	X          axis   `json:"x"`
	Y          axis   `json:"y"`
	Lines      []line `json:"lines"`
	Horizontal []rule `json:"horizontal,omitempty"`
	Vertical   []rule `json:"vertical,omitempty"`
	ChosenName string `json:"chosen_name,omitempty"`
	NoLegend   bool   `json:"no_legend,omitempty"`
	Width      number `json:"width,omitempty"`
}

type axis struct {
	Label string `json:"label"`
	Log   bool   `json:"log,omitempty"`
	Min   number `json:"min"`
	Max   number `json:"max"`
}

type line struct {
	Name     string  `json:"name"`
	X        numbers `json:"x"`
	Y        numbers `json:"y"`
	Low      numbers `json:"low,omitempty"`
	High     numbers `json:"high,omitempty"`
	Color    int     `json:"color,omitempty"`
	Points   bool    `json:"points,omitempty"`
	Scatter  bool    `json:"scatter,omitempty"`
	Dashed   bool    `json:"dashed,omitempty"`
	Emphasis bool    `json:"emphasis,omitempty"`
	Muted    bool    `json:"muted,omitempty"`
	Chosen   []int   `json:"chosen,omitempty"`
}

type rule struct {
	Name string `json:"name"`
	At   number `json:"at"`
}

// number is a float64 in JSON.
type number = nullable.Number

// numbers are float64s of which each can be null.
type numbers []float64

func (n numbers) MarshalJSON() ([]byte, error) {
	list := make([]number, len(n))
	for i, x := range n {
		list[i] = number(x)
	}
	return json.Marshal(list)
}

func (n *numbers) UnmarshalJSON(text []byte) error {
	var list []number
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	*n = make(numbers, len(list))
	for i, x := range list {
		(*n)[i] = float64(x)
	}
	return nil
}

// each converts the elements of a list; nil stays nil.
func each[From, To any](from []From, convert func(From) To) []To {
	if from == nil {
		return nil
	}
	to := make([]To, len(from))
	for i := range from {
		to[i] = convert(from[i])
	}
	return to
}

func pageOf(p report.Page) page {
	return page{
		Facts: each(p.Facts, func(f report.Fact) fact { return fact(f) }),
		Sections: each(p.Sections, func(s report.Section) section {
			return section{s.Title, s.Text, tableOf(s.Table), each(s.Figures, figureOf)}
		}),
	}
}

func (p page) page() report.Page {
	return report.Page{
		Facts: each(p.Facts, func(f fact) report.Fact { return report.Fact(f) }),
		Sections: each(p.Sections, func(s section) report.Section {
			return report.Section{Title: s.Title, Text: s.Text, Table: s.Table.table(), Figures: each(s.Figures, figure.figure)}
		}),
	}
}

func tableOf(t *report.Table) *table {
	if t == nil {
		return nil
	}
	return &table{t.Caption, each(t.Columns, func(c report.Column) column { return column(c) }), each(t.Rows, func(r report.Row) row { return row(r) })}
}

func (t *table) table() *report.Table {
	if t == nil {
		return nil
	}
	return &report.Table{Caption: t.Caption, Columns: each(t.Columns, func(c column) report.Column { return report.Column(c) }),
		Rows: each(t.Rows, func(r row) report.Row { return report.Row(r) })}
}

func figureOf(f plot.Figure) figure {
	return figure{f.ID, f.Title, f.Caption, axisOf(f.X), axisOf(f.Y), each(f.Lines, lineOf), each(f.Horizontal, ruleOf), each(f.Vertical, ruleOf), f.ChosenName, f.NoLegend, number(f.Width)}
}

func (f figure) figure() plot.Figure {
	return plot.Figure{ID: f.ID, Title: f.Title, Caption: f.Caption, X: f.X.axis(), Y: f.Y.axis(), Lines: each(f.Lines, line.line),
		Horizontal: each(f.Horizontal, rule.rule), Vertical: each(f.Vertical, rule.rule), ChosenName: f.ChosenName, NoLegend: f.NoLegend, Width: float64(f.Width)}
}

func axisOf(a plot.Axis) axis { return axis{a.Label, a.Log, number(a.Min), number(a.Max)} }

func (a axis) axis() plot.Axis {
	return plot.Axis{Label: a.Label, Log: a.Log, Min: float64(a.Min), Max: float64(a.Max)}
}

func lineOf(l plot.Line) line {
	return line{l.Name, l.X, l.Y, l.Low, l.High, l.Color, l.Points, l.Scatter, l.Dashed, l.Emphasis, l.Muted, l.Chosen}
}

func (l line) line() plot.Line {
	return plot.Line{Name: l.Name, X: l.X, Y: l.Y, Low: l.Low, High: l.High, Color: l.Color, Points: l.Points, Scatter: l.Scatter,
		Dashed: l.Dashed, Emphasis: l.Emphasis, Muted: l.Muted, Chosen: l.Chosen}
}

func ruleOf(r plot.Rule) rule { return rule{r.Name, number(r.At)} }

func (r rule) rule() plot.Rule { return plot.Rule{Name: r.Name, At: float64(r.At)} }
