package remote_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/descentml/descent/fleet/cluster"
	"github.com/descentml/descent/fleet/cluster/link"
	"github.com/descentml/descent/fleet/remote"
)

// The tests of this package run this test binary again as server, workers and
// coordinator; role says as what, in words with spaces between.
const role = "DESCENT_REMOTE_TEST_ROLE"

func TestMain(m *testing.M) {
	words := strings.Fields(os.Getenv(role))
	if len(words) == 0 {
		os.Exit(m.Run())
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() { // ends with the test, however that ends
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	var err error
	switch words[0] {
	case "server":
		err = beServer(ctx, words[1])
	case "worker":
		err = beWorker(ctx, words[1], words[2], words[3])
	case "coordinator":
		err = beCoordinator(ctx, words[1])
	}
	if err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, words, err)
		os.Exit(1)
	}
}

var quiet = slog.New(slog.DiscardHandler)

func beServer(ctx context.Context, dir string) error {
	server, err := link.StartServer(link.ServerConfig{Dir: dir, Log: quiet})
	if err != nil {
		return err
	}
	fmt.Println(server.URL())
	<-ctx.Done()
	return server.Close()
}

// beWorker serves all tasks; a slow one sleeps before some of them.
func beWorker(ctx context.Context, dir, name, slow string) error {
	a := link.WorkerOf(dir)
	a.Patience, a.Log = 20*time.Second, quiet
	conn, err := link.Connect(ctx, a)
	if err != nil {
		return err
	}
	defer conn.Close()
	sleep, err := time.ParseDuration(slow)
	if err != nil {
		return err
	}
	slowly := func(task cluster.Task) cluster.Task {
		return func(ctx context.Context, w cluster.Work) (cluster.Result, error) {
			if rand.New(rand.NewPCG(w.Round, uint64(w.Part))).IntN(2) == 0 {
				time.Sleep(sleep)
			}
			return task(ctx, w)
		}
	}
	return cluster.Serve(ctx, conn, cluster.Worker{Name: name, Log: quiet, Tasks: cluster.Tasks{
		remote.CodedName:     slowly(remote.CodedTask(newGradients)),
		remote.FederatedName: slowly(remote.FederatedTask(newClient)),
		remote.BlackBoxName:  slowly(remote.BlackBoxTask(filepath.Join(dir, "clients-"+name), newBox)),
	}})
}

// process is one of the other processes of a test.
type process struct {
	command *exec.Cmd
	input   io.WriteCloser
	lines   *bufio.Scanner
}

func start(t *testing.T, words ...string) *process {
	t.Helper()
	p := &process{command: exec.Command(os.Args[0])}
	p.command.Env = append(os.Environ(), role+"="+strings.Join(words, " "), "GOMAXPROCS=1")
	p.command.Stderr = os.Stderr
	var err error
	p.input, err = p.command.StdinPipe()
	must(t, err)
	output, err := p.command.StdoutPipe()
	must(t, err)
	p.lines = bufio.NewScanner(output)
	p.lines.Buffer(nil, 1<<20)
	must(t, p.command.Start())
	t.Cleanup(p.kill)
	return p
}

// kill is kill -9.
func (p *process) kill() {
	_ = p.command.Process.Kill() // it may have ended
	_ = p.command.Wait()
}

func (p *process) line(t *testing.T) string {
	t.Helper()
	if !p.lines.Scan() {
		t.Fatalf("a process ended: %v", p.lines.Err())
	}
	return p.lines.Text()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lockedBuffer is a log that is written by several goroutines.
type lockedBuffer struct {
	mutex sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) has(words string) bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return strings.Contains(b.Buffer.String(), words)
}
