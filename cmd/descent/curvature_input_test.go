package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Everything that looks at curvature says in one sentence what is wrong with its
// data.
func TestCurvatureOfBadData(t *testing.T) {
	model := filepath.Join(t.TempDir(), "iris.model")
	succeed(t, "train", "--data", "iris", "--model", "mlp:3", "--epochs", "1", "--lr", "0.01", "--save", model, "--store", t.TempDir())
	const rows = 12
	one, same := "a,y\n", "a,y\n"
	for i := range rows {
		one += string(rune('0'+i%7)) + ",yes\n"
		same += "3," + []string{"yes", "no"}[i%2] + "\n"
	}
	for says, file := range map[string]string{
		"empty.csv is empty":        write(t, "empty.csv", ""),
		"all rows are of the class": write(t, "one.csv", one),
		"features are constant":     write(t, "same.csv", same),
	} {
		for _, command := range [][]string{
			{"analyze", "spectrum"}, {"analyze", "lr"},
			{"compare", "--methods", "m-fac", "--store", t.TempDir()}, {"compare", "--methods", "gns-fisher,gns-gauss-newton", "--store", t.TempDir()}, {"compare", "--methods", "rmt-sgd", "--store", t.TempDir()},
		} {
			sentence(t, strings.Join(command[:2], " ")+" on "+filepath.Base(file), says, append(command, "--data", file, "--model", "mlp:3")...)
		}
	}
	sentence(t, "prune on nothing", "empty.csv is empty", "prune", "--model", model, "--data", write(t, "empty.csv", ""), "--save", filepath.Join(t.TempDir(), "p"))
}

// A folder that holds the weights of another model, or none, is said to do so.
func TestCurvatureOfBadModels(t *testing.T) {
	dir := t.TempDir()
	model := filepath.Join(dir, "iris.model")
	train := func() {
		if err := os.RemoveAll(model); err != nil {
			t.Fatal(err)
		}
		succeed(t, "train", "--data", "iris", "--model", "mlp:3", "--epochs", "1", "--lr", "0.01", "--save", model, "--store", dir)
	}
	train()
	description := filepath.Join(model, "model.json")
	text, err := os.ReadFile(description)
	if err != nil {
		t.Fatal(err)
	}
	commands := [][]string{{"analyze", "spectrum", "--data", "iris", "--checkpoint", model}, {"analyze", "lr", "--data", "iris", "--checkpoint", model}, {"prune", "--data", "iris", "--model", model, "--save", filepath.Join(dir, "p")}}
	for network, says := range map[string]string{"mlp:7": "do not fit mlp:7", "mlp:3,3": "do not fit mlp:3,3", "mpl:3": "unknown model"} {
		if err := os.WriteFile(description, []byte(strings.Replace(string(text), "mlp:3", network, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, command := range commands {
			sentence(t, strings.Join(command[:2], " ")+" of "+network, says, command...)
		}
	}
	files, err := filepath.Glob(filepath.Join(model, "*.bin"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no weights in %s: %v", model, err)
	}
	for _, file := range files {
		if err := os.Truncate(file, 10); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(description, text, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, command := range commands {
		sentence(t, strings.Join(command[:2], " ")+" of cut weights", "damaged", command...)
	}
	nan := diverged(t)
	for _, command := range []string{"spectrum", "lr"} {
		sentence(t, command+" of NaN", "not finite", "analyze", command, "--data", "iris", "--checkpoint", nan)
	}
	r := descent(t.Context(), "prune", "--data", "iris", "--model", nan, "--save", filepath.Join(dir, "p"))
	if r.code != exitFailed || r.stdout != "" || !strings.Contains(r.stderr, "not finite") || strings.Count(strings.TrimSpace(r.stderr), "\n") > 1 { // after what it is doing
		t.Errorf("prune of NaN: exit code %d and %q", r.code, r.stderr)
	}
}

func TestCurvatureMethodsThatCannotStart(t *testing.T) {
	for name, c := range map[string]struct {
		arguments []string
		says      string
	}{
		"a rate of zero": {[]string{"--data", "iris", "--model", "mlp:3", "--method", "gns-fisher", "--lr", "0"}, "above 0"},
		"convolutions":   {[]string{"--data", "digits", "--model", "cnn:2,2", "--method", "gns-fisher:limit=100000", "--lr", "1"}, "no second derivative"},
		"the learner":    {[]string{"--data", "digits", "--model", "cnn:2,2", "--method", "rmt-sgd", "--lr", "1"}, "no second derivative"},
		"a large model":  {[]string{"--data", "iris", "--model", "mlp:800", "--method", "gns-gauss-newton", "--lr", "1"}, "at most 3000"},
	} {
		r := descent(t.Context(), append([]string{"train", "--epochs", "1", "--store", t.TempDir(), "--save", filepath.Join(t.TempDir(), "x")}, c.arguments...)...)
		if r.code != exitFailed || r.stdout != "" || !strings.Contains(r.stderr, c.says) || strings.Count(strings.TrimSpace(r.stderr), "\n") > 1 { // after the number of the run
			t.Errorf("%s: exit code %d and %q, want a sentence with %q", name, r.code, r.stderr, c.says)
		}
	}
	// Weights that are zero rates away from where they began are no failure.
	succeed(t, "train", "--data", "iris", "--model", "mlp:3", "--method", "rmt-sgd", "--lr", "0", "--epochs", "1", "--store", t.TempDir(), "--save", filepath.Join(t.TempDir(), "x"))
	for _, rate := range []string{"0", "-1", "NaN", "Inf"} {
		if r := descent(t.Context(), "analyze", "spectrum", "--learning-rate", rate); r.code != exitUsage || !strings.Contains(r.stderr, "above 0") {
			t.Errorf("rate %s: exit code %d and %q", rate, r.code, r.stderr)
		}
	}
}
