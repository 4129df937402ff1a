package main

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/fleet/federated/zeroth"
	"github.com/descentml/descent/fleet/federated/zeroth/problem"
	"github.com/descentml/descent/fleet/federated/zeroth/program"
	"github.com/descentml/descent/lab/store"
)

// Names of the series that a strategy records. Their steps are rounds.
const (
	seriesValue   = "value"   // mean of the clients' functions
	seriesQueries = "queries" // of all clients so far
)

// boxes are the clients' functions.
type boxes struct {
	*problem.Problem
	// Of command: the programs, unless they are with the workers of a fleet, and
	// the ranges of variables; nil otherwise.
	programs  []*program.Program
	low, high []float64
}

// commands reports whether the functions are programs.
func (b *boxes) commands() bool { return b.low != nil }

// Close ends the programs.
func (b *boxes) Close() {
	for _, p := range b.programs {
		p.Close()
	}
}

// point is a point of the unit cube in the units of a program.
func (b *boxes) point(x []float64) []float64 {
	point := slices.Clone(x)
	if b.commands() {
		for j, v := range x {
			point[j] = min(max(b.low[j]+v*(b.high[j]-b.low[j]), b.low[j]), b.high[j])
		}
	}
	return point
}

// open makes the clients' functions; programs are not started for a fleet, whose
// workers do that.
func (k *blackBoxConfig) open(ctx context.Context) (*boxes, error) {
	switch {
	case k.commands() > 0 && k.Job != "":
		return k.described(), nil
	case k.commands() > 0:
		return k.start()
	}
	d := problem.Difference{Clients: k.Clients, Dim: k.Dim, C: k.Difference, Seed: k.Seed}
	var p *problem.Problem
	var err error
	switch k.Objectives[0] {
	case "quadratic":
		p, err = problem.Quadratic(d)
	case "ackley":
		p, err = problem.Ackley(d)
	case "levy":
		p, err = problem.Levy(d)
	case "attack":
		p, err = problem.Attack(ctx, problem.Attacks{Data: k.Data, Options: data.Options{Target: k.Target}, Clients: k.Clients, Image: k.Image, Seed: k.Seed})
	case "metric":
		p, err = problem.Metric(ctx, problem.Metrics{Data: k.Data, Options: data.Options{Target: k.Target}, Clients: k.Clients, Seed: k.Seed})
	default:
		err = fmt.Errorf("--objective %s is not known", k.Objectives[0])
	}
	return &boxes{Problem: p}, err
}

// described is what there is to know of programs that are not started.
func (k *blackBoxConfig) described() *boxes {
	all := func(list []float64, otherwise float64) []float64 {
		out := make([]float64, k.Dim)
		for j := range out {
			out[j] = otherwise
			if len(list) > 0 {
				out[j] = each(list, j)
			}
		}
		return out
	}
	b := &boxes{Problem: &problem.Problem{Name: k.what(), Dim: k.Dim, Start: all(nil, 0.5), Minimum: math.NaN()}, low: all(k.Low, 0), high: all(k.High, 1)}
	if len(k.Start) > 0 {
		for j := range b.Start {
			b.Start[j] = min(max((each(k.Start, j)-b.low[j])/(b.high[j]-b.low[j]), 0), 1)
		}
	}
	return b
}

// start starts a program for each client.
func (k *blackBoxConfig) start() (*boxes, error) {
	b := k.described()
	for i := range k.Clients {
		p, err := k.startProgram(b, i, strings.TrimPrefix(k.Objectives[min(i, len(k.Objectives)-1)], commandPrefix))
		if err != nil {
			b.Close()
			return nil, err
		}
		b.programs = append(b.programs, p)
		b.Clients = append(b.Clients, p.Value)
	}
	return b, nil
}

// startProgram starts the program of client i by a command line.
func (k *blackBoxConfig) startProgram(b *boxes, i int, line string) (*program.Program, error) {
	words, err := program.Split(line)
	if err != nil {
		return nil, usageError{fmt.Errorf("--objective: %w", err)}
	}
	for j := range words {
		words[j] = strings.ReplaceAll(words[j], "{client}", strconv.Itoa(i))
	}
	p, err := program.Start(program.Settings{Words: words, Environment: []string{"DESCENT_CLIENT=" + strconv.Itoa(i)}, Dim: k.Dim, Low: b.low, High: b.high, Timeout: k.Timeout})
	if err != nil {
		return nil, fmt.Errorf("client %d: %w", i, err)
	}
	return p, nil
}

// minimisation is a run under way.
type minimisation struct {
	config  *blackBoxConfig
	boxes   *boxes
	workers int
	fleet   *boxFleet // nil: in this process
	store   *store.Store
	writer  *store.Writer
	out     io.Writer // for progress
}

// compare minimises with every strategy. Those that the run already holds are
// not run again.
func (m *minimisation) compare(ctx context.Context) (*blackBoxReport, error) {
	r := &blackBoxReport{Run: m.writer.ID(), Objective: m.config.what(), Clients: m.config.Clients, Dim: m.boxes.Dim, Rounds: m.config.Rounds,
		Heterogeneity: m.config.Difference, Minimum: finiteOrNil(m.boxes.Minimum), Seed: m.config.Seed, Plans: m.config.Plans}
	for _, plan := range m.config.Plans {
		result, err := m.minimise(ctx, plan)
		if err != nil {
			return nil, err
		}
		r.Results = append(r.Results, *result)
	}
	r.rank()
	return r, nil
}

// strategyState is a strategy under way, as its checkpoint holds it.
type strategyState struct {
	Result     blackBoxResult
	Simulation []byte        // or server, after the last round; nil before the first
	X          []float64     // the present point of the unit cube
	Pending    zeroth.Totals // what reaching it has cost
}

// minimise runs one strategy from its checkpoint, if it has one.
func (m *minimisation) minimise(ctx context.Context, plan zeroth.Plan) (*blackBoxResult, error) {
	trial, err := m.writer.StartTrial(ctx, store.TrialKey{Phase: store.Final, Method: string(plan.Strategy), LearningRate: plan.LearningRate, Seed: plan.Seed})
	if err != nil {
		return nil, err
	}
	// A checkpoint is decoded into X in place.
	state := strategyState{Result: blackBoxResult{Strategy: string(plan.Strategy)}, X: slices.Clone(m.boxes.Start)}
	if trial.State == store.Done {
		if err := json.Unmarshal(trial.Summary, &state.Result); err != nil {
			return nil, fmt.Errorf("reading trial %d from the store: %w", trial.ID, err)
		}
		return &state.Result, nil
	}
	s, err := m.training(plan)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := m.restore(ctx, trial.ID, s, &state); err != nil {
		return nil, err
	}
	r := &state.Result
	begin, before := time.Now(), r.Seconds
	err = s.Run(ctx, m.config.Rounds, func(o zeroth.Observation) error {
		r.Seconds = before + time.Since(begin).Seconds()
		return m.observe(ctx, trial.ID, s, &state, o)
	})
	if err == nil {
		err = m.last(ctx, trial.ID, s, &state)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", plan.Strategy, err), m.abandon(ctx, trial.ID, s, &state))
	}
	s.Note(r, false)
	fmt.Fprintf(m.out, "%s: %.6g after %s and %d queries in %.1f s\n", r.Strategy, r.Value, count(m.config.Rounds, "round"), r.Totals.Queries, r.Seconds)
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	err = m.writer.FinishTrial(context.WithoutCancel(ctx), trial.ID, store.Done, store.Outcome{Epochs: m.config.Rounds, Steps: m.config.Rounds, Seconds: r.Seconds, Summary: text})
	if err == nil {
		s.Done(ctx)
	}
	return r, err
}

// boxTraining is a server with its clients, in this process or on a fleet.
type boxTraining interface {
	zeroth.Asker
	Server() *zeroth.Server
	Run(ctx context.Context, rounds int, observe func(zeroth.Observation) error) error
	Snapshot() ([]byte, error)
	Restore(snapshot []byte) error
	// Note notes queries of rounds that did not come to their end, as far as they
	// are known; stopped says that it is for such a round that this is asked.
	Note(r *blackBoxResult, stopped bool)
	// Done is told that the result is recorded, and nothing else is needed.
	Done(ctx context.Context)
	Close()
}

// localBoxes is a training in this process.
type localBoxes struct {
	*zeroth.Simulation
	clients int
}

// Note implements boxTraining.
func (s localBoxes) Note(r *blackBoxResult, stopped bool) {
	if !stopped {
		return
	}
	asked := -r.Totals.Queries
	for i := range s.clients {
		asked += s.Client(i).Queries()
	}
	r.Repeated += asked
}

// Done implements boxTraining.
func (s localBoxes) Done(context.Context) {}

// Close implements boxTraining.
func (s localBoxes) Close() {}

// training makes server and clients for a plan.
func (m *minimisation) training(plan zeroth.Plan) (boxTraining, error) {
	if m.fleet != nil {
		return m.fleet.training(plan, m.boxes.Start)
	}
	s, err := zeroth.NewSimulation(plan, m.boxes.Clients, m.boxes.Start)
	if err != nil {
		return nil, err
	}
	s.Workers = m.workers
	for i := range m.boxes.Clients {
		s.Client(i).Gradient = m.boxes.MeanGradient()
	}
	return localBoxes{s, len(m.boxes.Clients)}, nil
}

// restore goes on from the trial's checkpoint, or begins.
func (m *minimisation) restore(ctx context.Context, trial int64, s boxTraining, state *strategyState) error {
	saved, there, err := m.store.Checkpoint(ctx, trial)
	if err != nil {
		return err
	}
	if !there {
		if err := m.writer.Truncate(ctx, trial, -1); err != nil || m.boxes.commands() {
			return err
		}
		value, err := m.boxes.Value(ctx, m.boxes.Start)
		if err != nil {
			return err
		}
		return m.record(ctx, trial, &state.Result, 0, value, m.boxes.Start, zeroth.Totals{})
	}
	if err := gob.NewDecoder(bytes.NewReader(saved.Blob)).Decode(state); err != nil {
		return fmt.Errorf("reading the checkpoint of %s: %w", state.Result.Strategy, err)
	}
	if err := m.writer.Truncate(ctx, trial, int64(len(state.Result.Curve.Value)-1)); err != nil {
		return err
	}
	if state.Simulation == nil {
		return nil
	}
	return s.Restore(state.Simulation)
}

// abandon keeps how many queries a round took that did not come to its end: it
// is repeated when the run is resumed.
func (m *minimisation) abandon(ctx context.Context, trial int64, s boxTraining, state *strategyState) error {
	s.Note(&state.Result, true)
	return m.save(ctx, trial, state)
}

// observe records a round. What a formula is at the new point costs nothing; of
// a program only the value at the round's first point is known, from the
// clients' first queries.
func (m *minimisation) observe(ctx context.Context, trial int64, s boxTraining, state *strategyState, o zeroth.Observation) error {
	r := &state.Result
	if m.boxes.commands() {
		if err := m.record(ctx, trial, r, o.Round-1, o.Before, state.X, state.Pending); err != nil {
			return err
		}
	} else {
		value, err := m.boxes.Value(ctx, o.X)
		if err != nil {
			return err
		}
		if err := m.record(ctx, trial, r, o.Round, value, o.X, o.Totals); err != nil {
			return err
		}
	}
	state.X, state.Pending, r.Totals = slices.Clone(o.X), o.Totals, o.Totals
	var err error
	if state.Simulation, err = s.Snapshot(); err != nil {
		return err
	}
	m.fleet.report(m.config, r, o.Round)
	return m.save(ctx, trial, state) // every round, as queries are dear
}

// last completes the record: a program is asked for its value at the last point.
func (m *minimisation) last(ctx context.Context, trial int64, s boxTraining, state *strategyState) error {
	r := &state.Result
	if !m.boxes.commands() {
		return nil
	}
	value, err := s.Server().Value(ctx, s)
	if err != nil {
		return err
	}
	r.Totals = s.Server().State().Totals
	return m.record(ctx, trial, r, m.config.Rounds, value, state.X, r.Totals)
}

// record keeps a measured value.
func (m *minimisation) record(ctx context.Context, trial int64, r *blackBoxResult, round int, value float64, x []float64, totals zeroth.Totals) error {
	r.Curve.Round, r.Curve.Queries, r.Curve.Value = append(r.Curve.Round, float64(round)), append(r.Curve.Queries, float64(totals.Queries)), append(r.Curve.Value, value)
	r.Value = value
	if len(r.Curve.Value) == 1 || value < r.Lowest {
		r.Lowest, r.LowestRound, r.Point = value, round, m.boxes.point(x)
	}
	series := func(name string, value float64) store.Series {
		return store.Series{Name: name, Points: []store.Point{{Step: int64(round), Epoch: float64(round), Seconds: r.Seconds, Value: value}}}
	}
	return m.writer.Append(context.WithoutCancel(ctx), trial, series(seriesValue, value), series(seriesQueries, float64(totals.Queries)),
		series(seriesBytes, float64(totals.BytesUp+totals.BytesDown)))
}

// save keeps the state in the store, even when ctx has just ended.
func (m *minimisation) save(ctx context.Context, trial int64, state *strategyState) error {
	var blob bytes.Buffer
	if err := gob.NewEncoder(&blob).Encode(state); err != nil {
		return err
	}
	return m.writer.SaveCheckpoint(context.WithoutCancel(ctx), trial, store.Checkpoint{Step: int64(len(state.Result.Curve.Value)), Blob: blob.Bytes()})
}
