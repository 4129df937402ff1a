package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/gomlx/compute"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/fleet/federated"
	"github.com/descentml/descent/fleet/federated/partition"
	"github.com/descentml/descent/lab/driver"
	"github.com/descentml/descent/lab/experiment"
)

// federation is the data of a federated run dealt to clients, with the model.
// It follows from the configuration alone.
type federation struct {
	config    *federateConfig
	problem   *driver.Problem
	encoder   *data.Encoder
	summary   experiment.DataSummary
	objective *federated.Network // over the training rows
	held      *heldOut           // over validation and test rows
	shards    [][]int            // rows of the training part of each client
	clients   []string           // values of the partition's column; nil for others
	times     federated.Times
	shares    []float64 // importance of each client
	// expertParameters are those of [federation.expert], once it is trained.
	expertParameters []float64
	workers          int
	fleet            *federateFleet // nil: works are carried out in this process
}

// The streams of a run's random numbers, apart from those of trainings.
const (
	federateSplitStream     = 0x5b117 // that of compare and train, for the same parts
	federatePartitionStream = 0xfed
)

// newFederation reads, splits, encodes and deals the data.
func newFederation(ctx context.Context, backend compute.Backend, c *federateConfig, workers int) (*federation, error) {
	part, err := c.parsePartition()
	if err != nil {
		return nil, err
	}
	dtype, err := driver.ParseDType(c.DType)
	if err != nil {
		return nil, err
	}
	if !(c.Data.Validation > 0) || !(c.Data.Test > 0) {
		return nil, fmt.Errorf("shares %g for validation and %g for test: expected both above 0", c.Data.Validation, c.Data.Test)
	}
	table, err := data.Open(ctx, c.Data.Source, c.Data.Options)
	if err != nil {
		return nil, err
	}
	f := &federation{config: c, workers: workers}
	var column *data.Column
	if part.Kind == partition.ByColumn {
		if column, err = takeColumn(table, part.Column); err != nil {
			return nil, err
		}
	}
	split, err := data.NewSplit(table, c.Data.Validation, c.Data.Test, rand.New(rand.NewPCG(c.Seed, federateSplitStream)))
	if err != nil {
		return nil, err
	}
	if f.encoder, err = data.Fit(table, split.Train); err != nil {
		return nil, err
	}
	if f.problem, err = driver.NewProblem(table, split, f.encoder, c.Model, dtype); err != nil {
		return nil, err
	}
	f.summary = experiment.DataSummary{Name: table.Name, Train: len(split.Train), Validation: len(split.Validation), Test: len(split.Test),
		Features: f.encoder.Width(), Classes: len(f.encoder.Classes())}
	network := federated.NetworkConfig{Backend: backend, Network: f.problem.Network, DType: dtype, Seed: c.Seed, Width: f.problem.Width, Outputs: f.problem.Outputs,
		Features: f.problem.Train.Features, Labels: f.problem.Train.Labels, Targets: f.problem.Train.Targets, Batch: c.Local.Batch}
	if f.objective, err = federated.NewNetwork(network); err != nil {
		return nil, err
	}
	if f.held, err = newHeldOut(network, f.problem); err != nil {
		return nil, err
	}
	if err := f.identify(); err != nil {
		return nil, err
	}
	if c.Partition == partitionWorkers {
		f.shards = make([][]int, c.Clients) // which are elsewhere
	} else if err := f.deal(ctx, part, column, split.Train); err != nil {
		return nil, err
	}
	return f, f.finish()
}

// identify compares the encoded examples with those that the run began with, or
// notes what they are.
func (f *federation) identify() error {
	sum := sha256.New()
	for _, part := range []*driver.Examples{&f.problem.Train, &f.problem.Validation, &f.problem.Test} {
		for _, values := range []any{part.Features, part.Labels, part.Targets} {
			_ = binary.Write(sum, binary.LittleEndian, values) // a hash takes all numbers
		}
	}
	fingerprint := hex.EncodeToString(sum.Sum(nil))
	if known := f.config.Data.Fingerprint; known != "" && known != fingerprint {
		return fmt.Errorf("%s has changed since the run began: its results cannot be continued", f.config.Data.Source)
	}
	f.config.Data.Fingerprint = fingerprint
	return nil
}

// takeColumn removes a column from the features of a table.
func takeColumn(t *data.Table, name string) (*data.Column, error) {
	i := slices.IndexFunc(t.Features, func(c data.Column) bool { return c.Name == name })
	if i < 0 {
		var names []string
		for _, c := range t.Features[:min(len(t.Features), 20)] {
			names = append(names, c.Name)
		}
		return nil, fmt.Errorf("%s has no column %q to partition by: expected one of %v", t.Name, name, names)
	}
	if t.Image != nil {
		return nil, fmt.Errorf("%s: a column of an image cannot name clients", t.Name)
	}
	column := t.Features[i]
	t.Features = slices.Delete(slices.Clone(t.Features), i, i+1)
	return &column, nil
}

// groupsOf numbers the values that a column has in some rows: in the order of
// categories, or ascending.
func groupsOf(c *data.Column, rows []int) (groups []int, names []string, err error) {
	value := func(row int) (string, float64) {
		switch {
		case c.Codes != nil && c.Codes[row] < 0:
			return "", -1
		case c.Codes != nil:
			return c.Levels[c.Codes[row]], float64(c.Codes[row])
		case c.Bytes != nil:
			return fmt.Sprint(c.Bytes[row]), float64(c.Bytes[row])
		}
		return fmt.Sprint(c.Numbers[row]), c.Numbers[row]
	}
	keys := map[float64]string{}
	for _, row := range rows {
		name, key := value(row)
		if name == "" || key != key {
			return nil, nil, fmt.Errorf("column %q has no value in some rows: expected a client for each", c.Name)
		}
		keys[key] = name
	}
	if len(keys) > maxClients {
		return nil, nil, fmt.Errorf("column %q has %d values: expected at most %d clients", c.Name, len(keys), maxClients)
	}
	order := make([]float64, 0, len(keys))
	for key := range keys {
		order = append(order, key)
	}
	slices.Sort(order)
	for _, key := range order {
		names = append(names, keys[key])
	}
	for _, row := range rows {
		_, key := value(row)
		group, _ := slices.BinarySearch(order, key)
		groups = append(groups, group)
	}
	return groups, names, nil
}

// maxClients bounds the clients that a column makes.
const maxClients = 100_000

// deal deals the training rows to the clients.
func (f *federation) deal(ctx context.Context, part partition.Spec, column *data.Column, train []int) error {
	rows := partition.Rows{Count: f.problem.Train.Count, Classes: f.problem.Outputs}
	for _, label := range f.problem.Train.Labels {
		rows.Labels = append(rows.Labels, int(label))
	}
	var err error
	if column != nil {
		if rows.Groups, f.clients, err = groupsOf(column, train); err != nil {
			return err
		}
	}
	if part.Kind == partition.Difficulty || part.Sorted {
		if rows.Scores, err = f.scores(ctx); err != nil {
			return err
		}
	}
	f.shards, err = part.Split(rows, f.config.Clients, rand.New(rand.NewPCG(f.config.Seed, federatePartitionStream)))
	return err
}

// expertWork are the steps by which the model that says what is difficult is
// trained, centrally.
var expertWork = federated.Local{LearningRate: 0.05, Momentum: 0.9}

// scores are the losses of the training rows under an expert.
func (f *federation) scores(ctx context.Context) ([]float64, error) {
	expert, err := f.expert(ctx)
	if err != nil {
		return nil, err
	}
	losses := make([]float64, f.problem.Train.Count)
	return losses, f.objective.Evaluate(expert, sequence(len(losses)), losses, nil)
}

func sequence(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// finish completes what depends on the number of clients.
func (f *federation) finish() error {
	c := f.config
	c.Clients = len(f.shards)
	var err error
	if f.times, err = federated.ParseTimes(c.Times, c.Clients, c.Seed); err != nil {
		return usageError{fmt.Errorf("--times: %w", err)}
	}
	if c.Horizon < 0 { // a number of works of the slowest client
		slowest := 0.0
		for i := range c.Clients {
			slowest = max(slowest, f.times.Mean(i))
		}
		c.Horizon *= -slowest
	}
	f.shares = make([]float64, c.Clients)
	for i, shard := range f.shards {
		f.shares[i] = 1 / float64(c.Clients)
		if c.Importance == importanceExamples {
			f.shares[i] = float64(len(shard)) / float64(f.problem.Train.Count)
		}
	}
	return nil
}

// executor carries out the clients' works of a strategy, in this process or on a
// fleet.
func (f *federation) executor(ctx context.Context, strategy string) (federated.Executor, error) {
	if f.fleet != nil {
		return f.fleet.executor(ctx, strategy)
	}
	var workers []federated.Client
	for range f.workers {
		sampler, err := f.sampler(ctx)
		if err != nil {
			return nil, err
		}
		trainer, err := federated.NewTrainer(f.objective.Clone(), f.shards, sampler)
		if err != nil {
			return nil, err
		}
		workers = append(workers, trainer)
	}
	return federated.NewPool(workers...)
}

// engine makes the server of one strategy.
func (f *federation) engine(ctx context.Context, strategy string) (*federated.Engine, error) {
	s, err := federated.ParseStrategy(strategy)
	if err != nil {
		return nil, err
	}
	executor, err := f.executor(ctx, strategy)
	if err != nil {
		return nil, err
	}
	c := federated.Config{Clients: f.config.Clients, Importance: f.shares, Local: f.config.Local, ServerRate: f.config.ServerRate,
		Seed: f.config.Seed, Executor: executor, Lookahead: 2 * f.workers}
	if err := s.Configure(ctx, &c, f.times, f.config.Horizon); err != nil {
		return nil, err
	}
	if err := f.order(ctx, &c, s); err != nil {
		return nil, err
	}
	return federated.NewEngine(c, f.objective.Initial())
}

// heldOut measures parameters on the examples that no client has.
type heldOut struct {
	objective        *federated.Network // over validation rows, then test rows
	validation, test []int              // rows; the validation may be a part
	variance         map[bool]float64   // of the targets of the test part (true) and the validation part; nil for classes
	losses           []float64
	wrong            []bool
}

// curveRows bounds the validation rows that curves are measured on.
const curveRows = 2000

// newHeldOut makes the measure with the network of the training part.
func newHeldOut(c federated.NetworkConfig, p *driver.Problem) (*heldOut, error) {
	c.Features = slices.Concat(p.Validation.Features, p.Test.Features)
	if c.Labels != nil {
		c.Labels = slices.Concat(p.Validation.Labels, p.Test.Labels)
	} else {
		c.Targets = slices.Concat(p.Validation.Targets, p.Test.Targets)
	}
	objective, err := federated.NewNetwork(c)
	if err != nil {
		return nil, err
	}
	all := sequence(p.Validation.Count + p.Test.Count)
	h := &heldOut{objective: objective, test: all[p.Validation.Count:]}
	h.validation = data.EpochOrder(p.Validation.Count, 0, 0)
	h.validation = h.validation[:min(len(h.validation), curveRows)]
	if c.Targets != nil {
		h.variance = map[bool]float64{true: varianceOf(c.Targets, h.test), false: varianceOf(c.Targets, h.validation)}
	}
	return h, nil
}

func varianceOf(values []float32, rows []int) float64 {
	mean, square := 0.0, 0.0
	for _, row := range rows {
		mean += float64(values[row]) / float64(len(rows))
	}
	for _, row := range rows {
		square += (float64(values[row]) - mean) * (float64(values[row]) - mean) / float64(len(rows))
	}
	return square
}

// measure is the mean loss and the score: accuracy or R².
func (h *heldOut) measure(parameters []float64, test bool) (loss, score float64, err error) {
	rows := h.validation
	if test {
		rows = h.test
	}
	h.losses, h.wrong = slices.Grow(h.losses[:0], len(rows))[:len(rows)], slices.Grow(h.wrong[:0], len(rows))[:len(rows)]
	if err := h.objective.Evaluate(parameters, rows, h.losses, h.wrong); err != nil {
		return 0, 0, err
	}
	right := 0
	for i, l := range h.losses {
		loss += l / float64(len(rows))
		if !h.wrong[i] {
			right++
		}
	}
	if h.variance != nil {
		return loss, 1 - loss/h.variance[test], nil
	}
	return loss, float64(right) / float64(len(rows)), nil
}
