package program

import (
	"github.com/gomlx/compute"

	"github.com/descentml/descent/backend/ir"
)

// inlineCalls puts the nodes of called functions in the place of the calls.
func inlineCalls(f *ir.Function) (*ir.Function, error) {
	return rewrite(f, inlineCall)
}

func inlineCall(r *rewriter, n *ir.Node, inputs []ir.Value) ([]ir.Value, error) {
	if n.Op != compute.OpTypeCall {
		return nil, nil
	}
	body := n.Bodies[0]
	inner := &rewriter{to: r.to, values: make([]ir.Value, body.NumValues())}
	for i, v := range body.Parameters {
		inner.values[v] = inputs[i]
	}
	for _, m := range body.Nodes {
		arguments := inner.mapped(m.Inputs)
		outputs, err := inlineCall(inner, m, arguments)
		if err == nil && outputs == nil {
			outputs, err = inner.copy(m, arguments)
		}
		if err != nil {
			return nil, err
		}
		for i, v := range m.Outputs {
			inner.values[v] = outputs[i]
		}
	}
	return inner.mapped(body.Outputs), nil
}
