package main

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// learningRates runs `descent analyze lr --json`.
func learningRates(t *testing.T, arguments ...string) lrReport {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(succeed(t, append([]string{"analyze", "lr", "--json"}, arguments...)...).stdout))
	decoder.DisallowUnknownFields()
	var r lrReport
	if err := decoder.Decode(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

// Gradient descent on least squares is stable up to 2/λ exactly: with all
// examples in a batch, theory and trial agree.
func TestLearningRatesOfLeastSquares(t *testing.T) {
	r := learningRates(t, "--data", "diabetes", "--model", "linear", "--epochs", "0", "--batch-sizes", "4,265")
	full := r.Points[1]
	if full.Batch != r.Examples || math.Abs(full.Predicted*r.Top-2) > 1e-12 || r.Limit != full.Predicted {
		t.Errorf("%+v with largest eigenvalue %g: expected 2 over it at a batch of all %d examples", full, r.Top, r.Examples)
	}
	if ratio := *full.Found / full.Predicted; ratio < 0.95 || ratio > 1.05 {
		t.Errorf("found %g and predicted %g", *full.Found, full.Predicted)
	}
	small := r.Points[0]
	if !(small.Predicted < full.Predicted) || !(*small.Found < *full.Found) || *small.Linear != *small.Found || *full.SquareRoot <= *small.SquareRoot {
		t.Errorf("batch 4: %+v, batch 265: %+v", small, full)
	}
	if r.LearningRate != nil || !strings.Contains(r.Conclusion, "The largest stable step at batch 4 is ") {
		t.Errorf("conclusion %q", r.Conclusion)
	}
}

// A rate of the user's is judged at the user's batch size, even if the training
// with it diverges.
func TestLearningRatesJudgeThatOfTheUser(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.html")
	arguments := []string{"analyze", "lr", "--data", "iris", "--model", "mlp:6", "--epochs", "2", "--batch-sizes", "8..64", "--batch-size", "20", "--repeats", "1", "--report", file}
	r := succeed(t, append(arguments, "--learning-rate", "1e6")...)
	for _, word := range []string{"iris: 90 examples", "mlp:6 with 51 parameters", "as it diverges at 1.00e+06", "\n        20 ", "\n        64 ",
		"The largest stable step at batch 20 is ", "; you use 1.00e+06, which is too large here.", "Report: " + file} {
		if !strings.Contains(r.stdout, word) {
			t.Errorf("the output lacks %q:\n%s", word, r.stdout)
		}
	}
	if !strings.Contains(r.stderr, "batch 20: ") {
		t.Errorf("no progress in %s", r.stderr)
	}
	page, err := os.ReadFile(file)
	if err != nil || strings.Count(string(page), "<svg") != 1 || !strings.Contains(string(page), "--batch-sizes 8..64") || strings.Contains(string(page), "NaN") {
		t.Errorf("the report has no figure or no command: %v", err)
	}
}

func TestLearningRatesAreTheSameAgain(t *testing.T) {
	arguments := []string{"analyze", "lr", "--json", "--data", "wine", "--model", "mlp:4", "--epochs", "1", "--batch-sizes", "8,16", "--repeats", "2", "--seed", "3", "--dtype", "float32"}
	if one, two := succeed(t, arguments...).stdout, succeed(t, arguments...).stdout; one != two {
		t.Errorf("the results differ:\n%s\n%s", one, two)
	}
}

func TestLearningRateErrors(t *testing.T) {
	folder := t.TempDir()
	for name, c := range map[string]struct {
		code      int
		arguments []string
		says      string
	}{
		"no size":       {exitUsage, []string{"--batch-sizes", ""}, "--batch-sizes"},
		"size 0":        {exitUsage, []string{"--batch-sizes", "0..8"}, "at least 1"},
		"falling":       {exitUsage, []string{"--batch-sizes", "64..8"}, "range"},
		"words":         {exitUsage, []string{"--batch-sizes", "8,many"}, "many"},
		"rate 0":        {exitUsage, []string{"--learning-rate", "0"}, "above 0"},
		"rate NaN":      {exitUsage, []string{"--learning-rate", "NaN"}, "above 0"},
		"batch size 0":  {exitUsage, []string{"--batch-size", "0"}, "--batch-size"},
		"repeats":       {exitUsage, []string{"--repeats", "0"}, "--repeats"},
		"too large":     {exitFailed, []string{"--data", "iris", "--epochs", "0", "--batch-sizes", "8,91"}, "90 examples"},
		"all too large": {exitFailed, []string{"--data", "iris", "--epochs", "0", "--batch-sizes", "91..400"}, "90 examples"},
		"convolutions":  {exitFailed, []string{"--model", "cnn:2,2", "--epochs", "0"}, "second derivative"},
		"empty file":    {exitFailed, []string{"--data", write(t, "empty.csv", "")}, "empty.csv"},
		"one class":     {exitFailed, []string{"--data", write(t, "one.csv", "a,b\n1,yes\n2,yes\n3,yes\n4,yes\n5,yes\n6,yes\n"), "--task", "classification"}, "class"},
		"no place":      {exitFailed, []string{"--report", filepath.Join(folder, "none", "x.html")}, "none"},
		"NaN":           {exitFailed, []string{"--data", "iris", "--checkpoint", diverged(t)}, "not finite"},
	} {
		r := descent(t.Context(), append([]string{"analyze", "lr", "--store", folder}, c.arguments...)...)
		if r.code != c.code || r.stdout != "" || !strings.Contains(r.stderr, c.says) || strings.Count(strings.TrimSpace(r.stderr), "\n") > 1 {
			t.Errorf("%s: exit code %d, want %d and a sentence with %q:\n%s%s", name, r.code, c.code, c.says, r.stdout, r.stderr)
		}
	}
}

// listener is a stream that does something when it is told a word.
type listener struct {
	word string
	do   func()
}

func (l listener) Write(text []byte) (int, error) {
	if strings.Contains(string(text), l.word) {
		l.do()
	}
	return len(text), nil
}

// What is found before an interruption is printed, and kept in the store.
func TestLearningRatesFoundSoFar(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stdout bytes.Buffer
	arguments := []string{"analyze", "lr", "--data", "wine", "--epochs", "0", "--model", "mlp:4", "--batch-sizes", "8,16,32", "--store", dir}
	code := run(ctx, arguments, &stdout, listener{"batch 16: ", cancel})
	lines := strings.Split(stdout.String(), "\n")
	if code != exitInterrupted || len(lines) < 6 || len(strings.Fields(lines[3])) != 6 || !strings.Contains(lines[4], " - ") {
		t.Fatalf("exit code %d and output %q, want a rate for batches of 8 and none for 16", code, stdout.String())
	}
	shown := succeed(t, "show", "1", "--store", dir).stdout
	if !strings.Contains(shown, lines[3]) || !strings.Contains(shown, "Repeat:  descent analyze lr --data wine --epochs 0") {
		t.Errorf("show prints\n%s", shown)
	}
	if listed := succeed(t, "runs", "--store", dir).stdout; !strings.Contains(listed, "interrupted") || !strings.Contains(listed, "lr wine mlp:4") {
		t.Errorf("runs prints\n%s", listed)
	}
}

// An analysis that fails is on record with the reason.
func TestLearningRatesThatFailAreShown(t *testing.T) {
	dir := t.TempDir()
	if r := descent(t.Context(), "analyze", "lr", "--model", "cnn:2,2", "--epochs", "0", "--store", dir); r.code != exitFailed {
		t.Fatalf("exit code %d", r.code)
	}
	shown := succeed(t, "show", "1", "--store", dir).stdout
	for _, words := range []string{"Run 1 is failed.", "Stopped by: ", "second derivative", "Repeat:  descent analyze lr --model cnn:2,2 --epochs 0 --store " + dir} {
		if !strings.Contains(shown, words) {
			t.Errorf("show lacks %q:\n%s", words, shown)
		}
	}
	sentence(t, "show --json", "has no result", "show", "1", "--json", "--store", dir)
}

func TestBatchSizes(t *testing.T) {
	for text, want := range map[string][]int{
		"16..128": {16, 32, 64, 128}, "5..30": {5, 10, 20}, "8, 4,8": {4, 8}, "1,6..13": {1, 6, 12}, "7": {7},
	} {
		b, err := parseBatchSizes(text)
		if err != nil || !slices.Equal(b.list, want) {
			t.Errorf("%s: %v, want %v (%v)", text, b.list, want, err)
		}
	}
}

func TestLearningRateConclusions(t *testing.T) {
	found, yours := 0.41, 0.5
	base := lrReport{Batch: 128, Top: 2, Scatter: 60, Limit: 1, LearningRate: &yours, Points: []lrPoint{{Batch: 64, Predicted: 0.2}, {Batch: 128, Predicted: 0.45, Found: &found}}}
	small, half, none, early, quiet, far := base, base, base, base, base, base
	tenth, most := 0.041, 0.3
	small.LearningRate, half.LearningRate, none.LearningRate, quiet.Scatter = &tenth, &most, nil, 1
	far.Points = []lrPoint{{Batch: 128, Predicted: 0.1, Found: &found}}
	early.Points = []lrPoint{{Batch: 128, Predicted: 0.45}}
	for want, r := range map[string]lrReport{
		"The largest stable step at batch 128 is 0.41 (predicted: 0.45); you use 0.5, which is too large here.":                                                                                        base,
		"you use 0.041, and there is room for a step 10 times as large. The linear rule ends at batches of about 30, which bear half of what all examples do: in theory none bears more than about 1.": small,
		"you use 0.3, which leaves little room.":            half,
		"at batch 128 is 0.41 (predicted: 0.45). ":          none,
		"at batch 128 is predicted to be 0.45; you use 0.5": early,
		"0.41 (predicted: 0.1), as steps beyond the predicted one lead to flatter places before the loss has doubled; you use 0.5": far,
		"A larger batch bears no larger step": quiet,
	} {
		r.conclude()
		if !strings.Contains(r.Conclusion, want) {
			t.Errorf("%q, expected %q in it", r.Conclusion, want)
		}
	}
}
