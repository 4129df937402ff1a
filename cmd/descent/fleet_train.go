package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/compute"
	"github.com/spf13/cobra"

	"github.com/descentml/descent/fleet/coded"
	"github.com/descentml/descent/fleet/coding"
	"github.com/descentml/descent/lab/driver"
	"github.com/descentml/descent/lab/experiment"
	"github.com/descentml/descent/lab/saved"
	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/method/firstorder"
)

// kindFleet is the kind of the runs that `fleet train` records.
const kindFleet = "fleet"

// codedSetup is what the gradients of a coded training follow from. It goes to
// the workers.
type codedSetup struct {
	Data    experiment.Data `json:"data"`
	Models  []string        `json:"models"` // specification of each
	DType   string          `json:"dtype"`
	Scheme  string          `json:"scheme"`
	Workers int             `json:"workers"`
	Seed    uint64          `json:"seed"` // of the split and of the first model's weights
}

// codedConfig is all that decides the numbers of a coded training.
type codedConfig struct {
	codedSetup
	Steps        int           `json:"steps"` // of each model
	LearningRate float64       `json:"learning_rate"`
	Momentum     float64       `json:"momentum"`
	Method       string        `json:"method,omitempty"` // "": gradient descent with momentum
	Arithmetic   string        `json:"arithmetic"`
	Tolerance    float64       `json:"tolerance"`
	Grace        time.Duration `json:"grace"`
	WaitOut      string        `json:"wait_out"`
	Patience     time.Duration `json:"patience"`
	Save         string        `json:"save,omitempty"`
	Job          string        `json:"job"` // its name on the server
	Command      string        `json:"command"`
}

// codedFlags are the flags of `fleet train`.
type codedFlags struct {
	config codedConfig
	data   tableFlags
	models []string
	copies int
	nats   natsFlags
	slow   slowFlag
	store  string
	back   string
	resume string
	report string
	json   bool
}

func newFleetTrain() *cobra.Command {
	f := codedFlags{config: codedConfig{
		codedSetup: codedSetup{Data: experiment.Default().Data, DType: "float64", Scheme: "m-sgc:B=2,W=3,lambda=4", Workers: 16, Seed: 1},
		Steps:      100, LearningRate: 0.5, Momentum: 0.9, Arithmetic: coded.Exact.String(), Tolerance: 1, Grace: 20 * time.Millisecond,
		WaitOut: coding.InOrder.String(), Patience: 5 * time.Minute,
	}}
	c := &cobra.Command{
		Use:   "train",
		Short: "Train over workers of which some are late or die, with exact gradients",
		Long: `Train over workers of which some are late or die. Every step uses the
gradient of all training examples; a code spreads them over the workers such that
it comes out exactly without those who are late. With the arithmetic
exact, which is the default, the trained weights have the same bits whoever was
late. The scheme ignore is the exception: it takes the gradient of those who have
answered for that of all, so that its weights depend on who was late.

A scheme whose gradients may come T rounds late (sr-sgc: B, m-sgc: W-2+B) trains
at least T+1 models in turn. Name several with --model, or let copies of one be
trained that begin with other weights: the best one is saved.

Schemes: ` + strings.Join(coding.Names(), ", ") + `, with parameters as in gc:s=3.

Without --nats it starts a server in this process and the workers beside it. The
run can be resumed: the state is on the server, after every round.`,
		Example: `  descent fleet train --scheme m-sgc:B=2,W=3,lambda=4 --workers 16 --data digits --model mlp:64
  descent fleet train --scheme gc-rep:s=3 --workers 8 --slow 2:300ms:0.3 --log train.log
  descent fleet train --scheme gc:s=2 --workers 8 --method adam --steps 200
  descent fleet train --model linear --model mlp:64 --model mlp:128 --data churn.csv --target churned --save churn.model
  descent fleet train --nats tls://fleet.example:4222 --creds coordinator.creds --ca ca.pem --workers 16
  descent fleet train --resume 7`,
		Args: cobra.NoArgs,
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.config.Scheme, "scheme", f.config.Scheme, "how redundant the work is, from the list above")
	flags.IntVar(&f.config.Workers, "workers", f.config.Workers, "number of workers")
	f.data.add(c, f.config.Data.Source)
	flags.Float64Var(&f.config.Data.Validation, "validation", f.config.Data.Validation, "share of the rows that curves are measured on")
	flags.Float64Var(&f.config.Data.Test, "test", f.config.Data.Test, "share of the rows that results are measured on")
	flags.StringArrayVar(&f.models, "model", []string{"mlp:64"}, "linear, mlp:H1,H2,..., cnn or resnet (repeatable)")
	flags.IntVar(&f.copies, "copies", 0, "how often each model is trained, from other weights (default: as often as the scheme needs)")
	flags.StringVar(&f.config.DType, "dtype", f.config.DType, "number type of the workers' computation: float32 or float64")
	flags.IntVar(&f.config.Steps, "steps", f.config.Steps, "steps of each model, on all training examples each")
	flags.Float64Var(&f.config.LearningRate, "lr", f.config.LearningRate, "learning rate")
	flags.Float64Var(&f.config.Momentum, "momentum", f.config.Momentum, "momentum")
	flags.StringVar(&f.config.Method, "method", "", "first-order method with its options, as in adam:beta1=0.95, at its usual rate unless --lr says another (default: gradient descent with --momentum)")
	flags.StringVar(&f.config.Arithmetic, "arithmetic", f.config.Arithmetic, "exact (the same bits whoever is late) or real (workers may have processors of several kinds)")
	flags.Float64Var(&f.config.Tolerance, "tolerance", f.config.Tolerance, "a worker is late after so many times the fastest worker's time beyond it")
	flags.DurationVar(&f.config.Grace, "grace", f.config.Grace, "least time after the fastest answer until a worker is late")
	flags.StringVar(&f.config.WaitOut, "wait-out", f.config.WaitOut, "for whom to wait if the scheme cannot go on: all or in-order")
	flags.DurationVar(&f.config.Patience, "patience", f.config.Patience, "longest time of a round")
	flags.Uint64Var(&f.config.Seed, "seed", f.config.Seed, "seed of the split and the initial weights")
	flags.StringVar(&f.config.Save, "save", "", "folder for the trained model with the best validation score")
	flags.StringVar(&f.resume, "resume", "", "continue run `RUN` with the settings that it began with")
	flags.StringVar(&f.report, "report", "", "file for the HTML report (default: in the store)")
	flags.BoolVar(&f.json, "json", false, "print the result as one JSON object")
	flags.Var(&f.slow, "slow", "let the last workers sleep before each task, or a share of them, as in 3:200ms:0.2, to try out what stragglers do; not with --nats")
	f.nats.addCoordinator(c)
	addStore(c, &f.store)
	addBackend(c, &f.back)
	complete(c, "scheme", true, coding.Names)
	complete(c, "model", true, func() []string { return []string{"linear", "mlp:", "cnn", "resnet"} })
	complete(c, "dtype", true, func() []string { return []string{"float32", "float64"} })
	complete(c, "arithmetic", true, func() []string { return []string{coded.Exact.String(), coded.Real.String()} })
	c.RunE = func(c *cobra.Command, _ []string) error { return f.run(c) }
	return c
}

// finish completes the configuration once the flags are parsed.
func (f *codedFlags) finish(c *cobra.Command) error {
	if err := checkReport(f.report); err != nil {
		return err
	}
	if f.nats.address.URL != "" && f.slow.Count > 0 {
		return usageError{errors.New("--slow is for workers that this command starts, not with --nats")}
	}
	if f.resume != "" {
		return checkResumed(c, "resume", "store", "backend", "json", "report", "nats", "creds", "ca", "metrics", "direct", "log", "slow")
	}
	options, err := f.data.options()
	if err != nil {
		return err
	}
	f.config.Data.Options = options
	f.config.Data.Source = absoluteIfFile(f.data.source)
	if f.config.Save != "" {
		if f.config.Save, err = filepath.Abs(f.config.Save); err != nil {
			return err
		}
		if err := saved.CheckTarget(f.config.Save); err != nil {
			return err
		}
	}
	f.config.Command = commandOf(c)
	if c.Flags().Changed("workers") { // which changes no number elsewhere
		f.config.Command += fmt.Sprintf(" --workers %d", f.config.Workers)
	}
	if err := f.config.completeMethod(c.Flags().Changed("lr"), c.Flags().Changed("momentum")); err != nil {
		return err
	}
	f.config.Job = newJob("train")
	return f.config.complete(f.models, f.copies)
}

// completeMethod checks the method and fills in its usual rate.
func (c *codedConfig) completeMethod(rated, heavy bool) error {
	if c.Method == "" {
		return nil
	}
	if _, err := firstorder.New(c.Method); err != nil {
		return usageError{fmt.Errorf("--method: %w", err)}
	}
	if heavy {
		return usageError{errors.New("--momentum is for gradient descent: expected none beside --method, whose options may have one")}
	}
	c.Momentum = 0
	name, _, _ := strings.Cut(c.Method, ":")
	for _, m := range firstorder.Methods() {
		if m.Name == strings.TrimSpace(name) && !rated {
			c.LearningRate = m.DefaultLearningRate
		}
	}
	return nil
}

// optimizer is what the server moves the parameters with.
func (c *codedConfig) optimizer(backend compute.Backend) (coded.Optimizer, error) {
	if c.Method == "" {
		return &coded.SGD{LearningRate: c.LearningRate, Momentum: c.Momentum}, nil
	}
	return coded.NewMethod(backend, c.Method, c.LearningRate)
}

// complete checks a configuration before data is read, and lists the models.
func (c *codedConfig) complete(models []string, copies int) error {
	spec, err := coding.ParseSpec(c.Scheme)
	if err == nil {
		err = spec.Check(c.Workers)
	}
	if err != nil {
		return usageError{fmt.Errorf("--scheme: %w", err)}
	}
	c.Scheme = spec.String()
	needed := spec.Delay() + 1
	switch {
	case copies < 0 || len(models) == 0 || slices.Contains(models, ""):
		return usageError{fmt.Errorf("--model %q --copies %d: expected models, and none below 0", models, copies)}
	case copies == 0:
		copies = (needed + len(models) - 1) / len(models)
	case copies*len(models) < needed:
		return usageError{fmt.Errorf("%d models with scheme %s, whose gradients may come %d rounds late: expected at least %d models (--model, --copies)", copies*len(models), spec, spec.Delay(), needed)}
	}
	for range copies {
		c.Models = append(c.Models, models...)
	}
	switch {
	case c.Steps < 1 || c.Steps > 1e6:
		return usageError{fmt.Errorf("--steps %d: expected 1 to 1000000", c.Steps)}
	case !(c.LearningRate > 0) || !(c.Momentum >= 0 && c.Momentum < 1):
		return usageError{fmt.Errorf("--lr %g --momentum %g: expected a rate above 0 and a momentum from 0 to below 1", c.LearningRate, c.Momentum)}
	case !(c.Tolerance > 0) || c.Grace < 0 || c.Patience < 0:
		return usageError{fmt.Errorf("--tolerance %g --grace %v --patience %v: expected a tolerance above 0 and no time below", c.Tolerance, c.Grace, c.Patience)}
	}
	if _, err := driver.ParseDType(c.DType); err != nil {
		return usageError{fmt.Errorf("--dtype: %w", err)}
	}
	if _, err := coding.ParseWaitOut(c.WaitOut); err != nil {
		return usageError{fmt.Errorf("--wait-out: %w", err)}
	}
	_, err = parseArithmetic(c.Arithmetic)
	return err
}

func parseArithmetic(name string) (coded.Arithmetic, error) {
	for _, a := range []coded.Arithmetic{coded.Exact, coded.Real} {
		if a.String() == name {
			return a, nil
		}
	}
	return 0, usageError{fmt.Errorf("--arithmetic %s: expected exact or real", name)}
}

func (f *codedFlags) run(c *cobra.Command) (err error) {
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
		if resumed, err = f.loadConfig(ctx, st); err != nil {
			return err
		}
	}
	t, err := promptly(ctx, func() (*codedTraining, error) { return newCodedTraining(ctx, &f.config, f.back) })
	if err != nil {
		return err
	}
	var w *store.Writer
	if resumed > 0 {
		w, err = st.Resume(ctx, resumed)
	} else {
		w, err = st.Create(ctx, kindFleet, fmt.Sprintf("%s, %s, %s on %d workers", t.loaded.Summary.Name, t.describeModels(), f.config.Scheme, f.config.Workers), f.config)
	}
	if err != nil {
		return err
	}
	defer w.Close()
	fmt.Fprintf(c.ErrOrStderr(), "Run %d in %s\n", w.ID(), st.Dir())
	folder := filepath.Join(st.Dir(), "fleet", f.config.Job)
	result, err := f.train(c, t, w, folder)
	if err != nil {
		return interrupted(c, w, kindFleet, f.store, err)
	}
	if err := w.Finish(ctx, store.Done, result, nil); err != nil {
		return err
	}
	return show(c, st, w.ID(), f.json, f.report, f.store)
}

// loadConfig replaces the configuration by that of the run to resume.
func (f *codedFlags) loadConfig(ctx context.Context, st *store.Store) (int64, error) {
	run, err := resumable(ctx, st, f.resume, kindFleet)
	if err != nil {
		return 0, err
	}
	if err := json.Unmarshal(run.Config, &f.config); err != nil {
		return 0, fmt.Errorf("reading the settings of run %d: %w", run.ID, err)
	}
	return run.ID, nil
}
