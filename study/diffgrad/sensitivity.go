package diffgrad

import (
	"math"

	"github.com/gomlx/compute"
)

// starts is the number of starting points of a [Cell].
const starts = 11

// Cell counts how many of 11 runs on F1, from starting points evenly spaced
// over [-1, -0.5], end nearer to the global minimum than to the local one.
type Cell struct {
	LearningRate, Beta1      float64
	Starts                   int // number of runs of each method
	Adam, DiffGrad, HalfAdam int // runs that found the global minimum; HalfAdam is Adam at half the rate
}

// Sensitivity runs Adam, diffGrad and Adam at half the rate on F1 at the
// learning rates 0.05, 0.1 and 0.2 and with b1 = 0.9 and 0.95, 299 updates
// each. The order is that of the learning rates and, within one, of b1.
func Sensitivity(backend compute.Backend) ([]Cell, error) {
	var cells []Cell
	for _, rate := range []float64{0.05, 0.1, 0.2} {
		for _, beta1 := range []float64{0.9, 0.95} {
			c := Cell{LearningRate: rate, Beta1: beta1, Starts: starts}
			for _, run := range []struct {
				method string
				found  *int
			}{
				{adaptive("adam", rate, beta1), &c.Adam},
				{adaptive("diffgrad", rate, beta1), &c.DiffGrad},
				{adaptive("adam", rate/2, beta1), &c.HalfAdam},
			} {
				found, err := countFound(backend, run.method)
				if err != nil {
					return nil, err
				}
				*run.found = found
			}
			cells = append(cells, c)
		}
	}
	return cells, nil
}

// countFound counts the starting points from which the method ends near the
// global minimum of F1.
func countFound(backend compute.Backend, method string) (int, error) {
	f := Functions()[0]
	particles := make([]particle, starts)
	for i := range particles {
		particles[i] = particle{f, -1 + 0.5*float64(i)/(starts-1)}
	}
	paths, err := descend(backend, method, particles)
	if err != nil {
		return 0, err
	}
	found := 0
	for _, path := range paths {
		final := path[len(path)-1]
		if math.Abs(final-f.Minimum) < math.Abs(final-f.LocalMinima[0]) {
			found++
		}
	}
	return found, nil
}
