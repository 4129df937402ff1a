package program

import (
	"github.com/gomlx/compute"

	"github.com/descentml/descent/backend/ir"
	"github.com/descentml/descent/backend/tensor"
)

// maxFolded is the size in bytes up to which constants are computed.
const maxFolded = 1 << 14

// foldConstants computes the nodes that depend on no parameter. A broadcast of
// a constant stays as it is, since its users need not have it in memory.
func foldConstants(f *ir.Function) (*ir.Function, error) {
	return rewrite(f, func(r *rewriter, n *ir.Node, inputs []ir.Value) ([]ir.Value, error) {
		switch n.Op {
		case compute.OpTypeConstant, compute.OpTypeBroadcastInDim, compute.OpTypeOptimizationBarrier, compute.OpTypeSchedulingBarrier:
			return nil, nil
		}
		if len(n.Bodies) > 0 {
			return nil, nil
		}
		results, ok := evaluate(f, r, n, inputs)
		if !ok {
			return nil, nil
		}
		outputs := make([]ir.Value, len(results))
		for i, data := range results {
			outputs[i] = r.to.AddConstant(data)
		}
		return outputs, nil
	})
}

// evaluate computes a node of constants. What fails here is left to fail when
// the program runs.
func evaluate(f *ir.Function, r *rewriter, n *ir.Node, inputs []ir.Value) (results []tensor.Tensor, ok bool) {
	arguments := make([]tensor.Tensor, len(inputs))
	for i, v := range inputs {
		constant := r.producer(v, compute.OpTypeConstant)
		if constant == nil {
			return nil, false
		}
		arguments[i] = constant.Attributes.(ir.Constant).Data
	}
	results = make([]tensor.Tensor, len(n.Outputs))
	for i, v := range n.Outputs {
		size, err := tensor.ByteSize(f.Shape(v))
		if err != nil || size > maxFolded {
			return nil, false
		}
		if results[i], err = tensor.New(f.Shape(v)); err != nil {
			return nil, false
		}
	}
	run, err := newKernel(f, n)
	if err != nil {
		return nil, false
	}
	return results, run(nil, results, arguments) == nil
}
