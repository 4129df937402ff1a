package curriculum

import (
	"bytes"
	"context"
	"encoding"
	"encoding/gob"
	"errors"
	"fmt"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/descentml/descent/fleet/federated"
)

// SelectionConfig is what a [Selection] works with.
type SelectionConfig struct {
	Plan    Clients
	Clients int // in all
	Group   int // clients an aggregation
	// Budget is the number of client updates, over which the pacing runs. With
	// Endless it can go on beyond, with all clients in the pool.
	Budget  int
	Endless bool
	Seed    uint64
	Times   federated.Times // of the clients' works
	// Objective and Shards, the rows of each client, are for the scores; an
	// order without scores does not need them.
	Objective federated.Objective
	Shards    [][]int
	Expert    []float64 // parameters, for the score of an expert
}

// Selection is the client curriculum as the schedule of a
// [federated.Engine]: at the beginning of every pass it scores all clients by
// the mean over their samples with the present parameters, and the pass goes
// over the easiest ones (or the hardest, or some), see [Pool]. In a deployment a
// client would report that one number; here it is computed in place.
//
// Where it is in a pass belongs to the engine's snapshot.
type Selection struct {
	config SelectionConfig
	rounds federated.Synchronous
	pool   *Pool
	scorer *scorer
	passes int
}

// NewSelection makes the schedule.
func NewSelection(config SelectionConfig) (*Selection, error) {
	plan, err := config.Plan.complete()
	if err != nil {
		return nil, err
	}
	config.Plan = plan
	s := &Selection{config: config}
	switch {
	case config.Times == nil:
		return nil, errors.New("the client curriculum without times: expected those of the clients' works")
	case plan.Order.Scored() && (config.Objective == nil || len(config.Shards) != config.Clients):
		return nil, fmt.Errorf("the client curriculum %q with %d shards: expected an objective and one shard for each of %d clients", plan, len(config.Shards), config.Clients)
	}
	if plan.Order.Scored() {
		if s.scorer, err = newScorer(plan.Score, config.Expert); err != nil {
			return nil, fmt.Errorf("the client curriculum: %w", err)
		}
	}
	if s.pool, err = NewPool(config.Clients, config.Group, config.Budget, plan.Order, plan.Pacing); err != nil {
		return nil, err
	}
	s.pool.endless = config.Endless
	s.rounds = federated.Synchronous{Times: config.Times, Select: s.choose}
	return s, nil
}

// More reports whether updates are left in the budget. An engine must not be
// asked for a step when there are none.
func (s *Selection) More() bool { return s.pool.More() }

// InUse is the number of clients in the present pass.
func (s *Selection) InUse() int { return len(s.pool.pass) }

// Duration implements [federated.Schedule].
func (s *Selection) Duration(client, work int) int64 { return s.rounds.Duration(client, work) }

// Next implements [federated.Schedule].
func (s *Selection) Next(ctx context.Context, state *federated.State) (federated.Event, error) {
	return s.rounds.Next(ctx, state)
}

func (s *Selection) choose(ctx context.Context, state *federated.State) ([]int, error) {
	if !s.pool.More() {
		return nil, fmt.Errorf("the budget of %d client updates is used up", s.config.Budget)
	}
	if s.pool.Between() {
		if err := s.begin(ctx, state); err != nil {
			return nil, err
		}
	}
	return slices.Clone(s.pool.Next()), nil
}

// begin scores the clients and starts a pass.
func (s *Selection) begin(ctx context.Context, state *federated.State) error {
	var means []float64
	if s.scorer != nil {
		for client := range s.config.Clients {
			if err := ctx.Err(); err != nil {
				return err
			}
			scores, err := s.scorer.of(s.config.Objective, s.config.Shards[client], state.Parameters, nil)
			if err != nil {
				return fmt.Errorf("scoring client %d: %w", client, err)
			}
			means = append(means, stat.Mean(scores, nil)) // NaN of a client without samples: the hardest
		}
	}
	task := federated.Task{Seed: s.config.Seed, Work: s.passes}
	if _, err := s.pool.Begin(means, task.Random(streamClients)); err != nil {
		return err
	}
	s.passes++
	return nil
}

// position is where a selection stands.
type position struct {
	Done, At, Passes int
	Pass             []int
}

// MarshalBinary encodes where the selection stands.
func (s *Selection) MarshalBinary() ([]byte, error) {
	var buffer bytes.Buffer
	err := gob.NewEncoder(&buffer).Encode(position{s.pool.done, s.pool.at, s.passes, s.pool.pass})
	return buffer.Bytes(), err
}

// UnmarshalBinary moves to where MarshalBinary was called, in a selection of the
// same configuration.
func (s *Selection) UnmarshalBinary(encoded []byte) error {
	var p position
	if err := gob.NewDecoder(bytes.NewReader(encoded)).Decode(&p); err != nil {
		return fmt.Errorf("reading a client curriculum: %w", err)
	}
	strange := func(client int) bool { return client < 0 || client >= s.config.Clients }
	if p.Done < 0 || p.Done > s.config.Budget && !s.config.Endless || p.At < 0 || p.At > len(p.Pass) || len(p.Pass) > s.config.Clients || p.Passes < 0 || slices.ContainsFunc(p.Pass, strange) {
		return errors.New("reading a client curriculum: it is of other clients or another budget")
	}
	s.pool.done, s.pool.at, s.passes = p.Done, p.At, p.Passes
	s.pool.pass = append(s.pool.pass[:0], p.Pass...)
	return nil
}

var (
	_ federated.Schedule         = (*Selection)(nil)
	_ encoding.BinaryMarshaler   = (*Selection)(nil)
	_ encoding.BinaryUnmarshaler = (*Selection)(nil)
)
