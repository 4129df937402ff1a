package doubledescent

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"github.com/descentml/descent/backend/kernel/vector"
	"github.com/descentml/descent/method/spec"
)

// Activation is the function of the hidden units.
type Activation string

// The activations of the paper's models. The zero value stands for Tanh.
const (
	Tanh     Activation = "tanh"
	ReLU     Activation = "relu"
	ELU      Activation = "elu"
	Softsign Activation = "softsign" // x / (1 + |x|)
)

// Activations lists the activations.
func Activations() []Activation { return []Activation{Tanh, ReLU, ELU, Softsign} }

// ParseActivation returns the activation of a name; an unknown name is an error
// that says which one is near.
func ParseActivation(name string) (Activation, error) {
	var names []string
	for _, a := range Activations() {
		if string(a) == name {
			return a, nil
		}
		names = append(names, string(a))
	}
	return "", spec.Unknown("activation", name, names)
}

var tanh = vector.Unary[float64](vector.Tanh)

// apply replaces the values by their activations.
func (a Activation) apply(values []float64) {
	switch a {
	case ReLU:
		for i, x := range values {
			values[i] = max(x, 0)
		}
	case ELU:
		for i, x := range values {
			if x < 0 {
				values[i] = math.Expm1(x)
			}
		}
	case Softsign:
		for i, x := range values {
			values[i] = x / (1 + math.Abs(x))
		}
	default:
		tanh(values, values)
	}
}

// timesSlope multiplies each element of g by the derivative of the activation
// where its value is h.
func (a Activation) timesSlope(g, h []float64) {
	h = h[:len(g)]
	switch a {
	case ReLU:
		for i, y := range h {
			if y <= 0 {
				g[i] = 0
			}
		}
	case ELU:
		for i, y := range h {
			if y < 0 {
				g[i] *= 1 + y
			}
		}
	case Softsign:
		for i, y := range h {
			slope := 1 - math.Abs(y)
			g[i] *= slope * slope
		}
	default:
		for i, y := range h {
			g[i] *= 1 - y*y
		}
	}
}

// Features says how random features are made: Z = phi(X W_1) / sqrt(P) with a
// frozen W_1 of inputs x P (M1 of the model; the division keeps the curvature
// from growing with the width P).
type Features struct {
	Activation Activation // "": Tanh
	// Scale is the standard deviation of the entries of W_1 times the root of
	// the number of inputs. 0: 1, which suits inputs of unit variance.
	Scale float64
	// Centered subtracts the training mean from every feature, as batch
	// normalization does. The threshold is then at one feature less.
	Centered bool
}

// Check finds settings that cannot be.
func (f Features) Check() error {
	if f.Activation != "" {
		if _, err := ParseActivation(string(f.Activation)); err != nil {
			return err
		}
	}
	if !(f.Scale >= 0) || math.IsInf(f.Scale, 1) {
		return fmt.Errorf("scale of the features %g: expected a finite number from 0 on, 0 for the default 1", f.Scale)
	}
	return nil
}

// Problem is the least-squares problem of a linear head W_2, P x outputs, on
// features Z, N x P, with the loss L = 1/(2N) ||Z W_2 - Y||_F^2. Its Hessian is
// Z^T Z / N for each output.
type Problem struct {
	Train, Test     *mat.Dense // features, examples x P
	Targets         *mat.Dense // Y, N x outputs
	TestTargets     *mat.Dense
	TestLabels      []int // nil for regression
	examples, width int   // N and P, once it is decomposed
}

// NewProblem draws a first layer of the width and makes the problem of its head.
// The same generator gives the same layer.
func NewProblem(d *Data, f Features, width int, rng *rand.Rand) (*Problem, error) {
	if err := f.Check(); err != nil {
		return nil, err
	}
	if width < 1 {
		return nil, fmt.Errorf("width %d: expected at least 1", width)
	}
	if err := d.Check(); err != nil {
		return nil, err
	}
	_, inputs := d.Train.Inputs.Dims()
	scale := f.Scale
	if scale == 0 {
		scale = 1
	}
	layer := gaussian(inputs, width, scale/math.Sqrt(float64(inputs)), rng)
	p := &Problem{Train: f.make(d.Train.Inputs, layer), Test: f.make(d.Test.Inputs, layer), Targets: d.Train.Targets,
		TestTargets: d.Test.Targets, TestLabels: d.Test.Labels}
	if f.Centered {
		for j := range width {
			mean := stat.Mean(mat.Col(nil, j, p.Train), nil)
			shiftColumn(p.Train, j, -mean)
			shiftColumn(p.Test, j, -mean)
		}
	}
	return p, nil
}

func (f Features) make(inputs, layer *mat.Dense) *mat.Dense {
	var z mat.Dense
	z.Mul(inputs, layer)
	_, width := layer.Dims()
	f.Activation.apply(z.RawMatrix().Data)
	z.Scale(1/math.Sqrt(float64(width)), &z)
	return &z
}

func shiftColumn(m *mat.Dense, j int, by float64) {
	rows, _ := m.Dims()
	for i := range rows {
		m.Set(i, j, m.At(i, j)+by)
	}
}

// gaussian draws a matrix of independent normal entries.
func gaussian(rows, columns int, deviation float64, rng *rand.Rand) *mat.Dense {
	values := make([]float64, rows*columns)
	for i := range values {
		values[i] = deviation * rng.NormFloat64()
	}
	return mat.NewDense(rows, columns, values)
}

// Outcome is what one trained model does.
type Outcome struct {
	TrainMSE   float64 // mean over examples and outputs
	TestMSE    float64
	TestError  float64 // share of test examples that get another class; NaN for regression
	WeightNorm float64 // ||W_2||_F
	Steps      int     // that were taken; 0 for an exact solution
	Diverged   bool    // a loss is not finite
}

// LowLoss is the train loss below which a training counts as having reached a
// minimum.
const LowLoss = 1e-6

// Reached reports whether the train loss is below [LowLoss].
func (o Outcome) Reached() bool { return o.TrainMSE < LowLoss }

// settle fills in what follows from the other fields.
func (o *Outcome) settle() {
	o.Diverged = !isFinite(o.TrainMSE) || !isFinite(o.TestMSE)
	if o.Diverged {
		o.TestError = math.NaN()
	}
}

func isFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// meanSquare is the mean squared difference of two matrices of one shape.
func meanSquare(a, b *mat.Dense) float64 {
	rows, columns := a.Dims()
	sum := 0.0
	for i := range rows {
		y := b.RawRowView(i)
		for j, x := range a.RawRowView(i) {
			sum += (x - y[j]) * (x - y[j])
		}
	}
	return sum / float64(rows*columns)
}

// errorRate is the share of predictions that are not of the label's class.
func errorRate(predictions *mat.Dense, labels []int) float64 {
	if labels == nil {
		return math.NaN()
	}
	wrong := 0
	for i, label := range labels {
		if classOf(predictions.RawRowView(i)) != label {
			wrong++
		}
	}
	return float64(wrong) / float64(len(labels))
}

func classOf(outputs []float64) int {
	if len(outputs) == 1 {
		if outputs[0] > 0 {
			return 1
		}
		return 0
	}
	best := 0
	for j, x := range outputs {
		if x > outputs[best] {
			best = j
		}
	}
	return best
}
