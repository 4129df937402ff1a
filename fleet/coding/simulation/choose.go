package simulation

import (
	"context"
	"fmt"
	"math"

	"github.com/descentml/descent/fleet/coding"
	"github.com/descentml/descent/fleet/coding/straggler"
)

// Grid bounds the parameters that [Choose] tries; zero values are the defaults.
type Grid struct {
	MostLate int // s of GC from 0 to here, 31 by default
	MostB    int // B from 1 to here, 2 by default
	// MostW is how far W goes: W - B for M-SGC and (W-1)/B for SR-SGC from 1 to
	// here, 2 by default.
	MostW      int
	MostDelay  int // T of a scheme, 3 by default
	MostLambda int // lambda from 1 to here, 39 by default
}

func (g Grid) complete() Grid {
	for field, standard := range map[*int]int{&g.MostLate: 31, &g.MostB: 2, &g.MostW: 2, &g.MostDelay: 3, &g.MostLambda: 39} {
		if *field == 0 {
			*field = standard
		}
	}
	return g
}

// Candidates are the schemes of a kind within the grid that fit the number of
// workers, those of less redundancy first.
func (g Grid) Candidates(kind coding.Kind, base coding.Construction, workers int) []coding.Spec {
	g = g.complete()
	var list []coding.Spec
	add := func(s coding.Spec) {
		s.Kind, s.Base = kind, base
		if s.Delay() <= g.MostDelay && s.Check(workers) == nil {
			list = append(list, s)
		}
	}
	switch kind {
	case coding.Uncoded, coding.Ignore:
		add(coding.Spec{})
	case coding.GC:
		for s := range g.MostLate + 1 {
			add(coding.Spec{S: s})
		}
	default:
		for b := 1; b <= g.MostB; b++ {
			for w := 1; w <= g.MostW; w++ {
				width := b + w
				if kind == coding.SRSGC {
					width = w*b + 1
				}
				for lambda := 1; lambda <= g.MostLambda; lambda++ {
					add(coding.Spec{B: b, W: width, Lambda: lambda})
				}
			}
		}
	}
	return list
}

// Choose replays every candidate of the grid on the delays of probe rounds and
// returns the fastest, with its run on them. Every candidate computes the same
// number of jobs: what the longest delay leaves of the rounds.
func Choose(ctx context.Context, kind coding.Kind, base coding.Construction, probe straggler.Delays, set Settings, g Grid) (*Result, error) {
	g = g.complete()
	candidates := g.Candidates(kind, base, probe.Workers())
	if len(candidates) == 0 {
		return nil, fmt.Errorf("no parameters of scheme %s within the grid fit %d workers", coding.Spec{Kind: kind, Base: base}.Name(), probe.Workers())
	}
	set.Jobs = len(probe) - g.MostDelay
	if set.Jobs < 1 {
		return nil, fmt.Errorf("%d probe rounds: expected more than the longest delay, %d", len(probe), g.MostDelay)
	}
	var best *Result
	for _, s := range candidates {
		most := math.Inf(1)
		if best != nil {
			most = best.Time * (1 + 1e-9) // the bound is rounded
		}
		result, err := runWithin(ctx, s, probe, set, most)
		if err != nil {
			return nil, err
		}
		if best == nil || result != nil && result.Time < best.Time {
			best = result
		}
	}
	return best, nil
}
