package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/lipgloss/table"
	"golang.org/x/term"

	"github.com/descentml/descent/lab/experiment"
)

// printTable prints rows under a header, columns aligned, those in numeric to
// the right. On a terminal the header is bold.
func printTable(w io.Writer, header []string, rows [][]string, numeric ...int) error {
	return renderTable(w, 0, header, rows, numeric...)
}

// plainWidth is the width of wrapped tables where there is no terminal.
const plainWidth = 160

// printWrapped prints a table of texts, wrapped to the width of the terminal,
// with a line between its rows.
func printWrapped(w io.Writer, header []string, rows [][]string) error {
	width := terminalWidth(w)
	if width == 0 {
		width = plainWidth
	}
	return renderTable(w, width, header, rows)
}

// renderTable prints a table. A width of 0 lets it be as wide as it is; others
// wrap its cells.
func renderTable(w io.Writer, width int, header []string, rows [][]string, numeric ...int) error {
	renderer := lipgloss.NewRenderer(w)
	cell := renderer.NewStyle().PaddingRight(2)
	t := table.New().Headers(header...).Rows(rows...).
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
	if width > 0 {
		t = t.Width(width).Wrap(true).BorderRow(true).BorderHeader(true).Border(lipgloss.NormalBorder())
	}
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
	fmt.Fprintf(w, "%s: %d training, %d validation and %d test examples, %d features%s; model %s\n\n",
		d.Name, d.Train, d.Validation, d.Test, d.Features, classes, r.Model)
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
