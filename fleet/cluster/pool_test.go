package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/descentml/descent/fleet/cluster"
	"github.com/descentml/descent/fleet/cluster/frame"
	"github.com/descentml/descent/fleet/cluster/link"
)

// records is a log that tests read.
type records struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (r *records) Write(p []byte) (int, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.text.Write(p)
}

func (r *records) String() string {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.text.String()
}

func (r *records) logger() *slog.Logger { return slog.New(slog.NewTextHandler(r, nil)) }

func (r *records) holds(t *testing.T, words string) {
	t.Helper()
	eventually(t, "the log holds "+words, func() bool { return strings.Contains(r.String(), words) })
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came to be that %s", what)
		}
	}
}

// fleet is a server with a pool and what they log.
type fleet struct {
	server *link.Server
	conn   *link.Conn
	pool   *cluster.Pool
	log    *records
}

func newFleet(t *testing.T, server link.ServerConfig, pool cluster.PoolConfig) *fleet {
	t.Helper()
	f := &fleet{log: &records{}}
	server.Log, pool.Log = f.log.logger(), f.log.logger()
	var err error
	f.server, err = link.StartServer(server)
	must(t, err)
	t.Cleanup(func() { must(t, f.server.Close()) })
	f.conn, err = f.server.Connect(t.Context(), "test", "")
	must(t, err)
	t.Cleanup(f.conn.Close)
	f.pool, err = cluster.NewPool(f.conn, pool)
	must(t, err)
	t.Cleanup(f.pool.Close)
	return f
}

// work starts a worker over a socket; the function that is returned ends it.
func (f *fleet) work(t *testing.T, w cluster.Worker) (stop func()) {
	t.Helper()
	address := f.server.Worker()
	address.Log = f.log.logger()
	conn, err := link.Connect(t.Context(), address)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	w.Log = f.log.logger()
	served := make(chan error, 1)
	go func() { served <- cluster.Serve(ctx, conn, w) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-served; err != nil {
				t.Error(err)
			}
			conn.Close()
		})
	}
	t.Cleanup(stop)
	return stop
}

// double doubles the numbers of a call, and adds those that are shared.
func double(_ context.Context, w cluster.Work) (cluster.Result, error) {
	x, err := w.Tensor.Float32s()
	if err != nil {
		return cluster.Result{}, err
	}
	for i := range x {
		x[i] *= 2
		for _, s := range w.Shared {
			y, err := s.Float32s()
			if err != nil {
				return cluster.Result{}, err
			}
			x[i] += y[i]
		}
	}
	return cluster.Result{Arguments: w.Arguments, Tensor: frame.Of32(x)}, nil
}

func numbers(count int) []float32 {
	x := make([]float32, count)
	for i := range x {
		x[i] = float32(i % 1009)
	}
	return x
}

// TestSizes sends tensors that fit a message, need chunks, and are empty, alone
// and shared, on all ways.
func TestSizes(t *testing.T) {
	t.Run("short cut", func(t *testing.T) { testSizes(t, cluster.PoolConfig{}) })
	t.Run("short cut with TLS", func(t *testing.T) { testSizes(t, cluster.PoolConfig{Direct: "127.0.0.1:0"}) })
	t.Run("detour", func(t *testing.T) { testSizes(t, cluster.PoolConfig{Detour: true}) })
}

func testSizes(t *testing.T, config cluster.PoolConfig) {
	f := newFleet(t, link.ServerConfig{}, config)
	f.work(t, cluster.Worker{Name: "w00", Tasks: cluster.Tasks{"double": double}})
	must(t, f.pool.Wait(t.Context(), 1))
	for round, size := range []int{0, 1, 1000, 64 << 10, 64<<10 + 1, 1_500_001} {
		shared, err := f.pool.Share(frame.Of32(numbers(size)))
		must(t, err)
		reply, err := f.pool.Do(t.Context(), cluster.Call{
			ID: cluster.ID{Job: "sizes", Round: uint64(round)}, Task: "double", Arguments: []byte("x"),
			Tensor: frame.Of32(numbers(size)), Shared: []*cluster.Shared{shared}, Expect: frame.Layout{DType: frame.Float32, Shape: []int{size}},
		})
		must(t, err)
		shared.Release()
		got, err := reply.Tensor.Float32s()
		must(t, err)
		if len(got) != size || reply.Worker != "w00" || string(reply.Arguments) != "x" {
			t.Fatalf("size %d: %d numbers from %s", size, len(got), reply.Worker)
		}
		for i, x := range got {
			if x != 3*float32(i%1009) {
				t.Fatalf("size %d: number %d is %g: expected %g", size, i, x, 3*float32(i%1009))
			}
		}
		f.pool.Recycle(reply.Tensor)
	}
	if log := f.log.String(); strings.Contains(log, "go through NATS") {
		t.Errorf("large tensors did not take the short cut:\n%s", log)
	}
}

// TestBackpressure gives a worker many calls: it has no more than it may at a
// time, and all are answered.
func TestBackpressure(t *testing.T) {
	f := newFleet(t, link.ServerConfig{}, cluster.PoolConfig{InFlight: 3})
	var mutex sync.Mutex
	working, most := 0, 0
	f.work(t, cluster.Worker{Name: "w", Capacity: 2, Tasks: cluster.Tasks{"count": func(context.Context, cluster.Work) (cluster.Result, error) {
		mutex.Lock()
		working++
		most = max(most, working)
		if in := f.pool.Status().Workers[0].InFlight; in > 3 {
			t.Errorf("%d calls at the worker", in)
		}
		mutex.Unlock()
		time.Sleep(time.Millisecond)
		mutex.Lock()
		working--
		mutex.Unlock()
		return cluster.Result{}, nil
	}}})
	must(t, f.pool.Wait(t.Context(), 1))
	replies := make(chan cluster.Reply, 100)
	for i := range uint32(100) {
		must(t, f.pool.Start(cluster.Call{ID: cluster.ID{Job: "many", Part: i}, Task: "count"}, replies))
	}
	if err := f.pool.Start(cluster.Call{ID: cluster.ID{Job: "many", Part: 99}, Task: "count"}, replies); err == nil {
		t.Error("the same call twice")
	}
	parts := map[uint32]bool{}
	for range 100 {
		r := <-replies
		must(t, r.Err)
		parts[r.Part] = true
	}
	if len(parts) != 100 || most > 2 {
		t.Errorf("%d answers, %d tasks at a time with a capacity of 2", len(parts), most)
	}
}

// TestLostWorkers stops a worker that has calls, and sees another one get them.
func TestLostWorkers(t *testing.T) {
	f := newFleet(t, link.ServerConfig{}, cluster.PoolConfig{})
	started := make(chan struct{}, 2)
	stop := f.work(t, cluster.Worker{Name: "a", Tasks: cluster.Tasks{"t": func(ctx context.Context, _ cluster.Work) (cluster.Result, error) {
		started <- struct{}{}
		<-ctx.Done()
		return cluster.Result{}, ctx.Err()
	}}})
	must(t, f.pool.Wait(t.Context(), 1))
	replies := make(chan cluster.Reply, 1)
	must(t, f.pool.Start(cluster.Call{ID: cluster.ID{Job: "j"}, Task: "t"}, replies))
	<-started
	stop()
	f.log.holds(t, "worker is gone")
	f.work(t, cluster.Worker{Name: "b", Tasks: cluster.Tasks{"t": func(context.Context, cluster.Work) (cluster.Result, error) { return cluster.Result{}, nil }}})
	r := <-replies
	must(t, r.Err)
	if r.Worker != "b" {
		t.Errorf("answered by %s", r.Worker)
	}
	f.log.holds(t, "call is sent again")
}

func TestDeadlineAndCancel(t *testing.T) {
	f := newFleet(t, link.ServerConfig{}, cluster.PoolConfig{})
	started, ended := make(chan struct{}, 3), make(chan uint64, 3)
	f.work(t, cluster.Worker{Name: "w", Capacity: 3, Tasks: cluster.Tasks{"t": func(ctx context.Context, w cluster.Work) (cluster.Result, error) {
		started <- struct{}{}
		<-ctx.Done()
		ended <- w.Round
		return cluster.Result{}, ctx.Err()
	}}})
	must(t, f.pool.Wait(t.Context(), 1))
	if _, err := f.pool.Do(t.Context(), cluster.Call{ID: cluster.ID{Job: "j", Round: 1}, Task: "t", Deadline: 50 * time.Millisecond}); !errors.Is(err, cluster.ErrDeadline) {
		t.Fatalf("deadline: %v", err)
	}
	if round := <-ended; round != 1 {
		t.Fatalf("round %d ended", round)
	}
	replies := make(chan cluster.Reply, 2)
	for part := range uint32(2) {
		must(t, f.pool.Start(cluster.Call{ID: cluster.ID{Job: "j", Round: 2, Part: part}, Task: "t"}, replies))
	}
	for range 3 { // that of the first round too
		<-started
	}
	if parts := f.pool.CancelRound("j", 2); !slices.Equal(parts, []uint32{0, 1}) {
		t.Fatalf("parts %v were given up", parts)
	}
	if <-ended+<-ended != 4 {
		t.Fatal("other rounds ended")
	}
	f.pool.Close()
	if err := f.pool.Start(cluster.Call{ID: cluster.ID{Job: "j"}, Task: "t"}, replies); !errors.Is(err, cluster.ErrClosed) {
		t.Fatalf("closed pool: %v", err)
	}
	if len(replies) > 0 {
		t.Fatalf("replies to calls that were given up: %v", <-replies)
	}
}

func TestStatusAndMetrics(t *testing.T) {
	f := newFleet(t, link.ServerConfig{}, cluster.PoolConfig{})
	f.work(t, cluster.Worker{Name: "w", Info: []byte(`{"examples":3}`), Tasks: cluster.Tasks{"double": double}})
	must(t, f.pool.Wait(t.Context(), 1))
	for range 3 {
		_, err := f.pool.Do(t.Context(), cluster.Call{ID: cluster.ID{Job: "j"}, Task: "double", Tensor: frame.Of32(numbers(100_000))})
		must(t, err)
	}
	f.pool.Report(cluster.Progress{Job: "j", Round: 3, Rounds: 9, Stragglers: []string{"w"}})
	all, err := cluster.Ask(t.Context(), f.conn, 300*time.Millisecond)
	must(t, err)
	if len(all) != 1 || len(all[0].Jobs) != 1 || all[0].Jobs[0].Round != 3 || len(all[0].Workers) != 1 {
		t.Fatalf("status %+v", all)
	}
	if w := all[0].Workers[0]; w.Answers != 3 || !w.Alive || string(w.Info) != `{"examples":3}` || all[0].Received != 3*400_000 {
		t.Fatalf("worker %+v, %d bytes received", w, all[0].Received)
	}
	r := httptest.NewRecorder()
	f.pool.Metrics().ServeHTTP(r, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{"descent_fleet_answers_total 3", "descent_fleet_workers 1", "descent_fleet_tensor_received_bytes_total 1.2e+06", "descent_fleet_call_seconds_count 3"} {
		if !strings.Contains(r.Body.String(), line+"\n") {
			t.Errorf("metrics lack %q:\n%s", line, r.Body)
		}
	}
}
