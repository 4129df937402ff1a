package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// The tests' own binary is a black box if it is started as one, without words;
// workers have some.
func init() {
	if behaviour := os.Getenv("DESCENT_TEST_BLACKBOX"); behaviour != "" && len(os.Args) == 1 {
		answer(behaviour)
		os.Exit(0)
	}
}

// answer is a bowl around 3 plus the client's number, or something wrong.
func answer(how string) {
	centre := 3.0
	if os.Getenv("DESCENT_CLIENT") == "1" {
		centre = 4
	}
	lines := bufio.NewScanner(os.Stdin)
	for asked := 1; lines.Scan(); asked++ {
		var x []float64
		if err := json.Unmarshal(lines.Bytes(), &x); err != nil {
			fmt.Println(err)
			return
		}
		sum := 0.0
		for _, v := range x {
			sum += (v - centre) * (v - centre)
		}
		switch {
		case how == "nan" && asked > 30:
			fmt.Println("NaN")
		case how == "dies" && asked > 30:
			fmt.Fprintln(os.Stderr, "out of fuel")
			os.Exit(7)
		case how == "hangs" && asked > 30:
			time.Sleep(time.Hour)
		case how == "waits" && asked == 100: // until it is killed, and says so
			if err := os.WriteFile(os.Getenv("DESCENT_TEST_SIGNAL"), nil, 0o644); err != nil {
				fmt.Println(err)
			}
			time.Sleep(time.Hour)
		default:
			fmt.Println(sum)
		}
	}
}

// federateBoxes runs `fleet federate` with the flags for black boxes alone.
func federateBoxes(ctx context.Context, arguments ...string) result {
	c := &cobra.Command{Use: kindFederate, Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error { return errors.New("no black box") }}
	addBlackBox(c)
	root := &cobra.Command{Use: "descent", SilenceUsage: true, SilenceErrors: true}
	fleet := &cobra.Command{Use: "fleet"}
	root.AddCommand(fleet)
	fleet.AddCommand(c)
	var stdout, stderr bytes.Buffer
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	root.SetArgs(append([]string{"fleet", "federate"}, arguments...))
	code := exitDone
	if err := root.ExecuteContext(ctx); err != nil {
		code = exitFailed
		fmt.Fprintln(&stderr, err)
	}
	return result{code, stdout.String(), stderr.String()}
}

// quickly are settings that take little time.
var quickly = []string{"--local-steps", "4", "--features", "100", "--active", "1", "--round-active", "5", "--candidates", "20"}

func boxReport(t *testing.T, arguments ...string) blackBoxReport {
	t.Helper()
	r := federateBoxes(t.Context(), append(slices.Concat(quickly, arguments), "--json")...)
	if r.code != exitDone {
		t.Fatal(r.stderr)
	}
	var report blackBoxReport
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
		t.Fatal(err, r.stdout)
	}
	return report
}

// Strategies are compared on a formula, with every cost, and the report is drawn.
func TestFederateFormula(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report.html")
	arguments := []string{"--store", t.TempDir(), "--objective", "quadratic", "--strategy", "fzoos,fedzo,oracle", "--dim", "8", "--clients", "3", "--rounds", "4", "--report", file}
	r := boxReport(t, arguments...)
	if len(r.Results) != 3 || r.Minimum == nil || math.Abs(*r.Minimum-(-0.025+0.1/8)) > 1e-15 {
		t.Fatalf("%+v", r)
	}
	for i, queries := range []int64{3 * (10 + 4*(1+4+3+1+5)), 3 * 4 * 4 * 9, 3 * 4} {
		l := r.Results[i]
		if l.Totals.Queries != queries || len(l.Curve.Value) != 5 || l.Value >= l.Curve.Value[0] || l.Curve.Queries[4] != float64(queries) || l.Totals.BytesUp == 0 {
			t.Errorf("%s: %+v, want %d queries", l.Strategy, l, queries)
		}
	}
	page, err := os.ReadFile(file)
	if err != nil || !bytes.Contains(page, []byte("By queries")) || !bytes.Contains(page, []byte("By rounds")) {
		t.Errorf("the report lacks its figures: %v", err)
	}
	text := federateBoxes(t.Context(), slices.Concat(quickly, arguments)...)
	for _, part := range []string{"★", "gap", "queries", "Point:", "Repeat:  descent fleet federate"} {
		if !strings.Contains(text.stdout, part) {
			t.Errorf("%q is missing in\n%s", part, text.stdout)
		}
	}
}

func TestFederateLearnedBoxes(t *testing.T) {
	for _, objective := range []string{"attack", "metric"} {
		r := boxReport(t, "--store", t.TempDir(), "--objective", objective, "--clients", "2", "--rounds", "1")
		if l := r.Results[0]; l.Lowest > l.Curve.Value[0] || r.Minimum != nil || r.Dim < 64 {
			t.Errorf("%s: %+v", objective, l)
		}
	}
}

// command is an objective that runs the tests' own binary.
func command(t *testing.T, behaviour string) string {
	t.Helper()
	t.Setenv("DESCENT_TEST_BLACKBOX", behaviour)
	return "command:'" + os.Args[0] + "'"
}

// Two programs with minima at 3 and 4 agree on 3.5, in their own units.
func TestFederatePrograms(t *testing.T) {
	r := boxReport(t, "--store", t.TempDir(), "--objective", command(t, "well"), "--clients", "2", "--dim", "3", "--low", "-5", "--high", "10,10,10", "--start", "1", "--rounds", "12", "--lr", "0.02")
	l := r.Results[0]
	if l.Curve.Value[0] != 3*(4+9)/2.0 {
		t.Errorf("begins at %g, want the value at 1", l.Curve.Value[0])
	}
	for _, v := range l.Point {
		if math.Abs(v-3.5) > 0.3 {
			t.Errorf("ends at %v, want 3.5 everywhere", l.Point)
		}
	}
	want := int64(2 * (10 + 12*(1+4+3+1+5) + 1)) // with the last values
	if l.Totals.Queries != want || len(l.Curve.Value) != 13 || l.Curve.Queries[12] != float64(want) {
		t.Errorf("%d queries, %d values; want %d", l.Totals.Queries, len(l.Curve.Value), want)
	}
}

// A program that fails ends the run with its client and reason, and the run
// continues where it was once the program is well again.
func TestFederateFailingPrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short: it waits for programs that hang")
	}
	for behaviour, want := range map[string]string{
		"dies":  "in place of an answer; it said last: out of fuel",
		"nan":   "not finite",
		"hangs": "no answer within 3s",
	} {
		dir, patience := t.TempDir(), "1m"
		if behaviour == "hangs" {
			patience = "3s"
		}
		arguments := slices.Concat(quickly, []string{"--store", dir, "--objective", command(t, behaviour), "--clients", "2", "--dim", "2", "--high", "10", "--rounds", "4", "--answer-timeout", patience})
		r := federateBoxes(t.Context(), arguments...)
		if r.code == exitDone || !strings.Contains(r.stderr, want) || !strings.Contains(r.stderr, "client ") {
			t.Errorf("%s: %s", behaviour, r.stderr)
		}
		t.Setenv("DESCENT_TEST_BLACKBOX", "well")
		continued := readBoxes(t, federateBoxes(t.Context(), "--resume", "1", "--store", dir, "--json"))
		whole := boxReport(t, "--store", t.TempDir(), "--objective", command(t, "well"), "--clients", "2", "--dim", "2", "--high", "10", "--rounds", "4")
		if !slices.Equal(continued.Results[0].Curve.Value, whole.Results[0].Curve.Value) || !slices.Equal(continued.Results[0].Point, whole.Results[0].Point) {
			t.Errorf("%s: the continued run differs: %v and %v", behaviour, continued.Results[0].Curve, whole.Results[0].Curve)
		}
		if continued.Results[0].Repeated == 0 {
			t.Errorf("%s: the queries of the failed round are forgotten", behaviour)
		}
	}
}

func readBoxes(t *testing.T, r result) (report blackBoxReport) {
	t.Helper()
	if r.code != exitDone {
		t.Fatal(r.stderr)
	}
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
		t.Fatal(err)
	}
	return report
}

// Ctrl-C leaves a run that continues to the same bits.
func TestFederateBoxesInterrupted(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short: it runs the same work three times")
	}
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	signal := filepath.Join(dir, "signal")
	t.Setenv("DESCENT_TEST_SIGNAL", signal)
	go func() { // the programs' hundredth question is one that is not answered
		defer cancel()
		for t.Context().Err() == nil {
			if _, err := os.Stat(signal); err == nil {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	settings := []string{"--objective", command(t, "waits"), "--clients", "2", "--dim", "2", "--high", "10", "--rounds", "25", "--strategy", "fzoos,fedzo", "--workers", "2"}
	r := federateBoxes(ctx, slices.Concat(quickly, settings, []string{"--store", dir})...)
	if r.code == exitDone || !strings.Contains(r.stderr, "--resume 1") {
		t.Fatalf("%d: %s", r.code, r.stderr)
	}
	t.Setenv("DESCENT_TEST_BLACKBOX", "well")
	if shown := federateBoxes(t.Context(), "--resume", "1", "--store", dir, "--rounds", "3"); shown.code == exitDone {
		t.Error("--rounds was taken beside --resume")
	}
	continued := readBoxes(t, federateBoxes(t.Context(), "--resume", "1", "--store", dir, "--json"))
	whole := boxReport(t, append(settings, "--store", t.TempDir())...)
	for i := range whole.Results {
		a, b := continued.Results[i], whole.Results[i]
		if !slices.Equal(a.Curve.Value, b.Curve.Value) || !slices.Equal(a.Curve.Queries, b.Curve.Queries) || a.Totals != b.Totals {
			t.Errorf("%s: the continued run differs", a.Strategy)
		}
	}
}

func TestFederateBoxesRefuses(t *testing.T) {
	quadratic := []string{"--objective", "quadratic"}
	for want, arguments := range map[string][]string{
		"expected quadratic, ackley, levy": {"--objective", "cubic"},
		"expected once, or a command:":     {"--objective", "quadratic", "--objective", "levy"},
		"expected one of [fzoos":           append(slices.Clone(quadratic), "--strategy", "adam"),
		"listed twice":                     append(slices.Clone(quadratic), "--strategy", "fedzo,fedzo"),
		"--rounds 0":                       append(slices.Clone(quadratic), "--rounds", "0"),
		"--dim -1":                         append(slices.Clone(quadratic), "--dim", "-1"),
		"--heterogeneity":                  append(slices.Clone(quadratic), "--heterogeneity", "-1"),
		"--correction":                     append(slices.Clone(quadratic), "--correction", "t/1"),
		"--kernel":                         append(slices.Clone(quadratic), "--kernel", "linear"),
		"--workers 0":                      append(slices.Clone(quadratic), "--workers", "0"),
		"expected 1 to 5":                  append(slices.Clone(quadratic), "--dim", "5", "--strategy", "fedzo", "--directions", "9"),
		"--dim has no meaning for attack":  {"--objective", "attack", "--dim", "3"},
		"expected the number of variables": {"--objective", "command:true"},
		"--low has 2 numbers":              {"--objective", "command:true", "--dim", "3", "--low", "1,2"},
		"expected a finite range":          {"--objective", "command:true", "--dim", "3", "--low", "1", "--high", "0"},
		"--start 5 of variable 0":          {"--objective", "command:true", "--dim", "3", "--start", "5"},
		"needs true gradients":             {"--objective", "command:true", "--dim", "3", "--strategy", "oracle"},
		"cannot be started":                {"--objective", "command:/nowhere/box", "--dim", "3"},
		"has no end":                       {"--objective", "command:'a", "--dim", "3"},
		"expected one for each client":     {"--objective", "command:a", "--objective", "command:b", "--dim", "3", "--clients", "3"},
		"expected --objective beside it":   {"--dim", "4"},
		"no black box":                     {"--rounds", "3"},
	} {
		r := federateBoxes(t.Context(), append(slices.Clone(arguments), "--store", t.TempDir())...)
		if r.code == exitDone || !strings.Contains(r.stderr, want) {
			t.Errorf("%v: %s, want %s", arguments, r.stderr, want)
		}
	}
	if r := descent(t.Context(), "fleet", "federate", "--resume", "99", "--store", t.TempDir()); r.code == exitDone || !strings.Contains(r.stderr, "no run 99") {
		t.Errorf("resuming a run that is not there: %s", r.stderr)
	}
}
