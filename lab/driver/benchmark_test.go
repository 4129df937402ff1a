package driver_test

import (
	"testing"

	"github.com/gomlx/compute/dtypes"

	"github.com/descentml/descent/lab/driver"
)

// BenchmarkTrain is one training of `descent compare`: 680 steps, and a
// measurement after each of 20 epochs.
func BenchmarkTrain(b *testing.B) {
	p := problem(b, "digits", "mlp:64", dtypes.Float32)
	backend := newBackend()
	trial := driver.Trial{Method: "adam", LearningRate: 0.01, Seed: 1, BatchSize: 32, Epochs: 20}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := driver.Train(b.Context(), backend, p, trial, nil, driver.Hooks{}); err != nil {
			b.Fatal(err)
		}
	}
}
