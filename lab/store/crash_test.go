package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/descentml/descent/lab/store"
)

// The tests of this file run this test binary again as a second process, which
// plays the role that childRole names.
const (
	childRole = "DESCENT_STORE_TEST_ROLE" // "train" or "resume"
	childDir  = "DESCENT_STORE_TEST_DIR"
	childRun  = "DESCENT_STORE_TEST_RUN" // 0: a new run
)

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(childRole) {
	case "train":
		err = trainForever()
	case "resume":
		err = resumeOnce()
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child is a running second process.
type child struct {
	command *exec.Cmd
	input   io.WriteCloser
	output  *bufio.Scanner
}

func startChild(t *testing.T, role, dir string, run int64) child {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), childRole+"="+role, childDir+"="+dir, fmt.Sprintf("%s=%d", childRun, run))
	command.Stderr = os.Stderr
	input, err := command.StdinPipe()
	must(t, err)
	output, err := command.StdoutPipe()
	must(t, err)
	must(t, command.Start())
	t.Cleanup(func() { command.Process.Kill(); command.Wait() })
	return child{command, input, bufio.NewScanner(output)}
}

// line returns the next line that the child prints.
func (c child) line(t *testing.T) string {
	t.Helper()
	if !c.output.Scan() {
		t.Fatalf("the child ended: %v", c.output.Err())
	}
	return c.output.Text()
}

// openChild opens the store and the run that the environment names.
func openChild(ctx context.Context) (*store.Writer, *store.Store, error) {
	s, err := store.Open(os.Getenv(childDir))
	if err != nil {
		return nil, nil, err
	}
	id, err := strconv.ParseInt(os.Getenv(childRun), 10, 64)
	if err != nil {
		return nil, nil, err
	}
	if id == 0 {
		w, err := s.Create(ctx, "train", "child", nil)
		return w, s, err
	}
	w, err := s.Resume(ctx, id)
	return w, s, err
}

// trainForever trains a trial from its checkpoint on until it is killed. It
// prints what it knows to be recorded: "run 1", "checkpoint 8", "step 9".
func trainForever() error {
	ctx := context.Background()
	w, s, err := openChild(ctx)
	if err != nil {
		return err
	}
	fmt.Println("run", w.ID())
	trial, err := w.StartTrial(ctx, adam)
	if err != nil {
		return err
	}
	checkpoint, _, err := s.Checkpoint(ctx, trial.ID)
	if err != nil {
		return err
	}
	if err := w.Truncate(ctx, trial.ID, checkpoint.Step); err != nil {
		return err
	}
	for step := checkpoint.Step + 1; ; step++ {
		points := line(step, step)
		if err := w.Append(ctx, trial.ID, store.Series{Name: "train_loss", Points: points}, store.Series{Name: "gradient_norm", Points: points}); err != nil {
			return err
		}
		fmt.Println("step", step)
		if step%8 == 0 {
			if err := w.SaveCheckpoint(ctx, trial.ID, store.Checkpoint{Step: step, Blob: make([]byte, 50_000)}); err != nil {
				return err
			}
			fmt.Println("checkpoint", step)
		}
	}
}

func TestKilledWhileWriting(t *testing.T) {
	dir := t.TempDir()
	ctx := t.Context()
	random := rand.New(rand.NewPCG(1000, 0))
	watcher := open(t, dir) // open through all the kills
	var run int64
	rounds := 10
	if testing.Short() {
		rounds = 3
	}
	for range rounds {
		c := startChild(t, "train", dir, run)
		if _, err := fmt.Sscanf(c.line(t), "run %d", &run); err != nil {
			t.Fatal(err)
		}
		if got := state(t, watcher, run); got != store.Running {
			t.Fatalf("the run of a living process is %s", got)
		}
		acknowledged := map[string]int64{}
		for range 1 + random.IntN(60) {
			acknowledge(t, acknowledged, c.line(t))
		}
		must(t, c.command.Process.Kill())
		for c.output.Scan() { // what it printed before it died
			acknowledge(t, acknowledged, c.output.Text())
		}
		c.command.Wait()
		checkAfterKill(ctx, t, dir, run, acknowledged)
	}
}

func acknowledge(t *testing.T, acknowledged map[string]int64, line string) {
	t.Helper()
	what, number, _ := strings.Cut(line, " ")
	step, err := strconv.ParseInt(number, 10, 64)
	must(t, err)
	acknowledged[what] = step
}

// checkAfterKill opens the store anew: all that was acknowledged is there, and
// at most one step more, which the process recorded and did not live to tell.
func checkAfterKill(ctx context.Context, t *testing.T, dir string, run int64, acknowledged map[string]int64) {
	t.Helper()
	s, err := store.Open(dir)
	must(t, err)
	defer s.Close()
	checkIntegrity(t, dir)
	if got := state(t, s, run); got != store.Interrupted {
		t.Fatalf("the run of a killed process is %s", got)
	}
	trials, err := s.Trials(ctx, run)
	must(t, err)
	if len(trials) != 1 || trials[0].State != store.Interrupted {
		t.Fatalf("trials %+v, expected one interrupted", trials)
	}
	for _, name := range []string{"train_loss", "gradient_norm"} {
		points, err := s.Series(ctx, trials[0].ID, name)
		must(t, err)
		last := int64(len(points))
		if last < acknowledged["step"] || last > acknowledged["step"]+1 {
			t.Fatalf("%d points in %s, acknowledged %d", last, name, acknowledged["step"])
		}
		wantPoints(t, s, trials[0].ID, name, line(1, last))
	}
	checkpoint, _, err := s.Checkpoint(ctx, trials[0].ID)
	must(t, err)
	if checkpoint.Step < acknowledged["checkpoint"] {
		t.Fatalf("checkpoint of step %d, acknowledged %d", checkpoint.Step, acknowledged["checkpoint"])
	}
}

// resumeOnce says "ready", resumes the run when told to, says "won" or "live",
// and holds what it won until its input ends.
func resumeOnce() error {
	fmt.Println("ready")
	input := bufio.NewReader(os.Stdin)
	if _, err := input.ReadString('\n'); err != nil {
		return err
	}
	_, _, err := openChild(context.Background())
	switch {
	case err == nil:
		fmt.Println("won")
	case errors.Is(err, store.ErrLive):
		fmt.Println("live")
	default:
		return err
	}
	_, err = io.Copy(io.Discard, input)
	return err
}

// Of processes that resume one run at once, one gets it, also while another
// process lists the runs again and again.
func TestResumeRace(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	w := create(t, s, "train")
	must(t, w.Close())
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	listing := make(chan error)
	go func() {
		var err error
		for err == nil {
			_, err = s.Runs(ctx, store.Filter{})
		}
		listing <- err
	}()
	for range 5 {
		children := []child{startChild(t, "resume", dir, w.ID()), startChild(t, "resume", dir, w.ID())}
		for _, c := range children {
			c.line(t)
		}
		for _, c := range children {
			_, err := io.WriteString(c.input, "go\n")
			must(t, err)
		}
		answers := children[0].line(t) + " " + children[1].line(t)
		if answers != "won live" && answers != "live won" {
			t.Fatalf("the processes said %q, expected one to win", answers)
		}
		for _, c := range children {
			must(t, c.input.Close())
			must(t, c.command.Wait())
		}
	}
	stop()
	if err := <-listing; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
