package zeroth

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/floats"

	blackbox "github.com/descentml/descent/method/zeroth"
)

// Client answers a server's tasks with the values of one black box. One
// goroutine may use it at a time.
type Client struct {
	// Gradient writes the gradient of the mean of all clients' functions at x
	// into g. Oracle needs it; others have no use for it.
	Gradient func(x, g []float64)
	// Probe sees each local step before it is taken: its number from 1, the
	// point, the estimate of the client's own gradient, and what it was
	// corrected to. Optional. It must not keep or change anything.
	Probe func(step int, z, estimate, corrected []float64)

	plan      Plan
	id        int
	evaluator *blackbox.Evaluator
	estimator estimator // of finite differences
	walk      *blackbox.Walk
	surrogate *blackbox.Surrogate
	features  *blackbox.Features

	state ClientState

	// Buffers.
	g, correction, difference, estimate []float64
	points, values                      []float64
}

// estimator estimates a gradient from differences and returns the value at x.
type estimator interface {
	Estimate(ctx context.Context, e *blackbox.Evaluator, x, prior, g []float64, rng *rand.Rand) (float64, error)
}

// ClientState is what a client knows between two tasks. With its plan, number
// and black box it is all that the client is.
type ClientState struct {
	Round          int       // of the last reply; 0 before the first
	Phase          Phase     // of the last reply
	Last           *Reply    // the last reply, which is sent again if asked for
	Points, Values []float64 // all values known: rows of Dim numbers
	Own            []float64 // what it shared last: w_i or c_i
	End            []float64 // where its last local steps ended
	Update         []float64 // its last local update
	Queries        int64
}

// NewClient makes client number id, from 0, of a plan.
func NewClient(p Plan, id int, f blackbox.Function) (*Client, error) {
	return newClient(p, id, f, nil)
}

// newClient makes a client that shares the features of others in this process,
// if there are any.
func newClient(p Plan, id int, f blackbox.Function, features *blackbox.Features) (*Client, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	if id < 0 || id >= p.Clients {
		return nil, fmt.Errorf("client %d of %d: expected 0 to %d", id, p.Clients, p.Clients-1)
	}
	c := &Client{plan: p, id: id, g: make([]float64, p.Dim), estimate: make([]float64, p.Dim), difference: make([]float64, p.sharedLen()), correction: make([]float64, p.Dim)}
	var err error
	if c.evaluator, err = blackbox.NewEvaluator(p.Dim, f); err != nil {
		return nil, err
	}
	switch p.Strategy {
	case FZooS:
		if features != nil {
			c.features = features.Clone()
		}
		return c, c.prepare()
	case FedZOSphere:
		c.estimator = &blackbox.Sphere{Directions: p.Directions, Step: p.Difference}
	default:
		c.estimator = &blackbox.RGF{Directions: p.Directions, Step: p.Difference, Unbiased: p.Unbiased}
	}
	return c, nil
}

// prepare makes what FZooS works with, knowing nothing.
func (c *Client) prepare() (err error) {
	if c.surrogate, err = blackbox.NewSurrogate(c.plan.Dim, c.plan.Surrogate); err != nil {
		return err
	}
	if c.walk, err = blackbox.NewWalk(c.evaluator, c.surrogate); err != nil {
		return err
	}
	c.walk.Adam.LearningRate, c.walk.Active, c.walk.Radius = c.plan.LearningRate, c.plan.Active, c.plan.Radius
	c.walk.Explorer.Random = c.plan.Random
	if c.features == nil {
		c.features, err = blackbox.NewFeatures(c.plan.spec())
	}
	return err
}

// Queries is the number of values that the client has asked its black box for.
func (c *Client) Queries() int64 { return c.evaluator.Calls() }

// State is what the client knows. Its slices are the client's own.
func (c *Client) State() ClientState {
	s := c.state
	s.Queries = c.evaluator.Calls()
	if c.surrogate != nil {
		s.Points, s.Values = c.surrogate.Points(), c.surrogate.Values()
	}
	return s
}

// Restore makes the client know what a state says and nothing else.
func (c *Client) Restore(s ClientState) error {
	d := c.plan.Dim
	if len(s.Points) != len(s.Values)*d || s.Own != nil && len(s.Own) != c.plan.sharedLen() || s.End != nil && len(s.End) != d || s.Update != nil && len(s.Update) != d {
		return fmt.Errorf("the state of client %d is not one of %s in %d dimensions", c.id, c.plan.Strategy, d)
	}
	if c.plan.Strategy == FZooS {
		if err := c.prepare(); err != nil {
			return err
		}
		for i, y := range s.Values {
			c.surrogate.Add(s.Points[i*d:(i+1)*d], y)
		}
	}
	c.evaluator.SetCalls(s.Queries)
	s.Points, s.Values = nil, nil
	c.state = s
	return nil
}

// Handle answers a task. A task that was answered last is answered in the same
// way again, without new queries; an older one is refused, and so is one of a
// wrong shape or for other features: ErrMessage. Other errors are those of the
// black box and the context; the client may then have queried in vain.
func (c *Client) Handle(ctx context.Context, t *Task) (*Reply, error) {
	if err := t.check(&c.plan); err != nil {
		return nil, err
	}
	if t.Phase == Value {
		return c.value(ctx, t)
	}
	switch last := c.state.Last; {
	case last != nil && last.Round == t.Round && last.Phase == t.Phase:
		return last, nil
	case t.Round < c.state.Round || t.Round == c.state.Round && t.Phase < c.state.Phase:
		return nil, fmt.Errorf("phase %d of round %d after phase %d of round %d: %w", t.Phase, t.Round, c.state.Phase, c.state.Round, ErrMessage)
	case t.Phase == Share && (c.state.End == nil || t.Round != c.state.Round):
		return nil, fmt.Errorf("the end of round %d without its local steps: %w", t.Round, ErrMessage)
	}
	before := c.evaluator.Calls()
	r := &Reply{Phase: t.Phase, Round: t.Round, Client: c.id}
	var err error
	switch {
	case t.Phase == Share:
		err = c.share(ctx, t, r)
	case c.plan.Strategy == FZooS:
		err = c.follow(ctx, t, r)
	default:
		err = c.descend(ctx, t, r)
	}
	if err != nil {
		return nil, err
	}
	r.Queries = c.evaluator.Calls() - before
	c.state.Round, c.state.Phase, c.state.Last = t.Round, t.Phase, r
	return r, nil
}

// random is the generator of a task.
func (c *Client) random(t *Task) *rand.Rand {
	return rand.New(rand.NewPCG(c.plan.Seed^0x2e0f_ed00, uint64(t.Round)<<32|uint64(c.id)<<8|uint64(t.Phase)))
}

// value answers a Value task.
func (c *Client) value(ctx context.Context, t *Task) (*Reply, error) {
	y, err := c.evaluator.Value(ctx, t.X)
	if err != nil {
		return nil, err
	}
	if c.surrogate != nil {
		c.surrogate.Add(t.X, y)
	}
	return &Reply{Phase: Value, Round: t.Round, Client: c.id, Value: y, Queries: 1}, nil
}

// descend takes local steps along differences, or the true gradient.
func (c *Client) descend(ctx context.Context, t *Task, r *Reply) (err error) {
	rng, adam := c.random(t), blackbox.Adam{LearningRate: c.plan.LearningRate}
	z, mean, update := slices.Clone(t.X), make([]float64, c.plan.Dim), slices.Clone(c.state.Update)
	for step := 1; step <= c.plan.LocalSteps; step++ {
		value, err := c.gradient(ctx, step, z, update, rng)
		if err != nil {
			return err
		}
		if step == 1 {
			r.Value = value
		}
		floats.AddScaled(mean, 1/float64(c.plan.LocalSteps), c.estimate)
		c.correct(t, z)
		if c.Probe != nil {
			c.Probe(step, z, c.estimate, c.g)
		}
		if !finite(c.g) {
			return fmt.Errorf("the gradient of client %d in local step %d: %w", c.id, step, blackbox.ErrNotFinite)
		}
		update = append(update[:0], z...)
		if c.plan.Strategy == FedZOSphere {
			floats.AddScaled(z, -c.plan.LearningRate, c.g)
		} else {
			adam.Step(z, c.g)
		}
		clip(z)
		floats.SubTo(update, z, update)
	}
	r.X, c.state.End = z, z
	if c.plan.Strategy == PRGF {
		c.state.Update = update
	}
	if c.plan.Strategy == Scaffold2 {
		c.state.Own, r.Shared = mean, mean
	}
	return nil
}

// gradient estimates the client's gradient at z and returns the value there,
// which Oracle takes in its first step alone.
func (c *Client) gradient(ctx context.Context, step int, z, update []float64, rng *rand.Rand) (value float64, err error) {
	if c.plan.Strategy != Oracle {
		if c.plan.Strategy != PRGF {
			update = nil
		}
		return c.estimator.Estimate(ctx, c.evaluator, z, update, c.estimate, rng)
	}
	if c.Gradient == nil {
		return 0, errors.New("the oracle needs the gradient of the mean: expected a problem that has one")
	}
	c.Gradient(z, c.estimate)
	if step == 1 {
		value, err = c.evaluator.Value(ctx, z)
	}
	return value, errors.Join(err, ctx.Err())
}

// correct makes the step's gradient of its estimate.
func (c *Client) correct(t *Task, z []float64) {
	copy(c.g, c.estimate)
	switch c.plan.Strategy {
	case FedProx:
		for i := range c.g {
			c.g[i] += c.plan.Proximal * (z[i] - t.X[i])
		}
	case Scaffold1, Scaffold2:
		if len(t.Shared) > 0 && c.state.Own != nil {
			floats.Add(c.g, t.Shared)
			floats.Sub(c.g, c.state.Own)
		}
	}
}

// follow takes FZooS's local steps.
func (c *Client) follow(ctx context.Context, t *Task, r *Reply) error {
	rng, w := c.random(t), c.walk
	if c.surrogate.Len() == 0 && c.plan.Start > 0 {
		if err := w.Scatter(ctx, t.X, c.plan.Radius, c.plan.Start, rng); err != nil {
			return err
		}
	}
	if err := w.Begin(ctx, t.X); err != nil {
		return err
	}
	r.Value = w.Value()
	corrected := len(t.Shared) > 0 && c.state.Own != nil
	if corrected {
		floats.SubTo(c.difference, t.Shared, c.state.Own) // one gradient in place of two
	}
	w.Explorer.Candidates = c.plan.Candidates
	for step := 1; step <= c.plan.LocalSteps; step++ {
		correct := func(z, g []float64) {
			copy(c.estimate, g)
			if gamma := c.plan.Gamma.At(step); corrected && gamma != 0 {
				c.features.Gradient(z, c.difference, c.correction)
				floats.AddScaled(g, gamma, c.correction)
			}
			if c.Probe != nil {
				c.Probe(step, z, c.estimate, g)
			}
		}
		search := blackbox.Nearby
		if step == 1 {
			search = blackbox.Everywhere
		}
		if err := w.Step(ctx, search, correct); err != nil {
			return err
		}
		if step < c.plan.LocalSteps {
			if err := w.Explore(ctx, rng); err != nil {
				return err
			}
		}
	}
	r.X = slices.Clone(w.Point())
	c.state.End = r.X
	return nil
}

// share makes what the client shares at the end of a round.
func (c *Client) share(ctx context.Context, t *Task, r *Reply) (err error) {
	rng, own := c.random(t), make([]float64, c.plan.sharedLen())
	if c.plan.Strategy == Scaffold1 {
		if r.Value, err = c.estimator.Estimate(ctx, c.evaluator, t.X, nil, own, rng); err != nil {
			return err
		}
		c.state.Own, r.Shared = own, own
		return nil
	}
	if r.Value, err = c.walk.Query(ctx, t.X); err != nil {
		return err
	}
	radius := 0.5 * floats.Distance(t.X, c.state.End, 1) / float64(c.plan.Dim)
	c.walk.Explorer.Candidates = c.plan.RoundDraw
	if err := c.walk.ExploreAround(ctx, t.X, radius, c.plan.RoundPick, rng); err != nil {
		return err
	}
	c.points, c.values = c.surrogate.Nearest(t.X, c.plan.Shared, c.points[:0], c.values[:0])
	if err := c.features.Fit(c.points, c.values, c.surrogate.Noise(), own); err != nil {
		return err
	}
	c.state.Own, r.Shared, r.Features = own, own, c.plan.spec()
	return nil
}

func clip(x []float64) {
	for i, v := range x {
		x[i] = math.Min(math.Max(v, 0), 1)
	}
}
