package main

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/compute"
	gomodel "github.com/gomlx/gomlx/ml/model"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/lab/experiment"
	"github.com/descentml/descent/lab/saved"
)

// hessianSpectrum runs `descent analyze spectrum --json`.
func hessianSpectrum(t *testing.T, arguments ...string) spectrumReport {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(succeed(t, append([]string{"analyze", "spectrum", "--json"}, arguments...)...).stdout))
	decoder.DisallowUnknownFields()
	var r spectrumReport
	if err := decoder.Decode(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

// The Hessian of a linear least-squares model is 2 X'X/n, whatever its weights:
// the trained and the untrained model have one spectrum, without a negative part
// or a residual.
func TestSpectrumOfALinearModel(t *testing.T) {
	before := hessianSpectrum(t, "--data", "diabetes", "--model", "linear", "--epochs", "0", "--steps", "11")
	after := hessianSpectrum(t, "--data", "diabetes", "--model", "linear", "--epochs", "3", "--steps", "11")
	if before.Parameters != 11 || before.Residual > 1e-12 || before.Negative.Value != 0 || before.Smallest[0].Value <= 0 {
		t.Errorf("%+v: expected 11 parameters, all directions curved upwards", before)
	}
	for i := range before.Largest {
		if math.Abs(before.Largest[i].Value-after.Largest[i].Value) > 1e-9 {
			t.Errorf("eigenvalue %d is %g before and %g after training", i, before.Largest[i].Value, after.Largest[i].Value)
		}
	}
	if math.Abs(*before.LargestStep*before.Largest[0].Value-2) > 1e-12 || after.Loss >= before.Loss {
		t.Errorf("step %g, losses %g and %g", *before.LargestStep, before.Loss, after.Loss)
	}
	// Features are standardised: the trace of 2 X'X/n is 2 for each of 10, and 2 for the bias.
	if math.Abs(before.Trace.Value-22) > 4*before.Trace.StandardError+0.2 {
		t.Errorf("trace %+v, want about 22", before.Trace)
	}
}

func TestSpectrumWritesTextAndReport(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.html")
	r := succeed(t, "analyze", "spectrum", "--data", "wine", "--model", "mlp:8", "--epochs", "5", "--probes", "4", "--steps", "30", "--report", file)
	for _, word := range []string{"wine: ", "mlp:8 with 139 parameters", "trained with sgd at 0.1 for 5 epochs", "largest eigenvalue", "flat directions", "Gradient descent is stable here up to", "of 139 directions stand apart", "Report: " + file} {
		if !strings.Contains(r.stdout, word) {
			t.Errorf("the output lacks %q:\n%s", word, r.stdout)
		}
	}
	page, err := os.ReadFile(file)
	if err != nil || strings.Count(string(page), "<svg") != 2 || !strings.Contains(string(page), "--probes 4") || strings.Contains(string(page), "NaN") {
		t.Errorf("the report has not two figures and its command: %v", err)
	}
}

func TestSpectrumIsTheSameAgain(t *testing.T) {
	arguments := []string{"analyze", "spectrum", "--data", "iris", "--epochs", "2", "--model", "mlp:6", "--json", "--seed", "3", "--examples", "50"}
	one, two := succeed(t, arguments...).stdout, succeed(t, arguments...).stdout
	if one != two || !strings.Contains(one, `"examples":50`) {
		t.Errorf("the results differ, or not 50 examples:\n%s\n%s", one, two)
	}
}

// A saved model is looked at as it is; one of another kind, other data and
// weights that are not numbers are one sentence each.
func TestSpectrumOfASavedModel(t *testing.T) {
	file, dir := write(t, "churn.csv", churn(120)), filepath.Join(t.TempDir(), "churn.model")
	succeed(t, "train", "--data", file, "--target", "churned", "--model", "mlp:5", "--epochs", "2", "--lr", "0.01", "--save", dir, "--store", t.TempDir())
	r := hessianSpectrum(t, "--data", file, "--checkpoint", dir)
	if r.Model != "mlp:5" || r.Examples != 120 || r.Classes != 2 || !strings.Contains(r.Training, "saved in") {
		t.Errorf("%+v: expected the saved model on all rows", r)
	}
	for name, c := range map[string]struct {
		arguments []string
		says      string
	}{
		"another model": {[]string{"--data", file, "--checkpoint", dir, "--model", "mlp:32"}, "is mlp:5 and not mlp:32"},
		"other data":    {[]string{"--data", "iris", "--checkpoint", dir}, "do not fit the model"},
		"no model":      {[]string{"--data", file, "--checkpoint", filepath.Dir(file)}, "is not a saved model"},
	} {
		sentence(t, name, c.says, append([]string{"analyze", "spectrum"}, c.arguments...)...)
	}
	sentence(t, "NaN", "not finite", "analyze", "spectrum", "--data", "iris", "--checkpoint", diverged(t))
}

// sentence runs a command line that has to fail with one sentence.
func sentence(t *testing.T, name, says string, arguments ...string) {
	t.Helper()
	r := descent(t.Context(), arguments...)
	if r.code != exitFailed || r.stdout != "" || !strings.Contains(r.stderr, says) || strings.Count(strings.TrimSpace(r.stderr), "\n") > 0 {
		t.Errorf("%s: exit code %d, want %d and a sentence with %q:\n%s%s", name, r.code, exitFailed, says, r.stdout, r.stderr)
	}
}

// diverged is the folder of a saved linear model of iris whose weights are NaN.
func diverged(t *testing.T) string {
	t.Helper()
	config := experiment.Default()
	config.Data.Source, config.Model, config.Methods = "iris", "linear", []string{"sgd"}
	loaded, err := experiment.Load(t.Context(), &config)
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Problem.Task != data.Classification {
		t.Fatal("iris is no classification")
	}
	backend, err := compute.NewWithConfig("descent")
	if err != nil {
		t.Fatal(err)
	}
	s := subject{task: data.Classification, dtype: "float32"}
	store := gomodel.NewStore()
	if err := s.over(backend, store, loaded.Problem.Network, 3, loaded.Problem.Train, loaded.Problem.Width); err != nil {
		t.Fatal(err)
	}
	for v := range store.IterVariables() {
		if v.Trainable {
			value, err := v.Value()
			if err != nil {
				t.Fatal(err)
			}
			value.MustMutableFlatData(func(flat any) { flat.([]float32)[0] = float32(math.NaN()) })
		}
	}
	dir := filepath.Join(t.TempDir(), "nan.model")
	if err := saved.Save(dir, saved.Description{Network: "linear", DType: "float32", Encoder: loaded.Encoder}, store); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestSpectrumErrors(t *testing.T) {
	for name, c := range map[string]struct {
		code      int
		arguments []string
		says      string
	}{
		"one probe":    {exitUsage, []string{"--probes", "1"}, "standard error"},
		"no steps":     {exitUsage, []string{"--steps", "1"}, "--steps"},
		"epochs":       {exitUsage, []string{"--epochs", "-1"}, "--epochs"},
		"examples":     {exitUsage, []string{"--examples", "0"}, "--examples"},
		"argument":     {exitUsage, []string{"digits"}, ""},
		"model":        {exitFailed, []string{"--model", "mpl:3"}, "unknown model"},
		"convolutions": {exitFailed, []string{"--model", "cnn:2,2", "--epochs", "0"}, "second derivative"},
		"divergence":   {exitFailed, []string{"--data", "iris", "--learning-rate", "1e6"}, "smaller --learning-rate"},
		"file":         {exitFailed, []string{"--data", "nowhere.csv"}, "nowhere.csv"},
		"no place":     {exitFailed, []string{"--report", filepath.Join(t.TempDir(), "none", "x.html")}, "none"},
	} {
		r := descent(t.Context(), append([]string{"analyze", "spectrum"}, c.arguments...)...)
		if r.code != c.code || r.stdout != "" || !strings.Contains(r.stderr, c.says) || strings.Count(strings.TrimSpace(r.stderr), "\n") > 1 {
			t.Errorf("%s: exit code %d, want %d and a sentence with %q:\n%s%s", name, r.code, c.code, c.says, r.stdout, r.stderr)
		}
	}
}

func TestSpectrumCanBeInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	time.AfterFunc(300*time.Millisecond, cancel) // minutes before the end
	r := descent(ctx, "analyze", "spectrum", "--epochs", "0", "--model", "mlp:64", "--probes", "1000", "--steps", "1000")
	if r.code != exitInterrupted || r.stdout != "" {
		t.Errorf("exit code %d and output %q, want %d and none", r.code, r.stdout, exitInterrupted)
	}
}

func TestSpectrumConclusions(t *testing.T) {
	step := 0.5
	up := spectrumReport{subjectReport: subjectReport{Parameters: 100}, LargestStep: &step, to: 4, Outliers: 3}
	up.NearZero.Value = 0.25
	down := up
	down.Negative.Value = 0.1
	none := up
	none.Outliers = 0
	for want, r := range map[string]spectrumReport{
		"0.5 (2 over the largest eigenvalue 4); 3 of 100 directions stand apart and 25 % are flat.": up,
		"3 of 100 directions stand apart, 25 % are flat and 10 % curve downwards":                   down,
		"none of 100":                 none,
		"No direction curves upwards": {},
	} {
		if got := r.conclude(); !strings.Contains(got, want) {
			t.Errorf("%q, expected %q in it", got, want)
		}
	}
}
