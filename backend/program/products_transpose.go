package program

import (
	"fmt"
	"unsafe"

	"github.com/descentml/descent/backend/ir"
	"github.com/descentml/descent/backend/kernel/vector"
	"github.com/descentml/descent/backend/kernel/workers"
	"github.com/descentml/descent/backend/ops"
	"github.com/descentml/descent/backend/tensor"
)

// buildTranspose returns the kernel of a Transpose: a permutation for elements
// of 4 or 8 bytes, else that of package ops.
func buildTranspose(f *ir.Function, n *ir.Node) (kernel, error) {
	a, ok := n.Attributes.(ir.Axes)
	if !ok {
		return nil, fmt.Errorf("%s has attributes %T, expected %T", n.Op, n.Attributes, a)
	}
	in := f.Shape(n.Inputs[0])
	if !in.DType.IsPacked() {
		switch p := newPermutation(in.Dimensions, a.Axes); in.DType.Size() {
		case 4:
			return transposition[float32](p), nil
		case 8:
			return transposition[float64](p), nil
		}
	}
	return alone(func(out, in []tensor.Tensor) error { return ops.Transpose(out[0], in[0], a.Axes) }), nil
}

// transposition moves elements of the size of T, whatever their type is.
func transposition[T vector.Float](p *permutation) kernel {
	return func(pool *workers.Pool, outputs, inputs []tensor.Tensor) error {
		return permute(p, pool, elementsAs[T](outputs[0]), elementsAs[T](inputs[0]))
	}
}

// elementsAs returns the memory of t as elements of another type of their size.
func elementsAs[T vector.Float](t tensor.Tensor) []T {
	memory := t.Bytes()
	var element T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(memory))), len(memory)/int(unsafe.Sizeof(element)))
}
