package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/method"
	"github.com/descentml/descent/method/spec"
	"github.com/descentml/descent/model"
)

// newList is a command that prints a catalogue, one line per entry, or as a
// JSON array.
func newList[T any](use, short string, entries func() []T, header []string, line func(T) []string, numeric ...int) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		Example: "  descent " + use + "\n  descent " + use + " --json",
		RunE: func(c *cobra.Command, _ []string) error {
			if asJSON {
				return printJSON(c.OutOrStdout(), entries())
			}
			var rows [][]string
			for _, entry := range entries() {
				rows = append(rows, line(entry))
			}
			return printTable(c.OutOrStdout(), header, rows, numeric...)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return c
}

func printJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

func newMethods() *cobra.Command {
	return newList("methods", "List the training methods", method.Methods,
		[]string{"method", "usual rate", "what it is"},
		func(m spec.Method) []string {
			return []string{m.Name, fmt.Sprintf("%g", m.DefaultLearningRate), m.Summary}
		}, 1)
}

func newModels() *cobra.Command {
	return newList("models", "List the models", model.Kinds,
		[]string{"model", "what it is"},
		func(k model.Kind) []string { return []string{k.Usage, k.Summary} })
}

func newData() *cobra.Command {
	return newList("data", "List the data sets that need no file", data.Sets,
		[]string{"set", "task", "examples", "features", "classes", "what it is"},
		func(s data.Set) []string {
			classes := "-"
			if s.Task == data.Classification {
				classes = fmt.Sprint(s.Classes)
			}
			return []string{s.Name, string(s.Task), fmt.Sprint(s.Examples), fmt.Sprint(s.Features), classes, s.Summary}
		}, 2, 3, 4)
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			version := "unknown"
			if info, ok := debug.ReadBuildInfo(); ok {
				version = info.Main.Version
			}
			_, err := fmt.Fprintln(c.OutOrStdout(), "descent", version)
			return err
		},
	}
}
