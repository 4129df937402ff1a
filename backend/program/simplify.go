package program

import (
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/descentml/descent/backend/ir"
)

// simplify replaces nodes by simpler ones with the same results, bit for bit.
func simplify(f *ir.Function) (*ir.Function, error) {
	return rewrite(f, func(r *rewriter, n *ir.Node, inputs []ir.Value) ([]ir.Value, error) {
		if apply, ok := simplifications[n.Op]; ok {
			return apply(r, n, inputs)
		}
		return nil, nil
	})
}

var simplifications = map[compute.OpType]rule{
	compute.OpTypeIdentity:       func(_ *rewriter, _ *ir.Node, in []ir.Value) ([]ir.Value, error) { return in, nil },
	compute.OpTypeReshape:        simplifyReshape,
	compute.OpTypeTranspose:      simplifyTranspose,
	compute.OpTypeBroadcastInDim: simplifyBroadcast,
	compute.OpTypeConvertDType:   simplifyConvert,
	compute.OpTypeReduceSum:      simplifyReduce,
	compute.OpTypeReduceMax:      simplifyReduce,
	compute.OpTypeReduceMin:      simplifyReduce,
	compute.OpTypeReduceProduct:  simplifyReduce,
	compute.OpTypeMul:            neutral(1, true),
	compute.OpTypeDiv:            neutral(1, false),
	compute.OpTypeSub:            neutral(0, false),
	compute.OpTypePow:            simplifyPower,
	compute.OpTypeNeg:            simplifyNegation,
	compute.OpTypeDotGeneral:     simplifyDot,
}

func simplifyReshape(r *rewriter, n *ir.Node, in []ir.Value) ([]ir.Value, error) {
	if inner := r.producer(in[0], compute.OpTypeReshape); inner != nil {
		in = inner.Inputs
	}
	return r.reshape(in[0], n.Attributes.(ir.Target).Shape.Dimensions)
}

// simplifyTranspose joins two transpositions, makes a reshape of one that moves
// only axes of size 1, and exchanges the operands of a product instead of
// transposing it.
func simplifyTranspose(r *rewriter, n *ir.Node, in []ir.Value) ([]ir.Value, error) {
	axes, x := n.Attributes.(ir.Axes).Axes, in[0]
	if inner := r.producer(x, compute.OpTypeTranspose); inner != nil {
		joined := make([]int, len(axes))
		for i, axis := range axes {
			joined[i] = inner.Attributes.(ir.Axes).Axes[axis]
		}
		axes, x = joined, inner.Inputs[0]
	}
	dimensions := r.dimensions(x)
	last, moved := -1, false
	target := make([]int, len(axes))
	for i, axis := range axes {
		target[i] = dimensions[axis]
		if dimensions[axis] != 1 {
			moved = moved || axis < last
			last = axis
		}
	}
	if !moved {
		return r.reshape(x, target)
	}
	if product := r.producer(x, compute.OpTypeDotGeneral); product != nil {
		if exchanged, ok := exchange(r, product, axes); ok {
			return r.add(compute.OpTypeDotGeneral, exchanged, []ir.Value{product.Inputs[1], product.Inputs[0]})
		}
	}
	return r.add(compute.OpTypeTranspose, ir.Axes{Axes: axes}, []ir.Value{x})
}

// exchange returns the product with exchanged operands if that is the product
// with its axes permuted.
func exchange(r *rewriter, product *ir.Node, axes []int) (ir.Dot, bool) {
	a := product.Attributes.(ir.Dot)
	batch := len(a.LHSBatch)
	left := len(r.dimensions(product.Inputs[0])) - batch - len(a.LHSContracting)
	right := len(axes) - batch - left
	for i, axis := range axes {
		want := i
		if i >= batch+right {
			want = i - right
		} else if i >= batch {
			want = i + left
		}
		if axis != want {
			return ir.Dot{}, false
		}
	}
	a.LHSContracting, a.RHSContracting = a.RHSContracting, a.LHSContracting
	a.LHSBatch, a.RHSBatch = a.RHSBatch, a.LHSBatch
	return a, true
}

// simplifyBroadcast joins two broadcasts, and drops one that repeats nothing.
func simplifyBroadcast(r *rewriter, n *ir.Node, in []ir.Value) ([]ir.Value, error) {
	a, x := n.Attributes.(ir.BroadcastInDim), in[0]
	if inner := r.producer(x, compute.OpTypeBroadcastInDim); inner != nil {
		joined := make([]int, len(r.dimensions(inner.Inputs[0])))
		for i, axis := range inner.Attributes.(ir.BroadcastInDim).Axes {
			joined[i] = a.Axes[axis]
		}
		a.Axes, x = joined, inner.Inputs[0]
	}
	if r.to.Shape(x).Size() == a.Target.Size() && slices.IsSorted(a.Axes) {
		return r.reshape(x, a.Target.Dimensions)
	}
	return r.add(compute.OpTypeBroadcastInDim, a, []ir.Value{x})
}

// simplifyConvert drops conversions to the same type, and to a wider type of
// floats and back.
func simplifyConvert(r *rewriter, n *ir.Node, in []ir.Value) ([]ir.Value, error) {
	target := n.Attributes.(ir.DType).DType
	if r.to.Shape(in[0]).DType == target {
		return in, nil
	}
	inner := r.producer(in[0], compute.OpTypeConvertDType)
	if inner == nil || r.to.Shape(inner.Inputs[0]).DType != target {
		return nil, nil
	}
	if target == dtypes.Float32 && r.to.Shape(in[0]).DType == dtypes.Float64 {
		return inner.Inputs, nil
	}
	return nil, nil
}

// simplifyReduce makes a reshape of a reduction over axes of size 1.
func simplifyReduce(r *rewriter, n *ir.Node, in []ir.Value) ([]ir.Value, error) {
	dimensions := r.dimensions(in[0])
	var kept []int
	for axis, size := range dimensions {
		if !slices.Contains(n.Attributes.(ir.Axes).Axes, axis) {
			kept = append(kept, size)
		} else if size != 1 {
			return nil, nil
		}
	}
	return r.reshape(in[0], kept)
}

// neutral drops an operation with a scalar constant that changes nothing.
func neutral(number float64, commutes bool) rule {
	return func(r *rewriter, n *ir.Node, in []ir.Value) ([]ir.Value, error) {
		output := r.to.Shape(in[0])
		if x, ok := r.scalar(in[1]); ok && x == number && len(r.dimensions(in[1])) == 0 {
			return in[:1], nil
		}
		if x, ok := r.scalar(in[0]); ok && x == number && commutes && output.IsScalar() {
			return in[1:], nil
		}
		return nil, nil
	}
}

// simplifyPower makes products and roots of powers. The power 0.5 differs from
// the root for -Inf and -0, and so does not become one.
func simplifyPower(r *rewriter, _ *ir.Node, in []ir.Value) ([]ir.Value, error) {
	x, ok := r.scalar(in[1])
	switch {
	case !ok || len(r.dimensions(in[1])) != 0:
		return nil, nil
	case x == 1:
		return in[:1], nil
	case x == 2:
		return r.add(compute.OpTypeMul, nil, []ir.Value{in[0], in[0]})
	}
	return nil, nil
}

func simplifyNegation(r *rewriter, _ *ir.Node, in []ir.Value) ([]ir.Value, error) {
	if inner := r.producer(in[0], compute.OpTypeNeg); inner != nil {
		return inner.Inputs, nil
	}
	return nil, nil
}

// simplifyDot takes the axes of an operand from before its transposition, if
// its free axes keep their order.
func simplifyDot(r *rewriter, n *ir.Node, in []ir.Value) ([]ir.Value, error) {
	a := n.Attributes.(ir.Dot)
	inputs := slices.Clone(in)
	if axes, x, ok := beforeTranspose(r, in[0], a.LHSContracting, a.LHSBatch); ok {
		a.LHSContracting, a.LHSBatch, inputs[0] = through(axes, a.LHSContracting), through(axes, a.LHSBatch), x
	}
	if axes, x, ok := beforeTranspose(r, in[1], a.RHSContracting, a.RHSBatch); ok {
		a.RHSContracting, a.RHSBatch, inputs[1] = through(axes, a.RHSContracting), through(axes, a.RHSBatch), x
	}
	return r.add(n.Op, a, inputs)
}

func beforeTranspose(r *rewriter, v ir.Value, contracting, batch []int) (axes []int, x ir.Value, ok bool) {
	inner := r.producer(v, compute.OpTypeTranspose)
	if inner == nil {
		return nil, 0, false
	}
	axes = inner.Attributes.(ir.Axes).Axes
	last := -1
	for i, axis := range axes {
		if slices.Contains(contracting, i) || slices.Contains(batch, i) {
			continue
		}
		if axis < last {
			return nil, 0, false
		}
		last = axis
	}
	return axes, inner.Inputs[0], true
}

func through(permutation, axes []int) []int {
	list := make([]int, len(axes))
	for i, axis := range axes {
		list[i] = permutation[axis]
	}
	return list
}

// scalar returns the number that v is everywhere, if v is a constant of one
// element and of a type that is computed with here.
func (r *rewriter) scalar(v ir.Value) (float64, bool) {
	constant := r.producer(v, compute.OpTypeConstant)
	if constant == nil {
		return 0, false
	}
	switch flat := constant.Attributes.(ir.Constant).Data.Flat.(type) {
	case []float32:
		if len(flat) == 1 {
			return float64(flat[0]), true
		}
	case []float64:
		if len(flat) == 1 {
			return flat[0], true
		}
	case []int32:
		if len(flat) == 1 {
			return float64(flat[0]), true
		}
	}
	return 0, false
}
