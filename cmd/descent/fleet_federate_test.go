package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/descentml/descent/lab/experiment"
	"github.com/descentml/descent/lab/store"
)

// smallFederation is a run of two strategies that takes a moment.
func smallFederation(dir string, more ...string) []string {
	return append([]string{"fleet", "federate", "--store", dir, "--data", "wine", "--model", "mlp:8", "--strategy", "fedavg,async:weights=identical",
		"--clients", "6", "--partition", "dirichlet:1", "--horizon", "20", "--local-steps", "3", "--batch-size", "8", "--json"}, more...)
}

// federateNow runs `descent fleet federate`.
func federateNow(ctx context.Context, arguments ...string) result {
	return descent(ctx, append([]string{"fleet", "federate"}, arguments...)...)
}

// federatedReport parses the JSON of a federated run and drops the times.
func federatedReport(t *testing.T, text string) federateReport {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	var r federateReport
	if err := decoder.Decode(&r); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	for i := range r.Results {
		r.Results[i].Seconds = 0
	}
	return r
}

func sameFederation(t *testing.T, got, want federateReport) {
	t.Helper()
	a, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if string(a) != string(b) {
		t.Errorf("the results differ:\n%s\n%s", a, b)
	}
}

func TestFederateIsTheSameForAnyNumberOfWorkers(t *testing.T) {
	one := federatedReport(t, succeed(t, smallFederation(t.TempDir(), "--workers", "1")...).stdout)
	three := federatedReport(t, succeed(t, smallFederation(t.TempDir(), "--workers", "3")...).stdout)
	sameFederation(t, three, one)
	if len(one.Results) != 2 || one.Clients != 6 || len(one.Examples) != 6 {
		t.Fatalf("report %+v: want two strategies and six clients", one)
	}
	avg, async := one.Results[0], one.Results[1]
	if avg.Aggregations != 20 || avg.Contributions != 120 || avg.LocalSteps != 360 || avg.MaxStaleness != 0 {
		t.Errorf("FedAvg: %+v, want 20 rounds of 6 works of 3 steps", avg)
	}
	if want := 2 * avg.Contributions * int64(one.Parameters) * 4; avg.Bytes != want {
		t.Errorf("FedAvg moves %d bytes, want %d", avg.Bytes, want)
	}
	if int64(async.Aggregations) != async.Contributions || async.Contributions <= avg.Contributions || async.MeanStaleness <= 0 {
		t.Errorf("Async: %+v, want an aggregation for each of more works", async)
	}
	if len(avg.Curve.Time) != federateEvaluations+1 || avg.Curve.Time[federateEvaluations] != 20 {
		t.Errorf("a curve up to %v, want %d measurements up to 20", avg.Curve.Time, federateEvaluations+1)
	}
	for _, r := range one.Results {
		if r.TestScore == nil || *r.TestScore < 0.7 {
			t.Errorf("%s learned nothing: %+v", r.Strategy, r)
		}
	}
}

// A run that is stopped again and again comes to the same numbers.
func TestInterruptedFederationResumes(t *testing.T) {
	want := federatedReport(t, succeed(t, smallFederation(t.TempDir())...).stdout)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	watcher := &cancelAfter{lines: 2, cancel: cancel} // the run's number, and one strategy
	var stdout strings.Builder
	if code := run(ctx, smallFederation(dir), &stdout, watcher); code != exitInterrupted {
		t.Fatalf("exit code %d after an interruption, want %d\n%s", code, exitInterrupted, watcher.text.String())
	}
	if !strings.Contains(watcher.text.String(), "descent fleet federate --resume 1") {
		t.Errorf("the message does not say how to continue:\n%s", watcher.text.String())
	}
	if shown := succeed(t, "show", "1", "--store", dir); !strings.Contains(shown.stdout, "--resume 1") {
		t.Errorf("show does not say how to continue:\n%s", shown.stdout)
	}
	sameFederation(t, federatedReport(t, succeed(t, "fleet", "federate", "--store", dir, "--resume", "1", "--json").stdout), want)
	if again := federateNow(t.Context(), "--store", dir, "--resume", "1"); again.code != exitFailed {
		t.Errorf("a finished run was resumed with exit code %d", again.code)
	}
	checkSeries(t, dir)
}

// checkSeries finds every measurement once.
func checkSeries(t *testing.T, dir string) {
	t.Helper()
	st, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	trials, err := st.Trials(t.Context(), 1)
	if err != nil || len(trials) != 2 {
		t.Fatalf("%d trials, %v", len(trials), err)
	}
	for _, trial := range trials {
		for _, name := range []string{experiment.SeriesValidationLoss, seriesSimulatedTime, seriesAggregations, seriesBytes} {
			points, err := st.Series(t.Context(), trial.ID, name)
			if err != nil || len(points) != federateEvaluations+1 {
				t.Errorf("%s of %s has %d points, %v, want %d", name, trial.Method, len(points), err, federateEvaluations+1)
			}
			if !slices.IsSortedFunc(points, func(a, b store.Point) int { return int(a.Step - b.Step) }) {
				t.Errorf("%s of %s is not in order", name, trial.Method)
			}
		}
	}
}

// The coordinator's process is killed at several moments of its work; it goes
// on from its last round, and counts no client's update twice and none less.
func TestKilledFederationResumes(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short: it trains in processes that are killed")
	}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	arguments := func(dir string) []string { return smallFederation(dir, "--horizon", "500") }
	want := federatedReport(t, succeed(t, arguments(t.TempDir())...).stdout)
	dir := t.TempDir()
	next := arguments(dir)
	for kill := range 4 {
		command := exec.Command(executable, next...)
		command.Env = append(os.Environ(), "DESCENT_TEST_COMMAND=1")
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(250+150*kill) * time.Millisecond)
		_ = command.Process.Kill()
		_ = command.Wait()
		if stateOfFirstRun(t, dir) == store.Interrupted {
			next = []string{"fleet", "federate", "--store", dir, "--resume", "1", "--json"}
		}
	}
	if stateOfFirstRun(t, dir) != store.Done {
		succeed(t, next...)
	}
	sameFederation(t, federatedReport(t, succeed(t, "show", "1", "--store", dir, "--json").stdout), want)
	checkSeries(t, dir)
}

// visits is a table with a column of four hospitals.
func visits(rows int) string {
	var b strings.Builder
	b.WriteString("hospital,age,dose,outcome\n")
	for i := range rows {
		outcome := "good"
		if (i*7)%13 > 6 {
			outcome = "bad"
		}
		fmt.Fprintf(&b, "%s,%d,%d,%s\n", []string{"north", "south", "east", "west"}[i%4], 20+i%50, (i*7)%13, outcome)
	}
	return b.String()
}

// Every value of a column is a client, and the saved model predicts without it.
func TestFederateByColumnSavesAModel(t *testing.T) {
	file, dir := write(t, "visits.csv", visits(200)), t.TempDir()
	model := filepath.Join(dir, "visits.model")
	r := federatedReport(t, succeed(t, "fleet", "federate", "--store", dir, "--data", file, "--target", "outcome", "--partition", "column:hospital",
		"--strategy", "fedbuff:count=2", "--model", "linear", "--horizon", "60", "--save", model, "--json").stdout)
	if r.Clients != 4 || r.Data.Features != 2 || r.Saved != model || *r.Results[0].TestScore < 0.9 {
		t.Errorf("report %+v: want 4 clients, 2 features and a test score above 0.9", r)
	}
	out := filepath.Join(dir, "predictions.csv")
	succeed(t, "predict", "--model", model, "--data", file, "--out", out)
	text, err := os.ReadFile(out)
	if err != nil || strings.Count(string(text), "\n") != 201 {
		t.Errorf("predictions: %d lines, %v, want 201", strings.Count(string(text), "\n"), err)
	}
}

// Data that has changed cannot be gone on with.
func TestFederateNoticesOtherData(t *testing.T) {
	file, dir := write(t, "visits.csv", visits(200)), t.TempDir()
	arguments := []string{"--store", dir, "--data", file, "--clients", "4", "--strategy", "fedavg,async", "--horizon", "20", "--model", "linear"}
	ctx, cancel := context.WithCancel(t.Context())
	var stdout strings.Builder
	if code := run(ctx, append([]string{"fleet", "federate"}, arguments...), &stdout, &cancelAfter{lines: 2, cancel: cancel}); code != exitInterrupted {
		t.Fatalf("exit code %d, want %d", code, exitInterrupted)
	}
	if err := os.WriteFile(file, []byte(visits(204)), 0o644); err != nil {
		t.Fatal(err)
	}
	if r := federateNow(t.Context(), "--store", dir, "--resume", "1"); r.code != exitFailed || !strings.Contains(r.stderr, "has changed") {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
}

func TestFederateRegressionAndDivergence(t *testing.T) {
	dir := t.TempDir()
	r := federatedReport(t, succeed(t, "fleet", "federate", "--store", dir, "--data", "diabetes", "--model", "linear", "--clients", "5", "--partition", "difficulty",
		"--strategy", "fedavg,fedfix", "--lr", "0.02", "--rounds", "15", "--times", "2", "--json").stdout)
	if r.Score != "R²" || r.Horizon != 30 || r.Results[0].Aggregations != 15 || *r.Results[0].TestScore < 0.2 {
		t.Errorf("report %+v: want R² above 0.2 after 15 rounds of 2 units of time", r)
	}
	r = federatedReport(t, succeed(t, "fleet", "federate", "--store", dir, "--data", "diabetes", "--model", "linear", "--strategy", "fedavg", "--lr", "1e9", "--horizon", "20", "--json").stdout)
	if l := r.Results[0]; l.Status != experiment.StatusDiverged || l.TestScore != nil || l.Best {
		t.Errorf("at a huge learning rate: %+v, want it diverged", l)
	}
	if shown := succeed(t, "show", "2", "--store", dir); !strings.Contains(shown.stdout, "diverged") || !strings.Contains(shown.stdout, "run-2.html") {
		t.Errorf("show says:\n%s", shown.stdout)
	}
}

func TestFederateRefuses(t *testing.T) {
	dir := t.TempDir()
	for arguments, says := range map[string]string{
		"--strategy fedsum":                       "fedavg",
		"--strategy fedfix:delta=0":               "delta",
		"--strategy fedavg,fedavg":                "twice",
		"--strategy fedbuff:count=30":             "30",
		"--clients 0":                             "at least 1",
		"--partition circles":                     "iid",
		"--partition column:site":                 "site",
		"--times 1,2":                             "2 times for 20 clients",
		"--horizon 0":                             "horizon",
		"--rounds 0":                              "at least 1",
		"--rounds 3 --horizon 3":                  "rounds",
		"--lr -1":                                 "learning rate",
		"--importance age":                        "equal or examples",
		"--server-lr 0":                           "server-lr",
		"--resume 4":                              "no run 4",
		"--resume 4 --clients 3":                  "--clients",
		"--data diabetes --partition dirichlet:1": "classes",
		"--clients 2000":                          "2000 clients",
	} {
		r := federateNow(t.Context(), append([]string{"--store", dir}, strings.Fields(arguments)...)...)
		if r.code == exitDone || !strings.Contains(r.stderr, says) {
			t.Errorf("%s: exit code %d, %q, want an error with %q", arguments, r.code, r.stderr, says)
		}
	}
}

func TestBytesText(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1234: "1.23 kB", 999_999: "1 MB", 38_480_000: "38.5 MB", 5e12: "5 TB", 5e15: "5e+03 TB"} {
		if got := bytesText(n); got != want {
			t.Errorf("%d bytes are %q, want %q", n, got, want)
		}
	}
}
