package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/gomlx/compute"
	"github.com/spf13/cobra"

	"github.com/descentml/descent/backend/kernel/workers"
	"github.com/descentml/descent/data"
	"github.com/descentml/descent/lab/driver"
	"github.com/descentml/descent/lab/experiment"
	"github.com/descentml/descent/lab/saved"
	"github.com/descentml/descent/learner/prune"
)

// pruneFlags are those of descent prune.
type pruneFlags struct {
	model, source, target, method, save, backend string
	reading                                      dataFlags
	settings                                     prune.Settings
	batchSize, epochs                            int
	seed                                         uint64
	validation, test                             float64
	json                                         bool
}

func newPrune() *cobra.Command {
	f := new(pruneFlags)
	c := &cobra.Command{
		Use:   "prune",
		Short: "Set most weights of a saved model to zero",
		Long: `Set most weights of a saved model to zero so that it loses as little as it can,
and save what is left.

The method m-fac drops the weights whose loss costs least by the curvature that
gradients of training examples show, and moves the others to make up for them.
Beside it the model is pruned by magnitude and by the diagonal of the curvature,
for comparison. Scores are those of the test part of the data: with the seed and
the shares that the model was trained with, these are rows that it has not seen.`,
		Example: `  descent prune --model churn.model --data churn.csv --sparsity 0.9 --save pruned.model
  descent prune --model digits.model --data digits --sparsity 0.95 --fine-tune 2 --save small.model`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c) },
	}
	f.add(c)
	return c
}

func (f *pruneFlags) add(c *cobra.Command) {
	defaults := experiment.Default()
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.model, "model", "", "folder of the saved model (required)")
	flags.StringVar(&f.source, "data", "", "a set that 'descent data' lists, or a CSV, LIBSVM or IDX file (required)")
	flags.StringVar(&f.target, "target", "", "target column (default: the model's)")
	flags.StringVar(&f.save, "save", "", "folder for the pruned model (required)")
	flags.Float64Var(&f.settings.Sparsity, "sparsity", 0.9, "share of the weights to set to zero; biases stay")
	flags.StringVar(&f.method, "method", "m-fac", "m-fac, magnitude, diagonal or woodfisher")
	flags.IntVar(&f.settings.Rounds, "rounds", 16, "steps to there, with new gradients in each")
	flags.IntVar(&f.settings.Gradients, "gradients", 256, "gradients that the curvature is taken from")
	flags.IntVar(&f.batchSize, "batch-size", 1, "examples of each gradient")
	flags.Float64Var(&f.settings.Damping, "damping", 1e-5, "added to the curvature")
	flags.IntVar(&f.settings.Block, "block", 0, "weights between which curvature is kept; 0: all")
	flags.IntVar(&f.epochs, "fine-tune", 0, "epochs of training after each round")
	flags.Uint64Var(&f.seed, "seed", defaults.Seed, "seed of the split and of the examples")
	flags.Float64Var(&f.validation, "validation", defaults.Data.Validation, "share of the rows that is left out, as in the training")
	flags.Float64Var(&f.test, "test", defaults.Data.Test, "share of the rows that scores are measured on")
	f.reading.add(c)
	flags.BoolVar(&f.json, "json", false, "print the result as one JSON object")
	addBackend(c, &f.backend)
	complete(c, "data", false, setNames)
	complete(c, "method", true, pruningNames)
}

func pruningNames() []string {
	var names []string
	for _, m := range []prune.Method{prune.MFAC, prune.Magnitude, prune.Diagonal, prune.WoodFisher} {
		names = append(names, m.String())
	}
	return names
}

// pruned is the result of one method.
type pruned struct {
	Method   string  `json:"method"`
	Left     int     `json:"weights_left"`
	Sparsity float64 `json:"sparsity"`
	Score    float64 `json:"score"` // on the test part
}

// pruning is what descent prune prints.
type pruning struct {
	Model   string   `json:"model"`
	Score   string   `json:"score"`   // accuracy or R²
	Weights int      `json:"weights"` // that can be pruned
	Test    int      `json:"test"`    // examples
	Before  float64  `json:"before"`
	Results []pruned `json:"results"` // the one that is saved first
	Saved   string   `json:"saved"`
}

func (f *pruneFlags) run(c *cobra.Command) error {
	method, err := f.check()
	if err != nil {
		return err
	}
	backend, err := newBackend(f.backend)
	if err != nil {
		return err
	}
	examples, err := f.read(c.Context(), backend)
	if err != nil {
		return err
	}
	report := pruning{Model: f.model, Saved: f.save, Test: len(examples.split.Test)}
	for i, m := range contenders(method) {
		fmt.Fprintf(c.ErrOrStderr(), "pruning by %s\n", m)
		r, model, err := f.prune(c.Context(), backend, examples, m, &report)
		if err != nil {
			return fmt.Errorf("pruning by %s: %w", m, err)
		}
		if report.Results = append(report.Results, r); i > 0 {
			continue
		}
		d := model.Description
		d.Created, d.TestScore = time.Now().UTC().Truncate(time.Second), r.Score
		if err := saved.Save(f.save, d, model.Weights()); err != nil {
			return err
		}
	}
	if f.json {
		encoder := json.NewEncoder(c.OutOrStdout())
		encoder.SetIndent("", "  ")
		return encoder.Encode(report)
	}
	return report.print(c.OutOrStdout(), f.source)
}

// contenders are the method that was asked for and the two that it is compared
// with.
func contenders(method prune.Method) []prune.Method {
	list := []prune.Method{method}
	for _, m := range []prune.Method{prune.Magnitude, prune.Diagonal} {
		if m != method {
			list = append(list, m)
		}
	}
	return list
}

// check finds what is wrong with the flags.
func (f *pruneFlags) check() (prune.Method, error) {
	method, err := prune.ParseMethod(f.method)
	switch {
	case f.model == "" || f.source == "" || f.save == "":
		return 0, usageError{errors.New("--model, --data and --save are needed")}
	case err != nil:
		return 0, usageError{fmt.Errorf("--method: %w", err)}
	case !(f.settings.Sparsity >= 0 && f.settings.Sparsity < 1):
		return 0, usageError{fmt.Errorf("--sparsity %g: expected a number from 0 to below 1", f.settings.Sparsity)}
	case f.settings.Rounds < 1 || f.settings.Gradients < 1 || f.batchSize < 1:
		return 0, usageError{fmt.Errorf("--rounds %d, --gradients %d, --batch-size %d: expected at least 1", f.settings.Rounds, f.settings.Gradients, f.batchSize)}
	case f.settings.Block < 0 || f.epochs < 0:
		return 0, usageError{fmt.Errorf("--block %d, --fine-tune %d: expected at least 0", f.settings.Block, f.epochs)}
	case !(f.settings.Damping > 0) || math.IsInf(f.settings.Damping, 0):
		return 0, usageError{fmt.Errorf("--damping %g: expected a number above 0", f.settings.Damping)}
	case !(f.validation >= 0) || !(f.test > 0) || !(f.validation+f.test < 1):
		return 0, usageError{fmt.Errorf("--validation %g, --test %g: expected shares that leave rows for training, and some for the test", f.validation, f.test)}
	}
	f.settings.Parallel = workers.New(0).Run
	return method, saved.CheckTarget(f.save)
}

// prunedExamples is the data that a model is pruned on and measured with.
type prunedExamples struct {
	table *data.Table
	split data.Split
	train driver.Examples
}

// splitStream makes the split that of descent train with the same seed.
const splitStream = 0x5b117

// read reads the data as the model needs it.
func (f *pruneFlags) read(ctx context.Context, backend compute.Backend) (*prunedExamples, error) {
	m, err := saved.Load(backend, f.model)
	if err != nil {
		return nil, err
	}
	options, err := f.reading.options()
	if err != nil {
		return nil, err
	}
	options.Kinds, options.Task, options.Target = m.Encoder.Kinds(), m.Encoder.Task(), f.target
	if f.target == "" && !slices.Contains(setNames(), f.source) {
		options.Target = m.Encoder.TargetName()
	}
	e := new(prunedExamples)
	if e.table, err = data.Open(ctx, f.source, options); err != nil {
		return nil, err
	}
	if e.split, err = data.NewSplit(e.table, f.validation, f.test, rand.New(rand.NewPCG(f.seed, splitStream))); err != nil {
		return nil, err
	}
	e.train, err = driver.Encode(e.table, e.split.Train, m.Encoder)
	return e, err
}

// print writes the result for people.
func (p *pruning) print(w io.Writer, source string) error {
	rows := [][]string{{"before", strconv.Itoa(p.Weights), "0 %", fmt.Sprintf("%.4f", p.Before)}}
	for _, r := range p.Results {
		rows = append(rows, []string{r.Method, strconv.Itoa(r.Left), fmt.Sprintf("%.1f %%", 100*r.Sparsity), fmt.Sprintf("%.4f", r.Score)})
	}
	if err := printTable(w, []string{"pruning", "weights left", "zeros", "test " + p.Score}, rows, 1, 2, 3); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nThe model pruned by %s is in %s:\n  descent predict --model %s --data %s\n",
		p.Results[0].Method, p.Saved, experiment.Quote(p.Saved), experiment.Quote(source))
	return err
}
