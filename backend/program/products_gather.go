package program

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/descentml/descent/backend/ir"
	"github.com/descentml/descent/backend/kernel/vector"
	"github.com/descentml/descent/backend/kernel/workers"
	"github.com/descentml/descent/backend/ops"
	"github.com/descentml/descent/backend/tensor"
)

// buildGather returns the kernel of a Gather: copies of whole rows where that
// is what it asks for, as embeddings do, else that of package ops.
func buildGather(f *ir.Function, n *ir.Node) (kernel, error) {
	a, ok := n.Attributes.(ir.Gather)
	if !ok {
		return nil, fmt.Errorf("%s has attributes %T, expected %T", n.Op, n.Attributes, a)
	}
	table, index, out := f.Shape(n.Inputs[0]), f.Shape(n.Inputs[1]), f.Shape(n.Outputs[0])
	if t, ok := rowTable(table, index, a.IndexVectorAxis, a.StartIndexMap, a.CollapsedSliceAxes); ok && a.SliceSizes[0] == 1 &&
		slices.Equal(a.SliceSizes[1:], table.Dimensions[1:]) && trailing(a.OffsetOutputAxes, out.Rank()) {
		switch index.DType {
		case dtypes.Int32:
			return gatherRows[int32](t), nil
		case dtypes.Int64:
			return gatherRows[int64](t), nil
		}
	}
	axes := ops.GatherAxes{
		IndexVectorAxis:    a.IndexVectorAxis,
		OffsetOutputAxes:   a.OffsetOutputAxes,
		CollapsedSliceAxes: a.CollapsedSliceAxes,
		StartIndexMap:      a.StartIndexMap,
		SliceSizes:         a.SliceSizes,
	}
	return alone(func(out, in []tensor.Tensor) error { return ops.Gather(out[0], in[0], in[1], axes) }), nil
}

// buildScatter returns the kernel of a scatter: sums of whole rows of float32
// or float64 where that is what it asks for, as the gradients of embeddings do,
// else that of package ops.
func buildScatter(f *ir.Function, n *ir.Node) (kernel, error) {
	a, ok := n.Attributes.(ir.Scatter)
	if !ok {
		return nil, fmt.Errorf("%s has attributes %T, expected %T", n.Op, n.Attributes, a)
	}
	table, index, updates := f.Shape(n.Inputs[0]), f.Shape(n.Inputs[1]), f.Shape(n.Inputs[2])
	if t, ok := rowTable(table, index, a.IndexVectorAxis, a.ScatterAxesToOperandAxes, a.InsertedWindowAxes); ok && n.Op == compute.OpTypeScatterSum &&
		trailing(a.UpdateWindowAxes, updates.Rank()) && slices.Equal(gathered(updates.Dimensions, a.UpdateWindowAxes), table.Dimensions[1:]) {
		switch {
		case table.DType == dtypes.Float32 && index.DType == dtypes.Int32:
			return addRows[float32, int32](t), nil
		case table.DType == dtypes.Float32 && index.DType == dtypes.Int64:
			return addRows[float32, int64](t), nil
		case table.DType == dtypes.Float64 && index.DType == dtypes.Int32:
			return addRows[float64, int32](t), nil
		case table.DType == dtypes.Float64 && index.DType == dtypes.Int64:
			return addRows[float64, int64](t), nil
		}
	}
	op, axes := n.Op, ops.ScatterAxes{
		IndexVectorAxis:          a.IndexVectorAxis,
		UpdateWindowAxes:         a.UpdateWindowAxes,
		InsertedWindowAxes:       a.InsertedWindowAxes,
		ScatterAxesToOperandAxes: a.ScatterAxesToOperandAxes,
	}
	return alone(func(out, in []tensor.Tensor) error { return ops.Scatter(op, out[0], in[0], in[1], in[2], axes) }), nil
}

// A rowsTable is an array whose first axis is indexed.
type rowsTable struct {
	rows, width int // width: elements of a row
	count       int // of indices
}

// rowTable returns the table if each index picks one row of it.
func rowTable(table, index shapes.Shape, vectorAxis int, indexed, dropped []int) (t rowsTable, ok bool) {
	single := vectorAxis == index.Rank() || vectorAxis < index.Rank() && index.Dimensions[vectorAxis] == 1
	if table.DType.IsPacked() || table.Rank() == 0 || table.Size() == 0 || !single || !slices.Equal(indexed, []int{0}) || !slices.Equal(dropped, []int{0}) {
		return t, false
	}
	return rowsTable{rows: table.Dimensions[0], width: product(table.Dimensions[1:]), count: index.Size()}, true
}

// trailing tells whether axes are the last ones, in order.
func trailing(axes []int, rank int) bool {
	for i, axis := range axes {
		if axis != rank-len(axes)+i {
			return false
		}
	}
	return true
}

type indexType interface{ int32 | int64 }

// gatherBytes is the size of rows that are worth a task of their own.
const gatherBytes = 1 << 16

// gatherRows copies rows of the first input to where the second one says.
func gatherRows[I indexType](t rowsTable) kernel {
	return func(pool *workers.Pool, outputs, inputs []tensor.Tensor) error {
		to, from, index := outputs[0].Bytes(), inputs[0].Bytes(), tensor.Of[I](inputs[1])
		width := t.width * inputs[0].Shape.DType.Size()
		perTask := max(1, gatherBytes/width)
		tasks := (t.count + perTask - 1) / perTask
		if pool == nil || tasks < 2 {
			copyRows(t, to, from, index, width)
			return nil
		}
		pool.Run(tasks, func(task int) {
			first, end := task*perTask, min((task+1)*perTask, t.count)
			copyRows(t, to[first*width:end*width], from, index[first:end], width)
		})
		return nil
	}
}

func copyRows[I indexType](t rowsTable, to, from []byte, index []I, width int) {
	for i, row := range index {
		at := max(0, min(int(row), t.rows-1))
		copy(to[i*width:(i+1)*width], from[at*width:])
	}
}

// addRows copies the first input and adds to its rows, in the order of the
// indices in the second, those of the third; indices out of range are left out.
func addRows[T vector.Float, I indexType](t rowsTable) kernel {
	add := vector.Binary[T](vector.Add)
	return func(_ *workers.Pool, outputs, inputs []tensor.Tensor) error {
		copyTensor(outputs[0], inputs[0])
		to, updates := tensor.Of[T](outputs[0]), tensor.Of[T](inputs[2])
		for i, row := range tensor.Of[I](inputs[1]) {
			if row < 0 || int(row) >= t.rows {
				continue
			}
			target := to[int(row)*t.width:][:t.width]
			add(target, target, updates[i*t.width:][:t.width])
		}
		return nil
	}
}
