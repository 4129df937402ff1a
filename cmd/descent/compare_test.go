package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/descentml/descent/lab/store"
)

func TestCompareIsTheSameForAnyNumberOfWorkers(t *testing.T) {
	one := compared(t, succeed(t, small(t.TempDir(), "--workers", "1")...).stdout)
	two := compared(t, succeed(t, small(t.TempDir(), "--workers", "2")...).stdout)
	sameReport(t, two, one)
	if len(one.Results) != 3 || one.Data.Name != "iris" || one.Data.Train != 90 || one.Data.Classes != 3 {
		t.Errorf("report %+v: want three methods on iris with 90 training examples", one)
	}
	for _, r := range one.Results {
		if r.TestScore == nil || r.TestScore.Mean < 0.5 || r.TrainLoss == nil {
			t.Errorf("%s learned nothing: %+v", r.Method, r)
		}
	}
}

func TestCompareInFloat64AndOnATimeBudget(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short: it trains for a given time")
	}
	r := compared(t, succeed(t, "compare", "--store", t.TempDir(), "--data", "wine", "--model", "linear", "--dtype", "float64",
		"--methods", "adam", "--epochs", "0", "--time", "50ms", "--seeds", "1", "--json").stdout)
	if r.Results[0].TestScore.Mean < 0.8 {
		t.Errorf("test accuracy %g on wine, want above 0.8", r.Results[0].TestScore.Mean)
	}
}

func TestCompareRegression(t *testing.T) {
	r := compared(t, succeed(t, "compare", "--store", t.TempDir(), "--data", "diabetes", "--model", "linear",
		"--methods", "sgd,adam", "--seeds", "2", "--epochs", "10", "--schedule", "cosine:warmup=10", "--json").stdout)
	if r.Score != "R²" || r.Data.Classes != 0 {
		t.Errorf("score %q and %d classes, want R² and none", r.Score, r.Data.Classes)
	}
	for _, result := range r.Results {
		if result.TestScore.Mean < 0.3 {
			t.Errorf("%s: test R² %g, want above 0.3 (least squares reaches about 0.45)", result.Method, result.TestScore.Mean)
		}
	}
}

func TestDivergenceIsAnOutcome(t *testing.T) {
	dir := t.TempDir()
	r := compared(t, succeed(t, "compare", "--store", dir, "--data", "diabetes", "--model", "linear", "--methods", "sgd,adam",
		"--epochs", "5", "--seeds", "1", "--json", "--schedule", "step:every=1:factor=50").stdout)
	for _, result := range r.Results {
		if result.Method == "sgd" && (result.Status != "diverged" || result.TestScore != nil || result.TrainLoss != nil) {
			t.Errorf("%+v: want it diverged, without a score", result)
		}
	}
	if shown := succeed(t, "show", "1", "--store", dir); !strings.Contains(shown.stdout, "diverged") {
		t.Errorf("show does not tell that a method diverged:\n%s", shown.stdout)
	}
}

// TestInterruptedRunResumesToTheSameNumbers stops a run after a number of
// trainings, again and again, until it is through.
func TestInterruptedRunResumesToTheSameNumbers(t *testing.T) {
	want := compared(t, succeed(t, small(t.TempDir())...).stdout)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	watcher := &cancelAfter{lines: 3, cancel: cancel}
	var stdout strings.Builder
	if code := run(ctx, small(dir), &stdout, watcher); code != exitInterrupted {
		t.Fatalf("exit code %d after an interruption, want %d\n%s", code, exitInterrupted, watcher.text.String())
	}
	if stdout.Len() > 0 {
		t.Errorf("an interrupted run printed %q", stdout.String())
	}
	if !strings.Contains(watcher.text.String(), "descent compare --resume 1") {
		t.Errorf("the message does not say how to continue:\n%s", watcher.text.String())
	}
	if shown := succeed(t, "show", "1", "--store", dir); !strings.Contains(shown.stdout, "--resume 1") {
		t.Errorf("show does not say how to continue:\n%s", shown.stdout)
	}
	sameReport(t, compared(t, succeed(t, "compare", "--store", dir, "--resume", "1", "--json").stdout), want)
	if again := descent(t.Context(), "compare", "--store", dir, "--resume", "1"); again.code != exitFailed {
		t.Errorf("a finished run was resumed with exit code %d", again.code)
	}
}

// cancelAfter cancels when it has seen a number of lines.
type cancelAfter struct {
	lines  int
	cancel context.CancelFunc
	text   strings.Builder
}

func (c *cancelAfter) Write(p []byte) (int, error) {
	c.text.Write(p)
	if c.lines--; c.lines == 0 {
		c.cancel()
	}
	return len(p), nil
}

// TestKilledRunResumesToTheSameNumbers kills the process itself at ten moments
// of its work.
func TestKilledRunResumesToTheSameNumbers(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short: it trains in processes that are killed")
	}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	want := compared(t, succeed(t, small(t.TempDir())...).stdout)
	dir := t.TempDir()
	arguments := small(dir)
	for kill := range 10 {
		command := exec.Command(executable, arguments...)
		command.Env = append(os.Environ(), "DESCENT_TEST_COMMAND=1")
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(60+37*kill) * time.Millisecond)
		_ = command.Process.Kill()
		_ = command.Wait()
		state := stateOfFirstRun(t, dir)
		if state == store.Done {
			break
		}
		if state == store.Interrupted {
			succeed(t, "show", "1", "--store", dir)
			arguments = []string{"compare", "--store", dir, "--resume", "1", "--json"}
		}
	}
	if stateOfFirstRun(t, dir) != store.Done {
		succeed(t, "compare", "--store", dir, "--resume", "1", "--json")
	}
	sameReport(t, compared(t, succeed(t, "show", "1", "--store", dir, "--json").stdout), want)
}

// stateOfFirstRun is the state of run 1, or "" if it was not recorded yet.
func stateOfFirstRun(t *testing.T, dir string) store.State {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, "descent.db")); err != nil {
		return ""
	}
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	runs, err := s.Runs(t.Context(), store.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if len(runs) == 0 {
		return ""
	}
	return runs[len(runs)-1].State
}

func TestResumeRefusesWhatDoesNotFit(t *testing.T) {
	dir := t.TempDir()
	data := write(t, "churn.csv", churn(60))
	arguments := []string{"compare", "--store", dir, "--data", data, "--target", "churned", "--model", "linear",
		"--methods", "sgd,adam", "--epochs", "3", "--seeds", "1", "--json"}
	ctx, cancel := context.WithCancel(t.Context())
	var stdout strings.Builder
	if code := run(ctx, arguments, &stdout, &cancelAfter{lines: 2, cancel: cancel}); code != exitInterrupted {
		t.Fatalf("exit code %d, want %d", code, exitInterrupted)
	}
	for name, test := range map[string]struct {
		arguments []string
		code      int
		says      string
	}{
		"another setting": {[]string{"compare", "--resume", "1", "--epochs", "5"}, exitUsage, "--epochs"},
		"another kind":    {[]string{"train", "--resume", "1"}, exitFailed, "compare"},
		"no such run":     {[]string{"compare", "--resume", "7"}, exitFailed, "no run 7"},
		"no number":       {[]string{"compare", "--resume", "x"}, exitUsage, "number"},
	} {
		r := descent(t.Context(), append(test.arguments, "--store", dir)...)
		if r.code != test.code || !strings.Contains(r.stderr, test.says) {
			t.Errorf("%s: exit code %d, want %d and %q:\n%s", name, r.code, test.code, test.says, r.stderr)
		}
	}
	if err := os.WriteFile(data, []byte(churn(61)), 0o644); err != nil {
		t.Fatal(err)
	}
	if r := descent(t.Context(), "compare", "--resume", "1", "--store", dir); r.code != exitFailed || !strings.Contains(r.stderr, "changed") {
		t.Errorf("the data changed and the run went on: exit code %d\n%s", r.code, r.stderr)
	}
}

func TestMethodsMayHaveSpaces(t *testing.T) {
	spaced := small(t.TempDir())
	for i, word := range spaced {
		if word == "sgd,adam,diffgrad" {
			spaced[i] = " sgd, adam ,diffgrad"
		}
	}
	sameReport(t, compared(t, succeed(t, spaced...).stdout), compared(t, succeed(t, small(t.TempDir())...).stdout))
	if r := descent(t.Context(), "compare", "--store", t.TempDir(), "--methods", "adam, adam"); r.code != exitFailed || !strings.Contains(r.stderr, "twice") {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
}

// TestHugeBatchIsOneStep takes the whole training part in each step.
func TestHugeBatchIsOneStep(t *testing.T) {
	succeed(t, small(t.TempDir(), "--batch-size", "9223372036854775807")...)
}

// TestTrainLossDoesNotDependOnTheOrderOfTheFile sorts a large regression by its
// target: the loss over the measured part has to stay about the same.
func TestTrainLossDoesNotDependOnTheOrderOfTheFile(t *testing.T) {
	losses := map[bool]float64{}
	for _, sorted := range []bool{false, true} {
		var table strings.Builder
		table.WriteString("x,noise,y\n")
		for i := range 20_000 {
			y := i
			if !sorted {
				y = i * 7919 % 20_000
			}
			fmt.Fprintf(&table, "%d,%d,%d.5\n", y, i*104729%1009, 2*y)
		}
		report := compared(t, succeed(t, "compare", "--store", t.TempDir(), "--data", write(t, "big.csv", table.String()),
			"--model", "linear", "--methods", "sgd", "--epochs", "1", "--seeds", "1", "--batch-size", "4096", "--json").stdout)
		losses[sorted] = *report.Results[0].TrainLoss
	}
	if ratio := losses[true] / losses[false]; ratio < 0.7 || ratio > 1.4 {
		t.Errorf("train loss %g sorted and %g shuffled: want about the same", losses[true], losses[false])
	}
}

func TestReportIsWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report.html")
	dir := t.TempDir()
	succeed(t, append(small(dir), "--report", file)...)
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"iris", "diffgrad", "<svg", "descent compare --data iris"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the report does not contain %q", want)
		}
	}
}
