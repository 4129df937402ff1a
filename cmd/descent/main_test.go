package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/descentml/descent/lab/experiment"
)

// TestMain lets tests run the command in a process of its own, to kill it, and
// keeps those that name no store out of the user's.
func TestMain(m *testing.M) {
	if os.Getenv("DESCENT_TEST_COMMAND") != "" {
		main()
		return
	}
	os.Exit(inStore(m))
}

// inStore runs the tests with a default store of their own.
func inStore(m *testing.M) int {
	dir, err := os.MkdirTemp("", "descent-test-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = os.Setenv("DESCENT_STORE", dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// result is what one command line did.
type result struct {
	code           int
	stdout, stderr string
}

func descent(ctx context.Context, arguments ...string) result {
	var stdout, stderr bytes.Buffer
	code := run(ctx, arguments, &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

// succeed runs a command line that has to succeed.
func succeed(t *testing.T, arguments ...string) result {
	t.Helper()
	r := descent(t.Context(), arguments...)
	if r.code != exitDone {
		t.Fatalf("descent %s: exit code %d\n%s", strings.Join(arguments, " "), r.code, r.stderr)
	}
	return r
}

// write makes a file in a fresh folder.
func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// churn is a table with numeric and categorical columns in which customers
// with a short contract and many calls leave.
func churn(rows int) string {
	var b strings.Builder
	b.WriteString("id,contract,calls,\"monthly, EUR\",region,churned\n")
	for i := range rows {
		contract := []string{"monthly", "yearly", "two years"}[i%3]
		calls := (i * 7) % 11
		answer := "no"
		if i%3 == 0 && calls > 3 || calls > 8 {
			answer = "yes"
		}
		fmt.Fprintf(&b, "%d,%s,%d,%.2f,%s,%s\n", i, contract, calls, 20+float64(i%17)*1.5, []string{"north", "south"}[i%2], answer)
	}
	return b.String()
}

// compared parses the JSON of a comparison and drops what may differ between
// two runs of the same numbers: the times.
func compared(t *testing.T, text string) experiment.Report {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	var report experiment.Report
	if err := decoder.Decode(&report); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if decoder.More() {
		t.Fatalf("more than one object in %s", text)
	}
	for i := range report.Results {
		report.Results[i].Seconds = 0
	}
	return report
}

func sameReport(t *testing.T, got, want experiment.Report) {
	t.Helper()
	a, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Errorf("the numbers differ:\n%s\n%s", a, b)
	}
}

// small is a comparison that takes a fraction of a second.
func small(store string, more ...string) []string {
	return append([]string{"compare", "--store", store, "--data", "iris", "--model", "mlp:8", "--methods", "sgd,adam,diffgrad",
		"--epochs", "4", "--seeds", "2", "--json"}, more...)
}
