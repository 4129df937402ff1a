package main

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/descentml/descent/lab/saved"
)

// trainedModel trains a model for a source and returns its folder.
func trainedModel(t *testing.T, source, network string, more ...string) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "trained.model")
	succeed(t, append([]string{"train", "--store", t.TempDir(), "--data", source, "--model", network, "--method", "adam",
		"--lr", "0.01", "--save", folder}, more...)...)
	return folder
}

func prunedReport(t *testing.T, arguments ...string) pruning {
	t.Helper()
	var report pruning
	if err := json.Unmarshal([]byte(succeed(t, append([]string{"prune", "--json"}, arguments...)...).stdout), &report); err != nil {
		t.Fatal(err)
	}
	return report
}

// With the seed of the training the score before is that of the training, and
// the saved model predicts as well as is said of it.
func TestPruneADigitsModel(t *testing.T) {
	folder, out := trainedModel(t, "digits", "mlp:24", "--epochs", "10"), filepath.Join(t.TempDir(), "small.model")
	report := prunedReport(t, "--model", folder, "--data", "digits", "--sparsity", "0.85", "--rounds", "4", "--gradients", "128", "--save", out)
	backend, err := newBackend("")
	if err != nil {
		t.Fatal(err)
	}
	before, err := saved.Load(backend, folder)
	if err != nil {
		t.Fatal(err)
	}
	after, err := saved.Load(backend, out)
	if err != nil {
		t.Fatal(err)
	}
	const weights = 64*24 + 24*10
	if math.Abs(report.Before-before.TestScore) > 1e-12 || report.Weights != weights || report.Score != "accuracy" {
		t.Errorf("report %+v, trained to %g", report, before.TestScore)
	}
	if len(report.Results) != 3 || report.Results[0].Method != "m-fac" || report.Results[0].Score != after.TestScore {
		t.Fatalf("results %+v, saved %g", report.Results, after.TestScore)
	}
	for _, r := range report.Results {
		if want := math.Round(0.15 * weights); float64(r.Left) != want || math.Abs(r.Sparsity-1+want/weights) > 1e-12 {
			t.Errorf("%s left %d weights, want %g", r.Method, r.Left, want)
		}
	}
	if m := report.Results; !(m[0].Score > m[1].Score && m[0].Score > m[2].Score) {
		t.Errorf("results %+v: expected the best of m-fac", m)
	}
	// Pruned again to the same sparsity, nothing is left to do.
	again := prunedReport(t, "--model", out, "--data", "digits", "--sparsity", "0.85", "--method", "magnitude", "--save", filepath.Join(t.TempDir(), "again"))
	if again.Before != after.TestScore || again.Results[0].Score != after.TestScore || len(again.Results) != 2 {
		t.Errorf("pruned again: %+v", again)
	}
}

func TestPruneWithFineTuning(t *testing.T) {
	folder, dir := trainedModel(t, "wine", "mlp:16", "--epochs", "20"), t.TempDir()
	arguments := []string{"--model", folder, "--data", "wine", "--sparsity", "0.9", "--rounds", "2", "--gradients", "40", "--method", "diagonal", "--save"}
	report := prunedReport(t, append(arguments, filepath.Join(dir, "tuned"), "--fine-tune", "5")...)
	plain := prunedReport(t, append(arguments, filepath.Join(dir, "plain"))...)
	if report.Results[0].Left != plain.Results[0].Left || !(report.Results[0].Score >= plain.Results[0].Score) {
		t.Errorf("with training %+v, without %+v", report.Results[0], plain.Results[0])
	}
	if names := []string{report.Results[0].Method, report.Results[1].Method}; len(report.Results) != 2 || !slices.Equal(names, []string{"diagonal", "magnitude"}) {
		t.Errorf("results %+v", report.Results)
	}
}

func TestPruneATableAndARegression(t *testing.T) {
	table := write(t, "churn.csv", churn(240))
	folder, out := trainedModel(t, table, "mlp:16", "--target", "churned", "--epochs", "30"), filepath.Join(t.TempDir(), "pruned")
	shown := succeed(t, "prune", "--model", folder, "--data", table, "--sparsity", "0.5", "--rounds", "2", "--gradients", "60", "--save", out).stdout
	for _, expected := range []string{"before", "m-fac", "magnitude", "diagonal", "test accuracy", "descent predict --model"} {
		if !strings.Contains(shown, expected) {
			t.Errorf("%q is missing:\n%s", expected, shown)
		}
	}
	if lines := parseCSV(t, succeed(t, "predict", "--model", out, "--data", table).stdout); len(lines) != 241 {
		t.Errorf("%d lines of predictions", len(lines))
	}

	var line strings.Builder
	line.WriteString("x,z,y\n")
	for i := range 120 {
		line.WriteString(strconv.Itoa(i) + "," + strconv.Itoa(i*7%13) + "," + strconv.Itoa(1000+5*i) + "\n")
	}
	table = write(t, "line.csv", line.String())
	folder = trainedModel(t, table, "mlp:8", "--epochs", "60", "--dtype", "float64", "--task", "regression")
	report := prunedReport(t, "--model", folder, "--data", table, "--sparsity", "0.3", "--rounds", "1", "--gradients", "50", "--save", filepath.Join(t.TempDir(), "line"))
	if report.Score != "R²" || !(report.Before > 0.9) || !(report.Results[0].Score > 0.5) {
		t.Errorf("report %+v", report)
	}
}

func TestPruneErrors(t *testing.T) {
	folder := trainedModel(t, "iris", "mlp:4", "--epochs", "2")
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "notes.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	for says, arguments := range map[string][]string{
		"--model, --data and --save": {"--model", folder},
		"--sparsity 1":               {"--model", folder, "--data", "iris", "--save", out, "--sparsity", "1"},
		`did you mean "magnitude"`:   {"--model", folder, "--data", "iris", "--save", out, "--method", "magnitud"},
		"--rounds 0":                 {"--model", folder, "--data", "iris", "--save", out, "--rounds", "0"},
		"--damping 0":                {"--model", folder, "--data", "iris", "--save", out, "--damping", "0"},
		"--fine-tune -1":             {"--model", folder, "--data", "iris", "--save", out, "--fine-tune", "-1"},
		"--test 0":                   {"--model", folder, "--data", "iris", "--save", out, "--test", "0"},
		"other files":                {"--model", folder, "--data", "iris", "--save", full},
		"not a saved model":          {"--model", full, "--data", "iris", "--save", out},
		"fewer --gradients":          {"--model", folder, "--data", "iris", "--save", out, "--gradients", "100000000"},
		"sepal":                      {"--model", folder, "--data", "wine", "--save", out}, // a column that wine lacks
	} {
		r := descent(t.Context(), append([]string{"prune"}, arguments...)...)
		if r.code == exitDone || !strings.Contains(r.stderr, says) {
			t.Errorf("descent prune %s: exit code %d, %q: expected %q", strings.Join(arguments, " "), r.code, r.stderr, says)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a model was saved")
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if r := descent(ended, "prune", "--model", folder, "--data", "iris", "--save", out); r.code == exitDone {
		t.Error("it went on after its context had ended")
	}
}
