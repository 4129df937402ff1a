package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/descentml/descent/fleet/federated"
	"github.com/descentml/descent/fleet/federated/curriculum"
)

// curriculumConfig says in which order a federated run shows samples and
// clients. It is part of the run's configuration.
type curriculumConfig struct {
	Samples string `json:"samples,omitempty"` // as curriculum.ParseSamples reads it; "": none
	Clients string `json:"clients,omitempty"` // as curriculum.ParseClients reads it; "": none
}

// addCurriculum adds the flags of curricula to `fleet federate`.
func addCurriculum(c *cobra.Command, config *curriculumConfig) {
	flags := c.Flags()
	flags.StringVar(&config.Samples, "curriculum", "", "order of each client's samples: curriculum, anti, random or vanilla, with options as in curriculum:score=global,pacing=linear,a=0.8,b=0.2,minimum=32")
	flags.StringVar(&config.Clients, "client-curriculum", "", "order in which clients come into the pool that rounds draw from, as in curriculum:score=global,pacing=linear,a=0.8,b=0.2; for rounds of some of the clients, fedavg:clients=4")
	orders := func() []string {
		var names []string
		for _, o := range curriculum.Orders() {
			names = append(names, o.String())
		}
		return names
	}
	complete(c, "curriculum", true, orders)
	complete(c, "client-curriculum", true, orders)
}

// check refuses what the strategies cannot do, and writes curricula in their
// canonical form.
func (c *curriculumConfig) check(strategies []string) error {
	if c.Samples != "" {
		plan, err := curriculum.ParseSamples(c.Samples)
		if err != nil {
			return usageError{fmt.Errorf("--curriculum: %w", err)}
		}
		c.Samples = plan.String()
	}
	if c.Clients == "" {
		return nil
	}
	plan, err := curriculum.ParseClients(c.Clients)
	if err != nil {
		return usageError{fmt.Errorf("--client-curriculum: %w", err)}
	}
	c.Clients = plan.String()
	for _, text := range strategies {
		if s, err := federated.ParseStrategy(text); err != nil || s.Clients == 0 {
			return usageError{fmt.Errorf("--client-curriculum with --strategy %s: expected one with rounds of some of the clients, such as fedavg:clients=4", text)}
		}
	}
	return nil
}

// plans are the curricula of the run; nil where there is none.
func (c *curriculumConfig) plans() (samples *curriculum.Samples, clients *curriculum.Clients, err error) {
	if c.Samples != "" {
		plan, err := curriculum.ParseSamples(c.Samples)
		if err != nil {
			return nil, nil, err
		}
		samples = &plan
	}
	if c.Clients != "" {
		plan, err := curriculum.ParseClients(c.Clients)
		if err != nil {
			return nil, nil, err
		}
		clients = &plan
	}
	return samples, clients, nil
}

// expert is a model that is trained on the training rows of all clients
// together: an oracle, as nobody has them all in real life. It is trained once.
func (f *federation) expert(ctx context.Context) ([]float64, error) {
	if f.expertParameters != nil {
		return f.expertParameters, nil
	}
	objective := f.objective.Clone()
	if f.problem.Train.Labels != nil {
		var err error
		if objective, err = f.objective.Smoothed(curriculum.ExpertSmoothing); err != nil {
			return nil, err
		}
	}
	var err error
	f.expertParameters, err = curriculum.Expert(ctx, objective, sequence(f.problem.Train.Count), f.objective.Initial(), expertWork, f.config.Seed)
	return f.expertParameters, err
}

// checkScore refuses to count errors where there are no classes.
func (f *federation) checkScore(flag string, order curriculum.Order, score curriculum.Score) error {
	if f.problem.Train.Labels == nil && order.Scored() && score.CountsErrors() {
		return usageError{fmt.Errorf("--%s by the score %s of a target of values: expected a score by losses, such as global", flag, score)}
	}
	return nil
}

// sampler makes the sampler of a worker; nil is the plain one.
func (f *federation) sampler(ctx context.Context) (federated.Sampler, error) {
	plan, _, err := f.config.Curriculum.plans()
	if err != nil || plan == nil {
		return nil, err
	}
	if err := f.checkScore("curriculum", plan.Order, plan.Score); err != nil {
		return nil, err
	}
	var expert []float64
	if plan.Order.Scored() && plan.Score.NeedsExpert() {
		if expert, err = f.expert(ctx); err != nil {
			return nil, err
		}
	}
	return curriculum.NewSampler(*plan, expert)
}

// order puts the curricula into an engine's configuration. The pacing of
// clients runs over the horizon, as rounds of the mean time of the slowest
// client.
func (f *federation) order(ctx context.Context, c *federated.Config, s federated.Strategy) error {
	samples, clients, err := f.config.Curriculum.plans()
	if err != nil {
		return err
	}
	c.Remember = samples != nil && samples.Order.Scored() && samples.Score.NeedsLocal()
	if clients == nil {
		return nil
	}
	if err := f.checkScore("client-curriculum", clients.Order, clients.Score); err != nil {
		return err
	}
	config := curriculum.SelectionConfig{
		Plan: *clients, Clients: c.Clients, Group: min(s.Clients, c.Clients), Endless: true, Seed: f.config.Seed,
		Times: f.times, Objective: f.objective.Clone(), Shards: f.shards,
	}
	slowest := 0.0
	for i := range c.Clients {
		slowest = max(slowest, f.times.Mean(i))
	}
	config.Budget = config.Group * max(1, int(f.config.Horizon/slowest))
	if clients.Order.Scored() && clients.Score.NeedsExpert() {
		if config.Expert, err = f.expert(ctx); err != nil {
			return err
		}
	}
	c.Schedule, err = curriculum.NewSelection(config)
	return err
}
