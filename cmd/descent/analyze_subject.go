package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	gomodel "github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/checkpoint"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/spf13/cobra"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/lab/driver"
	"github.com/descentml/descent/lab/experiment"
	"github.com/descentml/descent/lab/saved"
	"github.com/descentml/descent/model"
	"github.com/descentml/descent/objective"
)

// subjectFlags say which network an analysis looks at, and where: a saved one,
// or one that is trained first.
type subjectFlags struct {
	data                   tableFlags
	model, dtype           string
	checkpoint             string
	method                 string
	rate                   float64
	epochs, batch          int
	examples               int
	seed                   uint64
	backend                string
	modelGiven, dtypeGiven bool
	retreat                bool // where the training diverges, at smaller rates
}

// add adds the flags. The method stays SGD unless the analysis lets it be chosen.
func (f *subjectFlags) add(c *cobra.Command, epochs int) {
	f.method = "sgd"
	flags := c.Flags()
	f.data.add(c, "digits")
	flags.StringVar(&f.model, "model", "mlp:32", "linear or mlp:H1,H2,...")
	flags.StringVar(&f.dtype, "dtype", "float64", "number type of the weights: float32 or float64")
	flags.StringVar(&f.checkpoint, "checkpoint", "", "folder of a saved model to look at instead of training one")
	flags.Float64Var(&f.rate, "learning-rate", 0.1, "of the training")
	flags.IntVar(&f.epochs, "epochs", epochs, "length of the training in passes; 0: as the network begins")
	flags.IntVar(&f.batch, "batch-size", 32, "examples per step of the training")
	flags.IntVar(&f.examples, "examples", 2000, "most examples that the loss is taken over, drawn by the seed")
	flags.Uint64Var(&f.seed, "seed", 0, "seed of the split, the initial weights, the batches and all else that is drawn")
	addBackend(c, &f.backend)
	complete(c, "model", true, func() []string { return []string{"linear", "mlp:"} })
	complete(c, "dtype", true, func() []string { return []string{"float32", "float64"} })
}

// check finds what is wrong with the flags before any work.
func (f *subjectFlags) check() error {
	switch {
	case f.epochs < 0 || f.epochs > 1e6:
		return usageError{fmt.Errorf("--epochs %d: expected 0 to 1000000", f.epochs)}
	case f.examples < 1:
		return usageError{fmt.Errorf("--examples %d: expected at least 1", f.examples)}
	case !(f.rate > 0) || math.IsInf(f.rate, 0):
		return usageError{fmt.Errorf("--learning-rate %g: expected a finite number above 0; --epochs 0 takes the network as it begins", f.rate)}
	}
	return nil
}

// subject loads the network, or trains it.
func (f *subjectFlags) subject(c *cobra.Command) (*subject, error) {
	f.modelGiven, f.dtypeGiven = c.Flags().Changed("model"), c.Flags().Changed("dtype")
	options, err := f.data.options()
	if err != nil {
		return nil, err
	}
	backend, err := newBackend(f.backend)
	if err != nil {
		return nil, err
	}
	ctx := c.Context()
	return promptly(ctx, func() (*subject, error) {
		if f.checkpoint != "" {
			return f.load(ctx, backend, options)
		}
		return f.train(ctx, backend, options)
	})
}

// subject is a network at its weights with the loss on its examples.
type subject struct {
	*objective.Risk
	data, network, dtype, story string
	task                        data.Task
	features, classes           int
	part                        driver.Examples // that the loss is taken over
}

// subjectReport is what reports of analyses say of what was looked at.
type subjectReport struct {
	Data       string    `json:"data"`
	Task       data.Task `json:"task"`
	Examples   int       `json:"examples"`
	Features   int       `json:"features"`
	Classes    int       `json:"classes"` // 0 for regression
	Model      string    `json:"model"`
	DType      string    `json:"dtype"`
	Training   string    `json:"training"`
	Parameters int       `json:"parameters"`
	Loss       float64   `json:"loss"`
}

// report says what was looked at, but for the loss.
func (s *subject) report() subjectReport {
	return subjectReport{
		Data: s.data, Task: s.task, Examples: s.Examples(), Features: s.features, Classes: s.classes,
		Model: s.network, DType: s.dtype, Training: s.story, Parameters: s.Dim(),
	}
}

// name says in a few words what is looked at.
func (s *subject) name() string { return shortName(s.data) + " " + s.network }

// train trains a network, or takes it as it begins.
func (f *subjectFlags) train(ctx context.Context, backend compute.Backend, options data.Options) (*subject, error) {
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
		if store, story, err = f.trained(ctx, backend, p); err != nil {
			return nil, err
		}
	}
	s := &subject{data: loaded.Summary.Name, network: p.Network.String(), dtype: f.dtype, story: story, task: p.Task, features: p.Width, classes: loaded.Summary.Classes}
	return s, s.over(backend, store, p.Network, p.Outputs, f.sample(p.Train, p.Width), p.Width)
}

// trained trains at the rate, or at one that it has to be lowered to.
func (f *subjectFlags) trained(ctx context.Context, backend compute.Backend, p *driver.Problem) (*gomodel.Store, string, error) {
	for rate := f.rate; ; rate /= 2 {
		trial := driver.Trial{Method: f.method, LearningRate: rate, Seed: f.seed, BatchSize: f.batch, Epochs: f.epochs}
		outcome, err := driver.Train(ctx, backend, p, trial, nil, driver.Hooks{})
		if err != nil {
			return nil, "", err
		}
		story := fmt.Sprintf("trained with %s at %s for %s", f.method, threeDigits(rate), count(f.epochs, "epoch"))
		switch {
		case !outcome.Diverged && rate < f.rate:
			return outcome.Weights, story + fmt.Sprintf(" as it diverges at %s", threeDigits(f.rate)), nil
		case !outcome.Diverged:
			return outcome.Weights, story, nil
		case !f.retreat || rate < f.rate/(1<<lowerings):
			return nil, "", fmt.Errorf("the training with %s at learning rate %g diverged: take a smaller --learning-rate", f.method, rate)
		}
	}
}

// lowerings is how often a rate at which the training diverges is halved.
const lowerings = 20

// load takes a saved model with the rows of the data.
func (f *subjectFlags) load(ctx context.Context, backend compute.Backend, options data.Options) (*subject, error) {
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
func (f *subjectFlags) choose(rows []int) []int {
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
func (f *subjectFlags) sample(e driver.Examples, width int) driver.Examples {
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
	if s.task == data.Classification {
		m.Loss = objective.CrossEntropy
	}
	s.part, s.features = e, width
	x, y := s.tensors(nil)
	s.Risk, err = objective.NewRisk(m, x, y, objective.Options{})
	return err
}

// tensors are the inputs and labels of some examples, or of all if none are given.
func (s *subject) tensors(rows []int) (x, y *tensors.Tensor) {
	e, width := s.part, s.features
	if rows != nil {
		e = driver.Examples{Count: len(rows)}
		for _, row := range rows {
			e.Features = append(e.Features, s.part.Features[row*width:(row+1)*width]...)
			if s.part.Labels != nil {
				e.Labels = append(e.Labels, s.part.Labels[row])
			} else {
				e.Targets = append(e.Targets, s.part.Targets[row])
			}
		}
	}
	x = tensors.FromFlatDataAndDimensions(e.Features, e.Count, width)
	if e.Labels != nil {
		return x, tensors.FromFlatDataAndDimensions(e.Labels, e.Count, 1)
	}
	return x, tensors.FromFlatDataAndDimensions(e.Targets, e.Count, 1)
}
