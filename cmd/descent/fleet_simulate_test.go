package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// simulateNow runs `fleet simulate` by itself.
func simulateNow(ctx context.Context, arguments ...string) (string, error) {
	c := newFleetSimulate()
	c.SilenceErrors, c.SilenceUsage = true, true
	var stdout, stderr bytes.Buffer
	c.SetArgs(arguments)
	c.SetOut(&stdout)
	c.SetErr(&stderr)
	err := c.ExecuteContext(ctx)
	return stdout.String(), err
}

func simulatedReport(t *testing.T, arguments ...string) simulateReport {
	t.Helper()
	text, err := simulateNow(t.Context(), append(arguments, "--json")...)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	var r simulateReport
	if err := decoder.Decode(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

// With short bursts and dear load M-SGC is the fastest, as in the study; the same
// command gives the same numbers.
func TestSimulateFindsTheFastest(t *testing.T) {
	arguments := []string{"--scheme", "uncoded,gc,sr-sgc,m-sgc", "--workers", "32", "--jobs", "150"}
	r := simulatedReport(t, arguments...)
	if len(r.Schemes) != 4 || !strings.HasPrefix(r.Fastest, "m-sgc:") || !strings.HasPrefix(r.Reference, "gc:") || !strings.HasPrefix(r.Conclusion, "Use --scheme m-sgc:") {
		t.Errorf("%+v", r)
	}
	for _, s := range r.Schemes {
		if len(s.Seconds) != 3 || s.Given != (s.Name == "uncoded") || s.Deviation <= 0 || s.Mean <= 150 {
			t.Errorf("%+v: expected three draws of more than a second each round", s)
		}
		if s.Scheme == r.Reference && math.Abs(s.Ratio-1) > 1e-12 {
			t.Errorf("the reference is %g of itself", s.Ratio)
		}
	}
	again, other := simulatedReport(t, arguments...), simulatedReport(t, append(arguments, "--seed", "2")...)
	if fmt.Sprint(again.Schemes) != fmt.Sprint(r.Schemes) {
		t.Error("the same command gave other numbers")
	}
	if other.Schemes[0].Mean == r.Schemes[0].Mean {
		t.Error("another seed gave the same times")
	}
}

// A scheme with parameters is taken as it is; waiting in order is never slower.
func TestSimulateGivenParameters(t *testing.T) {
	list := "gc:s=2,m-sgc:B=1,W=2,lambda=4,gc-rep:s=3"
	all := simulatedReport(t, "--scheme", list, "--workers", "16", "--jobs", "60", "--wait-out", "all", "--seeds", "1")
	order := simulatedReport(t, "--scheme", list, "--workers", "16", "--jobs", "60", "--seeds", "1")
	for i, want := range []string{"gc:s=2", "m-sgc:B=1,W=2,lambda=4", "gc-rep:s=3"} {
		if a, o := all.Schemes[i], order.Schemes[i]; a.Scheme != want || !a.Given || a.Deviation != 0 || want != "m-sgc:B=1,W=2,lambda=4" && o.Mean > a.Mean+1e-9 {
			t.Errorf("%s: %+v, in order %+v", want, a, o)
		}
	}
	if all.Schemes[1].Models != 2 || all.Schemes[0].Models != 1 {
		t.Errorf("models %+v", all.Schemes)
	}
}

// The baseline that ignores late workers is fast, is said not to be exact, and is
// never the advice.
func TestSimulateIgnore(t *testing.T) {
	r := simulatedReport(t, "--scheme", "ignore,uncoded,gc:s=2", "--workers", "16", "--jobs", "60")
	ignore := r.Schemes[0]
	if ignore.Exact || ignore.WaitOuts != 0 || ignore.Mean >= r.Schemes[2].Mean || !r.Schemes[1].Exact || r.Fastest != "gc:s=2" || r.Reference != "gc:s=2" {
		t.Errorf("%+v: expected the fastest of the exact schemes", r)
	}
	if !strings.HasPrefix(r.Conclusion, "Use --scheme gc:s=2") || !strings.Contains(r.Conclusion, "ignore are not exact") {
		t.Error(r.Conclusion)
	}
	alone, err := simulateNow(t.Context(), "--scheme", "ignore", "--workers", "8", "--jobs", "20")
	if err != nil || !strings.Contains(alone, "ignore (not exact)") || !strings.Contains(alone, "are not exact: its") {
		t.Errorf("%v\n%s", err, alone)
	}
}

// Recorded times: in every round but a few, one worker in turn takes 9 s.
func TestSimulateAProfile(t *testing.T) {
	var b strings.Builder
	b.WriteString("w0,w1,w2,w3\n")
	for r := range 60 {
		for i := range 4 {
			seconds := 1.0
			if r%4 == i {
				seconds = 9
			}
			fmt.Fprintf(&b, "%g", seconds)
			if i < 3 {
				b.WriteString(",")
			}
		}
		b.WriteString("\n")
	}
	file := write(t, "times.csv", b.String())
	r := simulatedReport(t, "--scheme", "uncoded,gc", "--profile", file, "--probe", "20", "--jobs", "30", "--slope", "0")
	if r.Workers != 4 || r.Runs != 1 || r.Schemes[0].Mean != 270 || r.Schemes[1].Mean != 60 || r.Schemes[1].Scheme != "gc:s=1" || r.Schemes[0].WaitOuts != 30 {
		t.Errorf("%+v: expected 30 rounds of 9 s, or of 2 s with a code for one late worker", r)
	}
	for _, c := range []struct {
		more   []string
		expect string
	}{
		{[]string{"--jobs", "100"}, "has 60 rounds: expected at least"},
		{[]string{"--workers", "5"}, "has 4 columns"},
		{[]string{"--seeds", "2"}, "expected one of them"},
		{[]string{"--profile", file + "x"}, "no such file"},
		{[]string{"--scheme", "gc:s=4"}, "late workers in a round"},
		{[]string{"--profile", write(t, "bad.csv", "1,2\n1,x\n")}, "bad.csv: line 2, column 3"},
	} {
		_, err := simulateNow(t.Context(), append([]string{"--profile", file, "--probe", "20", "--jobs", "30"}, c.more...)...)
		if err == nil || !strings.Contains(err.Error(), c.expect) {
			t.Errorf("%v: %v, expected %q", c.more, err, c.expect)
		}
	}
}

func TestSimulateWritesTextAndReport(t *testing.T) {
	page := filepath.Join(t.TempDir(), "codes.html")
	text, err := simulateNow(t.Context(), "--scheme", "gc,m-sgc", "--workers", "16", "--jobs", "60", "--report", page)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"60 gradients on 16 workers", "m-sgc:B=", "chosen", "Report: " + page, "of gc:s="} {
		if !strings.Contains(text, word) {
			t.Errorf("the output lacks %q:\n%s", word, text)
		}
	}
	content, err := os.ReadFile(page)
	if err != nil || strings.Count(string(content), "<svg") != 1 || !strings.Contains(string(content), "--workers 16") || strings.Contains(string(content), "NaN") {
		t.Errorf("the report has not its figure and its command: %v", err)
	}
	one, err := simulateNow(t.Context(), "--scheme", "uncoded", "--workers", "8", "--jobs", "20", "--seeds", "1")
	if err != nil || !strings.Contains(one, "waits for late workers in") {
		t.Errorf("a single scheme: %v\n%s", err, one)
	}
}

func TestSimulateRefuses(t *testing.T) {
	for _, c := range []struct {
		arguments []string
		expect    string
	}{
		{[]string{"--scheme", "gd"}, `unknown scheme "gd"`},
		{[]string{"--scheme", "gc:s=64"}, "fewer than the 64 workers"},
		{[]string{"--scheme", "gc,gc"}, "stands twice"},
		{[]string{"--scheme", "m-sgc:B=1,W=2"}, "expected B, W, lambda"},
		{[]string{"--scheme", ""}, "starts with no name"},
		{[]string{"--workers", "0"}, "--workers 0"},
		{[]string{"--jobs", "0"}, "--jobs 0"},
		{[]string{"--seeds", "0"}, "--seeds 0"},
		{[]string{"--probe", "3"}, "--probe 3"},
		{[]string{"--workers", "100000", "--jobs", "100000"}, "at most 100000000 delays"},
		{[]string{"--slope", "-1"}, "--slope -1"},
		{[]string{"--slope", "NaN"}, "--slope NaN"},
		{[]string{"--tolerance", "0"}, "--tolerance 0"},
		{[]string{"--wait-out", "none"}, "--wait-out"},
		{[]string{"--recorded-load", "0.5"}, "--recorded-load"},
		{[]string{"--recorded-load", "2"}, "--recorded-load 2"},
		{[]string{"--stragglers", "weibull:k=2"}, "--stragglers"},
		{[]string{"--stragglers", "gilbert-elliott:p=2"}, `option "p"`},
	} {
		_, err := simulateNow(t.Context(), c.arguments...)
		var usage usageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), c.expect) {
			t.Errorf("%v: %v, expected an error of usage with %q", c.arguments, err, c.expect)
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := simulateNow(ended, "--workers", "8"); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
	if _, err := simulateNow(t.Context(), "--report", filepath.Join(t.TempDir(), "no", "page.html")); err == nil {
		t.Error("a report without a folder was promised")
	}
}
