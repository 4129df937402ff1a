package program

import "github.com/descentml/descent/backend/ir"

// withoutRepetition computes once what several nodes compute from the same
// values.
func withoutRepetition(f *ir.Function) (*ir.Function, error) {
	known := make(map[string][]ir.Value)
	return rewrite(f, func(r *rewriter, n *ir.Node, inputs []ir.Value) ([]ir.Value, error) {
		moved := *n
		moved.Inputs = inputs
		key := moved.Key()
		if key == "" {
			return nil, nil
		}
		if outputs, ok := known[key]; ok {
			return outputs, nil
		}
		outputs, err := r.copy(n, inputs)
		known[key] = outputs
		return outputs, err
	})
}
