package federated

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Schedule says when a server aggregates and whose contributions.
type Schedule interface {
	// Duration is the time that a client needs for one of its works, in ticks,
	// at least 1.
	Duration(client, work int) int64
	// Next is the aggregation after the state's last one.
	Next(ctx context.Context, s *State) (Event, error)
}

// Foreseeable is a [Schedule] whose next event is a function of the position
// alone, so that the engine can look ahead.
type Foreseeable interface {
	Schedule
	Foresee(p *Position) Event
}

// duration asks a schedule for the time of a work.
func duration(s Schedule, client, work int) (int64, error) {
	d := s.Duration(client, work)
	if d < 1 {
		return 0, fmt.Errorf("client %d needs %d ticks for work %d: expected at least 1", client, d, work)
	}
	return d, nil
}

// Selection chooses the clients of a round, in any order, at least one. The
// state has the parameters that they will be sent. Choices that depend on
// anything else than the state make the schedule one with a memory, see [Rule].
type Selection func(ctx context.Context, s *State) ([]int, error)

// Synchronous is the schedule of FedAvg: a round is over when the slowest of
// its clients has returned, and all begin with the round's parameters.
type Synchronous struct {
	Times Times
	// Select chooses the clients of each round; nil is all.
	Select Selection
}

// Duration implements [Schedule].
func (s *Synchronous) Duration(client, work int) int64 { return s.Times.Ticks(client, work) }

// Next implements [Schedule].
func (s *Synchronous) Next(ctx context.Context, state *State) (Event, error) {
	var clients []int
	if s.Select == nil {
		clients = allClients(len(state.Works))
	} else {
		chosen, err := s.Select(ctx, state)
		if err != nil {
			return Event{}, err
		}
		if len(chosen) == 0 {
			return Event{}, fmt.Errorf("no clients are chosen for round %d: expected at least one", state.Round+1)
		}
		clients = slices.Sorted(slices.Values(chosen))
	}
	longest := int64(0)
	for _, client := range clients {
		if client < 0 || client >= len(state.Works) {
			return Event{}, fmt.Errorf("client %d is chosen: expected one from 0 to below %d", client, len(state.Works))
		}
		longest = max(longest, s.Duration(client, state.Works[client]))
	}
	tick := state.Tick + longest
	return Event{Time: float64(tick) / s.Times.PerUnit(), Tick: tick, Clients: clients, Fresh: true}, nil
}

func allClients(count int) []int {
	clients := make([]int, count)
	for i := range clients {
		clients[i] = i
	}
	return clients
}

// Uniform chooses count of the clients at random in every round, without
// replacement.
func Uniform(seed uint64, count int) Selection {
	return func(_ context.Context, s *State) ([]int, error) {
		if count < 1 || count > len(s.Works) {
			return nil, fmt.Errorf("%d of %d clients in each round: expected at least one and at most all", count, len(s.Works))
		}
		t := Task{Seed: seed, Work: s.Round}
		return t.Random(streamSelection).Perm(len(s.Works))[:count], nil
	}
}

// Asynchronous is the schedule of asynchronous FedAvg: every return is an
// aggregation. Of returns at the same time, that of the lowest client is first.
type Asynchronous struct{ Times Times }

// Duration implements [Schedule].
func (a *Asynchronous) Duration(client, work int) int64 { return a.Times.Ticks(client, work) }

// Next implements [Schedule].
func (a *Asynchronous) Next(_ context.Context, s *State) (Event, error) {
	return a.Foresee(&s.Position), nil
}

// Foresee implements [Foreseeable].
func (a *Asynchronous) Foresee(p *Position) Event {
	first := 0
	for i, due := range p.Due {
		if due < p.Due[first] {
			first = i
		}
	}
	tick := max(p.Due[first], p.Tick)
	return Event{Time: float64(tick) / a.Times.PerUnit(), Tick: tick, Clients: []int{first}}
}

// Buffered is the schedule of FedBuff: the server aggregates when Count clients
// have returned.
type Buffered struct {
	Times Times
	Count int // c, from 1 to the number of clients
}

// Duration implements [Schedule].
func (b *Buffered) Duration(client, work int) int64 { return b.Times.Ticks(client, work) }

// Next implements [Schedule].
func (b *Buffered) Next(_ context.Context, s *State) (Event, error) {
	if b.Count < 1 || b.Count > len(s.Works) {
		return Event{}, fmt.Errorf("a buffer of %d contributions of %d clients: expected at least one and at most all", b.Count, len(s.Works))
	}
	return b.Foresee(&s.Position), nil
}

// Foresee implements [Foreseeable].
func (b *Buffered) Foresee(p *Position) Event {
	clients := allClients(len(p.Due))
	slices.SortStableFunc(clients, func(i, j int) int { return compareInt(p.Due[i], p.Due[j]) })
	clients = clients[:b.Count]
	tick := max(p.Due[clients[b.Count-1]], p.Tick)
	slices.Sort(clients)
	return Event{Time: float64(tick) / b.Times.PerUnit(), Tick: tick, Clients: clients}
}

func compareInt(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Interval is the schedule of FedFix: the server aggregates what has returned
// every Delta, which may be nothing. A client that returns early idles until
// then. Its ticks are the intervals: returns are counted in whole numbers, as
// sums of floating-point times would miss some of them.
type Interval struct {
	Times Times
	Delta float64 // Δt, in the unit of the times
}

// Duration implements [Schedule]: ⌈τ/Δt⌉, with τ/Δt taken for a whole number
// where it is one up to rounding.
func (f *Interval) Duration(client, work int) int64 {
	return intervals(float64(f.Times.Ticks(client, work))/f.Times.PerUnit(), f.Delta)
}

// intervals is the number of intervals that a time takes.
func intervals(time, delta float64) int64 { return max(1, int64(math.Ceil(time/delta-1e-9))) }

// Next implements [Schedule].
func (f *Interval) Next(_ context.Context, s *State) (Event, error) {
	if !(f.Delta > 0) || math.IsInf(f.Delta, 0) {
		return Event{}, fmt.Errorf("an interval of %g between aggregations: expected a finite time above 0", f.Delta)
	}
	return f.Foresee(&s.Position), nil
}

// Foresee implements [Foreseeable].
func (f *Interval) Foresee(p *Position) Event {
	event := Event{Tick: p.Tick + 1, Time: float64(p.Tick+1) * f.Delta}
	for i, due := range p.Due {
		if due <= event.Tick {
			event.Clients = append(event.Clients, i)
		}
	}
	return event
}

// Count runs a schedule to a horizon without any training. It returns how
// often each client takes part, and the number of aggregations.
func Count(ctx context.Context, s Foreseeable, clients int, horizon float64) (parts []int, aggregations int, err error) {
	p := Position{Due: make([]int64, clients), Works: make([]int, clients)}
	for i := range clients {
		if p.Due[i], err = duration(s, i, 0); err != nil {
			return nil, 0, err
		}
	}
	for {
		if aggregations%1024 == 0 && ctx.Err() != nil {
			return nil, 0, ctx.Err()
		}
		event := s.Foresee(&p)
		if !(event.Time <= horizon) {
			return p.Works, aggregations, nil
		}
		p.Tick = event.Tick
		aggregations++
		for _, client := range event.Clients {
			p.Works[client]++
			d, err := duration(s, client, p.Works[client])
			if err != nil {
				return nil, 0, err
			}
			p.Due[client] = p.Tick + d
		}
	}
}

var errHorizon = errors.New("the weights of fedbuff follow from the schedule up to a horizon: expected a horizon above 0")
