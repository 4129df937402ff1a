package program

import (
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"

	"github.com/descentml/descent/backend/ir"
	"github.com/descentml/descent/backend/tensor"
)

// decompose replaces normalizations of the last axes by the element-wise
// operations and reductions that they consist of, so that these are fused with
// what comes before and after. Half precision and other axes are left to
// kernels of their own.
func decompose(f *ir.Function) (*ir.Function, error) {
	return rewrite(f, func(r *rewriter, n *ir.Node, inputs []ir.Value) ([]ir.Value, error) {
		switch a := n.Attributes.(type) {
		case ir.Axis:
			if n.Op == compute.OpTypeFusedSoftmax {
				return decomposeSoftmax(r, a.Axis, inputs[0])
			}
		case ir.LayerNorm:
			return decomposeLayerNorm(r, a, inputs)
		}
		return nil, nil
	})
}

// formula adds nodes and keeps the first error.
type formula struct {
	*rewriter
	err error
}

func (e *formula) node(op compute.OpType, attributes any, inputs ...ir.Value) ir.Value {
	if e.err != nil {
		return 0
	}
	outputs, err := e.add(op, attributes, inputs)
	if err != nil {
		e.err = err
		return 0
	}
	return outputs[0]
}

func (e *formula) result(v ir.Value) ([]ir.Value, error) { return []ir.Value{v}, e.err }

// number is a scalar constant of x's data type.
func (e *formula) number(x ir.Value, number float64) ir.Value {
	shape := shapes.Make(e.to.Shape(x).DType)
	data, err := tensor.FromFlat(shape, shapes.CastAsDType([]float64{number}, shape.DType))
	if err != nil && e.err == nil {
		e.err = err
	}
	return e.to.AddConstant(data)
}

// reduced is x reduced over the axes and repeated along them again.
func (e *formula) reduced(op compute.OpType, x ir.Value, axes []int) ir.Value {
	y := e.node(op, ir.Axes{Axes: axes}, x)
	kept := slices.Clone(e.dimensions(x))
	for _, axis := range axes {
		kept[axis] = 1
	}
	return e.node(compute.OpTypeReshape, ir.Target{Shape: shapes.Make(e.to.Shape(x).DType, kept...)}, y)
}

// areLast tells whether the axes are the last ones of x, in order, and x is of
// a type and a size for which reductions are fused.
func (e *formula) areLast(x ir.Value, axes []int) bool {
	shape := e.to.Shape(x)
	columns := 1
	for i, axis := range axes {
		if axis != shape.Rank()-len(axes)+i {
			return false
		}
		columns *= shape.Dimensions[axis]
	}
	return isReal(shape.DType) && columns > 0 && columns <= maxWholeRow
}

func decomposeSoftmax(r *rewriter, axis int, x ir.Value) ([]ir.Value, error) {
	e := &formula{rewriter: r}
	axes := []int{axis}
	if !e.areLast(x, axes) {
		return nil, nil
	}
	exponentials := e.node(compute.OpTypeExp, nil, e.node(compute.OpTypeSub, nil, x, e.reduced(compute.OpTypeReduceMax, x, axes)))
	return e.result(e.node(compute.OpTypeDiv, nil, exponentials, e.reduced(compute.OpTypeReduceSum, exponentials, axes)))
}

func decomposeLayerNorm(r *rewriter, a ir.LayerNorm, inputs []ir.Value) ([]ir.Value, error) {
	e := &formula{rewriter: r}
	x, rest := inputs[0], inputs[1:]
	if !e.areLast(x, a.Axes) {
		return nil, nil
	}
	shape := r.to.Shape(x)
	normalized := shapes.Make(shape.DType, shape.Dimensions[shape.Rank()-len(a.Axes):]...)
	count := normalized.Size()
	mean := func(y ir.Value) ir.Value {
		return e.node(compute.OpTypeDiv, nil, e.reduced(compute.OpTypeReduceSum, y, a.Axes), e.number(x, float64(count)))
	}
	centred := e.node(compute.OpTypeSub, nil, x, mean(x))
	variance := mean(e.node(compute.OpTypeMul, nil, centred, centred))
	deviation := e.node(compute.OpTypeSqrt, nil, e.node(compute.OpTypeAdd, nil, variance, e.number(x, a.Epsilon)))
	y := e.node(compute.OpTypeDiv, nil, centred, deviation)
	perColumn := func(v ir.Value) ir.Value {
		v = e.node(compute.OpTypeReshape, ir.Target{Shape: normalized}, v)
		return e.node(compute.OpTypeBroadcastInDim, ir.BroadcastInDim{Target: shape, Axes: a.Axes}, v)
	}
	if a.HasGamma {
		y = e.node(compute.OpTypeMul, nil, y, perColumn(rest[0]))
		rest = rest[1:]
	}
	if a.HasBeta {
		y = e.node(compute.OpTypeAdd, nil, y, perColumn(rest[0]))
	}
	return e.result(y)
}
