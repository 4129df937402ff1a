package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/lipgloss/table"

	"github.com/descentml/descent/lab/experiment"
)

// printTable prints rows under a header, columns aligned, those in numeric to
// the right. On a terminal the header is bold.
func printTable(w io.Writer, header []string, rows [][]string, numeric ...int) error {
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
	header := []string{"", "method", "learning rate", "test " + r.Score, "train loss", "seconds", "status"}
	numeric := []int{2, 3, 4, 5}
	if r.TargetLoss != nil {
		header = append(header, "epochs to loss "+short(*r.TargetLoss))
		numeric = append(numeric, len(header)-1)
	}
	var rows [][]string
	var tied, onEdge bool
	for _, result := range r.Results {
		rows = append(rows, reportRow(result, r.Seeds)[:len(header)])
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

// reportRow is a method's line, the epochs to the target last.
func reportRow(r experiment.Result, seeds int) []string {
	mark := ""
	switch {
	case r.Best:
		mark = "★"
	case r.Tied:
		mark = "≈"
	}
	score := "-"
	if r.TestScore != nil {
		score = r.TestScore.Text(seeds)
	}
	rate := fmt.Sprintf("%.3g", r.LearningRate)
	if r.OnEdge {
		rate = "↔ " + rate
	}
	epochs := "-"
	if r.EpochsToTarget != nil {
		epochs = fmt.Sprintf("%.1f", *r.EpochsToTarget)
	}
	loss := "-"
	if r.TrainLoss != nil {
		loss = short(*r.TrainLoss)
	}
	return []string{mark, r.Method, rate, score, loss, fmt.Sprintf("%.2f", r.Seconds), r.Status, epochs}
}

// short writes a number with three significant digits.
func short(x float64) string {
	if x != 0 && (math.Abs(x) < 1e-3 || math.Abs(x) >= 1e5) {
		return fmt.Sprintf("%.2e", x)
	}
	return fmt.Sprintf("%.3g", x)
}
