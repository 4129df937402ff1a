package zeroth

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"

	"github.com/descentml/descent/backend/kernel"
	"github.com/descentml/descent/fleet/federated/zeroth/problem"
	blackbox "github.com/descentml/descent/method/zeroth"
)

func quadratic(t testing.TB, d problem.Difference) *problem.Problem {
	t.Helper()
	p, err := problem.Quadratic(d)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// small is a plan that takes little time.
func small(s Strategy, dim, clients int) Plan {
	p := Default(s, dim, clients, 1000)
	p.LocalSteps, p.Features, p.RoundPick, p.RoundDraw, p.Candidates, p.Active = 4, 200, 8, 30, 20, 2
	if p.Directions > 5 {
		p.Directions = 5
	}
	return p
}

func simulate(t testing.TB, p Plan, q *problem.Problem) *Simulation {
	t.Helper()
	s, err := NewSimulation(p, q.Clients, q.Start)
	if err != nil {
		t.Fatal(err)
	}
	for i := range q.Clients {
		s.Client(i).Gradient = q.MeanGradient()
	}
	return s
}

func run(t testing.TB, s *Simulation, rounds int) []float64 {
	t.Helper()
	if err := s.Run(t.Context(), rounds, nil); err != nil {
		t.Fatal(err)
	}
	return slices.Clone(s.Server().State().X)
}

// Check 9, one seed of it and half of its rounds: FZooS is ahead of the best baseline after few rounds
// and has asked about half as much; without the correction it loses where
// clients differ.
func TestFewerQueriesThanDifferences(t *testing.T) {
	const dim, clients, rounds = 50, 5, 5
	q := quadratic(t, problem.Difference{Clients: clients, Dim: dim, C: 5, Seed: 1000})
	gap := func(p Plan) (gap float64, queries int64) {
		s := simulate(t, p, q)
		value, err := q.Value(t.Context(), run(t, s, rounds))
		if err != nil {
			t.Fatal(err)
		}
		return value - q.Minimum, s.Server().State().Totals.Queries
	}
	best, least := math.Inf(1), int64(math.MaxInt64)
	for _, strategy := range []Strategy{FedZO, FedProx, Scaffold1, Scaffold2} {
		g, n := gap(Default(strategy, dim, clients, 1000))
		best, least = min(best, g), min(least, n)
	}
	plan := Default(FZooS, dim, clients, 1000)
	plan.Random = true
	ours, queries := gap(plan)
	plan.Gamma = Gamma{}
	uncorrected, _ := gap(plan)
	if ours > best/3 || float64(queries) > 0.55*float64(least) || uncorrected < 4*ours {
		t.Errorf("gap %g after %d queries, uncorrected %g; baselines %g after %d", ours, queries, uncorrected, best, least)
	}
}

// Every strategy goes down, and every query is counted where it is made: by the
// clients' evaluators, in the replies and as the plan says.
func TestEveryStrategyGoesDownAndCounts(t *testing.T) {
	const rounds = 3
	q := quadratic(t, problem.Difference{Clients: 3, Dim: 12, C: 0.5, Seed: 1})
	calls := int64(0)
	for i, f := range q.Clients {
		q.Clients[i] = func(ctx context.Context, x []float64) (float64, error) { calls++; return f(ctx, x) }
	}
	first, _ := q.Value(t.Context(), q.Start)
	for _, strategy := range Strategies() {
		p := small(strategy, 12, 3)
		s := simulate(t, p, q)
		calls = 0
		x := run(t, s, rounds)
		want := int64(3 * rounds * p.Queries())
		switch strategy {
		case FZooS:
			want += int64(3 * p.Start)
		case PRGF:
			want -= 3 // the first step of all has no last update
		}
		counted := int64(0)
		for i := range 3 {
			counted += s.Client(i).Queries()
		}
		if total := s.Server().State().Totals.Queries; calls != want || total != want || counted != want {
			t.Errorf("%s: %d calls, %d by the clients, %d in total: want %d", strategy, calls, counted, total, want)
		}
		if value, _ := q.Value(t.Context(), x); !(value < first) {
			t.Errorf("%s: from %g to %g", strategy, first, value)
		}
	}
}

// With the specification's settings a client of FZooS takes 107 values a round,
// and one of FedZO 210.
func TestQueriesOfThePaper(t *testing.T) {
	for strategy, want := range map[Strategy]int{FZooS: 107, FedZO: 210, FedProx: 210, Scaffold1: 231, Scaffold2: 210} {
		p := Default(strategy, 50, 5, 0)
		if p.Queries() != want {
			t.Errorf("%s: %d queries, want %d", strategy, p.Queries(), want)
		}
	}
}

// Bytes are those of the binary messages: d + M floats each way for FZooS.
func TestBytesAreThoseOfMessages(t *testing.T) {
	q := quadratic(t, problem.Difference{Clients: 2, Dim: 6, Seed: 1})
	p := small(FZooS, 6, 2)
	s := simulate(t, p, q)
	run(t, s, 2)
	totals := s.Server().State().Totals
	task, reply := int64(taskHeader), int64(replyHeader)
	down := 2 * (4*(task+6*8) + 200*8)    // two phases of two rounds; the first has no weights yet
	up := 2 * 2 * (2*reply + 6*8 + 200*8) // z_i, then w_i
	if totals.BytesDown != down || totals.BytesUp != up || totals.Messages != 16 {
		t.Errorf("%+v: want %d down, %d up", totals, down, up)
	}
}

// copies is clients that are all number 0, whatever they are called.
type copies struct{ clients []*Client }

func (c copies) Ask(ctx context.Context, t *Task) ([]*Reply, error) {
	var list []*Reply
	for i, client := range c.clients {
		r, err := client.Handle(ctx, t)
		if err != nil {
			return nil, err
		}
		renamed := *r
		renamed.Client = i
		list = append(list, &renamed)
	}
	return list, nil
}

// Check 6, second half: identical clients do not correct each other.
func TestIdenticalClientsHaveNoCorrection(t *testing.T) {
	q := quadratic(t, problem.Difference{Clients: 1, Dim: 8, Seed: 2})
	p := small(FZooS, 8, 3)
	server, err := NewServer(p, q.Start)
	if err != nil {
		t.Fatal(err)
	}
	same := copies{}
	steps := 0
	for range 3 {
		c, err := NewClient(p, 0, q.Clients[0])
		if err != nil {
			t.Fatal(err)
		}
		c.Probe = func(_ int, _, estimate, corrected []float64) {
			steps++
			if d := floats.Distance(estimate, corrected, math.Inf(1)); d > 1e-12 {
				t.Errorf("a correction of %g", d)
			}
		}
		same.clients = append(same.clients, c)
	}
	for range 3 {
		if _, err := server.Round(t.Context(), same); err != nil {
			t.Fatal(err)
		}
	}
	if steps != 3*3*p.LocalSteps || same.clients[0].state.Own == nil {
		t.Errorf("%d steps", steps)
	}
}

// With one client, FZooS's first round is ZoRD's first steps.
func TestOneClientIsTheOptimizerOfOneMachine(t *testing.T) {
	q := quadratic(t, problem.Difference{Clients: 1, Dim: 7, Seed: 4})
	p := small(FZooS, 7, 1)
	p.Candidates = 100 // as the optimizer
	x := run(t, simulate(t, p, q), 1)
	box, err := blackbox.NewEvaluator(7, q.Clients[0])
	if err != nil {
		t.Fatal(err)
	}
	o := blackbox.Optimizer{Active: p.Active}
	rng := (&Client{plan: p}).random(&Task{Phase: Local, Round: 1})
	var last []float64
	if _, err := o.Minimise(t.Context(), box, q.Start, p.LocalSteps, rng, func(i blackbox.Iterate) { last = slices.Clone(i.X) }); err != nil {
		t.Fatal(err)
	}
	if !floats.EqualApprox(x, last, 1e-12) {
		t.Errorf("%v and %v", x, last)
	}
}

// FedProx without weight is FedZO, and control variates of one client cancel.
func TestStrategiesCoincideInLimits(t *testing.T) {
	q := quadratic(t, problem.Difference{Clients: 3, Dim: 9, C: 1, Seed: 5})
	want := run(t, simulate(t, small(FedZO, 9, 3), q), 3)
	p := small(FedProx, 9, 3)
	p.Proximal = 0
	if got := run(t, simulate(t, p, q), 3); !floats.Equal(got, want) {
		t.Error("FedProx of weight 0 is not FedZO")
	}
	one := quadratic(t, problem.Difference{Clients: 1, Dim: 9, Seed: 5})
	want = run(t, simulate(t, small(FedZO, 9, 1), one), 3)
	for _, s := range []Strategy{Scaffold1, Scaffold2} {
		if got := run(t, simulate(t, small(s, 9, 1), one), 3); !floats.EqualApprox(got, want, 1e-9) {
			t.Errorf("%s of one client is not FedZO", s)
		}
	}
}

// The number of workers and a stop between rounds change no bit.
func TestSameBitsForAnyWorkersAndAfterResume(t *testing.T) {
	q := quadratic(t, problem.Difference{Clients: 3, Dim: 9, C: 1, Seed: 6})
	for _, strategy := range Strategies() {
		p := small(strategy, 9, 3)
		want := run(t, simulate(t, p, q), 4)
		parallel := simulate(t, p, q)
		parallel.Workers = 3
		if got := run(t, parallel, 4); !floats.Equal(got, want) {
			t.Errorf("%s: other bits with three workers", strategy)
		}
		stopped := simulate(t, p, q)
		run(t, stopped, 2)
		snapshot, err := stopped.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		resumed := simulate(t, p, q)
		if err := resumed.Restore(snapshot); err != nil {
			t.Fatal(err)
		}
		if got := run(t, resumed, 4); !floats.Equal(got, want) || resumed.Server().State().Totals != parallel.Server().State().Totals {
			t.Errorf("%s: other bits or costs after a stop", strategy)
		}
		other := p
		other.Seed++
		if err := simulate(t, other, q).Restore(snapshot); err == nil {
			t.Errorf("%s: a snapshot of another plan was accepted", strategy)
		}
		if err := resumed.Restore(snapshot[:len(snapshot)/2]); err == nil {
			t.Errorf("%s: half a snapshot was accepted", strategy)
		}
	}
}

// The safeguard never lets the mean rise, at one query a client and round.
func TestSafeguard(t *testing.T) {
	q := quadratic(t, problem.Difference{Clients: 3, Dim: 9, C: 20, Seed: 7})
	reverted := 0
	for _, strategy := range Strategies() {
		p := small(strategy, 9, 3)
		p.Safeguard, p.LearningRate = true, 0.2
		s := simulate(t, p, q)
		last := math.Inf(1)
		err := s.Run(t.Context(), 5, func(o Observation) error {
			value, err := q.Value(t.Context(), o.X)
			if value > last {
				t.Errorf("%s: from %g to %g", strategy, last, value)
			}
			if last = value; math.Abs(o.After-value) > 1e-12*(1+math.Abs(value)) {
				t.Errorf("%s: reported %g, is %g", strategy, o.After, value)
			}
			if o.Reverted {
				reverted++
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if reverted == 0 {
		t.Error("no round was taken back")
	}
}

// What a black box does wrong names the client.
func TestFailingBlackBox(t *testing.T) {
	q := quadratic(t, problem.Difference{Clients: 2, Dim: 5, Seed: 9})
	broken := errors.New("the service is down")
	for _, strategy := range Strategies() {
		for _, want := range []error{broken, blackbox.ErrNotFinite} {
			calls := 0
			boxes := slices.Clone(q.Clients)
			boxes[1] = func(ctx context.Context, x []float64) (float64, error) {
				if calls++; calls < 2 || strategy == Oracle && calls < 3 {
					return q.Clients[1](ctx, x)
				}
				if want == broken {
					return 0, broken
				}
				return math.NaN(), nil
			}
			s, err := NewSimulation(small(strategy, 5, 2), boxes, q.Start)
			if err != nil {
				t.Fatal(err)
			}
			for i := range boxes {
				s.Client(i).Gradient = q.MeanGradient()
			}
			if err := s.Run(t.Context(), 5, nil); !errors.Is(err, want) || !bytes.Contains([]byte(err.Error()), []byte("client 1")) {
				t.Errorf("%s: error %v, want %v of client 1", strategy, err, want)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := simulate(t, small(FZooS, 5, 2), q)
	if err := s.Run(ctx, 5, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v after the context's end", err)
	}
}

func TestPlansAreChecked(t *testing.T) {
	for name, change := range map[string]func(*Plan){
		"strategy": func(p *Plan) { p.Strategy = "sgd" }, "dim": func(p *Plan) { p.Dim = 0 }, "clients": func(p *Plan) { p.Clients = 0 },
		"steps": func(p *Plan) { p.LocalSteps = 0 }, "rate": func(p *Plan) { p.LearningRate = math.NaN() }, "server": func(p *Plan) { p.ServerRate = 0 },
		"features": func(p *Plan) { p.Features = 0 }, "length": func(p *Plan) { p.Length = -1 }, "gamma": func(p *Plan) { p.Gamma.Scale = -1 },
		"active": func(p *Plan) { p.Active = -1 }, "candidates": func(p *Plan) { p.Candidates = -1 }, "shared": func(p *Plan) { p.Shared = 0 },
		"surrogate": func(p *Plan) { p.Surrogate.Noise = -1 }, "proximal": func(p *Plan) { p.Proximal = -1 },
	} {
		p := Default(FZooS, 5, 2, 0)
		if change(&p); p.Check() == nil {
			t.Errorf("%s: %+v was accepted", name, p)
		}
	}
	p := Default(FedZO, 5, 2, 0)
	if p.Directions = 6; p.Check() == nil {
		t.Error("six directions in five dimensions were accepted")
	}
	p = Default(PRGF, 5, 2, 0)
	if p.Directions != 4 || p.Check() != nil {
		t.Errorf("PRGF takes %d directions in five dimensions", p.Directions)
	}
	for _, text := range []string{"1/t", "0", "1", "0.5/t^0.5", "2/t"} {
		if g, err := ParseGamma(text); err != nil || g.String() != text {
			t.Errorf("%s is read as %v, %v", text, g, err)
		}
	}
	if g, _ := ParseGamma("2/t^0.5"); math.Abs(g.At(4)-1) > 1e-15 || (Gamma{1, 1}).At(2) != 0.5 || (Gamma{3, 0}).At(9) != 3 {
		t.Error("wrong weights")
	}
	for _, text := range []string{"", "t", "1/x", "-1", "1/t^", "1/t2", "NaN", "1/t^-1"} {
		if g, err := ParseGamma(text); err == nil {
			t.Errorf("%q is read as %v", text, g)
		}
	}
}

func BenchmarkRound(b *testing.B) {
	kernel.UseInGonum()
	q := quadratic(b, problem.Difference{Clients: 5, Dim: 50, C: 5, Seed: 1})
	for _, strategy := range []Strategy{FedZO, FZooS} {
		b.Run(string(strategy), func(b *testing.B) {
			s := simulate(b, Default(strategy, 50, 5, 1), q)
			run(b, s, 4)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Server().Round(b.Context(), s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
