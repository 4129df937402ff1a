package program

import (
	"cmp"
	"slices"

	"github.com/descentml/descent/backend/ir"
)

// emitter writes the function in which each group is one node.
type emitter struct {
	*fuser
	alive   []bool // by node
	outside []bool // by value: used by another node than those of its group
	last    map[*group]int
	done    []bool // by node
	nodes   []*ir.Node
}

// emit returns the function with a node for each group, in an order in which
// values are computed before they are used.
func (u *fuser) emit() (*ir.Function, error) {
	e := &emitter{
		fuser:   u,
		alive:   make([]bool, len(u.f.Nodes)),
		outside: make([]bool, u.f.NumValues()),
		last:    make(map[*group]int),
		done:    make([]bool, len(u.f.Nodes)),
	}
	e.findUses()
	for i := range u.f.Nodes {
		if g := u.groups[i]; g != nil && e.alive[i] {
			e.last[g] = i
		}
	}
	for i := range u.f.Nodes {
		if g := u.groups[i]; e.alive[i] && (g == nil || e.last[g] == i) {
			e.emitNode(i)
		}
	}
	f := *u.f
	f.Nodes = e.nodes
	return &f, nil
}

// findUses goes backwards from the results.
func (e *emitter) findUses() {
	used := make([]bool, e.f.NumValues())
	for _, v := range e.f.Outputs {
		used[v], e.outside[v] = true, true
	}
	for i := len(e.f.Nodes) - 1; i >= 0; i-- {
		n := e.f.Nodes[i]
		e.alive[i] = slices.ContainsFunc(n.Outputs, func(v ir.Value) bool { return used[v] })
		if !e.alive[i] {
			continue
		}
		for _, v := range e.inputs(i) {
			used[v] = true
			if e.groups[i] == nil || e.groupOf(v) != e.groups[i] {
				e.outside[v] = true
			}
		}
	}
}

// inputs returns what node i reads.
func (e *emitter) inputs(i int) []ir.Value {
	n := e.f.Nodes[i]
	if e.groups[i] == nil {
		return n.Inputs
	}
	var list []ir.Value
	for _, o := range e.members[n.Outputs[0]].operands {
		list = append(list, o.value)
	}
	return list
}

// emitNode writes node i, or its group, after what it depends on.
func (e *emitter) emitNode(i int) {
	if e.done[i] {
		return
	}
	g := e.groups[i]
	if g == nil {
		e.done[i] = true
		e.emitProducers(e.f.Nodes[i].Inputs)
		e.nodes = append(e.nodes, e.f.Nodes[i])
		return
	}
	g.members = slices.DeleteFunc(g.members, func(m *member) bool { return !e.alive[m.order] })
	slices.SortFunc(g.members, func(a, b *member) int { return cmp.Compare(a.order, b.order) })
	for _, m := range g.members {
		e.done[m.order] = true
	}
	n := &ir.Node{Op: ir.OpFused}
	for _, m := range g.members {
		for _, o := range m.operands {
			if e.groupOf(o.value) != g && !slices.Contains(n.Inputs, o.value) {
				n.Inputs = append(n.Inputs, o.value)
			}
		}
		if v := m.node.Outputs[0]; e.outside[v] {
			n.Outputs = append(n.Outputs, v)
		}
	}
	e.emitProducers(n.Inputs)
	n.Attributes = newTape(e.fuser, g, n)
	e.nodes = append(e.nodes, n)
}

func (e *emitter) emitProducers(values []ir.Value) {
	for _, v := range values {
		if order := e.order[v]; order >= 0 {
			e.emitNode(order)
		}
	}
}
