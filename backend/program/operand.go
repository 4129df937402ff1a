package program

import (
	"github.com/gomlx/compute"

	"github.com/descentml/descent/backend/ir"
)

// An extent says along which axes a value varies in the domain of a fused
// computation, which is seen as a matrix.
type extent uint8

const (
	elements extent = iota // one number for each element of the matrix
	column                 // one for each row
	row                    // one for each column
	scalar                 // one for all
)

// An operand is a value as an element-wise operation reads it, with broadcasts
// and reshapes taken off.
type operand struct {
	value   ir.Value
	extent  extent
	columns int // of the matrix if the extent is column or row, else 0
}

// layout finds out how values are broadcast.
type layout struct {
	f         *ir.Function
	producers []*ir.Node // by value
}

func newLayout(f *ir.Function) *layout {
	l := &layout{f: f, producers: make([]*ir.Node, f.NumValues())}
	for _, n := range f.Nodes {
		for _, v := range n.Outputs {
			l.producers[v] = n
		}
	}
	return l
}

func (l *layout) dimensions(v ir.Value) []int { return l.f.Shape(v).Dimensions }

// operand returns v as it is read by an element-wise operation whose output has
// these dimensions. It fails if v is repeated in another way than by rows or
// columns.
func (l *layout) operand(v ir.Value, output []int) (operand, bool) {
	dimensions := l.dimensions(v)
	axes := make([]int, len(dimensions))
	for i := range axes {
		axes[i] = i
	}
	o := operand{value: v}
	var ok bool
	if o.extent, o.columns, ok = classify(dimensions, axes, output); !ok {
		return operand{}, false
	}
	for {
		n := l.producers[o.value]
		switch {
		case n == nil:
			return o, true
		case n.Op == compute.OpTypeReshape:
			o.value = n.Inputs[0]
		case n.Op == compute.OpTypeBroadcastInDim:
			source := n.Inputs[0]
			inner, columns, ok := classify(l.dimensions(source), n.Attributes.(ir.BroadcastInDim).Axes, l.dimensions(o.value))
			switch {
			case ok && inner == elements:
			case ok && inner == scalar:
				o.extent, o.columns = scalar, 0
			case ok && o.extent == elements:
				o.extent, o.columns = inner, columns
			default:
				return o, true
			}
			o.value = source
		default:
			return o, true
		}
	}
}

// classify tells how a value is repeated whose axis i is axis axes[i] of the
// output.
func classify(dimensions, axes, output []int) (kind extent, columns int, ok bool) {
	varies := make([]bool, len(output))
	last := -1
	for i, size := range dimensions {
		if size == 1 {
			continue
		}
		if axes[i] >= len(output) || axes[i] < last || output[axes[i]] != size {
			return 0, 0, false
		}
		last = axes[i]
		varies[axes[i]] = true
	}
	return split(varies, output)
}

// split returns the extent of what varies along some axes only, and the size of
// a row.
func split(varies []bool, dimensions []int) (kind extent, columns int, ok bool) {
	changes, first, lastVaries, any := 0, false, false, false
	columns = 1
	for axis, size := range dimensions {
		if size == 1 {
			continue
		}
		if !any {
			any, first = true, varies[axis]
		} else if varies[axis] != lastVaries {
			changes++
			columns = 1
		}
		columns *= size
		lastVaries = varies[axis]
	}
	switch {
	case changes > 1:
		return 0, 0, false
	case changes == 1 && first:
		return column, columns, true
	case changes == 1:
		return row, columns, true
	case any && !first:
		return scalar, 0, true
	}
	return elements, 0, true
}
