package cluster_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/descentml/descent/fleet/cluster"
	"github.com/descentml/descent/fleet/cluster/frame"
	"github.com/descentml/descent/fleet/cluster/link"
)

func writeFile(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, []byte(text), mode))
	return file
}

// refuses tells whether an error says what it should.
func refuses(t *testing.T, what string, err error, words string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("%s: %v, expected a refusal with %q", what, err, words)
	}
}

// TestTLS works over TLS, and with a token in a configuration file.
func TestTLS(t *testing.T) {
	f := newFleet(t, link.ServerConfig{SelfSigned: true, Listen: "0.0.0.0:0"}, cluster.PoolConfig{})
	address := f.server.Worker()
	if !strings.HasPrefix(address.URL, "tls://") || address.CA == "" {
		t.Fatalf("address %+v", address)
	}
	f.work(t, cluster.Worker{Name: "w", Tasks: cluster.Tasks{"double": double}})
	must(t, f.pool.Wait(t.Context(), 1))
	_, err := f.pool.Do(t.Context(), cluster.Call{ID: cluster.ID{Job: "tls"}, Task: "double", Tensor: frame.Of32(numbers(200_000))})
	must(t, err)
	address.CA = ""
	_, err = link.Connect(t.Context(), address)
	refuses(t, "an unknown authority", err, "certificate")
	stranger := newFleet(t, link.ServerConfig{SelfSigned: true}, cluster.PoolConfig{})
	address.CA = stranger.server.Worker().CA
	_, err = link.Connect(t.Context(), address)
	refuses(t, "another authority", err, "certificate")
}

// TestKeys runs a server with the configuration that Keys writes.
func TestKeys(t *testing.T) {
	dir := privateDir(t)
	block, err := link.Keys(dir)
	must(t, err)
	s, err := link.StartServer(link.ServerConfig{Dir: privateDir(t), NATSConfig: writeFile(t, "listen: 127.0.0.1:-1\njetstream {}\n"+block, 0o600)})
	must(t, err)
	defer s.Close()
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	quiet := (&records{}).logger()
	coordinator, err := link.Connect(ctx, link.Address{URL: s.URL(), Credential: filepath.Join(dir, "coordinator.creds"), Log: quiet})
	must(t, err)
	defer coordinator.Close()
	worker, err := link.Connect(ctx, link.Address{URL: s.URL(), Credential: filepath.Join(dir, "worker.creds"), Log: quiet})
	must(t, err)
	defer worker.Close()
	served := make(chan error, 1)
	go func() {
		served <- cluster.Serve(ctx, worker, cluster.Worker{Name: "w", Tasks: cluster.Tasks{"double": double}, Log: quiet})
	}()
	pool, err := cluster.NewPool(coordinator, cluster.PoolConfig{Log: quiet})
	must(t, err)
	defer pool.Close()
	_, err = pool.Do(ctx, cluster.Call{ID: cluster.ID{Job: "j"}, Task: "double", Tensor: frame.Of32(numbers(300_000))})
	must(t, err)
	_, err = cluster.OpenJournal(ctx, coordinator, "j")
	must(t, err)
	short, stopShort := context.WithTimeout(ctx, 200*time.Millisecond)
	defer stopShort()
	if _, err := cluster.OpenJournal(short, worker, "j"); err == nil {
		t.Error("a worker opened a journal")
	}
	again, err := link.Keys(dir)
	if err != nil || again != block {
		t.Errorf("the keys changed: %v", err)
	}
	stop()
	must(t, <-served)
}

func privateDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o700))
	return dir
}

// TestWorkersMayOnlyAnswer tries with a worker's credential what coordinators do.
func TestWorkersMayOnlyAnswer(t *testing.T) {
	f := newFleet(t, link.ServerConfig{}, cluster.PoolConfig{})
	address := f.server.Worker()
	address.Log = f.log.logger()
	conn, err := link.Connect(t.Context(), address)
	must(t, err)
	defer conn.Close()
	ctx, stop := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer stop()
	if _, err := cluster.OpenJournal(ctx, conn, "job"); err == nil {
		t.Error("a worker opened a journal")
	}
	denied := make(chan string, 100)
	raw := rawConn(t, f, f.server.Worker(), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { denied <- err.Error() }))
	for _, subject := range []string{"descent.task.w.x", "descent.hello", "descent.status", "descent.drop", "$JS.API.STREAM.DELETE.DESCENT_JOURNAL", "descent.journal.job.log"} {
		must(t, raw.Publish(subject, []byte("x")))
		must(t, raw.Flush())
		if got := <-denied; !strings.Contains(got, "Permissions Violation for Publish") {
			t.Errorf("publishing on %s: %s", subject, got)
		}
	}
	for _, subject := range []string{"descent.reply.>", "descent.heartbeat.>", ">"} {
		_, err := raw.Subscribe(subject, func(*nats.Msg) {})
		must(t, err)
		must(t, raw.Flush())
		if got := <-denied; !strings.Contains(got, "Permissions Violation for Subscription") {
			t.Errorf("listening on %s: %s", subject, got)
		}
	}
}

// rawConn is a connection of somebody who writes messages by hand.
func rawConn(t *testing.T, f *fleet, a link.Address, options ...nats.Option) *nats.Conn {
	t.Helper()
	key, err := nats.NkeyOptionFromSeed(a.Credential)
	must(t, err)
	raw, err := nats.Connect(f.server.URL(), append(options, key)...)
	must(t, err)
	t.Cleanup(raw.Close)
	return raw
}

// TestAnswersRefused sends a pool what it must not take while a call waits, and
// sees each refused, logged, counted and without effect.
func TestAnswersRefused(t *testing.T) {
	f := newFleet(t, link.ServerConfig{}, cluster.PoolConfig{})
	hold := make(chan struct{})
	f.work(t, cluster.Worker{Name: "w", Tasks: cluster.Tasks{"wait": func(ctx context.Context, w cluster.Work) (cluster.Result, error) {
		if w.Round == 1 {
			select {
			case <-hold:
			case <-ctx.Done():
			}
		}
		return cluster.Result{Tensor: frame.Of64([]float64{1, 2})}, nil
	}}})
	must(t, f.pool.Wait(t.Context(), 1))
	raw := rawConn(t, f, link.CoordinatorOf(f.server.Dir()))
	subject := "descent.reply." + f.pool.Status().Coordinator
	seen := make(chan *nats.Msg, 10)
	_, err := raw.ChanSubscribe(subject, seen)
	must(t, err)
	calls := make(chan *nats.Msg, 10)
	_, err = raw.ChanSubscribe("descent.task.>", calls)
	must(t, err)
	must(t, raw.Flush())

	// A first call is answered; then everything below comes while the second waits.
	expect := frame.Layout{DType: frame.Float64, Shape: []int{2}}
	_, err = f.pool.Do(t.Context(), cluster.Call{ID: cluster.ID{Job: "j", Round: 0}, Task: "wait", Expect: expect})
	must(t, err)
	answered, firstCall := <-seen, <-calls
	replies := make(chan cluster.Reply, 2)
	must(t, f.pool.Start(cluster.Call{ID: cluster.ID{Job: "j", Round: 1}, Task: "wait", Expect: expect}, replies))
	second := <-calls
	asked, err := frame.Decode(second.Data)
	must(t, err)

	forge := func(change func(*frame.Frame)) []byte {
		answer := frame.Frame{Kind: frame.Reply, Job: "j", Task: "wait", Round: 1, Attempt: asked.Attempt, Arguments: make([]byte, 8), Tensor: frame.Of64([]float64{6, 6})}
		change(&answer)
		wire, err := frame.Append(nil, &answer)
		must(t, err)
		return wire
	}
	damaged := slices.Clone(answered.Data)
	damaged[len(damaged)-1] ^= 1
	badType := slices.Clone(answered.Data)
	badType[6] = 77
	refused := f.pool.Status().Refused
	for _, c := range []struct {
		reason string
		wire   []byte
		from   string
	}{
		{"size", nil, "nobody"},
		{"size", answered.Data[:20], "nobody"},
		{"magic", append([]byte("JUNK"), answered.Data[4:]...), "nobody"},
		{"checksum", damaged, answered.Reply},
		{"checksum", badType, answered.Reply},
		{"kind", forge(func(f *frame.Frame) { f.Kind = frame.Heartbeat }), answered.Reply},
		{"late or replayed", answered.Data, answered.Reply},
		{"late or replayed", forge(func(f *frame.Frame) { f.Attempt++ }), answered.Reply},
		{"late or replayed", forge(func(f *frame.Frame) { f.Round = 9 }), answered.Reply},
		{"late or replayed", forge(func(f *frame.Frame) { f.Job = "other" }), answered.Reply},
		{"not from the worker that was asked", forge(func(*frame.Frame) {}), "somebody"},
		{"not from the worker that was asked", forge(func(f *frame.Frame) { f.Task = "another" }), answered.Reply},
	} {
		must(t, raw.PublishRequest(subject, c.from, c.wire))
		refused++
		eventually(t, "a message is refused for its "+c.reason, func() bool { return f.pool.Status().Refused == refused })
		f.log.holds(t, c.reason)
	}
	// An answer of the wrong type or shape makes the worker be asked again.
	for _, c := range []struct {
		reason string
		tensor frame.Tensor
	}{{"dtype", frame.Of32([]float32{1, 2})}, {"shape", frame.Of64([]float64{1, 2, 3})}} {
		wire := forge(func(f *frame.Frame) { f.Tensor = c.tensor })
		must(t, raw.PublishRequest(subject, answered.Reply, wire))
		f.log.holds(t, "its answer has the wrong "+c.reason)
		again, err := frame.Decode((<-calls).Data)
		must(t, err)
		asked.Attempt = again.Attempt
	}
	// The worker refuses calls that it has had, or that are none.
	task := firstCall.Subject
	must(t, raw.PublishRequest(task, firstCall.Reply, firstCall.Data))
	f.log.holds(t, "reason=replayed")
	must(t, raw.PublishRequest(task, firstCall.Reply, damaged))
	f.log.holds(t, "call refused")
	must(t, raw.Publish(task, firstCall.Data))
	f.log.holds(t, "no reply")

	close(hold)
	r := <-replies
	must(t, r.Err)
	got, err := r.Tensor.Float64s()
	must(t, err)
	if !slices.Equal(got, []float64{1, 2}) || len(replies) > 0 {
		t.Fatalf("the call ended with %v and %d more", got, len(replies))
	}
}

// TestUnknownTask asks for what the worker does not do.
func TestUnknownTask(t *testing.T) {
	f := newFleet(t, link.ServerConfig{}, cluster.PoolConfig{})
	f.work(t, cluster.Worker{Name: "w", Tasks: cluster.Tasks{"double": double, "panic": func(context.Context, cluster.Work) (cluster.Result, error) { panic("oh") }}})
	must(t, f.pool.Wait(t.Context(), 1))
	for _, c := range []struct{ task, words string }{{"rm", "unknown task"}, {"panic", "broke down: oh"}} {
		_, err := f.pool.Do(t.Context(), cluster.Call{ID: cluster.ID{Job: "j"}, Worker: "w", Task: c.task})
		var failed *cluster.TaskError
		if !errors.As(err, &failed) || failed.Worker != "w" {
			t.Fatalf("%s: %v", c.task, err)
		}
		refuses(t, c.task, err, c.words)
		f.log.holds(t, c.words)
	}
	// It works on.
	_, err := f.pool.Do(t.Context(), cluster.Call{ID: cluster.ID{Job: "j"}, Task: "double", Tensor: frame.Of32([]float32{1})})
	must(t, err)
}

// TestStreamsAskForTheSecret connects to the port for large tensors without it.
func TestStreamsAskForTheSecret(t *testing.T) {
	f := newFleet(t, link.ServerConfig{}, cluster.PoolConfig{})
	raw := rawConn(t, f, link.CoordinatorOf(f.server.Dir()))
	calls := make(chan *nats.Msg, 1)
	_, err := raw.ChanSubscribe("descent.task.>", calls)
	must(t, err)
	must(t, raw.Flush())
	f.work(t, cluster.Worker{Name: "w", Tasks: cluster.Tasks{"double": double}})
	must(t, f.pool.Wait(t.Context(), 1))
	_, err = f.pool.Do(t.Context(), cluster.Call{ID: cluster.ID{Job: "j"}, Task: "double", Tensor: frame.Of32([]float32{1})})
	must(t, err)
	call, err := frame.Decode((<-calls).Data)
	must(t, err)
	address, _, found := strings.Cut(string(call.Arguments[9:]), " ")
	if !found {
		t.Fatalf("a call without an address: %q", call.Arguments)
	}
	conn, err := net.Dial("tcp", address)
	must(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte(strings.Repeat("x", 24) + "g" + strings.Repeat("y", 24)))
	must(t, err)
	if n, err := conn.Read(make([]byte, 8)); err == nil {
		t.Errorf("%d bytes without the secret", n)
	}
	f.log.holds(t, "connection for tensors refused")
}
