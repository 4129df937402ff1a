package doubledescent

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/method/spec"
)

// Method is how weights are found.
type Method string

// The methods. The zero value stands for GradientDescent.
const (
	GradientDescent Method = "gd"    // full batch or stochastic, with or without momentum
	Adam            Method = "adam"  // b1 = 0.9, b2 = 0.999, eps = 1e-8
	Exact           Method = "exact" // the minimum-norm or ridge solution; of heads only
)

// Training says how a model is trained.
type Training struct {
	Method Method
	// Rate is the step size. Of gradient descent on a head it is in units of
	// 1/lam_max, the largest curvature at that width, so that it means the same
	// at every width; elsewhere it is absolute. 0: 1 for heads, 0.1 for
	// networks, 1e-3 for Adam.
	Rate     float64
	Momentum float64 // rho in [0, 1) of v <- rho v - eta g, w <- w + v
	Batch    int     // examples per step, in an order drawn for every epoch; 0: all
	Epochs   int     // passes over the training examples; 0: 1000
	// Start is the scale of the head at the start: predictions of about this
	// size. The entries are normal with this deviation on random features, which
	// are divided by sqrt(P), and with Start/sqrt(h) in networks. 0: heads on
	// random features start at 0, networks at scale 1.
	Start float64
	// Penalty adds Penalty/2 ||w||^2 to the loss, biases left out. For heads,
	// which have it with Exact alone, it is in units of lam_max: the ridge a
	// is Penalty s_1^2.
	Penalty float64
}

// defaultEpochs is the length of a training.
const defaultEpochs = 1000

// epochs is the length with its default.
func (t Training) epochs() int {
	if t.Epochs == 0 {
		return defaultEpochs
	}
	return t.Epochs
}

// rate is the step size with its default: usual for gradient descent.
func (t Training) rate(usual float64) float64 {
	switch {
	case t.Rate != 0:
		return t.Rate
	case t.Method == Adam:
		return 1e-3
	}
	return usual
}

// Check finds settings that cannot be.
func (t Training) Check() error {
	switch t.Method {
	case "", GradientDescent, Adam, Exact:
	default:
		return spec.Unknown("method", string(t.Method), []string{string(GradientDescent), string(Adam), string(Exact)})
	}
	for _, setting := range []struct {
		name  string
		value float64
	}{{"step size", t.Rate}, {"scale of the start", t.Start}, {"penalty", t.Penalty}} {
		if !(setting.value >= 0) || math.IsInf(setting.value, 1) {
			return fmt.Errorf("%s %g: expected a finite number from 0 on", setting.name, setting.value)
		}
	}
	switch {
	case !(t.Momentum >= 0 && t.Momentum < 1):
		return fmt.Errorf("momentum %g: expected a number from 0 to below 1", t.Momentum)
	case t.Momentum > 0 && t.Method == Adam:
		return fmt.Errorf("momentum %g with Adam: expected none, as it has its own", t.Momentum)
	case t.Batch < 0 || t.Epochs < 0:
		return fmt.Errorf("batches of %d examples and %d epochs: expected none below 0", t.Batch, t.Epochs)
	}
	return nil
}

// Train trains the head of a problem. The exact solution and full-batch
// descent, whose number of steps does not matter, are computed in closed form;
// [Modes.Iterate] does the others. The generator draws the start and the
// batches. A divergence is an outcome, the end of ctx an error.
func (m *Modes) Train(ctx context.Context, t Training, rng *rand.Rand) (Outcome, error) {
	if err := t.Check(); err != nil {
		return Outcome{}, err
	}
	if t.Method == Exact {
		if t.Penalty > 0 {
			return m.Solve(Ridge{Penalty: t.Penalty * m.largest}), nil
		}
		return m.Solve(MinimumNorm{}), nil
	}
	if t.Method == Adam || t.Batch > 0 && t.Batch < m.problem.examples {
		return m.Iterate(ctx, t, rng)
	}
	if t.Penalty > 0 {
		return Outcome{}, errPenalty
	}
	o := m.solve(Descent{Rate: t.rate(1) / m.largest, Momentum: t.Momentum, Steps: t.epochs()}, m.start(t, rng))
	o.Steps = t.epochs()
	return o, nil
}

var errPenalty = fmt.Errorf("a penalty on a head that is trained in steps: expected the method %s", Exact)

// start draws the head at the start; nil for 0.
func (m *Modes) start(t Training, rng *rand.Rand) *mat.Dense {
	if t.Start == 0 {
		return nil
	}
	_, outputs := m.targets.Dims()
	return gaussian(m.problem.width, outputs, t.Start, rng)
}
