package linear

import (
	"fmt"
	"math"
)

// Loss is the loss of one example as a function of its targets z, the outputs
// of the model. The label y is 0 or 1 for [Logistic], the index of a class for
// [Softmax] and a value for the squared losses.
type Loss interface {
	// Outputs is the number of targets of an example.
	Outputs() int
	// Smoothness is L, the largest curvature in the targets: 1/L is the
	// largest target step size for which the surrogate bounds the loss.
	Smoothness() float64
	// Value returns the loss and writes its gradient by the targets to
	// gradient, unless that is nil.
	Value(z []float64, y float64, gradient []float64) float64
}

// curved is a loss of one target whose second derivative is known.
type curved interface {
	curvature(z, y float64) float64
}

// Logistic is the loss log(1 + exp(z)) - y z of two classes, in nats. L = 1/4.
type Logistic struct{}

// Outputs is 1.
func (Logistic) Outputs() int { return 1 }

// Smoothness is 1/4.
func (Logistic) Smoothness() float64 { return 0.25 }

// Value returns the loss and its derivative sigmoid(z) - y.
func (Logistic) Value(z []float64, y float64, gradient []float64) float64 {
	if gradient != nil {
		gradient[0] = sigmoid(z[0]) - y
	}
	return max(z[0], 0) + math.Log1p(math.Exp(-math.Abs(z[0]))) - y*z[0]
}

func (Logistic) curvature(z, _ float64) float64 {
	p := sigmoid(z)
	return p * (1 - p)
}

func sigmoid(z float64) float64 {
	if z < 0 {
		e := math.Exp(z)
		return e / (1 + e)
	}
	return 1 / (1 + math.Exp(-z))
}

// Squared is the loss (z - y)^2/2. L = 1.
type Squared struct{}

// Outputs is 1.
func (Squared) Outputs() int { return 1 }

// Smoothness is 1.
func (Squared) Smoothness() float64 { return 1 }

// Value returns the loss and its derivative z - y.
func (Squared) Value(z []float64, y float64, gradient []float64) float64 {
	if gradient != nil {
		gradient[0] = z[0] - y
	}
	return (z[0] - y) * (z[0] - y) / 2
}

func (Squared) curvature(_, _ float64) float64 { return 1 }

// SquaredError is the loss (z - y)^2, without the factor 1/2. L = 2.
type SquaredError struct{}

// Outputs is 1.
func (SquaredError) Outputs() int { return 1 }

// Smoothness is 2.
func (SquaredError) Smoothness() float64 { return 2 }

// Value returns the loss and its derivative 2 (z - y).
func (SquaredError) Value(z []float64, y float64, gradient []float64) float64 {
	if gradient != nil {
		gradient[0] = 2 * (z[0] - y)
	}
	return (z[0] - y) * (z[0] - y)
}

func (SquaredError) curvature(_, _ float64) float64 { return 2 }

// Softmax is the cross entropy -log softmax(z)[y] of a number of classes, in
// nats. L = 1/2.
type Softmax struct {
	Classes int // at least 2
}

// Outputs is the number of classes.
func (s Softmax) Outputs() int { return s.Classes }

// Smoothness is 1/2, which two classes of equal probability reach.
func (Softmax) Smoothness() float64 { return 0.5 }

// Value returns the loss and its gradient softmax(z) - e_y.
func (s Softmax) Value(z []float64, y float64, gradient []float64) float64 {
	largest := math.Inf(-1)
	for _, value := range z {
		largest = max(largest, value)
	}
	sum := 0.0
	for _, value := range z {
		sum += math.Exp(value - largest)
	}
	label := int(y)
	if gradient != nil {
		for k, value := range z {
			gradient[k] = math.Exp(value-largest) / sum
		}
		gradient[label]--
	}
	return largest + math.Log(sum) - z[label]
}

// check finds a label that the loss cannot take.
func check(loss Loss, labels []float64) error {
	for i, y := range labels {
		ok := !math.IsNaN(y) && !math.IsInf(y, 0)
		expected := "a finite value"
		switch l := loss.(type) {
		case Logistic:
			ok, expected = y == 0 || y == 1, "0 or 1"
		case Softmax:
			ok, expected = y == math.Trunc(y) && 0 <= y && y < float64(l.Classes), fmt.Sprintf("a class from 0 to %d", l.Classes-1)
		}
		if !ok {
			return fmt.Errorf("label %d is %g: expected %s", i, y, expected)
		}
	}
	return nil
}
