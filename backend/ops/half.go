package ops

import (
	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

// throughFloat32 runs an operation whose half precision tensors are replaced by
// float32 copies, and rounds the output.
func throughFloat32(op string, out tensor.Tensor, inputs []tensor.Tensor, run func(out tensor.Tensor, inputs []tensor.Tensor) error) error {
	wide := make([]tensor.Tensor, len(inputs))
	for i, in := range inputs {
		var err error
		if wide[i], err = widened(op, in); err != nil {
			return err
		}
	}
	result := out
	if out.Shape.DType.IsHalfPrecision() {
		var err error
		if result, err = scratch(op, withType(out.Shape, dtypes.Float32)); err != nil {
			return err
		}
	}
	if err := run(result, wide); err != nil {
		return err
	}
	if out.Shape.DType.IsHalfPrecision() {
		return ConvertDType(out, result)
	}
	return nil
}

// widened returns t, or if it is in half precision a float32 copy of it.
func widened(op string, t tensor.Tensor) (tensor.Tensor, error) {
	if !t.Shape.DType.IsHalfPrecision() {
		return t, nil
	}
	return converted(op, t, dtypes.Float32)
}

// converted returns t, or if it has another data type a copy of the given one.
func converted(op string, t tensor.Tensor, dtype dtypes.DType) (tensor.Tensor, error) {
	if t.Shape.DType == dtype {
		return t, nil
	}
	result, err := scratch(op, withType(t.Shape, dtype))
	if err != nil {
		return result, err
	}
	return result, ConvertDType(result, t)
}

// withType returns shape with another data type.
func withType(shape shapes.Shape, dtype dtypes.DType) shapes.Shape {
	shape.DType = dtype
	return shape
}
