package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/descentml/descent/lab/store"
)

// asCommand lets processes that this test starts be the command.
func asCommand(t *testing.T) { t.Setenv("DESCENT_TEST_COMMAND", "1") }

func fleetJSON(t *testing.T, arguments ...string) fleetReport {
	t.Helper()
	var r fleetReport
	if err := json.Unmarshal([]byte(succeed(t, append(arguments, "--json")...).stdout), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// sameModels compares what was trained, to the last digit.
func sameModels(t *testing.T, got, want fleetReport) {
	t.Helper()
	for i, m := range want.Models {
		if got.Models[i] != m {
			t.Errorf("model %d: %+v, undisturbed %+v", i, got.Models[i], m)
		}
	}
}

// TestFleetTrain trains on worker processes, with and without stragglers, kills
// the coordinator, and goes on: the models are the same.
func TestFleetTrain(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short: it trains over worker processes that are killed")
	}
	asCommand(t)
	dir := t.TempDir()
	model := filepath.Join(dir, "digits.model")
	settings := []string{"fleet", "train", "--scheme", "m-sgc:B=1,W=2,lambda=1", "--workers", "3", "--model", "linear", "--steps", "12", "--store", filepath.Join(dir, "store")}
	want := fleetJSON(t, append(settings, "--save", model)...)
	if len(want.Models) != 2 || want.Models[0].TestScore < 0.8 || want.Rounds.Rounds != 25 {
		t.Fatalf("result %+v", want)
	}
	log := filepath.Join(dir, "log")
	slow := fleetJSON(t, append(settings, "--slow", "1:150ms:0.5", "--log", log)...)
	sameModels(t, slow, want)
	text, err := os.ReadFile(log)
	if err != nil || slow.Rounds.Around == 0 || !strings.Contains(string(text), `"decoded_around":["w0`) {
		t.Errorf("%+v and a log of %d bytes: expected workers that were decoded around, %v", slow.Rounds, len(text), err)
	}

	// Killed and resumed.
	command := exec.Command(os.Args[0], append(settings, "--slow", "3:40ms")...)
	command.Env = os.Environ()
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	st, err := store.Open(filepath.Join(dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	waitForRounds(t, st, 3, 8)
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait()
	resumed := fleetJSON(t, "fleet", "train", "--resume", "3", "--store", filepath.Join(dir, "store"))
	sameModels(t, resumed, want)
	if left, _ := filepath.Glob(filepath.Join(dir, "store", "fleet", "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	shown := succeed(t, "show", "3", "--store", filepath.Join(dir, "store"))
	if !strings.Contains(shown.stdout, "25 rounds") {
		t.Errorf("show: %s", shown.stdout)
	}
	succeed(t, "predict", "--model", model, "--data", "digits", "--out", filepath.Join(dir, "predictions.csv"))
}

// waitForRounds returns when a run has recorded so many rounds.
func waitForRounds(t *testing.T, st *store.Store, run int64, rounds int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		trials, err := st.Trials(t.Context(), run)
		if err != nil || len(trials) == 0 {
			continue // it has not begun
		}
		points, err := st.Series(t.Context(), trials[0].ID, seriesRoundSeconds)
		if err != nil {
			t.Fatal(err)
		}
		if len(points) >= rounds {
			return
		}
	}
	t.Fatal("the training does not get anywhere")
}

// upFleet runs `fleet up` until the test ends and returns the flags for workers
// and for coordinators.
func upFleet(t *testing.T) (worker, coordinator []string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan int, 1)
	dir := filepath.Join(t.TempDir(), "server")
	go func() { done <- run(ctx, []string{"fleet", "up", "--dir", dir}, write, io.Discard) }()
	t.Cleanup(func() {
		stop()
		if code := <-done; code != exitDone {
			t.Errorf("fleet up: exit code %d", code)
		}
		_, _ = write.Close(), read.Close()
	})
	lines := bufio.NewScanner(read)
	for coordinator == nil && lines.Scan() {
		words := strings.Fields(lines.Text())
		switch words[0] {
		case "Workers:":
			worker = words[2:]
		case "Train:":
			coordinator = words[4:]
		}
	}
	return worker, coordinator
}

// join runs a worker until the test ends.
func join(t *testing.T, flags []string, more ...string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan result, 1)
	go func() { ended <- descent(ctx, slices.Concat(flags, more)...) }()
	t.Cleanup(func() {
		stop()
		if r := <-ended; r.code != exitDone {
			t.Errorf("worker: exit code %d, %s", r.code, r.stderr)
		}
	})
}

// TestFleetUp trains on a server and a worker, and looks at them.
func TestFleetUp(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short: it works with worker processes")
	}
	dir := t.TempDir()
	worker, coordinator := upFleet(t)
	join(t, worker, "--name", "w00")
	alone := []string{"fleet", "federate", "--clients", "3", "--horizon", "3", "--model", "linear", "--workers", "1", "--json", "--store", filepath.Join(dir, "store")}
	score := regexp.MustCompile(`"test_loss":[0-9.e-]+`)
	got := score.FindString(succeed(t, slices.Concat(alone, coordinator)...).stdout)
	if want := score.FindString(succeed(t, alone...).stdout); got != want || want == "" {
		t.Errorf("on the fleet %s, in one process %s", got, want)
	}
	status := succeed(t, slices.Concat([]string{"fleet", "status", "--json"}, coordinator)...)
	var s fleetStatus
	if err := json.Unmarshal([]byte(status.stdout), &s); err != nil || len(s.Workers) != 1 || s.Workers[0].Name != "w00" || !s.Workers[0].Alive {
		t.Errorf("status %s: %v", status.stdout, err)
	}
	if text := succeed(t, slices.Concat([]string{"fleet", "status"}, coordinator)...).stdout; !strings.Contains(text, "1 worker") {
		t.Errorf("status %s", text)
	}
}

// TestFederateOwnData trains over workers of which each has examples of one class
// alone: only together they can tell the classes apart.
func TestFederateOwnData(t *testing.T) {
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(3, 3))
	file := func(name string, classes ...string) string {
		var text strings.Builder
		text.WriteString("a,b,class\n")
		for range 200 {
			class := classes[random.IntN(len(classes))]
			shift := map[string]float64{"left": -1.5, "right": 1.5}[class]
			fmt.Fprintf(&text, "%.4f,%.4f,%s\n", random.NormFloat64()+shift, random.NormFloat64(), class)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	worker, coordinator := upFleet(t)
	join(t, worker, "--name", "w00", "--data", file("w00.csv", "left"))
	join(t, worker, "--name", "w01", "--data", file("w01.csv", "right"))
	r := succeed(t, slices.Concat([]string{"fleet", "federate", "--partition", "workers", "--workers", "2", "--strategy", "fedavg", "--rounds", "20", "--model", "linear",
		"--data", file("public.csv", "left", "right"), "--json", "--store", filepath.Join(dir, "store")}, coordinator)...)
	var report federateReport
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
		t.Fatal(err)
	}
	if score := report.Results[0].TestScore; score == nil || *score < 0.8 || report.Clients != 2 {
		t.Errorf("result %s", r.stdout)
	}
}

func TestFleetRefusals(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		arguments string
		code      int
		words     string
	}{
		{"worker --creds x", exitUsage, "--nats is missing"},
		{"worker --nats nats://127.0.0.1:1", exitUsage, "--creds is missing"},
		{"worker --nats nats://127.0.0.1:1 --creds " + dir + "/none --wait 0s", exitFailed, "cannot read the credential"},
		{"fleet up --dir " + dir + " --listen 0.0.0.0:0", exitFailed, "without TLS is refused"},
		{"fleet up --nats-config x --tls", exitFailed, "none of the others can be"},
		{"fleet train --scheme m-sgc:B=3,W=2,lambda=1", exitUsage, "--scheme"},
		{"fleet train --scheme gc:s=16", exitUsage, "--scheme"},
		{"fleet train --copies 1", exitUsage, "expected at least 4 models"},
		{"fleet train --arithmetic fast", exitUsage, "--arithmetic"},
		{"fleet train --lr 0", exitUsage, "--lr"},
		{"fleet train --slow 3", exitUsage, "--slow"},
		{"fleet train --resume 1 --steps 3", exitUsage, "--steps cannot be given with --resume"},
		{"fleet federate --partition workers", exitUsage, "name their server with --nats"},
		{"fleet keys", exitUsage, "--dir is missing"},
		{"fleet train --resume 99 --store " + dir, exitFailed, "there is no run 99"},
	} {
		if err := os.Chmod(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		r := descent(t.Context(), strings.Fields(c.arguments)...)
		if r.code != c.code || !strings.Contains(r.stderr, c.words) {
			t.Errorf("descent %s: exit code %d, %s", c.arguments, r.code, r.stderr)
		}
	}
}
