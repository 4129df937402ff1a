package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// newAnalyze holds the commands that look into why a training ends as it does.
func newAnalyze() *cobra.Command {
	c := &cobra.Command{
		Use: "analyze", Short: "Find out why a training ends as it does",
		Example: "  descent analyze double-descent --data digits --factor step-size",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return usageError{errors.New("say which analysis: descent analyze NAME, see descent analyze --help")}
		},
	}
	c.AddCommand(newDoubleDescent())
	c.AddCommand(newSpectrum())
	c.AddCommand(newLearningRates())
	c.AddCommand(newStability())
	for _, analysis := range c.Commands() {
		analysis.Args = asUsageError(analysis.Args)
	}
	return c
}
