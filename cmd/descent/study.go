package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/study/diffgrad"
)

func newStudy() *cobra.Command {
	c := &cobra.Command{
		Use: "study", Short: "Measure what a paper claims",
		Example: "  descent study run diffgrad",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return usageError{errors.New("say which study: descent study run NAME")}
		},
	}
	var backendName, file string
	run := &cobra.Command{
		Use: "run NAME", Short: "Run a study and write its report",
		Long: `Run a study and write its report.

Studies: diffgrad, the three one-dimensional functions of "diffGrad: An
Optimization Method for Convolutional Neural Networks" (Dubey et al. 2020).`,
		Example:   "  descent study run diffgrad\n  descent study run diffgrad --report diffgrad.html",
		Args:      asUsageError(cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs)),
		ValidArgs: []string{"diffgrad"},
		RunE:      func(c *cobra.Command, _ []string) error { return runDiffGrad(c, backendName, file) },
	}
	addBackend(run, &backendName)
	run.Flags().StringVar(&file, "report", "diffgrad.html", "file for the HTML report")
	c.AddCommand(run)
	return c
}

// runDiffGrad prints where each method ends on the three functions.
func runDiffGrad(c *cobra.Command, backendName, file string) error {
	backend, err := newBackend(backendName)
	if err != nil {
		return err
	}
	points, err := diffgrad.EndPoints(backend)
	if err != nil {
		return err
	}
	cells, err := diffgrad.Sensitivity(backend)
	if err != nil {
		return err
	}
	header, rows := diffgrad.Rows(points)
	var lines [][]string
	for _, row := range rows {
		lines = append(lines, append([]string{row.Title}, row.Cells...))
	}
	w := c.OutOrStdout()
	if err := printTable(w, header, lines, 1, 2, 3, 4, 5, 6, 7); err != nil {
		return err
	}
	if err := report.WriteFile(file, diffgrad.Page(points, cells)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\nReport: %s\n", file)
	return err
}
