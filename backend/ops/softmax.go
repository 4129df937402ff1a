package ops

import (
	"fmt"
	"math"
	"slices"

	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/gotype"
	"github.com/gomlx/compute/shapes"
)

// FusedSoftmax computes exp(in) divided by its sum along an axis, of floats. The
// highest element is subtracted first, so nothing overflows. out may be in.
func FusedSoftmax(out, in tensor.Tensor, axis int) error {
	const op = "softmax"
	if err := checkShape(op, "output", out, in.Shape.DType, in.Shape.Dimensions); err != nil {
		return err
	}
	if err := checkAxes(op, "axis", []int{axis}, in.Shape.Rank()); err != nil {
		return err
	}
	return inFloats(op, 1, []tensor.Tensor{out, in}, func(t []tensor.Tensor) {
		softmax[float32](t[0], t[1], axis)
	}, func(t []tensor.Tensor) {
		softmax[float64](t[0], t[1], axis)
	})
}

func softmax[T gotype.Float](out, in tensor.Tensor, axis int) {
	to, from := tensor.Of[T](out), tensor.Of[T](in)
	outer, size, inner := split(in.Shape.Dimensions, axis)
	highest, total := make([]T, inner), make([]T, inner)
	for o := range outer {
		start, end := o*size*inner, (o+1)*size*inner
		fill(highest, T(math.Inf(-1)))
		clear(total)
		for at := start; at < end; at += inner {
			maximum(highest, highest, from[at:at+inner])
		}
		for at := start; at < end; at += inner {
			row := to[at : at+inner]
			for i, value := range from[at : at+inner] {
				row[i] = T(math.Exp(float64(value - highest[i])))
				total[i] += row[i]
			}
		}
		for at := start; at < end; at += inner {
			divide(to[at:at+inner], to[at:at+inner], total)
		}
	}
}

// FusedLayerNorm computes (in-mean)/√(variance+epsilon)·gamma + beta, with mean and
// variance over the given axes, of floats. gamma and beta have one value for each
// index of these axes, in their order; the zero Tensor means 1 and 0.
func FusedLayerNorm(out, in tensor.Tensor, axes []int, epsilon float64, gamma, beta tensor.Tensor) error {
	const op = "layer norm"
	if err := checkTensors(op, out, in); err != nil {
		return err
	}
	if err := checkShape(op, "output", out, in.Shape.DType, in.Shape.Dimensions); err != nil {
		return err
	}
	if err := checkAxes(op, "axes", axes, in.Shape.Rank()); err != nil {
		return err
	}
	size := product(permuted(in.Shape.Dimensions, axes))
	for _, t := range []tensor.Tensor{gamma, beta} {
		if !given(t) {
			continue
		}
		if err := checkTensors(op, t); err != nil {
			return err
		}
		if t.Shape.Size() != size {
			return fmt.Errorf("%s: gamma or beta has shape %s, expected %d elements", op, t.Shape, size)
		}
	}
	order := append(remainingAxes(in.Shape.Rank(), axes, nil), axes...)
	if slices.IsSorted(order) {
		return layerNorm(op, out, in, size, epsilon, gamma, beta)
	}
	rows, err := arranged(op, in, order, in.Shape.DType)
	if err != nil {
		return err
	}
	if err := layerNorm(op, rows, rows, size, epsilon, gamma, beta); err != nil {
		return err
	}
	return Transpose(out, rows, inverted(order))
}

// inverted returns the inverse of a permutation.
func inverted(permutation []int) []int {
	inverse := make([]int, len(permutation))
	for i, axis := range permutation {
		inverse[axis] = i
	}
	return inverse
}

// layerNorm normalizes rows of the given size.
func layerNorm(op string, out, in tensor.Tensor, size int, epsilon float64, gamma, beta tensor.Tensor) error {
	gamma, err := orConstant(op, gamma, in.Shape.DType, size, 1)
	if err != nil {
		return err
	}
	beta, err = orConstant(op, beta, in.Shape.DType, size, 0)
	if err != nil {
		return err
	}
	return inFloats(op, 1, []tensor.Tensor{out, in, gamma, beta}, func(t []tensor.Tensor) {
		normalizeRows[float32](t, size, epsilon)
	}, func(t []tensor.Tensor) {
		normalizeRows[float64](t, size, epsilon)
	})
}

// orConstant returns t, or if it is absent a vector filled with value.
func orConstant(op string, t tensor.Tensor, dtype dtypes.DType, size int, value float64) (tensor.Tensor, error) {
	if given(t) {
		return t, nil
	}
	constant, err := scratch(op, shapes.Make(dtypes.Float64, size))
	if err != nil {
		return constant, err
	}
	fill(tensor.Of[float64](constant), value)
	return converted(op, constant, dtype)
}

// normalizeRows works on out, in, gamma, beta.
func normalizeRows[T gotype.Float](t []tensor.Tensor, size int, epsilon float64) {
	to, from, gamma, beta := tensor.Of[T](t[0]), tensor.Of[T](t[1]), tensor.Of[T](t[2]), tensor.Of[T](t[3])
	for start := 0; start < len(from); start += size {
		row, result := from[start:start+size], to[start:start+size]
		mean := sum(row) / T(size)
		for i, value := range row {
			result[i] = value - mean
		}
		var squares T
		for _, value := range result {
			squares += value * value
		}
		inverse := T(1 / math.Sqrt(float64(squares/T(size))+epsilon))
		for i, value := range result {
			result[i] = value*inverse*gamma[i] + beta[i]
		}
	}
}
