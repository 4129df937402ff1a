package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/descentml/descent/lab/experiment"
	"github.com/descentml/descent/lab/store"
)

const kindCompare = "compare"

func newCompare() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   kindCompare,
		Short: "Compare training methods on a data set",
		Long: `Compare training methods on a data set, each with a learning rate tuned for it.

The rows are split into a training, a validation and a test part. Every method
is tried on the same log grid around its usual learning rate, with the same
length of training, first seed; the grid is widened while its best rate lies on
an edge. Chosen is the rate with the lowest validation loss among those whose
validation score is within one standard error of the best. It is trained with the
other seeds, and the test part decides. For one seed, all methods start from the same
weights and see the same batches.

LIBSVM files with two classes are not made dense for a linear model whose
methods are all among gd, normalized-gd and the perceptrons: these compute on
the sparse rows, in float64.`,
		Example: `  descent compare
  descent compare --data churn.csv --target churned --model mlp:64,64 --methods adam,diffgrad,sgd --seeds 5
  descent compare --data fashion-mnist --model cnn --epochs 1 --seeds 1
  descent compare --data diabetes --model linear --json
  descent compare --data news.libsvm --model linear --methods gd,normalized-gd,batch-perceptron --epochs 500
  descent compare --methods adam --schedule linear,cosine
  descent compare --resume 12`,
		Args: cobra.NoArgs,
	}
	f.add(c)
	flags := c.Flags()
	flags.StringSliceVar(&f.config.Methods, "methods", f.config.Methods, "from the list of 'descent methods', options after colons as in diffgrad:friction=dfc2")
	flags.IntVar(&f.config.Seeds, "seeds", f.config.Seeds, "repetitions of every method, with seeds SEED, SEED+1, ...")
	flags.Float64Var(&f.targetLoss, "target-loss", 0, "train loss that epochs are counted to (default: the loss that half of the methods reach)")
	complete(c, "methods", true, methodNames)
	c.RunE = func(c *cobra.Command, _ []string) error { return runCommand(c, &f, kindCompare, experiment.Compare) }
	return c
}

// work is what a kind of run does between being created and being finished.
type work func(context.Context, experiment.Setting, *store.Writer, *experiment.Config, *experiment.Loaded) (*experiment.Report, error)

// runCommand loads the data, creates or resumes a run, does its work, finishes
// it and shows the result.
func runCommand(c *cobra.Command, f *runFlags, kind string, do work) error {
	if err := f.finish(c); err != nil {
		return err
	}
	st, err := openStore(f.store)
	if err != nil {
		return err
	}
	defer st.Close()
	ctx := c.Context()
	resumed := int64(0)
	if f.resume != "" {
		if resumed, err = f.loadConfig(ctx, st, kind); err != nil {
			return err
		}
	}
	backend, err := newBackend(f.backend)
	if err != nil {
		return err
	}
	loaded, err := promptly(ctx, func() (*experiment.Loaded, error) { return experiment.Load(ctx, &f.config) })
	if err != nil {
		return err
	}
	f.config.Data.Fingerprint = loaded.Fingerprint
	w, err := f.writer(ctx, st, kind, resumed, loaded)
	if err != nil {
		return err
	}
	defer w.Close()
	fmt.Fprintf(c.ErrOrStderr(), "Run %d in %s\n", w.ID(), st.Dir())
	observe, done := newProgress(c.ErrOrStderr())
	setting := experiment.Setting{Backend: backend, Store: st, Workers: f.workers, Observe: observe}
	report, err := promptly(ctx, func() (*experiment.Report, error) { return do(ctx, setting, w, &f.config, loaded) })
	done()
	if err != nil {
		return interrupted(c, w, kind, f.store, err)
	}
	if err := w.Finish(ctx, store.Done, report, nil); err != nil {
		return err
	}
	if err := show(c, st, w.ID(), f.json, f.report, f.store); err != nil {
		return err
	}
	if kind == kindTrain && report.Results[0].Status == experiment.StatusDiverged {
		return fmt.Errorf("the training diverged at learning rate %g: no model was saved", report.Results[0].LearningRate)
	}
	return nil
}

// patience is how long work that was asked to stop may take to save its state.
const patience = 800 * time.Millisecond

// promptly does some work, but gives it up shortly after ctx has ended: the
// process is about to end, and the store is whole at any moment.
func promptly[T any](ctx context.Context, do func() (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	finished := make(chan outcome, 1)
	go func() {
		value, err := do()
		finished <- outcome{value, err}
	}()
	select {
	case o := <-finished:
		return o.value, o.err
	case <-ctx.Done():
	}
	select {
	case o := <-finished:
		return o.value, o.err
	case <-time.After(patience):
		var none T
		return none, ctx.Err()
	}
}

// loadConfig replaces the configuration by that of the run to resume.
func (f *runFlags) loadConfig(ctx context.Context, st *store.Store, kind string) (int64, error) {
	run, err := resumable(ctx, st, f.resume, kind)
	if err != nil {
		return 0, err
	}
	config, err := experiment.ReadConfig(run)
	f.config = config
	return run.ID, err
}

// writer holds the run to resume, or a new one.
func (f *runFlags) writer(ctx context.Context, st *store.Store, kind string, resumed int64, loaded *experiment.Loaded) (*store.Writer, error) {
	if resumed > 0 {
		return st.Resume(ctx, resumed)
	}
	name := loaded.Summary.Name + ", " + loaded.Problem.Network.String() + ", " + strings.Join(f.config.Methods, " ")
	return st.Create(ctx, kind, name, f.config)
}

// interrupted records that a run of a kind has stopped and says how it goes on.
func interrupted(c *cobra.Command, w *store.Writer, kind, storeFlag string, cause error) error {
	err := w.Finish(context.WithoutCancel(c.Context()), store.Interrupted, nil, cause)
	if !errors.Is(cause, context.Canceled) {
		return cause // why the run stopped also is why this cannot be recorded, if it cannot
	}
	fmt.Fprintf(c.ErrOrStderr(), "Stopped; what is done is kept. Continue with: descent %s --resume %d%s\n", resumeCommand(kind), w.ID(), storeOption(storeFlag))
	return errors.Join(cause, err)
}
