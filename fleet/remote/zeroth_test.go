package remote_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/descentml/descent/fleet/cluster"
	"github.com/descentml/descent/fleet/cluster/frame"
	"github.com/descentml/descent/fleet/cluster/link"
	"github.com/descentml/descent/fleet/federated/zeroth"
	"github.com/descentml/descent/fleet/federated/zeroth/problem"
	"github.com/descentml/descent/fleet/remote"
)

// The black boxes of the tests: five different quadratics of eight variables.
const boxClients, boxDim = 5, 8

func boxProblem() (*problem.Problem, error) {
	return problem.Quadratic(problem.Difference{Clients: boxClients, Dim: boxDim, C: 2, Seed: 3})
}

// newBox makes a client's black box, with the pause of the objective before each
// value.
func newBox(_ context.Context, objective json.RawMessage, client int) (remote.BlackBox, error) {
	var pause time.Duration
	if err := json.Unmarshal(objective, &pause); err != nil {
		return remote.BlackBox{}, err
	}
	p, err := boxProblem()
	if err != nil {
		return remote.BlackBox{}, err
	}
	f := p.Clients[client]
	return remote.BlackBox{Gradient: p.MeanGradient(), Function: func(ctx context.Context, x []float64) (float64, error) {
		time.Sleep(pause)
		return f(ctx, x)
	}}, nil
}

func boxPlan(s zeroth.Strategy) zeroth.Plan {
	p := zeroth.Default(s, boxDim, boxClients, 11)
	p.LocalSteps, p.Features, p.RoundPick, p.RoundDraw, p.Candidates, p.Active, p.Directions = 3, 100, 6, 30, 20, 2, 4
	p.Safeguard = s == zeroth.FZooS || s == zeroth.FedZO
	return p
}

// sameBoxes compares two servers to the last bit.
func sameBoxes(t *testing.T, what string, got, want zeroth.ServerState) {
	t.Helper()
	same := func(a, b []float64) bool {
		return slices.EqualFunc(a, b, func(v, w float64) bool { return math.Float64bits(v) == math.Float64bits(w) })
	}
	if got.Round != want.Round || got.Totals != want.Totals || !same(got.X, want.X) || !same(got.Shared, want.Shared) {
		t.Errorf("%s: %+v, in one process %+v", what, got, want)
	}
}

// TestBlackBoxes minimises on three worker processes, of which some are
// killed at random times and between rounds and started again, and lets a second
// coordinator go on from a state that is a round old. The end is that of an
// undisturbed minimisation in one process.
func TestBlackBoxes(t *testing.T) {
	const rounds = 5
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o700))
	start(t, "server", dir).line(t)
	names, workers := []string{"w0", "w1", "w2"}, map[string]*process{}
	for _, name := range names {
		workers[name] = start(t, "worker", dir, name, "0s")
	}
	conn, err := link.Connect(t.Context(), link.CoordinatorOf(dir))
	must(t, err)
	defer conn.Close()
	pool, err := cluster.NewPool(conn, cluster.PoolConfig{Log: quiet})
	must(t, err)
	defer pool.Close()
	must(t, pool.Wait(t.Context(), len(names)))
	p, err := boxProblem()
	must(t, err)
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 2))
	for _, strategy := range []zeroth.Strategy{zeroth.FZooS, zeroth.FedZO, zeroth.Scaffold1, zeroth.Scaffold2, zeroth.PRGF, zeroth.Oracle} {
		plan := boxPlan(strategy)
		local, err := zeroth.NewSimulation(plan, p.Clients, p.Start)
		must(t, err)
		for i := range p.Clients {
			local.Client(i).Gradient = p.MeanGradient()
		}
		must(t, local.Run(t.Context(), rounds, nil))
		config := remote.BlackBoxConfig{Job: string(strategy), Plan: plan, Objective: json.RawMessage("300000"), Workers: names, Start: p.Start}
		b, err := remote.NewBlackBoxes(pool, config)
		must(t, err)
		var snapshot []byte
		must(t, b.Run(t.Context(), 3, func(o zeroth.Observation) error {
			if o.Round < 3 {
				snapshot, err = b.Snapshot()
			}
			return err
		}))
		b.Close()

		config.Workers = []string{"w2", "w0"} // not where the clients are
		b, err = remote.NewBlackBoxes(pool, config)
		must(t, err)
		must(t, b.Restore(snapshot))
		ended := make(chan error, 1)
		go func() { ended <- b.Run(t.Context(), rounds-1, nil) }()
		time.Sleep(time.Duration(random.IntN(30)) * time.Millisecond)
		again := func(name string) {
			workers[name].kill()
			workers[name] = start(t, "worker", dir, name, "0s")
		}
		again(names[random.IntN(len(names))])
		must(t, <-ended)
		again(names[random.IntN(len(names))]) // between two rounds
		must(t, b.Run(t.Context(), rounds, nil))
		sameBoxes(t, string(strategy), b.Server().State(), local.Server().State())
		if files, _ := filepath.Glob(filepath.Join(dir, "clients-*", string(strategy)+"-*.state")); len(files) != boxClients {
			t.Errorf("%s: files %v, expected one for each client", strategy, files)
		}
		must(t, b.End(t.Context()))
		if files, _ := filepath.Glob(filepath.Join(dir, "clients-*", string(strategy)+"-*")); len(files) != 0 {
			t.Errorf("%s: left behind: %v", strategy, files)
		}
		b.Close()
	}
}

// boxHand gives tasks to a worker's task without a cluster.
type boxHand struct {
	t       *testing.T
	task    cluster.Task
	setup   []byte
	queries *int
	fail    *int // the query that fails
}

var errBroken = errors.New("the plant is on fire")

func newBoxHand(t *testing.T, dir string, plan zeroth.Plan) boxHand {
	h := boxHand{t: t, queries: new(int), fail: new(int)}
	var err error
	h.setup, err = json.Marshal(map[string]any{"plan": plan, "objective": 0})
	must(t, err)
	h.task = remote.BlackBoxTask(dir, func(ctx context.Context, objective json.RawMessage, client int) (remote.BlackBox, error) {
		box, err := newBox(ctx, objective, client)
		f := box.Function
		box.Function = func(ctx context.Context, x []float64) (float64, error) {
			if *h.queries++; *h.queries == *h.fail {
				return 0, errBroken
			}
			return f(ctx, x)
		}
		return box, err
	})
	return h
}

// give returns the answer as it is sent, and what it says of vain queries.
func (h boxHand) give(task zeroth.Task) (reply, arguments []byte, err error) {
	text, err := task.MarshalBinary()
	must(h.t, err)
	work := cluster.Work{ID: cluster.ID{Job: "plant"}, Arguments: []byte(`{"client":2}`), Shared: []frame.Tensor{frame.OfRaw(h.setup), frame.OfRaw(text)}}
	r, err := h.task(h.t.Context(), work)
	return r.Tensor.Data, r.Arguments, err
}

func (h boxHand) must(task zeroth.Task) []byte {
	h.t.Helper()
	reply, _, err := h.give(task)
	must(h.t, err)
	return reply
}

// refused expects a sentence, and no query.
func (h boxHand) refused(task zeroth.Task, want string) {
	h.t.Helper()
	before := *h.queries
	if _, _, err := h.give(task); err == nil || !strings.Contains(err.Error(), want) {
		h.t.Errorf("%v, want %q", err, want)
	}
	if *h.queries != before {
		h.t.Errorf("%d queries for a task that is refused", *h.queries-before)
	}
}

// A worker answers what it has answered without new queries, also after it was
// killed, and refuses what does not fit; all of that changes no later answer.
func TestBlackBoxTask(t *testing.T) {
	dir, plan := t.TempDir(), boxPlan(zeroth.FZooS)
	x := slices.Repeat([]float64{0.4}, boxDim)
	local, end := zeroth.Task{Phase: zeroth.Local, Round: 1, X: x}, zeroth.Task{Phase: zeroth.Share, Round: 1, X: x}
	h := newBoxHand(t, dir, plan)
	h.refused(end, "goes on only where its values are")
	first, second := h.must(local), h.must(end)
	asked := *h.queries

	h = newBoxHand(t, dir, plan) // killed and started again
	if !bytes.Equal(h.must(end), second) || !bytes.Equal(h.must(local), first) || *h.queries != 0 || asked == 0 {
		t.Errorf("answers again took %d queries, at first %d, or differ", *h.queries, asked)
	}
	spec := zeroth.Reply{}
	must(t, spec.UnmarshalBinary(second))
	next := zeroth.Task{Phase: zeroth.Local, Round: 2, X: x, Shared: spec.Shared, Features: spec.Features}
	other := next
	other.Features.Seed++
	h.refused(other, "weights of features")
	late := next
	late.Round = 4
	h.refused(late, "has come to round 1")
	newBoxHand(t, t.TempDir(), plan).refused(next, "goes on only where its values are")
	changed := plan
	changed.LearningRate *= 2
	newBoxHand(t, dir, changed).refused(next, "another plan or objective")

	*h.fail = 7
	if _, _, err := h.give(next); !errors.Is(err, errBroken) {
		t.Fatalf("%v, want %v", err, errBroken)
	}
	reply, arguments, err := h.give(next)
	must(t, err)
	if string(arguments) != `{"vain":7}` {
		t.Errorf("%s, want 7 queries in vain", arguments)
	}
	h.refused(zeroth.Task{Phase: zeroth.Local, Round: 1, X: x}, "has come to round 2")

	undisturbed := newBoxHand(t, t.TempDir(), plan)
	undisturbed.must(local)
	undisturbed.must(end)
	if !bytes.Equal(undisturbed.must(next), reply) {
		t.Error("the answer is another without disturbance")
	}
	files, err := os.ReadDir(dir)
	must(t, err)
	if info, err := files[0].Info(); err != nil || len(files) != 1 || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, expected one file for its owner alone: %v", files, err)
	}
	for _, bad := range []string{"", `{"client":9}`, `{"client":2}`} {
		if _, err := h.task(t.Context(), cluster.Work{Arguments: []byte(bad), Shared: []frame.Tensor{frame.OfRaw([]byte("{}"))}}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// A worker with very many clients lets go of those that it used longest ago, and
// reads them from their files again.
func TestManyBlackBoxes(t *testing.T) {
	const many = 300
	plan := zeroth.Default(zeroth.FedZO, 1, many, 1)
	plan.LocalSteps = 1
	setup, err := json.Marshal(map[string]any{"plan": plan})
	must(t, err)
	text, err := (&zeroth.Task{Phase: zeroth.Local, Round: 1, X: []float64{0.5}}).MarshalBinary()
	must(t, err)
	closed, queries := 0, 0
	task := remote.BlackBoxTask(t.TempDir(), func(context.Context, json.RawMessage, int) (remote.BlackBox, error) {
		return remote.BlackBox{Close: func() { closed++ }, Function: func(_ context.Context, x []float64) (float64, error) {
			queries++
			return x[0], nil
		}}, nil
	})
	ask := func(i int) []byte {
		r, err := task(t.Context(), cluster.Work{ID: cluster.ID{Job: "many"}, Arguments: fmt.Appendf(nil, `{"client":%d}`, i), Shared: []frame.Tensor{frame.OfRaw(setup), frame.OfRaw(text)}})
		must(t, err)
		return r.Tensor.Data
	}
	first := ask(0)
	for i := 1; i < many; i++ {
		ask(i)
	}
	asked := queries
	if !bytes.Equal(ask(0), first) || queries != asked || closed != many-256+1 {
		t.Errorf("%d clients let go, %d queries again: expected %d and none, and the same answer", closed, queries-asked, many-256+1)
	}
}

// Clients of black boxes are four quadratics here, on a worker of a fleet.
func ExampleBlackBoxes() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	dir, _ := os.MkdirTemp("", "clients-")
	defer os.RemoveAll(dir)
	server, err := link.StartServer(link.ServerConfig{Log: quiet})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	theirs, _ := link.Connect(ctx, server.Worker()) // in the worker's process
	go cluster.Serve(ctx, theirs, cluster.Worker{Name: "w00", Log: quiet, Tasks: cluster.Tasks{remote.BlackBoxName: remote.BlackBoxTask(dir, newBox)}})

	ours, _ := server.Connect(ctx, "coordinator", "")
	pool, _ := cluster.NewPool(ours, cluster.PoolConfig{Log: quiet})
	defer pool.Close()
	p, _ := boxProblem()
	plan := zeroth.Default(zeroth.FZooS, boxDim, boxClients, 1)
	plan.Features = 300
	b, err := remote.NewBlackBoxes(pool, remote.BlackBoxConfig{Job: "example", Plan: plan, Objective: []byte("0"), Workers: []string{"w00"}, Start: p.Start})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	err = b.Run(ctx, 5, nil)
	value, _ := p.Value(ctx, b.Server().State().X)
	fmt.Println("near the minimum:", value-p.Minimum < 0.1, err)
	// Output: near the minimum: true <nil>
}
