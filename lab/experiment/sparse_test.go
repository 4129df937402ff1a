package experiment_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute"

	_ "github.com/descentml/descent/backend"
	"github.com/descentml/descent/lab/experiment"
	"github.com/descentml/descent/lab/store"
)

// wide is a LIBSVM file of 120 rows, in which one column tells the class and one
// of a thousand others is noise. All have a value in the last column.
func wide(t *testing.T, classes, columns int) string {
	t.Helper()
	rng := rand.New(rand.NewPCG(1000, 0))
	var text strings.Builder
	for row := range 120 {
		fmt.Fprintf(&text, "%d %d:1 %d:1 %d:0.25\n", row%classes, 1+row%classes, 100+rng.IntN(1000), columns)
	}
	path := filepath.Join(t.TempDir(), "wide.libsvm")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func sparseConfig(path string, methods ...string) *experiment.Config {
	return &experiment.Config{
		Data: experiment.Data{Source: path, Validation: 0.2, Test: 0.2}, Model: "linear", DType: "float32",
		Methods: methods, Schedule: "constant", Seed: 1, Seeds: 2, Epochs: 5, BatchSize: 32,
	}
}

// A LIBSVM file stays sparse where all methods can do with that, and is refused
// for its number of columns where they cannot.
func TestCompareOnSparseRows(t *testing.T) {
	path := wide(t, 2, 100_000)
	config := sparseConfig(path, "gd", "normalized-gd", "batch-perceptron")
	loaded, err := experiment.Load(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Problem.Train.Sparse == nil || loaded.Problem.Train.Features != nil || loaded.Summary.Features != 100_000 {
		t.Fatalf("%+v: expected sparse rows of 100,000 features", loaded.Summary)
	}
	config.Data.Fingerprint = loaded.Fingerprint
	if _, err := experiment.Load(t.Context(), config); err != nil {
		t.Errorf("the same data has another fingerprint: %v", err)
	}
	st, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	w, err := st.Create(t.Context(), "compare", "sparse", config)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	backend, err := compute.New()
	if err != nil {
		t.Fatal(err)
	}
	report, err := experiment.Compare(t.Context(), experiment.Setting{Backend: backend, Store: st, Workers: 2}, w, config, loaded)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Results {
		if r.Status != experiment.StatusOK || r.TestScore.Mean != 1 || r.Separated == nil || r.Gradients != 5 {
			t.Errorf("%+v: expected 5 gradients that separate all examples", r)
		}
	}
	if _, err := experiment.Load(t.Context(), sparseConfig(path, "gd", "adam")); err == nil || !strings.Contains(err.Error(), "100000 columns are too many") {
		t.Errorf("error %v: expected one about too many columns for adam", err)
	}
}

// Three classes need the zeros.
func TestThreeClassesAreDense(t *testing.T) {
	loaded, err := experiment.Load(t.Context(), sparseConfig(wide(t, 3, 1200), "gd", "perceptron"))
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Problem.Train.Sparse != nil || loaded.Problem.Train.Features == nil || loaded.Summary.Classes != 3 {
		t.Errorf("%+v: expected dense examples of three classes", loaded.Summary)
	}
}
