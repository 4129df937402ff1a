// Package straggler has models of late workers: the patterns that coding schemes
// tolerate, with their enumeration and random draws, and delays, drawn or
// recorded, from which the late workers of a simulation come.
package straggler

import (
	"math/rand/v2"

	"github.com/descentml/descent/fleet/coding"
)

// Pattern says who is late in each of a number of rounds.
type Pattern []coding.Set

// Model is a family of patterns.
type Model interface {
	// Allows reports whether the pattern of a number of workers belongs to the
	// family. A pattern stays allowed when workers are taken out.
	Allows(p Pattern, workers int) bool
}

// PerRound has at most S late workers in every round.
type PerRound struct{ S int }

// Allows is that of [Model].
func (m PerRound) Allows(p Pattern, _ int) bool {
	for _, late := range p {
		if late.Count() > m.S {
			return false
		}
	}
	return true
}

// Bursty has, in every W rounds in a row, at most Lambda late workers, each of
// them within B rounds in a row: the (B, W, lambda) model.
type Bursty struct{ B, W, Lambda int }

// Allows is that of [Model].
func (m Bursty) Allows(p Pattern, workers int) bool {
	return everyWindow(p, workers, m.W, m.Lambda, func(first, last, _ int) bool { return last-first < m.B })
}

// Arbitrary has, in every W rounds in a row, at most Lambda late workers, each of
// them at most N times: the (N, W', lambda') model.
type Arbitrary struct{ N, W, Lambda int }

// Allows is that of [Model].
func (m Arbitrary) Allows(p Pattern, workers int) bool {
	return everyWindow(p, workers, m.W, m.Lambda, func(_, _, count int) bool { return count <= m.N })
}

// everyWindow checks the windows of w rounds: at most lambda late workers, and of
// each what is asked of its first and last round and how often it is late.
func everyWindow(p Pattern, workers, w, lambda int, asked func(first, last, count int) bool) bool {
	for start := 0; start == 0 || start+w <= len(p); start++ {
		window := p[start:min(len(p), start+w)]
		distinct := 0
		for i := range workers {
			first, last, count := -1, -1, 0
			for r, late := range window {
				if late.Has(i) {
					if first < 0 {
						first = r
					}
					last, count = r, count+1
				}
			}
			if count == 0 {
				continue
			}
			if distinct++; distinct > lambda || !asked(first, last, count) {
				return false
			}
		}
	}
	return true
}

// Maximal draws a pattern to which no late worker can be added: workers and
// rounds are offered in random order and taken where the model allows it.
func Maximal(m Model, workers, rounds int, rng *rand.Rand) Pattern {
	p := none(workers, rounds)
	for _, at := range rng.Perm(workers * rounds) {
		r, i := at/workers, at%workers
		p[r].Add(i)
		if !m.Allows(p, workers) {
			p[r].Remove(i)
		}
	}
	return p
}

// Exactly draws a pattern with exactly s late workers in every round.
func Exactly(s, workers, rounds int, rng *rand.Rand) Pattern {
	p := none(workers, rounds)
	for _, late := range p {
		for _, i := range rng.Perm(workers)[:s] {
			late.Add(i)
		}
	}
	return p
}

func none(workers, rounds int) Pattern {
	p := make(Pattern, rounds)
	for r := range p {
		p[r] = coding.NewSet(workers)
	}
	return p
}

// Enumerate visits every pattern of the model, for at most 20 workers, and
// returns how many there are. The pattern is valid during the visit.
func Enumerate(m Model, workers, rounds int, visit func(Pattern)) int {
	if workers < 1 || workers > 20 {
		return 0
	}
	p := make(Pattern, 0, rounds)
	count := 0
	var extend func()
	extend = func() {
		if len(p) == rounds {
			count++
			visit(p)
			return
		}
		for late := range uint64(1) << workers {
			p = append(p, coding.Set{late})
			if m.Allows(p, workers) {
				extend()
			}
			p = p[:len(p)-1]
		}
	}
	extend()
	return count
}
