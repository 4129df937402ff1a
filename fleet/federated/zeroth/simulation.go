package zeroth

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	blackbox "github.com/descentml/descent/method/zeroth"
)

// Simulation is a server with all its clients in this process.
type Simulation struct {
	// Workers is the most clients that work at the same time. It changes no
	// result. Default 1.
	Workers int

	server  *Server
	clients []*Client
}

// NewSimulation makes a server and a client for each black box.
func NewSimulation(p Plan, boxes []blackbox.Function, start []float64) (*Simulation, error) {
	if len(boxes) != p.Clients {
		return nil, fmt.Errorf("%d black boxes for %d clients: expected one for each", len(boxes), p.Clients)
	}
	server, err := NewServer(p, start)
	if err != nil {
		return nil, err
	}
	s := &Simulation{server: server}
	var features *blackbox.Features
	for i, f := range boxes {
		c, err := newClient(p, i, f, features)
		if err != nil {
			return nil, err
		}
		features = c.features
		s.clients = append(s.clients, c)
	}
	return s, nil
}

// Client is client i.
func (s *Simulation) Client(i int) *Client { return s.clients[i] }

// Server is the server.
func (s *Simulation) Server() *Server { return s.server }

// Ask implements Asker.
func (s *Simulation) Ask(ctx context.Context, t *Task) ([]*Reply, error) {
	replies := make([]*Reply, len(s.clients))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, s.Workers))
	for i, c := range s.clients {
		group.Go(func() (err error) {
			if err = ctx.Err(); err == nil {
				replies[i], err = c.Handle(ctx, t)
			}
			if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
				return fmt.Errorf("client %d, round %d: %w", i, t.Round, err)
			}
			return err
		})
	}
	return replies, group.Wait()
}

// Run carries out rounds: see [Server.Run].
func (s *Simulation) Run(ctx context.Context, rounds int, observe func(Observation) error) error {
	return s.server.Run(ctx, s, rounds, observe)
}

// State is a whole simulation between two rounds.
type State struct {
	Plan    Plan
	Server  ServerState
	Clients []ClientState
}

// Snapshot is the state as bytes.
func (s *Simulation) Snapshot() ([]byte, error) {
	state := State{Plan: s.server.plan, Server: s.server.State()}
	for _, c := range s.clients {
		state.Clients = append(state.Clients, c.State())
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(state); err != nil {
		return nil, fmt.Errorf("the state of round %d: %w", state.Server.Round, err)
	}
	return b.Bytes(), nil
}

// Restore continues from a snapshot of a simulation of the same plan, to the
// same bits. After an error the simulation is of no use.
func (s *Simulation) Restore(snapshot []byte) error {
	var state State
	if err := gob.NewDecoder(bytes.NewReader(snapshot)).Decode(&state); err != nil {
		return fmt.Errorf("the snapshot cannot be read: %w", err)
	}
	if got, want := fmt.Sprintf("%+v", state.Plan), fmt.Sprintf("%+v", s.server.plan); got != want {
		return fmt.Errorf("a snapshot of the plan %s: expected %s", got, want)
	}
	if len(state.Clients) != len(s.clients) {
		return fmt.Errorf("a snapshot of %d clients: expected %d", len(state.Clients), len(s.clients))
	}
	if err := s.server.Restore(state.Server); err != nil {
		return err
	}
	for i, c := range s.clients {
		if err := c.Restore(state.Clients[i]); err != nil {
			return err
		}
	}
	return nil
}
