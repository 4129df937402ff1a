package federatedcurricula

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/gomlx/compute"

	"github.com/descentml/descent/fleet/federated"
	"github.com/descentml/descent/fleet/federated/curriculum"
	"github.com/descentml/descent/model"
	"github.com/descentml/descent/study"
)

// The local work of the paper, which begins anew with every round.
const (
	batch        = 10
	learningRate = 0.01
	decay        = 0.001
	power        = 0.75
	momentum     = 0.9
	weightDecay  = 5e-4
)

// networks are what is trained on each set.
var networks = map[string]string{digitsSource: "mlp:32", fashionSource: "mlp:64"}

// lastRounds is the number of rounds at the end over which accuracy is averaged.
const lastRounds = 10

func (e *experiment) cells(setup study.Setup) ([]study.Cell, error) {
	var list []study.Cell
	shared := &tables{}
	for _, c := range conditions(setup.Preset) {
		for _, seed := range setup.Seeds {
			list = append(list, study.Cell{Name: c.cell, Seed: seed, Run: func(ctx context.Context) (study.Measured, error) {
				return e.measure(ctx, setup.Backend, shared, c, seed)
			}})
		}
	}
	return list, nil
}

// world is what all arms of a condition train on.
type world struct {
	condition
	samples *samples
	network *federated.Network
	expert  []float64 // parameters, where an arm needs them
	shards  [][]int
	test    []int
	times   federated.Times
	seed    uint64
}

// measure trains all arms of a condition from the same start.
func (e *experiment) measure(ctx context.Context, backend compute.Backend, shared *tables, c condition, seed uint64) (study.Measured, error) {
	m := study.Measured{Values: map[string]float64{}, Curves: map[string]study.Curve{}}
	w, err := newWorld(ctx, backend, shared, c, seed)
	if err != nil {
		return m, err
	}
	for _, a := range c.arms {
		a.samples.Order, a.clients.Order = e.order(a.samples.Order), e.order(a.clients.Order)
		curve, err := w.train(ctx, a)
		if err != nil {
			return m, err
		}
		m.Curves[a.label] = curve
		m.Values[a.label+last] = study.Mean(curve.Y[max(0, len(curve.Y)-lastRounds):])
		m.Values[a.label+firstHalf] = study.Mean(curve.Y[:max(1, len(curve.Y)/2)])
	}
	return m, nil
}

func newWorld(ctx context.Context, backend compute.Backend, shared *tables, c condition, seed uint64) (*world, error) {
	table, err := shared.open(ctx, c.source)
	if err != nil {
		return nil, err
	}
	s, err := draw(table, c.source, seed)
	if err != nil {
		return nil, err
	}
	w := &world{condition: c, samples: s, seed: seed}
	rng := rand.New(rand.NewPCG(seed, noiseStream))
	if err := s.spoil(sequence(0, s.train), c.noise, rng); err != nil {
		return nil, err
	}
	scores, err := w.judge(ctx, backend)
	if err != nil {
		return nil, err
	}
	if w.shards, err = s.share(c.partition, c.clients, scores, seed); err != nil {
		return nil, err
	}
	if c.gradient > 0 {
		for client, rows := range w.shards {
			if err := s.spoil(rows, c.noiseOf(client), rng); err != nil {
				return nil, err
			}
		}
	}
	if w.times, err = federated.NewFixed(slices.Repeat([]float64{1}, c.clients)); err != nil {
		return nil, err
	}
	return w, w.build(backend, 0)
}

// build makes the network of the samples with the labels that they have.
func (w *world) build(backend compute.Backend, smoothing float64) error {
	net, err := model.New(networks[w.source], model.Input{Width: w.samples.width})
	if err != nil {
		return err
	}
	w.network, err = federated.NewNetwork(federated.NetworkConfig{
		Backend: backend, Network: net, Seed: w.seed, Features: w.samples.features, Width: w.samples.width,
		Outputs: classes, Labels: slices.Clone(w.samples.labels), Batch: batch, Smoothing: smoothing,
	})
	w.test = sequence(w.samples.train, len(w.samples.labels))
	return err
}

// judge trains an expert where an arm needs one, and returns its losses of the
// training samples.
func (w *world) judge(ctx context.Context, backend compute.Backend) ([]float64, error) {
	if !slices.ContainsFunc(w.arms, func(a arm) bool { return a.samples.Score.NeedsExpert() }) {
		return nil, nil
	}
	if err := w.build(backend, curriculum.ExpertSmoothing); err != nil {
		return nil, err
	}
	rows := sequence(0, w.samples.train)
	var err error
	if w.expert, err = curriculum.Expert(ctx, w.network, rows, w.network.Initial(), w.local(), w.seed); err != nil {
		return nil, err
	}
	losses := make([]float64, len(rows))
	return losses, w.network.Evaluate(w.expert, rows, losses, nil)
}

func (w *world) local() federated.Local {
	return federated.Local{
		Epochs: w.epochs, Batch: batch, LearningRate: learningRate, Decay: decay, Power: power, Momentum: momentum, WeightDecay: weightDecay,
	}
}

// train runs an arm and returns the test accuracy over the client updates.
func (w *world) train(ctx context.Context, a arm) (study.Curve, error) {
	var curve study.Curve
	sampler, err := curriculum.NewSampler(a.samples, w.expert)
	if err != nil {
		return curve, err
	}
	selection, err := curriculum.NewSelection(curriculum.SelectionConfig{
		Plan: a.clients, Clients: w.clients, Group: w.group, Budget: w.rounds * w.group, Seed: w.seed,
		Times: w.times, Objective: w.network, Shards: w.shards, Expert: w.expert,
	})
	if err != nil {
		return curve, err
	}
	engine, err := w.engine(ctx, sampler, selection)
	if err != nil {
		return curve, err
	}
	wrong := make([]bool, len(w.test))
	for selection.More() {
		if _, err := engine.Step(ctx); err != nil {
			return curve, err
		}
		accuracy, err := w.accuracy(engine.State().Parameters, wrong)
		if err != nil {
			return curve, err
		}
		curve.X, curve.Y = append(curve.X, float64(engine.State().Contributions)), append(curve.Y, accuracy)
	}
	return curve, nil
}

// engine puts the strategy, the data curriculum and the client curriculum
// together.
func (w *world) engine(ctx context.Context, sampler *curriculum.Sampler, selection *curriculum.Selection) (*federated.Engine, error) {
	trainer, err := federated.NewTrainer(w.network, w.shards, sampler)
	if err != nil {
		return nil, err
	}
	pool, err := federated.NewPool(trainer)
	if err != nil {
		return nil, err
	}
	config := federated.Config{
		Clients: w.clients, Local: w.local(), Seed: w.seed, Executor: pool, Remember: sampler.Plan().Score.NeedsLocal(),
	}
	for _, rows := range w.shards {
		config.Importance = append(config.Importance, float64(len(rows))/float64(w.samples.train))
	}
	strategy, err := federated.ParseStrategy(cmp.Or(w.strategy, string(federated.FedAvg)))
	if err != nil {
		return nil, err
	}
	if err := strategy.Configure(ctx, &config, w.times, 0); err != nil {
		return nil, err
	}
	config.Schedule = selection
	return federated.NewEngine(config, w.network.Initial())
}

// accuracy is the share of the test samples that are classified rightly; 0 for
// a model that has diverged.
func (w *world) accuracy(parameters []float64, wrong []bool) (float64, error) {
	for _, x := range parameters {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return 0, nil
		}
	}
	if err := w.network.Evaluate(parameters, w.test, nil, wrong); err != nil {
		return 0, err
	}
	right := 0
	for _, miss := range wrong {
		if !miss {
			right++
		}
	}
	return float64(right) / float64(len(wrong)), nil
}

// sequence are the numbers from first to below end.
func sequence(first, end int) []int {
	list := make([]int, end-first)
	for i := range list {
		list[i] = first + i
	}
	return list
}
