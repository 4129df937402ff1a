package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/descentml/descent/lab/store"
)

// sameBoxResults compares two reports but for times.
func sameBoxResults(t *testing.T, what string, got, want blackBoxReport) {
	t.Helper()
	for i, w := range want.Results {
		g := got.Results[i]
		if g.Value != w.Value || g.Totals != w.Totals || !slices.Equal(g.Point, w.Point) || !slices.Equal(g.Curve.Value, w.Curve.Value) || !slices.Equal(g.Curve.Queries, w.Curve.Queries) {
			t.Errorf("%s, %s: %+v\nin one process %+v", what, w.Strategy, g, w)
		}
	}
}

// boxCommand runs the whole command and reads its report.
func boxCommand(t *testing.T, arguments ...string) blackBoxReport {
	t.Helper()
	return readBoxes(t, succeed(t, slices.Concat([]string{"fleet", "federate"}, arguments, []string{"--json"})...))
}

// Worker processes give the numbers of one process, also when the coordinator is
// killed with all of them and goes on with fewer.
func TestFederateBoxesInProcesses(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short: it works with worker processes")
	}
	asCommand(t)
	dir := t.TempDir()
	in := []string{"--store", dir}
	settings := slices.Concat(quickly, []string{"--objective", "ackley", "--strategy", "fzoos,oracle", "--dim", "8", "--clients", "4", "--rounds", "3"})
	sameBoxResults(t, "a formula", boxCommand(t, slices.Concat(settings, in, []string{"--processes", "--workers", "3"})...), boxReport(t, append(settings, "--store", t.TempDir())...))

	settings = slices.Concat(quickly, []string{"--objective", command(t, "well"), "--clients", "2", "--dim", "2", "--high", "10", "--rounds", "40"})
	began := exec.Command(os.Args[0], slices.Concat([]string{"fleet", "federate"}, settings, in, []string{"--processes", "--workers", "2"})...)
	began.Env = os.Environ()
	if err := began.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = began.Process.Kill(); _ = began.Wait() })
	st, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	waitForValues(t, st, 2, 3)
	_ = began.Process.Kill() // if it was quick it has ended
	_ = began.Wait()
	if r := descent(t.Context(), "fleet", "federate", "--resume", "2", "--store", dir); r.code == exitDone || !strings.Contains(r.stderr, "resume it with --processes") {
		t.Errorf("resumed without its workers: %s", r.stderr)
	}
	if r := descent(t.Context(), "fleet", "federate", "--resume", "2", "--store", dir, "--processes", "--rounds", "3"); r.code != exitUsage {
		t.Errorf("--rounds was taken beside --resume: %s", r.stderr)
	}
	continued := boxCommand(t, "--resume", "2", "--store", dir, "--processes", "--workers", "1")
	sameBoxResults(t, "programs", continued, boxReport(t, append(settings, "--store", t.TempDir())...))
	if left, _ := filepath.Glob(filepath.Join(dir, "fleet", "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// waitForValues returns when a run has recorded so many values.
func waitForValues(t *testing.T, st *store.Store, run int64, values int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		trials, err := st.Trials(t.Context(), run)
		if err != nil || len(trials) == 0 {
			continue // it has not begun
		}
		points, err := st.Series(t.Context(), trials[0].ID, seriesValue)
		if err != nil {
			t.Fatal(err)
		}
		if len(points) >= values {
			return
		}
	}
	t.Fatal("the minimisation does not get anywhere")
}

// A worker of a server runs no program unless it is told to; once it is, the
// run goes on.
func TestFederateBoxesOnServer(t *testing.T) {
	dir := t.TempDir()
	worker, coordinator := upFleet(t)
	settings := slices.Concat(quickly, []string{"--objective", command(t, "well"), "--clients", "2", "--dim", "2", "--high", "10", "--rounds", "2"})
	fleet := slices.Concat(coordinator, []string{"--workers", "1", "--store", dir})
	t.Run("refused", func(t *testing.T) {
		join(t, worker, "--name", "w00", "--state", filepath.Join(dir, "w00"))
		r := descent(t.Context(), slices.Concat([]string{"fleet", "federate"}, settings, fleet)...)
		if r.code == exitDone || !strings.Contains(r.stderr, "this worker runs none") {
			t.Errorf("a program was run: %s", r.stderr)
		}
	})
	if r := descent(t.Context(), slices.Concat(worker, []string{"--program", "a", "--run-programs"})...); r.code == exitDone {
		t.Error("--program was taken beside --run-programs")
	}
	join(t, worker, "--name", "w01", "--state", filepath.Join(dir, "w01"), "--program", "'"+os.Args[0]+"'")
	sameBoxResults(t, "programs", boxCommand(t, slices.Concat([]string{"--resume", "1"}, fleet)...), boxReport(t, append(settings, "--store", t.TempDir())...))
	if files, _ := filepath.Glob(filepath.Join(dir, "w0*", "*.state")); len(files) > 0 {
		t.Errorf("left behind: %v", files)
	}
	var config blackBoxConfig
	st, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	run, err := findRun(t.Context(), st, 1)
	if err != nil || json.Unmarshal(run.Config, &config) != nil || strings.Contains(config.Command, "--nats=") || !strings.Contains(config.Command, "--nats") {
		t.Errorf("the command that repeats the run is %s: %v", config.Command, err)
	}
}
