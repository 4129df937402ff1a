package zeroth

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// Asker sends a task to all clients and returns their replies by the clients'
// numbers. It fails if one of them does.
type Asker interface {
	Ask(ctx context.Context, t *Task) ([]*Reply, error)
}

// Totals are what a training has cost.
type Totals struct {
	Queries   int64 `json:"queries"`    // of all clients' black boxes
	Messages  int64 `json:"messages"`   // tasks and replies
	BytesUp   int64 `json:"bytes_up"`   // of replies, in their binary form
	BytesDown int64 `json:"bytes_down"` // of tasks
}

// ServerState is where a training stands.
type ServerState struct {
	Round  int       // rounds done
	X      []float64 // the present point
	Shared []float64 // mean of what clients shared last; nil if nothing
	Totals Totals
}

// Observation is what a round did.
type Observation struct {
	Round  int
	X      []float64 // after it; valid until the next round
	Before float64   // mean of the clients' values at its first point
	// After is the mean at X where it is known without further queries: for
	// FZooS, SCAFFOLD type I and with the safeguard. NaN otherwise.
	After    float64
	Reverted bool // by the safeguard: X is the round's first point
	Totals   Totals
}

// Server averages what clients find. It is not safe for concurrent use.
type Server struct {
	plan  Plan
	state ServerState
}

// NewServer makes a server that starts at a point of the unit cube.
func NewServer(p Plan, start []float64) (*Server, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	s := &Server{plan: p}
	return s, s.Restore(ServerState{X: start})
}

// State is where the training stands. Its slices are the server's own.
func (s *Server) State() ServerState { return s.state }

// Restore continues from a state.
func (s *Server) Restore(state ServerState) error {
	switch {
	case len(state.X) != s.plan.Dim || !finite(state.X) || floats.Min(state.X) < 0 || floats.Max(state.X) > 1:
		return fmt.Errorf("a first point of %d numbers: expected %d from 0 to 1", len(state.X), s.plan.Dim)
	case len(state.Shared) != 0 && len(state.Shared) != s.plan.sharedLen() || state.Round < 0:
		return fmt.Errorf("a state of round %d with %d shared numbers: expected %d", state.Round, len(state.Shared), s.plan.sharedLen())
	}
	state.X, state.Shared = slices.Clone(state.X), slices.Clone(state.Shared)
	s.state = state
	return nil
}

// ask is one exchange, checked and counted.
func (s *Server) ask(ctx context.Context, clients Asker, t *Task, totals *Totals) ([]*Reply, error) {
	if len(t.Shared) > 0 {
		t.Features = s.plan.spec()
	}
	replies, err := clients.Ask(ctx, t)
	if err != nil {
		return nil, err
	}
	if len(replies) != s.plan.Clients {
		return nil, fmt.Errorf("%d replies: expected %d: %w", len(replies), s.plan.Clients, ErrMessage)
	}
	for i, r := range replies {
		if r == nil {
			return nil, fmt.Errorf("no reply of client %d: %w", i, ErrMessage)
		}
		if err := r.check(t, i, &s.plan); err != nil {
			return nil, err
		}
		totals.Queries += r.Queries
		totals.BytesUp += r.Bytes()
	}
	totals.BytesDown += int64(len(replies)) * t.Bytes()
	totals.Messages += 2 * int64(len(replies))
	return replies, nil
}

// Round carries out the next round. If it fails, the server's state is as it was
// before.
func (s *Server) Round(ctx context.Context, clients Asker) (Observation, error) {
	round, totals := s.state.Round+1, s.state.Totals
	replies, err := s.ask(ctx, clients, &Task{Phase: Local, Round: round, X: s.state.X, Shared: s.state.Shared}, &totals)
	if err != nil {
		return Observation{}, err
	}
	o := Observation{Round: round, Before: meanValue(replies), After: math.NaN()}
	o.X = s.average(replies)
	shared := s.state.Shared
	if s.plan.Strategy == Scaffold2 {
		shared = meanShared(replies)
	}
	if s.plan.Safeguard {
		if err := s.guard(ctx, clients, round, &o, &totals); err != nil {
			return Observation{}, err
		}
	}
	if s.plan.sharesAtEnd() {
		if replies, err = s.ask(ctx, clients, &Task{Phase: Share, Round: round, X: o.X}, &totals); err != nil {
			return Observation{}, err
		}
		shared, o.After = meanShared(replies), meanValue(replies)
	}
	o.Totals = totals
	s.state = ServerState{Round: round, X: o.X, Shared: shared, Totals: totals}
	return o, nil
}

// Run carries out rounds until so many are done, and tells observe of each,
// whose error ends it. observe may be nil.
func (s *Server) Run(ctx context.Context, clients Asker, rounds int, observe func(Observation) error) error {
	for s.state.Round < rounds {
		o, err := s.Round(ctx, clients)
		if err != nil {
			return err
		}
		if observe == nil {
			continue
		}
		if err := observe(o); err != nil {
			return err
		}
	}
	return nil
}

// average is x - eta mean(x - z_i), in the unit cube.
func (s *Server) average(replies []*Reply) []float64 {
	x := slices.Clone(s.state.X)
	for _, r := range replies {
		for j, z := range r.X {
			x[j] -= s.plan.ServerRate / float64(len(replies)) * (s.state.X[j] - z)
		}
	}
	clip(x)
	return x
}

// guard takes the round back if it does not lower the mean.
func (s *Server) guard(ctx context.Context, clients Asker, round int, o *Observation, totals *Totals) error {
	replies, err := s.ask(ctx, clients, &Task{Phase: Value, Round: round, X: o.X}, totals)
	if err != nil {
		return err
	}
	if o.After = meanValue(replies); o.After >= o.Before {
		o.X, o.After, o.Reverted = slices.Clone(s.state.X), o.Before, true
	}
	return nil
}

// Value asks the clients for the mean at the present point, at one query each.
func (s *Server) Value(ctx context.Context, clients Asker) (float64, error) {
	replies, err := s.ask(ctx, clients, &Task{Phase: Value, Round: max(1, s.state.Round), X: s.state.X}, &s.state.Totals)
	if err != nil {
		return 0, err
	}
	return meanValue(replies), nil
}

func meanValue(replies []*Reply) float64 {
	sum := 0.0
	for _, r := range replies {
		sum += r.Value
	}
	return sum / float64(len(replies))
}

func meanShared(replies []*Reply) []float64 {
	mean := make([]float64, len(replies[0].Shared))
	for _, r := range replies {
		floats.AddScaled(mean, 1/float64(len(replies)), r.Shared)
	}
	return mean
}
