package sequentialgradientcoding

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"

	"github.com/descentml/descent/fleet/coding"
	"github.com/descentml/descent/fleet/coding/straggler"
	"github.com/descentml/descent/study"
)

// Names of values of the cells of patterns.
const (
	patternCount = "patterns"
	failedJobs   = "jobs not decoded exactly and in time"
	refusedOnes  = "allowed rounds refused"
	countsRight  = "counts of patterns as known"
	reported     = "patterns beyond the tolerance that are reported"
	refusedThen  = "patterns beyond the tolerance that are refused"
	aroundLate   = "late answers decoded around"
)

// tally adds up outcomes.
func tally(values map[string]float64, o outcome) {
	values[patternCount]++
	values[failedJobs] += float64(o.failed)
	values[refusedOnes] += float64(o.refused)
}

// exhaustive plays every bursty pattern of small numbers.
func (e experiment) exhaustive(ctx context.Context) (study.Measured, error) {
	m := newMeasured()
	m.Values[countsRight] = 1
	for _, c := range []struct{ n, b, w, lambda, rounds, known int }{{3, 1, 2, 1, 6, 217}, {3, 1, 2, 2, 5, 1015}, {3, 2, 3, 1, 7, 292}} {
		s := spec("m-sgc:B=%d,W=%d,lambda=%d", c.b, c.w, c.lambda)
		var failed error
		count := straggler.Enumerate(straggler.Bursty{B: c.b, W: c.w, Lambda: c.lambda}, c.n, c.rounds, func(p straggler.Pattern) {
			if failed = errors.Join(failed, ctx.Err()); failed != nil {
				return
			}
			var o outcome
			o, failed = e.play(s, c.n, p)
			tally(m.Values, o)
		})
		if failed != nil {
			return m, failed
		}
		if count != c.known {
			m.Values[countsRight] = 0
		}
	}
	return m, nil
}

// beyond plays patterns that break each rule of the bursts once.
func (e experiment) beyond(context.Context) (study.Measured, error) {
	m := newMeasured()
	s := spec("m-sgc:B=2,W=3,lambda=2")
	for _, late := range []map[int][]int{{4: {0}, 5: {0}, 6: {0}}, {4: {0}, 5: {1}, 6: {2}}, {5: {0, 1, 2}}} {
		pattern := make(straggler.Pattern, 12)
		for r := range pattern {
			pattern[r] = coding.NewSet(5, late[r+1]...)
		}
		o, err := e.play(s, 5, pattern)
		if err != nil {
			return m, err
		}
		m.Values[patternCount]++
		m.Values[reported] += bit(o.undecodable)
		m.Values[refusedThen] += bit(o.refused > 0)
	}
	return m, nil
}

// tuple is (n, B, W, lambda).
type tuple struct{ n, b, w, lambda int }

var (
	multiplexedTuples = []tuple{{4, 1, 2, 2}, {5, 2, 3, 2}, {4, 2, 4, 4}, {6, 2, 3, 5}, {5, 3, 4, 3}, {4, 1, 2, 4}}
	repeatingTuples   = []tuple{{6, 1, 2, 3}, {6, 2, 3, 4}, {8, 1, 3, 4}, {8, 2, 5, 5}, {6, 1, 4, 4}}
)

// patternRounds is the length of a random pattern.
const patternRounds = 18

// patterns plays maximal random patterns of the models that the schemes tolerate.
func (e experiment) patterns(ctx context.Context, seed uint64, preset study.Preset) (study.Measured, error) {
	m := newMeasured()
	rng := rand.New(rand.NewPCG(seed, 1))
	multiplexed, repeating := 40, 60
	if preset == study.Smoke {
		multiplexed, repeating = 8, 10
	}
	play := func(s coding.Spec, n int, p straggler.Pattern, conforms bool) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		o, err := e.play(s, n, p)
		if !conforms { // decodable, and yet outside of the rule that a master applies
			o.refused = 0
		}
		tally(m.Values, o)
		return err
	}
	for _, t := range multiplexedTuples {
		s := spec("m-sgc:B=%d,W=%d,lambda=%d", t.b, t.w, t.lambda)
		for range multiplexed {
			bursty := straggler.Maximal(straggler.Bursty{B: t.b, W: t.w, Lambda: t.lambda}, t.n, patternRounds, rng)
			arbitrary := straggler.Maximal(straggler.Arbitrary{N: t.b, W: t.w + t.b - 1, Lambda: t.lambda}, t.n, patternRounds, rng)
			if err := errors.Join(play(s, t.n, bursty, true), play(s, t.n, arbitrary, false)); err != nil {
				return m, err
			}
		}
	}
	for _, t := range repeatingTuples {
		s := spec("sr-sgc:B=%d,W=%d,lambda=%d", t.b, t.w, t.lambda)
		for range repeating {
			bursty := straggler.Maximal(straggler.Bursty{B: t.b, W: t.w, Lambda: t.lambda}, t.n, patternRounds, rng)
			perRound := straggler.Exactly(s.Strength(), t.n, patternRounds, rng)
			if err := errors.Join(play(s, t.n, bursty, true), play(s, t.n, perRound, true)); err != nil {
				return m, err
			}
		}
	}
	return m, nil
}

// large plays the paper's schemes on 256 workers that are late at random, where
// rounds that do not conform are waited out.
func (e experiment) large(ctx context.Context, seed uint64) (study.Measured, error) {
	m := newMeasured()
	const jobs = 20
	for k, text := range []string{"gc:s=15", "sr-sgc:B=2,W=3,lambda=23", "m-sgc:B=1,W=2,lambda=27"} {
		scheme, err := e.scheme(spec("%s", text), paperWorkers, jobs)
		if err != nil {
			return m, err
		}
		rng := rand.New(rand.NewPCG(seed, 10+uint64(k)))
		p := newPlayer(scheme)
		for scheme.Round() < scheme.Rounds() {
			if err := ctx.Err(); err != nil {
				return m, err
			}
			err := p.round(func() coding.Set {
				late := coding.NewSet(paperWorkers)
				for i := range paperWorkers {
					if rng.Float64() < 0.04 && scheme.Busy().Has(i) {
						late.Add(i)
					}
				}
				if !scheme.Conforms(late) {
					clear(late)
				}
				m.Values[aroundLate] += float64(late.Count())
				return late
			})
			if undecodable := (*coding.UndecodableError)(nil); errors.As(err, &undecodable) {
				break
			} else if err != nil {
				return m, err
			}
		}
		m.Values[failedJobs] += float64(p.failures())
	}
	return m, nil
}

// Names of values of the cell of codes.
const (
	residualSmall  = "largest residual, 6 workers of which 2 are late"
	residualMiddle = "largest residual, 10 workers of which 3 are late"
	residualLarge  = "largest residual, 256 workers of which 15 are late"
	sumOff         = "largest relative deviation of a decoded sum, 6 and 10 workers"
	exactWrong     = "sums that are not exact modulo the prime"
	uncovered      = "sets with a lost chunk that are refused, as a share"
	largestWeight  = "largest weight"
)

// codes decodes cyclic codes from sets of received results.
func codes(ctx context.Context, seed uint64, preset study.Preset) (study.Measured, error) {
	m := newMeasured()
	m.Values[exactWrong] = 0
	rng := rand.New(rand.NewPCG(seed, 2))
	for _, c := range []struct {
		n, s, sets int
		residual   string
	}{{6, 2, 0, residualSmall}, {10, 3, 0, residualMiddle}, {256, 15, 20, residualLarge}} {
		code, err := coding.NewCode(coding.Cyclic, c.n, c.s)
		if err != nil {
			return m, err
		}
		check := func(late coding.Set) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return decodeOnce(m.Values, c.residual, code, late, rng)
		}
		if c.sets == 0 {
			err = everySubset(c.n, c.s, check)
			m.Values[uncovered] += refusedShare(code) / 2
		}
		for range c.sets {
			if preset == study.Smoke && c.n > 100 {
				break
			}
			err = errors.Join(err, check(coding.NewSet(c.n, rng.Perm(c.n)[:c.s]...)))
		}
		if err != nil {
			return m, err
		}
	}
	return m, nil
}

// decodeOnce compares the sum decoded without the late workers with the true one.
func decodeOnce(values map[string]float64, residual string, code *coding.Code, late coding.Set, rng *rand.Rand) error {
	n := code.Workers()
	received := coding.NewSet(n)
	gradients := make([]float64, n)
	for i := range n {
		gradients[i] = rng.NormFloat64()
		if !late.Has(i) {
			received.Add(i)
		}
	}
	weights, err := code.Combination(received)
	if err != nil {
		return err
	}
	exact, err := code.ExactCombination(received)
	if err != nil {
		return err
	}
	ones, exactOnes := make([]float64, n), make([]coding.Residue, n)
	sum := 0.0
	for i := range n {
		result := 0.0
		for k, j := range code.Support(i) {
			ones[j] += weights[i] * code.Row(i)[k]
			exactOnes[j] = exactOnes[j].Plus(exact[i].Times(code.ExactRow(i)[k]))
			result += code.Row(i)[k] * gradients[j]
		}
		sum += weights[i] * result
		values[largestWeight] = max(values[largestWeight], math.Abs(weights[i]))
	}
	for j := range n {
		values[residual] = max(values[residual], math.Abs(ones[j]-1))
		values[exactWrong] += bit(exactOnes[j] != 1)
	}
	if residual != residualLarge {
		values[sumOff] = max(values[sumOff], math.Abs(sum-floats.Sum(gradients))/floats.Norm(gradients, 2))
	}
	return nil
}

// everySubset visits all sets of k of n workers.
func everySubset(n, k int, visit func(coding.Set) error) error {
	var extend func(first int, members []int) error
	extend = func(first int, members []int) error {
		if len(members) == k {
			return visit(coding.NewSet(n, members...))
		}
		var err error
		for i := first; i < n; i++ {
			err = errors.Join(err, extend(i+1, append(members[:len(members):len(members)], i)))
		}
		return err
	}
	return extend(0, nil)
}

// refusedShare is the share of the sets of s+1 neighbours without which decoding
// is refused, with a residual of 1 at the lost chunk.
func refusedShare(code *coding.Code) float64 {
	n, refused := code.Workers(), 0
	for first := range n {
		received := coding.NewSet(n)
		for i := range n {
			if (i-first+n)%n > code.Late() {
				received.Add(i)
			}
		}
		var incomplete *coding.IncompleteError
		_, err := code.Combination(received)
		_, exact := code.ExactCombination(received)
		if errors.As(err, &incomplete) && incomplete.Residual >= 1-1e-9 && errors.As(exact, &incomplete) {
			refused++
		}
	}
	return float64(refused) / float64(n)
}
