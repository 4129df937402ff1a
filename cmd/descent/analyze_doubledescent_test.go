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
	"time"
)

// doubleDescent runs `descent analyze double-descent --json`.
func doubleDescent(t *testing.T, arguments ...string) descentReport {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(succeed(t, append([]string{"analyze", "double-descent", "--json"}, arguments...)...).stdout))
	decoder.DisallowUnknownFields()
	var r descentReport
	if err := decoder.Decode(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

// The peak of digits grows with the budget, and the sentence names where it is
// and why it is missing.
func TestDoubleDescentOverBudgets(t *testing.T) {
	r := doubleDescent(t, "--factor", "budget", "--examples", "40", "--seeds", "2")
	if len(r.Values) != 7 || r.Threshold != 40 || len(r.Values[0].Points) != 13 || r.Outputs != 10 || r.TestExamples < 450 {
		t.Fatalf("%d values, threshold %d, %d widths, %d outputs, %d test examples", len(r.Values), r.Threshold, len(r.Values[0].Points), r.Outputs, r.TestExamples)
	}
	for i, v := range r.Values[1:6] {
		if *v.PeakRatio <= *r.Values[i].PeakRatio || *v.ThresholdLoss >= *r.Values[i].ThresholdLoss {
			t.Errorf("%s: R %g and loss %g after %g and %g", v.Value, *v.PeakRatio, *v.ThresholdLoss, *r.Values[i].PeakRatio, *r.Values[i].ThresholdLoss)
		}
	}
	if last := r.Values[6]; !last.Peak || last.PeakWidth != 40 || *last.ThresholdLoss > 1e-18 {
		t.Errorf("minimum norm: %+v", last)
	}
	for _, word := range []string{"At minimum norm the test loss peaks at width 40", "at 1e2 steps there is no peak because the train loss at the threshold stops at"} {
		if !strings.Contains(r.Conclusion, word) {
			t.Errorf("the conclusion lacks %q: %s", word, r.Conclusion)
		}
	}
}

func TestDoubleDescentWritesTableAndReport(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.html")
	r := succeed(t, "analyze", "double-descent", "--data", write(t, "churn.csv", churn(200)), "--target", "churned",
		"--factor", "ridge", "--examples", "30", "--seeds", "1", "--report", file)
	for _, word := range []string{"churn", "30 training and 170 test examples", "peak ratio R", "no ridge", "ridge 0.01", "Widths: 3, 6, 12", "At no ridge", "Report: " + file} {
		if !strings.Contains(r.stdout, word) {
			t.Errorf("the output lacks %q:\n%s", word, r.stdout)
		}
	}
	page, err := os.ReadFile(file)
	if err != nil || strings.Count(string(page), "<svg") != 5 {
		t.Errorf("the report has not five figures: %v", err)
	}
	for _, word := range []string{"--factor ridge", "--target churned", "Test error against width"} {
		if !bytes.Contains(page, []byte(word)) {
			t.Errorf("the report lacks %q", word)
		}
	}
}

// Regression has no test error, neither in the table nor in JSON.
func TestDoubleDescentOfRegression(t *testing.T) {
	arguments := []string{"--data", "diabetes", "--factor", "momentum", "--examples", "40", "--seeds", "1", "--features", "relu"}
	r := doubleDescent(t, arguments...)
	if r.Outputs != 1 || r.Task != "regression" || len(r.Values) != 3 || r.Values[0].Points[0].TestError != nil {
		t.Errorf("%+v: expected three values of a regression without test errors", r)
	}
	text := succeed(t, append([]string{"analyze", "double-descent"}, arguments...)...).stdout
	if strings.Contains(text, "test error") || !strings.Contains(text, "test loss at 400") {
		t.Errorf("unexpected columns:\n%s", text)
	}
}

func TestDoubleDescentOfNetworks(t *testing.T) {
	r := doubleDescent(t, "--data", "wine", "--model", "two-layer", "--factor", "init-scale", "--examples", "40", "--seeds", "1", "--epochs", "50")
	points := r.Values[0].Points
	if r.Threshold != 7 || len(r.Values) != 5 || points[len(points)-1].Width != 69 {
		t.Errorf("threshold %d and largest %d of %d values: expected 7 and 69 units of 5", r.Threshold, points[len(points)-1].Width, len(r.Values))
	}
}

func TestDoubleDescentIsTheSameForAnyNumberOfWorkers(t *testing.T) {
	arguments := []string{"analyze", "double-descent", "--data", "iris", "--factor", "optimizer", "--examples", "20", "--seeds", "2", "--epochs", "60", "--json"}
	one, two := succeed(t, append(arguments, "--workers", "1")...).stdout, succeed(t, append(arguments, "--workers", "2")...).stdout
	if one != two {
		t.Errorf("the results differ:\n%s\n%s", one, two)
	}
}

func TestDoubleDescentErrors(t *testing.T) {
	few := write(t, "few.csv", churn(40))
	constant := write(t, "constant.csv", "a,b\n"+strings.Repeat("1,2.5\n2,2.5\n", 60))
	for name, test := range map[string]struct {
		code      int
		arguments []string
		says      []string
	}{
		"no analysis":       {exitUsage, []string{"analyze"}, []string{"analyze NAME"}},
		"unknown factor":    {exitUsage, []string{"analyze", "double-descent", "--factor", "step"}, []string{"--factor", "step-size"}},
		"near factor":       {exitUsage, []string{"analyze", "double-descent", "--factor", "momentun"}, []string{`did you mean "momentum"`}},
		"unknown features":  {exitUsage, []string{"analyze", "double-descent", "--features", "sigmoid"}, []string{"tanh"}},
		"unknown model":     {exitUsage, []string{"analyze", "double-descent", "--model", "rmf"}, []string{"rfm, two-layer"}},
		"noise":             {exitUsage, []string{"analyze", "double-descent", "--noise", "1.5"}, []string{"1.5"}},
		"too many examples": {exitUsage, []string{"analyze", "double-descent", "--examples", "5000"}, []string{"1000"}},
		"seeds":             {exitUsage, []string{"analyze", "double-descent", "--seeds", "0"}, []string{"--seeds"}},
		"argument":          {exitUsage, []string{"analyze", "double-descent", "digits"}, nil},
		"too few rows":      {exitFailed, []string{"analyze", "double-descent", "--data", few}, []string{"few", "40 rows", "--examples"}},
		"constant target":   {exitFailed, []string{"analyze", "double-descent", "--data", constant, "--task", "regression", "--examples", "20"}, []string{"constant"}},
		"missing file":      {exitFailed, []string{"analyze", "double-descent", "--data", "nowhere.csv"}, []string{"nowhere.csv"}},
		"no place":          {exitFailed, []string{"analyze", "double-descent", "--report", filepath.Join(t.TempDir(), "none", "x.html")}, []string{"none"}},
	} {
		r := descent(t.Context(), test.arguments...)
		if r.code != test.code || r.stdout != "" || strings.Count(strings.TrimSpace(r.stderr), "\n") > 1 {
			t.Errorf("%s: exit code %d, want %d and a sentence:\n%s%s", name, r.code, test.code, r.stdout, r.stderr)
		}
		for _, word := range test.says {
			if !strings.Contains(r.stderr, word) {
				t.Errorf("%s: the message lacks %q: %s", name, word, r.stderr)
			}
		}
	}
}

func TestDoubleDescentCanBeInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	time.AfterFunc(100*time.Millisecond, cancel) // hours before the end
	r := descent(ctx, "analyze", "double-descent", "--factor", "optimizer", "--epochs", "1000000")
	if r.code != exitInterrupted || r.stdout != "" {
		t.Errorf("exit code %d and output %q, want %d and none", r.code, r.stdout, exitInterrupted)
	}
}

// The conclusion of every kind of outcome.
func TestDoubleDescentConclusions(t *testing.T) {
	value := func(name string, ratio, loss float64) descentValue {
		return descentValue{Value: name, PeakRatio: known(ratio), ThresholdLoss: known(loss), PeakWidth: 50, Peak: ratio >= 2, Points: []descentPoint{{Width: 500}}}
	}
	for expected, values := range map[string][]descentValue{
		"Every training diverged":                                {value("a", math.NaN(), math.NaN())},
		"because the train loss there stops at 0.02":             {value("a", 1.2, 0.02), value("b", 1.1, 0.03)},
		"does little harm":                                       {value("a", 1.2, 1e-9), value("b", 1.1, 0.03)},
		"Every value shows a peak, the highest at a":             {value("a", 5, 1e-9), value("b", 3, 0.001), value("c", math.NaN(), math.NaN())},
		"there is no peak because the train loss at the thresho": {value("a", 5, 1e-9), value("b", 1.3, 0.02)},
		"there is no peak although the train loss":               {value("a", 5, 1e-9), value("b", 1.3, 1e-8)},
	} {
		r := descentReport{Threshold: 50, Values: values}
		if got := r.conclude(); !strings.Contains(got, expected) || strings.Count(got, ".\n") > 0 {
			t.Errorf("%q, expected %q in it", got, expected)
		}
	}
	text := fmt.Sprint(value("a", 5, 1e-9).cells(descentPoint{}))
	if !strings.Contains(text, "yes, at 50") {
		t.Errorf("%s does not say where the peak is", text)
	}
}
