package vector_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/descentml/descent/backend/kernel/vector"
)

var widths = []int{1, 2, 10, 16, 33, 64, 100, 1000, 5000}

func TestSoftmax(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		checkSoftmax[float32](t)
		checkSoftmax[float64](t)
	})
}

func checkSoftmax[T vector.Float](t *testing.T) {
	t.Helper()
	const rows = 3
	random := rand.New(rand.NewPCG(1011, 0))
	for _, columns := range widths {
		x := normals[T](rows*columns, random)
		soft, logs, sums := make([]T, len(x)), make([]T, len(x)), make([]T, rows)
		vector.Softmax(soft, x, columns)
		vector.LogSoftmax(logs, x, columns)
		vector.LogSumExp(sums, x, columns)
		tolerance := float64(20+columns/16) * epsilon[T]()
		for row := range rows {
			total := 0.0
			for _, v := range x[row*columns : (row+1)*columns] {
				total += math.Exp(float64(v))
			}
			if want := math.Log(total); math.Abs(float64(sums[row])-want) > tolerance*(1+want) {
				t.Errorf("log-sum-exp of %d is %g, want %g", columns, sums[row], want)
			}
			for i := row * columns; i < (row+1)*columns; i++ {
				want := math.Exp(float64(x[i])) / total
				if math.Abs(float64(soft[i])-want) > tolerance*want {
					t.Fatalf("softmax of %d: element %d is %g, want %g", columns, i, soft[i], want)
				}
				if math.Abs(float64(logs[i])-math.Log(want)) > tolerance*(1+math.Abs(math.Log(want))) {
					t.Fatalf("log-softmax of %d: element %d is %g, want %g", columns, i, logs[i], math.Log(want))
				}
			}
		}
		vector.Softmax(x, x, columns)
		checkSame(t, "softmax in place", x, soft)
	}
}

func TestSoftmaxOfInfinities(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		x := []float32{1e30, float32(math.Inf(-1)), 1e30, -1e30}
		got := make([]float32, 4)
		vector.Softmax(got, x, 4)
		checkSame(t, "softmax", got, []float32{0.5, 0, 0.5, 0})
		vector.LogSumExp(got[:2], []float32{float32(math.Inf(-1)), float32(math.Inf(-1)), 0, float32(math.Inf(1))}, 2)
		checkSame(t, "log-sum-exp", got[:2], []float32{float32(math.Inf(-1)), float32(math.Inf(1))})
		vector.Softmax(got, []float32{1, float32(math.NaN()), 2, 3}, 4)
		for i, v := range got {
			if v == v {
				t.Errorf("softmax with NaN: element %d is %g", i, v)
			}
		}
	})
}

func TestLayerNorm(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		checkLayerNorm[float32](t)
		checkLayerNorm[float64](t)
	})
}

func checkLayerNorm[T vector.Float](t *testing.T) {
	t.Helper()
	const rows, epsilonAdded = 3, 1e-5
	random := rand.New(rand.NewPCG(1012, 0))
	for _, columns := range widths {
		x, gamma, beta := normals[T](rows*columns, random), normals[T](columns, random), normals[T](columns, random)
		for _, c := range []struct{ gamma, beta []T }{{gamma, beta}, {gamma, nil}, {nil, beta}, {nil, nil}} {
			got := make([]T, len(x))
			vector.LayerNorm(got, x, c.gamma, c.beta, columns, epsilonAdded)
			var row []float64
			for i := range got {
				if i%columns == 0 {
					row = normalized(x[i:i+columns], epsilonAdded)
				}
				want := row[i%columns]
				if c.gamma != nil {
					want *= float64(c.gamma[i%columns])
				}
				if c.beta != nil {
					want += float64(c.beta[i%columns])
				}
				if e := math.Abs(float64(got[i]) - want); !(e <= 1000*epsilon[T]()*(1+math.Abs(want))) {
					t.Fatalf("layer norm of %d: element %d is %g, want %g", columns, i, got[i], want)
				}
			}
		}
		want := make([]T, len(x))
		vector.LayerNorm(want, x, gamma, beta, columns, epsilonAdded)
		vector.LayerNorm(x, x, gamma, beta, columns, epsilonAdded)
		checkSame(t, "layer norm in place", x, want)
	}
}

// normalized returns (row-mean)/sqrt(variance+epsilon).
func normalized[T vector.Float](row []T, epsilon float64) []float64 {
	mean, variance := 0.0, 0.0
	for _, v := range row {
		mean += float64(v) / float64(len(row))
	}
	for _, v := range row {
		variance += (float64(v) - mean) * (float64(v) - mean) / float64(len(row))
	}
	out := make([]float64, len(row))
	for i, v := range row {
		out[i] = (float64(v) - mean) / math.Sqrt(variance+epsilon)
	}
	return out
}

func TestPartOfARowIsLeftAlone(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		x, dst := []float32{1, 1, 2, 2, 9}, []float32{7, 7, 7, 7, 7}
		vector.Softmax(dst, x, 2)
		checkSame(t, "softmax", dst, []float32{0.5, 0.5, 0.5, 0.5, 7})
		vector.Softmax(dst, x, 0)
		vector.Softmax(dst, x, 6)
		checkSame(t, "softmax of no row", dst, []float32{0.5, 0.5, 0.5, 0.5, 7})
	})
}
