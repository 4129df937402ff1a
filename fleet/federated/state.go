package federated

import (
	"bytes"
	"encoding"
	"encoding/gob"
	"errors"
	"fmt"
	"slices"
)

// Position is where a schedule stands.
type Position struct {
	Tick int64 // time of the last aggregation; 0 before the first
	// Due is when each client's present work is over, in ticks, and Works the
	// number of its works that have been aggregated.
	Due   []int64
	Works []int
}

// set copies a position.
func (p *Position) set(from *Position) {
	p.Tick = from.Tick
	p.Due, p.Works = append(p.Due[:0], from.Due...), append(p.Works[:0], from.Works...)
}

// State is where a training stands between two aggregations.
type State struct {
	Position
	Round      int       // number n of aggregations so far
	Time       float64   // simulated time of the last one
	Parameters []float64 // θ^n [P]
	// Sent is the round whose parameters each client works on, if its work is
	// not fresh.
	Sent []int
	// Own are the clients' own parameters at the end of their last work; nil
	// where they are not remembered or there was no work.
	Own [][]float64

	// Contributions counts the aggregated works and Steps their local steps.
	Contributions, Steps int64
	// Staleness is the sum over contributions of the aggregations between the
	// parameters that they were computed from and those that they were added
	// to, MaxStaleness the most.
	Staleness    int64
	MaxStaleness int

	// Models are the parameters that clients still work on, by their round.
	Models map[int]*Model
	spare  []*Model
}

// Model is one version of the parameters with the number of clients that work
// on it.
type Model struct {
	Parameters []float64
	Clients    int
}

func newState(clients int, initial []float64) State {
	return State{
		Position:   Position{Due: make([]int64, clients), Works: make([]int, clients)},
		Parameters: slices.Clone(initial), Sent: make([]int, clients),
		Models: map[int]*Model{0: {slices.Clone(initial), clients}},
	}
}

// model returns the parameters of a round that some client works on.
func (s *State) model(round int) []float64 { return s.Models[round].Parameters }

// base returns what a client's present work begins with.
func (s *State) base(client int, fresh bool) []float64 {
	if fresh {
		return s.Parameters
	}
	return s.model(s.Sent[client])
}

// remember keeps a client's own parameters before the present ones change.
func (s *State) remember(r *Result, fresh bool) {
	if s.Own == nil {
		s.Own = make([][]float64, len(s.Works))
	}
	own := append(s.Own[r.Client][:0], s.base(r.Client, fresh)...)
	for i, d := range r.Difference {
		own[i] += d
	}
	s.Own[r.Client] = own
}

// send gives the clients of an event the present parameters. Fresh clients take
// them when they begin.
func (s *State) send(event *Event) {
	if event.Fresh || len(event.Clients) == 0 {
		return
	}
	for _, client := range event.Clients {
		old := s.Sent[client]
		if m := s.Models[old]; m.Clients == 1 {
			delete(s.Models, old)
			s.spare = append(s.spare, m)
		} else {
			m.Clients--
		}
		s.Sent[client] = s.Round
	}
	m := &Model{}
	if last := len(s.spare) - 1; last >= 0 {
		m, s.spare = s.spare[last], s.spare[:last]
	}
	m.Parameters, m.Clients = append(m.Parameters[:0], s.Parameters...), len(event.Clients)
	s.Models[s.Round] = m
}

// snapshot is what a [Engine.Snapshot] holds.
type snapshot struct {
	State          State
	Pending        *Event
	Rule, Schedule []byte // of those with a memory
}

// Snapshot encodes the whole state between two steps: an engine of the same
// configuration goes on from it to the same bits. Works that were carried out
// ahead are not in it; they are carried out again.
func (e *Engine) Snapshot() ([]byte, error) {
	image := snapshot{State: e.state, Pending: e.pending}
	var err error
	if image.Rule, err = marshal(e.config.Rule); err != nil {
		return nil, err
	}
	if image.Schedule, err = marshal(e.config.Schedule); err != nil {
		return nil, err
	}
	var buffer bytes.Buffer
	if err := gob.NewEncoder(&buffer).Encode(image); err != nil {
		return nil, fmt.Errorf("encoding a federated training: %w", err)
	}
	return buffer.Bytes(), nil
}

// marshal encodes what has a memory; nil for what has none.
func marshal(part any) ([]byte, error) {
	m, ok := part.(encoding.BinaryMarshaler)
	if !ok {
		return nil, nil
	}
	return m.MarshalBinary()
}

// Restore moves the engine to a snapshot of one with the same configuration.
// One of other clients or another number of parameters is refused, and leaves
// the engine as it was.
func (e *Engine) Restore(encoded []byte) error {
	var image snapshot
	if err := gob.NewDecoder(bytes.NewReader(encoded)).Decode(&image); err != nil {
		return fmt.Errorf("reading a federated training: %w", err)
	}
	if err := image.State.check(e.config.Clients, len(e.state.Parameters)); err != nil {
		return fmt.Errorf("reading a federated training: %w", err)
	}
	if image.Pending != nil {
		e2 := Engine{config: e.config, state: image.State}
		if err := e2.checkEvent(image.Pending); err != nil {
			return fmt.Errorf("reading a federated training: %w", err)
		}
	}
	for _, part := range []struct {
		of   any
		data []byte
	}{{e.config.Rule, image.Rule}, {e.config.Schedule, image.Schedule}} {
		m, ok := part.of.(encoding.BinaryUnmarshaler)
		switch {
		case ok != (part.data != nil):
			return errors.New("reading a federated training: it is of another rule or schedule")
		case ok:
			if err := m.UnmarshalBinary(part.data); err != nil {
				return fmt.Errorf("reading a federated training: %w", err)
			}
		}
	}
	e.state, e.pending = image.State, image.Pending
	clear(e.ready)
	return nil
}

// check finds what is wrong with a state that was read.
func (s *State) check(clients, parameters int) error {
	if len(s.Due) != clients || len(s.Works) != clients || len(s.Sent) != clients || s.Own != nil && len(s.Own) != clients {
		return fmt.Errorf("it has %d clients: expected %d", len(s.Works), clients)
	}
	if len(s.Parameters) != parameters {
		return fmt.Errorf("it has %d parameters: expected %d", len(s.Parameters), parameters)
	}
	refs := map[int]int{}
	for _, round := range s.Sent {
		refs[round]++
	}
	for round, count := range refs {
		m := s.Models[round]
		if m == nil || len(m.Parameters) != parameters || m.Clients != count {
			return fmt.Errorf("the parameters of round %d are missing or of the wrong size", round)
		}
	}
	for i, own := range s.Own {
		if len(own) != 0 && len(own) != parameters {
			return fmt.Errorf("client %d's own parameters have %d numbers: expected %d", i, len(own), parameters)
		}
	}
	return nil
}
