package fzoos

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"

	"github.com/descentml/descent/fleet/federated/zeroth"
	"github.com/descentml/descent/fleet/federated/zeroth/problem"
	"github.com/descentml/descent/study"
)

// Values and curves of a run. A gap is F - F* on the quadratic and F itself
// where F* is not known.
const (
	byRounds  = "gap by rounds"
	byQueries = "gap by queries"
	queries   = "queries"
	kilobytes = "kilobytes" // to and from all clients
	cosine    = "cosine"    // of the last local estimates of client 1 with its true gradient
	success   = "queries until below 0"
	succeeded = "rounds until below 0"
)

// gapAt is the name of the gap after a round.
func gapAt(round int) string { return fmt.Sprintf("gap after %d rounds", round) }

// rounds at which gaps are judged.
var judgedRounds = []int{3, 5, 10}

// run carries out a plan on a problem and records the gap after every round.
func (e *experiment) run(ctx context.Context, p *problem.Problem, v variant, plan zeroth.Plan, rounds int) (study.Measured, error) {
	v.change(&plan)
	e.adjust(&plan)
	m := study.Measured{Values: map[string]float64{}, Curves: map[string]study.Curve{}}
	s, err := zeroth.NewSimulation(plan, p.Clients, p.Start)
	if err != nil {
		return m, err
	}
	for i := range p.Clients {
		s.Client(i).Gradient = p.MeanGradient()
	}
	watch := watchCosine(s, p, plan.LocalSteps)
	target := p.Minimum
	if math.IsNaN(target) {
		target = 0
	}
	var x, asked, gaps []float64
	record := func(round int, at []float64, t zeroth.Totals) error {
		value, err := p.Value(ctx, at)
		x, asked, gaps = append(x, float64(round)), append(asked, float64(t.Queries)), append(gaps, value-target)
		m.Values[gapAt(round)] = value - target
		m.Values[queries], m.Values[kilobytes] = float64(t.Queries), float64(t.BytesUp+t.BytesDown)/1000
		if _, done := m.Values[success]; value < 0 && !done {
			m.Values[success], m.Values[succeeded] = float64(t.Queries), float64(round)
		}
		return err
	}
	if err := record(0, p.Start, zeroth.Totals{}); err != nil {
		return m, err
	}
	if err := s.Run(ctx, rounds, func(o zeroth.Observation) error { return record(o.Round, o.X, o.Totals) }); err != nil {
		return m, err
	}
	m.Curves[byRounds], m.Curves[byQueries] = study.Curve{X: x, Y: gaps}, study.Curve{X: asked, Y: gaps}
	m.Values[cosine] = watch()
	return m, nil
}

// watchCosine looks at client 1's estimate in the last local step of each round.
// What it returns gives the mean; NaN without gradients.
func watchCosine(s *zeroth.Simulation, p *problem.Problem, steps int) (mean func() float64) {
	gradient := p.Gradient(0)
	if gradient == nil {
		return math.NaN
	}
	sum, count, g := 0.0, 0, make([]float64, p.Dim)
	s.Client(0).Probe = func(step int, z, estimate, _ []float64) {
		if step == steps {
			gradient(z, g)
			sum += floats.Dot(g, estimate) / (floats.Norm(g, 2) * floats.Norm(estimate, 2))
			count++
		}
	}
	return func() float64 { return sum / float64(count) }
}

// plan is the specification's for a problem of some clients.
func (s *size) plan(v variant, p *problem.Problem, features int, seed uint64) zeroth.Plan {
	plan := zeroth.Default(v.strategy, p.Dim, len(p.Clients), seed)
	plan.LocalSteps, plan.Features, plan.Surrogate.Neighbours = s.steps, features, s.neighbours
	return plan
}

func (e *experiment) quadratic(ctx context.Context, s size, c float64, v variant, seed uint64) (study.Measured, error) {
	p, err := problem.Quadratic(problem.Difference{Clients: s.clients, Dim: s.dim, C: c, Seed: seed})
	if err != nil {
		return study.Measured{}, err
	}
	return e.run(ctx, p, v, s.plan(v, p, s.features, seed), s.rounds)
}

// hilly runs on Ackley or Levy, with moderate differences.
func (e *experiment) hilly(ctx context.Context, s size, make func(problem.Difference) (*problem.Problem, error), v variant, seed uint64) (study.Measured, error) {
	p, err := make(problem.Difference{Clients: s.clients, Dim: s.hilly.dim, C: 0.5, Seed: seed})
	if err != nil {
		return study.Measured{}, err
	}
	return e.run(ctx, p, v, s.plan(v, p, s.hilly.features, seed), s.hilly.rounds)
}

// attack deceives models of digits with 5 local steps a round, as in the paper.
func (e *experiment) attack(ctx context.Context, s size, v variant, seed uint64) (study.Measured, error) {
	p, err := problem.Attack(ctx, problem.Attacks{Clients: s.models, Seed: seed})
	if err != nil {
		return study.Measured{}, err
	}
	plan := s.plan(v, p, s.attack.features, seed)
	plan.LocalSteps = min(plan.LocalSteps, 5)
	return e.run(ctx, p, v, plan, s.attack.rounds)
}

// metric tunes a network on the F1 scores of owners with few classes each.
func (e *experiment) metric(ctx context.Context, s size, v variant, seed uint64) (study.Measured, error) {
	p, err := problem.Metric(ctx, problem.Metrics{Hidden: s.metric.dim, Seed: seed})
	if err != nil {
		return study.Measured{}, err
	}
	return e.run(ctx, p, v, s.plan(v, p, s.metric.features, seed), s.metric.rounds)
}
