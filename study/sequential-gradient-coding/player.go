package sequentialgradientcoding

import (
	"errors"

	"github.com/descentml/descent/fleet/coding"
	"github.com/descentml/descent/fleet/coding/straggler"
)

// player plays a scheme round by round as a master and its workers would, with one
// number for each gradient, and decodes every job from what has arrived.
type player struct {
	scheme  coding.Scheme
	arrived map[source]coding.Residue
	decoded map[int]bool
	wrong   int // jobs whose sum came out wrong, or from results that were not there
}

// source is a result.
type source struct{ job, worker, part int }

func newPlayer(s coding.Scheme) *player {
	return &player{scheme: s, arrived: map[source]coding.Residue{}, decoded: map[int]bool{}}
}

// gradientOf is the gradient of a chunk for a job: any number, always the same.
func gradientOf(job, chunk int) coding.Residue {
	x := uint64(job)<<32 + uint64(chunk) + 0x9e3779b97f4a7c15
	for range 2 {
		x ^= x >> 31
		x *= 0xbf58476d1ce4e5b9
	}
	return coding.Residue(x>>4) % coding.Modulus
}

// round plays a round of which late says who does not answer. A scheme that runs
// out of time for a job returns an UndecodableError.
func (p *player) round(late func() coding.Set) error {
	s := p.scheme
	if err := s.Begin(); err != nil {
		return err
	}
	missing := late()
	for worker := range s.Workers() {
		if missing.Has(worker) {
			continue
		}
		for _, task := range s.Tasks(worker) {
			sum := coding.Residue(0)
			for k, chunk := range task.Chunks {
				weight := coding.Residue(1)
				if task.Work.Coded() {
					weight = s.Code().ExactRow(worker)[k]
				}
				sum = sum.Plus(weight.Times(gradientOf(task.Job, chunk)))
			}
			p.arrived[source{task.Job, worker, task.Part}] = sum
		}
	}
	decodable, err := s.End(missing)
	for _, job := range decodable {
		right, err := p.decode(job)
		if err != nil {
			return err
		}
		if !right {
			p.wrong++
		}
		p.decoded[job] = s.Round() <= job+s.Spec().Delay()
	}
	return err
}

// decode reports whether the recipe of a job gives the sum of all gradients.
func (p *player) decode(job int) (bool, error) {
	s := p.scheme
	recipe, err := s.Recipe(job)
	if err != nil {
		return false, err
	}
	there := true
	take := func(worker, part int) coding.Residue {
		value, ok := p.arrived[source{job, worker, part}]
		there = there && ok
		return value
	}
	sum := coding.Residue(0)
	for _, plain := range recipe.Plain {
		sum = sum.Plus(take(plain.Worker, plain.Part))
	}
	for _, group := range recipe.Coded {
		weights, err := s.Code().ExactCombination(group.Received)
		if err != nil {
			return false, err
		}
		for _, worker := range group.Received.Members() {
			sum = sum.Plus(weights[worker].Times(take(worker, group.Part)))
		}
	}
	for chunk := range s.Placement().Fractions {
		sum = sum.Minus(gradientOf(job, chunk))
	}
	return there && sum == 0, nil
}

// outcome of a pattern.
type outcome struct {
	undecodable bool // the scheme said so of some job
	failed      int  // jobs not decoded, or wrong, or late
	refused     int  // rounds that do not conform
}

// play plays a pattern to its end, or until a job cannot be decoded.
func (e experiment) play(s coding.Spec, workers int, pattern straggler.Pattern) (outcome, error) {
	var o outcome
	scheme, err := e.scheme(s, workers, len(pattern)-s.Delay())
	if err != nil {
		return o, err
	}
	p := newPlayer(scheme)
	for _, late := range pattern {
		err := p.round(func() coding.Set {
			if !scheme.Conforms(late) {
				o.refused++
			}
			return late
		})
		if undecodable := (*coding.UndecodableError)(nil); errors.As(err, &undecodable) {
			o.undecodable = true
			break
		} else if err != nil {
			return o, err
		}
	}
	o.failed = p.failures()
	return o, nil
}

// failures counts the jobs that are not decoded, wrong or too late.
func (p *player) failures() int {
	failed := p.wrong
	for job := 1; job <= p.scheme.Jobs(); job++ {
		if !p.decoded[job] {
			failed++
		}
	}
	return failed
}
