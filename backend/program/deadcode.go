package program

import "github.com/descentml/descent/backend/ir"

// withoutDeadCode returns f without the nodes of which no output is used.
func withoutDeadCode(f *ir.Function) (*ir.Function, error) {
	used := make([]bool, f.NumValues())
	for _, v := range f.Outputs {
		used[v] = true
	}
	kept := make([]*ir.Node, len(f.Nodes))
	first := len(kept)
	for i := len(f.Nodes) - 1; i >= 0; i-- {
		n := f.Nodes[i]
		alive := false
		for _, v := range n.Outputs {
			alive = alive || used[v]
		}
		if !alive {
			continue
		}
		for _, v := range n.Inputs {
			used[v] = true
		}
		first--
		kept[first] = n
	}
	g := *f
	g.Nodes = kept[first:]
	return &g, nil
}
