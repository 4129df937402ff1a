package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/gomlx/compute"
	"gonum.org/v1/gonum/floats"

	"github.com/descentml/descent/fleet/coded"
	"github.com/descentml/descent/fleet/coding"
	"github.com/descentml/descent/fleet/federated"
	"github.com/descentml/descent/lab/driver"
	"github.com/descentml/descent/lab/experiment"
	"github.com/descentml/descent/model"
)

// codedProblem is the data of a coded training, its models and its chunks. It
// follows from the setup alone, the same on all workers.
type codedProblem struct {
	loaded   *experiment.Loaded
	networks []*federated.Network // by model
	bounds   []int                // of the chunks, in rows of the training part
	held     []*heldOut           // by model; nil on workers
	backend  compute.Backend
}

// load reads the data of a setup; file, if it is not "", in place of what the
// setup names.
func (s *codedSetup) load(ctx context.Context, file string) (*experiment.Loaded, error) {
	config := experiment.Default()
	config.Data, config.Model, config.DType, config.Seed, config.Methods = s.Data, s.Models[0], s.DType, s.Seed, []string{"sgd"}
	if file != "" {
		config.Data.Source = file
	}
	loaded, err := experiment.Load(ctx, &config)
	if err != nil {
		return nil, err
	}
	if loaded.Problem.Train.Sparse != nil {
		return nil, fmt.Errorf("%s is sparse: expected rows of features with a value each", config.Data.Source)
	}
	return loaded, nil
}

// problem makes the networks; measured ones have held-out examples too, and
// initial weights of each model's own seed.
func (s *codedSetup) problem(ctx context.Context, file, backendName string, measured bool) (*codedProblem, error) {
	loaded, err := s.load(ctx, file)
	if err != nil {
		return nil, err
	}
	backend, err := newBackend(backendName)
	if err != nil {
		return nil, err
	}
	spec, err := coding.ParseSpec(s.Scheme)
	if err != nil {
		return nil, err
	}
	scheme, err := coding.New(spec, s.Workers, 1)
	if err != nil {
		return nil, err
	}
	p := &codedProblem{loaded: loaded, backend: backend, bounds: scheme.Placement().Bounds(loaded.Problem.Train.Count)}
	known := map[string]*federated.Network{}
	for i, name := range s.Models {
		if n := known[name]; n != nil && !measured {
			p.networks = append(p.networks, n)
			continue
		}
		config, err := s.network(backend, p, name, s.Seed+uint64(i))
		if err != nil {
			return nil, err
		}
		network, err := federated.NewNetwork(config)
		if err != nil {
			return nil, err
		}
		known[name] = network
		p.networks = append(p.networks, network)
		if measured {
			held, err := newHeldOut(config, loaded.Problem)
			if err != nil {
				return nil, err
			}
			p.held = append(p.held, held)
		}
	}
	return p, nil
}

// rowsAtOnce bounds the rows of one computation.
const rowsAtOnce = 256

func (s *codedSetup) network(backend compute.Backend, p *codedProblem, name string, seed uint64) (federated.NetworkConfig, error) {
	problem := p.loaded.Problem
	network, err := model.New(name, model.Input{Width: problem.Width, Image: p.loaded.Encoder.Image()})
	if err != nil {
		return federated.NetworkConfig{}, err
	}
	largest := 1
	for i := range len(p.bounds) - 1 {
		largest = max(largest, p.bounds[i+1]-p.bounds[i])
	}
	dtype, err := driver.ParseDType(s.DType)
	return federated.NetworkConfig{
		Backend: backend, Network: network, DType: dtype, Seed: seed, Width: problem.Width, Outputs: problem.Outputs,
		Features: problem.Train.Features, Labels: problem.Train.Labels, Targets: problem.Train.Targets, Batch: min(largest, rowsAtOnce),
	}, err
}

// Gradient implements [coded.Gradients].
func (p *codedProblem) Gradient(_ context.Context, modelNumber, chunk int, parameters, dst []float64) error {
	if modelNumber < 0 || modelNumber >= len(p.networks) || chunk < 0 || chunk+1 >= len(p.bounds) {
		return fmt.Errorf("model %d, chunk %d: expected below %d and %d", modelNumber, chunk, len(p.networks), len(p.bounds)-1)
	}
	first, last := p.bounds[chunk], p.bounds[chunk+1]
	if first == last {
		clear(dst)
		return nil
	}
	rows := make([]int, last-first)
	for i := range rows {
		rows[i] = first + i
	}
	if _, err := p.networks[modelNumber].Gradient(parameters, dst, rows); err != nil {
		return err
	}
	floats.Scale(float64(len(rows))/float64(p.loaded.Problem.Train.Count), dst)
	return nil
}

// newCodedGradients makes what a worker computes gradients with.
func newCodedGradients(ctx context.Context, text json.RawMessage, file, backendName string) (coded.Gradients, error) {
	var s codedSetup
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("reading the setup of a job: %w", err)
	}
	if len(s.Models) == 0 {
		return nil, fmt.Errorf("a job without models")
	}
	return s.problem(ctx, file, backendName, false)
}

// newFederatedClient makes what a worker carries out local works with.
func newFederatedClient(ctx context.Context, text json.RawMessage, file, backendName string) (federated.Client, error) {
	var s federateSetup
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("reading the setup of a job: %w", err)
	}
	backend, err := newBackend(backendName)
	if err != nil {
		return nil, err
	}
	if s.Partition == partitionWorkers {
		return s.ownClient(ctx, backend, file)
	}
	c := s.federateConfig
	if file != "" {
		c.Data.Source = file
	}
	f, err := newFederation(ctx, backend, &c, 1)
	if err != nil {
		return nil, err
	}
	sampler, err := f.sampler(ctx)
	if err != nil {
		return nil, err
	}
	return federated.NewTrainer(f.objective.Clone(), f.shards, sampler)
}

// describeModels says what is trained in a few words.
func (c *codedConfig) describeModels() string {
	var words []string
	seen := map[string]int{}
	for _, name := range c.Models {
		if seen[name]++; seen[name] == 1 {
			words = append(words, name)
		}
	}
	for i, name := range words {
		if seen[name] > 1 {
			words[i] = fmt.Sprintf("%d x %s", seen[name], name)
		}
	}
	return strings.Join(words, ", ")
}
