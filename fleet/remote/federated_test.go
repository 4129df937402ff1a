package remote_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/descentml/descent/fleet/cluster"
	"github.com/descentml/descent/fleet/cluster/link"
	"github.com/descentml/descent/fleet/federated"
	"github.com/descentml/descent/fleet/remote"
)

// The federated training of the tests: clients with quadratic losses.
const (
	clients = 8
	horizon = 30.0
)

func newClient(context.Context, json.RawMessage) (federated.Client, error) {
	q, err := quadratic()
	if err != nil {
		return nil, err
	}
	return federated.NewTrainer(q, federated.Singles(clients), nil)
}

func quadratic() (*federated.Quadratic, error) {
	random := rand.New(rand.NewPCG(5, 5))
	centres := make([][]float64, clients)
	for i := range centres {
		for range 50 {
			centres[i] = append(centres[i], random.NormFloat64())
		}
	}
	return federated.NewQuadratic(centres, nil)
}

func newEngine(ctx context.Context, executor federated.Executor) (*federated.Engine, error) {
	times, err := federated.NewSpread(clients, 80)
	if err != nil {
		return nil, err
	}
	strategy, err := federated.ParseStrategy("fedfix:delta=0.5")
	if err != nil {
		return nil, err
	}
	c := federated.Config{Clients: clients, Local: federated.Local{Steps: 3, LearningRate: 0.05}, Executor: executor, Seed: 9}
	if err := strategy.Configure(ctx, &c, times, horizon); err != nil {
		return nil, err
	}
	return federated.NewEngine(c, make([]float64, 50))
}

// summary is what a training came to: the bits of the weights, and counts.
func summary(e *federated.Engine) string {
	s := e.State()
	var b []byte
	for _, x := range s.Parameters {
		b = fmt.Appendf(b, "%016x", math.Float64bits(x))
	}
	return fmt.Sprintf("end %d %d %v %s", s.Round, s.Contributions, s.Works, hex.EncodeToString(b))
}

// beCoordinator runs the federated training with a server of its own in the
// folder, from where it stands, and prints a line for every aggregation.
func beCoordinator(ctx context.Context, dir string) error {
	server, err := link.StartServer(link.ServerConfig{Dir: dir, Log: quiet})
	if err != nil {
		return err
	}
	defer server.Close()
	conn, err := server.Connect(ctx, "coordinator", "")
	if err != nil {
		return err
	}
	defer conn.Close()
	pool, err := cluster.NewPool(conn, cluster.PoolConfig{Log: quiet})
	if err != nil {
		return err
	}
	defer pool.Close()
	journal, err := cluster.OpenJournal(ctx, conn, "federated")
	if err != nil {
		return err
	}
	executor := remote.NewFederated(pool, "federated", []byte("{}"), journal, quiet)
	engine, err := newEngine(ctx, executor)
	if err != nil {
		return err
	}
	round, err := executor.Resume(engine)
	if err != nil {
		return err
	}
	fmt.Println("begin", round, len(journal.Saved().Results))
	err = engine.Until(ctx, horizon, func(a *federated.Aggregation) error {
		fmt.Println("round", a.Round)
		if a.Round%3 != 0 { // so that there are results after the checkpoint
			return nil
		}
		return executor.Checkpoint(ctx, engine)
	})
	if err != nil {
		return err
	}
	fmt.Println(summary(engine))
	<-ctx.Done()
	return nil
}

// TestKilledCoordinator kills the coordinator with the server inside it at random
// times. It goes on from its last checkpoint and the results on disk, and the end
// is that of an undisturbed training: every update counts once.
func TestKilledCoordinator(t *testing.T) {
	client, err := newClient(t.Context(), nil)
	must(t, err)
	local, err := federated.NewPool(client)
	must(t, err)
	reference, err := newEngine(t.Context(), local)
	must(t, err)
	must(t, reference.Until(t.Context(), horizon, nil))
	want := summary(reference)

	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o700))
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	c := start(t, "coordinator", dir)
	c.line(t)
	for i := range 3 {
		start(t, "worker", dir, fmt.Sprintf("w%d", i), "2ms")
	}
	resumed, saved := 0, 0
	for range 3 {
		for range 5 + random.IntN(10) {
			c.line(t)
		}
		time.Sleep(time.Duration(random.IntN(5)) * time.Millisecond)
		c.kill()
		c = start(t, "coordinator", dir)
		var round, results int
		if _, err := fmt.Sscanf(c.line(t), "begin %d %d", &round, &results); err != nil {
			t.Fatal(err)
		}
		resumed, saved = max(resumed, round), saved+results
	}
	got := c.line(t)
	for ; !strings.HasPrefix(got, "end"); got = c.line(t) {
	}
	if got != want {
		t.Errorf("with kills: %.60s\nwithout:    %.60s", got, want)
	}
	if resumed == 0 {
		t.Error("no coordinator went on from a checkpoint")
	}
	t.Logf("the last coordinator went on from round %d; %d results were taken from disk", resumed, saved)
}
