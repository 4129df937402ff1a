package diffgrad

import (
	"fmt"

	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
)

// Page makes the report of the synthetic experiment: where every method ends
// on each function, the paths of Adam, diffGrad and the control, and how often
// they find the global minimum of F1 from other starts.
func Page(points []EndPoint, cells []Cell) report.Page {
	return report.Page{
		Title:    "diffGrad on three functions of one variable",
		Subtitle: "Adam overshoots the global minimum of F1 and F2. diffGrad does not, and neither does Adam at half the learning rate.",
		Facts: []report.Fact{
			{Name: "Paper", Value: "Dubey et al., diffGrad: An Optimization Method for Convolutional Neural Networks, IEEE TNNLS 31(11), 2020"},
			{Name: "Protocol", Value: fmt.Sprintf("from x = %g, learning rate %g, β₁ = %g, 300 iterations, exact derivatives, float64", start, learningRate, beta1)},
		},
		Command: "descent study run diffgrad",
		Sections: []report.Section{
			{Title: "End points", Table: endPointTable(points), Text: "The paper compares Adam and diffGrad. Adam at half the rate is a control that it lacks: " +
				"diffGrad's friction is close to 1/2 where gradients change little, and half the rate alone has the same effect."},
			{Title: "Paths", Figures: pathFigures(points)},
			{Title: "Other starts and settings on F1", Table: cellTable(cells),
				Text: "The number of starts between -1 and -0.5 from which the global minimum of F1 is found."},
		},
	}
}

// Row is one method's end points, as text for a table.
type Row struct {
	Title string
	Cells []string // per function: final x and loss there; for F3 the largest x as well
}

// Rows orders end points by method, for printing.
func Rows(points []EndPoint) (header []string, rows []Row) {
	header = []string{"method"}
	index := map[string]int{}
	seen := map[string]bool{}
	for _, p := range points {
		if !seen[p.Function] {
			seen[p.Function] = true
			header = append(header, "final x on "+p.Function, "loss")
			if p.Function == "F3" {
				header = append(header, "largest x on "+p.Function)
			}
		}
		i, known := index[p.Title]
		if !known {
			i = len(rows)
			index[p.Title] = i
			rows = append(rows, Row{Title: p.Title})
		}
		rows[i].Cells = append(rows[i].Cells, fmt.Sprintf("%.6f", p.Final), fmt.Sprintf("%.2e", p.Loss))
		if p.Function == "F3" {
			rows[i].Cells = append(rows[i].Cells, fmt.Sprintf("%.4f", p.Largest))
		}
	}
	return header, rows
}

func endPointTable(points []EndPoint) *report.Table {
	header, rows := Rows(points)
	table := &report.Table{Caption: "Where each method stands after 300 iterations"}
	for i, name := range header {
		table.Columns = append(table.Columns, report.Column{Name: name, Numeric: i > 0})
	}
	for _, row := range rows {
		table.Rows = append(table.Rows, report.Row{Cells: append([]string{row.Title}, row.Cells...)})
	}
	return table
}

// pathFigures draws x over the iterations for the paper's two methods and the
// control.
func pathFigures(points []EndPoint) []plot.Figure {
	slots := map[string]int{"Adam": 1, "diffGrad": 2, "Adam at half the rate": 3}
	var figures []plot.Figure
	for _, f := range Functions() {
		figure := plot.Figure{
			Title: "x on " + f.Name, X: plot.Axis{Label: "iteration"}, Y: plot.Axis{Label: "x"},
			Caption:    "x at each iteration; the dashed line is the global minimum.",
			Horizontal: []plot.Rule{{Name: "global minimum", At: f.Minimum}},
		}
		for _, p := range points {
			slot, drawn := slots[p.Title]
			if p.Function != f.Name || !drawn {
				continue
			}
			line := plot.Line{Name: p.Title, Y: p.Path, Color: slot}
			for i := range p.Path {
				line.X = append(line.X, float64(i+1))
			}
			figure.Lines = append(figure.Lines, line)
		}
		figures = append(figures, figure)
	}
	return figures
}

func cellTable(cells []Cell) *report.Table {
	table := &report.Table{
		Caption: "Global minimum of F1 found, by settings",
		Columns: []report.Column{{Name: "Learning rate and β₁"}, {Name: "Starts", Numeric: true},
			{Name: "Adam", Numeric: true}, {Name: "diffGrad", Numeric: true}, {Name: "Adam at half the rate", Numeric: true}},
	}
	for _, c := range cells {
		table.Rows = append(table.Rows, report.Row{Cells: []string{
			fmt.Sprintf("%g, %g", c.LearningRate, c.Beta1), fmt.Sprint(c.Starts),
			fmt.Sprint(c.Adam), fmt.Sprint(c.DiffGrad), fmt.Sprint(c.HalfAdam),
		}})
	}
	return table
}
