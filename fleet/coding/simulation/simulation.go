// Package simulation runs coding schemes against delays of workers, round by
// round, without computing a gradient: how long would it have taken, and how
// often would everybody have been waited for? The scheme is the code that a real
// fleet runs.
package simulation

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/descentml/descent/fleet/coding"
	"github.com/descentml/descent/fleet/coding/straggler"
)

// Settings are what a simulation depends on besides scheme and delays.
type Settings struct {
	Jobs int // gradients to be computed, at least 1
	// Slope is the time in seconds that a round takes longer for each unit of
	// load, the share of the data that a worker processes. With 0 redundancy costs
	// nothing.
	Slope float64
	// RecordedLoad is the load at which the delays were recorded; 0 for delays to
	// which the work is to be added.
	RecordedLoad float64
	// Tolerance is mu: who takes longer than (1+mu) times the fastest is late.
	// Default 1.
	Tolerance float64
	WaitOut   coding.WaitOut
}

// Result is a simulated run.
type Result struct {
	Scheme coding.Spec
	Load   float64 // share of the data that a worker processes in a round
	Time   float64 // of all rounds, in seconds
	// WaitOuts is the number of rounds that waited for late workers, for all or
	// for some of them.
	WaitOuts int
	// Rounds are the times of the rounds in seconds; Late how many workers missed
	// the deadline of each, Dropped how many answers were done without.
	Rounds        []float64
	Late, Dropped []int
}

// Run simulates a scheme on delays, one row for each of its rounds, Jobs+T, at
// least. Every round takes until the deadline (1+mu) times the fastest worker's
// time, or until all have answered if that is sooner; if the late do not conform,
// until those that are waited for have answered.
func Run(ctx context.Context, s coding.Spec, delays straggler.Delays, set Settings) (*Result, error) {
	return runWithin(ctx, s, delays, set, math.Inf(1))
}

// runWithin is Run, which gives up with nil when the run is sure to take more
// seconds than asked for.
func runWithin(ctx context.Context, s coding.Spec, delays straggler.Delays, set Settings, seconds float64) (*Result, error) {
	if set.Tolerance == 0 {
		set.Tolerance = 1
	}
	if !(set.Tolerance > 0) || !(set.Slope >= 0) || !(set.RecordedLoad >= 0) || math.IsInf(set.Slope, 1) {
		return nil, fmt.Errorf("simulation with tolerance %g, slope %g and recorded load %g: expected a tolerance above 0, the others at least 0", set.Tolerance, set.Slope, set.RecordedLoad)
	}
	workers := delays.Workers()
	scheme, err := coding.New(s, workers, set.Jobs)
	if err != nil {
		return nil, err
	}
	if len(delays) < scheme.Rounds() {
		return nil, fmt.Errorf("scheme %s: %d rounds of delays for %d jobs, expected at least %d", s, len(delays), set.Jobs, scheme.Rounds())
	}
	run := runner{
		settings: set, scheme: scheme, extra: set.Slope * (s.Load(workers) - set.RecordedLoad),
		late: coding.NewSet(workers), order: make([]int, 0, workers),
		result: Result{
			Scheme: s, Load: s.Load(workers), Rounds: make([]float64, 0, scheme.Rounds()),
			Late: make([]int, 0, scheme.Rounds()), Dropped: make([]int, 0, scheme.Rounds()),
		},
	}
	var least []float64
	if !math.IsInf(seconds, 1) {
		least = run.least(delays[:set.Jobs])
	}
	for r := range scheme.Rounds() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if r < len(least) && run.result.Time+least[r] > seconds {
			return nil, nil
		}
		if err := run.round(delays[r]); err != nil {
			return nil, err
		}
	}
	return &run.result, nil
}

type runner struct {
	settings Settings
	scheme   coding.Scheme
	extra    float64 // seconds for the load
	late     coding.Set
	order    []int // late workers in the order in which they finish
	result   Result
}

// least is what each round and those after it take at least, in seconds, if
// everybody has tasks in them.
func (r *runner) least(rounds straggler.Delays) []float64 {
	sums, sum := make([]float64, len(rounds)), 0.0
	for at := len(rounds) - 1; at >= 0; at-- {
		fastest, slowest := math.Inf(1), 0.0
		for _, d := range rounds[at] {
			fastest, slowest = min(fastest, d), max(slowest, d)
		}
		sum += max(0, min((1+r.settings.Tolerance)*(fastest+r.extra), slowest+r.extra))
		sums[at] = sum
	}
	return sums
}

func (r *runner) round(delays []float64) error {
	if err := r.scheme.Begin(); err != nil {
		return err
	}
	busy := r.scheme.Busy()
	fastest, slowest := math.Inf(1), 0.0
	for i, d := range delays {
		if busy.Has(i) {
			fastest, slowest = min(fastest, d+r.extra), max(slowest, d+r.extra)
		}
	}
	took, late := 0.0, 0
	clear(r.late)
	if !busy.Empty() {
		if !(fastest > 0) {
			return fmt.Errorf("round %d takes %g s at load %g: expected delays above what the load at which they were recorded costs", r.scheme.Round()+1, fastest, r.result.Load)
		}
		deadline := (1 + r.settings.Tolerance) * fastest
		for i, d := range delays {
			if busy.Has(i) && d+r.extra > deadline {
				r.late.Add(i)
			}
		}
		late = r.late.Count()
		took = min(deadline, slowest)
		if !r.scheme.Conforms(r.late) {
			r.result.WaitOuts++
			took = r.waitOut(delays, slowest)
		}
	}
	r.result.Time += took
	r.result.Rounds = append(r.result.Rounds, took)
	r.result.Late = append(r.result.Late, late)
	r.result.Dropped = append(r.result.Dropped, r.late.Count())
	_, err := r.scheme.End(r.late)
	return err
}

// waitOut takes late workers out of the late set until it conforms and returns
// when that is.
func (r *runner) waitOut(delays []float64, slowest float64) float64 {
	if r.settings.WaitOut == coding.All {
		clear(r.late)
		return slowest
	}
	r.order = r.order[:0]
	for i := range delays {
		if r.late.Has(i) {
			r.order = append(r.order, i)
		}
	}
	slices.SortFunc(r.order, func(a, b int) int { return cmp.Compare(delays[a], delays[b]) })
	for _, i := range r.order {
		r.late.Remove(i)
		if r.scheme.Conforms(r.late) {
			return delays[i] + r.extra
		}
	}
	return slowest // everybody: an empty set conforms
}
