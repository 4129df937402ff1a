package main

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/descentml/descent/lab/experiment"
	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/method/schedule"
	"github.com/descentml/descent/method/schedule/refine"
)

// refined runs `descent schedule refine --json` on the first run of a store.
func refined(t *testing.T, store, out string, more ...string) refinement {
	t.Helper()
	arguments := append([]string{"schedule", "refine", "--store", store, "--run", "1", "--out", out, "--json"}, more...)
	var r refinement
	if err := json.Unmarshal([]byte(succeed(t, arguments...).stdout), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// The way of a schedule: a run, its refinement, and a run that uses it.
func TestRefineAndUse(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short: it trains several times")
	}
	dir := t.TempDir()
	succeed(t, small(dir)...)
	out := filepath.Join(t.TempDir(), "iris.schedule")
	text := succeed(t, "schedule", "refine", "--store", dir, "--run", "1", "--tau", "0.5", "--out", out).stdout
	for _, want := range []string{"gradient norms of ", "running median over", "Schedule: " + out, "Picture:  " + out + ".html", "linear,cosine,refined:" + out} {
		if !strings.Contains(text, want) {
			t.Errorf("the output lacks %q:\n%s", want, text)
		}
	}
	page, err := os.ReadFile(out + ".html")
	if err != nil || strings.Count(string(page), "<svg") < 2 {
		t.Errorf("the picture has not both figures: %v", err)
	}
	curve, err := refine.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	const steps = 4 * 3 // epochs of iris' 90 rows in batches of 32
	if curve.Steps() != steps || !strings.Contains(curve.Origin, "run 1, ") {
		t.Errorf("a schedule of %d steps from %q, expected %d", curve.Steps(), curve.Origin, steps)
	}
	report := compared(t, succeed(t, "compare", "--store", dir, "--data", "iris", "--model", "mlp:8", "--methods", "sgd",
		"--epochs", "6", "--seeds", "1", "--schedule", "refined:"+out, "--json").stdout)
	if report.Results[0].Status != experiment.StatusOK {
		t.Errorf("a run with the schedule ended as %+v", report.Results[0])
	}
	if f, err := schedule.New("refined:"+out, 18); err != nil || f(18) != 0 || f(17) == 0 {
		t.Errorf("the schedule does not end after the last step: %v", err)
	}
}

// The schedule is that of the chosen training's norms in the store.
func TestRefineChooses(t *testing.T) {
	dir := t.TempDir()
	best := compared(t, succeed(t, small(dir)...).stdout)
	st, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	winner, _ := best.Winner()
	for name, c := range map[string]struct {
		flags   []string
		method  string
		seed    uint64
		variant refine.Variant
		tau     float64
	}{
		"default":  {nil, winner.Method, 1, usualVariant(winner.Method), 0.1},
		"sgd":      {[]string{"--method", "sgd"}, "sgd", 1, refine.L2Sq, 0.1},
		"adaptive": {[]string{"--method", "diffgrad", "--tau", "0.5", "--seed", "2"}, "diffgrad", 2, refine.L1, 0.5},
		"variant":  {[]string{"--method", "sgd", "--variant", "l1", "--tau", "0"}, "sgd", 1, refine.L1, 0},
	} {
		out := filepath.Join(t.TempDir(), "a.schedule")
		r := refined(t, dir, out, c.flags...)
		if r.Method != c.method || r.Seed != c.seed || r.Variant != c.variant || r.Tau != c.tau {
			t.Errorf("%s: %s, seed %d, %s, tau %g; expected %+v", name, r.Method, r.Seed, r.Variant, r.Tau, c)
		}
		want, err := refine.Refine(normsOf(t, st, r), refine.Options{Variant: c.variant, Tau: c.tau})
		if err != nil {
			t.Fatal(err)
		}
		got, err := refine.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		for i := range want.Factors {
			if got.Factors[i] != want.Factors[i] {
				t.Fatalf("%s: factor %d is %g, expected %g", name, i, got.Factors[i], want.Factors[i])
			}
		}
	}
}

// normsOf reads a training's norms from the store by another way.
func normsOf(t *testing.T, st *store.Store, r refinement) []float64 {
	t.Helper()
	trials, err := st.Trials(t.Context(), r.Run)
	if err != nil {
		t.Fatal(err)
	}
	name := map[refine.Variant]string{refine.L2Sq: "gradient_norm", refine.L1: "gradient_norm_l1"}[r.Variant]
	for _, trial := range trials {
		if trial.Method == r.Method && trial.LearningRate == r.LearningRate && trial.Seed == r.Seed {
			points, err := st.Series(t.Context(), trial.ID, name)
			if err != nil {
				t.Fatal(err)
			}
			norms := make([]float64, len(points))
			for i, p := range points {
				norms[i] = p.Value
			}
			return norms
		}
	}
	t.Fatal("no such training")
	return nil
}

// With several schedules in a run, one of them can be named.
func TestRefineOfSeveralSchedules(t *testing.T) {
	dir := t.TempDir()
	succeed(t, "compare", "--store", dir, "--data", "iris", "--model", "linear", "--methods", "adam",
		"--epochs", "2", "--seeds", "1", "--schedule", "linear,cosine", "--json")
	out := filepath.Join(t.TempDir(), "a.schedule")
	if r := refined(t, dir, out, "--method", "adam@cosine"); r.Method != "adam@cosine" || r.Variant != refine.L1 {
		t.Errorf("%s, %s; expected adam@cosine, l1", r.Method, r.Variant)
	}
	r := refined(t, dir, out, "--method", "adam")
	if !strings.HasPrefix(r.Method, "adam@") || !strings.Contains(r.Use, "--methods adam ") {
		t.Errorf("%s, to be compared by %s", r.Method, r.Use)
	}
}

func TestRefineRejects(t *testing.T) {
	dir := t.TempDir()
	succeed(t, small(dir)...)
	recordWithout(t, dir)
	out := filepath.Join(t.TempDir(), "a.schedule")
	for expected, c := range map[string]struct {
		code  int
		flags []string
	}{
		"there is no run 99 in":                              {exitFailed, []string{"--run", "99", "--out", out}},
		`run "x": expected a number`:                         {exitUsage, []string{"--run", "x", "--out", out}},
		"--run and --out are needed":                         {exitUsage, []string{"--run", "1"}},
		"--tau 1.5: expected a share of the run":             {exitUsage, []string{"--run", "1", "--out", out, "--tau", "1.5"}},
		"--tau NaN: expected a share of the run":             {exitUsage, []string{"--run", "1", "--out", out, "--tau", "NaN"}},
		"--variant l3: expected l2sq, l1 or auto":            {exitUsage, []string{"--run", "1", "--out", out, "--variant", "l3"}},
		`run 1: unknown method "adm", did you mean "adam"?`:  {exitFailed, []string{"--run", "1", "--out", out, "--method", "adm"}},
		"with seed 77: expected one of 1, 2":                 {exitFailed, []string{"--run", "1", "--out", out, "--seed", "77"}},
		"without spaces and commas":                          {exitUsage, []string{"--run", "1", "--out", out + ",b"}},
		"there is no folder":                                 {exitFailed, []string{"--run", "1", "--out", filepath.Join(out, "b")}},
		"run 2 has no gradient norms of adam":                {exitFailed, []string{"--run", "2", "--out", out}},
		"run 3 is interrupted: expected one that is done":    {exitFailed, []string{"--run", "3", "--out", out}},
		"run 4 is a study: expected a comparison":            {exitFailed, []string{"--run", "4", "--out", out}},
		"run 5: method sgd diverged: expected one that did":  {exitFailed, []string{"--run", "5", "--out", out, "--method", "sgd"}},
		"run 5: all methods diverged: expected one that did": {exitFailed, []string{"--run", "5", "--out", out}},
	} {
		r := descent(t.Context(), append([]string{"schedule", "refine", "--store", dir}, c.flags...)...)
		if r.code != c.code || !strings.Contains(r.stderr, expected) {
			t.Errorf("%v: exit code %d with %q, expected %d with %q", c.flags, r.code, r.stderr, c.code, expected)
		}
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Errorf("a refused refinement left a file: %v", err)
	}
}

// recordWithout records runs that cannot be refined: 2 without norms, 3 not
// finished, 4 a study, 5 diverged.
func recordWithout(t *testing.T, dir string) {
	t.Helper()
	st, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	result := func(status string) experiment.Report {
		method := map[string]string{experiment.StatusOK: "adam", experiment.StatusDiverged: "sgd"}[status]
		return experiment.Report{Results: []experiment.Result{{Method: method, LearningRate: 0.1, Status: status, Best: status == experiment.StatusOK}}}
	}
	ctx := context.Background()
	for _, run := range []struct {
		kind, status string
		finish       bool
	}{
		{"compare", experiment.StatusOK, true}, {"compare", experiment.StatusOK, false},
		{"study", experiment.StatusOK, true}, {"compare", experiment.StatusDiverged, true},
	} {
		config := experiment.Default()
		w, err := st.Create(ctx, run.kind, "by hand", config)
		if err != nil {
			t.Fatal(err)
		}
		trial, err := w.StartTrial(ctx, store.TrialKey{Phase: store.Final, Method: "adam", LearningRate: 0.1, Seed: config.Seed})
		if err == nil {
			err = w.FinishTrial(ctx, trial.ID, store.Done, store.Outcome{Steps: 3})
		}
		if err == nil && run.finish {
			err = w.Finish(ctx, store.Done, result(run.status), nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestUsualVariants(t *testing.T) {
	for method, want := range map[string]refine.Variant{
		"sgd": refine.L2Sq, "momentum": refine.L2Sq, "nesterov:momentum=0.8": refine.L2Sq, "another": refine.L2Sq,
		"adam": refine.L1, "adamw": refine.L1, "rmsprop": refine.L1, "diffgrad:friction=dfc2": refine.L1,
	} {
		if got := usualVariant(method); got != want {
			t.Errorf("%s: %s, expected %s", method, got, want)
		}
	}
}

func TestScheduleList(t *testing.T) {
	text := succeed(t, "schedule", "list").stdout
	for _, want := range []string{"polynomial", "refined", "power=2", "every=a third of the run", "inverse_sqrt"} {
		if !strings.Contains(text, want) {
			t.Errorf("the list lacks %q:\n%s", want, text)
		}
	}
	var entries []schedule.Schedule
	if err := json.Unmarshal([]byte(succeed(t, "schedule", "list", "--json").stdout), &entries); err != nil || len(entries) != len(schedule.Schedules()) {
		t.Errorf("%d entries: %v", len(entries), err)
	}
	for _, arguments := range [][]string{{"schedule"}, {"schedule", "list", "x"}, {"schedule", "refine", "x"}} {
		if r := descent(t.Context(), arguments...); r.code != exitUsage {
			t.Errorf("%v: exit code %d, expected %d", arguments, r.code, exitUsage)
		}
	}
}

// Norms that fall to nothing make a schedule that rises, and a word about it.
func TestRefinementOfVanishingNorms(t *testing.T) {
	for ratio, warned := range map[float64]bool{1: false, 0.8: true} {
		norms := []float64{1}
		for range 40 {
			norms = append(norms, ratio*norms[len(norms)-1])
		}
		curve, err := refine.Refine(norms, refine.Options{Variant: refine.L2Sq})
		if err != nil {
			t.Fatal(err)
		}
		r := refinement{Steps: curve.Steps(), Peak: curve.Peak()}
		if got := r.note() != ""; got != warned {
			t.Errorf("norms that fall by %g a step: a note %v, expected %v", ratio, got, warned)
		}
	}
}

// A factor is never NaN on the way from norms to numbers that JSON can hold.
func TestRefinementPageOfOddNorms(t *testing.T) {
	r := refinement{Variant: refine.L2Sq, Tau: 0.5, norms: []float64{1, math.Inf(1), 0, 2}}
	var err error
	if r.curve, err = refine.Refine(r.norms, refine.Options{Variant: r.Variant, Tau: r.Tau}); err != nil {
		t.Fatal(err)
	}
	page := r.page()
	for _, line := range page.Sections[0].Figures[1].Lines {
		for i, y := range line.Y {
			if !(0 <= y && y <= 1) {
				t.Errorf("%s at step %d: %g", line.Name, i, y)
			}
		}
	}
}
