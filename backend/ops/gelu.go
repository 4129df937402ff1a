package ops

import (
	"math"

	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute/dtypes/gotype"
)

// FusedGelu computes x·Φ(x) of floats, with Φ the normal distribution function if
// exact, else the approximation (1 + tanh(√(2/π)·(x + 0.044715·x³)))/2. out may be
// in.
func FusedGelu(out, in tensor.Tensor, exact bool) error {
	const op = "gelu"
	if err := checkShape(op, "output", out, in.Shape.DType, in.Shape.Dimensions); err != nil {
		return err
	}
	function := geluTanh
	if exact {
		function = gelu
	}
	return inFloats(op, 1, []tensor.Tensor{out, in}, func(t []tensor.Tensor) {
		mapFloats[float32](t[0], t[1], function)
	}, func(t []tensor.Tensor) {
		mapFloats[float64](t[0], t[1], function)
	})
}

func mapFloats[T gotype.Float](out, in tensor.Tensor, function func(float64) float64) {
	to := tensor.Of[T](out)
	for i, value := range tensor.Of[T](in) {
		to[i] = T(function(float64(value)))
	}
}

// gelu has the limit 0 at -Inf, where the formula gives NaN.
func gelu(x float64) float64 {
	if math.IsInf(x, -1) {
		return 0
	}
	return x / 2 * math.Erfc(-x/math.Sqrt2)
}

func geluTanh(x float64) float64 {
	return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
}
