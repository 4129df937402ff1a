package observe_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/descentml/descent/fleet/cluster"
	"github.com/descentml/descent/fleet/cluster/link"
	"github.com/descentml/descent/web/observe"
)

var quiet = slog.New(slog.DiscardHandler)

// A real fleet: a server, a coordinator with a job, and a worker.
func TestFleets(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	server, err := link.StartServer(link.ServerConfig{Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() }) // after the worker's end
	o := observe.New(func() []link.Address { return []link.Address{link.CoordinatorOf(server.Dir())} })
	defer o.Close()
	fleets, err := o.Fleets(ctx)
	if err != nil || len(fleets) != 1 || len(fleets[0].Workers) != 0 || len(fleets[0].Jobs) != 0 {
		t.Fatalf("an empty server: %+v, error %v", fleets, err)
	}
	conn, err := server.Connect(ctx, "coordinator", "")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	pool, err := cluster.NewPool(conn, cluster.PoolConfig{Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	work(ctx, t, server)
	if err := pool.Wait(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if reply, err := pool.Do(ctx, cluster.Call{ID: cluster.ID{Job: "job-1"}, Task: "nothing"}); err != nil || reply.Err != nil {
		t.Fatal(err, reply.Err)
	}
	pool.Report(cluster.Progress{Job: "job-1", Round: 2, Rounds: 5, Stragglers: []string{"w07"}})
	for { // the worker's next heartbeat
		if fleets, err = o.Fleets(ctx); err != nil {
			t.Fatal(err)
		}
		if len(fleets[0].Workers) > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	// One who goes away harms no connection.
	gone, leave := context.WithCancel(ctx)
	leave()
	if again, err := o.Fleets(gone); err != nil || len(again) != 1 {
		t.Errorf("asked again: %+v, error %v", again, err)
	}
	f := fleets[0]
	if w := f.Workers[0]; len(f.Workers) != 1 || w.Name != "w07" || !w.Alive || w.Answers != 1 || f.Alive() != 1 {
		t.Errorf("workers %+v", f.Workers)
	}
	if len(f.Jobs) != 1 || f.Jobs[0].Rounds != 5 || !f.Straggler("w07") || f.Straggler("w08") {
		t.Errorf("jobs %+v", f.Jobs)
	}
}

// work starts the worker w07.
func work(ctx context.Context, t *testing.T, server *link.Server) {
	t.Helper()
	conn, err := link.Connect(ctx, server.Worker())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		nothing := func(context.Context, cluster.Work) (cluster.Result, error) { return cluster.Result{}, nil }
		ended <- cluster.Serve(ctx, conn, cluster.Worker{Name: "w07", Tasks: cluster.Tasks{"nothing": nothing}, Log: quiet})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		conn.Close()
	})
}

func TestUnreachable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "server")
	server, err := link.StartServer(link.ServerConfig{Dir: dir, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	o := observe.New(func() []link.Address { return []link.Address{link.CoordinatorOf(dir)} })
	defer o.Close()
	if fleets, err := o.Fleets(t.Context()); err == nil || errors.Is(err, observe.ErrNone) || len(fleets) != 0 {
		t.Errorf("a server that is down: %+v, error %v", fleets, err)
	}
}

func Example() {
	o := observe.New(func() []link.Address { return nil })
	defer o.Close()
	_, err := o.Fleets(context.Background())
	fmt.Println(err)
	// Output: no fleet is up
}
