package doubledescent_test

import (
	"context"
	"fmt"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/analysis/doubledescent"
)

// classes draws two classes of points in the plane, 1.5 apart; a tenth of the
// labels is wrong.
func classes(rng *rand.Rand, n int, noise float64) doubledescent.Part {
	inputs, labels := mat.NewDense(n, 2, nil), make([]int, n)
	for i := range n {
		labels[i] = i % 2
		inputs.Set(i, 0, 1.5*float64(labels[i])-0.75+0.4*rng.NormFloat64())
		inputs.Set(i, 1, 0.4*rng.NormFloat64())
	}
	labels = doubledescent.FlipLabels(labels, noise, rng)
	return doubledescent.Part{Inputs: inputs, Targets: doubledescent.Signs(labels), Labels: labels}
}

func Example() {
	sweep := doubledescent.Sweep{
		Data: func(seed uint64) (*doubledescent.Data, error) {
			rng := rand.New(rand.NewPCG(seed, 1))
			return &doubledescent.Data{Train: classes(rng, 20, 0.1), Test: classes(rng, 200, 0)}, nil
		},
		Seeds: []uint64{1, 2, 3, 4, 5},
	}
	features := doubledescent.Features{Scale: 4}
	sweep.Settings = []doubledescent.Setting{
		{Name: "1000 steps", Features: features, Training: doubledescent.Training{Epochs: 1000}},
		{Name: "minimum norm", Features: features, Training: doubledescent.Training{Method: doubledescent.Exact}},
	}
	records, err := sweep.Run(context.Background())
	if err != nil {
		panic(err)
	}
	for _, c := range doubledescent.Curves(records) {
		shape := c.Shape()
		fmt.Printf("%s: double descent %v, train loss below 1e-6 at the threshold %v\n", c.Setting, shape.DoubleDescent, shape.ThresholdLoss < doubledescent.LowLoss)
	}
	// Output:
	// 1000 steps: double descent false, train loss below 1e-6 at the threshold false
	// minimum norm: double descent true, train loss below 1e-6 at the threshold true
}
