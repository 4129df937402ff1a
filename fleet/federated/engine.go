package federated

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Config is what an [Engine] works with. Together with the initial parameters
// and the clients' examples it decides every number; the executor does not.
type Config struct {
	Clients int // M
	// Importance is p_i, at least 0 with sum 1; nil is 1/M each.
	Importance []float64
	Schedule   Schedule // who contributes when
	// Coefficients are d_i; nil is p_i, and p_i over the sum of those of the
	// participants where a round has only some of the clients.
	Coefficients []float64
	// Rule is what the server does with contributions; nil is [Sum].
	Rule  Rule
	Local Local
	// Rates multiply the local learning rate of each client; nil is 1 each.
	Rates []float64
	// ServerRate is η_g; 0 is 1.
	ServerRate float64
	Seed       uint64
	Executor   Executor
	// Remember keeps every client's own parameters for [Task.Previous], which
	// takes M P numbers.
	Remember bool
	// Lookahead is the number of works that may be carried out side by side
	// where contributions arrive one by one: those of the next aggregations
	// that are known already. It changes no number; 0 is 1.
	Lookahead int
}

// Event is an aggregation to come.
type Event struct {
	Time    float64 // simulated time, in the unit of the clients' times
	Tick    int64   // the same in the ticks of the schedule
	Clients []int   // whose contributions are aggregated, in ascending order; may be none
	// Fresh says that the clients begin with the present parameters, at the
	// time of the aggregation before. Otherwise they began with those of the
	// last aggregation that they took part in.
	Fresh bool
}

// Aggregation is what an engine reports of one aggregation.
type Aggregation struct {
	Event
	Round   int      // number of this aggregation, from 1
	Results []Result // of the event's clients in their order; valid until the next step
	// Staleness is the number of aggregations between the parameters that each
	// contribution was computed from and these; 0 is none.
	Staleness []int
}

// Rule is what a server does with contributions. A rule with a memory
// implements encoding.BinaryMarshaler and BinaryUnmarshaler as well, so that it
// goes on from a [Engine.Snapshot]; so may a [Schedule].
type Rule interface {
	// Begin completes a task just before it is carried out. Only what is known
	// when the client is sent the parameters may be used, which is all for
	// fresh clients.
	Begin(s *State, t *Task) error
	// Aggregate moves s.Parameters by the contributions. weights are
	// η_g d_i for each result.
	Aggregate(s *State, a *Aggregation, weights []float64) error
}

// Engine is a server with its clients under way. It is not safe for concurrent
// use.
type Engine struct {
	config  Config
	state   State
	pending *Event // known but not carried out

	tasks   []Task
	results []Result
	ready   map[int]Result // by client: of its present work, carried out ahead
	free    []Result       // whose slices are reused
	weights []float64
	stale   []int
	report  Aggregation
	// position is where lookAhead has come to.
	position Position
}

// NewEngine makes a server with initial parameters [P], which it copies, at
// simulated time 0.
func NewEngine(config Config, initial []float64) (*Engine, error) {
	if err := config.complete(); err != nil {
		return nil, err
	}
	switch {
	case len(initial) == 0:
		return nil, errors.New("no parameters: expected at least one")
	case !finite(initial):
		return nil, errors.New("the initial parameters have a number that is not finite")
	}
	e := &Engine{config: config, ready: map[int]Result{}}
	e.state = newState(config.Clients, initial)
	for i := range config.Clients {
		due, err := duration(config.Schedule, i, 0)
		if err != nil {
			return nil, err
		}
		e.state.Due[i] = due
	}
	return e, nil
}

// complete checks a configuration and fills in defaults.
func (c *Config) complete() error {
	if c.Importance == nil && c.Clients > 0 {
		c.Importance = slices.Repeat([]float64{1 / float64(c.Clients)}, c.Clients)
	}
	c.ServerRate = orOne(c.ServerRate)
	c.Lookahead = max(c.Lookahead, 1)
	if c.Rule == nil {
		c.Rule = Sum{}
	}
	switch {
	case c.Clients < 1:
		return fmt.Errorf("%d clients: expected at least 1", c.Clients)
	case c.Schedule == nil || c.Executor == nil:
		return errors.New("an engine without a schedule or an executor: expected both")
	case !(c.ServerRate > 0) || math.IsInf(c.ServerRate, 0):
		return fmt.Errorf("server learning rate %g: expected a finite number above 0", c.ServerRate)
	case c.Rates != nil && len(c.Rates) != c.Clients:
		return fmt.Errorf("%d factors of learning rates for %d clients: expected one for each", len(c.Rates), c.Clients)
	case c.Coefficients != nil && len(c.Coefficients) != c.Clients:
		return fmt.Errorf("%d coefficients for %d clients: expected one for each", len(c.Coefficients), c.Clients)
	case !finite(c.Coefficients) || !finite(c.Rates):
		return errors.New("a coefficient or a factor of a learning rate is not finite")
	}
	if err := checkImportance(c.Importance, c.Clients); err != nil {
		return err
	}
	return c.Local.Check()
}

func orOne(x float64) float64 {
	if x == 0 {
		return 1
	}
	return x
}

func finite(values []float64) bool {
	return !slices.ContainsFunc(values, func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) })
}

// State is where the training stands. It is the engine's: read it between
// steps.
func (e *Engine) State() *State { return &e.state }

// Config is what the engine works with, defaults filled in.
func (e *Engine) Config() Config { return e.config }

// Peek returns the next aggregation without carrying it out. Calling it again
// returns the same.
func (e *Engine) Peek(ctx context.Context) (Event, error) {
	if e.pending != nil {
		return *e.pending, nil
	}
	event, err := e.config.Schedule.Next(ctx, &e.state)
	if err != nil {
		return Event{}, err
	}
	if err := e.checkEvent(&event); err != nil {
		return Event{}, err
	}
	e.pending = &event
	return event, nil
}

func (e *Engine) checkEvent(event *Event) error {
	if event.Tick < e.state.Tick || !(event.Time >= e.state.Time) {
		return fmt.Errorf("an aggregation at time %g after one at %g: expected none in the past", event.Time, e.state.Time)
	}
	for i, client := range event.Clients {
		if client < 0 || client >= e.config.Clients || i > 0 && event.Clients[i-1] >= client {
			return fmt.Errorf("an aggregation of the clients %v: expected ascending numbers from 0 to below %d", event.Clients, e.config.Clients)
		}
	}
	return nil
}

// Until carries out the aggregations up to and including a simulated time and
// tells observe of each; nil is nobody. An error of observe ends it.
func (e *Engine) Until(ctx context.Context, time float64, observe func(*Aggregation) error) error {
	for {
		event, err := e.Peek(ctx)
		if err != nil || event.Time > time {
			return err
		}
		a, err := e.step(ctx, time)
		if err != nil {
			return err
		}
		if observe == nil {
			continue
		}
		if err := observe(a); err != nil {
			return err
		}
	}
}

// Step carries out the next aggregation. What it returns is valid until the
// next one. If it fails, the state is that before the step, and the step can be
// tried again.
func (e *Engine) Step(ctx context.Context) (*Aggregation, error) { return e.step(ctx, math.Inf(1)) }

// step carries out the next aggregation. Works for aggregations beyond the
// horizon are not begun.
func (e *Engine) step(ctx context.Context, horizon float64) (*Aggregation, error) {
	event, err := e.Peek(ctx)
	if err != nil {
		return nil, err
	}
	if err := e.work(ctx, &event, horizon); err != nil {
		return nil, err
	}
	if err := e.collect(&event); err != nil {
		return nil, err
	}
	if e.config.Remember {
		for i := range e.report.Results {
			e.state.remember(&e.report.Results[i], event.Fresh)
		}
	}
	if err := e.config.Rule.Aggregate(&e.state, &e.report, e.weights); err != nil {
		return nil, err
	}
	e.pending = nil
	return &e.report, e.advance(&event)
}

// work carries out what the event needs and is not there yet, and with it what
// is known of later ones.
func (e *Engine) work(ctx context.Context, event *Event, horizon float64) error {
	e.tasks = e.tasks[:0]
	for _, client := range event.Clients {
		if _, there := e.ready[client]; there {
			continue
		}
		if err := e.addTask(client, event.Fresh); err != nil {
			return err
		}
	}
	if len(e.tasks) == 0 {
		return nil
	}
	if err := e.lookAhead(event, horizon); err != nil {
		return err
	}
	e.results = e.results[:0]
	for range e.tasks {
		var r Result
		if last := len(e.free) - 1; last >= 0 {
			r, e.free = e.free[last], e.free[:last]
		}
		e.results = append(e.results, r)
	}
	if err := e.config.Executor.Run(ctx, e.tasks, e.results); err != nil {
		e.free = append(e.free, e.results...)
		return err
	}
	for i := range e.tasks {
		if err := e.tasks[i].Check(&e.results[i]); err != nil {
			return err
		}
	}
	for i := range e.tasks {
		e.ready[e.tasks[i].Client] = e.results[i]
	}
	return nil
}

// addTask appends the task of the client's present work.
func (e *Engine) addTask(client int, fresh bool) error {
	s := &e.state
	t := Task{Client: client, Work: s.Works[client], Round: s.Round, Seed: e.config.Seed, Local: e.config.Local, Parameters: s.Parameters}
	if !fresh {
		t.Round = s.Sent[client]
		t.Parameters = s.model(t.Round)
	}
	if e.config.Rates != nil {
		t.Local.LearningRate *= e.config.Rates[client]
	}
	if s.Own != nil && len(s.Own[client]) > 0 {
		t.Previous = s.Own[client]
	}
	if err := e.config.Rule.Begin(s, &t); err != nil {
		return err
	}
	e.tasks = append(e.tasks, t)
	return nil
}

// lookAhead appends tasks of later events, as far as the schedule knows them
// and they do not depend on contributions that are not there yet.
func (e *Engine) lookAhead(event *Event, horizon float64) error {
	seer, ok := e.config.Schedule.(Foreseeable)
	if !ok || event.Fresh || len(e.tasks) >= e.config.Lookahead {
		return nil
	}
	position := &e.position
	position.set(&e.state.Position)
	next := *event
	seen := map[int]bool{}
	for len(e.tasks) < e.config.Lookahead {
		for _, client := range next.Clients {
			seen[client] = true
			position.Works[client]++
			due, err := duration(e.config.Schedule, client, position.Works[client])
			if err != nil {
				return err
			}
			position.Due[client] = next.Tick + due
		}
		position.Tick = next.Tick
		if next = seer.Foresee(position); next.Time > horizon {
			return nil
		}
		for _, client := range next.Clients {
			if seen[client] {
				return nil // its work begins with parameters to come
			}
			if _, there := e.ready[client]; !there {
				if err := e.addTask(client, false); err != nil {
					return err
				}
			}
		}
		if len(next.Clients) == 0 && len(seen) == e.config.Clients {
			return nil
		}
	}
	return nil
}

// collect makes the report of an event from the results that are there.
func (e *Engine) collect(event *Event) error {
	e.free = append(e.free, e.report.Results...)
	e.report = Aggregation{Event: *event, Round: e.state.Round + 1, Results: e.report.Results[:0]}
	e.weights, e.stale = e.weights[:0], e.stale[:0]
	total := 0.0
	for _, client := range event.Clients {
		total += e.config.Importance[client]
	}
	for _, client := range event.Clients {
		r, there := e.ready[client]
		if !there || r.Work != e.state.Works[client] {
			return fmt.Errorf("client %d: work %d is missing: %w", client, e.state.Works[client], ErrUpdate)
		}
		e.report.Results = append(e.report.Results, r)
		weight := e.config.Importance[client]
		switch {
		case e.config.Coefficients != nil:
			weight = e.config.Coefficients[client]
		case event.Fresh && len(event.Clients) < e.config.Clients:
			weight /= total
		}
		e.weights = append(e.weights, e.config.ServerRate*weight)
		behind := 0
		if !event.Fresh {
			behind = e.state.Round - e.state.Sent[client]
		}
		e.stale = append(e.stale, behind)
	}
	e.report.Staleness = e.stale
	return nil
}

// advance moves the state past an event whose contributions are in the
// parameters: its clients begin again with these.
func (e *Engine) advance(event *Event) error {
	s := &e.state
	s.Round++
	s.Tick, s.Time = event.Tick, event.Time
	for k, client := range event.Clients {
		r := &e.report.Results[k]
		delete(e.ready, client)
		s.Works[client]++
		s.Contributions++
		s.Steps += int64(r.Steps)
		s.Staleness += int64(e.stale[k])
		s.MaxStaleness = max(s.MaxStaleness, e.stale[k])
		due, err := duration(e.config.Schedule, client, s.Works[client])
		if err != nil {
			return err
		}
		s.Due[client] = s.Tick + due
	}
	s.send(event)
	return nil
}
