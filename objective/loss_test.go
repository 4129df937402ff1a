package objective_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"pgregory.net/rapid"

	_ "github.com/descentml/descent/backend"
	"github.com/descentml/descent/objective"
)

// evaluate returns a loss and its gradient by the outputs.
func evaluate[T int32 | float64](loss objective.Loss, labels []T, outputs []float64, width int) (value float64, gradient []float64) {
	exec := graph.MustNewExec(compute.MustNew(), func(y, o *graph.Node) (*graph.Node, *graph.Node) {
		l := loss(y, o)
		return l, graph.Gradient(l, o)[0]
	})
	results := exec.MustCall(tensors.FromFlatDataAndDimensions(labels, len(labels), 1),
		tensors.FromFlatDataAndDimensions(outputs, len(labels), width))
	return tensors.ToScalar[float64](results[0]), tensors.MustCopyFlatData[float64](results[1])
}

func TestCrossEntropyIsLogLossAndItsGradientProbabilitiesMinusLabels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		batch, classes := rapid.IntRange(1, 4).Draw(t, "batch"), rapid.IntRange(2, 5).Draw(t, "classes")
		logits := rapid.SliceOfN(rapid.Float64Range(-30, 30), batch*classes, batch*classes).Draw(t, "logits")
		labels := rapid.SliceOfN(rapid.Int32Range(0, int32(classes)-1), batch, batch).Draw(t, "labels")
		loss, gradient := evaluate(objective.CrossEntropy, labels, logits, classes)
		want := 0.0
		for i, label := range labels {
			row := logits[i*classes : (i+1)*classes]
			sum := 0.0
			for _, z := range row {
				sum += math.Exp(z)
			}
			want += (math.Log(sum) - row[label]) / float64(batch)
			for j, z := range row {
				expected := math.Exp(z) / sum
				if j == int(label) {
					expected--
				}
				if got := gradient[i*classes+j]; math.Abs(got-expected/float64(batch)) > 1e-9 {
					t.Fatalf("gradient %g at (%d, %d), want %g", got, i, j, expected/float64(batch))
				}
			}
		}
		if math.Abs(loss-want) > 1e-9*(1+want) {
			t.Fatalf("loss %g, want %g", loss, want)
		}
	})
}

func TestCrossEntropyStaysFiniteForLargeLogits(t *testing.T) {
	if loss, _ := evaluate(objective.CrossEntropy, []int32{0}, []float64{-1e5, 1e5}, 2); loss != 2e5 {
		t.Errorf("loss %g, want 2e5", loss)
	}
}

func TestSquaredErrorAgainstFiniteDifferences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 5).Draw(t, "batch")
		outputs := rapid.SliceOfN(rapid.Float64Range(-5, 5), n, n).Draw(t, "outputs")
		labels := rapid.SliceOfN(rapid.Float64Range(-5, 5), n, n).Draw(t, "labels")
		loss, gradient := evaluate(objective.SquaredError, labels, outputs, 1)
		mean := func() float64 {
			sum := 0.0
			for i := range outputs {
				sum += (outputs[i] - labels[i]) * (outputs[i] - labels[i])
			}
			return sum / float64(n)
		}
		if want := mean(); math.Abs(loss-want) > 1e-9*(1+want) {
			t.Fatalf("loss %g, want %g", loss, want)
		}
		const h = 1e-5
		for i := range outputs {
			at := outputs[i]
			outputs[i] = at + h
			above := mean()
			outputs[i] = at - h
			below := mean()
			outputs[i] = at
			if slope := (above - below) / (2 * h); math.Abs(slope-gradient[i]) > 1e-5 {
				t.Fatalf("gradient %g, finite difference %g", gradient[i], slope)
			}
		}
	})
}

func Example() {
	exec := graph.MustNewExec(compute.MustNew(), func(labels, outputs *graph.Node) *graph.Node {
		return objective.CrossEntropy(labels, outputs)
	})
	loss := exec.MustCall([][]int32{{0}}, [][]float32{{0, 0}}) // two classes, no idea: log 2
	fmt.Printf("%.4f\n", loss[0].Value())
	// Output: 0.6931
}
