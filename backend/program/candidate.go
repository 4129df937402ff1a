package program

import (
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/descentml/descent/backend/ir"
	"github.com/descentml/descent/backend/kernel/vector"
)

// action is what an instruction of a fused computation does.
type action uint8

const (
	unary action = iota
	binary
	compare
	choose         // Where
	fromBool       // 0 and 1
	convert        // of an input of another type
	logic          // of booleans
	reduceElements // to a scalar
	reduceRows     // each row to one number: a column
	reduceColumns  // each column to one number: a row
)

// A candidate is a node that may be part of a fused computation.
type candidate struct {
	node     *ir.Node
	action   action
	function vector.UnaryOp // if unary
	dtype    dtypes.DType   // of the floats, or InvalidDType if there are none
	size     int            // elements of the domain
	columns  int            // of the domain, 0 if any number will do
	operands []operand
}

var unaryKernels = map[compute.OpType]vector.UnaryOp{
	compute.OpTypeNeg: vector.Neg, compute.OpTypeAbs: vector.Abs, compute.OpTypeSqrt: vector.Sqrt, compute.OpTypeRsqrt: vector.Rsqrt,
	compute.OpTypeFloor: vector.Floor, compute.OpTypeCeil: vector.Ceil, compute.OpTypeRound: vector.Round, compute.OpTypeSign: vector.Sign,
	compute.OpTypeExp: vector.Exp, compute.OpTypeExpm1: vector.Expm1, compute.OpTypeLog: vector.Log, compute.OpTypeLog1p: vector.Log1p,
	compute.OpTypeTanh: vector.Tanh, compute.OpTypeLogistic: vector.Sigmoid, compute.OpTypeErf: vector.Erf,
	compute.OpTypeSin: vector.Sin, compute.OpTypeCos: vector.Cos,
}

// unaryKernel returns the kernel of a node that is a function of one number.
func unaryKernel(n *ir.Node) (op vector.UnaryOp, ok bool) {
	if a, isGelu := n.Attributes.(ir.Gelu); isGelu {
		if a.Exact {
			return vector.Gelu, true
		}
		return vector.GeluTanh, true
	}
	op, ok = unaryKernels[n.Op]
	return op, ok
}

var binaryKernels = map[compute.OpType]vector.BinaryOp{
	compute.OpTypeAdd: vector.Add, compute.OpTypeSub: vector.Sub, compute.OpTypeMul: vector.Mul, compute.OpTypeDiv: vector.Div,
	compute.OpTypeMax: vector.Max, compute.OpTypeMin: vector.Min, compute.OpTypePow: vector.Pow,
}

var compareKernels = map[compute.OpType]vector.CompareOp{
	compute.OpTypeEqual: vector.Equal, compute.OpTypeNotEqual: vector.NotEqual,
	compute.OpTypeLessThan: vector.Less, compute.OpTypeLessOrEqual: vector.LessEqual,
	compute.OpTypeGreaterThan: vector.Greater, compute.OpTypeGreaterOrEqual: vector.GreaterEqual,
}

var reductions = map[compute.OpType]vector.Reduction{
	compute.OpTypeReduceSum: vector.Sum, compute.OpTypeReduceProduct: vector.Product,
	compute.OpTypeReduceMax: vector.Largest, compute.OpTypeReduceMin: vector.Smallest,
}

// candidate returns what n does in a fused computation, if it can be part of
// one.
func (l *layout) candidate(n *ir.Node) (*candidate, bool) {
	if len(n.Outputs) != 1 {
		return nil, false
	}
	output := l.f.Shape(n.Outputs[0])
	c := &candidate{node: n, size: output.Size(), dtype: output.DType}
	if !c.classify(output, l.f.InputShapes(n)) || c.size == 0 {
		return nil, false
	}
	switch c.action {
	case reduceElements:
		return c, l.reduction(c)
	case logic:
		c.dtype = dtypes.InvalidDType
	case compare:
		c.dtype = l.f.Shape(n.Inputs[0]).DType
	}
	for i, v := range n.Inputs {
		o, ok := l.operand(v, output.Dimensions)
		if ok && !c.accepts(o) {
			o, ok = operand{value: v}, l.f.Shape(v).Size() == c.size
		}
		needsAll := c.action == logic || c.action == fromBool || c.action == convert || (c.action == choose && i == 0)
		if ok && needsAll && o.extent != elements {
			o, ok = operand{value: v}, l.f.Shape(v).Size() == c.size
		}
		if !ok {
			return nil, false
		}
		c.operands = append(c.operands, o)
		c.columns = max(c.columns, o.columns)
	}
	return c, true
}

func (c *candidate) accepts(o operand) bool {
	return c.columns == 0 || o.columns == 0 || c.columns == o.columns
}

// classify sets the action by operation and data types.
func (c *candidate) classify(output shapes.Shape, inputs []shapes.Shape) bool {
	op, real := c.node.Op, isReal(output.DType)
	has := func(ok bool, a action) bool {
		c.action = a
		return ok
	}
	function, isUnary := unaryKernel(c.node)
	_, isBinary := binaryKernels[op]
	_, isCompare := compareKernels[op]
	_, isReduction := reductions[op]
	switch {
	case isUnary:
		c.function = function
		return has(real, unary)
	case isBinary:
		return has(real, binary)
	case isCompare:
		return has(isReal(inputs[0].DType), compare)
	case isReduction:
		return has(real, reduceElements)
	case op == compute.OpTypeWhere:
		return has(real, choose)
	case op == compute.OpTypeConvertDType && real && inputs[0].DType == dtypes.Bool:
		return has(true, fromBool)
	case op == compute.OpTypeConvertDType && real:
		return has(slices.Contains([]dtypes.DType{dtypes.Int32, dtypes.Int64, dtypes.Float32, dtypes.Float64}, inputs[0].DType), convert)
	case op == compute.OpTypeLogicalAnd, op == compute.OpTypeLogicalOr, op == compute.OpTypeLogicalXor, op == compute.OpTypeLogicalNot:
		return has(true, logic)
	}
	return false
}

func isReal(dtype dtypes.DType) bool { return dtype == dtypes.Float32 || dtype == dtypes.Float64 }

// maxWholeRow is the number of columns up to which rows are reduced within a
// fused computation, so that they stay in the cache.
const maxWholeRow = 1 << 14

// reduction completes the candidate of a reduction.
func (l *layout) reduction(c *candidate) bool {
	input := c.node.Inputs[0]
	dimensions := l.dimensions(input)
	varies := make([]bool, len(dimensions))
	for axis := range varies {
		varies[axis] = !slices.Contains(c.node.Attributes.(ir.Axes).Axes, axis)
	}
	c.size = l.f.Shape(input).Size()
	if c.size < 2 {
		return false
	}
	kept, columns, ok := split(varies, dimensions)
	if !ok {
		return false
	}
	c.columns = columns
	switch kept {
	case scalar:
		c.action = reduceElements
	case column:
		c.action = reduceRows
	case row:
		c.action = reduceColumns
	default:
		return false
	}
	if c.action == reduceRows && columns > maxWholeRow {
		return false
	}
	o, ok := l.operand(input, dimensions)
	if !ok || !c.accepts(o) {
		o = operand{value: input}
	}
	c.columns = max(c.columns, o.columns)
	c.operands = []operand{o}
	return true
}
