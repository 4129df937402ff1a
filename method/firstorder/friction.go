package firstorder

import (
	"fmt"
	"slices"

	"github.com/descentml/descent/method/spec"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Friction is the function xi of [DiffGrad], by the names of section VII-B of
// its paper. It depends on delta = g_{t-1} - g_t and, from DFC3 on, on the mean
// mu and the standard deviation sd of the absolute gradient over the variable
// at the same step. The paper says "of the batch"; sd is that of the
// population, so that it is 0 for a scalar.
type Friction int

// The friction functions, with sigma(x) = 1/(1 + exp(-x)). The paper gives the
// range [0.5, 1] for the last three; as printed they reach sigma(-mu) < 0.5.
const (
	DFC  Friction = iota // sigma(|delta|), in [0.5, 1]
	DFC1                 // sigma(delta), in [0, 1]
	DFC2                 // 9 sigma(|delta|/2) - 4, in [0.5, 5]
	DFC3                 // sigma(sd |delta| - mu), in [0, 1]
	DFC4                 // sigma(sd^2 |delta| - mu), in [0, 1]
	DFC5                 // sigma(sqrt(sd) |delta| - mu), in [0, 1]
)

var frictionNames = []string{DFC: "dfc", DFC1: "dfc1", DFC2: "dfc2", DFC3: "dfc3", DFC4: "dfc4", DFC5: "dfc5"}

// String returns the name as it is written in a specification: "dfc2".
func (f Friction) String() string {
	if f < 0 || int(f) >= len(frictionNames) {
		return fmt.Sprintf("Friction(%d)", int(f))
	}
	return frictionNames[f]
}

// UnmarshalText sets the friction function by its name. An unknown name is an
// error with the nearest one.
func (f *Friction) UnmarshalText(text []byte) error {
	i := slices.Index(frictionNames, string(text))
	if i < 0 {
		return spec.Unknown("friction function", string(text), frictionNames)
	}
	*f = Friction(i)
	return nil
}

// of returns xi, shaped as delta. It stays finite for all finite gradients:
// the logistic function only ever sees an overflow as its limit.
func (f Friction) of(delta, gradient *Node) *Node {
	size := Abs(delta)
	switch f {
	case DFC:
		return Sigmoid(size)
	case DFC1:
		return Sigmoid(delta)
	case DFC2:
		return AddScalar(MulScalar(Sigmoid(MulScalar(size, 0.5)), 9), -4)
	}
	mean, deviation := absoluteStatistics(gradient)
	switch f {
	case DFC3:
		return Sigmoid(Sub(Mul(deviation, size), mean))
	case DFC4:
		return Sigmoid(Sub(Mul(deviation, Mul(deviation, size)), mean)) // sd^2 alone may overflow
	case DFC5:
		return Sigmoid(Sub(Mul(Sqrt(deviation), size), mean))
	}
	exceptions.Panicf("friction function is %s, expected one of DFC and DFC1 to DFC5", f)
	return nil
}

// absoluteStatistics returns the scalar mean and standard deviation of the
// absolute values of x. They are taken of x divided by its largest absolute
// value, whose squares do not overflow.
func absoluteStatistics(x *Node) (mean, deviation *Node) {
	size := Abs(x)
	largest := ReduceAllMax(size)
	scale := Where(Equal(largest, ZerosLike(largest)), OnesLike(largest), largest)
	size = Div(size, scale)
	mean = ReduceAllMean(size)
	deviation = Sqrt(ReduceAllMean(Square(Sub(size, mean))))
	return Mul(mean, scale), Mul(deviation, scale)
}
