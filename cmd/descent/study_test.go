package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/descentml/descent/study"
	"github.com/descentml/descent/study/catalogue"
)

// quickStudy is a study whose smoke preset takes a fraction of a second.
const quickStudy = "large-step-logistic"

func judged(t *testing.T, text string) study.Report {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	var report study.Report
	if err := decoder.Decode(&report); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if decoder.More() {
		t.Fatalf("more than one object in %s", text)
	}
	return report
}

func TestStudyIsRecordedShownAndReported(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short: it runs a study")
	}
	dir := t.TempDir()
	report := judged(t, succeed(t, "study", "run", quickStudy, "--preset", "smoke", "--store", dir, "--json").stdout)
	if report.Run != 1 || report.Paper != quickStudy || report.Preset != study.Smoke || len(report.Seeds) != 1 || report.Seeds[0] != study.FirstSeed {
		t.Errorf("report %+v: want run 1, smoke preset, seed %d", report, study.FirstSeed)
	}
	if report.Count(study.Reproduced) == 0 {
		t.Errorf("nothing was reproduced: %+v", report.Claims)
	}
	if shown := succeed(t, "show", "1", "--store", dir, "--json").stdout; strings.TrimSpace(shown) != mustJSON(t, report) {
		t.Errorf("show gives\n%s\nthe run gave\n%s", shown, mustJSON(t, report))
	}
	page := filepath.Join(t.TempDir(), "study.html")
	shown := succeed(t, "show", "1", "--store", dir, "--report", page).stdout
	for _, want := range []string{"claim", "criterion", "verdict", "reproduced", "descent study run " + quickStudy} {
		if !strings.Contains(shown, want) {
			t.Errorf("show lacks %q:\n%s", want, shown)
		}
	}
	if html, err := os.ReadFile(page); err != nil || !strings.Contains(string(html), "<svg") {
		t.Errorf("the report has no figure: %v", err)
	}
	if listed := succeed(t, "runs", "--store", dir).stdout; !strings.Contains(listed, quickStudy) {
		t.Errorf("runs does not list the study:\n%s", listed)
	}
	// A smoke run is too small for the scoreboard.
	if r := descent(t.Context(), "study", "report", "--store", dir); r.code != exitFailed || !strings.Contains(r.stderr, "no verdicts") {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
}

func mustJSON(t *testing.T, value any) string {
	t.Helper()
	var text strings.Builder
	if err := printJSON(&text, value); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(text.String())
}

func TestInterruptedStudyResumes(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short: it runs a study several times")
	}
	arguments := func(dir string) []string {
		return []string{"study", "run", quickStudy, "--preset", "smoke", "--workers", "1", "--store", dir, "--json"}
	}
	want := judged(t, succeed(t, arguments(t.TempDir())...).stdout)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	watcher := &cancelAfter{lines: 2, cancel: cancel}
	var stdout strings.Builder
	if code := run(ctx, arguments(dir), &stdout, watcher); code != exitInterrupted {
		t.Fatalf("exit code %d after an interruption, want %d\n%s", code, exitInterrupted, watcher.text.String())
	}
	if !strings.Contains(watcher.text.String(), "descent study run --resume 1") {
		t.Errorf("the message does not say how to continue:\n%s", watcher.text.String())
	}
	if shown := succeed(t, "show", "1", "--store", dir).stdout; !strings.Contains(shown, "descent study run --resume 1") {
		t.Errorf("show does not say how to continue:\n%s", shown)
	}
	got := judged(t, succeed(t, "study", "run", "--resume", "1", "--store", dir, "--json").stdout)
	if mustJSON(t, got) != mustJSON(t, want) {
		t.Errorf("resumed\n%s\nundisturbed\n%s", mustJSON(t, got), mustJSON(t, want))
	}
	for name, test := range map[string]struct {
		arguments []string
		code      int
		says      string
	}{
		"finished":        {[]string{"--resume", "1"}, exitFailed, "already finished"},
		"another setting": {[]string{"--resume", "1", "--preset", "full"}, exitUsage, "--preset"},
		"another paper":   {[]string{"diffgrad", "--resume", "1"}, exitFailed, quickStudy},
		"no such run":     {[]string{"--resume", "9"}, exitFailed, "no run 9"},
	} {
		r := descent(t.Context(), append([]string{"study", "run", "--store", dir}, test.arguments...)...)
		if r.code != test.code || !strings.Contains(r.stderr, test.says) {
			t.Errorf("%s: exit code %d, want %d and %q:\n%s", name, r.code, test.code, test.says, r.stderr)
		}
	}
}

func TestStudyRefuses(t *testing.T) {
	planned := ""
	for _, entry := range catalogue.Papers() {
		if entry.Study == nil {
			planned = entry.Name
		}
	}
	for name, test := range map[string]struct {
		arguments []string
		code      int
		says      string
	}{
		"no name":      {[]string{"run"}, exitUsage, "descent study run NAME"},
		"unknown":      {[]string{"run", "large-step-logistics"}, exitFailed, "did you mean large-step-logistic"},
		"planned":      {[]string{"run", planned}, exitFailed, "planned"},
		"preset":       {[]string{"run", quickStudy, "--preset", "tiny"}, exitUsage, "smoke, quick or full"},
		"seeds":        {[]string{"run", quickStudy, "--seeds", "0"}, exitUsage, "1 to"},
		"workers":      {[]string{"run", quickStudy, "--workers", "0"}, exitUsage, "at least 1"},
		"two papers":   {[]string{"run", "sso", "diffgrad"}, exitUsage, "at most 1"},
		"report place": {[]string{"run", quickStudy, "--report", "/nowhere/x.html"}, exitFailed, "no folder"},
	} {
		r := descent(t.Context(), append(append([]string{"study"}, test.arguments...), "--store", t.TempDir())...)
		if r.code != test.code || !strings.Contains(r.stderr, test.says) {
			t.Errorf("%s: exit code %d, want %d and %q:\n%s", name, r.code, test.code, test.says, r.stderr)
		}
	}
}
