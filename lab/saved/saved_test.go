package saved_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/descentml/descent/backend"
	"github.com/gomlx/compute"
	gomodel "github.com/gomlx/gomlx/ml/model"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/lab/driver"
	"github.com/descentml/descent/lab/saved"
)

// trained is a network that was trained on an embedded set.
type trained struct {
	table       *data.Table
	split       data.Split
	description saved.Description
	weights     *gomodel.Store
	outcome     driver.Outcome
}

func train(ctx context.Context, set, network, dtype string) (trained, error) {
	table, err := data.Open(ctx, set, data.Options{})
	if err != nil {
		return trained{}, err
	}
	split, err := data.NewSplit(table, 0.2, 0.2, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		return trained{}, err
	}
	encoder, err := data.Fit(table, split.Train)
	if err != nil {
		return trained{}, err
	}
	number, err := driver.ParseDType(dtype)
	if err != nil {
		return trained{}, err
	}
	problem, err := driver.NewProblem(table, split, encoder, network, number)
	if err != nil {
		return trained{}, err
	}
	trial := driver.Trial{Method: "adam", LearningRate: 0.02, Seed: 1, BatchSize: 32, Epochs: 8}
	outcome, err := driver.Train(ctx, compute.MustNew(), problem, trial, nil, driver.Hooks{})
	return trained{
		table: table, split: split, weights: outcome.Weights, outcome: outcome,
		description: saved.Description{Network: network, DType: dtype, Method: trial.Method, Encoder: encoder},
	}, err
}

// TestPredictionsAfterARoundTripAreThoseOfTheTraining compares the score on the
// test part before saving and after loading.
func TestPredictionsAfterARoundTripAreThoseOfTheTraining(t *testing.T) {
	for _, test := range []struct{ set, network, dtype string }{
		{"wine", "mlp:8", "float32"}, {"wine", "linear", "float64"}, {"digits", "cnn:2,3", "float32"},
	} {
		trained, err := train(t.Context(), test.set, test.network, test.dtype)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "deep", "model")
		if err := saved.Save(dir, trained.description, trained.weights); err != nil {
			t.Fatal(err)
		}
		m, err := saved.Load(compute.MustNew(), dir)
		if err != nil {
			t.Fatal(err)
		}
		predictions, err := m.Predict(t.Context(), trained.table)
		if err != nil {
			t.Fatal(err)
		}
		labels, err := m.Encoder.Labels(trained.table, trained.split.Test)
		if err != nil {
			t.Fatal(err)
		}
		correct := 0
		for i, row := range trained.split.Test {
			if argmax(predictions[row*m.Outputs():(row+1)*m.Outputs()]) == int(labels[i]) {
				correct++
			}
		}
		if score := float64(correct) / float64(len(labels)); score != trained.outcome.Test.Score {
			t.Errorf("%v: test accuracy %g after loading, want %g", test, score, trained.outcome.Test.Score)
		}
	}
}

func argmax(values []float64) int {
	best := 0
	for i, v := range values {
		if v > values[best] {
			best = i
		}
	}
	return best
}

func TestLoadRejects(t *testing.T) {
	trained, err := train(t.Context(), "iris", "mlp:4", "float32")
	if err != nil {
		t.Fatal(err)
	}
	good := filepath.Join(t.TempDir(), "model")
	if err := saved.Save(good, trained.description, trained.weights); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(good, "model.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ from, to, says string }{
		"another network": {`"network": "mlp:4"`, `"network": "mlp:5"`, "do not fit"},
		"a deeper one":    {`"network": "mlp:4"`, `"network": "mlp:4,4"`, "do not fit"},
		"unknown network": {`"network": "mlp:4"`, `"network": "rnn"`, "unknown model"},
		"newer format":    {`"format": 1`, `"format": 2`, "format 2"},
		"number type":     {`"dtype": "float32"`, `"dtype": "int8"`, "int8"},
		"no JSON":         {"{", "", "damaged"},
	} {
		changed := strings.Replace(string(text), test.from, test.to, 1)
		if changed == string(text) {
			t.Fatalf("%s: nothing to replace", name)
		}
		if err := os.WriteFile(filepath.Join(good, "model.json"), []byte(changed), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := saved.Load(compute.MustNew(), good); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: error %v, want one with %q", name, err, test.says)
		}
	}
	if _, err := saved.Load(compute.MustNew(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "not a saved model") {
		t.Errorf("an empty folder: error %v", err)
	}
}

func TestFailedSaveKeepsTheOldModel(t *testing.T) {
	trained, err := train(t.Context(), "iris", "mlp:4", "float32")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "model")
	if err := saved.Save(dir, trained.description, trained.weights); err != nil {
		t.Fatal(err)
	}
	broken := trained.description
	broken.TestScore = 1 / zero // JSON has no infinity
	if err := saved.Save(dir, broken, trained.weights); err == nil {
		t.Fatal("a description that cannot be written was saved")
	}
	if _, err := saved.Load(compute.MustNew(), dir); err != nil {
		t.Errorf("the old model is gone: %v", err)
	}
	if entries, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(entries) != 1 {
		t.Errorf("left beside the model: %v, %v", entries, err)
	}
}

var zero float64

// Save a trained network, load it and predict. Errors are left out for brevity.
func Example() {
	ctx := context.Background()
	trained, _ := train(ctx, "iris", "mlp:8", "float32")
	dir, _ := os.MkdirTemp("", "models")
	defer os.RemoveAll(dir)
	_ = saved.Save(filepath.Join(dir, "iris.model"), trained.description, trained.weights)

	m, _ := saved.Load(compute.MustNew(), filepath.Join(dir, "iris.model"))
	predictions, _ := m.Predict(ctx, trained.table)
	fmt.Println(m.Encoder.Classes()[argmax(predictions[:m.Outputs()])])
	// Output: setosa
}
