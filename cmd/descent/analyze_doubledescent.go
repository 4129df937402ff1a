package main

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/descentml/descent/analysis/doubledescent"
	"github.com/descentml/descent/backend/kernel"
	"github.com/descentml/descent/data"
	"github.com/descentml/descent/lab/experiment"
	"github.com/descentml/descent/method/spec"
)

// fastProducts gives the kernels to gonum, once: it must not happen while gonum
// is in use.
var fastProducts = sync.OnceFunc(kernel.UseInGonum)

// descentFlags are the flags of `analyze double-descent`.
type descentFlags struct {
	data              tableFlags
	factor            string
	activation, model string
	examples, epochs  int
	noise             float64
	seeds             int
	seed              uint64
	workers           int
	output            analysisFlags
}

// The models whose width grows.
const (
	modelFeatures = "rfm"
	modelTwoLayer = "two-layer"
)

func newDoubleDescent() *cobra.Command {
	var f descentFlags
	c := &cobra.Command{
		Use:   "double-descent",
		Short: "Show how test error depends on the size of a model",
		Long: `Show how test error depends on the size of a model, and why there is a peak where
the model just suffices to fit the training examples, or why there is none.

Models of 0.1 to 10 times that size are trained on a few examples of the data,
once for every value of one factor. The peak ratio R is the largest test loss at
0.8 to 1.2 times that size over that of the largest model. A peak needs a small
train loss at the threshold; what keeps the loss up - small steps, few of them,
poor conditioning, a ridge - keeps the peak down.

Models are heads on random features (rfm), whose width at the threshold is the
number of examples N, or networks of two trained layers (two-layer), which have
as many parameters as N targets there. Step sizes of heads are in units of 1/L,
where L is the largest curvature at that width. Inputs are scaled to mean 0 and
deviation 1.

Factors:` + factorLines(),
		Example: `  descent analyze double-descent
  descent analyze double-descent --data digits --factor step-size --report steps.html
  descent analyze double-descent --data churn.csv --target churned --factor ridge --examples 200
  descent analyze double-descent --data diabetes --factor optimizer --features relu
  descent analyze double-descent --data wine --model two-layer --factor budget --examples 60 --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	flags := c.Flags()
	flags.SortFlags = false
	f.data.add(c, "digits")
	flags.StringVar(&f.factor, "factor", "budget", "what is varied, see above")
	flags.StringVar(&f.model, "model", modelFeatures, "rfm or two-layer")
	flags.StringVar(&f.activation, "features", string(doubledescent.Tanh), "activation of the hidden units: tanh, relu, elu or softsign")
	flags.IntVar(&f.examples, "examples", 100, "training examples N, from 10 to 1000")
	flags.Float64Var(&f.noise, "noise", 0.1, "share of the training targets that are replaced by random ones; without noise peaks are low")
	flags.IntVar(&f.epochs, "epochs", 1000, "length of a training in passes, where the factor does not say otherwise")
	flags.IntVar(&f.seeds, "seeds", 3, "repetitions with other examples, layers and batches")
	flags.Uint64Var(&f.seed, "seed", 0, "first seed")
	flags.IntVar(&f.workers, "workers", runtime.NumCPU(), "trainings at a time; does not change any result")
	f.output.add(c)
	complete(c, "factor", true, doubledescent.FactorNames)
	complete(c, "model", true, modelNames)
	complete(c, "features", true, activationNames)
	return c
}

func modelNames() []string { return []string{modelFeatures, modelTwoLayer} }

func activationNames() (names []string) {
	for _, a := range doubledescent.Activations() {
		names = append(names, string(a))
	}
	return names
}

// factorLines lists the factors for the help.
func factorLines() (text string) {
	for _, f := range doubledescent.Factors() {
		text += fmt.Sprintf("\n  %-11s %s", f.Name, f.Summary)
	}
	return text
}

func (f *descentFlags) run(c *cobra.Command) error {
	settings, err := f.settings()
	if err != nil {
		return err
	}
	options, err := f.data.options()
	if err != nil {
		return err
	}
	fastProducts()
	ctx := c.Context()
	table, err := promptly(ctx, func() (*data.Table, error) { return data.Open(ctx, f.data.source, options) })
	if err != nil {
		return err
	}
	return f.output.record(c, "double-descent", shortName(table.Name)+", "+f.factor, func(ctx context.Context) (finding, error) {
		return promptly(ctx, func() (finding, error) { return f.sweep(ctx, c, table, settings) })
	})
}

// sweep trains the models of all widths.
func (f *descentFlags) sweep(ctx context.Context, c *cobra.Command, table *data.Table, settings []doubledescent.Setting) (finding, error) {
	observe, done := newProgress(c.ErrOrStderr())
	defer done()
	sample := sampler{table: table, examples: f.examples, noise: f.noise}
	sweep := doubledescent.Sweep{
		Data: sample.draw, Settings: settings, Workers: f.workers,
		Observe: func(done, planned int) {
			observe(experiment.Progress{Done: float64(done), Planned: float64(planned)})
		},
	}
	for i := range f.seeds {
		sweep.Seeds = append(sweep.Seeds, f.seed+uint64(i))
	}
	records, err := sweep.Run(ctx)
	if err != nil {
		return nil, err
	}
	first, err := sample.draw(f.seed)
	if err != nil {
		return nil, err
	}
	return newDescentReport(f, table, first, records), nil
}

// settings checks the flags and makes one setting for each value of the factor.
func (f *descentFlags) settings() ([]doubledescent.Setting, error) {
	activation, err := doubledescent.ParseActivation(f.activation)
	if err != nil {
		return nil, usageError{fmt.Errorf("--features: %w", err)}
	}
	base := doubledescent.Setting{
		Inputs:   doubledescent.Inputs{Normalization: doubledescent.Centered},
		Features: doubledescent.Features{Activation: activation},
		Training: doubledescent.Training{Epochs: f.epochs},
	}
	switch f.model {
	case modelFeatures:
	case modelTwoLayer:
		base.Network, base.Training.Momentum = true, 0.9
	default:
		return nil, usageError{fmt.Errorf("--model: %w", spec.Unknown("model", f.model, modelNames()))}
	}
	switch {
	case f.examples < 10 || f.examples > 1000:
		return nil, usageError{fmt.Errorf("--examples %d: expected 10 to 1000, as models grow to 10 times that width", f.examples)}
	case !(f.noise >= 0 && f.noise <= 1):
		return nil, usageError{fmt.Errorf("--noise %g: expected a share from 0 to 1", f.noise)}
	case f.seeds < 1 || f.seeds > 1000:
		return nil, usageError{fmt.Errorf("--seeds %d: expected 1 to 1000", f.seeds)}
	case f.epochs < 1 || f.epochs > 1e6:
		return nil, usageError{fmt.Errorf("--epochs %d: expected 1 to 1000000", f.epochs)}
	case f.workers < 1:
		return nil, usageError{fmt.Errorf("--workers %d: expected at least 1", f.workers)}
	}
	settings, err := doubledescent.Vary(f.factor, base, f.examples)
	if err != nil {
		return nil, usageError{fmt.Errorf("--factor: %w", err)}
	}
	return settings, checkReport(f.output.report)
}

// commandOf is the shell command with the flags that say what is measured.
func commandOf(c *cobra.Command) string {
	words := []string{c.CommandPath()}
	c.Flags().Visit(func(flag *pflag.Flag) {
		switch flag.Name {
		case "report", "json", "workers", "store":
			return
		}
		if flag.Value.Type() == "bool" { // a word after it would be an argument
			words = append(words, "--"+flag.Name+"="+flag.Value.String())
			return
		}
		values := []string{flag.Value.String()}
		if several, ok := flag.Value.(pflag.SliceValue); ok {
			values = several.GetSlice()
		}
		for _, value := range values {
			words = append(words, "--"+flag.Name, experiment.Quote(value))
		}
	})
	return strings.Join(words, " ")
}
