package driver_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/lab/driver"
	"github.com/descentml/descent/model"
)

var separating = []string{"gd", "normalized-gd", "batch-perceptron", "normalized-batch-perceptron"}

// libsvm is a file of two classes with eighths in a tenth of the cells, and 1 as
// the largest of each column, so that scaling changes nothing.
func libsvm(rows, columns int) string {
	rng := rand.New(rand.NewPCG(1000, 0))
	var text strings.Builder
	for row := range rows {
		side := 0
		var line strings.Builder
		for column := range columns {
			if rng.IntN(10) > 0 && row > 0 {
				continue
			}
			x := 1.0
			if row > 0 {
				x = float64(rng.IntN(17)-8) / 8
			}
			fmt.Fprintf(&line, " %d:%g", column+1, x)
			side += int(8*x) * (column%5 - 2)
		}
		label := -1
		if side > 0 {
			label = 1
		}
		fmt.Fprintf(&text, "%d%s\n", label, line.String())
	}
	return text.String()
}

// sparseProblem reads a file of the format with the first row in the training
// part, so that every column has its largest value there.
func sparseProblem(t *testing.T, text string) *driver.Problem {
	t.Helper()
	table, err := data.Read(t.Context(), strings.NewReader(text), "test.libsvm", data.Options{KeepSparse: true})
	if err != nil {
		t.Fatal(err)
	}
	var split data.Split
	for row := range table.Rows {
		part := []*[]int{&split.Train, &split.Train, &split.Train, &split.Validation, &split.Test}[row%5]
		*part = append(*part, row)
	}
	encoder, err := data.Fit(table, split.Train)
	if err != nil {
		t.Fatal(err)
	}
	p, err := driver.NewProblem(table, split, encoder, "linear", dtypes.Float64)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// dense is the same problem with its zeros.
func dense(t *testing.T, p *driver.Problem) *driver.Problem {
	t.Helper()
	d := &driver.Problem{Task: p.Task, Train: p.Train, Validation: p.Validation, Test: p.Test, Width: p.Width, Outputs: p.Outputs, DType: p.DType}
	var err error
	if d.Network, err = model.New("linear", model.Input{Width: p.Width}); err != nil {
		t.Fatal(err)
	}
	for _, e := range []*driver.Examples{&d.Train, &d.Validation, &d.Test} {
		e.Features = make([]float32, e.Count*p.Width)
		for row := range e.Count {
			for i := e.Sparse.Offsets[row]; i < e.Sparse.Offsets[row+1]; i++ {
				e.Features[row*p.Width+int(e.Sparse.Indices[i])] = float32(e.Sparse.Values[i])
			}
		}
		e.Sparse = nil
	}
	return d
}

func separatingTrial(method string) driver.Trial {
	return driver.Trial{Method: method, LearningRate: 5, Schedule: "cosine", Seed: 5, BatchSize: 16, Epochs: 30}
}

// Sparse examples are trained on and measured as the same dense ones are.
func TestSparseTrainsLikeDense(t *testing.T) {
	p := sparseProblem(t, libsvm(200, 30))
	d := dense(t, p)
	for _, method := range separating {
		var a, b history
		var steps, others []string
		on, err := driver.Train(t.Context(), newBackend(), p, separatingTrial(method), nil, driver.Hooks{Epoch: a.hook})
		if err != nil {
			t.Fatal(err)
		}
		off, err := driver.Train(t.Context(), newBackend(), d, separatingTrial(method), nil, driver.Hooks{Epoch: b.hook})
		if err != nil {
			t.Fatal(err)
		}
		if len(a) != 31 || len(b) != 31 || on.Diverged || off.Diverged || a[30].Separated != b[30].Separated {
			t.Fatalf("%s: %d and %d measurements, separated after %d and %d", method, len(a), len(b), a[len(a)-1].Separated, b[len(b)-1].Separated)
		}
		for i := range a {
			steps, others = append(steps, shown(a[i])), append(others, shown(b[i]))
			if steps[i] != others[i] {
				t.Errorf("%s: sparse\n%s\ndense\n%s", method, steps[i], others[i])
				break
			}
		}
		if math.Abs(on.Test.Loss-off.Test.Loss) > 1e-9*(1+off.Test.Loss) || on.Test.Score != off.Test.Score {
			t.Errorf("%s: test %v sparse, %v dense", method, on.Test, off.Test)
		}
	}
}

// shown is a measurement to eight digits.
func shown(e driver.Epoch) string {
	return fmt.Sprintf("step %d, rate %.8g, losses %.8g and %.8g, score %.8g, %+v", e.Step, e.LearningRate, e.TrainLoss, e.Validation.Loss, e.Validation.Score, e.Counts)
}

// A training on sparse examples continues from a checkpoint to the same bits.
func TestSparseContinues(t *testing.T) {
	p := sparseProblem(t, libsvm(120, 20))
	for _, method := range append(separating, "perceptron") {
		var straight history
		want, err := driver.Train(t.Context(), newBackend(), p, separatingTrial(method), nil, driver.Hooks{Epoch: straight.hook})
		if err != nil {
			t.Fatal(err)
		}
		for _, stop := range []int{1, 7} {
			ctx, cancel := context.WithCancel(t.Context())
			var saved *driver.Checkpoint
			var resumed history
			_, err := driver.Train(ctx, newBackend(), p, separatingTrial(method), nil, driver.Hooks{
				Epoch: func(e driver.Epoch) error {
					if e.Step == stop {
						cancel()
					}
					return nil
				},
				Checkpoint: func(c driver.Checkpoint) error { saved = &c; return nil },
			})
			if !errors.Is(err, context.Canceled) || saved == nil {
				t.Fatalf("%s: error %v and checkpoint %v after the end of the context", method, err, saved)
			}
			got, err := driver.Train(t.Context(), newBackend(), p, separatingTrial(method), saved, driver.Hooks{Epoch: resumed.hook})
			if err != nil {
				t.Fatal(err)
			}
			if got.Test != want.Test || fmt.Sprint(resumed) != fmt.Sprint(straight[saved.Step:]) {
				t.Errorf("%s: continued from step %d to\n%v\nstraight\n%v", method, saved.Step, resumed, straight[saved.Step:])
			}
		}
	}
}

// A loss far above the first is no divergence for methods that separate.
func TestALossThatRisesIsNoDivergence(t *testing.T) {
	p := sparseProblem(t, libsvm(200, 30))
	for _, problem := range []*driver.Problem{p, dense(t, p)} {
		trial := separatingTrial("gd")
		trial.LearningRate, trial.Schedule = 1e4, ""
		largest := 0.0
		o, err := driver.Train(t.Context(), newBackend(), problem, trial, nil, driver.Hooks{Epoch: func(e driver.Epoch) error {
			largest = max(largest, e.TrainLoss)
			return nil
		}})
		if err != nil || o.Diverged || o.Last.Step != trial.Epochs || largest < 7 {
			t.Errorf("%+v, %v with the largest loss %g: expected a training to its end with a loss above 7", o.Last, err, largest)
		}
	}
}

func TestSparseNeedsAMethodThatSeparates(t *testing.T) {
	p := sparseProblem(t, libsvm(50, 10))
	_, err := driver.Train(t.Context(), newBackend(), p, separatingTrial("adam"), nil, driver.Hooks{})
	if err == nil || !strings.Contains(err.Error(), "sparse examples") {
		t.Errorf("error %v: expected one about sparse examples", err)
	}
}
