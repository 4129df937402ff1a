package ops_test

import (
	"testing"

	"github.com/descentml/descent/backend/ops"
	"github.com/gomlx/compute/dtypes"
)

func TestGelu(t *testing.T) {
	forTypes(t, floatTypes, func(t *testing.T, dtype dtypes.DType) {
		in := []float64{-100, -1, 0, 1, 100}
		for exact, one := range map[bool]float64{true: 0.8413447460685429, false: 0.8411919906082768} {
			out := empty(t, dtype, 5)
			must(t, ops.FusedGelu(out, filled(t, dtype, []int{5}, in...), exact))
			expect(t, out, precision(dtype), 0, one-1, 0, one, 100)
		}
	})
}
