package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/lipgloss/table"
	"golang.org/x/term"

	"github.com/descentml/descent/lab/experiment"
	"github.com/descentml/descent/lab/report"
)

// printTable prints rows under a header, columns aligned, those in numeric to
// the right. On a terminal the header is bold.
func printTable(w io.Writer, header []string, rows [][]string, numeric ...int) error {
	return render(w, newTable(w, header, rows, numeric))
}

// plainWidth is the width of wrapped tables where there is no terminal.
const plainWidth = 160

// printWrapped prints a table of texts that is as wide as the terminal, with a
// line between its rows. Columns share the width by their parts; one whose
// part is 0 is as wide as its longest text.
func printWrapped(w io.Writer, header []string, rows [][]string, parts []float64) error {
	width := terminalWidth(w)
	if width == 0 {
		width = plainWidth
	}
	columns := shareWidth(width, header, rows, parts)
	wrapped := make([][]string, len(rows))
	for i, row := range rows {
		for j, text := range row {
			text = negative.ReplaceAllString(text, "${1}\u2212${2}")
			wrapped[i] = append(wrapped[i], lipgloss.NewStyle().Width(columns[j]).Render(text))
		}
	}
	line := lipgloss.Border{Top: "─", Bottom: "─", Middle: "─"}
	return render(w, newTable(w, header, wrapped, nil).BorderRow(true).BorderHeader(true).Border(line))
}

// negative is a number below zero. Its sign is written as a minus, since lines
// break at hyphens.
var negative = regexp.MustCompile(`(^|[\s(=,])-([0-9])`)

// columnGap is the space between columns.
const columnGap = 2

// narrowestCell is the least width of a wrapped column.
const narrowestCell = 8

// shareWidth divides a width among columns.
func shareWidth(width int, header []string, rows [][]string, parts []float64) []int {
	columns := make([]int, len(header))
	total := 0.0
	for j, part := range parts {
		width -= columnGap
		total += part
		if part > 0 {
			continue
		}
		columns[j] = lipgloss.Width(header[j])
		for _, row := range rows {
			columns[j] = max(columns[j], lipgloss.Width(row[j]))
		}
		width -= columns[j]
	}
	for j, part := range parts {
		if part > 0 {
			columns[j] = max(narrowestCell, int(float64(width)*part/total))
		}
	}
	return columns
}

func newTable(w io.Writer, header []string, rows [][]string, numeric []int) *table.Table {
	cell := lipgloss.NewRenderer(w).NewStyle().PaddingRight(columnGap)
	return table.New().Headers(header...).Rows(rows...).
		BorderTop(false).BorderBottom(false).BorderLeft(false).BorderRight(false).BorderColumn(false).BorderHeader(false).
		StyleFunc(func(row, column int) lipgloss.Style {
			style := cell
			if slices.Contains(numeric, column) {
				style = style.Align(lipgloss.Right)
			}
			if row == table.HeaderRow {
				style = style.Bold(true)
			}
			return style
		})
}

// render prints a table without spaces at the ends of its lines.
func render(w io.Writer, t *table.Table) error {
	for line := range strings.Lines(t.Render() + "\n") {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// printReport prints a comparison or training as a table with its legend.
func printReport(w io.Writer, r *experiment.Report) error {
	d := r.Data
	classes := ""
	if d.Classes > 0 {
		classes = fmt.Sprintf(", %d classes", d.Classes)
	}
	sparse := ""
	if d.Sparse {
		sparse = "; sparse rows in float64, columns divided by their largest magnitude"
	}
	fmt.Fprintf(w, "%s: %d training, %d validation and %d test examples, %d features%s; model %s%s\n\n",
		d.Name, d.Train, d.Validation, d.Test, d.Features, classes, r.Model, sparse)
	columns := r.Columns()
	header := []string{"", "method"}
	var numeric []int
	for _, column := range columns {
		if column.Numeric {
			numeric = append(numeric, len(header))
		}
		header = append(header, column.Name)
	}
	var rows [][]string
	var tied, onEdge bool
	for _, result := range r.Results {
		row := []string{mark(result), result.Method}
		for _, column := range columns {
			row = append(row, column.Value(result))
		}
		if result.OnEdge {
			row[2] = "↔ " + row[2]
		}
		rows = append(rows, row)
		tied = tied || result.Tied
		onEdge = onEdge || result.OnEdge
	}
	if err := printTable(w, header, rows, numeric...); err != nil {
		return err
	}
	if len(r.Results) > 1 {
		fmt.Fprintln(w, "\n★ best")
	}
	if tied {
		fmt.Fprintln(w, "≈ within one standard error of the best")
	}
	if onEdge {
		fmt.Fprintln(w, "↔ the best learning rate is the outermost that was tried")
	}
	return nil
}

// printRanking prints the table of a report, with a star in front of its best row.
func printRanking(w io.Writer, t *report.Table) error {
	header, numeric := []string{""}, []int{}
	for i, column := range t.Columns {
		header = append(header, column.Name)
		if column.Numeric {
			numeric = append(numeric, i+1)
		}
	}
	var rows [][]string
	for _, row := range t.Rows {
		star := ""
		if row.Best {
			star = "★"
		}
		rows = append(rows, append([]string{star}, row.Cells...))
	}
	return printTable(w, header, rows, numeric...)
}

// mark is the sign in front of a method.
func mark(r experiment.Result) string {
	switch {
	case r.Best:
		return "★"
	case r.Tied:
		return "≈"
	}
	return ""
}

// terminalWidth is the number of columns of the terminal to which w writes, 0
// if it is none.
func terminalWidth(w io.Writer) int {
	if file, ok := w.(*os.File); ok {
		if columns, _, err := term.GetSize(int(file.Fd())); err == nil {
			return columns
		}
	}
	return 0
}
