package program

import (
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapeinference"

	"github.com/descentml/descent/backend/ir"
	"github.com/descentml/descent/backend/tensor"
)

// A plan says where every value of a function lives while a program runs.
type plan struct {
	places    []place // by ir.Value
	results   []resultPlace
	donors    []int      // by result: a parameter, or -1
	roots     []ir.Value // by value: the one whose memory it views, or itself
	arenaSize int        // in bytes
}

// A place is where a value lives. The index is the parameter, the result, or
// the offset in the arena.
type place struct {
	kind  placeKind
	index int
}

type placeKind uint8

const (
	nowhere placeKind = iota
	inParameter
	inConstant
	inResult
	inArena
)

// A resultPlace says which output of which step is a result.
type resultPlace struct {
	value        ir.Value
	step, output int
	result       int
}

// planner makes a plan step by step. A step number counts the nodes that are
// no constants or views.
type planner struct {
	f       *ir.Function
	plan    plan
	lastUse []int // by value: the last step that reads it, math.MaxInt for results
	sizes   []int // by value, in bytes
	arena   arena
}

func newPlan(f *ir.Function) (plan, error) {
	p := &planner{f: f, lastUse: make([]int, f.NumValues()), sizes: make([]int, f.NumValues())}
	p.plan.places = make([]place, f.NumValues())
	p.plan.roots = findRoots(f)
	p.plan.donors = slices.Repeat([]int{-1}, len(f.Outputs))
	for v := range p.sizes {
		var err error
		if p.sizes[v], err = tensor.ByteSize(f.Shape(ir.Value(v))); err != nil {
			return plan{}, err
		}
	}
	p.findLastUses()
	p.placeParameters()
	step := 0
	for _, n := range f.Nodes {
		if n.Op == compute.OpTypeConstant {
			p.plan.places[n.Outputs[0]] = place{kind: inConstant}
		}
		if !p.plan.runs(n) {
			continue
		}
		p.placeOutputs(n, step)
		step++
	}
	if p.arena.size < 0 {
		return plan{}, fmt.Errorf("function %q needs more memory than can be addressed", f.Name)
	}
	p.plan.arenaSize = p.arena.size
	return p.plan, nil
}

// findRoots finds the values that are views of others: reshapes, except where
// the result has to be in memory of its own.
func findRoots(f *ir.Function) []ir.Value {
	roots := make([]ir.Value, f.NumValues())
	for v := range roots {
		roots[v] = ir.Value(v)
	}
	for _, n := range f.Nodes {
		if n.Op == compute.OpTypeReshape && !slices.Contains(f.Outputs, n.Outputs[0]) {
			roots[n.Outputs[0]] = roots[n.Inputs[0]]
		}
	}
	return roots
}

// runs tells whether n has a step in the program: constants and views have
// none.
func (p *plan) runs(n *ir.Node) bool {
	return n.Op != compute.OpTypeConstant && (len(n.Outputs) == 0 || p.roots[n.Outputs[0]] == n.Outputs[0])
}

func (p *planner) findLastUses() {
	for v := range p.lastUse {
		p.lastUse[v] = -1
	}
	step := 0
	for _, n := range p.f.Nodes {
		if !p.plan.runs(n) {
			continue
		}
		for _, v := range n.Inputs {
			p.lastUse[p.plan.roots[v]] = step
		}
		step++
	}
	for _, v := range p.f.Outputs {
		p.lastUse[v] = math.MaxInt
	}
}

func (p *planner) placeParameters() {
	for i, v := range p.f.Parameters {
		p.plan.places[v] = place{kind: inParameter, index: i}
		if result := slices.Index(p.f.Outputs, v); result >= 0 {
			p.plan.donors[result] = i
		}
	}
}

// placeOutputs places what a node computes, and frees what it used last.
func (p *planner) placeOutputs(n *ir.Node, step int) {
	for i, v := range n.Outputs {
		if result := slices.Index(p.f.Outputs, v); result >= 0 {
			p.plan.places[v] = place{kind: inResult, index: result}
			p.plan.results = append(p.plan.results, resultPlace{value: v, step: step, output: i, result: result})
			p.plan.donors[result] = p.findDonor(n, v, step)
			continue
		}
		if donors := p.inPlace(n, v, step, inArena); len(donors) > 0 {
			p.plan.places[v] = p.plan.places[donors[0]]
			p.lastUse[donors[0]] = math.MaxInt // its memory is freed with v
			continue
		}
		p.plan.places[v] = place{kind: inArena, index: p.arena.allocate(p.sizes[v])}
	}
	for _, v := range slices.Concat(n.Inputs, n.Outputs) {
		v = p.plan.roots[v]
		unused := p.lastUse[v] < 0 && slices.Contains(n.Outputs, v)
		if p.plan.places[v].kind == inArena && (p.lastUse[v] == step || unused) {
			p.arena.free(p.plan.places[v].index, p.sizes[v])
			p.lastUse[v] = math.MaxInt
		}
	}
}

// inPlace returns the inputs of n in whose place v may be computed.
func (p *planner) inPlace(n *ir.Node, v ir.Value, step int, kind placeKind) []ir.Value {
	var list []ir.Value
	for _, input := range inPlaceInputs(n, v) {
		shape := p.f.Shape(input)
		twice := slices.ContainsFunc(n.Inputs, func(other ir.Value) bool {
			return other != input && p.plan.roots[other] == p.plan.roots[input]
		})
		input = p.plan.roots[input]
		if twice {
			continue
		}
		if p.plan.places[input].kind == kind && p.lastUse[input] == step &&
			shape.DType == p.f.Shape(v).DType && p.sizes[input] == p.sizes[v] && p.sizes[v] > 0 {
			list = append(list, input)
		}
	}
	return list
}

// inPlaceInputs returns the inputs over which the kernel may write output v, if
// they have as many elements of the same data type.
func inPlaceInputs(n *ir.Node, v ir.Value) []ir.Value {
	switch n.Op {
	case ir.OpFused:
		return n.Attributes.(*tape).inPlace[slices.Index(n.Outputs, v)]
	case compute.OpTypeReshape, compute.OpTypeIdentity:
		return n.Inputs
	case compute.OpTypeScatterSum, compute.OpTypeScatterMax, compute.OpTypeScatterMin, compute.OpTypeDynamicUpdateSlice:
		if slices.Contains(n.Inputs[1:], n.Inputs[0]) {
			return nil
		}
		return n.Inputs[:1]
	}
	if shapeinference.StandardUnaryOperations.Has(n.Op) || shapeinference.StandardBinaryOperations.Has(n.Op) {
		return n.Inputs
	}
	return nil
}

// findDonor returns a parameter whose memory result v may have: one that no
// step reads from here on.
func (p *planner) findDonor(n *ir.Node, v ir.Value, step int) int {
	for _, input := range p.inPlace(n, v, step, inParameter) {
		if i := p.plan.places[input].index; !slices.Contains(p.plan.donors, i) {
			return i
		}
	}
	for i, parameter := range p.f.Parameters {
		free := p.lastUse[parameter] < step && p.sizes[parameter] == p.sizes[v] && p.f.Shape(parameter).DType == p.f.Shape(v).DType
		if free && !slices.Contains(p.plan.donors, i) {
			return i
		}
	}
	return -1
}
