package federated_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"github.com/descentml/descent/fleet/federated"
)

// spread are the times F-X.
func spread(t testing.TB, clients, percent int) federated.Times {
	t.Helper()
	times, err := federated.NewSpread(clients, percent)
	if err != nil {
		t.Fatal(err)
	}
	return times
}

// centres are random points.
func centres(clients, dim int, seed uint64) [][]float64 {
	rng := rand.New(rand.NewPCG(seed, 1))
	list := make([][]float64, clients)
	for i := range list {
		for range dim {
			list[i] = append(list[i], rng.NormFloat64())
		}
	}
	return list
}

// problem is a federated training to set up in tests.
type problem struct {
	strategy   string
	times      federated.Times
	clients    int
	importance []float64
	local      federated.Local
	horizon    float64
	workers    int
	seed       uint64
	change     func(*federated.Config)
}

// quadratic makes an engine over random centres.
func (p problem) quadratic(t testing.TB, points [][]float64, curvatures []float64) *federated.Engine {
	t.Helper()
	q, err := federated.NewQuadratic(points, curvatures)
	if err != nil {
		t.Fatal(err)
	}
	return p.engine(t, func() federated.Objective { return q }, federated.Singles(len(points)), make([]float64, q.Dim()))
}

func (p problem) engine(t testing.TB, objective func() federated.Objective, shards [][]int, initial []float64) *federated.Engine {
	t.Helper()
	var workers []federated.Client
	for range max(p.workers, 1) {
		w, err := federated.NewTrainer(objective(), shards, nil)
		if err != nil {
			t.Fatal(err)
		}
		workers = append(workers, w)
	}
	pool, err := federated.NewPool(workers...)
	if err != nil {
		t.Fatal(err)
	}
	c := federated.Config{Clients: p.clients, Importance: p.importance, Local: p.local, Seed: p.seed, Executor: pool, Lookahead: p.workers}
	s, err := federated.ParseStrategy(p.strategy)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Configure(t.Context(), &c, p.times, p.horizon); err != nil {
		t.Fatal(err)
	}
	if p.change != nil {
		p.change(&c)
	}
	e, err := federated.NewEngine(c, initial)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// path runs an engine and returns the parameters after each aggregation.
func path(t testing.TB, e *federated.Engine, time float64) [][]float64 {
	t.Helper()
	var list [][]float64
	err := e.Until(t.Context(), time, func(*federated.Aggregation) error {
		list = append(list, slices.Clone(e.State().Parameters))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// softmax is a small classification problem.
func softmax(t testing.TB, rows int) *federated.Softmax {
	t.Helper()
	rng := rand.New(rand.NewPCG(5, 5))
	x, labels := mat.NewDense(rows, 6, nil), make([]int, rows)
	for i := range rows {
		for j := range 6 {
			x.Set(i, j, rng.NormFloat64())
		}
		labels[i] = floats.MaxIdx(x.RawRowView(i)[:3])
	}
	s, err := federated.NewSoftmax(x, labels, 3)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// deal gives rows to clients in turn, in parts of different sizes.
func deal(rows, clients int) [][]int {
	shards := make([][]int, clients)
	for row := range rows {
		client := row % clients
		if row%3 == 0 {
			client = 0
		}
		shards[client] = append(shards[client], row)
	}
	return shards
}

// classify makes an engine over the small classification problem.
func (p problem) classify(t testing.TB) *federated.Engine {
	t.Helper()
	o := softmax(t, 90)
	return p.engine(t, func() federated.Objective { return o.Clone() }, deal(90, p.clients), make([]float64, o.Dim()))
}

var small = federated.Local{Steps: 5, Batch: 4, LearningRate: 0.1}

// The number of workers and how far the engine looks ahead change no bit.
func TestWorkersChangeNothing(t *testing.T) {
	for _, strategy := range []string{"fedavg:clients=3", "scaffold", "fednova", "fedprox:mu=0.1", "async", "fedbuff:count=2", "fedfix:delta=0.3"} {
		p := problem{strategy: strategy, times: spread(t, 6, 80), clients: 6, local: small, horizon: 8, seed: 4, workers: 1}
		want := path(t, p.classify(t), 8)
		p.workers = 4
		if got := path(t, p.classify(t), 8); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s depends on the number of workers", strategy)
		}
	}
}

// An engine goes on from a snapshot to the same bits, and takes no update of
// the time before once more.
func TestResume(t *testing.T) {
	for _, strategy := range []string{"fedavg:clients=3", "scaffold", "fednova", "async", "fedbuff:count=2", "fedfix:delta=0.3"} {
		p := problem{strategy: strategy, times: mustTimes(t, "exponential:F-80", 6), clients: 6, local: small, horizon: 9, seed: 4, workers: 2,
			change: func(c *federated.Config) { c.Remember = true }}
		whole := p.classify(t)
		want := path(t, whole, 9)
		e := p.classify(t)
		if err := e.Until(t.Context(), 4, nil); err != nil {
			t.Fatal(err)
		}
		blob, err := e.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		done := e.State().Round
		again := p.classify(t)
		if err := again.Restore(blob); err != nil {
			t.Fatal(err)
		}
		got := path(t, again, 9)
		if fmt.Sprint(got) != fmt.Sprint(want[done:]) {
			t.Errorf("%s goes on differently", strategy)
		}
		if a, b := whole.State(), again.State(); a.Contributions != b.Contributions || a.Steps != b.Steps || a.Staleness != b.Staleness || !slices.Equal(a.Works, b.Works) {
			t.Errorf("%s counts %d contributions, want %d", strategy, b.Contributions, a.Contributions)
		}
	}
}

func TestRestoreRefuses(t *testing.T) {
	p := problem{strategy: "async", times: spread(t, 6, 80), clients: 6, local: small}
	e := p.classify(t)
	blob, err := e.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	other := p
	other.clients, other.times = 5, spread(t, 5, 80)
	if err := other.classify(t).Restore(blob); err == nil {
		t.Error("a snapshot of 6 clients is restored with 5")
	}
	other = p
	other.strategy = "scaffold"
	if err := other.classify(t).Restore(blob); err == nil {
		t.Error("a snapshot without control variates is restored with SCAFFOLD")
	}
	for _, bad := range [][]byte{nil, []byte("nonsense"), blob[:len(blob)/2]} {
		if err := e.Restore(bad); err == nil {
			t.Errorf("%d bytes are restored", len(bad))
		}
	}
	if _, err := e.Step(t.Context()); err != nil {
		t.Errorf("after refusals: %v", err)
	}
}

// faulty changes results before the engine sees them.
type faulty struct {
	federated.Executor
	change func(*federated.Result)
}

func (f *faulty) Run(ctx context.Context, tasks []federated.Task, results []federated.Result) error {
	if err := f.Executor.Run(ctx, tasks, results); err != nil {
		return err
	}
	if f.change != nil {
		f.change(&results[0])
	}
	return nil
}

// A result of another work is refused, and the step can be taken again.
func TestNoUpdateTwice(t *testing.T) {
	p := problem{strategy: "fedfix:delta=0.5", times: spread(t, 4, 50), clients: 4, local: small, horizon: 5}
	want := path(t, p.classify(t), 3)
	f := &faulty{}
	p.change = func(c *federated.Config) { f.Executor, c.Executor = c.Executor, f }
	e := p.classify(t)
	for _, change := range []func(*federated.Result){
		func(r *federated.Result) { r.Work-- },
		func(r *federated.Result) { r.Work++ },
		func(r *federated.Result) { r.Client++ },
		func(r *federated.Result) { r.Difference = r.Difference[1:] },
		func(r *federated.Result) { r.Steps = -1 },
	} {
		f.change = change
		for e.State().Contributions == 0 {
			if _, err := e.Step(t.Context()); errors.Is(err, federated.ErrUpdate) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if e.State().Contributions != 0 {
			t.Fatal("a wrong update is taken")
		}
	}
	f.change = nil
	got := path(t, e, 3)
	if fmt.Sprint(got[len(got)-1]) != fmt.Sprint(want[len(want)-1]) {
		t.Error("after refused updates the training differs")
	}
}

func TestCancelled(t *testing.T) {
	p := problem{strategy: "fedavg", times: spread(t, 4, 50), clients: 4, local: small, workers: 2}
	e := p.classify(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Step(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a step after the end of its context: %v", err)
	}
	if _, err := e.Step(t.Context()); err != nil || e.State().Round != 1 {
		t.Errorf("the step again: %v", err)
	}
}

// FedNova with equal steps is FedAvg; FedProx without a weight, too.
func TestSynchronousEquivalences(t *testing.T) {
	p := problem{strategy: "fedavg", times: spread(t, 5, 80), clients: 5, local: federated.Local{Steps: 6, Batch: 4, LearningRate: 0.1, Momentum: 0.5}}
	want := path(t, p.classify(t), 6)
	p.strategy = "fednova"
	for i, got := range path(t, p.classify(t), 6) {
		if !floats.EqualApprox(got, want[i], 1e-12) {
			t.Fatalf("round %d: FedNova with equal steps differs from FedAvg", i+1)
		}
	}
	p.strategy = "fedprox:mu=1e-300"
	if got := path(t, p.classify(t), 6); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Error("FedProx without a pull differs from FedAvg")
	}
	// With epochs the clients take different numbers of steps.
	p.strategy, p.local = "fedavg", federated.Local{Epochs: 1, Batch: 4, LearningRate: 0.1}
	plain := path(t, p.classify(t), 3)
	p.strategy = "fednova"
	if fmt.Sprint(plain) == fmt.Sprint(path(t, p.classify(t), 3)) {
		t.Error("FedNova with different numbers of steps is FedAvg")
	}
}

// Staleness of fixed times: with FedFix a contribution is as many ticks old as
// its client's work takes.
func TestStaleness(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		delta := rapid.Float64Range(0.05, 1.2).Draw(rt, "delta")
		times := spread(t, 7, rapid.IntRange(0, 99).Draw(rt, "percent"))
		p := problem{strategy: fmt.Sprintf("fedfix:delta=%g", delta), times: times, clients: 7, local: federated.Local{Steps: 1, LearningRate: 0.01}}
		e := p.quadratic(t, centres(7, 2, 1), nil)
		err := e.Until(t.Context(), 6, func(a *federated.Aggregation) error {
			for k, client := range a.Clients {
				if want := int(math.Ceil(times.Mean(client)/delta-1e-9)) - 1; a.Staleness[k] != want {
					return fmt.Errorf("client %d at tick %d: %d aggregations old, want %d", client, a.Tick, a.Staleness[k], want)
				}
			}
			return nil
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
}
