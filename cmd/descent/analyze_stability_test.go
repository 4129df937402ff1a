package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/descentml/descent/lab/driver"
)

// alongRun runs `descent analyze stability --json` on a store.
func alongRun(t *testing.T, dir string, arguments ...string) stabilityReport {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(succeed(t, append([]string{"analyze", "stability", "--json", "--store", dir}, arguments...)...).stdout))
	decoder.DisallowUnknownFields()
	var r stabilityReport
	if err := decoder.Decode(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

// The Hessian of least squares is the same along the way, and its limits of SGD
// are in the order that theory says.
func TestStabilityAlongLeastSquares(t *testing.T) {
	dir := t.TempDir()
	succeed(t, "compare", "--store", dir, "--data", "diabetes", "--model", "linear", "--methods", "sgd,adam", "--epochs", "9", "--seeds", "2", "--batch-size", "8", "--schedule", "linear")
	r := alongRun(t, dir, "--run", "1", "--method", "sgd", "--points", "4", "--probes", "40")
	if len(r.Points) != 4 || r.Points[1].Epoch != 1 || r.Points[3].Epoch != 9 || r.Compared != 10 || r.Deviation != 0 || !r.Exact || r.Seed != 1 {
		t.Fatalf("%+v: expected 4 points and the 10 losses of the record", r)
	}
	first := r.Points[0]
	for _, p := range r.Points {
		if math.Abs(p.Sharpness-first.Sharpness) > 2e-3*first.Sharpness || math.Abs(p.Trace.Value-22) > 4*p.Trace.StandardError+0.2 || p.Trace.StandardError <= 0 {
			t.Errorf("%+v: expected the sharpness %g of the start and a trace of 22", p, first.Sharpness)
		}
		if p.Frobenius.Value < p.Sharpness-4*p.Frobenius.StandardError || p.Frobenius.Value > p.Trace.Value+3*p.Trace.StandardError {
			t.Errorf("norm %+v is not between sharpness %g and trace %+v", p.Frobenius, p.Sharpness, p.Trace)
		}
		if p.Limit != nil && math.Abs(*p.Limit*p.LearningRate-2) > 1e-12 {
			t.Errorf("limit %g at learning rate %g", *p.Limit, p.LearningRate)
		}
	}
	if last := r.Points[3].LearningRate; !(last < first.LearningRate) {
		t.Errorf("learning rates %g and %g: expected the schedule's", first.LearningRate, last)
	}
	b := r.Bounds
	if b == nil || !(b.Threshold > 0) || b.Threshold > b.Sharpness || b.Threshold > b.Bracket*(1+1e-9) || b.Threshold > b.Trace || b.Bracket > b.Trace*(1+1e-9) {
		t.Errorf("limits %+v", b)
	}
	if !strings.Contains(r.Conclusion, "SGD with batches of 8 stays at the weights of the end up to") || !strings.Contains(r.Conclusion, "to the bit") {
		t.Errorf("conclusion %q", r.Conclusion)
	}
	if best := alongRun(t, dir, "--run", "1", "--seed", "2", "--points", "2"); best.Seed != 2 || best.Points[1].Epoch != 9 {
		t.Errorf("%+v: expected the training with seed 2", best)
	}
}

func TestStabilityWritesTextAndReport(t *testing.T) {
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "page.html")
	succeed(t, "train", "--store", dir, "--data", "iris", "--model", "mlp:5", "--method", "adam", "--lr", "0.01", "--epochs", "4", "--save", filepath.Join(dir, "iris.model"))
	r := succeed(t, "analyze", "stability", "--run", "1", "--store", dir, "--report", file)
	for _, word := range []string{"run 1: iris, 90 examples; mlp:5 with 43 parameters in float32; adam at 0.01, constant schedule", "sharpness", "Frobenius", "\n    4 ",
		"only a guide for adam", "to the bit", "Report: " + file} {
		if !strings.Contains(r.stdout, word) {
			t.Errorf("the output lacks %q:\n%s", word, r.stdout)
		}
	}
	page, err := os.ReadFile(file)
	if err != nil || strings.Count(string(page), "<svg") != 2 || !strings.Contains(string(page), "--run 1") || strings.Contains(string(page), "NaN") {
		t.Errorf("the report has not two figures and its command: %v", err)
	}
	listed := succeed(t, "runs", "--store", dir).stdout
	if !strings.Contains(listed, "analysis  done") || !strings.Contains(listed, "stability run 1, iris, adam") {
		t.Errorf("runs prints\n%s", listed)
	}
	shown := succeed(t, "show", "2", "--store", dir, "--report", file).stdout
	for _, word := range []string{"Stability of adam in run 1 on iris", "sharpness", "only a guide for adam", "Repeat:  descent analyze stability --run 1 --store " + dir} {
		if !strings.Contains(shown, word) {
			t.Errorf("show lacks %q:\n%s", word, shown)
		}
	}
	if again, err := os.ReadFile(file); err != nil || !bytes.Equal(again, page) {
		t.Errorf("the report of the record is another one: %v", err)
	}
	var direct, kept stabilityReport
	if err := json.Unmarshal([]byte(succeed(t, "show", "2", "--store", dir, "--json").stdout), &kept); err != nil {
		t.Fatal(err)
	}
	if direct = alongRun(t, dir, "--run", "1"); fmt.Sprint(direct) == "" || direct.Conclusion != kept.Conclusion || direct.Points[0].Sharpness != kept.Points[0].Sharpness {
		t.Errorf("show --json gives %+v, the analysis %+v", kept, direct)
	}
}

func TestStabilityOfADivergedTraining(t *testing.T) {
	dir := t.TempDir()
	if r := descent(t.Context(), "train", "--store", dir, "--data", "iris", "--model", "mlp:5", "--method", "sgd", "--lr", "1e6", "--epochs", "4", "--save", filepath.Join(dir, "x")); r.code != exitFailed {
		t.Fatalf("exit code %d", r.code)
	}
	r := alongRun(t, dir, "--run", "1")
	if len(r.Points) != 1 || !r.Diverged || !strings.Contains(r.Conclusion, "In the end the training diverges.") || r.Deviation != 0 {
		t.Errorf("%+v: expected the start alone", r)
	}
}

func TestStabilityErrors(t *testing.T) {
	dir, file := t.TempDir(), write(t, "churn.csv", churn(60))
	succeed(t, "compare", "--store", dir, "--data", file, "--target", "churned", "--model", "linear", "--methods", "sgd", "--epochs", "1", "--seeds", "1")
	succeed(t, "analyze", "spectrum", "--store", dir, "--data", "iris", "--model", "linear", "--epochs", "0")
	succeed(t, "compare", "--store", dir, "--data", "digits", "--model", "cnn:2,2", "--methods", "sgd", "--epochs", "1", "--seeds", "1")
	for name, c := range map[string]struct {
		code      int
		arguments []string
		says      string
	}{
		"no run":        {exitUsage, nil, "--run is missing"},
		"no number":     {exitUsage, []string{"--run", "best"}, "expected a number"},
		"points":        {exitUsage, []string{"--run", "1", "--points", "1"}, "--points"},
		"probes":        {exitUsage, []string{"--run", "1", "--probes", "1"}, "--probes"},
		"examples":      {exitUsage, []string{"--run", "1", "--examples", "0"}, "--examples"},
		"wrong number":  {exitFailed, []string{"--run", "99"}, "there is no run 99"},
		"another kind":  {exitFailed, []string{"--run", "2"}, "is of kind analysis"},
		"method":        {exitFailed, []string{"--run", "1", "--method", "adam"}, "expected one of sgd"},
		"seed":          {exitFailed, []string{"--run", "1", "--seed", "5"}, "expected one of 1"},
		"convolutions":  {exitFailed, []string{"--run", "3"}, "second derivative"},
		"no place":      {exitFailed, []string{"--run", "1", "--report", filepath.Join(dir, "none", "x.html")}, "none"},
		"other command": {exitUsage, []string{"--run", "1", "more"}, "more"},
	} {
		r := descent(t.Context(), append([]string{"analyze", "stability", "--store", dir}, c.arguments...)...)
		if r.code != c.code || r.stdout != "" || !strings.Contains(r.stderr, c.says) || strings.Count(strings.TrimSpace(r.stderr), "\n") > 1 {
			t.Errorf("%s: exit code %d, want %d and a sentence with %q:\n%s%s", name, r.code, c.code, c.says, r.stdout, r.stderr)
		}
	}
	sentence(t, "resuming an analysis", "of kind analysis, which this command cannot resume", "compare", "--store", dir, "--resume", "2")
	sentence(t, "resuming an analysis", "of kind analysis, which this command cannot resume", "study", "run", "--store", dir, "--resume", "2")
	if err := os.WriteFile(file, []byte(churn(61)), 0o644); err != nil {
		t.Fatal(err)
	}
	sentence(t, "changed data", "has changed since the run began", "analyze", "stability", "--store", dir, "--run", "1")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	sentence(t, "no data", "churn.csv", "analyze", "stability", "--store", dir, "--run", "1")
}

// What was measured before an interruption is printed, and kept in the store.
func TestStabilityMeasuredSoFar(t *testing.T) {
	dir := t.TempDir()
	succeed(t, "compare", "--store", dir, "--data", "iris", "--model", "mlp:5", "--methods", "sgd", "--epochs", "9", "--seeds", "1")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stdout bytes.Buffer
	code := run(ctx, []string{"analyze", "stability", "--run", "1", "--store", dir, "--points", "4"}, &stdout, listener{"epoch 1: ", cancel})
	if lines := strings.Split(stdout.String(), "\n"); code != exitInterrupted || len(lines) < 7 || !strings.HasPrefix(lines[4], "    1 ") || lines[5] != "" {
		t.Errorf("exit code %d and output %q, want the rows of epochs 0 and 1", code, stdout.String())
	}
	if shown := succeed(t, "show", "2", "--store", dir).stdout; !strings.Contains(shown, "2/η") {
		t.Errorf("show prints\n%s", shown)
	}
}

func TestStabilityConclusions(t *testing.T) {
	point := func(epoch, sharpness, limit float64) stabilityPoint {
		return stabilityPoint{Epoch: epoch, LearningRate: 2 / limit, Limit: &limit, Sharpness: sharpness}
	}
	report := func(points ...stabilityPoint) stabilityReport {
		return stabilityReport{Method: "sgd", Limit: "2/η", Exact: true, Points: points, Compared: 3}
	}
	guide, bounded, off, alone, gone := report(point(0, 1, 4)), report(point(0, 1, 4)), report(point(0, 1, 4)), report(point(0, 1, 4)), report(point(0, 1, 4))
	guide.Exact, guide.Method = false, "adam"
	bounded.Bounds, bounded.BatchSize = &stabilityBounds{Threshold: 0.25}, 16
	off.Deviation, alone.Compared, gone.Diverged = 0.05, 0, true
	for want, r := range map[string]stabilityReport{
		"at most 0.25 of 2/η after epoch 2: as far as curvature goes, the learning rate could be 4 times as large.": report(point(0, 0.5, 4), point(2, 1, 4)),
		"at the edge of stability: the sharpness comes to 0.95 of 2/η after epoch 2":                                report(point(0, 1, 4), point(2, 3.8, 4)),
		"6 against 2/η = 4 after epoch 2: there a learning rate above 0.333 is too large, and 0.5 was used.":        report(point(0, 1, 4), point(2, 6, 4)),
		"stable up to 0.333, as with a warm-up; at the end it is 0.25 of it.":                                       report(point(0, 6, 4), point(2, 1, 4)),
		"Nowhere on the way is the loss curved upwards":                                                             report(point(0, -1, 4)),
		"0.25 of 2/η (1 against 4 after epoch 0), which is a limit for SGD and only a guide for adam.":              guide,
		"SGD with batches of 16 stays at the weights of the end up to a learning rate of about 0.25.":               bounded,
		"deviate from the recorded ones by up to 5 %":                                                               off,
		"No loss is on record": alone,
		"In the end the training diverges. The losses are the recorded ones, to the bit.": gone,
	} {
		r.conclude()
		if !strings.Contains(r.Conclusion, want) {
			t.Errorf("%q, expected %q in it", r.Conclusion, want)
		}
	}
}

func TestStabilityComparesLosses(t *testing.T) {
	recorded := &recordedTrial{losses: map[int64]float64{1: 2, 2: 4, 3: math.NaN()}}
	var r stabilityReport
	for _, c := range []struct {
		step           int
		loss, deviates float64
	}{{1, 2, 0}, {7, 9, 0}, {3, math.NaN(), 0}, {2, 5, 0.25}, {1, 1.9, 0.25}, {3, 1, math.MaxFloat64}} {
		r.compare(recorded, driver.Epoch{Step: c.step, TrainLoss: c.loss})
		if r.Deviation != c.deviates {
			t.Errorf("deviation %g at step %d, want %g", r.Deviation, c.step, c.deviates)
		}
	}
	if r.Compared != 5 {
		t.Errorf("%d losses compared, want 5", r.Compared)
	}
}

func TestLimitsOfMethods(t *testing.T) {
	for text, want := range map[string]float64{"sgd": 1, "gd": 1, "momentum": 1.9, "momentum:momentum=0.5": 1.5, "nesterov": 1.9 / 2.8, "adam": 1} {
		if factor, _, exact := limitOf(text); math.Abs(factor-want) > 1e-12 || exact != (text != "adam") {
			t.Errorf("%s: %g, %t, want %g", text, factor, exact, want)
		}
	}
}
