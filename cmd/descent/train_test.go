package main

import (
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestTrainAndPredict(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short: it tunes and trains")
	}
	data := write(t, "churn.csv", churn(240))
	folder := filepath.Join(t.TempDir(), "churn.model")
	dir := t.TempDir()
	shown := succeed(t, "train", "--store", dir, "--data", data, "--target", "churned", "--model", "mlp:16",
		"--method", "diffgrad", "--lr", "auto", "--epochs", "30", "--save", folder).stdout
	if !strings.Contains(shown, "descent predict --model") {
		t.Errorf("train does not say how to predict:\n%s", shown)
	}

	// The same customers in another order of columns, without the target.
	reordered := reorder(t, churn(240), []int{4, 2, 0, 3, 1})
	out := filepath.Join(t.TempDir(), "predictions.csv")
	succeed(t, "predict", "--model", folder, "--data", write(t, "new.csv", reordered), "--out", out)
	predicted, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	lines := parseCSV(t, string(predicted))
	if got := strings.Join(lines[0], ","); got != "churned,probability of no,probability of yes" {
		t.Errorf("header %q", got)
	}
	truth := parseCSV(t, churn(240))
	correct := 0
	for i, line := range lines[1:] {
		if line[0] == truth[i+1][5] {
			correct++
		}
		if sum := number(t, line[1]) + number(t, line[2]); math.Abs(sum-1) > 1e-5 {
			t.Fatalf("row %d: probabilities sum to %g", i, sum)
		}
	}
	if len(lines) != 241 || correct < 220 {
		t.Errorf("%d of %d rows predicted correctly, want at least 220 of 240", correct, len(lines)-1)
	}
}

func TestPredictRegressionIsInTheTargetsUnits(t *testing.T) {
	var table strings.Builder
	table.WriteString("x,y\n")
	for i := range 200 {
		table.WriteString(strconv.Itoa(i) + "," + strconv.FormatFloat(1000+5*float64(i)+0.5, 'f', 1, 64) + "\n")
	}
	data := write(t, "line.csv", table.String())
	folder := filepath.Join(t.TempDir(), "line.model")
	succeed(t, "train", "--store", t.TempDir(), "--data", data, "--model", "linear", "--method", "adam", "--lr", "0.1", "--epochs", "60", "--save", folder)
	lines := parseCSV(t, succeed(t, "predict", "--model", folder, "--data", write(t, "new.csv", "x\n0\n100\n")).stdout)
	for i, want := range []float64{1000.5, 1500.5} {
		if got := number(t, lines[i+1][0]); math.Abs(got-want) > 10 {
			t.Errorf("predicted %g, want about %g", got, want)
		}
	}
}

func TestLIBSVM(t *testing.T) {
	var table strings.Builder
	for i := range 150 {
		label, first := "-1", 1+i%3
		if i%2 == 0 {
			label, first = "+1", 4+i%3
		}
		table.WriteString(label + " " + strconv.Itoa(first) + ":1.5 9:" + strconv.Itoa(i%7) + "\n")
	}
	data := write(t, "sparse.libsvm", table.String())
	dir, folder := t.TempDir(), filepath.Join(t.TempDir(), "sparse.model")
	report := compared(t, succeed(t, "compare", "--store", dir, "--data", data, "--model", "linear", "--methods", "sgd,adam", "--seeds", "1", "--json").stdout)
	if report.Data.Features != 9 || report.Data.Classes != 2 || report.Results[0].TestScore.Mean < 0.95 {
		t.Errorf("report %+v: want 9 features, 2 classes and a separable problem solved", report)
	}
	succeed(t, "train", "--store", dir, "--data", data, "--model", "linear", "--method", "adam", "--lr", "0.1", "--save", folder)
	lines := parseCSV(t, succeed(t, "predict", "--model", folder, "--data", write(t, "new.libsvm", "0 2:1.5 9:3\n0 5:1.5\n")).stdout)
	if len(lines) != 3 || lines[1][0] != "-1" || lines[2][0] != "1" {
		t.Errorf("predictions %v, want -1 and 1", lines)
	}
}

func TestPredictRefusesWhatDoesNotFit(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "churn.model")
	succeed(t, "train", "--store", t.TempDir(), "--data", write(t, "churn.csv", churn(60)), "--target", "churned",
		"--model", "linear", "--method", "sgd", "--lr", "0.1", "--epochs", "1", "--save", folder)
	good := "id,contract,calls,\"monthly, EUR\",region\n1,monthly,3,20,north\n"
	succeed(t, "predict", "--model", folder, "--data", write(t, "good.csv", good))
	for name, test := range map[string]struct{ content, says string }{
		"column missing":   {"id,contract,\"monthly, EUR\",region\n1,monthly,20,north\n", "calls"},
		"unknown category": {strings.Replace(good, "north", "west", 1), "region"},
		"text in numbers":  {strings.Replace(good, ",3,", ",three,", 1), "calls"},
		"empty cell":       {strings.Replace(good, ",3,", ",,", 1), "calls"},
		"empty":            {"", "empty"},
	} {
		r := descent(t.Context(), "predict", "--model", folder, "--data", write(t, "bad.csv", test.content))
		if r.code != exitFailed || !strings.Contains(r.stderr, test.says) || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%s: exit code %d, want %d and one sentence with %q:\n%s", name, r.code, exitFailed, test.says, r.stderr)
		}
	}
}

func TestSaveRefusesToOverwriteOtherFiles(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "thesis.tex"), []byte("\\begin"), 0o644); err != nil {
		t.Fatal(err)
	}
	arguments := []string{"train", "--store", t.TempDir(), "--data", "iris", "--model", "linear", "--lr", "0.01", "--epochs", "1", "--save"}
	if r := descent(t.Context(), append(arguments, folder)...); r.code != exitFailed || !strings.Contains(r.stderr, "other files") {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
	disguised := t.TempDir() // with a file of the same name as ours
	for _, name := range []string{"model.json", "thesis.tex"} {
		if err := os.WriteFile(filepath.Join(disguised, name), []byte("{}"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if r := descent(t.Context(), append(arguments, disguised)...); r.code != exitFailed || !strings.Contains(r.stderr, "thesis.tex") {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
	model := filepath.Join(folder, "iris.model")
	for range 2 { // a model may be replaced
		succeed(t, append(arguments, model)...)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 2 {
		t.Errorf("%v beside the model: %v", entries, err)
	}
}

func TestTrainThatDivergesSavesNothing(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "m")
	r := descent(t.Context(), "train", "--store", t.TempDir(), "--data", "diabetes", "--model", "linear", "--method", "sgd",
		"--lr", "1e6", "--epochs", "2", "--save", folder)
	if r.code != exitFailed || !strings.Contains(r.stderr, "diverged") {
		t.Errorf("exit code %d, want %d:\n%s", r.code, exitFailed, r.stderr)
	}
	if _, err := os.Stat(folder); err == nil {
		t.Error("a diverged model was saved")
	}
}

func TestDamagedModelIsRefused(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "iris.model")
	succeed(t, "train", "--store", t.TempDir(), "--data", "iris", "--model", "mlp:4", "--lr", "0.01", "--epochs", "1", "--save", folder)
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(files) < 3 {
		t.Fatalf("files of the model: %v, %v", files, err)
	}
	for _, file := range files {
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, whole[:len(whole)/2], 0o644); err != nil {
			t.Fatal(err)
		}
		r := descent(t.Context(), "predict", "--model", folder, "--data", "iris")
		if r.code != exitFailed || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%s cut in half: exit code %d, want %d and one sentence:\n%s", filepath.Base(file), r.code, exitFailed, r.stderr)
		}
		if err := os.WriteFile(file, whole, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	succeed(t, "predict", "--model", folder, "--data", "iris")
}

func parseCSV(t *testing.T, text string) [][]string {
	t.Helper()
	lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// reorder keeps the given columns of a CSV text in the given order.
func reorder(t *testing.T, text string, columns []int) string {
	t.Helper()
	var b strings.Builder
	writer := csv.NewWriter(&b)
	for _, line := range parseCSV(t, text) {
		var kept []string
		for _, column := range columns {
			kept = append(kept, line[column])
		}
		if err := writer.Write(kept); err != nil {
			t.Fatal(err)
		}
	}
	writer.Flush()
	return b.String()
}

func number(t *testing.T, text string) float64 {
	t.Helper()
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return x
}
