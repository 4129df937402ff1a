package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	gomodel "github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/checkpoint"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/descentml/descent/analysis/spectrum"
	"github.com/descentml/descent/data"
	"github.com/descentml/descent/lab/driver"
	"github.com/descentml/descent/lab/experiment"
	"github.com/descentml/descent/lab/saved"
	"github.com/descentml/descent/model"
	"github.com/descentml/descent/objective"
)

// spectrumFlags are the flags of `analyze spectrum`.
type spectrumFlags struct {
	data                   tableFlags
	model, dtype           string
	checkpoint             string
	method                 string
	rate                   float64
	epochs, batch          int
	examples               int
	probes, steps          int
	seed                   uint64
	backend, report        string
	json                   bool
	modelGiven, dtypeGiven bool
}

func newSpectrum() *cobra.Command {
	var f spectrumFlags
	c := &cobra.Command{
		Use:   "spectrum",
		Short: "Show the eigenvalues of the Hessian of a network's loss",
		Long: `Show how curved the loss is around a network's weights: the density of the
eigenvalues of its Hessian, the largest and the smallest, how many stand apart
from the rest, and what part of the directions is flat or curves downwards.

The network is one that 'descent train' saved (--checkpoint), or one that is
trained here first; with --epochs 0 it is looked at as it begins. The loss is the
mean over the training part, or over the rows of the data for a saved model, up to
--examples of them.

The density comes from stochastic Lanczos quadrature: --probes random vectors,
--steps products of the Hessian with a vector for each. Flat are directions whose
curvature is below a thousandth of the largest. Networks with convolutions cannot
be analysed.`,
		Example: `  descent analyze spectrum --data digits --model mlp:32
  descent analyze spectrum --data digits --model mlp:32 --epochs 0 --report start.html
  descent analyze spectrum --data churn.csv --target churned --checkpoint churn.model --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			f.modelGiven, f.dtypeGiven = c.Flags().Changed("model"), c.Flags().Changed("dtype")
			return f.run(c)
		},
	}
	flags := c.Flags()
	flags.SortFlags = false
	f.data.add(c, "digits")
	flags.StringVar(&f.model, "model", "mlp:32", "linear or mlp:H1,H2,...")
	flags.StringVar(&f.dtype, "dtype", "float64", "number type of the weights: float32 or float64")
	flags.StringVar(&f.checkpoint, "checkpoint", "", "folder of a saved model to look at instead of training one")
	flags.StringVar(&f.method, "method", "sgd", "training method, from the list of 'descent methods'")
	flags.Float64Var(&f.rate, "learning-rate", 0.1, "of the training")
	flags.IntVar(&f.epochs, "epochs", 20, "length of the training in passes; 0: as the network begins")
	flags.IntVar(&f.batch, "batch-size", 32, "examples per step of the training")
	flags.IntVar(&f.examples, "examples", 2000, "most examples that the loss is taken over, drawn by the seed")
	flags.IntVar(&f.probes, "probes", 10, "random vectors; more make the density more certain")
	flags.IntVar(&f.steps, "steps", 60, "products for each of them; more resolve the density more finely")
	flags.Uint64Var(&f.seed, "seed", 0, "seed of the split, the initial weights, the batches and the random vectors")
	flags.StringVar(&f.report, "report", "", "file for an HTML report with the figures")
	flags.BoolVar(&f.json, "json", false, "print the result as one JSON object")
	addBackend(c, &f.backend)
	complete(c, "model", true, func() []string { return []string{"linear", "mlp:"} })
	complete(c, "method", true, methodNames)
	complete(c, "dtype", true, func() []string { return []string{"float32", "float64"} })
	return c
}

// check finds what is wrong with the flags before any work.
func (f *spectrumFlags) check() error {
	switch {
	case f.epochs < 0 || f.epochs > 1e6:
		return usageError{fmt.Errorf("--epochs %d: expected 0 to 1000000", f.epochs)}
	case f.examples < 1:
		return usageError{fmt.Errorf("--examples %d: expected at least 1", f.examples)}
	case f.probes < 2 || f.probes > 1000:
		return usageError{fmt.Errorf("--probes %d: expected 2 to 1000, as one has no standard error", f.probes)}
	case f.steps < 2 || f.steps > 1000:
		return usageError{fmt.Errorf("--steps %d: expected 2 to 1000", f.steps)}
	}
	return checkReport(f.report)
}

func (f *spectrumFlags) run(c *cobra.Command) error {
	if err := f.check(); err != nil {
		return err
	}
	options, err := f.data.options()
	if err != nil {
		return err
	}
	backend, err := newBackend(f.backend)
	if err != nil {
		return err
	}
	subject, err := promptly(c.Context(), func() (*subject, error) {
		if f.checkpoint != "" {
			return f.load(c.Context(), backend, options)
		}
		return f.train(c.Context(), backend, options)
	})
	if err != nil {
		return err
	}
	observe, done := quadratureBar(c)
	r, err := promptly(c.Context(), func() (*spectrumReport, error) { return f.analyse(c.Context(), subject, observe) })
	done()
	if err != nil {
		return err
	}
	return f.show(c, r)
}

// quadratureBar shows a bar on a terminal.
func quadratureBar(c *cobra.Command) (observe func(done, planned int), done func()) {
	file, ok := c.ErrOrStderr().(*os.File)
	if !ok || !isatty.IsTerminal(file.Fd()) {
		return nil, func() {}
	}
	bar, done := newBar(file)
	return func(done, planned int) { bar(experiment.Progress{Done: float64(done), Planned: float64(planned)}) }, done
}

// subject is a network at its weights with the loss on its examples.
type subject struct {
	*objective.Risk
	data, network, dtype, story string
	task                        data.Task
	features, classes           int
}

// train trains a network, or takes it as it begins.
func (f *spectrumFlags) train(ctx context.Context, backend compute.Backend, options data.Options) (*subject, error) {
	config := experiment.Default()
	config.Data.Source, config.Data.Options = f.data.source, options
	config.Model, config.DType, config.Seed, config.Epochs, config.BatchSize = f.model, f.dtype, f.seed, max(1, f.epochs), f.batch
	config.Methods = []string{f.method}
	config.LearningRate = &f.rate
	loaded, err := experiment.Load(ctx, &config)
	if err != nil {
		return nil, err
	}
	p := loaded.Problem
	if p.Train.Sparse != nil {
		return nil, fmt.Errorf("%s stays sparse with --method %s: expected a method that trains networks, such as sgd", f.data.source, f.method)
	}
	store, story := gomodel.NewStore(), "untrained"
	if f.epochs == 0 {
		if err := store.SetRNGStateFromSeed(int64(f.seed)); err != nil { // as a training begins
			return nil, err
		}
	} else {
		trial := driver.Trial{Method: f.method, LearningRate: f.rate, Seed: f.seed, BatchSize: f.batch, Epochs: f.epochs}
		outcome, err := driver.Train(ctx, backend, p, trial, nil, driver.Hooks{})
		if err != nil {
			return nil, err
		}
		if outcome.Diverged {
			return nil, fmt.Errorf("the training with %s at learning rate %g diverged: take a smaller --learning-rate", f.method, f.rate)
		}
		store, story = outcome.Weights, fmt.Sprintf("trained with %s at %g for %s", f.method, f.rate, count(f.epochs, "epoch"))
	}
	s := &subject{data: loaded.Summary.Name, network: p.Network.String(), dtype: f.dtype, story: story, task: p.Task, features: p.Width, classes: loaded.Summary.Classes}
	return s, s.over(backend, store, p.Network, p.Outputs, f.sample(p.Train, p.Width), p.Width)
}

// load takes a saved model with the rows of the data.
func (f *spectrumFlags) load(ctx context.Context, backend compute.Backend, options data.Options) (*subject, error) {
	m, err := saved.Load(backend, f.checkpoint)
	if err != nil {
		return nil, err
	}
	if f.modelGiven && f.model != m.Network {
		return nil, fmt.Errorf("the model in %s is %s and not %s: leave --model out", f.checkpoint, m.Network, f.model)
	}
	if f.dtypeGiven && f.dtype != m.DType {
		return nil, fmt.Errorf("the model in %s is of type %s and not %s: leave --dtype out", f.checkpoint, m.DType, f.dtype)
	}
	options.Kinds = m.Encoder.Kinds()
	if options.Target == "" {
		options.Target = m.Encoder.TargetName()
	}
	if options.Task == "" {
		options.Task = m.Encoder.Task()
	}
	table, err := data.Open(ctx, f.data.source, options)
	if err != nil {
		return nil, fmt.Errorf("the data do not fit the model in %s: %w", f.checkpoint, err)
	}
	rows := make([]int, table.Rows)
	for i := range rows {
		rows[i] = i
	}
	examples, err := driver.Encode(table, f.choose(rows), m.Encoder)
	if err != nil {
		return nil, fmt.Errorf("the data do not fit the model in %s: %w", f.checkpoint, err)
	}
	network, err := model.New(m.Network, model.Input{Width: m.Encoder.Width(), Image: m.Encoder.Image()})
	if err != nil {
		return nil, err
	}
	store := gomodel.NewStore()
	if caught := exceptions.TryCatch[error](func() { _, err = checkpoint.Load(store).Dir(f.checkpoint).Immediate().Done() }); caught != nil {
		err = caught
	}
	if err != nil {
		return nil, fmt.Errorf("the weights in %s cannot be read: the folder is incomplete or damaged", f.checkpoint)
	}
	s := &subject{data: table.Name, network: m.Network, dtype: m.DType, story: "saved in " + f.checkpoint, task: m.Encoder.Task(),
		features: m.Encoder.Width(), classes: len(m.Encoder.Classes())}
	return s, s.over(backend, store, network, m.Outputs(), examples, m.Encoder.Width())
}

// choose draws at most as many rows as asked for.
func (f *spectrumFlags) choose(rows []int) []int {
	if len(rows) <= f.examples {
		return rows
	}
	rng := rand.New(rand.NewPCG(f.seed, 0x5bec))
	rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	rows = rows[:f.examples]
	slices.Sort(rows)
	return rows
}

// sample draws at most as many examples as asked for.
func (f *spectrumFlags) sample(e driver.Examples, width int) driver.Examples {
	rows := make([]int, e.Count)
	for i := range rows {
		rows[i] = i
	}
	rows = f.choose(rows)
	part := driver.Examples{Count: len(rows)}
	for _, row := range rows {
		part.Features = append(part.Features, e.Features[row*width:(row+1)*width]...)
		if e.Labels != nil {
			part.Labels = append(part.Labels, e.Labels[row])
		} else {
			part.Targets = append(part.Targets, e.Targets[row])
		}
	}
	return part
}

// over makes the loss of the weights in a store on examples.
func (s *subject) over(backend compute.Backend, store *gomodel.Store, network *model.Network, outputs int, e driver.Examples, width int) error {
	dtype, err := driver.ParseDType(s.dtype)
	if err != nil {
		return err
	}
	m := objective.Model{
		Backend: backend, Store: store, DType: dtype, Loss: objective.SquaredError,
		Outputs: func(scope *gomodel.Scope, x *graph.Node) *graph.Node { return network.Logits(scope, x, outputs) },
	}
	x, y := tensors.FromFlatDataAndDimensions(e.Features, e.Count, width), (*tensors.Tensor)(nil)
	if s.task == data.Classification {
		m.Loss = objective.CrossEntropy
		y = tensors.FromFlatDataAndDimensions(e.Labels, e.Count, 1)
	} else {
		y = tensors.FromFlatDataAndDimensions(e.Targets, e.Count, 1)
	}
	s.Risk, err = objective.NewRisk(m, x, y, objective.Options{})
	return err
}

// basisNumbers bounds the numbers of the Lanczos vectors that extreme
// eigenvalues are found with: 1 GiB.
const basisNumbers = 1 << 27

// analyse measures the spectrum.
func (f *spectrumFlags) analyse(ctx context.Context, s *subject, observe func(done, planned int)) (*spectrumReport, error) {
	r := &spectrumReport{Data: s.data, Task: s.task, Examples: s.Examples(), Features: s.features, Classes: s.classes, Model: s.network, DType: s.dtype,
		Training: s.story, Parameters: s.Dim(), Probes: f.probes, Steps: min(f.steps, s.Dim()), Seed: f.seed}
	var err error
	if r.Loss, err = s.Value(ctx); err != nil {
		return nil, err
	}
	hessian := s.Hessian(ctx)
	d, err := spectrum.Quadrature(ctx, hessian, spectrum.Quadratures{Probes: f.probes, Steps: f.steps, Observe: observe}, rand.New(rand.NewPCG(f.seed, 1)))
	if err != nil {
		return nil, err
	}
	window := 2 * max(s.classes, 5)
	steps := max(window+5, min(300, basisNumbers/s.Dim()))
	wanted := min(window+1, (s.Dim()+1)/2) // of at least two parameters: a weight and a bias
	ends, err := spectrum.Extreme(ctx, hessian, spectrum.Extremes{Largest: wanted, Smallest: min(3, s.Dim()-wanted), Steps: steps, Tolerance: 1e-6}, rand.New(rand.NewPCG(f.seed, 2)))
	if err != nil {
		return nil, err
	}
	residual, err := objective.Difference(hessian, s.GaussNewton(ctx))
	if err != nil {
		return nil, err
	}
	rest, err := spectrum.SquaredNorm(ctx, residual, f.probes, rand.New(rand.NewPCG(f.seed, 3)))
	if err != nil {
		return nil, err
	}
	return r, r.fill(d, ends, rest, window)
}
